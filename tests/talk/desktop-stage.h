/*
 * A desktop on a bus of its own: a screen saver, logind and a notification server, played in a
 * thread beside the test. The same bus stands for the session's and the system's.
 */
#ifndef QREXEC_TESTS_TALK_DESKTOP_STAGE_H
#define QREXEC_TESTS_TALK_DESKTOP_STAGE_H

#include "tests/talk/prompt-stage.h"

struct desktop;

/* Agents that are started from now on see it. Skips the test where there is no dbus-daemon. */
struct desktop *desktop_begin(struct stage *s, bool locked);
/* The screen saver's word, logind's word. */
void desktop_lock(struct desktop *d, bool locked);
void desktop_hint(struct desktop *d, bool locked);
/* The screen saver goes away from the bus. */
void desktop_lose_saver(struct desktop *d);
/* The next notification must have that text; none comes within a short while. */
void expect_notification(struct desktop *d, const char *body);
void expect_no_notification(struct desktop *d);
void desktop_end(struct desktop *d);

#endif
