/*
 * The helper's datagrams: see helper-protocol.h.
 *
 * One table per kind of object says which fields there are, of which kind, and what is allowed in
 * them; parser and formatter both walk it, so they cannot disagree. What is not in the table is
 * refused.
 */
#include "domain-spawner/helper-protocol.h"

#include <errno.h>
#include <jansson.h>

enum field_kind { FIELD_TEXT, FIELD_BOOL, FIELD_U32, FIELD_U64 };

struct field {
    const char *key;
    enum field_kind kind;
    size_t offset, size; /* in its struct; size of a text's array with the NUL */
    uint64_t least, most;
    bool (*ok)(const char *text); /* of a text */
    bool may_be_empty;            /* … and then ok is not asked */
};

static bool any_text(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool helper_name_ok(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n >= DOMAIN_NAME_SIZE || !is_alpha(name[0]))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!is_alpha(name[i]) && !is_digit(name[i]) && !strchr("_.-", name[i]))
            return false;
    if (n >= 3 && str_equal(name + n - 3, "-dm"))
        return false;
    return !str_equal(name, "none") && !str_equal(name, "default") &&
           !str_equal(name, "Domain-0") && !str_equal(name, "dom0");
}

bool helper_uuid_ok(const char *uuid)
{
    size_t i;

    for (i = 0; i < DOMAIN_UUID_SIZE - 1 && uuid[i]; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? uuid[i] != '-' : !is_digit(uuid[i]) && !(uuid[i] >= 'a' && uuid[i] <= 'f'))
            return false;
    }
    return i == DOMAIN_UUID_SIZE - 1 && !uuid[i];
}

bool helper_user_ok(const char *user)
{
    if (!is_alpha(user[0]) && user[0] != '_')
        return false;
    for (user++; *user; user++)
        if (!is_alpha(*user) && !is_digit(*user) && !strchr("_.-", *user))
            return false;
    return true;
}

bool helper_path_ok(const char *path)
{
    if (path[0] != '/' || !path[1] || !any_text(path))
        return false;
    while (*path) {
        size_t n = strcspn(path + 1, "/");

        if (n == 0 || (n == 1 && path[1] == '.') || (n == 2 && path[1] == '.' && path[2] == '.'))
            return false;
        path += 1 + n;
    }
    return true;
}

static bool virt_mode_ok(const char *s)
{
    return str_equal(s, "pv") || str_equal(s, "pvh") || str_equal(s, "hvm");
}

#define SPEC(member)                                                                               \
    .offset = offsetof(struct domain_spec, member),                                                \
    .size = sizeof(((struct domain_spec *)0)->member)
#define MESSAGE(member)                                                                            \
    .offset = offsetof(struct helper_message, member),                                             \
    .size = sizeof(((struct helper_message *)0)->member)
#define MIB_MAX (1U << 24)

static const struct field uuid_field = {"uuid", FIELD_TEXT, SPEC(uuid), .ok = helper_uuid_ok};

