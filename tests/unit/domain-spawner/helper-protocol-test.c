/* The helper's datagrams: what is taken, and above all what is not. */
#include "tests/unit/test.h"

#include "domain-spawner/helper-protocol.h"

#define UUID "01234567-89ab-4cde-8f01-23456789abcd"

static struct helper_request good_create(void)
{
    return (struct helper_request){.type = HELPER_CREATE,
                                   .id = 7,
                                   .spec = {.name = "work",
                                            .uuid = UUID,
                                            .type = "AppVM",
                                            .default_user = "user",
                                            .networked = true,
                                            .netvm = 3,
                                            .memory_mib = 400,
                                            .maxmem_mib = 4000,
                                            .vcpus = 2,
                                            .start_seconds = 60,
                                            .starting = true,
                                            .home = "/var/lib/qubes/homes/work",
                                            .kernelopts = "root=/dev/xvda \"quiet\"",
                                            .virt_mode = "pv"}};
}

static int parse(const char *text, struct helper_request *rq, uint64_t *id, const char **field)
{
    *field = "";
    *id = 0;
    return helper_request_parse(text, strlen(text), rq, id, field);
}

static void every_request_comes_back_as_it_went(void **state)
{
    (void)state;
    for (int type = HELPER_CREATE; type <= HELPER_ADOPT; type++) {
        struct helper_request rq = good_create(), back = {.id = 0};
        _cleanup_(freep) char *text = NULL, *again = NULL;
        const char *field;
        uint64_t id;
        size_t n;

        rq.type = (enum helper_request_type)type;
        if (type != HELPER_CREATE && type != HELPER_ADOPT) {
            rq.spec = (struct domain_spec){0};
            memcpy(rq.spec.uuid, UUID, sizeof(UUID));
        }
        assert_int_equal(helper_request_format(&rq, &text, &n), 0);
        assert_int_equal(helper_request_parse(text, n, &back, &id, &field), 0);
        assert_int_equal(back.type, rq.type);
        assert_int_equal(back.id, 7);
        assert_int_equal(back.spec.vcpus, rq.spec.vcpus);
        assert_int_equal(back.spec.networked, rq.spec.networked);
        assert_string_equal(back.spec.home, rq.spec.home);
        assert_int_equal(helper_request_format(&back, &again, &n), 0);
        assert_string_equal(again, text);
    }
}

static void every_message_comes_back_as_it_went(void **state)
{
    static const struct helper_message messages[] = {
        {.type = HELPER_HELLO, .text = "local"},
        {.type = HELPER_FOUND, .uuid = UUID},
        {.type = HELPER_HELLO, .text = "xen", .outlive = true},
        {.type = HELPER_ANSWER, .id = 0},
        {.type = HELPER_ANSWER, .id = 4, .domid = 12, .paused = true},
        {.type = HELPER_ANSWER, .id = 9, .domid = 12},
        {.type = HELPER_ANSWER, .id = 9, .text = "no such domain"},
        {.type = HELPER_ANSWER, .id = 9, .stats = {1, 2, 1ULL << 62}},
        {.type = HELPER_RUNNING, .uuid = UUID, .domid = 32751},
        {.type = HELPER_START_FAILED, .uuid = UUID, .text = "no agent \"answered\" \\ in time"},
        {.type = HELPER_LATE, .uuid = UUID, .text = "no agent answered in time"},
        {.type = HELPER_GONE, .uuid = UUID, .end = DOMAIN_SHUTDOWN},
        {.type = HELPER_GONE, .uuid = UUID, .end = DOMAIN_CRASH},
        {.type = HELPER_GONE, .uuid = UUID, .end = DOMAIN_DESTROY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        struct helper_message back = {.id = 1};
        _cleanup_(freep) char *text = NULL, *again = NULL;
        size_t n;

        assert_int_equal(helper_message_format(&messages[i], &text, &n), 0);
        assert_int_equal(helper_message_parse(text, n, &back), 0);
        assert_int_equal(back.type, messages[i].type);
        assert_int_equal(back.end, messages[i].end);
        assert_int_equal(back.outlive, messages[i].outlive);
        assert_int_equal(back.paused, messages[i].paused);
        assert_int_equal(back.domid, messages[i].domid);
        assert_int_equal(back.stats.cpu_ns, messages[i].stats.cpu_ns);
        assert_string_equal(back.text, messages[i].text);
        assert_int_equal(helper_message_format(&back, &again, &n), 0);
        assert_string_equal(again, text);
    }
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "\"create\"",
        "{}",
        "{\"request\":\"stats\",\"uuid\":\"" UUID "\"}",
        "{\"id\":-1,\"request\":\"stats\",\"uuid\":\"" UUID "\"}",
        "{\"id\":1.5,\"request\":\"stats\",\"uuid\":\"" UUID "\"}",
        "{\"id\":\"1\",\"request\":\"stats\",\"uuid\":\"" UUID "\"}",
        "{\"id\":1,\"id\":2,\"request\":\"stats\",\"uuid\":\"" UUID "\"}",
        "{\"id\":1,\"request\":\"stats\",\"uuid\":\"" UUID "\"} x",
        "{\"id\":1,\"request\":\"stats\",\"uuid\":\"" UUID "\xff\"}",
    };
    struct helper_request rq;
    const char *field;
    uint64_t id;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(parse(texts[i], &rq, &id, &field), HELPER_E_SYNTAX);
}

