/*
 * The advice of explain, followed to the letter: for each reason of a refusal its text is taken at
 * its word, in a policy and domains of its own, and the call must then be decided as promised.
 *
 * A round: lines are put where the text says, commands are run, names and parameters mended. What
 * only the user can know (DOMAIN, TEMPLATE, VM, SERVICE) is filled in here.
 */
#include "tests/unit/policy-engine/lib/fixture.h"

#define FILES_MAX 8
#define WORDS     128

struct file {
    char *path, *content;
};

struct world {
    struct file files[FILES_MAX];
    size_t n;
    struct policy_domains *domains;
    char source[WORDS], target[WORDS], remote[WORDS];
    const char *argument;
};

struct advice_case {
    const char *files[2][2]; /* path, content */
    const char *argument, *source, *target, *remote;
    const char *before, *after; /* after NULL: it is told that nothing helps */
    unsigned rounds;            /* of advice that it takes; 0: one */
};

static bool reasons_seen[POLICY_REASON_NEVER + 1];

/* ---- A world that advice can change ---- */

static struct file *file_at(struct world *w, const char *path)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->files[i].path, path) == 0)
            return &w->files[i];
    assert_true(w->n < FILES_MAX);
    w->files[w->n] = (struct file){strdup(path), strdup("")};
    return &w->files[w->n++];
}

static void set_content(struct file *f, char *content)
{
    assert_non_null(content);
    free(f->content);
    f->content = content;
}

/* The byte where the line of that number begins. */
static size_t line_start(const struct file *f, unsigned line)
{
    const char *at = f->content;

    while (--line) {
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    }
    return (size_t)(at - f->content);
}

static void insert_line(struct file *f, unsigned line, const char *text, size_t len)
{
    size_t start = line_start(f, line);

    set_content(
        f, format_new("%.*s%.*s\n%s", (int)start, f->content, (int)len, text, f->content + start));
}

/* In one line of a file, the first `from` becomes `to`. */
static void mend_line(struct world *w, const char *path, unsigned line, const char *from,
                      const char *to)
{
    struct file *f = file_at(w, path);
    char *at = strstr(f->content + line_start(f, line), from);

    assert_non_null(at);
    set_content(f,
                format_new("%.*s%s%s", (int)(at - f->content), f->content, to, at + strlen(from)));
}

static const char *filled(const char *word)
{
    static const char *const words[][2] = {
        {"TEMPLATE", "dvm"}, {"VM", "relay"}, {"SERVICE", "qubesair.SSHProxy"}};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(words[i][0], word) == 0)
            return words[i][1];
    return word;
}

static void set_property(struct world *w, const char *name, const char *property, const char *value)
{
    struct policy_domains *d = NULL;
    bool known = false;

    assert_int_equal(policy_domains_new(7, &d), 0);
    for (size_t i = 0; i < policy_domains_count(w->domains); i++) {
        struct policy_domain dom = *policy_domains_at(w->domains, i);

        if (strcmp(dom.name, name) == 0) {
            const struct {
                const char *property, **text;
            } texts[] = {{"default_dispvm", &dom.default_dispvm},
                         {"guivm", &dom.guivm},
                         {"relayvm", &dom.relayvm},
                         {"transport_rpc", &dom.transport_rpc},
                         {"power_state", &dom.power_state}};

            for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
                if (strcmp(texts[k].property, property) == 0) {
                    *texts[k].text = filled(value);
                    known = true;
                }
            if (strcmp(property, "template_for_dispvms") == 0)
                known = dom.template_for_dispvms = strcmp(value, "True") == 0;
        }
        assert_int_equal(policy_domains_add(d, &dom), 0);
    }
    if (!known)
        fail_msg("no domain %s with a property %s", name, property);
    policy_domains_unref(w->domains);
    w->domains = d;
}

static void world_init(struct world *w, const struct advice_case *c)
{
    *w = (struct world){.domains = fixture_domains(), .argument = c->argument ?: "+x"};
    file_at(w, "run/README"); /* so that the directories are there */
    file_at(w, "p/README");
    file_at(w, "l/README");
    for (size_t i = 0; i < 2 && c->files[i][0]; i++)
        set_content(file_at(w, c->files[i][0]), strdup(c->files[i][1]));
    snprintf(w->source, sizeof(w->source), "%s", c->source);
    snprintf(w->target, sizeof(w->target), "%s", c->target);
    snprintf(w->remote, sizeof(w->remote), "%s", c->remote ? c->remote : "");
    /* one relay that is lost, one that another may be made */
    if (strcmp(c->before, "deny no-relay") == 0)
        set_property(w, "far", "relayvm", "");
}

static void world_deinit(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->files[i].path);
        free(w->files[i].content);
    }
    policy_domains_unref(w->domains);
}

