/*
 * The real qrexec-policy-daemon against a scripted spawner and a scripted prompt, in a root of its
 * own: what comes back, byte for byte, and how fresh it is.
 */
#include "tests/unit/test.h"

#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char domains_json[] =
    "{\"domains\":{\"dom0\":{\"type\":\"AdminVM\",\"tags\":[],\"uuid\":\"00000000-0000-0000-0000-"
    "000000000000\","
    "\"power_state\":\"Running\",\"guivm\":\"dom0\",\"template_for_dispvms\":false},"
    "\"email\":{\"type\":\"AppVM\",\"tags\":[%s],\"uuid\":\"11111111-1111-1111-1111-111111111111\","
    "\"power_state\":\"Running\",\"guivm\":\"dom0\",\"default_dispvm\":\"dvm\",\"template_for_"
    "dispvms\":false},"
    "\"dvm\":{\"type\":\"AppVM\",\"tags\":[],\"uuid\":\"22222222-2222-2222-2222-222222222222\","
    "\"power_state\":\"Halted\",\"template_for_dispvms\":true}},\"generation\":%llu}";

static struct {
    char *root;
    pid_t daemon, spawner;
    uint64_t *generation; /* shared with the scripted spawner; so is the tag behind it */
} t;

static void path_in(char *buf, const char *rest)
{
    assert_int_equal(format(buf, PATH_SIZE, "%s%s", t.root, rest), 0);
}

static void put_file(const char *rest, const char *text)
{
    char path[PATH_SIZE];

    path_in(path, rest);
    assert_int_equal(file_replace(path, text, strlen(text), 0644), 0);
}

static int listen_in(const char *rest)
{
    char path[PATH_SIZE];
    int fd;

    path_in(path, rest);
    assert_int_equal(unix_listen(path, 0600, &fd), 0);
    return fd;
}

static int accept_from(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int fd;

    if (poll(&p, 1, 5000) <= 0)
        return -1;
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return fd;
}

/* Answers every request with the domains as of the page's number. */
static void spawner_main(int listener)
{
    char json[2048], request[256];

    for (;;) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        int fd = poll(&p, 1, -1) > 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd < 0)
            _exit(1);
        while (read(fd, request, sizeof(request)) > 0)
            ;
        snprintf(json, sizeof(json), domains_json, t.generation[1] ? "\"trusted\"" : "",
                 (unsigned long long)t.generation[0]);
        if (write_full(fd, "0", 2) || write_full(fd, json, strlen(json)))
            _exit(1);
        close(fd);
    }
}

static int setup(void **state)
{
    static const char *const dirs[] = {"/run/qubes", "/etc/qubes/policy.d",
                                       "/etc/qubes-rpc/policy"};
    const char *build = getenv("builddir");
    char program[PATH_SIZE], root[PATH_SIZE], path[PATH_SIZE], log[PATH_SIZE];
    char *argv[] = {program, root, NULL};
    int fds[3] = {-1, -1, -1}, listener;

    (void)state;
    memset(&t, 0, sizeof(t));
    t.root = test_mkdir();
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        path_in(path, dirs[i]);
        assert_int_equal(mkdir_all(path, 0755), 0);
    }
    put_file("/etc/qubes/policy.d/35-compat.policy", "!compat-4.0\n");
    path_in(path, "/run/qubes/generation");
    fds[1] = open(path, O_RDWR | O_CREAT, 0644);
    assert_int_equal(ftruncate(fds[1], 4096), 0);
    t.generation = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
    close(fds[1]);
    t.generation[0] = 1;
    listener = listen_in("/run/qubesd.internal.sock");
    t.spawner = fork();
    if (t.spawner == 0)
        spawner_main(listener);
    close(listener);
    path_in(log, "/log");
    fds[1] = fds[2] = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_int_equal(format(program, sizeof(program), "%s/policy-engine/qrexec-policy-daemon",
                            build ? build : "."),
                     0);
    assert_int_equal(format(root, sizeof(root), "--root=%s", t.root), 0);
    assert_int_equal(
        spawn_process(&(struct spawn){.path = program, .argv = argv, .fds = fds, .n_fds = 3},
                      &t.daemon, NULL),
        0);
    close(fds[1]);
    path_in(path, "/run/qubes/policy.sock");
    for (int i = 0; i < 500 && unix_connect(path, &fds[0]) < 0; i++)
        poll(NULL, 0, 10);
    close(fds[0]);
    return fds[0] < 0;
}

static int teardown(void **state)
{
    (void)state;
    kill(t.daemon, SIGTERM);
    assert_int_equal(spawn_wait(t.daemon), 0);
    kill(t.spawner, SIGKILL);
    (void)spawn_wait(t.spawner);
    munmap(t.generation, 4096);
    test_rmdir(t.root);
    return 0;
}

