/*
 * What a service finds in its environment: see wire.md, "Finding and running a service".
 *
 * Variables that start with QREXEC are ours: what came from our own environment must not reach a
 * service as if this call had set it. Readiness and activation words belong to this process alone.
 */
#include "libqrexec/service/service-internal.h"

#include <stdio.h>

void environment_deinit(struct environment *e)
{
    for (size_t i = 0; i < e->n; i++)
        free(e->list[i]);
    free(e->list);
    *e = (struct environment){0};
}

/* The place of NAME in "NAME=VALUE"; e->n if it is not there. */
static size_t find(const struct environment *e, const char *name, size_t len)
{
    size_t i = 0;

    while (i < e->n && (strncmp(e->list[i], name, len) != 0 || e->list[i][len] != '='))
        i++;
    return i;
}

static bool grow(struct environment *e)
{
    size_t size = e->size ? e->size * 2 : 32;
    char **list;

    if (e->n + 1 < e->size)
        return true;
    list = realloc(e->list, size * sizeof(*list));
    if (!list)
        return false;
    e->list = list;
    e->size = size;
    return true;
}

/* Takes pair over. */
static void put(struct environment *e, char *pair, size_t name_len)
{
    size_t i;

    if (!pair || !grow(e)) {
        free(pair);
        e->failed = true;
        return;
    }
    i = find(e, pair, name_len);
    if (i < e->n)
        free(e->list[i]);
    else
        e->list[++e->n] = NULL;
    e->list[i] = pair;
}

void environment_set(struct environment *e, const char *name, const char *value)
{
    put(e, format_new("%s=%s", name, value), strlen(name));
}

void environment_put(struct environment *e, const char *pair)
{
    const char *eq = strchr(pair, '=');

    if (eq)
        put(e, strdup(pair), (size_t)(eq - pair));
}

const char *environment_get(const struct environment *e, const char *name)
{
    size_t i = find(e, name, strlen(name));

    return i < e->n ? e->list[i] + strlen(name) + 1 : NULL;
}

void environment_set_user(struct environment *e, const struct passwd *pw)
{
    environment_set(e, "HOME", pw->pw_dir);
    environment_set(e, "SHELL", *pw->pw_shell ? pw->pw_shell : "/bin/sh");
    environment_set(e, "USER", pw->pw_name);
    environment_set(e, "LOGNAME", pw->pw_name);
}

static bool stays(const char *pair)
{
    static const char *const ours[] = {"NOTIFY_SOCKET=",  "LISTEN_PID=",   "LISTEN_FDS=",
                                       "LISTEN_FDNAMES=", "WATCHDOG_PID=", "WATCHDOG_USEC="};

    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (str_starts(pair, ours[i]))
            return false;
    return !str_starts(pair, "QREXEC") || str_starts(pair, "QREXEC_SERVICE_PATH=") ||
           str_starts(pair, "QREXEC_AGENT_PID=");
}

static void set_service(struct environment *e, const struct service_words *w, bool dom0)
{
    const char *type = w->target_type ? w->target_type : "";

    environment_set(e, "QREXEC_REMOTE_DOMAIN", w->source);
    environment_set(e, "QREXEC_SERVICE_FULL_NAME", w->full_name);
    if (w->argument)
        environment_set(e, "QREXEC_SERVICE_ARGUMENT", w->argument);
    environment_set(e, "QREXEC_REQUESTED_TARGET_TYPE", dom0 ? type : "");
    if (dom0 && w->target && str_equal(type, "name"))
        environment_set(e, "QREXEC_REQUESTED_TARGET", w->target);
    if (dom0 && w->target && str_equal(type, "keyword"))
        environment_set(e, "QREXEC_REQUESTED_TARGET_KEYWORD", w->target);
}

/* A person's own program in dom0: it keeps everything. */
static bool is_local_command(const struct service *s)
{
    return s->place == SERVICE_PLACE_DOM0 && !s->words.is_service;
}

void environment_build(struct environment *e, const struct service *s, char *const *base,
                       pid_t agent)
{
    char number[16];

    for (; base && *base; base++)
        if (stays(*base) || is_local_command(s))
            environment_put(e, *base);
    if (s->words.is_service)
        set_service(e, &s->words, s->place == SERVICE_PLACE_DOM0);
    if (s->place == SERVICE_PLACE_DOM0) {
        if (*paths_root())
            environment_set(e, "QREXEC_ROOT", paths_root());
        return;
    }
    snprintf(number, sizeof(number), "%d", (int)agent);
    environment_set(e, "QREXEC_AGENT_PID", number);
}
