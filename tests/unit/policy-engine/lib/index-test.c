/*
 * The index against what it stands for: the first rule of a plain look at all rules, and an ask's
 * choices as the contract words them, over random policies; and the tables that it is made of.
 */
#include "policy-engine/lib/decide.h"
#include "policy-engine/lib/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define UUID(n)       "00000000-0000-4000-8000-00000000000" #n

static uint64_t state_of_chance;

static uint32_t chance(uint32_t below) /* splitmix64 */
{
    uint64_t x = state_of_chance += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((x ^ x >> 31) % below);
}

#define PICK(list) ((list)[chance(ARRAY_SIZE(list))])

static const char *const services[] = {"a.A *",    "a.A *", "a.A +",  "a.A +x",
                                       "a.A ~x|y", "a.B *", "a.B +y", "* *"};
static const char *const sources[] = {"*",
                                      "@anyvm",
                                      "@adminvm",
                                      "dom0",
                                      "work",
                                      "mail",
                                      "vault",
                                      "far",
                                      "nobody",
                                      "uuid:" UUID(1),
                                      "uuid:" UUID(2),
                                      "uuid:u",
                                      "@tag:work",
                                      "@tag:red",
                                      "@tag:z",
                                      "@tag:none",
                                      "@tag:t7",
                                      "@type:AppVM",
                                      "@type:AdminVM",
                                      "@dispvm:dvm",
                                      "@dispvm:@tag:dvms"};
static const char *const targets[] = {"*",
                                      "@anyvm",
                                      "@adminvm",
                                      "dom0",
                                      ZERO_UUID,
                                      "work",
                                      "mail",
                                      "vault",
                                      "dvm",
                                      "hidden",
                                      "far",
                                      "nobody",
                                      "uuid:" UUID(1),
                                      "uuid:" UUID(3),
                                      "@default",
                                      "@dispvm",
                                      "@dispvm:dvm",
                                      "@dispvm:plain-dvm",
                                      "@dispvm:mail",
                                      "@dispvm:uuid:" UUID(4),
                                      "@dispvm:@tag:dvms",
                                      "@dispvm:@tag:none",
                                      "@tag:work",
                                      "@tag:red",
                                      "@tag:z",
                                      "@type:AppVM",
                                      "@type:AdminVM",
                                      "@tag:t7",
                                      "@tag:t39"};
static const char *const redirects[] = {"mail",        "dom0",   "@adminvm",     "@dispvm",
                                        "@dispvm:dvm", "nobody", "uuid:" UUID(3)};
/* what is asked for */
static const char *const askers[] = {"dom0", "@adminvm", "work",          "mail",          "vault",
                                     "far",  "stranger", "uuid:" UUID(1), "uuid:" UUID(2), "many"};
static const char *const asked[] = {"",
                                    "dom0",
                                    "@adminvm",
                                    "work",
                                    "mail",
                                    "vault",
                                    "dvm",
                                    "far",
                                    "stranger",
                                    "uuid:" UUID(3),
                                    "@dispvm",
                                    "@dispvm:dvm",
                                    "@dispvm:plain-dvm",
                                    "@dispvm:uuid:" UUID(4),
                                    "many"};
static const char *const arguments[] = {"+", "+x", "+y", "+z"};

static struct policy *load_text(const char *text)
{
    static const char *const dirs[] = {"p", NULL};
    const struct policy_file f = {.path = "p/1.policy", .content = text, .len = strlen(text)};
    struct policy_source s = {.dirs = dirs, .files = &f, .n_files = 1, .files_only = true};
    struct policy_error e = {0};
    struct policy *p = NULL;

    if (policy_load(&s, &p, &e))
        fail_msg("%s:%u: %s", e.file, e.line, e.text);
    return p;
}

/* "many" has forty tags, t0 to t39: more than the list of a subject's tokens holds. */
static struct policy_domains *some_domains(void)
{
    static const char *const work[] = {"work", "red"}, *const dvm[] = {"dvms"},
                             *const zero[] = {"z"};
    char text[40][8];
    const char *many[40];
    const struct policy_domain all[] = {
        {"dom0", &ZERO_UUID[5], "AdminVM", zero, 1, .power_state = "Running"},
        {"work", UUID(1), "AppVM", work, 2, .default_dispvm = "dvm", .power_state = "Running"},
        {"mail", UUID(2), "AppVM", work, 1, .default_dispvm = "plain-dvm"},
        {"vault", UUID(3), "AppVM", .power_state = "Halted"},
        {"dvm", UUID(4), "AppVM", dvm, 1, .template_for_dispvms = true},
        {"plain-dvm", UUID(5), "AppVM", .template_for_dispvms = true},
        {"hidden", UUID(6), "AppVM", dvm, 1, .internal = true, .template_for_dispvms = true},
        {"far", UUID(8), "RemoteVM", .relayvm = "work", .default_dispvm = "mail"},
        {"many", NULL, "AppVM", many, 40, .default_dispvm = "dvm", .power_state = "Running"},
    };
    struct policy_domains *d = NULL;

