/*
 * Becoming the user of a command, in the child that will run it.
 *
 * In a VM with root's rights that is a login: PAM's session, groups, user, home. The process that
 * opened the session stays until the program has ended and closes it again; it holds none of the
 * program's streams, and passes its exit code on. A process without root's rights runs only its
 * own user's commands; in a session and in dom0 there is no login.
 */
#include "libqrexec/service/service-internal.h"

#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <grp.h>
#include <security/pam_appl.h>
#include <stdarg.h>
#include <stdio.h>

#define PAM_STACK    "qrexec"
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

/* Gives the parent the reason, and ends. */
static _Noreturn void fail(const char *fmt, ...) _printf_(1, 2);
static _Noreturn void fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vdprintf(SESSION_REPORT_FD, fmt, ap);
    va_end(ap);
    _exit(SERVICE_E_TROUBLE);
}

int session_user(const struct service *s, struct passwd **ret, char reterr[static SERVICE_TEXT_MAX])
{
    struct passwd *pw;

    *ret = NULL;
    if (!*s->user && s->place != SERVICE_PLACE_VM) {
        *ret = getpwuid(geteuid()); /* for its shell; may be unknown */
        return 0;
    }
    pw = getpwnam(s->user);
    if (!pw) {
        snprintf(reterr, SERVICE_TEXT_MAX, "user %.200s is unknown", s->user);
        return SERVICE_E_TROUBLE;
    }
    if (pw->pw_uid != geteuid() && (geteuid() != 0 || s->place != SERVICE_PLACE_VM)) {
        snprintf(reterr, SERVICE_TEXT_MAX, "user %.200s: this process may not run commands as them",
                 s->user);
        return SERVICE_E_TROUBLE;
    }
    *ret = pw;
    return 0;
}

/* "-bash": how a shell knows that it is a login's. */
static char *login_name(const char *shell)
{
    const char *slash = strrchr(shell, '/');

    return format_new("-%s", slash ? slash + 1 : shell);
}

static void exec_shell(const struct service *s, const struct passwd *pw, char **envp)
{
    const char *own = getenv("SHELL");
    const char *shell = pw && *pw->pw_shell ? pw->pw_shell : "/bin/sh";
    char *argv[] = {NULL, (char *)"-c", s->words.command, NULL};

    if (s->place == SERVICE_PLACE_VM) {
        argv[0] = login_name(shell);
    } else {
        if (s->place == SERVICE_PLACE_DOM0)
            shell = "/bin/bash";
        else if (own && *own)
            shell = own;
        argv[0] = (char *)shell;
    }
    execve(shell, argv, envp);
    fail("%s: %s", shell, strerror(errno));
}

/* Nothing of the service's words is seen by the shell but as a parameter. */
static void exec_program(const struct service *s, char **envp)
{
    char *argument = s->words.argument && *s->words.argument ? s->words.argument : NULL;
    char *direct[] = {(char *)s->path, argument, NULL};
    char *login[] = {(char *)"sh", (char *)"-l",    (char *)"-c", (char *)"exec \"$@\"",
                     (char *)"sh", (char *)s->path, argument,     NULL};

    if (s->place == SERVICE_PLACE_VM)
        execve("/bin/sh", login, envp);
    else
        execve(s->path, direct, envp);
    fail("%s: %s", s->path, strerror(errno));
}

static _Noreturn void become_program(const struct session_exec *x, struct environment *base)
{
    const struct service *s = x->service;
    struct environment e = {0};

    environment_build(&e, s, base->list, x->agent);
    for (const char *const *more = x->how->env; more && *more; more++)
        environment_put(&e, *more);
    if (e.failed || base->failed)
        fail("no memory");
    if (x->how->new_session && setsid() < 0 && errno != EPERM)
        fail("setsid: %s", strerror(errno));
    if (s->place == SERVICE_PLACE_VM && chdir(x->pw->pw_dir) < 0 && chdir("/") < 0)
        fail("%s: %s", x->pw->pw_dir, strerror(errno));
    if (s->kind == SERVICE_SHELL)
        exec_shell(s, x->pw, e.list);
    else
        exec_program(s, e.list);
    fail("nothing to run");
}

