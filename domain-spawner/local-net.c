/*
 * slirp4netns for a domain: see local-net.h.
 *
 * bubblewrap may nest two user namespaces; the network namespace belongs to the outer one, which
 * no process is in any more. So the owner is asked of the kernel (NS_GET_USERNS), and both go to
 * slirp4netns as descriptors.
 */
#include "domain-spawner/local-net.h"

#include "domain-spawner/local-stage.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

enum { FD_NETNS = 3, FD_USERNS, FD_READY, FD_EXIT, N_FDS };

static int open_namespaces(pid_t init, int *ret_net, int *ret_user)
{
    _cleanup_(closep) int net = -1;
    char path[64];
    int user, r = format(path, sizeof(path), "/proc/%d/ns/net", init);

    if (r)
        return r;
    net = open(path, O_RDONLY | O_CLOEXEC);
    if (net < 0)
        return -errno;
    user = ioctl(net, NS_GET_USERNS);
    if (user < 0)
        return -errno;
    *ret_net = take_fd(&net);
    *ret_user = user;
    return 0;
}

/* slirp4netns opens the paths of its namespaces after it has started: they are its descriptors. */
static char *const arguments[] = {(char *)"slirp4netns",
                                  (char *)"--configure",
                                  (char *)"--mtu=65520",
                                  (char *)"--disable-host-loopback",
                                  (char *)"--enable-seccomp",
                                  (char *)"--ready-fd=5",
                                  (char *)"--exit-fd=6",
                                  (char *)"--userns-path=/proc/self/fd/4",
                                  (char *)"--netns-type=path",
                                  (char *)"/proc/self/fd/3",
                                  (char *)"tap0",
                                  NULL};

static void child_run(const struct net_params *p, const char *program, const int *fds)
{
    static char *const no_env[] = {(char *)"PATH=/usr/bin:/bin", NULL};
    int r = spawn_prepare(fds, N_FDS);

    if (!r)
        r = stage_drop(p->uid);
    if (!r)
        execve(program, arguments, no_env);
    dprintf(STDERR_FILENO, "slirp4netns: cannot start: %s\n", strerror(r ? -r : errno));
    _exit(127);
}

int net_start(const struct net_params *p, pid_t *ret_pid, int *ret_ready, const char **ret_why)
{
    const char *program = stage_find_program("slirp4netns");
    _cleanup_(closep) int net = -1, user = -1, read_end = -1, write_end = -1;
    int ready[2], r;
    pid_t pid;

    *ret_why = "cannot look into the domain's network namespace";
    if (!program) {
        *ret_why = "a network is wanted, but slirp4netns is missing: install it, or set netvm to "
                   "none";
        return -ENOENT;
    }
    if (access("/dev/net/tun", F_OK) < 0) {
        *ret_why = "a network is wanted, but /dev/net/tun is missing: load the module tun, or set "
                   "netvm to none";
        return -ENOENT;
    }
    r = open_namespaces(p->init, &net, &user);
    if (!r && pipe2(ready, O_CLOEXEC) < 0)
        r = -errno;
    if (r)
        return r;
    read_end = ready[0];
    write_end = ready[1];
    pid = fork();
    if (pid == 0) {
        int fds[N_FDS] = {-1, p->log_fd, p->log_fd, net, user, write_end, p->exit_fd};

        child_run(p, program, fds);
    }
    if (pid < 0)
        return -errno;
    *ret_pid = pid;
    *ret_ready = take_fd(&read_end);
    return 0;
}
