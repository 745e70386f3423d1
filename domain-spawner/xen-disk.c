/* A Xen domain's disks: see xen-disk.h. */
#include "domain-spawner/xen-disk.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define VOLATILE_DIR  "/var/lib/qubes/volatile"
#define VOLATILE_SIZE ((off_t)10 << 30) /* sparse: what is written takes place, no more */
#define LOOP_TRIES    64
#define COPY_BLOCK    (256 << 10)

/* A file without a name on the disk of the domains' data. */
static int open_nameless(int *ret)
{
    char path[PATH_SIZE];
    int r = path_get(path, VOLATILE_DIR);

    if (!r)
        r = mkdir_all(path, 0700);
    if (r)
        return r;
    *ret = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return *ret < 0 ? -errno : 0;
}

/* One try at a free loop device. -EBUSY: somebody else took it. */
static int take_loop(int control, int file, bool writable, struct xen_disk *d)
{
    struct loop_config config = {.fd = (unsigned)file,
                                 .info.lo_flags =
                                     LO_FLAGS_AUTOCLEAR | (writable ? 0U : LO_FLAGS_READ_ONLY)};
    int number = ioctl(control, LOOP_CTL_GET_FREE), loop, r;

    if (number < 0)
        return -errno;
    r = format(d->device, sizeof(d->device), "/dev/loop%d", number);
    if (r)
        return r;
    loop = open(d->device, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (loop < 0)
        return -errno;
    if (ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
        r = -errno;
        close(loop);
        return r;
    }
    d->loop = loop;
    return 0;
}

/* file may be closed afterwards: the loop device has it. */
static int attach(int file, bool writable, struct xen_disk *d)
{
    _cleanup_(closep) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int r = control < 0 ? -errno : -EBUSY;

    for (int i = 0; i < LOOP_TRIES && r == -EBUSY; i++)
        r = take_loop(control, file, writable, d);
    return r;
}

static int write_at(int fd, const char *data, size_t n, off_t at)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, data, n, at);

        if (done < 0)
            return -1;
        data += done;
        n -= (size_t)done;
        at += done;
    }
    return 0;
}

/* Blocks from at to end, which hold data. */
static int copy_range(int from, int to, off_t at, off_t end)
{
    static char block[COPY_BLOCK];

    while (at < end) {
        ssize_t n = pread(from, block, size_min(sizeof(block), (size_t)(end - at)), at);

        if (n == 0)
            return 0; /* it was cut meanwhile */
        if (n < 0)
            return -errno;
        if (write_at(to, block, (size_t)n, at) < 0)
            return -errno;
        at += n;
    }
    return 0;
}

/* Shares the blocks where the file system can; else only what is no hole is copied. */
static int copy_sparse(int from, int to, off_t size)
{
    off_t at = 0, end;
    int r = 0;

    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    if (ftruncate(to, size) < 0)
        return -errno;
    while (!r && (at = lseek(from, at, SEEK_DATA)) >= 0) {
        end = lseek(from, at, SEEK_HOLE);
        r = end < 0 ? -errno : copy_range(from, to, at, end);
        at = end;
    }
    return r || errno == ENXIO ? r : -errno;
}

_printf_(3, 4) static int say(char why[static DOMAIN_TEXT_SIZE], int r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, DOMAIN_TEXT_SIZE, fmt, ap);
    va_end(ap);
    return r;
}

/* The disposable's own: file becomes a copy. It is copied while nobody writes it. */
static int replace_by_copy(int *file, const struct stat *st, const char *path,
                           char why[static DOMAIN_TEXT_SIZE])
{
    int copy = -1, r;

    if (flock(*file, LOCK_SH | LOCK_NB) < 0)
        return say(why, -EBUSY,
                   "its private image would be a copy of %s, which a running domain writes: shut "
                   "that one down first",
                   path);
    r = open_nameless(&copy);
    if (!r)
        r = copy_sparse(*file, copy, st->st_size);
    if (r) {
        close_fd(&copy);
        return say(why, r, "a copy of its template's private image %s cannot be made in %s: %s",
                   path, VOLATILE_DIR, strerror(-r));
    }
    close(*file);
    *file = copy;
    return 0;
}

static int from_file(struct xen_disk *d, int *file, const struct stat *st, const char *path,
                     bool copied, char why[static DOMAIN_TEXT_SIZE])
{
    int r;

    if (!st->st_size || st->st_size % 512)
        return say(why, -EINVAL, "its image %s is no disk: its size is no multiple of 512", path);
    if (copied) {
        r = replace_by_copy(file, st, path, why);
        if (r)
            return r;
    } else if (flock(*file, (d->writable ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
        return say(why, -EBUSY, "its image %s is in use by another domain", path);
    }
    r = attach(*file, d->writable, d);
    return r ? say(why, r, "no loop device for its image %s: %s", path, strerror(-r)) : 0;
}

static int add_image(struct xen_disks *disks, const char *path, const char *name, bool writable,
                     bool copied, char why[static DOMAIN_TEXT_SIZE])
{
    struct xen_disk *d = &disks->disk[disks->n];
    int flags = (writable && !copied ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK, r;
    _cleanup_(closep) int file = open(path, flags);
    struct stat st;

    if (file < 0 || fstat(file, &st) < 0)
        return say(why, -errno, "its image %s cannot be opened: %s", path, strerror(errno));
    *d = (struct xen_disk){.name = name, .writable = writable, .loop = -1};
    if (S_ISREG(st.st_mode))
        r = from_file(d, &file, &st, path, copied, why);
    else if (!S_ISBLK(st.st_mode))
        r = say(why, -EINVAL, "its image %s is neither a file nor a block device", path);
    else if (copied)
        r = say(why, -EINVAL,
                "the private image of a template for disposables must be a file, %s is a device",
                path);
    else
        r = format(d->device, sizeof(d->device), "%s", path);
    if (!r)
        disks->n++;
    return r;
}

static int add_volatile(struct xen_disks *disks, char why[static DOMAIN_TEXT_SIZE])
{
    struct xen_disk *d = &disks->disk[disks->n];
    _cleanup_(closep) int file = -1;
    int r = open_nameless(&file);

    *d = (struct xen_disk){.name = "xvdc", .writable = true, .loop = -1};
    if (!r && ftruncate(file, VOLATILE_SIZE) < 0)
        r = -errno;
    if (!r)
        r = attach(file, true, d);
    if (r)
        return say(why, r, "its volatile volume cannot be made in %s: %s", VOLATILE_DIR,
                   strerror(-r));
    disks->n++;
    return 0;
}

int xen_disks_open(struct xen_disks *disks, const struct domain_spec *spec,
                   char why[static DOMAIN_TEXT_SIZE])
{
    int r = 0;

    *disks = XEN_DISKS_NULL;
    if (*spec->root_image)
        r = add_image(disks, spec->root_image, "xvda", false, false, why);
    if (!r && *spec->private_image)
        r = add_image(disks, spec->private_image, "xvdb", true, spec->disposable, why);
    if (!r && *spec->root_image)
        r = add_volatile(disks, why);
    if (r)
        xen_disks_close(disks);
    return r;
}

void xen_disks_close(struct xen_disks *disks)
{
    for (size_t i = 0; i < disks->n; i++)
        close_fd(&disks->disk[i].loop);
    disks->n = 0;
}
