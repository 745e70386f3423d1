/*
 * Policies from memory and a handful of domains, for the tests of the policy library.
 *
 * work (its default disposable: dvm), mail, vault (off, no disposable), dvm and plain-dvm
 * (templates for disposables), hidden (internal), relay and far (a RemoteVM behind it), dom0.
 */
#ifndef QREXEC_TESTS_POLICY_FIXTURE_H
#define QREXEC_TESTS_POLICY_FIXTURE_H

#include "policy-engine/lib/policy.h"
#include "tests/unit/test.h"

#define UUID(n)   "00000000-0000-4000-8000-00000000000" #n
#define ZERO_UUID "00000000-0000-0000-0000-000000000000"

static inline struct policy_domains *fixture_domains(void)
{
    static const char *const work[] = {"work", "red"}, *const dvm[] = {"dvms"},
                             *const zero[] = {"z"};
    const struct policy_domain all[] = {
        {.name = "dom0",
         .uuid = ZERO_UUID,
         .type = "AdminVM",
         .tags = zero,
         .n_tags = 1,
         .power_state = "Running"},
        {.name = "work",
         .uuid = UUID(1),
         .type = "AppVM",
         .tags = work,
         .n_tags = 2,
         .default_dispvm = "dvm",
         .power_state = "Running",
         .guivm = "dom0"},
        {.name = "mail",
         .uuid = UUID(2),
         .type = "AppVM",
         .tags = work,
         .n_tags = 1,
         .default_dispvm = "plain-dvm",
         .power_state = "Running",
         .guivm = "dom0"},
        {.name = "vault", .uuid = UUID(3), .type = "AppVM", .power_state = "Halted"},
        {.name = "dvm",
         .uuid = UUID(4),
         .type = "AppVM",
         .tags = dvm,
         .n_tags = 1,
         .template_for_dispvms = true,
         .power_state = "Halted",
         .netvm = "relay"},
        {.name = "plain-dvm",
         .uuid = UUID(5),
         .type = "AppVM",
         .template_for_dispvms = true,
         .power_state = "Halted"},
        {.name = "hidden",
         .uuid = UUID(6),
         .type = "AppVM",
         .internal = true,
         .power_state = "Running"},
        {.name = "relay", .uuid = UUID(7), .type = "AppVM", .power_state = "Running"},
        {.name = "far",
         .uuid = UUID(8),
         .type = "RemoteVM",
         .relayvm = "relay",
         .transport_rpc = "qubesair.SSHProxy",
         .guivm = "dom0"},
    };
    struct policy_domains *d = NULL;

    assert_int_equal(policy_domains_new(7, &d), 0);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(policy_domains_add(d, &all[i]), 0);
    return d;
}

/* Files "p/…" are the policy directory, "l/…" the R4.0 one. */
static inline struct policy_source fixture_source(const struct policy_file *files, size_t n)
{
    static const char *const dirs[] = {"p", NULL};

    return (struct policy_source){
        .dirs = dirs, .legacy_dir = "l", .files = files, .n_files = n, .files_only = true};
}

#define FILE_OF(p, text)                                                                           \
    {                                                                                              \
        .path = (p), .content = (text), .len = sizeof(text) - 1                                    \
    }

static inline struct policy *fixture_load(const struct policy_file *files, size_t n)
{
    struct policy_source s = fixture_source(files, n);
    struct policy_error e = {0};
    struct policy *p = NULL;
    int r = policy_load(&s, &p, &e);

    if (r)
        fail_msg("%s:%u: %s (%d)", e.file ? e.file : "", e.line, e.text ? e.text : "", r);
    return p;
}

static inline struct policy *fixture_policy(const char *text)
{
    const struct policy_file f = {.path = "p/30-user.policy", .content = text, .len = strlen(text)};

    return fixture_load(&f, 1);
}

/* Loading must fail there, with these words in the message. */
static inline void fixture_fails(const struct policy_file *files, size_t n, const char *file,
                                 unsigned line, const char *words)
{
    struct policy_source s = fixture_source(files, n);
    struct policy_error e = {0};
    struct policy *p = NULL;

    assert_int_equal(policy_load(&s, &p, &e), POLICY_E_INVALID);
    assert_null(p);
    assert_string_equal(e.file, file);
    assert_int_equal(e.line, line);
    assert_non_null(e.text);
    if (e.text && !strstr(e.text, words))
        fail_msg("\"%s\" does not say \"%s\"", e.text, words);
    policy_error_deinit(&e);
}

/* The verdict in one line, as in the batch interface but shorter. */
static inline const char *verdict_text(const struct policy_verdict *v)
{
    static char buf[1024];
    size_t n = 0;

    if (v->action == POLICY_DENY)
        snprintf(buf, sizeof(buf), "deny %s%s", policy_reason_text(v->reason),
                 v->notify ? "" : " quiet");
    if (v->action == POLICY_ALLOW)
        snprintf(buf, sizeof(buf), "allow %s%s%s", v->target, v->service ? " as " : "",
                 v->service ? v->service : "");
    if (v->action != POLICY_ASK)
        return buf;
    n = (size_t)snprintf(buf, sizeof(buf), "ask");
    for (size_t i = 0; i < v->n_choices; i++)
        n += (size_t)snprintf(buf + n, sizeof(buf) - n, " %s%s", v->choices[i],
                              v->default_target == v->choices[i] ? "!" : "");
    return buf;
}

/* Decides SERVICE[+ARG] from source to target under a policy text. */
static inline const char *decide_from(const char *text, const char *service, const char *source,
                                      const char *target, const char *requested_source)
{
    struct policy *p = fixture_policy(text);
    struct policy_domains *d = fixture_domains();
    struct policy_verdict v = {0};
    _cleanup_(freep) char *name = strndup(service, strcspn(service, "+"));
    const char *answer;

    assert_int_equal(policy_decide(p, d,
                                   &(struct policy_request){.service = name,
                                                            .argument = strchr(service, '+'),
                                                            .source = source,
                                                            .target = target,
                                                            .requested_source = requested_source},
                                   &v),
                     0);
    answer = verdict_text(&v);
    policy_verdict_deinit(&v);
    policy_domains_unref(d);
    policy_unref(p);
    return answer;
}

#define DECIDE(text, service, source, target, expected)                                            \
    assert_string_equal(decide_from(text, service, source, target, NULL), expected)

#endif
