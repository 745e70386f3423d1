/*
 * qvm-run of dom0: what each of its options makes it ask for, and what it ends with. This process
 * stands where the domain spawner would, a script where qrexec-client would. Both note what they
 * were asked in the file "asked", one line each.
 */
#include "tests/unit/tool.h"

#include "libqrexec/base/io.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#define LIST           "admin.vm.List+ dom0\n"
#define START(vm)      "admin.vm.Start+ " vm "\n"
#define HAS(what, vm)  "admin.vm.feature.CheckWithTemplate+" what " " vm "\n"
#define ROOTS(vm)      HAS("supported-rpc.qubes.VMRootExec", vm)
#define GET(what, vm)  "admin.vm.property.Get+" what " " vm "\n"
#define LEASE(dvm)     "internal.LeaseDisposable+ " dvm "\n"
#define LEASE_OVER     "the lease is over\n"
#define CALL(to, call) "client <-d> <" to "> <" call " dom0> in=[]\n"
/* of a command: its first input, the call */
#define LINE(to, line, call) CALL(to "> <--prefix-data=" line "; exit|", call)
#define SHELL(vm, line)      LINE(vm, line, "DEFAULT:QUBESRPC qubes.VMShell+")
/* of a disposable: the daemon may take a while */
#define IN_DISP(disp) disp "> <-w> <60"
/* with -p */
#define PASSED(to, line)                                                                           \
    "client <-d> <" to "> <--prefix-data=" line                                                    \
    "; exit|> <DEFAULT:QUBESRPC qubes.VMShell+ dom0> in=[own input]\n"
#define SESSION(vm, user)                                                                          \
    CALL(vm "> <--prefix-data=" user "|", "DEFAULT:QUBESRPC qubes.WaitForSession+")

#define RUNNING(command, vm) "Running '" command "' on " vm "\n"
#define FAILED(vm, code)     vm ": command failed with code: " code "\n"

static const struct {
    const char *name, *state;
} domains[] = {
    {"dom0", "Running"}, {"gone", "Halted"},   {"work", "Running"},  {"exec", "Running"},
    {"both", "Running"}, {"desk", "Running"},  {"blind", "Running"}, {"hidden", "Running"},
    {"stuck", "Paused"}, {"halted", "Halted"},
};

/* disp2 is a disposable of exec-dvm. */
static const struct {
    const char *domain, *feature;
} features[] = {
    {"exec", "vmexec"},
    {"disp2", "vmexec"},
    {"both", "vmexec"},
    {"both", "supported-rpc.qubes.VMRootExec"},
    {"work", "supported-rpc.qubes.VMRootExec"},
    {"desk", "gui"},
    {"blind", "gui"},
    {"disp2", "gui"},
    {"hidden", "internal"},
};

static const char script[] = "#!/bin/sh\n"
                             "trap 'echo told >>\"$QREXEC_ROOT/asked\"; kill $!; exit 0' TERM\n"
                             "in=$(cat)\n"
                             "line=$(printf ' <%s>' \"$@\" | tr '\\n' '|')\n"
                             "echo \"client$line in=[$in]\" >>\"$QREXEC_ROOT/asked\"\n"
                             "case $CODE in\n"
                             "    wait) sleep 60 & wait ;;\n"
                             "    kill) kill -9 $$ ;;\n"
                             "esac\n"
                             "echo remote out\n"
                             "echo remote err >&2\n"
                             "exit $CODE\n";

enum { API, INTERNAL, LEASED, ENDED, N_FDS };
static struct pollfd fds[N_FDS];
static bool only_dom0_runs, deaf;

static void note(const char *text)
{
    int fd = tool_open("asked", O_WRONLY | O_APPEND);

    assert_int_equal(write_full(fd, text, strlen(text)), 0);
    close(fd);
}

static bool was_asked(const char *text)
{
    char asked[4096];

    tool_read("asked", asked, sizeof(asked));
    return strstr(asked, text) != NULL;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write_full(fd, "0", 2), 0);
    assert_int_equal(write_full(fd, text, strlen(text)), 0);
}

