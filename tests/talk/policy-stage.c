/* The stage for qrexec-policy-daemon: see policy-stage.h. */
#include "tests/talk/policy-stage.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static const char *build_dir(void)
{
    const char *dir = getenv("builddir");

    return dir ? dir : ".";
}

static void write_page(struct policy_stage *p)
{
    _cleanup_(freep) char *path = stage_path(&p->s, "/run/qubes/generation");
    _cleanup_(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(pwrite(fd, &p->generation, sizeof(p->generation), 0), sizeof(p->generation));
}

void policy_raise(struct policy_stage *p)
{
    p->generation++;
    write_page(p);
}

void policy_remove_page(struct policy_stage *p)
{
    _cleanup_(freep) char *path = stage_path(&p->s, "/run/qubes/generation");

    assert_int_equal(unlink(path), 0);
}

void policy_file(struct policy_stage *p, const char *path, const char *text)
{
    _cleanup_(freep) char *full = stage_path(&p->s, path);

    assert_int_equal(file_replace(full, text, strlen(text), 0644), 0);
}

/* The socket is there a moment before somebody listens. */
static void wait_until_served(const struct stage *s)
{
    _cleanup_(freep) char *path = stage_path(s, "/run/qubes/policy.sock");
    uint64_t deadline = clock_ms() + WAIT_MS;
    int fd = -1;

    while (unix_connect(path, &fd) && deadline_left(deadline) > 0)
        (void)poll(NULL, 0, 5);
    assert_true(fd >= 0);
    close(fd);
}

void policy_start(struct policy_stage *p)
{
    _cleanup_(freep) char *path = format_new("%s/policy-engine/qrexec-policy-daemon", build_dir());
    _cleanup_(freep) char *root = format_new("--root=%s", p->s.root);
    _cleanup_(freep) char *log = stage_path(&p->s, "/log");
    _cleanup_(closep) int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *argv[16] = {"/bin/sh", "-c", "exec $TALK_WRAP \"$0\" \"$@\"", path, root};
    const char *activated = "export LISTEN_PID=$$; exec $TALK_WRAP \"$0\" \"$@\"";
    const int fds[] = {-1, out, out, p->handed};

    if (p->handed) {
        argv[2] = activated;
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_FDNAMES", p->handed_name, 1);
    }
    for (size_t i = 0; p->options && p->options[i]; i++) {
        assert_true(i < 10);
        argv[5 + i] = p->options[i];
    }
    assert_int_equal(spawn_process(&(struct spawn){.path = argv[0],
                                                   .argv = (char *const *)argv,
                                                   .fds = fds,
                                                   .n_fds = p->handed ? 4 : 3,
                                                   .parent_death_signal = SIGKILL},
                                   &p->s.daemon, NULL),
                     0);
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    wait_until_served(&p->s);
}

void policy_prepare(struct policy_stage *p, const char *policy)
{
    static const char *const dirs[] = {"/run/qubes", "/etc/qubes/policy.d", "/etc/qubes-rpc",
                                       "/usr/lib/qubes"};

    *p = (struct policy_stage){.generation = 7,
                               .extra = "",
                               .personal_uuid = "u-personal",
                               .work_tags = "",
                               .remote_tags = ""};
    p->s = (struct stage){.root = test_mkdir(),
                          .control = -1,
                          .agent = -1,
                          .policy = -1,
                          .internal = -1,
                          .admin = -1};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_(freep) char *dir = stage_path(&p->s, dirs[i]);

        assert_int_equal(mkdir_all(dir, 0755), 0);
    }
    write_page(p);
    policy_file(p, USER_POLICY, policy);
    p->spawner = stage_listen(&p->s, "/run/qubesd.internal.sock");
}

void policy_begin_with(struct policy_stage *p, const char *policy, const char *const *options)
{
    policy_prepare(p, policy);
    p->options = options;
    policy_start(p);
}

void policy_begin(struct policy_stage *p, const char *policy)
{
    policy_begin_with(p, policy, NULL);
}

void policy_stop(struct policy_stage *p)
{
    assert_int_equal(kill(p->s.daemon, SIGTERM), 0);
    assert_int_equal(spawn_wait(p->s.daemon), 0);
    expect_gone(&p->s, "/run/qubes/policy.sock");
    expect_gone(&p->s, "/etc/qubes-rpc/policy.EvalSimple");
    expect_gone(&p->s, "/etc/qubes-rpc/policy.EvalGUI");
}

void policy_restart(struct policy_stage *p)
{
    policy_stop(p);
    policy_start(p);
}

void policy_end(struct policy_stage *p)
{
    policy_stop(p);
    close_fd(&p->spawner);
    test_rmdir(p->s.root);
}

/* ---- The spawner ---- */

