/* What keys do: see question.h. */
#include "policy-engine/prompt/question.h"

#include "policy-engine/prompt/shown.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

int question_init(struct question *q, const struct prompt_request *request)
{
    *q = (struct question){.request = request,
                           .listens_at = UINT64_MAX,
                           .selected = request->default_target,
                           .shown = calloc(request->n_targets, sizeof(*q->shown))};
    if (!q->shown)
        return -ENOMEM;
    for (size_t i = 0; i < request->n_targets; i++) {
        q->shown[i] = shown_target(request->targets[i]);
        if (!q->shown[i]) {
            question_deinit(q);
            return -ENOMEM;
        }
    }
    return 0;
}

void question_deinit(struct question *q)
{
    for (size_t i = 0; q->shown && i < q->request->n_targets; i++)
        free(q->shown[i]);
    free(q->shown);
    *q = (struct question){0};
}

void question_disturb(struct question *q, uint64_t now)
{
    q->listens_at = now + QUESTION_DEAF_MS;
    q->key_return = q->key_escape = QUESTION_KEY_UP;
}

bool question_listens(const struct question *q, uint64_t now)
{
    return q->state == QUESTION_STANDS && now >= q->listens_at;
}

bool question_may_allow(const struct question *q, uint64_t now)
{
    return question_listens(q, now) && q->selected < q->request->n_targets &&
           question_lists(q, q->selected);
}

static bool contains(const char *text, const char *part)
{
    size_t n = strlen(part);

    for (; strlen(text) >= n; text++) {
        size_t i = 0;

        while (i < n && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == n)
            return true;
    }
    return false;
}

bool question_lists(const struct question *q, size_t place)
{
    return contains(q->shown[place], q->filter);
}

const char *question_hint(const struct question *q)
{
    size_t n = 0;

    for (size_t i = 0; i < q->request->n_targets && !n; i++)
        n += question_lists(q, i);
    if (!n)
        return "No target has that in its name.";
    return q->selected < q->request->n_targets ? "Return allows, Escape refuses."
                                               : "Choose a target, or refuse with Escape.";
}

static bool type(struct question *q, uint32_t c)
{
    size_t n = strlen(q->filter);

    if (c < 0x20 || c > 0x7e || n + 1 >= sizeof(q->filter))
        return false;
    q->filter[n] = (char)c;
    q->filter[n + 1] = 0;
    q->selected = q->request->n_targets;
    return true;
}

static bool erase(struct question *q, bool all)
{
    size_t n = strlen(q->filter);

    if (!n)
        return false;
    q->filter[all ? 0 : n - 1] = 0;
    q->selected = q->request->n_targets;
    return true;
}

/* The next one in the list; from none the first, or upwards the last. */
static bool step(struct question *q, bool down)
{
    size_t n = q->request->n_targets, i = q->selected;

    for (;;) {
        if (i == n)
            i = down ? 0 : n - 1;
        else if (down ? i + 1 == n : i == 0)
            return false;
        else
            i = down ? i + 1 : i - 1;
        if (question_lists(q, i)) {
            q->selected = i;
            return true;
        }
    }
}

static bool pick(struct question *q, uint32_t place)
{
    if (place >= q->request->n_targets || !question_lists(q, place))
        return false;
    q->selected = place;
    return true;
}

static bool keep(struct question *q, uint32_t seconds)
{
    bool known = seconds == QUESTION_ONCE || seconds == QUESTION_SESSION ||
                 (seconds % QUESTION_HOUR == 0 && seconds / QUESTION_HOUR <= QUESTION_HOURS_MAX);

    if (!q->request->keep || !known)
        return false;
    q->keep = seconds;
    return true;
}

static bool allow(struct question *q, uint64_t now)
{
    if (!question_may_allow(q, now))
        return false;
    q->state = QUESTION_ALLOWED;
    return true;
}

static bool deny(struct question *q)
{
    q->state = QUESTION_DENIED;
    return true;
}

/* A second press without a release between is the keyboard's repetition. */
static void press(enum question_key *key)
{
    *key = *key == QUESTION_KEY_UP ? QUESTION_KEY_PRESSED : QUESTION_KEY_STRAY;
}

/* Whether it counts. */
static bool release(enum question_key *key)
{
    bool counts = *key == QUESTION_KEY_PRESSED;

    *key = QUESTION_KEY_UP;
    return counts;
}

/* Keys that are down when it begins to listen must be let go first. */
static void hear_nothing(struct question *q, enum question_event event)
{
    switch (event) {
    case QUESTION_RETURN_PRESSED: q->key_return = QUESTION_KEY_STRAY; break;
    case QUESTION_RETURN_RELEASED: q->key_return = QUESTION_KEY_UP; break;
    case QUESTION_ESCAPE_PRESSED: q->key_escape = QUESTION_KEY_STRAY; break;
    case QUESTION_ESCAPE_RELEASED: q->key_escape = QUESTION_KEY_UP; break;
    default: break;
    }
}

bool question_input(struct question *q, enum question_event event, uint32_t value, uint64_t now)
{
    if (!question_listens(q, now)) {
        hear_nothing(q, event);
        return false;
    }
    switch (event) {
    case QUESTION_TYPE: return type(q, value);
    case QUESTION_ERASE: return erase(q, false);
    case QUESTION_CLEAR: return erase(q, true);
    case QUESTION_UP: return step(q, false);
    case QUESTION_DOWN: return step(q, true);
    case QUESTION_PICK: return pick(q, value);
    case QUESTION_KEEP: return keep(q, value);
    case QUESTION_RETURN_PRESSED: press(&q->key_return); return false;
    case QUESTION_RETURN_RELEASED: return release(&q->key_return) && allow(q, now);
    case QUESTION_ESCAPE_PRESSED: press(&q->key_escape); return false;
    case QUESTION_ESCAPE_RELEASED: return release(&q->key_escape) && deny(q);
    case QUESTION_ALLOW: return allow(q, now);
    case QUESTION_DENY: return deny(q);
    }
    return false;
}

char *question_answer(const struct question *q)
{
    const char *target;

    if (q->state != QUESTION_ALLOWED)
        return strdup("deny");
    target = q->request->targets[q->selected];
    if (q->keep == QUESTION_ONCE)
        return format_new("allow:%s", target);
    if (q->keep == QUESTION_SESSION)
        return format_new("allow:%s\nkeep=session\n", target);
    return format_new("allow:%s\nkeep=%u\n", target, (unsigned)q->keep);
}
