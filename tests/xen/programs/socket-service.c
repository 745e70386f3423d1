/*
 * socket-service PATH: a service that is a Unix socket. Each connection gets back what it sends.
 */
#include "libqrexec/base/io.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

static void echo(int fd)
{
    char data[4096];
    ssize_t n;

    while ((n = read(fd, data, sizeof(data))) > 0)
        if (write_full(fd, data, (size_t)n))
            return;
}

int main(int argc, char **argv)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int listener, fd;

    if (argc != 2 || format(a.sun_path, sizeof(a.sun_path), "%s", argv[1]))
        return 2;
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    (void)unlink(a.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        listen(listener, 16) < 0) {
        perror(argv[1]);
        return 1;
    }
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (fork() == 0) {
            echo(fd);
            _exit(0);
        }
        close(fd);
    }
    return 1;
}