static void refuse(int fd, const char *type, const char *text)
{
    assert_int_equal(write_full(fd, "2", 2), 0);
    assert_int_equal(write_full(fd, type, strlen(type) + 1), 0);
    assert_int_equal(write_full(fd, "", 1), 0);
    assert_int_equal(write_full(fd, text, strlen(text) + 1), 0);
}

static void say_list(int fd)
{
    char text[1024] = "";
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
        assert_int_equal(format(text + n, sizeof(text) - n, "%s class=AppVM state=%s\n",
                                domains[i].name, i && only_dom0_runs ? "Halted" : domains[i].state),
                         0);
        n += strlen(text + n);
    }
    say(fd, text);
}

static void say_feature(int fd, const char *feature, const char *domain)
{
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        if (str_equal(features[i].domain, domain) && str_equal(features[i].feature, feature)) {
            say(fd, "1");
            return;
        }
    refuse(fd, "QubesFeatureNotFoundError", "no such feature");
}

/* True: it is a lease, and stays. */
static bool say_lease(int fd, const char *template)
{
    if (str_equal(template, "no-dvm")) {
        refuse(fd, "QubesException", "no-dvm is no template for disposables");
        return false;
    }
    say(fd, str_equal(template, "exec-dvm") ? "disp2 uuid:2 2\n" : "disp1 uuid:1 1\n");
    return true;
}

static bool answer(int fd, const char *method, const char *dest)
{
    const char *arg = strchr(method, '+');

    if (str_starts(method, "admin.vm.List"))
        say_list(fd);
    else if (str_starts(method, "admin.vm.feature."))
        say_feature(fd, arg + 1, dest);
    else if (str_equal(method, "admin.vm.property.Get+guivm"))
        say(fd, str_equal(dest, "blind") ? "default=False type=vm " : "default=True type=vm dom0");
    else if (str_starts(method, "admin.vm.property.Get"))
        say(fd, "default=True type=str joe");
    else if (str_starts(method, "internal."))
        return say_lease(fd, dest);
    else if (str_equal(dest, "gone"))
        refuse(fd, "QubesVMError", "gone did not start: its image is missing");
    else
        say(fd, "");
    return false;
}

/* A lease's caller keeps its side open behind the newline. */
static size_t read_request(int fd, char *text, size_t size)
{
    size_t n = 0;
    ssize_t k;

    while (n < size - 1 && (k = read(fd, text + n, size - 1 - n)) > 0) {
        n += (size_t)k;
        if (text[n - 1] == '\n')
            break;
    }
    text[n] = 0;
    return n;
}

static void serve_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char text[1024], method[128], dest[64], line[256];

    assert_true(fd >= 0);
    (void)read_request(fd, text, sizeof(text));
    assert_int_equal(sscanf(text, "%127s dom0 name %63s", method, dest), 2);
    assert_int_equal(format(line, sizeof(line), "%s %s\n", method, dest), 0);
    note(line);
    if (!deaf && answer(fd, method, dest))
        fds[LEASED].fd = fd;
    else
        close(fd);
}

static void end_lease(void)
{
    note(LEASE_OVER);
    close_fd(&fds[LEASED].fd);
}

/* Until it ends. interrupt: once its call has begun. */
static void serve(pid_t pid, bool interrupt)
{
    while (poll(fds, N_FDS, 10) >= 0) {
        for (size_t i = API; i <= INTERNAL; i++)
            if (fds[i].revents)
                serve_one(fds[i].fd);
        if (fds[LEASED].fd >= 0 && fds[LEASED].revents)
            end_lease();
        if (interrupt && was_asked("client")) {
            kill(pid, SIGINT);
            interrupt = false;
        }
        if (fds[ENDED].revents)
            break;
    }
    /* it has ended, so the lease has, unless somebody else holds it */
    if (fds[LEASED].fd >= 0 && poll(&fds[LEASED], 1, 0) > 0)
        end_lease();
}

static struct tool_result run(const char *const *words, const char *code)
{
    struct tool_result r;
    pid_t pid;

