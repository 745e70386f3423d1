/*
 * The policy socket's text: see policy-text.h.
 *
 * Both directions share one reader of lines: a table of keys, and for each its value once that has
 * come.
 */
#include "libqrexec/wire/policy-text.h"

struct key {
    const char *name;
    bool mandatory;
};

#define MAX_KEYS 8

static int key_find(const struct key *keys, size_t n, struct wire_text name)
{
    for (size_t i = 0; i < n; i++)
        if (wire_text_is(name, keys[i].name))
            return (int)i;
    return -1;
}

/* One line into values[]. skip_unknown: a key that is not in the table is passed over. */
static int take_line(struct wire_text line, const struct key *keys, size_t n, bool skip_unknown,
                     struct wire_text values[static MAX_KEYS])
{
    struct wire_text name;
    int i;

    if (!wire_text_split(&line, '=', &name))
        return WIRE_E_TEXT;
    i = key_find(keys, n, name);
    if (i < 0)
        return skip_unknown ? 0 : WIRE_E_TEXT;
    if (values[i].s)
        return WIRE_E_TWICE;
    values[i] = line;
    return 0;
}

static bool is_ascii(struct wire_text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((unsigned char)t.s[i] > 0x7e || t.s[i] == 0)
            return false;
    return true;
}

/* "yes" or "no"; absent is no. */
static int take_bool(struct wire_text t, const char *yes, const char *no, bool *ret)
{
    if (t.s && !wire_text_is(t, yes) && !wire_text_is(t, no))
        return WIRE_E_VALUE;
    *ret = t.s && wire_text_is(t, yes);
    return 0;
}

enum { Q_SOURCE, Q_TARGET, Q_SERVICE, Q_REQUESTED, Q_ASSUME, Q_EVALUATE, Q_KEYS };

static const struct key query_keys[Q_KEYS] = {
    [Q_SOURCE] = {"source", true},
    [Q_TARGET] = {"intended_target", true},
    [Q_SERVICE] = {"service_and_arg", true},
    [Q_REQUESTED] = {"requested_source", false},
    [Q_ASSUME] = {"assume_yes_for_ask", false},
    [Q_EVALUATE] = {"just_evaluate", false},
};

static int query_from(const struct wire_text v[static MAX_KEYS], struct policy_query *ret)
{
    struct policy_query q = {v[Q_SOURCE], v[Q_TARGET], v[Q_SERVICE], v[Q_REQUESTED], false, false};

    for (size_t i = 0; i < Q_KEYS; i++)
        if (query_keys[i].mandatory && !v[i].s)
            return WIRE_E_MISSING;
    if (!q.source.len || !q.service.len || q.service.s[0] == '+')
        return WIRE_E_VALUE;
    if (!wire_text_allowed(WIRE_CHARS_NAME, q.source) ||
        !wire_text_allowed(WIRE_CHARS_NAME, q.target) ||
        !wire_text_allowed(WIRE_CHARS_NAME, q.requested_source) ||
        !wire_text_allowed(WIRE_CHARS_SERVICE, q.service))
        return WIRE_E_VALUE;
    if (take_bool(v[Q_ASSUME], "yes", "no", &q.assume_yes_for_ask) ||
        take_bool(v[Q_EVALUATE], "yes", "no", &q.just_evaluate))
        return WIRE_E_VALUE;
    *ret = q;
    return 0;
}

int policy_text_read_query(const void *data, size_t len, bool eof, struct policy_query *ret)
{
    struct wire_text rest = {data, len}, line, v[MAX_KEYS] = {{NULL, 0}};
    int r;

    if (len > POLICY_REQUEST_MAX)
        return WIRE_E_LENGTH;
    while (rest.len) {
        if (!wire_text_split(&rest, '\n', &line)) {
            if (!eof)
                return WIRE_E_SHORT;
            line = rest;
            rest.len = 0;
        } else if (!line.len) {
            return query_from(v, ret);
        }
        r = is_ascii(line) ? take_line(line, query_keys, Q_KEYS, false, v) : WIRE_E_TEXT;
        if (r)
            return r;
    }
    return eof ? query_from(v, ret) : WIRE_E_SHORT;
}

