/*
 * The settings of a service: a strict reader of a small language.
 *
 * Lines "key = value", key from column 1; '#' comments; booleans, decimal integers, the words in
 * and out, strings in single quotes without escapes. The first thing that is wrong fails the call:
 * a service whose settings were half understood might run as the wrong user. inih is not used,
 * since to it an indented line continues a value, and quotes and sections mean something else.
 */
#include "libqrexec/service/service.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"

#include <errno.h>
#include <stdio.h>

#define FALLBACK "/run/qubes/rpc-config:/usr/local/etc/qubes/rpc-config:/etc/qubes/rpc-config"
#define FILE_MAX 65536

enum value_kind { VALUE_BOOLEAN, VALUE_INTEGER, VALUE_STRING, VALUE_WORD };

struct value {
    enum value_kind kind;
    bool boolean;
    uint64_t integer;
    const char *text; /* of a string or word */
    size_t len;
};

struct reader {
    const char *path;
    int line;
    unsigned seen; /* a bit for each known key */
    struct service_settings *settings;
    char *reterr;
};

static int bad(const struct reader *r, const char *why)
{
    snprintf(r->reterr, SERVICE_TEXT_MAX, "%.300s:%d: %.150s", r->path, r->line, why);
    return SERVICE_E_TROUBLE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* Decimal, no leading zero; n digits, of which there are too few to overflow. */
static bool read_integer(const char *text, size_t n, uint64_t *ret)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(text[i] - '0');
    }
    *ret = v;
    return n == 1 || text[0] != '0';
}

/* A bare word or a string at *p; *p is behind it afterwards. NULL or what is wrong. */
static const char *read_value(const char **p, const char *end, struct value *ret)
{
    const char *start = *p;
    char digits[16];

    if (start < end && *start == '\'') {
        const char *close = memchr(start + 1, '\'', (size_t)(end - start - 1));

        if (!close)
            return "the string has no closing quote";
        *ret = (struct value){.kind = VALUE_STRING, .text = start + 1};
        ret->len = (size_t)(close - ret->text);
        *p = close + 1;
        return NULL;
    }
    while (*p < end && is_key_char(**p))
        (*p)++;
    ret->len = (size_t)(*p - start);
    if (ret->len == 0 || ret->len >= sizeof(digits))
        return "the value is none of true, false, a decimal number, a 'string'";
    memcpy(digits, start, ret->len);
    digits[ret->len] = 0;
    ret->boolean = str_equal(digits, "true");
    ret->kind = VALUE_BOOLEAN;
    if (ret->boolean || str_equal(digits, "false"))
        return NULL;
    ret->kind = VALUE_WORD;
    ret->text = start;
    if (str_equal(digits, "in") || str_equal(digits, "out"))
        return NULL;
    ret->kind = VALUE_INTEGER;
    if (!read_integer(digits, ret->len, &ret->integer))
        return "the value is none of true, false, a decimal number, a 'string'";
    return NULL;
}

static const char *set_boolean(bool *ret, const struct value *v)
{
    if (v->kind != VALUE_BOOLEAN)
        return "the value must be true or false";
    *ret = v->boolean;
    return NULL;
}

static const char *set_wait_for_session(struct service_settings *s, const struct value *v)
{
    if (v->kind == VALUE_INTEGER && v->integer <= 1) {
        s->wait_for_session = v->integer == 1;
        return NULL;
    }
    return set_boolean(&s->wait_for_session, v);
}

static const char *set_force_user(struct service_settings *s, const struct value *v)
{
    if (v->kind != VALUE_STRING || v->len == 0 || v->len >= sizeof(s->force_user))
        return "the value must be a user's name in single quotes";
    memcpy(s->force_user, v->text, v->len);
    s->force_user[v->len] = 0;
    return NULL;
}

static const char *set_skip(struct service_settings *s, const struct value *v)
{
    return set_boolean(&s->skip_service_descriptor, v);
}

static const char *set_client_eof(struct service_settings *s, const struct value *v)
{
    return set_boolean(&s->exit_on_client_eof, v);
}

static const char *set_service_eof(struct service_settings *s, const struct value *v)
{
    return set_boolean(&s->exit_on_service_eof, v);
}

static const char *set_max_time(struct service_settings *s, const struct value *v)
{
    if (v->kind != VALUE_INTEGER || !v->integer || v->integer > INT32_MAX)
        return "the value must be a number of seconds, at least 1";
    s->max_time = (uint32_t)v->integer;
    return NULL;
}

