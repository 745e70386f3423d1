/* Messages: the table of what may come where, bodies in and out. See message.h. */
#include "libqrexec/wire/message.h"

enum {
    TRIGGER2_SIZE = WIRE_NAME_SIZE + 32 + WIRE_IDENT_SIZE,
    TRIGGER3_SIZE = WIRE_NAME_SIZE + WIRE_IDENT_SIZE,
    TRIGGER4_SIZE = 2 * WIRE_NAME_SIZE + WIRE_IDENT_SIZE,
    TRIGGER2_TARGET = 32,
};

#define ANY 2, UINT32_MAX

const struct wire_rule wire_rules[] = {
    {WIRE_AGENT_TO_DAEMON, MSG_HELLO, 4, 4, ANY, "MSG_HELLO"},
    {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE, TRIGGER2_SIZE, TRIGGER2_SIZE, 2, 2,
     "MSG_TRIGGER_SERVICE"},
    {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE3, TRIGGER3_SIZE + 1,
     TRIGGER3_SIZE + WIRE_SERVICE_SIZE, 3, UINT32_MAX, "MSG_TRIGGER_SERVICE3"},
    {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE4, TRIGGER4_SIZE + 1,
     TRIGGER4_SIZE + WIRE_SERVICE_SIZE, 4, UINT32_MAX, "MSG_TRIGGER_SERVICE4"},
    {WIRE_AGENT_TO_DAEMON, MSG_CONNECTION_TERMINATED, 8, 8, ANY, "MSG_CONNECTION_TERMINATED"},
    {WIRE_AGENT_TO_DAEMON, MSG_CALL_COUNTS, WIRE_COUNTS_SIZE, WIRE_COUNTS_SIZE, ANY,
     "MSG_CALL_COUNTS"},

    {WIRE_DAEMON_TO_AGENT, MSG_HELLO, 4, 4, ANY, "MSG_HELLO"},
    {WIRE_DAEMON_TO_AGENT, MSG_EXEC_CMDLINE, 9, WIRE_EXEC_AGENT_MAX, ANY, "MSG_EXEC_CMDLINE"},
    {WIRE_DAEMON_TO_AGENT, MSG_JUST_EXEC, 9, WIRE_EXEC_AGENT_MAX, ANY, "MSG_JUST_EXEC"},
    {WIRE_DAEMON_TO_AGENT, MSG_SERVICE_CONNECT, 9, 8 + WIRE_IDENT_SIZE, ANY, "MSG_SERVICE_CONNECT"},
    {WIRE_DAEMON_TO_AGENT, MSG_SERVICE_REFUSED, WIRE_IDENT_SIZE, WIRE_IDENT_SIZE, ANY,
     "MSG_SERVICE_REFUSED"},

    {WIRE_CLIENT_TO_DAEMON, MSG_HELLO, 4, 4, ANY, "MSG_HELLO"},
    {WIRE_CLIENT_TO_DAEMON, MSG_EXEC_CMDLINE, 9, WIRE_EXEC_MAX, ANY, "MSG_EXEC_CMDLINE"},
    {WIRE_CLIENT_TO_DAEMON, MSG_JUST_EXEC, 9, WIRE_EXEC_MAX, ANY, "MSG_JUST_EXEC"},
    {WIRE_CLIENT_TO_DAEMON, MSG_SERVICE_CONNECT, 9, 8 + WIRE_IDENT_SIZE, ANY,
     "MSG_SERVICE_CONNECT"},

    {WIRE_DAEMON_TO_CLIENT, MSG_HELLO, 4, 4, ANY, "MSG_HELLO"},
    {WIRE_DAEMON_TO_CLIENT, MSG_EXEC_CMDLINE, 8, 8, ANY, "MSG_EXEC_CMDLINE"},
    {WIRE_DAEMON_TO_CLIENT, MSG_JUST_EXEC, 8, 8, ANY, "MSG_JUST_EXEC"},
    {WIRE_DAEMON_TO_CLIENT, MSG_SERVICE_CONNECT, 8, 8, ANY, "MSG_SERVICE_CONNECT"},

    {WIRE_CALLER_TO_AGENT, MSG_TRIGGER_SERVICE3, TRIGGER3_SIZE + 1,
     TRIGGER3_SIZE + WIRE_SERVICE_SIZE, ANY, "MSG_TRIGGER_SERVICE3"},
    {WIRE_CALLER_TO_AGENT, MSG_TRIGGER_SERVICE4, TRIGGER4_SIZE + 1,
     TRIGGER4_SIZE + WIRE_SERVICE_SIZE, ANY, "MSG_TRIGGER_SERVICE4"},

    {WIRE_DATA, MSG_HELLO, 4, 4, ANY, "MSG_HELLO"},
    {WIRE_DATA, MSG_DATA_STDIN, 0, WIRE_CHUNK_2, 2, 2, "MSG_DATA_STDIN"},
    {WIRE_DATA, MSG_DATA_STDIN, 0, WIRE_CHUNK, 3, UINT32_MAX, "MSG_DATA_STDIN"},
    {WIRE_DATA, MSG_DATA_STDOUT, 0, WIRE_CHUNK_2, 2, 2, "MSG_DATA_STDOUT"},
    {WIRE_DATA, MSG_DATA_STDOUT, 0, WIRE_CHUNK, 3, UINT32_MAX, "MSG_DATA_STDOUT"},
    {WIRE_DATA, MSG_DATA_STDERR, 0, WIRE_CHUNK_2, 2, 2, "MSG_DATA_STDERR"},
    {WIRE_DATA, MSG_DATA_STDERR, 0, WIRE_CHUNK, 3, UINT32_MAX, "MSG_DATA_STDERR"},
    {WIRE_DATA, MSG_DATA_EXIT_CODE, 0, WIRE_CHUNK_2, 2, 2, "MSG_DATA_EXIT_CODE"},
    {WIRE_DATA, MSG_DATA_EXIT_CODE, 0, WIRE_CHUNK, 3, UINT32_MAX, "MSG_DATA_EXIT_CODE"},
};
const size_t wire_n_rules = sizeof(wire_rules) / sizeof(wire_rules[0]);

