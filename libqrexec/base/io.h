/*
 * Descriptors and sockets: whole reads and writes for one-shot programs, Unix sockets by path,
 * descriptor flags, the clock, and what a program is started with.
 */
#ifndef QREXEC_BASE_IO_H
#define QREXEC_BASE_IO_H

#include "libqrexec/base/util.h"

#include <sys/types.h>

/* Monotonic milliseconds. Deadlines are such times; 0 means none. */
uint64_t clock_ms(void);
/* The same clock in microseconds, for what is measured. */
uint64_t clock_us(void);
/* Microseconds since 1970, for what is recorded. */
uint64_t clock_real_us(void);
/* What is left of a deadline for poll(): -1 none, 0 past. */
int deadline_left(uint64_t deadline);

/* Whether an errno says that descriptors or memory are short: that passes. */
bool errno_is_shortage(int error);

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
bool fd_is_stream_socket(int fd);
/*
 * What a program begins with, whoever starts it: 0, 1 and 2 are open (/dev/null where not), so that
 * no socket lands there; no signal is blocked, and SIGCHLD is not ignored, so that its children's
 * exit codes are its own to hear.
 */
int process_begin(void);

/* Blocking, all n bytes. read_full: 0, -EPIPE at an early end, negative errno. */
int read_full(int fd, void *data, size_t n);
int write_full(int fd, const void *data, size_t n);

/* The same for a descriptor of either kind with a deadline; -ETIMEDOUT. */
int read_full_until(int fd, void *data, size_t n, uint64_t deadline);

#define UNIX_PATH_SIZE 108 /* of a socket's path, with its NUL */

/*
 * A listening Unix stream socket at path, close-on-exec and non-blocking, with that mode from its
 * first moment. A socket that nobody serves any more is replaced; one that somebody does:
 * -EADDRINUSE; what is no socket stays: -EEXIST. -ENAMETOOLONG: over 107 bytes.
 */
int unix_listen(const char *path, mode_t mode, int *ret);

/* Connected, close-on-exec, non-blocking. Negative errno, -EAGAIN where the backlog is full. */
int unix_connect(const char *path, int *ret);
/* The same, and waits while it is; -ETIMEDOUT. For who has nothing else to do. */
int unix_connect_wait(const char *path, unsigned seconds, int *ret);
/* As unix_connect(), from an abstract address of that name, which the peer sees; without it where
 * it is taken.
 */
int unix_connect_from(const char *path, const char *name, int *ret);

/* pid, uid of the peer as the kernel says. */
int unix_peer(int fd, pid_t *ret_pid, uid_t *ret_uid);

/* A whole file of at most max bytes, NUL-terminated; -EFBIG over that. The caller frees. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len);
/* New content by a temporary dotfile beside it, fsync and rename: old or new, never half. */
int file_replace(const char *path, const void *data, size_t n, mode_t mode);
/* All missing directories of path. */
int mkdir_all(const char *path, mode_t mode);
/* Removes a directory and what is in it, without following links. Missing: 0. */
int remove_all(const char *path);
/* Removes path if it is a link to just that; another's stays. */
void link_remove(const char *path, const char *to);

#endif
