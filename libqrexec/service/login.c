/*
 * Logging in: see login.h.
 *
 * The profile is read by a login shell that prints its environment and mask; a program gets both
 * and starts without a shell. Commands for a shell get a login shell each, since a profile may also
 * set what no environment carries: functions, options.
 */
#include "libqrexec/service/login.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/service/service-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define PAM_STACK    "qrexec"
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
#define PROFILE_MAX  (1U << 20) /* bytes of an environment */
#define PROFILE_FD   3
/* The mask, then the environment, past whatever the profile prints. */
#define PROFILE_COMMAND "umask >&3 && exec env -0 >&3"

struct login {
    struct service_users users; /* first: login_users() */
    struct passwd pw;           /* strings are ours */
    pam_handle_t *pam;          /* NULL: no stack is set up */
    struct environment base;    /* what every command of this login gets */
    struct environment profile; /* base after the profile */
    bool has_profile, tried_profile;
    mode_t mask;
};

static struct login *login_of(const struct service_users *users)
{
    return (struct login *)(uintptr_t)users;
}

/* root's own environment is not passed on, but for where the transport is. */
static void set_transport(struct environment *e)
{
    static const char *const names[] = {"VCHAN_DOMAIN", "VCHAN_SOCKET_DIR", "QREXEC_SERVICE_PATH"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (getenv(names[i]))
            environment_set(e, names[i], getenv(names[i]));
}

/* ---- PAM ---- */

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

static int pam_check(struct login *l, int r, const char *what, char *reterr)
{
    if (r == PAM_SUCCESS)
        return 0;
    snprintf(reterr, SERVICE_TEXT_MAX, "user %.100s: PAM: %s: %.200s", l->pw.pw_name, what,
             pam_strerror(l->pam, r));
    return SERVICE_E_TROUBLE;
}

static int take_groups(const struct passwd *pw, char *reterr)
{
    if (initgroups(pw->pw_name, pw->pw_gid) == 0 &&
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == 0)
        return 0;
    snprintf(reterr, SERVICE_TEXT_MAX, "groups of user %.200s: %s", pw->pw_name, strerror(errno));
    return SERVICE_E_TROUBLE;
}

/* Groups come before the credentials, which may add to them. */
static int open_pam(struct login *l, char *reterr)
{
    static const struct pam_conv conv = {.conv = no_answers};
    int r = pam_check(l, pam_start(PAM_STACK, l->pw.pw_name, &conv, &l->pam), "start", reterr);

    if (!r)
        r = pam_check(l, pam_authenticate(l->pam, PAM_SILENT), "authentication", reterr);
    if (!r)
        r = take_groups(&l->pw, reterr);
    if (!r)
        r = pam_check(l, pam_setcred(l->pam, PAM_ESTABLISH_CRED | PAM_SILENT), "credentials",
                      reterr);
    if (!r)
        r = pam_check(l, pam_open_session(l->pam, PAM_SILENT), "session", reterr);
    return r;
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

/* ---- The profile ---- */

static _Noreturn void run_profile(const struct login *l, int out)
{
    const char *const argv[] = {"sh", "-l", "-c", PROFILE_COMMAND, NULL};
    const int fds[] = {-1, -1, -1, out};

    if (spawn_prepare(fds, ARRAY_SIZE(fds)) || setsid() < 0 ||
        setresuid(l->pw.pw_uid, l->pw.pw_uid, l->pw.pw_uid) < 0)
        _exit(1);
    if (chdir(l->pw.pw_dir) == 0 || chdir("/") == 0)
        execve("/bin/sh", (char *const *)(uintptr_t)argv, l->base.list);
    _exit(1);
}

/* All that it prints. Negative errno. */
static int read_profile(int fd, struct buf *ret)
{
    uint64_t deadline = clock_ms() + LOGIN_PROFILE_MS;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;
        int r = poll(&p, 1, deadline_left(deadline));

        if (r == 0)
            return -ETIMEDOUT;
        n = r > 0 ? buf_read_fd(ret, fd, 4096) : -errno;
        if (n == 0 || (n < 0 && n != -EINTR && n != -EAGAIN))
            return (int)n;
    }
}

/* Of no meaning to what comes after the shell. */
static bool is_shells_own(const char *pair)
{
    return str_starts(pair, "_=") || str_starts(pair, "SHLVL=") || str_starts(pair, "OLDPWD=");
}

/* "0022\n", then NAME=VALUE, each with a NUL behind it. */
static int take_profile(struct login *l, const struct buf *b)
{
    const char *text = (const char *)buf_data(b), *end = text + buf_len(b), *p;
    char *rest = NULL;
    unsigned long mask;

    if (!buf_len(b) || end[-1] != 0)
        return -EBADMSG;
    mask = strtoul(text, &rest, 8);
    if (rest == text || *rest != '\n' || mask > 0777)
        return -EBADMSG;
    for (p = rest + 1; p < end; p += strlen(p) + 1)
        if (!is_shells_own(p))
            environment_put(&l->profile, p);
    l->mask = (mode_t)mask;
    return l->profile.failed || !environment_get(&l->profile, "PATH") ? -EBADMSG : 0;
}

void login_read_profile(struct login *l)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(PROFILE_MAX);
    int fds[2], r, code = 0;
    pid_t pid;

    if (l->tried_profile)
        return;
    l->tried_profile = true;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    pid = fork();
    if (pid == 0)
        run_profile(l, fds[1]);
    close(fds[1]);
    r = pid < 0 ? -errno : read_profile(fds[0], &b);
    close(fds[0]);
    if (pid > 0 && r)
        (void)kill(-pid, SIGKILL);
    if (pid > 0)
        code = spawn_wait(pid);
    if (!r)
        r = code ? -EBADMSG : take_profile(l, &b);
    l->has_profile = !r;
    if (r)
        log_warning("user %s: the profile is read for each call: %s", l->pw.pw_name,
                    r == -EBADMSG ? "its shell does not say its environment" : strerror(-r));
}