const char *wire_type_name(uint32_t type)
{
    for (size_t i = 0; i < wire_n_rules; i++)
        if (wire_rules[i].type == type)
            return wire_rules[i].name;
    return type == MSG_SERVICE_REFUSED ? "MSG_SERVICE_REFUSED" : "unknown message";
}

int wire_check_header(enum wire_link link, uint32_t version, const struct msg_header *h)
{
    int error = WIRE_E_TYPE;

    for (size_t i = 0; i < wire_n_rules; i++) {
        const struct wire_rule *rule = &wire_rules[i];

        if (rule->link != link || rule->type != h->type)
            continue;
        if (version < rule->from_version || version > rule->to_version) {
            error = WIRE_E_VERSION;
            continue;
        }
        return h->len < rule->min || h->len > rule->max ? WIRE_E_LENGTH : 0;
    }
    return error;
}

uint32_t wire_chunk(uint32_t version)
{
    return version <= 2 ? WIRE_CHUNK_2 : WIRE_CHUNK;
}

int wire_choose_version(uint32_t own, uint32_t peer, uint32_t *ret)
{
    if (peer < WIRE_VERSION_MIN)
        return WIRE_E_VERSION;
    *ret = peer < own ? peer : own;
    return 0;
}

int wire_read_header(struct wire_reader *r, struct msg_header *ret)
{
    struct msg_header h;

    h.type = wire_get_u32(r);
    h.len = wire_get_u32(r);
    if (!r->error)
        *ret = h;
    return r->error;
}

int wire_read_hello(struct wire_reader *r, uint32_t *ret_version)
{
    uint32_t version = wire_get_u32(r);

    if (wire_end(r))
        return r->error;
    *ret_version = version;
    return 0;
}

