/*
 * Killed in the middle: what is established goes on, what waits is refused at once, what comes
 * later is served; a disposable is gone when its call is.
 */
#include "tests/load/load.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#define RUNNING 4
#define PENDING 20
#define MORE    (1U << 20)

static const struct call echo = {.from = 1, .target = "b", .service = "load.Echo", .size = 1000};

struct victim {
    const char *name;
    pid_t *pid;
    void (*again)(void);
};

static void again_a_daemon(void)
{
    daemon_start(&world.vms[0]);
}
static void again_b_daemon(void)
{
    daemon_start(&world.vms[1]);
}
static void again_a_agent(void)
{
    agent_start(&world.vms[0]);
}
static void again_b_agent(void)
{
    agent_start(&world.vms[1]);
}

static const struct victim victims[] = {
    {"the caller's daemon", &world.vms[0].daemon, again_a_daemon},
    {"the target's daemon", &world.vms[1].daemon, again_b_daemon},
    {"the caller's agent", &world.vms[0].agent, again_a_agent},
    {"the target's agent", &world.vms[1].agent, again_b_agent},
    {"the policy daemon", &world.policy, policy_start},
};

static uint64_t wait_until_served(void)
{
    uint64_t begun = now_us();

    vm_wait(&world.vms[0]);
    vm_wait(&world.vms[1]);
    return now_us() - begun;
}

/* Some bytes went through before it is killed, many more go through after it. */
static void running_calls_go_on(const struct victim *v, int sig)
{
    struct call calls[RUNNING], *list[RUNNING];
    size_t right = 0;
    struct left before;
    uint64_t us, last;
    char what[128];
    bool begun = false;

    left_count(&before);
    for (size_t i = 0; i < RUNNING; i++) {
        calls[i] = echo;
        calls[i].hold = true;
        if (i % 2)
            calls[i].service = "load.Socket";
        list[i] = &calls[i];
        call_start(&calls[i]);
    }
    for (int turns = 0; !begun && turns < 2000; turns++) {
        begun = true;
        (void)calls_turn(list, RUNNING, 10);
        for (size_t i = 0; i < RUNNING; i++)
            begun = begun && calls[i].got > 0;
    }
    for (size_t i = 0; i < RUNNING; i++)
        calls[i].size = MORE;
    (void)calls_turn(list, RUNNING, 0); /* bytes are on their way */
    end_process(v->pid, sig);
    for (int turns = 0; turns < 5; turns++)
        (void)calls_turn(list, RUNNING, 5);
    v->again();
    us = wait_until_served();
    for (size_t i = 0; i < RUNNING; i++)
        call_release(&calls[i]);
    (void)calls_finish(list, RUNNING, WAIT_MS);
    for (size_t i = 0; i < RUNNING; i++) {
        right += call_is_right(&calls[i]);
        if (!call_is_right(&calls[i]))
            call_print(&calls[i]);
    }
    last = call_once(&echo);
    (void)format(what, sizeof(what), "%s %s: established calls go on, and the next are served",
                 v->name, sig == SIGKILL ? "is killed" : "ends");
    check(begun && right == RUNNING && last != UINT64_MAX, what,
          "%zu of %d right, served again %llu ms after its start, next call %llu us", right,
          RUNNING, (unsigned long long)us / 1000, (unsigned long long)last);
    /* what the next agent does not know it cannot report: those ports stay reserved */
    if (v->pid == &world.vms[0].agent || v->pid == &world.vms[1].agent)
        before.ports += RUNNING;
    left_check(&before, WAIT_MS, v->name);
}

/* The policy daemon stands still, so that all of them wait for a decision. */
static void waiting_calls_end_at_once(const struct victim *v)
{
    struct call calls[PENDING], *list[PENDING];
    uint64_t killed, worst = 0;
    size_t clean = 0;
    char what[128];

    (void)kill(world.policy, SIGSTOP);
    for (size_t i = 0; i < PENDING; i++) {
        calls[i] = echo;
        list[i] = &calls[i];
        call_start(&calls[i]);
    }
    for (int turns = 0; turns < 10; turns++)
        (void)calls_turn(list, PENDING, 10);
    killed = now_us();
    end_process(v->pid, SIGKILL);
    (void)calls_finish(list, PENDING, WAIT_MS);
    for (size_t i = 0; i < PENDING; i++) {
        const struct call *c = &calls[i];
        /* without the policy daemon its program decides, for as many as may wait for it */
        bool ok = c->got == 0 ? (c->got_code == 126 || c->got_code == 1) && c->text_len > 0
                              : v->pid == &world.policy && call_is_right(c);

        clean += ok;
        if (!ok)
            call_print(c);
        if (c->ended - killed > worst)
            worst = c->ended - killed;
    }
    (void)kill(world.policy, SIGCONT);
    v->again();
    (void)wait_until_served();
    (void)format(what, sizeof(what), "%s is killed: who waits for an answer ends at once", v->name);
    check(clean == PENDING && worst < 1000000, what, "%zu of %d refused with a word, worst %llu ms",
          clean, PENDING, (unsigned long long)worst / 1000);
    check(call_once(&echo) != UINT64_MAX, "and the next call is served", NULL);
}

