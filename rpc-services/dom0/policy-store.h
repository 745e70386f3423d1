/*
 * The policy directory, as the policy.* services see it.
 *
 * Files are read as they are. A change is made under a lock on the directory: the token is compared
 * with the file, the whole policy is loaded with the change in place, and only then is the new file
 * written beside the old as a dotfile, synced, and renamed over it. Whatever happens on the way
 * (full disk, kill), the old file is whole, and a dotfile that is left is no policy and is replaced
 * by the next change. A link stays: what it leads to is changed.
 *
 * Returns: 0; ADMIN_E_*; or a negative errno. With any failure reterr says why.
 */
#ifndef QREXEC_RPC_POLICY_STORE_H
#define QREXEC_RPC_POLICY_STORE_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/paths.h"

/* What callers are told (the names are the field's exceptions). */
enum admin_error {
    ADMIN_E_TOKEN = 1,
    ADMIN_E_NOT_FOUND,
    ADMIN_E_SYNTAX,
    ADMIN_E_FILE_NAME,
    ADMIN_E_FILE_PATH,
    ADMIN_E_PROTOCOL,
};

#define ADMIN_TEXT_MAX    1024
#define ADMIN_NAME_MAX    200         /* bytes of a file's name */
#define ADMIN_CONTENT_MAX (16u << 20) /* of a file: what the policy library reads */

enum store_place { STORE_POLICY, STORE_INCLUDE };

struct policy_store {
    char dir[PATH_SIZE];
    char run_dir[PATH_SIZE]; /* of files that hide those of dir; "": none is looked at */
    char legacy_dir[PATH_SIZE];
    unsigned lock_ms; /* how long to wait for another's change */
};

/* The instance's directories, or the one of QREXEC_POLICY_DIR. */
int store_init(struct policy_store *s);

/* Names, one a line, sorted; only those that could be named in a request but for dots. */
int store_list(const struct policy_store *s, enum store_place place, struct buf *ret,
               char reterr[static ADMIN_TEXT_MAX]);
/* The whole content; the caller frees. */
int store_read(const struct policy_store *s, enum store_place place, const char *name, char **ret,
               size_t *ret_len, char reterr[static ADMIN_TEXT_MAX]);

/* *ret: a descriptor to close when the change is done. Waits lock_ms for another's change. */
int store_lock(const struct policy_store *s, int *ret, char reterr[static ADMIN_TEXT_MAX]);

/* A change to a file, with the lock held. */
struct store_change {
    enum store_place place;
    const char *name;
    const char *token;
    const char *content; /* NULL: remove it */
    size_t len;
};
int store_apply(const struct policy_store *s, const struct store_change *c,
                char reterr[static ADMIN_TEXT_MAX]);

/* For messages that may be longer than their place: cut there. Returns code. */
int admin_fail(char reterr[static ADMIN_TEXT_MAX], int code, const char *fmt, ...) _printf_(3, 4);

#endif
