/*
 * The messages of qrexec, protocol 2 to 4: bytes in, typed value or named error out, and back.
 *
 * All integers are 32-bit little-endian. A message is a header (type, length) and that many bytes.
 * Bytes of a peer are only ever inside a struct wire_reader: its first error sticks, later getters
 * give zeroes, and wire_end() insists that the end was met exactly. Spans in results point into
 * the reader's bytes. Writers fill a caller's buffer, write all of a message or nothing.
 */
#ifndef QREXEC_WIRE_MESSAGE_H
#define QREXEC_WIRE_MESSAGE_H

#include "libqrexec/wire/text.h"

enum msg_type {
    MSG_DATA_STDIN = 0x190,
    MSG_DATA_STDOUT = 0x191,
    MSG_DATA_STDERR = 0x192,
    MSG_DATA_EXIT_CODE = 0x193,
    MSG_EXEC_CMDLINE = 0x200,
    MSG_JUST_EXEC = 0x201,
    MSG_SERVICE_CONNECT = 0x202,
    MSG_SERVICE_REFUSED = 0x203,
    MSG_TRIGGER_SERVICE = 0x210, /* protocol 2 */
    MSG_CONNECTION_TERMINATED = 0x211,
    MSG_CALL_COUNTS = 0x2f0, /* ours alone: the answer to a "look" */
    MSG_TRIGGER_SERVICE3 = 0x212,
    MSG_TRIGGER_SERVICE4 = 0x213,
    MSG_HELLO = 0x300,
};

enum {
    WIRE_VERSION_MIN = 2,
    WIRE_VERSION = 4,        /* ours, between VMs and dom0 */
    WIRE_VERSION_CLIENT = 3, /* between a daemon and its clients in dom0 */
    WIRE_HEADER_SIZE = 8,
    WIRE_IDENT_SIZE = 32,
    WIRE_NAME_SIZE = 64,                       /* targets and sources, with their NUL */
    WIRE_SERVICE_SIZE = 65000,                 /* service name in a trigger, with its NUL */
    WIRE_EXEC_MAX = 65535,                     /* body of an exec message */
    WIRE_EXEC_AGENT_MAX = WIRE_EXEC_MAX + 256, /* with the default user's name put in */
    WIRE_CHUNK_2 = 4096,                       /* data, protocol 2 */
    WIRE_CHUNK = 65536,                        /* data, from protocol 3 */
    WIRE_CONTROL_MAX = WIRE_HEADER_SIZE + WIRE_EXEC_AGENT_MAX, /* longest message but data */
};

/* Named outcomes, positive; 0 is success. wire_error_text() has a sentence for each. */
enum wire_error {
    WIRE_E_SHORT = 1, /* ends too early; for streams: not all there yet */
    WIRE_E_TAIL,      /* bytes left over */
    WIRE_E_TYPE,      /* unknown, or not for this direction */
    WIRE_E_LENGTH,    /* outside of what its type allows */
    WIRE_E_VERSION,   /* a message of another protocol version, or a version below 2 */
    WIRE_E_IDENT,     /* characters, or not NUL-padded to its 32 bytes */
    WIRE_E_SERVICE,   /* empty, starts with '+', NUL inside or none at its end, too long */
    WIRE_E_COMMAND,   /* no NUL at its end, or one inside */
    WIRE_E_UNFIT,     /* cannot be said in the peer's version */
    WIRE_E_SPACE,     /* does not fit into the writer's buffer */
    WIRE_E_TEXT,      /* no such key, no '=', bad form */
    WIRE_E_TWICE,     /* a key twice */
    WIRE_E_MISSING,   /* a key, or a word */
    WIRE_E_VALUE,     /* bad value of a key */
    WIRE_E_LAST,
};
const char *wire_error_text(int error);

struct wire_reader {
    const unsigned char *data;
    size_t len;
    size_t offset; /* of the next byte; after an error: where it was */
    int error;     /* the first one */
};

static inline struct wire_reader wire_reader(const void *data, size_t len)
{
    return (struct wire_reader){.data = data, .len = len};
}

uint32_t wire_get_u32(struct wire_reader *r);
uint64_t wire_get_u64(struct wire_reader *r);
/* n bytes of the reader's, or NULL. */
const unsigned char *wire_get_bytes(struct wire_reader *r, size_t n);
/* Sets error unless one is there already. Returns the one that sticks. */
int wire_fail(struct wire_reader *r, int error);
/* The sticky error, or WIRE_E_TAIL if bytes are left. */
int wire_end(struct wire_reader *r);

struct wire_writer {
    unsigned char *data;
    size_t size;
    size_t len;
    int error; /* WIRE_E_SPACE, sticks; nothing more is written then */
};

static inline struct wire_writer wire_writer(void *data, size_t size)
{
    return (struct wire_writer){.data = data, .size = size};
}

void wire_put_u32(struct wire_writer *w, uint32_t v);
void wire_put_u64(struct wire_writer *w, uint64_t v);
void wire_put_bytes(struct wire_writer *w, const void *data, size_t n);
void wire_put_str(struct wire_writer *w, const char *s); /* without its NUL */
void wire_put_text(struct wire_writer *w, struct wire_text t);
void wire_put_nul(struct wire_writer *w);

