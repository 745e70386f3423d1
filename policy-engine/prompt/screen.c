/* The terminal prompt as text: see screen.h. */
#include "policy-engine/prompt/screen.h"

#include "policy-engine/prompt/shown.h"

#include <errno.h>

#define ARGUMENT_SHOWN 512

static int put_field(struct buf *out, const char *name, const char *value)
{
    return buf_appendf(out, "  %-9s %s\n", name, value);
}

static int put_name(struct buf *out, const char *name, const char *value)
{
    _cleanup_(freep) char *text = shown_text(value);

    return text ? put_field(out, name, text) : -ENOMEM;
}

/* A long one is cut, and says so: the rest of the question stays on the screen. */
static int put_argument(struct buf *out, const char *argument)
{
    _cleanup_(freep) char *text = shown_argument(argument, ARGUMENT_SHOWN);

    return text ? put_field(out, "argument", text) : -ENOMEM;
}

static int put_targets(struct buf *out, const struct question *q)
{
    const char *name = "target";
    int r = 0;

    for (size_t i = 0; !r && i < q->request->n_targets; i++) {
        if (!question_lists(q, i))
            continue;
        r = buf_appendf(out, "  %-9s %zu) %s%s\n", name, i + 1, q->shown[i],
                        i == q->selected ? "   <- Enter" : "");
        name = "";
    }
    return r;
}

/* What to type comes last, so that it is seen whatever the list's length. */
static int put_keys(struct buf *out, const struct question *q)
{
    int r = 0;

    if (q->filter[0])
        r = buf_appendf(out, "(only those with \"%s\" in their names)\n", q->filter);
    if (!r && q->request->keep)
        r = buf_append_str(out, "\"2 session\" allows 2 for this session, \"2 8h\" for 8 hours.\n");
    if (!r)
        r = buf_append_str(out, q->request->n_targets == 1 ? "1" : "The number of the target");
    if (!r)
        r = buf_append_str(out, " allows");
    if (!r && q->selected < q->request->n_targets)
        r = buf_appendf(out, ", Enter alone allows %zu", q->selected + 1);
    return r ? r : buf_append_str(out, "; a part of a name searches; Escape refuses: ");
}

int screen_question(const struct question *q, size_t waiting, struct buf *out)
{
    const struct prompt_request *request = q->request;
    int r = buf_append_str(out, "\nA domain asks to call a service of another one.\n");

    if (!r && waiting)
        r = buf_appendf(out, "(%zu more after this)\n", waiting);
    if (!r)
        r = put_name(out, "source", request->source);
    if (!r)
        r = put_name(out, "service", request->service);
    if (!r)
        r = put_argument(out, request->argument);
    if (!r)
        r = put_targets(out, q);
    return r ? r : put_keys(out, q);
}

/* "", " session", " 8h"; false: something else. */
static bool read_keep(const char *text, uint32_t *ret)
{
    char hours[8];
    size_t n = strlen(text);
    uint32_t number;

    if (!n) {
        *ret = QUESTION_ONCE;
        return true;
    }
    if (str_equal(text, " session")) {
        *ret = QUESTION_SESSION;
        return true;
    }
    if (n < 3 || n - 1 > sizeof(hours) || text[0] != ' ' || text[n - 1] != 'h')
        return false;
    memcpy(hours, text + 1, n - 2);
    hours[n - 2] = 0;
    if (parse_u32(hours, QUESTION_HOURS_MAX, &number) || !number)
        return false;
    *ret = number * QUESTION_HOUR;
    return true;
}

/* "NUMBER" and perhaps for how long. */
static bool read_choice(const struct question *q, const char *line, uint32_t *ret_place,
                        uint32_t *ret_keep)
{
    char number[16];
    size_t n = strspn(line, "0123456789");

    if (!n || n >= sizeof(number) || !read_keep(line + n, ret_keep))
        return false;
    memcpy(number, line, n);
    number[n] = 0;
    if (parse_u32(number, (uint32_t)q->request->n_targets, ret_place) || !*ret_place)
        return false;
    --*ret_place;
    return *ret_keep == QUESTION_ONCE || q->request->keep;
}

static bool lists_any(const struct question *q)
{
    for (size_t i = 0; i < q->request->n_targets; i++)
        if (question_lists(q, i))
            return true;
    return false;
}

/* A search that finds nothing gives the whole list again, so that there is something to choose. */
static void search(struct question *q, const char *text, uint64_t now)
{
    question_input(q, QUESTION_CLEAR, 0, now);
    for (; *text; text++)
        question_input(q, QUESTION_TYPE, (unsigned char)*text, now);
    if (!lists_any(q))
        question_input(q, QUESTION_CLEAR, 0, now);
}

void screen_feed(struct question *q, const char *line, size_t n, uint64_t now)
{
    char text[QUESTION_FILTER_MAX];
    uint32_t place, seconds;

    if (n >= sizeof(text) || memchr(line, 0, n))
        return;
    memcpy(text, line, n);
    text[n] = 0;
    if (!read_choice(q, text, &place, &seconds)) {
        search(q, text, now);
    } else if (question_input(q, QUESTION_PICK, place, now)) {
        question_input(q, QUESTION_KEEP, seconds, now);
        question_input(q, QUESTION_ALLOW, 0, now);
    }
}

int screen_result(const struct question *q, struct buf *out)
{
    if (q->state != QUESTION_ALLOWED)
        return buf_append_str(out, "refused\n");
    if (q->keep == QUESTION_ONCE)
        return buf_appendf(out, "allowed to %s\n", q->shown[q->selected]);
    if (q->keep == QUESTION_SESSION)
        return buf_appendf(out, "allowed to %s for this session\n", q->shown[q->selected]);
    return buf_appendf(out, "allowed to %s for %u hour%s\n", q->shown[q->selected],
                       (unsigned)(q->keep / QUESTION_HOUR), q->keep == QUESTION_HOUR ? "" : "s");
}
