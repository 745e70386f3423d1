/* Domains as the spawner tells them: see system-info.h. */
#include "policy-engine/system-info.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/system-info-scan.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>

#define ANSWER_MAX (16U << 20)
#define ANSWER_MS  5000

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s && *s ? s : NULL;
}

static int add_domain(struct policy_domains *d, const char *name, json_t *o)
{
    json_t *tags = json_object_get(o, "tags"), *internal = json_object_get(o, "internal");
    _cleanup_(freep) const char **tag = calloc(json_array_size(tags) + 1, sizeof(*tag));
    struct policy_domain dom = {
        .name = name,
        .uuid = text_of(o, "uuid"),
        .type = text_of(o, "type"),
        .template_for_dispvms = json_is_true(json_object_get(o, "template_for_dispvms")),
        .default_dispvm = text_of(o, "default_dispvm"),
        .power_state = text_of(o, "power_state"),
        .internal = json_is_true(internal) || text_of(o, "internal"),
        .guivm = text_of(o, "guivm"),
        .relayvm = text_of(o, "relayvm"),
        .transport_rpc = text_of(o, "transport_rpc"),
        .icon = text_of(o, "icon"),
        .label = text_of(o, "label"),
        .netvm = text_of(o, "netvm"),
    };

    if (!tag)
        return -ENOMEM;
    for (size_t i = 0; i < json_array_size(tags); i++)
        if (json_is_string(json_array_get(tags, i)))
            tag[dom.n_tags++] = json_string_value(json_array_get(tags, i));
    dom.tags = tag;
    return policy_domains_add(d, &dom);
}

int system_info_parse_tree(const char *json, size_t n, struct policy_domains **ret)
{
    _cleanup_(policy_domains_unrefp) struct policy_domains *d = NULL;
    json_t *root = json_loadb(json, n, 0, NULL), *domains = json_object_get(root, "domains"), *o;
    const char *name;
    int r = json_is_object(domains) ? 0 : -EBADMSG;

    if (!r)
        r = policy_domains_new((uint64_t)json_integer_value(json_object_get(root, "generation")),
                               &d);
    json_object_foreach(domains, name, o) if (!r) r = add_domain(d, name, o);
    json_decref(root);
    if (r)
        return r > 0 ? -EBADMSG : r;
    *ret = take(d);
    return 0;
}

int system_info_parse(const char *json, size_t n, struct policy_domains **ret)
{
    _cleanup_(freep) char *copy = malloc(n + 1);
    int r;

    if (!copy)
        return -ENOMEM;
    memcpy(copy, json, n);
    r = system_info_scan(copy, n, ret);
    return r == SCAN_E_OTHER ? system_info_parse_tree(json, n, ret) : r;
}

int system_info_fetch(struct policy_domains **ret)
{
    static const char request[] = "internal.GetSystemInfo+ dom0 name dom0";
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(ANSWER_MAX);
    _cleanup_(closep) int fd = -1;
    uint64_t deadline = clock_ms() + ANSWER_MS;
    char path[PATH_SIZE];
    ssize_t n = 0;
    int r = path_get(path, "/run/qubesd.internal.sock");

    if (!r)
        r = unix_connect(path, &fd);
    if (!r)
        r = write_full(fd, request, sizeof(request)); /* with its NUL */
    if (r)
        return r;
    shutdown(fd, SHUT_WR);
    do {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, 1, deadline_left(deadline)) == 0)
            return -ETIMEDOUT;
        n = buf_read_fd(&b, fd, 16384);
    } while (n > 0 || n == -EAGAIN);
    if (n < 0)
        return (int)n;
    if (buf_len(&b) < 2 || buf_data(&b)[0] != '0' || buf_data(&b)[1])
        return -EPROTO;
    return system_info_parse((const char *)buf_data(&b) + 2, buf_len(&b) - 2, ret);
}
