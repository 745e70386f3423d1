/* qrexec-client's talk with daemons: see client-daemon.h. */
#include "qrexec-daemon/client-daemon.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/wire/admin.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define RETRY_MS    10 /* while the daemon's backlog is full */
#define KILL_MS     60000
#define KILL_ANSWER 65536
#define MOST_ANSWER 16

/* Connected, blocking; a full backlog is waited for. */
static int connect_until(const char *path, uint64_t deadline, int *ret)
{
    int fd = -1, r = unix_connect(path, &fd);

    while (r == -EAGAIN && deadline_left(deadline) != 0) {
        (void)poll(NULL, 0, RETRY_MS);
        r = unix_connect(path, &fd);
    }
    if (!r)
        r = fd_set_nonblock(fd, false);
    if (r) {
        close_fd(&fd);
        return r;
    }
    *ret = fd;
    return 0;
}

/* One message that a daemon sends: its type, and the body. 0, WIRE_E_*, negative errno. */
static int read_message(int fd, uint64_t deadline, uint32_t *ret_type, struct wire_reader *ret,
                        unsigned char data[static MOST_ANSWER])
{
    unsigned char bytes[WIRE_HEADER_SIZE];
    struct wire_reader r = wire_reader(bytes, sizeof(bytes));
    struct msg_header h;
    int e = read_full_until(fd, bytes, sizeof(bytes), deadline);

    if (!e)
        e = wire_read_header(&r, &h);
    if (!e)
        e = wire_check_header(WIRE_DAEMON_TO_CLIENT, WIRE_VERSION_CLIENT, &h);
    if (!e && h.len > MOST_ANSWER)
        e = WIRE_E_LENGTH;
    if (!e)
        e = read_full_until(fd, data, h.len, deadline);
    if (e)
        return e;
    *ret_type = h.type;
    *ret = wire_reader(data, h.len);
    return 0;
}

static const char *reason(int e)
{
    return e > 0 ? wire_error_text(e) : strerror(-e);
}

static int say_hello(int fd, uint64_t deadline)
{
    unsigned char data[MOST_ANSWER];
    struct wire_writer w = wire_writer(data, sizeof(data));
    struct wire_reader r;
    uint32_t type = 0, version = 0;
    int e = read_message(fd, deadline, &type, &r, data);

    if (!e)
        e = type == MSG_HELLO ? wire_read_hello(&r, &version) : WIRE_E_TYPE;
    if (!e && version < WIRE_VERSION_CLIENT) {
        log_error("the daemon speaks protocol %u, at least %d is needed: restart the domain",
                  version, WIRE_VERSION_CLIENT);
        e = WIRE_E_VERSION;
    }
    if (!e)
        e = wire_write_hello(&w, WIRE_VERSION_CLIENT);
    if (!e)
        e = write_full(fd, w.data, w.len);
    return e;
}

int client_daemon_connect(const char *socket_dir, const char *domain, uint64_t deadline, int *ret)
{
    _cleanup_(closep) int fd = -1;
    char dir[PATH_SIZE], path[PATH_SIZE];
    int r = socket_dir ? format(dir, sizeof(dir), "%s", socket_dir) : path_get(dir, "/run/qubes");

    if (!r)
        r = format(path, sizeof(path), "%s/qrexec.%s", dir, domain);
    if (!r)
        r = connect_until(path, deadline, &fd);
    if (r) {
        log_error("%s: its qrexec-daemon is not reached: %s; is the domain running?", domain,
                  strerror(-r));
        return r;
    }
    r = say_hello(fd, deadline);
    if (r) {
        log_error("%s: no hello from its qrexec-daemon: %s", domain, reason(r));
        return r < 0 ? r : -EPROTO;
    }
    *ret = take_fd(&fd);
    return 0;
}

