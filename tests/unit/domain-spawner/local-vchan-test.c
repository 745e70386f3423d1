/* The vchan switch: names, and who sees which socket. */
#include "tests/unit/test.h"

#include "domain-spawner/local-vchan.h"
#include "libqrexec/base/paths.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char *root;
static struct watch_set set;
static struct vchan_switch sw;

static int set_up(void **state)
{
    (void)state;
    set.epoll = -1;
    assert_int_equal(watch_set_init(&set), 0);
    assert_int_equal(vchan_switch_init(&sw, &set), 0);
    assert_int_equal(vchan_switch_add(&sw, 1, geteuid()), 0);
    assert_int_equal(vchan_switch_add(&sw, 2, geteuid()), 0);
    return 0;
}

static int tear_down(void **state)
{
    char path[PATH_SIZE];

    (void)state;
    vchan_switch_deinit(&sw);
    watch_set_deinit(&set);
    assert_int_equal(path_get(path, "/run/vchan"), 0);
    return remove_all(path);
}

/* Lets the switch see what happened. */
static void turn(void)
{
    struct pollfd p = {.fd = set.epoll, .events = POLLIN};

    while (poll(&p, 1, 20) == 1)
        watch_set_dispatch(&set);
}

static const char *in(unsigned domid, const char *name)
{
    static char path[4][PATH_SIZE];
    static unsigned next;
    char *p = path[next++ % 4];

    assert_int_equal(domid ? path_get(p, "/run/vchan/%u/%s", domid, name)
                           : path_get(p, "/run/vchan/%s", name),
                     0);
    return p;
}

static bool there(unsigned domid, const char *name)
{
    struct stat st;

    return lstat(in(domid, name), &st) == 0;
}

static ino_t inode(unsigned domid, const char *name)
{
    struct stat st;

    assert_int_equal(lstat(in(domid, name), &st), 0);
    return st.st_ino;
}

static void make(unsigned domid, const char *name)
{
    int fd;

    assert_int_equal(unix_listen(in(domid, name), 0666, &fd), 0);
    close(fd);
    turn();
}

static void only_plain_names_are_names(void **state)
{
    static const char *const bad[] = {
        "",
        "vchan",
        "vchan.1.2.3",
        "vchan.1.2.3.sock ",
        "vchan.1.2.3.sock.x",
        "vchan.1.2.sock",
        "vchan.1.2.3.4.sock",
        "vchan.01.2.3.sock",
        "vchan.+1.2.3.sock",
        "vchan.-1.2.3.sock",
        "vchan.1 .2.3.sock",
        "vchan..2.3.sock",
        "vchan.1.2.0x3.sock",
        "vchan.4294967296.2.3.sock",
        "vchan.99999999999999999999.2.3.sock",
        "Vchan.1.2.3.sock",
        ".vchan.1.2.3.sock",
        "../vchan.1.2.3.sock",
    };
    struct vchan_name n = {7, 7, 7};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(vchan_name_parse(bad[i], &n));
    assert_int_equal(n.server, 7);
    assert_true(vchan_name_parse("vchan.1.0.512.sock", &n));
    assert_int_equal(n.server, 1);
    assert_int_equal(n.client, 0);
    assert_int_equal(n.port, 512);
    assert_true(vchan_name_parse("vchan.0.4294967295.4294967295.sock", &n));
}

static void a_servers_socket_reaches_its_client_alone(void **state)
{
    (void)state;
    assert_int_equal(vchan_switch_add(&sw, 3, geteuid()), 0);
    make(1, "vchan.1.2.600.sock");
    assert_int_equal(inode(1, "vchan.1.2.600.sock"), inode(2, "vchan.1.2.600.sock"));
    assert_false(there(0, "vchan.1.2.600.sock"));
    assert_false(there(3, "vchan.1.2.600.sock"));
    make(1, "vchan.1.0.512.sock");
    assert_true(there(0, "vchan.1.0.512.sock"));
    assert_false(there(2, "vchan.1.0.512.sock"));
    make(0, "vchan.0.3.513.sock");
    assert_true(there(3, "vchan.0.3.513.sock"));
    assert_false(there(1, "vchan.0.3.513.sock"));
}