    for (size_t i = 0; i < 40; i++) {
        snprintf(text[i], sizeof(text[i]), "t%zu", i);
        many[i] = text[i];
    }
    assert_int_equal(policy_domains_new(1, &d), 0);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(policy_domains_add(d, &all[i]), 0);
    return d;
}

static void add_rule(struct text *t)
{
    const char *action = chance(3) ? (chance(2) ? "ask" : "allow") : "deny";
    const char *target = PICK(targets);
    bool must = strcmp(target, "@default") == 0 && strcmp(action, "allow") == 0;

    text_addf(t, "%s %s %s %s", PICK(services), PICK(sources), target, action);
    if (strcmp(action, "deny") != 0 && (must || chance(6) == 0))
        text_addf(t, " target=%s", PICK(redirects));
    if (strcmp(action, "deny") != 0 && chance(8) == 0)
        text_addf(t, " autostart=no");
    text_addf(t, "\n");
}

/* many: all of that domain's tags are named, as source and as target. */
static struct policy *random_policy(struct text *t, bool many)
{
    size_t n = 1 + chance(chance(2) ? 8 : 120);

    for (size_t i = 0; i < n; i++)
        add_rule(t);
    for (size_t i = 0; many && i < 40; i++)
        text_addf(t, "a.A * @tag:t%zu @tag:t%zu ask\n", 39 - i, i);
    assert_false(t->failed);
    return load_text(t->data);
}

static uint32_t first_of_all(struct match *m)
{
    const struct policy *p = m->policy;

    for (uint32_t i = 0; i < p->n; i++)
        if (match_rule(m, &p->rules[i]) == MATCH_ALL)
            return i;
    return POLICY_NO_RULE;
}

/* ---- The choices, as the contract words them ---- */

struct set {
    bool domain[16], disposable[16], dispvm, adminvm;
};

static void expand(struct set *s, const struct match *m, const char *token, bool on)
{
    const struct policy_domains *d = m->domains;
    enum token_kind kind = token_kind(span_of(token));
    const char *rest = token_rest(span_of(token)).data;
    bool wide = kind == TOKEN_ANY || kind == TOKEN_ANYVM;

    if (wide || kind == TOKEN_DISPVM)
        s->dispvm = on;
    if (strcmp(token, "@adminvm") == 0)
        s->adminvm = on;
    for (size_t i = 0; i < d->n; i++) {
        const struct policy_domain *dom = &d->list[i];
        bool dom0 = strcmp(dom->name, "dom0") == 0;
        bool named = policy_domains_find(d, rest) == dom;

        if ((wide && (!dom0 || kind == TOKEN_ANY)) ||
            (kind == TOKEN_TAG && domain_has_tag(dom, rest)) ||
            (kind == TOKEN_TYPE && strcmp(dom->type, rest) == 0) ||
            ((kind == TOKEN_NAME || kind == TOKEN_UUID) && named) ||
            (kind == TOKEN_ADMINVM && dom0 && strcmp(token, "@adminvm") != 0))
            s->domain[i] = on;
        if (dom->template_for_dispvms &&
            (wide || (kind == TOKEN_DISPVM_TAG && domain_has_tag(dom, rest)) ||
             (kind == TOKEN_DISPVM_NAME && named)))
            s->disposable[i] = on;
    }
}

static void walk_all(struct set *s, struct match *m)
{
    const struct policy *p = m->policy;

    for (size_t i = p->n; i-- > 0;) {
        const struct rule *r = &p->rules[i];
        bool argument = r->argument == NAME_ANY || r->argument == m->argument;

        if (r->regex)
            argument =
                span_equal(m->argument_text, SPAN("x")) || span_equal(m->argument_text, SPAN("y"));
        if ((r->service == NAME_ANY || r->service == m->service) && argument &&
            match_token(m, r->source_kind, r->source, &m->source))
            expand(s, m, rule_text(p, r->redirect == NAME_NONE ? r->target_spelled : r->redirect),
                   r->action != POLICY_DENY);
    }
}

