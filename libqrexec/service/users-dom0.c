/*
 * Users in dom0: a service runs as who started qrexec-client, unless its settings force another
 * user, which takes root. Accounts come from /etc/passwd and /etc/group themselves: a client that
 * is linked without shared libraries has no name service.
 */
#include "libqrexec/service/service-internal.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>

#define GROUPS_MOST 256

/* As fgetpwent() gives it. NULL and errno: 0 where there is no such user. */
static struct passwd *find_user(const char *name)
{
    FILE *f = fopen("/etc/passwd", "re");
    struct passwd *pw;

    if (!f)
        return NULL;
    do
        pw = fgetpwent(f);
    while (pw && !str_equal(pw->pw_name, name));
    fclose(f);
    if (!pw)
        errno = 0;
    return pw;
}

static bool is_member(const struct group *g, const char *name)
{
    for (char **m = g->gr_mem; m && *m; m++)
        if (str_equal(*m, name))
            return true;
    return false;
}

/* The user's groups, the first of them its own. How many; negative errno. */
static int find_groups(const struct passwd *pw, gid_t ret[static GROUPS_MOST])
{
    FILE *f = fopen("/etc/group", "re");
    struct group *g;
    int n = 1;

    if (!f)
        return -errno;
    ret[0] = pw->pw_gid;
    while (n > 0 && (g = fgetgrent(f)) != NULL)
        if (g->gr_gid != pw->pw_gid && is_member(g, pw->pw_name)) {
            if (n == GROUPS_MOST)
                n = -E2BIG;
            else
                ret[n++] = g->gr_gid;
        }
    fclose(f);
    return n;
}

static int find(const struct service *s, struct passwd **ret, char reterr[static SERVICE_TEXT_MAX])
{
    struct passwd *pw;

    *ret = NULL;
    if (!*s->user)
        return 0;
    pw = find_user(s->user);
    if (!pw) {
        snprintf(reterr, SERVICE_TEXT_MAX, "force-user = '%.200s': %s", s->user,
                 errno ? strerror(errno) : "that user is unknown");
        return SERVICE_E_TROUBLE;
    }
    if (pw->pw_uid != geteuid() && geteuid() != 0) {
        snprintf(reterr, SERVICE_TEXT_MAX,
                 "force-user = '%.200s': only root may run it as that user, this is uid %u",
                 s->user, (unsigned)geteuid());
        return SERVICE_E_TROUBLE;
    }
    *ret = pw;
    return 0;
}

/* In the child. The profile is nobody's here: the environment is that of who started us. */
static bool become(const struct service_users *users, const struct service *s,
                   struct environment *ret)
{
    const struct passwd *pw = *s->user ? find_user(s->user) : NULL;
    gid_t groups[GROUPS_MOST];
    int n;

    (void)users;
    for (char **p = environ; p && *p; p++)
        environment_put(ret, *p);
    if (!*s->user || (pw && pw->pw_uid == geteuid()))
        return true;
    n = pw ? find_groups(pw, groups) : -ENOENT;
    if (n < 0)
        session_fail("user %s: %s", s->user, strerror(-n));
    if (setgroups((size_t)n, groups) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
        session_fail("user %s: %s", s->user, strerror(errno));
    environment_set_user(ret, pw);
    return true;
}

const struct service_users service_users_dom0 = {.find = find, .become = become};
