/*
 * Domains on disk: /var/lib/qubes/domains/NAME.conf, one section; global properties in
 * /etc/qubes/domains.conf. A file that cannot be read takes its own domain out of service.
 *
 * Disposables with auto_cleanup are not written: what of them must vanish the helper has noted.
 * Their names stand in a journal, so that none comes again within days.
 */
#include "domain-spawner/spawner.h"

#include "libqrexec/base/ini.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#define DIR_DOMAINS "/var/lib/qubes/domains"
#define JOURNAL     "/var/lib/qubes/disposables"
#define NAMES       10000
#define KEPT_SEC    (7 * 24 * 3600)

struct reading {
    struct domain *d;
    char key[128], value[4096];
    bool bad;
};

static int store_tags(struct domain *d, char *text)
{
    char *word;
    int r = 0;

    while (!r && (word = strsep(&text, " ")))
        if (*word)
            r = dict_set(&d->tags, word, "");
    return r;
}

static int append_line(char **to, const char *line)
{
    char *text = format_new("%s%s\n", *to ? *to : "", line);

    if (!text)
        return -ENOMEM;
    free(*to);
    *to = text;
    return 0;
}

/* One key with its whole value. */
static int store(struct domain *d, const char *key, char *value)
{
    struct property_text normal;
    struct refusal refusal;
    const struct property *p;

    if (str_equal(key, "type"))
        return class_parse(value, &d->class);
    if (str_equal(key, "uuid"))
        return uuid_valid(value) ? format(d->uuid, sizeof(d->uuid), "%s", value) : -EINVAL;
    if (str_equal(key, "qid"))
        return parse_u32(value, 65535, &d->qid);
    if (str_equal(key, "label"))
        return format(d->label, sizeof(d->label), "%s", value);
    if (str_equal(key, "tags"))
        return store_tags(d, value);
    if (str_equal(key, "notes"))
        return append_line(&d->notes, value);
    if (str_starts(key, "firewall"))
        return append_line(&d->firewall, value);
    if (str_starts(key, "feature."))
        return dict_set(&d->features, key + strlen("feature."), value);
    p = property_find(d, key);
    if (!p || property_normalise(p, value, &normal, &refusal))
        return -EINVAL;
    return dict_set(&d->properties, key, normal.s);
}

static bool flush(struct reading *rd)
{
    rd->bad |= *rd->key && store(rd->d, rd->key, rd->value) != 0;
    rd->key[0] = 0;
    return !rd->bad;
}

static bool on_pair(void *user, const char *section, const char *key, const char *value, int line)
{
    struct reading *rd = user;
    size_t n = strlen(rd->value);

    (void)section;
    (void)line;
    if (str_equal(rd->key, key)) {
        rd->bad |= format(rd->value + n, sizeof(rd->value) - n, " %s", value) != 0;
        return !rd->bad;
    }
    if (!flush(rd))
        return false;
    return format(rd->key, sizeof(rd->key), "%s", key) == 0 &&
           format(rd->value, sizeof(rd->value), "%s", value) == 0;
}

static void load_one(struct spawner *s, const char *dir, const char *file)
{
    char path[PATH_SIZE], name[256];
    struct reading rd = {0};
    _cleanup_(domain_freep) struct domain *d = NULL;
    int line = 0, r;

    if (format(path, sizeof(path), "%s/%s", dir, file) ||
        format(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".conf")), file))
        return;
    r = domain_name_valid(name) ? domain_new(name, CLASS_APP, &d) : -EINVAL;
    rd.d = d;
    if (!r)
        r = ini_read(path, on_pair, &rd, &line);
    if (!r && !flush(&rd))
        r = INI_E_HANDLER;
    if (!r)
        r = domains_add(&s->domains, d);
    if (r)
        log_error("%s:%d: %s; this domain is out of service until it is mended", path, line,
                  r < 0                 ? strerror(-r)
                  : r == INI_E_TOO_LONG ? "the line is too long"
                                        : "a key or its value is not understood");
    else
        d = NULL;
}

static bool on_global(void *user, const char *section, const char *key, const char *value, int line)
{
    struct spawner *s = user;

    (void)section;
    (void)line;
    return property_find(NULL, key) && dict_set(&s->domains.globals, key, value) == 0;
}

int registry_load(struct spawner *s)
{
    char path[PATH_SIZE];
    struct dirent **names = NULL;
    int n, line = 0, r = path_get(path, DIR_DOMAINS);

    if (!r)
        r = mkdir_all(path, 0755);
    if (r)
        return r;
    n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *file = names[i]->d_name;
        size_t len = strlen(file);

        if (file[0] != '.' && len > 5 && str_equal(file + len - 5, ".conf"))
            load_one(s, path, file);
        free(names[i]);
    }
    free(names);
    r = path_get(path, "/etc/qubes/domains.conf");
    if (!r && access(path, F_OK) == 0 && ini_read(path, on_global, s, &line))
        log_error("%s:%d: not understood; the rest of it is not read", path, line);
    return r;
}

static bool is_kept(const struct spawner *s, const struct domain *d)
{
    return d->class != CLASS_ADMIN &&
           !(d->class == CLASS_DISP && property_bool(&s->domains, d, "auto_cleanup"));
}

