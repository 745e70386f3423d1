/*
 * The builder process: see xen-builder.h. It may block: it has one thing to do, and the helper
 * kills it when that takes too long.
 */
#include "domain-spawner/xen-builder.h"

#include "domain-spawner/helper-protocol.h"
#include "domain-spawner/xen-config.h"
#include "domain-spawner/xen-log.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct builder {
    struct xen_log log;
    libxl_ctx *ctx;
    struct xen_disks disks;
    char why[DOMAIN_TEXT_SIZE];
};

static int check_file(struct builder *b, const char *what, const char *path)
{
    if (!*path || access(path, R_OK) == 0)
        return 0;
    (void)format(b->why, sizeof(b->why), "its %s %s cannot be read: %s", what, path,
                 strerror(errno));
    return -EINVAL;
}

static int build(struct builder *b, const struct domain_spec *spec, uint32_t *ret)
{
    libxl_domain_config config;
    uint32_t domid = INVALID_DOMID;
    int r = check_file(b, "kernel", spec->kernel);

    r = r ? r : check_file(b, "ramdisk", spec->ramdisk);
    r = r ? r : xen_disks_open(&b->disks, spec, b->why);
    if (r)
        return r;
    libxl_domain_config_init(&config);
    r = xen_config_fill(b->ctx, spec, &b->disks, &config);
    if (!r) {
        r = libxl_domain_create_new(b->ctx, &config, &domid, NULL, NULL);
        if (r)
            (void)format(b->why, sizeof(b->why), "libxl cannot build it: %s (%d)",
                         *b->log.errors ? b->log.errors : "it does not say why", r);
    }
    libxl_domain_config_dispose(&config);
    if (!r)
        *ret = domid;
    return r;
}

static int answer(int socket, uint64_t id, uint32_t domid, const char *error)
{
    struct helper_message m = {.type = HELPER_ANSWER, .id = id, .domid = domid};
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r = format(m.text, sizeof(m.text), "%s", error);

    r = r ? r : helper_message_format(&m, &text, &n);
    if (!r && send(socket, text, n, MSG_NOSIGNAL) < 0)
        r = -errno;
    return r;
}

static bool has_run(struct builder *b, uint32_t domid)
{
    libxl_dominfo info;
    bool ran;

    libxl_dominfo_init(&info);
    /* one that is not there any more needs no end */
    ran = libxl_domain_info(b->ctx, &info, domid) != 0 || info.cpu_time > 0;
    libxl_dominfo_dispose(&info);
    return ran;
}

/* Until the helper hangs up, however that comes about. */
static void wait_for_end(int socket)
{
    char c;

    while (recv(socket, &c, 1, 0) > 0 || errno == EINTR)
        ;
}

static int serve(struct builder *b, int socket, const struct helper_request *rq)
{
    uint32_t domid = INVALID_DOMID;
    int r = build(b, &rq->spec, &domid);

    if (r) {
        if (!*b->why)
            (void)format(b->why, sizeof(b->why), "it cannot be built: %s", strerror(-r));
        (void)answer(socket, rq->id, 0, b->why);
        xen_disks_close(&b->disks);
        return 1;
    }
    r = answer(socket, rq->id, domid, "");
    if (!r)
        wait_for_end(socket);
    if (!has_run(b, domid)) {
        log_warning("%s: the helper is gone, so domain %u, which never ran, is destroyed",
                    rq->spec.name, domid);
        (void)libxl_domain_destroy(b->ctx, domid, NULL);
    }
    xen_disks_close(&b->disks);
    return 0;
}

int xen_builder_run(int socket)
{
    static struct builder b;
    static char data[HELPER_DATAGRAM_MAX + 1];
    struct helper_request rq;
    const char *field;
    uint64_t id;
    ssize_t n;
    int code;

    (void)prctl(PR_SET_NAME, "domain-builder");
    xen_log_init(&b.log);
    if (libxl_ctx_alloc(&b.ctx, LIBXL_VERSION, 0, &b.log.logger)) {
        log_error("the builder cannot reach Xen");
        return 1;
    }
    do
        n = recv(socket, data, sizeof(data), 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        code = n == 0 ? 0 : 1;
    } else if (helper_request_parse(data, (size_t)n, &rq, &id, &field) ||
               rq.type != HELPER_CREATE) {
        log_error("the builder cannot read its request");
        code = 1;
    } else {
        code = serve(&b, socket, &rq);
    }
    libxl_ctx_free(b.ctx);
    return code;
}
