/* Samples and the table: see bench.h. */
#include "tests/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COLUMNS "%-44s %12s %12s %12s   %s\n"

void bench_fail(const char *what)
{
    perror(what);
    exit(1);
}

/* splitmix64 */
uint32_t bench_random(struct bench *b, uint32_t below)
{
    uint64_t x = b->random += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((x ^ x >> 31) % below);
}

double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void bench_measure_clock(struct bench *b)
{
    struct samples s = {0};

    for (size_t i = 0; i < 10000; i++) {
        double start = bench_now();

        samples_add(&s, bench_now() - start);
    }
    b->clock_ns = samples_percentile(&s, 50);
    samples_deinit(&s);
}

void samples_add(struct samples *s, double ns)
{
    if (s->n == s->cap) {
        double *more = realloc(s->ns, (s->cap ? s->cap * 2 : 1024) * sizeof(*more));

        if (!more)
            bench_fail("memory");
        s->ns = more;
        s->cap = s->cap ? s->cap * 2 : 1024;
    }
    s->ns[s->n++] = ns > 0 ? ns : 0;
}

void samples_deinit(struct samples *s)
{
    free(s->ns);
    *s = (struct samples){0};
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double samples_percentile(struct samples *s, double percent)
{
    if (!s->n)
        return 0;
    qsort(s->ns, s->n, sizeof(s->ns[0]), order);
    return s->ns[(size_t)((double)(s->n - 1) * percent / 100)];
}

double bench_row(const char *what, const char *size, struct samples *s, const char *aim)
{
    double median = samples_percentile(s, 50);
    char a[32], b[32];

    snprintf(a, sizeof(a), "%.3f", median / 1e3);
    snprintf(b, sizeof(b), "%.3f", samples_percentile(s, 99) / 1e3);
    printf(COLUMNS, what, size, a, b, aim);
    fflush(stdout);
    return median;
}

void bench_note(const char *what, const char *size, const char *aim, const char *fmt, ...)
{
    char figure[64];
    va_list args;

    va_start(args, fmt);
    vsnprintf(figure, sizeof(figure), fmt, args);
    va_end(args);
    printf(COLUMNS, what, size, figure, "", aim);
    fflush(stdout);
}
