/*
 * A stage for the real qrexec-daemon: everybody it talks with is played by the test, with raw
 * bytes. The domain is "email", number 1. Each wait has a limit and fails the test past it.
 */
#ifndef QREXEC_TESTS_TALK_DAEMON_STAGE_H
#define QREXEC_TESTS_TALK_DAEMON_STAGE_H

#include "tests/unit/test.h"

#include <sys/types.h>

#define STAGE_UUID "11111111-2222-3333-4444-555555555555"
#define WAIT_MS    10000

enum { HELLO = 0x300, EXEC = 0x200, JUST_EXEC = 0x201, CONNECT = 0x202, REFUSED = 0x203 };
enum { TRIGGER2 = 0x210, TERMINATED = 0x211, TRIGGER3 = 0x212, TRIGGER4 = 0x213 };
enum { STDIN = 0x190, STDOUT = 0x191, STDERR = 0x192, EXIT_CODE = 0x193 };

struct stage {
    char *root;
    pid_t daemon;
    int control; /* where the daemon connects to the agent */
    int agent;   /* that connection, after stage_begin() */
    int policy;  /* listeners */
    int internal, admin;
};

/* The daemon runs, the agent has said hello with that version. policy.sock is served. */
void stage_begin(struct stage *s, uint32_t version);
/* The daemon ends with exit code 0 (valgrind and ASAN: without a complaint). */
void stage_end(struct stage *s);
/* Arguments in front of DOMID; not waited for. */
pid_t stage_spawn(struct stage *s, const char *const *options, int out);
void stage_prepare(struct stage *s);
char *stage_path(const struct stage *s, const char *path);
/* An executable file. */
void stage_script(const struct stage *s, const char *path, const char *text);

int stage_listen(const struct stage *s, const char *path);
int stage_accept(int listener);
void stage_unlisten(const struct stage *s, int *listener, const char *path);

/* The agent goes away and comes back, with a hello. */
void agent_restart(struct stage *s);

/* Messages. A body is what follows: bytes. */
struct bytes {
    unsigned char data[70000];
    size_t len;
};
void put_u32(struct bytes *b, uint32_t v);
void put_field(struct bytes *b, const char *text, size_t size); /* NUL-padded */
void put_text(struct bytes *b, const char *text, size_t n);
uint32_t get_u32(const struct bytes *b, size_t at);

void send_bytes(int fd, const void *data, size_t n);
void send_message(int fd, uint32_t type, const struct bytes *body);
void send_hello(int fd, uint32_t version);
void send_peer(int fd, uint32_t type, uint32_t domain, uint32_t port);
void send_exec(int fd, uint32_t type, uint32_t domain, uint32_t port, const char *command);
/* Version 4 with a source, which may be "". */
void send_trigger(int fd, const char *source, const char *target, const char *ident,
                  const char *service);

void expect_message(int fd, uint32_t type, struct bytes *ret);
void expect_hello(int fd, uint32_t version);
void expect_peer(int fd, uint32_t type, uint32_t domain, uint32_t port);
void expect_exec(int fd, uint32_t type, uint32_t domain, uint32_t port, const char *command);
void expect_connect(int fd, uint32_t domain, uint32_t port, const char *ident);
void expect_refused(int fd, const char *ident);
void expect_closed(int fd);
void expect_silence(int fd);
/* All that comes until the end of the stream, as text; the caller frees. */
char *read_to_end(int fd);
/* Up to and with the end mark. */
char *read_until(int fd, const char *end);

/* A client that has said hello; and one that has also been served. */
int client_begin(const struct stage *s);

/* The next request to the policy service is checked for its lines, and answered. */
void policy_answers(struct stage *s, const char *line, const char *answer);
/* How many descriptors the daemon holds, and a few more, always as many. */
unsigned stage_descriptors(const struct stage *s);
void expect_gone(const struct stage *s, const char *path);
void expect_there(const struct stage *s, const char *path);

/* The target's daemon, a stage_listen() on TARGET_SOCKET: gives that port of domain 9. The
 * connection stays open. */
#define TARGET_SOCKET "/run/qubes/qrexec.online"
int target_serves(int listener, const char *command, uint32_t port);

/* The spawner: the next request must be that. The connection stays open. */
int expect_admin(int listener, const char *header, const char *payload);
/* The answer, and the end. */
void admin_says(int fd, const char *data, size_t n);
#define NO_MEMORY "2\0QubesMemoryError\0\0no memory\0"
#define UNKNOWN   "2\0ProtocolError\0\0unknown method\0"

#define ALLOW(target, requested)                                                                   \
    "result=allow\nuser=DEFAULT\ntarget=" target "\nautostart=True\nrequested_target=" requested   \
    "\n"

#endif
