/* Data ports: who allots which, and when one is free again. */
#include "tests/unit/test.h"

#include "libqrexec/base/io.h"
#include "qrexec-daemon/ports.h"

static uint32_t allot(struct ports *p, uint32_t domain)
{
    uint32_t port = 0;

    assert_int_equal(ports_allot(p, domain, &port), 0);
    return port;
}

static void dom0_gets_the_lowest_free_port(void **state)
{
    struct ports p;

    (void)state;
    ports_init(&p, 7);
    for (uint32_t port = 513; port < 520; port++)
        assert_int_equal(allot(&p, 0), port);
    assert_true(ports_release(&p, 0, 515));
    assert_true(ports_release(&p, 0, 514));
    assert_int_equal(allot(&p, 0), 514);
    assert_int_equal(allot(&p, 0), 515);
    assert_int_equal(allot(&p, 0), 520);
    ports_deinit(&p);
}

static void two_daemons_never_allot_the_same(void **state)
{
    struct ports low, high;

    (void)state;
    ports_init(&low, 3);
    ports_init(&high, 9);
    for (uint32_t i = 0; i < 500; i++) {
        assert_int_equal(allot(&low, 9), 514 + 2 * i);
        assert_int_equal(allot(&high, 3), 513 + 2 * i);
    }
    ports_deinit(&low);
    ports_deinit(&high);
}

static void each_peer_has_its_own(void **state)
{
    struct ports p;

    (void)state;
    ports_init(&p, 3);
    assert_int_equal(allot(&p, 0), 513);
    assert_int_equal(allot(&p, 1), 513);
    assert_int_equal(allot(&p, 4), 514);
    assert_int_equal(allot(&p, 5), 514);
    assert_false(ports_release(&p, 4, 513));
    assert_true(ports_release(&p, 1, 513));
    assert_int_equal(allot(&p, 0), 514);
    ports_deinit(&p);
}

static void only_what_was_allotted_is_released(void **state)
{
    static const uint32_t never[] = {0, 1, 512, 514, 768, 65535, 65536, 0xffffffff};
    struct ports p;

    (void)state;
    ports_init(&p, 3);
    assert_false(ports_release(&p, 0, 513));
    assert_int_equal(allot(&p, 0), 513);
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        assert_false(ports_release(&p, 0, never[i]));
    assert_true(ports_release(&p, 0, 513));
    assert_false(ports_release(&p, 0, 513));
    ports_deinit(&p);
}

static void ports_run_out_and_come_back(void **state)
{
    struct ports p;
    uint32_t port, last = 0;
    int r;

    (void)state;
    ports_init(&p, 3);
    while ((r = ports_allot(&p, 0, &port)) == 0)
        last = port;
    assert_int_equal(r, PORTS_E_NONE);
    assert_int_equal(last, PORT_LAST);
    assert_true(ports_release(&p, 0, 40000));
    assert_int_equal(allot(&p, 0), 40000);
    assert_int_equal(allot(&p, 9), 514);
    ports_deinit(&p);
}

static void what_the_other_daemon_allotted_is_kept_beside_ours(void **state)
{
    static const uint32_t all[] = {513, 514, 516, 517, 65535};
    uint32_t port = 0;
    struct ports p;

    (void)state;
    ports_init(&p, 3);
    assert_false(ports_next(&p, 4, &port));
    assert_int_equal(ports_note(&p, 4, 513), 0);
    assert_int_equal(ports_note(&p, 4, 517), 0);
    assert_int_equal(ports_note(&p, 4, 65535), 0);
    assert_int_equal(allot(&p, 4), 514);
    assert_int_equal(allot(&p, 4), 516);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        assert_true(ports_next(&p, 4, &port));
        assert_int_equal(port, all[i]);
    }
    assert_false(ports_next(&p, 4, &port));
    assert_true(ports_release(&p, 4, 513));
    port = 0;
    assert_true(ports_next(&p, 4, &port));
    assert_int_equal(port, 514);
    port = 0;
    assert_false(ports_next(&p, 5, &port));
    ports_deinit(&p);
}

static void a_port_that_cannot_be_is_not_kept(void **state)
{
    struct ports p;

    (void)state;
    ports_init(&p, 3);
    assert_int_equal(ports_note(&p, 4, 0), -ERANGE);
    assert_int_equal(ports_note(&p, 4, 512), -ERANGE);
    assert_int_equal(ports_note(&p, 4, 65536), -ERANGE);
    assert_int_equal(ports_note(&p, 4, UINT32_MAX), -ERANGE);
    ports_deinit(&p);
}

