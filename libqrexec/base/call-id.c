/* The id of a call: see call-id.h. */
#include "libqrexec/base/call-id.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PREFIX "qrexec-call/"

static const char *const suffixes[] = {[CALL_ID_POLICY] = "/policy", [CALL_ID_TARGET] = "/target"};

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool call_id_is_valid(const char *id)
{
    size_t n = 0;

    while (n < CALL_ID_SIZE && is_id_char(id[n]))
        n++;
    return n > 0 && n < CALL_ID_SIZE && !id[n];
}

/* The digits of v in front of end; where they begin. */
static char *digits(char *end, uint64_t v, unsigned base)
{
    do
        *--end = "0123456789abcdefghijklmnopqrstuvwxyz"[v % base];
    while (v /= base);
    return end;
}

void call_id_make(char ret[static CALL_ID_SIZE], const char *name, uint64_t start, uint64_t number)
{
    char tail[48], *at = tail + sizeof(tail) - 1;
    size_t n = 0, len;

    *at = 0;
    at = digits(at, number, 10);
    *--at = '.';
    at = digits(at, start, 36);
    *--at = '-';
    len = strlen(at) + 1;
    for (; name[n] && n < CALL_ID_SIZE - len; n++)
        ret[n] = is_id_char(name[n]) ? name[n] : '_';
    memcpy(ret + n, at, len);
}

uint64_t call_id_clock(void)
{
    return clock_real_us() / 1000;
}

int call_id_connect(const char *path, const char *id, enum call_id_to to, int *ret)
{
    char name[sizeof(PREFIX) + CALL_ID_SIZE + 8];

    if (!*id || format(name, sizeof(name), PREFIX "%s%s", id, suffixes[to]))
        return unix_connect(path, ret);
    return unix_connect_from(path, name, ret);
}

/* n: of the whole address, as the kernel gave it. */
static void read_address(const struct sockaddr_un *a, size_t n, enum call_id_to to,
                         char ret[static CALL_ID_SIZE])
{
    size_t head = strlen(PREFIX), tail = strlen(suffixes[to]);
    const char *name = a->sun_path + 1;
    char id[CALL_ID_SIZE];

    if (n <= offsetof(struct sockaddr_un, sun_path) + 1 || n > sizeof(*a) || a->sun_path[0])
        return;
    n -= offsetof(struct sockaddr_un, sun_path) + 1;
    if (n <= head + tail || n - head - tail >= sizeof(id) || memcmp(name, PREFIX, head) != 0 ||
        memcmp(name + n - tail, suffixes[to], tail) != 0)
        return;
    n -= head + tail;
    memcpy(id, name + head, n);
    id[n] = 0;
    if (strlen(id) == n && call_id_is_valid(id))
        memcpy(ret, id, n + 1);
}

int call_id_accept(int listener, enum call_id_to to, char ret_id[static CALL_ID_SIZE])
{
    struct sockaddr_un a = {.sun_family = AF_UNSPEC};
    socklen_t n = sizeof(a);
    int fd = accept4(listener, (struct sockaddr *)&a, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return -errno;
    ret_id[0] = 0;
    if (a.sun_family == AF_UNIX)
        read_address(&a, n, to, ret_id);
    return fd;
}
