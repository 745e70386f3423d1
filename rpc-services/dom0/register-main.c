/*
 * policy.RegisterArgument+SERVICE. A rule sends the call here from whatever target was asked for,
 * so the target that the caller named is the frontend:
 *
 *     policy.RegisterArgument +SERVICE BACKEND @anyvm allow target=dom0
 *
 * Exit: 0; 1 refused; 2 trouble in here.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/dom0/admin-log.h"
#include "rpc-services/dom0/register-argument.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

/* A secret is for the frontend alone: the log names service and domains, not the argument. */
static int finish(const struct registration *r, int e, char *why)
{
    char path[PATH_SIZE];

    admin_clean(why);
    if (path_get(path, "/var/log/qubes/policy-register.log") == 0)
        admin_log(path, "%.256s: frontend %.64s, backend %.64s: %s%s", r->service ? r->service : "",
                  r->frontend ? r->frontend : "", r->backend ? r->backend : "",
                  e ? "refused: " : "registered", e ? why : "");
    if (e) {
        char line[ADMIN_TEXT_MAX + 8];

        if (format(line, sizeof(line), "%s\n", why) == 0)
            (void)write_full(STDERR_FILENO, line, strlen(line));
    }
    return e > 0 ? 1 : e ? 2 : 0;
}

static int answer(struct registration *r)
{
    _cleanup_(freep) char *payload = NULL;
    char why[ADMIN_TEXT_MAX] = "";
    struct policy_store s;
    int e = store_init(&s);

    if (!e)
        e = admin_read_payload(STDIN_FILENO, REGISTER_ARGUMENT_MAX, &payload, &r->argument_len);
    if (e == -EFBIG)
        e = admin_fail(why, REGISTER_E_REFUSED, "the argument has %d bytes at most",
                       REGISTER_ARGUMENT_MAX);
    else if (e)
        (void)admin_fail(why, e, "cannot read the request: %s", strerror(-e));
    r->argument = payload;
    if (!e)
        e = registration_add(&s, r, why);
    return finish(r, e, why);
}

int main(int argc, char **argv)
{
    struct registration r = {.service = argc > 1 ? argv[1] : NULL,
                             .backend = secure_getenv("QREXEC_REMOTE_DOMAIN"),
                             .target_type = secure_getenv("QREXEC_REQUESTED_TARGET_TYPE"),
                             .frontend = secure_getenv("QREXEC_REQUESTED_TARGET")};

    if (process_begin())
        return 2;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    (void)umask(S_IRWXO);
    log_open("policy-register", LOG_TARGET_SYSTEM);
    if (paths_init(NULL, PATHS_TOOL)) {
        log_error("QREXEC_ROOT is no absolute path");
        return 2;
    }
    return answer(&r);
}
