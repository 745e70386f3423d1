/*
 * The engine against the second evaluator on random cases.
 *
 *   random-test [COUNT]                 environment: QREXEC_SEED (printed; default: the clock)
 *   random-test --case SEED N           that one case alone
 *   random-test --conformance DIR       the second evaluator against cases with known verdicts
 */
#include "libqrexec/base/io.h"
#include "policy-engine/domains-file.h"
#include "tests/random/generate.h"

#include <dirent.h>
#include <time.h>

#define COUNT_DEFAULT 20000
#define SAMPLE        4 /* every 4th is also explained and counted */

struct tally {
    unsigned long n, not_loaded, not_explained, deny, allow, ask, relay;
};

/* explain says the same, in words: of a verdict its first line, of a denial also the reason. */
static bool is_explained(const struct loaded_case *l, const struct policy_request *q,
                         const struct oracle_verdict *o)
{
    static const char *const words[] = {"denied: ", "allowed: ", "ask: "};
    _cleanup_(freep) char *text = NULL;
    const char *reason = policy_reason_text(o->reason), *line;

    if (policy_explain(l->policy, l->domains, q, &text) || !str_starts(text, words[o->action]))
        return false;
    if (o->action != POLICY_DENY)
        return true;
    line = strstr(text, "\n  ");
    return line && str_starts(line + 3, reason) && line[3 + strlen(reason)] == ':';
}

static void count(struct tally *t, const struct test_case *c, enum case_result result)
{
    struct policy_request q = case_request(c);
    static struct oracle_verdict o;
    struct loaded_case l;

    t->n++;
    t->not_loaded += result == CASE_NOT_LOADED;
    if (t->n % SAMPLE || result != CASE_SAME || case_load(c, &l))
        return;
    oracle_decide(&l.world, &q, &o);
    if (!is_explained(&l, &q, &o) && !t->not_explained++) {
        printf("not ok - explain says another verdict; the case:\n");
        case_print(c, stdout);
    }
    t->deny += o.action == POLICY_DENY && o.reason != POLICY_REASON_NO_MATCH;
    t->allow += o.action == POLICY_ALLOW;
    t->ask += o.action == POLICY_ASK;
    t->relay += o.action == POLICY_ALLOW && (o.service || o.policy_source);
    loaded_case_deinit(&l);
}

static int differs(struct test_case *c, uint64_t seed, uint64_t n)
{
    char what[8192];

    case_shrink(c);
    (void)case_check(c, what, sizeof(what));
    printf("not ok - case %llu of seed %llu differs; shrunk:\n%s", (unsigned long long)n,
           (unsigned long long)seed, what);
    case_print(c, stdout);
    return 1;
}

/* Nearly all must load, and each verdict must occur often enough to mean something. */
static bool is_worth_it(const struct tally *t)
{
    unsigned long seen = t->n / SAMPLE;

    return !t->not_explained &&
           (t->n < 1000 || (t->not_loaded * 10 < t->n && t->deny * 20 > seen &&
                            t->allow * 40 > seen && t->ask * 40 > seen && t->relay * 500 > seen));
}

static int run(uint64_t seed, uint64_t from, uint64_t to)
{
    static struct test_case c;
    struct tally t = {0};
    char what[8192];

    for (uint64_t n = from; n < to; n++) {
        struct random r = random_new(seed, n);
        enum case_result result;

        generate_case(&r, false, &c);
        result = case_check(&c, what, sizeof(what));
        if (result == CASE_DIFFERS)
            return differs(&c, seed, n);
        count(&t, &c, result);
    }
    printf("of %lu cases %lu do not load; of every 4th %lu are denied by a rule, %lu allowed (%lu "
           "through or for a relay), %lu ask\n",
           t.n, t.not_loaded, t.deny, t.allow, t.relay, t.ask);
    printf("%sok - the engine decides %lu random cases of seed %llu as the contract says\n",
           is_worth_it(&t) ? "" : "not ", t.n, (unsigned long long)seed);
    return is_worth_it(&t) ? 0 : 1;
}

