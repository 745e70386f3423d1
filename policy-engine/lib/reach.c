/* Whether data can get from one domain to another: see reach.h. */
#include "policy-engine/lib/reach.h"

static int run(struct reach *r, struct policy_chain *ret)
{
    int result = r->search.today ? reach_today(r) : reach_worlds(r);

    if (result == SEARCH_FOUND) {
        *ret = r->result;
        return 0;
    }
    if (result)
        return result;
    *ret = (struct policy_chain){.closers = r->search.closers};
    r->search.closers = (struct policy_closers){0};
    return POLICY_E_IMPOSSIBLE;
}

int policy_reach(const struct policy *p, const struct policy_domains *today,
                 const struct policy_reach_goal *goal, struct policy_chain *ret)
{
    const struct policy_goal any = {
        .service = goal->service, .argument = goal->argument, .allow = true, .ask = goal->ask};
    struct reach r = {.goal = goal,
                      .from = word_of(goal->from),
                      .to = word_of(goal->to),
                      .words = {goal->from, goal->to}};
    int result;

    /* no call ends at these two: they become something else first */
    if (!token_allowed(r.from.kind, TOKEN_SOURCE) || !token_allowed(r.to.kind, TOKEN_TARGET) ||
        r.to.kind == TOKEN_DEFAULT || r.to.kind == TOKEN_DISPVM)
        return POLICY_E_INVALID;
    result = search_init(&r.search, p, today, &any);
    if (!result)
        result = run(&r, ret);
    search_deinit(&r.search);
    free(r.edges);
    free(r.steps);
    seen_deinit(&r.seen);
    return result;
}