    tool_write("asked", "", 0600);
    setenv("CODE", code, 1);
    pid = tool_spawn("domain-spawner/commands/qvm-run", "qvm-run", words, &fds[ENDED].fd);
    serve(pid, str_equal(code, "wait"));
    r = tool_finish(pid);
    close_fd(&fds[ENDED].fd);
    if (fds[LEASED].fd >= 0)
        fail_msg("the lease outlives it");
    return r;
}

static int open_socket(const char *name)
{
    _cleanup_(freep) char *path = format_new("%s/run/%s", tool_dir, name);
    int fd;

    assert_int_equal(unix_listen(path, 0600, &fd), 0);
    return fd;
}

static void make_dir(const char *name)
{
    _cleanup_(freep) char *path = format_new("%s/%s", tool_dir, name);

    assert_int_equal(mkdir_all(path, 0755), 0);
}

static int setup(void **state)
{
    (void)state;
    tool_begin();
    make_dir("run");
    make_dir("usr/lib/qubes");
    tool_write("usr/lib/qubes/qrexec-client", script, 0755);
    for (size_t i = 0; i < N_FDS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    fds[API].fd = open_socket("qubesd.sock");
    fds[INTERNAL].fd = open_socket("qubesd.internal.sock");
    only_dom0_runs = deaf = false;
    unsetenv("DISPLAY");
    return setenv("QREXEC_ROOT", tool_dir, 1);
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_FDS; i++)
        close_fd(&fds[i].fd);
    test_rmdir(tool_dir);
    return 0;
}

struct row {
    const char *words[MOST_WORDS], *asked, *out, *err;
    const char *code; /* of the call, NULL: 0 */
    int exit;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tool_result r = run(rows[i].words, rows[i].code ? rows[i].code : "0");
        char asked[4096];

        tool_read("asked", asked, sizeof(asked));
        if (r.code != rows[i].exit || !str_equal(r.out, rows[i].out) ||
            !str_equal(r.err, rows[i].err) || !str_equal(asked, rows[i].asked))
            fail_msg("row %zu: code %d, out [%s], err [%s], asked [%s]", i, r.code, r.out, r.err,
                     asked);
    }
}

#define QUIET              .out = "", .err = ""
#define TELLS(command, vm) .out = "", .err = RUNNING(command, vm)

/* Nothing of the remote side is seen without -p, and nothing of ours goes there. */
static void options_and_what_is_asked_for(void **state)
{
    static const struct row rows[] = {
        {{"work", "ls -l"}, LIST START("work") SHELL("work", "ls -l"), TELLS("ls -l", "work")},
        {{"-q", "work", "ls"}, LIST START("work") SHELL("work", "ls"), QUIET},
        {{"--quiet", "-v", "--verbose", "--force-root", "work", "ls"},
         LIST START("work") SHELL("work", "ls"),
         QUIET},
        {{"-a", "work", "ls"}, LIST START("work") SHELL("work", "ls"), TELLS("ls", "work")},
        {{"-n", "--autostart", "halted", "ls"},
         LIST START("halted") SHELL("halted", "ls"),
         TELLS("ls", "halted")},
        {{"--no-auto", "--auto", "halted", "ls"},
         LIST START("halted") SHELL("halted", "ls"),
         TELLS("ls", "halted")},
        {{"stuck", "ls"},
         LIST "admin.vm.Unpause+ stuck\n" SHELL("stuck", "ls"),
         TELLS("ls", "stuck")},
        {{"-u", "joe", "work", "ls"},
         LIST START("work") LINE("work", "ls", "joe:QUBESRPC qubes.VMShell+"),
         TELLS("ls", "work")},
        {{"--user=root", "work", "ls"},
         LIST START("work") ROOTS("work") LINE("work", "ls", "DEFAULT:QUBESRPC qubes.VMRootShell+"),
         TELLS("ls", "work")},
        {{"-uroot", "exec", "ls"},
         LIST START("exec") ROOTS("exec") LINE("exec", "ls", "root:QUBESRPC qubes.VMShell+"),
         TELLS("ls", "exec")},
        {{"-u", "root", "both", "ls", "-l"},
         LIST START("both") ROOTS("both") HAS("vmexec", "both")
             CALL("both", "DEFAULT:QUBESRPC qubes.VMRootExec+ls+--l"),
         TELLS("ls", "both")},
        {{"--no-filter-escape-chars", "--filter-escape-chars", "work", "ls"},
         LIST START("work") SHELL("work", "ls"),
         TELLS("ls", "work")},
        {{"--colour-output", "31", "--color-output=1", "--colour-stderr", "2", "--color-stderr=3",
          "work", "ls"},
         LIST START("work") SHELL("work", "ls"),
         TELLS("ls", "work")},
        {{"--no-colour-output", "--no-color-output", "--no-colour-stderr", "--no-color-stderr",
          "work", "ls"},
         LIST START("work") SHELL("work", "ls"),
         TELLS("ls", "work")},
        /* without -p the service is only started */
        {{"--service", "work", "a.B"},
         LIST START("work") CALL("work> <-e", "DEFAULT:QUBESRPC a.B+"),
         TELLS("a.B", "work")},
        {{"--service", "-u", "root", "work", "a.B+c"},
         LIST START("work") CALL("work> <-e", "root:QUBESRPC a.B+c"),
         TELLS("a.B+c", "work")},
    };

    (void)state;
    check_rows(rows, ARRAY_SIZE(rows));
}

