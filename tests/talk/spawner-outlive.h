/* On spawner-stage.h's stage: a spawner whose domains outlive its helper, as Xen's do. */
#ifndef QREXEC_TESTS_TALK_SPAWNER_OUTLIVE_H
#define QREXEC_TESTS_TALK_SPAWNER_OUTLIVE_H

#include "tests/talk/spawner-stage.h"

#define DOM0(method) method " dom0 name dom0"
#define WORK(method) method " dom0 name work"
#define SOON_MS      5000

/* "work" runs, "idle" does not; "dvm" is the default template for disposables. */
void outliving_begin(struct stage *s);
/* … and waits until the next one is there. */
void kill_helper(const struct stage *s);
/* The helper cannot tidy up: as if killed with its front. */
void kill_both(struct stage *s);

/* An empty file of the root: "living", "hold" and "deaf" are the helper's. */
void put_file(const struct stage *s, const char *name);
void remove_file(const struct stage *s, const char *name);
/* How many domains live: somebody else's is always there, and not counted. */
size_t living(const struct stage *s);

/* METHOD+ to that domain; static. */
const char *for_vm(const char *method, const char *name);
/* A start that the helper has heard of; the connection waits for its answer. */
int start(const struct stage *s, const char *name);
void expect_done(int fd);
/* QubesVMError, with that in its text. */
void expect_failed(int fd, const char *why);
/* Once: "NAME", or "NAME starting". */
void adopted(const struct stage *s, const char *name);

#define EVENT(subject, event, pairs) "1\0" subject "\0" event "\0" pairs
#define EXPECT_EVENT(fd, text)       expect_event(fd, text, sizeof(text), NULL)
/* Reads the stream until it has just said that, and not the other (or NULL). */
void expect_event(int fd, const void *bytes, size_t n, const char *but);

#endif
