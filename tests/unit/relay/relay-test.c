/* The machine alone: what its driver would report, and what it says then. */
#include "tests/unit/test.h"

#include "libqrexec/relay/relay.h"

static struct relay r;

/* What the machine sent, taken out of to_peer message by message. */
static uint32_t sent(char *body, size_t size, uint32_t *ret_len)
{
    struct wire_reader reader = wire_reader(buf_data(&r.to_peer), buf_len(&r.to_peer));
    struct msg_header h;

    if (!buf_len(&r.to_peer))
        return 0;
    assert_int_equal(wire_read_header(&reader, &h), 0);
    assert_true(h.len <= reader.len - 8);
    if (body)
        memcpy(body, buf_data(&r.to_peer) + 8, size_min(size, h.len));
    *ret_len = h.len;
    buf_consume(&r.to_peer, 8 + h.len);
    assert_int_equal(relay_step(&r, RELAY_EV_MOVED), 0);
    return h.type;
}

static void assert_sends(uint32_t type, const char *body, uint32_t n)
{
    char got[200] = "";
    uint32_t len = 0;

    assert_int_equal(sent(got, sizeof(got), &len), type);
    assert_int_equal(len, n);
    assert_memory_equal(got, body, n);
}

static void assert_silent(void)
{
    assert_int_equal(buf_len(&r.to_peer), 0);
}

static void event(enum relay_event ev)
{
    assert_int_equal(relay_step(&r, ev), 0);
}

static void message(uint32_t type, const void *body, uint32_t n)
{
    unsigned char head[8];
    struct wire_writer w = wire_writer(head, sizeof(head));

    wire_write_header(&w, type, n);
    assert_int_equal(buf_append(&r.from_peer, head, 8), 0);
    assert_int_equal(buf_append(&r.from_peer, body, n), 0);
    event(RELAY_EV_PEER_BYTES);
}

static void child_ends(int code)
{
    r.child_code = code;
    event(RELAY_EV_CHILD_ENDED);
}

/* What was queued for our own side is written out. */
static void assert_writes(enum relay_stream stream, const char *text)
{
    assert_true(relay_wants(&r).write[stream]);
    assert_int_equal(buf_len(&r.queues[stream]), strlen(text));
    assert_memory_equal(buf_data(&r.queues[stream]), text, strlen(text));
    buf_consume(&r.queues[stream], strlen(text));
    event(RELAY_EV_MOVED);
}

static void assert_over(int error, int code)
{
    int got = -1;

    assert_true(relay_is_over(&r));
    assert_int_equal(relay_result(&r, &got), error);
    assert_int_equal(got, code);
    relay_deinit(&r);
}

static struct relay_params service(void)
{
    struct relay_params p = RELAY_PARAMS_NULL;

    p.role = RELAY_SERVICE;
    p.child = 1;
    p.err_fd = 2;
    return p;
}

static struct relay_params caller(void)
{
    struct relay_params p = RELAY_PARAMS_NULL;

    p.role = RELAY_CALLER;
    return p;
}

/* Up to both hellos. */
static void begin(const struct relay_params *p, uint32_t version)
{
    unsigned char v[4] = {(unsigned char)version};

    assert_int_equal(relay_init(&r, p), 0);
    assert_false(relay_wants(&r).read_peer || relay_wants(&r).read[RELAY_IN]);
    event(RELAY_EV_CONNECTED);
    if (!p->read_first)
        assert_sends(MSG_HELLO, "\4\0\0\0", 4);
    assert_silent();
    assert_true(relay_wants(&r).read_peer);
    assert_false(relay_wants(&r).read[RELAY_IN]);
    message(MSG_HELLO, v, 4);
    if (p->read_first)
        assert_sends(MSG_HELLO, "\4\0\0\0", 4);
}

static void begin_service(void)
{
    struct relay_params p = service();

    begin(&p, 4);
}

static void begin_caller(void)
{
    struct relay_params p = caller();

    begin(&p, 4);
}

