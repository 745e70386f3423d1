/* A stage for the real domain-spawner: see spawner-stage.h. */
#include "tests/talk/spawner-stage.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_MS 10000

size_t stage_len;

static void built(char path[static 4200], const char *name)
{
    const char *dir = getenv("builddir");

    assert_int_equal(format(path, 4200, "%s/%s", dir ? dir : ".", name), 0);
}

static void moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
}

static int connect_to(const struct stage *s, bool internal)
{
    char path[4200];
    int fd = -1;

    assert_int_equal(
        format(path, sizeof(path), "%s/run/qubesd%s.sock", s->root, internal ? ".internal" : ""),
        0);
    for (int i = 0; i < WAIT_MS / 10; i++) {
        if (unix_connect(path, &fd) == 0)
            return fd;
        moment();
    }
    fail_msg("%s is not served", path);
    return -1;
}

void stage_run(struct stage *s)
{
    char program[4200], helper[4300], root[4300], probe[4300];
    const char *wrapper = getenv("SPAWNER_WRAPPER"); /* e.g. /usr/bin/valgrind */
    char *argv[] = {program, root, helper, NULL, NULL};
    const int fds[] = {-1, 1, 2};
    struct spawn sp = {
        .path = program, .argv = argv, .fds = fds, .n_fds = 3, .parent_death_signal = SIGKILL};
    int fd;

    built(program, "domain-spawner/domain-spawner");
    built(probe, "tests/talk/scripted-helper");
    assert_int_equal(format(helper, sizeof(helper), "--helper=%s", probe), 0);
    assert_int_equal(format(root, sizeof(root), "--root=%s", s->root), 0);
    if (wrapper) {
        char *wrapped[] = {
            (char *)wrapper, "-q", "--error-exitcode=99", "--leak-check=full", program, root,
            helper,          NULL};

        sp.path = wrapper;
        sp.argv = wrapped;
        assert_int_equal(spawn_process(&sp, &s->spawner, NULL), 0);
    } else {
        assert_int_equal(spawn_process(&sp, &s->spawner, NULL), 0);
    }
    fd = connect_to(s, true); /* the second socket: by then all is there */
    close(fd);
}

void stage_begin(struct stage *s)
{
    s->root = test_mkdir();
    stage_run(s);
}

void stage_end(struct stage *s)
{
    kill(s->spawner, SIGTERM);
    assert_int_equal(spawn_wait(s->spawner), 0);
    test_rmdir(s->root);
}

void stage_kill(struct stage *s)
{
    kill(s->spawner, SIGKILL);
    assert_int_equal(spawn_wait(s->spawner), 128 + SIGKILL);
}

int stage_send(const struct stage *s, bool internal, const char *header, const char *payload,
               bool half)
{
    int fd = connect_to(s, internal);

    assert_int_equal(write_full(fd, header, strlen(header) + 1), 0);
    assert_int_equal(write_full(fd, payload, strlen(payload)), 0);
    if (half)
        shutdown(fd, SHUT_WR);
    return fd;
}

/* One read of at most max bytes; false at the end. */
static bool more(int fd, struct bytes *b, size_t max, uint64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;

    if (poll(&p, 1, deadline_left(deadline)) <= 0)
        fail_msg("no more bytes in time (%zu so far)", b->len);
    n = read(fd, b->data + b->len, size_min(max, sizeof(b->data) - 1 - b->len));
    if (n > 0)
        b->len += (size_t)n;
    b->data[b->len] = 0;
    return n > 0;
}

void stage_read(int fd, struct bytes *ret, int ms)
{
    uint64_t deadline = clock_ms() + (uint64_t)ms;

    ret->len = 0;
    while (more(fd, ret, SIZE_MAX, deadline))
        ;
    close(fd);
}

void stage_read_until(int fd, struct bytes *ret, const void *end, size_t n)
{
    uint64_t deadline = clock_ms() + WAIT_MS;

    ret->len = 0;
    while (!(ret->len >= n && memcmp(ret->data + ret->len - n, end, n) == 0))
        if (!more(fd, ret, 1, deadline)) /* what follows these bytes stays to be read */
            fail_msg("it ended after %zu bytes", ret->len);
}