static struct policy *world_policy(const struct world *w)
{
    static const char *const dirs[] = {"run", "p", NULL};
    struct policy_file files[FILES_MAX];
    struct policy_source s = {
        .dirs = dirs, .legacy_dir = "l", .files = files, .n_files = w->n, .files_only = true};
    struct policy_error e = {0};
    struct policy *p = NULL;

    for (size_t i = 0; i < w->n; i++)
        files[i] = (struct policy_file){.path = w->files[i].path,
                                        .content = w->files[i].content,
                                        .len = strlen(w->files[i].content)};
    if (policy_load(&s, &p, &e))
        fail_msg("%s:%u: %s", e.file, e.line, e.text);
    return p;
}

static struct policy_request world_request(const struct world *w)
{
    return (struct policy_request){.service = "a.B",
                                   .argument = w->argument,
                                   .source = w->source,
                                   .target = w->target,
                                   .requested_source = w->remote};
}

/* The verdict; an ask that nobody can be asked is "no-guivm". In force: it must keep to never. */
static const char *world_verdict(const struct world *w, bool in_force)
{
    struct policy_request q = world_request(w);
    struct policy *p = world_policy(w);
    struct policy_violation violation = {0};
    struct policy_verdict v = {0};
    const char *text;

    if (in_force && policy_check_never(p, NULL, &violation))
        fail_msg("not in force: %s", violation.text);
    assert_int_equal(policy_decide(p, w->domains, &q, &v), 0);
    if (v.action == POLICY_ASK && !v.guivm)
        policy_verdict_deny(&v, POLICY_REASON_NO_GUIVM);
    reasons_seen[v.reason] = true;
    text = verdict_text(&v);
    policy_verdict_deinit(&v);
    policy_unref(p);
    return text;
}

/* ---- Following ---- */

static unsigned last_line(const struct file *f)
{
    unsigned n = 1;

    for (const char *c = f->content; *c; c++)
        n += *c == '\n';
    return n;
}

static bool follow_line(struct world *w, const char *text)
{
    const char *at = strstr(text, "this line "), *line;
    char path[WORDS];
    unsigned above = 1;
    struct file *f;

    if (!at)
        return false;
    line = strstr(at, ":\n  ");
    assert_non_null(line);
    line += strlen(":\n  ");
    if (sscanf(at, "this line above line %u of %127[^ :\n]", &above, path) != 2 &&
        sscanf(at, "this line at the top of %127[^ :\n]", path) != 1 &&
        sscanf(at, "this line to the end of %127[^ :\n]", path) != 1 &&
        sscanf(at, "this line to %127[^ :\n]", path) != 1)
        fail_msg("no place: %s", at);
    f = file_at(w, path);
    if (strstr(at, "this line to the end of ") == at)
        above = last_line(f);
    insert_line(f, above, line, strcspn(line, "\n"));
    if (strstr(line, "target=DOMAIN"))
        mend_line(w, path, above, "DOMAIN", "mail");
    return true;
}

static size_t follow_commands(struct world *w, const char *text)
{
    size_t n = 0;

    for (; text; text = strchr(text, '\n'), text = text ? text + 1 : NULL) {
        char name[WORDS], property[WORDS], value[WORDS];

        if (sscanf(text, "  qvm-prefs %127s %127s %127s", name, property, value) == 3)
            set_property(w, name, property, value);
        else if (sscanf(text, "  qvm-start %127s", name) == 1)
            set_property(w, name, "power_state", "Running");
        else
            continue;
        n++;
    }
    return n;
}

static bool follow_words(struct world *w, const char *text)
{
    const char *never = strstr(text, " says that this may never be"), *at;
    char token[WORDS], path[WORDS], wrong[WORDS], right[WORDS];
    unsigned line;

    at = strstr(text, "emove autostart=no from ");
    if (at && sscanf(at, "emove autostart=no from %127[^:]:%u", path, &line) == 2) {
        mend_line(w, path, line, "autostart=no", "");
        return true;
    }
    for (at = text; (at = strstr(at, "target=")); at++)
        if (sscanf(at, "target=%127s in %127[^:]:%u", token, path, &line) == 3) {
            mend_line(w, path, line, token, token[0] == '@' ? "@dispvm:dvm" : "mail");
            return true;
        }
    at = strstr(text, "There is no domain ");
    if (at &&
        sscanf(at, "There is no domain \"%127[^\"]\". Is \"%127[^\"]\" meant", wrong, right) == 2) {
        char *word = strcmp(w->source, wrong) == 0   ? w->source
                     : strcmp(w->remote, wrong) == 0 ? w->remote
                                                     : strstr(w->target, wrong);

        assert_non_null(word);
        strcpy(word, right);
        return true;
    }
    if (!never)
        return false;
    while (never > text && never[-1] != '\n' && never[-1] != ' ')
        never--;
    assert_int_equal(sscanf(never, "%127[^:]:%u", path, &line), 2);
    mend_line(w, path, line, "a.B", "#");
    return true;
}

