/* Calls of the Admin API: see admin-client.h. */
#include "domain-spawner/commands/admin-client.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/wire/admin.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define ANSWER_MAX (16U << 20)

void admin_reply_deinit(struct admin_reply *r)
{
    free(r->content);
    free(r->type);
    free(r->message);
    *r = ADMIN_REPLY_NULL;
}

static int failed(struct admin_reply *ret, int r, const char *what)
{
    ret->message = format_new("%s: %s", what, strerror(-r));
    return r;
}

static int send_request(int fd, const char *method, const char *arg, const char *dest,
                        const char *payload)
{
    static char data[ADMIN_REQUEST_MAX];
    struct wire_writer w = wire_writer(data, sizeof(data));

    if (admin_write_request(&w, method, arg ? arg : "", "dom0", dest, false, payload ? payload : "",
                            payload ? strlen(payload) : 0))
        return -EINVAL;
    return write_full(fd, w.data, w.len);
}

static int parse_answer(const char *data, size_t n, struct admin_reply *ret)
{
    struct admin_answer a;
    char text[4096];

    if (n == 0) {
        ret->message = strdup("no answer: access denied, or an error inside the domain spawner "
                              "(its log says more)");
        return -EPROTO;
    }
    if (admin_read_answer(data, n, &a))
        return -EBADMSG;
    if (a.success) {
        ret->content = strndup(a.content.s ? a.content.s : "", a.content.len);
        ret->len = a.content.len;
        return ret->content ? 0 : -ENOMEM;
    }
    admin_exception_text(&a, text, sizeof(text));
    ret->type = strndup(a.type.s, a.type.len);
    ret->message = strdup(text);
    return ret->type && ret->message ? ADMIN_E_REFUSED : -ENOMEM;
}

static int wait_read(int fd, struct buf *b)
{
    ssize_t n;

    do {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        (void)poll(&p, 1, -1);
        n = buf_read_fd(b, fd, 65536);
    } while (n == -EAGAIN);
    return (int)n;
}

static int open_socket(const char *name, int *ret_fd, struct admin_reply *ret)
{
    char path[PATH_SIZE];
    int r = path_get(path, "/run/%s", name);

    if (!r)
        r = unix_connect(path, ret_fd);
    if (r) {
        ret->message = format_new("cannot reach the domain spawner at %s: %s (is domain-spawner "
                                  "running?)",
                                  path, strerror(-r));
        return r;
    }
    return fd_set_nonblock(*ret_fd, false);
}

int admin_call(const char *method, const char *arg, const char *dest, const char *payload,
               struct admin_reply *ret)
{
    _cleanup_(buf_deinit) struct buf answer = BUF_NULL(ANSWER_MAX);
    _cleanup_(closep) int fd = -1;
    int r;

    *ret = ADMIN_REPLY_NULL;
    r = open_socket("qubesd.sock", &fd, ret);
    if (r)
        return r;
    r = send_request(fd, method, arg, dest, payload);
    if (!r && shutdown(fd, SHUT_WR) < 0)
        r = -errno;
    if (r)
        return failed(ret, r, "cannot send the request to the domain spawner");
    while ((r = wait_read(fd, &answer)) > 0)
        ;
    if (r < 0)
        return failed(ret, r, "cannot read the domain spawner's answer");
    r = parse_answer(buf_len(&answer) ? (const char *)buf_data(&answer) : "", buf_len(&answer),
                     ret);
    return r < 0 && !ret->message ? failed(ret, r, "cannot read the domain spawner's answer") : r;
}

/* The answer of a lease ends with its newline (success) or the connection (exception). */
static int read_lease(int fd, struct buf *b)
{
    int r;

    while ((r = wait_read(fd, b)) > 0)
        if (buf_data(b)[0] == '0' && memchr(buf_data(b), '\n', buf_len(b)))
            return 0;
    return r;
}

int admin_lease(const char *template, int *ret_fd, struct admin_reply *ret)
{
    _cleanup_(buf_deinit) struct buf answer = BUF_NULL(65536);
    _cleanup_(closep) int fd = -1;
    int r;

    *ret = ADMIN_REPLY_NULL;
    r = open_socket("qubesd.internal.sock", &fd, ret);
    if (r)
        return r;
    r = send_request(fd, "internal.LeaseDisposable", NULL, template ? template : "dom0", "\n");
    if (!r)
        r = read_lease(fd, &answer);
    if (r < 0)
        return failed(ret, r, "cannot ask the domain spawner for a disposable");
    r = parse_answer(buf_len(&answer) ? (const char *)buf_data(&answer) : "", buf_len(&answer),
                     ret);
    if (r < 0 && !ret->message)
        return failed(ret, r, "cannot read the domain spawner's answer");
    if (!r)
        *ret_fd = take_fd(&fd);
    return r;
}
