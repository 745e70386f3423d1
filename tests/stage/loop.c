/* The event loop for tests: see loop.h. */
#include "tests/stage/loop.h"

#include <stdio.h>

#define MOST       16384
#define TURNS_MOST 20000

int (*stage_poll)(struct pollfd *p, nfds_t n, int ms) = poll;

static struct watch *watches[MOST];
static struct timer *timers[MOST];
static uint64_t due[MOST];
static size_t n_watches, n_timers;
static uint64_t now;
static bool poked, has_quit;

static void full(void)
{
    fputs("stage: too many watches or timers\n", stderr);
    abort();
}

static size_t find_watch(const struct watch *w)
{
    size_t i = 0;

    while (i < n_watches && watches[i] != w)
        i++;
    return i;
}

static size_t find_timer(const struct timer *t)
{
    size_t i = 0;

    while (i < n_timers && timers[i] != t)
        i++;
    return i;
}

void watch_set(struct watch *w, int fd, short events)
{
    size_t i = find_watch(w);

    watch_stop(w);
    w->fd = fd;
    w->events = events;
    if (!events)
        return;
    i = n_watches++;
    if (i == MOST)
        full();
    watches[i] = w;
}

void watch_stop(struct watch *w)
{
    size_t i = find_watch(w);

    w->events = 0;
    if (i < n_watches)
        watches[i] = watches[--n_watches];
}

void timer_set(struct timer *t, uint64_t ms)
{
    timer_stop(t);
    if (n_timers == MOST)
        full();
    timers[n_timers] = t;
    due[n_timers++] = now + ms;
    t->set = true;
}

void timer_stop(struct timer *t)
{
    size_t i = find_timer(t);

    t->set = false;
    if (i == n_timers)
        return;
    timers[i] = timers[--n_timers];
    due[i] = due[n_timers];
}

int loop_init(void)
{
    return 0;
}

int loop_run(void)
{
    return 0;
}

void loop_deinit(void)
{
}

void loop_quit(int code)
{
    (void)code;
    has_quit = true;
}

void loop_rest(void)
{
}

void loop_on_signal(int signo, void (*fn)(void *user), void *user)
{
    (void)signo;
    (void)fn;
    (void)user;
}

static short ready(const struct watch *w, bool was_poked)
{
    struct pollfd p = {.fd = w->fd, .events = w->events};

    if (w->fd >= STAGE_FD)
        return was_poked ? w->events : 0;
    return stage_poll(&p, 1, 0) > 0 ? p.revents : 0;
}

/* Each is looked at when its turn comes, since the one before may have stopped it. */
static bool turn_some(bool urgent, bool was_poked)
{
    static struct watch *all[MOST];
    size_t n = n_watches;
    bool any = false;

    memcpy(all, watches, n * sizeof(*all));
    for (size_t i = 0; i < n; i++) {
        bool there = find_watch(all[i]) < n_watches && all[i]->urgent == urgent;
        short revents = there ? ready(all[i], was_poked) : 0;

        if (!revents)
            continue;
        any = true;
        all[i]->fn(all[i], revents);
    }
    return any;
}

static bool turn_watches(void)
{
    bool was_poked = poked, any;

    poked = false;
    any = turn_some(true, was_poked);
    return turn_some(false, was_poked) || any;
}

/* Those that are due now; what they set is for the next turn. */
static bool turn_timers(void)
{
    static struct timer *all[MOST];
    size_t n = 0;

    for (size_t i = 0; i < n_timers; i++)
        if (due[i] <= now)
            all[n++] = timers[i];
    for (size_t i = 0; i < n; i++) {
        size_t at = find_timer(all[i]);

        if (at == n_timers || due[at] > now)
            continue;
        timer_stop(all[i]);
        all[i]->fn(all[i]);
    }
    return n > 0;
}

bool stage_turn(void)
{
    bool any = turn_watches();

    return turn_timers() || any;
}

bool stage_settle(void)
{
    int i = 0;

    while (i < TURNS_MOST && stage_turn())
        i++;
    return i < TURNS_MOST;
}

void stage_advance(uint64_t ms)
{
    now += ms;
}

void stage_poke(void)
{
    poked = true;
}

bool stage_has_quit(void)
{
    return has_quit;
}

size_t stage_watches(void)
{
    return n_watches;
}

size_t stage_timers(void)
{
    return n_timers;
}

void stage_reset(void)
{
    n_watches = n_timers = 0;
    now = 0;
    poked = has_quit = false;
}
