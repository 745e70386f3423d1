#include "tests/unit/test.h"

#include "libqrexec/wire/message.h"

static unsigned char out[200000];

static struct wire_reader over(const char *bytes, size_t n)
{
    return wire_reader(bytes, n);
}

/* The bytes as they go over the wire, written by hand. */
static void assert_written(const struct wire_writer *w, const char *bytes, size_t n)
{
    assert_int_equal(w->error, 0);
    assert_int_equal(w->len, n);
    assert_memory_equal(w->data, bytes, n);
}

static void integers_are_little_endian(void **state)
{
    struct wire_reader r = over("\x01\x02\x03\xf4", 4);

    (void)state;
    assert_int_equal(wire_get_u32(&r), 0xf4030201);
    assert_int_equal(wire_end(&r), 0);
}

static void the_first_error_sticks(void **state)
{
    struct wire_reader r = over("\x01\x02\x03", 3);

    (void)state;
    assert_int_equal(wire_get_u32(&r), 0);
    assert_int_equal(r.error, WIRE_E_SHORT);
    assert_null(wire_get_bytes(&r, 1));
    assert_int_equal(wire_fail(&r, WIRE_E_IDENT), WIRE_E_SHORT);
    assert_int_equal(wire_end(&r), WIRE_E_SHORT);
    r = over("\x01\x02\x03", 3);
    assert_non_null(wire_get_bytes(&r, 1));
    assert_int_equal(wire_end(&r), WIRE_E_TAIL);
    assert_null(wire_get_bytes(&r, 0));
}

static void every_error_has_a_sentence(void **state)
{
    (void)state;
    for (int e = 0; e < WIRE_E_LAST; e++) {
        assert_non_null(wire_error_text(e));
        assert_string_not_equal(wire_error_text(e), "unknown error");
    }
    assert_string_equal(wire_error_text(WIRE_E_LAST), "unknown error");
    assert_string_equal(wire_error_text(-1), "unknown error");
}

static void a_writer_without_room_writes_nothing_of_a_message(void **state)
{
    unsigned char small[15];
    struct wire_writer w = wire_writer(small, sizeof(small));

    (void)state;
    assert_int_equal(wire_write_hello(&w, 4), 0);
    assert_int_equal(wire_write_hello(&w, 4), WIRE_E_SPACE);
    assert_int_equal(w.len, 12);
    assert_int_equal(wire_write_header(&w, 1, 2), WIRE_E_SPACE);
    assert_int_equal(w.len, 12);
}

static void messages_are_written_as_on_the_wire(void **state)
{
    struct wire_ident ident;
    struct wire_writer w = wire_writer(out, sizeof(out));
    static const char pad[32] = "SOCKET7";
    char connect[48];

    (void)state;
    assert_int_equal(wire_ident_from("SOCKET7", &ident), 0);
    wire_write_hello(&w, 4);
    assert_written(&w, "\0\3\0\0\4\0\0\0\4\0\0\0", 12);
    w.len = 0;
    wire_write_exec(&w, MSG_EXEC_CMDLINE, 0x102, 513, wire_text("u:ls"));
    assert_written(&w, "\0\2\0\0\15\0\0\0\2\1\0\0\1\2\0\0u:ls\0", 21);
    w.len = 0;
    wire_write_peer(&w, MSG_CONNECTION_TERMINATED, 1, 2);
    assert_written(&w, "\x11\2\0\0\10\0\0\0\1\0\0\0\2\0\0\0", 16);
    w.len = 0;
    wire_write_bare_peer(&w, 1, 2);
    assert_written(&w, "\1\0\0\0\2\0\0\0", 8);
    w.len = 0;
    wire_write_connect(&w, 3, 514, &ident);
    memcpy(connect, "\2\2\0\0\x28\0\0\0\3\0\0\0\2\2\0\0", 16);
    memcpy(connect + 16, pad, 32);
    assert_written(&w, connect, 48);
    w.len = 0;
    wire_write_refused(&w, &ident);
    memcpy(connect + 8, "\3\2\0\0\x20\0\0\0", 8);
    assert_written(&w, connect + 8, 40);
    w.len = 0;
    wire_write_exit_code(&w, 300);
    assert_written(&w, "\x93\1\0\0\4\0\0\0\x2c\1\0\0", 12);
    w.len = 0;
    wire_write_fork(&w, &(struct wire_fork){MSG_JUST_EXEC, 1, 2, 0}, wire_text("ls"));
    assert_written(&w, "\1\2\0\0\1\0\0\0\2\0\0\0\3\0\0\0ls\0", 19);
}

