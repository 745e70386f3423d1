/* How many calls a VM has open, and how large their rings are for that. */
#include "tests/unit/test.h"

#include "libqrexec/vchan/vchan.h"
#include "qrexec-agent/open-calls.h"

#include <sys/socket.h>

static const char listed[] =
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 10 /run/qubes/qrexec-agent\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 11 /run/qubes/qrexec-agent\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/qubes/qrexec-agent\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 13 /run/qubes/qrexec-agent2\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 14\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 15 @/run/qubes/qrexec-agent\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 16 /run/qubes/qrexec-agent";

static void connections_to_that_socket_count(void **state)
{
    char *dir = test_mkdir(), path[4200];
    int fd;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/list", dir), 0);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write_full(fd, listed, sizeof(listed) - 1), 0);
    close(fd);
    assert_int_equal(open_calls(path, "/run/qubes/qrexec-agent"), 3);
    assert_int_equal(open_calls(path, "/run/qubes/qrexec-agent2"), 1);
    assert_int_equal(open_calls(path, "/run/qubes"), 0);
    assert_int_equal(open_calls("/nowhere", "/run/qubes/qrexec-agent"), 0);
    test_rmdir(dir);
}

static void the_kernels_own_list_is_understood(void **state)
{
    char *dir = test_mkdir(), path[4200];
    int listener, client[3], server[3];

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/agent", dir), 0);
    assert_int_equal(unix_listen(path, 0600, &listener), 0);
    assert_int_equal(open_calls("/proc/net/unix", path), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(unix_connect(path, &client[i]), 0);
        server[i] = accept(listener, NULL, NULL);
        assert_true(server[i] >= 0);
        assert_int_equal(open_calls("/proc/net/unix", path), i + 1);
    }
    for (size_t i = 0; i < 3; i++) {
        close(client[i]);
        close(server[i]);
    }
    assert_int_equal(open_calls("/proc/net/unix", path), 0);
    close(listener);
    test_rmdir(dir);
}

static void sockets_have_room_for_any_number(void **state)
{
    (void)state;
    assert_int_equal(setenv("QREXEC_TRANSPORT", "socket", 1), 0);
    assert_false(vchan_rings_are_limited());
    assert_int_equal(vchan_ring(0), 65536);
    assert_int_equal(vchan_ring(100000), 65536);
}

#ifdef HAVE_XEN
static size_t pages(size_t ring)
{
    return ring < 4096 ? 1 : 2 * ring / 4096 + 1;
}

/* Each as large as it was when it came, in the worst order. */
static void a_hundred_find_room_on_xen(void **state)
{
    size_t sum = 0, worst = 0, last = SIZE_MAX;

    (void)state;
    assert_int_equal(setenv("QREXEC_TRANSPORT", "xen", 1), 0);
    assert_true(vchan_rings_are_limited());
    assert_int_equal(vchan_ring(0), 65536);
    for (size_t n = 0; n < 100; n++) {
        size_t ring = vchan_ring(n);

        assert_true(ring <= last);
        last = ring;
        sum += pages(ring);
        worst = pages(ring) * (n + 1) > worst ? pages(ring) * (n + 1) : worst;
    }
    assert_true(sum <= 1024);
    assert_true(worst <= 1024 / 4);
    assert_int_equal(vchan_ring(10000), 1024);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_to_that_socket_count),
        cmocka_unit_test(the_kernels_own_list_is_understood),
        cmocka_unit_test(sockets_have_room_for_any_number),
#ifdef HAVE_XEN
        cmocka_unit_test(a_hundred_find_room_on_xen),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
