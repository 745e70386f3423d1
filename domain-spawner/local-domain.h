/*
 * One domain of the local backend: what it consists of, and the pieces of its life that touch
 * files and processes. backend-local.c says when.
 */
#ifndef QREXEC_SPAWNER_LOCAL_DOMAIN_H
#define QREXEC_SPAWNER_LOCAL_DOMAIN_H

#include "domain-spawner/backend.h"
#include "domain-spawner/local-vchan.h"
#include "libqrexec/base/paths.h"

enum local_state {
    LOCAL_PREPARE,
    LOCAL_SANDBOX,
    LOCAL_NETWORK,
    LOCAL_AGENT,
    LOCAL_RUNNING,
    LOCAL_ENDING,
    LOCAL_ENDED, /* all processes are reaped */
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
    uint64_t deadline;  /* clock_ms(), 0 none */
    size_t daemon_wait; /* ms before its daemon is started again */
    bool ran;
    char reason[DOMAIN_TEXT_SIZE]; /* why the start failed; "" */
    char dir[PATH_SIZE];           /* ROOT/run/qubes/local/NAME */
    int leash;                     /* write end: its closing tells the init to end */
    int block;                     /* write end: a byte lets the init run */
    int net_exit;                  /* write end: its closing ends slirp4netns */
    int log_write, log_file;
    char info_text[256];
    size_t info_len;
    char last_line[256]; /* that its processes said */
    pid_t init_pid;
    struct watch info, init, net_ready, notify, log;
    struct process prepare, bwrap, net, daemon, remove;
};

void local_domain_init(struct local_domain *d, struct backend *b, const struct domain_spec *spec,
                       uint32_t domid);
/* Frees the whole backend_domain that it lies in; kills what is left. */
void local_domain_free(struct local_domain *d);

/* Its directory and log. *ret_log: what its processes say, to read. */
int local_make_files(struct local_domain *d, int *ret_log);
void local_remove_files(struct local_domain *d);
/* Directories that a helper which was killed left. */
int local_sweep_files(void);

int local_start_sandbox(struct local_domain *d, pid_t *ret_pid, int *ret_info,
                        const char **ret_why);
/* bubblewrap's word about the init's pid. 0 and d->init_pid, -EAGAIN, other. */
int local_read_info(struct local_domain *d);
int local_start_net(struct local_domain *d, pid_t *ret_pid, int *ret_ready, const char **ret_why);
int local_start_daemon(struct local_domain *d, const char *notify, pid_t *ret_pid);

void local_kill_init(struct local_domain *d);
bool local_processes_left(const struct local_domain *d);

void local_read_log(struct local_domain *d);
/* All that is there now. */
void local_drain_log(struct local_domain *d);
/* What a user may do about a sandbox that did not come up, or "". */
const char *local_advice(const struct local_domain *d);

#endif
