/* Ways out of a domain by files: the host's, and writing to what is shared. See escape.h. */
#include "tests/integration/escape.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static bool holds_secret(const char *path)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;

    return file_read(path, 4096, &text, &n) == 0 && strstr(text, SECRET);
}

static bool read_below(const char *prefix, const char *name)
{
    char path[1024];

    return format(path, sizeof(path), "%s%s/%s", prefix, bait.dir, name) == 0 && holds_secret(path);
}

static bool file_by_path(void)
{
    return read_below("", "secret");
}

static bool file_by_proc_root(void)
{
    return read_below("/proc/1/root", "secret") || read_below("/proc/self/root", "secret") ||
           read_below("/proc/2/root", "secret");
}

static bool file_by_proc_cwd(void)
{
    return read_below("/proc/1/cwd", "secret") || read_below("/proc/1/cwd/../../../..", "secret");
}

static bool file_by_dotdot(void)
{
    return read_below("/home/user/../../../../../..", "secret") ||
           read_below("/run/vchan/../../../../../..", "secret") ||
           read_below("/usr/local/../../../../..", "secret");
}

/* The well-known way out of a chroot: a directory held open outside of a second one. */
static bool file_by_second_chroot(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY);

    if (fd < 0 || mkdir("/tmp/c", 0700) < 0 || chroot("/tmp/c") < 0)
        return false;
    if (fchdir(fd) < 0)
        return false;
    for (int i = 0; i < 32; i++)
        if (chdir("..") < 0)
            return false;
    return chroot(".") == 0 && read_below("", "secret");
}

static bool file_by_symlink(void)
{
    char target[600];

    (void)unlink("/tmp/link");
    return format(target, sizeof(target), "%s/secret", bait.dir) == 0 &&
           symlink(target, "/tmp/link") == 0 && holds_secret("/tmp/link");
}

static bool file_by_hard_link(void)
{
    char target[600];

    (void)unlink("/home/user/hard");
    return format(target, sizeof(target), "%s/secret", bait.dir) == 0 &&
           link(target, "/home/user/hard") == 0;
}

static bool file_by_handle(void)
{
    struct {
        struct file_handle h;
        unsigned char bytes[64];
    } f = {.h.handle_bytes = 64};
    int mount_id, dir = open("/usr", O_RDONLY | O_DIRECTORY);
    bool out;

    if (dir < 0 || name_to_handle_at(dir, "", &f.h, &mount_id, AT_EMPTY_PATH) < 0)
        return false;
    out = open_by_handle_at(dir, &f.h, O_RDONLY) >= 0;
    close(dir);
    return out;
}

/* Descriptors that were left open in the first processes. */
static bool file_by_left_descriptor(void)
{
    for (int pid = 1; pid <= 2; pid++)
        for (int fd = 0; fd < 64; fd++) {
            char path[64], target[256];
            ssize_t n;

            if (format(path, sizeof(path), "/proc/%d/fd/%d", pid, fd))
                continue;
            n = readlink(path, target, sizeof(target) - 1);
            if (n <= 0)
                continue;
            target[n] = 0;
            if (target[0] == '/' && !str_starts(target, "/dev/") && !str_starts(target, "/memfd:"))
                return true;
        }
    return false;
}

static bool host_directories(void)
{
    static const char *const paths[] = {"/root",         "/srv",         "/sys/kernel",
                                        "/boot",         "/home/tester", "/var/log/dpkg.log",
                                        "/var/lib/dpkg", "/work",        "/opt"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (access(paths[i], F_OK) == 0)
            return true;
    return false;
}

static bool host_tmp(void)
{
    return access(bait.dir, F_OK) == 0;
}

static bool shadow(void)
{
    return access("/etc/shadow", F_OK) == 0 || access("/etc/gshadow", F_OK) == 0;
}

static bool host_secrets_in_etc(void)
{
    static const char *const paths[] = {"/etc/ssl/private", "/etc/ssh",   "/etc/sudoers",
                                        "/etc/qubes",       "/etc/pam.d", "/etc/security"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (access(paths[i], F_OK) == 0)
            return true;
    return false;
}

static bool host_users(void)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;

    return file_read("/etc/passwd", 1 << 20, &text, &n) == 0 &&
           (strstr(text, "daemon:") || strstr(text, "tester"));
}

static bool can_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (fd >= 0) {
        close(fd);
        (void)unlink(path);
    }
    return fd >= 0;
}

