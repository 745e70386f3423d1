/*
 * The command line of an exec message.
 *
 *   in a VM     USER:[nogui:]COMMAND
 *   in dom0     [nogui:]COMMAND
 *   COMMAND     QUBESRPC SERVICE[+ARG] SOURCE [TYPE TARGET], or else a shell command
 *
 * Exactly one blank between words. Spans point into the caller's bytes.
 */
#ifndef QREXEC_WIRE_COMMAND_H
#define QREXEC_WIRE_COMMAND_H

#include "libqrexec/wire/message.h"

/* Named outcomes, positive. All of them end the call with exit code 125. */
enum command_error {
    COMMAND_E_COLON = 1,  /* no "USER:" at the front */
    COMMAND_E_BLANK,      /* QUBESRPC without a blank behind it */
    COMMAND_E_EMPTY_WORD, /* two blanks, or one at an end */
    COMMAND_E_SERVICE,    /* empty service name, or over 255 bytes */
    COMMAND_E_SOURCE,     /* no source */
    COMMAND_E_NUL,        /* a NUL inside */
};
const char *command_error_text(int error);

enum command_place { COMMAND_IN_VM, COMMAND_IN_DOM0 };

#define COMMAND_SERVICE_MAX 255 /* bytes of a service name without its argument */

struct command {
    struct wire_text user; /* absent in dom0 */
    bool nogui;
    bool is_service;       /* QUBESRPC */
    struct wire_text text; /* the COMMAND: for a shell, or "QUBESRPC …" */
    /* Only of a service: */
    struct wire_text descriptor; /* "SERVICE+ARG SOURCE[ TYPE TARGET]" as it came */
    struct wire_text full_name;  /* SERVICE+ARG as it came */
    struct wire_text service;
    struct wire_text argument; /* absent: no '+'; may be empty */
    struct wire_text source;
    struct wire_text target_type; /* absent unless there are 4 words or 3 */
    struct wire_text target;      /* the rest of the line behind it */
    unsigned n_words;             /* executables: 2 or 4, else 125 */
};

/* line without its NUL. 0 or COMMAND_E_*. */
int command_parse(struct wire_text line, enum command_place place, struct command *ret);

/*
 * What a daemon builds after an allow. service without '+' gets one appended. The result is
 * without a NUL. WIRE_E_SPACE, or WIRE_E_VALUE: a blank, NUL or nothing where a word belongs.
 */
int command_write_vm(struct wire_writer *w, struct wire_text user, struct wire_text service,
                     struct wire_text source);
/* requested_target: TYPE is keyword if it starts with '@', which is left out then. */
int command_write_dom0(struct wire_writer *w, struct wire_text service, struct wire_text source,
                       struct wire_text requested_target);

#endif
