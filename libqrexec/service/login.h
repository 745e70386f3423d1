/*
 * A user's login session, in a VM with root's rights: PAM's session, groups, home, and what the
 * login shell's profile sets. It is open in the calling process and holds for its children, so the
 * commands of one user share it.
 */
#ifndef QREXEC_SERVICE_LOGIN_H
#define QREXEC_SERVICE_LOGIN_H

#include "libqrexec/service/service.h"

struct login;

/*
 * Logs in: this process gets the user's groups and stays root. 0, or SERVICE_E_TROUBLE and a
 * reason. Where no PAM stack "qrexec" is set up, there is no PAM session.
 */
int login_open(const char *user, struct login **ret, char reterr[static SERVICE_TEXT_MAX]);
void login_close(struct login *l);
/*
 * Reads the profile, once: without it each program is started through a login shell of its own.
 * Waits for the profile, at most LOGIN_PROFILE_MS.
 */
void login_read_profile(struct login *l);
#define LOGIN_PROFILE_MS 10000

/* For service_start() in children of this process. */
const struct service_users *login_users(const struct login *l);

/*
 * A number that changes when what a login depends on has changed: accounts, PAM, profiles; home may
 * be NULL.
 */
uint64_t login_stamp(const char *home);

#endif
