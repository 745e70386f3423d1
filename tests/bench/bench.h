/*
 * Benchmarks: samples of nanoseconds, their median and 99th percentile, one line of a table each.
 *
 * A row states what is measured, at which size, and what it is held against. Nothing here passes or
 * fails: figures depend on the machine and on what else it does; ratios and counted instructions
 * are what can be compared.
 */
#ifndef QREXEC_TESTS_BENCH_H
#define QREXEC_TESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    double *ns;
    size_t n, cap;
};

struct bench {
    uint64_t seed;
    uint64_t random;     /* the state of bench_random() */
    double clock_ns;     /* what reading the clock twice costs */
    size_t n_decisions;  /* timed for a row */
    const char *program; /* this program, to be started under another */
};

/* Ends the program with what could not be done. */
void bench_fail(const char *what) __attribute__((noreturn));

uint32_t bench_random(struct bench *b, uint32_t below);
double bench_now(void); /* nanoseconds */
void bench_measure_clock(struct bench *b);

void samples_add(struct samples *s, double ns);
void samples_deinit(struct samples *s);
double samples_percentile(struct samples *s, double percent);

/* One line: what, size, median and p99 in µs, and the aim in words. Gives the median back in ns. */
double bench_row(const char *what, const char *size, struct samples *s, const char *aim);
/* A line with one figure. */
void bench_note(const char *what, const char *size, const char *aim, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
