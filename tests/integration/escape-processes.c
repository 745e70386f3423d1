/* Ways out of a domain by processes, rights, namespaces and the kernel. See escape.h. */
#include "tests/integration/escape.h"

#include "libqrexec/base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static bool sysrq(void)
{
    return open("/proc/sysrq-trigger", O_WRONLY) >= 0;
}

static bool kernel_memory(void)
{
    return open("/proc/kcore", O_RDONLY) >= 0 || open("/dev/mem", O_RDWR) >= 0 ||
           open("/dev/kmem", O_RDWR) >= 0 || open("/dev/port", O_RDWR) >= 0;
}

static bool host_process_in_proc(void)
{
    char path[64];

    /* the host's pid may be one of ours here: then it is not called escape */
    DIR *d = opendir("/proc");
    struct dirent *e;
    bool seen = false;

    while (d && (e = readdir(d))) {
        _cleanup_(freep) char *text = NULL;
        size_t n;

        if (format(path, sizeof(path), "/proc/%s/cmdline", e->d_name) == 0 &&
            file_read(path, 65536, &text, &n) == 0 && n > 12 && strstr(text, "escape") &&
            str_equal(text + strlen(text) + 1, "host"))
            seen = true;
    }
    if (d)
        closedir(d);
    return seen;
}

/* The bait's pid, if that is no process of our own namespace. */
static bool foreign_pid(void)
{
    return bait.pid > 1 && (kill(bait.pid, 0) == 0 || errno == EPERM) && host_process_in_proc();
}

static bool signal_host_process(void)
{
    return foreign_pid() && kill(bait.pid, SIGCONT) == 0;
}

static bool pidfd_host_process(void)
{
    return host_process_in_proc() && syscall(SYS_pidfd_open, bait.pid, 0) >= 0;
}

static bool ptrace_host_process(void)
{
    bool out = host_process_in_proc() && ptrace(PTRACE_SEIZE, bait.pid, NULL, NULL) == 0;

    if (out)
        (void)ptrace(PTRACE_DETACH, bait.pid, NULL, NULL);
    return out;
}

static bool read_host_memory(void)
{
    char c;
    struct iovec local = {&c, 1}, remote = {(void *)bait.dir, 1};

    return host_process_in_proc() && process_vm_readv(bait.pid, &local, 1, &remote, 1, 0) >= 0;
}

static bool host_process_environment(void)
{
    char path[64];

    return host_process_in_proc() &&
           format(path, sizeof(path), "/proc/%d/environ", bait.pid) == 0 &&
           open(path, O_RDONLY) >= 0;
}

static bool renice_host(void)
{
    return foreign_pid() && setpriority(PRIO_PROCESS, (id_t)bait.pid, 19) == 0;
}

static bool affinity_of_host(void)
{
    cpu_set_t set;

    return foreign_pid() && sched_getaffinity(bait.pid, sizeof(set), &set) == 0;
}

static bool tun_device(void)
{
    return open("/dev/net/tun", O_RDWR) >= 0 || open("/dev/kvm", O_RDWR) >= 0 ||
           open("/dev/fuse", O_RDWR) >= 0;
}

static bool make_device(void)
{
    return mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)) == 0 ||
           mknod("/home/user/vda", S_IFBLK | 0600, makedev(254, 0)) == 0;
}

static bool hostname_change(void)
{
    return sethostname("owned", 5) == 0 || setdomainname("owned", 5) == 0;
}

static bool new_namespaces(void)
{
    static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWNET,   CLONE_NEWPID,
                                CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (unshare(flags[i]) == 0)
            return true;
    return false;
}

static bool clone_user_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(0);
    if (pid > 0)
        (void)waitpid((pid_t)pid, NULL, 0);
    return pid > 0;
}

static bool join_namespaces(void)
{
    static const char *const names[] = {"user", "mnt", "net", "pid", "ipc", "uts"};
    char path[64];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int fd;

        if (format(path, sizeof(path), "/proc/1/ns/%s", names[i]))
            continue;
        fd = open(path, O_RDONLY);
        if (fd >= 0 && setns(fd, 0) == 0)
            return true;
        close_fd(&fd);
    }
    return false;
}

