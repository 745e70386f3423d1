/*
 * Raw connections, and crowds of them: 10,000 clients of one agent and of one daemon. Those over
 * the budget are told so, the rest work.
 */
#include "tests/load/load.h"

#include "libqrexec/wire/message.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static int dial(const char *path)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    int fd = -1, r;

    while ((r = unix_connect(path, &fd)) != 0 && deadline_left(deadline) > 0)
        sleep_ms(1);
    if (r)
        die("%s: %s", path, strerror(-r));
    return fd;
}

int dial_agent(const struct vm *vm)
{
    return dial(in_dir("agent.%s", vm->name));
}

int dial_daemon(const struct vm *vm)
{
    return dial(in_dir("run/qubes/qrexec.%u", vm->domid));
}

int dial_policy(void)
{
    return dial(in_dir("run/qubes/policy.sock"));
}

void send_trigger(int fd, const char *target, const char *service)
{
    unsigned char data[1024];
    struct wire_writer w = wire_writer(data, sizeof(data));
    struct wire_ident ident;
    struct wire_trigger t;

    if (wire_ident_from("SOCKET", &ident))
        die("no ident");
    t = wire_trigger_new("", target, service, &ident);
    if (wire_write_trigger(&w, WIRE_VERSION, &t))
        die("no trigger");
    (void)send(fd, data, w.len, MSG_NOSIGNAL); /* one over the budget may be closed already */
}

ssize_t read_until_end(int fd, void *data, size_t n, int ms)
{
    uint64_t deadline = clock_ms() + (uint64_t)ms;
    size_t got = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t r;

        if (poll(&p, 1, deadline_left(deadline)) <= 0)
            return -ETIMEDOUT;
        r = recv(fd, (char *)data + got, n - got, MSG_DONTWAIT);
        if (r <= 0)
            return (ssize_t)got;
        got += (size_t)r;
    }
}

struct crowd {
    int *fds;
    size_t n, closed;
    uint64_t us;
};

static void crowd_in(struct crowd *c, int (*dial_one)(const struct vm *), const struct vm *vm)
{
    uint64_t begun = now_us();

    *c = (struct crowd){.n = full ? 10000 : 5000};
    c->fds = calloc(c->n, sizeof(*c->fds));
    if (!c->fds)
        die("no memory");
    for (size_t i = 0; i < c->n; i++)
        c->fds[i] = dial_one(vm);
    c->us = now_us() - begun;
}

/* How many were turned away, and with what they were. */
static size_t crowd_closed(struct crowd *c, size_t within, size_t *ret_told)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    size_t closed = 0, told = 0;

    for (size_t i = 0; i < c->n; i++) {
        char data[256];
        ssize_t got;

        /* the oldest ones are in: only a look */
        got =
            read_until_end(c->fds[i], data, sizeof(data), i < within ? 0 : deadline_left(deadline));
        closed += got >= 0;
        told += got > 0;
    }
    *ret_told = told;
    return closed;
}

static void crowd_out(struct crowd *c)
{
    for (size_t i = 0; i < c->n; i++)
        close_fd(&c->fds[i]);
    free(c->fds);
}

static struct call dom0_call(const char *target)
{
    static const char *argv[5];

    argv[0] = program("qrexec-daemon/qrexec-client");
    argv[1] = "-d";
    argv[2] = target;
    argv[3] = "DEFAULT:QUBESRPC load.Echo dom0";
    argv[4] = NULL;
    return (struct call){.from = 0, .argv = argv, .size = 100};
}

#define AGENT_BUDGET  4096
#define DAEMON_BUDGET 4096

/* Nothing comes back but a code and a reason. */
static bool is_refused(struct call c, int code, struct call *ret)
{
    struct call *list = ret;

    c.code = code;
    c.deaf = true;
    c.size = 0;
    *ret = c;
    call_start(ret);
    (void)calls_finish(&list, 1, WAIT_MS);
    while (ret->text_len && ret->text[ret->text_len - 1] == '\n')
        ret->text[--ret->text_len] = 0;
    return call_is_right(ret) && ret->text_len > 0 && ret->ended - ret->begun < 2000000;
}

static void a_crowd_at_the_agent_is_turned_away_by_a_word(void)
{
    const struct vm *vm = &world.vms[0];
    struct call served = {.from = 1, .target = "b", .service = "load.Echo", .size = 100};
    struct call to_it = dom0_call("a");
    size_t closed, told, expected, memory = memory_of(vm->agent);
    struct left before;
    uint64_t dom0_us;
    struct crowd c;
    struct call refused;
    bool ok;

    left_count(&before);
    crowd_in(&c, dial_agent, vm);
    closed = crowd_closed(&c, AGENT_BUDGET, &told);
    expected = c.n - AGENT_BUDGET;
    check(closed == expected, "a crowd at an agent: those over the budget are turned away",
          "%zu clients in %llu ms, %zu turned away, agent's private memory %zu to %zu KiB", c.n,
          (unsigned long long)c.us / 1000, closed, memory, memory_of(vm->agent));
    dom0_us = call_once(&to_it);
    ok = is_refused(served, 126, &refused);
    check(ok, "one more caller of that user is refused at once, by a word", "%llu us, \"%s\"",
          (unsigned long long)(refused.ended - refused.begun), refused.text);
    check(dom0_us != UINT64_MAX, "what others call there works meanwhile", "%llu us",
          (unsigned long long)dom0_us);
    /* one of the crowd says what it wants, and is served */
    {
        char peer[8];

        send_trigger(c.fds[0], "b", "load.Echo");
        check(read_full_until(c.fds[0], peer, sizeof(peer), clock_ms() + WAIT_MS) == 0,
              "one that is in is served", NULL);
    }
    crowd_out(&c);
    served = (struct call){.from = 1, .target = "b", .service = "load.Echo", .size = 100};
    check(call_once(&served) != UINT64_MAX, "and when the crowd has gone all are", NULL);
}

static void a_crowd_at_the_daemon_is_turned_away_by_a_word(void)
{
    const struct vm *vm = &world.vms[0];
    struct call to_it = dom0_call("a");
    struct call vm_call = {.from = 1, .target = "b", .service = "load.Echo", .size = 100};
    size_t closed, told, memory = memory_of(vm->daemon);
    struct crowd c;
    struct call refused;
    uint64_t us;
    bool ok;

    crowd_in(&c, dial_daemon, vm);
    closed = crowd_closed(&c, DAEMON_BUDGET, &told);
    check(closed == c.n - DAEMON_BUDGET,
          "a crowd at a daemon: those over the budget are turned away",
          "%zu clients in %llu ms, %zu turned away, daemon's private memory %zu to %zu KiB", c.n,
          (unsigned long long)c.us / 1000, closed, memory, memory_of(vm->daemon));
    us = call_once(&vm_call);
    check(us != UINT64_MAX, "the domain's own calls work meanwhile", "%llu us",
          (unsigned long long)us);
    ok = is_refused(to_it, 125, &refused);
    check(ok, "one more client is refused at once, by a word", "%llu us, \"%s\"",
          (unsigned long long)(refused.ended - refused.begun), refused.text);
    crowd_out(&c);
    to_it = dom0_call("a");
    check(call_once(&to_it) != UINT64_MAX, "and when the crowd has gone it is served", NULL);
}

void crowd_checks(void)
{
    struct left before;

    left_count(&before);
    a_crowd_at_the_agent_is_turned_away_by_a_word();
    a_crowd_at_the_daemon_is_turned_away_by_a_word();
    end_waiting_carriers(); /* for the one of the crowd that was served */
    left_check(&before, WAIT_MS, "crowds");
}