static void a_bad_field_is_named_and_the_id_is_kept(void **state)
{
    static const char *const cases[][2] = {
        {"{\"id\":5,\"request\":\"explode\",\"uuid\":\"" UUID "\"}", "request"},
        {"{\"id\":5,\"request\":7,\"uuid\":\"" UUID "\"}", "request"},
        {"{\"id\":5,\"request\":\"stats\"}", "uuid"},
        {"{\"id\":5,\"request\":\"stats\",\"uuid\":\"\"}", "uuid"},
        {"{\"id\":5,\"request\":\"stats\",\"uuid\":null}", "uuid"},
        {"{\"id\":5,\"request\":\"stats\",\"uuid\":[\"" UUID "\"]}", "uuid"},
        {"{\"id\":5,\"request\":\"stats\",\"uuid\":\"" UUID "0\"}", "uuid"},
        {"{\"id\":5,\"request\":\"stats\",\"uuid\":\"0123456789ab-4cde-8f01-23456789abcd0\"}",
         "uuid"},
        {"{\"id\":5,\"request\":\"stats\",\"uuid\":\"01234567-89AB-4cde-8f01-23456789abcd\"}",
         "uuid"},
        {"{\"id\":5,\"request\":\"stats\",\"uuid\":\"" UUID "\",\"force\":true}", "unknown field"},
        {"{\"id\":5,\"request\":\"create\",\"uuid\":\"" UUID "\"}", "name"},
    };
    struct helper_request rq;
    const char *field;
    uint64_t id;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(parse(cases[i][0], &rq, &id, &field), HELPER_E_FIELD);
        assert_string_equal(field, cases[i][1]);
        assert_int_equal(id, 5);
    }
}

/* A create that formats, but is not to be carried out. */
static void refuse(struct helper_request *rq, const char *expected)
{
    _cleanup_(freep) char *text = NULL;
    struct helper_request back = {.id = 99};
    const char *field = "";
    uint64_t id;
    size_t n;

    assert_int_equal(helper_request_format(rq, &text, &n), 0);
    assert_int_equal(helper_request_parse(text, n, &back, &id, &field), HELPER_E_FIELD);
    assert_string_equal(field, expected);
    assert_int_equal(back.id, 99); /* untouched */
}

static void names_that_are_no_names_are_refused(void **state)
{
    static const char *const names[] = {"",          ".",     "..",       "a/b",         "../x",
                                        "-x",        "1work", "work dm",  "x-dm",        "none",
                                        "default",   "dom0",  "Domain-0", "w\xc3\xb6rk", "a\nb",
                                        "--ro-bind", "$(id)", "a;b"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct helper_request rq = good_create();

        assert_int_equal(format(rq.spec.name, sizeof(rq.spec.name), "%s", names[i]), 0);
        refuse(&rq, "name");
        assert_false(helper_name_ok(names[i]));
    }
    assert_true(helper_name_ok("disp1234"));
    assert_true(helper_name_ok("a"));
    assert_true(helper_name_ok("sys-net_2.x"));
    assert_true(helper_name_ok("a234567890123456789012345678901"));
    assert_false(helper_name_ok("a2345678901234567890123456789012"));
}

static void paths_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const paths[] = {"/",     "home",  "./home",  "/a/../b", "/..",
                                        "/a/..", "/a/.",  "/./a",    "/a//b",   "//a",
                                        "/a/",   "/a\nb", "/a\x7f/b"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct helper_request rq = good_create();

        assert_int_equal(format(rq.spec.home, sizeof(rq.spec.home), "%s", paths[i]), 0);
        refuse(&rq, "home");
    }
    assert_true(helper_path_ok("/a"));
    assert_true(helper_path_ok("/a/..b/c..d/.e"));
    assert_false(helper_path_ok(""));
}

static void users_that_are_no_users_are_refused(void **state)
{
    static const char *const users[] = {"", "-u", "a:b", "a b", "a/b", "0", "a\nb"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        struct helper_request rq = good_create();

        assert_int_equal(format(rq.spec.default_user, sizeof(rq.spec.default_user), "%s", users[i]),
                         0);
        refuse(&rq, "default_user");
    }
}

