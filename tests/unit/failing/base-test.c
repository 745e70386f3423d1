/* What libqrexec/base/ does when one call of the C library fails. */
#include "libqrexec/base/buf.h"
#include "libqrexec/base/charge.h"
#include "libqrexec/base/hangup.h"
#include "libqrexec/base/ini.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/notify.h"
#include "libqrexec/base/sandbox.h"
#include "libqrexec/base/spawn.h"
#include "tests/stage/folder.h"
#include "tests/stage/loop.h"
#include "tests/unit/failing/failing.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BIG 20000

static char big[BIG + 1];

static int buffers(void)
{
    struct buf a = BUF_NULL(BIG), b = BUF_NULL(BIG);
    int r = buf_append(&a, big, BIG / 2);

    if (!r)
        r = buf_append_str(&a, "x");
    if (!r)
        r = buf_move(&a, 100, &b);
    if (!r)
        r = buf_move(&a, BIG / 2 - 200, &b);
    if (!r)
        r = buf_appendf(&b, "%s", "end");
    if (!r)
        failing_check(buf_len(&a) == 101 && buf_len(&b) == BIG / 2 - 97, "bytes are lost");
    buf_deinit(&a);
    buf_deinit(&b);
    return r;
}

static int buffers_and_descriptors(void)
{
    struct buf a = BUF_NULL(BIG), b = BUF_NULL(BIG);
    int p[2], r = pipe2(p, O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 0;

    if (r)
        return r;
    r = buf_append_str(&a, "some bytes");
    if (!r)
        n = buf_write_fd(&a, p[1]);
    if (!r && n > 0)
        n = buf_read_fd(&b, p[0], 100);
    if (!r && n > 0)
        failing_check(buf_len(&b) == 10, "bytes are lost");
    close(p[0]);
    close(p[1]);
    buf_deinit(&a);
    buf_deinit(&b);
    return r ? r : n > 0 ? 0 : -1;
}

static int charges(void)
{
    struct ledger l = {.budget = 2};
    struct charge a = CHARGE_NULL, b = CHARGE_NULL;
    int r = charge_take(&l, "a", 1, &a);

    if (!r)
        r = charge_take(&l, "b", 2, &b);
    charge_release(&a);
    charge_release(&b);
    failing_check(!l.first, "an account is left");
    ledger_deinit(&l);
    return r;
}

static int files(void)
{
    _cleanup_(freep) char *text = NULL;
    const char *path = folder_path("files/a/b/file");
    char above[PATH_SIZE];
    size_t n = 0;
    int r = format(above, sizeof(above), "%s", folder_path("files/a/b"));

    if (!r)
        r = mkdir_all(above, 0700);
    if (!r)
        r = file_replace(path, big, BIG, 0600);
    if (!r)
        r = file_read(path, BIG, &text, &n);
    if (!r)
        failing_check(n == BIG && str_equal(text, big), "another text is read");
    if (!r)
        r = remove_all(folder_path("files"));
    failing_off();
    if (r)
        failing_check(remove_all(folder_path("files")) == 0,
                      "a file is left that cannot be removed");
    failing_on();
    return r;
}

/* The old file stays as it was, whatever fails, and nothing lies beside it. */
static int file_replaced(void)
{
    const char *path = folder_path("replace/file");
    _cleanup_(freep) char *text = NULL;
    size_t n = 0;
    int r;

    failing_off();
    folder_file("replace/file", "old", 0600);
    failing_on();
    r = file_replace(path, "new", 3, 0600);
    failing_off();
    failing_check(file_read(path, 10, &text, &n) == 0 && str_equal(text, r ? "old" : "new"),
                  "half a file");
    unlink(path);
    failing_check(rmdir(folder_path("replace")) == 0, "a temporary file is left");
    failing_on();
    return r;
}

static int sockets(void)
{
    const char *path = folder_path("socket");
    int listener = -1, a = -1, b = -1, r = unix_listen(path, 0600, &listener);
    char text[6] = "";
    pid_t pid;
    uid_t uid = 0;

    if (!r)
        r = unix_connect(path, &a);
    if (!r) {
        failing_off();
        b = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        failing_on();
        r = unix_peer(b, &pid, &uid);
    }
    if (!r)
        failing_check(uid == getuid(), "another peer");
    if (!r)
        r = write_full(a, "hello", 6);
    if (!r)
        r = read_full_until(b, text, 6, clock_ms() + 1000);
    if (!r)
        failing_check(str_equal(text, "hello"), "other bytes");
    close_fd(&a);
    close_fd(&b);
    close_fd(&listener);
    failing_off();
    unlink(path);
    failing_on();
    return r;
}

static bool on_pair(void *user, const char *section, const char *key, const char *value, int line)
{
    (void)section;
    (void)key;
    (void)value;
    (void)line;
    return ++*(int *)user;
}

static int ini_files(void)
{
    int pairs = 0, line = 0, r;

    failing_off();
    folder_file("x.ini", "[a]\nb = c\nd = e\n", 0600);
    failing_on();
    r = ini_read(folder_path("x.ini"), on_pair, &pairs, &line);
    if (!r)
        failing_check(pairs == 2, "a pair is lost");
    return r;
}

/* A program runs with what it was given, or there is none and an error. */
static int programs(void)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 7", NULL};
    const int fds[] = {-1, -1, STDERR_FILENO};
    int pidfd = -1, code;
    pid_t pid = 0;
    int r = spawn_process(&(struct spawn){.path = "/bin/sh",
                                          .argv = argv,
                                          .fds = fds,
                                          .n_fds = 3,
                                          .dir = "/",
                                          .new_session = true,
                                          .parent_death_signal = 15},
                          &pid, &pidfd);

    if (r)
        return r;
    failing_check(pidfd >= 0 && pid > 0, "a program without a number");
    code = spawn_wait(pid);
    failing_check(code == 7 || code < 0, "another exit code");
    close_fd(&pidfd);
    return code == 7 ? 0 : code;
}

