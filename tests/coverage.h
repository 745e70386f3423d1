/*
 * Included before everything else in builds with --enable-coverage: a child that ends with _exit()
 * tells what it ran, too.
 */
#ifndef QREXEC_TESTS_COVERAGE_H
#define QREXEC_TESTS_COVERAGE_H

#include <unistd.h>

void __gcov_dump(void);
#define _exit(code) (__gcov_dump(), (_exit)(code))

#endif
