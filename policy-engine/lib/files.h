/*
 * The files of a policy source: the disk, with some of them replaced, or memory alone.
 */
#ifndef QREXEC_POLICY_FILES_H
#define QREXEC_POLICY_FILES_H

#include "policy-engine/lib/common.h"
#include "policy-engine/lib/policy.h"

#define FILES_PATH_MAX    4096
#define FILES_CONTENT_MAX (16U << 20) /* of one file */

/* A growing list of strings, owned; NULL-ended once anything was added. */
struct strings {
    char **list;
    size_t n, cap;
};
int strings_add(struct strings *s, struct span text);
void strings_deinit(struct strings *s);

/* "." and "//" taken out of a path, by text alone. 0, -ENAMETOOLONG. */
int files_normalise(const char *path, char buf[static FILES_PATH_MAX]);

/* The whole content, allocated, a NUL behind it. 0, -ENOENT, -EISDIR, -EFBIG, … */
int files_read(const struct policy_source *s, const char *path, char **ret, size_t *ret_len);

/* Names of the regular files of a directory (links followed), and of what cannot be looked at, in
 * byte order. 0, -ENOENT, … */
int files_list(const struct policy_source *s, const char *dir, struct strings *ret);

#endif
