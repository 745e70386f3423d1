/*
 * A question as a state machine: what keys and clicks do, and when they count.
 *
 * It knows neither a window nor a terminal, reads no clock and draws nothing; both prompts and the
 * tests drive it alike. Its invariants:
 *  - It is deaf until half a second after it was last shown, got the keyboard, or changed by
 *    anything but the user. Whatever comes then was meant for something else.
 *  - It allows only a target that stands in the list and was chosen: by the user, or by the policy
 *    (default_target) as long as the user has not begun to search. Typing text chooses nothing.
 *  - Return and Escape act when they are let go, and only after a single press that it heard. A key
 *    that is held down since before, and repeats, does nothing however long it is held.
 *  - Once answered it takes no more input.
 */
#ifndef QREXEC_PROMPT_QUESTION_H
#define QREXEC_PROMPT_QUESTION_H

#include "policy-engine/prompt/request.h"

#define QUESTION_DEAF_MS    500
#define QUESTION_FILTER_MAX 64

/* How long an answer is kept, in seconds. */
#define QUESTION_ONCE      0U
#define QUESTION_SESSION   UINT32_MAX
#define QUESTION_HOUR      3600U
#define QUESTION_HOURS_MAX 24U

enum question_state { QUESTION_STANDS, QUESTION_ALLOWED, QUESTION_DENIED };

enum question_event {
    QUESTION_TYPE,  /* value: a character, for the search */
    QUESTION_ERASE, /* the last of them */
    QUESTION_CLEAR, /* all of them */
    QUESTION_UP,    /* chooses the one above, below */
    QUESTION_DOWN,
    QUESTION_PICK, /* value: a target's place; chosen by pointing or by number */
    QUESTION_KEEP, /* value: QUESTION_ONCE, QUESTION_SESSION, whole hours */
    QUESTION_RETURN_PRESSED,
    QUESTION_RETURN_RELEASED,
    QUESTION_ESCAPE_PRESSED,
    QUESTION_ESCAPE_RELEASED,
    QUESTION_ALLOW, /* the buttons */
    QUESTION_DENY,
};

enum question_key { QUESTION_KEY_UP, QUESTION_KEY_PRESSED, QUESTION_KEY_STRAY };

struct question {
    const struct prompt_request *request; /* not owned */
    char **shown;                         /* the targets' names as shown */
    enum question_state state;
    uint64_t listens_at; /* clock_ms(); UINT64_MAX: not shown yet */
    char filter[QUESTION_FILTER_MAX];
    size_t selected; /* a target's place; n_targets: none is chosen */
    uint32_t keep;   /* seconds */
    enum question_key key_return, key_escape;
};

/* Deaf until question_disturb(). 0 or -ENOMEM. request must outlive it. */
int question_init(struct question *q, const struct prompt_request *request);
/* Also for a zeroed one. */
void question_deinit(struct question *q);

/* It was shown, got the keyboard, or changed by itself at that time. */
void question_disturb(struct question *q, uint64_t now);
/* True: it took that, and may look different or be answered. */
bool question_input(struct question *q, enum question_event event, uint32_t value, uint64_t now);

bool question_listens(const struct question *q, uint64_t now);
/* Whether Return or the button would allow. */
bool question_may_allow(const struct question *q, uint64_t now);
/* Whether the target stands in the list, the search considered. */
bool question_lists(const struct question *q, size_t place);
/* What the user should do next, a sentence. */
const char *question_hint(const struct question *q);
/* The answer for who asked; NULL without memory. It must be answered. */
char *question_answer(const struct question *q);

#endif
