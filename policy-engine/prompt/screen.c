/* The terminal prompt as text: see screen.h. */
#include "policy-engine/prompt/screen.h"

#include <errno.h>

#define ARGUMENT_SHOWN 512

static int put(struct buf *out, const char *text)
{
    int r = 0;

    for (; !r && *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= 0x20 && c <= 0x7e && c != '\\')
            r = buf_append(out, text, 1);
        else
            r = buf_appendf(out, "\\x%02x", c);
    }
    return r;
}

static int put_field(struct buf *out, const char *name, const char *value)
{
    int r = buf_appendf(out, "  %-9s ", name);

    if (!r)
        r = put(out, value);
    return r ? r : buf_append_str(out, "\n");
}

/* A long one is cut, and says so: the rest of the question stays on the screen. */
static int put_argument(struct buf *out, const char *argument)
{
    char start[ARGUMENT_SHOWN + 1];
    size_t n;

    if (*argument == '+')
        argument++;
    n = strlen(argument);
    if (n <= ARGUMENT_SHOWN)
        return put_field(out, "argument", *argument ? argument : "(none)");
    memcpy(start, argument, ARGUMENT_SHOWN);
    start[ARGUMENT_SHOWN] = 0;
    return put_field(out, "argument", start) ||
                   buf_appendf(out, "  %-9s (%zu more bytes)\n", "", n - ARGUMENT_SHOWN)
               ? -ENOMEM
               : 0;
}

static int put_target(struct buf *out, const char *target)
{
    const char *prefix = "@dispvm:";
    int r;

    if (!str_starts(target, prefix))
        return put(out, target);
    r = buf_append_str(out, "a new disposable (");
    if (!r)
        r = put(out, target + strlen(prefix));
    return r ? r : buf_append_str(out, ")");
}

static int put_targets(struct buf *out, const struct prompt_request *q)
{
    int r = 0;

    for (size_t i = 0; !r && i < q->n_targets; i++) {
        r = buf_appendf(out, "  %-9s %zu) ", i ? "" : "target", i + 1);
        if (!r)
            r = put_target(out, q->targets[i]);
        if (!r)
            r = buf_append_str(out, i == q->default_target ? "   <- Enter\n" : "\n");
    }
    return r;
}

/* What to type comes last, so that it is seen whatever the list's length. */
static int put_keys(struct buf *out, const struct prompt_request *q)
{
    int r = buf_append_str(out, q->n_targets == 1 ? "1" : "The number of the target");

    if (!r)
        r = buf_append_str(out, " allows");
    if (!r && q->default_target < q->n_targets)
        r = buf_appendf(out, ", Enter alone allows %zu", q->default_target + 1);
    return r ? r : buf_append_str(out, "; anything else refuses: ");
}

int screen_question(const struct prompt_request *q, size_t waiting, struct buf *out)
{
    int r = buf_append_str(out, "\nA domain asks to call a service of another one.\n");

    if (!r && waiting)
        r = buf_appendf(out, "(%zu more after this)\n", waiting);
    if (!r)
        r = put_field(out, "source", q->source);
    if (!r)
        r = put_field(out, "service", q->service);
    if (!r)
        r = put_argument(out, q->argument);
    if (!r)
        r = put_targets(out, q);
    return r ? r : put_keys(out, q);
}

size_t screen_answer(const struct prompt_request *q, const char *line, size_t n)
{
    char text[16];
    uint32_t number;

    if (n == 0)
        return q->default_target;
    if (n >= sizeof(text) || memchr(line, 0, n))
        return q->n_targets;
    memcpy(text, line, n);
    text[n] = 0;
    if (parse_u32(text, (uint32_t)q->n_targets, &number) || number == 0)
        return q->n_targets;
    return number - 1;
}

static int put_call(struct buf *out, const struct prompt_request *q, const char *target)
{
    int r = put(out, q->service);

    if (!r)
        r = put(out, q->argument);
    if (!r)
        r = buf_append_str(out, ": ");
    if (!r)
        r = put(out, q->source);
    if (!r)
        r = buf_append_str(out, " -> ");
    if (!r)
        r = put(out, target);
    return r;
}

int screen_notice(const struct prompt_request *q, struct buf *out)
{
    const char *what = str_equal(q->resolution, "allow")  ? "allowed"
                       : str_equal(q->resolution, "deny") ? "denied"
                                                          : "failed";
    int r = buf_appendf(out, "%s: ", what);

    if (!r)
        r = put_call(out, q, *q->target ? q->target : "@default");
    return r ? r : buf_append_str(out, "\n");
}

int screen_result(const char *target, struct buf *out)
{
    int r = buf_append_str(out, target ? "allowed to " : "refused");

    if (!r && target)
        r = put_target(out, target);
    return r ? r : buf_append_str(out, "\n");
}