const char *stage_call(const struct stage *s, const char *header, const char *payload)
{
    static struct bytes answer;

    stage_read(stage_send(s, str_starts(header, "internal."), header, payload, true), &answer,
               WAIT_MS);
    stage_len = answer.len;
    return answer.data;
}

void stage_expect(const struct stage *s, const char *header, const char *payload,
                  const char *content)
{
    const char *answer = stage_call(s, header, payload);

    if (answer[0] == '2')
        fail_msg("%s: refused: %s", header, answer + 2);
    assert_true(stage_len >= 2);
    assert_memory_equal(answer, "0", 2);
    assert_string_equal(answer + 2, content);
    assert_int_equal(stage_len, strlen(content) + 2);
}

void stage_refused(const struct stage *s, const char *header, const char *payload, const char *type)
{
    const char *answer = stage_call(s, header, payload);
    size_t n = strlen(type);

    if (answer[0] != '2')
        fail_msg("%s: not refused: %s", header, stage_len ? answer : "(closed)");
    assert_string_equal(answer + 2, type);
    /* TYPE NUL TRACEBACK NUL FORMAT NUL: the traceback is empty, the text is not */
    assert_int_equal(answer[2 + n + 1], 0);
    assert_int_not_equal(answer[2 + n + 2], 0);
    assert_int_equal(answer[stage_len - 1], 0);
}

void stage_create(const struct stage *s, const char *name)
{
    char payload[128];

    assert_int_equal(format(payload, sizeof(payload), "name=%s label=red", name), 0);
    stage_expect(s, "admin.vm.Create.AppVM+local dom0 name dom0", payload, "");
}

void stage_dvm(const struct stage *s, const char *name)
{
    char header[256];

    stage_create(s, name);
    assert_int_equal(format(header, sizeof(header),
                            "admin.vm.property.Set+template_for_dispvms dom0 name %s", name),
                     0);
    stage_expect(s, header, "True", "");
    stage_expect(s, "admin.property.Set+default_dispvm dom0 name dom0", name, "");
}

static char *helper_log(const struct stage *s)
{
    char path[4200], *text = NULL;
    size_t n;

    assert_int_equal(format(path, sizeof(path), "%s/helper.log", s->root), 0);
    return file_read(path, 1 << 20, &text, &n) ? NULL : text;
}

void stage_helper_did(const struct stage *s, const char *line)
{
    for (int i = 0; i < WAIT_MS / 10; i++) {
        if (stage_helper_times(s, line))
            return;
        moment();
    }
    fail_msg("the helper was not told: %s", line);
}

pid_t stage_helper(const struct stage *s)
{
    for (int i = 0; i < WAIT_MS / 10; i++) {
        _cleanup_(freep) char *text = helper_log(s);
        const char *last = NULL;

        for (const char *p = text; p && (p = strstr(p, "pid ")); p += 4)
            last = p;
        if (last)
            return (pid_t)strtol(last + 4, NULL, 10);
        moment();
    }
    fail_msg("there is no helper");
    return -1;
}

void stage_listed(const struct stage *s, const char *text, bool there)
{
    for (int i = 0; i < WAIT_MS / 10; i++) {
        if ((strstr(stage_call(s, "admin.vm.List+ dom0 name dom0", "") + 2, text) != NULL) == there)
            return;
        moment();
    }
    fail_msg("%s is %slisted", text, there ? "not " : "");
}

int stage_lease(const struct stage *s, char name[static 32])
{
    struct bytes b;
    int fd = stage_send(s, true, "internal.LeaseDisposable+ dom0 name dvm", "uuid\n", false);

    stage_read_until(fd, &b, "\n", 1);
    assert_memory_equal(b.data, "0", 2);
    assert_int_equal(sscanf(b.data + 2, "%31s", name), 1);
    assert_true(str_starts(name, "disp"));
    return fd;
}

size_t stage_helper_times(const struct stage *s, const char *line)
{
    _cleanup_(freep) char *text = helper_log(s);
    size_t n = strlen(line), times = 0;

    for (const char *p = text; p && (p = strstr(p, line)); p += n)
        times += (p == text || p[-1] == '\n') && p[n] == '\n';
    return times;
}