static void triggers_of_each_version_are_written_as_on_the_wire(void **state)
{
    struct wire_ident ident;
    struct wire_writer w = wire_writer(out, sizeof(out));
    struct wire_trigger t;

    (void)state;
    wire_ident_from("id", &ident);
    t = wire_trigger_new("src", "dst", "a+b", &ident);
    assert_int_equal(wire_write_trigger(&w, 4, &t), 0);
    assert_int_equal(w.len, 8 + 160 + 4);
    assert_memory_equal(out, "\x13\2\0\0\xa4\0\0\0src\0", 12);
    assert_memory_equal(out + 8 + 64, "dst\0", 4);
    assert_memory_equal(out + 8 + 128, "id\0", 3);
    assert_memory_equal(out + 8 + 160, "a+b\0", 4);
    assert_int_equal(wire_write_trigger(&w, 3, &t), WIRE_E_UNFIT);
    assert_int_equal(wire_write_trigger(&w, 2, &t), WIRE_E_UNFIT);
    t.source[0] = 0;
    w.len = 0;
    assert_int_equal(wire_write_trigger(&w, 3, &t), 0);
    assert_int_equal(w.len, 8 + 96 + 4);
    assert_memory_equal(out, "\x12\2\0\0\x64\0\0\0dst\0", 12);
    w.len = 0;
    assert_int_equal(wire_write_trigger(&w, 2, &t), 0);
    assert_int_equal(w.len, 8 + 128);
    assert_memory_equal(out, "\x10\2\0\0\x80\0\0\0a+b\0", 12);
    assert_memory_equal(out + 8 + 64, "dst\0", 4);
    assert_memory_equal(out + 8 + 96, "id\0", 3);
}

/* A field that holds the text, and zeroes to its end. */
static void assert_field(size_t at, const char *text, size_t size)
{
    char expected[64] = {0};

    assert_true(strlen(text) < size && size <= sizeof(expected));
    memcpy(expected, text, strlen(text));
    assert_memory_equal(out + at, expected, size);
}

static void nothing_of_what_was_in_memory_is_sent(void **state)
{
    struct wire_ident ident;
    struct wire_writer w = wire_writer(out, sizeof(out));
    struct wire_trigger t;

    (void)state;
    memset(&ident, 0xff, sizeof(ident));
    memset(&t, 0xff, sizeof(t));
    assert_int_equal(wire_ident_from("id", &ident), 0);
    t = wire_trigger_new("src", "dst", "a+b", &ident);
    for (uint32_t version = 4; version >= 2; version--) {
        size_t at = 8;

        memset(out, 0xff, sizeof(out));
        w.len = 0;
        assert_int_equal(wire_write_trigger(&w, version, &t), 0);
        if (version == 4)
            assert_field(at, "src", 64);
        at += version == 4 ? 64 : 0;
        if (version == 2)
            assert_field(at, "a+b", 64);
        at += version == 2 ? 64 : 0;
        assert_field(at, "dst", version == 2 ? 32 : 64);
        at += version == 2 ? 32 : 64;
        assert_field(at, "id", 32);
        at += 32;
        if (version > 2)
            assert_field(at, "a+b", 4);
        assert_int_equal(w.len, at + (version > 2 ? 4 : 0));
        t.source[0] = 0;
    }
}

static void version_2_takes_no_long_names(void **state)
{
    char name[65], target[33];
    struct wire_writer w = wire_writer(out, sizeof(out));
    struct wire_ident ident = {{0}};
    struct wire_trigger t;

    (void)state;
    memset(name, 'n', 64);
    memset(target, 't', 32);
    name[63] = target[31] = name[64] = target[32] = 0;
    t = wire_trigger_new("", target, name, &ident);
    assert_int_equal(wire_write_trigger(&w, 2, &t), 0);
    name[63] = 'n';
    t = wire_trigger_new("", "", name, &ident);
    assert_int_equal(wire_write_trigger(&w, 2, &t), WIRE_E_UNFIT);
    target[31] = 't';
    t = wire_trigger_new("", target, "x", &ident);
    assert_int_equal(wire_write_trigger(&w, 2, &t), WIRE_E_UNFIT);
    assert_int_equal(wire_write_trigger(&w, 3, &t), 0);
}

