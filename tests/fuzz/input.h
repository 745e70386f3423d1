/*
 * Fuzz input as steps: the first bytes say what happens, the bytes behind them are its matter.
 * At its end everything is 0.
 */
#ifndef QREXEC_TESTS_FUZZ_INPUT_H
#define QREXEC_TESTS_FUZZ_INPUT_H

#include "libqrexec/base/util.h"

struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t input_byte(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static inline size_t input_u16(struct input *in)
{
    size_t high = input_byte(in);

    return high << 8 | input_byte(in);
}

/* The next n bytes, or as many as are left. */
static inline const uint8_t *input_bytes(struct input *in, size_t n, size_t *ret_n)
{
    const uint8_t *p = in->at;

    *ret_n = size_min(n, in->left);
    if (*ret_n) {
        in->at += *ret_n;
        in->left -= *ret_n;
    }
    return p;
}

#endif
