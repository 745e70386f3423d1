/* The spawner's JSON in one pass: see system-info-scan.h. */
#include "policy-engine/system-info-scan.h"

#include "libqrexec/base/util.h"

#include <errno.h>

#define DEPTH_MOST 16
#define TAGS_MOST  256

struct scan {
    char *at, *end;
    bool failed; /* sticks */
};

static bool fail(struct scan *s)
{
    s->failed = true;
    return false;
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

/* Is c next? Then it is taken. */
static bool take_char(struct scan *s, char c)
{
    skip_blanks(s);
    if (s->failed || s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool expect(struct scan *s, char c)
{
    return take_char(s, c) || fail(s);
}

static bool take_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);

    skip_blanks(s);
    if (s->failed || (size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
        return false;
    s->at += n;
    return true;
}

/* The text of a string, up to its last quote. NULL: failed. */
static char *pass_string(struct scan *s)
{
    char *start;

    if (!expect(s, '"'))
        return NULL;
    for (start = s->at; s->at < s->end && *s->at != '"'; s->at++)
        if (*s->at < 0x20 || *s->at == 0x7f || *s->at == '\\') /* bytes over 0x7f are negative */
            break;
    if (s->at == s->end || *s->at != '"') {
        fail(s);
        return NULL;
    }
    s->at++;
    return start;
}

/* The text of a string, ended in place. NULL: failed. */
static char *take_string(struct scan *s)
{
    char *start = pass_string(s);

    if (start)
        s->at[-1] = 0;
    return start;
}

/* Is there one more member of an object that was begun? Not: its end, or failed. */
static bool has_more(struct scan *s, bool *first)
{
    if (s->failed || take_char(s, '}') || (!*first && !expect(s, ',')))
        return false;
    *first = false;
    return true;
}

/* The next key, ended in place; NULL: the object's end, or failed. */
static char *next_key(struct scan *s, bool *first)
{
    char *key = has_more(s, first) ? take_string(s) : NULL;

    return key && expect(s, ':') ? key : NULL;
}

/* Leaves the text as it is. */
static void skip_value(struct scan *s, unsigned depth)
{
    bool first = true;

    if (take_word(s, "null") || take_word(s, "true") || take_word(s, "false") || s->failed)
        return;
    skip_blanks(s);
    if (depth == DEPTH_MOST) {
        fail(s);
    } else if (take_char(s, '{')) {
        while (has_more(s, &first) && pass_string(s) && expect(s, ':'))
            skip_value(s, depth + 1);
    } else if (take_char(s, '[')) {
        while (!s->failed && !take_char(s, ']')) {
            if (!first)
                expect(s, ',');
            first = false;
            skip_value(s, depth + 1);
        }
    } else {
        (void)pass_string(s);
    }
}

/* A string that is not empty; NULL: of another kind. */
static const char *take_text(struct scan *s)
{
    const char *text;

    skip_blanks(s);
    if (s->at == s->end || *s->at != '"') {
        skip_value(s, 0);
        return NULL;
    }
    text = take_string(s);
    return text && *text ? text : NULL;
}

static bool take_true(struct scan *s)
{
    if (take_word(s, "true"))
        return true;
    skip_value(s, 0);
    return false;
}

/* Only strings are tags. */
static size_t take_tags(struct scan *s, const char **tags)
{
    size_t n = 0;

    skip_blanks(s);
    if (s->at == s->end || *s->at != '[') {
        skip_value(s, 0);
        return 0;
    }
    s->at++;
    while (!s->failed && !take_char(s, ']')) {
        if (n)
            expect(s, ',');
        if (n == TAGS_MOST)
            fail(s);
        else
            tags[n++] = take_string(s); /* another kind: failed */
    }
    return s->failed ? 0 : n;
}

static void take_property(struct scan *s, const char *key, struct policy_domain *d,
                          const char **tags)
{
    const struct {
        const char *key;
        const char **value;
    } texts[] = {
        {"uuid", &d->uuid},   {"type", &d->type},
        {"icon", &d->icon},   {"power_state", &d->power_state},
        {"guivm", &d->guivm}, {"default_dispvm", &d->default_dispvm},
        {"label", &d->label}, {"relayvm", &d->relayvm},
        {"netvm", &d->netvm}, {"transport_rpc", &d->transport_rpc},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (str_equal(key, texts[i].key)) {
            *texts[i].value = take_text(s);
            return;
        }
    if (str_equal(key, "template_for_dispvms"))
        d->template_for_dispvms = take_true(s);
    else if (str_equal(key, "internal"))
        d->internal = take_word(s, "true") || take_text(s);
    else if (str_equal(key, "tags"))
        d->n_tags = take_tags(s, tags);
    else
        skip_value(s, 0);
}

static int take_domain(struct scan *s, const char *name, struct policy_domains *all)
{
    const char *tags[TAGS_MOST], *key;
    struct policy_domain d = {.name = name, .tags = tags};
    bool first = true;
    int r;

    if (!expect(s, '{'))
        return SCAN_E_OTHER;
    while ((key = next_key(s, &first)))
        take_property(s, key, &d, tags);
    if (s->failed)
        return SCAN_E_OTHER;
    r = policy_domains_add(all, &d);
    return r == -ENOMEM ? r : r ? SCAN_E_OTHER : 0;
}

static int take_domains(struct scan *s, struct policy_domains *all)
{
    const char *name;
    bool first = true;
    int r = 0;

    if (!expect(s, '{'))
        return SCAN_E_OTHER;
    while (!r && (name = next_key(s, &first)))
        r = take_domain(s, name, all);
    return r ? r : s->failed ? SCAN_E_OTHER : 0;
}

static bool take_generation(struct scan *s, uint64_t *ret)
{
    uint64_t n = 0;
    const char *start;

    skip_blanks(s);
    start = s->at;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
        n = n * 10 + (uint64_t)(*s->at - '0');
    if (s->at == start || s->at - start > 18 || (*start == '0' && s->at - start > 1))
        return fail(s);
    *ret = n;
    return true;
}

/* Where the domains begin, and the generation, wherever they stand; each once. */
static bool survey(struct scan *s, char **ret_domains, uint64_t *ret_generation)
{
    bool first = true, seen = false;
    char *key;

    *ret_domains = NULL;
    if (!expect(s, '{'))
        return false;
    while ((key = next_key(s, &first))) {
        if (str_equal(key, "domains") && !*ret_domains) {
            *ret_domains = s->at;
            skip_value(s, 0);
        } else if (str_equal(key, "generation") && !seen) {
            seen = take_generation(s, ret_generation);
        } else {
            return false;
        }
    }
    skip_blanks(s);
    return !s->failed && s->at == s->end && *ret_domains;
}

int system_info_scan(char *text, size_t n, struct policy_domains **ret)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    struct scan s = {.at = text, .end = text + n};
    uint64_t generation = 0;
    char *domains;
    int r;

    if (!survey(&s, &domains, &generation))
        return SCAN_E_OTHER;
    s.at = domains;
    r = policy_domains_new(generation, &d);
    if (!r)
        r = take_domains(&s, d);
    if (r)
        return r;
    *ret = take(d);
    return 0;
}
