/*
 * qvm-copy-to-vm and qvm-move-to-vm in dom0. qvm-run starts the domain where it does not run, and
 * carries the call. In dom0 qvm-copy and qvm-move only say what to use.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "libqrexec/base/spawn.h"
#include "rpc-services/copy-command.h"

#include <signal.h>

static int start(const char *target, const char *service, int in, int out, pid_t *ret)
{
    char path[PATH_SIZE];
    char *argv[] = {path,
                    (char *)"--quiet",
                    (char *)"--pass-io",
                    (char *)"--no-gui",
                    (char *)"--service",
                    (char *)"--",
                    (char *)target,
                    (char *)service,
                    NULL};
    int fds[3] = {in, out, STDERR_FILENO}, r = path_program(path, PATH_BIN, "qvm-run");

    if (!r)
        r = spawn_process(
            &(struct spawn){
                .path = path, .argv = argv, .fds = fds, .n_fds = 3, .parent_death_signal = SIGTERM},
            ret, NULL);
    if (r)
        log_error("cannot start %s: %s", path, strerror(-r));
    return r;
}

int main(int argc, char **argv)
{
    static const struct copy_side side = {.usage_code = 2, .start = start};

    if (process_begin())
        return 1;
    if (paths_init(NULL, PATHS_TOOL)) {
        log_error("QREXEC_ROOT is no absolute path");
        return 1;
    }
    return copy_command(argc, argv, &side);
}
