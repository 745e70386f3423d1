/* qubes.OpenURL: opens a link that another domain sent, in the default browser. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/child.h"
#include "rpc-services/url.h"

#include <signal.h>

/* A line of at most URL_MAX bytes and white space around it. */
static size_t read_line(char *buf, size_t size)
{
    size_t n = 0;
    ssize_t got;

    while (n < size && (got = read(STDIN_FILENO, buf + n, size - n)) > 0) {
        n += (size_t)got;
        if (memchr(buf, '\n', n))
            break;
    }
    return n;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int main(int argc, char **argv)
{
    static char buf[URL_MAX + 4096];
    char *start = buf, *end, *nl, *open[] = {(char *)"qubes-open", NULL, NULL};
    int r;

    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
    if (fd_open_standard())
        return 1;
    log_open("qubes.OpenURL", LOG_TARGET_STDERR);
    end = buf + read_line(buf, sizeof(buf) - 1);
    nl = memchr(buf, '\n', (size_t)(end - buf));
    end = nl ? nl : end;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    *end = 0;
    if (!url_is_safe(start, (size_t)(end - start))) {
        static const char text[] = "Invalid URL\n";

        (void)write_full(STDERR_FILENO, text, sizeof(text) - 1);
        return 1;
    }
    open[1] = start;
    r = run_program(open, -1, STDERR_FILENO, STDERR_FILENO);
    if (r < 0)
        log_error("cannot start qubes-open: %s", strerror(-r));
    return r < 0 ? 1 : r;
}
