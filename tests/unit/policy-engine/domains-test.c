/* Domains as the programs learn them: from a file, and from the spawner's socket. */
#include "policy-engine/domains-file.h"
#include "policy-engine/system-info-scan.h"
#include "policy-engine/system-info.h"

#include "libqrexec/base/paths.h"
#include "tests/unit/test.h"

#include <sys/socket.h>
#include <sys/wait.h>

static int read_text(const char *text, struct policy_domains **ret, char **reterr)
{
    char *dir = test_mkdir();
    _cleanup_(freep) char *path = format_new("%s/domains.ini", dir);
    int r;

    assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
    r = domains_file_read(path, ret, reterr);
    test_rmdir(dir);
    return r;
}

static void every_key_of_the_file_is_taken(void **state)
{
    struct policy_domains *d = NULL;
    const struct policy_domain *work;
    char *error = NULL;

    (void)state;
    assert_int_equal(read_text("[dom0]\ntype = AdminVM\n\n[work]\nuuid = u-1\ntype = AppVM\n"
                               "tags = a b\n c\ntemplate_for_dispvms = True\n"
                               "default_dispvm = dvm\npower_state = Running\ninternal = False\n"
                               "guivm = dom0\nrelayvm = r\ntransport_rpc = t\nicon = i\n"
                               "label = l\nnetvm = n ; a comment\nunknown = x\n",
                               &d, &error),
                     0);
    assert_int_equal(policy_domains_count(d), 2);
    work = policy_domains_find(d, "uuid:u-1");
    assert_non_null(work);
    assert_string_equal(work->name, "work");
    assert_string_equal(work->type, "AppVM");
    assert_int_equal(work->n_tags, 3);
    assert_string_equal(work->tags[2], "c");
    assert_true(work->template_for_dispvms);
    assert_false(work->internal);
    assert_string_equal(work->default_dispvm, "dvm");
    assert_string_equal(work->power_state, "Running");
    assert_string_equal(work->guivm, "dom0");
    assert_string_equal(work->relayvm, "r");
    assert_string_equal(work->transport_rpc, "t");
    assert_string_equal(work->icon, "i");
    assert_string_equal(work->label, "l");
    assert_string_equal(work->netvm, "n");
    assert_null(policy_domains_find(d, "dom0")->uuid);
    policy_domains_unref(d);
}

static void a_bad_file_is_refused_with_its_line(void **state)
{
    char too_long[400] = "[work]\ntags = ";
    const struct {
        const char *text, *words;
    } bad[] = {
        {"[work]\nnonsense\n", "domains.ini:2: not a line"},
        {too_long, "domains.ini:2: the line is too long"},
        {"[a]\nuuid = u\n[b]\ntype = x\nuuid = u\n", "domains.ini:4: domain b has the uuid of a"},
        {"[a]\nuuid = u\n[b]\nuuid = u\n[c]\ntype = x\n",
         "domains.ini:4: domain b has the uuid of a"},
        {"[a]\ntype = x\n[b]\ntype = x\n[a]\ntags = t\n", "domains.ini:6: domain a a second time"},
        {"type = x\n[a]\ntype = x\n", "domains.ini:1: a key before any [DOMAIN]"},
    };

    (void)state;
    memset(too_long + strlen(too_long), 'x', 300);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct policy_domains *d = NULL;
        _cleanup_(freep) char *error = NULL;

        assert_true(read_text(bad[i].text, &d, &error) != 0);
        assert_null(d);
        if (!strstr(error, bad[i].words))
            fail_msg("%s is not \"%s\"", error, bad[i].words);
    }
}

static void a_missing_file_is_told(void **state)
{
    struct policy_domains *d = NULL;
    _cleanup_(freep) char *error = NULL;

    (void)state;
    assert_int_equal(domains_file_read("/nowhere/domains.ini", &d, &error), -ENOENT);
    assert_non_null(strstr(error, "/nowhere/domains.ini"));
}

static const char json[] =
    "{\"generation\": 41, \"domains\": {"
    "\"dom0\": {\"tags\": [], \"type\": \"AdminVM\", \"uuid\": \"0\", \"default_dispvm\": null},"
    "\"work\": {\"tags\": [\"a\", \"b\"], \"type\": \"AppVM\", \"uuid\": \"u\","
    " \"template_for_dispvms\": true, \"default_dispvm\": \"dvm\", \"internal\": \"1\","
    " \"guivm\": \"\", \"netvm\": \"sys-net\", \"power_state\": \"Running\"}}}";

