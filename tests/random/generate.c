/*
 * Random cases: see generate.h. Few names, so that they meet: a word of a rule is likely to be a
 * domain's, a domain's default disposable likely to be one of the others, or one that is not there.
 */
#include "tests/random/generate.h"

#include "libqrexec/base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICK(r, list) ((list)[random_below((r), ARRAY_SIZE(list))])

struct random random_new(uint64_t seed, uint64_t n)
{
    return (struct random){seed * 0x9e3779b97f4a7c15 ^ n * 0xd1342543de82ef95};
}

/* splitmix64 */
uint32_t random_below(struct random *r, uint32_t limit)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) >> 11) % limit;
}

static bool one_in(struct random *r, uint32_t n)
{
    return random_below(r, n) == 0;
}

#define ZERO_UUID "00000000-0000-0000-0000-000000000000"

/* dom0 and whoever may be there; the last three are never there. */
static const char *const names[] = {"work", "mail", "vault",  "dvm",     "far",   "relay",
                                    "Zed",  "dvm2", "disp12", "nowhere", "Work_", "9.x-"};
#define NAMES_REAL 9
static const char *const uuids[] = {
    "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002",
    "a0000000-0000-4000-8000-000000000003", "a0000000-0000-4000-8000-000000000004",
    "a0000000-0000-4000-8000-000000000005", "a0000000-0000-4000-8000-000000000006",
    "a0000000-0000-4000-8000-000000000007", "a0000000-0000-4000-8000-000000000008",
    "a0000000-0000-4000-8000-000000000009", "b0000000-0000-4000-8000-000000000001",
    "A0000000-0000-4000-8000-000000000001", "b0"};
static const char *const tags[] = {"red", "net", "t"};
static const char *const types[] = {"AppVM", "DispVM", "TemplateVM", "RemoteVM"};
static const char *const services[] = {"q.A", "q.A", "q.A", "q.B", "q.C_1-x"};
static const char *const arguments[] = {"+", "+", "+", "+x", "+x", "+x+y", "+xx", "+a.b-c_d"};
static const char *const regexes[] = {"~x.*", "~(x|x[+]y)", "~[a-z]*", "~", "~(a|b).b(-|_)c_d?"};

/* ---- Domains ---- */

static const char *some_name(struct random *r)
{
    return one_in(r, 12) ? "dom0" : PICK(r, names);
}

static void make_domain(struct random *r, struct test_case *c, size_t name)
{
    struct policy_domain *d = &c->domain[c->n_domains];
    const char **tag = c->tag[c->n_domains++];
    size_t n = 0;

    *d = (struct policy_domain){.name = names[name], .type = PICK(r, types)};
    d->uuid = one_in(r, 8) ? NULL : uuids[name];
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
        if (one_in(r, 3))
            tag[n++] = tags[i];
    d->template_for_dispvms = one_in(r, 2);
    d->default_dispvm = one_in(r, 3) ? NULL : one_in(r, 8) ? "" : some_name(r);
    d->power_state = one_in(r, 6) ? NULL : one_in(r, 3) ? "Halted" : "Running";
    d->internal = one_in(r, 6);
    d->guivm = one_in(r, 4) ? NULL : "dom0";
    if (strcmp(d->type, "RemoteVM") == 0 || one_in(r, 10)) {
        d->type = one_in(r, 12) ? NULL : "RemoteVM";
        d->relayvm = one_in(r, 6) ? NULL : one_in(r, 2) ? "relay" : some_name(r);
        d->transport_rpc = one_in(r, 6) ? NULL : one_in(r, 8) ? "" : "air.Proxy";
    }
}

static void make_domains(struct random *r, struct test_case *c)
{
    c->domain[0] = (struct policy_domain){.name = "dom0",
                                          .uuid = one_in(r, 3) ? NULL : ZERO_UUID,
                                          .type = "AdminVM",
                                          .power_state = one_in(r, 3) ? NULL : "Running",
                                          .internal = one_in(r, 20),
                                          .guivm = one_in(r, 2) ? "dom0" : NULL};
    c->tag[0][0] = one_in(r, 3) ? tags[0] : NULL;
    c->domain[0].default_dispvm = one_in(r, 2) ? "dvm" : NULL;
    c->n_domains = 1;
    for (size_t i = 0; i < NAMES_REAL; i++)
        if (!one_in(r, 3))
            make_domain(r, c, i);
}

/* ---- Rules ---- */

