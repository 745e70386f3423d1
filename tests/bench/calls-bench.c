/*
 * What a call costs, as its caller sees it, against the same without qrexec in the same run, the
 * two measured in turns.
 *
 * usage: calls-bench [ROUNDS [IDLE-SECONDS]]; $builddir has the programs.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "tests/bench/bench.h"
#include "tests/bench/calls-stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PING      64
#define PINGS     2000
#define MOST      16
#define ARGS_MOST 16
#define MIB       (1U << 20)

static struct calls_stage stage;
static struct bench bench;
static int input; /* a file with a few bytes */

/* ---- One call after the other ---- */

struct kind {
    const char *what, *aim;
    const char *argv[ARGS_MOST];
    int code;
    bool answers; /* with its input */
};

static void vm_call(struct kind *k, const char *service)
{
    const char *const argv[] = {stage.client_vm, stage.agent_option, "two", service};

    memcpy(k->argv, argv, sizeof(argv));
}

struct running {
    pid_t pid;
    int out;
};

static struct running begin(const struct kind *k)
{
    struct running c;
    int fds[2], in;
    char path[32];

    (void)format(path, sizeof(path), "/proc/self/fd/%d", input);
    in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0 || pipe2(fds, O_CLOEXEC) < 0)
        bench_fail("pipe");
    c.pid = calls_stage_spawn(k->argv, in, fds[1]);
    c.out = fds[0];
    close(in);
    close(fds[1]);
    return c;
}

static void end(const struct kind *k, struct running *c, int status)
{
    char got[64];
    ssize_t n = read(c->out, got, sizeof(got));

    close_fd(&c->out);
    if (spawn_exit_code(status) != k->code ||
        (k->answers &&
         (n != sizeof(STAGE_INPUT) - 1 || memcmp(got, STAGE_INPUT, sizeof(STAGE_INPUT) - 1) != 0)))
        bench_fail(k->what);
}

static double one(const struct kind *k)
{
    double start = bench_now(), took;
    struct running c = begin(k);
    int status;

    if (waitpid(c.pid, &status, 0) < 0)
        bench_fail("waitpid");
    took = bench_now() - start;
    end(k, &c, status);
    return took;
}

static void bench_single(size_t rounds)
{
    char command[128];
    struct kind kinds[] = {
        {.what = "/bin/true", .aim = "", .argv = {"/bin/true"}},
        {.what = "call of an executable service", .aim = "3 x", .answers = true},
        {.what = "call of a socket service", .aim = "2.2 x", .answers = true},
        {.what = "refused call", .aim = "1.5 x", .code = 126},
        {.what = "dom0 to VM, true",
         .aim = "2.5 x",
         .argv = {stage.client, stage.socket_option, "-d", "two", command}},
    };
    struct samples s[ARRAY_SIZE(kinds)] = {{0}};
    double base = 0;

    (void)format(command, sizeof(command), "%s:true", stage.user);
    vm_call(&kinds[1], "bench.Cat");
    vm_call(&kinds[2], "bench.Socket");
    vm_call(&kinds[3], "bench.No");
    for (size_t i = 0; i < rounds + 5; i++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
            double took;

            setenv("VCHAN_DOMAIN", k == 4 ? "0" : "1", 1);
            took = one(&kinds[k]);
            if (i >= 5)
                samples_add(&s[k], took);
        }
    setenv("VCHAN_DOMAIN", "1", 1);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        char ratio[32] = "";
        double median = samples_percentile(&s[k], 50);

        if (k == 0)
            base = median;
        (void)format(ratio, sizeof(ratio), "%.2f x", median / base);
        bench_row(kinds[k].what, ratio, &s[k], kinds[k].aim);
        samples_deinit(&s[k]);
    }
}

/* ---- Many at once ---- */

static struct running *find(struct running *all, size_t n, pid_t pid)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].pid == pid)
            return &all[i];
    bench_fail("another child has ended");
}

/* Seconds for that many calls, so many at once. */
static double many(const struct kind *k, size_t at_once, size_t total)
{
    struct running all[MOST];
    double start = bench_now();
    size_t begun = 0;

    for (; begun < at_once; begun++)
        all[begun] = begin(k);
    for (size_t ended = 0; ended < total; ended++) {
        int status;
        struct running *c = find(all, at_once, waitpid(-1, &status, 0));

        end(k, c, status);
        c->pid = 0;
        if (begun < total) {
            *c = begin(k);
            begun++;
        }
    }
    return (bench_now() - start) / 1e9;
}

