/* What a process gives up: see sandbox.h. */
#include "libqrexec/base/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

int sandbox_enter(enum sandbox_kind kind)
{
    scmp_filter_ctx ctx;
    int r = 0;

    if (IS_SANITIZED)
        return 0;
    if (kind == SANDBOX_SERVER && prctl(PR_SET_DUMPABLE, 0) < 0)
        return -errno;
    if ((kind == SANDBOX_SERVER || geteuid() != 0) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (!ctx)
        return -ENOMEM;
    r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    if (!r)
        r = refuse(ctx, never, ARRAY_SIZE(never));
    if (!r && kind == SANDBOX_SERVER)
        r = refuse(ctx, server_never, ARRAY_SIZE(server_never));
    if (!r)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    return r;
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

int sandbox_filter_domain(int *ret)
{
    int fd = memfd_create("domain-filter", MFD_CLOEXEC);
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = fd < 0 || !ctx ? -ENOMEM : 0;

    if (!r)
        r = refuse(ctx, domain_never, ARRAY_SIZE(domain_never));
    if (!r)
        r = refuse_ioctl(ctx, TIOCSTI);
    if (!r)
        r = refuse_ioctl(ctx, TIOCLINUX);
    if (!r)
        r = refuse_families(ctx);
    if (!r)
        r = seccomp_export_bpf(ctx, fd);
    if (!r && lseek(fd, 0, SEEK_SET) < 0)
        r = -errno;
    if (ctx)
        seccomp_release(ctx);
    if (r)
        close_fd(&fd);
    else
        *ret = fd;
    return r;
}
