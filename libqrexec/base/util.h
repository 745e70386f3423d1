/*
 * Small words that every room uses: clean-up attribute, take(), sizes.
 *
 * Errors in this project come in two classes. Negative: errno, our world failed, passed up
 * unchanged. Positive: a function's own named outcomes, each handled by its caller. Outputs are
 * untouched on failure.
 */
#ifndef QREXEC_BASE_UTIL_H
#define QREXEC_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(f, a) __attribute__((format(printf, f, a)))
#define _unused_       __attribute__((unused))

/* Hands the pointer out and leaves NULL behind, so that the clean-up finds nothing. */
#define take(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) *p_ = &(p);                                                                  \
        __typeof__(p) v_ = *p_;                                                                    \
        *p_ = NULL;                                                                                \
        v_;                                                                                        \
    })

/* The same for a descriptor; leaves -1. */
static inline int take_fd(int *fd)
{
    int v = *fd;

    *fd = -1;
    return v;
}

static inline void freep(void *p)
{
    free(*(void **)p);
}

/* Closes and forgets; never changes errno. */
void close_fd(int *fd);

static inline void closep(int *fd)
{
    close_fd(fd);
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* False, and *ret untouched, if the sum does not fit. */
static inline bool size_add(size_t a, size_t b, size_t *ret)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

static inline bool size_mul(size_t a, size_t b, size_t *ret)
{
    size_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

static inline bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static inline bool str_equal(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Decimal, no sign, no blank, no leading zero (but "0" itself), at most max. 0 or -EINVAL. */
int parse_u32(const char *text, uint32_t max, uint32_t *ret);

/* snprintf that says whether all of it fitted: 0 or -ENAMETOOLONG. */
int format(char *buf, size_t size, const char *fmt, ...) _printf_(3, 4);

/* asprintf that returns NULL when there is no memory. The caller frees. */
char *format_new(const char *fmt, ...) _printf_(1, 2);

#endif