/* A name or uuid:UUID, mostly one that exists. */
static void put_name(struct random *r, const struct test_case *c, char *buf)
{
    const struct policy_domain *d = &c->domain[random_below(r, (uint32_t)c->n_domains)];

    if (one_in(r, 14))
        strcpy(buf, "uuid:" ZERO_UUID);
    else if (d->uuid && one_in(r, 4))
        (void)format(buf, CASE_TEXT, "uuid:%s", d->uuid);
    else if (!one_in(r, 4))
        (void)format(buf, CASE_TEXT, "%s", d->name);
    else if (one_in(r, 3))
        (void)format(buf, CASE_TEXT, "uuid:%s", PICK(r, uuids));
    else
        (void)format(buf, CASE_TEXT, "%s", some_name(r));
}

enum place { SOURCE, TARGET, REDIRECT, ASKED };

static void put_token(struct random *r, const struct test_case *c, enum place place, char *buf)
{
    static const char *const fixed[] = {"*", "@anyvm", "@adminvm", "@default", "@dispvm"};
    static const char *const forms[] = {"@tag:%s", "@type:%s", "@dispvm:@tag:%s"};
    char name[CASE_TEXT];
    uint32_t kind = random_below(r, 14);

    put_name(r, c, name);
    if (kind < 5) {
        uint32_t n = place == SOURCE     ? 3
                     : place == REDIRECT ? 1 + 2 * random_below(r, 2)
                     : place == ASKED    ? 3
                                         : 5;
        const char *word = fixed[one_in(r, 3) ? 1 : random_below(r, n)];

        if (place == REDIRECT)
            word = one_in(r, 2) ? "@adminvm" : "@dispvm";
        if (place == ASKED)
            word = fixed[2 + random_below(r, 3)];
        (void)format(buf, CASE_TEXT, "%s", word);
    } else if (kind < 8 && place <= TARGET) {
        const char *form = forms[kind - 5];

        (void)format(buf, CASE_TEXT, "%.*s%s", (int)(strlen(form) - 2), form,
                     kind == 6 ? one_in(r, 5) ? "AdminVM" : PICK(r, types) : PICK(r, tags));
    } else if (kind == 8 || kind > 11) {
        (void)format(buf, CASE_TEXT, "@dispvm:%s", name);
    } else {
        (void)format(buf, CASE_TEXT, "%s", name);
    }
}

struct words {
    char text[16][CASE_TEXT];
    size_t n;
};

static char *next_word(struct words *w)
{
    return w->text[w->n++];
}

static void put_token_parameter(struct random *r, const struct test_case *c, struct words *w,
                                const char *name)
{
    char token[CASE_TEXT];

    put_token(r, c, REDIRECT, token);
    (void)format(next_word(w), CASE_TEXT, "%s=%s", name, token);
}

static void put_yes_no(struct random *r, struct words *w, const char *name)
{
    (void)format(next_word(w), CASE_TEXT, "%s=%s", name, one_in(r, 2) ? "yes" : "no");
}

static void put_action(struct random *r, const struct test_case *c, struct words *w,
                       bool needs_target)
{
    static const char *const actions[] = {"allow", "allow", "ask", "ask", "deny"};
    static const char *const users[] = {"user=joe", "user=", "user=root", "user=a=b"};
    const char *action = PICK(r, actions);

    strcpy(next_word(w), action);
    if (one_in(r, 4))
        put_yes_no(r, w, "notify");
    if (*action == 'd')
        return;
    if (one_in(r, 3) || (needs_target && action[1] == 'l'))
        put_token_parameter(r, c, w, "target");
    if (one_in(r, 5))
        put_yes_no(r, w, "autostart");
    if (one_in(r, 5))
        strcpy(next_word(w), PICK(r, users));
    if (action[1] == 's' && one_in(r, 2))
        put_token_parameter(r, c, w, "default_target");
}

/* The words of a line: two more columns where it is one of five. */
static void put_rule(struct random *r, const struct test_case *c, bool five, struct words *w)
{
    char *source, *target;

    w->n = 0;
    if (five && one_in(r, 6)) {
        strcpy(next_word(w), "*");
        strcpy(next_word(w), "*");
    } else if (five) {
        strcpy(next_word(w), PICK(r, services));
        strcpy(next_word(w), one_in(r, 2)   ? "*"
                             : one_in(r, 4) ? PICK(r, regexes)
                                            : PICK(r, arguments));
    }
    source = next_word(w);
    target = next_word(w);
    if (one_in(r, 3))
        strcpy(source, one_in(r, 3) ? "*" : "@anyvm");
    else
        put_token(r, c, SOURCE, source);
    if (one_in(r, 4))
        strcpy(target, one_in(r, 2) ? "*" : "@anyvm");
    else
        put_token(r, c, TARGET, target);
    put_action(r, c, w, strcmp(target, "@default") == 0);
}

