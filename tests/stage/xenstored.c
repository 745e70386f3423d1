/* A xenstored for tests: see xenstored.h. */
#include "tests/stage/xenstored.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <xen/io/xs_wire.h>

#define CONNECTIONS 32
#define WATCHES     8

struct watched {
    char path[128], token[16];
};

struct connection {
    int fd;
    struct watched watches[WATCHES];
};

static struct stage_xenstore *state;
static struct connection connections[CONNECTIONS];
static size_t n_connections;
static int control = -1;
static pid_t server;

static void say(int fd, uint32_t type, uint32_t id, const void *body, size_t n)
{
    struct xsd_sockmsg h = {.type = type, .req_id = id, .len = (uint32_t)n};
    unsigned char data[512];

    memcpy(data, &h, sizeof(h));
    memcpy(data + sizeof(h), body, n);
    (void)!send(fd, data, sizeof(h) + n, MSG_NOSIGNAL);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && str_equal(s + n - m, end);
}

static void fire(const struct connection *c, const struct watched *w)
{
    char body[160];
    int n = snprintf(body, sizeof(body), "%s%c%s", w->path, 0, w->token);

    say(c->fd, XS_WATCH_EVENT, 0, body, (size_t)n + 1);
}

static void fire_all(const char *end)
{
    for (size_t i = 0; i < n_connections; i++)
        for (size_t k = 0; k < WATCHES; k++)
            if (*connections[i].watches[k].path && ends_with(connections[i].watches[k].path, end))
                fire(&connections[i], &connections[i].watches[k]);
}

static void answer_read(const struct connection *c, uint32_t id, const char *path)
{
    char text[32];
    int n = -1;

    if (str_equal(path, "domid"))
        n = snprintf(text, sizeof(text), "%u", state->own);
    else if (ends_with(path, "/vm"))
        n = snprintf(text, sizeof(text), "/vm/one");
    else if (ends_with(path, "/event-channel") && state->has_channel)
        n = snprintf(text, sizeof(text), "5");
    if (n < 0)
        say(c->fd, XS_ERROR, id, "ENOENT", 7);
    else
        say(c->fd, XS_READ, id, text, (size_t)n);
}

/* Those of a connection go with it. */
static void count_watches(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < n_connections; i++)
        for (size_t k = 0; k < WATCHES; k++)
            n += *connections[i].watches[k].path != 0;
    state->watches = n;
}

/* A watch fires once when it is set. */
static void set_watch(struct connection *c, uint32_t id, const char *path, bool on)
{
    const char *token = path + strlen(path) + 1;
    struct watched *w = c->watches;

    if (on && state->no_watches) {
        say(c->fd, XS_ERROR, id, "E2BIG", 6);
        return;
    }
    while (w < c->watches + WATCHES - 1 && (on ? *w->path != 0 : !str_equal(w->path, path)))
        w++;
    *w = (struct watched){{0}, {0}};
    if (on) {
        (void)format(w->path, sizeof(w->path), "%s", path);
        (void)format(w->token, sizeof(w->token), "%s", token);
    }
    count_watches();
    say(c->fd, on ? XS_WATCH : XS_UNWATCH, id, "OK", 3);
    if (on)
        fire(c, w);
}

static void answer(struct connection *c, const struct xsd_sockmsg *h, const char *body)
{
    unsigned domain = (unsigned)strtoul(body, NULL, 10);

    switch (h->type) {
    case XS_READ: answer_read(c, h->req_id, body); break;
    case XS_WATCH:
    case XS_UNWATCH: set_watch(c, h->req_id, body, h->type == XS_WATCH); break;
    case XS_IS_DOMAIN_INTRODUCED:
        say(c->fd, h->type, h->req_id, domain < STAGE_DOMAINS && !state->dead[domain] ? "T" : "F",
            2);
        break;
    case XS_RM:
        state->removed++;
        (void)format(state->removed_last, sizeof(state->removed_last), "%s", body);
        say(c->fd, XS_RM, h->req_id, "OK", 3);
        break;
    default: say(c->fd, XS_ERROR, h->req_id, "ENOSYS", 7); break;
    }
}

/* False: it has gone. */
static bool serve_one(struct connection *c)
{
    struct xsd_sockmsg h;
    char body[256] = "";

    if (read_full(c->fd, &h, sizeof(h)) || h.len >= sizeof(body) || read_full(c->fd, body, h.len))
        return false;
    answer(c, &h, body);
    return true;
}

static void take_order(int fd)
{
    char end[128] = "";
    ssize_t n = read(fd, end, sizeof(end) - 1);

    if (n <= 0)
        _exit(0);
    fire_all(end);
    (void)!write(fd, "", 1);
}

static _Noreturn void serve(int listener, int orders)
{
    struct pollfd p[CONNECTIONS + 2];

    for (;;) {
        p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        p[1] = (struct pollfd){.fd = orders, .events = POLLIN};
        for (size_t i = 0; i < n_connections; i++)
            p[i + 2] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
        if (poll(p, n_connections + 2, -1) < 0)
            _exit(1);
        for (size_t i = n_connections; i-- > 0;)
            if (p[i + 2].revents && !serve_one(&connections[i])) {
                close(connections[i].fd);
                connections[i] = connections[--n_connections];
                count_watches();
            }
        if (p[0].revents && n_connections < CONNECTIONS)
            connections[n_connections++] =
                (struct connection){.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
        if (p[1].revents)
            take_order(orders);
    }
}

struct stage_xenstore *stage_xenstored_start(const char *path)
{
    int listener = -1, pair[2];

    state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED || unix_listen(path, 0600, &listener) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    server = fork();
    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        serve(listener, pair[1]);
    }
    close(listener);
    close(pair[1]);
    control = pair[0];
    setenv("XENSTORED_PATH", path, 1);
    return state;
}

void stage_xenstored_end(void)
{
    close_fd(&control);
    (void)spawn_wait(server);
    munmap(state, 4096);
}

void stage_xenstored_fire(const char *end)
{
    char byte;

    if (write_full(control, end, strlen(end)) || read_full(control, &byte, 1))
        abort();
}