static void bench_many(void)
{
    static const struct {
        size_t at_once, total;
    } rows[] = {{4, 160}, {8, 320}, {16, 10000}};
    struct kind k = {.what = "a call among others", .answers = true};

    vm_call(&k, "bench.Cat");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        double alone = many(&k, 1, 100) / 100, took = many(&k, rows[i].at_once, rows[i].total);
        char size[32];

        alone = (alone + many(&k, 1, 100) / 100) / 2;
        (void)format(size, sizeof(size), "%zu at once", rows[i].at_once);
        bench_note("calls, none lost, rate over one at a time", size, "1.7 x", "%.2f x",
                   alone * (double)rows[i].total / took);
    }
}

/* ---- An open call ---- */

struct pair {
    pid_t pid;
    int in, out; /* to write, to read */
};

static struct pair open_pair(const char *const *argv)
{
    int in[2], out[2];
    struct pair p;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        bench_fail("pipe");
    p = (struct pair){calls_stage_spawn(argv, in[0], out[1]), in[1], out[0]};
    close(in[0]);
    close(out[1]);
    return p;
}

static void close_pair(struct pair *p)
{
    close(p->in);
    if (spawn_wait(p->pid))
        bench_fail("an open call failed");
    close(p->out);
}

static double ping(const struct pair *p)
{
    char bytes[PING] = {0};
    double start = bench_now();

    if (write_full(p->in, bytes, PING) || read_full(p->out, bytes, PING))
        bench_fail("ping");
    return bench_now() - start;
}

/* cpu -1: any. */
static void pin(pid_t pid, int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (cpu < 0 || i == cpu)
            CPU_SET(i, &set);
    if (sched_setaffinity(pid, sizeof(set), &set) < 0)
        bench_fail("sched_setaffinity");
}

static void pin_all(int cpu)
{
    pid_t all[] = {0,
                   stage.daemons[0],
                   stage.daemons[1],
                   stage.agents[0],
                   stage.agents[1],
                   stage.policy,
                   stage.spawner,
                   stage.socket_service};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        pin(all[i], cpu);
}

/*
 * Where both are free, the kernel may keep pipe and cat on one processor, and then no wake-up of
 * theirs crosses to another. What such a wake-up costs here shows in the third: a CPU for each end.
 */
enum { PIPE, CALL, PIPE_APART, PAIRS };

static void ping_in_turn(const struct pair p[static PAIRS], struct samples s[static PAIRS], int n)
{
    for (int turn = 0; turn < PINGS / 200; turn++)
        for (int i = 0; i < n; i++) {
            if (i == PIPE_APART)
                pin(0, 0);
            for (int j = 0; j < 200; j++)
                samples_add(&s[i], ping(&p[i]));
            if (i == PIPE_APART)
                pin(0, -1);
        }
}

static void bench_ping(bool one_cpu)
{
    const char *const cat[] = {"/bin/cat", NULL};
    struct samples s[PAIRS] = {{0}};
    struct kind k = {0};
    struct pair p[PAIRS];
    int n = one_cpu || sysconf(_SC_NPROCESSORS_ONLN) < 2 ? PIPE_APART : PAIRS;
    char ratio[32];
    double call;

    vm_call(&k, "bench.Cat");
    pin_all(one_cpu ? 0 : -1);
    for (int i = 0; i < n; i++)
        p[i] = open_pair(i == CALL ? k.argv : cat);
    if (n == PAIRS)
        pin(p[PIPE_APART].pid, 1);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < 100; j++)
            (void)ping(&p[i]);
    ping_in_turn(p, s, n);
    for (int i = 0; i < n; i++)
        close_pair(&p[i]);
    pin_all(-1);
    call = samples_percentile(&s[CALL], 50);
    (void)format(ratio, sizeof(ratio), "%.2f x", call / samples_percentile(&s[PIPE], 50));
    bench_row("64 bytes there and back, pipe and cat", one_cpu ? "one CPU" : "free", &s[PIPE], "");
    bench_row("64 bytes there and back, open call", ratio, &s[CALL], one_cpu ? "8 x" : "1.3 x");
    if (n == PAIRS) {
        bench_row("64 bytes there and back, pipe and cat", "CPU each", &s[PIPE_APART], "");
        bench_note("64 bytes there and back, open call", "over that", "1.3 x", "%.2f x",
                   call / samples_percentile(&s[PIPE_APART], 50));
    }
    for (int i = 0; i < n; i++)
        samples_deinit(&s[i]);
}

static double shell(const char *command)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    double start = bench_now();

    if (spawn_wait(calls_stage_spawn(argv, -1, -1)))
        bench_fail(command);
    return bench_now() - start;
}

