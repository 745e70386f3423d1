/* The registry on disk: see registry.h. */
#include "domain-spawner/registry.h"

#include "domain-spawner/property.h"
#include "libqrexec/base/ini.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define SUFFIX          ".conf"
#define FILE_MODE       0644
#define WATCHED         (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define FEATURE_MAX_KEY 118

int registry_open(struct registry *reg, const char *dir, const char *global)
{
    char parent[PATH_SIZE];
    int r;

    reg->dir = strdup(dir);
    reg->global = strdup(global);
    if (!reg->dir || !reg->global)
        return -ENOMEM;
    r = mkdir_all(dir, 0755);
    if (r)
        return r;
    r = format(parent, sizeof(parent), "%.*s", (int)(strrchr(global, '/') - global), global);
    if (!r)
        r = mkdir_all(parent, 0755);
    if (r)
        return r;
    reg->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (reg->watch < 0 || inotify_add_watch(reg->watch, dir, WATCHED) < 0 ||
        inotify_add_watch(reg->watch, parent, WATCHED) < 0) {
        log_warning("%s: changes by hand are not seen before a restart: %s", dir, strerror(errno));
        close_fd(&reg->watch);
    }
    return 0;
}

void registry_close(struct registry *reg)
{
    close_fd(&reg->watch);
    free(reg->dir);
    free(reg->global);
    dict_deinit(&reg->broken);
    dict_deinit(&reg->stamps);
    dict_deinit(&reg->touched);
    *reg = REGISTRY_NULL;
}

/* Size, time and inode of a file as text; "" where there is none. */
static void stamp_of(const char *path, char ret[static 96])
{
    struct stat st;

    ret[0] = 0;
    if (stat(path, &st) == 0)
        snprintf(ret, 96, "%lld.%lld.%ld.%llu", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
                 st.st_mtim.tv_nsec, (unsigned long long)st.st_ino);
}

static void remember(struct registry *reg, const char *key, const char *path)
{
    char stamp[96];

    stamp_of(path, stamp);
    if (stamp[0])
        (void)dict_set(&reg->stamps, key, stamp); /* at worst it is read once more */
    else
        dict_remove(&reg->stamps, key);
}

static int file_of(const struct registry *reg, const char *name, char path[static PATH_SIZE])
{
    return format(path, PATH_SIZE, "%s/%s" SUFFIX, reg->dir, name);
}

/* Reading: all pairs into a dict first, since long values come in parts. */
struct reading {
    struct dict pairs;
    bool no_memory;
};

static bool on_pair(void *user, const char *section, const char *key, const char *value, int line)
{
    struct reading *rd = user;
    const char *before = dict_get(&rd->pairs, key);
    _cleanup_(freep) char *joined = before ? format_new("%s %s", before, value) : strdup(value);

    (void)section;
    (void)line;
    rd->no_memory = !joined || dict_set(&rd->pairs, key, joined);
    return !rd->no_memory;
}

static int read_pairs(const char *path, struct reading *rd, struct refusal *refusal)
{
    int line = 0;
    int r = ini_read(path, on_pair, rd, &line);

    if (rd->no_memory)
        return -ENOMEM;
    if (r > 0)
        return refuse(refusal, "QubesException", "%s:%d: %s", path, line,
                      r == INI_E_TOO_LONG ? "line is too long (continue it with leading blanks)"
                                          : "not \"key = value\"");
    return r;
}

static int add_tags(struct domain *d, char *list)
{
    char *tag;
    int r = 0;

    while (!r && (tag = strsep(&list, " ")))
        r = *tag ? dict_set(&d->tags, tag, "") : 0;
    return r;
}

static int set_property(struct domain *d, const char *key, const char *value,
                        struct refusal *refusal)
{
    const struct property *p = property_find(d, key);
    struct property_text t;
    int r;

    if (!p || ((p->flags & PROPERTY_READONLY) && !str_equal(key, "dispid")))
        return refuse(refusal, "QubesException", "unknown key \"%s\" for a %s", key,
                      class_name(d->class));
    r = property_normalise(p, value, &t, refusal);
    return r ? r : dict_set(&d->properties, key, t.s);
}

