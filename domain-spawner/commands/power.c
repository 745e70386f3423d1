/*
 * Starting and ending domains: see power.h.
 *
 * Several domains are worked on at once, a child process each, since a request may take as long as
 * a domain's start; failures are told one line each and the rest goes on.
 */
#include "domain-spawner/commands/power.h"

#include "domain-spawner/commands/tool.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <stdio.h>

struct options {
    struct selection select;
    bool skip_if_running, wait, force, dry_run;
};

enum { OPT_ALL = TOOL_OWN, OPT_EXCLUDE, OPT_SKIP, OPT_WAIT, OPT_TIMEOUT, OPT_FORCE, OPT_DRY_RUN };

static const struct option longs[] = {
    TOOL_LONGS,
    {"all", no_argument, NULL, OPT_ALL},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"skip-if-running", no_argument, NULL, OPT_SKIP},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"force", no_argument, NULL, OPT_FORCE},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"suspend", no_argument, NULL, 'S'},
    {0},
};

static bool on_option(void *user, int c, const char *value)
{
    struct options *o = user;

    if (c == OPT_EXCLUDE && !tool_exclude(&o->select, value))
        return false;
    o->select.all |= c == OPT_ALL;
    o->skip_if_running |= c == OPT_SKIP;
    o->wait |= c == OPT_WAIT || c == OPT_TIMEOUT;
    o->force |= c == OPT_FORCE;
    o->dry_run |= c == OPT_DRY_RUN;
    return true;
}

#define ALL "  --all, --exclude VM  every domain but these\n"

static const struct verb {
    struct tool tool;
    const char *method, *doing;
    const char *fine; /* this exception is no failure: what was wanted is so already */
    bool counts;      /* the exit code is how many failed */
} verbs[] = {
    [POWER_START] = {{"qvm-start", "[--skip-if-running] [--all [--exclude VM]] [VM...]",
                      ALL "  --skip-if-running  a running one is no error\n", TOOL_SHORTS, longs,
                      on_option},
                     "admin.vm.Start",
                     "Failed to start",
                     NULL,
                     false},
    [POWER_SHUTDOWN] =
        {{"qvm-shutdown", "[--wait] [--force] [--dry-run] [--all [--exclude VM]] [VM...]",
          ALL "  --wait          until they are down; one that is not in time is killed\n"
              "  --force         also where others depend on it\n"
              "  --dry-run       only say which\n",
          TOOL_SHORTS, longs, on_option},
         "admin.vm.Shutdown",
         "Failed to shut down",
         "QubesVMNotStartedError",
         true},
    [POWER_KILL] = {{"qvm-kill", "[--all [--exclude VM]] [VM...]", ALL, TOOL_SHORTS, longs,
                     on_option},
                    "admin.vm.Kill",
                    "Failed to kill",
                    "QubesVMNotStartedError",
                    true},
    [POWER_PAUSE] = {{"qvm-pause", "[-S] [--all [--exclude VM]] [VM...]",
                      ALL "  -S, --suspend   the same here\n", TOOL_SHORTS "S", longs, on_option},
                     "admin.vm.Pause",
                     "Failed to pause",
                     NULL,
                     false},
    [POWER_UNPAUSE] = {{"qvm-unpause", "[-S] [--all [--exclude VM]] [VM...]",
                        ALL "  -S, --suspend   the same here\n", TOOL_SHORTS "S", longs, on_option},
                       "admin.vm.Unpause",
                       "Failed to unpause",
                       NULL,
                       false},
};

static int one_request(const struct verb *v, const struct options *o, const char *domain)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL, k = ADMIN_REPLY_NULL;
    const char *arg = NULL;
    int e;

    if (str_equal(v->method, "admin.vm.Shutdown"))
        arg = o->force && o->wait ? "force+wait" : o->force ? "force" : o->wait ? "wait" : NULL;
    e = admin_call(v->method, arg, domain, NULL, &r);
    if (e && r.type && v->fine && str_equal(r.type, v->fine))
        return 0;
    if (e && r.type && o->wait && str_equal(r.type, "QubesVMShutdownTimeoutError"))
        e = admin_call("admin.vm.Kill", NULL, domain, NULL, &k);
    if (e)
        fprintf(stderr, "Error: %s: %s: %s\n", v->doing, domain,
                k.message   ? k.message
                : r.message ? r.message
                            : "out of memory");
    return e ? 1 : 0;
}

/* A start of what runs already is an error unless the user says that it is none. */
static bool refused_before(const struct verb *v, const struct options *o,
                           const struct domain_line *d, int *failed)
{
    if (v != &verbs[POWER_START] || str_equal(d->state, "Halted"))
        return false;
    if (!o->skip_if_running && !o->select.all) {
        fprintf(stderr, "Error: %s: %s: the domain is running already\n", v->doing, d->name);
        ++*failed;
    }
    return true;
}

static int all_requests(const struct verb *v, const struct options *o, const struct domain_list *l)
{
    _cleanup_(freep) pid_t *pids = calloc(l->n + 1, sizeof(*pids));
    int failed = 0;

    if (!pids)
        return tool_error("out of memory");
    for (size_t i = 0; i < l->n; i++) {
        if (o->dry_run) {
            printf("%s\n", l->items[i].name);
            continue;
        }
        if (refused_before(v, o, &l->items[i], &failed))
            continue;
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(one_request(v, o, l->items[i].name));
        if (pids[i] < 0)
            failed += one_request(v, o, l->items[i].name);
    }
    for (size_t i = 0; i < l->n; i++)
        if (pids[i] > 0 && spawn_wait(pids[i]) != 0)
            failed++;
    return failed;
}

int power_main(enum power_verb verb, int argc, char **argv)
{
    _cleanup_(domain_list_deinit) struct domain_list l = DOMAIN_LIST_NULL;
    const struct verb *v = &verbs[verb];
    struct options o = {0};
    int failed, r = tool_start(&v->tool, argc, argv, &o);

    if (r >= 0)
        return r;
    if (verb == POWER_SHUTDOWN && o.select.all && !o.select.n_exclude)
        o.force = true;
    r = tool_select(&v->tool, &o.select, argv + optind, argc - optind, &l);
    if (r >= 0)
        return r;
    failed = all_requests(v, &o, &l);
    if (v->counts)
        return failed > 100 ? 100 : failed;
    return failed ? 1 : 0;
}
