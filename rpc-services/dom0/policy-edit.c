/* Editing one policy file: see policy-edit.h. */
#include "rpc-services/dom0/policy-edit.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "rpc-services/child.h"
#include "rpc-services/dom0/policy-check.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>

static const char *prefix_of(const struct policy_name *name)
{
    return name->include ? "include/" : "";
}

/* Splits token and content; the file may be missing. */
static int get(struct policy_edit *e)
{
    _cleanup_(freep) char *answer = NULL;
    char why[ADMIN_TEXT_MAX] = "";
    const char *end;
    size_t n = 0;
    int r = policy_call("Get", &e->name, NULL, NULL, 0, &answer, &n, why);

    if (r == ADMIN_E_NOT_FOUND) {
        e->before = strdup("");
        return e->before ? format(e->token, sizeof(e->token), "new") : -ENOMEM;
    }
    end = r ? NULL : memchr(answer, '\n', n);
    if (!r && (!end || !token_parse(answer, (size_t)(end - answer), e->token)))
        r = admin_fail(why, -EPROTO, "policy.Get answered without a token");
    if (r) {
        log_error("%s", why);
        return r;
    }
    e->before_len = n - (size_t)(end + 1 - answer);
    memmove(answer, end + 1, e->before_len);
    e->before = take(answer);
    return 0;
}

/* A directory of its own, so that what an editor lays beside the file is private too. */
static int lay_down(struct policy_edit *e)
{
    const char *tmp = getenv("TMPDIR");
    int r = -ENAMETOOLONG;

    if (tmp && *tmp == '/')
        r = format(e->dir, sizeof(e->dir), "%s/qubes-policy.XXXXXX", tmp);
    if (r)
        r = format(e->dir, sizeof(e->dir), "/tmp/qubes-policy.XXXXXX");
    if (!r && !mkdtemp(e->dir)) {
        r = -errno;
        e->dir[0] = 0;
    }
    if (!r)
        r = format(e->file, sizeof(e->file), "%s/%s%s", e->dir, e->name.name,
                   e->name.include ? "" : ".policy");
    if (!r)
        r = file_replace(e->file, e->before, e->before_len, 0600);
    if (r)
        log_error("cannot make a file to edit in %s: %s", *e->dir ? e->dir : "/tmp", strerror(-r));
    return r;
}

int policy_edit_init(struct policy_edit *e, const struct policy_name *name)
{
    struct policy_edit made = {.name = *name};

    if (get(&made) || lay_down(&made)) {
        policy_edit_deinit(&made, false);
        return 1;
    }
    *e = made;
    return 0;
}

void policy_edit_deinit(struct policy_edit *e, bool keep)
{
    if (*e->dir && keep)
        log_info("your text was not installed; it is in %s", e->file);
    else if (*e->dir)
        (void)remove_all(e->dir);
    free(e->before);
    free(e->text);
    *e = (struct policy_edit){0};
}

/* The words of the editor's command and the file, for g_strfreev(); NULL: the user was told. */
static char **editor_words(const char *file)
{
    const char *text = getenv("VISUAL");
    GError *error = NULL;
    char **words = NULL, **all;
    int n = 0;

    if (!text || !*text)
        text = getenv("EDITOR");
    if (!text || !*text)
        text = "vi";
    if (!g_shell_parse_argv(text, &n, &words, &error)) {
        log_error("cannot understand the editor \"%s\": %s (VISUAL, EDITOR)", text, error->message);
        g_error_free(error);
        return NULL;
    }
    all = g_new0(char *, (size_t)n + 2);
    for (int i = 0; i < n; i++)
        all[i] = words[i];
    all[n] = g_strdup(file);
    g_free(words);
    return all;
}

/* While another program has the terminal, its ^C is not for us. */
static int run_in_front(char *const *argv, const char *dir)
{
    static const int fds[3] = {0, 1, 2};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    char path[PATH_SIZE];
    pid_t pid;
    int r = find_program(argv[0], path, sizeof(path));

    if (r)
        return r;
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    r = spawn_process(
        &(struct spawn){.path = path, .argv = argv, .fds = fds, .n_fds = 3, .dir = dir}, &pid,
        NULL);
    if (!r)
        r = spawn_wait(pid);
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    return r;
}

