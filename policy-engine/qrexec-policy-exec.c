/*
 * qrexec-policy-exec: one decision, in the words of the policy socket. Exit code 0 for allow, 1
 * otherwise. Where a rule asks, the policy daemon's prompt is used; without it: denied.
 */
#include "libqrexec/base/call-id.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/ask-user.h"
#include "policy-engine/decision-log.h"
#include "policy-engine/guivm-call.h"
#include "policy-engine/kept-answers.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: qrexec-policy-exec [--assume-yes-for-ask] [--just-evaluate] "
            "[--path=DIR]... SOURCE TARGET SERVICE[+ARGUMENT]\n");
    return code;
}

/* The prompt's answer, waited for. */
struct waiting {
    struct guivm_call call;
    bool refused, chosen, keep;
    uint64_t seconds;
    char choice[256];
};

static void on_prompt(struct guivm_call *c, bool ok)
{
    struct waiting *w = container_of(c, struct waiting, call);

    w->refused = ok && ask_user_refused(buf_data(&c->in), buf_len(&c->in));
    w->chosen = ok && ask_user_answer(buf_data(&c->in), buf_len(&c->in), w->choice,
                                      sizeof(w->choice), &w->keep, &w->seconds);
    loop_quit(0);
}

/* The user's answers that are kept are looked at first, and a new one is kept if so wished. */
static const char *kept_choice(const struct policy_files *f, const struct policy_domains *d,
                               const struct policy_question *q, const struct policy_verdict *asked)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    char path[PATH_SIZE];

    if (f->n_dirs || policy_files_kept(f, path) || kept_answers_read(path, &k))
        return NULL;
    return kept_answers_find(&k, d, q, asked, kept_now());
}

static void keep(const struct policy_files *f, const struct policy_domains *d,
                 const struct policy_question *q, const struct policy_verdict *asked,
                 const struct waiting *w)
{
    char path[PATH_SIZE];
    int r = f->n_dirs ? -ENOTSUP : policy_files_kept(f, path);

    for (size_t i = 0; !r && i < asked->n_choices; i++)
        if (str_equal(asked->choices[i], w->choice))
            r = kept_answers_keep(path, d, q, asked, w->choice, w->seconds);
    if (r)
        log_warning("the user's answer counts once, but is not kept: %s",
                    r < 0 ? strerror(-r) : "a domain has no uuid, or too many are kept");
}

/* Asks; w says what came back. */
static void ask(const struct policy_domains *d, const struct policy_question *q,
                const struct policy_verdict *asked, struct waiting *w)
{
    _cleanup_(freep) char *json = ask_user_json(d, q, asked);
    int r = json ? loop_init() : -ENOMEM;

    w->call.fn = on_prompt;
    if (!r)
        r = guivm_call_start(&w->call, asked->guivm, "policy.Ask", json);
    if (!r)
        (void)loop_run();
    else
        log_warning("nobody can be asked in %s (%s)", asked->guivm, strerror(-r));
    guivm_call_stop(&w->call);
}

/* The policy and the domains of now. */
struct world {
    struct policy *policy;
    struct policy_domains *domains;
    struct policy_verdict asked; /* whose texts the final verdict may use */
    char answered_by[64];        /* the domain of the prompt, "kept"; "": nobody was asked */
};

static void world_deinit(struct world *w)
{
    policy_verdict_deinit(&w->asked);
    policy_unref(w->policy);
    policy_domains_unref(w->domains);
    *w = (struct world){0};
}

/* 0; else it was said. */
static int world_load(const struct policy_files *files, const struct policy_question *q,
                      struct world *ret)
{
    _cleanup_(freep) char *error = NULL;
    int r = policy_files_load(files, &ret->policy, &error);

    if (r) {
        policy_log_trouble(q, LOG_POLICY, error);
        return r;
    }
    r = system_info_fetch(&ret->domains);
    if (r)
        policy_log_trouble(q, LOG_SYSTEM_INFO, strerror(-r));
    return r;
}

static void note_who_answered(struct world *w, const char *who)
{
    (void)format(w->answered_by, sizeof(w->answered_by), "%s", who);
}

/* chosen NULL: the user said no; "": nobody answered so that it counts. */
static int conclude(struct world *w, const struct policy_question *q, struct policy_verdict *v,
                    const char *chosen)
{
    struct policy_request rq = policy_question_request(q);
    struct policy_verdict final = {0};
    int r = policy_answer_ask(w->policy, w->domains, &rq, v, chosen, &final);

    if (r) {
        policy_log_trouble(q, "denied", strerror(-r));
        return r;
    }
    w->asked = *v;
    *v = final;
    return 0;
}

/* The user's yes, with the policy and the domains as they are by now. */
static int apply_choice(const struct policy_files *files, const struct policy_question *q,
                        const struct waiting *a, struct world *w, struct policy_verdict *v)
{
    struct world now = {0};
    struct policy_verdict again = {0};
    int r = world_load(files, q, &now);

    if (!r) {
        r = policy_recheck(now.policy, w->domains, now.domains, q, v, a->choice, &again);
        if (r)
            policy_log_trouble(q, "denied",
                               r == RECHECK_E_ANOTHER ? RECHECK_ANOTHER_TEXT : strerror(-r));
    }
    if (r) {
        world_deinit(&now);
        return r;
    }
    note_who_answered(&now, w->answered_by);
    policy_verdict_deinit(v);
    world_deinit(w);
    *v = again;
    *w = now;
    if (v->action != POLICY_ASK)
        return 0;
    if (a->keep)
        keep(files, w->domains, q, v, a);
    return conclude(w, q, v, a->choice);
}

