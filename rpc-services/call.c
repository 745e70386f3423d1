/* A call to another domain: see call.h. */
#include "rpc-services/call.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"
#include "rpc-services/child.h"
#include "rpc-services/openinvm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

int call_start(const char *target, const char *service, int in, int out, pid_t *ret_pid)
{
    char *argv[] = {(char *)"qrexec-client-vm", (char *)"--", (char *)target, (char *)service,
                    NULL};
    int fds[3] = {in, out, STDERR_FILENO}, r;
    char path[PATH_SIZE];

    r = find_program(argv[0], path, sizeof(path));
    /* the call is ours: who kills us ends it, and its disposable */
    if (!r)
        r = spawn_process(
            &(struct spawn){
                .path = path, .argv = argv, .fds = fds, .n_fds = 3, .parent_death_signal = SIGTERM},
            ret_pid, NULL);
    if (r)
        log_error("cannot start qrexec-client-vm: %s", strerror(-r));
    return r;
}

/* A process that writes what goes in: the call may end before it has taken all of it. */
static pid_t start_feeder(int to, const void *prefix, size_t n, int from)
{
    pid_t pid = fork();
    int r;

    if (pid)
        return pid;
    signal(SIGPIPE, SIG_DFL);
    /* it may wait for a terminal when its command is killed */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    r = write_full(to, prefix, n);
    if (!r && from >= 0)
        r = copy_all(from, to);
    if (r)
        log_error("not all could be sent: %s", strerror(-r));
    _exit(r ? 1 : 0);
}

int call_run(const char *target, const char *service, const void *prefix, size_t n, int from,
             int out)
{
    int in[2], r, fed;
    pid_t feeder, pid;

    if (pipe2(in, O_CLOEXEC) < 0)
        return -errno;
    r = call_start(target, service, in[0], out, &pid);
    close(in[0]);
    feeder = r ? -1 : start_feeder(in[1], prefix, n, from);
    close(in[1]);
    if (r)
        return r;
    r = spawn_wait(pid);
    /* it may still wait for a terminal: nobody takes its bytes any more */
    if (feeder > 0)
        kill(feeder, SIGKILL);
    fed = feeder > 0 ? spawn_wait(feeder) : 1;
    /* a service that ends early is its own business; input that could not be read is ours */
    return r == 0 && fed == 1 ? -EIO : r;
}
