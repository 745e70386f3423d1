/* domain-spawner: options, start, the loop. See spawner.h. */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static int usage(int code)
{
    fprintf(code ? stderr : stdout, "usage: domain-spawner [--root=DIR] [--helper=PROGRAM]\n");
    return code;
}

/* A registry without a template gets one: the local backend's, which is the host's own system. */
static int first_template(struct spawner *s)
{
    static const char *const features[] = {"qrexec", "os", "vmexec", "supported-rpc.qubes.VMExec",
                                           NULL};
    struct domain *d;
    int r;

    for (size_t i = 0; i < s->domains.n; i++)
        if (s->domains.list[i]->class == CLASS_TEMPLATE)
            return 0;
    r = domain_new("local", CLASS_TEMPLATE, &d);
    if (r)
        return r;
    d->qid = domains_free_qid(&s->domains);
    (void)format(d->label, sizeof(d->label), "black");
    for (size_t i = 0; !r && features[i]; i++)
        r = dict_set(&d->features, features[i], str_equal(features[i], "os") ? "Linux" : "1");
    r = r ? r : registry_save(s, d);
    r = r ? r : domains_add(&s->domains, d);
    if (r) {
        domain_free(d);
        return r;
    }
    r = dict_set(&s->domains.globals, "default_template", "local");
    return r ? r : registry_save_globals(s);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
                                          {"helper", required_argument, NULL, 'H'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    static struct spawner s;
    const char *root = NULL;
    int c, r;

    if (argc < 1 || fd_open_standard())
        return 1;
    log_open("domain-spawner", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'r')
            root = optarg;
        else if (c == 'H')
            s.helper_path = optarg;
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc)
        return usage(2);
    s.helper.fd = s.helper_end.fd = s.api.fd = s.internal.fd = -1;
    r = paths_init(root, PATHS_DAEMON);
    r = r ? r : domains_init(&s.domains);
    r = r ? r : registry_load(&s);
    r = r ? r : first_template(&s);
    if (r) {
        log_error("cannot start: %s", strerror(-r));
        return 1;
    }
    if (loop_init() || server_start(&s))
        return 1;
    if (life_init(&s)) {
        server_stop(&s);
        return 1;
    }
    (void)notify_send("READY=1");
    r = loop_run();
    server_stop(&s);
    life_stop(&s);
    if (s.helper_end.events)
        (void)loop_run();
    domains_deinit(&s.domains);
    return r;
}
