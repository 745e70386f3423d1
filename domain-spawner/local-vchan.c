/*
 * The vchan switch: see local-vchan.h.
 *
 * A domain owns its directory and may put anything there at any time. So a socket is pinned by a
 * descriptor that follows no link, looked at, and linked by that descriptor; nothing is opened by
 * name twice. Events of inotify only say where to look.
 */
#include "domain-spawner/local-vchan.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define NAME_SIZE   64
#define SCAN_MOST   4096 /* entries looked at in one directory: a full one costs only its owner */
#define WATCH_FLAGS (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR)

struct vchan_port {
    struct vchan_port *next;
    uint32_t domid;
    int dir; /* of its directory */
    int wd;  /* of inotify */
};

static bool number(const char **at, char end, uint32_t *ret)
{
    const char *stop = strchr(*at, end);
    char digits[16];

    if (!stop || (size_t)(stop - *at) >= sizeof(digits))
        return false;
    memcpy(digits, *at, (size_t)(stop - *at));
    digits[stop - *at] = 0;
    *at = stop + 1;
    return parse_u32(digits, UINT32_MAX, ret) == 0;
}

bool vchan_name_parse(const char *text, struct vchan_name *ret)
{
    struct vchan_name n;

    if (!str_starts(text, "vchan."))
        return false;
    text += strlen("vchan.");
    if (!number(&text, '.', &n.server) || !number(&text, '.', &n.client) ||
        !number(&text, '.', &n.port) || !str_equal(text, "sock"))
        return false;
    *ret = n;
    return true;
}

static struct vchan_port *find(struct vchan_switch *sw, uint32_t domid)
{
    for (struct vchan_port *p = sw->ports; p; p = p->next)
        if (p->domid == domid)
            return p;
    return NULL;
}