/* The choices of an ask by the n-th rule, one a line, not sorted. */
static char *choices_by_contract(struct match *m, const struct rule *rule)
{
    const struct policy_domains *d = m->domains;
    struct text t = {0};
    struct set s = {0};
    char *all = NULL;

    walk_all(&s, m);
    for (size_t i = 0; i < d->n; i++) {
        const struct policy_domain *dom = &d->list[i];
        bool dom0 = strcmp(dom->name, "dom0") == 0;
        bool up = dom0 || (dom->power_state && strcmp(dom->power_state, "Running") == 0);

        if (s.dispvm && m->default_dispvm && policy_domains_find(d, m->default_dispvm) == dom)
            s.disposable[i] = true;
        if ((s.domain[i] || (dom0 && s.adminvm)) && dom != m->source.domain && !dom->internal &&
            (rule->autostart || up))
            text_addf(&t, "%s\n", dom->name);
        if (s.disposable[i] && !dom->internal && rule->autostart)
            text_addf(&t, "@dispvm:%s\n", dom->name);
    }
    assert_int_equal(text_take(&t, &all), 0);
    return all;
}

static void check_choices(const struct policy_verdict *v, const char *expected, const char *where)
{
    size_t total = 0;

    for (size_t i = 0; i < v->n_choices; i++) {
        char line[64];

        total += (size_t)snprintf(line, sizeof(line), "%s\n", v->choices[i]);
        if (!strstr(expected, line))
            fail_msg("%s: offers %s", where, line);
        if (i && strcmp(v->choices[i - 1], v->choices[i]) >= 0)
            fail_msg("%s: %s is out of order", where, line);
    }
    if (total != strlen(expected))
        fail_msg("%s: wants %s", where, expected);
}

static void check_request(const struct policy *p, const struct policy_domains *d,
                          const struct policy_request *q, const char *text)
{
    struct match m = {.policy = p, .domains = d};
    struct policy_verdict v = {0}, prepared = {0};
    _cleanup_(freep) char *expected = NULL;
    char where[512];
    uint32_t rule;

    snprintf(where, sizeof(where), "%s%s from %s to %s", q->service, q->argument, q->source,
             q->target);
    assert_int_equal(policy_decide(p, d, q, &v), 0);
    if (decide_prepare(&m, q, &prepared)) {
        rule = first_of_all(&m);
        if (rule != v.rule)
            fail_msg("%s: rule %d instead of %d of\n%s", where, (int)v.rule, (int)rule, text);
        if (rule != POLICY_NO_RULE && p->rules[rule].action == POLICY_ASK &&
            p->rules[rule].redirect == NAME_NONE) {
            expected = choices_by_contract(&m, &p->rules[rule]);
            check_choices(&v, expected, where);
            assert_int_equal(v.action, *expected ? POLICY_ASK : POLICY_DENY);
        }
    }
    policy_verdict_deinit(&v);
}

static void check_random_policies(size_t n, bool many)
{
    struct policy_domains *d = some_domains();

    for (size_t i = 0; i < n; i++) {
        struct text t = {0};
        struct policy *p;

        state_of_chance = i + 1;
        p = random_policy(&t, many);
        for (size_t k = 0; k < 40; k++)
            check_request(p, d,
                          &(struct policy_request){.service = chance(4) ? "a.A" : "a.B",
                                                   .argument = PICK(arguments),
                                                   .source = PICK(askers),
                                                   .target = PICK(asked)},
                          t.data);
        policy_unref(p);
        text_deinit(&t);
    }
    policy_domains_unref(d);
}

static void the_index_finds_the_first_rule_and_all_choices(void **state)
{
    (void)state;
    check_random_policies(4000, false);
}

static void more_tokens_than_fit_change_nothing(void **state)
{
    (void)state;
    check_random_policies(400, true);
}

/* ---- Domains whose own words look like tokens ---- */

