/* The walls of a local domain: see local-sandbox.h. */
#include "domain-spawner/local-sandbox.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define OPTIONS_MAX 65536

/* Of the host's /etc: what programs need to run, and what says nothing about this host. */
static const char *const shared_etc[] = {
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/xdg",
    "/etc/mime.types",
    "/etc/mailcap",
    "/etc/profile",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/inputrc",
    "/etc/localtime",
    "/etc/locale.conf",
    "/etc/locale.alias",
    "/etc/protocols",
    "/etc/services",
    "/etc/shells",
    "/etc/terminfo",
    "/etc/magic",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/fedora-release",
    "/etc/gtk-2.0",
    "/etc/gtk-3.0",
    "/etc/python3",
    "/etc/perl",
    "/etc/host.conf",
    "/etc/gai.conf",
};

/* Made for each domain by sandbox_write_files(). */
static const char *const own_etc[] = {
    "passwd", "group", "hosts", "hostname", "nsswitch.conf", "resolv.conf", "machine-id",
};

static const char *const walls[] = {
    "--unshare-user",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--new-session",
    "--die-with-parent",
    "--disable-userns",
    "--clearenv",
    "--uid",
    "1000",
    "--gid",
    "1000",
};

/* bubblewrap makes missing parents with mode 0700, so those are made here. */
static const char *const system_tree[] = {
    "--ro-bind",      "/usr",      "/usr",      "--symlink", "usr/bin",    "/bin",     "--symlink",
    "usr/sbin",       "/sbin",     "--symlink", "usr/lib",   "/lib",       "--proc",   "/proc",
    "--dev",          "/dev",      "--perms",   "0755",      "--dir",      "/etc",     "--perms",
    "0755",           "--dir",     "/etc/ssl",  "--perms",   "0755",       "--dir",    "/etc/pki",
    "--perms",        "0755",      "--dir",     "/home",     "--perms",    "1777",     "--tmpfs",
    "/tmp",           "--perms",   "0755",      "--tmpfs",   "/var",       "--perms",  "1777",
    "--dir",          "/var/tmp",  "--perms",   "0755",      "--dir",      "/var/log", "--perms",
    "0755",           "--dir",     "/var/lib",  "--perms",   "0755",       "--dir",    "/var/cache",
    "--symlink",      "../run",    "/var/run",  "--perms",   "0755",       "--tmpfs",  "/run",
    "--perms",        "0755",      "--dir",     "/run/user", "--perms",    "0700",     "--dir",
    "/run/user/1000", "--perms",   "0755",      "--dir",     "/run/qubes", "--perms",  "0755",
    "--dir",          "/run/lock",
};

static const char *const environment[][2] = {
    {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"},
    {"HOME", "/home/user"},
    {"USER", "user"},
    {"LOGNAME", "user"},
    {"SHELL", "/bin/bash"},
    {"LANG", "C.UTF-8"},
    {"QREXEC_TRANSPORT", "socket"},
    {"XDG_RUNTIME_DIR", "/run/user/1000"},
};

static int put(struct buf *b, const char *word)
{
    return buf_append(b, word, strlen(word) + 1);
}

static int put_all(struct buf *b, const char *const *words, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && !r; i++)
        r = put(b, words[i]);
    return r;
}

static int put3(struct buf *b, const char *option, const char *from, const char *to)
{
    const char *const words[] = {option, from, to};

    return put_all(b, words, ARRAY_SIZE(words));
}

/* /lib64 and its likes exist on some machines only. */
static int put_lib_links(struct buf *b)
{
    static const char *const names[][2] = {
        {"usr/lib64", "/lib64"}, {"usr/lib32", "/lib32"}, {"usr/libx32", "/libx32"}};
    char path[32];
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names) && !r; i++) {
        r = format(path, sizeof(path), "/%s", names[i][0]);
        if (!r && access(path, F_OK) == 0)
            r = put3(b, "--symlink", names[i][0], names[i][1]);
    }
    return r;
}

/* Files of /proc that show what no namespace hides: names of the host user's keys. */
static int put_masks(struct buf *b)
{
    static const char *const masked[] = {"/proc/keys", "/proc/key-users"};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(masked) && !r; i++)
        if (access(masked[i], F_OK) == 0)
            r = put3(b, "--ro-bind", "/dev/null", masked[i]);
    return r;
}

static int put_etc(struct buf *b, const char *own)
{
    char from[PATH_SIZE], to[64];
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(shared_etc) && !r; i++)
        r = put3(b, "--ro-bind-try", shared_etc[i], shared_etc[i]);
    for (size_t i = 0; i < ARRAY_SIZE(own_etc) && !r; i++) {
        r = format(from, sizeof(from), "%s/etc/%s", own, own_etc[i]);
        if (!r)
            r = format(to, sizeof(to), "/etc/%s", own_etc[i]);
        if (!r)
            r = put3(b, "--ro-bind", from, to);
    }
    return r ? r : put3(b, "--symlink", "/proc/self/mounts", "/etc/mtab");
}

