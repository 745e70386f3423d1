/*
 * Fuzz targets: each file of this folder that has LLVMFuzzerTestOneInput() is one. "make fuzz"
 * builds them with libFuzzer; "make check" feeds them their corpus, whole, cut and changed
 * (replay.c), with any compiler.
 *
 * A target must not crash, leak or hang, and what comes out must keep its promises: they abort
 * where it does not.
 */
#ifndef QREXEC_TESTS_FUZZ_FUZZ_H
#define QREXEC_TESTS_FUZZ_FUZZ_H

#include "policy-engine/lib/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is wrong, and aborts. */
void fuzz_fail(const char *what) __attribute__((noreturn));

/*
 * Loads files of "run.d", "policy.d" and "legacy". What loads is asked some requests, and decides
 * them as the second evaluator does; it is explained, linted, and has the same signature again.
 * What does not load says where and why.
 */
void fuzz_policy(const struct policy_file *files, size_t n);

#endif
