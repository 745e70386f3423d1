/* qrexec-policy kept: answers of the user that are kept for a time, and their end. */
#include "libqrexec/base/log.h"
#include "policy-engine/kept-answers.h"
#include "policy-engine/policy-cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static int usage(int code)
{
    fprintf(code ? stderr : stdout, "usage: qrexec-policy kept [--revoke NUMBER | --all]\n"
                                    "  lists the answers that are kept, or revokes one, or all\n");
    return code;
}

static int list(const struct kept_answers *k, uint64_t now)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct kept_answer *a = &k->list[i];

        printf("%" PRIu64 "\t%s%s\t%s\t", a->number, a->service, a->argument, a->about);
        if (a->until)
            printf("%" PRIu64 " s left\n", a->until - now);
        else
            printf("until this machine restarts\n");
    }
    return fflush(stdout) ? 2 : 0;
}

static int end_answers(const char *path, uint32_t number, bool all)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    int lock = -1, r;
    size_t n;

    if (access(path, F_OK) < 0 && all)
        return 0;
    r = kept_answers_lock(path, true, &lock);
    if (!r)
        r = kept_answers_read(path, &k);
    n = r ? 0 : kept_answers_remove(&k, number, all);
    if (!r)
        (void)kept_answers_expire(&k, kept_now());
    if (!r && n)
        r = kept_answers_write(path, &k);
    close_fd(&lock);
    if (r) {
        log_error("cannot change %s: %s", path, strerror(-r));
        return 2;
    }
    if (!n && !all)
        log_error("no answer %u is kept", number);
    return n || all ? 0 : 1;
}

int cmd_kept(int argc, char **argv)
{
    static const struct option longs[] = {{"revoke", required_argument, NULL, 'r'},
                                          {"all", no_argument, NULL, 'a'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    static struct policy_files files;
    char path[4096];
    uint32_t number = 0;
    bool all = false;
    int c, r;

    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'a')
            all = true;
        else if (c != 'r' || parse_u32(optarg, UINT32_MAX, &number) || !number)
            return usage(c == 'h' ? 0 : 2);
    }
    if (optind < argc || (all && number))
        return usage(2);
    if (policy_files_init(&files) || policy_files_kept(&files, path))
        return 2;
    if (all || number)
        return end_answers(path, number, all);
    r = kept_answers_read(path, &k);
    if (r) {
        log_error("cannot read %s: %s", path, strerror(-r));
        return 2;
    }
    (void)kept_answers_expire(&k, kept_now());
    return list(&k, kept_now());
}
