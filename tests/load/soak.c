/*
 * Mixed calls for as long as is wanted, while clients, services, what carries them, agents, daemons
 * and the policy daemon are killed at random and started again.
 *
 * Each call ends in one of two ways: with exactly its bytes and its code, or cleanly failed, and
 * then a kill must explain it. A kill of a call's own parts explains one call. A kill of an agent,
 * a daemon or the policy daemon explains those that were not established yet; only a disposable
 * goes with its caller's agent or daemon, since its life hangs on them. At the end all counts must
 * agree, and nothing may be left.
 */
#include "tests/load/load.h"

#include <errno.h>
#include <sys/wait.h>

#define SLOTS    96
#define YOUNG    8 /* calls at a time that are not stuck in a time limit */
#define YOUNG_US 4000000
/* the far end of one that nobody will connect: its time limit, and a little more */
#define HANG_US  140000000
#define SHOWN    20     /* of those without a reason */
#define SLACK_US 150000 /* what is told and what happens are not the same moment */

enum kind { ECHO, SOCKET, REFUSED, DISPOSABLE, BIG, HALF_CLOSE, TO_DOM0, FROM_DOM0, CODE, KINDS };

static const char *const kind_names[KINDS] = {"program",    "socket",    "refused",
                                              "disposable", "big",       "half-close",
                                              "to dom0",    "from dom0", "exit code"};

/* Whose end explains what. */
enum part { CLIENT, SERVICE, CARRIER, DISPOSED, SESSION, AGENT, DAEMON, POLICY, PARTS };

static const char *const part_names[PARTS] = {"clients",  "services", "carriers", "disposables",
                                              "sessions", "agents",   "daemons",  "policy daemons"};

struct event {
    uint64_t at, back; /* back: it serves again; 0 not yet */
    enum part part;
    uint32_t domid; /* SESSION, AGENT, DAEMON */
    bool used;      /* has explained its one call */
    uint64_t user;  /* when that began */
};

/* What is killed and started again. */
struct restart {
    pid_t *pid;
    struct vm *vm; /* NULL: the policy daemon */
    enum part part;
    uint64_t at; /* when to start it; 0: it runs */
};

static struct {
    struct call calls[SLOTS], *list[SLOTS];
    bool killed[SLOTS];
    struct event *events;
    size_t n_events, most_events;
    struct restart restarts[2 * VMS + 1];
    size_t kills[PARTS], started[KINDS], right[KINDS], failed[KINDS];
    size_t slow;               /* of those that failed */
    size_t unexplained, ports; /* that may stay reserved */
} s;

static struct event *note(enum part part, uint32_t domid)
{
    if (s.n_events == s.most_events) {
        s.most_events = s.most_events ? 2 * s.most_events : 64;
        s.events = reallocarray(s.events, s.most_events, sizeof(*s.events));
        if (!s.events)
            die("no memory");
    }
    s.events[s.n_events] = (struct event){.at = now_us(), .part = part, .domid = domid};
    s.kills[part]++;
    return &s.events[s.n_events++];
}

/* ---- calls ---- */

static uint32_t another(uint32_t domid)
{
    uint32_t other = 1 + rnd(VMS - 1);

    return other >= domid ? other + 1 : other;
}

static const char *name_of(uint32_t domid)
{
    return world.vms[domid - 1].name;
}

static void choose(struct call *c)
{
    static const char *from_dom0[VMS][5];
    enum kind kind = rnd(KINDS);
    uint32_t from = 1 + rnd(VMS), to = another(from);

    *c = (struct call){.from = from, .target = name_of(to), .kind = kind, .size = rnd(3000)};
    switch (kind) {
    case ECHO: c->service = "load.Echo"; break;
    case SOCKET: c->service = "load.Socket"; break;
    case REFUSED:
        *c = (struct call){.from = from,
                           .target = name_of(to),
                           .kind = kind,
                           .deaf = true,
                           .service = "load.Refused",
                           .code = 126};
        break;
    case DISPOSABLE:
        c->target = "@dispvm";
        c->service = "load.Disposable";
        break;
    case BIG:
        c->service = rnd(2) ? "load.Echo" : "load.Socket";
        c->size = (1 + rnd(8)) << 20;
        break;
    case HALF_CLOSE:
        c->service = "load.After+5000";
        c->fixed = 5000;
        c->code = 7;
        c->size = rnd(300000);
        break;
    case TO_DOM0:
        c->target = "dom0";
        c->service = "load.Dom0";
        break;
    case FROM_DOM0: {
        const char **argv = from_dom0[to - 1];

        argv[0] = program("qrexec-daemon/qrexec-client");
        argv[1] = "-d";
        argv[2] = name_of(to);
        argv[3] = "DEFAULT:QUBESRPC load.Echo dom0";
        c->target = NULL;
        c->argv = argv;
        c->from = 0;
        break;
    }
    case CODE:
        c->service = "load.Code+42";
        c->deaf = true;
        c->code = 42;
        c->size = 0;
        break;
    case KINDS: break;
    }
}