static void join(struct random *r, const struct words *w, bool five, bool plain, char *line)
{
    static const char *const blanks[] = {" ", " ", " ", "\t", "  ", "\x1c", "\v", "\xc2\xa0"};
    size_t n = 0;

    for (size_t i = 0; i < w->n && n < CASE_TEXT - 1; i++) {
        const char *blank = i == 0 ? one_in(r, 9) ? " " : "" : plain ? " " : PICK(r, blanks);

        if (!five && i > 2 && *blank == ' ')
            blank = ",";
        (void)format(line + n, CASE_TEXT - n, "%s%s", blank, w->text[i]);
        n = strlen(line);
    }
    for (char *p = line; !five && *p; p++)
        if (*p == '@' && one_in(r, 2))
            *p = '$';
}

static struct case_file *new_file(struct random *r, struct test_case *c, const char *path)
{
    struct case_file *f = &c->file[c->n_files++];

    (void)format(f->path, sizeof(f->path), "%s", path);
    f->n = 0;
    f->crlf = one_in(r, 12);
    return f;
}

static char *new_line(struct case_file *f)
{
    return f->line[f->n++];
}

static void put_lines(struct random *r, const struct test_case *c, struct case_file *f, bool five,
                      bool plain, size_t most)
{
    struct words w;

    for (size_t n = random_below(r, (uint32_t)most + 1); n > 0 && f->n < CASE_LINES; n--) {
        char *line = new_line(f);

        if (one_in(r, 16)) {
            strcpy(line, one_in(r, 2) ? "" : "  # * * * * allow");
            continue;
        }
        put_rule(r, c, five, &w);
        join(r, &w, five, plain, line);
        if (!plain && one_in(r, 400)) /* any byte anywhere: it loads or not, and nothing crashes */
            line[random_below(r, (uint32_t)strlen(line))] = (char)(1 + random_below(r, 255));
        if (strchr(line, '\n') || strchr(line, '\r'))
            *line = 0;
    }
}

static void put_legacy(struct random *r, struct test_case *c, bool plain)
{
    static const char *const files[] = {"legacy/q.A", "legacy/q.A+x", "legacy/q.B", "legacy/q.B+"};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (one_in(r, 2))
            put_lines(r, c, new_file(r, c, files[i]), false, plain, 3);
}

static void put_includes(struct random *r, struct test_case *c, struct case_file *f, bool plain)
{
    if (one_in(r, 4)) {
        strcpy(new_line(f), "!compat-4.0");
        put_legacy(r, c, plain);
    }
    if (one_in(r, 8)) {
        strcpy(new_line(f), "!include more/five");
        put_lines(r, c, new_file(r, c, "policy.d/more/five"), true, plain, 3);
    }
    if (one_in(r, 8)) {
        strcpy(new_line(f), one_in(r, 2) ? "!include-service q.A * more/three"
                                         : "!include-service q.C_1-x +x ./more/three");
        put_lines(r, c, new_file(r, c, "policy.d/more/three"), false, plain, 3);
    }
    if (one_in(r, 12)) {
        strcpy(new_line(f), "!include-dir more");
        put_lines(r, c, new_file(r, c, "policy.d/more/9.policy"), true, plain, 2);
    }
}

/* So many tags that no list of them is long enough, and so many rules that each list of them is:
 * all from one source, or each from or to another tag. */
static void put_many(struct random *r, struct test_case *c, bool plain)
{
    static char name[CASE_TAGS][8];
    struct case_file *f = new_file(r, c, "policy.d/25-many.policy");
    uint32_t kind = random_below(r, 3), owner = random_below(r, (uint32_t)c->n_domains);
    char source[CASE_TEXT];
    struct words w;

    put_token(r, c, SOURCE, source);
    for (size_t i = 0; i < CASE_TAGS; i++) {
        (void)format(name[i], sizeof(name[i]), "t%02zu", i);
        c->tag[owner][i] = name[i];
    }
    for (size_t n = 30 + random_below(r, 30); f->n < n;) {
        put_rule(r, c, true, &w);
        strcpy(w.text[0], "q.A");
        strcpy(w.text[1], "*");
        if (kind && !one_in(r, 6))
            (void)format(w.text[1 + kind], CASE_TEXT, "@tag:%s", name[f->n * 31 % CASE_TAGS]);
        if (kind != 1)
            strcpy(w.text[2], source);
        join(r, &w, true, plain, new_line(f));
    }
}