static const struct field create_fields[] = {
    {"name", FIELD_TEXT, SPEC(name), .ok = helper_name_ok},
    {"uuid", FIELD_TEXT, SPEC(uuid), .ok = helper_uuid_ok},
    {"type", FIELD_TEXT, SPEC(type), .ok = helper_name_ok},
    {"default_user", FIELD_TEXT, SPEC(default_user), .ok = helper_user_ok},
    {"starting", FIELD_BOOL, SPEC(starting)},
    {"disposable", FIELD_BOOL, SPEC(disposable)},
    {"networked", FIELD_BOOL, SPEC(networked)},
    {"netvm", FIELD_U32, SPEC(netvm), .most = DOMAIN_NUMBER_MAX},
    {"memory_mib", FIELD_U32, SPEC(memory_mib), .most = MIB_MAX},
    {"maxmem_mib", FIELD_U32, SPEC(maxmem_mib), .most = MIB_MAX},
    {"vcpus", FIELD_U32, SPEC(vcpus), .least = 1, .most = 512},
    {"start_seconds", FIELD_U32, SPEC(start_seconds), .least = 1, .most = 86400},
    {"home", FIELD_TEXT, SPEC(home), .ok = helper_path_ok, .may_be_empty = true},
    {"home_from", FIELD_TEXT, SPEC(home_from), .ok = helper_path_ok, .may_be_empty = true},
    {"kernel", FIELD_TEXT, SPEC(kernel), .ok = helper_path_ok, .may_be_empty = true},
    {"ramdisk", FIELD_TEXT, SPEC(ramdisk), .ok = helper_path_ok, .may_be_empty = true},
    {"root_image", FIELD_TEXT, SPEC(root_image), .ok = helper_path_ok, .may_be_empty = true},
    {"private_image", FIELD_TEXT, SPEC(private_image), .ok = helper_path_ok, .may_be_empty = true},
    {"kernelopts", FIELD_TEXT, SPEC(kernelopts), .ok = any_text, .may_be_empty = true},
    {"virt_mode", FIELD_TEXT, SPEC(virt_mode), .ok = virt_mode_ok, .may_be_empty = true},
};

#define TEXT_FIELD(key)                                                                            \
    {                                                                                              \
        key, FIELD_TEXT, MESSAGE(text), .ok = any_text, .may_be_empty = true                       \
    }
#define MESSAGE_UUID                                                                               \
    {                                                                                              \
        "uuid", FIELD_TEXT, MESSAGE(uuid), .ok = helper_uuid_ok                                    \
    }
#define NUMBER_FIELD(key, member)                                                                  \
    {                                                                                              \
        key, FIELD_U64, MESSAGE(member), .most = INT64_MAX                                         \
    }

static const struct field hello_fields[] = {
    TEXT_FIELD("backend"),
    {"outlive", FIELD_BOOL, MESSAGE(outlive)},
};
static const struct field answer_fields[] = {
    NUMBER_FIELD("id", id),
    {"domid", FIELD_U32, MESSAGE(domid), .most = DOMAIN_NUMBER_MAX},
    {"paused", FIELD_BOOL, MESSAGE(paused)},
    NUMBER_FIELD("memory_kib", stats.memory_kib),
    NUMBER_FIELD("maxmem_kib", stats.maxmem_kib),
    NUMBER_FIELD("cpu_ns", stats.cpu_ns),
    TEXT_FIELD("error"),
};
static const struct field running_fields[] = {
    MESSAGE_UUID,
    {"domid", FIELD_U32, MESSAGE(domid), .least = 1, .most = DOMAIN_NUMBER_MAX},
};
static const struct field reason_fields[] = {MESSAGE_UUID, TEXT_FIELD("reason")};
static const struct field found_fields[] = {MESSAGE_UUID};
static const struct field gone_fields[] = {MESSAGE_UUID};

/* A kind of object: its name, and its fields but for "request" or "message" and "id". */
struct kind {
    const char *name;
    const struct field *fields;
    size_t n;
    bool sparse; /* a field that is missing is zero; zeroes are not sent */
};

static const struct kind requests[] = {
    [HELPER_CREATE] = {"create", create_fields, ARRAY_SIZE(create_fields), false},
    [HELPER_SHUTDOWN] = {"shutdown", &uuid_field, 1, false},
    [HELPER_DESTROY] = {"destroy", &uuid_field, 1, false},
    [HELPER_PAUSE] = {"pause", &uuid_field, 1, false},
    [HELPER_UNPAUSE] = {"unpause", &uuid_field, 1, false},
    [HELPER_STATS] = {"stats", &uuid_field, 1, false},
    [HELPER_ADOPT] = {"adopt", create_fields, ARRAY_SIZE(create_fields), false},
};

