/*
 * Many calls: open at once, in a row, to each kind of end; descriptors of services; refused and
 * abandoned ones.
 */
#include "tests/load/load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

static const struct call echo = {.from = 1, .target = "b", .service = "load.Echo", .size = 1000};

/* All of them have had their bytes back and hold the call open before the first one ends. */
static void calls_are_open_at_once(void)
{
    size_t n = full ? 1000 : 60, back = 0, right = 0;
    struct call *calls = calloc(n, sizeof(*calls)), **list = calloc(n, sizeof(struct call *));
    uint64_t begun = now_us(), all_open, deadline = clock_ms() + 120000;
    struct left before;

    if (!calls || !list)
        die("no memory");
    left_count(&before);
    for (size_t i = 0; i < n; i++) {
        list[i] = &calls[i];
        calls[i] = echo;
        calls[i].hold = true;
        call_start(&calls[i]);
        (void)calls_turn(list, i + 1, 0);
    }
    while (back < n && deadline_left(deadline) > 0) {
        (void)calls_turn(list, n, 1000);
        back = 0;
        for (size_t i = 0; i < n; i++)
            back += calls[i].pid > 0 && calls[i].got == calls[i].size;
    }
    all_open = now_us();
    for (size_t i = 0; i < n; i++)
        call_release(&calls[i]);
    (void)calls_finish(list, n, 120000);
    for (size_t i = 0; i < n; i++) {
        right += call_is_right(&calls[i]);
        if (!call_is_right(&calls[i]) && i - right < 5)
            call_print(&calls[i]);
    }
    check(back == n && right == n, "calls that are open at once all work",
          "%zu open, %zu right of %zu; open after %llu ms, over after %llu ms", back, right, n,
          (unsigned long long)(all_open - begun) / 1000,
          (unsigned long long)(now_us() - begun) / 1000);
    left_check(&before, WAIT_MS, "calls that were open at once");
    free(calls);
    free(list);
}

static void in_a_row(const char *what, const struct call *model, size_t n)
{
    struct left before;
    uint64_t begun, us, worst;
    size_t right;

    left_count(&before);
    begun = now_us();
    right = calls_run(model, n, 16, &worst);
    us = now_us() - begun;
    check(right == n, what, "%zu of %zu right, %llu us a call, worst %llu ms", right, n,
          (unsigned long long)(us / n), (unsigned long long)worst / 1000);
    left_check(&before, WAIT_MS, what);
}

static void calls_in_a_row_are_answered_once(void)
{
    struct call socket_service = echo, refused = echo, code = echo, dom0 = echo, big = echo;

    in_a_row("16 at a time, an executable service", &echo, full ? 10000 : 200);
    socket_service.service = "load.Socket";
    in_a_row("16 at a time, a socket service", &socket_service, full ? 10000 : 200);
    refused.service = "load.Refused";
    refused.deaf = true;
    refused.size = 0;
    refused.code = 126;
    in_a_row("16 at a time, refused", &refused, full ? 10000 : 200);
    code.service = "load.Code+42";
    code.deaf = true;
    code.size = 0;
    code.code = 42;
    in_a_row("16 at a time, an exit code", &code, full ? 2000 : 60);
    dom0.target = "dom0";
    dom0.service = "load.Dom0";
    in_a_row("16 at a time, a service in dom0", &dom0, full ? 2000 : 60);
    big.size = full ? 16U << 20 : 2U << 20;
    in_a_row("16 at a time, megabytes there and back", &big, full ? 64 : 16);
}

static void services_hold_only_their_descriptors(void)
{
    struct call list = {.from = 1, .target = "b", .service = "load.Descriptors"};
    int code;
    /* 3 is the directory that ls reads */
    _cleanup_(freep) char *text = call_text(&list, &code);

    check(code == 0 && str_equal(text, "0\n1\n2\n3\n"),
          "a service holds stdin, stdout and stderr, and nothing else", NULL);
}

