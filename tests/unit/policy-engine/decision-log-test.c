/* The decision log: records, their chain, files that turn over, a full disk, the spool before it.
 */
#include "policy-engine/decision-log.h"
#include "policy-engine/decision-spool.h"
#include "policy-engine/log-read.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "tests/unit/test.h"

/* of: x,"prev":"0…0" */
#define KNOWN_HASH "755a070c0225be899343a50140c08ebdf3bfe1d9ab1acb8f074bf19e791b00dd"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

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

static void a_record_is_a_line_of_json_that_names_the_one_before(void **state)
{
    static const char want[] =
        "{\"call_id\":\"1-2\",\"time\":\"2025-11-28T04:00:00.000042Z\",\"policy\":"
        "\"0000000000000abc\",\"generation\":7,\"source\":\"work\",\"requested_source\":null,"
        "\"target\":\"@default\",\"service\":\"a.B\",\"argument\":\"+c\",\"verdict\":\"allow\","
        "\"reason\":null,\"final\":\"mail\",\"rule\":\"/etc/x.policy:4\",\"asked\":null,"
        "\"micros\":{\"read\":1,\"wait\":2,\"decide\":3,\"ask\":4,\"total\":10},\"prev\":\"";
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(DECISION_LINE_MAX);
    char hash[DECISION_HASH_SIZE], right[DECISION_HASH_SIZE], has[DECISION_HASH_SIZE],
        prev[DECISION_HASH_SIZE];
    struct decision_record d = record_of("1-2");
    const char *line;
    size_t n;

    (void)state;
    assert_int_equal(decision_record_write(&d, DECISION_HASH_START, &b, hash), 0);
    line = (const char *)buf_data(&b);
    n = buf_len(&b) - 1;
    assert_memory_equal(line, want, strlen(want));
    assert_int_equal(line[n], '\n');
    assert_true(decision_line_hashes(line, n, right, has, prev));
    assert_string_equal(right, hash);
    assert_string_equal(has, hash);
    assert_string_equal(prev, DECISION_HASH_START);
    ((char *)(uintptr_t)line)[12]++; /* any byte counts */
    assert_true(decision_line_hashes(line, n, right, has, prev));
    assert_string_not_equal(right, has);
    for (size_t cut = 0; cut < n; cut++)
        assert_false(decision_line_hashes(line, cut, right, has, prev));
}

/* Known answer, of sha256sum: the chain is no invention of ours. */
static void the_hash_is_sha_256(void **state)
{
    static const char line[] =
        "x,\"prev\":\"" DECISION_HASH_START "\",\"hash\":\"" DECISION_HASH_START "\"}";
    char right[DECISION_HASH_SIZE], has[DECISION_HASH_SIZE], prev[DECISION_HASH_SIZE];

    (void)state;
    assert_true(decision_line_hashes(line, sizeof(line) - 1, right, has, prev));
    assert_string_equal(right, KNOWN_HASH);
}

static void any_bytes_make_valid_json(void **state)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(DECISION_LINE_MAX);
    char hash[DECISION_HASH_SIZE], all[256];
    struct decision_record d = record_of("1-2");
    json_t *o;

    (void)state;
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    all[255] = 0;
    d.argument = d.rule_file = d.detail = all;
    d.shadow = "deny";
    d.repeats = UINT64_MAX / 4;
    d.lost = 3;
    assert_int_equal(decision_record_write(&d, DECISION_HASH_START, &b, hash), 0);
    assert_null(memchr(buf_data(&b), '\n', buf_len(&b) - 1));
    o = json_loadb((const char *)buf_data(&b), buf_len(&b), 0, NULL);
    assert_non_null(o);
    assert_int_equal(json_integer_value(json_object_get(o, "lost")), 3);
    assert_string_equal(json_string_value(json_object_get(o, "shadow")), "deny");
    assert_memory_equal(json_string_value(json_object_get(o, "argument")), all, 127);
    json_decref(o);
}

/* ---- Files ---- */

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

static void the_chain_goes_on_over_restarts_and_files(void **state)
{
    struct decision_log l;
    struct stat st;
    char older[PATH_SIZE + 4];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(decision_log_open(&l, path, 4096, 9), 0);
        put(&l, 1);
        put(&l, i);
        decision_log_deinit(&l);
    }
    assert_whole(15);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= 4096);
    assert_int_equal(st.st_mode & 07777 & ~0640u, 0);
    assert_int_equal(format(older, sizeof(older), "%s.1", path), 0);
    assert_int_equal(unlink(path), 0); /* only an older one is left: the chain goes on from that */
    assert_int_equal(decision_log_open(&l, path, 4096, 9), 0);
    assert_string_not_equal(l.prev, DECISION_HASH_START);
    decision_log_deinit(&l);
    assert_int_equal(access(older, F_OK), 0);
}

