/*
 * qvm-run in dom0: a command or a service in domains, or in a new disposable.
 *
 * Each domain is made ready through the Admin API, then qrexec-client carries the call. A
 * disposable lives as long as its lease, which this process holds: it goes when we end, however
 * that comes about.
 */
#include "domain-spawner/commands/tool.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/wire/vmexec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define ARGV_MAX 65000

struct options {
    struct selection select;
    const char *user, *localcmd, *template, *taken;
    bool dispvm, pass_io, service, no_shell, no_start;
    int gui;     /* -1: by default */
    int filter;  /* -1: by default */
    char **argv; /* "--dispvm TEMPLATE" takes its value from here: taken */
};

enum {
    OPT_DISPVM = TOOL_OWN,
    OPT_ALL,
    OPT_EXCLUDE,
    OPT_SERVICE,
    OPT_LOCALCMD,
    OPT_NO_SHELL,
    OPT_GUI,
    OPT_NO_GUI,
    OPT_FILTER,
    OPT_NO_FILTER,
    OPT_IGNORED,
};

static const struct option longs[] = {
    TOOL_LONGS,
    {"pass-io", no_argument, NULL, 'p'},
    {"user", required_argument, NULL, 'u'},
    {"no-autostart", no_argument, NULL, 'n'},
    {"no-auto", no_argument, NULL, 'n'},
    {"autostart", no_argument, NULL, 'a'},
    {"auto", no_argument, NULL, 'a'},
    {"dispvm", optional_argument, NULL, OPT_DISPVM},
    {"all", no_argument, NULL, OPT_ALL},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"service", no_argument, NULL, OPT_SERVICE},
    {"localcmd", required_argument, NULL, OPT_LOCALCMD},
    {"no-shell", no_argument, NULL, OPT_NO_SHELL},
    {"gui", no_argument, NULL, OPT_GUI},
    {"no-gui", no_argument, NULL, OPT_NO_GUI},
    {"nogui", no_argument, NULL, OPT_NO_GUI},
    {"filter-escape-chars", no_argument, NULL, OPT_FILTER},
    {"no-filter-escape-chars", no_argument, NULL, OPT_NO_FILTER},
    {"colour-output", required_argument, NULL, OPT_IGNORED},
    {"color-output", required_argument, NULL, OPT_IGNORED},
    {"colour-stderr", required_argument, NULL, OPT_IGNORED},
    {"color-stderr", required_argument, NULL, OPT_IGNORED},
    {"no-colour-output", no_argument, NULL, OPT_IGNORED},
    {"no-color-output", no_argument, NULL, OPT_IGNORED},
    {"no-colour-stderr", no_argument, NULL, OPT_IGNORED},
    {"no-color-stderr", no_argument, NULL, OPT_IGNORED},
    {0},
};

static bool on_option(void *user, int c, const char *value)
{
    struct options *o = user;

    switch (c) {
    case 'p': o->pass_io = true; break;
    case 'u': o->user = value; break;
    case 'n': o->no_start = true; break;
    case 'a': o->no_start = false; break;
    case OPT_DISPVM:
        o->dispvm = true;
        o->template = value;
        if (!value && o->argv[optind] && o->argv[optind][0] != '-')
            o->template = o->taken = o->argv[optind++];
        break;
    case OPT_ALL: o->select.all = true; break;
    case OPT_EXCLUDE: return tool_exclude(&o->select, value);
    case OPT_SERVICE: o->service = true; break;
    case OPT_LOCALCMD: o->localcmd = value; break;
    case OPT_NO_SHELL: o->no_shell = true; break;
    case OPT_GUI: o->gui = 1; break;
    case OPT_NO_GUI: o->gui = 0; break;
    case OPT_FILTER: o->filter = 1; break;
    case OPT_NO_FILTER: o->filter = 0; break;
    }
    return true;
}

