/*
 * A decision over the policy socket, warm, against a bare ping-pong of the same bytes.
 *
 * Both are spoken as the contract says: a connection a request, the answer ends with the stream.
 * The ping-pong's other end is a process that accepts, reads once, writes once and closes; its
 * bytes are those that the daemon was seen to exchange. The two are measured in turns of some
 * hundred rounds in the same run, so that what else the machine does meets both. The daemon runs as
 * it is shipped: it logs each decision. Printed: medians and 99th percentiles, their ratio, and the
 * daemon's memory. Where the two ends run decides more than what they do: so on one processor, on
 * two, and where the kernel puts them (it keeps a bare ping-pong on one, and moves the daemon to
 * another that is idle).
 *
 * With --oneshot: qrexec-policy-exec against /bin/true, each started the same way in turns.
 *
 * usage: policy-socket [ROUNDS [DAEMON-OPTION]...] | --oneshot [ROUNDS]; $builddir has the
 * programs.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define OPTIONS_MOST 8
#define TURN         250
#define DOMAINS      100

static const char request[] =
    "source=vm-7\nintended_target=vm-9\nservice_and_arg=bench.Last+arg\n\n";

struct bench {
    char root[PATH_SIZE];
    pid_t daemon, spawner, echo;
    char answer[4096];
    size_t answer_len;
};

enum placement { ONE, TWO, FREE };
static enum placement placement;

static void die(const char *what)
{
    fprintf(stderr, "policy-socket: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void path_in(const struct bench *b, char buf[static PATH_SIZE], const char *rest)
{
    if (format(buf, PATH_SIZE, "%s%s", b->root, rest))
        die("a path is too long");
}

/* ---- The stage ---- */

static void write_policy(const struct bench *b, unsigned rules)
{
    char path[PATH_SIZE];
    FILE *f;

    path_in(b, path, "/etc/qubes/policy.d/30-user.policy");
    f = fopen(path, "we");
    if (!f)
        die(path);
    for (unsigned i = 1; i < rules; i++)
        fprintf(f, "bench.S%u +a%u vm-%u vm-%u deny\n", i % 50, i % 7, i % DOMAINS,
                (i * 7) % DOMAINS);
    fprintf(f, "bench.Last * vm-7 vm-9 allow\n");
    if (fclose(f))
        die(path);
}

static void write_page(const struct bench *b)
{
    char path[PATH_SIZE];
    uint64_t generation = 5;
    int fd;

    path_in(b, path, "/run/qubes/generation");
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 4096) < 0 || pwrite(fd, &generation, 8, 0) != 8)
        die(path);
    close(fd);
}

static int accept_one(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static char *spawner_text(size_t *ret_len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, ret_len);

    if (!f)
        die("memory");
    fputc('0', f);
    fputc(0, f);
    fprintf(f, "{\"domains\": {\"dom0\": {\"type\": \"AdminVM\", \"tags\": []}");
    for (unsigned i = 0; i < DOMAINS; i++)
        fprintf(f,
                ", \"vm-%u\": {\"type\": \"AppVM\", \"tags\": [\"created-by-dom0\", \"t%u\"],"
                " \"uuid\": \"00000000-0000-4000-8000-%012u\", \"power_state\": \"Running\","
                " \"default_dispvm\": \"vm-1\", \"guivm\": \"dom0\", \"icon\": \"appvm-red\","
                " \"label\": \"red\", \"internal\": null, \"template_for_dispvms\": false}",
                i, i % 10, i + 1);
    fprintf(f, "}, \"generation\": 5}");
    fclose(f);
    return text;
}

/* The domain spawner: answers internal.GetSystemInfo, without work of its own. */
static void spawner_main(int listener)
{
    size_t n;
    char *text = spawner_text(&n), asked[256];

    for (;;) {
        int fd = accept_one(listener);

        if (fd < 0)
            _exit(1);
        while (read(fd, asked, sizeof(asked)) > 0)
            ;
        if (write_full(fd, text, n))
            _exit(1);
        close(fd);
    }
}

