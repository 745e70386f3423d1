/*
 * Every policy of up to three rules from a small alphabet, on two worlds of three domains, for all
 * requests of two services: the engine against the second evaluator.
 *
 *   every-test [STRIDE]     every STRIDE-th policy; 1: all of them
 *
 * Where random cases are likely to find a difference, these are sure to, if two or three rules
 * suffice for it. One rule alone is tried from a larger alphabet: the product of its columns.
 */
#include "libqrexec/base/util.h"
#include "tests/random/case.h"

#include <stdlib.h>
#include <string.h>

#define STRIDE_DEFAULT 97 /* a prime: each rule meets each other in any of the three places */

#define A_UUID       "a0000000-0000-4000-8000-000000000001"
#define B_UUID       "b0000000-0000-4000-8000-000000000002"
#define A_SPELLED    "uuid:a0000000-0000-4000-8000-000000000001"
#define B_DISPOSABLE "@dispvm:uuid:b0000000-0000-4000-8000-000000000002"
#define B_SPELLED    "uuid:b0000000-0000-4000-8000-000000000002"
#define ALL(columns) columns " deny", columns " allow", columns " ask"

static const char *const alphabet[] = {
    /* each token as target */
    ALL("s * * *"),
    ALL("s * * b"),
    ALL("s * * uuid:" B_UUID),
    ALL("s * * @adminvm"),
    ALL("s * * dom0"),
    ALL("s * * @anyvm"),
    ALL("s * * @dispvm"),
    ALL("s * * @dispvm:b"),
    ALL("s * * @dispvm:uuid:" B_UUID),
    ALL("s * * @dispvm:@tag:D"),
    ALL("s * * @tag:T"),
    ALL("s * * @type:AppVM"),
    ALL("s * * a"),
    ALL("s * * @dispvm:a"),
    ALL("s * * @type:AdminVM"),
    "s * * @default deny",
    "s * * @default ask",
    "s * * nowhere ask",
    "s * * @dispvm:nowhere ask",
    /* each as source */
    ALL("s * a @anyvm"),
    ALL("s * uuid:" B_UUID " *"),
    ALL("s * @adminvm *"),
    ALL("s * @anyvm *"),
    ALL("s * @tag:T @anyvm"),
    ALL("s * @type:RemoteVM *"),
    ALL("s * a b"),
    ALL("s * a @dispvm"),
    ALL("s * dom0 @anyvm"),
    "s * b @adminvm allow",
    "s * uuid:00000000-0000-0000-0000-000000000000 @dispvm:a ask",
    "s * nowhere * allow",
    "s * @dispvm:b * allow",
    "s * @dispvm:@tag:D * allow",
    /* services and arguments */
    ALL("* * * @anyvm"),
    ALL("s + * @anyvm"),
    ALL("s +x * *"),
    ALL("t * * *"),
    "* * a dom0 allow",
    "* * * * deny notify=no",
    "s ~x? * * deny",
    "s ~[a-z]+ * @anyvm ask",
    /* parameters */
    "s * * @default allow target=b",
    "s * * * allow target=uuid:" B_UUID,
    "s * * @anyvm allow target=@adminvm user=joe",
    "s * * @default allow target=@dispvm",
    "s * * * allow target=@dispvm:b notify=yes",
    "s * * @default allow target=nowhere",
    "s * * * ask target=b autostart=no",
    "s * * @default ask target=dom0",
    "s * * * ask target=@dispvm default_target=@dispvm",
    "s * * * ask target=uuid:" B_UUID " default_target=uuid:" B_UUID,
    "s * * @anyvm ask target=nowhere notify=yes",
    "s * * * ask default_target=b",
    "s * * @anyvm ask default_target=@dispvm user=joe",
    "s * * * ask default_target=@adminvm autostart=no",
    "s * * * allow autostart=no",
    "s * * @anyvm deny notify=no",
};
#define N ARRAY_SIZE(alphabet)

/* The columns of the larger alphabet. */
static const char *const called[] = {"s *", "s +", "s +x", "s ~x*", "* *", "t *"};
static const char *const sources[] = {
    "*",    "a",      "b",      "nowhere",       A_SPELLED,   "@adminvm",
    "dom0", "@anyvm", "@tag:T", "@type:AdminVM", "@dispvm:b", "@dispvm:@tag:D"};
