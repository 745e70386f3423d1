/*
 * The calls that qrexec-calls shows: what the daemons of both ends say of one call, joined by its
 * id. The caller's daemon knows more; of the bytes, either end will do.
 */
#ifndef QREXEC_DAEMON_CALLS_TABLE_H
#define QREXEC_DAEMON_CALLS_TABLE_H

#include "qrexec-daemon/calls-ask.h"

#define TABLE_STAGES 6
extern const char *const table_stages[TABLE_STAGES];

struct shown {
    char id[64], state[32];
    char source[64], asked[64], target[64], service[160];
    uint64_t since; /* ms since 1970 */
    bool has_bytes, has_first;
    uint64_t to_target, to_source, first_us;
    uint64_t stages[TABLE_STAGES];
    uint64_t domain; /* of an end whose name is not known */
    bool outgoing;   /* its caller's daemon spoke */
};

struct table {
    struct shown *calls; /* allocated */
    size_t n;
};

/* A line about a call, of any word. 0 or -ENOMEM; what is no such line is passed over. */
int table_take(struct table *t, const struct asked *from, const char *line);
void table_read(struct shown *ret, const struct asked *from, const char *line);
/* Numbers of sources become names where a daemon of that number answered. */
void table_name(struct shown *s, const struct ask *a);
/* The oldest first. */
void table_sort(struct table *t);
void table_deinit(struct table *t);

void table_print(const struct table *t);
/* An array, or one object a line for an event. -ENOMEM. */
int table_print_json(const struct table *t);
int table_print_event_json(const struct shown *s, const char *event, const char *how);

#endif