/* The other end of the bare ping-pong. */
static void echo_main(const struct bench *b, int listener)
{
    char buf[4096];

    for (;;) {
        int fd = accept_one(listener);

        if (fd < 0 || read(fd, buf, sizeof(buf)) <= 0 ||
            write(fd, b->answer, b->answer_len) != (ssize_t)b->answer_len)
            _exit(1);
        close(fd);
    }
}

static int listen_blocking(const struct bench *b, const char *rest)
{
    char path[PATH_SIZE];
    int fd = -1;

    path_in(b, path, rest);
    if (unix_listen(path, 0600, &fd) || fd_set_nonblock(fd, false))
        die(path);
    return fd;
}

static pid_t child(void (*fn)(int), int listener)
{
    pid_t pid = fork();

    if (pid == 0)
        fn(listener);
    close(listener);
    return pid;
}

static char **daemon_options;

static void start_daemon(struct bench *b)
{
    const char *build = getenv("builddir");
    char program[PATH_SIZE], root[PATH_SIZE], log[PATH_SIZE], path[PATH_SIZE];
    char *argv[OPTIONS_MOST + 3] = {program, root};
    int out, fd = -1;

    path_in(b, log, "/log");
    out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (format(program, sizeof(program), "%s/policy-engine/qrexec-policy-daemon",
               build ? build : ".") ||
        format(root, sizeof(root), "--root=%s", b->root) || out < 0)
        die("cannot prepare");
    const int fds[] = {-1, out, out};

    for (size_t i = 0; daemon_options && daemon_options[i] && i < OPTIONS_MOST; i++)
        argv[i + 2] = daemon_options[i];
    if (spawn_process(&(struct spawn){.path = program,
                                      .argv = argv,
                                      .fds = fds,
                                      .n_fds = 3,
                                      .parent_death_signal = SIGKILL},
                      &b->daemon, NULL))
        die(program);
    close(out);
    path_in(b, path, "/run/qubes/policy.sock");
    for (int i = 0; i < 1000 && unix_connect(path, &fd); i++)
        (void)poll(NULL, 0, 10);
    if (fd < 0)
        die(path);
    close(fd);
}

/* ---- The rounds ---- */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static size_t round_trip(const struct sockaddr_un *a, char *buf, size_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t n = 0;
    ssize_t got;

    if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ||
        write(fd, request, sizeof(request) - 1) < 0)
        die("a round failed");
    while ((got = read(fd, buf + n, size - n)) > 0)
        n += (size_t)got;
    close(fd);
    return n;
}

static void turn(const struct bench *b, const struct sockaddr_un *a, uint64_t *ns)
{
    char buf[4096];

    for (size_t i = 0; i < TURN; i++) {
        uint64_t start = now_ns();
        size_t n = round_trip(a, buf, sizeof(buf));

        ns[i] = now_ns() - start;
        if (n != b->answer_len || memcmp(buf, b->answer, n) != 0)
            die("another answer than the first");
    }
}

static int order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static struct sockaddr_un address_of(const struct bench *b, const char *rest)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    if (format(a.sun_path, sizeof(a.sun_path), "%s%s", b->root, rest))
        die("a path is too long");
    return a;
}

/*
 * KiB that no other process has. Pages of the program's own file count as such while only one
 * process runs it; without: what it allocated.
 */
static void private_kib(pid_t pid, unsigned *ret_all, unsigned *ret_anonymous)
{
    char path[64], line[256];
    unsigned n;
    FILE *f;

    *ret_all = *ret_anonymous = 0;
    if (format(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid) || !(f = fopen(path, "re")))
        return;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "Private_Clean: %u", &n) == 1 ||
            sscanf(line, "Private_Dirty: %u", &n) == 1)
            *ret_all += n;
        if (sscanf(line, "Anonymous: %u", &n) == 1)
            *ret_anonymous = n;
    }
    fclose(f);
}

/* pid 0: this process. On a machine with one processor all is on that. */
static void pin(pid_t pid, int cpu)
{
    cpu_set_t set;

    if (placement == FREE)
        return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(pid, sizeof(set), &set) < 0 && errno != EINVAL)
        die("sched_setaffinity");
}