static int take_pair(struct domain *d, const char *key, const char *raw, struct refusal *refusal)
{
    _cleanup_(freep) char *value = registry_unescape(raw);

    if (!value)
        return -ENOMEM;
    if (str_equal(key, "type"))
        return 0;
    if (str_equal(key, "uuid"))
        return uuid_valid(value) ? format(d->uuid, sizeof(d->uuid), "%s", value)
                                 : refuse(refusal, "QubesException", "\"%s\" is no uuid", value);
    if (str_equal(key, "qid"))
        return parse_u32(value, INT32_MAX, &d->qid)
                   ? refuse(refusal, "QubesException", "\"%s\" is no qid", value)
                   : 0;
    if (str_equal(key, "label"))
        return format(d->label, sizeof(d->label), "%s", value)
                   ? refuse(refusal, "QubesException", "\"%s\" is no label", value)
                   : 0;
    if (str_equal(key, "tags"))
        return add_tags(d, value);
    if (str_starts(key, "feature."))
        return dict_set(&d->features, key + strlen("feature."), value);
    if (str_equal(key, "firewall")) {
        d->firewall = take(value);
        return 0;
    }
    if (str_equal(key, "notes")) {
        d->notes = take(value);
        return 0;
    }
    return set_property(d, key, value, refusal);
}

static int domain_from(const char *name, const struct dict *pairs, struct domain **ret,
                       struct refusal *refusal)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    const char *type = dict_get(pairs, "type");
    enum domain_class class = CLASS_ADMIN;
    bool admin = str_equal(name, "dom0");
    int r;

    if (!admin && (!type || class_parse(type, &class) || class == CLASS_ADMIN))
        return refuse(refusal, "QubesException", "\"type\" must be a class such as AppVM");
    r = domain_new(name, class, &d);
    if (r)
        return r;
    for (size_t i = 0; !r && i < pairs->n; i++)
        r = take_pair(d, pairs->entries[i].key, pairs->entries[i].value, refusal);
    if (r)
        return r;
    if (admin) {
        memcpy(d->uuid, UUID_ADMIN, sizeof(UUID_ADMIN));
        memcpy(d->label, "black", sizeof("black"));
        d->qid = 0;
    }
    *ret = take(d);
    return 0;
}

int registry_read(struct registry *reg, const char *name, struct domain **ret,
                  struct refusal *refusal)
{
    struct reading rd = {0};
    struct refusal why;
    char path[PATH_SIZE];
    int r = file_of(reg, name, path);

    if (r)
        return r;
    remember(reg, name, path);
    r = read_pairs(path, &rd, refusal);
    if (r == 0) {
        r = domain_from(name, &rd.pairs, ret, &why);
        if (r == REFUSED)
            refuse(refusal, "QubesException", "%s: %.300s", path, why.text);
    } else if (r == -ENOENT) {
        *ret = NULL;
        r = 0;
    }
    dict_deinit(&rd.pairs);
    if (r > 0)
        (void)dict_set(&reg->broken, name, refusal->text);
    else
        dict_remove(&reg->broken, name);
    return r;
}

static int take_global(struct domains *new, const char *key, const char *value,
                       struct refusal *refusal)
{
    const struct property *p = property_find(NULL, key);
    struct property_text t;
    int r;

    if (str_starts(key, "label."))
        return dict_set(&new->labels, key + strlen("label."), value);
    if (!p || (p->flags & PROPERTY_READONLY))
        return refuse(refusal, "QubesException", "unknown key \"%s\"", key);
    r = property_normalise(p, value, &t, refusal);
    return r ? r : dict_set(&new->globals, key, t.s);
}