static void words_of_a_command(void **state)
{
    static const struct row rows[] = {
        {{"exec", "ls", "-l", "a b+"},
         LIST START("exec") HAS("vmexec", "exec")
             CALL("exec", "DEFAULT:QUBESRPC qubes.VMExec+ls+--l+a-20b-2B"),
         TELLS("ls", "exec")},
        {{"work", "ls", "-q", "it's"},
         LIST START("work") HAS("vmexec", "work") SHELL("work", "'ls' '-q' 'it'\\''s'"),
         TELLS("ls", "work")},
        {{"--no-shell", "exec", "a b"},
         LIST START("exec") HAS("vmexec", "exec")
             CALL("exec", "DEFAULT:QUBESRPC qubes.VMExec+a-20b"),
         TELLS("a b", "exec")},
        {{"--no-shell", "work", "a b"},
         LIST START("work") HAS("vmexec", "work") SHELL("work", "'a b'"),
         TELLS("a b", "work")},
        /* options may stand behind VM, and "--" ends them wherever it is */
        {{"work", "-q", "ls"}, LIST START("work") SHELL("work", "ls"), QUIET},
        {{"-q", "--", "work", "ls"}, LIST START("work") SHELL("work", "ls"), QUIET},
        {{"-q", "work", "--", "ls"}, LIST START("work") SHELL("work", "ls"), QUIET},
        {{"-q", "work", "--", "-p"}, LIST START("work") SHELL("work", "-p"), QUIET},
        {{"-q", "--", "work", "-p"}, LIST START("work") SHELL("work", "-p"), QUIET},
        {{"-q", "work", "ls", "--"},
         LIST START("work") HAS("vmexec", "work") SHELL("work", "'ls' '--'"),
         QUIET},
    };

    (void)state;
    check_rows(rows, ARRAY_SIZE(rows));
}

#define PASSES .out = "remote out\n", .err = "remote err\n"

static void with_pass_io_only_the_remote_side_is_heard(void **state)
{
    static const struct row rows[] = {
        {{"-p", "work", "ls"}, LIST START("work") PASSED("work", "ls"), PASSES},
        {{"--pass-io", "work", "ls"},
         LIST START("work") PASSED("work", "ls"),
         PASSES,
         .code = "7",
         .exit = 7},
        {{"work", "-p", "ls"}, LIST START("work") PASSED("work", "ls"), PASSES},
        {{"-p", "--filter-escape-chars", "work", "ls"},
         LIST START("work") PASSED("work> <-t> <-T", "ls"),
         PASSES},
        {{"-p", "--filter-escape-chars", "--no-filter-escape-chars", "work", "ls"},
         LIST START("work") PASSED("work", "ls"),
         PASSES},
        {{"-p", "--service", "work", "a.B"},
         LIST START("work") "client <-d> <work> <DEFAULT:QUBESRPC a.B+ dom0> in=[own input]\n",
         PASSES},
        {{"-p", "--localcmd", "wc -c", "--service", "work", "a.B"},
         LIST START("work") "client <-d> <work> <-l> <wc -c> <DEFAULT:QUBESRPC a.B+ dom0> "
                            "in=[own input]\n",
         PASSES},
    };

    (void)state;
    check_rows(rows, ARRAY_SIZE(rows));
}

