/* The command line of an exec message: see command.h. */
#include "libqrexec/wire/command.h"

#define RPC_WORD "QUBESRPC"

const char *command_error_text(int error)
{
    static const char *const sentences[] = {
        [0] = "no error",
        [COMMAND_E_COLON] = "the command line does not start with USER:",
        [COMMAND_E_BLANK] = RPC_WORD " is not followed by a blank",
        [COMMAND_E_EMPTY_WORD] = "the call has an empty word",
        [COMMAND_E_SERVICE] = "the service name is empty or longer than 255 bytes",
        [COMMAND_E_SOURCE] = "the call has no source",
        [COMMAND_E_NUL] = "the command line has a NUL inside",
    };

    if (error < 0 || (size_t)error >= sizeof(sentences) / sizeof(sentences[0]))
        return "unknown error";
    return sentences[error];
}

/* Counts words; 0 if one of them is empty. */
static unsigned count_words(struct wire_text rest)
{
    struct wire_text word;
    unsigned n = 1;

    while (wire_text_split(&rest, ' ', &word)) {
        if (!word.len)
            return 0;
        n++;
    }
    return rest.len ? n : 0;
}

/* The next word; the last one has no blank behind it. */
static struct wire_text take_word(struct wire_text *rest)
{
    struct wire_text word;

    if (!wire_text_split(rest, ' ', &word)) {
        word = *rest;
        *rest = WIRE_TEXT_NULL;
    }
    return word;
}

static int parse_service(struct command *c)
{
    struct wire_text rest = c->descriptor;

    c->n_words = count_words(rest);
    if (rest.len && (rest.s[0] == '+' || rest.s[0] == ' '))
        return COMMAND_E_SERVICE;
    if (!c->n_words)
        return rest.len ? COMMAND_E_EMPTY_WORD : COMMAND_E_SERVICE;
    c->full_name = take_word(&rest);
    c->argument = c->full_name;
    if (!wire_text_split(&c->argument, '+', &c->service)) {
        c->service = c->full_name;
        c->argument = WIRE_TEXT_NULL;
    }
    if (c->service.len > COMMAND_SERVICE_MAX)
        return COMMAND_E_SERVICE;
    if (c->n_words < 2)
        return COMMAND_E_SOURCE;
    c->source = take_word(&rest);
    c->target_type = take_word(&rest);
    c->target = rest;
    return 0;
}

int command_parse(struct wire_text line, enum command_place place, struct command *ret)
{
    struct command c = {.nogui = false};
    size_t n = strlen(RPC_WORD);
    int r = 0;

    if (line.len && memchr(line.s, 0, line.len))
        return COMMAND_E_NUL;
    if (place == COMMAND_IN_VM && !wire_text_split(&line, ':', &c.user))
        return COMMAND_E_COLON;
    c.nogui = wire_text_starts(line, "nogui:");
    c.text = line;
    if (c.nogui)
        c.text = (struct wire_text){line.s + 6, line.len - 6};
    c.is_service = wire_text_starts(c.text, RPC_WORD);
    if (c.is_service) {
        if (c.text.len == n || c.text.s[n] != ' ')
            return COMMAND_E_BLANK;
        c.descriptor = (struct wire_text){c.text.s + n + 1, c.text.len - n - 1};
        r = parse_service(&c);
    }
    if (!r)
        *ret = c;
    return r;
}

static void put_word(struct wire_writer *w, struct wire_text word)
{
    bool bad = !word.len || memchr(word.s, ' ', word.len) || memchr(word.s, 0, word.len);

    if (bad && !w->error)
        w->error = WIRE_E_VALUE;
    wire_put_text(w, word);
}

/* "QUBESRPC SERVICE+ARG SOURCE" */
static void put_call(struct wire_writer *w, struct wire_text service, struct wire_text source)
{
    wire_put_str(w, RPC_WORD " ");
    put_word(w, service);
    if (!w->error && !memchr(service.s, '+', service.len))
        wire_put_str(w, "+");
    wire_put_str(w, " ");
    put_word(w, source);
}

static int finish(struct wire_writer *w, size_t start)
{
    if (w->error)
        w->len = start;
    return w->error;
}

int command_write_vm(struct wire_writer *w, struct wire_text user, struct wire_text service,
                     struct wire_text source)
{
    size_t start = w->len;

    if (!user.len || memchr(user.s, ':', user.len))
        return WIRE_E_VALUE;
    put_word(w, user);
    wire_put_str(w, ":");
    put_call(w, service, source);
    return finish(w, start);
}

int command_write_dom0(struct wire_writer *w, struct wire_text service, struct wire_text source,
                       struct wire_text requested_target)
{
    bool keyword = wire_text_starts(requested_target, "@");
    size_t start = w->len;

    put_call(w, service, source);
    wire_put_str(w, keyword ? " keyword " : " name ");
    if (keyword)
        requested_target = (struct wire_text){requested_target.s + 1, requested_target.len - 1};
    put_word(w, requested_target);
    return finish(w, start);
}
