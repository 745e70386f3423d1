/* What the targets share: see fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include "tests/random/case.h"

#include <stdlib.h>
#include <string.h>

static const char *const dirs[] = {"run.d", "policy.d", NULL};

static const struct test_case *world(void)
{
    static const struct test_case c = {
        .domain = {{.name = "dom0", .type = "AdminVM", .guivm = "dom0"},
                   {.name = "a",
                    .uuid = "a0000000-0000-4000-8000-000000000001",
                    .type = "AppVM",
                    .default_dispvm = "b",
                    .power_state = "Running",
                    .guivm = "dom0"},
                   {.name = "b", .uuid = "b0", .type = "AppVM", .template_for_dispvms = true},
                   {.name = "far",
                    .type = "RemoteVM",
                    .relayvm = "a",
                    .transport_rpc = "air.Proxy",
                    .default_dispvm = "nowhere",
                    .guivm = "a"}},
        .tag = {{"T"}, {"T"}, {"D", "T"}, {"D"}},
        .n_domains = 4,
    };

    return &c;
}

/* The second evaluator knows no never lines [ext]. */
static bool has_never(const struct policy_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(files[i].path, ".never"))
            return true;
    return false;
}

/* The second evaluator has bounds that the engine has not, and another library for expressions. */
static bool is_comparable(const struct policy *p)
{
    struct policy_rule_view r;

    for (size_t i = 0; i < policy_count_rules(p); i++) {
        policy_get_rule(p, i, &r);
        if (*r.argument == '~' || (r.redirect && strlen(r.redirect) > 100) ||
            (r.default_target && strlen(r.default_target) > 100))
            return false;
    }
    return policy_count_rules(p) < 500;
}

static void ask(const struct loaded_case *l, bool comparable, const char *source,
                const char *target)
{
    static const char *const services[][2] = {{"q.A", "+x"}, {"q.A", "+"}, {"q.B", "+x+y"}};
    char what[8192], *text = NULL;

    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        const struct policy_request q = {services[i][0], services[i][1], source, target, "", false};
        struct policy_verdict v = {0};

        if (policy_decide(l->policy, l->domains, &q, &v) < 0)
            fuzz_fail("no verdict");
        policy_verdict_deinit(&v);
        if (comparable && case_compare(l, &q, what, sizeof(what)) != CASE_SAME)
            fuzz_fail(what);
        if (policy_explain(l->policy, l->domains, &q, &text))
            fuzz_fail("no explanation");
        free(text);
    }
}

static void use(struct policy *p, bool never)
{
    static const char *const sources[] = {"a", "dom0", "uuid:b0", "far", "nowhere"};
    static const char *const targets[] = {"", "b", "@adminvm", "@dispvm", "@dispvm:b", "far"};
    struct policy_findings f = {0};
    struct test_case c = *world();
    struct loaded_case l = {0};
    bool comparable = !never && is_comparable(p);

    if (case_load(&c, &l))
        fuzz_fail("the domains alone do not load");
    policy_unref(l.policy);
    l.policy = p;
    l.world.policy = p;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
        for (size_t k = 0; k < sizeof(targets) / sizeof(targets[0]); k++)
            ask(&l, comparable, sources[i], targets[k]);
    if (policy_lint(p, l.domains, &f))
        fuzz_fail("no lint");
    policy_findings_deinit(&f);
    loaded_case_deinit(&l); /* and p */
}

static void watch(const struct policy_source *source)
{
    struct policy_findings f = {0};
    char **watched = NULL;

    if (policy_list_watched(source, &watched) < 0 || policy_lint_errors(source, &f) < 0)
        fuzz_fail("what to watch, or what is wrong, is not told");
    policy_strv_free(watched);
    policy_findings_deinit(&f);
}

void fuzz_policy(const struct policy_file *files, size_t n)
{
    const struct policy_source source = {
        .dirs = dirs, .legacy_dir = "legacy", .files = files, .n_files = n, .files_only = true};
    struct policy *p = NULL, *again = NULL;
    struct policy_error e = {0};
    int r = policy_load(&source, &p, &e);

    if (r < 0 || (r != 0 && r != POLICY_E_INVALID))
        fuzz_fail("loading gives no known result");
    watch(&source);
    if (r) {
        if (!e.file || !e.text || !*e.text)
            fuzz_fail("an error without a place or a text");
        policy_error_deinit(&e);
        return;
    }
    if (policy_load(&source, &again, NULL) || policy_signature(again) != policy_signature(p))
        fuzz_fail("another policy the second time");
    policy_unref(again);
    use(p, has_never(files, n));
}
