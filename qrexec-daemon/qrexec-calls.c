/*
 * qrexec-calls: the calls that run, as all daemons know them: listed, watched, ended [ext].
 */
#include "libqrexec/base/call-id.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "qrexec-daemon/calls-table.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#define EXIT_TROUBLE 1
#define EXIT_USAGE   2
#define END_MS       3000

static const char help[] = "usage: qrexec-calls [--json] [list]\n"
                           "       qrexec-calls [--json] watch\n"
                           "       qrexec-calls end ID\n"
                           "      --socket-dir=DIR  where the daemons' sockets are\n";

struct see {
    struct ask ask;
    struct table table;
    bool json;
    int error;
    bool ended;
};

/* Who did not answer is named; what the others know is shown. */
static void tell_silent(const struct ask *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (!a->daemons[i].answered)
            log_warning("%s: no whole answer%s%s", a->daemons[i].file,
                        *a->daemons[i].name ? ", of domain " : "", a->daemons[i].name);
}

static bool is_incomplete(const struct ask *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (!a->daemons[i].answered)
            return true;
    return false;
}

static void name_all(struct see *s)
{
    for (size_t i = 0; i < s->table.n; i++)
        table_name(&s->table.calls[i], &s->ask);
}

/* ---- list ---- */

static bool take_listed(void *user, struct asked *d, char *line)
{
    struct see *s = user;

    if (!*line)
        return true;
    if (str_starts(line, "call\t") && !s->error)
        s->error = table_take(&s->table, d, line);
    return false;
}

static int ask_list(struct see *s, const char *dir)
{
    int r = ask_begin(&s->ask, dir, "list\n");

    if (!r)
        r = ask_lines(&s->ask, clock_ms() + ASK_MS, take_listed, s);
    return r ? r : s->error;
}

static int list(struct see *s, const char *dir)
{
    int r = ask_list(s, dir);

    if (r)
        return r;
    name_all(s);
    table_sort(&s->table);
    tell_silent(&s->ask);
    if (s->json)
        r = table_print_json(&s->table);
    else
        table_print(&s->table);
    return r ? r : is_incomplete(&s->ask) ? EXIT_TROUBLE : 0;
}

/* ---- watch ---- */

static void print_event(const struct see *s, const struct shown *c, const char *event,
                        const char *how)
{
    if (s->json) {
        (void)table_print_event_json(c, event, how);
    } else {
        printf("%s %s %s -> %s %s%s%s", event, c->id, c->source, *c->target ? c->target : c->asked,
               c->service, *how ? ": " : "", how);
        if (!*how)
            printf(": %s", c->state);
        putchar('\n');
    }
    fflush(stdout);
}

/* Of both ends of a call the caller's daemon is heard; of one from dom0 the only one. */
static bool take_watched(void *user, struct asked *d, char *line)
{
    struct see *s = user;
    bool end = str_starts(line, "end\t");
    struct shown c;
    char how[256];

    if (!end && !str_starts(line, "call\t"))
        return false;
    table_read(&c, d, line);
    (void)ask_field(line, "how", how, sizeof(how));
    if (!call_id_is_valid(c.id) || (!c.outgoing && c.domain))
        return false;
    table_name(&c, &s->ask);
    print_event(s, &c, end ? "end" : "call", how);
    if (ferror(stdout))
        exit(EXIT_TROUBLE);
    return false;
}

static int watch(struct see *s, const char *dir)
{
    int r = ask_begin(&s->ask, dir, "watch\n");

    if (!r)
        r = ask_lines(&s->ask, 0, take_watched, s);
    if (!r)
        log_error("no daemon is left to watch");
    return r ? r : EXIT_TROUBLE;
}

/* ---- end ---- */

static bool take_ended(void *user, struct asked *d, char *line)
{
    struct see *s = user;

    if (str_equal(line, "ended")) {
        s->ended = true;
    } else if (str_starts(line, "error\t")) {
        log_warning("%s: %s", d->name, line + strlen("error\t"));
    }
    return true;
}

/* Whether a daemon knows the call. 1, 0, negative errno. */
static int is_listed(const char *dir, const char *id)
{
    struct see s = {.json = false};
    int r = ask_list(&s, dir);

    for (size_t i = 0; r == 0 && i < s.table.n; i++)
        r = str_equal(s.table.calls[i].id, id);
    table_deinit(&s.table);
    ask_deinit(&s.ask);
    return r;
}

/*
 * One that is told may be gone before it has answered, for a disposable's daemon ends with the
 * call: then what counts is that the call is not there any more.
 */
static int end(struct see *s, const char *dir, const char *id)
{
    char request[CALL_ID_SIZE + 8];
    int r = call_id_is_valid(id) ? format(request, sizeof(request), "end %s\n", id) : -EINVAL;

    if (r) {
        log_error("%s is no id of a call (qrexec-calls list shows them)", id);
        return EXIT_USAGE;
    }
    r = is_listed(dir, id);
    if (r == 0)
        log_error("%s: no such call runs", id);
    if (r <= 0)
        return r ? r : EXIT_TROUBLE;
    r = ask_begin(&s->ask, dir, request);
    if (!r)
        r = ask_lines(&s->ask, clock_ms() + END_MS, take_ended, s);
    if (!r && !s->ended)
        r = is_listed(dir, id);
    if (r <= 0)
        return r;
    tell_silent(&s->ask);
    log_error("%s: not ended: neither end's agent can do it; shut one of the domains down", id);
    return EXIT_TROUBLE;
}

/* ---- */

static int run(struct see *s, const char *dir, int argc, char **argv)
{
    const char *word = argc ? argv[0] : "list";

    if (argc <= 1 && str_equal(word, "list"))
        return list(s, dir);
    if (argc == 1 && str_equal(word, "watch"))
        return watch(s, dir);
    if (argc == 2 && str_equal(word, "end"))
        return end(s, dir, argv[1]);
    fputs(help, stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'},
                                          {"socket-dir", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct see s = {.json = false};
    const char *dir = NULL;
    char path[PATH_SIZE];
    int o, r = process_begin();

    if (r || argc < 1)
        return EXIT_TROUBLE;
    log_open("qrexec-calls", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((o = getopt_long(argc, argv, "h", longs, NULL)) >= 0)
        switch (o) {
        case 'j': s.json = true; break;
        case 's': dir = optarg; break;
        case 'h': fputs(help, stdout); return 0;
        default: fputs(help, stderr); return EXIT_USAGE;
        }
    r = paths_init(NULL, PATHS_TOOL);
    if (!r)
        r = path_get(path, "/run/qubes");
    if (!r)
        r = run(&s, dir ? dir : path, argc - optind, argv + optind);
    table_deinit(&s.table);
    ask_deinit(&s.ask);
    if (r < 0)
        log_error("%s", strerror(-r));
    if (fflush(stdout) || r < 0)
        return EXIT_TROUBLE;
    return r;
}
