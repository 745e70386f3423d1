/*
 * qrexec-policy: questions about the policy. A first word that is no command is a domain: then it
 * is the old form "SOURCE TARGET SERVICE[+ARG]" of qrexec-policy-exec. By the name of an older
 * tool it is that tool.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/domains-file.h"
#include "policy-engine/kept-answers.h"
#include "policy-engine/policy-cli.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"convert", cmd_convert, "the files of R4.0 into lines of today, with the same verdicts"},
    {"coverage", cmd_coverage, "[ext] rules that no test, or no call of the log, used"},
    {"graph", cmd_graph, "who may call whom, for Graphviz"},
    {"test", cmd_test, "[ext] files of expected verdicts, checked"},
    {"eval", cmd_eval, "verdicts for requests on stdin"},
    {"explain", cmd_explain, "why a call is allowed or refused, and what would allow it"},
    {"lint", cmd_lint, "what in the files is wrong, or surely not meant"},
    {"list", cmd_list, "the rules in order of evaluation"},
    {"log", cmd_log, "the decisions that were made, and whether their record is whole [ext]"},
    {"replay", cmd_replay, "what another policy would have said to the calls in the log [ext]"},
    {"kept", cmd_kept, "answers of the user that are kept for a time, and their end [ext]"},
    {"diff", cmd_diff, "[ext] which requests two policies decide differently"},
    {"reach", cmd_reach, "[ext] whether data can get from one domain to another, by any calls"},
    {"who-can", cmd_who_can, "[ext] all that may call, in every world of domains"},
};

static const struct command names[] = {
    {"qrexec-policy-graph", cmd_graph, ""},
    {"qrexec-legacy-convert", cmd_convert, ""},
    {"qubes-policy-lint", cmd_lint_syntax, ""},
};

static int usage(FILE *f, int code)
{
    fprintf(f, "usage: qrexec-policy COMMAND ...\n       qrexec-policy SOURCE TARGET "
               "SERVICE[+ARGUMENT]\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(f, "  %-9s %s\n", commands[i].name, commands[i].what);
    return code;
}

/* One list for getopt: what all commands take, and what this one does. */
static const struct option *join(struct option all[static CLI_LONGS_MAX],
                                 const struct cli_more *more)
{
    static const struct option common[] = {{"policy-dir", required_argument, NULL, 'p'},
                                           {"legacy-dir", required_argument, NULL, 'l'},
                                           {"domains", required_argument, NULL, 'd'},
                                           {"batch", no_argument, NULL, 'b'},
                                           {"help", no_argument, NULL, 'h'}};
    size_t n = ARRAY_SIZE(common);

    memcpy(all, common, sizeof(common));
    for (size_t i = 0; more && more->longs[i].name && n < CLI_LONGS_MAX - 1; i++)
        all[n++] = more->longs[i];
    all[n] = (struct option){0};
    return all;
}

int cli_options(int argc, char **argv, struct cli *c, const char *text)
{
    return cli_options_more(argc, argv, c, text, NULL);
}

int cli_options_more(int argc, char **argv, struct cli *c, const char *text,
                     const struct cli_more *more)
{
    struct option all[CLI_LONGS_MAX];
    const struct option *longs = join(all, more);
    size_t n = 0;
    int o;

    while ((o = getopt_long(argc, argv, more && more->words ? "-h" : "h", longs, NULL)) != -1) {
        bool own = o == 1 || o >= CLI_OWN;

        if (o == 'h' || o == '?' || (o == 'p' && n == CLI_DIRS_MAX) ||
            (own && !more->on_option(more->user, o, optarg))) {
            fprintf(o == 'h' ? stdout : stderr, "usage: qrexec-policy %s\n", text);
            return o == 'h' ? CLI_END : 2;
        }
        if (o == 'p')
            c->dirs[n++] = optarg;
        else if (o == 'l')
            c->legacy_dir = optarg;
        else if (o == 'd')
            c->domains_file = optarg;
        else if (o == 'b')
            c->batch = true;
    }
    if (!n && (path_get(c->default_dirs[0], "/run/qubes/policy.d") ||
               path_get(c->default_dirs[1], "/etc/qubes/policy.d") ||
               path_get(c->kept_path, "/run/qubes/policy.d/" KEPT_FILE)))
        return 1;
    if (!n) {
        c->kept.path = c->kept_path;
        /* /run's is there only when something was put into it */
        if (access(c->default_dirs[0], F_OK) == 0)
            c->dirs[n++] = c->default_dirs[0];
        c->dirs[n++] = c->default_dirs[1];
    }
    if (!c->legacy_dir && path_get(c->default_dirs[2], "/etc/qubes-rpc/policy") == 0)
        c->legacy_dir = c->default_dirs[2];
    return 0;
}

struct policy_source cli_source(const struct cli *c)
{
    return (struct policy_source){.dirs = c->dirs,
                                  .legacy_dir = c->legacy_dir,
                                  .files = c->kept.path ? &c->kept : NULL,
                                  .n_files = c->kept.path ? 1 : 0};
}

int cli_domains(const struct cli *c, struct policy_domains **ret)
{
    _cleanup_(freep) char *error = NULL;
    int r;

    if (c->domains_file) {
        r = domains_file_read(c->domains_file, ret, &error);
        if (r)
            log_error("%s", error ? error : "out of memory");
        return r ? 1 : 0;
    }
    r = system_info_fetch(ret);
    if (r)
        log_error(
            "cannot learn the domains from the domain spawner: %s (is it running? --domains FILE "
            "takes them from a file)",
            strerror(-r));
    return r ? 1 : 0;
}

static int run(const struct command *c, int argc, char **argv)
{
    int r = c->run(argc, argv);

    return r == CLI_END ? 0 : r;
}

static const struct command *find(const struct command *list, size_t n, const char *name)
{
    const char *slash = strrchr(name, '/');

    for (size_t i = 0; i < n; i++)
        if (str_equal(slash ? slash + 1 : name, list[i].name))
            return &list[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct command *c;
    char path[PATH_SIZE];
    int r = process_begin();

    signal(SIGPIPE, SIG_IGN);
    log_open("qrexec-policy", LOG_TARGET_STDERR);
    if (!r)
        r = paths_init(NULL, PATHS_TOOL);
    if (r) {
        log_error("cannot start: %s (QREXEC_ROOT must be an absolute path)", strerror(-r));
        return 1;
    }
    c = find(names, ARRAY_SIZE(names), argc ? argv[0] : "");
    if (c)
        return run(c, argc, argv);
    if (argc < 2)
        return usage(stderr, 2);
    if (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"))
        return usage(stdout, 0);
    c = strchr(argv[1], '/') ? NULL : find(commands, ARRAY_SIZE(commands), argv[1]);
    if (c)
        return run(c, argc - 1, argv + 1);
    if (path_program(path, PATH_BIN, "qrexec-policy-exec") == 0)
        execv(path, argv);
    log_error("\"%s\" is no command, and %s cannot be run: %s", argv[1], path, strerror(errno));
    return usage(stderr, 2);
}