static const char *const targets[] = {"*",
                                      "a",
                                      "b",
                                      "nowhere",
                                      B_SPELLED,
                                      "@adminvm",
                                      "dom0",
                                      "@anyvm",
                                      "@default",
                                      "@dispvm",
                                      "@dispvm:a",
                                      B_DISPOSABLE,
                                      "@dispvm:nowhere",
                                      "@dispvm:@tag:D",
                                      "@tag:T",
                                      "@type:AdminVM"};
static const char *const actions[] = {"deny",
                                      "deny notify=no",
                                      "allow",
                                      "allow autostart=no",
                                      "allow target=dom0",
                                      "allow target=a autostart=no user=joe",
                                      "allow target=@dispvm autostart=no",
                                      "allow target=@dispvm:b",
                                      "allow target=@dispvm:nowhere notify=yes",
                                      "ask",
                                      "ask autostart=no default_target=@dispvm:b",
                                      "ask target=@dispvm:nowhere",
                                      "ask target=@adminvm default_target=dom0",
                                      "ask target=@dispvm autostart=no",
                                      "ask default_target=uuid:" B_UUID " notify=yes"};

/* What is asked of each policy. */
static const char *const asked_services[][2] = {{"s", "+"}, {"s", "+x"}, {"t", "+"}};
static const char *const asked_sources[] = {"a", B_SPELLED, "dom0", "@adminvm"};
static const char *const asked_targets[] = {
    "",         "a",       B_SPELLED,    "dom0",      "uuid:00000000-0000-0000-0000-000000000000",
    "@adminvm", "@dispvm", B_DISPOSABLE, "@dispvm:a", "nowhere"};

static struct test_case worlds[2];

static void make_worlds(void)
{
    static const struct policy_domain domains[2][3] = {
        {{.name = "dom0", .type = "AdminVM", .guivm = "dom0", .power_state = "Running"},
         {.name = "a",
          .uuid = A_UUID,
          .type = "AppVM",
          .default_dispvm = "b",
          .power_state = "Running",
          .guivm = "dom0"},
         {.name = "b", .uuid = B_UUID, .type = "AppVM", .template_for_dispvms = true}},
        {{.name = "dom0", .type = "AdminVM", .default_dispvm = "b", .internal = true},
         {.name = "a",
          .uuid = A_UUID,
          .type = "TemplateVM",
          .default_dispvm = "nowhere",
          .template_for_dispvms = true,
          .guivm = "dom0"},
         {.name = "b",
          .uuid = B_UUID,
          .type = "RemoteVM",
          .power_state = "Running",
          .default_dispvm = "a",
          .guivm = "dom0",
          .relayvm = "a",
          .transport_rpc = "air.Proxy"}}};

    for (size_t i = 0; i < 2; i++) {
        memcpy(worlds[i].domain, domains[i], sizeof(domains[i]));
        worlds[i].n_domains = 3;
        worlds[i].n_files = 1;
        (void)format(worlds[i].file[0].path, sizeof(worlds[i].file[0].path), "policy.d/all.policy");
    }
    worlds[0].tag[0][0] = worlds[0].tag[1][0] = "T";
    worlds[0].tag[2][0] = worlds[1].tag[1][0] = "D";
    worlds[1].tag[2][0] = "T";
    worlds[1].tag[2][1] = "D";
}

static unsigned long decisions;

static int differs(struct test_case *c, const char *const request[5])
{
    char what[8192];

    (void)format(c->service, CASE_TEXT, "%s", request[0]);
    (void)format(c->argument, CASE_TEXT, "%s", request[1]);
    (void)format(c->source, CASE_TEXT, "%s", request[2]);
    (void)format(c->target, CASE_TEXT, "%s", request[3]);
    (void)format(c->requested_source, CASE_TEXT, "%s", request[4]);
    case_shrink(c);
    (void)case_check(c, what, sizeof(what));
    printf("not ok - a small policy differs; shrunk:\n%s", what);
    case_print(c, stdout);
    return 1;
}

