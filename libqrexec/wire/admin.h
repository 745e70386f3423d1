/*
 * The Admin API as bytes: requests, answers, events.
 *
 *   request     METHOD+ARG SRC TYPE DEST NUL PAYLOAD, until the caller half-closes
 *   success     0 NUL CONTENT
 *   exception   2 NUL TYPE NUL TRACEBACK NUL FORMAT NUL (FIELD NUL)...
 *   event       1 NUL SUBJECT NUL EVENT NUL (KEY NUL VALUE NUL)... NUL
 *
 * Spans point into the caller's bytes.
 */
#ifndef QREXEC_WIRE_ADMIN_H
#define QREXEC_WIRE_ADMIN_H

#include "libqrexec/wire/message.h"

#define ADMIN_REQUEST_MAX 65536 /* header and payload */

struct admin_request {
    struct wire_text method;
    struct wire_text argument; /* behind the first '+'; "" where there is none */
    struct wire_text source;
    bool keyword; /* TYPE is "keyword" (DEST "adminvm"), else "name" */
    struct wire_text dest;
    struct wire_text payload; /* whatever followed the NUL so far */
};

/*
 * 0; WIRE_E_SHORT: the header's NUL has not come yet; WIRE_E_LENGTH: over the limit; WIRE_E_TEXT:
 * not four words with single blanks, an empty method, source or DEST, a bad TYPE.
 */
int admin_read_request(const void *data, size_t len, struct admin_request *ret);
/* keyword: DEST is "adminvm" then. WIRE_E_SPACE; WIRE_E_VALUE: a blank or a NUL inside a word. */
int admin_write_request(struct wire_writer *w, const char *method, const char *argument,
                        const char *source, const char *dest, bool keyword, const void *payload,
                        size_t payload_len);

struct admin_answer {
    bool success;
    struct wire_text content; /* success */
    struct wire_text type;    /* exception: "QubesVMNotFoundError" … */
    struct wire_text format;
    struct wire_text fields; /* the rest, each ended by NUL */
};

/*
 * The whole answer. WIRE_E_SHORT: empty ("access denied or internal error") or cut; WIRE_E_TYPE:
 * neither success nor exception.
 */
int admin_read_answer(const void *data, size_t len, struct admin_answer *ret);
/* The exception's text with its fields filled in, cut to size, always NUL-terminated. */
void admin_exception_text(const struct admin_answer *a, char *buf, size_t size);

int admin_write_success(struct wire_writer *w, const void *content, size_t len);
/* text is finished: a '%' in it is doubled here. */
int admin_write_exception(struct wire_writer *w, const char *type, const char *text);

struct admin_event {
    struct wire_text subject; /* domain's name, "" for the system's own */
    struct wire_text event;
    struct wire_text pairs; /* KEY NUL VALUE NUL … */
};

/*
 * The next event of a stream. *ret_used: how many bytes it took. WIRE_E_SHORT: not all there yet.
 * WIRE_E_TYPE: no event; *ret and *ret_used are untouched (an exception may stand there).
 */
int admin_read_event(const void *data, size_t len, struct admin_event *ret, size_t *ret_used);
/* The value of a key; absent if it is not there. */
struct wire_text admin_event_value(const struct admin_event *e, const char *key);
/* pairs: key, value, …, NULL. */
int admin_write_event(struct wire_writer *w, const char *subject, const char *event,
                      const char *const *pairs);

#endif
