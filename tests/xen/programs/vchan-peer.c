/*
 * One end of a vchan, for tests on real Xen and for the bench.
 *
 *   vchan-peer [--plain] [--ring=BYTES] serve|ask|carry|hold listen|connect PEER PORT [...]
 *     serve                does what the other end asks for, until it quits
 *     ask PINGS MIB        round trips, then MIB each way with a checksum; says how long it took
 *     carry caller|service as ours carry a call: stdin goes to the peer, stdout is what it sends
 *     hold SECONDS         connects, sends nothing, reads all, and says how it ends
 *   vchan-peer many N PEER PORT    N servers on PORT, PORT + 1 …, all at once, for N asking clients
 *   vchan-peer asks N PEER PORT    these clients, one after the other
 *
 * --plain uses libxenvchan alone, blocking, with the same rings: what our own is measured against.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/relay/relay-run.h"
#include "libqrexec/vchan/vchan.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

/* In this order. */
#include <xenctrl.h>

#include <libxenvchan.h>

#define RING       65536
#define CONNECT_MS 30000
#define MANY       64

enum op { OP_ECHO = 1, OP_SINK, OP_SOURCE, OP_QUIT };
struct head {
    uint32_t op, len;
    uint64_t sum;
};

struct link {
    struct vchan *v;
    struct libxenvchan *plain;
};

static unsigned char data[RING];
static bool plain;
static size_t ring = RING;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(const char *what, const char *detail)
{
    printf("vchan-peer: %s%s%s\n", what, *detail ? ": " : "", detail);
    fflush(stdout);
}

/* ---- Waiting ---- */

/* 0 something happened, -ETIMEDOUT, or what the vchan said. */
static int wait_vchan(struct vchan *v, uint64_t deadline)
{
    struct pollfd p = {.fd = vchan_fd(v), .events = vchan_events(v, true, true)};
    int left = deadline_left(deadline), own = vchan_timeout(v);

    if (!left)
        return -ETIMEDOUT;
    if (own >= 0 && (left < 0 || own < left))
        left = own;
    if (poll(&p, 1, left) < 0 && errno != EINTR)
        return -errno;
    return vchan_dispatch(v);
}

static int wait_connected(struct vchan *v, uint64_t deadline)
{
    int r = 0;

    while (!r && vchan_state(v) == VCHAN_WAITING)
        r = wait_vchan(v, deadline);
    return r;
}

static int open_plain(bool listens, uint32_t peer, uint32_t port, struct libxenvchan **ret)
{
    uint64_t deadline = clock_ms() + CONNECT_MS;
    struct libxenvchan *c = NULL;
    char path[128];
    uint32_t own;
    int r = vchan_own_domain(&own);

    if (!r)
        r = format(path, sizeof(path), "/local/domain/%u/data/vchan/%u/%u", listens ? own : peer,
                   listens ? peer : own, port);
    if (r)
        return r;
    if (listens)
        c = libxenvchan_server_init(NULL, (int)peer, path, ring, ring);
    while (!listens && !c && deadline_left(deadline)) {
        c = libxenvchan_client_init(NULL, (int)peer, path);
        if (!c)
            (void)poll(NULL, 0, 20);
    }
    if (!c)
        return -EIO;
    c->blocking = -1; /* a signed bit */
    *ret = c;
    return 0;
}

static int open_link(bool listens, uint32_t peer, uint32_t port, struct link *ret)
{
    int r;

    *ret = (struct link){NULL, NULL};
    if (plain)
        return open_plain(listens, peer, port, &ret->plain);
    r = listens ? vchan_listen(peer, port, ring, &ret->v) : vchan_connect(peer, port, &ret->v);
    return r ? r : wait_connected(ret->v, clock_ms() + CONNECT_MS);
}

static void close_link(struct link *l)
{
    if (l->plain)
        libxenvchan_close(l->plain);
    vchan_free(l->v);
    *l = (struct link){NULL, NULL};
}

static ssize_t move(struct link *l, void *p, size_t n, bool out)
{
    int r = 0;

    if (l->plain)
        return out ? libxenvchan_write(l->plain, p, n) : libxenvchan_read(l->plain, p, n);
    while (!r) {
        ssize_t done = out ? vchan_write(l->v, p, n) : vchan_read(l->v, p, n);

        if (done)
            return done;
        r = wait_vchan(l->v, 0);
    }
    return r;
}

static int move_all(struct link *l, void *p, size_t n, bool out)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = move(l, (char *)p + done, n - done, out);

        if (r <= 0)
            return r < 0 ? (int)r : -EPIPE;
        done += (size_t)r;
    }
    return 0;
}

/* ---- The exchange ---- */

