/*
 * The steps of a child between fork and exec: giving up root for the domain's own uid, and, as
 * root, laying the domain's directories where that uid can reach them.
 *
 * When the helper runs as root, each domain is an unprivileged uid of its own on the host too. It
 * cannot walk through directories that are root's alone, as an instance's may be, so the child
 * gets its own mount namespace with the four directories below STAGE_DIR. As an ordinary user a
 * domain is that user, and the directories are used where they are.
 */
#ifndef QREXEC_SPAWNER_LOCAL_STAGE_H
#define QREXEC_SPAWNER_LOCAL_STAGE_H

#include "domain-spawner/local-sandbox.h"

#include <sys/types.h>

#define STAGE_DIR      "/tmp"
#define STAGE_UID_BASE 0x60000000U

/* In a child. As root: become uid, for good. In any case: leave our keyrings. */
int stage_drop(uid_t uid);
/* In a child, as root: the directories of paths are then at stage_paths(). */
int stage_mount(const struct sandbox_paths *paths);
extern const struct sandbox_paths stage_paths;

/* /usr/bin/NAME or /usr/sbin/NAME or in /bin …: static text; NULL: nowhere. */
const char *stage_find_program(const char *name);

#endif
