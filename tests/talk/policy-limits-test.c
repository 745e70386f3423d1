/*
 * The real qrexec-policy-daemon at its limits: too many requests of one source, too few
 * descriptors, a log that cannot be written, a shadow folder, SIGHUP. Nothing is lost but what had
 * to be.
 */
#include "libqrexec/base/paths.h"
#include "tests/talk/policy-stage.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define CALL REQUEST("work", "personal", "a.B")
#define ALLOWED                                                                                    \
    "result=allow\nuser=DEFAULT\ntarget=personal\nautostart=True\nrequested_target=personal\n"     \
    "target_uuid=uuid:u-personal\n"
#define POLICY "a.B * work personal allow\na.B * vault personal allow\n"

#define SOURCE_MOST 512

static void expect_end(struct policy_stage *p, int fd, const char *answer)
{
    _cleanup_(freep) char *text = policy_read(p, fd);

    close(fd);
    assert_string_equal(text, answer);
}

static void a_source_with_too_many_requests_is_refused_and_others_are_not(void **state)
{
    struct rlimit files;
    struct policy_stage p;
    static int fds[SOURCE_MOST];
    int other, late;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    policy_begin(&p, POLICY);
    for (size_t i = 0; i < SOURCE_MOST; i++) /* the spawner lets them all wait */
        fds[i] = caller_begin(&p, CALL);
    late = caller_begin(&p, CALL);
    assert_int_equal(poll(&(struct pollfd){.fd = late, .events = POLLIN}, 1, WAIT_MS), 1);
    expect_log(&p, "a.B+: work -> personal: denied: its source has too many requests at a time");
    other = caller_begin(&p, REQUEST("vault", "personal", "a.B"));
    expect_end(&p, late, DENY);
    expect_end(&p, other, ALLOWED);
    for (size_t i = 0; i < SOURCE_MOST; i++)
        expect_end(&p, fds[i], ALLOWED);
    expect_answer(&p, CALL, ALLOWED); /* they do not count any more */
    policy_end(&p);
}

/* Clock ticks that the daemon has used. */
static unsigned long used(const struct policy_stage *p)
{
    _cleanup_(freep) char *path = format_new("/proc/%d/stat", (int)p->s.daemon);
    _cleanup_(freep) char *text = NULL;
    unsigned long user = 0, system = 0;
    const char *at;
    size_t n;

    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    at = strrchr(text, ')');
    assert_non_null(at);
    assert_int_equal(
        sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return user + system;
}

static void without_descriptors_callers_wait_and_are_all_answered(void **state)
{
    struct policy_stage p;
    unsigned long before;
    int fds[80];

    (void)state;
    if (getenv("TALK_WRAP"))
        skip();
    setenv("TALK_WRAP", "prlimit --nofile=40:40", 1);
    policy_begin(&p, POLICY);
    unsetenv("TALK_WRAP");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = caller_begin(&p, CALL);
    (void)poll(NULL, 0, 200);
    before = used(&p);
    (void)poll(NULL, 0, 1000);
    assert_true(used(&p) - before < 10); /* and it does not try again and again meanwhile */
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        expect_end(&p, fds[i], ALLOWED);
    policy_end(&p);
}

/* Text of a file becomes another of that length, in a way that inotify does not tell. */
static char *change_unseen(struct policy_stage *p, const char *path, const char *from,
                           const char *to)
{
    _cleanup_(freep) char *full = stage_path(&p->s, path);
    int fd = open(full, O_RDWR | O_CLOEXEC);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *at;

    assert_true(fd >= 0 && map != MAP_FAILED);
    close(fd); /* the mapping keeps it open */
    at = strstr(map, from);
    assert_non_null(at);
    memcpy(at, to, strlen(from));
    return map;
}

static bool is_open(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 0;
}

/* One that says nothing, one that stops, one that says a byte now and then. */
static void a_client_has_a_minute_for_its_request(void **state)
{
    const char *request = CALL;
    struct policy_stage p;
    int silent, half, slow;
    uint64_t begun;

    (void)state;
    policy_begin(&p, POLICY);
    silent = caller_begin(&p, "");
    half = caller_begin(&p, "source=work\nintended_target=");
    slow = caller_begin(&p, "");
    begun = clock_ms();
    for (size_t i = 0; clock_ms() < begun + 59000; i++) {
        if (i < strlen(request) - 1)
            send_bytes(slow, request + i, 1);
        (void)poll(NULL, 0, 900);
        assert_true(is_open(silent) && is_open(half) && is_open(slow));
    }
    expect_answer(&p, CALL, ALLOWED);
    (void)poll(NULL, 0, 2000);
    assert_false(is_open(silent) || is_open(half) || is_open(slow));
    close(silent);
    close(half);
    close(slow);
    expect_log(&p, "a request did not come whole within 60 s");
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

static void a_hangup_loads_what_no_watch_tells_and_the_shadow_too(void **state)
{
    struct policy_stage p;
    char shadow[PATH_SIZE], *maps[2];
    const char *options[] = {shadow, NULL};

    (void)state;
    policy_prepare(&p, POLICY);
    assert_int_equal(format(shadow, sizeof(shadow), "--shadow-path=%s/shadow", p.s.root), 0);
    assert_int_equal(mkdir_all(shadow + strlen("--shadow-path="), 0755), 0);
    policy_file(&p, "/shadow/10.policy", POLICY);
    p.options = options;
    policy_start(&p);
    expect_answer(&p, CALL, ALLOWED);
    maps[0] = change_unseen(&p, USER_POLICY, "vault personal allow", "vault personal deny ");
    maps[1] = change_unseen(&p, "/shadow/10.policy", "work personal allow", "work personal deny ");
    assert_int_equal(kill(p.s.daemon, SIGHUP), 0);
    expect_log(&p, "loading the policy again");
    expect_answer(&p, REQUEST("vault", "personal", "a.B"), DENY);
    expect_answer(&p, CALL, ALLOWED);
    expect_log(&p, "shadow: a.B+: work -> personal: allowed, but the policy in ");
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        munmap(maps[i], 4096);
    policy_end(&p);
}

static void where_kept_answers_cannot_be_read_users_are_asked(void **state)
{
    struct policy_stage p;

    (void)state;
    policy_prepare(&p, POLICY);
    _cleanup_(freep) char *kept = stage_path(&p.s, "/run/qubes/policy.d/00-kept.policy");

    assert_int_equal(mkdir_all(kept, 0755), 0);
    policy_start(&p);
    expect_log(&p, "users are asked again, for ");
    expect_answer(&p, CALL, ALLOWED);
    policy_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_with_too_many_requests_is_refused_and_others_are_not),
        cmocka_unit_test(without_descriptors_callers_wait_and_are_all_answered),
        cmocka_unit_test(a_client_has_a_minute_for_its_request),
        cmocka_unit_test(a_hangup_loads_what_no_watch_tells_and_the_shadow_too),
        cmocka_unit_test(where_kept_answers_cannot_be_read_users_are_asked),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
