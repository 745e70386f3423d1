/* The groups of rows of the policy benchmark, one file each; policy-bench.c lists them. */
#ifndef QREXEC_TESTS_BENCH_POLICY_BENCH_H
#define QREXEC_TESTS_BENCH_POLICY_BENCH_H

#include "tests/bench/bench.h"

void bench_decisions(struct bench *b);
void bench_load(struct bench *b);
void bench_instructions(struct bench *b);
/* What bench_instructions() starts under valgrind: decisions of one kind, and nothing else. */
void bench_decide_only(struct bench *b, const char *kind, size_t n_rules);
/* What bench_load() starts to see how much memory loading takes: prints KiB over the start. */
void bench_load_only(const char *dir);

#endif
