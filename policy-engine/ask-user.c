/* The prompt's JSON: see ask-user.h. */
#include "policy-engine/ask-user.h"

#include "policy-engine/kept-answers.h"

#include <jansson.h>

/* The icon of a disposable is its template's, as a disposable's. */
static void put_icons(json_t *icons, const struct policy_domains *d)
{
    for (size_t i = 0; i < policy_domains_count(d); i++) {
        const struct policy_domain *dom = policy_domains_at(d, i);
        const char *icon = dom->icon ? dom->icon : "";
        _cleanup_(freep) char *key = NULL, *disp = NULL;

        json_object_set_new(icons, dom->name, json_string(icon));
        if (!dom->template_for_dispvms)
            continue;
        key = format_new("@dispvm:%s", dom->name);
        disp = str_starts(icon, "app") ? format_new("disp%s", icon + strlen("app")) : strdup(icon);
        if (key && disp)
            json_object_set_new(icons, key, json_string(disp));
    }
}

char *ask_user_json(const struct policy_domains *d, const struct policy_question *q,
                    const struct policy_verdict *asked)
{
    json_t *targets = json_array(), *icons = json_object(), *root = json_object();
    char *text;

    for (size_t i = 0; i < asked->n_choices; i++)
        json_array_append_new(targets, json_string(asked->choices[i]));
    put_icons(icons, d);
    json_object_set_new(root, "source", json_string(asked->source));
    json_object_set_new(root, "service", json_string(q->service));
    json_object_set_new(root, "argument", json_string(q->argument));
    json_object_set_new(root, "targets", targets);
    json_object_set_new(root, "default_target",
                        json_string(asked->default_target ? asked->default_target : ""));
    json_object_set_new(root, "icons", icons);
    text = json_dumps(root, JSON_ENSURE_ASCII | JSON_COMPACT);
    json_decref(root);
    return text;
}

char *notify_user_json(const char *resolution, const char *source, const struct policy_question *q,
                       const char *target, uint64_t count)
{
    json_t *root = json_object();
    char *text;

    json_object_set_new(root, "resolution", json_string(resolution));
    json_object_set_new(root, "source", json_string(source));
    json_object_set_new(root, "service", json_string(q->service));
    json_object_set_new(root, "argument", json_string(q->argument));
    json_object_set_new(root, "target", json_string(target));
    if (count > 1)
        json_object_set_new(root, "count", json_integer((json_int_t)count));
    text = json_dumps(root, JSON_ENSURE_ASCII | JSON_COMPACT);
    json_decref(root);
    return text;
}

/* Some agents end their answer with a newline. */
static struct wire_text answer_of(const void *data, size_t n)
{
    struct wire_text t = {data, n};

    if (n && t.s[n - 1] == '\n')
        t.len--;
    return t;
}

bool ask_user_refused(const void *data, size_t n)
{
    return wire_text_is(answer_of(data, n), "deny");
}

/* "keep=session" or "keep=SECONDS". */
static bool read_keep(struct wire_text t, uint64_t *ret)
{
    char number[16];
    uint32_t seconds;

    if (wire_text_is(t, "keep=session")) {
        *ret = 0;
        return true;
    }
    if (!wire_text_starts(t, "keep="))
        return false;
    t.s += strlen("keep=");
    t.len -= strlen("keep=");
    if (!wire_text_copy(t, number, sizeof(number)) ||
        parse_u32(number, KEPT_SECONDS_MOST, &seconds) || !seconds)
        return false;
    *ret = seconds;
    return true;
}

bool ask_user_answer(const void *data, size_t n, char *buf, size_t size, bool *ret_keep,
                     uint64_t *ret_seconds)
{
    struct wire_text t = answer_of(data, n), first;
    const char *prefix = "allow:";
    uint64_t seconds = 0;
    bool keep = wire_text_split(&t, '\n', &first);

    if (!keep)
        first = t;
    if (!wire_text_starts(first, prefix) || (keep && !read_keep(t, &seconds)))
        return false;
    first.s += strlen(prefix);
    first.len -= strlen(prefix);
    if (!wire_text_copy(first, buf, size))
        return false;
    *ret_keep = keep;
    *ret_seconds = seconds;
    return true;
}