/* Each rule's limits: one below, the least, the most, one above. */
static void lengths_are_checked_at_their_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_n_rules; i++) {
        const struct wire_rule *rule = &wire_rules[i];
        struct msg_header h = {rule->type, rule->min};
        uint32_t v = rule->from_version;

        assert_int_equal(wire_check_header(rule->link, v, &h), 0);
        h.len = rule->max;
        assert_int_equal(wire_check_header(rule->link, v, &h), 0);
        h.len = rule->max + 1;
        assert_int_equal(wire_check_header(rule->link, v, &h), WIRE_E_LENGTH);
        h.len = rule->min - 1;
        assert_int_equal(wire_check_header(rule->link, v, &h), WIRE_E_LENGTH);
        assert_string_equal(wire_type_name(rule->type), rule->name);
    }
}

static void what_may_come_where(void **state)
{
    static const struct {
        enum wire_link link;
        uint32_t type, len, version;
        int result;
    } cases[] = {
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE, 128, 2, 0},
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE, 128, 3, WIRE_E_VERSION},
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE3, 97, 2, WIRE_E_VERSION},
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE3, 97, 4, 0},
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE3, 96, 4, WIRE_E_LENGTH},
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE4, 161, 3, WIRE_E_VERSION},
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE4, 65160, 4, 0},
        {WIRE_AGENT_TO_DAEMON, MSG_TRIGGER_SERVICE4, 65161, 4, WIRE_E_LENGTH},
        {WIRE_AGENT_TO_DAEMON, MSG_CONNECTION_TERMINATED, 8, 4, 0},
        {WIRE_AGENT_TO_DAEMON, MSG_EXEC_CMDLINE, 9, 4, WIRE_E_TYPE},
        {WIRE_AGENT_TO_DAEMON, MSG_SERVICE_CONNECT, 40, 4, WIRE_E_TYPE},
        {WIRE_AGENT_TO_DAEMON, 0, 0, 4, WIRE_E_TYPE},
        {WIRE_DAEMON_TO_AGENT, MSG_EXEC_CMDLINE, 8, 4, WIRE_E_LENGTH},
        {WIRE_DAEMON_TO_AGENT, MSG_EXEC_CMDLINE, 65600, 4, 0},
        {WIRE_DAEMON_TO_AGENT, MSG_SERVICE_CONNECT, 41, 4, WIRE_E_LENGTH},
        {WIRE_DAEMON_TO_AGENT, MSG_SERVICE_REFUSED, 31, 4, WIRE_E_LENGTH},
        {WIRE_DAEMON_TO_AGENT, MSG_TRIGGER_SERVICE4, 161, 4, WIRE_E_TYPE},
        {WIRE_CLIENT_TO_DAEMON, MSG_EXEC_CMDLINE, 65535, 3, 0},
        {WIRE_CLIENT_TO_DAEMON, MSG_EXEC_CMDLINE, 65536, 3, WIRE_E_LENGTH},
        {WIRE_CLIENT_TO_DAEMON, MSG_SERVICE_REFUSED, 32, 3, WIRE_E_TYPE},
        {WIRE_DAEMON_TO_CLIENT, MSG_JUST_EXEC, 8, 3, 0},
        {WIRE_DAEMON_TO_CLIENT, MSG_JUST_EXEC, 9, 3, WIRE_E_LENGTH},
        {WIRE_CALLER_TO_AGENT, MSG_TRIGGER_SERVICE, 128, 4, WIRE_E_TYPE},
        {WIRE_CALLER_TO_AGENT, MSG_HELLO, 4, 4, WIRE_E_TYPE},
        {WIRE_DATA, MSG_DATA_STDIN, 4096, 2, 0},
        {WIRE_DATA, MSG_DATA_STDIN, 4097, 2, WIRE_E_LENGTH},
        {WIRE_DATA, MSG_DATA_STDERR, 65536, 3, 0},
        {WIRE_DATA, MSG_DATA_STDOUT, 65537, 4, WIRE_E_LENGTH},
        {WIRE_DATA, 0x194, 0, 4, WIRE_E_TYPE},
        {WIRE_DATA, MSG_HELLO, 5, 4, WIRE_E_LENGTH},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct msg_header h = {cases[i].type, cases[i].len};

        if (wire_check_header(cases[i].link, cases[i].version, &h) != cases[i].result)
            fail_msg("case %zu", i);
    }
}

static void versions_meet_at_the_lower_but_not_below_2(void **state)
{
    uint32_t v = 77;

    (void)state;
    assert_int_equal(wire_choose_version(4, 1, &v), WIRE_E_VERSION);
    assert_int_equal(v, 77);
    assert_int_equal(wire_choose_version(4, 2, &v), 0);
    assert_int_equal(v, 2);
    assert_int_equal(wire_choose_version(4, 9, &v), 0);
    assert_int_equal(v, 4);
    assert_int_equal(wire_chunk(2), 4096);
    assert_int_equal(wire_chunk(3), 65536);
}