/* By name: that of dom0's calls stands in their arguments. */
static bool involves(const struct call *c, uint32_t domid)
{
    const char *target = c->target ? c->target : c->argv[2];

    return c->from == domid || str_equal(target, name_of(domid));
}

static bool part_explains(struct event *e, const struct call *c)
{
    if (e->used || e->at + SLACK_US < c->begun || e->at > c->ended + SLACK_US)
        return false;
    return e->part == DISPOSED ? c->kind == DISPOSABLE : e->part == SERVICE || e->part == CARRIER;
}

static bool loss_explains(const struct event *e, const struct call *c)
{
    bool hangs_on_it = c->kind == DISPOSABLE && e->part != POLICY && e->domid == c->from;
    bool was_up = c->first && c->first < e->at;

    if (e->part < SESSION || e->at > c->ended + SLACK_US ||
        (e->back && e->back + SLACK_US < c->begun))
        return false;
    if (e->part != POLICY && !involves(c, e->domid))
        return false;
    return (hangs_on_it && e->part != SESSION) || !was_up;
}

static bool is_explained(size_t slot)
{
    const struct call *c = &s.calls[slot];

    if (s.killed[slot])
        return true;
    for (size_t i = s.n_events; i-- > 0;)
        if (loss_explains(&s.events[i], c))
            return true;
    for (size_t i = s.n_events; i-- > 0;)
        if (part_explains(&s.events[i], c)) {
            s.events[i].used = true;
            s.events[i].user = c->begun;
            return true;
        }
    return false;
}

/* Nothing false came, not more than should, and it does not say that all went well. */
static bool is_clean(const struct call *c)
{
    return c->over && c->got_code > 0 && !c->wrong && c->got <= (c->fixed ? c->fixed : c->size);
}

/* A call, and what was killed around it. */
static void print_story(const struct call *c, const char *what)
{
    printf("  %s (%s, first byte after %lld us, at %llu):\n", what, kind_names[c->kind],
           c->first ? (long long)(c->first - c->begun) : -1LL, (unsigned long long)c->begun);
    call_print(c);
    for (size_t i = s.n_events; i-- > 0 && s.events[i].at + 3000000 > c->begun;)
        if (s.events[i].at < c->begun + 3000000)
            printf("    %s of %u killed at %+lld us, back %+lld us, explains one at %llu\n",
                   part_names[s.events[i].part], s.events[i].domid,
                   (long long)(s.events[i].at - c->begun),
                   s.events[i].back ? (long long)(s.events[i].back - c->begun) : -1LL,
                   (unsigned long long)s.events[i].user);
}

static void take_stock(size_t slot)
{
    struct call *c = &s.calls[slot];
    bool right = call_is_right(c), clean = right || (is_clean(c) && is_explained(slot));
    bool slow = c->ended - c->begun > YOUNG_US;

    if (right) {
        s.right[c->kind]++;
    } else {
        s.failed[c->kind]++;
        s.slow += slow;
        s.unexplained += !clean;
        if (!clean && s.unexplained <= SHOWN)
            print_story(c, "no kill explains this");
        else if (getenv("LOAD_VERBOSE"))
            print_story(c, slow ? "failed, and took long" : "failed");
    }
    c->over = false;
}

