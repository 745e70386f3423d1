/*
 * Included before everything else in builds with --enable-coverage: a child that ends with _exit()
 * tells what it ran, too, and so does a program that ends by SIGTERM.
 */
#ifndef QREXEC_TESTS_COVERAGE_H
#define QREXEC_TESTS_COVERAGE_H

#include <signal.h>
#include <unistd.h>

#define QREXEC_COVERAGE
void __gcov_dump(void);
#define _exit(code) (__gcov_dump(), (_exit)(code))

void coverage_on_term(int signo);
void coverage_watch(void);

__attribute__((weak)) void coverage_on_term(int signo)
{
    __gcov_dump();
    signal(signo, SIG_DFL);
    raise(signo);
}

__attribute__((weak, constructor)) void coverage_watch(void)
{
    signal(SIGTERM, coverage_on_term);
}

#endif
