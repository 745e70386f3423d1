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
    bool template, internal;
    int error;
};

static void forget(struct reading *rd)
{
    free(rd->name);
    for (size_t i = 0; i < FIELDS; i++)
        free(rd->value[i]);
    *rd = (struct reading){.domains = rd->domains, .error = rd->error};
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

    if (!rd->name)
        return 0;
    tags = calloc((rest ? strlen(rest) : 0) / 2 + 2, sizeof(*tags));
    if (!tags)
        return -ENOMEM;
    while ((word = strsep(&rest, " \t")))
        if (*word)
            tags[d.n_tags++] = word;
    d.tags = tags;
    return policy_domains_add(rd->domains, &d);
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

static bool on_pair(void *user, const char *section, const char *key, const char *value, int line)
{
    struct reading *rd = user;

    (void)line;
    if (!rd->name || !str_equal(rd->name, section)) {
        rd->error = finish(rd);
        forget(rd);
        rd->name = strdup(section);
        if (!rd->name)
            rd->error = -ENOMEM;
    }
    if (!rd->error)
        rd->error = put_value(rd, key, value);
    return !rd->error;
}

int domains_file_read(const char *path, struct policy_domains **ret, char **reterr)
{
    struct reading rd = {0};
    int line = 0, r = policy_domains_new(0, &rd.domains);

    if (!r)
        r = ini_read(path, on_pair, &rd, &line);
    if (!r || r == INI_E_HANDLER)
        r = rd.error ? rd.error : finish(&rd);
    forget(&rd);
    if (r) {
        policy_domains_unref(rd.domains);
        *reterr =
            format_new("%s:%d: %s", path, line,
                       r < 0                 ? strerror(-r)
                       : r == INI_E_TOO_LONG ? "the line is too long (continue it on the next one)"
                                             : "not a line of a domains file, or a domain twice");
        return r < 0 ? r : 1;
    }
    *ret = rd.domains;
    return 0;
}