static void fill_slots(bool more)
{
    uint64_t now = now_us();
    size_t young = 0;

    for (size_t i = 0; i < SLOTS; i++) {
        struct call *c = &s.calls[i];

        if (c->pid > 0 && now - c->begun > HANG_US) {
            (void)kill(c->pid, SIGKILL); /* no clean end, and killed[] does not excuse it */
            printf("  hangs: ");
            call_print(c);
            s.unexplained++;
            s.killed[i] = true;
            c->begun = now;
        }
        young += c->pid > 0 && now - c->begun < YOUNG_US;
    }
    for (size_t i = 0; i < SLOTS && more && young < YOUNG; i++) {
        if (s.calls[i].pid > 0 || s.calls[i].over)
            continue;
        choose(&s.calls[i]);
        s.killed[i] = false;
        s.started[s.calls[i].kind]++;
        call_start(&s.calls[i]);
        young++;
    }
}

/* ---- kills ---- */

static size_t calls_of(uint32_t domid)
{
    size_t n = 0;

    for (size_t i = 0; i < SLOTS; i++)
        n += s.calls[i].pid > 0 && involves(&s.calls[i], domid);
    return n;
}

static void kill_client(void)
{
    size_t i = rnd(SLOTS);

    for (size_t tries = 0; tries < SLOTS && s.calls[i].pid <= 0; tries++)
        i = (i + 1) % SLOTS;
    if (s.calls[i].pid <= 0)
        return;
    s.killed[i] = true;
    (void)note(CLIENT, 0);
    (void)kill(s.calls[i].pid, SIGKILL);
}

static void kill_carrier(pid_t agent)
{
    pid_t pids[256];
    size_t n = carriers(agent, pids, ARRAY_SIZE(pids));

    if (!n)
        return;
    (void)note(CARRIER, 0);
    (void)kill(pids[rnd((uint32_t)n)], SIGKILL);
}

/* The agent makes another with the next call. */
static void kill_session(const struct vm *vm)
{
    pid_t pid = session_of(vm->agent);
    struct event *e;

    if (!pid)
        return;
    e = note(SESSION, vm->domid);
    (void)kill(pid, SIGKILL);
    e->back = now_us();
}

/* What runs below root and is called that. */
static void kill_below(pid_t root, enum part part, const char *comm)
{
    pid_t pids[256], pid;
    size_t n = descendants(root, comm, pids, ARRAY_SIZE(pids));

    if (!n)
        return;
    pid = pids[rnd((uint32_t)n)];
    (void)note(part, 0);
    (void)kill(pid, SIGKILL);
}

static void kill_restart(void)
{
    struct restart *r = &s.restarts[rnd(ARRAY_SIZE(s.restarts))];
    struct event *e;

    if (r->at || *r->pid <= 0)
        return;
    e = note(r->part, r->vm ? r->vm->domid : 0);
    if (r->part == AGENT)
        s.ports += calls_of(e->domid) + 1;
    end_process(r->pid, rnd(4) ? SIGKILL : SIGTERM);
    e->at = now_us(); /* until here it may have served */
    r->at = clock_ms() + 1 + rnd(300);
}

static void kill_somebody(void)
{
    const struct vm *vm = &world.vms[rnd(VMS)];
    pid_t agent = vm->agent;

    switch (rnd(9)) {
    case 0:
    case 1: kill_client(); break;
    case 2:
        if (agent > 0)
            kill_below(agent, SERVICE, rnd(2) ? "cat" : "sh");
        break;
    case 3:
        if (agent > 0)
            kill_carrier(agent);
        break;
    case 5:
        if (agent > 0)
            kill_session(vm);
        break;
    case 4: kill_below(world.spawner, DISPOSED, rnd(2) ? "qrexec-daemon" : "qrexec-agent"); break;
    default: kill_restart(); break;
    }
}

/* Starts what is due, and notes what serves again. */
static void look_after(bool at_once)
{
    for (size_t i = 0; i < ARRAY_SIZE(s.restarts); i++) {
        struct restart *r = &s.restarts[i];

        if (!r->at || (!at_once && clock_ms() < r->at))
            continue;
        r->at = 0;
        if (!r->vm)
            policy_start();
        else if (r->part == AGENT)
            agent_start(r->vm);
        else
            daemon_start(r->vm);
    }
    for (size_t i = 0; i < s.n_events; i++) {
        struct event *e = &s.events[i];
        const struct vm *vm = e->domid ? &world.vms[e->domid - 1] : NULL;

        if (e->part < AGENT || e->back)
            continue;
        if (vm ? vm->agent > 0 && vm->daemon > 0 && vm_serves(vm) : world.policy > 0)
            e->back = now_us();
    }
}

