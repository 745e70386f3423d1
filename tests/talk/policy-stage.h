/*
 * A stage for the real qrexec-policy-daemon: the policy's files, its callers, the domain spawner
 * and the prompts are played by the test, with raw bytes.
 *
 * Domains: dom0; work, personal (guivm dom0); remote (guivm "screen"); vault (no guivm); dvm, a
 * template for disposables and everybody's default. personal does not run.
 */
#ifndef QREXEC_TESTS_TALK_POLICY_STAGE_H
#define QREXEC_TESTS_TALK_POLICY_STAGE_H

#include "tests/talk/daemon-stage.h"

struct policy_stage {
    struct stage s;
    int spawner; /* listener */
    uint64_t generation;
    const char *extra; /* more domains: ,"NAME":{…} */
    const char *personal_uuid;
    const char *work_tags, *remote_tags; /* "\"TAG\"" */
    size_t spawner_asked;
    int handed; /* a listener that the daemon is handed by its supervisor; 0: none */
    const char *handed_name;
    const char *const *options; /* of the daemon, besides --root; NULL: none */
};

/* The daemon serves policy.sock; there is a generation page, and 30-user.policy with that text. */
void policy_begin(struct policy_stage *p, const char *policy);
void policy_begin_with(struct policy_stage *p, const char *policy, const char *const *options);
/* The same in two steps; and once more. */
void policy_prepare(struct policy_stage *p, const char *policy);
void policy_start(struct policy_stage *p);
void policy_stop(struct policy_stage *p);
void policy_restart(struct policy_stage *p);
/* It ends with exit code 0. */
void policy_end(struct policy_stage *p);

/* A file below the root, by an editor's rename. */
void policy_file(struct policy_stage *p, const char *path, const char *text);
#define USER_POLICY "/etc/qubes/policy.d/30-user.policy"

/* Domains changed: the page has another number, which the next answer carries. */
void policy_raise(struct policy_stage *p);
void policy_remove_page(struct policy_stage *p);
/* Takes the spawner's next caller and checks its request. */
int spawner_accept(struct policy_stage *p);
void spawner_answers(struct policy_stage *p, int fd);

/* A caller of policy.sock that has sent that text. */
int caller_begin(struct policy_stage *p, const char *text);
#define REQUEST(source, target, service)                                                           \
    "source=" source "\nintended_target=" target "\nservice_and_arg=" service "\n\n"
/* All that fd says until its end; the spawner is answered meanwhile. The caller frees. */
char *policy_read(struct policy_stage *p, int fd);
/* One whole request: the answer must be that. */
void expect_answer(struct policy_stage *p, const char *request, const char *answer);
/* The daemon's log has that text, now or soon. */
void expect_log(struct policy_stage *p, const char *text);

/* A program of the tree with this root; its exit code, and what it printed. */
int policy_run(struct policy_stage *p, const char *const *argv, char **ret_out);
/* The same, started; out: its stdout, or -1. */
pid_t policy_spawn(struct policy_stage *p, const char *const *argv, int out);

#define DENY "result=deny\n"
#endif
