/* What callers of the policy socket say, and what it answers them. */
#include "policy-engine/policy-service.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool same(struct wire_text a, struct wire_text b)
{
    return a.len == b.len && (!a.len || memcmp(a.s, b.s, a.len) == 0);
}

/* What was understood is said again, and understood the same. */
static void say_again(const struct policy_query *q)
{
    static char buf[POLICY_REQUEST_MAX + 256];
    struct wire_writer w = wire_writer(buf, sizeof(buf));
    struct policy_query again;

    if (policy_text_write_query(&w, q))
        fuzz_fail("a query that was read cannot be written");
    if (w.len > POLICY_REQUEST_MAX)
        return; /* what was left out, as no, is written */
    if (policy_text_read_query(buf, w.len, false, &again) || !same(q->source, again.source) ||
        !same(q->target, again.target) || !same(q->service, again.service) ||
        !same(q->requested_source, again.requested_source) ||
        q->assume_yes_for_ask != again.assume_yes_for_ask ||
        q->just_evaluate != again.just_evaluate)
        fuzz_fail("a query changes when it is written and read");
}

static void answer(const struct policy_query *q)
{
    static const struct policy_file file = {"p/1.policy", "* * * * allow target=dom0\n", 26};
    static const char *const dirs[] = {"p", NULL};
    static struct policy *p;
    static struct policy_domains *d;
    struct policy_question question;
    struct policy_request rq;
    struct policy_verdict v = {0};
    struct policy_answer a;
    char text[POLICY_ANSWER_MAX + 1];
    int n;

    if (!p && (policy_load(&(struct policy_source){dirs, NULL, &file, 1, true}, &p, NULL) ||
               policy_domains_new(0, &d)))
        fuzz_fail("the policy does not load");
    if (policy_question_new(q, &question))
        fuzz_fail("no question");
    rq = policy_question_request(&question);
    if (policy_decide(p, d, &rq, &v))
        fuzz_fail("no verdict");
    n = policy_answer_text(d, &question, &v, text, sizeof(text));
    if (n >= 0 && !q->just_evaluate && policy_text_read_answer(text, (size_t)n, &a))
        fuzz_fail("an answer that its reader does not understand");
    policy_verdict_deinit(&v);
    policy_question_deinit(&question);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_query part, whole;
    struct policy_answer a;
    int r = policy_text_read_query(data, size, false, &part);

    if (policy_text_read_query(data, size, true, &whole) == WIRE_E_SHORT)
        fuzz_fail("at its end a query is not too short");
    if (r == 0) {
        say_again(&part);
        answer(&part);
    }
    (void)policy_text_read_answer(data, size, &a);
    return 0;
}