int wire_read_exec(struct wire_reader *r, struct wire_exec *ret)
{
    struct wire_exec e = {.domain = wire_get_u32(r)};
    size_t n;

    e.port = wire_get_u32(r);
    n = r->error ? 0 : r->len - r->offset;
    if (!r->error && !n)
        wire_fail(r, WIRE_E_SHORT);
    e.cmdline.s = (const char *)wire_get_bytes(r, n);
    if (r->error)
        return r->error;
    e.cmdline.len = n - 1;
    if (memchr(e.cmdline.s, 0, n) != e.cmdline.s + e.cmdline.len)
        return wire_fail(r, WIRE_E_COMMAND);
    *ret = e;
    return 0;
}

int wire_read_peer(struct wire_reader *r, struct wire_peer *ret)
{
    struct wire_peer p = {.domain = wire_get_u32(r)};

    p.port = wire_get_u32(r);
    if (wire_end(r))
        return r->error;
    *ret = p;
    return 0;
}

int wire_check_ident(const struct wire_ident *ident)
{
    size_t n = strnlen(ident->bytes, WIRE_IDENT_SIZE);

    if (n == WIRE_IDENT_SIZE)
        return WIRE_E_IDENT;
    if (!wire_text_allowed(WIRE_CHARS_IDENT, (struct wire_text){ident->bytes, n}))
        return WIRE_E_IDENT;
    for (; n < WIRE_IDENT_SIZE; n++)
        if (ident->bytes[n])
            return WIRE_E_IDENT;
    return 0;
}

int wire_ident_from(const char *text, struct wire_ident *ret)
{
    struct wire_ident ident = {{0}};

    if (!wire_text_copy(wire_text(text), ident.bytes, sizeof(ident.bytes)))
        return WIRE_E_IDENT;
    if (wire_check_ident(&ident))
        return WIRE_E_IDENT;
    *ret = ident;
    return 0;
}

/* The words that an ident may begin with; of one length. */
#define WORD_SIZE 5
#define GONE      "gone."
#define HELD      "held."
#define LOOK      "look."
#define STOP      "stop."

bool wire_ident_says_gone(const struct wire_ident *ident)
{
    return memcmp(ident->bytes, GONE, WORD_SIZE) == 0;
}

bool wire_ident_says_held(const struct wire_ident *ident)
{
    return memcmp(ident->bytes, HELD, WORD_SIZE) == 0;
}

bool wire_ident_says_look(const struct wire_ident *ident)
{
    return memcmp(ident->bytes, LOOK, WORD_SIZE) == 0;
}

bool wire_ident_says_stop(const struct wire_ident *ident)
{
    return memcmp(ident->bytes, STOP, WORD_SIZE) == 0;
}

/* Decimal digits of a number at *p, without leading zeroes. False: none, or too many. */
static bool take_number(const char **p, uint64_t max, uint32_t *ret)
{
    const char *start = *p;
    uint64_t v = 0;

    for (; **p >= '0' && **p <= '9' && v <= max; (*p)++)
        v = v * 10 + (uint64_t)(**p - '0');
    if (*p == start || v > max || (*start == '0' && *p - start > 1))
        return false;
    *ret = (uint32_t)v;
    return true;
}

/* DOMAIN.PORT after its word. */
static int read_peer_ident(const struct wire_ident *ident, struct wire_peer *ret)
{
    struct wire_peer peer = {0, 0};
    const char *p;

    if (wire_check_ident(ident))
        return WIRE_E_IDENT;
    p = wire_ident_str(ident) + WORD_SIZE;
    if (!take_number(&p, UINT32_MAX, &peer.domain) || *p++ != '.' ||
        !take_number(&p, UINT32_MAX, &peer.port) || *p)
        return WIRE_E_IDENT;
    *ret = peer;
    return 0;
}

int wire_read_gone(const struct wire_ident *ident, struct wire_peer *ret)
{
    return wire_ident_says_gone(ident) ? read_peer_ident(ident, ret) : WIRE_E_IDENT;
}