static void check_json_domains(const struct policy_domains *d)
{
    const struct policy_domain *work = policy_domains_find(d, "work");

    assert_int_equal(policy_domains_generation(d), 41);
    assert_int_equal(policy_domains_count(d), 2);
    assert_non_null(work);
    assert_int_equal(work->n_tags, 2);
    assert_true(work->template_for_dispvms);
    assert_true(work->internal);
    assert_string_equal(work->default_dispvm, "dvm");
    assert_string_equal(work->netvm, "sys-net");
    assert_null(work->guivm); /* empty is none */
    assert_null(policy_domains_find(d, "dom0")->default_dispvm);
}

static void system_info_becomes_domains(void **state)
{
    struct policy_domains *d = NULL;

    (void)state;
    assert_int_equal(system_info_parse(json, sizeof(json) - 1, &d), 0);
    check_json_domains(d);
    policy_domains_unref(d);
}

static void what_is_no_system_info_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "{", "[]", "{\"domains\": []}", "{}", "null", "{\"domains\": {\"\": {}}}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct policy_domains *d = NULL;

        assert_true(system_info_parse(bad[i], strlen(bad[i]), &d) < 0);
        assert_null(d);
    }
}

/* Serves one connection: checks the request to its end of file, and answers. */
static void serve(int listener, const char *answer, size_t n)
{
    static const char expected[] = "internal.GetSystemInfo+ dom0 name dom0";
    char request[sizeof(expected)], more;
    int fd = accept(listener, NULL, NULL);
    bool ok = fd >= 0 && read_full(fd, request, sizeof(request)) == 0 &&
              memcmp(request, expected, sizeof(expected)) == 0 && read(fd, &more, 1) == 0 &&
              write_full(fd, answer, n) == 0;

    _exit(ok ? 0 : 1);
}

/* What fetching says when the spawner answers this; n == 0: nobody is there. */
static int fetch(const char *answer, size_t n, struct policy_domains **ret)
{
    static char *root, *dir, *path; /* static: a forked child still reaches them */
    int listener = -1, status = 0, r;
    pid_t pid = 0;

    root = test_mkdir();
    dir = format_new("%s/run", root);
    path = format_new("%s/run/qubesd.internal.sock", root);
    assert_int_equal(mkdir_all(dir, 0700), 0);
    assert_int_equal(paths_init(root, PATHS_TOOL), 0);
    if (n) {
        assert_int_equal(unix_listen(path, 0600, &listener), 0);
        assert_int_equal(fd_set_nonblock(listener, false), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid)
            serve(listener, answer, n);
    }
    r = system_info_fetch(ret);
    if (pid) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    close_fd(&listener);
    test_rmdir(root);
    free(dir);
    free(path);
    return r;
}

static void the_spawner_is_asked_as_its_interface_says(void **state)
{
    char answer[sizeof(json) + 1] = "0";
    struct policy_domains *d = NULL;

    (void)state;
    memcpy(answer + 2, json, sizeof(json) - 1);
    assert_int_equal(fetch(answer, sizeof(json) + 1, &d), 0);
    check_json_domains(d);
    policy_domains_unref(d);
}

static void an_exception_or_nobody_there_is_an_error(void **state)
{
    static const char exception[] = "2\0QubesException\0\0no\0";
    struct policy_domains *d = NULL;

    (void)state;
    assert_int_equal(fetch(exception, sizeof(exception), &d), -EPROTO);
    assert_int_equal(fetch(NULL, 0, &d), -ENOENT);
    assert_null(d);
}

/* ---- The scan ---- */

static int scan(const char *text, struct policy_domains **ret)
{
    _cleanup_(freep) char *copy = strdup(text);

    return system_info_scan(copy, strlen(copy), ret);
}

static void assert_same_text(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_ptr_equal(a, b);
}

static void assert_same_domains(const struct policy_domains *a, const struct policy_domains *b)
{
    assert_int_equal(policy_domains_generation(a), policy_domains_generation(b));
    assert_int_equal(policy_domains_count(a), policy_domains_count(b));
    for (size_t i = 0; i < policy_domains_count(a); i++) {
        const struct policy_domain *x = policy_domains_at(a, i),
                                   *y = policy_domains_find(b, x->name);

        assert_non_null(y);
        assert_same_text(x->uuid, y->uuid);
        assert_same_text(x->type, y->type);
        assert_same_text(x->default_dispvm, y->default_dispvm);
        assert_same_text(x->power_state, y->power_state);
        assert_same_text(x->guivm, y->guivm);
        assert_same_text(x->relayvm, y->relayvm);
        assert_same_text(x->transport_rpc, y->transport_rpc);
        assert_same_text(x->icon, y->icon);
        assert_same_text(x->label, y->label);
        assert_same_text(x->netvm, y->netvm);
        assert_int_equal(x->internal, y->internal);
        assert_int_equal(x->template_for_dispvms, y->template_for_dispvms);
        assert_int_equal(x->n_tags, y->n_tags);
        for (size_t t = 0; t < x->n_tags; t++)
            assert_string_equal(x->tags[t], y->tags[t]);
    }
}

