#include "tests/unit/test.h"

#include "libqrexec/vchan/vchan.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PORT 513

static char *dir;
static uint32_t port;

static int set_up(void **state)
{
    (void)state;
    dir = test_mkdir();
    port = PORT;
    setenv("VCHAN_SOCKET_DIR", dir, 1);
    setenv("QREXEC_TRANSPORT", "socket", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_rmdir(dir);
    return 0;
}

static const char *path(void)
{
    static char buf[200];

    snprintf(buf, sizeof(buf), "%s/vchan.1.2.%u.sock", dir, port);
    return buf;
}

static struct vchan *server(void)
{
    struct vchan *v = NULL;

    setenv("VCHAN_DOMAIN", "1", 1);
    assert_int_equal(vchan_listen(2, port, 65536, &v), 0);
    assert_int_equal(vchan_state(v), VCHAN_WAITING);
    return v;
}

static struct vchan *client(void)
{
    struct vchan *v = NULL;

    setenv("VCHAN_DOMAIN", "2", 1);
    assert_int_equal(vchan_connect(1, port, &v), 0);
    return v;
}

/* Waits once, as its owner's loop would. False: nothing happened within ms. */
static bool turn(struct vchan *v, bool want_read, bool want_write, int ms)
{
    struct pollfd p = {.fd = vchan_fd(v), .events = vchan_events(v, want_read, want_write)};
    int own = vchan_timeout(v), n;

    n = poll(&p, 1, own >= 0 && own < ms ? own : ms);
    if (n > 0 || own >= 0)
        assert_int_equal(vchan_dispatch(v), 0);
    return n > 0;
}

static void until_connected(struct vchan *v)
{
    uint64_t end = clock_ms() + 5000;

    while (vchan_state(v) == VCHAN_WAITING && clock_ms() < end)
        turn(v, false, false, 100);
    assert_int_equal(vchan_state(v), VCHAN_CONNECTED);
}

static void assert_bytes_pass(struct vchan *from, struct vchan *to)
{
    char buf[10];

    assert_int_equal(vchan_write(from, "hello", 5), 5);
    assert_true(turn(to, true, false, 1000));
    assert_int_equal(vchan_read(to, buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(vchan_read(to, buf, sizeof(buf)), 0);
}

static void own_domain_comes_from_the_environment(void **state)
{
    uint32_t d = 9;

    (void)state;
    setenv("VCHAN_DOMAIN", "17", 1);
    assert_int_equal(vchan_own_domain(&d), 0);
    assert_int_equal(d, 17);
    setenv("VCHAN_DOMAIN", "1x", 1);
    assert_int_equal(vchan_own_domain(&d), -EINVAL);
    unsetenv("VCHAN_DOMAIN");
    assert_int_equal(vchan_own_domain(&d), 0);
    assert_int_equal(d, 0);
    setenv("QREXEC_TRANSPORT", "pigeon", 1);
    assert_int_equal(vchan_own_domain(&d), -EPROTONOSUPPORT);
}

static void bytes_pass_both_ways(void **state)
{
    struct vchan *s = server(), *c = client();

    (void)state;
    until_connected(s);
    until_connected(c);
    assert_bytes_pass(s, c);
    assert_bytes_pass(c, s);
    vchan_free(c);
    vchan_free(s);
}

static void what_comes_after_all_was_read_is_told(void **state)
{
    struct vchan *s = server(), *c = client();
    char buf[10];

    (void)state;
    until_connected(s);
    until_connected(c);
    assert_bytes_pass(s, c);
    assert_int_equal(vchan_write(s, "again", 5), 5);
    vchan_free(s);
    assert_int_equal(vchan_read(c, buf, sizeof(buf)), 0); /* not before poll says so */
    assert_true(turn(c, true, false, 1000));
    assert_int_equal(vchan_read(c, buf, 3), 3); /* it may be read in pieces */
    assert_int_equal(vchan_read(c, buf, 2), 2);
    assert_int_equal(vchan_read(c, buf, sizeof(buf)), -EPIPE);
    assert_int_equal(vchan_state(c), VCHAN_CLOSED);
    vchan_free(c);
}

static void an_owner_that_does_not_read_hears_of_the_end(void **state)
{
    struct vchan *s = server(), *c = client();

    (void)state;
    until_connected(s);
    until_connected(c);
    vchan_free(s);
    assert_true(turn(c, false, false, 1000));
    assert_int_equal(vchan_state(c), VCHAN_CLOSED);
    vchan_free(c);
}

static void the_socket_is_open_to_all_and_goes_with_its_server(void **state)
{
    struct vchan *s = server();
    struct stat st;

    (void)state;
    assert_int_equal(lstat(path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    vchan_free(s);
    assert_int_equal(lstat(path(), &st), -1);
}

static void an_older_servers_name_is_taken_over(void **state)
{
    struct vchan *old = server(), *new = server(), *c;
    struct stat st;

    (void)state;
    vchan_free(old); /* and does not take the new one's name with it */
    assert_int_equal(lstat(path(), &st), 0);
    c = client();
    until_connected(new);
    assert_bytes_pass(c, new);
    vchan_free(c);
    vchan_free(new);
}

static void a_client_waits_for_its_server(void **state)
{
    struct vchan *c = client(), *s;

    (void)state;
    assert_int_equal(vchan_state(c), VCHAN_WAITING);
    assert_in_range(vchan_timeout(c), 1, 1000);
    assert_true(vchan_fd(c) >= 0);
    while (turn(c, false, false, 0))
        ;
    s = server();
    assert_true(turn(c, false, false, 1000));
    until_connected(c);
    until_connected(s);
    assert_bytes_pass(c, s);
    vchan_free(c);
    vchan_free(s);
}

static void what_may_become_a_server_is_waited_for(void **state)
{
    struct vchan *c, *s;
    char elsewhere[200];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    (void)state;
    /* a link to nothing */
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
    assert_int_equal(symlink(elsewhere, path()), 0);
    c = client();
    assert_int_equal(vchan_state(c), VCHAN_WAITING);
    assert_int_equal(vchan_dispatch(c), 0);
    /* a name that nobody listens at */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, elsewhere, strlen(elsewhere));
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(vchan_dispatch(c), 0);
    assert_int_equal(vchan_state(c), VCHAN_WAITING);
    for (int i = 0; i < 20; i++)
        assert_int_equal(vchan_dispatch(c), 0);
    assert_in_range(vchan_timeout(c), 1, 50);
    close(fd);
    s = server();
    until_connected(c);
    until_connected(s);
    vchan_free(c);
    vchan_free(s);
}

static void a_missing_directory_is_waited_for(void **state)
{
    struct vchan *c, *s;

    (void)state;
    assert_int_equal(rmdir(dir), 0);
    c = client();
    assert_int_equal(vchan_state(c), VCHAN_WAITING);
    assert_true(vchan_fd(c) >= 0);
    assert_in_range(vchan_timeout(c), 1, 50);
    assert_int_equal(mkdir(dir, 0700), 0);
    s = server();
    until_connected(c);
    vchan_free(c);
    vchan_free(s);
}

static void what_a_peer_sent_before_it_left_is_readable(void **state)
{
    struct vchan *s = server(), *c = client();
    char buf[10];

    (void)state;
    until_connected(s);
    assert_int_equal(vchan_write(s, "unread", 6), 6);
    assert_int_equal(vchan_write(c, "last", 4), 4);
    vchan_free(c);
    assert_true(turn(s, false, false, 1000));
    assert_int_equal(vchan_state(s), VCHAN_CLOSED);
    assert_int_equal(vchan_write(s, "x", 1), -EPIPE);
    assert_int_equal(vchan_read(s, buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "last", 4);
    assert_int_equal(vchan_read(s, buf, sizeof(buf)), -EPIPE);
    vchan_free(s);
}

static void what_a_lost_peer_sent_before_is_readable(void **state)
{
    struct vchan *s = server(), *c = client();
    char buf[10];

    (void)state;
    until_connected(s);
    assert_int_equal(vchan_write(c, "last", 4), 4);
    assert_false(vchan_is_gone(s));
    vchan_lose(s);
    assert_true(vchan_is_gone(s));
    assert_int_equal(vchan_state(s), VCHAN_CLOSED);
    assert_int_equal(vchan_write(s, "x", 1), -EPIPE);
    assert_int_equal(vchan_read(s, buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "last", 4);
    assert_int_equal(vchan_read(s, buf, sizeof(buf)), -EPIPE);
    vchan_free(s);
    vchan_free(c);
}

static void a_server_may_lose_who_never_came(void **state)
{
    struct vchan *s = server();
    char buf[10];

    (void)state;
    vchan_lose(s);
    assert_int_equal(vchan_state(s), VCHAN_CLOSED);
    assert_int_equal(vchan_read(s, buf, sizeof(buf)), -EPIPE);
    vchan_free(s);
}

static void nobody_dies_where_sockets_tell(void **state)
{
    struct vchan_deaths *d = NULL;

    (void)state;
    assert_int_equal(vchan_deaths_new(&d), 0);
    assert_int_equal(vchan_deaths_fd(d), -1);
    assert_int_equal(vchan_deaths_follow(d, 7), 0);
    assert_int_equal(vchan_deaths_dispatch(d, NULL, NULL), 0);
    vchan_deaths_free(d);
    vchan_forget(7);
}

static bool is_watch(int fd)
{
    char name[64], to[64] = "";

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    return readlink(name, to, sizeof(to) - 1) > 0 && strstr(to, "inotify");
}

static void wait_for_server(struct vchan *c, int most_ms)
{
    uint64_t deadline = clock_ms() + (uint64_t)most_ms;

    while (vchan_state(c) == VCHAN_WAITING && deadline_left(deadline) > 0) {
        struct pollfd p = {.fd = vchan_fd(c), .events = POLLIN};
        int ms = vchan_timeout(c);

        (void)poll(&p, 1, ms >= 0 && ms < most_ms ? ms : most_ms);
        assert_int_equal(vchan_dispatch(c), 0);
    }
}

static void who_waits_long_holds_no_watch_and_still_comes(void **state)
{
    struct vchan *c = client(), *v;
    int fd = vchan_fd(c);

    (void)state;
    assert_true(is_watch(fd));
    wait_for_server(c, 1000);
    assert_true(is_watch(fd));
    wait_for_server(c, 2500);
    assert_int_equal(vchan_fd(c), fd);
    assert_false(is_watch(fd));
    v = server();
    wait_for_server(c, 10000);
    until_connected(v);
    assert_bytes_pass(c, v);
    vchan_free(c);
    vchan_free(v);
}

static size_t watches(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 64; fd++)
        n += is_watch(fd);
    return n;
}

static void a_control_channel_that_had_to_wait_keeps_no_watch(void **state)
{
    struct vchan *c, *v;

    (void)state;
    port = VCHAN_CONTROL_PORT;
    c = client();
    assert_int_equal(watches(), 1);
    v = server();
    wait_for_server(c, 10000);
    until_connected(v);
    assert_int_equal(watches(), 0);
    assert_bytes_pass(c, v);
    vchan_free(c);
    vchan_free(v);
}

static void the_name_of_a_killed_server_is_forgotten(void **state)
{
    pid_t pid = fork();
    char begun[200];
    int status, fd;

    (void)state;
    if (pid == 0) {
        (void)server();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(access(path(), F_OK), 0);
    setenv("VCHAN_DOMAIN", "1", 1);
    vchan_forget_port(2, port + 1, 0);
    vchan_forget_port(3, port, 0);
    assert_int_equal(access(path(), F_OK), 0);
    vchan_forget_port(2, port, 0);
    assert_int_equal(access(path(), F_OK), -1);
    vchan_forget_port(2, port, 0);
    /* one that was killed before it had that name */
    snprintf(begun, sizeof(begun), "%s/.1.%x", dir, (unsigned)pid);
    assert_int_equal(unix_listen(begun, 0600, &fd), 0);
    close(fd);
    vchan_forget_port(2, port, pid + 1);
    assert_int_equal(access(begun, F_OK), 0);
    vchan_forget_port(2, port, pid);
    assert_int_equal(access(begun, F_OK), -1);
    /* what is no socket is nobody's name */
    assert_int_equal(mkdir(path(), 0700), 0);
    vchan_forget_port(2, port, 0);
    assert_int_equal(access(path(), F_OK), 0);
}

static void a_busy_server_does_not_stand_in_the_next_ones_way(void **state)
{
    struct vchan *busy = server(), *first = client(), *next, *second;

    (void)state;
    until_connected(busy);
    assert_int_equal(access(path(), F_OK), -1);
    second = client();
    assert_int_equal(vchan_state(second), VCHAN_WAITING);
    next = server();
    until_connected(second);
    until_connected(next);
    vchan_free(busy);
    assert_bytes_pass(second, next);
    vchan_free(first);
    vchan_free(second);
    vchan_free(next);
}

static void a_reset_server_serves_the_next_peer(void **state)
{
    struct vchan *s, *first, *second;
    struct stat st;

    (void)state;
    port = VCHAN_CONTROL_PORT;
    s = server();
    first = client();
    until_connected(s);
    second = client(); /* waits in the backlog */
    assert_int_equal(vchan_reset(s), 0);
    assert_int_equal(vchan_state(s), VCHAN_WAITING);
    until_connected(s);
    assert_bytes_pass(second, s);
    vchan_free(first);
    vchan_free(second);
    assert_int_equal(unlink(path()), 0);
    assert_int_equal(vchan_reset(s), 0);
    assert_int_equal(lstat(path(), &st), 0);
    first = client();
    until_connected(s);
    assert_int_equal(vchan_reset(first), -EOPNOTSUPP);
    vchan_free(first);
    vchan_free(s);
}

static void at_least_64_kib_fit_without_a_reader(void **state)
{
    struct vchan *s = server(), *c = client();
    static char data[1 << 16], got[1 << 16];
    size_t sent = 0, total = 0;
    ssize_t n;

    (void)state;
    until_connected(s);
    while ((n = vchan_write(c, data, sizeof(data))) > 0)
        sent += (size_t)n;
    assert_int_equal(n, 0);
    assert_in_range(sent, 65536, 4 << 20);
    assert_false(turn(c, false, true, 0));
    while (total < sent) {
        n = vchan_read(s, got, sizeof(got));
        assert_true(n > 0);
        total += (size_t)n;
    }
    assert_true(turn(c, false, true, 1000));
    vchan_free(c);
    vchan_free(s);
}

static void before_a_peer_nothing_moves(void **state)
{
    struct vchan *s = server();
    char byte;

    (void)state;
    assert_int_equal(vchan_read(s, &byte, 1), 0);
    assert_int_equal(vchan_write(s, "x", 1), 0);
    assert_int_equal(vchan_events(s, false, false), POLLIN);
    assert_int_equal(vchan_timeout(s), -1);
    vchan_free(s);
    vchan_free(NULL);
}

/* Each go: one process frees the old server while another binds the next one at its name. */
static void an_older_server_never_takes_the_next_ones_name_away(void **state)
{
    enum { ROUNDS = 3000 };
    int pair[2], lost = 0;
    char byte = 0;
    pid_t pid;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        close(pair[0]);
    for (int i = 0; pid == 0 && i < ROUNDS; i++) {
        struct vchan *old = server();

        if (write(pair[1], "", 1) != 1 || read(pair[1], &byte, 1) != 1)
            _exit(1);
        vchan_free(old);
        if (write(pair[1], "", 1) != 1 || read(pair[1], &byte, 1) != 1)
            _exit(1);
    }
    if (pid == 0)
        _exit(0);
    close(pair[1]);
    for (int i = 0; i < ROUNDS; i++) {
        struct vchan *next;

        assert_int_equal(read(pair[0], &byte, 1), 1);
        assert_int_equal(write(pair[0], "", 1), 1);
        next = server();
        assert_int_equal(read(pair[0], &byte, 1), 1);
        lost += access(path(), F_OK) < 0;
        vchan_free(next);
        assert_int_equal(access(path(), F_OK), -1);
        assert_int_equal(write(pair[0], "", 1), 1);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(pair[0]);
    assert_int_equal(lost, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(own_domain_comes_from_the_environment),
        TEST(bytes_pass_both_ways),
        TEST(what_comes_after_all_was_read_is_told),
        TEST(an_owner_that_does_not_read_hears_of_the_end),
        TEST(the_socket_is_open_to_all_and_goes_with_its_server),
        TEST(an_older_servers_name_is_taken_over),
        TEST(a_client_waits_for_its_server),
        TEST(what_may_become_a_server_is_waited_for),
        TEST(a_missing_directory_is_waited_for),
        TEST(what_a_peer_sent_before_it_left_is_readable),
        TEST(what_a_lost_peer_sent_before_is_readable),
        TEST(a_server_may_lose_who_never_came),
        TEST(nobody_dies_where_sockets_tell),
        TEST(a_control_channel_that_had_to_wait_keeps_no_watch),
        TEST(the_name_of_a_killed_server_is_forgotten),
        TEST(who_waits_long_holds_no_watch_and_still_comes),
        TEST(a_busy_server_does_not_stand_in_the_next_ones_way),
        TEST(a_reset_server_serves_the_next_peer),
        TEST(at_least_64_kib_fit_without_a_reader),
        TEST(before_a_peer_nothing_moves),
        TEST(an_older_server_never_takes_the_next_ones_name_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