static int connect_daemon(void)
{
    char path[PATH_SIZE];
    int fd;

    path_in(path, "/run/qubes/policy.sock");
    assert_int_equal(unix_connect(path, &fd), 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    return fd;
}

static int send_query(const char *target, const char *service, const char *more)
{
    char text[512];
    int fd = connect_daemon();

    assert_int_equal(format(text, sizeof(text),
                            "source=email\nintended_target=%s\nservice_and_arg=%s\n%s\n", target,
                            service, more),
                     0);
    assert_int_equal(write_full(fd, text, strlen(text)), 0);
    return fd;
}

static const char *read_answer(int fd)
{
    static char answer[4096];
    size_t n = 0;

    while (n < sizeof(answer) - 1 && read_full_until(fd, answer + n, 1, clock_ms() + 5000) == 0)
        n++;
    answer[n] = 0;
    close(fd);
    return answer;
}

static const char *query(const char *target, const char *service)
{
    return read_answer(send_query(target, service, ""));
}

/* Now or soon: no answer waits for the log. */
static void assert_logged(const char *text)
{
    uint64_t deadline = clock_ms() + 5000;
    char path[PATH_SIZE];

    path_in(path, "/log");
    for (;;) {
        _cleanup_(freep) char *log = NULL;
        size_t n;

        assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
        if (strstr(log, text))
            return;
        if (!deadline_left(deadline))
            fail_msg("the log does not say \"%s\":\n%s", text, log);
        (void)poll(NULL, 0, 5);
    }
}

static void answers_byte_for_byte(void **state)
{
    (void)state;
    put_file("/etc/qubes-rpc/policy/test.A",
             "@anyvm @dispvm:dvm allow,user=joe\nemail dom0 allow\n");
    assert_string_equal(
        query("@dispvm:dvm", "test.A+x"),
        "result=allow\nuser=joe\ntarget=@dispvm:dvm\nautostart=True\nrequested_target=@dispvm:dvm\n"
        "target_uuid=@dispvm:uuid:22222222-2222-2222-2222-222222222222\n");
    assert_string_equal(
        query("dom0", "test.A"),
        "result=allow\nuser=DEFAULT\ntarget=dom0\nautostart=True\nrequested_target=dom0\n");
    assert_string_equal(query("@default", "test.B"), "result=deny\n");
    assert_string_equal(read_answer(send_query("dom0", "test.A", "just_evaluate=yes\n")),
                        "result=allow\n");
    assert_logged("test.A+x: email -> @dispvm:dvm: allowed to @dispvm:dvm");
    assert_logged("test.B+: email -> @default: denied: no-match");
}

static void what_is_no_request_gets_no_answer(void **state)
{
    static const char *const bad[] = {"source=email\n\n", "nonsense\n\n",
                                      "source=a\nsource=b\nintended_target=\nservice_and_arg=x\n\n",
                                      "source=a\nintended_target=\nservice_and_arg=x\nextra=1\n\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int fd = connect_daemon();

        assert_int_equal(write_full(fd, bad[i], strlen(bad[i])), 0);
        assert_string_equal(read_answer(fd), "");
    }
}

static void the_request_after_an_edit_follows_it(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        put_file("/etc/qubes-rpc/policy/test.A",
                 i % 2 ? "@anyvm dom0 allow\n" : "@anyvm dom0 deny\n");
        assert_int_equal(query("dom0", "test.A")[7], i % 2 ? 'a' : 'd');
    }
    put_file("/etc/qubes/policy.d/30-user.policy", "test.A * email dom0 deny\n");
    assert_string_equal(query("dom0", "test.A"), "result=deny\n");
}

static void a_replaced_directory_and_a_moved_link_are_followed(void **state)
{
    char a[PATH_SIZE], b[PATH_SIZE], link[PATH_SIZE];

    (void)state;
    put_file("/etc/other", "test.L * email dom0 allow\n");
    put_file("/etc/third", "test.L * email dom0 deny\n");
    path_in(link, "/etc/qubes/policy.d/20-link.policy");
    assert_int_equal(symlink("../../other", link), 0);
    assert_int_equal(query("dom0", "test.L")[7], 'a');
    put_file("/etc/other", "test.L * email dom0 deny\n");
    assert_int_equal(query("dom0", "test.L")[7], 'd');
    put_file("/etc/third", "test.L * email dom0 allow\n");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("../../third", link), 0);
    assert_int_equal(query("dom0", "test.L")[7], 'a');
    path_in(a, "/etc/qubes-rpc/policy");
    path_in(b, "/etc/qubes-rpc/old");
    assert_int_equal(rename(a, b), 0);
    assert_int_equal(mkdir(a, 0755), 0);
    put_file("/etc/qubes-rpc/policy/test.D", "@anyvm dom0 allow\n");
    assert_int_equal(query("dom0", "test.D")[7], 'a');
}

