/*
 * qrexec-calls asks: the daemons whose sockets are in a directory, all at once. Each has its time;
 * one that is dead or slow costs no more, and is named.
 */
#ifndef QREXEC_DAEMON_CALLS_ASK_H
#define QREXEC_DAEMON_CALLS_ASK_H

#include "libqrexec/base/buf.h"

#define ASK_MS         1000
#define ASK_LINE_MAX   4096
#define ASK_ANSWER_MAX (8U << 20)
#define ASK_NAME_MAX   64

struct asked {
    int fd;                  /* -1: over */
    char file[ASK_NAME_MAX]; /* of its socket */
    char name[ASK_NAME_MAX]; /* of its domain, once it said so; "": not yet */
    unsigned domain;
    struct buf in;
    bool answered; /* to its end */
};

struct ask {
    struct asked *daemons; /* allocated */
    size_t n;
};

/* Connects to all and says that line (with its newline). 0, or negative errno, after a message. */
int ask_begin(struct ask *a, const char *dir, const char *request);
void ask_deinit(struct ask *a);

/*
 * Until each has answered (fn says so for its last line), or its time is over: fn gets each line
 * but the first. until 0: without a limit, for who watches; then it returns when none is left.
 */
typedef bool ask_fn(void *user, struct asked *d, char *line);
int ask_lines(struct ask *a, uint64_t until, ask_fn *fn, void *user);

/* The value of KEY=VALUE in a line of fields, NUL-terminated in ret ("" where there is none). */
bool ask_field(const char *line, const char *key, char *ret, size_t size);
bool ask_number(const char *line, const char *key, uint64_t *ret);

#endif
