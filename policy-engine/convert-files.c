/* Carrying a conversion out: see convert-files.h. */
#include "policy-engine/convert-files.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define NAMES_MOST 1000 /* of copies from earlier conversions */

/* A hard link keeps the old content, owner and mode without copying. Its name in *ret. */
static int keep(const char *path, char **ret)
{
    _cleanup_(freep) char *name = format_new("%s.bak", path);

    for (unsigned i = 1; name; i++) {
        if (link(path, name) == 0) {
            *ret = take(name);
            return 0;
        }
        if (errno != EEXIST || i > NAMES_MOST)
            return -errno;
        free(name);
        name = format_new("%s.bak.%u", path, i);
    }
    return -ENOMEM;
}

/* Never over a file that is there. */
static int rename_to_new(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int save(const char *path, char **ret)
{
    _cleanup_(freep) char *name = format_new("%s.rpmsave", path);

    for (unsigned i = 1; name; i++) {
        int r = rename_to_new(path, name);

        if (!r)
            *ret = take(name);
        if (r != -EEXIST || i > NAMES_MOST)
            return r;
        free(name);
        name = format_new("%s.%u.rpmsave", path, i);
    }
    return -ENOMEM;
}

/* The file itself where path is a link to it; what is not there yet is meant as it stands. */
static const char *resolve(const char *path, char buf[static PATH_MAX])
{
    return realpath(path, buf) ? buf : path;
}

static int edit(const struct convert_edit *e, char **ret_kept)
{
    struct stat st = {.st_mode = 0664};
    char real[PATH_MAX];
    const char *path = resolve(e->path, real);
    bool old = e->before != NULL;
    int r = old && stat(path, &st) < 0 ? -errno : 0;

    if (!r && old)
        r = keep(path, ret_kept);
    if (!r)
        r = file_replace(path, e->after, e->after_len, st.st_mode & 07777);
    if (!r && old && chown(path, st.st_uid, st.st_gid) < 0)
        log_warning("%s: its owner could not be kept: %s", path, strerror(errno));
    if (r)
        log_error("cannot write %s: %s", path, strerror(-r));
    return r;
}

static int take_back_edit(const struct convert_edit *e, const char *kept)
{
    char real[PATH_MAX];
    const char *path = resolve(e->path, real);
    int r = 0;

    if (kept ? rename(kept, path) < 0 : !e->before && unlink(path) < 0)
        r = -errno;
    if (r)
        log_error("cannot put %s back: %s%s%s", path, strerror(-r),
                  kept ? "; its old content is in " : "", kept ? kept : "");
    return r;
}

static size_t count_old(const struct convert_plan *plan)
{
    size_t n = 0;

    while (plan->old && plan->old[n])
        n++;
    return n;
}

int convert_take_back(const struct convert_plan *plan, const struct convert_done *done)
{
    int r = 0, e;

    for (size_t i = 0; i < count_old(plan); i++) {
        if (!done->saved[i])
            continue;
        e = rename_to_new(done->saved[i], plan->old[i]);
        if (e)
            log_error("cannot rename %s back: %s", done->saved[i], strerror(-e));
        r = r ? r : e;
    }
    for (size_t i = done->n_edits; i-- > 0;) {
        e = take_back_edit(&plan->edits[i], done->kept[i]);
        r = r ? r : e;
    }
    return r;
}

/* The last R4.0 file first: so at no moment does one decide that the lines do not. */
static int rename_old(const struct convert_plan *plan, struct convert_done *done)
{
    for (size_t i = count_old(plan); i-- > 0;) {
        int r = save(plan->old[i], &done->saved[i]);

        if (r) {
            log_error("cannot rename %s: %s", plan->old[i], strerror(-r));
            return r;
        }
    }
    return 0;
}

int convert_carry_out(const struct convert_plan *plan, struct convert_done *ret)
{
    struct convert_done done = {.kept = calloc(plan->n_edits + 1, sizeof(char *)),
                                .saved = calloc(count_old(plan) + 1, sizeof(char *))};
    int r = done.kept && done.saved ? 0 : -ENOMEM;

    for (size_t i = 0; !r && i < plan->n_edits; i++) {
        r = edit(&plan->edits[i], &done.kept[i]);
        /* a copy of a file that could not be written goes as well */
        done.n_edits += !r || done.kept[i];
    }
    if (!r)
        r = rename_old(plan, &done);
    if (!r) {
        *ret = done;
        return 0;
    }
    if (done.kept && done.saved && convert_take_back(plan, &done) == 0)
        log_info("everything is as it was before");
    convert_done_deinit(plan, &done);
    return r;
}

void convert_done_deinit(const struct convert_plan *plan, struct convert_done *done)
{
    for (size_t i = 0; done->kept && i < plan->n_edits; i++)
        free(done->kept[i]);
    for (size_t i = 0; done->saved && i < count_old(plan); i++)
        free(done->saved[i]);
    free(done->kept);
    free(done->saved);
    *done = (struct convert_done){0};
}
