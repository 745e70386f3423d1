/* Verdicts with kept answers: see kept-verdict.h. */
#include "policy-engine/kept-verdict.h"

#include "libqrexec/base/log.h"

void kept_verdict_read(const struct cli *c, struct kept_answers *ret)
{
    int r = c->kept.path ? kept_answers_read(c->kept.path, ret) : 0;

    if (r)
        log_warning("answers that are kept are not looked at, for %s cannot be read: %s",
                    c->kept.path, strerror(-r));
}

static struct policy_question question_of(const struct policy_request *q)
{
    return (struct policy_question){.service = (char *)(uintptr_t)q->service,
                                    .argument =
                                        (char *)(uintptr_t)(q->argument ? q->argument : "+"),
                                    .source = (char *)(uintptr_t)q->source};
}

/* One after the other, so that it is known which it is. */
static const char *find(const struct kept_answers *k, const struct policy_domains *d,
                        const struct policy_request *q, const struct policy_verdict *asked,
                        const struct kept_answer **ret_by)
{
    struct policy_question question = question_of(q);
    uint64_t now = kept_now();

    for (size_t i = 0; i < k->n; i++) {
        struct kept_answers one = {.list = &k->list[i], .n = 1};
        const char *choice = kept_answers_find(&one, d, &question, asked, now);

        if (choice) {
            *ret_by = &k->list[i];
            return choice;
        }
    }
    return NULL;
}

int kept_verdict_decide(const struct kept_answers *k, const struct policy *p,
                        const struct policy_domains *d, const struct policy_request *q,
                        struct policy_verdict *ret, const struct kept_answer **ret_by)
{
    _cleanup_(policy_verdict_deinit) struct policy_verdict asked = {0};
    const struct kept_answer *by = NULL;
    const char *choice;
    int r = policy_decide(p, d, q, &asked);

    if (r)
        return r;
    /* of a mere evaluation the daemon makes a verdict before it looks at answers */
    choice = asked.action == POLICY_ASK && !q->just_evaluate ? find(k, d, q, &asked, &by) : NULL;
    if (choice) {
        r = policy_answer_ask(p, d, q, &asked, choice, ret);
    } else {
        *ret = asked;
        asked = (struct policy_verdict){0};
    }
    if (!r)
        *ret_by = by;
    return r;
}
