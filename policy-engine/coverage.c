/* Uses of rules: see coverage.h. */
#include "policy-engine/coverage.h"

#include "libqrexec/base/util.h"

#include <errno.h>

struct place {
    const char *file;
    size_t file_len;
    uint32_t line;
};

static struct place place_of(const struct policy *p, uint32_t rule)
{
    struct policy_rule_view v;

    policy_get_rule(p, rule, &v);
    return (struct place){v.file, strlen(v.file), v.line};
}

static int order_of_places(const struct place *a, const struct place *b)
{
    int o = memcmp(a->file, b->file, size_min(a->file_len, b->file_len));

    if (!o && a->file_len != b->file_len)
        o = a->file_len < b->file_len ? -1 : 1;
    if (!o && a->line != b->line)
        o = a->line < b->line ? -1 : 1;
    return o;
}

static int order_of_rules(const void *a, const void *b, void *policy)
{
    struct place x = place_of(policy, *(const uint32_t *)a);
    struct place y = place_of(policy, *(const uint32_t *)b);

    return order_of_places(&x, &y);
}

int coverage_init(struct coverage *c, const struct policy *p)
{
    struct coverage new = {.policy = p, .n = policy_count_rules(p)};

    new.use = calloc(new.n + 1, sizeof(*new.use));
    new.by_place = calloc(new.n + 1, sizeof(*new.by_place));
    if (!new.use || !new.by_place) {
        coverage_deinit(&new);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < new.n; i++) {
        new.use[i].last = COVERAGE_NEVER;
        new.by_place[i] = i;
    }
    qsort_r(new.by_place, new.n, sizeof(*new.by_place), order_of_rules, (void *)p);
    *c = new;
    return 0;
}

void coverage_deinit(struct coverage *c)
{
    free(c->use);
    free(c->by_place);
    *c = (struct coverage){0};
}

void coverage_add_test(struct coverage *c, uint32_t rule)
{
    if (rule < c->n)
        c->use[rule].tested = true;
}

void coverage_add_call_of(struct coverage *c, uint32_t rule, int64_t time)
{
    struct coverage_use *use;

    if (rule >= c->n)
        return;
    use = &c->use[rule];
    use->called = true;
    if (time > use->last)
        use->last = time;
}

static bool parse_place(const char *text, struct place *ret)
{
    const char *colon = strrchr(text, ':');
    struct place at = {.file = text};

    if (!colon || parse_u32(colon + 1, UINT32_MAX, &at.line))
        return false;
    at.file_len = (size_t)(colon - text);
    *ret = at;
    return true;
}

/* The first of by_place that does not stand before it. */
static size_t lower_bound(const struct coverage *c, const struct place *at)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct place there = place_of(c->policy, c->by_place[middle]);

        if (order_of_places(&there, at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool coverage_add_call(struct coverage *c, const char *text, int64_t time)
{
    struct place at, there;
    bool found = false;

    if (!parse_place(text, &at))
        return false;
    /* a file that is included for several services has a rule for each of them there */
    for (size_t i = lower_bound(c, &at); i < c->n; i++) {
        there = place_of(c->policy, c->by_place[i]);
        if (order_of_places(&there, &at) != 0)
            break;
        found = true;
        coverage_add_call_of(c, c->by_place[i], time);
    }
    return found;
}

bool coverage_is_used(const struct coverage *c, size_t rule, int64_t since)
{
    const struct coverage_use *use = &c->use[rule];

    return use->tested || (use->called && use->last >= since);
}