static void bench_bulk(void)
{
    char commands[3][3 * PATH_SIZE];
    static const char *const what[] = {"1 GiB, head | cat | cat", "1 GiB, caller to service",
                                       "1 GiB, service to caller"};
    struct samples s[3] = {{0}};
    double base = 0;
    const char *gib = "1073741824";

    (void)format(commands[0], sizeof(commands[0]), "head -c %s /dev/zero | cat | cat >/dev/null",
                 gib);
    (void)format(commands[1], sizeof(commands[1]), "head -c %s /dev/zero | %s %s two bench.Sink",
                 gib, stage.client_vm, stage.agent_option);
    (void)format(commands[2], sizeof(commands[2]), "%s %s two bench.Source+%s | cat >/dev/null",
                 stage.client_vm, stage.agent_option, gib);
    for (int turn = 0; turn < 5; turn++)
        for (int i = 0; i < 3; i++)
            samples_add(&s[i], shell(commands[i]));
    for (int i = 0; i < 3; i++) {
        double median = samples_percentile(&s[i], 50);
        char ratio[32];

        base = i ? base : median;
        (void)format(ratio, sizeof(ratio), "%.0f MiB/s", 1024e9 / median);
        bench_note(what[i], ratio, i ? "0.95 x" : "", "%.2f x", base / median);
        samples_deinit(&s[i]);
    }
}

/* ---- What is held ---- */

static unsigned private_kib(pid_t pid)
{
    char path[64], line[256];
    unsigned n, all = 0;
    FILE *f;

    (void)format(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Private_Clean: %u", &n) == 1 ||
            sscanf(line, "Private_Dirty: %u", &n) == 1)
            all += n;
    if (f)
        fclose(f);
    return all;
}

/* The children of an agent: the processes that carry a call, and through them the service. */
static unsigned children_kib(pid_t pid, unsigned depth)
{
    char path[64];
    unsigned sum = 0;
    int child;
    FILE *f;

    (void)format(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    f = fopen(path, "re");
    while (f && fscanf(f, "%d", &child) == 1)
        sum += depth ? children_kib(child, depth - 1) : private_kib(child);
    if (f)
        fclose(f);
    return sum;
}

static void bench_memory(void)
{
    struct kind k = {0};
    struct pair p;
    unsigned caller, carrier, service;

    (void)poll(NULL, 0, 2000); /* at rest */
    bench_note("private memory", "daemon", "150 KiB", "%u KiB", private_kib(stage.daemons[1]));
    bench_note("private memory", "agent", "170 KiB", "%u KiB", private_kib(stage.agents[1]));
    vm_call(&k, "bench.Cat");
    p = open_pair(k.argv);
    (void)ping(&p);
    caller = private_kib(p.pid);
    carrier = children_kib(stage.agents[1], 0);
    service = children_kib(stage.agents[1], 1);
    bench_note("private memory of an open call", "caller, carrier", "350 KiB", "%u + %u = %u KiB",
               caller, carrier, caller + carrier);
    bench_note("its service, cat", "", "", "%u KiB", service);
    close_pair(&p);
}

static unsigned long switches(pid_t pid)
{
    char path[64], line[128];
    unsigned long n, sum = 0;
    FILE *f;

    (void)format(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
            sum += n;
    if (f)
        fclose(f);
    return sum;
}

static void bench_idle(int seconds)
{
    unsigned long daemon, agent;

    (void)poll(NULL, 0, 2000);
    daemon = switches(stage.daemons[1]);
    agent = switches(stage.agents[1]);
    (void)poll(NULL, 0, seconds * 1000);
    bench_note("wake-ups while nothing is to do", "daemon", "0", "%lu in %d s",
               switches(stage.daemons[1]) - daemon, seconds);
    bench_note("wake-ups while nothing is to do", "agent", "0", "%lu in %d s",
               switches(stage.agents[1]) - agent, seconds);
}

static uint32_t number(const char *text, uint32_t fallback)
{
    uint32_t n;

    return text && !parse_u32(text, 100000, &n) ? n : fallback;
}

int main(int argc, char **argv)
{
    uint32_t rounds = number(argc > 1 ? argv[1] : NULL, 300);
    uint32_t idle = number(argc > 2 ? argv[2] : NULL, 60);

    signal(SIGPIPE, SIG_IGN);
    calls_stage_start(&stage);
    bench_measure_clock(&bench);
    input = memfd_create("input", MFD_CLOEXEC);
    if (input < 0 || write_full(input, STAGE_INPUT, sizeof(STAGE_INPUT) - 1))
        bench_fail("memfd");
    bench_single(rounds);
    bench_ping(false);
    bench_ping(true);
    bench_bulk();
    bench_memory();
    bench_many();
    if (idle)
        bench_idle((int)idle);
    calls_stage_stop(&stage);
    return 0;
}