static void a_service_sends_eofs_and_then_its_code(void **state)
{
    (void)state;
    begin_service();
    assert_true(relay_wants(&r).read[RELAY_IN] && relay_wants(&r).read[RELAY_ERR]);
    assert_int_equal(relay_put(&r, RELAY_IN, "out", 3), 0);
    assert_int_equal(relay_put(&r, RELAY_ERR, "err", 3), 0);
    assert_sends(MSG_DATA_STDOUT, "out", 3);
    assert_sends(MSG_DATA_STDERR, "err", 3);
    child_ends(7);
    assert_silent();
    event(RELAY_EV_IN_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_silent();
    assert_false(relay_is_over(&r));
    event(RELAY_EV_ERR_EOF);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_false(relay_is_over(&r));
    assert_sends(MSG_DATA_EXIT_CODE, "\7\0\0\0", 4);
    assert_over(0, 7);
}

static void the_code_waits_for_the_child(void **state)
{
    (void)state;
    begin_service();
    event(RELAY_EV_IN_EOF);
    event(RELAY_EV_ERR_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_silent();
    child_ends(0);
    assert_sends(MSG_DATA_EXIT_CODE, "\0\0\0\0", 4);
    assert_over(0, 0);
}

static void no_stderr_means_its_eof_at_the_start(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.err_fd = -1;
    p.read_first = true;
    begin(&p, 4);
    assert_sends(MSG_DATA_STDERR, "", 0);
    child_ends(1);
    event(RELAY_EV_IN_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\1\0\0\0", 4);
    assert_over(0, 1);
}

static void a_failed_start_is_both_eofs_and_the_code(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.child = 0;
    p.start_failed = 125;
    begin(&p, 2);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\x7d\0\0\0", 4);
    assert_over(0, 125);
}

static void just_exec_is_the_code_alone_and_waits_for_nobody(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.just_exec = true;
    begin(&p, 4);
    assert_sends(MSG_DATA_EXIT_CODE, "\0\0\0\0", 4);
    assert_over(0, 0);
    p.start_failed = 127;
    begin(&p, 4);
    assert_sends(MSG_DATA_EXIT_CODE, "\x7f\0\0\0", 4);
    assert_over(0, 127);
}

static void input_eof_is_a_half_close(void **state)
{
    (void)state;
    begin_service();
    message(MSG_DATA_STDIN, "abc", 3);
    message(MSG_DATA_STDIN, "", 0);
    assert_int_equal(r.streams[RELAY_OUT], RELAY_ENDING);
    assert_writes(RELAY_OUT, "abc");
    assert_int_equal(r.streams[RELAY_OUT], RELAY_CLOSED);
    assert_int_equal(r.streams[RELAY_IN], RELAY_OPEN);
    message(MSG_DATA_STDIN, "late", 4);
    assert_false(relay_wants(&r).write[RELAY_OUT]);
    assert_false(relay_is_over(&r));
    relay_deinit(&r);
}

static void an_ended_child_takes_no_more_input(void **state)
{
    (void)state;
    begin_service();
    message(MSG_DATA_STDIN, "abc", 3);
    child_ends(0);
    assert_false(relay_wants(&r).write[RELAY_OUT]);
    message(MSG_DATA_STDIN, "def", 3);
    assert_false(relay_wants(&r).write[RELAY_OUT]);
    assert_true(relay_wants(&r).read_peer);
    relay_deinit(&r);
}

static void messages_of_the_other_role(void **state)
{
    (void)state;
    begin_service();
    assert_int_equal(r.wrong_role, 0);
    message(MSG_DATA_STDERR, "bad", 3);
    assert_int_equal(r.wrong_role, MSG_DATA_STDERR);
    message(MSG_DATA_EXIT_CODE, "\1\0\0\0", 4);
    message(MSG_DATA_STDOUT, "data", 4);
    assert_int_equal(r.wrong_role, MSG_DATA_STDERR);
    assert_writes(RELAY_OUT, "data");
    assert_false(relay_wants(&r).write[RELAY_ERROUT]);
    assert_false(r.exit_done);
    relay_deinit(&r);
    begin_caller();
    message(MSG_DATA_STDIN, "data", 4);
    assert_int_equal(r.wrong_role, MSG_DATA_STDIN);
    assert_writes(RELAY_OUT, "data");
    relay_deinit(&r);
}

static void what_breaks_the_protocol_ends_the_connection(void **state)
{
    static const struct {
        uint32_t type, len;
    } bad[] = {{MSG_HELLO, 4}, {0x194, 0}, {MSG_DATA_STDOUT, 65537}, {MSG_EXEC_CMDLINE, 9}};
    static char body[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        begin_caller();
        /* the header alone must do */
        message(bad[i].type, body, 0);
        buf_consume(&r.from_peer, buf_len(&r.from_peer));
        if (!r.lost) {
            struct wire_writer w = wire_writer(body, sizeof(body));

            wire_write_header(&w, bad[i].type, bad[i].len);
            assert_int_equal(buf_append(&r.from_peer, body, 8), 0);
            event(RELAY_EV_PEER_BYTES);
        }
        assert_over(RELAY_E_PROTOCOL, 255);
    }
}

static void input_is_read_to_where_it_will_be_sent_from(void **state)
{
    unsigned char *p;

    (void)state;
    begin_service();
    assert_int_equal(relay_reserve(&r, &p), 0);
    memset(p, 'z', relay_chunk(&r));
    memcpy(p, "some", 4);
    assert_int_equal(relay_commit(&r, RELAY_IN, 4), 0);
    assert_int_equal(relay_reserve(&r, &p), 0);
    assert_int_equal(relay_commit(&r, RELAY_IN, 0), 0); /* nothing came: no EOF is made of it */
    memcpy(p, "more", 4);
    assert_int_equal(relay_commit(&r, RELAY_ERR, 4), 0);
    assert_sends(MSG_DATA_STDOUT, "some", 4);
    assert_sends(MSG_DATA_STDERR, "more", 4);
    assert_silent();
    event(RELAY_EV_PEER_DEAF);
    assert_int_equal(relay_reserve(&r, &p), 0);
    assert_int_equal(relay_commit(&r, RELAY_IN, 4), 0);
    assert_int_equal(buf_len(&r.to_peer), 0);
    relay_deinit(&r);
}

static void a_limit_of_its_own_for_version_2(void **state)
{
    static char data[4097];
    struct relay_params p = caller();

    (void)state;
    begin(&p, 2);
    assert_int_equal(relay_chunk(&r), 4096);
    message(MSG_DATA_STDOUT, data, 4096);
    assert_false(r.lost);
    message(MSG_DATA_STDOUT, data, 4097);
    assert_true(r.lost);
    assert_int_equal(r.error, RELAY_E_PROTOCOL);
    relay_deinit(&r);
    begin(&p, 3);
    assert_int_equal(relay_chunk(&r), 65536);
    relay_deinit(&r);
}

static void the_first_message_must_be_a_hello_of_2_or_more(void **state)
{
    struct relay_params p = caller();

    (void)state;
    assert_int_equal(relay_init(&r, &p), 0);
    event(RELAY_EV_CONNECTED);
    message(MSG_DATA_STDOUT, "x", 1);
    assert_over(RELAY_E_PROTOCOL, 255);
    assert_int_equal(relay_init(&r, &p), 0);
    event(RELAY_EV_CONNECTED);
    message(MSG_HELLO, "\1\0\0\0", 4);
    assert_over(RELAY_E_VERSION, 255);
    assert_int_equal(relay_init(&r, &p), 0);
    event(RELAY_EV_CONNECTED);
    event(RELAY_EV_PEER_GONE);
    assert_over(RELAY_E_CONNECT, 255);
    assert_int_equal(relay_init(&r, &p), 0);
    event(RELAY_EV_PEER_GONE);
    assert_over(RELAY_E_CONNECT, 255);
}

static void a_caller_ends_its_input_on_the_exit_code(void **state)
{
    (void)state;
    begin_caller();
    message(MSG_DATA_STDOUT, "out", 3);
    message(MSG_DATA_STDOUT, "", 0);
    message(MSG_DATA_STDERR, "", 0);
    message(MSG_DATA_EXIT_CODE, "\5\0\0\0", 4);
    assert_int_equal(r.streams[RELAY_IN], RELAY_CLOSED);
    assert_sends(MSG_DATA_STDIN, "", 0);
    assert_false(relay_is_over(&r));
    assert_writes(RELAY_OUT, "out");
    assert_over(0, 5);
}

static void after_the_code_the_close_is_as_good_as_an_eof(void **state)
{
    (void)state;
    begin_caller();
    message(MSG_DATA_EXIT_CODE, "\0\0\0\0", 4);
    assert_sends(MSG_DATA_STDIN, "", 0);
    assert_false(relay_is_over(&r));
    event(RELAY_EV_PEER_GONE);
    assert_over(0, 0);
}

static void exit_codes_of_a_caller(void **state)
{
    static const struct {
        const char *body;
        uint32_t len;
        int local, code;
    } cases[] = {
        {"\0\0\0\0", 4, 0, 0},     {"\0\0\0\0", 4, 9, 9},     {"\3\0\0\0", 4, 9, 3},
        {"\3\0\0", 3, 0, 255},     {"", 0, 0, 255},           {"\3\0\0\0\1\2", 6, 0, 3},
        {"\0\1\0\0", 4, 0, 255},   {"\0\0\0\200", 4, 0, 255}, {"\377\0\0\0", 4, 1, 255},
        {"\0\0\0\0", 4, 137, 137},
    };
    struct relay_params p = caller();

    (void)state;
    p.child = 1;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(&p, 4);
        message(MSG_DATA_EXIT_CODE, cases[i].body, cases[i].len);
        message(MSG_DATA_STDOUT, "", 0);
        assert_sends(MSG_DATA_STDIN, "", 0);
        assert_false(relay_is_over(&r));
        child_ends(cases[i].local);
        assert_over(0, cases[i].code);
    }
}

static void lost_before_the_code_is_255_but_what_came_is_written(void **state)
{
    struct relay_params p = caller();

    (void)state;
    p.child = 1;
    begin(&p, 4);
    message(MSG_DATA_STDOUT, "out", 3);
    event(RELAY_EV_PEER_DEAF);
    assert_false(r.lost);
    assert_int_equal(relay_put(&r, RELAY_IN, "x", 1), 0);
    assert_silent();
    event(RELAY_EV_PEER_GONE);
    assert_writes(RELAY_OUT, "out");
    assert_false(relay_is_over(&r));
    child_ends(0);
    assert_over(RELAY_E_LOST, 255);
}

static void a_deaf_peer_can_still_tell_its_code(void **state)
{
    (void)state;
    begin_caller();
    assert_int_equal(relay_put(&r, RELAY_IN, "lots", 4), 0);
    event(RELAY_EV_PEER_DEAF);
    message(MSG_DATA_STDOUT, "", 0);
    message(MSG_DATA_EXIT_CODE, "\6\0\0\0", 4);
    assert_over(0, 6);
}

static void a_full_queue_holds_the_channel_and_loses_nothing(void **state)
{
    static char data[65536];
    struct relay_params p = caller();

    (void)state;
    begin(&p, 4);
    memset(data, 'a', sizeof(data));
    message(MSG_DATA_STDOUT, data, 65536);
    assert_int_equal(buf_len(&r.queues[RELAY_OUT]), 65536);
    for (int i = 0; i < 3; i++) {
        assert_true(relay_wants(&r).read_peer);
        message(MSG_DATA_STDOUT, data, i < 2 ? 65536 : 65528);
    }
    message(MSG_DATA_STDOUT, "", 0);
    assert_false(relay_wants(&r).read_peer);
    event(RELAY_EV_PEER_GONE);
    for (int i = 0; i < 3; i++) {
        assert_false(r.lost);
        buf_consume(&r.queues[RELAY_OUT], 65536);
        event(RELAY_EV_MOVED);
    }
    assert_true(r.lost);
    assert_int_equal(buf_len(&r.queues[RELAY_OUT]), 65528);
    assert_int_equal(r.streams[RELAY_OUT], RELAY_ENDING);
    assert_false(relay_is_over(&r));
    buf_consume(&r.queues[RELAY_OUT], 65528);
    event(RELAY_EV_MOVED);
    assert_over(RELAY_E_LOST, 255);
}

static void no_more_is_read_than_the_channel_takes(void **state)
{
    static char data[65536];

    (void)state;
    begin_service();
    while (relay_wants(&r).read[RELAY_IN]) {
        assert_int_equal(relay_put(&r, RELAY_IN, data, sizeof(data)), 0);
        assert_int_equal(relay_put(&r, RELAY_ERR, data, sizeof(data)), 0);
    }
    assert_false(relay_wants(&r).read[RELAY_ERR]);
    assert_in_range(buf_len(&r.to_peer), 65536, 200000);
    /* the end can be told all the same */
    event(RELAY_EV_IN_EOF);
    event(RELAY_EV_ERR_EOF);
    child_ends(0);
    assert_true(r.exit_done);
    relay_deinit(&r);
}

static void a_gone_reader_does_not_end_the_call(void **state)
{
    (void)state;
    begin_caller();
    message(MSG_DATA_STDOUT, "out", 3);
    event(RELAY_EV_OUT_GONE);
    message(MSG_DATA_STDOUT, "more", 4);
    assert_false(relay_wants(&r).write[RELAY_OUT]);
    assert_false(relay_is_over(&r));
    message(MSG_DATA_EXIT_CODE, "\2\0\0\0", 4);
    assert_sends(MSG_DATA_STDIN, "", 0);
    assert_over(0, 2);
}

static void the_prefix_comes_first_in_chunks(void **state)
{
    static char prefix[5000];
    struct relay_params p = caller();
    uint32_t len;

    (void)state;
    p.prefix = prefix;
    p.prefix_len = sizeof(prefix);
    begin(&p, 2);
    assert_int_equal(sent(NULL, 0, &len), MSG_DATA_STDIN);
    assert_int_equal(len, 4096);
    assert_int_equal(sent(NULL, 0, &len), MSG_DATA_STDIN);
    assert_int_equal(len, 904);
    assert_silent();
    assert_true(relay_wants(&r).read[RELAY_IN]);
    relay_deinit(&r);
}

static void input_waits_for_a_prefix_that_the_channel_does_not_take_at_once(void **state)
{
    static char prefix[300000];
    struct relay_params p = caller();
    uint32_t len, total = 0;

    (void)state;
    p.prefix = prefix;
    p.prefix_len = sizeof(prefix);
    begin(&p, 4);
    while (total < sizeof(prefix)) {
        /* room in the channel, but not for the input yet */
        assert_true(!relay_wants(&r).read[RELAY_IN] || total + buf_len(&r.to_peer) > 299000);
        assert_int_equal(sent(NULL, 0, &len), MSG_DATA_STDIN);
        total += len;
    }
    assert_int_equal(total, sizeof(prefix));
    assert_true(relay_wants(&r).read[RELAY_IN]);
    relay_deinit(&r);
}

static struct relay_params socket_service(void)
{
    struct relay_params p = service();

    p.child = 0;
    p.err_fd = -1;
    p.socket_service = true;
    return p;
}

static void a_socket_service_ends_with_both_directions(void **state)
{
    struct relay_params p = socket_service();

    (void)state;
    begin(&p, 4);
    assert_sends(MSG_DATA_STDERR, "", 0);
    event(RELAY_EV_IN_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_silent();
    message(MSG_DATA_STDIN, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\0\0\0\0", 4);
    assert_over(0, 0);
}

static void settings_end_a_socket_service_early(void **state)
{
    struct relay_params p = socket_service();

    (void)state;
    p.exit_on_service_eof = true;
    begin(&p, 4);
    assert_sends(MSG_DATA_STDERR, "", 0);
    message(MSG_DATA_STDIN, "unwanted", 8);
    event(RELAY_EV_IN_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\0\0\0\0", 4);
    assert_over(0, 0);

    p = socket_service();
    p.exit_on_client_eof = true;
    begin(&p, 4);
    assert_sends(MSG_DATA_STDERR, "", 0);
    event(RELAY_EV_OUT_GONE); /* not the client's EOF: its answer is still read */
    assert_silent();
    assert_true(relay_wants(&r).read[RELAY_IN]);
    message(MSG_DATA_STDIN, "", 0);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\0\0\0\0", 4);
    assert_over(0, 0);
}

static void settings_of_sockets_mean_nothing_to_programs(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.exit_on_client_eof = p.exit_on_service_eof = true;
    begin(&p, 4);
    message(MSG_DATA_STDIN, "", 0);
    assert_silent();
    event(RELAY_EV_IN_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_silent();
    relay_deinit(&r);
}

static void a_service_whose_caller_left_waits_for_its_child(void **state)
{
    (void)state;
    begin_service();
    message(MSG_DATA_STDIN, "abc", 3);
    event(RELAY_EV_PEER_GONE);
    assert_int_equal(r.streams[RELAY_IN], RELAY_CLOSED);
    assert_int_equal(r.streams[RELAY_ERR], RELAY_CLOSED);
    assert_writes(RELAY_OUT, "abc");
    assert_int_equal(r.streams[RELAY_OUT], RELAY_CLOSED);
    assert_false(relay_is_over(&r));
    child_ends(0);
    assert_over(RELAY_E_LOST, 255);
}

static void messages_may_come_in_any_pieces(void **state)
{
    static const unsigned char stream[] = {0x00, 3, 0, 0, 4, 0,   0,   0,    4, 0, 0, 0, 0x91, 1, 0,
                                           0,    2, 0, 0, 0, 'h', 'i', 0x91, 1, 0, 0, 0, 0,    0, 0,
                                           0x93, 1, 0, 0, 4, 0,   0,   0,    8, 0, 0, 0};
    struct relay_params p = caller();

    (void)state;
    assert_int_equal(relay_init(&r, &p), 0);
    event(RELAY_EV_CONNECTED);
    assert_sends(MSG_HELLO, "\4\0\0\0", 4);
    for (size_t i = 0; i < sizeof(stream); i++) {
        assert_int_equal(buf_append(&r.from_peer, stream + i, 1), 0);
        event(RELAY_EV_PEER_BYTES);
    }
    assert_writes(RELAY_OUT, "hi");
    assert_sends(MSG_DATA_STDIN, "", 0);
    assert_over(0, 8);
}

/* ---- Ended by us [ext] ---- */

static void a_service_that_is_cut_tells_its_caller(void **state)
{
    (void)state;
    begin_service();
    message(MSG_DATA_STDIN, "never read", 10);
    assert_int_equal(relay_put(&r, RELAY_IN, "out", 3), 0);
    assert_int_equal(relay_cut(&r, RELAY_E_STOPPED, 255, "why\n"), 0);
    assert_sends(MSG_DATA_STDOUT, "out", 3); /* what was on its way */
    assert_sends(MSG_DATA_STDERR, "why\n", 4);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_false(relay_is_over(&r));
    assert_sends(MSG_DATA_EXIT_CODE, "\xff\0\0\0", 4);
    assert_silent();
    assert_false(relay_wants(&r).write[RELAY_OUT] || relay_wants(&r).read[RELAY_IN]);
    assert_over(RELAY_E_STOPPED, 255); /* the child was not waited for */
}

static void it_is_cut_once(void **state)
{
    uint32_t len;

    (void)state;
    begin_service();
    assert_int_equal(relay_cut(&r, RELAY_E_TIME, 125, "time"), 0);
    assert_int_equal(relay_cut(&r, RELAY_E_STOPPED, 255, "stop"), 0);
    assert_sends(MSG_DATA_STDERR, "time", 4);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\x7d\0\0\0", 4);
    child_ends(3);
    event(RELAY_EV_IN_EOF);
    event(RELAY_EV_ERR_EOF);
    assert_int_equal(sent(NULL, 0, &len), 0);
    assert_over(RELAY_E_TIME, 255);
}

/* What a full connection has room for, though the peer reads nothing. */
static void a_cut_fits_a_full_connection(void **state)
{
    static unsigned char chunk[WIRE_CHUNK];
    char text[300];
    uint32_t len;
    size_t messages = 0;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    begin_service();
    while (relay_wants(&r).read[RELAY_IN]) {
        assert_int_equal(relay_put(&r, RELAY_IN, chunk, sizeof(chunk)), 0);
        messages++;
    }
    assert_int_equal(relay_cut(&r, RELAY_E_STOPPED, 255, text), 0);
    for (size_t i = 0; i < messages; i++)
        assert_int_equal(sent(NULL, 0, &len), MSG_DATA_STDOUT);
    assert_int_equal(sent(NULL, 0, &len), MSG_DATA_STDERR);
    assert_int_equal(len, RELAY_TEXT_MAX);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\xff\0\0\0", 4);
    assert_over(RELAY_E_STOPPED, 255);
}

/* Its stderr is over: a code without a word would be taken for the service's. */
static void a_cut_that_cannot_say_why_loses_the_connection(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.err_fd = -1;
    begin(&p, 4);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_int_equal(relay_cut(&r, RELAY_E_STOPPED, 255, "why\n"), 0);
    assert_silent();
    assert_over(RELAY_E_STOPPED, 255);
}

static void a_cut_after_the_code_changes_nothing(void **state)
{
    (void)state;
    begin_service();
    child_ends(3);
    event(RELAY_EV_IN_EOF);
    event(RELAY_EV_ERR_EOF);
    assert_int_equal(relay_cut(&r, RELAY_E_STOPPED, 255, "why\n"), 0);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\3\0\0\0", 4);
    assert_over(0, 3);
}

static void a_caller_that_is_cut_writes_what_it_has(void **state)
{
    struct relay_params p = caller();

    (void)state;
    p.child = 1;
    begin(&p, 4);
    message(MSG_DATA_STDOUT, "early", 5);
    assert_int_equal(relay_cut(&r, RELAY_E_STOPPED, 255, ""), 0);
    assert_silent();
    assert_false(relay_is_over(&r));
    assert_writes(RELAY_OUT, "early");
    assert_over(RELAY_E_STOPPED, 255);
}

static void a_cut_before_the_peer_is_there_ends_the_wait(void **state)
{
    struct relay_params p = service();

    (void)state;
    assert_int_equal(relay_init(&r, &p), 0);
    assert_int_equal(relay_cut(&r, RELAY_E_STOPPED, 255, "why\n"), 0);
    assert_silent();
    assert_over(RELAY_E_STOPPED, 255);
}

static void data_is_counted_both_ways(void **state)
{
    (void)state;
    begin_service();
    message(MSG_DATA_STDIN, "12345", 5);
    message(MSG_DATA_STDIN, "", 0);
    message(MSG_DATA_STDOUT, "wrong role", 0);
    assert_int_equal(r.received, 5);
    assert_int_equal(relay_put(&r, RELAY_IN, "out", 3), 0);
    assert_int_equal(relay_put(&r, RELAY_ERR, "e", 1), 0);
    assert_int_equal(r.sent, 4);
    event(RELAY_EV_IN_EOF);
    assert_int_equal(r.sent, 4);
    assert_int_equal(r.received, 5);
    relay_deinit(&r);
    begin_caller();
    message(MSG_DATA_STDOUT, "123", 3);
    message(MSG_DATA_STDERR, "4", 1);
    assert_int_equal(r.received, 4);
    relay_deinit(&r);
}

static void bytes_over_the_limit_do_not_pass(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.max_bytes = 10;
    begin(&p, 4);
    message(MSG_DATA_STDIN, "12345", 5);
    assert_int_equal(relay_put(&r, RELAY_IN, "123", 3), 0);
    assert_int_equal(relay_put(&r, RELAY_ERR, "12", 2), 0);
    assert_false(r.over_bytes); /* just that many */
    assert_sends(MSG_DATA_STDOUT, "123", 3);
    assert_sends(MSG_DATA_STDERR, "12", 2);
    assert_writes(RELAY_OUT, "12345");
    message(MSG_DATA_STDIN, "", 0); /* an end is no data */
    assert_false(r.over_bytes);
    assert_int_equal(relay_put(&r, RELAY_IN, "x", 1), 0);
    assert_true(r.over_bytes);
    assert_silent();
    relay_deinit(&r);
    begin(&p, 4);
    message(MSG_DATA_STDIN, "12345678901", 11); /* nor a part of it */
    assert_true(r.over_bytes);
    assert_false(relay_wants(&r).write[RELAY_OUT]);
    assert_int_equal(relay_put(&r, RELAY_IN, "x", 1), 0);
    assert_silent();
    assert_int_equal(r.sent + r.received, 0);
    relay_deinit(&r);
}

static void a_direction_that_does_not_flow_is_thrown_away(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.flow = RELAY_FLOW_IN;
    begin(&p, 4);
    message(MSG_DATA_STDIN, "in", 2);
    assert_writes(RELAY_OUT, "in");
    assert_true(relay_wants(&r).read[RELAY_IN]); /* read, so that the service goes on */
    assert_int_equal(relay_put(&r, RELAY_IN, "out", 3), 0);
    assert_silent();
    assert_int_equal(relay_put(&r, RELAY_ERR, "err", 3), 0);
    assert_sends(MSG_DATA_STDERR, "err", 3);
    event(RELAY_EV_IN_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    event(RELAY_EV_ERR_EOF);
    assert_sends(MSG_DATA_STDERR, "", 0);
    child_ends(7);
    assert_sends(MSG_DATA_EXIT_CODE, "\7\0\0\0", 4);
    assert_over(0, 7);
    p.flow = RELAY_FLOW_OUT;
    begin(&p, 4);
    message(MSG_DATA_STDIN, "in", 2);
    assert_false(relay_wants(&r).write[RELAY_OUT]);
    assert_int_equal(r.streams[RELAY_OUT], RELAY_OPEN);
    message(MSG_DATA_STDIN, "", 0); /* its end goes through */
    assert_int_equal(r.streams[RELAY_OUT], RELAY_CLOSED);
    assert_int_equal(relay_put(&r, RELAY_IN, "out", 3), 0);
    assert_sends(MSG_DATA_STDOUT, "out", 3);
    assert_int_equal(r.received, 0);
    relay_deinit(&r);
}

/* A socket service with a limit says its stderr's end late, so that a text can still come. */
static void a_socket_service_with_a_limit_can_say_why(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.child = 0;
    p.err_fd = -1;
    p.socket_service = true;
    p.max_time_s = 5;
    begin(&p, 4);
    assert_silent();
    assert_int_equal(relay_cut(&r, RELAY_E_TIME, 125, "why\n"), 0);
    assert_sends(MSG_DATA_STDERR, "why\n", 4);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\x7d\0\0\0", 4);
    assert_over(RELAY_E_TIME, 255);
    begin(&p, 4); /* and one that ends in time ends as ever */
    message(MSG_DATA_STDIN, "", 0);
    event(RELAY_EV_IN_EOF);
    assert_sends(MSG_DATA_STDOUT, "", 0);
    assert_sends(MSG_DATA_STDERR, "", 0);
    assert_sends(MSG_DATA_EXIT_CODE, "\0\0\0\0", 4);
    assert_over(0, 0);
}

/* However it ends in the same moment: no code of its own, and the text has a stream to go to. */
static void a_service_over_its_bytes_that_ends_is_still_cut(void **state)
{
    struct relay_params p = service();

    (void)state;
    p.max_bytes = 3;
    for (int own_stderr = 0; own_stderr <= 1; own_stderr++) {
        p.err_fd = own_stderr ? service().err_fd : -1;
        begin(&p, 4);
        assert_int_equal(relay_put(&r, RELAY_IN, "1234", 4), 0);
        event(RELAY_EV_IN_EOF);
        event(RELAY_EV_ERR_EOF);
        child_ends(0);
        assert_sends(MSG_DATA_STDOUT, "", 0);
        assert_silent();
        assert_false(relay_is_over(&r));
        assert_int_equal(relay_cut(&r, RELAY_E_BYTES, 125, "why\n"), 0);
        assert_sends(MSG_DATA_STDERR, "why\n", 4);
        assert_sends(MSG_DATA_STDERR, "", 0);
        assert_sends(MSG_DATA_EXIT_CODE, "\x7d\0\0\0", 4);
        assert_over(RELAY_E_BYTES, 255);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_sends_eofs_and_then_its_code),
        cmocka_unit_test(the_code_waits_for_the_child),
        cmocka_unit_test(no_stderr_means_its_eof_at_the_start),
        cmocka_unit_test(a_failed_start_is_both_eofs_and_the_code),
        cmocka_unit_test(just_exec_is_the_code_alone_and_waits_for_nobody),
        cmocka_unit_test(input_eof_is_a_half_close),
        cmocka_unit_test(an_ended_child_takes_no_more_input),
        cmocka_unit_test(messages_of_the_other_role),
        cmocka_unit_test(what_breaks_the_protocol_ends_the_connection),
        cmocka_unit_test(input_is_read_to_where_it_will_be_sent_from),
        cmocka_unit_test(a_limit_of_its_own_for_version_2),
        cmocka_unit_test(the_first_message_must_be_a_hello_of_2_or_more),
        cmocka_unit_test(a_caller_ends_its_input_on_the_exit_code),
        cmocka_unit_test(after_the_code_the_close_is_as_good_as_an_eof),
        cmocka_unit_test(exit_codes_of_a_caller),
        cmocka_unit_test(lost_before_the_code_is_255_but_what_came_is_written),
        cmocka_unit_test(a_deaf_peer_can_still_tell_its_code),
        cmocka_unit_test(a_full_queue_holds_the_channel_and_loses_nothing),
        cmocka_unit_test(no_more_is_read_than_the_channel_takes),
        cmocka_unit_test(a_gone_reader_does_not_end_the_call),
        cmocka_unit_test(the_prefix_comes_first_in_chunks),
        cmocka_unit_test(input_waits_for_a_prefix_that_the_channel_does_not_take_at_once),
        cmocka_unit_test(a_socket_service_ends_with_both_directions),
        cmocka_unit_test(settings_end_a_socket_service_early),
        cmocka_unit_test(settings_of_sockets_mean_nothing_to_programs),
        cmocka_unit_test(a_service_whose_caller_left_waits_for_its_child),
        cmocka_unit_test(messages_may_come_in_any_pieces),
        cmocka_unit_test(a_service_that_is_cut_tells_its_caller),
        cmocka_unit_test(it_is_cut_once),
        cmocka_unit_test(a_cut_fits_a_full_connection),
        cmocka_unit_test(a_cut_that_cannot_say_why_loses_the_connection),
        cmocka_unit_test(a_cut_after_the_code_changes_nothing),
        cmocka_unit_test(a_caller_that_is_cut_writes_what_it_has),
        cmocka_unit_test(a_cut_before_the_peer_is_there_ends_the_wait),
        cmocka_unit_test(data_is_counted_both_ways),
        cmocka_unit_test(bytes_over_the_limit_do_not_pass),
        cmocka_unit_test(a_direction_that_does_not_flow_is_thrown_away),
        cmocka_unit_test(a_socket_service_with_a_limit_can_say_why),
        cmocka_unit_test(a_service_over_its_bytes_that_ends_is_still_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
