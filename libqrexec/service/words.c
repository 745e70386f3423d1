/*
 * The words of a command line as C strings. What a line may look like is libqrexec/wire/command.h;
 * here its spans are copied into one piece of memory, and what a file name cannot be is refused.
 */
#include "libqrexec/service/service.h"

#include "libqrexec/wire/command.h"

#include <errno.h>
#include <stdio.h>

#define COPIES                                                                                     \
    4 /* of the line: user and command, descriptor, name and argument, the other words             \
       */

static int bad(char *reterr, const char *why)
{
    snprintf(reterr, SERVICE_TEXT_MAX, "command line: %s", why);
    return SERVICE_E_TROUBLE;
}

/* A copy at *end, which moves behind it; NULL for an absent span. */
static char *put(char **end, struct wire_text t)
{
    char *copy = *end;

    if (!t.s)
        return NULL;
    memcpy(copy, t.s, t.len);
    copy[t.len] = 0;
    *end += t.len + 1;
    return copy;
}

static void put_all(struct service_words *w, const struct command *c)
{
    char *end = w->storage;

    w->nogui = c->nogui;
    w->is_service = c->is_service;
    w->n_words = c->n_words;
    w->user = put(&end, c->user);
    w->command = put(&end, c->text);
    if (!c->is_service)
        return;
    w->descriptor = put(&end, c->descriptor);
    w->full_name = put(&end, c->full_name);
    w->name = put(&end, c->service);
    w->argument = put(&end, c->argument);
    w->source = put(&end, c->source);
    w->target_type = put(&end, c->target_type);
    w->target = put(&end, c->target);
}

int service_words_parse(enum service_place place, const char *line, struct service_words *ret,
                        char reterr[static SERVICE_TEXT_MAX])
{
    enum command_place where = place == SERVICE_PLACE_VM ? COMMAND_IN_VM : COMMAND_IN_DOM0;
    struct command c;
    int r;

    *ret = (struct service_words){0};
    r = command_parse(wire_text(line), where, &c);
    if (r)
        return bad(reterr, command_error_text(r));
    ret->storage = malloc(COPIES * (strlen(line) + 1) + 16);
    if (!ret->storage)
        return -ENOMEM;
    put_all(ret, &c);
    if (ret->user && (!*ret->user || strlen(ret->user) >= SERVICE_USER_MAX))
        return bad(reterr, "the user's name is empty or too long");
    if (ret->is_service && strchr(ret->name, '/'))
        return bad(reterr, "the service's name has a slash");
    return 0;
}

void service_words_deinit(struct service_words *w)
{
    free(w->storage);
    *w = (struct service_words){0};
}