static void follow(struct world *w, const struct advice_case *c)
{
    struct policy_request q = world_request(w);
    struct policy *p = world_policy(w);
    char *text = NULL;
    bool line, told;

    assert_int_equal(policy_explain(p, w->domains, &q, &text), 0);
    policy_unref(p);
    if (strstr(text, "(null)"))
        fail_msg("%s", text);
    line = follow_line(w, text);
    told = follow_commands(w, text) || line || follow_words(w, text);
    if (told != (c->after != NULL))
        fail_msg("%s: %s\n%s", c->before, told ? "an advice" : "no advice", text);
    free(text);
}

static void check_case(const struct advice_case *c)
{
    struct world w;

    world_init(&w, c);
    assert_string_equal(world_verdict(&w, false), c->before);
    for (unsigned i = 0; i < (c->rounds ? c->rounds : 1); i++)
        follow(&w, c);
    assert_string_equal(world_verdict(&w, true), c->after ? c->after : c->before);
    world_deinit(&w);
}

#define USER(text)                                                                                 \
    {                                                                                              \
        {                                                                                          \
            "p/30-user.policy", text                                                               \
        }                                                                                          \
    }
#define IN(path, text)                                                                             \
    {                                                                                              \
        {                                                                                          \
            path, text                                                                             \
        }                                                                                          \
    }
#define TWO(path, text, q, u)                                                                      \
    {                                                                                              \
        {path, text},                                                                              \
        {                                                                                          \
            q, u                                                                                   \
        }                                                                                          \
    }