static void a_disposable_lives_as_long_as_its_call(void **state)
{
    static const struct row rows[] = {
        {{"--dispvm", "--", "ls"},
         LEASE("dom0") SHELL(IN_DISP("disp1"), "ls") LEASE_OVER,
         TELLS("ls", "disp1")},
        {{"-q", "--dispvm=exec-dvm", "ls", "-l", "--dispvm"},
         LEASE("exec-dvm") HAS("vmexec", "disp2")
             CALL(IN_DISP("disp2"), "DEFAULT:QUBESRPC qubes.VMExec+ls+--l+----dispvm") LEASE_OVER,
         QUIET},
        {{"--dispvm", "exec-dvm", "-q", "--", "-l"},
         LEASE("exec-dvm") SHELL(IN_DISP("disp2"), "-l") LEASE_OVER,
         QUIET},
        {{"--dispvm", "-q", "ls"}, LEASE("dom0") SHELL(IN_DISP("disp1"), "ls") LEASE_OVER, QUIET},
        {{"-p", "--dispvm=any-dvm", "ls"},
         LEASE("any-dvm") PASSED(IN_DISP("disp1"), "ls") LEASE_OVER,
         PASSES},
        /* a service is waited for there, else it would end at once */
        {{"--dispvm=any-dvm", "--service", "a.B+c"},
         LEASE("any-dvm") CALL(IN_DISP("disp1"), "DEFAULT:QUBESRPC a.B+c") LEASE_OVER,
         TELLS("a.B+c", "disp1")},
        {{"--dispvm=any-dvm", "ls"},
         LEASE("any-dvm") SHELL(IN_DISP("disp1"), "ls") LEASE_OVER,
         .out = "",
         .err = RUNNING("ls", "disp1") FAILED("disp1", "9"),
         .code = "9",
         .exit = 9},
        {{"--dispvm=no-dvm", "ls"},
         LEASE("no-dvm"),
         .out = "",
         .err = "qvm-run: error: no disposable: no-dvm is no template for disposables\n",
         .exit = 255},
    };

    (void)state;
    check_rows(rows, ARRAY_SIZE(rows));
}

static void a_session_is_waited_for_where_there_is_one(void **state)
{
    static const struct row by_option[] = {
        {{"-q", "--gui", "work", "ls"},
         LIST START("work") GET("default_user", "work") SESSION("work", "joe") SHELL("work", "ls"),
         QUIET},
        {{"-q", "--gui", "-u", "ann", "work", "ls"},
         LIST START("work") SESSION("work", "ann")
             LINE("work", "ls", "ann:QUBESRPC qubes.VMShell+"),
         QUIET},
        {{"-q", "--gui", "--dispvm=any-dvm", "ls"},
         LEASE("any-dvm") LINE(IN_DISP("disp1"), "ls",
                               "DEFAULT:QUBESRPC qubes.VMShell+WaitForSession") LEASE_OVER,
         QUIET},
        {{"-q", "desk", "ls"}, LIST START("desk") SHELL("desk", "ls"), QUIET},
    };
    static const struct row by_default[] = {
        {{"-q", "desk", "ls"},
         LIST START("desk") GET("guivm", "desk") HAS("gui", "desk") GET("default_user", "desk")
             SESSION("desk", "joe") SHELL("desk", "ls"),
         QUIET},
        {{"-q", "work", "ls"},
         LIST START("work") GET("guivm", "work") HAS("gui", "work") SHELL("work", "ls"),
         QUIET},
        {{"-q", "blind", "ls"},
         LIST START("blind") GET("guivm", "blind") SHELL("blind", "ls"),
         QUIET},
        {{"-q", "--no-gui", "desk", "ls"}, LIST START("desk") SHELL("desk", "ls"), QUIET},
        {{"-q", "--nogui", "desk", "ls"}, LIST START("desk") SHELL("desk", "ls"), QUIET},
        {{"-q", "--dispvm=exec-dvm", "ls", "-l"},
         LEASE("exec-dvm") GET("guivm", "disp2") HAS("gui", "disp2") HAS("vmexec", "disp2")
             CALL(IN_DISP("disp2"), "DEFAULT:QUBESRPC qubes.VMExecGUI+ls+--l") LEASE_OVER,
         QUIET},
    };

    (void)state;
    check_rows(by_option, ARRAY_SIZE(by_option));
    setenv("DISPLAY", ":0", 1);
    check_rows(by_default, ARRAY_SIZE(by_default));
}