static void only_so_many_files_are_kept(void **state)
{
    struct decision_log l;
    char older[PATH_SIZE + 4];

    (void)state;
    assert_int_equal(decision_log_open(&l, path, 1, 2), 0);
    for (int i = 0; i < 6; i++)
        put(&l, 1);
    decision_log_deinit(&l);
    assert_int_equal(format(older, sizeof(older), "%s.2", path), 0);
    assert_int_equal(access(older, F_OK), 0);
    assert_int_equal(format(older, sizeof(older), "%s.3", path), 0);
    assert_int_equal(access(older, F_OK), -1);
    assert_whole(3);
}

static int log_to(const char *where, struct decision_log *l)
{
    return decision_log_open(l, where, 1 << 20, 2);
}

static void what_is_no_file_of_ours_is_refused(void **state)
{
    char other[PATH_SIZE + 8];
    struct decision_log l, second;

    (void)state;
    assert_int_equal(format(other, sizeof(other), "%s.link", path), 0);
    assert_int_equal(log_to("/dev/null", &l), -EINVAL);
    put(&l, 1); /* and nothing happens */
    decision_log_deinit(&l);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_int_equal(log_to(other, &l), -EINVAL);
    decision_log_deinit(&l);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(symlink("log.jsonl", other), 0);
    assert_int_equal(log_to(other, &l), -ELOOP);
    decision_log_deinit(&l);
    assert_int_equal(log_to(path, &l), 0);
    assert_int_equal(log_to(path, &second), -EBUSY); /* two chains in one file are none */
    decision_log_deinit(&second);
    decision_log_deinit(&l);
}