int wire_read_held(const struct wire_ident *ident, struct wire_peer *ret)
{
    return wire_ident_says_held(ident) ? read_peer_ident(ident, ret) : WIRE_E_IDENT;
}

int wire_read_look(const struct wire_ident *ident, struct wire_peer *ret)
{
    return wire_ident_says_look(ident) ? read_peer_ident(ident, ret) : WIRE_E_IDENT;
}

int wire_read_stop(const struct wire_ident *ident, struct wire_peer *ret)
{
    return wire_ident_says_stop(ident) ? read_peer_ident(ident, ret) : WIRE_E_IDENT;
}

int wire_read_counts(struct wire_reader *r, struct wire_counts *ret)
{
    struct wire_counts c = {.domain = wire_get_u32(r)};

    c.port = wire_get_u32(r);
    c.sent = wire_get_u64(r);
    c.received = wire_get_u64(r);
    c.first_us = wire_get_u64(r);
    if (wire_end(r))
        return r->error;
    *ret = c;
    return 0;
}

static size_t put_number(char *p, uint32_t v)
{
    char digits[10];
    size_t n = 0, i = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n > 0)
        p[i++] = digits[--n];
    return i;
}

/* At most 5 + 10 + 1 + 10 bytes: it always fits. */
static struct wire_ident peer_ident(const char *word, uint32_t domain, uint32_t port)
{
    struct wire_ident ident = {{0}};
    size_t n = WORD_SIZE;

    memcpy(ident.bytes, word, n);
    n += put_number(ident.bytes + n, domain);
    ident.bytes[n++] = '.';
    (void)put_number(ident.bytes + n, port);
    return ident;
}

struct wire_ident wire_gone_ident(uint32_t domain, uint32_t port)
{
    return peer_ident(GONE, domain, port);
}

struct wire_ident wire_look_ident(uint32_t domain, uint32_t port)
{
    return peer_ident(LOOK, domain, port);
}

struct wire_ident wire_stop_ident(uint32_t domain, uint32_t port)
{
    return peer_ident(STOP, domain, port);
}

struct wire_ident wire_held_ident(uint32_t domain, uint32_t port)
{
    return peer_ident(HELD, domain, port);
}

int wire_read_connect(struct wire_reader *r, struct wire_connect *ret)
{
    struct wire_connect c = {.domain = wire_get_u32(r)};
    const unsigned char *p;
    size_t n;

    c.port = wire_get_u32(r);
    n = r->error ? 0 : r->len - r->offset;
    if (!r->error && (!n || n > WIRE_IDENT_SIZE))
        wire_fail(r, n ? WIRE_E_TAIL : WIRE_E_SHORT);
    p = wire_get_bytes(r, n);
    if (!p)
        return r->error;
    memcpy(c.ident.bytes, p, n);
    /* cut is fine behind its NUL only; the rest of c.ident is zero */
    if (p[n - 1] || wire_check_ident(&c.ident))
        return wire_fail(r, WIRE_E_IDENT);
    *ret = c;
    return 0;
}

static void get_ident(struct wire_reader *r, struct wire_ident *ret)
{
    const unsigned char *p = wire_get_bytes(r, WIRE_IDENT_SIZE);

    if (p)
        memcpy(ret->bytes, p, WIRE_IDENT_SIZE);
}

int wire_read_refused(struct wire_reader *r, struct wire_ident *ret)
{
    struct wire_ident ident;

    get_ident(r, &ident);
    if (wire_end(r))
        return r->error;
    *ret = ident;
    return 0;
}

/* A fixed field of size bytes; zeroes behind its first NUL, and one at its end in any case. */
static void get_name(struct wire_reader *r, size_t size, char ret[static WIRE_NAME_SIZE])
{
    const unsigned char *p = wire_get_bytes(r, size);

    memset(ret, 0, WIRE_NAME_SIZE);
    if (p)
        memcpy(ret, p, strnlen((const char *)p, size - 1));
}