static void the_end_is_that_of_the_call(void **state)
{
#define ENDS(code) .out = "", .err = RUNNING("ls", "work") FAILED("work", code)
    static const struct row rows[] = {
        {{"work", "ls"}, LIST START("work") SHELL("work", "ls"), ENDS("1"), "1", 1},
        {{"work", "ls"}, LIST START("work") SHELL("work", "ls"), ENDS("126"), "126", 126},
        {{"work", "ls"}, LIST START("work") SHELL("work", "ls"), ENDS("127"), "127", 127},
        {{"work", "ls"}, LIST START("work") SHELL("work", "ls"), ENDS("255"), "255", 255},
        {{"work", "ls"}, LIST START("work") SHELL("work", "ls"), ENDS("137"), "kill", 137},
        {{"-q", "work", "ls"}, LIST START("work") SHELL("work", "ls"), QUIET, "126", 126},
    };

    (void)state;
    check_rows(rows, ARRAY_SIZE(rows));
}

static void nothing_that_ran_is_no_success(void **state)
{
    static const struct row rows[] = {
        {{"-n", "halted", "ls"}, LIST, "", "Qube 'halted' not started\n", .exit = 1},
        {{"--no-autostart", "-q", "stuck", "ls"}, LIST, "", "Qube 'stuck' is paused\n", .exit = 1},
        {{"-q", "gone", "ls"},
         LIST START("gone"),
         "",
         "qvm-run: error: gone: gone did not start: its image is missing\n",
         .exit = 255},
        {{"dom0", "ls"},
         LIST,
         "",
         "qvm-run: error: commands in dom0 are run without this tool\n",
         .exit = 255},
        {{"--all", "--exclude=*", "ls"},
         LIST,
         "",
         "qvm-run: error: nothing was run: no such domain is running\n",
         .exit = 1},
    };
    static const struct row idle[] = {
        {{"--all", "ls"},
         LIST,
         "",
         "qvm-run: error: nothing was run: no such domain is running\n",
         .exit = 1},
    };

    (void)state;
    check_rows(rows, ARRAY_SIZE(rows));
    only_dom0_runs = true;
    check_rows(idle, ARRAY_SIZE(idle));
}

static void a_spawner_that_cannot_be_asked_is_named(void **state)
{
    static const char *const vm[] = {"-q", "work", "ls", NULL};
    static const char *const disposable[] = {"-q", "--dispvm=any-dvm", "ls", NULL};
    struct tool_result r;

    (void)state;
    deaf = true;
    r = run(vm, "0");
    assert_int_equal(r.code, 255);
    assert_non_null(strstr(r.err, "qvm-run: error: no answer: access denied"));
    close_fd(&fds[API].fd);
    close_fd(&fds[INTERNAL].fd);
    r = run(vm, "0");
    assert_int_equal(r.code, 255);
    assert_non_null(strstr(r.err, "cannot reach the domain spawner at "));
    r = run(disposable, "0");
    assert_int_equal(r.code, 255);
    assert_non_null(strstr(r.err, "no disposable: cannot reach the domain spawner at "));
}