static void a_new_socket_of_a_name_takes_the_place_of_the_old(void **state)
{
    (void)state;
    make(1, "vchan.1.0.512.sock");
    assert_true(there(0, "vchan.1.0.512.sock"));
    assert_int_equal(unlink(in(1, "vchan.1.0.512.sock")), 0);
    make(1, "other"); /* so that the inode's number is not given again */
    make(1, "vchan.1.0.512.sock");
    assert_int_equal(inode(0, "vchan.1.0.512.sock"), inode(1, "vchan.1.0.512.sock"));
}

static void what_the_server_removes_goes(void **state)
{
    (void)state;
    make(1, "vchan.1.2.600.sock");
    assert_int_equal(unlink(in(1, "vchan.1.2.600.sock")), 0);
    turn();
    assert_false(there(2, "vchan.1.2.600.sock"));
}

static void what_the_client_removes_stays_with_the_server(void **state)
{
    (void)state;
    make(1, "vchan.1.2.600.sock");
    assert_int_equal(unlink(in(2, "vchan.1.2.600.sock")), 0);
    turn();
    assert_true(there(1, "vchan.1.2.600.sock"));
}

static void another_domains_name_goes_nowhere(void **state)
{
    (void)state;
    make(2, "vchan.2.0.512.sock");
    make(1, "vchan.2.0.512.sock"); /* of 2, in 1's directory */
    make(1, "vchan.0.2.513.sock"); /* of dom0 */
    make(1, "vchan.2.1.514.sock");
    assert_int_equal(inode(0, "vchan.2.0.512.sock"), inode(2, "vchan.2.0.512.sock"));
    assert_int_not_equal(inode(0, "vchan.2.0.512.sock"), inode(1, "vchan.2.0.512.sock"));
    assert_false(there(2, "vchan.0.2.513.sock"));
    assert_false(there(0, "vchan.0.2.513.sock"));
    assert_false(there(2, "vchan.2.1.514.sock"));
    /* and its removal there removes nothing here */
    assert_int_equal(unlink(in(1, "vchan.2.0.512.sock")), 0);
    turn();
    assert_true(there(0, "vchan.2.0.512.sock"));
}

static void only_sockets_are_passed_on(void **state)
{
    (void)state;
    assert_int_equal(symlink("/etc/passwd", in(1, "vchan.1.0.1.sock")), 0);
    assert_int_equal(symlink("../2/vchan.2.0.512.sock", in(1, "vchan.1.0.2.sock")), 0);
    assert_int_equal(mkfifo(in(1, "vchan.1.0.3.sock"), 0666), 0);
    assert_int_equal(mkdir(in(1, "vchan.1.0.4.sock"), 0777), 0);
    close(open(in(1, "vchan.1.0.5.sock"), O_CREAT | O_WRONLY, 0666));
    turn();
    for (int i = 1; i <= 5; i++) {
        char name[64];

        assert_int_equal(format(name, sizeof(name), "vchan.1.0.%d.sock", i), 0);
        assert_false(there(0, name));
    }
}

static void a_domain_that_comes_late_finds_what_waits(void **state)
{
    (void)state;
    make(1, "vchan.1.9.600.sock");
    make(0, "vchan.0.9.513.sock");
    assert_int_equal(vchan_switch_add(&sw, 9, geteuid()), 0);
    assert_true(there(9, "vchan.1.9.600.sock"));
    assert_true(there(9, "vchan.0.9.513.sock"));
}

static void an_ended_domain_leaves_nothing(void **state)
{
    (void)state;
    make(1, "vchan.1.0.512.sock");
    make(1, "vchan.1.2.600.sock");
    make(2, "vchan.2.1.601.sock");
    vchan_switch_remove(&sw, 1);
    assert_false(there(0, "1"));
    assert_false(there(0, "vchan.1.0.512.sock"));
    assert_false(there(2, "vchan.1.2.600.sock"));
    assert_true(there(2, "vchan.2.1.601.sock")); /* the other's own */
    turn();
}

