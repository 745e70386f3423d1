#include "tests/unit/test.h"

#include "libqrexec/base/buf.h"

static void holds_no_more_than_its_limit(void **state)
{
    struct buf b = BUF_NULL(10);

    (void)state;
    assert_int_equal(buf_append(&b, "0123456789", 10), 0);
    assert_int_equal(buf_append(&b, "x", 1), -ENOBUFS);
    assert_int_equal(buf_len(&b), 10);
    buf_consume(&b, 4);
    assert_int_equal(buf_append(&b, "abcd", 4), 0);
    assert_memory_equal(buf_data(&b), "456789abcd", 10);
    buf_deinit(&b);
}

static void keeps_order_over_many_appends_and_consumes(void **state)
{
    struct buf b = BUF_NULL(4096);
    unsigned char in = 0, out = 0;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < round % 7 + 1 && buf_room(&b); i++, in++)
            assert_int_equal(buf_append(&b, &in, 1), 0);
        for (int i = 0; i < round % 5 + 1 && buf_len(&b); i++, out++) {
            assert_int_equal(*buf_data(&b), out);
            buf_consume(&b, 1);
        }
    }
    buf_deinit(&b);
}

static void reads_at_most_what_is_left_of_the_limit(void **state)
{
    struct buf b = BUF_NULL(3);
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "abcdef", 6), 6);
    assert_int_equal(buf_read_fd(&b, fds[0], 100), 3);
    assert_int_equal(buf_read_fd(&b, fds[0], 100), -ENOBUFS);
    buf_consume(&b, 3);
    assert_int_equal(buf_read_fd(&b, fds[0], 100), 3);
    buf_consume(&b, 3);
    close(fds[1]);
    assert_int_equal(buf_read_fd(&b, fds[0], 100), 0);
    close(fds[0]);
    buf_deinit(&b);
}

static void writes_to_pipes_and_sockets(void **state)
{
    struct buf b = BUF_NULL(100);
    char got[4] = "";
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(buf_write_fd(&b, fds[1]), 0);
    assert_int_equal(buf_appendf(&b, "%d", 123), 0);
    assert_int_equal(buf_write_fd(&b, fds[1]), 3);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(read(fds[0], got, 3), 3);
    assert_string_equal(got, "123");
    close(fds[0]);
    close(fds[1]);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_no_more_than_its_limit),
        cmocka_unit_test(keeps_order_over_many_appends_and_consumes),
        cmocka_unit_test(reads_at_most_what_is_left_of_the_limit),
        cmocka_unit_test(writes_to_pipes_and_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
