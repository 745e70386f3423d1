/*
 * A folder of this process's own, for tests: made once, gone when the process ends (but not when a
 * child of it does). Names are relative to it and may have one folder in them, which is made.
 * Whatever cannot be done ends the process.
 */
#ifndef QREXEC_TESTS_STAGE_FOLDER_H
#define QREXEC_TESTS_STAGE_FOLDER_H

#include "libqrexec/base/paths.h"

#include <sys/types.h>

const char *folder_new(void);
/* Until the next call but three. */
const char *folder_path(const char *name);
void folder_file(const char *name, const char *text, mode_t mode);
void folder_link(const char *name, const char *to);
/* A listening socket, which stays. Its descriptor. */
int folder_socket(const char *name);

#endif
