/*
 * What the policy service says to the prompt: bytes in, a checked question or notice out.
 *
 * The bytes are a service descriptor ("policy.Ask dom0 …"), NUL, and a JSON object. Only dom0 is
 * listened to. Of what comes out, names hold none but letters, digits and "@ _ . -" (services also
 * "+"); the rest is text of anybody, and must be escaped before it is shown.
 */
#ifndef QREXEC_PROMPT_REQUEST_H
#define QREXEC_PROMPT_REQUEST_H

#include "libqrexec/base/util.h"

#define PROMPT_REQUEST_MAX  (4U << 20)
#define PROMPT_TARGETS_MOST 9999

enum prompt_kind { PROMPT_ASK, PROMPT_NOTIFY };

struct prompt_request {
    enum prompt_kind kind;
    char *source, *service;
    char *argument; /* with its "+" */
    /* ask */
    char **targets;
    size_t n_targets;      /* at least one */
    size_t default_target; /* n_targets: none */
    char *source_icon;     /* an icon's name, "" where none is known */
    char **target_icons;   /* one a target, the same */
    bool keep;             /* [ext] who asks understands for how long an answer is to be kept */
    /* notify */
    char *resolution, *target;
};

enum {
    PROMPT_E_DESCRIPTOR = 1, /* not "policy.Ask dom0" or "policy.Notify dom0" before a NUL */
    PROMPT_E_JSON,
    PROMPT_E_KEY,   /* one is missing, or is of another type */
    PROMPT_E_BYTES, /* in a name */
    PROMPT_E_TARGETS,
};

/* 0 and *ret, for prompt_request_deinit(); PROMPT_E_*; -ENOMEM. */
int prompt_request_parse(const void *data, size_t n, struct prompt_request *ret);
void prompt_request_deinit(struct prompt_request *q);
const char *prompt_error_text(int error);

#endif