int policy_edit_run_editor(struct policy_edit *e)
{
    char **words = editor_words(e->file);
    int r = -1;

    if (!words)
        return -1;
    r = run_in_front(words, NULL);
    if (r < 0)
        log_error("cannot start the editor %s: %s (set VISUAL or EDITOR)", words[0], strerror(-r));
    else if (r)
        log_error("the editor %s ended with code %d", words[0], r);
    g_strfreev(words);
    return r ? -1 : 0;
}

int policy_edit_read(struct policy_edit *e)
{
    char *text = NULL;
    size_t n = 0;
    int r = file_read(e->file, ADMIN_CONTENT_MAX, &text, &n);

    if (r) {
        log_error("cannot read what the editor left, %s: %s", e->file, strerror(-r));
        return -1;
    }
    free(e->text);
    e->text = text;
    e->text_len = n;
    return 0;
}

bool policy_edit_is_changed(const struct policy_edit *e)
{
    return !e->text || e->text_len != e->before_len || memcmp(e->text, e->before, e->text_len) != 0;
}

/* Of a file that nobody includes: does its first rule have the action as third word? */
static bool looks_like_three_columns(const char *text)
{
    bool three = false, rule = false;
    char **lines = g_strsplit(text, "\n", -1);

    for (size_t i = 0; lines[i] && !rule; i++) {
        char **words;
        size_t n = 0;
        const char *word[3] = {"", "", ""};

        g_strdelimit(g_strstrip(lines[i]), ",", ' ');
        words = g_strsplit_set(lines[i], " \t", -1);
        for (size_t k = 0; words[k] && n < 3; k++)
            if (*words[k])
                word[n++] = words[k];
        rule = n && word[0][0] != '#' && word[0][0] != '!';
        three = rule && (str_starts(word[0], "$include:") || str_equal(word[2], "allow") ||
                         str_equal(word[2], "deny") || str_equal(word[2], "ask"));
        g_strfreev(words);
    }
    g_strfreev(lines);
    return three;
}

static enum columns columns_of(const struct policy_edit *e)
{
    struct policy_store s;
    enum columns c = COLUMNS_FIVE;

    if (!e->name.include)
        return c;
    c = store_init(&s) ? COLUMNS_UNKNOWN : policy_include_columns(&s, e->name.name);
    if (c == COLUMNS_UNKNOWN)
        c = looks_like_three_columns(e->text) ? COLUMNS_THREE : COLUMNS_FIVE;
    return c;
}

bool policy_edit_lint(const struct policy_edit *e)
{
    enum columns columns = columns_of(e);
    _cleanup_(freep) char *file = format_new("./%s", strrchr(e->file, '/') + 1);
    char *five[] = {(char *)"qubes-policy-lint", file, NULL};
    char *three[] = {(char *)"qubes-policy-lint", (char *)"-i", file, NULL};
    int r;

    if (!file || columns == COLUMNS_BOTH)
        return true; /* two formats: the check of the whole policy will tell */
    (void)fflush(stdout);
    r = run_in_front(columns == COLUMNS_THREE ? three : five, e->dir);
    if (r == 1)
        return false;
    if (r > 0)
        log_warning("qubes-policy-lint failed with code %d; going on without it", r);
    return true;
}

int policy_edit_install(const struct policy_edit *e)
{
    char why[ADMIN_TEXT_MAX] = "";
    int r = policy_call("Replace", &e->name, e->token, e->text, e->text_len, NULL, NULL, why);

    if (r == ADMIN_E_TOKEN)
        log_error("somebody else changed %s%s meanwhile: %s", prefix_of(&e->name), e->name.name,
                  why);
    else if (r)
        log_error("%s%s was not changed: %s", prefix_of(&e->name), e->name.name, why);
    return r;
}