static void a_broken_policy_denies_all_and_says_where(void **state)
{
    (void)state;
    put_file("/etc/qubes-rpc/policy/test.A", "@anyvm dom0 allow\n");
    assert_int_equal(query("dom0", "test.A")[7], 'a');
    put_file("/etc/qubes-rpc/policy/test.Other", "@anyvm dom0 allow\n\n@anyvm dom0 permit\n");
    assert_string_equal(query("dom0", "test.A"), "result=deny\n");
    assert_logged("test.Other:3: unknown action \"permit\"");
    assert_logged("test.A+: email -> dom0: error loading policy:");
    put_file("/etc/qubes-rpc/policy/test.Other", "");
    assert_int_equal(query("dom0", "test.A")[7], 'a');
}

static void a_changed_domain_counts_from_the_next_request_on(void **state)
{
    (void)state;
    put_file("/etc/qubes-rpc/policy/test.A", "@tag:trusted dom0 allow\n");
    for (int i = 0; i < 20; i++) {
        t.generation[1] = (uint64_t)(i % 2);
        __atomic_add_fetch(t.generation, 1, __ATOMIC_RELEASE);
        assert_int_equal(query("dom0", "test.A")[7], i % 2 ? 'a' : 'd');
    }
}

static void silent_and_half_clients_hold_nobody_up(void **state)
{
    int fds[100];

    (void)state;
    put_file("/etc/qubes-rpc/policy/test.A", "@anyvm dom0 allow\n");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = connect_daemon();
        if (i % 2)
            assert_int_equal(write_full(fds[i], "source=em", 9), 0);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(query("dom0", "test.A")[7], 'a');
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
}

/* ---- Asking ---- */

/* Takes one question and answers it. */
static void prompt(int listener, const char *answer)
{
    char text[8192];
    size_t n = 0;
    int fd = accept_from(listener);

    assert_true(fd >= 0);
    while (n < sizeof(text) - 1 && read_full_until(fd, text + n, 1, clock_ms() + 5000) == 0)
        n++;
    text[n] = 0;
    assert_string_equal(text, "policy.Ask dom0 name dom0");
    assert_non_null(
        strstr(text + strlen(text) + 1, "\"targets\":[\"@dispvm:dvm\",\"dom0\",\"dvm\"]"));
    assert_int_equal(write_full(fd, answer, strlen(answer)), 0);
    close(fd);
}

static void the_users_answer_decides(void **state)
{
    static const struct {
        const char *answer, *result;
    } cases[] = {
        {"allow:dom0",
         "result=allow\nuser=DEFAULT\ntarget=dom0\nautostart=True\nrequested_target=@default\n"},
        {"deny", "result=deny\n"},
        {"allow:local", "result=deny\n"},
        {"", "result=deny\n"},
        {"allow:", "result=deny\n"},
    };
    int listener;

    (void)state;
    put_file("/etc/qubes-rpc/policy/test.A", "@anyvm @default ask\n@anyvm * ask\n");
    listener = listen_in("/etc/qubes-rpc/policy.Ask");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = send_query("@default", "test.A", "");

        prompt(listener, cases[i].answer);
        assert_string_equal(read_answer(fd), cases[i].result);
    }
    close(listener);
    assert_string_equal(query("@default", "test.A"), "result=deny\n"); /* nobody to ask */
    assert_logged("nobody can be asked");
}

static void a_caller_that_goes_away_takes_its_question_along(void **state)
{
    int listener, fd, asked;
    char c[4096];

    (void)state;
    put_file("/etc/qubes-rpc/policy/test.A", "@anyvm @default ask\n@anyvm * ask\n");
    listener = listen_in("/etc/qubes-rpc/policy.Ask");
    fd = send_query("@default", "test.A", "");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    asked = accept_from(listener);
    while (read(asked, c, sizeof(c)) > 0)
        ;
    assert_int_equal(write_full(asked, "allow:dom0", 10), 0);
    close(asked);
    assert_int_equal(read_answer(fd)[7], 'a'); /* a half-close is no end */

    fd = send_query("@default", "test.A", "");
    asked = accept_from(listener);
    while (read(asked, c, sizeof(c)) > 0)
        ;
    close(fd);
    for (int i = 0; i < 500 && send(asked, "", 0, MSG_NOSIGNAL) == 0; i++)
        poll(NULL, 0, 10);
    assert_true(send(asked, "", 0, MSG_NOSIGNAL) < 0 || recv(asked, c, 1, MSG_DONTWAIT) <= 0);
    close(asked);
    close(listener);
    put_file("/etc/qubes-rpc/policy/test.A", "@anyvm dom0 allow\n");
    assert_int_equal(query("dom0", "test.A")[7], 'a');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_byte_for_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_request_gets_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(the_request_after_an_edit_follows_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replaced_directory_and_a_moved_link_are_followed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_broken_policy_denies_all_and_says_where, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_domain_counts_from_the_next_request_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(silent_and_half_clients_hold_nobody_up, setup, teardown),
        cmocka_unit_test_setup_teardown(the_users_answer_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(a_caller_that_goes_away_takes_its_question_along, setup,
                                        teardown),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
