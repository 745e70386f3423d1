/* The policy.* services: see policy-admin.h. */
#include "rpc-services/dom0/policy-admin.h"

#include "libqrexec/base/io.h"
#include "rpc-services/dom0/policy-check.h"
#include "rpc-services/dom0/token.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>

struct method {
    const char *service;
    int (*handle)(const struct policy_store *s, enum store_place place,
                  const struct admin_request *request, struct buf *answer,
                  char reterr[static ADMIN_TEXT_MAX]);
    enum store_place place;
    bool has_argument, has_payload;
};

static int handle_list(const struct policy_store *s, enum store_place place,
                       const struct admin_request *request, struct buf *answer,
                       char reterr[static ADMIN_TEXT_MAX])
{
    (void)request;
    return store_list(s, place, answer, reterr);
}

static int handle_get(const struct policy_store *s, enum store_place place,
                      const struct admin_request *request, struct buf *answer,
                      char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(freep) char *content = NULL;
    char token[TOKEN_SIZE];
    size_t len;
    int r = store_read(s, place, request->argument, &content, &len, reterr);

    if (r)
        return r;
    token_make(content, len, token);
    r = buf_appendf(answer, "%s\n", token);
    if (!r)
        r = buf_append(answer, content, len);
    return r ? admin_fail(reterr, r, "cannot answer: %s", strerror(-r)) : 0;
}

/* The change that the token allows, under the lock. */
static int change(const struct policy_store *s, struct store_change *c, const char *token,
                  size_t token_len, char reterr[static ADMIN_TEXT_MAX])
{
    _cleanup_(closep) int lock = -1;
    char copy[TOKEN_SIZE];
    int r;

    if (!token_parse(token, token_len, copy))
        return admin_fail(reterr, ADMIN_E_PROTOCOL,
                          "the payload must begin with a token: any, new, or sha256:DIGEST");
    r = store_lock(s, &lock, reterr);
    if (r)
        return r;
    c->token = copy;
    return store_apply(s, c, reterr);
}

static int handle_replace(const struct policy_store *s, enum store_place place,
                          const struct admin_request *request, struct buf *answer,
                          char reterr[static ADMIN_TEXT_MAX])
{
    const char *end = request->len ? memchr(request->payload, '\n', request->len) : NULL;
    struct store_change c = {.place = place, .name = request->argument};

    (void)answer;
    if (!end)
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "the payload has no line with a token");
    c.content = end + 1;
    c.len = request->len - (size_t)(c.content - request->payload);
    if (c.len > ADMIN_CONTENT_MAX)
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "a file has %u bytes at most",
                          ADMIN_CONTENT_MAX);
    if (!g_utf8_validate_len(c.content, c.len, NULL))
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "the content is not UTF-8, or has a NUL in it");
    return change(s, &c, request->payload, (size_t)(end - request->payload), reterr);
}

static int handle_remove(const struct policy_store *s, enum store_place place,
                         const struct admin_request *request, struct buf *answer,
                         char reterr[static ADMIN_TEXT_MAX])
{
    struct store_change c = {.place = place, .name = request->argument};

    (void)answer;
    return change(s, &c, request->len ? request->payload : "", request->len, reterr);
}

static int handle_get_files(const struct policy_store *s, enum store_place place,
                            const struct admin_request *request, struct buf *answer,
                            char reterr[static ADMIN_TEXT_MAX])
{
    const char *service = request->argument;

    (void)place;
    if (service[strspn(service,
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")])
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "\"%s\" is no name of a service", service);
    return policy_list_files(s, service, answer, reterr);
}

static const struct method methods[] = {
    {"policy.List", handle_list, STORE_POLICY, false, false},
    {"policy.include.List", handle_list, STORE_INCLUDE, false, false},
    {"policy.Get", handle_get, STORE_POLICY, true, false},
    {"policy.include.Get", handle_get, STORE_INCLUDE, true, false},
    {"policy.Replace", handle_replace, STORE_POLICY, true, true},
    {"policy.include.Replace", handle_replace, STORE_INCLUDE, true, true},
    {"policy.Remove", handle_remove, STORE_POLICY, true, true},
    {"policy.include.Remove", handle_remove, STORE_INCLUDE, true, true},
    {"policy.GetFiles", handle_get_files, STORE_POLICY, true, false},
};

static int handle(const struct policy_store *s, const struct method *m,
                  const struct admin_request *request, struct buf *answer,
                  char reterr[static ADMIN_TEXT_MAX])
{
    bool has_argument = request->argument && *request->argument;

    if (has_argument && !m->has_argument)
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "%s takes no argument", m->service);
    if (request->len && !m->has_payload)
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "%s takes no payload", m->service);
    if (!has_argument && m->has_argument)
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "%s needs an argument", m->service);
    if (request->len > ADMIN_PAYLOAD_MAX)
        return admin_fail(reterr, ADMIN_E_PROTOCOL, "the payload has %u bytes at most",
                          ADMIN_PAYLOAD_MAX);
    return m->handle(s, m->place, request, answer, reterr);
}

int admin_handle(const struct policy_store *s, const struct admin_request *request,
                 struct buf *answer, char reterr[static ADMIN_TEXT_MAX])
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (str_equal(request->service, methods[i].service))
            return handle(s, &methods[i], request, answer, reterr);
    return admin_fail(reterr, ADMIN_E_PROTOCOL, "unknown service \"%s\"", request->service);
}

const char *admin_error_name(int code)
{
    static const char *const names[] = {
        [ADMIN_E_TOKEN] = "PolicyAdminTokenException",
        [ADMIN_E_NOT_FOUND] = "PolicyAdminFileNotFoundException",
        [ADMIN_E_SYNTAX] = "PolicyAdminSyntaxException",
        [ADMIN_E_FILE_NAME] = "PolicyAdminInvalidFileNameException",
        [ADMIN_E_FILE_PATH] = "PolicyAdminInvalidFilePathException",
        [ADMIN_E_PROTOCOL] = "PolicyAdminProtocolException",
    };

    return code > 0 && code < (int)ARRAY_SIZE(names) ? names[code] : NULL;
}
