/* The prompt's JSON: see ask-user.h. */
#include "policy-engine/ask-user.h"

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
                       const char *target)
{
    json_t *root = json_object();
    char *text;

    json_object_set_new(root, "resolution", json_string(resolution));
    json_object_set_new(root, "source", json_string(source));
    json_object_set_new(root, "service", json_string(q->service));
    json_object_set_new(root, "argument", json_string(q->argument));
    json_object_set_new(root, "target", json_string(target));
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

bool ask_user_answer(const void *data, size_t n, char *buf, size_t size)
{
    struct wire_text t = answer_of(data, n);
    const char *prefix = "allow:";

    if (!wire_text_starts(t, prefix))
        return false;
    t.s += strlen(prefix);
    t.len -= strlen(prefix);
    return wire_text_copy(t, buf, size);
}
