/*
 * A scripted daemon, caller and client for talks with the real qrexec-agent, over the socket
 * transport in a directory of its own. It builds and reads bytes by hand: a fault in our own
 * message code must not hide here.
 */
#ifndef QREXEC_TESTS_TALK_AGENT_PEER_H
#define QREXEC_TESTS_TALK_AGENT_PEER_H

#include "tests/unit/test.h"

#include <sys/resource.h>
#include <sys/types.h>

#define HELLO          0x300u
#define EXEC_CMDLINE   0x200u
#define JUST_EXEC      0x201u
#define CONNECT        0x202u
#define REFUSED        0x203u
#define TRIGGER3       0x212u
#define TRIGGER4       0x213u
#define TERMINATED     0x211u
#define DATA_STDIN     0x190u
#define DATA_STDOUT    0x191u
#define DATA_STDERR    0x192u
#define DATA_EXIT_CODE 0x193u

#define WAIT_MS 10000

struct world {
    char *dir;
    char agent_socket[256];
    char user[64]; /* who runs the test */
    pid_t agent;
    int daemon; /* control vchan */
};

struct message {
    uint32_t type, len;
    unsigned char body[70000];
};

/* What a caller got from a call. */
struct outcome {
    char out[4096], err[4096]; /* NUL-terminated */
    size_t out_len, err_len;
    bool out_eof, err_eof;
    int code; /* -1: none came */
};

/* The agent runs, the daemon is connected with that version (0: no hello). */
void world_start(struct world *w, uint32_t version);
void world_stop(struct world *w);
void agent_start(struct world *w);
int daemon_connect(struct world *w, uint32_t version);
/* An executable (or other) file in the world's folder of services, or of settings. */
void service_write(struct world *w, const char *name, const char *text, mode_t mode);
void config_write(struct world *w, const char *name, const char *text);
/* A program of the build. */
void program_path(char buf[static 512], const char *name);

/* From now on that process gets no descriptor, and then as many again as before. */
void files_end(pid_t pid, struct rlimit *ret_old);
void files_return(pid_t pid, const struct rlimit *old);

void put_u32(unsigned char *p, uint32_t v);
uint32_t get_u32(const unsigned char *p);
void message_send(int fd, uint32_t type, const void *body, size_t len);
/* The same to a peer that may have hung up already: a call that is over, an agent that refuses. */
void message_try(int fd, uint32_t type, const void *body, size_t len);
/* false: the connection ended. Fails the test after WAIT_MS. */
bool message_read(int fd, struct message *m);
void message_expect(int fd, uint32_t type, struct message *m);
void expect_closed(int fd);
void expect_nothing(int fd);

/* The daemon tells the agent to run it for the caller (domain, port). */
void send_exec(struct world *w, uint32_t type, uint32_t domain, uint32_t port, const char *line);
void expect_terminated(struct world *w, uint32_t domain, uint32_t port);

/* A vchan's server, as a caller in that domain makes it for domain 1. */
int vchan_serve(struct world *w, uint32_t domain, uint32_t port);
int vchan_accept(int listener); /* with the hellos */
/* Client of a vchan that domain 1 serves for that domain; with the hellos. */
int vchan_dial(struct world *w, uint32_t domain, uint32_t port);
void call_finish(int fd, struct outcome *o);
/* Serve, exec, send input, EOF, outcome, terminated. */
void call_run(struct world *w, uint32_t type, uint32_t port, const char *line, const char *input,
              struct outcome *o);

/* A client of the agent's socket. */
int client_dial(struct world *w);
void client_trigger(int fd, const char *target, const char *service);

#endif
