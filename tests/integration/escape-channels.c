/* Ways out of a domain by sockets, networks, memory, keys, terminals and vchans. See escape.h. */
#include "tests/integration/escape.h"

#include "libqrexec/base/io.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>

static bool can_connect(const char *path)
{
    int fd;
    bool out = unix_connect(path, &fd) == 0;

    if (out)
        close(fd);
    return out;
}

static bool connect_below(const char *name)
{
    char path[600], here[600];

    return format(path, sizeof(path), "%s/%s", bait.dir, name) == 0 &&
           format(here, sizeof(here), "/%s", name) == 0 && (can_connect(path) || can_connect(here));
}

static bool admin_socket(void)
{
    return connect_below("run/qubesd.sock") || connect_below("run/qubesd.internal.sock");
}

static bool policy_socket(void)
{
    return connect_below("run/qubes/policy.sock");
}

static bool daemon_sockets(void)
{
    return connect_below("run/qubes/qrexec.1") || connect_below("run/qubes/qrexec.2");
}

static bool host_services(void)
{
    static const char *const paths[] = {"/run/dbus/system_bus_socket",
                                        "/run/systemd/private",
                                        "/run/systemd/journal/socket",
                                        "/run/udev/control",
                                        "/tmp/.X11-unix/X0",
                                        "/dev/log",
                                        "/run/docker.sock",
                                        "/run/user/1000/bus",
                                        "/run/systemd/notify",
                                        "/var/run/nscd/socket"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (access(paths[i], F_OK) == 0)
            return true;
    return false;
}

static bool abstract_socket(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(bait.abstract);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool out;

    memcpy(a.sun_path + 1, bait.abstract, n);
    out = connect(fd, (struct sockaddr *)&a,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0;
    close(fd);
    return out;
}

static bool tcp_connect(const char *address, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    socklen_t n = sizeof(error);
    bool out;

    inet_pton(AF_INET, address, &a.sin_addr);
    out = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    if (!out && errno == EINPROGRESS && poll(&p, 1, 1000) == 1)
        out = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0;
    close(fd);
    return out;
}

static bool host_loopback(void)
{
    return tcp_connect("127.0.0.1", bait.port) || tcp_connect("10.0.2.2", bait.port);
}

/* Sending needs a route, which needs a device. */
static bool network_route(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool out;

    inet_pton(AF_INET, "192.0.2.1", &a.sin_addr);
    out = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return out;
}

static bool network_device(void)
{
    _cleanup_(freep) char *text = NULL;
    size_t n, lines = 0;

    if (file_read("/proc/net/dev", 65536, &text, &n))
        return false;
    for (const char *at = text; (at = strchr(at, ':')); at++)
        lines++;
    return lines > 1;
}

static bool raw_sockets(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 || socket(AF_INET, SOCK_RAW, IPPROTO_RAW) >= 0 ||
           socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0;
}

static bool vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0) >= 0;
}

static bool other_families(void)
{
    static const int families[] = {AF_ALG, AF_BLUETOOTH, AF_KEY, AF_RDS, AF_TIPC, AF_XDP, AF_CAN};

    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++)
            if (socket(families[i], type, 0) >= 0)
                return true;
    return false;
}

static bool shared_memory(void)
{
    return shmget(bait.key, 0, 0) >= 0;
}

static bool message_queue(void)
{
    return msgget(bait.key, 0) >= 0;
}

static bool posix_shared_memory(void)
{
    char path[128];

    return format(path, sizeof(path), "/dev/shm/escape-%d", bait.pid) == 0 &&
           access(path, F_OK) == 0;
}

static bool keyring(void)
{
    return syscall(SYS_add_key, "user", "escape-x", "x", 1, KEY_SPEC_USER_KEYRING) >= 0 ||
           syscall(SYS_request_key, "user", "escape-bait", NULL, 0) >= 0 ||
           syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1) >= 0;
}

static bool key_names(void)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;

    return file_read("/proc/keys", 1 << 20, &text, &n) == 0 && strstr(text, "escape-bait");
}

static bool type_into_terminal(void)
{
    int ptm = open("/dev/ptmx", O_RDWR | O_NOCTTY), pts, zero = 0;
    bool out;

    if (ptm < 0 || ioctl(ptm, TIOCSPTLCK, &zero) < 0)
        return false;
    pts = ioctl(ptm, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    out = pts >= 0 && (ioctl(pts, TIOCSTI, "x") == 0 || errno != EPERM);
    out = out || (pts >= 0 && syscall(SYS_ioctl, pts, TIOCSTI | (1UL << 32), "x") == 0);
    close(ptm);
    return out;
}

static bool controlling_terminal(void)
{
    return open("/dev/tty", O_RDWR) >= 0;
}

static bool host_terminals(void)
{
    DIR *d = opendir("/dev/pts");
    struct dirent *e;
    bool seen = false;

    while (d && (e = readdir(d)))
        seen = seen || (e->d_name[0] >= '0' && e->d_name[0] <= '9');
    if (d)
        closedir(d);
    return seen || access("/dev/console", R_OK | W_OK) == 0 || access("/dev/tty1", F_OK) == 0;
}

static bool vchans_of_others(void)
{
    DIR *d = opendir("/run/vchan");
    struct dirent *e;
    unsigned server, client, own = (unsigned)atol(getenv("VCHAN_DOMAIN") ?: "0");
    bool seen = false;

    while (d && (e = readdir(d)))
        if (sscanf(e->d_name, "vchan.%u.%u.", &server, &client) == 2)
            seen = seen || (server != own && client != own);
        else
            seen = seen || e->d_name[0] != '.';
    if (d)
        closedir(d);
    return seen || !own;
}

static bool move_vchan_directory(void)
{
    return rename("/run/vchan", "/run/x") == 0 || rmdir("/run/vchan") == 0 ||
           chown("/run/vchan", 0, 0) == 0 || chmod("/run/vchan/..", 0777) != 0;
}

const struct way ways_by_channels[] = {
    WAY(admin_socket),   WAY(policy_socket),       WAY(daemon_sockets),
    WAY(host_services),  WAY(abstract_socket),     WAY(host_loopback),
    WAY(network_route),  WAY(network_device),      WAY(raw_sockets),
    WAY(vsock),          WAY(other_families),      WAY(shared_memory),
    WAY(message_queue),  WAY(posix_shared_memory), WAY(keyring),
    WAY(key_names),      WAY(type_into_terminal),  WAY(controlling_terminal),
    WAY(host_terminals), WAY(vchans_of_others),    WAY(move_vchan_directory),
    {NULL, NULL},
};