/* ---- Commands ---- */

static bool become(const struct service_users *users, const struct service *s,
                   struct environment *ret)
{
    const struct login *l = login_of(users);
    bool ready = l->has_profile && s->kind == SERVICE_PROGRAM;
    const struct environment *e = ready ? &l->profile : &l->base;

    for (char **p = e->list; p && *p; p++)
        environment_put(ret, *p);
    if (ready)
        (void)umask(l->mask);
    if (setresuid(l->pw.pw_uid, l->pw.pw_uid, l->pw.pw_uid) < 0)
        session_fail("user %s: %s", l->pw.pw_name, strerror(errno));
    return ready;
}

const struct service_users *login_users(const struct login *l)
{
    return &l->users;
}

/* ---- Its life ---- */

static int copy_user(const char *user, struct passwd *ret)
{
    const struct passwd *pw = getpwnam(user);

    if (!pw)
        return -ENOENT;
    *ret = (struct passwd){.pw_uid = pw->pw_uid,
                           .pw_gid = pw->pw_gid,
                           .pw_name = strdup(pw->pw_name),
                           .pw_dir = strdup(pw->pw_dir),
                           .pw_shell = strdup(pw->pw_shell)};
    return ret->pw_name && ret->pw_dir && ret->pw_shell ? 0 : -ENOMEM;
}

int login_open(const char *user, struct login **ret, char reterr[static SERVICE_TEXT_MAX])
{
    struct login *l = calloc(1, sizeof(*l));
    int r = l ? copy_user(user, &l->pw) : -ENOMEM;

    if (r) {
        snprintf(reterr, SERVICE_TEXT_MAX, "user %.200s %s", user,
                 r == -ENOENT ? "is unknown" : "cannot log in: no memory");
        login_close(l);
        return SERVICE_E_TROUBLE;
    }
    l->users = (struct service_users){.find = users_find, .become = become};
    environment_set(&l->base, "PATH", DEFAULT_PATH);
    r = pam_is_set_up() ? open_pam(l, reterr) : take_groups(&l->pw, reterr);
    if (r) {
        login_close(l);
        return r;
    }
    if (l->pam)
        pam_environment(l->pam, &l->base);
    set_transport(&l->base);
    environment_set_user(&l->base, &l->pw);
    *ret = l;
    return 0;
}

/* Closing what was not opened is an error to PAM, and none to us. */
void login_close(struct login *l)
{
    if (!l)
        return;
    if (l->pam) {
        (void)pam_close_session(l->pam, PAM_SILENT);
        (void)pam_setcred(l->pam, PAM_DELETE_CRED | PAM_SILENT);
        (void)pam_end(l->pam, PAM_SUCCESS);
    }
    environment_deinit(&l->base);
    environment_deinit(&l->profile);
    free(l->pw.pw_name);
    free(l->pw.pw_dir);
    free(l->pw.pw_shell);
    free(l);
}