static const struct kind messages[] = {
    [HELPER_HELLO] = {"hello", hello_fields, ARRAY_SIZE(hello_fields), false},
    [HELPER_ANSWER] = {"answer", answer_fields, ARRAY_SIZE(answer_fields), true},
    [HELPER_RUNNING] = {"running", running_fields, ARRAY_SIZE(running_fields), false},
    [HELPER_START_FAILED] = {"start-failed", reason_fields, ARRAY_SIZE(reason_fields), false},
    [HELPER_GONE] = {"gone", gone_fields, ARRAY_SIZE(gone_fields), false},
    [HELPER_FOUND] = {"found", found_fields, ARRAY_SIZE(found_fields), false},
    [HELPER_LATE] = {"late", reason_fields, ARRAY_SIZE(reason_fields), false},
};

static const char *const ends[] = {
    [DOMAIN_SHUTDOWN] = "shutdown", [DOMAIN_CRASH] = "crash", [DOMAIN_DESTROY] = "destroy"};

static int find_kind(const struct kind *kinds, size_t n, const json_t *name)
{
    for (size_t i = 0; i < n; i++)
        if (json_is_string(name) && str_equal(json_string_value(name), kinds[i].name))
            return (int)i;
    return -1;
}

/* text of the field into its array, if all of it may be there */
static bool take_text(const struct field *f, const json_t *value, char *to)
{
    const char *s = json_string_value(value);
    size_t n = json_string_length(value);

    if (!json_is_string(value) || n >= f->size || strlen(s) != n)
        return false;
    if (n == 0 ? !f->may_be_empty : !f->ok(s))
        return false;
    memcpy(to, s, n + 1);
    return true;
}

static bool take_number(const struct field *f, const json_t *value, void *to)
{
    json_int_t v = json_integer_value(value);

    if (!json_is_integer(value) || v < 0 || (uint64_t)v < f->least || (uint64_t)v > f->most)
        return false;
    if (f->kind == FIELD_U32)
        *(uint32_t *)to = (uint32_t)v;
    else
        *(uint64_t *)to = (uint64_t)v;
    return true;
}

static bool take_field(const struct field *f, const json_t *value, void *base)
{
    void *to = (char *)base + f->offset;

    switch (f->kind) {
    case FIELD_TEXT: return take_text(f, value, to);
    case FIELD_BOOL: *(bool *)to = json_is_true(value); return json_is_boolean(value);
    case FIELD_U32:
    case FIELD_U64: return take_number(f, value, to);
    }
    return false;
}

/* NULL: all fields are there and allowed, and no other but extra (a count of known ones). */
static const char *take_fields(const struct kind *k, const json_t *object, size_t extra, void *base)
{
    size_t seen = extra;

    for (size_t i = 0; i < k->n; i++) {
        const json_t *value = json_object_get(object, k->fields[i].key);

        if (!value && k->sparse)
            continue;
        if (!value || !take_field(&k->fields[i], value, base))
            return k->fields[i].key;
        seen++;
    }
    return json_object_size(object) == seen ? NULL : "unknown field";
}

static int load(const char *data, size_t n, json_t **ret)
{
    json_error_t e;
    json_t *object;

    if (n > HELPER_DATAGRAM_MAX)
        return HELPER_E_SYNTAX;
    object = json_loadb(data, n, JSON_REJECT_DUPLICATES, &e);
    if (!object)
        return json_error_code(&e) == json_error_out_of_memory ? -ENOMEM : HELPER_E_SYNTAX;
    *ret = object;
    return 0;
}

static void json_freep(json_t **j)
{
    json_decref(*j);
}

int helper_request_parse(const char *data, size_t n, struct helper_request *ret, uint64_t *ret_id,
                         const char **ret_field)
{
    static const struct field id_field = {"id", FIELD_U64, .most = INT64_MAX};
    _cleanup_(json_freep) json_t *object = NULL;
    struct helper_request rq = {.type = HELPER_CREATE};
    const char *bad;
    int type, r = load(data, n, &object);

    if (r)
        return r;
    if (!take_number(&id_field, json_object_get(object, "id"), &rq.id))
        return HELPER_E_SYNTAX;
    type = find_kind(requests, ARRAY_SIZE(requests), json_object_get(object, "request"));
    bad = type < 0 ? "request" : take_fields(&requests[type], object, 2, &rq.spec);
    if (bad) {
        *ret_id = rq.id;
        *ret_field = bad;
        return HELPER_E_FIELD;
    }
    rq.type = (enum helper_request_type)type;
    *ret = rq;
    return 0;
}

