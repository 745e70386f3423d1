/* The settings file of a service: what is understood means the same when it is written again. */
#include "libqrexec/service/service.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/etc/qubes/rpc-config/x"

static bool same(const struct service_settings *a, const struct service_settings *b)
{
    return a->wait_for_session == b->wait_for_session &&
           a->skip_service_descriptor == b->skip_service_descriptor &&
           a->exit_on_client_eof == b->exit_on_client_eof &&
           a->exit_on_service_eof == b->exit_on_service_eof &&
           strcmp(a->force_user, b->force_user) == 0;
}

static int write_settings(const struct service_settings *s, char *text, size_t size)
{
    int n = snprintf(
        text, size,
        "wait-for-session = %s\nskip-service-descriptor = %s\n"
        "exit-on-client-eof = %s\nexit-on-service-eof = %s\n",
        s->wait_for_session ? "true" : "false", s->skip_service_descriptor ? "true" : "false",
        s->exit_on_client_eof ? "true" : "false", s->exit_on_service_eof ? "true" : "false");

    return *s->force_user
               ? n + snprintf(text + n, size - (size_t)n, "force-user = '%s'\n", s->force_user)
               : n;
}

static void parse_again(const struct service_settings *s)
{
    struct service_settings again = {0};
    char text[1024], why[SERVICE_TEXT_MAX];
    int n = write_settings(s, text, sizeof(text));

    if (service_settings_parse(PATH, text, (size_t)n, &again, why) || !same(s, &again))
        fuzz_fail("settings change when they are written and read");
}

/* A comment behind it, and a line end, mean nothing. */
static void parse_longer(const uint8_t *data, size_t n, const struct service_settings *s)
{
    struct service_settings longer = {0};
    char *text = malloc(n + 4), why[SERVICE_TEXT_MAX];

    if (!text)
        fuzz_fail("no memory");
    if (n)
        memcpy(text, data, n);
    memcpy(text + n, "\n#x\n", 4);
    if (service_settings_parse(PATH, text, n + 4, &longer, why) || !same(s, &longer))
        fuzz_fail("a comment at the end changes the settings");
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct service_settings s, untouched;
    char why[SERVICE_TEXT_MAX] = "";
    int r;

    memset(&s, 0xa5, sizeof(s));
    untouched = s;
    r = service_settings_parse(PATH, (const char *)data, size, &s, why);
    if (r && (r != SERVICE_E_TROUBLE || strncmp(why, PATH ":", sizeof(PATH)) != 0))
        fuzz_fail("settings are refused without their place");
    if (r && memcmp(&s, &untouched, sizeof(s)) != 0)
        fuzz_fail("settings that are refused have an effect");
    if (r)
        return 0;
    if (*s.force_user &&
        (s.skip_service_descriptor || s.exit_on_client_eof || s.exit_on_service_eof))
        fuzz_fail("force-user with settings of sockets");
    parse_again(&s);
    parse_longer(data, size, &s);
    return 0;
}
