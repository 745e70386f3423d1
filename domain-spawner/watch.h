/*
 * What a backend waits for: descriptors and processes behind one epoll descriptor, which the
 * owner of the loop watches. One event is handled at a time, so a handler may remove any watch,
 * its own and others', and free what it lies in.
 */
#ifndef QREXEC_SPAWNER_WATCH_H
#define QREXEC_SPAWNER_WATCH_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

struct watch_set {
    int epoll;
};

/* A descriptor that is waited for; owned by the watch. fd -1: an empty watch. */
struct watch {
    struct watch_set *set;
    int fd;
    void (*on_event)(struct watch *w);
    void *user;
};

#define WATCH_NULL ((struct watch){.fd = -1})

int watch_set_init(struct watch_set *set);
void watch_set_deinit(struct watch_set *set);
/* Handles what is there now, at most a budget's worth. */
void watch_set_dispatch(struct watch_set *set);

/* Takes fd over also on failure. Called when it is readable or at its end. */
int watch_add(struct watch_set *set, struct watch *w, int fd, void (*on_event)(struct watch *w),
              void *user);
/* What it waits for from now on; after watch_add() that is to be readable. */
int watch_modify(struct watch *w, bool readable, bool writable);
/* Closes it; an empty one is fine. */
void watch_remove(struct watch *w);

/* A child of ours. pid 0: none. */
struct process {
    struct watch watch; /* of its pidfd */
    pid_t pid;
    void (*on_end)(struct process *p, int status);
    void *user;
};

#define PROCESS_NULL ((struct process){.watch = WATCH_NULL})

/* p must be empty. On failure the child is killed and reaped. status is waitpid()'s. */
int process_watch(struct watch_set *set, struct process *p, pid_t pid,
                  void (*on_end)(struct process *p, int status), void *user);
static inline bool process_alive(const struct process *p)
{
    return p->pid != 0;
}
void process_kill(const struct process *p, int sig);

#endif