/* The peer came, and left. */
static bool is_hung_up_on(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    _cleanup_(closep) int fd = poll(&p, 1, 100) == 1 ? accept(listener, NULL, NULL) : -1;
    char byte;

    return fd >= 0 && read(fd, &byte, 1) == 0;
}

static void who_waits_for_an_ended_domain_is_hung_up_on(void **state)
{
    int waits, of_dom0, of_another, late, newer;

    (void)state;
    assert_int_equal(vchan_switch_add(&sw, 3, geteuid()), 0);
    assert_int_equal(unix_listen(in(1, "vchan.1.2.600.sock"), 0666, &waits), 0);
    assert_int_equal(unix_listen(in(0, "vchan.0.2.513.sock"), 0666, &of_dom0), 0);
    assert_int_equal(unix_listen(in(1, "vchan.1.3.600.sock"), 0666, &of_another), 0);
    assert_int_equal(symlink("vchan.1.3.600.sock", in(1, "vchan.1.2.602.sock")), 0);
    assert_int_equal(mkfifo(in(1, "vchan.1.2.604.sock"), 0666), 0);
    turn();
    vchan_switch_remove(&sw, 2);
    assert_true(is_hung_up_on(waits));
    assert_true(is_hung_up_on(of_dom0));
    assert_false(is_hung_up_on(of_another)); /* not by way of the link either */
    /* told of it before it ended, and served after */
    assert_int_equal(unix_listen(in(1, "vchan.1.2.606.sock"), 0666, &late), 0);
    assert_int_equal(unix_listen(in(1, "vchan.1.9.606.sock"), 0666, &newer), 0);
    turn();
    assert_true(is_hung_up_on(late));
    assert_false(is_hung_up_on(newer)); /* that domain may come yet */
    close(waits);
    close(of_dom0);
    close(of_another);
    close(late);
    close(newer);
}

static void a_new_switch_removes_what_a_killed_one_left(void **state)
{
    (void)state;
    make(1, "vchan.1.0.512.sock");
    make(0, "vchan.0.1.513.sock");
    vchan_switch_deinit(&sw);
    assert_int_equal(vchan_switch_init(&sw, &set), 0);
    assert_false(there(0, "1"));
    assert_false(there(0, "vchan.1.0.512.sock"));
    assert_true(there(0, "vchan.0.1.513.sock"));
}

/* More events than the kernel keeps: the switch looks for itself. */
static void lost_events_are_made_up_for(void **state)
{
    int n = 20000;

    (void)state;
    make(1, "vchan.1.2.600.sock");
    for (int i = 0; i < n; i++) {
        char name[32];

        assert_int_equal(format(name, sizeof(name), "x%d", i % 64), 0);
        close(open(in(1, name), O_CREAT | O_WRONLY, 0600));
        assert_int_equal(unlink(in(1, name)), 0);
    }
    assert_int_equal(unlink(in(1, "vchan.1.2.600.sock")), 0);
    make(1, "vchan.1.2.601.sock");
    assert_false(there(2, "vchan.1.2.600.sock"));
    assert_true(there(2, "vchan.1.2.601.sock"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_plain_names_are_names),
        cmocka_unit_test_setup_teardown(a_servers_socket_reaches_its_client_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_new_socket_of_a_name_takes_the_place_of_the_old, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_server_removes_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_client_removes_stays_with_the_server, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_domains_name_goes_nowhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_sockets_are_passed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_domain_that_comes_late_finds_what_waits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_ended_domain_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_for_an_ended_domain_is_hung_up_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_new_switch_removes_what_a_killed_one_left, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lost_events_are_made_up_for, set_up, tear_down),
    };
    int r;

    root = test_mkdir();
    if (paths_init(root, PATHS_DAEMON))
        return 1;
    r = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmdir(root);
    return r;
}