/* A line that its reader will take as one. */
static void put_line(struct wire_writer *w, const char *name, struct wire_text value)
{
    if (value.len && (memchr(value.s, '\n', value.len) || memchr(value.s, 0, value.len))) {
        if (!w->error)
            w->error = WIRE_E_VALUE;
        return;
    }
    wire_put_str(w, name);
    wire_put_str(w, "=");
    wire_put_text(w, value);
    wire_put_str(w, "\n");
}

/* Takes back what was written of a text that failed. */
static int finish(struct wire_writer *w, size_t start)
{
    if (w->error)
        w->len = start;
    return w->error;
}

int policy_text_write_query(struct wire_writer *w, const struct policy_query *q)
{
    size_t start = w->len;

    put_line(w, "source", q->source);
    put_line(w, "intended_target", q->target);
    put_line(w, "service_and_arg", q->service);
    if (q->requested_source.s)
        put_line(w, "requested_source", q->requested_source);
    if (q->assume_yes_for_ask)
        put_line(w, "assume_yes_for_ask", wire_text("yes"));
    if (q->just_evaluate)
        put_line(w, "just_evaluate", wire_text("yes"));
    wire_put_str(w, "\n");
    return finish(w, start);
}

enum { A_RESULT, A_USER, A_TARGET, A_REQUESTED, A_AUTOSTART, A_UUID, A_SERVICE, A_SOURCE, A_KEYS };

static const struct key answer_keys[A_KEYS] = {
    [A_RESULT] = {"result", true},       [A_USER] = {"user", true},
    [A_TARGET] = {"target", true},       [A_REQUESTED] = {"requested_target", true},
    [A_AUTOSTART] = {"autostart", true}, [A_UUID] = {"target_uuid", false},
    [A_SERVICE] = {"service", false},    [A_SOURCE] = {"policy_source", false},
};

static int answer_from(const struct wire_text v[static MAX_KEYS], struct policy_answer *ret)
{
    struct policy_answer a = {.user = v[A_USER],
                              .target = v[A_TARGET],
                              .target_uuid = v[A_UUID],
                              .requested_target = v[A_REQUESTED],
                              .service = v[A_SERVICE],
                              .policy_source = v[A_SOURCE]};

    if (!v[A_RESULT].s)
        return WIRE_E_MISSING;
    if (take_bool(v[A_RESULT], "allow", "deny", &a.allow))
        return WIRE_E_VALUE;
    for (size_t i = A_USER; i <= A_AUTOSTART; i++)
        if (a.allow != (v[i].s != NULL))
            return a.allow ? WIRE_E_MISSING : WIRE_E_TEXT;
    if (take_bool(v[A_AUTOSTART], "True", "False", &a.autostart))
        return WIRE_E_VALUE;
    if (!a.allow)
        a = (struct policy_answer){.allow = false};
    *ret = a;
    return 0;
}

int policy_text_read_answer(const void *data, size_t len, struct policy_answer *ret)
{
    struct wire_text rest = {data, len}, line, v[MAX_KEYS] = {{NULL, 0}};
    int r;

    if (!len)
        return WIRE_E_MISSING;
    if (len > POLICY_ANSWER_MAX)
        return WIRE_E_LENGTH;
    if (memchr(data, 0, len))
        return WIRE_E_TEXT;
    while (rest.len) {
        if (!wire_text_split(&rest, '\n', &line)) {
            line = rest;
            rest.len = 0;
        }
        r = take_line(line, answer_keys, A_KEYS, true, v);
        if (r)
            return r;
    }
    return answer_from(v, ret);
}

int policy_text_write_answer(struct wire_writer *w, const struct policy_answer *a,
                             bool just_evaluate)
{
    size_t start = w->len;

    put_line(w, "result", wire_text(a->allow ? "allow" : "deny"));
    if (a->allow && !just_evaluate) {
        put_line(w, "user", a->user);
        put_line(w, "target", a->target);
        put_line(w, "autostart", wire_text(a->autostart ? "True" : "False"));
        put_line(w, "requested_target", a->requested_target);
        if (a->target_uuid.s)
            put_line(w, "target_uuid", a->target_uuid);
        if (a->service.s)
            put_line(w, "service", a->service);
        if (a->policy_source.s)
            put_line(w, "policy_source", a->policy_source);
    }
    if (!w->error && w->len - start > POLICY_ANSWER_MAX)
        w->error = WIRE_E_LENGTH;
    return finish(w, start);
}
