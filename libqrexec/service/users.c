/*
 * Users: who runs a command, and their login.
 *
 * In a VM with root's rights that is a login: PAM's session, groups, user, home. The process that
 * opened the session stays until the program has ended and closes it again; it holds none of the
 * program's streams, and passes its exit code on. A process without root's rights runs only its
 * own user's commands, who is logged in already; in a session there is no login either.
 */
#include "libqrexec/service/service-internal.h"

#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <grp.h>
#include <security/pam_appl.h>
#include <stdio.h>

#define PAM_STACK    "qrexec"
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

static int find_user(const struct service *s, struct passwd **ret,
                     char reterr[static SERVICE_TEXT_MAX])
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
        session_fail("user %s: %s", pw->pw_name, strerror(errno));
}

static void become_groups(const struct passwd *pw)
{
    if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0)
        session_fail("groups of %s: %s", pw->pw_name, strerror(errno));
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
        session_fail("PAM: %s: %s", what, pam_strerror(pam, r));
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

static void login_with_pam(const struct passwd *pw, struct environment *e)
{
    pam_handle_t *pam = pam_login(pw);
    pid_t pid;

    pam_environment(pam, e);
    pid = fork();
    if (pid < 0)
        session_fail("fork: %s", strerror(errno));
    if (pid > 0)
        pam_wait(pam, pid);
}

static void login(const struct passwd *pw, struct environment *e)
{
    environment_set(e, "PATH", DEFAULT_PATH);
    if (pam_is_set_up())
        login_with_pam(pw, e);
    else
        become_groups(pw);
    set_transport(e);
    become_user(pw);
}

const struct service_users service_users_pam = {.find = find_user, .login = login};
