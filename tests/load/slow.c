/*
 * Slow, silent and half-finished peers: a hundred of them sit there, and another's call takes what
 * it takes without them. Measured in rounds taken in turn; and none of them sits there for ever.
 */
#include "tests/load/load.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PEERS 100
/* a user has 128 inotify instances for all that run, other tests too, and each vchan that is waited
 * for has one */
#define WAITING (full ? PEERS : 30)

static struct {
    int fds[PEERS];
    struct call calls[PEERS], *list[PEERS];
    size_t n_fds, n_calls;
    pid_t carriers[4 * PEERS];
} sitting;

static void sit(int fd, const void *data, size_t n)
{
    (void)send(fd, data, n, MSG_NOSIGNAL);
    sitting.fds[sitting.n_fds++] = fd;
}

static const unsigned char half_header[4] = {0x13, 2, 0, 0};
/* of a trigger, and the begin of its body */
static const unsigned char half_message[12] = {0x13, 2, 0, 0, 170, 0, 0, 0, 'a'};

static void at_the_agent(size_t i)
{
    sit(dial_agent(&world.vms[0]), i % 2 ? half_header : half_message,
        i % 3 == 0 ? 0
        : i % 2    ? sizeof(half_header)
                   : sizeof(half_message));
}

static void at_the_callers_daemon(size_t i)
{
    sit(dial_daemon(&world.vms[0]), half_header, i % 3 == 0 ? 0 : sizeof(half_header));
}

/* A hello, and half a request. */
static void at_the_targets_daemon(size_t i)
{
    static const unsigned char hello[] = {0, 3, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 0, 2, 0, 0, 99};

    sit(dial_daemon(&world.vms[1]), hello, i % 2 ? sizeof(hello) : 12);
}

static void at_the_policy_daemon(size_t i)
{
    static const char half[] = "source=a\nintended_target=b\nservice_and";

    sit(dial_policy(), half, i % 3 ? sizeof(half) - 1 : 0);
}

/* Told where to connect, they leave: the other end waits for a vchan that never comes up. */
static void a_vchan_that_never_comes_up(size_t i)
{
    char peer[8];
    int fd = dial_agent(&world.vms[0]);

    (void)i;
    send_trigger(fd, "b", "load.Echo");
    if (read_full_until(fd, peer, sizeof(peer), clock_ms() + WAIT_MS))
        die("a caller was not told where to connect");
    sitting.fds[sitting.n_fds++] = fd;
}

/* A call with more output than anybody reads: stopped where its bytes arrive. */
static void a_stopped_reader(size_t i)
{
    struct call *c = &sitting.calls[i];

    *c = (struct call){.from = 1, .target = "b", .service = "load.Some+100000000", .fixed = 1};
    call_start(c);
    sitting.list[sitting.n_calls++] = c;
}

static void stand_up(void)
{
    size_t n;

    for (size_t i = 0; i < sitting.n_fds; i++)
        close_fd(&sitting.fds[i]);
    for (size_t i = 0; i < sitting.n_calls; i++)
        if (sitting.calls[i].pid > 0)
            (void)kill(sitting.calls[i].pid, SIGKILL);
    (void)calls_finish(sitting.list, sitting.n_calls, WAIT_MS);
    n = carriers(world.vms[1].agent, sitting.carriers, ARRAY_SIZE(sitting.carriers));
    for (size_t i = 0; i < n; i++)
        (void)kill(sitting.carriers[i], SIGKILL);
    sitting.n_fds = sitting.n_calls = 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static uint64_t median(uint64_t *us, size_t n)
{
    qsort(us, n, sizeof(*us), compare);
    return us[n / 2];
}

/* One after the other, from a to b. */
static bool measure(uint64_t *us, size_t n)
{
    static const struct call one = {.from = 1, .target = "b", .service = "load.Socket", .size = 64};
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        us[i] = call_once(&one);
        ok = ok && us[i] != UINT64_MAX;
    }
    return ok;
}

#define ROUND 8
#define MOST  8

static void they_delay_nobody(const char *who, size_t peers, void (*add)(size_t i))
{
    uint64_t without[MOST * ROUND], with[MOST * ROUND];
    size_t rounds = full ? 8 : 2;
    bool ok = true;
    char what[128];

    for (size_t r = 0; r < rounds; r++) {
        ok = measure(without + r * ROUND, ROUND) && ok;
        for (size_t i = 0; i < peers; i++)
            add(i);
        ok = measure(with + r * ROUND, ROUND) && ok;
        stand_up();
    }
    {
        uint64_t a = median(without, rounds * ROUND), b = median(with, rounds * ROUND);

        (void)format(what, sizeof(what), "%zu %s delay nobody", peers, who);
        /* other tests run beside this one: twice as long is no news, a wait would be */
        check(ok && b < 3 * a + 50000, what, "median of a call %llu us without, %llu us with them",
              (unsigned long long)a, (unsigned long long)b);
    }
}

/* All are let go by themselves. The longest limit is a minute. */
static void they_are_let_go(void)
{
    static void (*const adds[])(size_t i) = {at_the_agent, at_the_callers_daemon,
                                             at_the_policy_daemon};
    static const char *const whose[] = {"agent's", "daemon's", "policy"};

    for (size_t k = 0; k < ARRAY_SIZE(adds); k++) {
        uint64_t begun = clock_ms();
        size_t gone = 0;
        char byte[256], what[128];

        for (size_t i = 0; i < PEERS; i++)
            adds[k](i);
        for (size_t i = 0; i < PEERS; i++)
            gone += read_until_end(sitting.fds[i], byte, sizeof(byte),
                                   (int)(begun + 70000 - clock_ms())) >= 0;
        (void)format(what, sizeof(what), "silent clients of the %s socket are let go", whose[k]);
        check(gone == PEERS, what, "%zu of %d within %llu ms", gone, PEERS,
              (unsigned long long)(clock_ms() - begun));
        stand_up();
    }
}

void slow_checks(void)
{
    struct left before;

    left_count(&before);
    they_delay_nobody("half-finished callers of an agent", PEERS, at_the_agent);
    they_delay_nobody("half-finished clients of the caller's daemon", PEERS, at_the_callers_daemon);
    they_delay_nobody("half-finished clients of the target's daemon", PEERS, at_the_targets_daemon);
    they_delay_nobody("half-finished clients of the policy daemon", PEERS, at_the_policy_daemon);
    they_delay_nobody("vchans that never come up", WAITING, a_vchan_that_never_comes_up);
    they_delay_nobody("stopped readers", PEERS, a_stopped_reader);
    left_check(&before, WAIT_MS, "slow peers");
    if (full)
        they_are_let_go();
}
