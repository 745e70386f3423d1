/*
 * Allocations that fail on order, for programs linked with --wrap=malloc,--wrap=calloc,
 * --wrap=realloc: with left at N the Nth from now fails, and later ones succeed.
 */
#ifndef QREXEC_TESTS_UNIT_ALLOCATIONS_H
#define QREXEC_TESTS_UNIT_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static size_t left; /* allocations that succeed; 0: all do */

static bool fails(void)
{
    return left && --left == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

#endif
