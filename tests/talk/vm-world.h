/*
 * The world of a VM's program in a talk: a directory of its own with services, settings and
 * sockets, a /run of its own where that can be had, and a journal that the test keeps.
 *
 * The journal's two sockets (/run/systemd/journal/socket, stdout) are served by a process that
 * writes what comes into the files "log" (a line "WHO: MESSAGE" each) and "journal" (the streams,
 * as they come). Without a /run of our own the programs' stderr is the log, if the machine has no
 * journal; else there is none, and "logged" is false.
 */
#ifndef QREXEC_TESTS_TALK_VM_WORLD_H
#define QREXEC_TESTS_TALK_VM_WORLD_H

#include "tests/talk/daemon-stage.h"

enum talk_program {
    TALK_AGENT,       /* runs from the first row to the last, or until a row fails */
    TALK_FORK_SERVER, /* likewise */
    TALK_CLIENT,      /* started by each row */
};

struct world {
    enum talk_program program;
    char *dir;
    char user[64];
    pid_t running;   /* the agent or the fork server; 0: none */
    pid_t collector; /* keeps the journal */
    int log;         /* the stderr of what runs */
    bool logged;     /* what they log can be seen */
    bool streams;    /* and what services write to their stderr */
};

void world_open(struct world *w, enum talk_program program);
void world_close(struct world *w);
/* The agent or the fork server; stop: it must end well. */
void world_start(struct world *w);
void world_stop(struct world *w);
/* After a row: nothing of its files stays. */
void world_clean(struct world *w);

/* A path in the world's directory; allocated. */
char *world_path(const struct world *w, const char *name);
char *world_program(const char *name);
/* All that was logged until now. "log" or "journal"; allocated. */
char *world_log(struct world *w, const char *file);

#endif