static const struct tool tool = {
    .name = "qvm-run",
    .usage = "[OPTIONS] VM COMMAND [ARG...]\n"
             "       qvm-run [OPTIONS] --all [--exclude VM] COMMAND\n"
             "       qvm-run [OPTIONS] --dispvm[=TEMPLATE] COMMAND [ARG...]",
    .help = "  -p, --pass-io          stdin, stdout and stderr are the remote ones\n"
            "  --localcmd CMD         with -p: CMD's stdin and stdout instead\n"
            "  --service              COMMAND is SERVICE[+ARGUMENT]\n"
            "  -u, --user USER        else the domain's default user\n"
            "  -n, --no-autostart     do not start or unpause the domain\n"
            "  -a, --autostart        do; the default\n"
            "  --no-shell             COMMAND and ARGs are run without a shell\n"
            "  --dispvm[=TEMPLATE]    in a new disposable\n"
            "  --all, --exclude VM    in every running domain but these\n"
            "  --gui, --no-gui        wait for the session, or not; by default where there is one\n"
            "  --filter-escape-chars, --no-filter-escape-chars\n"
            "                         replace unsafe bytes; the default on a terminal\n"
            "  --colour-output N, --colour-stderr N, --no-colour-output, --no-colour-stderr\n"
            "                         no effect here\n",
    .shorts = "+" TOOL_SHORTS "pu:na",
    .longs = longs,
    .option = on_option,
};

/* Words of a command line, quoted for bash. */
static char *quote_words(char **words, int n)
{
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);

    if (!f)
        return NULL;
    for (int i = 0; i < n; i++) {
        fputs(i ? " '" : "'", f);
        for (const char *p = words[i]; *p; p++)
            if (*p == '\'')
                fputs("'\\''", f);
            else
                fputc(*p, f);
        fputc('\'', f);
    }
    fclose(f);
    return out;
}

static bool has_feature(const char *domain, const char *feature)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;

    return admin_call("admin.vm.feature.CheckWithTemplate", feature, domain, NULL, &r) == 0 &&
           r.len > 0;
}

static bool has_guivm(const char *domain)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    struct property_value v;

    return admin_call("admin.vm.property.Get", "guivm", domain, NULL, &r) == 0 &&
           property_parse(r.content, &v) == 0 && *v.value;
}

/* Whether its windows are to be seen, and so a session is to be waited for. */
static bool wants_gui(const struct options *o, const char *domain)
{
    const char *display = getenv("DISPLAY");

    if (o->gui >= 0)
        return o->gui;
    return display && *display && has_guivm(domain) && has_feature(domain, "gui");
}

/* The service with its argument, and what goes to its stdin first (NULL: nothing). */
struct job {
    const char *user;
    char *service, *input;
};

static void job_deinit(struct job *j)
{
    free(j->service);
    free(j->input);
}

static int job_vector(const char *name, char **words, int n, struct job *ret)
{
    static char text[ARGV_MAX];
    struct wire_writer w = wire_writer(text, sizeof(text));

    if (vmexec_encode(&w, (const char *const *)words, (size_t)n))
        return tool_error("the command is too long");
    ret->service = format_new("%s+%.*s", name, (int)w.len, text);
    return ret->service ? 0 : tool_error("out of memory");
}

static int job_make(const struct options *o, const char *domain, char **words, int n,
                    struct job *ret)
{
    bool gui, root;

    ret->user = o->user ? o->user : "DEFAULT";
    if (o->service) {
        ret->service = strdup(words[0]);
        return ret->service ? 0 : tool_error("out of memory");
    }
    root = o->user && str_equal(o->user, "root") &&
           has_feature(domain, "supported-rpc.qubes.VMRootExec");
    if (root)
        ret->user = "DEFAULT"; /* the service becomes root by itself */
    gui = o->dispvm && !root && wants_gui(o, domain);
    if ((n > 1 || o->no_shell) && has_feature(domain, "vmexec"))
        return job_vector(root  ? "qubes.VMRootExec"
                          : gui ? "qubes.VMExecGUI"
                                : "qubes.VMExec",
                          words, n, ret);
    ret->service = strdup(root  ? "qubes.VMRootShell"
                          : gui ? "qubes.VMShell+WaitForSession"
                                : "qubes.VMShell");
    if (n > 1 || o->no_shell) {
        _cleanup_(freep) char *line = quote_words(words, n);

        ret->input = line ? format_new("%s; exit\n", line) : NULL;
    } else {
        ret->input = format_new("%s; exit\n", words[0]);
    }
    return ret->service && ret->input ? 0 : tool_error("out of memory");
}

