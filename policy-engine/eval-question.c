/* Questions of policy.EvalSimple and policy.EvalGUI: see eval-question.h. */
#include "policy-engine/eval-question.h"

#include <errno.h>

static bool is_name(struct wire_text t, size_t most)
{
    if (!t.len || t.len > most)
        return false;
    for (size_t i = 0; i < t.len; i++)
        if (t.s[i] == ':' || !wire_char_allowed(WIRE_CHARS_NAME, t.s[i]))
            return false;
    return true;
}

/* "policy.EvalSimple+SERVICE[+ARG] CALLER …": the two. */
static bool read_descriptor(struct wire_text t, const char *service, struct wire_text *ret_service,
                            struct wire_text *ret_caller)
{
    struct wire_text word, name, caller;

    if (!wire_text_split(&t, ' ', &word))
        return false;
    if (!wire_text_split(&t, ' ', &caller))
        caller = t;
    if (!wire_text_split(&word, '+', &name) || !wire_text_is(name, service))
        return false;
    if (!word.len || word.s[0] == '+' || !wire_text_allowed(WIRE_CHARS_SERVICE, word) ||
        !is_name(caller, 256))
        return false;
    *ret_service = word;
    *ret_caller = caller;
    return true;
}

int eval_question_read(const char *service, const void *data, size_t n, bool eof,
                       struct policy_question *ret, char **ret_caller)
{
    struct policy_query q = {.assume_yes_for_ask = true, .just_evaluate = true};
    struct wire_text rest = {data, n}, descriptor, caller;
    char *text;
    int r;

    if (!n || !wire_text_split(&rest, 0, &descriptor))
        return eof || n >= EVAL_REQUEST_MAX - EVAL_PAYLOAD_MOST ? EVAL_E_DESCRIPTOR : EVAL_E_MORE;
    if (!read_descriptor(descriptor, service, &q.service, &caller))
        return EVAL_E_DESCRIPTOR;
    if (!eof)
        return rest.len >= EVAL_PAYLOAD_MOST ? EVAL_E_REQUEST : EVAL_E_MORE;
    if (!rest.len || !wire_text_split(&rest, 0, &q.source) ||
        !is_name(q.source, EVAL_SOURCE_MOST) || !is_name(rest, EVAL_TARGET_MOST))
        return EVAL_E_REQUEST;
    q.target = rest;
    text = strndup(caller.s, caller.len);
    r = text ? policy_question_new(&q, ret) : -ENOMEM;
    if (r)
        free(text);
    else
        *ret_caller = text;
    return r;
}

static bool has_tag(const struct policy_domain *d, const char *tag)
{
    for (size_t i = 0; d && i < d->n_tags; i++)
        if (str_equal(d->tags[i], tag))
            return true;
    return false;
}

bool eval_question_is_gui_of(const struct policy_question *q, const struct policy_domains *d,
                             const char *caller)
{
    _cleanup_(freep) char *tag = format_new("guivm-%s", caller);

    return tag && has_tag(policy_domains_find(d, q->source), tag) &&
           has_tag(policy_domains_find(d, q->target), tag);
}