/* ---- Known verdicts ---- */

static char *path_in(const char *dir, const char *name)
{
    return format_new("%s/%s", dir, name);
}

/* The line that the second evaluator gives, compared with what is expected. */
static bool known_line(const struct oracle_world *w, char *request, const char *expected,
                       size_t dir_len)
{
    char *field[4], *plus, argument[256] = "+", line[4096];
    static struct oracle_verdict o;

    for (size_t i = 0; i < 4; i++)
        field[i] = strsep(&request, "\t");
    plus = strchr(field[0], '+');
    if (plus) {
        (void)format(argument, sizeof(argument), "%s", plus);
        *plus = 0;
    }
    oracle_decide(w, &(struct policy_request){field[0], argument, field[1], field[2], field[3], 0},
                  &o);
    if (o.ruled)
        o.rule.file += dir_len;
    oracle_line(&o, line, sizeof(line));
    if (str_equal(line, expected))
        return true;
    printf("  request  %s%s %s %s %s\n  expected %s\n  contract %s\n", field[0], argument, field[1],
           field[2], field[3], expected, line);
    return false;
}

static size_t known_case(const char *dir, size_t *wrong)
{
    _cleanup_(freep) char *run_d = path_in(dir, "run.d"), *policy_d = path_in(dir, "policy.d"),
                          *legacy = path_in(dir, "legacy"), *ini = path_in(dir, "domains.ini"),
                          *asked = path_in(dir, "requests.tsv"),
                          *known = path_in(dir, "expected.tsv"), *error = NULL, *requests = NULL,
                          *answers = NULL;
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    const char *const dirs[] = {access(run_d, F_OK) ? policy_d : run_d, policy_d, NULL};
    size_t n, lines = 0;
    char *next_request, *next_answer;

    if (domains_file_read(ini, &d, &error) || file_read(asked, 1 << 20, &requests, &n) ||
        file_read(known, 1 << 20, &answers, &n)) {
        printf("  cannot read %s\n", dir);
        return (*wrong)++;
    }
    if (policy_load(&(struct policy_source){.dirs = access(run_d, F_OK) ? dirs + 1 : dirs,
                                            .legacy_dir = legacy},
                    &p, NULL))
        return 0; /* the parser's subject */
    next_request = requests;
    next_answer = answers;
    while (next_request && *next_request && next_answer) {
        const struct oracle_world w = {policy_domains_at(d, 0), policy_domains_count(d), p};
        char *request = strsep(&next_request, "\n"), *answer = strsep(&next_answer, "\n");

        lines++;
        *wrong += !known_line(&w, request, answer, strlen(dir) + 1);
    }
    return lines;
}

static int conformance(const char *dir)
{
    size_t lines = 0, wrong = 0;
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        _cleanup_(freep) char *path = path_in(dir, e->d_name);

        if (str_starts(e->d_name, "case-"))
            lines += known_case(path, &wrong);
    }
    if (d)
        closedir(d);
    printf("%sok - the second evaluator gives %zu known verdicts, %zu of them wrong\n",
           wrong || !lines ? "not " : "", lines, wrong);
    return wrong || !lines ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *seed_text = getenv("QREXEC_SEED"), *srcdir = getenv("srcdir");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL);
    _cleanup_(freep) char *cases = path_in(srcdir ? srcdir : ".", "tests/conformance/policy");

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && str_equal(argv[1], "--conformance"))
        return conformance(argv[2]);
    if (argc == 4 && str_equal(argv[1], "--case")) {
        uint64_t n = strtoull(argv[3], NULL, 0);

        return run(strtoull(argv[2], NULL, 0), n, n + 1);
    }
    printf("# seed %llu\n", (unsigned long long)seed);
    if (conformance(cases))
        return 1;
    return run(seed, 0, argc > 1 ? strtoull(argv[1], NULL, 0) : COUNT_DEFAULT);
}
