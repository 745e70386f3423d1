/* From a command line to a command that can be started: see service.h. */
#include "libqrexec/service/service-internal.h"

#include "libqrexec/base/log.h"

#include <errno.h>
#include <stdio.h>

static int plan_service(struct service *s, char *reterr)
{
    int r = service_find(s, reterr);

    if (!r)
        r = service_settings_read(s, reterr);
    if (r)
        return r;
    if (s->kind != SERVICE_PROGRAM)
        return 0;
    if (s->words.n_words != 2 && s->words.n_words != 4) {
        snprintf(reterr, SERVICE_TEXT_MAX, "command line: %zu words for a program, not 2 or 4",
                 s->words.n_words);
        return SERVICE_E_TROUBLE;
    }
    if (s->settings.skip_service_descriptor || s->settings.exit_on_client_eof ||
        s->settings.exit_on_service_eof)
        log_warning("%s: settings for sockets are ignored, it is a program", s->words.full_name);
    return 0;
}

int service_plan(enum service_place place, const char *line, struct service *ret,
                 char reterr[static SERVICE_TEXT_MAX])
{
    int r;

    *ret = SERVICE_NULL;
    ret->place = place;
    reterr[0] = 0;
    r = service_words_parse(place, line, &ret->words, reterr);
    if (!r && ret->words.is_service)
        r = plan_service(ret, reterr);
    if (r < 0)
        snprintf(reterr, SERVICE_TEXT_MAX, "%s", strerror(-r));
    if (r)
        return r;
    if (ret->kind == SERVICE_PROGRAM) {
        /* an executable has no use for them, and the fork server may run it */
        ret->settings.skip_service_descriptor = false;
        ret->settings.exit_on_client_eof = false;
        ret->settings.exit_on_service_eof = false;
    }
    return format(ret->user, sizeof(ret->user), "%s",
                  *ret->settings.force_user ? ret->settings.force_user
                  : ret->words.user         ? ret->words.user
                                            : "");
}

void service_deinit(struct service *s)
{
    service_words_deinit(&s->words);
    *s = SERVICE_NULL;
}

bool service_fits_fork_server(const struct service *s)
{
    return !s->words.nogui && !s->settings.skip_service_descriptor &&
           !s->settings.exit_on_client_eof && !s->settings.exit_on_service_eof;
}
