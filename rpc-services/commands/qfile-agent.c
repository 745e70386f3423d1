/*
 * qfile-agent FILE...: the sender of qubes.Filecopy as qrexec-client-vm's local program, for who
 * makes the call himself. The answer comes in by stdin, the stream goes out by stdout.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/child.h"
#include "rpc-services/copy-send.h"

#include <signal.h>

static enum copy_progress progress_type(void)
{
    const char *type = getenv("PROGRESS_TYPE");

    if (type && str_equal(type, "gui"))
        return COPY_PROGRESS_GUI;
    return type && str_equal(type, "console") ? COPY_PROGRESS_TEXT : COPY_PROGRESS_NONE;
}

int main(int argc, char **argv)
{
    static struct copy_sender s;
    char **files = argv + 1;
    int r;

    signal(SIGPIPE, SIG_IGN);
    if (process_begin())
        return 1;
    log_open("qfile-agent", LOG_TARGET_STDERR);
    s = COPY_SENDER_NULL;
    if (argc > 1 && str_equal(*files, "--ignore-symlinks")) {
        s.ignore_symlinks = true;
        files++;
    }
    if (argc < 2 || !*files) {
        log_error("usage: qfile-agent [--ignore-symlinks] FILE...");
        return 1;
    }
    s.progress = progress_type();
    s.gui = saved_fd("SAVED_FD_1");
    s.from = STDIN_FILENO;
    s.to = STDOUT_FILENO;
    r = copy_measure(&s, files);
    if (!r)
        r = copy_send(&s, files);
    if (r == COPY_E_DISPLAY)
        return 32;
    if (r == COPY_E_NO_ANSWER)
        log_error("the call ended before the other domain said that all had arrived");
    return r || s.skipped ? 1 : 0;
}
