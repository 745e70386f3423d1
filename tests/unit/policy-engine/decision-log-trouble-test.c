/* The decision log in trouble: what cannot be written, turned over or opened is counted and tried
 * again. */
#include "policy-engine/decision-log.h"
#include "policy-engine/log-read.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/paths.h"
#include "tests/unit/test.h"

static struct decision_record record_of(const char *id)
{
    return (struct decision_record){.call_id = id,
                                    .time_us = 1764302400000042,
                                    .policy = 0xabc,
                                    .generation = 7,
                                    .source = "work",
                                    .target = "@default",
                                    .service = "a.B",
                                    .argument = "+c",
                                    .verdict = "allow",
                                    .final = "mail",
                                    .rule_file = "/etc/x.policy",
                                    .rule_line = 4,
                                    .micros = {1, 2, 3, 4, 10}};
}

static char *dir;
static char path[PATH_SIZE];

static int begin(void **state)
{
    (void)state;
    dir = test_mkdir();
    return format(path, sizeof(path), "%s/log.jsonl", dir);
}

static int end(void **state)
{
    (void)state;
    test_rmdir(dir);
    return 0;
}

static void put(struct decision_log *l, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct decision_record d = record_of("1-2");

        decision_log_add(l, &d);
    }
    decision_log_flush(l);
}

static struct log_check check_all(void)
{
    struct log_check c;

    assert_int_equal(log_read(path, &(struct log_reader){.verify = true}, &c), 0);
    return c;
}

static void assert_whole(uint64_t records)
{
    struct log_check c = check_all();

    assert_int_equal(c.records, records);
    assert_int_equal(c.lines_bad, 0);
    assert_int_equal(c.chain_breaks, 0);
}

static int log_to(const char *where, struct decision_log *l)
{
    return decision_log_open(l, where, 1 << 20, 2);
}

/* A folder with something in it, which no file can be renamed to, or opened. */
static void block(const char *at)
{
    _cleanup_(freep) char *inside = format_new("%s/x", at);

    assert_int_equal(mkdir_all(inside, 0700), 0);
}

static void a_file_that_cannot_be_turned_over_grows_on(void **state)
{
    char older[PATH_SIZE + 8];
    struct decision_log l;

    (void)state;
    assert_int_equal(format(older, sizeof(older), "%s.1", path), 0);
    block(older);
    assert_int_equal(decision_log_open(&l, path, 100, 1), 0);
    put(&l, 1);
    put(&l, 1);
    assert_true(l.size > 100);
    assert_int_equal(l.max, 126); /* said again when it has grown by a quarter */
    assert_int_equal(l.lost, 0);
    assert_int_equal(remove_all(older), 0);
    put(&l, 1);
    decision_log_deinit(&l);
    assert_int_equal(access(older, F_OK), 0);
    assert_whole(3);
}

static void what_cannot_be_opened_again_is_counted_and_tried_again(void **state)
{
    struct decision_log l;
    _cleanup_(freep) char *text = NULL;
    size_t n;

    (void)state;
    assert_int_equal(log_to(path, &l), 0);
    put(&l, 1);
    assert_int_equal(unlink(path), 0);
    block(path);
    decision_log_reopen(&l);
    put(&l, 2);
    put(&l, 1);
    assert_int_equal(l.lost, 3);
    assert_int_equal(remove_all(path), 0);
    put(&l, 1);
    assert_int_equal(l.lost, 0);
    put(&l, 1);
    decision_log_deinit(&l);
    assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
    assert_non_null(strstr(text, "\"lost\":3,"));
    assert_int_equal(check_all().records, 2);
}

static void a_file_without_a_record_begins_a_chain(void **state)
{
    struct decision_log l;

    (void)state;
    assert_int_equal(file_replace(path, "no record\nnor this", 18, 0600), 0);
    assert_int_equal(log_to(path, &l), 0);
    assert_string_equal(l.prev, DECISION_HASH_START);
    put(&l, 1);
    decision_log_deinit(&l);
    assert_int_equal(check_all().records, 1);
    assert_int_equal(check_all().lines_bad, 2);
}

static void a_record_over_the_limit_is_lost_and_no_other(void **state)
{
    _cleanup_(freep) char *much = malloc(DECISION_LINE_MAX + 1);
    struct decision_log l;
    struct decision_record d = record_of("1-2");

    (void)state;
    memset(much, 'x', DECISION_LINE_MAX);
    much[DECISION_LINE_MAX] = 0;
    d.detail = much;
    assert_int_equal(log_to(path, &l), 0);
    put(&l, 1);
    decision_log_add(&l, &d);
    assert_int_equal(l.lost, 1);
    put(&l, 1);
    decision_log_deinit(&l);
    assert_whole(2);
}

static void a_journal_that_is_gone_loses_and_counts(void **state)
{
    struct decision_record d = record_of("1-2");
    char journal[PATH_SIZE], data[8192];
    struct decision_log l;
    int fd = -1;

    (void)state;
    assert_int_equal(paths_init(dir, PATHS_TOOL), 0);
    assert_int_equal(path_get(journal, "/run/systemd/journal"), 0);
    assert_int_equal(log_to("journal", &l), -ENOENT);
    decision_log_add(&l, &d); /* and nothing happens */
    assert_int_equal(l.lost, 0);
    decision_log_deinit(&l);
    assert_int_equal(mkdir_all(journal, 0700), 0);
    assert_int_equal(path_get(journal, "/run/systemd/journal/socket"), 0);
    assert_int_equal(notify_server(journal, &fd), 0);
    assert_int_equal(log_to("journal", &l), 0);
    decision_log_add(&l, &d);
    assert_true(read(fd, data, sizeof(data)) > 0);
    close(fd);
    decision_log_add(&l, &d);
    decision_log_add(&l, &d);
    assert_int_equal(l.lost, 2);
    decision_log_reopen(&l); /* is for files */
    assert_int_equal(l.lost, 2);
    decision_log_deinit(&l);
    assert_int_equal(paths_init(NULL, PATHS_DAEMON), 0);
}

#define WITH_FILES(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(a_file_that_cannot_be_turned_over_grows_on),
        WITH_FILES(what_cannot_be_opened_again_is_counted_and_tried_again),
        WITH_FILES(a_file_without_a_record_begins_a_chain),
        WITH_FILES(a_record_over_the_limit_is_lost_and_no_other),
        WITH_FILES(a_journal_that_is_gone_loses_and_counts),
    };

    log_open("decision-log-trouble-test", LOG_TARGET_STDERR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