static void measure(struct bench *b, unsigned rules, size_t rounds)
{
    struct sockaddr_un daemon = address_of(b, "/run/qubes/policy.sock"),
                       echo = address_of(b, "/echo");
    uint64_t *d = calloc(rounds, sizeof(*d)), *e = calloc(rounds, sizeof(*e));
    unsigned all, anonymous;

    if (!d || !e)
        die("memory");
    turn(b, &daemon, d);
    turn(b, &echo, e); /* warm */
    for (size_t i = 0; i + TURN <= rounds; i += TURN) {
        turn(b, &echo, e + i);
        turn(b, &daemon, d + i);
    }
    qsort(d, rounds, sizeof(*d), order);
    qsort(e, rounds, sizeof(*e), order);
    private_kib(b->daemon, &all, &anonymous);
    printf("%6u  %8.1f %8.1f  %8.1f %8.1f  %5.2f x %8u %8u\n", rules, (double)e[rounds / 2] / 1000,
           (double)e[rounds * 99 / 100] / 1000, (double)d[rounds / 2] / 1000,
           (double)d[rounds * 99 / 100] / 1000, (double)d[rounds / 2] / (double)e[rounds / 2], all,
           anonymous);
    fflush(stdout);
    free(d);
    free(e);
}

static void end(pid_t *pid)
{
    kill(*pid, SIGKILL);
    (void)spawn_wait(*pid);
    *pid = 0;
}

static void prepare(struct bench *b, unsigned rules)
{
    static const char *const dirs[] = {"/run/qubes", "/etc/qubes/policy.d", "/etc/qubes-rpc/policy",
                                       "/var/log/qubes"};
    char path[PATH_SIZE];

    *b = (struct bench){.root = "/tmp/qrexec-bench.XXXXXX"};
    if (!mkdtemp(b->root))
        die(b->root);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        path_in(b, path, dirs[i]);
        if (mkdir_all(path, 0755))
            die(path);
    }
    write_policy(b, rules);
    write_page(b);
    b->spawner = child(spawner_main, listen_blocking(b, "/run/qubesd.internal.sock"));
}

static void finish(struct bench *b)
{
    end(&b->spawner);
    (void)remove_all(b->root);
}

static void run_once(unsigned rules, size_t rounds)
{
    struct sockaddr_un daemon;
    struct bench b;
    int listener;

    prepare(&b, rules);
    start_daemon(&b);
    daemon = address_of(&b, "/run/qubes/policy.sock");
    b.answer_len = round_trip(&daemon, b.answer, sizeof(b.answer));
    if (b.answer_len < 12 || memcmp(b.answer, "result=allow", 12) != 0)
        die("the daemon does not allow the call");
    listener = listen_blocking(&b, "/echo");
    b.echo = fork();
    if (b.echo == 0)
        echo_main(&b, listener);
    close(listener);
    pin(b.daemon, placement == TWO);
    pin(b.echo, placement == TWO);
    measure(&b, rules, rounds);
    end(&b.echo);
    kill(b.daemon, SIGTERM);
    (void)spawn_wait(b.daemon);
    finish(&b);
}

/* The placement holds for what is started in it. */
static void run(enum placement where, unsigned rules, size_t rounds)
{
    pid_t pid = fork();

    if (pid == 0) {
        placement = where;
        pin(0, 0);
        run_once(rules, rounds);
        exit(0);
    }
    if (pid < 0 || spawn_wait(pid) != 0)
        die("a run");
}

/* ---- The one-shot program ---- */

/* Of the children that were waited for. */
static uint64_t cpu_ns(void)
{
    struct rusage u;

    getrusage(RUSAGE_CHILDREN, &u);
    return ((uint64_t)u.ru_utime.tv_sec + (uint64_t)u.ru_stime.tv_sec) * 1000000000 +
           ((uint64_t)u.ru_utime.tv_usec + (uint64_t)u.ru_stime.tv_usec) * 1000;
}

