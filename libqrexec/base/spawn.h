/*
 * Starts a program with exactly the descriptors that it is given, default signals, and nothing
 * else of ours.
 */
#ifndef QREXEC_BASE_SPAWN_H
#define QREXEC_BASE_SPAWN_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

struct spawn {
    const char *path;  /* no search in PATH */
    char *const *argv; /* NULL at its end */
    char *const *envp; /* NULL: ours */
    const int *fds;    /* fds[i] becomes descriptor i; -1: /dev/null. May name a descriptor twice */
    size_t n_fds;      /* at least 3; all others are closed */
    const char *dir;   /* working directory, or NULL */
    bool new_session;  /* setsid() */
    int parent_death_signal; /* 0: none */
};

/*
 * Returns once the program runs, so a failed exec is our error: negative errno of the first step
 * that failed (-ENOENT: path is not there). *ret_pidfd may be NULL; close-on-exec.
 */
int spawn_process(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd);

/* In a child after fork: default handlers, empty mask, only fds, then the caller execs. */
int spawn_prepare(const int *fds, size_t n_fds);

/* Waits for pid: its exit code, or 128 + the signal's number. Negative errno. */
int spawn_wait(pid_t pid);
/* The same from a status of waitpid(). */
int spawn_exit_code(int status);

/* pidfd of a child of ours. */
int spawn_pidfd(pid_t pid, int *ret);

/*
 * Becomes another program of ours, one that does more: it lies beside this one, or where such
 * programs are installed. Returns only when it cannot: negative errno.
 */
int spawn_become(const char *name, char **argv);

#endif