static uint64_t sum_of(const void *p, size_t n, uint64_t sum)
{
    const uint64_t *word = p;

    for (size_t i = 0; i < n / sizeof(*word); i++)
        sum = sum * 31 + word[i];
    return sum;
}

static int take_bytes(struct link *l, size_t n, uint64_t *ret_sum)
{
    uint64_t sum = 0;
    int r = 0;

    for (size_t part; n && !r; n -= part) {
        part = size_min(n, sizeof(data));
        r = move_all(l, data, part, false);
        sum = sum_of(data, part, sum);
    }
    *ret_sum = sum;
    return r;
}

static int give_bytes(struct link *l, size_t n, uint64_t *ret_sum)
{
    uint64_t sum = 0, next = 88172645463325252ULL;
    int r = 0;

    for (size_t part; n && !r; n -= part) {
        part = size_min(n, sizeof(data));
        for (size_t i = 0; i < part; i += 4096) {
            next ^= next << 13, next ^= next >> 7, next ^= next << 17;
            memcpy(data + i, &next, sizeof(next));
        }
        sum = sum_of(data, part, sum);
        r = move_all(l, data, part, true);
    }
    *ret_sum = sum;
    return r;
}

static int serve(struct link *l)
{
    struct head h;
    int r = 0;

    while (!r) {
        r = move_all(l, &h, sizeof(h), false);
        if (r || h.op == OP_QUIT)
            break;
        if (h.op == OP_ECHO) {
            r = move_all(l, data, size_min(h.len, sizeof(data)), false);
            if (!r)
                r = move_all(l, data, size_min(h.len, sizeof(data)), true);
        } else if (h.op == OP_SINK) {
            r = take_bytes(l, h.len, &h.sum);
            if (!r)
                r = move_all(l, &h, sizeof(h), true);
        } else if (h.op == OP_SOURCE) {
            r = give_bytes(l, h.len, &h.sum);
            if (!r)
                r = move_all(l, &h, sizeof(h), true);
        } else {
            r = -EPROTO;
        }
    }
    return r;
}

static int ping(struct link *l, int n)
{
    double least = 1e9, all = 0;
    int r = 0;

    for (int i = 0; i < n && !r; i++) {
        struct head h = {.op = OP_ECHO, .len = 64};
        unsigned char text[64] = {(unsigned char)i}, back[64] = {0};
        double t = now();

        r = move_all(l, &h, sizeof(h), true);
        if (!r)
            r = move_all(l, text, sizeof(text), true);
        if (!r)
            r = move_all(l, back, sizeof(back), false);
        t = now() - t;
        if (!r && memcmp(text, back, sizeof(text)) != 0)
            r = -EBADMSG;
        all += t;
        least = t < least ? t : least;
    }
    if (!r && n)
        printf("vchan-peer: %d round trips, us: least %.0f, mean %.0f\n", n, least * 1e6,
               all / n * 1e6);
    return r;
}

static int bulk(struct link *l, enum op op, uint32_t mib)
{
    struct head h = {.op = (uint32_t)op, .len = mib << 20};
    uint64_t sum = 0;
    double t = now();
    int r = move_all(l, &h, sizeof(h), true);

    if (!r)
        r = op == OP_SINK ? give_bytes(l, h.len, &sum) : take_bytes(l, h.len, &sum);
    if (!r)
        r = move_all(l, &h, sizeof(h), false);
    t = now() - t;
    if (!r && h.sum != sum)
        r = -EBADMSG;
    if (!r)
        printf("vchan-peer: %u MiB %s, checksum right: %.1f MiB/s\n", mib,
               op == OP_SINK ? "there" : "back", mib / t);
    return r;
}

static int ask(struct link *l, int pings, uint32_t mib)
{
    struct head quit = {.op = OP_QUIT};
    int r = ping(l, pings);

    if (!r && mib)
        r = bulk(l, OP_SINK, mib);
    if (!r && mib)
        r = bulk(l, OP_SOURCE, mib);
    return r ? r : move_all(l, &quit, sizeof(quit), true);
}

/* ---- How it ends ---- */

static int hold(struct vchan *v, uint64_t ms)
{
    uint64_t deadline = clock_ms() + ms;
    double t = now();
    size_t bytes = 0;
    char text[128];
    int r = wait_connected(v, deadline);

    if (!r)
        say("connected", "");
    while (!r) {
        ssize_t n = vchan_read(v, data, sizeof(data));

        if (n > 0)
            bytes += (size_t)n;
        else if (n < 0)
            r = (int)n;
        else
            r = wait_vchan(v, deadline);
    }
    snprintf(text, sizeof(text), "%s after %.2f s, %zu bytes read, state %d",
             r == -EPIPE       ? "the peer closed"
             : r == -ETIMEDOUT ? "nothing, the time was up"
                               : vchan_error_text(r),
             now() - t, bytes, (int)vchan_state(v));
    say("ended", text);
    return r == -ETIMEDOUT;
}