int spawner_accept(struct policy_stage *p)
{
    static const char request[] = "internal.GetSystemInfo+ dom0 name dom0";
    int fd = stage_accept(p->spawner);
    char data[sizeof(request)], byte;

    assert_int_equal(read_full_until(fd, data, sizeof(data), clock_ms() + WAIT_MS), 0);
    assert_memory_equal(data, request, sizeof(request));
    assert_int_equal(read_full_until(fd, &byte, 1, clock_ms() + WAIT_MS), -EPIPE);
    p->spawner_asked++;
    return fd;
}

#define DOMAIN(name, more) DOMAIN_TAGGED(name, "", more)
#define DOMAIN_TAGGED(name, tags, more)                                                            \
    "\"" name "\":{\"type\":\"AppVM\",\"tags\":[" tags                                             \
    "],\"default_dispvm\":\"dvm\",\"icon\":\"appvm-red"                                            \
    "\"" more "}"
#define RUNS  ",\"power_state\":\"Running\""
#define GUIVM ",\"guivm\":\"dom0\""

void spawner_answers(struct policy_stage *p, int fd)
{
    _cleanup_(freep) char *json = format_new(
        "{\"generation\":%llu,\"domains\":{\"dom0\":{\"type\":\"AdminVM\",\"icon\":\"adminvm\"}," //
        DOMAIN_TAGGED("work", "%s", ",\"uuid\":\"u-work\"" RUNS GUIVM) "," DOMAIN(
            "personal", ",\"uuid\":\"%s\"" GUIVM) ","                                             //
        DOMAIN_TAGGED("remote", "%s", RUNS ",\"guivm\":\"screen\"") "," DOMAIN("vault", RUNS) "," //
        DOMAIN("dvm", ",\"uuid\":\"u-dvm\",\"template_for_dispvms\":true" GUIVM) "%s}}",
        (unsigned long long)p->generation, p->work_tags, p->personal_uuid, p->remote_tags,
        p->extra);

    assert_non_null(json);
    send_bytes(fd, "0\0", 2);
    send_bytes(fd, json, strlen(json));
    close(fd);
}

/* ---- Callers ---- */

int caller_begin(struct policy_stage *p, const char *text)
{
    _cleanup_(freep) char *path = stage_path(&p->s, "/run/qubes/policy.sock");
    int fd = -1;

    assert_int_equal(unix_connect(path, &fd), 0);
    send_bytes(fd, text, strlen(text));
    return fd;
}

char *policy_read(struct policy_stage *p, int fd)
{
    static char text[70000];
    uint64_t deadline = clock_ms() + WAIT_MS;
    size_t n = 0;

    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = p->spawner, .events = POLLIN}};
        ssize_t got = -1;

        assert_true(poll(fds, 2, deadline_left(deadline)) > 0);
        if (fds[1].revents)
            spawner_answers(p, spawner_accept(p));
        if (!fds[0].revents)
            continue;
        got = read(fd, text + n, sizeof(text) - n - 1);
        assert_true(got >= 0);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    text[n] = 0;
    return strdup(text);
}

void expect_answer(struct policy_stage *p, const char *request, const char *answer)
{
    _cleanup_(closep) int fd = caller_begin(p, request);
    _cleanup_(freep) char *text = policy_read(p, fd);

    if (!str_equal(text, answer))
        fail_msg("for\n%sthere is\n%s\nin place of\n%s", request, text, answer);
}

void expect_log(struct policy_stage *p, const char *text)
{
    _cleanup_(freep) char *path = stage_path(&p->s, "/log");
    uint64_t deadline = clock_ms() + WAIT_MS;

    for (;;) {
        _cleanup_(freep) char *log = NULL;
        size_t n;

        assert_int_equal(file_read(path, 1 << 20, &log, &n), 0);
        if (strstr(log, text))
            return;
        if (!deadline_left(deadline))
            fail_msg("the log has no \"%s\":\n%s", text, log);
        (void)poll(NULL, 0, 10);
    }
}

pid_t policy_spawn(struct policy_stage *p, const char *const *argv, int out)
{
    _cleanup_(freep) char *path = format_new("%s/policy-engine/%s", build_dir(), argv[0]);
    const int fds[] = {-1, out, -1};
    pid_t pid = 0;

    setenv("QREXEC_ROOT", p->s.root, 1);
    assert_int_equal(spawn_process(&(struct spawn){.path = path,
                                                   .argv = (char *const *)argv,
                                                   .fds = fds,
                                                   .n_fds = 3,
                                                   .parent_death_signal = SIGKILL},
                                   &pid, NULL),
                     0);
    unsetenv("QREXEC_ROOT");
    return pid;
}

int policy_run(struct policy_stage *p, const char *const *argv, char **ret_out)
{
    int out[2];
    pid_t pid;

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = policy_spawn(p, argv, out[1]);
    close(out[1]);
    *ret_out = policy_read(p, out[0]);
    close(out[0]);
    return spawn_wait(pid);
}