/* Who reads: the connection and its direction. */
enum wire_link {
    WIRE_AGENT_TO_DAEMON,  /* control vchan */
    WIRE_DAEMON_TO_AGENT,  /* control vchan */
    WIRE_CLIENT_TO_DAEMON, /* dom0's qrexec-client and other daemons */
    WIRE_DAEMON_TO_CLIENT, /* its answer: 8 bytes */
    WIRE_CALLER_TO_AGENT,  /* qrexec-client-vm */
    WIRE_DATA,             /* data connection, either direction */
    WIRE_LINKS,
};

struct msg_header {
    uint32_t type;
    uint32_t len;
};

/* One row for each message and direction. Lengths are the body's. */
struct wire_rule {
    enum wire_link link;
    uint32_t type;
    uint32_t min, max;
    uint32_t from_version, to_version; /* of the protocol in use */
    const char *name;
};
extern const struct wire_rule wire_rules[];
extern const size_t wire_n_rules;

/* "MSG_HELLO"; unknown types are "unknown message". */
const char *wire_type_name(uint32_t type);

int wire_read_header(struct wire_reader *r, struct msg_header *ret); /* the first 8 bytes */
/*
 * Before a byte of the body is read: may this come here, now, that long? version: the one in use.
 * 0, WIRE_E_TYPE, WIRE_E_VERSION, WIRE_E_LENGTH. The limit of data is wire_chunk(version).
 */
int wire_check_header(enum wire_link link, uint32_t version, const struct msg_header *h);
/* Most bytes of data in one message. */
uint32_t wire_chunk(uint32_t version);
/* The version in use from ours and the peer's. WIRE_E_VERSION if below 2; *ret untouched. */
int wire_choose_version(uint32_t own, uint32_t peer, uint32_t *ret);

/* Bodies. Each reads to the end; the result is untouched on failure. */

int wire_read_hello(struct wire_reader *r, uint32_t *ret_version);

/* MSG_EXEC_CMDLINE, MSG_JUST_EXEC: cmdline is NUL-terminated in the reader's bytes. */
struct wire_exec {
    uint32_t domain;
    uint32_t port;
    struct wire_text cmdline; /* without its NUL; s[len] is 0 */
};
int wire_read_exec(struct wire_reader *r, struct wire_exec *ret);

/* A daemon's answer to a client, MSG_CONNECTION_TERMINATED, what an agent gives its caller. */
struct wire_peer {
    uint32_t domain;
    uint32_t port;
};
int wire_read_peer(struct wire_reader *r, struct wire_peer *ret);

