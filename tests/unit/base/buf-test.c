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

static void assert_holds(const struct buf *b, const char *text)
{
    assert_int_equal(buf_len(b), strlen(text));
    assert_memory_equal(buf_data(b), text, strlen(text));
}

/* Every length of what lies before, is moved, and lies behind; and what `to` has already. */
static void moves_the_front_whatever_lies_around_it(void **state)
{
    static const char alphabet[] = "abcdefghijklmnop";

    (void)state;
    for (size_t before = 0; before < 4; before++)
        for (size_t n = 0; n < 6; n++)
            for (size_t behind = 0; behind < 6; behind++)
                for (size_t old = 0; old < 3; old++) {
                    struct buf from = BUF_NULL(100), to = BUF_NULL(50);
                    char text[20] = "";

                    assert_int_equal(buf_append(&from, alphabet, before + n + behind), 0);
                    buf_consume(&from, before);
                    assert_int_equal(buf_append(&to, "XYZ", old), 0);
                    assert_int_equal(buf_move(&from, n, &to), 0);
                    snprintf(text, sizeof(text), "%.*s%.*s", (int)old, "XYZ", (int)n,
                             alphabet + before);
                    assert_holds(&to, text);
                    snprintf(text, sizeof(text), "%.*s", (int)behind, alphabet + before + n);
                    assert_holds(&from, text);
                    assert_int_equal(from.limit, 100);
                    assert_int_equal(to.limit, 50);
                    assert_int_equal(buf_append(&from, "!", 1), 0);
                    assert_int_equal(buf_append(&to, "?", 1), 0);
                    assert_int_equal(buf_data(&to)[old + n], '?');
                    assert_int_equal(buf_data(&from)[behind], '!');
                    buf_deinit(&from);
                    buf_deinit(&to);
                }
}

static void moves_no_more_than_the_limit_of_where_it_goes(void **state)
{
    struct buf from = BUF_NULL(100), to = BUF_NULL(5);

    (void)state;
    assert_int_equal(buf_append(&from, "abcdefgh", 8), 0);
    assert_int_equal(buf_move(&from, 6, &to), -ENOBUFS);
    assert_holds(&from, "abcdefgh");
    assert_holds(&to, "");
    assert_int_equal(buf_move(&from, 5, &to), 0);
    assert_int_equal(buf_move(&from, 1, &to), -ENOBUFS);
    assert_holds(&from, "fgh");
    assert_holds(&to, "abcde");
    buf_deinit(&from);
    buf_deinit(&to);
}

static void large_parts_change_hands_without_a_copy(void **state)
{
    struct buf from = BUF_NULL(300), to = BUF_NULL(200);
    const unsigned char *memory;
    char data[200];

    (void)state;
    memset(data, 'x', sizeof(data));
    assert_int_equal(buf_append(&from, data, 200), 0);
    memory = buf_data(&from);
    assert_int_equal(buf_move(&from, 150, &to), 0);
    assert_ptr_equal(buf_data(&to), memory);
    buf_deinit(&from);
    buf_deinit(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_no_more_than_its_limit),
        cmocka_unit_test(keeps_order_over_many_appends_and_consumes),
        cmocka_unit_test(reads_at_most_what_is_left_of_the_limit),
        cmocka_unit_test(writes_to_pipes_and_sockets),
        cmocka_unit_test(moves_the_front_whatever_lies_around_it),
        cmocka_unit_test(moves_no_more_than_the_limit_of_where_it_goes),
        cmocka_unit_test(large_parts_change_hands_without_a_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
