/*
 * qrexec-policy-exec: one decision, in the words of the policy socket. Exit code 0 for allow, 1
 * otherwise. Where a rule asks, the policy daemon's prompt is used; without it: denied.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/ask-user.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: qrexec-policy-exec [--assume-yes-for-ask] [--just-evaluate] "
            "[--path=DIR]... SOURCE TARGET SERVICE[+ARGUMENT]\n");
    return code;
}

/* The user's choice, waited for. False: no, or nobody to ask. */
static bool ask(const struct policy_domains *d, const struct policy_question *q,
                const struct policy_verdict *asked, char *chosen, size_t size)
{
    static const char descriptor[] = "policy.Ask dom0 name dom0";
    _cleanup_(freep) char *json = ask_user_json(d, q, asked);
    _cleanup_(closep) int fd = -1;
    char path[PATH_SIZE], answer[512];
    size_t n = 0;

    if (!json || !asked->guivm || !str_equal(asked->guivm, "dom0") ||
        path_get(path, "/etc/qubes-rpc/policy.Ask") || unix_connect(path, &fd) ||
        write_full(fd, descriptor, sizeof(descriptor)) || write_full(fd, json, strlen(json)))
        return false;
    shutdown(fd, SHUT_WR);
    while (n < sizeof(answer) && read_full(fd, answer + n, 1) == 0)
        n++;
    return ask_user_answer(answer, n, chosen, size);
}

static int decide(const struct policy_files *files, const struct policy_question *q)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_request rq = policy_question_request(q);
    struct policy_verdict v = {0}, final = {0};
    char chosen[256], text[POLICY_ANSWER_MAX + 1];
    bool yes;
    int r;

    r = system_info_fetch(&d);
    if (r)
        log_error("error getting system info: %s", strerror(-r));
    if (!r)
        r = policy_files_load(files, &p, &error);
    if (!r)
        r = policy_decide(p, d, &rq, &v);
    if (r)
        policy_verdict_deny(&v, POLICY_REASON_NO_MATCH);
    policy_settle(q, &v);
    if (v.action == POLICY_ASK) {
        yes = q->assume_yes ? false : ask(d, q, &v, chosen, sizeof(chosen));
        r = policy_answer_ask(p, d, &rq, &v,
                              q->assume_yes ? v.default_target
                              : yes         ? chosen
                                            : NULL,
                              &final);
        policy_verdict_deinit(&v);
        v = final;
    }
    policy_log_decision(q, &v, error.text ? "error loading policy" : NULL);
    r = policy_answer_text(d, q, &v, text, sizeof(text));
    if (r > 0 && !q->just_evaluate)
        (void)write_full(STDOUT_FILENO, text, (size_t)r);
    r = v.action == POLICY_ALLOW ? 0 : 1;
    policy_verdict_deinit(&v);
    return r;
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
    log_open("qrexec", LOG_TARGET_STDERR);
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
    if (paths_init(NULL, PATHS_TOOL) || policy_files_init(&files))
        return 1;
    query.source = wire_text(argv[optind]);
    query.target = wire_text(argv[optind + 1]);
    query.service = wire_text(argv[optind + 2]);
    if (policy_question_new(&query, &q))
        return 1;
    r = decide(&files, &q);
    policy_question_deinit(&q);
    return r;
}