int registry_read_global(struct registry *reg, struct domains *ds, struct refusal *refusal)
{
    struct domains new = {0};
    struct reading rd = {0};
    int r;

    remember(reg, "", reg->global);
    r = read_pairs(reg->global, &rd, refusal);
    if (r == -ENOENT)
        r = 0;
    for (size_t i = 0; !r && i < rd.pairs.n; i++) {
        _cleanup_(freep) char *value = registry_unescape(rd.pairs.entries[i].value);

        r = value ? take_global(&new, rd.pairs.entries[i].key, value, refusal) : -ENOMEM;
    }
    dict_deinit(&rd.pairs);
    if (!r) {
        struct domains old = {.globals = ds->globals, .labels = ds->labels};

        ds->globals = new.globals;
        ds->labels = new.labels;
        new = old;
    }
    dict_deinit(&new.globals);
    dict_deinit(&new.labels);
    return r;
}

/* "NAME.conf" to NAME. */
static bool name_of_file(const char *file, char ret[static DOMAIN_NAME_MAX + 1])
{
    size_t n = strlen(file), end = strlen(SUFFIX);

    if (n <= end || n - end > DOMAIN_NAME_MAX || !str_equal(file + n - end, SUFFIX))
        return false;
    snprintf(ret, DOMAIN_NAME_MAX + 1, "%.*s", (int)(n - end), file);
    return domain_name_valid(ret);
}

static int load_one(struct registry *reg, struct domains *ds, const char *name)
{
    _cleanup_(domain_freep) struct domain *d = NULL;
    struct refusal refusal;
    int r = registry_read(reg, name, &d, &refusal);

    if (r == REFUSED) {
        log_error("%s; domain '%s' is out of service until that is mended", refusal.text, name);
        return 0;
    }
    if (r || !d)
        return r;
    if (d->class == CLASS_ADMIN) {
        struct domain *old = domains_admin(ds);

        domains_remove(ds, old);
        domain_free(old);
    }
    r = domains_add(ds, d);
    if (!r)
        d = NULL;
    return r;
}

/* A file made by hand needs no number: it gets one here. */
static void number_all(struct registry *reg, struct domains *ds)
{
    for (size_t i = 0; i < ds->n; i++) {
        struct domain *d = ds->list[i];

        if (d->class == CLASS_ADMIN || d->qid)
            continue;
        d->qid = domains_free_qid(ds);
        if (registry_save(reg, d))
            log_warning("%s/%s" SUFFIX ": cannot write: %s", reg->dir, d->name, strerror(errno));
    }
}

int registry_load(struct registry *reg, struct domains *ds)
{
    struct refusal refusal;
    struct dirent *e;
    char name[DOMAIN_NAME_MAX + 1];
    DIR *dir = opendir(reg->dir);
    int r = registry_read_global(reg, ds, &refusal);

    if (r == REFUSED)
        log_error("%s; global properties have their defaults until that is mended", refusal.text);
    if (!dir || r < 0) {
        r = dir ? r : -errno;
        if (dir)
            closedir(dir);
        return r;
    }
    r = 0;
    while (!r && (e = readdir(dir)))
        if (name_of_file(e->d_name, name))
            r = load_one(reg, ds, name);
    closedir(dir);
    if (!r)
        number_all(reg, ds);
    return r;
}

static int put(FILE *f, const char *key, const char *value)
{
    _cleanup_(freep) char *text = registry_escape(value);

    return text ? ini_write(f, key, text) : -ENOMEM;
}

static int put_tags(FILE *f, const struct domain *d)
{
    _cleanup_(freep) char *list = NULL;
    size_t n = 0;

    if (!d->tags.n)
        return 0;
    for (size_t i = 0; i < d->tags.n; i++)
        n += strlen(d->tags.entries[i].key) + 1;
    list = calloc(1, n + 1);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0, at = 0; i < d->tags.n; i++)
        at += (size_t)snprintf(list + at, n + 1 - at, "%s%s", i ? " " : "", d->tags.entries[i].key);
    return put(f, "tags", list);
}

