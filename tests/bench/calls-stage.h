/*
 * A stage for calls to be measured on: two domains whose agents and daemons are real, joined by the
 * socket transport, a policy daemon, and a spawner that only knows the two. All of it runs as the
 * user who measures, below a directory of its own, and ends with the process that set it up.
 */
#ifndef QREXEC_TESTS_CALLS_STAGE_H
#define QREXEC_TESTS_CALLS_STAGE_H

#include "libqrexec/base/paths.h"

#include <sys/types.h>

#define STAGE_INPUT "a few bytes\n"

struct calls_stage {
    char root[PATH_SIZE];
    char client_vm[PATH_SIZE]; /* the programs */
    char client[PATH_SIZE];
    char agent_option[PATH_SIZE]; /* of client_vm: the caller's agent */
    char socket_option[PATH_SIZE];
    char user[64];
    pid_t spawner, policy, socket_service;
    pid_t daemons[2], agents[2]; /* of the caller, of the target */
};

/* Ends the program where it cannot. The calling process becomes the caller's domain. */
void calls_stage_start(struct calls_stage *s);
void calls_stage_stop(struct calls_stage *s);

/* The process starts with these as stdin and stdout; -1: /dev/null. */
pid_t calls_stage_spawn(const char *const *argv, int in, int out);

#endif