/* Sent by hand: a million programs would measure something else. */
static size_t refuse_many(size_t n, size_t wide)
{
    struct pollfd *p = calloc(wide, sizeof(*p));
    size_t sent = 0, closed = 0;
    char byte;

    for (size_t i = 0; i < wide && p; i++)
        p[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (closed < n && p) {
        for (size_t i = 0; i < wide && sent < n; i++)
            if (p[i].fd < 0) {
                p[i].fd = dial_agent(&world.vms[0]);
                send_trigger(p[i].fd, "b", "load.Refused");
                sent++;
            }
        if (poll(p, wide, 10000) <= 0)
            break;
        for (size_t i = 0; i < wide; i++)
            if (p[i].fd >= 0 && p[i].revents) {
                closed += read(p[i].fd, &byte, 1) == 0;
                close_fd(&p[i].fd);
            }
    }
    for (size_t i = 0; i < wide && p; i++)
        close_fd(&p[i].fd);
    free(p);
    return closed;
}

#ifdef __SANITIZE_ADDRESS__ /* it keeps what was freed, up to 256 MiB */
#define GROWTH 262144       /* KiB */
#else
#define GROWTH 512
#endif

static void after_many_refusals_one_is_served(void)
{
    size_t n = full ? 1000000 : 2000, refused, daemon, agent, policy;
    struct left before;
    uint64_t begun, us;

    (void)refuse_many(500, 16);
    daemon = memory_of(world.vms[0].daemon);
    agent = memory_of(world.vms[0].agent);
    policy = memory_of(world.policy);
    left_count(&before);
    begun = now_us();
    refused = refuse_many(n, 32);
    us = now_us() - begun;
    check(refused == n && call_once(&echo) != UINT64_MAX, "after many refused calls one is served",
          "%zu of %zu refused, %llu us each; KiB of daemon %zu to %zu, agent %zu to %zu, policy "
          "daemon %zu to %zu",
          refused, n, (unsigned long long)(us / n), daemon, memory_of(world.vms[0].daemon), agent,
          memory_of(world.vms[0].agent), policy, memory_of(world.policy));
    check(memory_of(world.vms[0].daemon) < daemon + GROWTH &&
              memory_of(world.vms[0].agent) < agent + GROWTH &&
              memory_of(world.policy) < policy + 4 * GROWTH,
          "and nobody has grown by it", NULL);
    left_check(&before, WAIT_MS, "refused calls");
}

static bool stays(pid_t pid)
{
    for (size_t i = 0; i < VMS; i++)
        if (pid == world.vms[i].agent || pid == session_of(world.vms[i].agent))
            return true;
    return false;
}

static size_t kill_carriers(const char *comm)
{
    pid_t pids[512];
    size_t n = descendants(getpid(), comm, pids, ARRAY_SIZE(pids)), killed = 0;

    for (size_t i = 0; i < n; i++)
        if (!stays(pids[i]) && kill(pids[i], SIGKILL) == 0)
            killed++;
    return killed;
}

/* Each is replaced, once and a little later, by one that would tell the caller. */
void end_waiting_carriers(void)
{
    for (int i = 0, quiet = 0; i < 300 && quiet < 10; i++, quiet++) {
        if (kill_carriers("qrexec-agent") + kill_carriers("qrexec-session"))
            quiet = 0;
        (void)poll(NULL, 0, 20);
    }
}

/* Killed a little later each time: before its trigger, while it is decided, connecting, running. */
static void after_abandoned_calls_one_is_served(void)
{
    size_t n = full ? 200 : 60, worked;
    struct left before;
    uint64_t usual = call_once(&echo);

    left_count(&before);
    for (size_t i = 0; i < n; i++) {
        struct call c = echo, *list = &c;
        uint64_t until;

        c.hold = true;
        call_start(&c);
        until = c.begun + usual * 3 / 2 * i / n;
        while (now_us() < until)
            (void)calls_turn(&list, 1, 1);
        if (c.pid > 0)
            (void)kill(c.pid, SIGKILL);
        (void)calls_finish(&list, 1, WAIT_MS);
    }
    worked = calls_run(&echo, 5, 1, NULL);
    check(worked == 5, "after calls abandoned at each step the next are served", "%zu abandoned",
          n);
    /* at full size the time limit of a data connection ends the far ends of the last ones */
    if (!full)
        end_waiting_carriers();
    left_check(&before, full ? LEFT_LONG_MS : WAIT_MS, "abandoned calls");
}

/* The caller is allowed, and never comes to serve its end. */
static void after_calls_that_never_connect_one_is_served(void)
{
    size_t n = full ? 200 : 30, told = 0;
    struct left before;
    char peer[8];

    left_count(&before);
    for (size_t i = 0; i < n; i++) {
        int fd = dial_agent(&world.vms[0]);

        send_trigger(fd, "b", "load.Echo");
        told += read_full_until(fd, peer, sizeof(peer), clock_ms() + WAIT_MS) == 0;
        close_fd(&fd);
    }
    check(told == n && call_once(&echo) != UINT64_MAX,
          "after callers that left when they were told where to connect one is served",
          "%zu of %zu told", told, n);
    end_waiting_carriers();
    left_check(&before, WAIT_MS, "callers that left when they were told");
}

void many_checks(void)
{
    calls_are_open_at_once();
    calls_in_a_row_are_answered_once();
    services_hold_only_their_descriptors();
    after_many_refusals_one_is_served();
    after_abandoned_calls_one_is_served();
    after_calls_that_never_connect_one_is_served();
}