static void an_exec_body_is_one_string(void **state)
{
    struct wire_exec e = {.port = 99};
    struct wire_reader r = over("\1\0\0\0\2\0\0\0ls\0", 11);

    (void)state;
    assert_int_equal(wire_read_exec(&r, &e), 0);
    assert_int_equal(e.domain, 1);
    assert_int_equal(e.port, 2);
    assert_true(wire_text_is(e.cmdline, "ls"));
    assert_int_equal(e.cmdline.s[2], 0);
    e.port = 99;
    r = over("\1\0\0\0\2\0\0\0ls", 10);
    assert_int_equal(wire_read_exec(&r, &e), WIRE_E_COMMAND);
    r = over("\1\0\0\0\2\0\0\0l\0s\0", 12);
    assert_int_equal(wire_read_exec(&r, &e), WIRE_E_COMMAND);
    r = over("\1\0\0\0\2\0\0\0", 8);
    assert_int_equal(wire_read_exec(&r, &e), WIRE_E_SHORT);
    r = over("\1\0\0", 3);
    assert_int_equal(wire_read_exec(&r, &e), WIRE_E_SHORT);
    assert_int_equal(e.port, 99);
}

static void a_connect_may_be_cut_after_the_idents_nul(void **state)
{
    char body[48] = "\1\0\0\0\2\2\0\0ab";
    struct wire_connect c;
    struct wire_reader r;

    (void)state;
    for (size_t n = 11; n <= 40; n++) {
        r = over(body, n);
        assert_int_equal(wire_read_connect(&r, &c), 0);
        assert_int_equal(c.port, 514);
        assert_string_equal(wire_ident_str(&c.ident), "ab");
    }
    r = over(body, 10);
    assert_int_equal(wire_read_connect(&r, &c), WIRE_E_IDENT);
    r = over(body, 8);
    assert_int_equal(wire_read_connect(&r, &c), WIRE_E_SHORT);
    r = over(body, 41);
    assert_int_equal(wire_read_connect(&r, &c), WIRE_E_TAIL);
    body[9] = '/';
    r = over(body, 40);
    assert_int_equal(wire_read_connect(&r, &c), WIRE_E_IDENT);
}

static void small_bodies_are_met_exactly(void **state)
{
    struct wire_peer p;
    struct wire_ident ident;
    struct msg_header h;
    uint32_t version;
    char body[40] = "\5\0\0\0\6\0\0\0";

    (void)state;
    for (size_t n = 0; n < sizeof(body); n++) {
        struct wire_reader r = over(body, n);
        int expected = n < 8 ? WIRE_E_SHORT : n == 8 ? 0 : WIRE_E_TAIL;

        assert_int_equal(wire_read_peer(&r, &p), expected);
        r = over(body, n);
        expected = n < 4 ? WIRE_E_SHORT : n == 4 ? 0 : WIRE_E_TAIL;
        assert_int_equal(wire_read_hello(&r, &version), expected);
        r = over(body, n);
        expected = n < 32 ? WIRE_E_SHORT : n == 32 ? 0 : WIRE_E_TAIL;
        assert_int_equal(wire_read_refused(&r, &ident), expected);
        r = over(body, n);
        assert_int_equal(wire_read_header(&r, &h), n < 8 ? WIRE_E_SHORT : 0);
    }
    assert_int_equal(p.domain, 5);
    assert_int_equal(p.port, 6);
    assert_int_equal(version, 5);
}

static void idents_have_their_characters_and_their_padding(void **state)
{
    struct wire_ident ident;

    (void)state;
    assert_int_equal(wire_ident_from("Az09_. -", &ident), 0);
    assert_int_equal(wire_check_ident(&ident), 0);
    ident.bytes[31] = 'x';
    assert_int_equal(wire_check_ident(&ident), WIRE_E_IDENT);
    assert_int_equal(wire_ident_from("", &ident), 0);
    for (int c = 1; c < 256; c++) {
        char text[2] = {(char)c, 0};
        bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    strchr("_. -", c);

        assert_int_equal(wire_ident_from(text, &ident), good ? 0 : WIRE_E_IDENT);
    }
    assert_int_equal(wire_ident_from("0123456789012345678901234567890", &ident), 0);
    assert_int_equal(wire_ident_from("01234567890123456789012345678901", &ident), WIRE_E_IDENT);
    memset(ident.bytes, 'a', sizeof(ident.bytes));
    assert_int_equal(wire_check_ident(&ident), WIRE_E_IDENT);
}

