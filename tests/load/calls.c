/*
 * Many calls at once: each a qrexec-client-vm (or another program) with its own three streams, all
 * in one poll(). Bytes come from a seed, so that each that comes back is known.
 */
#include "tests/load/load.h"

#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define CHUNK 65536
/* of poll(): process, in, out, err */
#define FDS 4

static unsigned char byte_at(uint32_t seed, size_t i)
{
    return (unsigned char)(seed + i * 31 + (i >> 8) * 7 + (i >> 16));
}

static void fill(uint32_t seed, size_t at, unsigned char *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        data[i] = byte_at(seed, at + i);
}

static const char *const *client_argv(const struct call *c, const char **argv, char *prefix)
{
    size_t n = 0;

    if (!c->target)
        return c->argv;
    argv[n++] = program("qrexec-agent/qrexec-client-vm");
    argv[n++] = "-a";
    argv[n++] = in_dir("agent.%c", c->from <= VMS ? "-abc"[c->from] : '?');
    if (c->prefix) {
        snprintf(prefix, TEXT_MAX, "--prefix-data=%s", c->prefix);
        argv[n++] = prefix;
    }
    argv[n++] = c->target;
    argv[n++] = c->service;
    argv[n] = NULL;
    return argv;
}

static void pair(int *ours, int *theirs)
{
    int p[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
        die("socketpair: %s", strerror(errno));
    *ours = p[0];
    *theirs = p[1];
    (void)fd_set_nonblock(p[0], true);
}

void call_start(struct call *c)
{
    const char *argv[12];
    char prefix[TEXT_MAX];
    int theirs[3];

    c->seed = rnd(1U << 30);
    c->sent = c->got = c->text_len = 0;
    c->wrong = c->over = false;
    c->first = c->ended = 0;
    pair(&c->in, &theirs[0]);
    pair(&c->out, &theirs[1]);
    pair(&c->err, &theirs[2]);
    c->begun = now_us();
    c->pid = spawn(client_argv(c, argv, prefix), c->from, theirs, &c->pidfd);
    for (int i = 0; i < 3; i++)
        close(theirs[i]);
    if (!c->size && !c->hold)
        close_fd(&c->in);
}

void call_release(struct call *c)
{
    c->hold = false;
    if (c->sent == c->size)
        close_fd(&c->in);
}

static void feed(struct call *c)
{
    unsigned char data[CHUNK];
    size_t n = size_min(sizeof(data), c->size - c->sent);
    ssize_t put;

    fill(c->seed, c->sent, data, n);
    put = send(c->in, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0)
        c->sent += (size_t)put;
    if ((put < 0 && errno != EAGAIN) || (c->sent == c->size && !c->hold))
        close_fd(&c->in);
}

static void take_out(struct call *c)
{
    unsigned char data[CHUNK], right[CHUNK];
    size_t prefix = c->prefix ? strlen(c->prefix) : 0;
    ssize_t n = recv(c->out, data, sizeof(data), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close_fd(&c->out);
        return;
    }
    if (!c->first)
        c->first = now_us();
    for (size_t i = 0; i < (size_t)n && !c->fixed; i++) {
        size_t at = c->got + i;

        right[i] = at < prefix ? (unsigned char)c->prefix[at] : byte_at(c->seed, at - prefix);
        c->wrong |= data[i] != right[i];
    }
    c->got += (size_t)n;
}

static void take_err(struct call *c)
{
    char data[1024];
    ssize_t n = recv(c->err, data, sizeof(data), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close_fd(&c->err);
        return;
    }
    n = (ssize_t)size_min((size_t)n, sizeof(c->text) - 1 - c->text_len);
    memcpy(c->text + c->text_len, data, (size_t)n);
    c->text_len += (size_t)n;
    c->text[c->text_len] = 0;
}

/* The process has ended: what it said last is still there. */
static void finish(struct call *c)
{
    int status = 0;

    c->ended = now_us();
    (void)waitpid(c->pid, &status, 0);
    c->pid = 0;
    c->got_code = spawn_exit_code(status);
    while (c->out >= 0) {
        size_t before = c->got;

        take_out(c);
        if (c->got == before)
            break;
    }
    if (c->err >= 0)
        take_err(c);
    close_fd(&c->pidfd);
    close_fd(&c->in);
    close_fd(&c->out);
    close_fd(&c->err);
    c->over = true;
}

static struct pollfd *add(struct pollfd *p, int fd, short events)
{
    *p = (struct pollfd){.fd = fd, .events = events};
    return p + 1;
}

size_t calls_turn(struct call *const *calls, size_t n, int ms)
{
    struct pollfd *fds = calloc(n * FDS + 1, sizeof(*fds)), *p = fds;
    size_t ended = 0;

    if (!fds)
        die("no memory");
    for (size_t i = 0; i < n; i++) {
        const struct call *c = calls[i];
        bool runs = c->pid > 0;

        p = add(p, runs ? c->pidfd : -1, POLLIN);
        p = add(p, runs && c->sent < c->size ? c->in : -1, POLLOUT);
        p = add(p, runs ? c->out : -1, POLLIN);
        p = add(p, runs ? c->err : -1, POLLIN);
    }
    (void)poll(fds, (nfds_t)(p - fds), ms);
    for (size_t i = 0; i < n; i++) {
        struct call *c = calls[i];

        p = fds + i * FDS;
        if (c->pid <= 0)
            continue;
        if (p[1].revents && c->in >= 0)
            feed(c);
        if (p[2].revents && c->out >= 0)
            take_out(c);
        if (p[3].revents && c->err >= 0)
            take_err(c);
        if (p[0].revents) {
            finish(c);
            ended++;
        }
    }
    free(fds);
    return ended;
}

bool calls_finish(struct call *const *calls, size_t n, unsigned ms)
{
    uint64_t deadline = clock_ms() + ms;
    bool all = false;

    while (!all && deadline_left(deadline) > 0) {
        all = true;
        for (size_t i = 0; i < n; i++)
            all = all && calls[i]->pid <= 0;
        if (!all)
            (void)calls_turn(calls, n, deadline_left(deadline));
    }
    for (size_t i = 0; i < n; i++)
        if (calls[i]->pid > 0) {
            printf("  never ended: ");
            call_print(calls[i]);
            (void)kill(calls[i]->pid, SIGKILL);
            finish(calls[i]);
            calls[i]->got_code = -1;
        }
    return all;
}

bool call_is_right(const struct call *c)
{
    size_t back = c->deaf ? 0 : c->fixed ? c->fixed : c->size;

    if (c->prefix)
        back += strlen(c->prefix);
    return c->over && !c->wrong && c->got == back && c->got_code == c->code;
}

void call_print(const struct call *c)
{
    printf(
        "  call %u -> %s %s: %zu of %zu sent, %zu back%s, code %d (right: %d), %llu us, \"%s\"\n",
        c->from, c->target ? c->target : c->argv[0], c->service ? c->service : "", c->sent, c->size,
        c->got, c->wrong ? " (wrong)" : "", c->got_code, c->code,
        (unsigned long long)(c->ended - c->begun), c->text_len ? c->text : "");
}

size_t calls_run(const struct call *model, size_t n, size_t wide, uint64_t *ret_worst_us)
{
    struct call *all = calloc(wide, sizeof(*all)), **list = calloc(wide, sizeof(struct call *));
    size_t started = 0, over = 0, right = 0, shown = 0;
    uint64_t worst = 0, last = clock_ms();

    if (!all || !list)
        die("no memory");
    for (size_t i = 0; i < wide; i++)
        list[i] = &all[i];
    while (over < n && clock_ms() - last < 60000) {
        for (size_t i = 0; i < wide; i++) {
            struct call *c = list[i];

            if (c->over) {
                over++;
                last = clock_ms();
                right += call_is_right(c);
                if ((!call_is_right(c) || c->ended - c->begun > 3000000) && shown++ < 5)
                    call_print(c);
                if (c->ended - c->begun > worst)
                    worst = c->ended - c->begun;
                c->over = false;
            }
            if (c->pid <= 0 && started < n) {
                *c = *model;
                call_start(c);
                started++;
            }
        }
        if (over < n)
            (void)calls_turn(list, wide, 1000);
    }
    (void)calls_finish(list, wide, 0);
    free(all);
    free(list);
    if (ret_worst_us)
        *ret_worst_us = worst;
    return right;
}

uint64_t call_once(const struct call *model)
{
    uint64_t us;

    return calls_run(model, 1, 1, &us) == 1 ? us : UINT64_MAX;
}

char *call_text(const struct call *model, int *ret_code)
{
    const char *argv[12];
    char prefix[TEXT_MAX];
    uint64_t deadline = clock_ms() + WAIT_MS;
    size_t n = 0, size = 1U << 20;
    char *text = malloc(size);
    int fds[] = {-1, -1, 2}, out = -1, pidfd;
    ssize_t got = 1;
    pid_t pid;

    if (!text)
        die("no memory");
    pair(&out, &fds[1]);
    pid = spawn(client_argv(model, argv, prefix), model->from, fds, &pidfd);
    close_fd(&fds[1]);
    while (got > 0 && n + 1 < size && deadline_left(deadline) > 0) {
        struct pollfd p = {.fd = out, .events = POLLIN};

        if (poll(&p, 1, deadline_left(deadline)) == 0)
            (void)kill(pid, SIGKILL);
        (void)fd_set_nonblock(out, false);
        got = read(out, text + n, size - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    text[n] = 0;
    close_fd(&out);
    close_fd(&pidfd);
    *ret_code = spawn_wait(pid);
    return text;
}