static int compare(struct test_case *c, const struct loaded_case *l, const char *const request[5])
{
    char what[8192];

    decisions++;
    if (case_compare(l,
                     &(struct policy_request){request[0], request[1], request[2], request[3],
                                              request[4], false},
                     what, sizeof(what)) == CASE_SAME)
        return 0;
    return differs(c, request);
}

/* All requests to the rules that stand in the file. */
static int ask_all(struct test_case *c)
{
    struct loaded_case l;
    int r = 0;

    if (case_load(c, &l)) {
        printf("not ok - a policy of the alphabet does not load: %s\n", c->file[0].line[0]);
        return 1;
    }
    for (size_t s = 0; s < ARRAY_SIZE(asked_services); s++) {
        const char *const *service = asked_services[s];

        for (size_t i = 0; !r && i < ARRAY_SIZE(asked_sources); i++)
            for (size_t k = 0; !r && k < ARRAY_SIZE(asked_targets); k++)
                r = compare(c, &l,
                            (const char *const[]){service[0], service[1], asked_sources[i],
                                                  asked_targets[k], ""});
        /* the relay speaks for b, which it may where b is remote */
        for (size_t k = 0; !r && k < ARRAY_SIZE(asked_targets); k += 3)
            r = compare(c, &l,
                        (const char *const[]){service[0], service[1], "a", asked_targets[k], "b"});
    }
    loaded_case_deinit(&l);
    return r;
}

static int ask_worlds(const char *const *rules, size_t n)
{
    int r = 0;

    for (size_t w = 0; !r && w < 2; w++) {
        struct case_file *f = &worlds[w].file[0];

        for (size_t i = 0; i < n; i++)
            (void)format(f->line[i], CASE_TEXT, "%s", rules[i]);
        f->n = n;
        r = ask_all(&worlds[w]);
    }
    return r;
}

/* Policies are numbered: first those of one rule, then of two, then of three. */
static int policy_of(size_t number)
{
    const char *rules[3];
    size_t n = 1, power = N;

    while (number >= power) {
        number -= power;
        power *= N;
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        rules[i] = alphabet[number % N];
        number /= N;
    }
    return ask_worlds(rules, n);
}

static bool is_rule(const char *target, const char *action)
{
    return !str_equal(target, "@default") || !str_starts(action, "allow") ||
           strstr(action, "target=");
}

static int single_rules(unsigned long stride, unsigned long *ret)
{
    const size_t all =
        ARRAY_SIZE(called) * ARRAY_SIZE(sources) * ARRAY_SIZE(targets) * ARRAY_SIZE(actions);
    int r = 0;

    for (size_t n = 0; !r && n < all; n += stride) {
        const char *target = targets[n / ARRAY_SIZE(actions) % ARRAY_SIZE(targets)],
                   *action = actions[n % ARRAY_SIZE(actions)];
        size_t rest = n / ARRAY_SIZE(actions) / ARRAY_SIZE(targets);
        char line[CASE_TEXT];

        (void)format(line, sizeof(line), "%s %s %s %s", called[rest / ARRAY_SIZE(sources)],
                     sources[rest % ARRAY_SIZE(sources)], target, action);
        if (!is_rule(target, action))
            continue;
        ++*ret;
        r = ask_worlds((const char *const[]){line}, 1);
    }
    return r;
}

int main(int argc, char **argv)
{
    unsigned long stride = argc > 1 ? strtoul(argv[1], NULL, 10) : STRIDE_DEFAULT, policies = 0,
                  single = 0;
    const size_t all = N + N * N + N * N * N;

    setvbuf(stdout, NULL, _IOLBF, 0);
    make_worlds();
    if (!stride || single_rules(stride > 10 ? 11 : 1, &single))
        return 1;
    for (size_t n = 0; n < all; n += stride, policies++)
        if (policy_of(n))
            return 1;
    printf("ok - %lu of all %zu policies of up to 3 rules out of %zu, and %lu of one rule, are "
           "decided as the contract says: %lu decisions\n",
           policies, all, N, single, decisions);
    return 0;
}
