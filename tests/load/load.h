/*
 * Load on a whole instance: the real policy daemon, and a real daemon and agent for each of a few
 * domains over the socket transport, all children of this process, so that each can be killed and
 * started again. The spawner alone is played (spawner.c), as is the far end of a socket service.
 *
 * This process is the reaper of all that descends from it: what is left of a call is what is left
 * below it. Everything lies in one directory below /tmp. A check prints its figures and one line,
 * "ok - …" or "not ok - …"; nothing waits without a limit.
 */
#ifndef QREXEC_TESTS_LOAD_LOAD_H
#define QREXEC_TESTS_LOAD_LOAD_H

#include "libqrexec/base/io.h"
#include "libqrexec/base/util.h"

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

#define VMS      3
#define WAIT_MS  20000
#define TEXT_MAX 512

/* ---- world.c ---- */

struct vm {
    uint32_t domid;
    const char *name;
    pid_t daemon, agent; /* 0: none */
};

struct world {
    char dir[64];
    char user[64];
    struct vm vms[VMS]; /* a, b, c */
    pid_t policy, spawner;
};

extern struct world world;
/* From the command line: sizes of the full run, or those of make check. */
extern bool full;

void world_start(void);
void world_stop(void);
/* A call each way: what each program opens or makes with its first one is there then. */
void warm_up(void);
void policy_start(void);
void daemon_start(struct vm *vm);
void agent_start(struct vm *vm);
/* Both with the same name for the spawner's own domains: *vm is filled in. */
void vm_begin(struct vm *vm, uint32_t domid, const char *name);
/* The agent takes callers and dom0 takes clients. False: not in time. */
bool vm_serves(const struct vm *vm);
void vm_wait(const struct vm *vm);
/* kill and reap; *pid is 0 then. */
void end_process(pid_t *pid, int sig);
/* DIR/… in one of a few buffers that are used in turn. */
const char *in_dir(const char *fmt, ...) _printf_(1, 2);
/* A program of the build; path is a literal, the result stays. */
const char *program(const char *path);
/* What a program of that domain has in its environment. */
char *const *environment(uint32_t domid);
void write_file(const char *path, const char *text, mode_t mode);
/* fds[3]; dies where it cannot. */
pid_t spawn(const char *const *argv, uint32_t domid, const int *fds, int *ret_pidfd);

/* Prints a line. what: the behaviour, figures: NULL or a format. */
void check(bool ok, const char *what, const char *figures, ...) _printf_(3, 4);
_Noreturn void die(const char *fmt, ...) _printf_(1, 2);
extern int failures;
uint64_t now_us(void);
void sleep_ms(unsigned ms);
/* A number below n, from the seed that was printed. */
uint32_t rnd(uint32_t n);

/* ---- spawner.c ---- */

/* A process that plays the spawner, and serves the socket service. */
pid_t spawner_start(void);
#define LATE_MS 700 /* what the domain "late" takes to start */

/* ---- calls.c: many calls at once ---- */

struct call {
    /* given */
    const char *target, *service; /* of qrexec-client-vm; target NULL: argv is used */
    const char *const *argv;
    uint32_t from; /* domid */
    const char *prefix;
    size_t size;   /* bytes to send; the same come back, unless: */
    bool deaf;     /* nothing comes back */
    bool hold;     /* input stays open behind them until call_release() */
    size_t fixed;  /* only so many come back, then the service ends (code) */
    int code;      /* that is right */
    uint32_t kind; /* of the soak */
    /* found */
    pid_t pid; /* 0: not started, or over */
    int pidfd, in, out, err;
    uint32_t seed;
    size_t sent, got;
    bool wrong; /* a byte was not the one that was sent */
    bool over;
    int got_code;
    uint64_t begun, first, ended; /* us; first byte back */
    char text[TEXT_MAX];          /* begin of what it said on stderr */
    size_t text_len;
};

void call_start(struct call *c);
void call_release(struct call *c);
/* Moves what can be moved, for at most ms or until something has ended. How many ended. */
size_t calls_turn(struct call *const *calls, size_t n, int ms);
/* Until all are over; false: some are not, after that time (they are killed). */
bool calls_finish(struct call *const *calls, size_t n, unsigned ms);
bool call_is_right(const struct call *c);
/* Starts and finishes n copies of it, at most wide at a time; how many were right. */
size_t calls_run(const struct call *model, size_t n, size_t wide, uint64_t *ret_worst_us);
/* One; its time in us, or UINT64_MAX. */
uint64_t call_once(const struct call *model);
void call_print(const struct call *c);
/* The answer, up to its end, of a call whose bytes are of its own making. */
char *call_text(const struct call *model, int *ret_code);

/* ---- left.c: what is left behind ---- */

struct left {
    size_t processes, descriptors, ports, files;
};
void left_count(struct left *ret);
/* Waits so long at most until there is no more than before, and checks it. */
void left_check(const struct left *before, unsigned ms, const char *after_what);
/* For the other end of a call whose caller left before it connected: its own time limit. */
#define LEFT_LONG_MS 130000
/* Descendants of root, at most max. comm: NULL or their name. */
size_t descendants(pid_t root, const char *comm, pid_t *ret, size_t max);
/* What carries a call each, below that agent; and the session that they are children of. */
size_t carriers(pid_t agent, pid_t *ret, size_t max);
pid_t session_of(pid_t agent);
/* For callers that will not come: they would wait for their time limit. */
void end_waiting_carriers(void);
size_t descriptors_of(pid_t pid);
/* KiB of private memory. */
size_t memory_of(pid_t pid);

/* ---- raw connections ---- */

int dial_agent(const struct vm *vm);
int dial_daemon(const struct vm *vm);
int dial_policy(void);
/* Its trigger as qrexec-client-vm sends it. */
void send_trigger(int fd, const char *target, const char *service);
/* What it says until its end or ms; -ETIMEDOUT, or the number of bytes. */
ssize_t read_until_end(int fd, void *data, size_t n, int ms);

/* ---- the checks ---- */

void many_checks(void);
void crowd_checks(void);
void slow_checks(void);
void kill_checks(void);
void race_checks(void);
void idle_checks(void);
void word_checks(void);
void soak(unsigned seconds);

#endif
