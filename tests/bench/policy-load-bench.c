/*
 * Rows: reading and compiling a policy, against `wc -w` over the same files, and what it holds.
 *
 * The two take turns, so that a busy machine is busy for both.
 */
#include "tests/bench/policy-bench.h"
#include "tests/bench/policy-world.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_FILES 10
#define ROUNDS  15

static char dir[] = "/tmp/policy-bench-XXXXXX";
static char paths[N_FILES][64];
static const char *const dirs[] = {dir, NULL};

static void write_files(const struct world *w)
{
    const char *at = w->text, *end = w->text + w->len;

    if (!mkdtemp(dir))
        bench_fail(dir);
    for (size_t i = 0; i < N_FILES; i++) {
        const char *stop = i + 1 == N_FILES ? end : at + (end - at) / (long)(N_FILES - i);
        FILE *f;

        while (stop < end && stop[-1] != '\n')
            stop++;
        snprintf(paths[i], sizeof(paths[i]), "%s/%zu0-bench.policy", dir, i);
        f = fopen(paths[i], "w");
        if (!f || fwrite(at, 1, (size_t)(stop - at), f) != (size_t)(stop - at) || fclose(f))
            bench_fail(paths[i]);
        at = stop;
    }
}

static void remove_files(void)
{
    for (size_t i = 0; i < N_FILES; i++)
        unlink(paths[i]);
    rmdir(dir);
}

static struct policy *load(void)
{
    struct policy_source source = {.dirs = dirs};
    struct policy_error e = {0};
    struct policy *p = NULL;

    if (policy_load(&source, &p, &e))
        bench_fail(e.text ? e.text : "policy");
    return p;
}

static double time_load(void)
{
    double start = bench_now();
    struct policy *p = load();
    double ns = bench_now() - start;

    policy_unref(p);
    return ns;
}

/* From fork to the child's end: what a shell would wait for. */
static double time_wc(void)
{
    const char *argv[N_FILES + 3] = {"wc", "-w"};
    double start = bench_now();
    pid_t pid = fork();
    int status;

    for (size_t i = 0; i < N_FILES; i++)
        argv[i + 2] = paths[i];
    if (pid < 0)
        bench_fail("fork");
    if (!pid) {
        if (freopen("/dev/null", "w", stdout))
            execvp("wc", (char *const *)argv);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) < 0 || status)
        bench_fail("wc");
    return bench_now() - start;
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

void bench_load_only(const char *from)
{
    struct rusage before, after;
    size_t held = in_use();
    struct policy *p;

    snprintf(dir, sizeof(dir), "%s", from);
    getrusage(RUSAGE_SELF, &before);
    p = load();
    getrusage(RUSAGE_SELF, &after);
    printf("%ld %zu\n", after.ru_maxrss - before.ru_maxrss, (in_use() - held) / 1024);
    policy_unref(p);
}

/* In a process that has nothing else. */
static void memory_rows(const struct bench *b)
{
    char command[1024];
    long peak = 0, held = 0;
    FILE *f;

    snprintf(command, sizeof(command), "'%s' --load %s", b->program, dir);
    f = popen(command, "r");
    if (!f || fscanf(f, "%ld %ld", &peak, &held) != 2 || pclose(f))
        bench_fail(command);
    bench_note("held by the policy", "", "< 40 MiB", "%.1f MiB", (double)held / 1024);
    bench_note("most while loading", "", "< 40 MiB", "%.1f MiB", (double)peak / 1024);
}

static void load_rows(struct bench *b, enum world_kind kind, const char *what)
{
    struct samples ours = {0}, wc = {0};
    struct world w;
    double ratio;

    world_init(&w, b, kind, 100000, 100, 2);
    write_files(&w);
    world_deinit(&w);
    for (size_t i = 0; i < ROUNDS; i++) {
        samples_add(&ours, time_load());
        samples_add(&wc, time_wc());
    }
    printf("%s\n", what);
    ratio = bench_row("load and compile (µs)", "100000 rules", &ours, "");
    ratio /= bench_row("wc -w over the same files (µs)", "", &wc, "");
    bench_note("  load to wc -w", "", "< 3", "%.2f", ratio);
    memory_rows(b);
    remove_files();
    snprintf(dir, sizeof(dir), "/tmp/policy-bench-XXXXXX");
    samples_deinit(&ours);
    samples_deinit(&wc);
}

void bench_load(struct bench *b)
{
    load_rows(b, WORLD_LAST_MATCHES, "1000 services, tags and names");
    load_rows(b, WORLD_ONE_SERVICE, "one service, every rule names other domains");
}