static void a_full_disk_loses_whole_records_and_counts_them(void **state)
{
    struct rlimit before, full;
    struct decision_log l;
    struct log_check c;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(log_to(path, &l), 0);
    put(&l, 2);
    full = before;
    full.rlim_cur = (rlim_t)l.size + 100; /* a part of the next one fits */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    put(&l, 3);
    put(&l, 1);
    assert_int_equal(l.lost, 4);
    assert_whole(2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    put(&l, 2);
    assert_int_equal(l.lost, 0);
    decision_log_deinit(&l);
    assert_whole(4);
    c = check_all();
    assert_true(*c.hash);
    _cleanup_(freep) char *text = NULL;
    size_t n;
    const char *at;

    assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
    at = strstr(text, "\"lost\":4,"); /* once */
    assert_non_null(at);
    assert_null(strstr(at + 1, "\"lost\""));
}

static void a_file_that_was_moved_away_is_made_anew(void **state)
{
    char moved[PATH_SIZE + 8];
    struct decision_log l;

    (void)state;
    assert_int_equal(format(moved, sizeof(moved), "%s.1", path), 0);
    assert_int_equal(log_to(path, &l), 0);
    put(&l, 2);
    assert_int_equal(rename(path, moved), 0);
    decision_log_reopen(&l);
    put(&l, 1);
    decision_log_deinit(&l);
    assert_whole(3);
}

static void a_file_between_that_is_gone_breaks_the_chain(void **state)
{
    struct decision_log l;
    struct log_check c;
    char older[PATH_SIZE + 4];

    (void)state;
    assert_int_equal(decision_log_open(&l, path, 1, 9), 0);
    for (int i = 0; i < 4; i++)
        put(&l, 1);
    decision_log_deinit(&l);
    assert_whole(4);
    assert_int_equal(format(older, sizeof(older), "%s.3", path), 0);
    assert_int_equal(unlink(older), 0);
    assert_whole(3); /* the oldest may go */
    assert_int_equal(format(older, sizeof(older), "%s.1", path), 0);
    assert_int_equal(unlink(older), 0);
    c = check_all();
    assert_int_equal(c.records, 2);
    assert_int_equal(c.chain_breaks, 1);
    assert_int_equal(c.lines_bad, 0);
}

static void a_chain_that_does_not_begin_at_its_start_is_broken(void **state)
{
    struct decision_log l;
    char older[PATH_SIZE + 4];

    (void)state;
    assert_int_equal(decision_log_open(&l, path, 1, 9), 0);
    put(&l, 1);
    put(&l, 1);
    decision_log_deinit(&l);
    assert_int_equal(format(older, sizeof(older), "%s.1", path), 0);
    assert_int_equal(unlink(older), 0);
    assert_int_equal(check_all().chain_breaks, 1);
}

struct taken {
    size_t n;
    int stop;
    int64_t seconds[8];
    char ids[8][8];
};

static int take_down(void *user, const struct log_record *r)
{
    struct taken *t = user;

    t->seconds[t->n] = r->seconds;
    (void)format(t->ids[t->n++], 8, "%s", r->call_id);
    return t->stop;
}

static struct log_check read_text(const char *text, bool verify, struct taken *t, int *ret)
{
    struct log_reader how = {.fn = take_down, .user = t, .verify = verify};
    struct log_check c;

    assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
    *ret = log_read(path, &how, &c);
    return c;
}

static void who_reads_without_the_chain_takes_any_object(void **state)
{
    static const char text[] = "{\"call_id\":\"1\",\"time\":\"2025-11-28T12:00:01.5Z\"}\n"
                               "\n[1]\nx\n"
                               "{\"call_id\":\"2\",\"time\":\"2025-11-28\"}\n"
                               "{\"call_id\":\"3\",\"time\":77}\n"
                               "{\"call_id\":\"4\",\"time\":\"noon\"}\n"
                               "{\"time\":null}\n{\"call_id\":\"5\"}";
    static const int64_t seconds[] = {1764331201, 1764288000, 77, LOG_TIME_NONE, LOG_TIME_NONE};
    struct taken t = {0};
    int r;
    struct log_check c = read_text(text, false, &t, &r);

    (void)state;
    assert_int_equal(r, 0);
    assert_int_equal(c.records, 5); /* not the one that is being written */
    assert_int_equal(c.lines_bad, 3);
    assert_int_equal(c.chain_breaks, 0);
    assert_int_equal(t.n, 5);
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
        assert_int_equal(t.seconds[i], seconds[i]);
    assert_string_equal(t.ids[2], "3");
    assert_string_equal(t.ids[4], "");
    t.n = 0;
    c = read_text(text, true, &t, &r);
    assert_int_equal(c.lines_bad, 9); /* none of them has hashes, and the last is one too */
}

static void a_line_with_right_hashes_that_is_no_json_is_bad(void **state)
{
    struct taken t = {0};
    int r;
    struct log_check c = read_text(
        "x,\"prev\":\"" DECISION_HASH_START "\",\"hash\":\"" KNOWN_HASH "\"}\n", true, &t, &r);

    (void)state;
    assert_int_equal(c.chain_breaks, 0);
    assert_int_equal(c.lines_bad, 1);
    assert_int_equal(t.n, 0);
}

static void the_callback_ends_the_reading(void **state)
{
    struct taken t = {.stop = 5};
    int r;

    (void)state;
    (void)read_text("{\"call_id\":\"1\"}\n{\"call_id\":\"2\"}\n", false, &t, &r);
    assert_int_equal(r, 5);
    assert_int_equal(t.n, 1);
    t.stop = -EIO;
    (void)read_text("{\"call_id\":\"1\"}\n", false, &t, &r);
    assert_int_equal(r, -EIO);
}

static void filters_choose(void **state)
{
    static const struct log_record r = {.time = "2025-11-28T04:00:00.000042Z",
                                        .call_id = "1-2",
                                        .source = "relay",
                                        .requested_source = "far",
                                        .target = "@default",
                                        .final = "mail",
                                        .service = "a.B",
                                        .argument = "+c",
                                        .verdict = "allow"};
    static const struct {
        struct log_filter f;
        bool matches;
    } cases[] = {
        {{0}, true},
        {{.source = "relay"}, true},
        {{.source = "far"}, true},
        {{.source = "work"}, false},
        {{.target = "@default"}, true},
        {{.target = "mail"}, true},
        {{.target = "a"}, false},
        {{.service = "a.B"}, true},
        {{.service = "a.B+c"}, true},
        {{.service = "a.B+"}, false},
        {{.verdict = "deny"}, false},
        {{.call_id = "1-2"}, true},
        {{.call_id = "1-3"}, false},
        {{.since = "2025-11-28T04:00:00"}, true},
        {{.since = "2025-11-28"}, true},
        {{.since = "2025-11-28T04:00:01"}, false},
        {{.source = "far", .verdict = "deny"}, false},
    };
    static const char *const bad[] = {"", "x", "5", "m", "5w", "-5m", "2025", "20251128", "5m "};
    char since[40];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(log_matches(&cases[i].f, &r), cases[i].matches);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(log_parse_since(bad[i], since));
    assert_true(log_parse_since("90s", since));
    assert_int_equal(strlen(since), 19);
    assert_true(log_parse_since("2025-11-28 04:00:00Z", since));
    assert_string_equal(since, "2025-11-28T04:00:00");
}

/* ---- The spool ---- */

struct seen {
    size_t n;
    char ids[600][16];
    char argument[64], shadow[16];
    uint64_t total;
};

static void on_spooled(void *user, struct decision_record *d)
{
    struct seen *s = user;

    (void)format(s->ids[s->n++], 16, "%s", d->call_id);
    (void)format(s->argument, sizeof(s->argument), "%s", d->argument ? d->argument : "-");
    (void)format(s->shadow, sizeof(s->shadow), "%s", d->shadow ? d->shadow : "-");
    s->total = d->micros.total;
}

static void a_spool_outlives_who_filled_it(void **state)
{
    struct decision_spool s = {0}, again = {0};
    struct decision_record d = record_of("1-1");
    static struct seen seen;

    (void)state;
    seen.n = 0;
    assert_int_equal(decision_spool_open(&s, path), 0);
    assert_true(decision_spool_is_empty(&s));
    assert_true(decision_spool_put(&s, &d));
    d.call_id = "1-2";
    d.shadow = "deny";
    assert_true(decision_spool_put(&s, &d));
    /* it is killed here: the mapping is as it is */
    assert_int_equal(decision_spool_open(&again, path), 0);
    assert_false(decision_spool_is_empty(&again));
    decision_spool_drain(&again, on_spooled, &seen);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.ids[0], "1-1");
    assert_string_equal(seen.ids[1], "1-2");
    assert_string_equal(seen.argument, "+c");
    assert_string_equal(seen.shadow, "deny");
    assert_int_equal(seen.total, 10);
    decision_spool_forget(&again);
    assert_true(decision_spool_is_empty(&s));
    decision_spool_deinit(&s);
    decision_spool_deinit(&again);
}