/* A trigger's body for that version, with fields of raw bytes. */
static int read_trigger(uint32_t type, const void *source, const void *target, const void *service,
                        size_t service_len, struct wire_trigger *ret)
{
    struct wire_writer w = wire_writer(out, sizeof(out));
    static const char ident[32] = "id";
    struct wire_reader r;

    if (type == MSG_TRIGGER_SERVICE4)
        wire_put_bytes(&w, source, 64);
    if (type == MSG_TRIGGER_SERVICE)
        wire_put_bytes(&w, service, 64);
    wire_put_bytes(&w, target, type == MSG_TRIGGER_SERVICE ? 32 : 64);
    wire_put_bytes(&w, ident, 32);
    if (type != MSG_TRIGGER_SERVICE)
        wire_put_bytes(&w, service, service_len);
    r = wire_reader(out, w.len);
    return wire_read_trigger(&r, type, ret);
}

static char clean_service[WIRE_SERVICE_SIZE];

static void untrusted_strings_are_cleaned(void **state)
{
    char source[64] = "a/b@c:d", target[64] = "@dispvm:x$y\n";
    char service[] = "s.e-r_v+1@2:3/4\x80";
    struct wire_trigger t;
    struct wire_request q;

    (void)state;
    assert_int_equal(
        read_trigger(MSG_TRIGGER_SERVICE4, source, target, service, sizeof(service), &t), 0);
    assert_string_equal(t.target, "@dispvm:x$y\n");
    assert_int_equal(wire_clean_trigger(&t, clean_service, &q), 0);
    assert_string_equal(q.source, "a_b@c:d");
    assert_string_equal(q.target, "@dispvm:x_y_");
    assert_string_equal(q.service, "s.e-r_v+1@2:3_4_");
    assert_string_equal(wire_ident_str(&q.ident), "id");
}

static void fixed_fields_are_cut_to_end_with_a_nul(void **state)
{
    char full[64], service[64];
    struct wire_trigger t;
    struct wire_request q;

    (void)state;
    memset(full, 'f', sizeof(full));
    memset(service, 's', sizeof(service));
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE4, full, full, "s", 2, &t), 0);
    assert_int_equal(strlen(t.source), 63);
    assert_int_equal(strlen(t.target), 63);
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE, NULL, full, service, 64, &t), 0);
    assert_int_equal(strlen(t.target), 31);
    assert_int_equal(wire_clean_trigger(&t, clean_service, &q), 0);
    assert_int_equal(strlen(q.service), 63);
    memcpy(service, "abc\0rest", 8);
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE, NULL, full, service, 64, &t), 0);
    assert_int_equal(wire_clean_trigger(&t, clean_service, &q), 0);
    assert_string_equal(q.service, "abc");
}

static void bad_service_names_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {{"", 1}, {"+x", 3}, {"a\0b", 4}, {"abc", 3}, {"a\0", 3}};
    static const char none[64];
    struct wire_trigger t;
    struct wire_request q;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE3, NULL, none, bad[i].bytes, bad[i].n, &t),
                         0);
        assert_int_equal(wire_clean_trigger(&t, clean_service, &q), WIRE_E_SERVICE);
        assert_string_equal(wire_ident_str(&t.ident), "id");
    }
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE, NULL, none, none, 64, &t), 0);
    assert_int_equal(wire_clean_trigger(&t, clean_service, &q), WIRE_E_SERVICE);
}

static void a_bad_ident_is_refused(void **state)
{
    static const char none[64];
    struct wire_trigger t;
    struct wire_request q;

    (void)state;
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE3, NULL, none, "s", 2, &t), 0);
    t.ident.bytes[0] = '%';
    assert_int_equal(wire_clean_trigger(&t, clean_service, &q), WIRE_E_IDENT);
}

static void service_names_have_up_to_65000_bytes(void **state)
{
    static char name[WIRE_SERVICE_SIZE + 1];
    static const char none[64];
    struct wire_trigger t;
    struct wire_request q;

    (void)state;
    memset(name, 'x', WIRE_SERVICE_SIZE - 1);
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE3, NULL, none, name, 65000, &t), 0);
    assert_int_equal(wire_clean_trigger(&t, clean_service, &q), 0);
    assert_int_equal(strlen(q.service), 64999);
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE3, NULL, none, name, 65001, &t),
                     WIRE_E_LENGTH);
    assert_int_equal(read_trigger(MSG_TRIGGER_SERVICE3, NULL, none, name, 0, &t), WIRE_E_SHORT);
    assert_int_equal(read_trigger(MSG_HELLO, NULL, none, name, 1, &t), WIRE_E_TYPE);
}

