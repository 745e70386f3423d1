/*
 * Programs for tests, in place of libqrexec/base/spawn.c: nothing is started, and the test says
 * what a program writes and how it ends.
 */
#ifndef QREXEC_TESTS_STAGE_SPAWN_H
#define QREXEC_TESTS_STAGE_SPAWN_H

#include "libqrexec/base/spawn.h"

/* Those that were started and not waited for. */
size_t stage_programs(void);
/* The nth of them writes to its stdout. */
void stage_program_writes(size_t n, const void *data, size_t len);
/* It ends; later ones move up once it was waited for. */
void stage_program_ends(size_t n, int code);
/* What is left over is forgotten. */
void stage_programs_reset(void);

/* A pid that no process has, so that kill() reaches nobody. */
#define STAGE_PID_FIRST 0x70000000
#endif