static void the_advice_for_each_reason_works_as_promised(void **state)
{
    static const struct advice_case cases[] = {
        /* a line */
        {IN("p/90-a.policy", "#"), "+x", "work", "mail", NULL, "deny no-match", "allow mail", 0},
        {USER("a.B * work mail deny"), "+x", "work", "mail", NULL, "deny policy", "allow mail", 0},
        {USER("a.B * work mail deny"), "+x:y", "work", "mail", NULL, "deny policy", "allow mail",
         0},
        {USER("a.B * work far deny"), "+x", "work", "far", NULL, "deny policy",
         "allow relay as qubesair.SSHProxy+far+a.B+x", 0},
        {USER("a.B ~(x+)+[bc] work mail allow"), "+xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "work", "mail", NULL, "deny regex-limit", "allow mail", 0},
        {USER("* * vault @dispvm deny"), "+x", "vault", "@dispvm", NULL, "deny policy",
         "allow @dispvm:dvm", 0},
        /* its place */
        {IN("p/00-user.policy", "#\na.B * work mail deny"), "+x", "work", "mail", NULL,
         "deny policy", "allow mail", 0},
        {IN("p/00-a.policy", "#\na.B * work mail deny"), "+x", "work", "mail", NULL, "deny policy",
         "allow mail", 0},
        {TWO("run/30-user.policy", "# mine", "p/90-a.policy", "* * @anyvm @anyvm deny"), "+x",
         "work", "mail", NULL, "deny policy", "allow mail", 0},
        {TWO("p/00-a.policy", "!include-service a.B * x", "p/x", "$anyvm mail deny"), "+x", "work",
         "mail", NULL, "deny policy", "allow mail", 0},
        {TWO("p/00-a.policy", "!compat-4.0", "l/a.B+x", ""), "+x", "work", "mail", NULL,
         "deny policy", "allow mail", 0},
        {TWO("p/00-a.policy", "!include x", "p/x", "#\n\na.B * work mail deny"), "+x", "work",
         "mail", NULL, "deny policy", "allow mail", 0},
        /* never */
        {TWO("p/90-a.policy", "* * * @anyvm deny", "p/50.never", "a.B * work mail"), "+x", "work",
         "mail", NULL, "deny policy", "allow mail", 2},
        {TWO("p/90-a.policy", "* * * @anyvm deny", "p/50.never", "a.B * work mail allow"), "+x",
         "work", "mail", NULL, "deny policy", "ask mail", 0},
        {TWO("p/90-a.policy", "* * * @anyvm deny", "p/50.never", "a.B * work @dispvm:plain-dvm"),
         "+x", "work", "@dispvm", NULL, "deny policy", "allow @dispvm:dvm", 2},
        {TWO("p/20-a.policy", "a.B * @tag:x * deny", "p/50.never", "a.B * @tag:x mail"), "+x",
         "work", "mail", NULL, "deny no-match", "allow mail", 0},
        {TWO("p/30-user.policy", "a.B * @tag:x * deny\n", "p/50.never", "a.B * @tag:x mail"), "+x",
         "work", "mail", NULL, "deny no-match", "allow mail", 0},
        {TWO("p/90-a.policy", "a.B * work mail allow", "p/50.never", "a.B * work mail"), "+x",
         "work", "mail", NULL, "deny never", "allow mail", 0},
        /* no target */
        {USER("a.B * work * allow"), "+x", "work", "@default", NULL, "deny no-target", "allow mail",
         0},
        {USER("a.B * work @default ask"), "+x", "work", "", NULL, "deny no-target", "ask mail", 0},
        {USER("a.B * work hidden ask"), "+x", "work", "hidden", NULL, "deny no-target",
         "ask hidden", 0},
        {USER("a.B * mail vault ask autostart=no"), "+x", "mail", "vault", NULL, "deny no-target",
         "ask vault", 0},
        {USER("a.B * mail @dispvm:dvm ask autostart=no"), "+x", "mail", "@dispvm:dvm", NULL,
         "deny no-target", "ask @dispvm:dvm", 0},
        {USER("a.B * work mail allow target=mial"), "+x", "work", "mail", NULL, "deny no-target",
         "allow mail", 0},
        /* disposables */
        {USER("a.B * * * allow"), "+x", "work", "@dispvm:mail", NULL, "deny not-dispvm-template",
         "allow @dispvm:mail", 0},
        {USER("a.B * * * allow"), "+x", "work", "@dispvm:dvmm", NULL, "deny not-dispvm-template",
         "allow @dispvm:dvm", 0},
        {USER("a.B * * * allow target=@dispvm:vault"), "+x", "work", "zz", NULL,
         "deny not-dispvm-template", "allow @dispvm:vault", 0},
        {USER("a.B * * * allow target=@dispvm:nil"), "+x", "work", "mail", NULL,
         "deny not-dispvm-template", "allow @dispvm:dvm", 0},
        {USER("a.B * * * allow"), "+x", "vault", "@dispvm", NULL, "deny no-dispvm",
         "allow @dispvm:dvm", 0},
        {USER("a.B * * * allow target=@dispvm"), "+x", "vault", "zz", NULL, "deny no-dispvm",
         "allow @dispvm:dvm", 0},
        /* running */
        {USER("a.B * * * allow autostart=no"), "+x", "work", "vault", NULL, "deny autostart quiet",
         "allow vault", 0},
        {USER("a.B * * * allow autostart=no"), "+x", "work", "uuid:" UUID(3), NULL,
         "deny autostart quiet", "allow uuid:" UUID(3), 0},
        {USER("a.B * * * allow autostart=no"), "+x", "work", "@dispvm:dvm", NULL,
         "deny autostart quiet", "allow @dispvm:dvm", 0},
        {USER("a.B * * * allow autostart=no target=@dispvm:dvm"), "+x", "work", "zz", NULL,
         "deny autostart quiet", "allow @dispvm:dvm", 0},
        {USER("a.B * * * allow autostart=no"), "+x", "work", "far", NULL, "deny autostart quiet",
         "allow relay as qubesair.SSHProxy+far+a.B+x", 0},
        /* others */
        {USER("a.B * * * allow"), "+x", "work", "work", NULL, "deny loopback", NULL, 0},
        {USER("a.B * * * allow target=work"), "+x", "work", "zz", NULL, "deny loopback",
         "allow mail", 0},
        {USER("a.B * * * allow"), "+x", "work", "far", NULL, "deny no-relay",
         "allow relay as qubesair.SSHProxy+far+a.B+x", 0},
        {USER("* * * * deny"), "+x", "work", "far", NULL, "deny policy",
         "allow relay as qubesair.SSHProxy+far+a.B+x", 0},
        {USER("a.B * * mail ask"), "+x", "vault", "mail", NULL, "deny no-guivm", "ask mail", 0},
        {USER("a.B * * * allow"), "+x", "work", "@anyvm", NULL, "deny invalid-target", NULL, 0},
        {USER("a.B * * * allow"), "+x", "work", "mail", "far", "deny invalid-source", "allow mail",
         0},
        {USER("a.B * * * allow"), "+x", "relay", "mail", "fa", "deny invalid-source", "allow mail",
         0},
        {USER("a.B * * * allow"), "+x", "work", "mail", "vault", "deny invalid-source", NULL, 0},
        {USER("a.B * * * allow"), "+x", "@anyvm", "mail", NULL, "deny invalid-source", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_case(&cases[i]);
    for (size_t i = POLICY_REASON_NONE; i < ARRAY_SIZE(reasons_seen); i++)
        if (!reasons_seen[i] && i != POLICY_REASON_USER && i != POLICY_REASON_BAD_ANSWER)
            fail_msg("no case for %s", policy_reason_text((enum policy_reason)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_advice_for_each_reason_works_as_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
