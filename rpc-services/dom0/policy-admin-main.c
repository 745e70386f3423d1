/*
 * The program behind policy.List, .Get, .Replace, .Remove, .GetFiles and policy.include.*: its own
 * name says which of them is called.
 *
 * Exit: 0; 1 with "TYPE MESSAGE" on stderr for what the caller did wrong; 2 for trouble in here.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/dom0/admin-log.h"
#include "rpc-services/dom0/policy-admin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static int log_path(char buf[static PATH_SIZE])
{
    const char *given = secure_getenv("QREXEC_POLICY_ADMIN_LOG");

    return given && *given ? format(buf, PATH_SIZE, "%s", given)
                           : path_get(buf, "/var/log/qubes/policy-admin.log");
}

static void tell(const char *type, char *why)
{
    char line[ADMIN_TEXT_MAX + 64];

    admin_clean(why);
    if (format(line, sizeof(line), "%s %s\n", type, why) == 0)
        (void)write_full(STDERR_FILENO, line, strlen(line));
}

/* Exit code. */
static int finish(const struct admin_request *request, int r, char *why)
{
    const char *caller = secure_getenv("QREXEC_REMOTE_DOMAIN"), *type = admin_error_name(r);
    const char *argument = request->argument ? request->argument : "";
    char path[PATH_SIZE];

    if (!type)
        type = "trouble:";
    if (log_path(path) == 0)
        admin_log(path, "%s%s%s from %s: %s%s%s", request->service, *argument ? "+" : "", argument,
                  caller && *caller ? caller : "dom0", r ? type : "done", r ? " " : "",
                  r ? why : "");
    if (r)
        tell(type, why);
    return r > 0 ? 1 : r ? 2 : 0;
}

static int answer_request(struct admin_request *request)
{
    struct buf answer = BUF_NULL(ADMIN_PAYLOAD_MAX);
    _cleanup_(freep) char *payload = NULL;
    char why[ADMIN_TEXT_MAX] = "";
    struct policy_store s;
    int r = store_init(&s);

    if (r)
        return finish(request, admin_fail(why, r, "cannot start: %s", strerror(-r)), why);
    r = admin_read_payload(STDIN_FILENO, ADMIN_PAYLOAD_MAX, &payload, &request->len);
    if (r == -EFBIG)
        r = admin_fail(why, ADMIN_E_PROTOCOL, "the payload has %u bytes at most",
                       ADMIN_PAYLOAD_MAX);
    else if (r)
        (void)admin_fail(why, r, "cannot read the request: %s", strerror(-r));
    request->payload = payload;
    if (!r)
        r = admin_handle(&s, request, &answer, why);
    if (!r && buf_len(&answer)) {
        r = write_full(STDOUT_FILENO, buf_data(&answer), buf_len(&answer));
        if (r)
            (void)admin_fail(why, r, "cannot send the answer: %s", strerror(-r));
    }
    buf_deinit(&answer);
    return finish(request, r, why);
}

int main(int argc, char **argv)
{
    const char *name = argc > 0 && argv[0] ? argv[0] : "", *slash = strrchr(name, '/');
    char service[64] = "";
    struct admin_request request = {.service = service, .argument = argc > 1 ? argv[1] : NULL};

    if (process_begin())
        return 2;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error like a full disk */
    (void)umask(S_IRWXO);
    log_open("policy-admin", LOG_TARGET_SYSTEM);
    name = slash ? slash + 1 : name;
    /* /etc/qubes-rpc may have a file for one argument: SERVICE+ARG */
    (void)format(service, sizeof(service), "%.*s", (int)strcspn(name, "+"), name);
    if (paths_init(NULL, PATHS_TOOL)) {
        log_error("QREXEC_ROOT is no absolute path");
        return 2;
    }
    return answer_request(&request);
}