static int write_lines(FILE *f, const char *key, const char *text)
{
    _cleanup_(freep) char *copy = text ? strdup(text) : NULL;
    char *rest = copy, *line, name[64];
    unsigned n = 0;
    int r = 0;

    while (!r && rest && (line = strsep(&rest, "\n")))
        if (*line) {
            r = format(name, sizeof(name), "%s.%u", key, n++);
            if (!r)
                r = ini_write(f, name, line);
        }
    return r;
}

static int write_domain(FILE *f, const struct domain *d)
{
    char qid[16], key[512];
    _cleanup_(freep) char *tags = strdup("");
    int r = format(qid, sizeof(qid), "%u", d->qid);

    fprintf(f, "[%s]\n", d->name);
    for (size_t i = 0; tags && i < d->tags.n; i++) {
        char *more = format_new("%s%s%s", tags, *tags ? " " : "", d->tags.entries[i].key);

        free(tags);
        tags = more;
    }
    if (!tags)
        return -ENOMEM;
    r = r ? r : ini_write(f, "type", class_name(d->class));
    r = r ? r : ini_write(f, "uuid", d->uuid);
    r = r ? r : ini_write(f, "qid", qid);
    r = r ? r : ini_write(f, "label", d->label);
    r = r || !*tags ? r : ini_write(f, "tags", tags);
    for (size_t i = 0; !r && i < d->properties.n; i++)
        r = ini_write(f, d->properties.entries[i].key, d->properties.entries[i].value);
    for (size_t i = 0; !r && i < d->features.n; i++) {
        r = format(key, sizeof(key), "feature.%s", d->features.entries[i].key);
        r = r ? r : ini_write(f, key, d->features.entries[i].value);
    }
    return r ? r : write_lines(f, "firewall", d->firewall);
}

int registry_save(struct spawner *s, const struct domain *d)
{
    _cleanup_(freep) char *text = NULL;
    char path[PATH_SIZE];
    size_t n = 0;
    FILE *f;
    int r;

    if (!is_kept(s, d))
        return 0;
    f = open_memstream(&text, &n);
    if (!f)
        return -ENOMEM;
    r = write_domain(f, d);
    if (fclose(f) != 0 && !r)
        r = -ENOMEM;
    if (!r)
        r = path_get(path, DIR_DOMAINS "/%s.conf", d->name);
    return r ? r : file_replace(path, text, n, 0644);
}

int registry_save_globals(struct spawner *s)
{
    _cleanup_(freep) char *text = NULL;
    char path[PATH_SIZE];
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    int r = f ? 0 : -ENOMEM;

    for (size_t i = 0; !r && i < s->domains.globals.n; i++)
        r = ini_write(f, s->domains.globals.entries[i].key, s->domains.globals.entries[i].value);
    if (f && fclose(f) != 0 && !r)
        r = -ENOMEM;
    if (!r)
        r = path_get(path, "/etc/qubes");
    if (!r)
        r = mkdir_all(path, 0755);
    if (!r)
        r = path_get(path, "/etc/qubes/domains.conf");
    return r ? r : file_replace(path, text, n, 0644);
}

void registry_remove(struct spawner *s, const struct domain *d)
{
    char path[PATH_SIZE];

    if (!is_kept(s, d))
        return;
    if (path_get(path, DIR_DOMAINS "/%s.conf", d->name) == 0)
        unlink(path);
    if (path_get(path, "/var/lib/qubes/homes/%s", d->name) == 0)
        (void)remove_all(path);
}

/* When each name was last given, 0 never; from the journal's lines "NUMBER TIME". */
static void read_journal(const char *path, int64_t given[static NAMES])
{
    char *text = NULL, *rest, *line;
    size_t n;

    memset(given, 0, NAMES * sizeof(given[0]));
    if (file_read(path, 16U << 20, &text, &n))
        return;
    for (rest = text; (line = strsep(&rest, "\n"));) {
        char *end;
        unsigned long number = strtoul(line, &end, 10);

        if (*end == ' ' && number < NAMES)
            given[number] = strtoll(end + 1, NULL, 10);
    }
    free(text);
}

static int append_journal(const char *path, uint32_t number, int64_t now)
{
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char line[64];
    int r = fd < 0 ? -errno : format(line, sizeof(line), "%u %lld\n", number, (long long)now);

    return r ? r : write_full(fd, line, strlen(line));
}

/* Random; one given in the last days only when no other is left, then the one of longest ago. */
int registry_new_disposable_name(struct spawner *s, char ret[static DOMAIN_NAME_MAX + 1])
{
    static int64_t given[NAMES];
    int64_t now = (int64_t)time(NULL);
    char path[PATH_SIZE];
    uint32_t start = 0, best = NAMES;
    int r = path_get(path, JOURNAL);

    if (r)
        return r;
    read_journal(path, given);
    if (getrandom(&start, sizeof(start), 0) < 0)
        return -errno;
    for (uint32_t i = 0; i < NAMES; i++) {
        uint32_t number = (start % NAMES + i) % NAMES;

        r = format(ret, DOMAIN_NAME_MAX + 1, "disp%u", number);
        if (r || domains_find(&s->domains, ret))
            continue;
        if (best == NAMES || given[number] < given[best])
            best = number;
        if (now - given[number] >= KEPT_SEC) {
            best = number;
            break;
        }
    }
    if (best == NAMES)
        return -ENOSPC;
    r = append_journal(path, best, now);
    return r ? r : format(ret, DOMAIN_NAME_MAX + 1, "disp%u", best);
}