static int read_port(int fd, uint32_t type, uint64_t deadline, struct wire_peer *ret)
{
    unsigned char data[MOST_ANSWER];
    struct wire_reader r;
    uint32_t got = 0;
    int e = read_message(fd, deadline, &got, &r, data);

    if (!e)
        e = got == type ? wire_read_peer(&r, ret) : WIRE_E_TYPE;
    if (e == -EPIPE || e == -ECONNRESET)
        log_error("the qrexec-daemon closed the connection: %s",
                  type == MSG_SERVICE_CONNECT ? "no such request waits there (any more)"
                                              : "its log says why");
    else if (e)
        log_error("the qrexec-daemon gave no port: %s", reason(e));
    return e > 0 ? -EPROTO : e;
}

int client_daemon_exec(int fd, uint32_t type, uint32_t domain, const char *command,
                       uint64_t deadline, struct wire_peer *ret)
{
    _cleanup_(freep) unsigned char *data = malloc(WIRE_CONTROL_MAX);
    struct wire_writer w = wire_writer(data, data ? WIRE_CONTROL_MAX : 0);
    int e = data ? wire_write_exec(&w, type, domain, 0, wire_text(command)) : WIRE_E_SPACE;

    if (e || w.len > WIRE_HEADER_SIZE + WIRE_EXEC_MAX) {
        log_error("the command is too long: at most %d bytes", WIRE_EXEC_MAX - 9);
        return -EMSGSIZE;
    }
    e = write_full(fd, w.data, w.len);
    if (e) {
        log_error("the qrexec-daemon closed the connection: %s", strerror(-e));
        return e;
    }
    return read_port(fd, type, deadline, ret);
}

int client_daemon_connect_request(int fd, const struct wire_ident *ident, uint64_t deadline,
                                  struct wire_peer *to)
{
    unsigned char data[WIRE_HEADER_SIZE + 8 + WIRE_IDENT_SIZE];
    struct wire_writer w = wire_writer(data, sizeof(data));
    int e = wire_write_connect(&w, to->domain, to->port, ident);

    if (!e)
        e = write_full(fd, w.data, w.len);
    if (e) {
        log_error("the pending request is not connected: %s", reason(e));
        return e > 0 ? -EPROTO : e;
    }
    return to->port ? 0 : read_port(fd, MSG_SERVICE_CONNECT, deadline, to);
}

void client_daemon_wait_end(int fd)
{
    char bytes[64];
    ssize_t n;

    do
        n = read(fd, bytes, sizeof(bytes));
    while (n > 0 || (n < 0 && errno == EINTR));
}

/* All of the answer, until its end. */
static int read_answer(int fd, uint64_t deadline, struct buf *b)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int r = poll(&p, 1, deadline_left(deadline));
        ssize_t n = r > 0 ? buf_read_fd(b, fd, KILL_ANSWER) : r < 0 ? -errno : -ETIMEDOUT;

        if (n <= 0 && n != -EAGAIN && n != -EINTR)
            return (int)n;
    }
}

static int exchange(const char *path, const struct wire_writer *w, struct buf *answer)
{
    _cleanup_(closep) int fd = -1;
    uint64_t deadline = clock_ms() + KILL_MS;
    int r = connect_until(path, deadline, &fd);

    if (!r)
        r = write_full(fd, w->data, w->len);
    if (!r && shutdown(fd, SHUT_WR) < 0)
        r = -errno;
    return r ? r : read_answer(fd, deadline, answer);
}

int client_kill(const char *domain)
{
    _cleanup_(buf_deinit) struct buf answer = BUF_NULL(KILL_ANSWER);
    unsigned char data[512];
    struct wire_writer w = wire_writer(data, sizeof(data));
    char path[PATH_SIZE], text[256] = "no answer";
    struct admin_answer a;
    int r = path_get(path, "/run/qubesd.sock");

    if (!r && admin_write_request(&w, "admin.vm.Kill", "", "dom0", domain, false, NULL, 0))
        r = -EINVAL;
    if (!r)
        r = exchange(path, &w, &answer);
    if (r)
        snprintf(text, sizeof(text), "%s", strerror(-r));
    if (!r && admin_read_answer(buf_data(&answer), buf_len(&answer), &a))
        r = -EPROTO;
    if (!r && !a.success) {
        admin_exception_text(&a, text, sizeof(text));
        r = -EREMOTEIO;
    }
    if (r)
        log_error("%s is not killed: %s", domain, text);
    return r;
}