static void odd_names_of_domains_match_no_token(void **state)
{
    static const char *const tags[] = {"", "@x", "uuid:"};
    const struct policy_domain odd[] = {
        {.name = "@tag:work", .uuid = "1", .type = "@x", .tags = tags, .n_tags = 3},
        {.name = "@anyvm", .uuid = "2", .type = ""},
        {.name = "@dispvm", .uuid = "3", .template_for_dispvms = true},
        {.name = "plain", .uuid = "00000000-0000-0000-0000-000000000000"}};
    struct policy *p = load_text("a.A * @adminvm * allow\na.A * @tag:work * allow\n"
                                 "a.A * @dispvm:@tag:dvms @dispvm deny\na.A * plain @anyvm ask\n");
    struct policy_domains *d = some_domains();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        assert_int_equal(policy_domains_add(d, &odd[i]), i == 3 ? POLICY_E_EXISTS : 0);
    for (size_t i = 0; i < 3; i++) {
        char source[] = "uuid:1";
        struct policy_request q = {.service = "a.A", .source = source, .target = "mail"};
        struct policy_verdict v = {0};

        source[5] = (char)('1' + i);
        assert_int_equal(policy_decide(p, d, &q, &v), 0);
        assert_int_equal(v.reason, POLICY_REASON_NO_MATCH);
        policy_verdict_deinit(&v);
    }
    policy_domains_unref(d);
    policy_unref(p);
}

/* The zero uuid is dom0's, also where there is no dom0. */
static void nobody_but_dom0_has_the_zero_uuid(void **state)
{
    const struct policy_domain all[] = {
        {.name = "plain", .uuid = &ZERO_UUID[5], .template_for_dispvms = true}, {.name = "work"}};
    struct policy *p = load_text("a.A * work @dispvm:" ZERO_UUID " allow\n");
    struct policy_request q = {.service = "a.A", .source = "work", .target = "@dispvm:plain"};
    struct policy_domains *d = NULL;
    struct policy_verdict v = {0};

    (void)state;
    assert_int_equal(policy_domains_new(1, &d), 0);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(policy_domains_add(d, &all[i]), 0);
    assert_int_equal(policy_decide(p, d, &q, &v), 0);
    assert_int_equal(v.reason, POLICY_REASON_NO_MATCH);
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
}

static void long_names_uuids_and_tags_are_whole(void **state)
{
    static char name[301], tag[301];
    const char *const tags[] = {tag};
    const struct policy_domain all[] = {
        {.name = name, .uuid = name, .tags = tags, .n_tags = 1, .default_dispvm = name},
        {.name = "work"}};
    _cleanup_(text_deinit) struct text t = {0};
    struct policy_domains *d = NULL;
    struct policy_verdict v = {0};
    struct policy *p;

    (void)state;
    memset(name, 'n', 300);
    memset(tag, 't', 300);
    text_addf(&t, "a.A * @tag:%.299s work deny\na.A * @tag:%s work allow\na.B * %s @dispvm allow\n",
              tag, tag, name);
    p = load_text(t.data);
    assert_int_equal(policy_domains_new(1, &d), 0);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(policy_domains_add(d, &all[i]), 0);
    assert_int_equal(policy_domains_add(d, &all[0]), POLICY_E_EXISTS);
    assert_int_equal(
        policy_decide(
            p, d, &(struct policy_request){.service = "a.A", .source = name, .target = "work"}, &v),
        0);
    assert_int_equal(v.rule, 1);
    policy_verdict_deinit(&v);
    assert_int_equal(
        policy_decide(
            p, d, &(struct policy_request){.service = "a.B", .source = name, .target = "@dispvm"},
            &v),
        0);
    assert_int_equal(v.action, POLICY_ALLOW);
    assert_int_equal(strlen(v.target), 308);
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
}

static void a_view_keeps_copies_of_all_that_it_was_given(void **state)
{
    char one[] = "one", *const tags[] = {(char[]){"first"}, (char[]){""}, (char[]){"third"}};
    struct policy_domain given = {.name = one,
                                  .uuid = (char[]){"2"},
                                  .type = (char[]){"3"},
                                  .tags = (const char *const *)tags,
                                  .n_tags = 3,
                                  .default_dispvm = (char[]){"4"},
                                  .power_state = (char[]){"5"},
                                  .guivm = (char[]){"6"},
                                  .relayvm = (char[]){"7"},
                                  .transport_rpc = (char[]){"8"},
                                  .icon = (char[]){"9"},
                                  .label = (char[]){""},
                                  .internal = true};
    struct policy_domains *d = NULL;
    const struct policy_domain *dom;

    (void)state;
    assert_int_equal(policy_domains_new(77, &d), 0);
    assert_int_equal(policy_domains_add(d, &given), 0);
    memset(one, 'x', 3);
    memset(tags[0], 'x', 5);
    memset((char *)given.icon, 'x', 1);
    assert_int_equal(policy_domains_generation(d), 77);
    dom = policy_domains_find(d, "uuid:2");
    assert_ptr_equal(dom, policy_domains_at(d, 0));
    assert_string_equal(dom->name, "one");
    assert_string_equal(dom->uuid, "2");
    assert_string_equal(dom->type, "3");
    assert_int_equal(dom->n_tags, 3);
    assert_string_equal(dom->tags[0], "first");
    assert_string_equal(dom->tags[1], "");
    assert_string_equal(dom->tags[2], "third");
    assert_string_equal(dom->default_dispvm, "4");
    assert_string_equal(dom->power_state, "5");
    assert_string_equal(dom->guivm, "6");
    assert_string_equal(dom->relayvm, "7");
    assert_string_equal(dom->transport_rpc, "8");
    assert_string_equal(dom->icon, "9");
    assert_string_equal(dom->label, "");
    assert_null(dom->netvm);
    assert_true(dom->internal);
    assert_false(dom->template_for_dispvms);
    policy_domains_unref(d);
}