/* Their answers come when others wait under newer idents. */
static void answers_to_callers_that_left_reach_nobody(void)
{
    struct call calls[2 * PENDING], *list[2 * PENDING];
    size_t right = 0, n = ARRAY_SIZE(calls);
    struct left before;

    left_count(&before);
    (void)kill(world.policy, SIGSTOP);
    for (size_t i = 0; i < PENDING; i++) {
        calls[i] = echo;
        calls[i].code = 128 + SIGKILL;
        calls[i].service = "load.Refused";
        list[i] = &calls[i];
        call_start(&calls[i]);
    }
    for (int turns = 0; turns < 5; turns++)
        (void)calls_turn(list, PENDING, 10);
    for (size_t i = 0; i < PENDING; i++)
        (void)kill(calls[i].pid, SIGKILL);
    for (size_t i = PENDING; i < n; i++) {
        calls[i] = echo;
        list[i] = &calls[i];
        call_start(&calls[i]);
    }
    for (int turns = 0; turns < 5; turns++)
        (void)calls_turn(list, n, 10);
    (void)kill(world.policy, SIGCONT);
    (void)calls_finish(list, n, WAIT_MS);
    for (size_t i = PENDING; i < n; i++)
        right += call_is_right(&calls[i]);
    check(right == PENDING, "answers to callers that left reach nobody else", "%zu of %d right",
          right, PENDING);
    left_check(&before, WAIT_MS, "callers that left before their answer");
}

static size_t disposables(void)
{
    static pid_t pids[64];

    return descendants(world.spawner, "qrexec-daemon", pids, ARRAY_SIZE(pids));
}

/* No byte flows; how long until it is gone. */
static void its_disposable_goes(const char *what, pid_t *victim, void (*again)(void))
{
    struct call c = {
        .from = 1, .target = "@dispvm", .service = "load.Disposable", .size = 100, .hold = true};
    struct call *list = &c;
    uint64_t killed, us;
    bool up = false;

    call_start(&c);
    for (int turns = 0; !up && turns < 1000; turns++) {
        (void)calls_turn(&list, 1, 10);
        up = c.got == c.size && disposables() == 1;
    }
    killed = now_us();
    if (victim)
        end_process(victim, SIGKILL);
    else if (c.pid > 0)
        (void)kill(c.pid, SIGKILL);
    while (disposables() > 0 && now_us() - killed < 5000000)
        (void)calls_turn(&list, 1, 5);
    us = now_us() - killed;
    if (!up)
        call_print(&c);
    if (c.pid > 0)
        (void)kill(c.pid, SIGKILL);
    (void)calls_finish(&list, 1, WAIT_MS);
    if (again)
        again();
    (void)wait_until_served();
    check(up && us < 2000000, what, "%llu ms", (unsigned long long)us / 1000);
}

/* Ten at once, while the opener's call is open: no port is that of another one. */
static void write_back(void)
{
    _cleanup_(freep) char *text =
        format_new("#!/bin/sh\n"
                   "back() { out=$(echo \"$1\" | %s -a %s/agent.disp$VCHAN_DOMAIN a load.Echo) &&\n"
                   "    [ \"$out\" = \"$1\" ]; }\n"
                   "for i in 0 1 2 3 4 5 6 7 8 9; do back $i </dev/null & pids=\"$pids $!\"; done\n"
                   "for p in $pids; do wait $p || exit 9; done\nexec cat\n",
                   program("qrexec-agent/qrexec-client-vm"), world.dir);

    if (!text)
        die("no memory");
    write_file(in_dir("services/load.Back"), text, 0755);
}

/*
 * The daemon of the lower domain, the opener's, gives the even ones; the disposable's gave 513 for
 * the call that is open. How many are logged; 0: one is not even.
 */
static size_t even_ports_back(void)
{
    _cleanup_(freep) char *log = NULL;
    size_t n, lines = 0;
    unsigned domain, port;

    if (file_read(in_dir("log/a"), 64U << 20, &log, &n))
        return 0;
    for (const char *at = log; (at = strstr(at, ": domain ")); at++)
        if (sscanf(at, ": domain %u -> a, port %u:", &domain, &port) == 2 && domain >= 100) {
            if (port % 2)
                return 0;
            lines++;
        }
    return lines;
}

static void a_disposable_calls_its_opener_back(void)
{
    struct call c = {
        .from = 1, .target = "@dispvm", .service = "load.Back", .size = 100, .hold = true};
    struct call *list = &c;
    struct left before;
    bool lives = false;

    write_back();
    warm_up();
    left_count(&before);
    call_start(&c);
    for (int turns = 0; !lives && !c.over && turns < 1000; turns++) {
        (void)calls_turn(&list, 1, 10);
        lives = c.got == c.size && disposables() == 1;
    }
    call_release(&c);
    if (!calls_finish(&list, 1, WAIT_MS) || !call_is_right(&c))
        call_print(&c);
    check(lives && call_is_right(&c), "a disposable calls its opener back ten times and lives",
          NULL);
    left_check(&before, WAIT_MS, "a disposable that called back");
    check(even_ports_back() > 0, "no port of these is one of the other direction", "%zu logged",
          even_ports_back());
}

static void disposables_end_with_their_calls(void)
{
    struct left before;

    left_count(&before);
    its_disposable_goes("a disposable is gone soon after its opener was killed", NULL, NULL);
    its_disposable_goes("and after the opener's agent was", &world.vms[0].agent, again_a_agent);
    its_disposable_goes("and after the opener's daemon was", &world.vms[0].daemon, again_a_daemon);
    before.ports++; /* the opener's agent's: as above */
    left_check(&before, WAIT_MS, "disposables");
}

void kill_checks(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(victims); i++) {
        running_calls_go_on(&victims[i], SIGKILL);
        if (full || i % 2 == 0)
            running_calls_go_on(&victims[i], SIGTERM);
        if (victims[i].pid != &world.vms[1].daemon && victims[i].pid != &world.vms[1].agent)
            waiting_calls_end_at_once(&victims[i]);
    }
    answers_to_callers_that_left_reach_nobody();
    a_disposable_calls_its_opener_back();
    disposables_end_with_their_calls();
}