static bool take_end(const json_t *value, enum domain_end *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (json_is_string(value) && str_equal(json_string_value(value), ends[i])) {
            *ret = (enum domain_end)i;
            return true;
        }
    return false;
}

int helper_message_parse(const char *data, size_t n, struct helper_message *ret)
{
    _cleanup_(json_freep) json_t *object = NULL;
    struct helper_message m = {.type = HELPER_HELLO};
    size_t extra = 1;
    int type, r = load(data, n, &object);

    if (r)
        return r;
    type = find_kind(messages, ARRAY_SIZE(messages), json_object_get(object, "message"));
    if (type < 0)
        return HELPER_E_SYNTAX;
    m.type = (enum helper_message_type)type;
    if (m.type == HELPER_GONE) {
        if (!take_end(json_object_get(object, "reason"), &m.end))
            return HELPER_E_FIELD;
        extra++;
    }
    if (m.type == HELPER_ANSWER && !json_object_get(object, "id"))
        return HELPER_E_FIELD;
    if (take_fields(&messages[type], object, extra, &m))
        return HELPER_E_FIELD;
    *ret = m;
    return 0;
}

static json_t *field_value(const struct field *f, const void *base)
{
    const void *at = (const char *)base + f->offset;

    switch (f->kind) {
    case FIELD_TEXT: return json_string(at);
    case FIELD_BOOL: return json_boolean(*(const bool *)at);
    case FIELD_U32: return json_integer(*(const uint32_t *)at);
    case FIELD_U64: return json_integer((json_int_t) * (const uint64_t *)at);
    }
    return NULL;
}

static bool is_zero(const struct field *f, const void *base)
{
    const char *at = (const char *)base + f->offset;

    if (f->kind == FIELD_TEXT)
        return !*at;
    for (size_t i = 0; i < f->size; i++)
        if (at[i])
            return false;
    return true;
}

/* json_object_set_new() fails on a NULL value too, which is text that is no UTF-8. */
static int put_fields(const struct kind *k, const char *what, const void *base, json_t *object)
{
    if (json_object_set_new(object, what, json_string(k->name)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < k->n; i++) {
        const struct field *f = &k->fields[i];

        if (k->sparse && is_zero(f, base) && !str_equal(f->key, "id"))
            continue;
        if (json_object_set_new(object, f->key, field_value(f, base)) < 0)
            return -EINVAL;
    }
    return 0;
}

static int dump(const json_t *object, char **ret, size_t *ret_len)
{
    _cleanup_(freep) char *text = json_dumps(object, JSON_COMPACT);
    size_t n;

    if (!text)
        return -ENOMEM;
    n = strlen(text);
    if (n > HELPER_DATAGRAM_MAX)
        return -EMSGSIZE;
    *ret = take(text);
    *ret_len = n;
    return 0;
}

int helper_request_format(const struct helper_request *rq, char **ret, size_t *ret_len)
{
    _cleanup_(json_freep) json_t *object = json_object();
    int r;

    if (!object || json_object_set_new(object, "id", json_integer((json_int_t)rq->id)) < 0)
        return -ENOMEM;
    r = put_fields(&requests[rq->type], "request", &rq->spec, object);
    return r ? r : dump(object, ret, ret_len);
}

int helper_message_format(const struct helper_message *m, char **ret, size_t *ret_len)
{
    _cleanup_(json_freep) json_t *object = json_object();
    int r = object ? put_fields(&messages[m->type], "message", m, object) : -ENOMEM;

    if (!r && m->type == HELPER_GONE &&
        json_object_set_new(object, "reason", json_string(ends[m->end])) < 0)
        r = -ENOMEM;
    return r ? r : dump(object, ret, ret_len);
}
