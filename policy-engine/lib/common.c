/* Growing arrays and texts of the library. */
#include "policy-engine/lib/common.h"

#include <stdarg.h>
#include <stdio.h>

int array_grow(void *array_pointer, size_t *cap, size_t n, size_t element_size)
{
    void *old;
    void *new;
    size_t more = *cap ? *cap * 2 : 8;
    size_t bytes;

    if (n < *cap)
        return 0;
    if (more <= *cap || __builtin_mul_overflow(more, element_size, &bytes))
        return -ENOMEM;
    memcpy(&old, array_pointer, sizeof(old));
    new = realloc(old, bytes);
    if (!new)
        return -ENOMEM;
    memcpy(array_pointer, &new, sizeof(new));
    *cap = more;
    return 0;
}

void text_deinit(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

static bool text_reserve(struct text *t, size_t n)
{
    size_t need;
    char *data;

    if (t->failed)
        return false;
    if (__builtin_add_overflow(t->len, n, &need) || __builtin_add_overflow(need, 1, &need)) {
        t->failed = true;
        return false;
    }
    if (need <= t->size)
        return true;
    if (need < SIZE_MAX / 2)
        need += need / 2 + 32;
    data = realloc(t->data, need);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->size = need;
    return true;
}

void text_add(struct text *t, struct span s)
{
    if (!text_reserve(t, s.len))
        return;
    if (s.len)
        memcpy(t->data + t->len, s.data, s.len);
    t->len += s.len;
    t->data[t->len] = '\0';
}

void text_addf(struct text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        t->failed = true;
    if (n < 0 || !text_reserve(t, (size_t)n))
        return;
    va_start(args, fmt);
    vsnprintf(t->data + t->len, (size_t)n + 1, fmt, args);
    va_end(args);
    t->len += (size_t)n;
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->data)
        t->data[0] = '\0';
}

int text_take(struct text *t, char **ret)
{
    if (!text_reserve(t, 0))
        return -ENOMEM;
    t->data[t->len] = '\0';
    *ret = take(t->data);
    *t = (struct text){0};
    return 0;
}

char *span_dup(struct span s)
{
    char *copy = malloc(s.len + 1);

    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return copy;
}

int order_of_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}
