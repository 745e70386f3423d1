/*
 * A stage for the real qrexec-policy-agent: who asks it is played by the test, with raw bytes.
 * The desktop's buses are a test's own, or none.
 */
#ifndef QREXEC_TESTS_TALK_PROMPT_STAGE_H
#define QREXEC_TESTS_TALK_PROMPT_STAGE_H

#include "tests/talk/daemon-stage.h"

#define SOCKET  "/run/agent.sock"
#define DEAF_MS 800 /* longer than the half second that the agent is deaf */
#define ICONS   "\"icons\":{}"
#define ASK_WITH(source, default_target, more)                                                     \
    "policy.Ask dom0 name dom0%c{\"source\":\"" source                                             \
    "\",\"service\":\"a.B\",\"argument\":\"+c\",\"targets\":[\"vault\",\"work\"],"                 \
    "\"default_target\":\"" default_target "\"," ICONS more "}"
#define ASK(source, default_target) ASK_WITH(source, default_target, "")
#define NOTIFY_OF(source)                                                                          \
    "policy.Notify dom0%c{\"source\":\"" source "\",\"service\":\"a.B\",\"argument\":\"+\","       \
    "\"resolution\":\"deny\",\"target\":\"work\"}"
#define NOTIFY NOTIFY_OF("mail")

/* A root with /run in it. */
void prompt_prepare(struct stage *s);
/* The agent with that descriptor as its standard ones (-1: none). The options end with NULL. */
pid_t prompt_start(const struct stage *s, const char *const *options, int fd);
/* Both buses of agents that are started from now on; NULL: none. */
void prompt_use_bus(const char *address);

/* Sends a request: text with one %c, which becomes NUL. Its connection. */
int prompt_request(const struct stage *s, const char *text);
/* The whole answer must be that; closes. */
void expect_text(int fd, const char *answer);
/* SIGTERM ends it with code 0, and its socket is gone; removes the root. */
void prompt_end(struct stage *s, pid_t agent);

#endif
