/* qrexec-calls asks the daemons: see calls-ask.h. */
#include "qrexec-daemon/calls-ask.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define SOCKETS      "qrexec-calls."
#define DAEMONS_MOST 4096

static int add(struct ask *a, const char *dir, const char *file, const char *request)
{
    struct asked d = {.fd = -1, .in = BUF_NULL(ASK_ANSWER_MAX)};
    struct asked *grown;
    char path[PATH_SIZE];
    int r;

    if (format(d.file, sizeof(d.file), "%s", file) ||
        format(path, sizeof(path), "%s/%s", dir, file) || a->n >= DAEMONS_MOST)
        return 0;
    grown = realloc(a->daemons, (a->n + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    a->daemons = grown;
    r = unix_connect(path, &d.fd);
    if (!r)
        r = write_full(d.fd, request, strlen(request));
    if (r) {
        close_fd(&d.fd);
        if (r == -ENOENT) /* it has just ended */
            return 0;
        log_warning("%s: not reached: %s", path, strerror(-r));
    }
    a->daemons[a->n++] = d;
    return 0;
}

int ask_begin(struct ask *a, const char *dir, const char *request)
{
    DIR *list = opendir(dir);
    struct dirent *e;
    int r = list ? 0 : -errno;

    *a = (struct ask){0};
    while (!r && (e = readdir(list)))
        if (str_starts(e->d_name, SOCKETS))
            r = add(a, dir, e->d_name, request);
    if (list)
        closedir(list);
    if (r)
        log_error("%s: %s", dir, strerror(-r));
    return r;
}

void ask_deinit(struct ask *a)
{
    for (size_t i = 0; i < a->n; i++) {
        close_fd(&a->daemons[i].fd);
        buf_deinit(&a->daemons[i].in);
    }
    free(a->daemons);
}

bool ask_field(const char *line, const char *key, char *ret, size_t size)
{
    size_t n = strlen(key), len;

    for (const char *at = line; (at = strchr(at, '\t'));) {
        at++;
        if (strncmp(at, key, n) != 0 || at[n] != '=')
            continue;
        len = size_min(strcspn(at + n + 1, "\t"), size - 1);
        memcpy(ret, at + n + 1, len);
        ret[len] = 0;
        return true;
    }
    ret[0] = 0;
    return false;
}

bool ask_number(const char *line, const char *key, uint64_t *ret)
{
    char text[24], *end;
    uint64_t n;

    if (!ask_field(line, key, text, sizeof(text)) || *text < '0' || *text > '9')
        return false;
    n = strtoull(text, &end, 10);
    if (*end)
        return false;
    *ret = n;
    return true;
}

static void take_name(struct asked *d, const char *line)
{
    uint64_t domain = 0;

    (void)ask_field(line, "name", d->name, sizeof(d->name));
    (void)ask_number(line, "domain", &domain);
    d->domain = (unsigned)domain;
}

/* Whole lines of what has come. */
static void take_lines(struct asked *d, ask_fn *fn, void *user)
{
    char line[ASK_LINE_MAX];
    const unsigned char *end;

    while (!d->answered &&
           (end = buf_len(&d->in) ? memchr(buf_data(&d->in), '\n', buf_len(&d->in)) : NULL)) {
        size_t len = (size_t)(end - buf_data(&d->in));

        if (len < sizeof(line)) {
            memcpy(line, buf_data(&d->in), len);
            line[len] = 0;
            if (str_starts(line, "daemon\t"))
                take_name(d, line);
            else
                d->answered = fn(user, d, line);
        }
        buf_consume(&d->in, len + 1);
    }
}

static void read_some(struct asked *d, ask_fn *fn, void *user)
{
    ssize_t n = buf_read_fd(&d->in, d->fd, 65536);

    if (n == -EAGAIN)
        return;
    if (n > 0)
        take_lines(d, fn, user);
    if (n <= 0 || d->answered)
        close_fd(&d->fd);
}

int ask_lines(struct ask *a, uint64_t until, ask_fn *fn, void *user)
{
    _cleanup_(freep) struct pollfd *p = calloc(a->n + 1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    for (;;) {
        size_t open = 0;
        int n;

        for (size_t i = 0; i < a->n; i++) {
            p[i] = (struct pollfd){.fd = a->daemons[i].fd, .events = POLLIN};
            open += a->daemons[i].fd >= 0;
        }
        if (!open)
            return 0;
        n = poll(p, a->n, deadline_left(until));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return 0;
        for (size_t i = 0; i < a->n && n > 0; i++)
            if (p[i].revents)
                read_some(&a->daemons[i], fn, user);
    }
}
