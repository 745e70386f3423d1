/* Random cases. The same seed gives the same case on every machine. */
#ifndef QREXEC_TESTS_RANDOM_GENERATE_H
#define QREXEC_TESTS_RANDOM_GENERATE_H

#include "tests/random/case.h"

struct random {
    uint64_t state;
};
/* The numbers of case n of that seed. */
struct random random_new(uint64_t seed, uint64_t n);
uint32_t random_below(struct random *r, uint32_t limit);

/* plain: only what passes through every program: no strange bytes, no just_evaluate. */
void generate_case(struct random *r, bool plain, struct test_case *ret);
/* Another request to the same policy and domains. */
void generate_request(struct random *r, bool plain, struct test_case *c);

#endif