static void a_full_spool_takes_no_more_and_loses_none(void **state)
{
    struct decision_spool s = {0};
    struct decision_record d = record_of("1-1");
    static struct seen seen;
    static char long_text[DECISION_SPOOL_SIZE + 10];
    size_t n = 0;

    (void)state;
    seen.n = 0;
    memset(long_text, 'x', sizeof(long_text) - 1);
    assert_int_equal(decision_spool_open(&s, path), 0);
    while (decision_spool_put(&s, &d))
        n++;
    assert_in_range(n, 50, 200);
    decision_spool_drain(&s, on_spooled, &seen);
    assert_int_equal(seen.n, n);
    decision_spool_forget(&s);
    d.argument = long_text;
    assert_false(decision_spool_put(&s, &d)); /* never fits */
    assert_true(decision_spool_is_empty(&s));
    decision_spool_deinit(&s);
}

static void any_bytes_in_the_file_do_no_harm(void **state)
{
    static struct seen seen;
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct decision_spool s = {0};
        struct decision_record d = record_of("1-1");

        seen.n = 0;
        assert_int_equal(decision_spool_open(&s, path), 0);
        decision_spool_forget(&s);
        for (int i = 0; i < 5; i++)
            assert_true(decision_spool_put(&s, &d));
        for (int i = 0; i < 8; i++) { /* the first 16 bytes say whether there is anything */
            seed = seed * 1103515245 + 12345;
            s.map[16 + (seed >> 8) % 1000] = (unsigned char)(seed >> 20);
        }
        decision_spool_drain(&s, on_spooled, &seen);
        assert_true(seen.n <= 600);
        decision_spool_deinit(&s);
    }
}

static void a_place_that_cannot_be_used_is_memory(void **state)
{
    struct decision_spool s = {0};
    struct decision_record d = record_of("1-1");

    (void)state;
    assert_int_equal(decision_spool_open(&s, "/nowhere/spool"), 0);
    assert_true(decision_spool_put(&s, &d));
    decision_spool_deinit(&s);
    decision_spool_deinit(&s);
    assert_false(decision_spool_put(&s, &d));
    assert_true(decision_spool_is_empty(&s));
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_a_line_of_json_that_names_the_one_before),
        cmocka_unit_test(the_hash_is_sha_256),
        cmocka_unit_test(any_bytes_make_valid_json),
        WITH_FILES(the_chain_goes_on_over_restarts_and_files),
        WITH_FILES(only_so_many_files_are_kept),
        WITH_FILES(what_is_no_file_of_ours_is_refused),
        WITH_FILES(a_full_disk_loses_whole_records_and_counts_them),
        WITH_FILES(a_file_that_was_moved_away_is_made_anew),
        WITH_FILES(a_file_between_that_is_gone_breaks_the_chain),
        WITH_FILES(a_chain_that_does_not_begin_at_its_start_is_broken),
        WITH_FILES(who_reads_without_the_chain_takes_any_object),
        WITH_FILES(a_line_with_right_hashes_that_is_no_json_is_bad),
        WITH_FILES(the_callback_ends_the_reading),
        cmocka_unit_test(filters_choose),
        WITH_FILES(a_spool_outlives_who_filled_it),
        WITH_FILES(a_full_spool_takes_no_more_and_loses_none),
        WITH_FILES(any_bytes_in_the_file_do_no_harm),
        cmocka_unit_test(a_place_that_cannot_be_used_is_memory),
    };

    log_open("decision-log-test", LOG_TARGET_STDERR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
