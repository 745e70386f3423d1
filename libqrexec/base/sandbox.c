/* What a process gives up: see sandbox.h. */
#include "libqrexec/base/sandbox.h"

#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILTER_MOST 512 /* instructions; ours have a hundred */

static const char *const never[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "add_key",
    "request_key",
    "keyctl",
    "bpf",
    "perf_event_open",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "iopl",
    "ioperm",
    "reboot",
    "swapon",
    "swapoff",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "acct",
    "quotactl",
    "userfaultfd",
    "uselib",
    "io_uring_setup",
    "lookup_dcookie",
    "vhangup",
    "nfsservctl",
};

/* A launcher's children make namespaces and mounts (bubblewrap). */
static const char *const server_never[] = {
    "execve",     "execveat", "fork",     "vfork",         "mount",      "umount2",
    "pivot_root", "chroot",   "unshare",  "setns",         "move_mount", "open_tree",
    "fsopen",     "fsmount",  "fsconfig", "mount_setattr",
};

/* A domain's programs may debug each other; they share the kernel with us. */
static const char *const domain_never[] = {
    "add_key",       "request_key",    "keyctl",          "bpf",
    "init_module",   "finit_module",   "delete_module",   "kexec_load",
    "iopl",          "ioperm",         "kexec_file_load", "perf_event_open",
    "reboot",        "swapon",         "swapoff",         "settimeofday",
    "clock_settime", "clock_adjtime",  "adjtimex",        "acct",
    "quotactl",      "userfaultfd",    "uselib",          "io_uring_setup",
    "vhangup",       "lookup_dcookie", "nfsservctl",      "open_by_handle_at",
    "syslog",        "move_pages",     "mbind",           "migrate_pages",
};

/* The leak check at the end of a sanitized process looks at itself with ptrace. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

static int refuse(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int nr = seccomp_syscall_resolve_name(names[i]);
        int r = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);

        if (r && r != -EACCES && r != -EDOM)
            return r;
    }
    return 0;
}

static int launcher_rules(scmp_filter_ctx ctx)
{
    return refuse(ctx, never, ARRAY_SIZE(never));
}

static int server_rules(scmp_filter_ctx ctx)
{
    int r = launcher_rules(ctx);

    return r ? r : refuse(ctx, server_never, ARRAY_SIZE(server_never));
}

static int refuse_ioctl(scmp_filter_ctx ctx, unsigned long request)
{
    /* the kernel takes 32 bits of it */
    return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffUL, request));
}

/* Families that know network namespaces. AF_VSOCK, for one, does not: it reaches the hypervisor. */
static bool is_namespaced(int family)
{
    return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK ||
           family == AF_PACKET;
}

static int refuse_families(scmp_filter_ctx ctx)
{
    const int behind = AF_PACKET + 1; /* the last of ours */
    int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_GE, (unsigned)behind, 0));

    for (int family = 0; family < behind && !r; family++)
        if (!is_namespaced(family))
            r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (unsigned)family, 0));
    return r;
}

static int domain_rules(scmp_filter_ctx ctx)
{
    int r = refuse(ctx, domain_never, ARRAY_SIZE(domain_never));

    if (!r)
        r = refuse_ioctl(ctx, TIOCSTI);
    if (!r)
        r = refuse_ioctl(ctx, TIOCLINUX);
    return r ? r : refuse_families(ctx);
}

static int write_filter(int (*rules)(scmp_filter_ctx ctx), int fd)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? rules(ctx) : -ENOMEM;

    if (!r)
        r = seccomp_export_bpf(ctx, fd);
    if (ctx)
        seccomp_release(ctx);
    return r;
}

/* By a child: what libseccomp takes for it would leave holes in this process's heap for good. */
static int make_filter(int (*rules)(scmp_filter_ctx ctx), int *ret)
{
    _cleanup_(closep) int fd = memfd_create("filter", MFD_CLOEXEC);
    pid_t pid = fd < 0 ? -1 : fork();
    int r;

    if (pid < 0)
        return -errno;
    if (pid == 0)
        _exit(write_filter(rules, fd) ? 1 : 0);
    r = spawn_wait(pid);
    if (r)
        return r < 0 ? r : -ENOMEM;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    *ret = take_fd(&fd);
    return 0;
}

static int install_filter(int fd)
{
    struct sock_filter code[FILTER_MOST];
    struct sock_fprog filter = {.filter = code};
    ssize_t n = read(fd, code, sizeof(code));

    if (n < 0)
        return -errno;
    if (n == 0 || n == (ssize_t)sizeof(code))
        return -EMSGSIZE;
    filter.len = (unsigned short)((size_t)n / sizeof(code[0]));
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0 ? -errno : 0;
}

int sandbox_enter(enum sandbox_kind kind)
{
    _cleanup_(closep) int fd = -1;
    int r;

    if (IS_SANITIZED)
        return 0;
    if (kind == SANDBOX_SERVER && prctl(PR_SET_DUMPABLE, 0) < 0)
        return -errno;
    if ((kind == SANDBOX_SERVER || geteuid() != 0) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    r = make_filter(kind == SANDBOX_SERVER ? server_rules : launcher_rules, &fd);
    return r ? r : install_filter(fd);
}

int sandbox_filter_domain(int *ret)
{
    return make_filter(domain_rules, ret);
}
