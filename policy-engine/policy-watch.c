/* A policy that follows its files: see policy-watch.h. */
#include "policy-engine/policy-watch.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <malloc.h>
#include <sys/inotify.h>

#define CHANGES                                                                                    \
    (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE |            \
     IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)
#define MOVES          (IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)
#define LINKS_MOST     8
#define TRIES_MOST     8    /* loads in a row while files go on changing; then the next request's */
#define SETTLE_MS      200  /* of quiet before a change that nobody asks about is loaded */
#define SETTLE_MOST_MS 2000 /* then it is, quiet or not */

/* ---- What is watched ---- */

static void forget_watches(struct policy_watch *w)
{
    int fd = w->changes.fd;

    if (w->changes.events) {
        watch_stop(&w->changes);
        close_fd(&fd);
    }
    for (size_t i = 0; i < w->n_names; i++)
        free(w->names[i]);
    free(w->names);
    free(w->whole);
    w->names = NULL;
    w->whole = NULL;
    w->n_names = w->n_whole = 0;
}

static bool name_counts(const struct policy_watch *w, const char *name)
{
    for (size_t i = 0; i < w->n_names; i++)
        if (str_equal(w->names[i], name))
            return true;
    return false;
}

static int add_name(struct policy_watch *w, const char *name)
{
    char **p;

    if (name_counts(w, name))
        return 0;
    p = realloc(w->names, (w->n_names + 1) * sizeof(*p));
    if (!p)
        return -ENOMEM;
    w->names = p;
    w->names[w->n_names] = strdup(name);
    return w->names[w->n_names] ? (w->n_names++, 0) : -ENOMEM;
}

static bool is_whole(const struct policy_watch *w, int wd)
{
    for (size_t i = 0; i < w->n_whole; i++)
        if (w->whole[i] == wd)
            return true;
    return false;
}

/* A path that is not there is no error: its directory tells when it comes. */
static int add_watch(struct policy_watch *w, const char *path, uint32_t mask, bool whole)
{
    int wd = inotify_add_watch(w->changes.fd, path, mask | IN_MASK_ADD), *p;

    if (wd < 0 && errno == ENOSPC)
        log_warning("no inotify watches are left, so changes of %s may go unseen: raise "
                    "fs.inotify.max_user_watches",
                    path);
    if (wd < 0 || !whole || is_whole(w, wd))
        return wd < 0 && errno == ENOMEM ? -ENOMEM : 0;
    p = realloc(w->whole, (w->n_whole + 1) * sizeof(*p));
    if (!p)
        return -ENOMEM;
    w->whole = p;
    w->whole[w->n_whole++] = wd;
    return 0;
}

/* Each component of an absolute path, by its name in its directory; where it is a link, of where
 * that leads too. */
static int watch_components(struct policy_watch *w, const char *path, unsigned links)
{
    char prefix[PATH_SIZE], target[PATH_SIZE], next[PATH_SIZE];
    int r = 0;

    for (const char *end = path; !r && *end;) {
        const char *name = end + strspn(end, "/");
        size_t n = strcspn(name, "/");
        ssize_t len;

        if (!n)
            break;
        end = name + n;
        if (format(prefix, sizeof(prefix), "%.*s", (int)(name - path), path))
            return -ENAMETOOLONG;
        r = add_watch(w, prefix, MOVES, false);
        if (format(prefix, sizeof(prefix), "%.*s", (int)n, name))
            return -ENAMETOOLONG;
        if (!r)
            r = add_name(w, prefix);
        if (format(prefix, sizeof(prefix), "%.*s", (int)(end - path), path))
            return -ENAMETOOLONG;
        len = readlink(prefix, target, sizeof(target) - 1);
        if (len <= 0 || links == LINKS_MOST || r)
            continue;
        target[len] = 0;
        if (format(next, sizeof(next), "%.*s%s", *target == '/' ? 0 : (int)(name - path), path,
                   target))
            return -ENAMETOOLONG;
        r = watch_components(w, next, links + 1);
    }
    return r;
}

static int watch_path(struct policy_watch *w, const char *path)
{
    _cleanup_(freep) char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
    _cleanup_(freep) char *full = cwd ? format_new("%s/%s", cwd, path) : strdup(path);
    int r = full ? add_watch(w, full, CHANGES, true) : -ENOMEM;

    return r ? r : watch_components(w, full, 0);
}

static int watch_all(struct policy_watch *w)
{
    char **paths = NULL;
    int r;

    forget_watches(w);
    w->changes.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->changes.fd < 0)
        return -errno;
    watch_set(&w->changes, w->changes.fd, POLLIN);
    r = policy_files_watched(w->files, &paths);
    for (size_t i = 0; !r && paths && paths[i]; i++)
        r = watch_path(w, paths[i]);
    policy_strv_free(paths);
    if (!r && !w->files->n_dirs)
        r = watch_path(w, w->files->run_dir);
    return r;
}