static void what_is_written_is_read_back(void **state)
{
    static const uint32_t types[] = {0, 0, MSG_TRIGGER_SERVICE, MSG_TRIGGER_SERVICE3,
                                     MSG_TRIGGER_SERVICE4};
    struct wire_ident ident;
    struct wire_trigger t, back;

    (void)state;
    wire_ident_from("SOCKET12", &ident);
    for (uint32_t v = 2; v <= 4; v++) {
        struct wire_writer w = wire_writer(out, sizeof(out));
        struct wire_reader r;
        struct msg_header h;

        t = wire_trigger_new(v == 4 ? "src" : "", "@default", "qubes.OpenURL+x", &ident);
        assert_int_equal(wire_write_trigger(&w, v, &t), 0);
        r = wire_reader(out, 8);
        assert_int_equal(wire_read_header(&r, &h), 0);
        assert_int_equal(h.type, types[v]);
        assert_int_equal(h.len, w.len - 8);
        assert_int_equal(wire_check_header(WIRE_AGENT_TO_DAEMON, v, &h), 0);
        r = wire_reader(out + 8, h.len);
        assert_int_equal(wire_read_trigger(&r, h.type, &back), 0);
        assert_string_equal(back.source, t.source);
        assert_string_equal(back.target, t.target);
        assert_true(wire_ident_equal(&back.ident, &ident));
        assert_int_equal(back.service.len, t.service.len);
        assert_memory_equal(back.service.s, t.service.s, t.service.len);
    }
}

static void exit_codes_are_cut_or_count_as_255(void **state)
{
    (void)state;
    assert_int_equal(wire_exit_code("\7\0\0\0", 4), 7);
    assert_int_equal(wire_exit_code("\7\1\0\0zzz", 7), 0x107);
    assert_int_equal(wire_exit_code("\7\0\0", 3), 255);
    assert_int_equal(wire_exit_code("", 0), 255);
}

static void fork_servers_take_exec_messages_only(void **state)
{
    char body[16] = "\0\2\0\0\1\0\0\0\2\0\0\0\3\0\0\0";
    struct wire_fork f;
    struct wire_reader r = over(body, 16);

    (void)state;
    assert_int_equal(wire_read_fork(&r, &f), 0);
    assert_int_equal(f.type, MSG_EXEC_CMDLINE);
    assert_int_equal(f.cmdline_len, 3);
    r = over(body, 15);
    assert_int_equal(wire_read_fork(&r, &f), WIRE_E_SHORT);
    body[12] = 0;
    r = over(body, 16);
    assert_int_equal(wire_read_fork(&r, &f), WIRE_E_LENGTH);
    body[14] = 2;
    r = over(body, 16);
    assert_int_equal(wire_read_fork(&r, &f), WIRE_E_LENGTH);
    body[0] = 2;
    r = over(body, 16);
    assert_int_equal(wire_read_fork(&r, &f), WIRE_E_TYPE);
}

static void commands_too_long_or_with_a_nul_are_not_written(void **state)
{
    static char line[WIRE_EXEC_AGENT_MAX];
    struct wire_writer w = wire_writer(out, sizeof(out));

    (void)state;
    memset(line, 'x', sizeof(line));
    assert_int_equal(wire_write_exec(&w, MSG_EXEC_CMDLINE, 0, 0,
                                     (struct wire_text){line, WIRE_EXEC_AGENT_MAX - 9}),
                     0);
    assert_int_equal(wire_write_exec(&w, MSG_EXEC_CMDLINE, 0, 0,
                                     (struct wire_text){line, WIRE_EXEC_AGENT_MAX - 8}),
                     WIRE_E_COMMAND);
    assert_int_equal(wire_write_exec(&w, MSG_EXEC_CMDLINE, 0, 0, (struct wire_text){"a\0b", 3}),
                     WIRE_E_COMMAND);
}