static int make_ready(const struct options *o, const struct domain_line *d)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    bool paused = str_equal(d->state, "Paused");

    if (o->no_start && (paused || !str_equal(d->state, "Running"))) {
        fprintf(stderr, "Qube '%s' %s\n", d->name, paused ? "is paused" : "not started");
        return 1;
    }
    if (str_equal(d->name, "dom0")) {
        tool_error("commands in dom0 are run without this tool");
        return 255;
    }
    if (admin_call(paused ? "admin.vm.Unpause" : "admin.vm.Start", NULL, d->name, NULL, &r)) {
        tool_error("%s: %s", d->name, r.message ? r.message : "out of memory");
        return 255;
    }
    return 0;
}

/* -l CMD runs with what is free of the caller's descriptors; without -p nothing of ours goes in. */
static int start_client(const struct options *o, const char *domain, const struct job *j,
                        pid_t *ret)
{
    bool filter = o->filter < 0 ? isatty(STDOUT_FILENO) : o->filter > 0;
    _cleanup_(freep) char *command = NULL, *prefix = NULL;
    int fds[3] = {-1, -1, -1}, r;
    char path[PATH_SIZE];
    char *argv[16];
    size_t n = 0;

    r = path_program(path, PATH_LIB, "qrexec-client");
    command = format_new("%s:QUBESRPC %s%s dom0", j->user, j->service,
                         strchr(j->service, '+') ? "" : "+");
    prefix = j->input ? format_new("--prefix-data=%s", j->input) : NULL;
    if (r || !command || (j->input && !prefix))
        return -ENOMEM;
    argv[n++] = path;
    argv[n++] = (char *)"-d";
    argv[n++] = (char *)domain;
    if (filter && o->pass_io) {
        argv[n++] = (char *)"-t";
        argv[n++] = (char *)"-T";
    }
    if (o->dispvm) {
        argv[n++] = (char *)"-w";
        argv[n++] = (char *)"60";
    }
    if (o->service && !o->pass_io && !o->dispvm)
        argv[n++] = (char *)"-e";
    if (prefix)
        argv[n++] = prefix;
    if (o->localcmd) {
        argv[n++] = (char *)"-l";
        argv[n++] = (char *)o->localcmd;
    }
    argv[n++] = command;
    argv[n] = NULL;
    for (int i = 0; o->pass_io && i < 3; i++)
        fds[i] = i;
    return spawn_process(
        &(struct spawn){
            .path = path, .argv = argv, .fds = fds, .n_fds = 3, .parent_death_signal = SIGTERM},
        ret, NULL);
}

/* Its failure is not ours: what needs the session will say so. */
static void wait_for_session(const struct options *o, const char *domain)
{
    static const struct options silent = {.filter = 0};
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    struct property_value v;
    struct job j = {.user = "DEFAULT", .service = (char *)"qubes.WaitForSession"};
    _cleanup_(freep) char *line = NULL;
    const char *user = o->user;
    pid_t pid;

    if (!user && admin_call("admin.vm.property.Get", "default_user", domain, NULL, &r) == 0 &&
        property_parse(r.content, &v) == 0)
        user = v.value;
    j.input = line = format_new("%s\n", user ? user : "user");
    if (line && start_client(&silent, domain, &j, &pid) == 0)
        (void)spawn_wait(pid);
}

static int run_in(const struct options *o, const char *domain, char **words, int n)
{
    _cleanup_(job_deinit) struct job j = {0};
    pid_t pid;
    int r = job_make(o, domain, words, n, &j);

    if (r)
        return 255;
    if (!tool_quiet && !o->pass_io)
        fprintf(stderr, "Running '%s' on %s\n", words[0], domain);
    if (!o->dispvm && wants_gui(o, domain))
        wait_for_session(o, domain);
    r = start_client(o, domain, &j, &pid);
    if (r) {
        tool_error("cannot start qrexec-client: %s", strerror(-r));
        return 255;
    }
    r = spawn_wait(pid);
    if (r && !tool_quiet && !o->pass_io)
        fprintf(stderr, "%s: command failed with code: %d\n", domain, r);
    return r < 0 ? 255 : r;
}