static int put_own(struct buf *b, const struct sandbox_paths *paths)
{
    char from[PATH_SIZE];
    int r = format(from, sizeof(from), "%s/domain", paths->own);

    if (!r)
        r = put3(b, "--ro-bind", paths->vm, "/usr/local");
    if (!r)
        r = put3(b, "--bind", paths->home, "/home/user");
    if (!r)
        r = put3(b, "--bind", paths->vchan, "/run/vchan");
    if (!r)
        r = put3(b, "--ro-bind", from, "/run/qubes-domain");
    return r;
}

static int put_environment(struct buf *b, uint32_t domid)
{
    char number[16];
    int r = format(number, sizeof(number), "%u", domid);

    for (size_t i = 0; i < ARRAY_SIZE(environment) && !r; i++)
        r = put3(b, "--setenv", environment[i][0], environment[i][1]);
    return r ? r : put3(b, "--setenv", "VCHAN_DOMAIN", number);
}

static int put_number(struct buf *b, const char *option, int fd)
{
    char number[16];
    int r = format(number, sizeof(number), "%d", fd);

    if (!r)
        r = put(b, option);
    return r ? r : put(b, number);
}

static int put_end(struct buf *b, const char *name)
{
    static const char *const last[] = {"--remount-ro", "/", "--chdir", "/home/user"};
    int r = put_number(b, "--info-fd", SANDBOX_FD_INFO);

    if (!r)
        r = put_number(b, "--seccomp", SANDBOX_FD_SECCOMP);
    if (!r)
        r = put(b, "--hostname");
    if (!r)
        r = put(b, name);
    return r ? r : put_all(b, last, ARRAY_SIZE(last));
}

int sandbox_options(const struct domain_spec *spec, uint32_t domid,
                    const struct sandbox_paths *paths, char **ret, size_t *ret_len)
{
    struct buf b = BUF_NULL(OPTIONS_MAX);
    int r = put_all(&b, walls, ARRAY_SIZE(walls));

    if (!r)
        r = put_all(&b, system_tree, ARRAY_SIZE(system_tree));
    if (!r)
        r = put_lib_links(&b);
    if (!r)
        r = put_masks(&b);
    if (!r)
        r = put_etc(&b, paths->own);
    if (!r)
        r = put_own(&b, paths);
    if (!r)
        r = put_environment(&b, domid);
    if (!r)
        r = put_end(&b, spec->name);
    if (r) {
        buf_deinit(&b);
        return r;
    }
    *ret_len = buf_len(&b);
    *ret = (char *)b.data; /* nothing was consumed, so the data begins there */
    return 0;
}

_printf_(3, 4) static int write_file(const char *dir, const char *name, const char *fmt, ...)
{
    char path[PATH_SIZE];
    _cleanup_(freep) char *text = NULL;
    va_list ap;
    int n, r = format(path, sizeof(path), "%s/%s", dir, name);

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return r ? r : file_replace(path, text, (size_t)n, 0644);
}

/* The uuid's digits: a number of 128 bits that is this domain's own. */
static void machine_id(const char *uuid, char out[33])
{
    size_t n = 0;

    for (; *uuid && n < 32; uuid++)
        if (*uuid != '-')
            out[n++] = *uuid;
    out[n] = 0;
}

static int write_etc(const struct domain_spec *spec, const char *dir)
{
    char id[33];
    int r;

    machine_id(spec->uuid, id);
    r = write_file(dir, "etc/passwd",
                   "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                   "user:x:1000:1000:user:/home/user:/bin/bash\n"
                   "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    if (!r)
        r = write_file(dir, "etc/group", "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n");
    if (!r)
        r = write_file(dir, "etc/hosts", "127.0.0.1 localhost %s\n::1 localhost\n", spec->name);
    if (!r)
        r = write_file(dir, "etc/hostname", "%s\n", spec->name);
    if (!r)
        r = write_file(dir, "etc/nsswitch.conf",
                       "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
                       "networks: files\nprotocols: files\nservices: files\n");
    if (!r)
        r = write_file(dir, "etc/resolv.conf", "%s",
                       spec->networked ? "nameserver 10.0.2.3\n" : "");
    return r ? r : write_file(dir, "etc/machine-id", "%s\n", id);
}

static const char *persistence(const struct domain_spec *spec)
{
    if (spec->disposable || str_equal(spec->type, "DispVM"))
        return "none";
    return str_equal(spec->type, "AppVM") ? "rw-only" : "full";
}

int sandbox_write_files(const struct domain_spec *spec, const char *dir)
{
    char path[PATH_SIZE];
    int r = format(path, sizeof(path), "%s/etc", dir);

    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = format(path, sizeof(path), "%s/domain", dir);
    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = write_etc(spec, dir);
    if (!r)
        r = write_file(dir, "domain/name", "%s", spec->name);
    if (!r)
        r = write_file(dir, "domain/type", "%s", spec->type);
    if (!r)
        r = write_file(dir, "domain/default-user", "%s", spec->default_user);
    return r ? r : write_file(dir, "domain/persistence", "%s", persistence(spec));
}
