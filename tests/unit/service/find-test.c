/* Finding a service in its directories, and what a command line's words become. */
#include "tests/unit/test.h"

#include "libqrexec/service/service.h"

#include <sys/stat.h>

static char *dir;

static void path_of(char ret[static PATH_SIZE], const char *name)
{
    assert_int_equal(format(ret, PATH_SIZE, "%s/%s", dir, name), 0);
}

static void make_file(const char *name, mode_t mode)
{
    char path[PATH_SIZE];
    int fd;

    path_of(path, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void make_link(const char *name, const char *to)
{
    char path[PATH_SIZE];

    path_of(path, name);
    assert_int_equal(symlink(to, path), 0);
}

static int setup(void **state)
{
    char path[PATH_SIZE], list[PATH_SIZE];

    (void)state;
    dir = test_mkdir();
    path_of(path, "a");
    assert_int_equal(mkdir(path, 0755), 0);
    path_of(path, "b");
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(format(list, sizeof(list), "%s/a::%s/missing:%s/b", dir, dir, dir), 0);
    setenv("QREXEC_SERVICE_PATH", list, 1);
    setenv("QUBES_RPC_CONFIG_PATH", list, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_rmdir(dir);
    return 0;
}

static int plan(const char *command, struct service *s)
{
    char line[1024], why[SERVICE_TEXT_MAX];
    int r;

    assert_int_equal(format(line, sizeof(line), "user:QUBESRPC %s", command), 0);
    r = service_plan(SERVICE_PLACE_VM, line, s, why);
    if (r)
        assert_true(*why);
    return r;
}

/* The exit code, or 0 and the file below the directory. */
static void expect(const char *command, int code, const char *file)
{
    struct service s;
    char path[PATH_SIZE];
    int r = plan(command, &s);

    if (r != code)
        fail_msg("%s: %d", command, r);
    if (file) {
        path_of(path, file);
        assert_string_equal(s.path, path);
    }
    service_deinit(&s);
}

static void particular_in_a_late_directory_wins(void **state)
{
    (void)state;
    make_file("a/S", 0755);
    make_file("b/S+arg", 0755);
    make_file("b/S", 0755);
    expect("S+arg src", 0, "b/S+arg");
    expect("S+other src", 0, "a/S");
    expect("S+ src", 0, "a/S");
    expect("S src", 0, "a/S");
}

static void no_plus_looks_for_the_empty_argument(void **state)
{
    (void)state;
    make_file("a/S", 0755);
    make_file("b/S+", 0755);
    expect("S src", 0, "b/S+");
    expect("S+ src", 0, "b/S+");
    expect("S+x src", 0, "a/S");
}

static void what_is_not_there_is_127(void **state)
{
    (void)state;
    make_link("a/Dangling", "/nonexistent/file");
    make_file("b/Behind", 0755);
    make_link("a/Behind", "/nonexistent/file");
    expect("Missing+ src", 127, NULL);
    expect("Dangling+ src", 127, NULL);
    expect("Behind+ src", 0, "b/Behind");
}

static void other_errors_are_125(void **state)
{
    char path[PATH_SIZE];

    (void)state;
    make_link("a/Loop", "Loop");
    make_file("b/Loop", 0755);
    make_file("a/Text", 0644);
    path_of(path, "a/Dir");
    assert_int_equal(mkdir(path, 0755), 0);
    make_link("a/NotDir", "Text/x");
    expect("Loop+ src", 125, NULL);
    expect("Text+ src", 125, NULL);
    expect("Dir+ src", 125, NULL);
    expect("NotDir+ src", 125, NULL);
    expect("a/Text+ src", 125, NULL);
    make_file("plain", 0644);
    path_of(path, "plain");
    setenv("QREXEC_SERVICE_PATH", path, 1);
    expect("S+ src", 125, NULL);
}

static void too_long_a_name_skips_the_step(void **state)
{
    char name[300], command[400];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[SERVICE_NAME_MAX] = 0;
    make_file("a/S", 0755);
    assert_int_equal(format(command, sizeof(command), "S+%s src", name), 0);
    expect(command, 0, "a/S");
    assert_int_equal(format(command, sizeof(command), "%s+ src", name), 0);
    expect(command, 127, NULL);
    name[SERVICE_NAME_MAX] = 'x';
    name[SERVICE_NAME_MAX + 1] = 0;
    assert_int_equal(format(command, sizeof(command), "%s+ src", name), 0);
    expect(command, 125, NULL);
    expect("S+../../etc/passwd src", 0, "a/S");
}

static void tcp_links(void **state)
{
    static const struct {
        const char *link, *command;
        int code;
        const char *host, *port;
    } cases[] = {
        {"/dev/tcp/127.0.0.1/80", "T+ src", 0, "127.0.0.1", "80"},
        {"/dev/tcp/127.0.0.1/80", "T src", 0, "127.0.0.1", "80"},
        {"/dev/tcp/127.0.0.1/80", "T+x src", 125, NULL, NULL},
        {"/dev/tcp/127.0.0.1", "T+443 src", 0, "127.0.0.1", "443"},
        {"/dev/tcp/::1", "T+443 src", 0, "::1", "443"},
        {"/dev/tcp/127.0.0.1", "T+ src", 125, NULL, NULL},
        {"/dev/tcp/127.0.0.1", "T+0443 src", 125, NULL, NULL},
        {"/dev/tcp/127.0.0.1", "T+0 src", 125, NULL, NULL},
        {"/dev/tcp/127.0.0.1", "T+65536 src", 125, NULL, NULL},
        {"/dev/tcp/127.0.0.1", "T+65535 src", 0, "127.0.0.1", "65535"},
        {"/dev/tcp/127.0.0.1/", "T+ src", 125, NULL, NULL},
        {"/dev/tcp", "T+10.0.0.1+80 src", 0, "10.0.0.1", "80"},
        {"/dev/tcp", "T+++1+80 src", 0, "::1", "80"},
        {"/dev/tcp", "T+fe80++1%eth0+80 src", 0, "fe80::1%eth0", "80"},
        {"/dev/tcp", "T+a_b+80 src", 125, NULL, NULL},
        {"/dev/tcp", "T+80 src", 125, NULL, NULL},
        {"/dev/tcp", "T+ src", 125, NULL, NULL},
        {"/dev/tcp/", "T+10.0.0.1+80 src", 125, NULL, NULL},
        {"/dev/tcpx", "T+ src", 127, NULL, NULL},
    };
    char path[PATH_SIZE];

    (void)state;
    path_of(path, "a/T");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct service s;
        int r;

        make_link("a/T", cases[i].link);
        r = plan(cases[i].command, &s);
        if (r != cases[i].code)
            fail_msg("%s, %s: %d", cases[i].link, cases[i].command, r);
        if (!r) {
            assert_int_equal(s.kind, SERVICE_TCP);
            assert_string_equal(s.host, cases[i].host);
            assert_string_equal(s.port, cases[i].port);
        }
        service_deinit(&s);
        unlink(path);
    }
}

static void link_to_a_tcp_link_is_no_address(void **state)
{
    (void)state;
    make_link("b/T", "/dev/tcp/127.0.0.1/80");
    make_link("a/T", "../b/T");
    expect("T+ src", 0, "b/T"); /* the first leads to nothing */
}

static void words_of_a_line(void **state)
{
    struct service_words w;
    char why[SERVICE_TEXT_MAX];

    (void)state;
    assert_int_equal(
        service_words_parse(SERVICE_PLACE_VM, "u:nogui:QUBESRPC S+a+b src name t", &w, why), 0);
    assert_string_equal(w.user, "u");
    assert_true(w.nogui && w.is_service);
    assert_string_equal(w.command, "QUBESRPC S+a+b src name t");
    assert_string_equal(w.descriptor, "S+a+b src name t");
    assert_string_equal(w.full_name, "S+a+b");
    assert_string_equal(w.name, "S");
    assert_string_equal(w.argument, "a+b");
    assert_string_equal(w.source, "src");
    assert_string_equal(w.target_type, "name");
    assert_string_equal(w.target, "t");
    service_words_deinit(&w);
    assert_int_equal(service_words_parse(SERVICE_PLACE_DOM0, "echo a: b  c", &w, why), 0);
    assert_null(w.user);
    assert_false(w.is_service);
    assert_string_equal(w.command, "echo a: b  c");
    service_words_deinit(&w);
}

static void bad_lines_are_125(void **state)
{
    static const char *const lines[] = {
        "no colon",       ":echo",           "u:QUBESRPC",      "u:QUBESRPC ",
        "u:QUBESRPCx",    "u:QUBESRPC  S s", "u:QUBESRPC S",    "u:QUBESRPC S  s",
        "u:QUBESRPC + s", "u:QUBESRPC +a s", "u:QUBESRPC S s ", "u:QUBESRPC ../S s",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct service_words w;
        char why[SERVICE_TEXT_MAX];

        if (service_words_parse(SERVICE_PLACE_VM, lines[i], &w, why) != SERVICE_E_TROUBLE)
            fail_msg("taken: %s", lines[i]);
        service_words_deinit(&w);
    }
}

static void settings_are_found_like_a_service(void **state)
{
    struct service s;
    char path[PATH_SIZE];

    (void)state;
    make_file("a/S", 0755);
    path_of(path, "config");
    assert_int_equal(mkdir(path, 0755), 0);
    setenv("QUBES_RPC_CONFIG_PATH", path, 1);
    path_of(path, "config/S+x");
    assert_int_equal(file_replace(path, "wait-for-session = true\n", 24, 0644), 0);
    path_of(path, "config/S");
    assert_int_equal(file_replace(path, "force-user = 'root'\n", 20, 0644), 0);
    assert_int_equal(plan("S+x src", &s), 0);
    assert_true(s.settings.wait_for_session);
    assert_string_equal(s.user, "user");
    service_deinit(&s);
    assert_int_equal(plan("S+y src", &s), 0);
    assert_false(s.settings.wait_for_session);
    assert_string_equal(s.user, "root");
    service_deinit(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(particular_in_a_late_directory_wins),
        TEST(no_plus_looks_for_the_empty_argument),
        TEST(what_is_not_there_is_127),
        TEST(other_errors_are_125),
        TEST(too_long_a_name_skips_the_step),
        TEST(tcp_links),
        TEST(link_to_a_tcp_link_is_no_address),
        TEST(words_of_a_line),
        TEST(bad_lines_are_125),
        TEST(settings_are_found_like_a_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
