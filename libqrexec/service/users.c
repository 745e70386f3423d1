/*
 * Users: who runs a command. A process without root's rights runs only its own user's commands, who
 * is logged in already, as in a session. Root's need a login: login.c.
 */
#include "libqrexec/service/service-internal.h"

#include <stdio.h>

int users_find(const struct service *s, struct passwd **ret, char reterr[static SERVICE_TEXT_MAX])
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

const struct service_users service_users_own = {.find = users_find};
