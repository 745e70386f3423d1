/* A call to a guivm's prompt: see guivm-call.h. */
#include "policy-engine/guivm-call.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#define ANSWER_MAX  4096
#define REQUEST_MAX (16U << 20)

static void close_watch(struct watch *w)
{
    int fd = w->fd;

    if (!w->events)
        return;
    watch_stop(w);
    close_fd(&fd);
}

static void end_child(struct guivm_call *c)
{
    close_watch(&c->exited);
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        (void)spawn_wait(c->pid);
    }
    c->pid = 0;
}

static void finish(struct guivm_call *c, bool ok)
{
    close_watch(&c->stream);
    end_child(c);
    buf_deinit(&c->out);
    c->fn(c, ok);
}

static void on_exit_status(struct watch *w, short revents)
{
    struct guivm_call *c = container_of(w, struct guivm_call, exited);
    int code = spawn_wait(c->pid);

    (void)revents;
    c->pid = 0;
    close_watch(w);
    if (code != 0 || !c->stream.events)
        finish(c, code == 0);
}

static void on_end(struct guivm_call *c)
{
    close_watch(&c->stream);
    if (!c->pid)
        finish(c, true);
}

static void on_stream(struct watch *w, short revents)
{
    struct guivm_call *c = container_of(w, struct guivm_call, stream);
    ssize_t n;

    (void)revents;
    if (buf_len(&c->out)) {
        n = buf_write_fd(&c->out, w->fd);
        if (n < 0 && n != -EAGAIN) {
            finish(c, false);
            return;
        }
        if (!buf_len(&c->out)) {
            shutdown(w->fd, SHUT_WR);
            watch_set(w, w->fd, POLLIN);
        }
    }
    n = buf_read_fd(&c->in, w->fd, ANSWER_MAX);
    if (n == 0)
        on_end(c);
    else if (n < 0 && n != -EAGAIN)
        finish(c, false);
}

/* qrexec-client's stdin and stdout are the other end of fd. */
static int start_client(struct guivm_call *c, const char *guivm, const char *service, int *ret_fd)
{
    _cleanup_(freep) char *command = format_new("DEFAULT:QUBESRPC %s dom0", service);
    char path[PATH_SIZE], *argv[] = {path, (char *)"-d", (char *)guivm, command, NULL};
    int ends[2], pidfd = -1, r = path_program(path, PATH_LIB, "qrexec-client");

    if (r || !command)
        return r ? r : -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    r = fd_set_nonblock(ends[0], true);
    if (!r) {
        const int fds[] = {ends[1], ends[1], STDERR_FILENO};

        r = spawn_process(&(struct spawn){.path = path,
                                          .argv = argv,
                                          .fds = fds,
                                          .n_fds = ARRAY_SIZE(fds),
                                          .parent_death_signal = SIGTERM},
                          &c->pid, &pidfd);
    }
    close(ends[1]);
    if (r) {
        close(ends[0]);
        return r;
    }
    watch_set(&c->exited, pidfd, POLLIN);
    *ret_fd = ends[0];
    return 0;
}

static int start_socket(struct guivm_call *c, const char *service, int *ret_fd)
{
    char path[PATH_SIZE];
    int r = path_get(path, "/etc/qubes-rpc/%s", service);

    if (!r)
        r = buf_appendf(&c->out, "%s dom0 name dom0", service);
    if (!r)
        r = buf_append(&c->out, "", 1);
    return r ? r : unix_connect(path, ret_fd);
}

int guivm_call_start(struct guivm_call *c, const char *guivm, const char *service, const char *json)
{
    int fd = -1, r;

    c->in = BUF_NULL(ANSWER_MAX);
    c->out = BUF_NULL(REQUEST_MAX);
    c->stream.fn = on_stream;
    c->exited.fn = on_exit_status;
    r = str_equal(guivm, "dom0") ? start_socket(c, service, &fd)
                                 : start_client(c, guivm, service, &fd);
    if (!r)
        watch_set(&c->stream, fd, POLLIN | POLLOUT);
    if (!r)
        r = buf_append_str(&c->out, json);
    if (r)
        guivm_call_stop(c);
    return r;
}

void guivm_call_stop(struct guivm_call *c)
{
    close_watch(&c->stream);
    end_child(c);
    buf_deinit(&c->in);
    buf_deinit(&c->out);
}
