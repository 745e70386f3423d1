/* qrexec-policy-daemon: see policy-server.h. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/sandbox.h"
#include "policy-engine/decision-log.h"
#include "policy-engine/policy-server.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: qrexec-policy-daemon [--root=DIR] [--policy-path=DIR]... [--socket-path=PATH]\n"
            "    [--eval-socket-path=PATH] [--gui-socket-path=PATH]\n"
            "    [--shadow-path=DIR]... [--decision-log=FILE|journal|none]\n"
            "    [--decision-log-size=BYTES] [--decision-log-keep=FILES]    [ext]\n");
    return code;
}

static int make_parent(const char *path)
{
    char dir[PATH_SIZE];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || format(dir, sizeof(dir), "%.*s", (int)(slash - path), path))
        return 0;
    return mkdir_all(dir, 0755);
}

/* Each request holds descriptors; the daemon says itself how many requests there may be. */
static void raise_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

struct arguments {
    struct server_options options;
    const char *root;
    char paths[4][PATH_SIZE];
};

static bool take_number(const char *text, uint32_t least, uint32_t *ret)
{
    return parse_u32(text, UINT32_MAX, ret) == 0 && *ret >= least;
}

static bool take_dir(struct policy_files *f, const char *dir)
{
    if (f->n_dirs == SERVICE_DIRS_MOST)
        return false;
    f->dirs[f->n_dirs++] = dir;
    return true;
}

/* 0, or the exit code plus one. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option longs[] = {{"root", required_argument, NULL, 'r'},
                                          {"policy-path", required_argument, NULL, 'p'},
                                          {"socket-path", required_argument, NULL, 's'},
                                          {"eval-socket-path", required_argument, NULL, 'e'},
                                          {"gui-socket-path", required_argument, NULL, 'g'},
                                          {"shadow-path", required_argument, NULL, 'S'},
                                          {"decision-log", required_argument, NULL, 'l'},
                                          {"decision-log-size", required_argument, NULL, 'z'},
                                          {"decision-log-keep", required_argument, NULL, 'k'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct server_options *o = &a->options;
    uint32_t size = DECISION_LOG_MAX;
    bool ok = true;
    int c;

    o->log_keep = DECISION_LOG_KEEP;
    while (ok && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (c) {
        case 'r': a->root = optarg; break;
        case 's': o->socket = optarg; break;
        case 'e': o->eval_socket = optarg; break;
        case 'g': o->gui_socket = optarg; break;
        case 'l': o->log = optarg; break;
        case 'p': ok = take_dir(&o->files, optarg); break;
        case 'S': ok = take_dir(&o->shadow, optarg); break;
        case 'z': ok = take_number(optarg, 4096, &size); break;
        case 'k': ok = take_number(optarg, 1, &o->log_keep) && o->log_keep <= 9; break;
        case 'h': return 1 + usage(0);
        default: ok = false;
        }
    }
    o->log_max = size;
    return ok && optind == argc ? 0 : 1 + usage(2);
}

/* What no option names is at its usual place, below the root. */
static int default_path(struct arguments *a, size_t i, const char *usual, const char **ret)
{
    int r = *ret ? 0 : path_get(a->paths[i], "%s", usual);

    if (!r && !*ret)
        *ret = a->paths[i];
    return r;
}

static int prepare(struct arguments *a)
{
    struct server_options *o = &a->options;
    int r = paths_init(a->root, PATHS_DAEMON);

    if (!r)
        r = policy_files_init(&o->files);
    if (!r)
        r = policy_files_init(&o->shadow);
    if (!r)
        r = default_path(a, 0, "/run/qubes/policy.sock", &o->socket);
    if (!r)
        r = default_path(a, 1, "/etc/qubes-rpc/policy.EvalSimple", &o->eval_socket);
    if (!r)
        r = default_path(a, 2, "/etc/qubes-rpc/policy.EvalGUI", &o->gui_socket);
    if (!r)
        r = default_path(a, 3, DECISION_LOG_PATH, &o->log);
    if (!r)
        r = make_parent(o->socket);
    if (!r && *o->log == '/')
        (void)make_parent(o->log); /* what fails is said when the log is opened */
    if (!r && *paths_root() && setenv("QREXEC_ROOT", paths_root(), 1) < 0)
        r = -errno; /* for qrexec-client */
    return r;
}

static void on_hangup(void *server)
{
    log_info("loading the policy again");
    policy_server_reload(server);
}

int main(int argc, char **argv)
{
    static struct arguments a;
    struct policy_server *server = NULL;
    int r;

    if (argc < 1 || process_begin())
        return 1;
    log_open("qrexec-policy-daemon", LOG_TARGET_STDERR);
    signal(SIGPIPE, SIG_IGN);
    r = read_arguments(argc, argv, &a);
    if (r)
        return r - 1;
    r = prepare(&a);
    if (r) {
        log_error("cannot start: %s", strerror(-r));
        return 1;
    }
    raise_limit();
    if (loop_init() || policy_server_new(&a.options, &server))
        return 1;
    loop_on_signal(SIGHUP, on_hangup, server);
    r = sandbox_enter(SANDBOX_LAUNCHER);
    if (r) {
        log_error("cannot give up rights: %s", strerror(-r));
        policy_server_free(server);
        return 1;
    }
    (void)notify_send("READY=1");
    r = loop_run();
    policy_server_free(server);
    return r;
}