static void a_refused_domain_leaves_no_trace(void **state)
{
    const struct policy_domain twice = {.name = "other", .uuid = UUID(1)};
    struct policy_domains *d = some_domains();
    size_t n = policy_domains_count(d);

    (void)state;
    assert_int_equal(policy_domains_add(d, &twice), POLICY_E_EXISTS);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = "work"}),
                     POLICY_E_EXISTS);
    assert_int_equal(policy_domains_add(d, &(struct policy_domain){.name = ""}), -EINVAL);
    assert_int_equal(policy_domains_count(d), n);
    assert_null(policy_domains_find(d, "other"));
    assert_string_equal(policy_domains_find(d, "uuid:" UUID(1))->name, "work");
    policy_domains_unref(d);
}

/* ---- The tables ---- */

static void equal_texts_have_equal_numbers_whatever_their_length(void **state)
{
    char text[64];
    uint32_t ids[64], id;
    struct names n;

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(names_init(&n), 0);
    assert_int_equal(names_find(&n, SPAN("@dispvm"), names_hash(SPAN("@dispvm"))), NAME_DISPVM);
    for (size_t len = 0; len < 64; len++) {
        struct span s = {text, len};

        assert_int_equal(names_find(&n, s, names_hash(s)), NAME_NONE);
        assert_int_equal(names_add(&n, s, &ids[len]), 0);
        assert_int_equal(strlen(names_text(&n, ids[len])), len);
    }
    for (size_t len = 0; len < 64; len++) {
        assert_int_equal(names_add(&n, (struct span){text, len}, &id), 0);
        assert_int_equal(id, ids[len]);
    }
    names_deinit(&n);
}

static void every_byte_counts_for_the_hash(void **state)
{
    char text[40];

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++)
        for (size_t i = 0; i < len; i++) {
            uint32_t before;

            memset(text, 'a', sizeof(text));
            before = names_hash((struct span){text, len});
            text[i] = 'b';
            assert_true(names_hash((struct span){text, len}) != before);
        }
}

static void a_pair_keeps_the_rule_that_came_first(void **state)
{
    struct pairs t = {0};

    (void)state;
    assert_null(pairs_find(&t, 1, 1));
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(pairs_put(&t, i % 70, i % 71 ? i % 71 : NAME_NONE, i, i + 1)->lowest,
                         i < 70 * 71 ? i : i - 70 * 71);
    for (uint32_t i = 0; i < 70 * 71; i++) {
        const struct pair *p = pairs_find(&t, i % 70, i % 71 ? i % 71 : NAME_NONE);

        assert_non_null(p);
        assert_int_equal(p->value, p->lowest + 1);
    }
    assert_null(pairs_find(&t, 70, 1));
    assert_int_equal(t.n, 70 * 71);
    pairs_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_finds_the_first_rule_and_all_choices),
        cmocka_unit_test(more_tokens_than_fit_change_nothing),
        cmocka_unit_test(odd_names_of_domains_match_no_token),
        cmocka_unit_test(nobody_but_dom0_has_the_zero_uuid),
        cmocka_unit_test(long_names_uuids_and_tags_are_whole),
        cmocka_unit_test(a_view_keeps_copies_of_all_that_it_was_given),
        cmocka_unit_test(a_refused_domain_leaves_no_trace),
        cmocka_unit_test(equal_texts_have_equal_numbers_whatever_their_length),
        cmocka_unit_test(every_byte_counts_for_the_hash),
        cmocka_unit_test(a_pair_keeps_the_rule_that_came_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
