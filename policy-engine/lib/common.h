/*
 * What every file of the library uses: clean-up, spans of somebody's bytes, a growing text, growing
 * arrays. The library stands alone, so it brings its own.
 */
#ifndef QREXEC_POLICY_COMMON_H
#define QREXEC_POLICY_COMMON_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(f, a) __attribute__((format(printf, f, a)))

#define take(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) *p_ = &(p);                                                                  \
        __typeof__(p) v_ = *p_;                                                                    \
        *p_ = NULL;                                                                                \
        v_;                                                                                        \
    })

static inline void freep(void *p)
{
    free(*(void **)p);
}

/* Bytes of somebody else's buffer; not ended by NUL. */
struct span {
    const char *data;
    size_t len;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

static inline struct span span_of(const char *s)
{
    return (struct span){s, strlen(s)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0;
}

static inline bool span_ends(struct span s, struct span suffix)
{
    return s.len >= suffix.len && memcmp(s.data + s.len - suffix.len, suffix.data, suffix.len) == 0;
}

static inline struct span span_skip(struct span s, size_t n)
{
    return (struct span){s.data + n, s.len - n};
}

/* For "%.*s": control bytes and all; who prints decides about them. */
#define SPAN_FMT(s) (int)((s).len > 4096 ? 4096 : (s).len), (s).data

/* Makes place for one more element behind n of them, doubling. 0 or -ENOMEM. */
int array_grow(void *array_pointer, size_t *cap, size_t n, size_t element_size);
#define ARRAY_GROW(a, cap, n) array_grow(&(a), &(cap), (n), sizeof(*(a)))

/* A text that grows. The first failure sticks and shows when it is taken. Zeroed is empty. */
struct text {
    char *data;
    size_t len;
    size_t size;
    bool failed;
};

void text_deinit(struct text *t);
void text_add(struct text *t, struct span s);
void text_addf(struct text *t, const char *fmt, ...) _printf_(2, 3);
void text_clear(struct text *t);
/* Hands the text out, "" if nothing was added. 0 or -ENOMEM. */
int text_take(struct text *t, char **ret);

/* NULL if there is no memory. */
char *span_dup(struct span s);
int order_of_strings(const void *a, const void *b); /* for qsort() of char * */

#endif