static void set_login(struct environment *e, const struct passwd *pw)
{
    environment_set(e, "HOME", pw->pw_dir);
    environment_set(e, "SHELL", *pw->pw_shell ? pw->pw_shell : "/bin/sh");
    environment_set(e, "USER", pw->pw_name);
    environment_set(e, "LOGNAME", pw->pw_name);
}

/* A root's agent does not pass its own environment on, but for where the transport is. */
static void set_transport(struct environment *e)
{
    static const char *const names[] = {"VCHAN_DOMAIN", "VCHAN_SOCKET_DIR", "QREXEC_SERVICE_PATH"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (getenv(names[i]))
            environment_set(e, names[i], getenv(names[i]));
}

static void become_user(const struct passwd *pw)
{
    if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
        fail("user %s: %s", pw->pw_name, strerror(errno));
}

static void become_groups(const struct passwd *pw)
{
    if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0)
        fail("groups of %s: %s", pw->pw_name, strerror(errno));
}

static bool pam_is_set_up(void)
{
    return access("/etc/pam.d/" PAM_STACK, R_OK) == 0 ||
           access("/usr/lib/pam.d/" PAM_STACK, R_OK) == 0;
}

/* Nobody is there to answer. */
static int no_answers(int n, const struct pam_message **msg, struct pam_response **ret, void *data)
{
    (void)n;
    (void)msg;
    (void)ret;
    (void)data;
    return PAM_CONV_ERR;
}

static void pam_check(pam_handle_t *pam, int r, const char *what)
{
    if (r != PAM_SUCCESS)
        fail("PAM: %s: %s", what, pam_strerror(pam, r));
}

static pam_handle_t *pam_login(const struct passwd *pw)
{
    static const struct pam_conv conv = {.conv = no_answers};
    pam_handle_t *pam = NULL;

    pam_check(pam, pam_start(PAM_STACK, pw->pw_name, &conv, &pam), "start");
    pam_check(pam, pam_authenticate(pam, PAM_SILENT), "authentication");
    become_groups(pw);
    pam_check(pam, pam_setcred(pam, PAM_ESTABLISH_CRED | PAM_SILENT), "credentials");
    pam_check(pam, pam_open_session(pam, PAM_SILENT), "session");
    return pam;
}

static void pam_environment(pam_handle_t *pam, struct environment *e)
{
    char **list = pam_getenvlist(pam);

    for (char **p = list; p && *p; p++) {
        environment_put(e, *p);
        free(*p);
    }
    free(list);
}

/* Holds no stream of the program, so that its end is its own. */
static _Noreturn void pam_wait(pam_handle_t *pam, pid_t pid)
{
    const int none[] = {-1, -1, -1};
    int code;

    if (spawn_prepare(none, ARRAY_SIZE(none)))
        _exit(SERVICE_E_TROUBLE);
    code = spawn_wait(pid);
    (void)pam_close_session(pam, PAM_SILENT);
    (void)pam_setcred(pam, PAM_DELETE_CRED | PAM_SILENT);
    (void)pam_end(pam, PAM_SUCCESS);
    _exit(code < 0 ? SERVICE_E_TROUBLE : code);
}

static void login_with_pam(const struct session_exec *x, struct environment *e)
{
    pam_handle_t *pam = pam_login(x->pw);
    pid_t pid;

    pam_environment(pam, e);
    pid = fork();
    if (pid < 0)
        fail("fork: %s", strerror(errno));
    if (pid > 0)
        pam_wait(pam, pid);
}

static void login_as_root(const struct session_exec *x, struct environment *e)
{
    environment_set(e, "PATH", DEFAULT_PATH);
    if (pam_is_set_up())
        login_with_pam(x, e);
    else
        become_groups(x->pw);
    set_transport(e);
    become_user(x->pw);
}

_Noreturn void session_run(const struct session_exec *x)
{
    struct environment base = {0};

    if (x->service->place == SERVICE_PLACE_VM && geteuid() == 0) {
        login_as_root(x, &base);
    } else {
        for (char **p = environ; p && *p; p++)
            environment_put(&base, *p);
    }
    if (x->service->place == SERVICE_PLACE_VM)
        set_login(&base, x->pw);
    become_program(x, &base);
}