/* An ask becomes an allow or a denial. */
static int carry_out_ask(const struct policy_files *files, const struct policy_question *q,
                         struct world *w, struct policy_verdict *v)
{
    static struct waiting a;
    const char *choice;

    if (v->action != POLICY_ASK)
        return 0;
    choice = q->assume_yes ? policy_assumed_choice(v) : kept_choice(files, w->domains, q, v);
    if (choice && !q->assume_yes)
        note_who_answered(w, "kept");
    if (choice || q->assume_yes)
        return conclude(w, q, v, choice ? choice : "");
    if (!v->guivm) {
        policy_verdict_deny(v, POLICY_REASON_NO_GUIVM);
        return 0;
    }
    ask(w->domains, q, v, &a);
    if (a.chosen || a.refused)
        note_who_answered(w, v->guivm);
    return a.chosen ? apply_choice(files, q, &a, w, v) : conclude(w, q, v, a.refused ? NULL : "");
}

/* 0 and a verdict; else it was said what failed. */
static int decide(const struct policy_files *files, const struct policy_question *q,
                  struct world *w, struct policy_verdict *ret)
{
    struct policy_request rq = policy_question_request(q);
    int r = world_load(files, q, w);

    if (r)
        return r;
    r = policy_decide(w->policy, w->domains, &rq, ret);
    if (r) {
        policy_log_trouble(q, "denied", strerror(-r));
        return r;
    }
    policy_settle(q, ret);
    r = carry_out_ask(files, q, w, ret);
    if (!r)
        policy_log_decision(q, ret);
    return r;
}

/*
 * In the daemon's log, where that does not run: else the lines that are said must do. A user's own
 * tries, and another policy's, are nobody's decisions.
 */
static void record(const struct policy_files *files, const struct policy_question *q,
                   const struct world *w, const struct policy_verdict *v, bool decided,
                   uint64_t begun)
{
    bool allowed = v->action == POLICY_ALLOW;
    char id[CALL_ID_SIZE], path[PATH_SIZE];
    struct decision_record d = {
        .call_id = id,
        .time_us = begun,
        .policy = w->policy ? policy_signature(w->policy) : 0,
        .generation = w->domains ? policy_domains_generation(w->domains) : 0,
        .source = q->source,
        .requested_source = *q->requested_source ? q->requested_source : NULL,
        .target = q->target,
        .service = q->service,
        .argument = q->argument,
        .verdict = allowed ? "allow" : "deny",
        .reason = decided ? policy_denial_text(q, v) : "trouble",
        .detail = decided ? NULL : "the system's log has it",
        .final = allowed ? v->target : NULL,
        .rule_file = v->rule_file,
        .rule_line = v->rule_line,
        .asked = *w->answered_by ? w->answered_by : NULL,
        .evaluated_by = q->just_evaluate ? "dom0" : NULL,
        .micros.total = clock_real_us() - begun,
    };
    int r = path_get(path, "%s", DECISION_LOG_PATH);

    if (r || files->n_dirs)
        return;
    call_id_make(id, "exec", begun / 1000, (uint64_t)getpid());
    r = decision_log_once(path, &d);
    if (r && r != -EBUSY && geteuid() == 0)
        log_warning("the decision is not recorded: %s: %s", path, strerror(-r));
}

/* Whatever failed: denied. */
static int answer(const struct policy_files *files, const struct policy_question *q)
{
    _cleanup_(world_deinit) struct world w = {0};
    _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0};
    uint64_t begun = clock_real_us();
    char text[POLICY_ANSWER_MAX + 1];
    bool decided = !decide(files, q, &w, &v);
    int n;

    if (!decided) {
        policy_verdict_deinit(&v);
        v = (struct policy_verdict){.action = POLICY_DENY};
    }
    record(files, q, &w, &v, decided, begun);
    n = policy_answer_text(w.domains, q, &v, text, sizeof(text));
    if (n < 0)
        return 1;
    if (!q->just_evaluate && write_full(STDOUT_FILENO, text, (size_t)n))
        return 1;
    return v.action == POLICY_ALLOW ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"assume-yes-for-ask", no_argument, NULL, 'y'},
                                          {"just-evaluate", no_argument, NULL, 'j'},
                                          {"path", required_argument, NULL, 'p'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    static struct policy_files files;
    struct policy_question q = {0};
    struct policy_query query = {0};
    int c, r;

    if (argc < 1 || process_begin())
        return 1;
    log_open("qrexec-policy-exec", LOG_TARGET_SYSTEM);
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'y')
            query.assume_yes_for_ask = true;
        else if (c == 'j')
            query.just_evaluate = true;
        else if (c == 'p' && files.n_dirs < SERVICE_DIRS_MOST)
            files.dirs[files.n_dirs++] = optarg;
        else
            return usage(c == 'h' ? 0 : 2);
    }
    if (argc - optind != 3)
        return usage(2);
    if (paths_init(NULL, PATHS_TOOL) || policy_files_init(&files)) {
        log_error("cannot start: QREXEC_ROOT must be an absolute path");
        return 1;
    }
    query.source = wire_text(argv[optind]);
    query.target = wire_text(argv[optind + 1]);
    query.service = wire_text(argv[optind + 2]);
    if (policy_question_new(&query, &q))
        return 1;
    r = answer(&files, &q);
    policy_question_deinit(&q);
    return r;
}
