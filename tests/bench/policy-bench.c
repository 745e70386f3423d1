/*
 * The policy benchmark: `make bench-policy BENCH_FLAGS="…"`. Options: --seed=N, --decisions=N
 * (timed for a row), --group=NAME (of the list below; all of them without it).
 *
 * Each group of rows is a function in the list below, in a file of its own.
 */
#include "tests/bench/policy-bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *title;
    void (*run)(struct bench *b);
} groups[] = {
    {"decide", "decisions in process (µs)", bench_decisions},
    {"load", "loading", bench_load},
    {"instructions", "instructions a decision", bench_instructions},
};

static const char *value_of(const char *word, const char *option)
{
    size_t n = strlen(option);

    return strncmp(word, option, n) == 0 ? word + n : NULL;
}

/* What a row starts this program again for. */
static bool is_part_of_a_row(struct bench *b, int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--only") == 0)
        bench_decide_only(b, argv[2], strtoul(argv[3], NULL, 10));
    else if (argc == 3 && strcmp(argv[1], "--load") == 0)
        bench_load_only(argv[2]);
    else
        return false;
    return true;
}

static bool parse_options(struct bench *b, char **argv, const char **ret_group)
{
    for (size_t i = 1; argv[i]; i++) {
        const char *seed = value_of(argv[i], "--seed="), *n = value_of(argv[i], "--decisions="),
                   *group = value_of(argv[i], "--group=");

        if (seed)
            b->seed = strtoull(seed, NULL, 10);
        if (n)
            b->n_decisions = strtoul(n, NULL, 10);
        if (group)
            *ret_group = group;
        if ((!seed && !n && !group) || !b->n_decisions)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct bench b = {.seed = 20240601, .n_decisions = 200000, .program = argc ? argv[0] : ""};
    const char *group = NULL;

    if (argc < 1 || is_part_of_a_row(&b, argc, argv))
        return 0;
    if (!parse_options(&b, argv, &group)) {
        fprintf(stderr, "usage: %s [--seed=N] [--decisions=N] [--group=NAME]\n", argv[0]);
        return 2;
    }
    bench_measure_clock(&b);
    printf("seed %llu, %zu decisions a row, the clock's own %.0f ns taken off\n",
           (unsigned long long)b.seed, b.n_decisions, b.clock_ns);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (group && strcmp(group, groups[i].name) != 0)
            continue;
        printf("\n%-44s %12s %12s %12s   %s\n", groups[i].title, "size", "median", "p99", "aim");
        fflush(stdout);
        groups[i].run(&b);
    }
    return 0;
}
