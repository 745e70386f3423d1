/*
 * qrexec-daemon: one domain's calls, in dom0. What its parts know of each other.
 *
 *   control.c   the domain's agent, over the control vchan
 *   clients.c   dom0's programs and other domains' daemons, over our socket
 *   calls.c     calls that the domain makes: the driver of call.c
 *   carried.c   calls that go on without us, from and to the domain
 *   see.c       who looks at calls and ends them
 *   deaths.c    other domains that end: the agent is told
 *
 * Nothing here blocks; daemon-main.c has the loop.
 */
#ifndef QREXEC_DAEMON_DAEMON_H
#define QREXEC_DAEMON_DAEMON_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/call-id.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/vchan/vchan.h"
#include "libqrexec/wire/message.h"
#include "qrexec-daemon/log-limit.h"
#include "qrexec-daemon/pending.h"
#include "qrexec-daemon/ports.h"
#include "qrexec-daemon/program.h"

/* What one domain can make dom0 hold; what is over it is refused, with a line in the log. */
#define DAEMON_CALLS_MOST      512
#define DAEMON_CALL_BYTES_MOST (16U << 20) /* of names of services */
#define DAEMON_CLIENTS_MOST    4096

struct carried;
struct client;
struct orphan;
struct running_call;
struct viewer;

struct control {
    struct vchan *vchan;
    struct watch watch;
    struct timer timer;
    struct buf in, out;
    uint32_t version; /* 0: no hello yet */
    uint64_t pause;   /* ms before the next connection, grows while the agent misbehaves */
};

/* What went over a call's connection, as its VM says. */
struct call_counts {
    bool known, asked;
    uint64_t sent, received, first_us;
};

/* Who looks at calls (see.h). */
struct see {
    char path[UNIX_PATH_SIZE];
    struct watch listening;
    struct viewer *viewers;
    size_t n_viewers, n_asked;
    struct timer accept_again; /* after we had no descriptor left */
    struct timer look;         /* answers of the agent are waited for */
    enum { SEE_AGENT_UNKNOWN, SEE_AGENT_ANSWERS, SEE_AGENT_MUTE } agent;
};

struct daemon {
    uint32_t domid;
    const char *name, *uuid, *default_user;
    char socket_dir[UNIX_PATH_SIZE];
    struct control control;
    int listener;
    struct watch listening;
    struct timer accept_again; /* after we had no descriptor left */
    struct client *clients;
    size_t n_clients;
    bool crowded; /* said already */
    struct running_call *calls;
    size_t n_calls, call_bytes;
    struct carried *carried, *carried_last;
    size_t n_carried;
    struct orphan *orphans;
    struct see see;
    struct program program;
    uint64_t start, next_call; /* for ids of calls: of the daemon, and the last one's number */
    struct pending_table pending;
    struct ports ports;
    struct vchan_deaths *deaths;
    struct watch deaths_watch;
    struct log_limit calls_log, clients_log, agent_log; /* a domain cannot fill the log */
    bool ready_once;
    void (*on_ready)(struct daemon *d); /* the agent answered for the first time */
};

/* control.c */
int control_start(struct daemon *d);
void control_stop(struct daemon *d);
/* To the agent. 0 or negative errno (-ENOTCONN: no agent). */
int control_send_exec(struct daemon *d, uint32_t type, uint32_t domain, uint32_t port,
                      struct wire_text cmdline);
int control_send_connect(struct daemon *d, uint32_t domain, uint32_t port,
                         const struct wire_ident *ident);
void control_send_refused(struct daemon *d, const struct wire_ident *ident);

/* The agent, that domain is gone, and the connection with that port (0: none was open). */
void control_send_gone(struct daemon *d, uint32_t domain, uint32_t port);

/* deaths.c */
int deaths_start(struct daemon *d);
void deaths_stop(struct daemon *d);
/* The agent was told of a connection with that domain. */
void deaths_follow(struct daemon *d, uint32_t domain, uint32_t port);
/* An agent is there: it is told of those that ended meanwhile. */
void deaths_recall(struct daemon *d);

/* clients.c */
int clients_listen(struct daemon *d);
/* Removes the sockets and drops every client. */
void clients_stop(struct daemon *d);
/* The agent reported that (domain, port) is over. */
void clients_terminated(struct daemon *d, uint32_t domain, uint32_t port);
/* The call that a client claimed has ended. */
void clients_forget(struct daemon *d, const struct running_call *call);

/* dom0's end of that connection, if there is one, is told to end the call. */
void clients_stop_call(struct daemon *d, uint32_t domain, uint32_t port);

/* see.c */
void see_start(struct daemon *d);
void see_stop(struct daemon *d);
/* Tells who watches. how: NULL, or what it has come to. */
void see_running_changed(const struct running_call *c, const char *how);
void see_carried_changed(const struct daemon *d, const struct carried *c, const char *how);
/* see-counts.c */
void see_take_counts(struct daemon *d, const struct wire_counts *said);
void see_forget_counts(struct daemon *d, struct call_counts *counts);
void see_new_agent(struct daemon *d);

/* calls.c */
void calls_trigger(struct daemon *d, const struct wire_trigger *t);
void calls_terminated(struct daemon *d, uint32_t domain, uint32_t port);
/* The agent is gone, or we end. */
void calls_stop(struct daemon *d);
/* The pending request that a client may connect, or NULL. */
struct running_call *calls_find(struct daemon *d, const struct wire_ident *ident);
/* The client did, and the agent was told. Its end is told by calls_client_gone(). */
void calls_claim(struct running_call *c, uint32_t domain, uint32_t port);
void calls_client_gone(struct running_call *c);
void calls_deinit(struct daemon *d);

#endif
