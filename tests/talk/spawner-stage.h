/*
 * A stage for the real domain-spawner: a private instance with a scripted helper. Answers are
 * compared as bytes. Each wait has a limit and fails the test past it.
 */
#ifndef QREXEC_TESTS_TALK_SPAWNER_STAGE_H
#define QREXEC_TESTS_TALK_SPAWNER_STAGE_H

#include "tests/unit/test.h"

#include <sys/types.h>

struct stage {
    char *root;
    pid_t spawner;
};

struct bytes {
    char data[1 << 17];
    size_t len;
};

void stage_begin(struct stage *s);
/* In that root; waits until it serves. */
void stage_run(struct stage *s);
/* SIGTERM, exit code 0 (valgrind and ASAN: without a complaint); the root is removed. */
void stage_end(struct stage *s);
void stage_kill(struct stage *s);

/* A connection with all of the request sent. half: the caller's side is closed. */
int stage_send(const struct stage *s, bool internal, const char *header, const char *payload,
               bool half);
/* Reads to the end, at most ms. */
void stage_read(int fd, struct bytes *ret, int ms);
/* Reads until it ends with these bytes. */
void stage_read_until(int fd, struct bytes *ret, const void *end, size_t n);
/* The whole talk; the answer is static, NUL-terminated, and last_len says its length. */
const char *stage_call(const struct stage *s, const char *header, const char *payload);
extern size_t stage_len;

/* The answer is these bytes: "0" NUL content. */
void stage_expect(const struct stage *s, const char *header, const char *payload,
                  const char *content);
/* The answer is an exception of that type. */
void stage_refused(const struct stage *s, const char *header, const char *payload,
                   const char *type);
/* An AppVM of that name. */
void stage_create(const struct stage *s, const char *name);
/* A template for disposables that is everybody's default. */
void stage_dvm(const struct stage *s, const char *name);

/* A disposable of "dvm" that runs: its name is copied; the connection is its lease. */
int stage_lease(const struct stage *s, char name[static 32]);

/* A line of the helper's log, waited for. */
void stage_helper_did(const struct stage *s, const char *line);
/* How often that line stands there now. */
size_t stage_helper_times(const struct stage *s, const char *line);
pid_t stage_helper(const struct stage *s);
/* Waits until admin.vm.List has it (or has it not). */
void stage_listed(const struct stage *s, const char *text, bool there);

#endif