static void a_gone_domain_is_said_and_understood(void **state)
{
    static const struct {
        uint32_t domain, port;
        const char *text;
    } cases[] = {{0, 0, "gone.0.0"},
                 {7, 514, "gone.7.514"},
                 {4294967295, 65535, "gone.4294967295.65535"},
                 {1, 4294967295, "gone.1.4294967295"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire_ident ident = wire_gone_ident(cases[i].domain, cases[i].port);
        struct wire_peer peer;

        assert_string_equal(wire_ident_str(&ident), cases[i].text);
        assert_int_equal(wire_check_ident(&ident), 0);
        assert_true(wire_ident_says_gone(&ident));
        assert_int_equal(wire_read_gone(&ident, &peer), 0);
        assert_int_equal(peer.domain, cases[i].domain);
        assert_int_equal(peer.port, cases[i].port);
    }
}

static void a_held_port_is_said_and_understood(void **state)
{
    struct wire_ident ident = wire_held_ident(4294967295, 65535);
    struct wire_peer peer = {1, 2};

    (void)state;
    assert_string_equal(wire_ident_str(&ident), "held.4294967295.65535");
    assert_int_equal(wire_check_ident(&ident), 0);
    assert_true(wire_ident_says_held(&ident));
    assert_false(wire_ident_says_gone(&ident));
    assert_int_equal(wire_read_gone(&ident, &peer), WIRE_E_IDENT);
    assert_int_equal(peer.domain, 1);
    assert_int_equal(wire_read_held(&ident, &peer), 0);
    assert_int_equal(peer.domain, 4294967295);
    assert_int_equal(peer.port, 65535);
    ident = wire_gone_ident(7, 514);
    assert_false(wire_ident_says_held(&ident));
    assert_int_equal(wire_read_held(&ident, &peer), WIRE_E_IDENT);
    assert_int_equal(wire_ident_from("held.07.514", &ident), 0);
    assert_true(wire_ident_says_held(&ident));
    assert_int_equal(wire_read_held(&ident, &peer), WIRE_E_IDENT);
    assert_int_equal(peer.port, 65535);
}

static void a_look_and_a_stop_are_said_and_understood(void **state)
{
    struct wire_ident look = wire_look_ident(4294967295, 65535), stop = wire_stop_ident(0, 513);
    struct wire_peer peer = {1, 2};

    (void)state;
    assert_string_equal(wire_ident_str(&look), "look.4294967295.65535");
    assert_string_equal(wire_ident_str(&stop), "stop.0.513");
    assert_true(wire_ident_says_look(&look) && wire_ident_says_stop(&stop));
    assert_false(wire_ident_says_stop(&look) || wire_ident_says_look(&stop));
    assert_false(wire_ident_says_gone(&look) || wire_ident_says_held(&look));
    assert_false(wire_ident_says_gone(&stop) || wire_ident_says_held(&stop));
    assert_int_equal(wire_read_look(&stop, &peer), WIRE_E_IDENT);
    assert_int_equal(wire_read_stop(&look, &peer), WIRE_E_IDENT);
    assert_int_equal(peer.port, 2);
    assert_int_equal(wire_read_look(&look, &peer), 0);
    assert_true(peer.domain == 4294967295 && peer.port == 65535);
    assert_int_equal(wire_read_stop(&stop, &peer), 0);
    assert_true(peer.domain == 0 && peer.port == 513);
    assert_int_equal(wire_ident_from("stop.0.0513", &stop), 0);
    assert_int_equal(wire_read_stop(&stop, &peer), WIRE_E_IDENT);
}

static void counts_are_written_and_read(void **state)
{
    static const unsigned char want[] = {
        0xf0, 2, 0, 0, 32, 0, 0, 0, /* header */
        7,    0, 0, 0, 2,  2, 0, 0, /* domain 7, port 514 */
        8,    7, 6, 5, 4,  3, 2, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    const struct wire_counts c = {7, 514, 0x0102030405060708, 1ULL << 32, 0xffffffff};
    struct wire_counts got = {0};
    struct msg_header h = {MSG_CALL_COUNTS, 32};
    unsigned char data[64];
    struct wire_writer w = wire_writer(data, sizeof(data));

    (void)state;
    assert_int_equal(wire_write_counts(&w, &c), 0);
    assert_int_equal(w.len, sizeof(want));
    assert_memory_equal(data, want, sizeof(want));
    for (size_t n = 0; n < 64; n++) {
        struct wire_reader r = wire_reader(data + 8, n);
        int e = wire_read_counts(&r, &got);

        assert_int_equal(e, n < 32 ? WIRE_E_SHORT : n > 32 ? WIRE_E_TAIL : 0);
        if (n < 32)
            assert_int_equal(got.sent, 0);
        if (n == 33)
            break;
    }
    assert_memory_equal(&got, &c, sizeof(c));
    w = wire_writer(data, sizeof(want) - 1);
    assert_int_equal(wire_write_counts(&w, &c), WIRE_E_SPACE);
    assert_int_equal(w.len, 0);
    for (uint32_t version = 2; version <= 4; version++) {
        assert_int_equal(wire_check_header(WIRE_AGENT_TO_DAEMON, version, &h), 0);
        assert_int_equal(wire_check_header(WIRE_DAEMON_TO_AGENT, version, &h), WIRE_E_TYPE);
        assert_int_equal(wire_check_header(WIRE_CLIENT_TO_DAEMON, version, &h), WIRE_E_TYPE);
        assert_int_equal(wire_check_header(WIRE_CALLER_TO_AGENT, version, &h), WIRE_E_TYPE);
        assert_int_equal(wire_check_header(WIRE_DATA, version, &h), WIRE_E_TYPE);
    }
    h.len = 31;
    assert_int_equal(wire_check_header(WIRE_AGENT_TO_DAEMON, 4, &h), WIRE_E_LENGTH);
    h.len = 33;
    assert_int_equal(wire_check_header(WIRE_AGENT_TO_DAEMON, 4, &h), WIRE_E_LENGTH);
}

static void what_only_looks_like_a_gone_domain_is_not_one(void **state)
{
    static const char *const malformed[] = {"gone.",
                                            "gone.1",
                                            "gone.1.",
                                            "gone..1",
                                            "gone.1.2.",
                                            "gone.1.2.3",
                                            "gone.01.2",
                                            "gone.1.02",
                                            "gone.-1.2",
                                            "gone.1.2 ",
                                            "gone. 1.2",
                                            "gone.1 .2",
                                            "gone.x.2",
                                            "gone.4294967296.1",
                                            "gone.1.4294967296",
                                            "gone.1.0x10",
                                            "gone.00.513",
                                            "gone.1.513abc",
                                            "gone.99999999999999999999.1"};
    static const char *const others[] = {"", "gone", "SOCKET1", "Gone.1.2", " gone.1.2", "gon.1.2"};
    struct wire_peer peer = {1234, 5678};
    struct wire_ident ident;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        assert_int_equal(wire_ident_from(malformed[i], &ident), 0);
        assert_true(wire_ident_says_gone(&ident));
        assert_int_equal(wire_read_gone(&ident, &peer), WIRE_E_IDENT);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_int_equal(wire_ident_from(others[i], &ident), 0);
        assert_false(wire_ident_says_gone(&ident));
        assert_int_equal(wire_read_gone(&ident, &peer), WIRE_E_IDENT);
    }
    ident = wire_gone_ident(1, 2);
    ident.bytes[31] = 'x'; /* not padded with NULs */
    assert_int_equal(wire_read_gone(&ident, &peer), WIRE_E_IDENT);
    memset(&ident, '1', sizeof(ident));
    memcpy(&ident, "gone.1.", 7); /* and without any */
    assert_int_equal(wire_read_gone(&ident, &peer), WIRE_E_IDENT);
    assert_int_equal(peer.domain, 1234);
    assert_int_equal(peer.port, 5678);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(the_first_error_sticks),
        cmocka_unit_test(every_error_has_a_sentence),
        cmocka_unit_test(a_writer_without_room_writes_nothing_of_a_message),
        cmocka_unit_test(messages_are_written_as_on_the_wire),
        cmocka_unit_test(triggers_of_each_version_are_written_as_on_the_wire),
        cmocka_unit_test(nothing_of_what_was_in_memory_is_sent),
        cmocka_unit_test(version_2_takes_no_long_names),
        cmocka_unit_test(lengths_are_checked_at_their_limits),
        cmocka_unit_test(what_may_come_where),
        cmocka_unit_test(versions_meet_at_the_lower_but_not_below_2),
        cmocka_unit_test(an_exec_body_is_one_string),
        cmocka_unit_test(a_connect_may_be_cut_after_the_idents_nul),
        cmocka_unit_test(small_bodies_are_met_exactly),
        cmocka_unit_test(idents_have_their_characters_and_their_padding),
        cmocka_unit_test(untrusted_strings_are_cleaned),
        cmocka_unit_test(fixed_fields_are_cut_to_end_with_a_nul),
        cmocka_unit_test(bad_service_names_are_refused),
        cmocka_unit_test(a_bad_ident_is_refused),
        cmocka_unit_test(service_names_have_up_to_65000_bytes),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(exit_codes_are_cut_or_count_as_255),
        cmocka_unit_test(fork_servers_take_exec_messages_only),
        cmocka_unit_test(commands_too_long_or_with_a_nul_are_not_written),
        cmocka_unit_test(a_gone_domain_is_said_and_understood),
        cmocka_unit_test(a_held_port_is_said_and_understood),
        cmocka_unit_test(a_look_and_a_stop_are_said_and_understood),
        cmocka_unit_test(counts_are_written_and_read),
        cmocka_unit_test(what_only_looks_like_a_gone_domain_is_not_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