static void make_policy(struct random *r, bool plain, struct test_case *c)
{
    struct case_file *f;

    c->n_files = 0;
    if (one_in(r, 4))
        put_lines(r, c, new_file(r, c, "policy.d/20-first.policy"), true, plain, 3);
    if (one_in(r, 8))
        put_lines(r, c, new_file(r, c, "run.d/20-first.policy"), true, plain, 2);
    if (one_in(r, 16))
        put_many(r, c, plain);
    f = new_file(r, c, "policy.d/30-user.policy");
    put_lines(r, c, f, true, plain, 5);
    if (one_in(r, 2))
        put_includes(r, c, f, plain);
    put_lines(r, c, f, true, plain, 2);
}

/* ---- Requests ---- */

static void spoil(struct random *r, char *text)
{
    static const char *const strange[] = {
        "@",         "@dispvm:",        "uuid:",    "@tag:red", "@dispvm:@tag:red", "*",
        "@anyvm",    "uuid:@x",         "\xff\xfe", "a b",      "$adminvm",         "@dispvm:dom0",
        "@dispvm:*", "@dispvm:uuid:@x", "\xc3\xa9", "@type:",   "@dispvm:@x"};
    size_t n = strlen(text);

    if (one_in(r, 2))
        (void)format(text, CASE_TEXT, "%s", PICK(r, strange));
    else if (n && one_in(r, 2))
        text[random_below(r, (uint32_t)n)] = (char)(1 + random_below(r, 255));
    else
        (void)format(text + n, CASE_TEXT - n, "%c", (char)(1 + random_below(r, 255)));
}

/* A relay that speaks for a remote domain: mostly its own. */
static void put_relay(struct random *r, struct test_case *c)
{
    for (size_t i = 0; i < c->n_domains; i++) {
        const struct policy_domain *d = &c->domain[i];

        if (!d->relayvm || one_in(r, 2))
            continue;
        (void)format(c->requested_source, CASE_TEXT, "%s%s",
                     one_in(r, 2) || !d->uuid ? "" : "uuid:", "");
        (void)format(c->requested_source + strlen(c->requested_source), CASE_TEXT - 8, "%s",
                     *c->requested_source ? d->uuid : d->name);
        if (!one_in(r, 5))
            (void)format(c->source, CASE_TEXT, "%s", d->relayvm);
        return;
    }
    put_name(r, c, c->requested_source);
}

/* Of a domain with many tags, much is asked. */
static void ask_owner(struct random *r, struct test_case *c)
{
    for (size_t i = 0; i < c->n_domains; i++)
        if (c->tag[i][CASE_TAGS - 1]) {
            strcpy(c->service, "q.A");
            (void)format(one_in(r, 2) ? c->source : c->target, CASE_TEXT, "%s", c->domain[i].name);
        }
}

void generate_request(struct random *r, bool plain, struct test_case *c)
{
    (void)format(c->service, CASE_TEXT, "%s", one_in(r, 20) ? "q.Other" : PICK(r, services));
    (void)format(c->argument, CASE_TEXT, "%s", PICK(r, arguments));
    if (one_in(r, 12))
        strcpy(c->source, "@adminvm");
    else
        put_name(r, c, c->source);
    if (one_in(r, 10))
        *c->target = 0;
    else
        put_token(r, c, ASKED, c->target);
    if (!one_in(r, 4))
        ask_owner(r, c);
    *c->requested_source = 0;
    if (one_in(r, 8))
        put_relay(r, c);
    c->just_evaluate = !plain && one_in(r, 16);
    if (plain)
        return;
    if (one_in(r, 40))
        spoil(r, c->target);
    if (one_in(r, 60))
        spoil(r, c->source);
    if (one_in(r, 60))
        spoil(r, c->requested_source);
}

void generate_case(struct random *r, bool plain, struct test_case *ret)
{
    memset(ret->tag, 0, sizeof(ret->tag));
    make_domains(r, ret);
    make_policy(r, plain, ret);
    generate_request(r, plain, ret);
}
