/*
 * Where things lie: the one place that knows about private instances.
 *
 * A private instance has its own root directory: "/run/qubes/policy.sock" is then
 * ROOT/run/qubes/policy.sock, and its programs are at ROOT/usr/bin, ROOT/usr/sbin,
 * ROOT/usr/lib/qubes. Tools take ROOT from QREXEC_ROOT (never in a set-id program); programs that
 * serve others take it from --root, and from the environment only when they do not run as root.
 */
#ifndef QREXEC_BASE_PATHS_H
#define QREXEC_BASE_PATHS_H

#include "libqrexec/base/util.h"

#define PATH_SIZE 4096

enum paths_user { PATHS_TOOL, PATHS_DAEMON };

/* root: from --root, or NULL. Call once at start. -EINVAL: not an absolute path, or too long. */
int paths_init(const char *root, enum paths_user user);

/* "" or the private instance's root, without a slash at its end. */
const char *paths_root(void);

/* ROOT + the formatted absolute path. 0 or -ENAMETOOLONG. */
int path_get(char buf[static PATH_SIZE], const char *fmt, ...) _printf_(2, 3);

/* A program of ours: dir is one of these. In a private instance ROOT/usr/…, else as configured. */
enum path_dir { PATH_BIN, PATH_SBIN, PATH_LIB };
int path_program(char buf[static PATH_SIZE], enum path_dir dir, const char *name);

/* A program of ours that lies beside this one, else the one that is installed in PATH_LIB. */
int path_neighbour(char buf[static PATH_SIZE], const char *name);

#endif