/* In version 2 the service has a fixed field: its name is cut there, so a NUL ends it always. */
static void get_service(struct wire_reader *r, size_t n, struct wire_text *ret)
{
    if (!r->error && (!n || n > WIRE_SERVICE_SIZE))
        wire_fail(r, n ? WIRE_E_LENGTH : WIRE_E_SHORT);
    ret->s = (const char *)wire_get_bytes(r, n);
    ret->len = ret->s ? n : 0;
}

static void get_trigger2(struct wire_reader *r, struct wire_trigger *t)
{
    get_service(r, WIRE_NAME_SIZE, &t->service);
    if (t->service.s && memchr(t->service.s, 0, WIRE_NAME_SIZE))
        t->service.len = strlen(t->service.s) + 1;
    get_name(r, TRIGGER2_TARGET, t->target);
    get_ident(r, &t->ident);
}

int wire_read_trigger(struct wire_reader *r, uint32_t type, struct wire_trigger *ret)
{
    struct wire_trigger t = {.type = type};

    switch (type) {
    case MSG_TRIGGER_SERVICE: get_trigger2(r, &t); break;
    case MSG_TRIGGER_SERVICE4: get_name(r, WIRE_NAME_SIZE, t.source); /* fall through */
    case MSG_TRIGGER_SERVICE3:
        get_name(r, WIRE_NAME_SIZE, t.target);
        get_ident(r, &t.ident);
        get_service(r, r->error ? 0 : r->len - r->offset, &t.service);
        break;
    default: return wire_fail(r, WIRE_E_TYPE);
    }
    if (wire_end(r))
        return r->error;
    *ret = t;
    return 0;
}

static void clean(enum wire_charset set, char *s)
{
    for (; *s; s++)
        if (!wire_char_allowed(set, *s))
            *s = '_';
}

/*
 * The field's bytes must be one C string. Version 2's field of 64 bytes is cut instead, like
 * every fixed field.
 */
static int clean_service(const struct wire_trigger *t, char buf[static WIRE_SERVICE_SIZE])
{
    size_t n = t->service.len;

    if (!n || n > WIRE_SERVICE_SIZE)
        return WIRE_E_SERVICE;
    if (memchr(t->service.s, 0, n) != t->service.s + n - 1) {
        if (t->type != MSG_TRIGGER_SERVICE)
            return WIRE_E_SERVICE;
    }
    if (t->service.s[0] == 0 || t->service.s[0] == '+')
        return WIRE_E_SERVICE;
    memcpy(buf, t->service.s, n - 1);
    buf[n - 1] = 0;
    clean(WIRE_CHARS_SERVICE, buf);
    return 0;
}

int wire_clean_trigger(const struct wire_trigger *t, char service[static WIRE_SERVICE_SIZE],
                       struct wire_request *ret)
{
    struct wire_request q = {.ident = t->ident, .service = service};
    int error;

    error = wire_check_ident(&t->ident);
    if (!error)
        error = clean_service(t, service);
    if (error)
        return error;
    memcpy(q.source, t->source, sizeof(q.source));
    memcpy(q.target, t->target, sizeof(q.target));
    clean(WIRE_CHARS_NAME, q.source);
    clean(WIRE_CHARS_NAME, q.target);
    *ret = q;
    return 0;
}

uint32_t wire_exit_code(const void *body, size_t len)
{
    struct wire_reader r = wire_reader(body, len);
    uint32_t code = wire_get_u32(&r);

    return r.error ? 255 : code;
}

int wire_read_fork(struct wire_reader *r, struct wire_fork *ret)
{
    struct wire_fork f = {.type = wire_get_u32(r)};

    f.domain = wire_get_u32(r);
    f.port = wire_get_u32(r);
    f.cmdline_len = wire_get_u32(r);
    if (wire_end(r))
        return r->error;
    if (f.type != MSG_EXEC_CMDLINE && f.type != MSG_JUST_EXEC)
        return wire_fail(r, WIRE_E_TYPE);
    if (!f.cmdline_len || f.cmdline_len > WIRE_EXEC_AGENT_MAX)
        return wire_fail(r, WIRE_E_LENGTH);
    *ret = f;
    return 0;
}
