/*
 * qrexec-policy-exec: one decision, in the words of the policy socket. Exit code 0 for allow, 1
 * otherwise. Where a rule asks, the policy daemon's prompt is used; without it: denied.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/loop.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/ask-user.h"
#include "policy-engine/guivm-call.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

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
    bool refused, chosen;
    char choice[256];
};

static void on_prompt(struct guivm_call *c, bool ok)
{
    struct waiting *w = container_of(c, struct waiting, call);

    w->refused = ok && ask_user_refused(buf_data(&c->in), buf_len(&c->in));
    w->chosen =
        ok && ask_user_answer(buf_data(&c->in), buf_len(&c->in), w->choice, sizeof(w->choice));
    loop_quit(0);
}

/* The choice; NULL: the user said no; "": nobody answered so that it counts. */
static const char *ask(const struct policy_domains *d, const struct policy_question *q,
                       const struct policy_verdict *asked)
{
    static struct waiting w;
    _cleanup_(freep) char *json = ask_user_json(d, q, asked);
    int r = json ? loop_init() : -ENOMEM;

    w.call.fn = on_prompt;
    if (!r)
        r = guivm_call_start(&w.call, asked->guivm, "policy.Ask", json);
    if (!r)
        (void)loop_run();
    else
        log_warning("nobody can be asked in %s (%s)", asked->guivm, strerror(-r));
    guivm_call_stop(&w.call);
    return w.refused ? NULL : w.chosen ? w.choice : "";
}

/* An ask becomes an allow or a denial. */
static int carry_out_ask(const struct policy *p, const struct policy_domains *d,
                         const struct policy_question *q, struct policy_verdict *v)
{
    struct policy_request rq = policy_question_request(q);
    struct policy_verdict final = {0};
    const char *choice;
    int r;

    if (v->action != POLICY_ASK)
        return 0;
    if (!v->guivm && !q->assume_yes) {
        policy_verdict_deny(v, POLICY_REASON_NO_GUIVM);
        return 0;
    }
    choice = policy_assumed_choice(v);
    if (!q->assume_yes)
        choice = ask(d, q, v);
    else if (!choice)
        choice = "";
    r = policy_answer_ask(p, d, &rq, v, choice, &final);
    if (r)
        return r;
    policy_verdict_deinit(v);
    *v = final;
    return 0;
}

static int decide(const struct policy_files *files, const struct policy_question *q,
                  struct policy_domains **ret_domains, struct policy **ret_policy,
                  struct policy_verdict *ret)
{
    struct policy_request rq = policy_question_request(q);
    _cleanup_(freep) char *error = NULL;
    int r = policy_files_load(files, ret_policy, &error);

    if (r) {
        policy_log_trouble(q, LOG_POLICY, error);
        return r;
    }
    r = system_info_fetch(ret_domains);
    if (r) {
        policy_log_trouble(q, LOG_SYSTEM_INFO, strerror(-r));
        return r;
    }
    r = policy_decide(*ret_policy, *ret_domains, &rq, ret);
    if (!r) {
        policy_settle(q, ret);
        r = carry_out_ask(*ret_policy, *ret_domains, q, ret);
    }
    if (r)
        policy_log_trouble(q, "denied", strerror(-r));
    else
        policy_log_decision(q, ret);
    return r;
}

/* Whatever failed: denied. */
static int answer(const struct policy_files *files, const struct policy_question *q)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_verdict_deinit) struct policy_verdict v = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    char text[POLICY_ANSWER_MAX + 1];
    int n;

    if (decide(files, q, &d, &p, &v)) {
        policy_verdict_deinit(&v);
        v.action = POLICY_DENY;
    }
    n = policy_answer_text(d, q, &v, text, sizeof(text));
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

    if (argc < 1 || fd_open_standard())
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