static bool write_usr(void)
{
    return can_write("/usr/x") || can_write("/usr/bin/x") || can_write("/usr/lib/x");
}

static bool write_vm_side(void)
{
    return can_write("/usr/local/bin/x") || can_write("/usr/local/etc/qubes-rpc/x") ||
           open("/usr/local/lib/qubes/qrexec-agent", O_WRONLY) >= 0;
}

static bool write_etc(void)
{
    return can_write("/etc/x") || can_write("/etc/alternatives/x") ||
           open("/etc/passwd", O_WRONLY) >= 0 || open("/etc/hosts", O_WRONLY) >= 0;
}

static bool write_root(void)
{
    return can_write("/x") || mkdir("/y", 0700) == 0;
}

static bool write_properties(void)
{
    return can_write("/run/qubes-domain/x") || open("/run/qubes-domain/name", O_WRONLY) >= 0;
}

static bool write_own_bwrap(void)
{
    return open("/proc/1/exe", O_WRONLY) >= 0 || open("/usr/bin/bwrap", O_WRONLY) >= 0;
}

static bool write_sysctl(void)
{
    return open("/proc/sys/kernel/hostname", O_WRONLY) >= 0 ||
           open("/proc/sys/kernel/core_pattern", O_WRONLY) >= 0 ||
           open("/proc/sys/kernel/modprobe", O_WRONLY) >= 0;
}

static bool inherited_environment(void)
{
    static const char *const names[] = {"QREXEC_ROOT",   "NOTIFY_SOCKET",
                                        "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS",
                                        "LD_PRELOAD",    "ESCAPE_MARK"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (getenv(names[i]))
            return true;
    return false;
}

static bool environment_of_first_process(void)
{
    _cleanup_(freep) char *text = NULL;
    size_t n = 0;

    return file_read("/proc/1/environ", 65536, &text, &n) == 0 && memmem(text, n, "ESCAPE", 6);
}

static bool host_paths_in_command_line(void)
{
    _cleanup_(freep) char *text = NULL;
    size_t n = 0;

    return file_read("/proc/1/cmdline", 65536, &text, &n) == 0 &&
           memmem(text, n, bait.dir, strlen(bait.dir));
}

static bool host_machine_id(void)
{
    _cleanup_(freep) char *own = NULL, *boot = NULL;
    size_t n;

    return file_read("/etc/machine-id", 64, &own, &n) < 0 ||
           access("/var/lib/dbus/machine-id", F_OK) == 0 ||
           file_read("/sys/class/dmi/id/product_uuid", 64, &boot, &n) == 0;
}

const struct way ways_by_files[] = {
    WAY(file_by_path),
    WAY(file_by_proc_root),
    WAY(file_by_proc_cwd),
    WAY(file_by_dotdot),
    WAY(file_by_second_chroot),
    WAY(file_by_symlink),
    WAY(file_by_hard_link),
    WAY(file_by_handle),
    WAY(file_by_left_descriptor),
    WAY(host_directories),
    WAY(host_tmp),
    WAY(shadow),
    WAY(host_secrets_in_etc),
    WAY(host_users),
    WAY(write_usr),
    WAY(write_vm_side),
    WAY(write_etc),
    WAY(write_root),
    WAY(write_properties),
    WAY(write_own_bwrap),
    WAY(write_sysctl),
    WAY(inherited_environment),
    WAY(environment_of_first_process),
    WAY(host_paths_in_command_line),
    WAY(host_machine_id),
    {NULL, NULL},
};
