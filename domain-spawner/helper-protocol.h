/*
 * What the front and the helper say to each other: one JSON object a datagram, over a
 * SOCK_SEQPACKET pair that the front makes. The helper has its end as descriptor 3.
 *
 * The front sends requests, each with an id of its choice; each gets one answer with that id, at
 * once: create's answer means "begun". Events come unasked:
 *
 *   helper: {"message":"hello","backend":"local","outlive":false}
 *   front:  {"request":"create","id":1,"uuid":U,"name":"work",…}   all of struct domain_spec
 *   helper: {"message":"answer","id":1,"domid":1}
 *   helper: {"message":"running","uuid":U,"domid":1}
 *   front:  {"request":"stats","id":2,"uuid":U}
 *   helper: {"message":"answer","id":2,"memory_kib":…,"maxmem_kib":…,"cpu_ns":…}
 *   front:  {"request":"shutdown","id":3,"uuid":U}
 *   helper: {"message":"answer","id":3}
 *   helper: {"message":"gone","uuid":U,"reason":"shutdown"}
 *
 *   helper: {"message":"late","uuid":U,"reason":"…"}      no agent in start_seconds; it lives on
 *
 * A refused request: its answer has "error", one line. A domain whose create was answered without
 * an error ends in exactly one of "start-failed" (with "reason", one line) and "gone" (reason
 * shutdown, crash or destroy); when that arrives nothing of it is left. The front's death (end of
 * file) ends every domain, then the helper.
 *
 * Where hello says "outlive":true (Xen), domains live on without a helper, and the front's death
 * ends only the disposables. A new helper tells of each domain that lives, whoever made it, before
 * its hello, and the front names those that are its own:
 *
 *   helper: {"message":"found","uuid":U}
 *   front:  {"request":"adopt","id":4,"uuid":U,…}        create's fields; "starting":true if its
 *                                                        agent has not answered ever
 *   helper: {"message":"answer","id":4,"domid":1}        it lives, "paused":true if it does not run
 *   helper: {"message":"running","uuid":U,"domid":1}     its agent has answered a new daemon
 *
 * One that is starting may end in "start-failed", as after create; others are not ended for their
 * agent's silence. "error" instead of an answer: no domain has that uuid, so it ended unseen. A
 * disposable is not adopted but ended: the same answer, then "gone". No domain is touched whose
 * uuid the front does not name.
 *
 * The helper believes nothing: each field is checked here as if a stranger had sent it. An unknown
 * field, a second one of a name, a missing one: refused.
 */
#ifndef QREXEC_SPAWNER_HELPER_PROTOCOL_H
#define QREXEC_SPAWNER_HELPER_PROTOCOL_H

#include "domain-spawner/backend.h"

#define HELPER_FD           3
#define HELPER_DATAGRAM_MAX 16384

enum helper_request_type {
    HELPER_CREATE,
    HELPER_SHUTDOWN,
    HELPER_DESTROY,
    HELPER_PAUSE,
    HELPER_UNPAUSE,
    HELPER_STATS,
    HELPER_ADOPT,
};

struct helper_request {
    enum helper_request_type type;
    uint64_t id;
    struct domain_spec spec; /* other than create and adopt: only its uuid */
};

enum helper_message_type {
    HELPER_HELLO,        /* text: the backend's name; outlive */
    HELPER_ANSWER,       /* id; text: the error, or "" */
    HELPER_RUNNING,      /* uuid, domid */
    HELPER_START_FAILED, /* uuid; text: the reason */
    HELPER_GONE,         /* uuid, end */
    HELPER_FOUND,        /* uuid */
    HELPER_LATE,         /* uuid; text: the reason */
};

struct helper_message {
    enum helper_message_type type;
    uint64_t id;
    char uuid[DOMAIN_UUID_SIZE];
    uint32_t domid;            /* answer to create and adopt, running; else 0 */
    bool outlive;              /* hello: domains live on without the helper */
    bool paused;               /* answer to adopt */
    struct domain_stats stats; /* answer to stats; else zeroes */
    enum domain_end end;
    char text[DOMAIN_TEXT_SIZE];
};

#define HELPER_E_SYNTAX 1 /* no JSON object of ours */
#define HELPER_E_FIELD  2 /* a field is missing, unknown or not allowed; *ret_field names it */

/*
 * The datagram of a request or a message. 0 and *ret (the caller frees), *ret_len; -ENOMEM;
 * -EMSGSIZE: over HELPER_DATAGRAM_MAX. Text that is not UTF-8: -EINVAL.
 */
int helper_request_format(const struct helper_request *rq, char **ret, size_t *ret_len);
int helper_message_format(const struct helper_message *m, char **ret, size_t *ret_len);

/*
 * 0, HELPER_E_*, -ENOMEM. On HELPER_E_FIELD, *ret_id is the request's id if that was readable,
 * so that it can be refused; *ret_field is static.
 */
int helper_request_parse(const char *data, size_t n, struct helper_request *ret, uint64_t *ret_id,
                         const char **ret_field);
int helper_message_parse(const char *data, size_t n, struct helper_message *ret);

/*
 * What the helper accepts of a domain's fields: names as the registry makes them
 * ([A-Za-z][A-Za-z0-9_.-]*, not ending in -dm), uuids in lower case, users, and paths that are
 * absolute, plain (no //, no ., no ..) and not /.
 */
bool helper_name_ok(const char *name);
bool helper_uuid_ok(const char *uuid);
bool helper_user_ok(const char *user);
bool helper_path_ok(const char *path);

#endif