static void numbers_out_of_range_are_refused(void **state)
{
    struct helper_request rq = good_create();

    (void)state;
    rq.spec.vcpus = 0;
    refuse(&rq, "vcpus");
    rq = good_create();
    rq.spec.netvm = DOMAIN_NUMBER_MAX + 1;
    refuse(&rq, "netvm");
    rq = good_create();
    rq.spec.start_seconds = 0;
    refuse(&rq, "start_seconds");
    rq = good_create();
    rq.spec.memory_mib = UINT32_MAX;
    refuse(&rq, "memory_mib");
    rq = good_create();
    memcpy(rq.spec.virt_mode, "pw", 3);
    refuse(&rq, "virt_mode");
}

static void a_text_that_does_not_fit_is_refused(void **state)
{
    const char *key = "\"name\":\"work\"";
    struct helper_request rq = good_create();
    _cleanup_(freep) char *text = NULL, *longer = NULL;
    const char *field = "", *at;
    uint64_t id;
    size_t n;

    (void)state;
    assert_int_equal(helper_request_format(&rq, &text, &n), 0);
    at = strstr(text, key);
    assert_non_null(at);
    longer = format_new("%.*s\"name\":\"%0500d\"%s", (int)(at - text), text, 0, at + strlen(key));
    assert_int_equal(parse(longer, &rq, &id, &field), HELPER_E_FIELD);
    assert_string_equal(field, "name");
    free(longer);
    longer = format_new("%.*s\"name\":\"wo\\u0000rk\"%s", (int)(at - text), text, at + strlen(key));
    assert_int_equal(parse(longer, &rq, &id, &field), HELPER_E_SYNTAX); /* a NUL */
}

static void a_datagram_over_the_limit_is_refused(void **state)
{
    char data[HELPER_DATAGRAM_MAX + 1];
    struct helper_request rq;
    const char *field;
    uint64_t id;

    (void)state;
    memset(data, ' ', sizeof(data));
    data[0] = '{';
    data[sizeof(data) - 1] = '}';
    assert_int_equal(helper_request_parse(data, sizeof(data), &rq, &id, &field), HELPER_E_SYNTAX);
}

/* Each prefix, and each single changed byte, ends in an answer and never in a crash. */
static void cut_and_bent_requests_do_no_harm(void **state)
{
    struct helper_request rq = good_create(), back;
    _cleanup_(freep) char *text = NULL;
    const char *field;
    uint64_t id;
    size_t n;

    (void)state;
    assert_int_equal(helper_request_format(&rq, &text, &n), 0);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(helper_request_parse(text, cut, &back, &id, &field), HELPER_E_SYNTAX);
    for (size_t i = 0; i < n; i++) {
        char old = text[i];

        for (int bit = 0; bit < 8; bit++) {
            text[i] = (char)(old ^ (1 << bit));
            if (helper_request_parse(text, n, &back, &id, &field) == 0 &&
                back.type == HELPER_CREATE)
                assert_true(helper_name_ok(back.spec.name) && helper_uuid_ok(back.spec.uuid) &&
                            helper_path_ok(back.spec.home));
        }
        text[i] = old;
    }
}

static void what_is_no_message_is_refused(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"message\":\"bye\"}",
        "{\"message\":\"hello\"}",
        "{\"message\":\"answer\"}",
        "{\"message\":\"running\",\"uuid\":\"" UUID "\",\"domid\":0}",
        "{\"message\":\"running\",\"uuid\":\"x\",\"domid\":1}",
        "{\"message\":\"gone\",\"uuid\":\"" UUID "\",\"reason\":\"bored\"}",
        "{\"message\":\"gone\",\"uuid\":\"" UUID "\"}",
        "{\"message\":\"start-failed\",\"uuid\":\"" UUID "\",\"reason\":\"a\\nb\"}",
    };
    struct helper_message m;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_true(helper_message_parse(texts[i], strlen(texts[i]), &m) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_comes_back_as_it_went),
        cmocka_unit_test(every_message_comes_back_as_it_went),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(a_bad_field_is_named_and_the_id_is_kept),
        cmocka_unit_test(names_that_are_no_names_are_refused),
        cmocka_unit_test(paths_that_lead_elsewhere_are_refused),
        cmocka_unit_test(users_that_are_no_users_are_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(a_text_that_does_not_fit_is_refused),
        cmocka_unit_test(a_datagram_over_the_limit_is_refused),
        cmocka_unit_test(cut_and_bent_requests_do_no_harm),
        cmocka_unit_test(what_is_no_message_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