static int notices(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char text[32] = "";
    int fd, r;

    failing_off();
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)format(a.sun_path, sizeof(a.sun_path), "%s", folder_path("notify"));
    unlink(a.sun_path);
    failing_check(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "no socket");
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    failing_on();
    r = notify_send("READY=1");
    if (r >= 0 && recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0)
        failing_check(str_equal(text, "READY=1"), "another notice");
    failing_off();
    unsetenv("NOTIFY_SOCKET");
    close(fd);
    failing_on();
    return r < 0 ? r : 0;
}

static int n_hangups;

static void on_hangup(struct hangup *h)
{
    (void)h;
    n_hangups++;
}

static int hangups(void)
{
    struct hangup h = {.fn = on_hangup};
    int p[2], r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p);

    if (r)
        return r;
    n_hangups = 0;
    r = hangup_watch(&h, p[0]);
    close(p[1]);
    failing_off();
    (void)stage_turn();
    failing_on();
    if (!r)
        failing_check(n_hangups > 0, "no hang-up is noticed");
    hangup_stop(&h);
    close(p[0]);
    return r;
}

static int filters(void)
{
    int fd = -1, r = sandbox_filter_domain(&fd);

    if (!r)
        failing_check(lseek(fd, 0, SEEK_END) != 0, "an empty filter");
    close_fd(&fd);
    return r;
}

static int sandboxes(void)
{
    pid_t pid;
    int code;

    failing_off();
    pid = fork();
    failing_on();
    if (pid == 0)
        _exit(sandbox_enter(SANDBOX_SERVER) ? 1 : 0);
    failing_off();
    code = spawn_wait(pid);
    failing_on();
    failing_check(code == 0 || code == 1, "a crash");
    return code;
}

static int beginning(void)
{
    return process_begin();
}

static int logs(void)
{
    log_open("failing", LOG_TARGET_SYSTEM);
    log_debug("nothing");
    failing_off();
    log_open("failing", LOG_TARGET_STDERR);
    failing_on();
    return 0;
}

static const struct scenario list[] = {
    {"buffers", buffers},
    {"buffers_and_descriptors", buffers_and_descriptors},
    {"charges", charges},
    {"files", files},
    {"file_replaced", file_replaced},
    {"sockets", sockets},
    {"ini_files", ini_files},
    {"programs", programs},
    {"notices", notices},
    {"hangups", hangups},
    {"filters", filters},
    {"sandboxes", sandboxes},
    {"beginning", beginning},
    {"logs", logs},
};

int main(int argc, char **argv)
{
    stage_poll = failing_real_poll;
    memset(big, 'x', BIG);
    (void)folder_new();
    failing_wait_for_children();
    return failing_main(argc, argv, list, ARRAY_SIZE(list));
}