static int run_disposable(const struct options *o, char **words, int n)
{
    _cleanup_(admin_reply_deinit) struct admin_reply r = ADMIN_REPLY_NULL;
    _cleanup_(closep) int lease = -1;

    if (admin_lease(o->template, &lease, &r)) {
        tool_error("no disposable: %s", r.message ? r.message : "out of memory");
        return 255;
    }
    r.content[strcspn(r.content, " \n")] = 0;
    return run_in(o, r.content, words, n);
}

static int run_all(const struct options *o, const struct domain_list *l, char **words, int n)
{
    _cleanup_(freep) pid_t *pids = calloc(l->n + 1, sizeof(*pids));
    int worst = 0, ran = 0, r;

    if (!pids) {
        tool_error("out of memory");
        return 255;
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct domain_line *d = &l->items[i];

        if (o->select.all && (!str_equal(d->state, "Running") || has_feature(d->name, "internal")))
            continue;
        ran++;
        pids[i] = l->n == 1 ? -1 : fork();
        if (pids[i] > 0)
            continue;
        r = make_ready(o, d);
        if (!r)
            r = run_in(o, d->name, words, n);
        if (pids[i] == 0)
            _exit(r);
        worst = r > worst ? r : worst;
    }
    for (size_t i = 0; i < l->n; i++) {
        r = pids[i] > 0 ? spawn_wait(pids[i]) : 0;
        worst = r > worst ? r : worst;
    }
    return ran ? worst : tool_error("nothing was run: no such domain is running");
}

/* Options may stand behind VM, too: no command begins with a dash, unless "--" is before it. */
static int read_vm(struct options *o, int argc, char **argv, char ***ret_vm)
{
    bool over = optind > 1 && str_equal(argv[optind - 1], "--");

    *ret_vm = argv + optind;
    if (o->select.all || o->dispvm || optind >= argc)
        return -1;
    optind++;
    if (over)
        return -1;
    return tool_options(&tool, argc, argv, o);
}

static int check(const struct options *o, int vms, int n)
{
    if (o->localcmd && !o->pass_io)
        return tool_usage(&tool, "--localcmd needs --pass-io");
    if (o->select.all && o->pass_io && !o->localcmd)
        return tool_usage(&tool, "--all with --pass-io needs --localcmd");
    if (vms + o->select.all + o->dispvm > 1)
        return tool_usage(&tool, "name a domain, or --all, or --dispvm");
    if (o->dispvm && o->select.n_exclude)
        return tool_usage(&tool, "--exclude goes with --all");
    if (!vms && !o->select.all && !o->dispvm)
        return tool_usage(&tool, "which domain?");
    if (n < 1 && o->taken)
        return tool_usage(&tool, "which command? '%s' was taken for the template: --dispvm -- %s",
                          o->taken, o->taken);
    if (n < 1)
        return tool_usage(&tool, "which command?");
    if (o->service && n > 1)
        return tool_usage(&tool, "--service takes one word, SERVICE[+ARGUMENT]");
    return -1;
}

int main(int argc, char **argv)
{
    _cleanup_(domain_list_deinit) struct domain_list l = DOMAIN_LIST_NULL;
    struct options o = {.gui = -1, .filter = -1, .argv = argv};
    int vms, r = tool_start(&tool, argc, argv, &o);
    char **vm = NULL;

    if (r < 0)
        r = read_vm(&o, argc, argv, &vm);
    if (r >= 0)
        return r;
    vms = (int)(argv + optind - vm) > 0;
    r = check(&o, vms, argc - optind);
    if (r >= 0)
        return r;
    if (o.dispvm)
        return run_disposable(&o, argv + optind, argc - optind);
    r = tool_select(&tool, &o.select, vm, vms, &l);
    if (r >= 0)
        return r == 2 ? r : 255;
    return run_all(&o, &l, argv + optind, argc - optind);
}