static const char whole[] =
    "{ \"domains\": {\"dom0\": {\"type\": \"AdminVM\", \"tags\": [], \"uuid\": \"\"},\n"
    " \"work\": {\"type\": \"AppVM\", \"tags\": [\"a\", \"b\"], \"uuid\":\"u-1\",\"icon\":\"i\","
    "\"default_dispvm\":null,\"power_state\":\"Running\",\"guivm\":\"dom0\",\"relayvm\":\"r\","
    "\"transport_rpc\":\"t\",\"label\":\"l\",\"netvm\":\"n\",\"internal\":true,"
    "\"template_for_dispvms\":true,\"other\":{\"x\":[\"y\",{},[],false]}}}, \"generation\": 17}\n";

static void what_the_spawner_says_is_scanned(void **state)
{
    struct policy_domains *a = NULL, *b = NULL;

    (void)state;
    assert_int_equal(scan(whole, &a), 0);
    assert_int_equal(system_info_parse_tree(whole, strlen(whole), &b), 0);
    assert_int_equal(policy_domains_generation(a), 17);
    assert_int_equal(policy_domains_count(a), 2);
    assert_same_domains(a, b);
    assert_int_equal(policy_domains_at(a, 1)->n_tags, 2);
    policy_domains_unref(a);
    policy_domains_unref(b);
}

static void what_is_of_another_form_is_left_to_jansson(void **state)
{
    static const char *const other[] = {
        "",
        "{}",
        "[]",
        "{\"domains\":{}",
        "{\"domains\":{}}x",
        "{\"domains\":{},}",
        "{\"domains\":{},\"domains\":{}}",
        "{\"domains\":{},\"generation\":01}",
        "{\"domains\":{},\"generation\":-1}",
        "{\"domains\":{},\"generation\":1.5}",
        "{\"domains\":{},\"generation\":1234567890123456789}",
        "{\"domains\":{},\"more\":1}",
        "{\"domains\":{\"a\":null}}",
        "{\"domains\":{\"a\":{}\"b\":{}}}",
        "{\"domains\":{\"a\":{},\"a\":{}}}",
        "{\"domains\":{\"a\":{\"uuid\":\"\\u0041\"}}}",
        "{\"domains\":{\"\xc3\xa9\":{}}}",
        "{\"domains\":{\"a\":{\"x\":1}}}",
        "{\"domains\":{\"a\":{\"tags\":[1]}}}",
        "{\"domains\":{\"a\":{\"tags\":[\"x\",]}}}",
        "{\"domains\":{\"a\":{\"x\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
        struct policy_domains *d = NULL;

        assert_int_equal(scan(other[i], &d), SCAN_E_OTHER);
        assert_null(d);
    }
}

/* Whatever is changed in the text: what the scan reads, jansson reads too, and the same. */
static void the_scan_reads_nothing_but_what_jansson_reads(void **state)
{
    unsigned seed = 7;
    size_t read = 0;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        static const char bytes[] = "{}[]\":, \\abtruefalsn019.-\n\x01\xc3";
        struct policy_domains *a = NULL, *b = NULL;
        char text[sizeof(whole)];

        memcpy(text, whole, sizeof(whole));
        for (int k = 0; k <= i % 3; k++) {
            seed = seed * 1103515245 + 12345;
            text[(seed >> 8) % (sizeof(whole) - 1)] = bytes[(seed >> 20) % (sizeof(bytes) - 1)];
        }
        if (scan(text, &a))
            continue;
        read++;
        assert_int_equal(system_info_parse_tree(text, strlen(text), &b), 0);
        assert_same_domains(a, b);
        policy_domains_unref(a);
        policy_domains_unref(b);
    }
    assert_true(read > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_spawner_says_is_scanned),
        cmocka_unit_test(what_is_of_another_form_is_left_to_jansson),
        cmocka_unit_test(the_scan_reads_nothing_but_what_jansson_reads),
        cmocka_unit_test(every_key_of_the_file_is_taken),
        cmocka_unit_test(a_bad_file_is_refused_with_its_line),
        cmocka_unit_test(a_missing_file_is_told),
        cmocka_unit_test(system_info_becomes_domains),
        cmocka_unit_test(what_is_no_system_info_is_refused),
        cmocka_unit_test(the_spawner_is_asked_as_its_interface_says),
        cmocka_unit_test(an_exception_or_nobody_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
