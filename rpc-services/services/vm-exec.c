/* qubes.VMExec+ARGV, VMExecGUI, VMRootExec: executes an argument vector; no shell sees it. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/vmexec-words.h"

#include <errno.h>

int main(int argc, char **argv)
{
    _cleanup_(freep) char **words = NULL;
    _cleanup_(freep) char *bytes = NULL;

    if (process_begin())
        return 1;
    log_open("qubes.VMExec", LOG_TARGET_STDERR);
    if (argc != 2 || !*argv[1]) {
        log_error("which program? (qubes.VMExec+ARGV)");
        return 1;
    }
    if (vmexec_words(argv[1], &bytes, &words)) {
        log_error("the argument is not an encoded command line");
        return 1;
    }
    execvp(words[0], words);
    log_error("cannot run %s: %s", words[0], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
