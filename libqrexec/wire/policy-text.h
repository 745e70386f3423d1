/*
 * What is said on the policy service's socket: lines KEY=VALUE, both ways.
 *
 * A request ends with an empty line or the end of the stream, an answer with the end of the
 * stream. Spans point into the caller's bytes.
 */
#ifndef QREXEC_WIRE_POLICY_TEXT_H
#define QREXEC_WIRE_POLICY_TEXT_H

#include "libqrexec/wire/message.h"

enum {
    POLICY_REQUEST_MAX = WIRE_SERVICE_SIZE + 1024, /* longer is malformed */
    POLICY_ANSWER_MAX = 4095,
};

struct policy_query {
    struct wire_text source;
    struct wire_text target;           /* intended_target; may be empty */
    struct wire_text service;          /* service_and_arg as it came */
    struct wire_text requested_source; /* absent: not sent; empty: none */
    bool assume_yes_for_ask;
    bool just_evaluate;
};

/*
 * 0; WIRE_E_SHORT: no end yet, read on (never with eof); else malformed: WIRE_E_TEXT (no '=', not
 * ASCII, unknown key), _TWICE, _MISSING, _VALUE, _LENGTH. Close without an answer then.
 */
int policy_text_read_query(const void *data, size_t len, bool eof, struct policy_query *ret);
/* With the empty line. yes/no keys only where true. WIRE_E_SPACE, WIRE_E_VALUE (newline inside). */
int policy_text_write_query(struct wire_writer *w, const struct policy_query *q);

struct policy_answer {
    bool allow;
    bool autostart; /* this and below: only with allow */
    struct wire_text user;
    struct wire_text target;
    struct wire_text target_uuid; /* optional: "uuid:…", "@dispvm:uuid:…" */
    struct wire_text requested_target;
    struct wire_text service;       /* optional: replaces what was asked */
    struct wire_text policy_source; /* optional: replaces the caller's name */
};

/* The whole answer. 0, or malformed: WIRE_E_TEXT, _TWICE, _MISSING, _VALUE, _LENGTH. */
int policy_text_read_answer(const void *data, size_t len, struct policy_answer *ret);
/* just_evaluate: only the result. WIRE_E_SPACE, WIRE_E_VALUE, WIRE_E_LENGTH. */
int policy_text_write_answer(struct wire_writer *w, const struct policy_answer *a,
                             bool just_evaluate);

#endif
