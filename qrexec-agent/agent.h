/*
 * The agent: a VM's end of its control channel.
 *
 * control.c talks to the daemon, clients.c to the programs of this VM that call others, calls.c
 * carries what others call here. They know each other through this header only.
 *
 * A daemon connection has a number, its epoch. What was agreed with one daemon means nothing to
 * the next (ports, idents), so a client or call keeps the epoch that it belongs to, and nothing
 * of an old epoch is reported to a new daemon, unless that says that it still holds the port: then
 * the client or call belongs to its epoch, and what is over is reported. Data connections do not
 * care: they go on.
 */
#ifndef QREXEC_AGENT_AGENT_H
#define QREXEC_AGENT_AGENT_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/charge.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/vchan/vchan.h"
#include "libqrexec/wire/message.h"

#include <sys/resource.h>
#include <sys/types.h>

#define ENDS_MOST 1024

struct agent;
struct client;
struct call;
struct session_wait;
struct session;

enum control_state {
    CONTROL_WAITING, /* for a daemon */
    CONTROL_HELLO,   /* ours is sent, the daemon's has not come */
    CONTROL_SERVING,
};

struct control {
    struct vchan *vchan;
    struct watch watch;
    struct timer timer;
    enum control_state state;
    uint32_t version; /* in use */
    uint64_t epoch;   /* counts the daemons */
    /* the last connections that ended, whoever was told; port 0: none */
    struct wire_peer ends[ENDS_MOST];
    size_t n_ends;
    struct buf in, out;
};

/* The socket of this VM's callers. */
struct clients {
    char path[UNIX_PATH_SIZE];
    int listener; /* -1: no daemon, no socket */
    struct watch watch;
    struct timer again; /* when nothing was left to accept one with */
    bool paused;        /* said already */
    struct client *first;
    struct ledger ledger; /* open clients by user */
    bool over_budget;     /* said already */
    uint64_t first_number;
    uint64_t next_number; /* of an ident; never used twice, not by the next agent either */
};

struct calls {
    struct call *first;
    struct session_wait *waits; /* session-wait.c */
    struct session *sessions;   /* sessions.c */
    const char *fork_server;    /* a path, %s is the user; NULL: none */
    struct rlimit files;        /* what programs get; the agent itself takes more */
    bool told_meminfo;
};

struct agent {
    struct control control;
    struct clients clients;
    struct calls calls;
};

/* Listens for the first daemon. 0 or negative errno. */
int control_init(struct agent *a);
void control_deinit(struct agent *a);
/* Whether what was agreed in that epoch still stands. */
bool control_serves(const struct agent *a, uint64_t epoch);
/* Notes the end of a call, and reports it if its daemon is still there. */
void control_send_terminated(struct agent *a, uint64_t epoch, uint32_t domain, uint32_t port);
/* What a carrier answered that was asked to look; c's domain and port are set. */
void control_send_counts(struct agent *a, uint64_t epoch, const struct wire_counts *c);
/* 0; WIRE_E_*; -ENOBUFS: the daemon is slow, clients_flush() will be called when it is not. */
int control_send_trigger(struct agent *a, const struct wire_trigger *t);

void clients_init(struct agent *a);
/* A daemon serves: makes the socket. 0 or negative errno. */
int clients_open(struct agent *a);
/* No daemon: removes the socket, closes who waits for an answer. */
void clients_close(struct agent *a);
void clients_deinit(struct agent *a);
/* A descriptor is free again: accept callers, if that had stopped. */
void clients_resume(struct agent *a);
/* The daemon takes triggers again. */
void clients_flush(struct agent *a);
void clients_connect(struct agent *a, const struct wire_connect *c);
void clients_refuse(struct agent *a, const struct wire_ident *ident);
/* Tells who carries that connection: WIRE_SAYS_*. False: nobody. */
bool clients_tell(struct agent *a, const struct wire_peer *peer, uint32_t word);
/* This daemon holds that port, too: the client's end is reported to it. False: no such client. */
bool clients_keep(struct agent *a, const struct wire_peer *peer);

/* exec's cmdline is a C string. */
void calls_start(struct agent *a, uint32_t type, const struct wire_exec *exec);
/* As clients_tell(), for calls from that domain. */
bool calls_tell(struct agent *a, const struct wire_peer *peer, uint32_t word);
/* As clients_keep(). */
bool calls_keep(struct agent *a, const struct wire_peer *peer);
/*
 * sessions.c: a process for each user that holds their login (qrexec-session). Gives it a call:
 * *ret is our end of a socket whose other end the process that carries the call holds. It says so
 * there with a byte; an end before that means that nobody took it. Negative errno.
 */
int sessions_call(struct agent *a, const char *user, const struct wire_fork *f,
                  struct wire_text line, int *ret);
void sessions_deinit(struct agent *a);

/*
 * session-wait.c: one qubes.WaitForSession a user, for all calls that wait for that session; source
 * is the caller's domain. NULL: there is none to wait for, which was logged.
 */
struct session_wait *session_wait_for(struct agent *a, const char *user, const char *source);
/* The one that this child was; NULL: none. */
struct session_wait *session_wait_of(const struct agent *a, pid_t pid);
void session_wait_free(struct agent *a, struct session_wait *w);

/* A child of ours has ended. */
void calls_reap(struct agent *a, pid_t pid);
void calls_deinit(struct agent *a);

#endif
