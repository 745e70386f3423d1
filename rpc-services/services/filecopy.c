/* qubes.Filecopy: takes files of another domain into ~/QubesIncoming/CALLER. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "rpc-services/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

static int open_target(const char *caller, int *ret)
{
    const char *home = getenv("HOME");
    char path[PATH_SIZE];
    int e = home ? format(path, sizeof(path), "%s/QubesIncoming/%s", home, caller) : -ENOENT;

    if (!e)
        e = mkdir_all(path, 0700);
    if (e)
        return e;
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    static struct receiver r = {.in = STDIN_FILENO, .out = STDOUT_FILENO, .dir = -1};
    const char *caller = getenv("QREXEC_REMOTE_DOMAIN");
    int e;

    signal(SIGPIPE, SIG_IGN);
    umask(0);
    if (process_begin())
        return 1;
    log_open("qubes.Filecopy", LOG_TARGET_STDERR);
    if (argc > 2 || (argc == 2 && *argv[1] && !str_equal(argv[1], "allow-all-names"))) {
        log_error("the argument is none, or allow-all-names");
        return 1;
    }
    r.all_names = argc == 2 && *argv[1];
    if (!caller || !*caller || strchr(caller, '/') || caller[0] == '.') {
        log_error("not called by a domain");
        return 1;
    }
    e = open_target(caller, &r.dir);
    if (e) {
        log_error("cannot make ~/QubesIncoming/%s: %s", caller, strerror(-e));
        return 1;
    }
    e = receive(&r) & 0xff;
    close_fd(&r.dir);
    return e;
}
