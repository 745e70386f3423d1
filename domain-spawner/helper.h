/*
 * The helper: carries out what the front asks of a backend, and tells it what becomes of domains.
 * It knows no loop; the front's end ends every domain.
 */
#ifndef QREXEC_SPAWNER_HELPER_H
#define QREXEC_SPAWNER_HELPER_H

#include "domain-spawner/backend.h"

struct helper;

/* 0; negative errno and *ret_why (static, "" or what to do). */
int helper_new(const struct backend_ops *ops, struct helper **ret, const char **ret_why);
void helper_free(struct helper *h);

/* Wait for HELPER_FD and helper_backend_fd(), at most helper_timeout() ms; then dispatch. */
int helper_backend_fd(const struct helper *h);
int helper_timeout(const struct helper *h);
/* False: the front is gone and so is every domain. */
bool helper_dispatch(struct helper *h);
/* We are told to end: destroys every domain; dispatch goes on until it returns false. */
void helper_end(struct helper *h);

#endif
