/*
 * Becoming the program of a command, in the child that will run it: its environment, its shell.
 * Becoming its user before that is login.c's, in a VM with root's rights.
 */
#include "libqrexec/service/service-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

_Noreturn void session_fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vdprintf(SESSION_REPORT_FD, fmt, ap);
    va_end(ap);
    _exit(SERVICE_E_TROUBLE);
}

/* "-bash": how a shell knows that it is a login's. */
static char *login_name(const char *shell)
{
    const char *slash = strrchr(shell, '/');

    return format_new("-%s", slash ? slash + 1 : shell);
}

static void exec_shell(const struct service *s, const struct passwd *pw, bool login, char **envp)
{
    const char *own = getenv("SHELL");
    const char *shell = pw && *pw->pw_shell ? pw->pw_shell : "/bin/sh";
    char *argv[] = {NULL, (char *)"-c", s->words.command, NULL};

    if (s->place == SERVICE_PLACE_DOM0)
        shell = "/bin/bash";
    else if (s->place == SERVICE_PLACE_SESSION && own && *own)
        shell = own;
    argv[0] = login ? login_name(shell) : (char *)shell;
    execve(shell, argv, envp);
    session_fail("%s: %s", shell, strerror(errno));
}

/*
 * Nothing of the service's words is seen by the shell but as a parameter. A file without "#!" is
 * for the shell in any case.
 */
static void exec_program(const struct service *s, bool login, char **envp)
{
    char *argument = s->words.argument && *s->words.argument ? s->words.argument : NULL;
    char *direct[] = {(char *)s->path, argument, NULL};
    char *by_login[] = {(char *)"sh", (char *)"-l",    (char *)"-c", (char *)"exec \"$@\"",
                        (char *)"sh", (char *)s->path, argument,     NULL};
    char *by_shell[] = {(char *)"sh", (char *)s->path, argument, NULL};

    if (login)
        execve("/bin/sh", by_login, envp);
    else
        execve(s->path, direct, envp);
    if (errno == ENOEXEC)
        execve("/bin/sh", by_shell, envp);
    session_fail("%s: %s", s->path, strerror(errno));
}

static _Noreturn void become_program(const struct session_exec *x, bool login,
                                     struct environment *base)
{
    const struct service *s = x->service;
    struct environment e = {0};

    environment_build(&e, s, base->list, x->agent);
    for (const char *const *more = x->how->env; more && *more; more++)
        environment_put(&e, *more);
    if (e.failed || base->failed)
        session_fail("no memory");
    if (x->how->new_session && setsid() < 0 && errno != EPERM)
        session_fail("setsid: %s", strerror(errno));
    if (s->place == SERVICE_PLACE_VM && chdir(x->pw->pw_dir) < 0 && chdir("/") < 0)
        session_fail("%s: %s", x->pw->pw_dir, strerror(errno));
    if (s->kind == SERVICE_SHELL)
        exec_shell(s, x->pw, login, e.list);
    else
        exec_program(s, login, e.list);
    session_fail("nothing to run");
}

_Noreturn void session_run(const struct session_exec *x)
{
    const struct service_users *users = x->how->users;
    bool by_login = users && users->become;
    struct environment base = {0};

    if (by_login) {
        by_login = !users->become(users, x->service, &base);
    } else {
        for (char **p = environ; p && *p; p++)
            environment_put(&base, *p);
        if (x->service->place == SERVICE_PLACE_VM)
            environment_set_user(&base, x->pw);
    }
    become_program(x, by_login, &base);
}