/* ---- Loading ---- */

/* Drains the notices. True: some were of our files. */
static bool drain(struct policy_watch *w)
{
    _Alignas(struct inotify_event) char events[4096];
    bool ours = false;
    ssize_t n;

    while ((n = read(w->changes.fd, events, sizeof(events))) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(events + at);

            at += (ssize_t)(sizeof(*e) + e->len);
            if (!(e->mask & IN_IGNORED) &&
                (!e->len || is_whole(w, e->wd) || e->wd < 0 || name_counts(w, e->name)))
                ours = true;
        }
    w->stale |= ours;
    return ours;
}

/* True: the trouble is another than the one told last. */
static bool say(struct policy_watch *w)
{
    bool fine = w->policy && !w->trouble;
    const char *trouble = w->trouble ? w->trouble : "no memory";

    if (fine)
        free(take(w->said));
    if (fine || (w->said && str_equal(w->said, trouble)))
        return false;
    free(w->said);
    w->said = strdup(trouble);
    if (w->policy)
        log_error("%s is not taken over, and the old one stays in force until this is mended: %s",
                  w->what, trouble);
    else
        log_error("%s does not load, so %s until this is mended: %s", w->what, w->so, trouble);
    return true;
}

/* One load. 0 or POLICY_E_*, outcome in *ret and *reterr; negative errno, and *reterr too. */
static int load_once(struct policy_watch *w, struct policy **ret, char **reterr)
{
    int r = watch_all(w);

    if (r)
        *reterr = format_new("its files cannot be watched: %s", strerror(-r));
    return r ? r : policy_files_load(w->files, ret, reterr);
}

/* A policy that violates a never line leaves the old one in force, if there is one. */
static void swap(struct policy_watch *w, int r, struct policy *p, char *trouble)
{
    if (r == POLICY_E_NEVER && w->policy)
        p = policy_ref(w->policy);
    policy_unref(w->policy);
    free(w->trouble);
    w->policy = p;
    w->trouble = trouble;
}

/*
 * Until no file changed while it was read; where that does not come to pass, the old policy stays,
 * and the next request tries again. 0, or negative errno: not even that could be tried.
 */
static int load(struct policy_watch *w)
{
    int r = 0;

    timer_stop(&w->settle);
    w->stale = true;
    for (int i = 0; i < TRIES_MOST && w->stale && r >= 0; i++) {
        struct policy *p = NULL;
        char *trouble = NULL;

        w->stale = false;
        r = load_once(w, &p, &trouble);
        (void)drain(w);
        if (!w->stale || r < 0) {
            swap(w, r, p, trouble);
            continue;
        }
        policy_unref(p);
        free(trouble);
        if (i == TRIES_MOST - 1 && !w->policy)
            swap(w, r, NULL, strdup("its files do not stop changing"));
    }
    if (r < 0)
        w->stale = true;
    malloc_trim(0); /* a load takes more than what it leaves */
    return r < 0 ? r : 0;
}

static void load_and_tell(struct policy_watch *w)
{
    bool said;

    (void)load(w);
    said = say(w);
    if (w->on_load)
        w->on_load(w, said);
}

static void on_settled(struct timer *t)
{
    struct policy_watch *w = container_of(t, struct policy_watch, settle);

    if (w->stale)
        load_and_tell(w);
}

static void on_change(struct watch *c, short revents)
{
    struct policy_watch *w = container_of(c, struct policy_watch, changes);

    (void)revents;
    if (!drain(w))
        return; /* of other files in the folders above: they may never be quiet */
    if (!w->settle.set)
        w->settle_by = clock_ms() + SETTLE_MOST_MS;
    timer_set(&w->settle, size_min(SETTLE_MS, (size_t)deadline_left(w->settle_by)));
}

struct policy *policy_watch_get(struct policy_watch *w)
{
    if (w->stale)
        load_and_tell(w);
    return w->policy;
}

void policy_watch_reload(struct policy_watch *w)
{
    load_and_tell(w);
}

int policy_watch_init(struct policy_watch *w, const struct policy_files *files, const char *what,
                      const char *so, void (*on_load)(struct policy_watch *w, bool said_now))
{
    int r;

    *w = (struct policy_watch){.files = files, .what = what, .so = so, .on_load = on_load};
    w->changes.fn = on_change;
    w->changes.urgent = true;
    w->settle.fn = on_settled;
    r = load(w);
    (void)say(w);
    return w->changes.events ? 0 : r;
}

void policy_watch_deinit(struct policy_watch *w)
{
    timer_stop(&w->settle);
    forget_watches(w);
    free(take(w->trouble));
    free(take(w->said));
    policy_unref(take(w->policy));
}
