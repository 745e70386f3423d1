/* The qrexec-daemon of a domain: see guest-daemon.h. */
#include "domain-spawner/guest-daemon.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

struct words {
    char program[PATH_SIZE], root[PATH_SIZE + 8], domid[16];
    char notify[PATH_SIZE + 16], vchan[PATH_SIZE + 32], transport[32], limit[64];
};

static int fill(struct words *w, const struct domain_spec *spec, uint32_t domid,
                const char *transport, const char *notify)
{
    int r = path_program(w->program, PATH_SBIN, "qrexec-daemon");

    if (!r)
        r = format(w->root, sizeof(w->root), "--root=%s", paths_root());
    if (!r)
        r = format(w->domid, sizeof(w->domid), "%u", domid);
    if (!r)
        r = format(w->notify, sizeof(w->notify), "NOTIFY_SOCKET=%s", notify);
    if (!r)
        r = format(w->vchan, sizeof(w->vchan), "VCHAN_SOCKET_DIR=%s/run/vchan", paths_root());
    if (!r)
        r = format(w->transport, sizeof(w->transport), "QREXEC_TRANSPORT=%s", transport);
    /* the backend keeps the domain's deadline, and tells why */
    return r ? r
             : format(w->limit, sizeof(w->limit), "QREXEC_STARTUP_TIMEOUT=%u",
                      spec->start_seconds + 60);
}

static bool is_ours(const char *entry)
{
    static const char *const ours[] = {"NOTIFY_SOCKET=", "VCHAN_",  "QREXEC_TRANSPORT=",
                                       "QREXEC_ROOT=",   "LISTEN_", "QREXEC_STARTUP_"};

    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (str_starts(entry, ours[i]))
            return true;
    return false;
}

/* Our environment, which dom0's services get from the daemon, and these; the caller frees. */
static char **environment(char *const *own, size_t n_own)
{
    size_t n = 0, k = 0;
    char **env;

    while (environ && environ[n])
        n++;
    env = calloc(n + n_own + 1, sizeof(*env));
    for (size_t i = 0; env && i < n; i++)
        if (!is_ours(environ[i]))
            env[k++] = environ[i];
    for (size_t i = 0; env && i < n_own; i++)
        env[k++] = own[i];
    return env;
}

static int log_path(const struct domain_spec *spec, const char *prefix, char path[static PATH_SIZE])
{
    return path_get(path, "/var/log/qubes/%s%s.log", prefix, spec->name);
}

static int open_log(const struct domain_spec *spec, int *ret)
{
    char path[PATH_SIZE];
    int r = path_get(path, "/var/log/qubes");

    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = log_path(spec, "qrexec.", path);
    if (r)
        return r;
    *ret = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
    return *ret < 0 ? -errno : 0;
}

int guest_daemon_start(const struct domain_spec *spec, uint32_t domid, const char *transport,
                       const char *notify, pid_t *ret)
{
    struct words w;
    char *const own[] = {w.notify, w.vchan, w.transport, w.limit, (char *)"VCHAN_DOMAIN=0"};
    char *const argv[] = {(char *)"qrexec-daemon",
                          (char *)"-D",
                          w.root,
                          (char *)"-u",
                          (char *)spec->uuid,
                          w.domid,
                          (char *)spec->name,
                          (char *)spec->default_user,
                          NULL};
    _cleanup_(freep) char **env = environment(own, ARRAY_SIZE(own));
    _cleanup_(closep) int log = -1;
    int r = env ? fill(&w, spec, domid, transport, notify) : -ENOMEM;

    if (!r)
        r = open_log(spec, &log);
    if (!r) {
        const int fds[] = {-1, log, log};
        struct spawn s = {.path = w.program,
                          .argv = argv,
                          .envp = env,
                          .fds = fds,
                          .n_fds = ARRAY_SIZE(fds),
                          .new_session = true,
                          .parent_death_signal = SIGTERM};

        r = spawn_process(&s, ret, NULL);
    }
    return r;
}

bool guest_daemon_is_ready(int notify_fd)
{
    char text[256];
    ssize_t n = recv(notify_fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    if (n <= 0)
        return false;
    text[n] = 0;
    return str_starts(text, "READY=1") || strstr(text, "\nREADY=1");
}

size_t guest_daemon_next_wait(size_t wait)
{
    return wait ? size_min(2 * wait, DAEMON_WAIT_MAX) : DAEMON_WAIT_MS;
}

static void forget_file(const char *name, uint32_t domid, const char *suffix)
{
    char path[PATH_SIZE];

    if (path_get(path, "/run/qubes/%s.%u%s", name, domid, suffix) == 0)
        (void)unlink(path);
}

static void forget_link(const char *prefix, const char *name, uint32_t domid, const char *suffix)
{
    char path[PATH_SIZE], to[32];

    if (path_get(path, "/run/qubes/qrexec.%s%s%s", prefix, name, suffix) == 0 &&
        format(to, sizeof(to), "qrexec.%u", domid) == 0)
        link_remove(path, to);
}

/*
 * Its sockets are left by one that was killed, and what it was about to rename (":new"); its
 * ports-file.c cannot tell its own end.
 */
void guest_daemon_forget(const struct domain_spec *spec, uint32_t domid)
{
    static const char *const suffixes[] = {"", ":new"};

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        forget_file("ports", domid, suffixes[i]);
        forget_link("", spec->name, domid, suffixes[i]);
        forget_link("uuid:", spec->uuid, domid, suffixes[i]);
    }
    forget_file("qrexec-calls", domid, "");
    forget_file("qrexec", domid, "");
}

void guest_logs_remove(const struct domain_spec *spec)
{
    char path[PATH_SIZE];

    if (log_path(spec, "guest-", path) == 0)
        (void)unlink(path);
    if (log_path(spec, "qrexec.", path) == 0)
        (void)unlink(path);
}
