/* Calls of the Admin API: see admin-client.h. */
#include "domain-spawner/commands/admin-client.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"

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
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(65536);
    int r;

    r = buf_appendf(&b, "%s+%s dom0 name %s", method, arg ? arg : "", dest);
    if (!r)
        r = buf_append(&b, "", 1);
    if (!r && payload)
        r = buf_append_str(&b, payload);
    return r ? r : write_full(fd, buf_data(&b), buf_len(&b));
}

/* The text of an exception: a % format whose fields the client fills in. */
static char *fill_in(const char *format_text, const char *fields, const char *end)
{
    char *out = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&out, &n);

    if (!f)
        return NULL;
    for (const char *p = format_text; *p; p++) {
        if (p[0] != '%' || !p[1]) {
            fputc(*p, f);
        } else if (*++p == '%') {
            fputc('%', f);
        } else if (fields < end) {
            fputs(fields, f);
            fields += strlen(fields) + 1;
        }
    }
    fclose(f);
    return out;
}

static const char *next_string(const char *p, const char *end)
{
    p = memchr(p, 0, (size_t)(end - p));
    return p ? p + 1 : NULL;
}

static int parse_exception(const char *p, const char *end, struct admin_reply *ret)
{
    const char *type = p, *trace = next_string(type, end);
    const char *text = trace ? next_string(trace, end) : NULL;
    const char *fields = text ? next_string(text, end) : NULL;

    if (!fields)
        return -EBADMSG;
    ret->type = strdup(type);
    ret->message = fill_in(text, fields, end);
    return ret->type && ret->message ? ADMIN_E_REFUSED : -ENOMEM;
}

static int parse_answer(const char *data, size_t n, struct admin_reply *ret)
{
    if (n == 0) {
        ret->message = strdup("no answer: access denied, or an error inside the domain spawner "
                              "(its log says more)");
        return -EPROTO;
    }
    if (n >= 2 && data[0] == '0' && data[1] == 0) {
        ret->content = malloc(n - 1);
        if (!ret->content)
            return -ENOMEM;
        memcpy(ret->content, data + 2, n - 2);
        ret->content[n - 2] = 0;
        ret->len = n - 2;
        return 0;
    }
    if (n >= 2 && data[0] == '2' && data[1] == 0 && data[n - 1] == 0)
        return parse_exception(data + 2, data + n, ret);
    return -EBADMSG;
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