static void usage_errors_run_nothing(void **state)
{
    static const struct {
        const char *words[MOST_WORDS], *says;
    } rows[] = {
        {{NULL}, "which domain?"},
        {{"--"}, "which domain?"},
        {{"-q"}, "which domain?"},
        {{"work"}, "which command?"},
        {{"work", "--"}, "which command?"},
        {{"--", "work"}, "which command?"},
        {{"--all"}, "which command?"},
        {{"--dispvm"}, "which command?"},
        {{"--dispvm", "--"}, "which command?"},
        {{"--dispvm=ls"}, "which command?"},
        {{"--dispvm", "ls"}, "which command? 'ls' was taken for the template: --dispvm -- ls"},
        {{"--service", "work"}, "which command?"},
        {{"--service", "work", "a.B", "more"}, "--service takes one word, SERVICE[+ARGUMENT]"},
        {{"--localcmd=cat", "work", "ls"}, "--localcmd needs --pass-io"},
        {{"--all", "-p", "ls"}, "--all with --pass-io needs --localcmd"},
        {{"--all", "--dispvm=any-dvm", "ls"}, "name a domain, or --all, or --dispvm"},
        {{"work", "--all", "ls"}, "name a domain, or --all, or --dispvm"},
        {{"work", "--dispvm=any-dvm", "ls"}, "name a domain, or --all, or --dispvm"},
        {{"--exclude=x", "work", "ls"}, "--exclude goes with --all"},
        {{"--exclude=x", "--dispvm=any-dvm", "ls"}, "--exclude goes with --all"},
        {{"--what", "work", "ls"}, "unknown option, or one without its value: --what"},
        {{"work", "--what", "ls"}, "unknown option, or one without its value: --what"},
        {{"-qz", "work", "ls"}, "unknown option, or one without its value: -z"},
        {{"-zq", "work", "ls"}, "unknown option, or one without its value: -z"},
        {{"-u"}, "unknown option, or one without its value: -u"},
        {{"--user"}, "unknown option, or one without its value: --user"},
        {{"--quiet=1", "work", "ls"}, "unknown option, or one without its value: --quiet=1"},
    };
    static const char *const none[] = {"nobody", "ls", NULL};
    char asked[256];
    struct tool_result r;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(freep) char *end = format_new("\nqvm-run: error: %s\n", rows[i].says);
        const char *at;

        r = run(rows[i].words, "0");
        at = strstr(r.err, end);
        tool_read("asked", asked, sizeof(asked));
        if (r.code != 2 || *r.out || *asked || !str_starts(r.err, "usage: qvm-run ") || !at ||
            at[strlen(end)])
            fail_msg("row %zu: code %d, out [%s], err [%s], asked [%s]", i, r.code, r.out, r.err,
                     asked);
    }
    r = run(none, "0");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "qvm-run: error: no such domain: 'nobody'\n"));
}

/* One that was not heard of would be run in. */
/* Or what is excluded would be run in, shut down, removed. */
static void too_many_excluded_are_refused(void **state)
{
    static const char *const names[] = {"qvm-run", "qvm-shutdown", "qvm-remove", "qvm-ls"};
    const int none[] = {-1, -1, -1};

    (void)state;
    close_fd(&fds[API].fd);
    for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
        char *argv[70] = {(char *)names[n], (char *)"--all"};
        _cleanup_(freep) char *path =
            format_new("%s/domain-spawner/commands/%s",
                       getenv("builddir") ? getenv("builddir") : ".", names[n]);
        pid_t pid;

        for (size_t i = 2; i < 67; i++)
            argv[i] = (char *)"--exclude=x";
        argv[67] = n ? NULL : (char *)"ls";
        assert_int_equal(
            spawn_process(&(struct spawn){.path = path, .argv = argv, .fds = none, .n_fds = 3},
                          &pid, NULL),
            0);
        assert_int_equal(spawn_wait(pid), 2);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Domains are called at once, so their lines come in any order. */
static void check_sorted(const char *text, const char *expected)
{
    char buf[4096], sorted[4096] = "", *lines[64], *save = buf;
    size_t n = 0, len = 0;

    assert_int_equal(format(buf, sizeof(buf), "%s", text), 0);
    while (n < ARRAY_SIZE(lines) && (lines[n] = strsep(&save, "\n")) && *lines[n])
        n++;
    qsort(lines, n, sizeof(*lines), compare);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(format(sorted + len, sizeof(sorted) - len, "%s\n", lines[i]), 0);
        len += strlen(sorted + len);
    }
    assert_string_equal(sorted, expected);
}

