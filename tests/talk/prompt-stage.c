/* The prompt's stage: see prompt-stage.h. */
#include "tests/talk/prompt-stage.h"

#include "libqrexec/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static const char *bus = "unix:path=/nonexistent/bus";

void prompt_use_bus(const char *address)
{
    bus = address ? address : "unix:path=/nonexistent/bus";
}

void prompt_prepare(struct stage *s)
{
    _cleanup_(freep) char *run = NULL;

    *s = (struct stage){.root = test_mkdir()};
    run = stage_path(s, "/run");
    assert_int_equal(mkdir_all(run, 0755), 0);
}

pid_t prompt_start(const struct stage *s, const char *const *options, int fd)
{
    const char *dir = getenv("builddir");
    _cleanup_(freep) char *path =
        format_new("%s/policy-engine/prompt/qrexec-policy-agent", dir ? dir : ".");
    const char *argv[8] = {"/bin/sh", "-c", "exec $TALK_WRAP \"$0\" \"$@\"", path};
    const int fds[] = {fd, fd, fd};
    pid_t pid = 0;

    for (size_t i = 0; options[i]; i++)
        argv[i + 4] = options[i];
    setenv("QREXEC_ROOT", s->root, 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", bus, 1);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", bus, 1);
    assert_int_equal(spawn_process(&(struct spawn){.path = argv[0],
                                                   .argv = (char *const *)argv,
                                                   .fds = fds,
                                                   .n_fds = 3,
                                                   .new_session = true,
                                                   .parent_death_signal = SIGKILL},
                                   &pid, NULL),
                     0);
    return pid;
}

int prompt_request(const struct stage *s, const char *text)
{
    _cleanup_(freep) char *path = stage_path(s, SOCKET);
    const char *nul = strstr(text, "%c");
    uint64_t deadline = clock_ms() + WAIT_MS;
    int fd = -1, r;

    /* bound, but not yet listened to */
    while ((r = unix_connect(path, &fd)) == -ECONNREFUSED && clock_ms() < deadline)
        (void)poll(NULL, 0, 10);
    assert_int_equal(r, 0);
    send_bytes(fd, text, (size_t)(nul - text));
    send_bytes(fd, "", 1);
    send_bytes(fd, nul + 2, strlen(nul + 2));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    return fd;
}

void expect_text(int fd, const char *answer)
{
    _cleanup_(freep) char *text = read_to_end(fd);

    assert_string_equal(text, answer);
    close(fd);
}

void prompt_end(struct stage *s, pid_t agent)
{
    assert_int_equal(kill(agent, SIGTERM), 0);
    assert_int_equal(spawn_wait(agent), 0);
    expect_gone(s, SOCKET);
    test_rmdir(s->root);
}