static void the_next_daemon_knows_what_is_taken(void **state)
{
    _cleanup_(freep) char *text = NULL;
    char *root = test_mkdir(), path[4200];
    struct ports p;
    uint32_t domain, port = 0;
    size_t at = 0, n;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/ports.7", root), 0);
    ports_init(&p, 7);
    assert_int_equal(ports_keep(&p, path, "ours"), 0);
    assert_int_equal(allot(&p, 0), 513);
    assert_int_equal(allot(&p, 0), 514);
    assert_int_equal(ports_note(&p, 9, 515), 0);
    assert_int_equal(ports_note(&p, 0, 514), 0); /* known already: no line more */
    assert_true(ports_release(&p, 0, 513));
    ports_deinit(&p);
    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    assert_int_equal(n, 5 + 4 * 7);
    /* killed while it wrote the release, which does not count then */
    assert_int_equal(truncate(path, 5 + 4 * 7 - 3), 0);

    ports_init(&p, 7);
    assert_int_equal(ports_keep(&p, path, "ours"), 0);
    assert_int_equal(allot(&p, 0), 515);
    assert_true(ports_next_domain(&p, &at, &domain));
    assert_int_equal(domain, 0);
    assert_true(ports_next_domain(&p, &at, &domain));
    assert_int_equal(domain, 9);
    assert_true(ports_next(&p, 9, &port));
    assert_int_equal(port, 515);
    assert_false(ports_next_domain(&p, &at, &domain));
    ports_deinit(&p);

    /* another domain that got its number */
    ports_init(&p, 7);
    assert_int_equal(ports_keep(&p, path, "theirs"), 0);
    assert_int_equal(allot(&p, 0), 513);
    assert_true(ports_release(&p, 0, 513));
    ports_deinit(&p);
    assert_int_equal(access(path, F_OK), -1); /* nothing is taken, so nothing is left */
    test_rmdir(root);
}

/* As one leaves it that is killed before it has renamed it; nor is a link there followed. */
static void what_lies_beside_the_file_is_replaced(void **state)
{
    char *root = test_mkdir(), path[4200], beside[4210], other[4200];
    _cleanup_(freep) char *text = NULL;
    struct ports p;
    size_t n;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/ports.7", root), 0);
    assert_int_equal(format(beside, sizeof(beside), "%s:new", path), 0);
    assert_int_equal(format(other, sizeof(other), "%s/other", root), 0);
    assert_int_equal(file_replace(other, "kept", 4, 0600), 0);
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            assert_int_equal(file_replace(beside, "half", 4, 0600), 0);
        else
            assert_int_equal(symlink(other, beside), 0);
        ports_init(&p, 7);
        assert_int_equal(ports_keep(&p, path, "ours"), 0);
        assert_int_equal(access(beside, F_OK), -1);
        assert_int_equal(allot(&p, 0), 513 + i);
        ports_deinit(&p);
    }
    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    assert_string_equal(text, "ours\n+0 513\n+0 514\n");
    free(take(text));
    assert_int_equal(file_read(other, 4096, &text, &n), 0);
    assert_string_equal(text, "kept");
    test_rmdir(root);
}

/* Who was told of it by a daemon before may wait there still, whatever the agent says of its end.
 */
static void what_an_earlier_daemon_allotted_rests(void **state)
{
    char *root = test_mkdir(), path[4200];
    struct ports p;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/ports.7", root), 0);
    ports_init(&p, 7);
    assert_int_equal(ports_keep(&p, path, "ours"), 0);
    assert_int_equal(allot(&p, 0), 513);
    assert_int_equal(allot(&p, 0), 514);
    assert_true(ports_release(&p, 0, 514)); /* its own comes again at once */
    assert_int_equal(allot(&p, 0), 514);
    for (int i = 0; i < 2; i++) { /* also for the daemon after the next */
        ports_deinit(&p);
        ports_init(&p, 7);
        assert_int_equal(ports_keep(&p, path, "ours"), 0);
        assert_int_equal(ports_release(&p, 0, 513), i == 0);
        assert_int_equal(allot(&p, 0), 515 + i);
    }
    p.rest_until = clock_ms();
    assert_int_equal(allot(&p, 0), 513);
    ports_deinit(&p);
    test_rmdir(root);
}

static void a_domain_that_is_gone_leaves_no_file(void **state)
{
    char *root = test_mkdir(), path[4200];
    struct ports p;

    (void)state;
    assert_int_equal(format(path, sizeof(path), "%s/ports.7", root), 0);
    ports_init(&p, 7);
    assert_int_equal(ports_keep(&p, path, "ours"), 0);
    assert_int_equal(allot(&p, 0), 513);
    ports_forget(&p);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(allot(&p, 0), 514); /* what it still does until it ends */
    ports_deinit(&p);
    assert_int_equal(access(path, F_OK), -1);
    ports_init(&p, 7);
    ports_forget(&p); /* there was none */
    ports_deinit(&p);
    test_rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dom0_gets_the_lowest_free_port),
        cmocka_unit_test(two_daemons_never_allot_the_same),
        cmocka_unit_test(each_peer_has_its_own),
        cmocka_unit_test(only_what_was_allotted_is_released),
        cmocka_unit_test(ports_run_out_and_come_back),
        cmocka_unit_test(what_the_other_daemon_allotted_is_kept_beside_ours),
        cmocka_unit_test(a_port_that_cannot_be_is_not_kept),
        cmocka_unit_test(the_next_daemon_knows_what_is_taken),
        cmocka_unit_test(what_lies_beside_the_file_is_replaced),
        cmocka_unit_test(what_an_earlier_daemon_allotted_rests),
        cmocka_unit_test(a_domain_that_is_gone_leaves_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
