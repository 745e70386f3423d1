/* What the policy service says to the prompt: see request.h. */
#include "policy-engine/prompt/request.h"

#include "libqrexec/wire/text.h"

#include <errno.h>
#include <jansson.h>

/* The service of the descriptor: its first two words alone count. */
static int read_descriptor(struct wire_text d, enum prompt_kind *ret)
{
    struct wire_text service, source;

    if (!wire_text_split(&d, ' ', &service))
        return PROMPT_E_DESCRIPTOR;
    if (!wire_text_split(&d, ' ', &source))
        source = d;
    if (!wire_text_is(source, "dom0"))
        return PROMPT_E_DESCRIPTOR;
    if (wire_text_is(service, "policy.Ask") || wire_text_is(service, "policy.Ask+"))
        *ret = PROMPT_ASK;
    else if (wire_text_is(service, "policy.Notify") || wire_text_is(service, "policy.Notify+"))
        *ret = PROMPT_NOTIFY;
    else
        return PROMPT_E_DESCRIPTOR;
    return 0;
}

static bool is_name(const char *s, bool is_service)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s == ':' || !wire_char_allowed(is_service ? WIRE_CHARS_SERVICE : WIRE_CHARS_NAME, *s))
            return false;
    return true;
}

static int take_string(json_t *root, const char *key, char **ret)
{
    const char *s = json_string_value(json_object_get(root, key));

    if (!s)
        return PROMPT_E_KEY;
    *ret = strdup(s);
    return *ret ? 0 : -ENOMEM;
}

static int take_targets(json_t *root, struct prompt_request *q)
{
    json_t *list = json_object_get(root, "targets");
    const char *wanted = json_string_value(json_object_get(root, "default_target"));
    size_t n = json_array_size(list);

    if (!json_is_array(list) || !wanted)
        return PROMPT_E_KEY;
    if (!n || n > PROMPT_TARGETS_MOST)
        return PROMPT_E_TARGETS;
    q->targets = calloc(n, sizeof(*q->targets));
    if (!q->targets)
        return -ENOMEM;
    q->default_target = n;
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(list, i));

        if (!s || !*s)
            return PROMPT_E_TARGETS;
        q->targets[i] = strdup(s);
        if (!q->targets[i])
            return -ENOMEM;
        q->n_targets++;
        if (str_equal(s, wanted))
            q->default_target = i;
    }
    return 0;
}

/* The icon of a domain, or none: only names of icons come out, no paths. */
static char *icon_of(json_t *root, const char *name)
{
    const char *icon = json_string_value(json_object_get(json_object_get(root, "icons"), name));

    return strdup(icon && is_name(icon, false) ? icon : "");
}

static int take_icons(json_t *root, struct prompt_request *q)
{
    q->source_icon = icon_of(root, q->source);
    q->target_icons = calloc(q->n_targets, sizeof(*q->target_icons));
    if (!q->source_icon || !q->target_icons)
        return -ENOMEM;
    for (size_t i = 0; i < q->n_targets; i++) {
        q->target_icons[i] = icon_of(root, q->targets[i]);
        if (!q->target_icons[i])
            return -ENOMEM;
    }
    return 0;
}

static int check_icons(json_t *root)
{
    json_t *icons = json_object_get(root, "icons"), *icon;
    const char *name, *prefix = "@dispvm:";

    if (!json_is_object(icons))
        return PROMPT_E_KEY;
    json_object_foreach(icons, name, icon)
    {
        if (!json_is_string(icon))
            return PROMPT_E_KEY;
        if (!is_name(str_starts(name, prefix) ? name + strlen(prefix) : name, false))
            return PROMPT_E_BYTES;
    }
    return 0;
}

static int take_notice(json_t *root, struct prompt_request *q)
{
    int r = take_string(root, "target", &q->target);

    if (!r)
        r = take_string(root, "resolution", &q->resolution);
    if (r)
        return r;
    return str_equal(q->resolution, "allow") || str_equal(q->resolution, "deny") ||
                   str_equal(q->resolution, "fail")
               ? 0
               : PROMPT_E_KEY;
}

static int read_object(json_t *root, struct prompt_request *q)
{
    int r = take_string(root, "source", &q->source);

    if (!r)
        r = take_string(root, "service", &q->service);
    if (!r)
        r = take_string(root, "argument", &q->argument);
    if (r)
        return r;
    if (!is_name(q->source, false) || !is_name(q->service, true))
        return PROMPT_E_BYTES;
    if (q->kind == PROMPT_NOTIFY)
        return take_notice(root, q);
    q->keep = json_is_true(json_object_get(root, "keep"));
    r = check_icons(root);
    if (!r)
        r = take_targets(root, q);
    return r ? r : take_icons(root, q);
}

int prompt_request_parse(const void *data, size_t n, struct prompt_request *ret)
{
    _cleanup_(prompt_request_deinit) struct prompt_request q = {0};
    _cleanup_(json_decrefp) json_t *root = NULL;
    struct wire_text rest = {data, n}, descriptor;
    int r;

    if (!wire_text_split(&rest, '\0', &descriptor))
        return PROMPT_E_DESCRIPTOR;
    r = read_descriptor(descriptor, &q.kind);
    if (r)
        return r;
    root = json_loadb(rest.s, rest.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root))
        return PROMPT_E_JSON;
    r = read_object(root, &q);
    if (r)
        return r;
    *ret = q;
    q = (struct prompt_request){0};
    return 0;
}

void prompt_request_deinit(struct prompt_request *q)
{
    for (size_t i = 0; i < q->n_targets; i++) {
        free(q->targets[i]);
        if (q->target_icons)
            free(q->target_icons[i]);
    }
    free(q->targets);
    free(q->target_icons);
    free(q->source_icon);
    free(q->source);
    free(q->service);
    free(q->argument);
    free(q->resolution);
    free(q->target);
    *q = (struct prompt_request){0};
}

const char *prompt_error_text(int error)
{
    switch (error) {
    case PROMPT_E_DESCRIPTOR: return "it is neither policy.Ask nor policy.Notify from dom0";
    case PROMPT_E_JSON: return "it is no JSON object";
    case PROMPT_E_KEY: return "a key is missing or of the wrong type";
    case PROMPT_E_BYTES: return "a name has characters that names do not have";
    case PROMPT_E_TARGETS: return "there is no target to choose, or an empty or too many ones";
    default: return strerror(-error);
    }
}