/* NUL-padded as on the wire. */
struct wire_ident {
    char bytes[WIRE_IDENT_SIZE];
};
/* 0 or WIRE_E_IDENT. Empty is fine. */
int wire_check_ident(const struct wire_ident *ident);
/* 0 or WIRE_E_IDENT (characters, over 31). */
int wire_ident_from(const char *text, struct wire_ident *ret);
/* ident as a C string; only after wire_check_ident(). */
static inline const char *wire_ident_str(const struct wire_ident *ident)
{
    return ident->bytes;
}
static inline bool wire_ident_equal(const struct wire_ident *a, const struct wire_ident *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/*
 * Ours alone: a MSG_SERVICE_REFUSED with the ident "gone.DOMAIN.PORT" (decimal, no leading zeroes)
 * says that the domain is gone, and with it the other end of the connection with that port; port 0:
 * none was open. No request has such an ident. Others log and ignore it.
 */
bool wire_ident_says_gone(const struct wire_ident *ident);
/* WIRE_E_IDENT: not of that form; *ret is untouched. */
int wire_read_gone(const struct wire_ident *ident, struct wire_peer *ret);
struct wire_ident wire_gone_ident(uint32_t domain, uint32_t port);
/*
 * Likewise "held.DOMAIN.PORT": the daemon has that port from before this connection and must hear
 * of its end, which may be over already.
 */
bool wire_ident_says_held(const struct wire_ident *ident);
int wire_read_held(const struct wire_ident *ident, struct wire_peer *ret);
struct wire_ident wire_held_ident(uint32_t domain, uint32_t port);
/*
 * Likewise "look.DOMAIN.PORT": what went over that connection is asked for (MSG_CALL_COUNTS), and
 * "stop.DOMAIN.PORT": the call is ended by the administrator.
 */
bool wire_ident_says_look(const struct wire_ident *ident);
int wire_read_look(const struct wire_ident *ident, struct wire_peer *ret);
struct wire_ident wire_look_ident(uint32_t domain, uint32_t port);
bool wire_ident_says_stop(const struct wire_ident *ident);
int wire_read_stop(const struct wire_ident *ident, struct wire_peer *ret);
struct wire_ident wire_stop_ident(uint32_t domain, uint32_t port);

/*
 * The port that an agent says to who carries a call, once it carries it, beside the domain: what it
 * heard of it. No data port is that low.
 */
enum { WIRE_SAYS_GONE = 0, WIRE_SAYS_LOOK = 1, WIRE_SAYS_STOP = 2 };
/*
 * And what such a process says to its agent, always in bare counts: they answer a look, or the
 * caller was reached, or cannot be.
 */
enum { WIRE_TELLS_COUNTS = 0, WIRE_TELLS_REACHED = 1 };

/* MSG_CALL_COUNTS, and what a carrier answers to its agent, without a header. Of a VM's word. */
struct wire_counts {
    uint32_t domain;
    uint32_t port;
    uint64_t sent;     /* data bytes to the other end, stderr among them */
    uint64_t received; /* and from there */
    uint64_t first_us; /* from the connection to the first of them; 0: none yet */
};
#define WIRE_COUNTS_SIZE 32
int wire_read_counts(struct wire_reader *r, struct wire_counts *ret);

/* MSG_SERVICE_CONNECT; the ident may be cut after its NUL. WIRE_E_IDENT for a bad one. */
struct wire_connect {
    uint32_t domain;
    uint32_t port;
    struct wire_ident ident;
};
int wire_read_connect(struct wire_reader *r, struct wire_connect *ret);

/* MSG_SERVICE_REFUSED: the ident as it came. */
int wire_read_refused(struct wire_reader *r, struct wire_ident *ret);

/* A trigger of any version as it came: nothing in it is checked but the sizes. */
struct wire_trigger {
    uint32_t type;
    char source[WIRE_NAME_SIZE]; /* cut so that its last byte is NUL; "" before version 4 */
    char target[WIRE_NAME_SIZE]; /* likewise */
    struct wire_ident ident;
    struct wire_text service; /* the field, with NUL and all */
};
int wire_read_trigger(struct wire_reader *r, uint32_t type, struct wire_trigger *ret);

/* What a daemon takes from a trigger: clean strings. */
struct wire_request {
    char source[WIRE_NAME_SIZE]; /* "" none */
    char target[WIRE_NAME_SIZE];
    struct wire_ident ident;
    const char *service; /* the buffer given; SERVICE, SERVICE+ or SERVICE+ARG */
};
/*
 * WIRE_E_SERVICE, WIRE_E_IDENT: answer MSG_SERVICE_REFUSED with t->ident as it came.
 * service: where the cleaned name is put.
 */
int wire_clean_trigger(const struct wire_trigger *t, char service[static WIRE_SERVICE_SIZE],
                       struct wire_request *ret);

/* Body of an EXIT_CODE: longer is cut, shorter is 255. */
uint32_t wire_exit_code(const void *body, size_t len);

/* Agent to fork server: 16 bytes, then cmdline_len bytes of command line, its NUL counted. */
struct wire_fork {
    uint32_t type; /* MSG_EXEC_CMDLINE, MSG_JUST_EXEC */
    uint32_t domain;
    uint32_t port;
    uint32_t cmdline_len;
};
#define WIRE_FORK_SIZE 16
/* The 16 bytes. WIRE_E_TYPE, WIRE_E_LENGTH (0, or over an exec message's). */
int wire_read_fork(struct wire_reader *r, struct wire_fork *ret);

/* Whole messages, header and body: 0, or WIRE_E_SPACE and nothing written; others where said. */
int wire_write_header(struct wire_writer *w, uint32_t type, uint32_t len);
int wire_write_hello(struct wire_writer *w, uint32_t version);
/* type MSG_EXEC_CMDLINE or MSG_JUST_EXEC. WIRE_E_COMMAND: too long. */
int wire_write_exec(struct wire_writer *w, uint32_t type, uint32_t domain, uint32_t port,
                    struct wire_text cmdline);
/* type as asked, or MSG_CONNECTION_TERMINATED: 8 bytes of body. */
int wire_write_peer(struct wire_writer *w, uint32_t type, uint32_t domain, uint32_t port);
/* Without a header: what an agent writes to qrexec-client-vm. */
int wire_write_bare_peer(struct wire_writer *w, uint32_t domain, uint32_t port);
int wire_write_connect(struct wire_writer *w, uint32_t domain, uint32_t port,
                       const struct wire_ident *ident);
int wire_write_refused(struct wire_writer *w, const struct wire_ident *ident);
int wire_write_counts(struct wire_writer *w, const struct wire_counts *c);
int wire_write_bare_counts(struct wire_writer *w, const struct wire_counts *c);
/*
 * A trigger for a peer of that version: TRIGGER_SERVICE4, 3 or TRIGGER_SERVICE, whatever t->type
 * says. WIRE_E_UNFIT: a source before version 4, a name too long for version 2. WIRE_E_SERVICE:
 * the service field is empty or too long.
 */
int wire_write_trigger(struct wire_writer *w, uint32_t version, const struct wire_trigger *t);
/* A trigger from strings; truncates target and source at 63 bytes. service may not be freed. */
struct wire_trigger wire_trigger_new(const char *source, const char *target, const char *service,
                                     const struct wire_ident *ident);
int wire_write_exit_code(struct wire_writer *w, uint32_t code);
int wire_write_fork(struct wire_writer *w, const struct wire_fork *f, struct wire_text cmdline);

#endif