static uint64_t start_and_wait(const char *path, char *const *argv, int code, uint64_t *cpu)
{
    static const int fds[] = {-1, -1, -1};
    uint64_t start = now_ns(), before = cpu_ns();
    pid_t pid = 0;

    if (spawn_process(&(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 3}, &pid,
                      NULL) ||
        spawn_wait(pid) != code)
        die(path);
    *cpu = cpu_ns() - before;
    return now_ns() - start;
}

struct times {
    uint64_t *wall, *cpu;
};

static struct times times_of(size_t rounds)
{
    struct times t = {calloc(rounds, sizeof(*t.wall)), calloc(rounds, sizeof(*t.cpu))};

    if (!t.wall || !t.cpu)
        die("memory");
    return t;
}

/* The median. */
static double print_times(const char *what, struct times *t, size_t rounds)
{
    qsort(t->wall, rounds, sizeof(*t->wall), order);
    qsort(t->cpu, rounds, sizeof(*t->cpu), order);
    printf("  %-18s  median %8.1f  p99 %8.1f  processor %8.1f\n", what,
           (double)t->wall[rounds / 2] / 1000, (double)t->wall[rounds * 99 / 100] / 1000,
           (double)t->cpu[rounds / 2] / 1000);
    return (double)t->wall[rounds / 2];
}

static void measure_oneshot(size_t rounds)
{
    const char *build = getenv("builddir");
    char path[PATH_SIZE];
    char *program[] = {path, (char *)"--", (char *)"vm-7", (char *)"vm-9", (char *)"bench.Last+arg",
                       NULL};
    char *nothing[] = {(char *)"/bin/true", NULL};
    struct times p = times_of(rounds), n = times_of(rounds);

    if (format(path, sizeof(path), "%s/policy-engine/qrexec-policy-exec", build ? build : "."))
        die("a path is too long");
    for (size_t i = 0; i < rounds; i++) {
        n.wall[i] = start_and_wait(nothing[0], nothing, 0, &n.cpu[i]);
        p.wall[i] = start_and_wait(path, program, 0, &p.cpu[i]);
    }
    printf("one-shot, 100 rules, %d domains; microseconds from start to end, and of the processor; "
           "%zu rounds\n",
           DOMAINS, rounds);
    double nothing_wall = print_times("/bin/true", &n, rounds);
    double nothing_cpu = (double)n.cpu[rounds / 2];
    double wall = print_times("qrexec-policy-exec", &p, rounds);

    printf("  ratio               %5.2f x  processor %5.2f x\n", wall / nothing_wall,
           (double)p.cpu[rounds / 2] / nothing_cpu);
}

static int oneshot(int argc, char **argv)
{
    struct bench b = {.root = ""};
    uint32_t rounds = 500;

    if (argc > 2 && (parse_u32(argv[2], 1000000, &rounds) || !rounds))
        return 2;
    prepare(&b, 100);
    setenv("QREXEC_ROOT", b.root, 1);
    measure_oneshot(rounds);
    finish(&b);
    return 0;
}

int main(int argc, char **argv)
{
    static const unsigned sizes[] = {10, 100, 1000, 10000};
    uint32_t rounds = 5000;

    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--oneshot") == 0)
        return oneshot(argc, argv);
    if (argc > 1 && (parse_u32(argv[1], 1000000, &rounds) || rounds < TURN))
        return 2;
    if (argc > 2)
        daemon_options = argv + 2;
    rounds -= rounds % TURN;
    printf("a decision over the policy socket, %u rounds, %d domains; microseconds\n", rounds,
           DOMAINS);
    printf("        ping-pong            daemon               ratio   its KiB\n");
    printf(" rules    median      p99    median      p99            private   anonymous\n");
    puts("on one processor (aim: 1.5)");
    fflush(stdout);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        run(ONE, sizes[i], rounds);
    puts("each on its own");
    fflush(stdout);
    run(TWO, 1000, rounds);
    puts("where the kernel puts them");
    fflush(stdout);
    run(FREE, 1000, rounds);
    return 0;
}
