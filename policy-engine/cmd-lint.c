/*
 * qrexec-policy lint: every error of the files, or, where they load, what is surely wrong in them.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/policy-cli.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#define USAGE                                                                                      \
    "lint [--format=text|gcc|json] [--services DIR]... [--policy-dir DIR]... [--legacy-dir DIR]\n" \
    "     [--domains FILE]\n"                                                                      \
    "exit code 0: nothing found; 1: findings; 2: lint itself failed"

enum { O_FORMAT = CLI_OWN, O_SERVICES };
enum format { TEXT, GCC, JSON };

#define DIRS_MAX 16

struct lint_job {
    struct cli cli;
    enum format format;
    const char *services[DIRS_MAX];
    size_t n_services;
    char **known; /* services of those directories; allocated */
    size_t n_known, cap;
};

static bool take_option(void *user, int o, const char *value)
{
    static const char *const formats[] = {[TEXT] = "text", [GCC] = "gcc", [JSON] = "json"};
    struct lint_job *job = user;

    if (o == O_SERVICES && job->n_services < DIRS_MAX) {
        job->services[job->n_services++] = value;
        return true;
    }
    for (size_t i = 0; o == O_FORMAT && i < ARRAY_SIZE(formats); i++)
        if (str_equal(value, formats[i])) {
            job->format = (enum format)i;
            return true;
        }
    return false;
}

/* ---- Installed services ---- */

static int add_known(struct lint_job *job, const char *name)
{
    if (job->n_known == job->cap) {
        size_t cap = job->cap ? job->cap * 2 : 64;
        char **known = reallocarray(job->known, cap, sizeof(*known));

        if (!known)
            return -ENOMEM;
        job->known = known;
        job->cap = cap;
    }
    job->known[job->n_known] = strndup(name, strcspn(name, "+"));
    return job->known[job->n_known] ? job->n_known++, 0 : -ENOMEM;
}

static int read_services(struct lint_job *job, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    int r = 0;

    if (!dir)
        return -errno;
    while (!r && (errno = 0, e = readdir(dir)))
        if (e->d_name[0] != '.' && e->d_type != DT_DIR)
            r = add_known(job, e->d_name);
    if (!r)
        r = -errno;
    closedir(dir);
    return r;
}

/* The default directory may be missing, one that was named may not. */
static int find_services(struct lint_job *job)
{
    char path[PATH_SIZE];
    int r = path_get(path, "/etc/qubes-rpc");

    if (!r)
        r = read_services(job, path);
    if (r == -ENOENT || r == -EACCES)
        r = 0;
    for (size_t i = 0; !r && i < job->n_services; i++) {
        r = read_services(job, job->services[i]);
        if (r)
            log_error("cannot read the services in %s: %s", job->services[i], strerror(-r));
    }
    return r ? 2 : 0;
}

/* ---- Findings ---- */

static int print_json(const struct policy_findings *f, const char *severity)
{
    json_t *list = json_array();
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; !r && i < f->n; i++) {
        json_t *o =
            json_pack("{s:s%, s:I, s:s, s:s%}", "file", f->list[i].file, strlen(f->list[i].file),
                      "line", (json_int_t)f->list[i].line, "severity", severity, "message",
                      f->list[i].text, strlen(f->list[i].text));

        r = !o || json_array_append_new(list, o) ? -ENOMEM : 0;
    }
    if (!r && json_dumpf(list, stdout, JSON_INDENT(1)) < 0)
        r = -EIO;
    json_decref(list);
    printf("\n");
    return r ? 2 : 0;
}

static int print_findings(const struct lint_job *job, const struct policy_findings *f,
                          const char *severity)
{
    bool gcc = job->format == GCC;

    if (job->format == JSON)
        return print_json(f, severity);
    for (size_t i = 0; i < f->n; i++) {
        if (f->list[i].line)
            printf("%s:%u: ", f->list[i].file, f->list[i].line);
        else
            printf("%s:%s ", f->list[i].file, gcc ? "1:" : "");
        printf("%s%s%s\n", gcc ? severity : "", gcc ? ": " : "", f->list[i].text);
    }
    return 0;
}

static int lint_loaded(const struct lint_job *job, const struct policy *p)
{
    _cleanup_(policy_findings_deinit) struct policy_findings f = {0};
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    int r = cli_domains(&job->cli, &d);

    if (r && job->cli.domains_file)
        return 2;
    if (r)
        log_warning("names, tags and networks of domains are not checked");
    r = policy_lint(p, d, &f);
    if (!r)
        r = policy_lint_services(p, (const char *const *)job->known, job->n_known, &f);
    if (r) {
        log_error("cannot check the policy: %s", strerror(-r));
        return 2;
    }
    r = print_findings(job, &f, "warning");
    return r ? r : f.n > 0;
}

static int lint(struct lint_job *job)
{
    _cleanup_(policy_findings_deinit) struct policy_findings errors = {0};
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    _cleanup_(policy_unrefp) struct policy *p = NULL;
    struct policy_source source = cli_source(&job->cli);
    int r = policy_load(&source, &p, &error);

    if (!r)
        return lint_loaded(job, p);
    if (r > 0)
        r = policy_lint_errors(&source, &errors);
    if (r < 0) {
        log_error("cannot read the policy: %s", strerror(-r));
        return 2;
    }
    r = print_findings(job, &errors, "error");
    if (fflush(stdout))
        r = 2;
    log_error("the policy does not load, so every call is denied until this is mended");
    return r ? r : 1;
}

int cmd_lint(int argc, char **argv)
{
    static const struct option longs[] = {{"format", required_argument, NULL, O_FORMAT},
                                          {"services", required_argument, NULL, O_SERVICES},
                                          {0}};
    struct lint_job job = {0};
    int r = cli_options_more(
        argc, argv, &job.cli, USAGE,
        &(struct cli_more){.longs = longs, .on_option = take_option, .user = &job});

    if (!r && optind != argc) {
        fprintf(stderr, "usage: qrexec-policy " USAGE "\n");
        return 2;
    }
    if (!r)
        r = find_services(&job);
    if (!r)
        r = lint(&job);
    for (size_t i = 0; i < job.n_known; i++)
        free(job.known[i]);
    free(job.known);
    return fflush(stdout) ? 2 : r;
}