static const char *set_max_bytes(struct service_settings *s, const struct value *v)
{
    if (v->kind != VALUE_INTEGER || !v->integer)
        return "the value must be a number of bytes, at least 1";
    s->max_bytes = v->integer;
    return NULL;
}

static const char *set_flow(struct service_settings *s, const struct value *v)
{
    bool is_text = v->kind == VALUE_WORD || v->kind == VALUE_STRING;

    if (is_text && v->len == 2 && memcmp(v->text, "in", 2) == 0)
        s->flow = SERVICE_FLOW_IN;
    else if (is_text && v->len == 3 && memcmp(v->text, "out", 3) == 0)
        s->flow = SERVICE_FLOW_OUT;
    else
        return "the value must be in or out";
    return NULL;
}

static const struct {
    const char *key;
    const char *(*set)(struct service_settings *, const struct value *);
} known[] = {
    {"wait-for-session", set_wait_for_session},
    {"force-user", set_force_user},
    {"skip-service-descriptor", set_skip},
    {"exit-on-client-eof", set_client_eof},
    {"exit-on-service-eof", set_service_eof},
    {"max-time", set_max_time},
    {"max-bytes", set_max_bytes},
    {"flow", set_flow},
};

static int assign(struct reader *r, const char *key, size_t len, const struct value *v)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        const char *wrong;

        if (strlen(known[i].key) != len || memcmp(known[i].key, key, len) != 0)
            continue;
        if (r->seen & 1u << i)
            return bad(r, "the key stands here a second time");
        r->seen |= 1u << i;
        wrong = known[i].set(r->settings, v);
        return wrong ? bad(r, wrong) : 0;
    }
    log_warning("%s:%d: unknown key \"%.*s\" is ignored", r->path, r->line, (int)len, key);
    return 0;
}

static int read_line(struct reader *r, const char *p, const char *end)
{
    const char *key = p, *wrong;
    struct value v = {0};
    size_t len;

    if (end > p && end[-1] == '\r')
        end--;
    if (p == end || *p == '#')
        return 0;
    if (*p == '[')
        return bad(r, "sections are not known here");
    while (p < end && is_key_char(*p))
        p++;
    len = (size_t)(p - key);
    if (len == 0)
        return bad(r, "a line begins with a key or with #");
    p = skip_blanks(p, end);
    if (p == end || *p != '=')
        return bad(r, "no = behind the key");
    p = skip_blanks(p + 1, end);
    wrong = read_value(&p, end, &v);
    if (wrong)
        return bad(r, wrong);
    p = skip_blanks(p, end);
    if (p < end && *p != '#')
        return bad(r, "something stands behind the value");
    return assign(r, key, len, &v);
}

int service_settings_parse(const char *path, const char *text, size_t n,
                           struct service_settings *ret, char reterr[static SERVICE_TEXT_MAX])
{
    struct service_settings s = {0};
    struct reader r = {.path = path, .settings = &s, .reterr = reterr};
    const char *p = text, *end = text + n;
    int e = 0;

    while (p < end && !e) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));

        if (!eol)
            eol = end;
        r.line++;
        e = memchr(p, 0, (size_t)(eol - p)) ? bad(&r, "a NUL byte") : read_line(&r, p, eol);
        p = eol + 1;
    }
    if (!e && *s.force_user &&
        (s.skip_service_descriptor || s.exit_on_client_eof || s.exit_on_service_eof))
        e = bad(&r, "force-user does not go with the settings of sockets");
    if (!e)
        *ret = s;
    return e;
}

int service_settings_read(struct service *s, char reterr[static SERVICE_TEXT_MAX])
{
    char path[PATH_SIZE], link[PATH_SIZE];
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r;

    r = service_search(s, "QUBES_RPC_CONFIG_PATH", FALLBACK, path, link, reterr);
    if (r == SERVICE_E_NOT_FOUND)
        return 0;
    if (r)
        return r;
    r = file_read(path, FILE_MAX, &text, &n);
    if (r == -ENOENT) /* a link to nothing */
        return 0;
    if (r) {
        snprintf(reterr, SERVICE_TEXT_MAX, "%.300s: %s", path, strerror(-r));
        return SERVICE_E_TROUBLE;
    }
    return service_settings_parse(path, text, n, &s->settings, reterr);
}
