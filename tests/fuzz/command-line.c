/*
 * The command line of a call, from a daemon's exec message to the plan; and the words of
 * qubes.VMExec. Each parser's result must say what the line said, no more and no less.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/service/service-internal.h"
#include "libqrexec/wire/command.h"
#include "libqrexec/wire/vmexec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/stage/folder.h"

#include <stdio.h>

#define WORDS_MOST 64

static char line_again[3 * 65536];

static bool same(struct wire_text t, const char *s)
{
    return t.s ? s && wire_text_is(t, s) : !s;
}

static struct wire_writer writer(void)
{
    return wire_writer(line_again, sizeof(line_again));
}

static void check_again(const struct wire_writer *w, struct wire_text t, const char *what)
{
    if (w->error || w->len != t.len || (t.len && memcmp(line_again, t.s, t.len) != 0))
        fuzz_fail(what);
}

/* The parts, put together, are the line. */
static void check_parts(const struct command *c, enum command_place place, struct wire_text line)
{
    struct wire_writer w = writer();

    if (place == COMMAND_IN_VM) {
        wire_put_text(&w, c->user);
        wire_put_str(&w, ":");
    }
    wire_put_str(&w, c->nogui ? "nogui:" : "");
    wire_put_text(&w, c->text);
    check_again(&w, line, "a command line's parts are not the line");
    if (!c->is_service)
        return;
    w = writer();
    wire_put_text(&w, c->service);
    wire_put_str(&w, c->argument.s ? "+" : "");
    wire_put_text(&w, c->argument);
    check_again(&w, c->full_name, "service and argument are not the name");
    wire_put_str(&w, " ");
    wire_put_text(&w, c->source);
    wire_put_str(&w, c->target_type.s ? " " : "");
    wire_put_text(&w, c->target_type);
    wire_put_str(&w, c->target.s ? " " : "");
    wire_put_text(&w, c->target);
    check_again(&w, c->descriptor, "a call's words are not its descriptor");
    if (!c->service.len || c->service.len > COMMAND_SERVICE_MAX || !c->source.len)
        fuzz_fail("a call of nothing, or by nobody");
}

/* What a daemon writes after an allow is read as what it meant. */
static void write_again(const struct command *c)
{
    struct wire_text user = c->user.len ? c->user : wire_text("u");
    struct wire_writer w = writer();
    struct command again;

    if (!c->is_service || memchr(user.s, ' ', user.len))
        return;
    if (command_write_vm(&w, user, c->full_name, c->source) ||
        command_parse((struct wire_text){line_again, w.len}, COMMAND_IN_VM, &again))
        fuzz_fail("a command that was read cannot be written");
    if (again.user.len != user.len || again.service.len != c->service.len ||
        again.source.len != c->source.len || again.argument.len != c->argument.len)
        fuzz_fail("a command changes when it is written and read");
}

/* The words as C strings are the spans. */
static void check_words(const struct command *c, const struct service_words *w)
{
    if (!same(c->user, w->user) || !same(c->text, w->command) || c->nogui != w->nogui ||
        c->is_service != w->is_service)
        fuzz_fail("the words are not the command");
    if (c->is_service && (!same(c->full_name, w->full_name) || !same(c->service, w->name) ||
                          !same(c->argument, w->argument) || !same(c->source, w->source) ||
                          !same(c->target_type, w->target_type) || !same(c->target, w->target) ||
                          !same(c->descriptor, w->descriptor) || c->n_words != w->n_words))
        fuzz_fail("the words are not the call");
}

static void check_environment(const struct service *s)
{
    static char *const base[] = {(char *)"QREXEC_REMOTE_DOMAIN=old", (char *)"PATH=/bin", NULL};
    struct environment e = {0};

    environment_build(&e, s, base, 1);
    if (e.failed || !environment_get(&e, "PATH"))
        fuzz_fail("no environment");
    if (s->words.is_service &&
        !str_equal(environment_get(&e, "QREXEC_REMOTE_DOMAIN"), s->words.source))
        fuzz_fail("another source in the environment");
    environment_deinit(&e);
}

static void plan(enum service_place place, const char *line)
{
    char why[SERVICE_TEXT_MAX] = "";
    struct service s;
    int r = service_plan(place, line, &s, why);

    if (r > 0 && r != SERVICE_E_TROUBLE && r != SERVICE_E_NOT_FOUND)
        fuzz_fail("a plan with an unknown outcome");
    if (r > 0 && !*why)
        fuzz_fail("a plan that fails without a reason");
    if (!r && s.kind == SERVICE_PROGRAM && s.words.n_words != 2 && s.words.n_words != 4)
        fuzz_fail("a program for a call with a wrong number of words");
    if (!r && (s.kind == SERVICE_TCP) != (*s.host != 0))
        fuzz_fail("an address without a host");
    if (!r)
        check_environment(&s);
    (void)service_fits_fork_server(&s);
    service_deinit(&s);
}

