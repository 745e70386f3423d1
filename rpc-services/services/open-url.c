/* qubes.OpenURL: opens a link that another domain sent, in the default browser. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/child.h"
#include "rpc-services/url.h"

#include <errno.h>
#include <signal.h>

/* Up to the end of the line or the stream. False: neither of them came within size bytes. */
static bool read_line(char *buf, size_t size, size_t *ret)
{
    size_t n = 0;
    ssize_t got = 1;
    char *nl = NULL;

    while (!nl && got > 0 && n < size) {
        got = read(STDIN_FILENO, buf + n, size - n);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            n += (size_t)got;
        nl = memchr(buf, '\n', n);
    }
    *ret = nl ? (size_t)(nl - buf) : n;
    return nl || got == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int main(int argc, char **argv)
{
    static char buf[URL_MAX + 4096];
    char *start = buf, *end, *open[] = {(char *)"qubes-open", NULL, NULL};
    bool whole;
    size_t n;
    int r;

    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
    if (process_begin())
        return 1;
    log_open("qubes.OpenURL", LOG_TARGET_STDERR);
    whole = read_line(buf, sizeof(buf) - 1, &n);
    end = buf + n;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    *end = 0;
    if (!whole || !url_is_safe(start, (size_t)(end - start))) {
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