static void all_are_those_that_run_and_the_worst_code_counts(void **state)
{
    static const char *const all[] = {"--all", "--exclude", "desk", "--exclude=b*", "ls", NULL};
    static const char *const some[] = {"-q", "[gw]o*", "ls", NULL};
    struct tool_result r;
    char asked[4096];

    (void)state;
    r = run(all, "3");
    assert_int_equal(r.code, 3);
    assert_string_equal(r.out, "");
    check_sorted(r.err, RUNNING("ls", "exec") RUNNING("ls", "work") FAILED("exec", "3")
                            FAILED("work", "3"));
    tool_read("asked", asked, sizeof(asked));
    check_sorted(asked,
                 LIST START("exec") START("work") HAS("internal", "exec") HAS("internal", "hidden")
                     HAS("internal", "work") SHELL("exec", "ls") SHELL("work", "ls"));
    r = run(some, "3");
    assert_int_equal(r.code, 255);
    tool_read("asked", asked, sizeof(asked));
    check_sorted(asked, LIST START("gone") START("work") SHELL("work", "ls"));
}

static void check_interrupt(const char *const *words, const char *asked)
{
    struct tool_result r = run(words, "wait");

    assert_int_equal(r.code, 128 + SIGINT);
    for (int i = 0; i < 500 && !was_asked("told\n"); i++)
        poll(NULL, 0, 10);
    assert_true(was_asked("told\n"));
    assert_true(was_asked(asked));
}

static void an_interrupt_is_passed_on(void **state)
{
    static const char *const vm[] = {"-q", "work", "ls", NULL};
    static const char *const disposable[] = {"-q", "--dispvm=any-dvm", "ls", NULL};

    (void)state;
    check_interrupt(vm, SHELL("work", "ls"));
    check_interrupt(disposable, LEASE_OVER);
}

static void help_names_every_option(void **state)
{
    static const char *const help[] = {"--help", NULL}, *const version[] = {"--version", NULL};
    static const char *const options[] = {"-p, --pass-io",
                                          "--localcmd CMD",
                                          "--service",
                                          "-u, --user USER",
                                          "-n, --no-autostart",
                                          "-a, --autostart",
                                          "--no-shell",
                                          "--dispvm[=TEMPLATE]",
                                          "--all, --exclude VM",
                                          "--gui, --no-gui",
                                          "--filter-escape-chars, --no-filter-escape-chars",
                                          "--colour-output N",
                                          "--colour-stderr N",
                                          "--no-colour-output",
                                          "--no-colour-stderr",
                                          "-h, --help",
                                          "-v, -q",
                                          "--version"};
    char out[4096];
    struct tool_result r = run(help, "0");

    (void)state;
    assert_int_equal(r.code, 0);
    assert_string_equal(r.err, "");
    tool_read("out", out, sizeof(out));
    assert_true(str_starts(out, "usage: qvm-run [OPTIONS] VM COMMAND [ARG...]\n"));
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (!strstr(out, options[i]))
            fail_msg("%s is not in the help", options[i]);
    r = run(version, "0");
    assert_int_equal(r.code, 0);
    assert_true(str_starts(r.out, "qvm-run (qrexec) "));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_and_what_is_asked_for),
        TEST(words_of_a_command),
        TEST(with_pass_io_only_the_remote_side_is_heard),
        TEST(a_disposable_lives_as_long_as_its_call),
        TEST(a_session_is_waited_for_where_there_is_one),
        TEST(the_end_is_that_of_the_call),
        TEST(nothing_that_ran_is_no_success),
        TEST(a_spawner_that_cannot_be_asked_is_named),
        TEST(usage_errors_run_nothing),
        TEST(too_many_excluded_are_refused),
        TEST(all_are_those_that_run_and_the_worst_code_counts),
        TEST(an_interrupt_is_passed_on),
        TEST(help_names_every_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
