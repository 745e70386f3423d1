/*
 * Calls of the Admin API from dom0's tools: one request, one answer, over the spawner's socket.
 * Any daemon that speaks the API on that socket will do.
 */
#ifndef QREXEC_COMMANDS_ADMIN_CLIENT_H
#define QREXEC_COMMANDS_ADMIN_CLIENT_H

#include "libqrexec/base/util.h"

struct admin_reply {
    char *content; /* of a success, NUL-terminated; allocated */
    size_t len;
    char *type;    /* of an exception, e.g. QubesVMNotFoundError; allocated */
    char *message; /* its text for the user; allocated */
};

#define ADMIN_REPLY_NULL ((struct admin_reply){0})
#define ADMIN_E_REFUSED  1 /* an exception: type and message are set */

void admin_reply_deinit(struct admin_reply *r);

/*
 * dest: a domain's name. arg and payload may be NULL. 0; ADMIN_E_REFUSED; negative errno with
 * message set as well, so that the caller can always show message.
 */
int admin_call(const char *method, const char *arg, const char *dest, const char *payload,
               struct admin_reply *ret);

/*
 * A disposable that lives as long as *ret_fd is open (internal.LeaseDisposable). template: its
 * name, or NULL for dom0's default. The answer is "NAME uuid:UUID DOMID".
 */
int admin_lease(const char *template, int *ret_fd, struct admin_reply *ret);

#endif