/* ---- A data connection ---- */

static int carry(struct vchan *v, bool caller)
{
    struct relay_params p = RELAY_PARAMS_NULL;
    double t = now();
    int code, r;

    p.role = caller ? RELAY_CALLER : RELAY_SERVICE;
    p.vchan = v;
    p.in_fd = STDIN_FILENO;
    p.out_fd = STDOUT_FILENO;
    r = relay_run(&p, &code);
    fprintf(stderr, "vchan-peer: carried in %.3f s, code %d: %s\n", now() - t, code,
            r < 0 ? strerror(-r) : relay_error_text(r));
    return r ? r : code;
}

/* ---- Many ---- */

static int many(int n, uint32_t peer, uint32_t port)
{
    struct vchan *v[MANY] = {NULL};
    uint64_t deadline = clock_ms() + CONNECT_MS;
    int failed = 0, r;

    for (int i = 0; i < n; i++) {
        r = vchan_listen(peer, port + (uint32_t)i, ring, &v[i]);
        while (!r && vchan_timeout(v[i]) >= 0) /* waits for its place in xenstore */
            r = wait_vchan(v[i], deadline);
        if (r) {
            printf("vchan-peer: server %d of %d: %s\n", i + 1, n, vchan_error_text(r));
            failed++;
        }
    }
    printf("vchan-peer: %d servers, %d failed\n", n, failed);
    fflush(stdout);
    for (int i = 0; i < n; i++) {
        struct link l = {.v = v[i]};

        r = v[i] ? wait_connected(v[i], deadline) : -EIO;
        if (!r)
            r = serve(&l);
        failed += r != 0;
        vchan_free(v[i]);
    }
    printf("vchan-peer: %d servers, %d failed or did not serve\n", n, failed);
    return failed != 0;
}

static int asks(int n, uint32_t peer, uint32_t port)
{
    int failed = 0;

    for (int i = 0; i < n; i++) {
        struct link l;
        int r = open_link(false, peer, port + (uint32_t)i, &l);

        if (!r)
            r = ask(&l, 1, 0);
        failed += r != 0;
        close_link(&l);
    }
    printf("vchan-peer: %d clients, %d failed\n", n, failed);
    return failed != 0;
}

/* ---- Words ---- */

static int usage(void)
{
    fputs("usage: see the top of tests/xen/programs/vchan-peer.c\n", stderr);
    return 64;
}

static int run_two(const char *what, bool listens, uint32_t peer, uint32_t port, char **more)
{
    uint32_t a = more[0] ? (uint32_t)atoi(more[0]) : 0,
             b = more[0] && more[1] ? (uint32_t)atoi(more[1]) : 0;
    bool holds = str_equal(what, "hold");
    struct link l = {NULL, NULL};
    int r;

    if (str_equal(what, "carry")) {
        r = relay_prepare();
        if (!r)
            r = listens ? vchan_listen(peer, port, ring, &l.v) : vchan_connect(peer, port, &l.v);
        if (!r)
            r = carry(take(l.v), more[0] && str_equal(more[0], "caller"));
    } else if (holds) {
        r = listens ? vchan_listen(peer, port, ring, &l.v) : vchan_connect(peer, port, &l.v);
        if (!r)
            r = hold(l.v, a * 1000ULL);
    } else {
        r = open_link(listens, peer, port, &l);
        if (!r)
            r = str_equal(what, "serve") ? serve(&l) : ask(&l, (int)a, b);
    }
    close_link(&l);
    if (r < 0)
        say(what, vchan_error_text(r));
    return r != 0;
}

int main(int argc, char **argv)
{
    uint32_t peer, port, n;

    log_open("vchan-peer", LOG_TARGET_STDERR);
    for (; argc > 1 && str_starts(argv[1], "--"); argc--, argv++) {
        plain |= str_equal(argv[1], "--plain");
        if (str_starts(argv[1], "--ring="))
            ring = (size_t)atoi(argv[1] + strlen("--ring="));
    }
    if (argc < 5 || parse_u32(argv[3], 0x7fff, &peer) || parse_u32(argv[4], 65535, &port))
        return usage();
    if (str_equal(argv[1], "many") || str_equal(argv[1], "asks")) {
        if (parse_u32(argv[2], MANY, &n))
            return usage();
        return argv[1][0] == 'm' ? many((int)n, peer, port) : asks((int)n, peer, port);
    }
    return run_two(argv[1], str_equal(argv[2], "listen"), peer, port, argv + 5);
}
