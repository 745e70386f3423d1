/*
 * The helper: the process with the rights. It takes requests from the front, checks each again,
 * has the backend do them, and tells what becomes of the domains. It decides nothing.
 */
#ifndef QREXEC_SPAWNER_HELPER_H
#define QREXEC_SPAWNER_HELPER_H

#include "domain-spawner/backend.h"

struct helper;

/* The backend of that name ("": the one that this machine is made for), or NULL. */
const struct backend_ops *backend_find(const char *name);

/* socket: the front, owned by the helper. -errno; *ret_why: one line, what to do. */
int helper_new(int socket, const struct backend_ops *ops, struct helper **ret,
               const char **ret_why);
void helper_free(struct helper *h);

/* What to wait for: the front's socket readable, the backend's descriptor, a timeout. */
int helper_socket(const struct helper *h);
int helper_backend_fd(const struct helper *h);
int helper_timeout(const struct helper *h);
/* Wait for the front's socket to be writable, too. */
bool helper_has_unread(const struct helper *h);
/* After any of that. */
void helper_dispatch(struct helper *h);

/*
 * Ends every domain, but those that outlive us; the helper is over once they are gone. Also when
 * the front goes.
 */
void helper_end(struct helper *h);
bool helper_is_over(const struct helper *h);

#endif