static size_t sum(const size_t *counts)
{
    size_t n = 0;

    for (size_t i = 0; i < KINDS; i++)
        n += counts[i];
    return n;
}

static void turn(bool more)
{
    fill_slots(more);
    (void)calls_turn(s.list, SLOTS, 20);
    look_after(!more);
    for (size_t i = 0; i < SLOTS; i++)
        if (s.calls[i].over)
            take_stock(i);
}

static void prepare(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        s.list[i] = &s.calls[i];
    for (size_t i = 0; i < VMS; i++) {
        struct vm *vm = &world.vms[i];

        s.restarts[2 * i] = (struct restart){&vm->agent, vm, AGENT, 0};
        s.restarts[2 * i + 1] = (struct restart){&vm->daemon, vm, DAEMON, 0};
    }
    s.restarts[2 * VMS] = (struct restart){&world.policy, NULL, POLICY, 0};
    write_file(in_dir("services/load.After"),
               "#!/bin/sh\ncat >/dev/null\nhead -c \"$1\" /dev/zero\nexit 7\n", 0755);
}

/* With few seconds there is none for the time limit of what will never connect. */
static void end_calls(bool wait)
{
    uint64_t deadline = clock_ms() + (wait ? 150000 : 3000);

    while (sum(s.started) > sum(s.right) + sum(s.failed)) {
        if (deadline_left(deadline) == 0)
            for (size_t i = 0; i < SLOTS; i++)
                if (s.calls[i].pid > 0) {
                    s.unexplained += wait || !s.n_events;
                    s.killed[i] = true;
                    (void)kill(s.calls[i].pid, SIGKILL);
                }
        turn(false);
    }
}

static void print_counts(void)
{
    for (size_t i = 0; i < KINDS; i++)
        printf("  %-10s %6zu started, %6zu right, %5zu failed cleanly\n", kind_names[i],
               s.started[i], s.right[i], s.failed[i]);
    printf("  of those that failed %zu took over %u s\n  killed:", s.slow, YOUNG_US / 1000000);
    for (size_t i = 0; i < PARTS; i++)
        printf(" %zu %s%s", s.kills[i], part_names[i], i + 1 < PARTS ? "," : "\n");
    fflush(stdout);
}

void soak(unsigned seconds)
{
    bool wait = seconds >= 120;
    uint64_t end, next_kill, next_word;
    struct left before;

    prepare();
    warm_up(); /* other checks have killed sessions */
    left_count(&before);
    end = clock_ms() + seconds * 1000ULL;
    next_kill = clock_ms() + 500;
    next_word = clock_ms() + 60000;
    while (clock_ms() < end) {
        turn(true);
        if (clock_ms() >= next_kill) {
            kill_somebody();
            next_kill = clock_ms() + 50 + rnd(1500);
        }
        if (clock_ms() >= next_word) {
            printf("# %zu calls, %zu right, %zu failed, %zu kills, %zu without a reason\n",
                   sum(s.started), sum(s.right), sum(s.failed), s.n_events, s.unexplained);
            fflush(stdout);
            next_word += 60000;
        }
    }
    look_after(true);
    end_calls(wait);
    print_counts();
    check(s.unexplained == 0 && sum(s.started) == sum(s.right) + sum(s.failed) &&
              sum(s.right) > sum(s.started) / 2,
          "every call had its bytes and its code, or failed cleanly for a kill",
          "%zu calls, %zu right, %zu failed, %zu without a reason; %zu kills in %u s",
          sum(s.started), sum(s.right), sum(s.failed), s.unexplained, s.n_events, seconds);
    for (size_t i = 0; i < VMS; i++)
        vm_wait(&world.vms[i]);
    warm_up();
    before.ports += s.ports;
    /* of a client whose agent was killed before it: until the port is used again */
    before.files += s.kills[CLIENT];
    if (!wait)
        end_waiting_carriers();
    left_check(&before, wait ? LEFT_LONG_MS : WAIT_MS, "the soak");
    free(s.events);
}