/* Puts the pinned socket at name in dir, in place of what is there. */
static int link_pinned(int pinned, int dir, const char *name)
{
    char from[32], tmp[NAME_SIZE];
    struct stat st, there;
    int r;

    if (fstat(pinned, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ENOTSOCK;
    if (fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == st.st_ino &&
        there.st_dev == st.st_dev)
        return 0;
    r = format(from, sizeof(from), "/proc/self/fd/%d", pinned);
    if (!r)
        r = format(tmp, sizeof(tmp), ".%s", name);
    if (r)
        return r;
    (void)unlinkat(dir, tmp, 0);
    if (linkat(AT_FDCWD, from, dir, tmp, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    if (renameat(dir, tmp, dir, name) < 0) {
        r = -errno;
        (void)unlinkat(dir, tmp, 0);
    }
    return r;
}

/* Who listens there sees a peer that left; whatever else it may be takes no notice. */
static void hang_up(int pinned)
{
    char path[32];
    struct stat st;
    int fd;

    if (fstat(pinned, &st) == 0 && S_ISSOCK(st.st_mode) &&
        format(path, sizeof(path), "/proc/self/fd/%d", pinned) == 0 && unix_connect(path, &fd) == 0)
        close(fd);
}

/* Something is now, or no more, at name in the server's directory: the client's follows. */
static void follow(struct vchan_switch *sw, const struct vchan_port *server, const char *name)
{
    _cleanup_(closep) int pinned = -1;
    struct vchan_port *client;
    struct vchan_name n;
    int r;

    if (!vchan_name_parse(name, &n) || n.server != server->domid || n.client == n.server)
        return;
    client = find(sw, n.client);
    if (!client && n.client > sw->newest)
        return; /* it may come yet */
    pinned = openat(server->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (!client) {
        if (pinned >= 0)
            hang_up(pinned);
        return;
    }
    if (pinned < 0) {
        (void)unlinkat(client->dir, name, 0);
        return;
    }
    r = link_pinned(pinned, client->dir, name);
    /* gone meanwhile: its event comes; no socket: a domain may put there what it likes, unheard */
    if (r && r != -ENOENT && r != -ENOTSOCK)
        log_warning("vchan: cannot hand %s of domain %u to domain %u: %s", name, n.server, n.client,
                    strerror(-r));
}

typedef void (*scan_fn)(struct vchan_switch *sw, struct vchan_port *p, const char *name, void *arg);

static void scan(struct vchan_switch *sw, struct vchan_port *p, scan_fn fn, void *arg)
{
    int fd = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d) {
        close_fd(&fd);
        return;
    }
    for (int i = 0; i < SCAN_MOST && (e = readdir(d)); i++)
        fn(sw, p, e->d_name, arg);
    closedir(d);
}

/* arg: the only client that is meant, or NULL for all */
static void scan_follow(struct vchan_switch *sw, struct vchan_port *p, const char *name, void *arg)
{
    const uint32_t *client = arg;
    struct vchan_name n;

    if (!client || (vchan_name_parse(name, &n) && n.client == *client))
        follow(sw, p, name);
}

/* Events were lost: what is linked here must still be there, and what is there is linked. */
static void scan_stale(struct vchan_switch *sw, struct vchan_port *p, const char *name, void *arg)
{
    struct vchan_port *server;
    struct vchan_name n;
    struct stat st;

    (void)arg;
    if (!vchan_name_parse(name, &n) || n.client != p->domid || n.server == p->domid)
        return;
    server = find(sw, n.server);
    if (!server || fstatat(server->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        (void)unlinkat(p->dir, name, 0);
}

static void resync(struct vchan_switch *sw)
{
    for (struct vchan_port *p = sw->ports; p; p = p->next)
        scan(sw, p, scan_stale, NULL);
    for (struct vchan_port *p = sw->ports; p; p = p->next)
        scan(sw, p, scan_follow, NULL);
}

static void on_inotify_event(struct vchan_switch *sw, const struct inotify_event *ev)
{
    if (ev->mask & IN_Q_OVERFLOW) {
        resync(sw);
        return;
    }
    for (struct vchan_port *p = sw->ports; p && ev->len; p = p->next)
        if (p->wd == ev->wd) {
            follow(sw, p, ev->name);
            return;
        }
}

static void on_inotify(struct watch *w)
{
    _Alignas(struct inotify_event) char data[4096];
    ssize_t n = read(w->fd, data, sizeof(data));

    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *ev = (const void *)(data + at);

        on_inotify_event(w->user, ev);
        at += (ssize_t)(sizeof(*ev) + ev->len);
    }
}

static int port_path(uint32_t domid, char path[static PATH_SIZE])
{
    return domid ? path_get(path, "/run/vchan/%u", domid) : path_get(path, "/run/vchan");
}

static int add_port(struct vchan_switch *sw, uint32_t domid)
{
    _cleanup_(freep) struct vchan_port *p = calloc(1, sizeof(*p));
    _cleanup_(closep) int dir = -1;
    char path[PATH_SIZE];
    int r = p ? port_path(domid, path) : -ENOMEM;

    if (r)
        return r;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    p->wd = inotify_add_watch(sw->inotify.fd, path, WATCH_FLAGS);
    if (p->wd < 0)
        return -errno;
    p->domid = domid;
    p->dir = take_fd(&dir);
    p->next = sw->ports;
    sw->ports = take(p);
    return 0;
}

/* Directories of domains that are no more, and links that came from them. */
static int clean(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    struct vchan_name n;
    char sub[PATH_SIZE];
    uint32_t domid;

    if (!d)
        return -errno;
    while ((e = readdir(d))) {
        if (format(sub, sizeof(sub), "%s/%s", path, e->d_name))
            continue;
        if (parse_u32(e->d_name, UINT32_MAX, &domid) == 0)
            (void)remove_all(sub);
        else if (vchan_name_parse(e->d_name, &n) && n.server != 0)
            (void)unlink(sub);
    }
    closedir(d);
    return 0;
}

int vchan_switch_init(struct vchan_switch *sw, struct watch_set *set)
{
    char path[PATH_SIZE];
    int fd, r = port_path(0, path);

    *sw = (struct vchan_switch){.set = set, .inotify = WATCH_NULL};
    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = clean(path);
    if (r)
        return r;
    fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        return -errno;
    r = watch_add(set, &sw->inotify, fd, on_inotify, sw);
    return r ? r : add_port(sw, 0);
}

void vchan_switch_deinit(struct vchan_switch *sw)
{
    while (sw->ports) {
        struct vchan_port *p = sw->ports;

        sw->ports = p->next;
        close_fd(&p->dir);
        free(p);
    }
    watch_remove(&sw->inotify);
}

int vchan_switch_add(struct vchan_switch *sw, uint32_t domid, uid_t uid)
{
    char path[PATH_SIZE];
    int r = port_path(domid, path);

    if (r)
        return r;
    (void)remove_all(path);
    if (mkdir(path, 0700) < 0)
        return -errno;
    if (geteuid() == 0 && chown(path, uid, uid) < 0)
        return -errno;
    r = add_port(sw, domid);
    if (r)
        return r;
    if (domid > sw->newest)
        sw->newest = domid;
    for (struct vchan_port *p = sw->ports; p; p = p->next)
        scan(sw, p, scan_follow, &domid);
    return 0;
}

/* arg: the server that is no more */
static void scan_unlink(struct vchan_switch *sw, struct vchan_port *p, const char *name, void *arg)
{
    const uint32_t *server = arg;
    struct vchan_name n;

    (void)sw;
    if (vchan_name_parse(name, &n) && n.server == *server)
        (void)unlinkat(p->dir, name, 0);
}

void vchan_switch_remove(struct vchan_switch *sw, uint32_t domid)
{
    char path[PATH_SIZE];

    for (struct vchan_port **at = &sw->ports; *at; at = &(*at)->next) {
        struct vchan_port *p = *at;

        if (p->domid != domid)
            continue;
        *at = p->next;
        (void)inotify_rm_watch(sw->inotify.fd, p->wd);
        close_fd(&p->dir);
        free(p);
        break;
    }
    for (struct vchan_port *p = sw->ports; p; p = p->next) {
        scan(sw, p, scan_unlink, &domid);
        scan(sw, p, scan_follow, &domid);
    }
    if (port_path(domid, path) == 0)
        (void)remove_all(path);
}
