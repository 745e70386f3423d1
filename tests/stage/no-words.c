/*
 * Preloaded into a program: its main() gets no word at all, not even a name, as old kernels let a
 * caller do. New ones put an empty name there.
 */
#include <dlfcn.h>
#include <stdlib.h>

typedef int main_fn(int argc, char **argv, char **env);
typedef int start_fn(main_fn *fn, int argc, char **argv, void (*init)(void), void (*fini)(void),
                     void (*at_end)(void), void *stack_end);

static main_fn *program;
start_fn __libc_start_main;

/* What follows the NULL of argv is the environment, as it would be. */
static int without_words(int argc, char **argv, char **env)
{
    return program(0, argv + argc, env);
}

int __libc_start_main(main_fn *fn, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*at_end)(void), void *stack_end)
{
    start_fn *next = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");

    if (!next)
        abort();
    program = fn;
    return next(without_words, argc, argv, init, fini, at_end, stack_end);
}
