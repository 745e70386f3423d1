/* A question or a notice: see prompt.h. */
#include "policy-engine/prompt/prompt.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

static bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits, "@_.-" and what is in more; not empty. */
static bool name_ok(const char *s, const char *more)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!letter_or_digit(*s) && !strchr("@_.-", *s) && !strchr(more, *s))
            return false;
    return true;
}

/* In place: an argument comes from a domain, and need not be a name. */
static void make_harmless(char *s)
{
    for (; *s; s++)
        if (!letter_or_digit(*s) && !strchr("@_.-+:", *s))
            *s = '_';
}

static int take_string(json_t *root, const char *key, char **ret)
{
    const char *s = json_string_value(json_object_get(root, key));
    char *copy;

    if (!s)
        return PROMPT_E_JSON;
    copy = strdup(s);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

static int check_icons(json_t *icons)
{
    const char *prefix = "@dispvm:", *name;
    json_t *icon;

    if (!json_is_object(icons))
        return PROMPT_E_JSON;
    json_object_foreach(icons, name, icon)
    {
        if (!name_ok(str_starts(name, prefix) ? name + strlen(prefix) : name, ""))
            return PROMPT_E_NAME;
        if (!json_is_string(icon))
            return PROMPT_E_JSON;
    }
    return 0;
}

static int take_targets(json_t *list, struct prompt *p)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n == 0 || n > PROMPT_TARGETS_MOST)
        return PROMPT_E_JSON;
    p->targets = calloc(n, sizeof(*p->targets));
    if (!p->targets)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(list, i));

        if (!s)
            return PROMPT_E_JSON;
        if (!name_ok(s, ":"))
            return PROMPT_E_NAME;
        p->targets[i] = strdup(s);
        if (!p->targets[i])
            return -ENOMEM;
        p->n_targets++;
    }
    return 0;
}

static int read_ask(json_t *root, struct prompt *p)
{
    const char *wanted = json_string_value(json_object_get(root, "default_target"));
    int r = check_icons(json_object_get(root, "icons"));

    if (!r)
        r = take_targets(json_object_get(root, "targets"), p);
    if (r)
        return r;
    if (!wanted)
        return PROMPT_E_JSON;
    p->default_target = p->n_targets;
    for (size_t i = 0; i < p->n_targets; i++)
        if (str_equal(p->targets[i], wanted))
            p->default_target = i;
    return 0;
}

static int read_notify(json_t *root, struct prompt *p)
{
    int r = take_string(root, "resolution", &p->resolution);

    if (!r)
        r = take_string(root, "target", &p->target);
    if (r)
        return r;
    if (!str_equal(p->resolution, "allow") && !str_equal(p->resolution, "deny") &&
        !str_equal(p->resolution, "fail"))
        return PROMPT_E_JSON;
    make_harmless(p->target); /* as a domain asked for it */
    return 0;
}

static int read_json(json_t *root, struct prompt *p)
{
    int r = json_is_object(root) ? 0 : PROMPT_E_JSON;

    if (!r)
        r = take_string(root, "source", &p->source);
    if (!r)
        r = take_string(root, "service", &p->service);
    if (!r)
        r = take_string(root, "argument", &p->argument);
    if (r)
        return r;
    if (!name_ok(p->source, "") || !name_ok(p->service, "+"))
        return PROMPT_E_NAME;
    make_harmless(p->argument);
    return p->kind == PROMPT_ASK ? read_ask(root, p) : read_notify(root, p);
}

/* The first two words decide; the others are a newer or older caller's affair. */
static int read_descriptor(const char *s, enum prompt_kind *ret)
{
    size_t service = strcspn(s, " "), source;
    enum prompt_kind kind;

    if (strncmp(s, "policy.Ask+", size_min(service, 11)) == 0 && service >= 10 && service <= 11)
        kind = PROMPT_ASK;
    else if (strncmp(s, "policy.Notify+", size_min(service, 14)) == 0 && service >= 13 &&
             service <= 14)
        kind = PROMPT_NOTIFY;
    else
        return PROMPT_E_DESCRIPTOR;
    if (!s[service])
        return PROMPT_E_DESCRIPTOR;
    s += service + 1;
    source = strcspn(s, " ");
    if (source != 4 || memcmp(s, "dom0", 4) != 0)
        return PROMPT_E_DESCRIPTOR;
    *ret = kind;
    return 0;
}

int prompt_read(const void *data, size_t n, struct prompt *ret)
{
    _cleanup_(prompt_deinit) struct prompt p = {0};
    const char *text = data, *end = n ? memchr(text, 0, n) : NULL;
    json_t *root;
    int r;

    if (!end)
        return PROMPT_E_DESCRIPTOR;
    r = read_descriptor(text, &p.kind);
    if (r)
        return r;
    root = json_loadb(end + 1, n - (size_t)(end + 1 - text), JSON_REJECT_DUPLICATES, NULL);
    r = read_json(root, &p);
    json_decref(root);
    if (r)
        return r;
    *ret = p;
    p = (struct prompt){0};
    return 0;
}

void prompt_deinit(struct prompt *p)
{
    for (size_t i = 0; i < p->n_targets; i++)
        free(p->targets[i]);
    free(p->targets);
    free(p->source);
    free(p->service);
    free(p->argument);
    free(p->resolution);
    free(p->target);
    *p = (struct prompt){0};
}

const char *prompt_error_text(int error)
{
    switch (error) {
    case PROMPT_E_DESCRIPTOR: return "it is not policy.Ask or policy.Notify from dom0";
    case PROMPT_E_JSON: return "its JSON lacks something";
    case PROMPT_E_NAME: return "a name in it has a character that no name has";
    default: return "out of memory";
    }
}

static const char *argument_shown(const struct prompt *p)
{
    return str_equal(p->argument, "+") ? "" : p->argument;
}

/* What a target means, where its name alone does not say. */
static void show_target(FILE *f, size_t number, const char *target, bool is_default)
{
    const char *prefix = "@dispvm:";

    fprintf(f, "  %zu  %s", number, target);
    if (str_starts(target, prefix))
        fprintf(f, "   (a new disposable of %s)", target + strlen(prefix));
    fputs(is_default ? "   [default]\n" : "\n", f);
}

static void show_ask(FILE *f, const struct prompt *p)
{
    fprintf(f, "\n%s wants to call %s%s in another domain. Which one may it be?\n", p->source,
            p->service, argument_shown(p));
    for (size_t i = 0; i < p->n_targets; i++)
        show_target(f, i + 1, p->targets[i], i == p->default_target);
}

static void show_notice(FILE *f, const struct prompt *p)
{
    const char *what = str_equal(p->resolution, "allow")  ? "Allowed"
                       : str_equal(p->resolution, "deny") ? "Denied"
                                                          : "Failed";

    fprintf(f, "%s: %s calls %s%s in %s\n", what, p->source, p->service, argument_shown(p),
            *p->target ? p->target : "@default");
}

char *prompt_show(const struct prompt *p)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return NULL;
    if (p->kind == PROMPT_ASK)
        show_ask(f, p);
    else
        show_notice(f, p);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

const char *prompt_choose(const struct prompt *p, const char *line)
{
    uint32_t number;

    if (!*line)
        return p->default_target < p->n_targets ? p->targets[p->default_target] : NULL;
    if (parse_u32(line, (uint32_t)p->n_targets, &number) == 0)
        return number ? p->targets[number - 1] : NULL;
    for (size_t i = 0; i < p->n_targets; i++)
        if (str_equal(p->targets[i], line))
            return p->targets[i];
    return NULL;
}