/* The owner of our network namespace is the outer user namespace: it must not be joined. */
static bool join_outer_user_namespace(void)
{
    int net = open("/proc/self/ns/net", O_RDONLY);
    int user = net < 0 ? -1 : ioctl(net, 0xb701 /* NS_GET_USERNS */);
    int parent = user < 0 ? -1 : ioctl(user, 0xb702 /* NS_GET_PARENT */);

    return (user >= 0 && setns(user, CLONE_NEWUSER) == 0) ||
           (parent >= 0 && setns(parent, CLONE_NEWUSER) == 0);
}

static bool mounts(void)
{
    return mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 ||
           mount("/tmp", "/home/user", NULL, MS_BIND, NULL) == 0 ||
           mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0 ||
           mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL) == 0;
}

static bool unmounts(void)
{
    return umount2("/etc/passwd", MNT_DETACH) == 0 || umount2("/usr/local", MNT_DETACH) == 0 ||
           umount2("/proc", MNT_DETACH) == 0 || umount2("/", MNT_DETACH) == 0;
}

static bool new_mount_calls(void)
{
    return syscall(SYS_open_tree, AT_FDCWD, "/usr", 1 /* OPEN_TREE_CLONE */) >= 0 ||
           syscall(SYS_fsopen, "tmpfs", 0) >= 0;
}

static bool pivot(void)
{
    return syscall(SYS_pivot_root, "/", "/tmp") == 0 || chroot("/tmp") == 0;
}

static bool become_root(void)
{
    return setuid(0) == 0 || setresuid(0, 0, 0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0;
}

static bool capabilities(void)
{
    for (int cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            return true;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0) == 0;
}

static bool set_user_id_programs(void)
{
    static const char *const paths[] = {"/usr", "/home/user", "/tmp", "/run/vchan"};
    struct statvfs st;

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (statvfs(paths[i], &st) < 0 || !(st.f_flag & ST_NOSUID))
            return true;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static bool kernel_interfaces(void)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    struct perf_event_attr perf = {
        .size = sizeof(perf), .type = PERF_TYPE_SOFTWARE, .exclude_kernel = 1};

    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) >= 0 ||
           syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0) >= 0 ||
           syscall(SYS_userfaultfd, 1) >= 0 || syscall(SYS_io_uring_setup, 1, NULL) >= 0 ||
           errno == EFAULT;
}

static bool kernel_log(void)
{
    char text[256];

    return syscall(SYS_syslog, 3, text, sizeof(text)) > 0 || open("/dev/kmsg", O_RDONLY) >= 0;
}

static bool modules_and_reboot(void)
{
    return syscall(SYS_init_module, "", 0, "") == 0 || errno != EPERM ||
           syscall(SYS_delete_module, "x", 0) == 0 || errno != EPERM ||
           syscall(SYS_reboot, 0, 0, 0, 0) == 0 || errno != EPERM;
}

static bool set_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return clock_settime(CLOCK_REALTIME, &t) == 0;
}

static bool raise_limits(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return false;
    l.rlim_max++;
    return setrlimit(RLIMIT_NOFILE, &l) == 0 || setpriority(PRIO_PROCESS, 0, -5) == 0;
}

const struct way ways_by_processes[] = {
    WAY(sysrq),
    WAY(kernel_memory),
    WAY(host_process_in_proc),
    WAY(signal_host_process),
    WAY(pidfd_host_process),
    WAY(ptrace_host_process),
    WAY(read_host_memory),
    WAY(host_process_environment),
    WAY(renice_host),
    WAY(affinity_of_host),
    WAY(tun_device),
    WAY(make_device),
    WAY(hostname_change),
    WAY(new_namespaces),
    WAY(clone_user_namespace),
    WAY(join_namespaces),
    WAY(join_outer_user_namespace),
    WAY(mounts),
    WAY(unmounts),
    WAY(new_mount_calls),
    WAY(pivot),
    WAY(become_root),
    WAY(capabilities),
    WAY(set_user_id_programs),
    WAY(kernel_interfaces),
    WAY(kernel_log),
    WAY(modules_and_reboot),
    WAY(set_clock),
    WAY(raise_limits),
    {NULL, NULL},
};
