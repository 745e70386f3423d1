/* Calls of the policy.* services: see policy-client.h. */
#include "rpc-services/dom0/policy-client.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "rpc-services/dom0/admin-log.h"
#include "rpc-services/dom0/policy-admin.h"

#include <errno.h>
#include <sys/mman.h>

/* stdin, stdout and stderr of the service: files in memory, so that neither waits for the other. */
struct streams {
    int fds[3];
};

static void streams_deinit(struct streams *s)
{
    for (size_t i = 0; i < 3; i++)
        close_fd(&s->fds[i]);
}

static int streams_init(struct streams *s, const char *token, const char *content, size_t len)
{
    int r = 0;

    for (size_t i = 0; i < 3; i++) {
        s->fds[i] = memfd_create("policy-call", MFD_CLOEXEC);
        if (s->fds[i] < 0)
            return -errno;
    }
    if (token)
        r = write_full(s->fds[0], token, strlen(token));
    if (!r && content)
        r = write_full(s->fds[0], "\n", 1);
    if (!r && content)
        r = write_full(s->fds[0], content, len);
    return r ? r : lseek(s->fds[0], 0, SEEK_SET) < 0 ? -errno : 0;
}

static int read_back(int fd, char **ret, size_t *ret_len)
{
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    return admin_read_payload(fd, ADMIN_PAYLOAD_MAX, ret, ret_len);
}

bool policy_name_parse(const char *text, struct policy_name *ret)
{
    static const char prefix[] = "include/", suffix[] = ".policy";
    struct policy_name p = {.include = str_starts(text, prefix)};
    const char *name = text + (p.include ? strlen(prefix) : 0);
    size_t n = strlen(name), cut = strlen(suffix);

    if (n > cut && str_equal(name + n - cut, suffix))
        n -= cut;
    if (format(p.name, sizeof(p.name), "%.*s", (int)size_min(n, 4096), name))
        return false;
    *ret = p;
    return true;
}

static int start(const char *service, const char *argument, const struct streams *s, pid_t *ret,
                 char reterr[static ADMIN_TEXT_MAX])
{
    char path[PATH_SIZE];
    char *argv[] = {path, *argument ? (char *)argument : NULL, NULL};
    struct spawn spawn = {.path = path, .argv = argv, .fds = s->fds, .n_fds = 3};
    int r = path_get(path, "/etc/qubes-rpc/%s", service);

    if (!r)
        r = spawn_process(&spawn, ret, NULL);
    return r ? admin_fail(reterr, r, "cannot start %s: %s", path, strerror(-r)) : 0;
}

/* "TYPE MESSAGE" as the service prints it: the number of TYPE, and MESSAGE alone. */
static int understand(int code, const char *said, char reterr[static ADMIN_TEXT_MAX])
{
    size_t n = strcspn(said, "\n");

    for (int e = 1; code == 1 && admin_error_name(e); e++) {
        size_t len = strlen(admin_error_name(e));

        if (str_starts(said, admin_error_name(e)) && said[len] == ' ')
            return admin_fail(reterr, e, "%.*s", (int)(n - len - 1), said + len + 1);
    }
    return admin_fail(reterr, -EIO, "%.*s (exit code %d)", (int)size_min(n, ADMIN_TEXT_MAX), said,
                      code);
}

static int finish(const struct streams *s, pid_t pid, char **ret, size_t *ret_len,
                  char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(freep) char *out = NULL, *said = NULL;
    size_t n = 0, n_said = 0;
    int code = spawn_wait(pid), r = code < 0 ? code : read_back(s->fds[2], &said, &n_said);

    if (!r && code)
        return understand(code, said, reterr);
    if (!r)
        r = read_back(s->fds[1], &out, &n);
    if (r)
        return admin_fail(reterr, r, "cannot read the answer: %s", strerror(-r));
    if (ret) {
        *ret = take(out);
        *ret_len = n;
    }
    return 0;
}

int policy_call(const char *verb, const struct policy_name *name, const char *token,
                const char *content, size_t len, char **ret, size_t *ret_len,
                char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(streams_deinit) struct streams s = {{-1, -1, -1}};
    char service[64];
    pid_t pid;
    int r = format(service, sizeof(service), "policy.%s%s", name->include ? "include." : "", verb);

    if (!r)
        r = streams_init(&s, token, content, len);
    if (r)
        return admin_fail(reterr, r, "cannot prepare the request: %s", strerror(-r));
    r = start(service, name->name, &s, &pid, reterr);
    return r ? r : finish(&s, pid, ret, ret_len, reterr);
}
