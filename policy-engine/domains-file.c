/* Domains from a file: see domains-file.h. */
#include "policy-engine/domains-file.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/ini.h"

#include <errno.h>

enum field {
    UUID,
    TYPE,
    DEFAULT_DISPVM,
    POWER_STATE,
    GUIVM,
    RELAYVM,
    TRANSPORT_RPC,
    ICON,
    LABEL,
    NETVM,
    TAGS,
    FIELDS
};

static const char *const keys[FIELDS] = {
    "uuid",          "type", "default_dispvm", "power_state", "guivm", "relayvm",
    "transport_rpc", "icon", "label",          "netvm",       "tags"};

struct reading {
    struct policy_domains *domains;
    char *name; /* of the open section, or NULL */
    char *value[FIELDS];
    int line; /* of its first key */
    bool template, internal;
    int error;  /* negative errno, or READING_E_TOLD */
    char *what; /* then: what is wrong in this line */
};

#define READING_E_TOLD 1

/* NULL what: no memory. */
static int tell(struct reading *rd, char *what)
{
    rd->what = what;
    return what ? READING_E_TOLD : -ENOMEM;
}

static void forget(struct reading *rd)
{
    free(rd->name);
    free(rd->what);
    for (size_t i = 0; i < FIELDS; i++)
        free(rd->value[i]);
    *rd = (struct reading){.domains = rd->domains, .error = rd->error};
}

static int tell_twice(struct reading *rd)
{
    _cleanup_(freep) char *spelled = format_new("uuid:%s", rd->value[UUID] ? rd->value[UUID] : "");
    const struct policy_domain *other = spelled ? policy_domains_find(rd->domains, spelled) : NULL;

    if (policy_domains_find(rd->domains, rd->name))
        return tell(rd, format_new("domain %s a second time (all its keys belong in one section)",
                                   rd->name));
    return tell(
        rd, format_new("domain %s has the uuid of %s", rd->name, other ? other->name : "another"));
}

/* The section is complete. */
static int finish(struct reading *rd)
{
    struct policy_domain d = {
        .name = rd->name,
        .uuid = rd->value[UUID],
        .type = rd->value[TYPE],
        .default_dispvm = rd->value[DEFAULT_DISPVM],
        .power_state = rd->value[POWER_STATE],
        .guivm = rd->value[GUIVM],
        .relayvm = rd->value[RELAYVM],
        .transport_rpc = rd->value[TRANSPORT_RPC],
        .icon = rd->value[ICON],
        .label = rd->value[LABEL],
        .netvm = rd->value[NETVM],
        .template_for_dispvms = rd->template,
        .internal = rd->internal,
    };
    _cleanup_(freep) const char **tags = NULL;
    char *rest = rd->value[TAGS], *word;
    int r;

    if (!rd->name)
        return 0;
    tags = calloc((rest ? strlen(rest) : 0) / 2 + 2, sizeof(*tags));
    if (!tags)
        return -ENOMEM;
    while ((word = strsep(&rest, " \t")))
        if (*word)
            tags[d.n_tags++] = word;
    d.tags = tags;
    r = policy_domains_add(rd->domains, &d);
    return r == POLICY_E_EXISTS ? tell_twice(rd) : r;
}

static int put_value(struct reading *rd, const char *key, const char *value)
{
    for (size_t i = 0; i < FIELDS; i++) {
        char *joined;

        if (!str_equal(keys[i], key))
            continue;
        joined = rd->value[i] ? format_new("%s %s", rd->value[i], value) : strdup(value);
        if (!joined)
            return -ENOMEM;
        free(rd->value[i]);
        rd->value[i] = joined;
    }
    if (str_equal(key, "template_for_dispvms"))
        rd->template = str_equal(value, "True");
    if (str_equal(key, "internal") || str_equal(key, "feature.internal"))
        rd->internal = *value && !str_equal(value, "False");
    return 0;
}

static int open_section(struct reading *rd, const char *section, int line)
{
    int r = finish(rd);

    if (r)
        return r;
    forget(rd);
    rd->line = line;
    if (!*section)
        return tell(rd, strdup("a key before any [DOMAIN]"));
    rd->name = strdup(section);
    return rd->name ? 0 : -ENOMEM;
}

static bool on_pair(void *user, const char *section, const char *key, const char *value, int line)
{
    struct reading *rd = user;

    if (!rd->name || !str_equal(rd->name, section))
        rd->error = open_section(rd, section, line);
    if (!rd->error)
        rd->error = put_value(rd, key, value);
    return !rd->error;
}

/* ini: what reading the lines gave. */
static char *trouble(const struct reading *rd, const char *path, int ini, int line)
{
    if (rd->error == READING_E_TOLD)
        return format_new("%s:%d: %s", path, rd->line, rd->what);
    if (rd->error < 0 || ini < 0)
        return format_new("%s: %s", path, strerror(rd->error < 0 ? -rd->error : -ini));
    return format_new("%s:%d: %s", path, line,
                      ini == INI_E_TOO_LONG ? "the line is too long (continue it on the next one)"
                                            : "not a line of a domains file");
}

int domains_file_read(const char *path, struct policy_domains **ret, char **reterr)
{
    struct reading rd = {0};
    int line = 0, ini = 0;

    rd.error = policy_domains_new(0, &rd.domains);
    if (!rd.error)
        ini = ini_read(path, on_pair, &rd, &line);
    if (!rd.error && !ini)
        rd.error = finish(&rd);
    if (rd.error || ini)
        *reterr = trouble(&rd, path, ini, line);
    forget(&rd);
    if (rd.error || ini) {
        policy_domains_unref(rd.domains);
        return rd.error < 0 ? rd.error : ini < 0 ? ini : 1;
    }
    *ret = rd.domains;
    return 0;
}