static void parse(enum service_place place, const char *line)
{
    enum command_place where = place == SERVICE_PLACE_VM ? COMMAND_IN_VM : COMMAND_IN_DOM0;
    struct wire_text t = wire_text(line);
    char why[SERVICE_TEXT_MAX] = "";
    struct service_words w;
    struct command c;
    int e = command_parse(t, where, &c), r = service_words_parse(place, line, &w, why);

    if (e && !r)
        fuzz_fail("words of a line that is none");
    if (r && (r != SERVICE_E_TROUBLE || !*why))
        fuzz_fail("a line is refused without a reason");
    if (!e) {
        check_parts(&c, where, t);
        write_again(&c);
    }
    if (!r)
        check_words(&c, &w);
    service_words_deinit(&w);
}

/* Words that were encoded are decoded to the same. */
static void check_vmexec_words(const char *words, size_t n_words, size_t n)
{
    static char encoded[3 * 65536 + 1], decoded[65536 + 1];
    const char *argv[WORDS_MOST], *p = words;
    struct wire_writer w = wire_writer(encoded, sizeof(encoded));
    struct wire_writer d = wire_writer(decoded, sizeof(decoded));
    size_t again = 0;

    if (!n_words || n_words > WORDS_MOST)
        return;
    for (size_t i = 0; i < n_words; i++, p += strlen(p) + 1)
        argv[i] = p;
    if (vmexec_encode(&w, argv, n_words) ||
        vmexec_decode(&d, (struct wire_text){encoded, w.len}, &again) || again != n_words ||
        d.len != n || memcmp(decoded, words, n) != 0)
        fuzz_fail("words change when they are encoded and decoded");
}

static void vmexec(const char *line, size_t n)
{
    static char words[65536 + 1];
    struct wire_writer w = wire_writer(words, n + 1);
    size_t n_words = 0;
    int e = vmexec_decode(&w, (struct wire_text){line, n}, &n_words);

    if (e == WIRE_E_SPACE)
        fuzz_fail("decoded words are longer than their code");
    if (!e)
        check_vmexec_words(words, n_words, w.len);
    n_words = 1;
    for (size_t i = 0; i <= n; i++) {
        words[i] = line[i] == '\n' ? 0 : line[i];
        n_words += line[i] == '\n';
    }
    check_vmexec_words(words, n_words, n + 1);
}

/* Services of every kind, and settings good and bad. */
static void make_services(void)
{
    const char *dir = folder_new();

    folder_file("q.A", "#!/bin/sh\n", 0755);
    folder_file("q.A+x", "#!/bin/sh\n", 0755);
    folder_file("q.Plain", "", 0644);
    folder_link("q.Tcp", "/dev/tcp");
    folder_link("q.Host", "/dev/tcp/127.0.0.1");
    folder_link("q.Port", "/dev/tcp/::1/80");
    folder_link("q.Nothing", "nowhere");
    folder_socket("q.S");
    folder_file("config/q.A+x", "force-user = 'nobody'\n", 0644);
    folder_file("config/q.S", "skip-service-descriptor = true\nwait-for-session = 1\n", 0644);
    folder_file("config/q.Port", "exit-on-client-eof = maybe\n", 0644);
    setenv("QREXEC_SERVICE_PATH", dir, 1);
    setenv("QUBES_RPC_CONFIG_PATH", folder_path("config"), 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    char *line = malloc(size + 1);

    if (!line || size > 65535)
        fuzz_fail("no memory");
    if (!made)
        make_services();
    made = true;
    if (size)
        memcpy(line, data, size);
    line[size] = 0;
    if (memchr(data ? (const char *)data : "", 0, size)) {
        struct command c;

        if (command_parse((struct wire_text){line, size}, COMMAND_IN_VM, &c) != COMMAND_E_NUL)
            fuzz_fail("a NUL inside a command line");
    }
    for (int place = SERVICE_PLACE_VM; place <= SERVICE_PLACE_DOM0; place++) {
        parse((enum service_place)place, line);
        plan((enum service_place)place, line);
    }
    vmexec(line, strlen(line));
    free(line);
    return 0;
}
