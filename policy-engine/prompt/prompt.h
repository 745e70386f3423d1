/*
 * A question for the user, or a notice: what came over the agent's socket, checked, and how it is
 * shown and answered as text. Pure: bytes in, bytes out.
 *
 *   SERVICE dom0[ more words] NUL JSON end of file
 *
 * Every string that is shown holds harmless characters only: one that does not refuses the whole
 * request, but for the argument, where other characters are shown as '_'.
 */
#ifndef QREXEC_POLICY_PROMPT_H
#define QREXEC_POLICY_PROMPT_H

#include "libqrexec/base/util.h"

#define PROMPT_REQUEST_MAX  (4U << 20) /* icons of all domains are in it */
#define PROMPT_TARGETS_MOST 10000

enum prompt_kind { PROMPT_ASK, PROMPT_NOTIFY };

struct prompt {
    enum prompt_kind kind;
    char *source, *service, *argument;
    char **targets; /* ask: the choices */
    size_t n_targets;
    size_t default_target;     /* ask: its place; n_targets: there is none */
    char *resolution, *target; /* notify */
};

#define PROMPT_E_DESCRIPTOR 1 /* not policy.Ask or policy.Notify, or not from dom0 */
#define PROMPT_E_JSON       2 /* not JSON, or a key is missing or of another type */
#define PROMPT_E_NAME       3 /* a name with a character that none has */

/* The whole request. 0, PROMPT_E_*, -ENOMEM. */
int prompt_read(const void *data, size_t n, struct prompt *ret);
void prompt_deinit(struct prompt *p);
const char *prompt_error_text(int error);

/* The question with its numbered targets, or the notice's line. NULL: no memory. Caller frees. */
char *prompt_show(const struct prompt *p);

/* What was typed, without its newline: the target that is allowed, or NULL: denied. */
const char *prompt_choose(const struct prompt *p, const char *line);

#endif