static int put_domain(FILE *f, const struct domain *d)
{
    char qid[16], key[FEATURE_MAX_KEY + 1];
    int r;

    snprintf(qid, sizeof(qid), "%u", d->qid);
    r = put(f, "type", class_name(d->class));
    if (!r && d->class != CLASS_ADMIN)
        r = put(f, "uuid", d->uuid);
    if (!r && d->class != CLASS_ADMIN)
        r = put(f, "qid", qid);
    if (!r && d->class != CLASS_ADMIN)
        r = put(f, "label", d->label);
    for (size_t i = 0; !r && i < d->properties.n; i++)
        r = put(f, d->properties.entries[i].key, d->properties.entries[i].value);
    if (!r)
        r = put_tags(f, d);
    for (size_t i = 0; !r && i < d->features.n; i++) {
        r = format(key, sizeof(key), "feature.%s", d->features.entries[i].key);
        if (!r)
            r = put(f, key, d->features.entries[i].value);
    }
    if (!r && d->firewall)
        r = put(f, "firewall", d->firewall);
    if (!r && d->notes)
        r = put(f, "notes", d->notes);
    return r;
}

static int replace(struct registry *reg, const char *key, const char *path, char *text, size_t n)
{
    int r = file_replace(path, text, n, FILE_MODE);

    if (!r)
        remember(reg, key, path);
    return r;
}

int registry_save(struct registry *reg, const struct domain *d)
{
    _cleanup_(freep) char *text = NULL;
    char path[PATH_SIZE];
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    int r;

    if (!f)
        return -ENOMEM;
    r = put_domain(f, d);
    if (fclose(f) && !r)
        r = -ENOMEM;
    if (!r)
        r = file_of(reg, d->name, path);
    return r ? r : replace(reg, d->name, path, text, n);
}

int registry_save_global(struct registry *reg, const struct domains *ds)
{
    _cleanup_(freep) char *text = NULL;
    char key[DOMAIN_NAME_MAX + 8];
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    int r = 0;

    if (!f)
        return -ENOMEM;
    for (size_t i = 0; !r && i < ds->globals.n; i++)
        r = put(f, ds->globals.entries[i].key, ds->globals.entries[i].value);
    for (size_t i = 0; !r && i < ds->labels.n; i++) {
        r = format(key, sizeof(key), "label.%s", ds->labels.entries[i].key);
        if (!r)
            r = put(f, key, ds->labels.entries[i].value);
    }
    if (fclose(f) && !r)
        r = -ENOMEM;
    return r ? r : replace(reg, "", reg->global, text, n);
}

int registry_delete(struct registry *reg, const char *name)
{
    char path[PATH_SIZE];
    int r = file_of(reg, name, path);

    if (r)
        return r;
    dict_remove(&reg->stamps, name);
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Whether the file is another than the one we read or wrote last. */
static bool differs(const struct registry *reg, const char *key, const char *path)
{
    const char *known = dict_get(&reg->stamps, key);
    char stamp[96];

    stamp_of(path, stamp);
    return !str_equal(known ? known : "", stamp);
}

static void note_events(struct registry *reg, const char *data, size_t n)
{
    const char *global = strrchr(reg->global, '/') + 1;
    char name[DOMAIN_NAME_MAX + 1];

    for (size_t at = 0; at + sizeof(struct inotify_event) <= n;) {
        struct inotify_event e;

        memcpy(&e, data + at, sizeof(e));
        at += sizeof(e);
        if (e.len && str_equal(data + at, global))
            (void)dict_set(&reg->touched, "", "");
        else if (e.len && name_of_file(data + at, name))
            (void)dict_set(&reg->touched, name, "");
        at += e.len;
    }
}

bool registry_changed(struct registry *reg, char ret_name[static DOMAIN_NAME_MAX + 1])
{
    char data[4096], path[PATH_SIZE];
    ssize_t n;

    while (reg->watch >= 0 && (n = read(reg->watch, data, sizeof(data))) > 0)
        note_events(reg, data, (size_t)n);
    while (reg->touched.n) {
        const char *name = reg->touched.entries[0].key;
        int r = *name ? file_of(reg, name, path) : format(path, sizeof(path), "%s", reg->global);

        snprintf(ret_name, DOMAIN_NAME_MAX + 1, "%s", name);
        dict_remove(&reg->touched, ret_name);
        if (!r && differs(reg, ret_name, path))
            return true;
    }
    return false;
}
