/*
 * A domain of the local backend: what it owns, and the steps that touch the system for it. Which
 * step comes when is backend-local.c's.
 */
#ifndef QREXEC_SPAWNER_LOCAL_DOMAIN_H
#define QREXEC_SPAWNER_LOCAL_DOMAIN_H

#include "domain-spawner/backend.h"
#include "domain-spawner/local-vchan.h"
#include "domain-spawner/watch.h"
#include "libqrexec/base/buf.h"
#include "libqrexec/base/paths.h"

enum local_state {
    LOCAL_PREPARE,
    LOCAL_SANDBOX,
    LOCAL_NETWORK,
    LOCAL_AGENT,
    LOCAL_RUNNING,
    LOCAL_ENDING,
    LOCAL_ENDED, /* no process is left */
    LOCAL_REMOVING,
};

struct local_domain {
    struct local_domain *next;
    struct backend *backend;
    struct domain_spec spec;
    uint32_t domid;
    uid_t uid; /* on the host */
    enum local_state state;
    enum domain_end end;
    bool ran;                         /* its agent has answered; running without: it is late */
    char reason[DOMAIN_TEXT_SIZE];    /* why it never ran; "": it ran, or was destroyed */
    char last_line[DOMAIN_TEXT_SIZE]; /* of its log */
    size_t last_len;
    bool line_over;     /* its end was seen */
    uint64_t deadline;  /* of the state; running: of the daemon's restart */
    size_t daemon_wait; /* ms before it */

    struct process prepare, bwrap, net, daemon, remove;
    struct watch info, up, init, net_ready, notify, log;
    struct buf info_text;
    pid_t init_pid;  /* valid while init is watched */
    uint64_t cpu_ns; /* the most that was seen */
    int leash;       /* a byte lets the init go on; its closing asks it to end */
    int net_life;    /* its closing ends slirp4netns */
    int log_write, log_file;
    size_t logged;
    char dir[PATH_SIZE]; /* ROOT/run/qubes/domains/DOMID */
};

void local_domain_init(struct local_domain *d, struct backend *b, const struct domain_spec *spec,
                       uint32_t domid);
/* Closes all that it holds; its processes must be gone, or are to go with us. */
void local_domain_free(struct local_domain *d);

/* Its directory with the files of its /etc, and its log: *ret_log is the pipe's read end. */
int local_make_files(struct local_domain *d, int *ret_log);
void local_remove_files(struct local_domain *d);
/* What a helper that was killed left of that. */
int local_sweep_files(void);

/* bubblewrap. ret_ends[0]: where it tells the init's pid; [1]: where the init says that it is up.
 * Sets leash. */
int local_start_sandbox(struct local_domain *d, pid_t *ret, int ret_ends[static 2],
                        const char **ret_why);
/* 0 and init_pid; -EAGAIN: not all there; other negative errno: it will not come. */
int local_read_info(struct local_domain *d);
int local_start_net(struct local_domain *d, pid_t *ret, int *ret_ready, const char **ret_why);

/* Takes what came on the log pipe into the log file and last_line. */
void local_read_log(struct local_domain *d);
void local_drain_log(struct local_domain *d);
/* What to do about last_line, or "". */
const char *local_advice(const struct local_domain *d);

void local_kill_init(struct local_domain *d);
bool local_processes_left(const struct local_domain *d);

#endif
