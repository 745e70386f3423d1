/*
 * qubes-policy-lint: the syntax of single policy files, line by line; includes are not followed.
 *
 * Each file is loaded alone, in a source of memory where every path that it names is an empty file
 * or directory. So what is judged is exactly what a load would judge, without what it would read.
 */
#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "policy-engine/policy-cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define FILE_MAX   (16U << 20)
#define DIR_NAME   "/qubes-policy-lint"
#define FIVE_NAME  DIR_NAME "/qubes-policy-lint-.policy"
#define THREE_NAME DIR_NAME "/qubes-policy-lint-"
#define WRAPPER    "!include-service any.Service * qubes-policy-lint-\n"

struct job {
    bool show_line, three;
};

/* ---- The files that a file names ---- */

struct paths {
    struct policy_file *files;
    size_t n, cap;
};

static void paths_deinit(struct paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        free((char *)p->files[i].path);
    free(p->files);
}

static int paths_add(struct paths *p, const char *path, const char *content, size_t len)
{
    if (!path)
        return -ENOMEM;
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        struct policy_file *files = reallocarray(p->files, cap, sizeof(*files));

        if (!files) {
            free((char *)path);
            return -ENOMEM;
        }
        p->files = files;
        p->cap = cap;
    }
    p->files[p->n++] = (struct policy_file){.path = path, .content = content, .len = len};
    return 0;
}

static void replace(char *text, const char *old, char new)
{
    size_t n = strlen(old);

    for (char *at = text; (at = strstr(at, old));) {
        *at = new;
        memmove(at + 1, at + n, strlen(at + n) + 1);
    }
}

/* To single blanks where the engine sees blanks, Unicode's too; three columns in its words. */
static void make_plain(char *line, bool three)
{
    static const char *const blanks[] = {
        "\t",           "\v",           "\f",           "\x1c",         "\x1d",
        "\x1e",         "\x1f",         "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
        "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
        "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89",
        "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
        "\xe3\x80\x80"};

    for (size_t i = 0; i < ARRAY_SIZE(blanks); i++)
        replace(line, blanks[i], ' ');
    if (three) {
        replace(line, ",", ' ');
        replace(line, "$", '@');
    }
}

/* The last word of an include is a path: an empty file is there, or a directory with one. */
static int paths_add_named(struct paths *p, char *line, bool three)
{
    const char *path = NULL, *word;
    char *rest = line;
    bool dir;

    make_plain(line, three);
    rest += strspn(rest, " ");
    dir = str_starts(rest, "!include-dir");
    if (three && str_starts(rest, "@include:"))
        rest += strlen("@include:");
    else if (str_starts(rest, "!include"))
        (void)strsep(&rest, " ");
    else
        return 0;
    while ((word = strsep(&rest, " ")))
        if (*word)
            path = word;
    if (!path)
        return 0;
    return paths_add(
        p, format_new("%s%s%s", path[0] == '/' ? "" : DIR_NAME "/", path, dir ? "/a.policy" : ""),
        "", 0);
}

static int collect(struct paths *p, const char *text, bool three)
{
    _cleanup_(freep) char *copy = strdup(text);
    char *rest = copy, *line;
    int r = copy ? 0 : -ENOMEM;

    while (!r && (line = strsep(&rest, "\r\n")))
        r = paths_add_named(p, line, three);
    return r;
}

/* ---- Judging ---- */

/* Line number n, without its end. */
static const char *line_at(const char *text, unsigned n, size_t *ret_len)
{
    while (--n && *text) {
        text += strcspn(text, "\r\n");
        text += text[0] == '\r' && text[1] == '\n' ? 2 : *text != 0;
    }
    *ret_len = strcspn(text, "\r\n");
    return text;
}

static void print_findings(const struct job *job, const char *name, const char *own,
                           const char *text, const struct policy_findings *f, bool *ret_any)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct policy_finding *x = &f->list[i];
        const char *line;
        size_t len = 0;

        if (!str_equal(x->file, own))
            continue;
        *ret_any = true;
        line = x->line ? line_at(text, x->line, &len) : "";
        printf("%s:%u: error: %s%s%.*s\n", name, x->line, x->text, job->show_line ? ": " : "",
               job->show_line ? (int)len : 0, line);
    }
}

static int judge(const struct job *job, const char *name, const char *text, size_t n, bool *ret_any)
{
    static const char *const dirs[] = {DIR_NAME, NULL};
    _cleanup_(policy_findings_deinit) struct policy_findings f = {0};
    _cleanup_(paths_deinit) struct paths p = {0};
    const char *own = job->three ? THREE_NAME : FIVE_NAME;
    struct policy_source source = {
        .dirs = dirs, .legacy_dir = DIR_NAME "/legacy", .files_only = true};
    int r = paths_add(&p, strdup(own), text, n);

    if (!r && job->three)
        r = paths_add(&p, strdup(FIVE_NAME), WRAPPER, strlen(WRAPPER));
    if (!r)
        r = paths_add(&p, strdup(DIR_NAME "/legacy/.none"), "", 0);
    if (!r)
        r = collect(&p, text, job->three);
    source.files = p.files;
    source.n_files = p.n;
    if (!r)
        r = policy_lint_errors(&source, &f);
    if (!r)
        print_findings(job, name, own, text, &f, ret_any);
    return r;
}

static int read_stdin(char **ret, size_t *ret_n)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(FILE_MAX);
    ssize_t n;
    int r;

    while ((n = buf_read_fd(&b, STDIN_FILENO, 65536)) > 0)
        continue;
    r = n < 0 ? (int)n : buf_append(&b, "", 1);
    if (r)
        return r;
    *ret_n = buf_len(&b) - 1;
    *ret = (char *)take(b.data); /* nothing was consumed, so it starts there */
    return 0;
}

/* 0, 1: findings, 2: it could not be read; the others are judged all the same. */
static int lint_file(const struct job *job, const char *path)
{
    bool is_stdin = str_equal(path, "-"), any = false;
    _cleanup_(freep) char *text = NULL;
    size_t n = 0;
    int r = is_stdin ? read_stdin(&text, &n) : file_read(path, FILE_MAX, &text, &n);

    if (!r)
        r = judge(job, is_stdin ? "<stdin>" : path, text, n, &any);
    if (r)
        log_error("cannot check %s: %s", path, strerror(-r));
    return r ? 2 : any;
}

int cmd_lint_syntax(int argc, char **argv)
{
    static const struct option longs[] = {{"show-line", no_argument, NULL, 's'},
                                          {"include-service", no_argument, NULL, 'i'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct job job = {0};
    int o, r = 0;

    while ((o = getopt_long(argc, argv, "sih", longs, NULL)) != -1) {
        if (o == 's')
            job.show_line = true;
        else if (o == 'i')
            job.three = true;
        else
            break;
    }
    if (o != -1 || optind == argc) {
        fprintf(o == 'h' ? stdout : stderr,
                "usage: qubes-policy-lint [-s|--show-line] [-i|--include-service] FILE...|-\n");
        return o == 'h' ? CLI_END : 2;
    }
    for (; optind < argc; optind++) {
        int one = lint_file(&job, argv[optind]);

        r = one > r ? one : r;
    }
    return fflush(stdout) ? 2 : r;
}
