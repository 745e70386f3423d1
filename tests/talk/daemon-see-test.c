/* qrexec-calls' socket of a daemon: calls seen and ended, with agents of ours and of others. */
#include "tests/talk/daemon-stage.h"

#include "libqrexec/base/call-id.h"

#include <sys/stat.h>

#define SOCKET "/run/qubes/qrexec-calls.1"
#define COUNTS 0x2f0

/* A viewer that has said that line; the daemon has said its name. */
static int viewer(const struct stage *s, const char *request)
{
    _cleanup_(freep) char *path = stage_path(s, SOCKET);
    _cleanup_(freep) char *name = NULL;
    int fd = -1;

    assert_int_equal(unix_connect(path, &fd), 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    send_bytes(fd, request, strlen(request));
    send_bytes(fd, "\n", 1);
    name = read_until(fd, "\n");
    assert_string_equal(name, "daemon\tname=email\tdomain=1\n");
    return fd;
}

static void expect_line(int fd, const char *want)
{
    _cleanup_(freep) char *line = read_until(fd, "\n");

    assert_non_null(line);
    assert_string_equal(line, want);
}

/* A line with all of these in it, up to a NULL. */
static void expect_parts(int fd, const char *const *parts)
{
    _cleanup_(freep) char *line = read_until(fd, "\n");

    assert_non_null(line);
    for (; *parts; parts++)
        if (!strstr(line, *parts))
            fail_msg("no \"%s\" in %s", *parts, line);
}
#define PARTS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* The id that a line has. */
static void read_id(int fd, char ret[static CALL_ID_SIZE])
{
    _cleanup_(freep) char *line = read_until(fd, "\n");
    char *at = line ? strstr(line, "\tid=") : NULL;

    assert_non_null(at);
    assert_int_equal(format(ret, CALL_ID_SIZE, "%.*s", (int)strcspn(at + 4, "\t"), at + 4), 0);
    assert_true(call_id_is_valid(ret));
}

static void expect_word(int fd, const char *word)
{
    expect_refused(fd, word);
}

static void send_counts(int fd, uint32_t domain, uint32_t port, uint32_t sent, uint32_t received)
{
    struct bytes b = {.len = 0};

    put_u32(&b, domain);
    put_u32(&b, port);
    put_u32(&b, sent);
    put_u32(&b, 0);
    put_u32(&b, received);
    put_u32(&b, 1); /* 2^32 and that */
    put_u32(&b, 77);
    put_u32(&b, 0);
    send_message(fd, COUNTS, &b);
}

/* dom0, or a domain, has a command run in ours. */
static int caller(struct stage *s, const char *id, uint32_t domain, uint32_t port)
{
    _cleanup_(freep) char *path = stage_path(s, "/run/qubes/qrexec.1");
    struct bytes b;
    int fd = -1;

    assert_int_equal(call_id_connect(path, id, CALL_ID_TARGET, &fd), 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    expect_hello(fd, 3);
    send_hello(fd, 3);
    send_exec(fd, EXEC, domain, 0, "DEFAULT:QUBESRPC test.Echo+a web");
    expect_peer(fd, EXEC, 1, port);
    expect_message(s->agent, EXEC, &b);
    return fd;
}

/* A call of ours to "online" that runs, on port 514 of domain 9. */
static void call_online(struct stage *s, const char *ident)
{
    int target = stage_listen(s, TARGET_SOCKET);

    send_trigger(s->agent, "", "online", ident, "test.Echo+a");
    policy_answers(s, "source=email\n", ALLOW("online", "online"));
    close(target_serves(target, "DEFAULT:QUBESRPC test.Echo+a email", 514));
    expect_connect(s->agent, 9, 514, ident);
    stage_unlisten(s, &target, TARGET_SOCKET);
}

/* ---- list ---- */

static void without_calls_the_list_is_empty(void **state)
{
    _cleanup_(freep) char *path = NULL;
    struct stage s;
    struct stat st;
    int fd;

    (void)state;
    stage_begin(&s, 4);
    path = stage_path(&s, SOCKET);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    fd = viewer(&s, "list");
    expect_line(fd, "\n");
    expect_silence(s.agent); /* which is asked nothing then */
    close(fd);
    stage_end(&s);
}

static void a_call_that_waits_is_listed_with_its_state(void **state)
{
    struct stage s;
    int policy, fd;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "", "SOCKET1", "test.Echo+a\tb");
    policy = stage_accept(s.policy); /* so the daemon has read it */
    fd = viewer(&s, "list");
    expect_parts(fd, PARTS("call\tid=email-", "\tdirection=out\tstate=deciding\t",
                           "\tsource=email\t", "\tasked=@default\ttarget=\tservice=test.Echo+a_b\t",
                           "\tsince=1", "\tdeciding="));
    expect_line(fd, "\n");
    expect_silence(s.agent);
    close(fd);
    close(policy);
    stage_end(&s);
}

static void an_agent_of_ours_tells_the_bytes(void **state)
{
    struct stage s;
    int a, b, fd;

    (void)state;
    stage_begin(&s, 4);
    call_online(&s, "SOCKET1");
    a = caller(&s, "web-x.1", 3, 514);
    b = caller(&s, "", 0, 513);
    fd = viewer(&s, "list");
    expect_word(s.agent, "look.0.513"); /* one first; the rest when it has answered */
    expect_silence(s.agent);
    send_counts(s.agent, 0, 513, 5, 6);
    expect_word(s.agent, "look.3.514");
    expect_word(s.agent, "look.9.514");
    send_counts(s.agent, 9, 514, 7, 8);
    expect_silence(fd);
    send_counts(s.agent, 3, 514, 9, 10);
    expect_parts(fd, PARTS("\tid=dom0.email-", "\tdirection=in\tstate=running\tsource=\tasked=\t",
                           "\ttarget=email\tservice=test.Echo+a\tdomain=0\tport=513\t",
                           "\tsent=5\treceived=4294967302\tfirst=77\n"));
    expect_parts(fd, PARTS("\tid=web-x.1\tdirection=in\t", "\tdomain=3\tport=514\t",
                           "\tsent=9\treceived=4294967306\tfirst=77\n"));
    expect_parts(fd, PARTS("\tid=email-", "\tdirection=out\tstate=running\tsource=email\t",
                           "\tasked=online\ttarget=online\t", "\tdomain=9\tport=514\t",
                           "\tsent=7\treceived=4294967304\tfirst=77\n"));
    expect_line(fd, "\n");
    close(fd);
    close(a);
    close(b);
    stage_end(&s);
}

/* It logs what it does not know: once is enough. A new one is asked again. */
static void another_agent_is_asked_once(void **state)
{
    struct stage s;
    int a, b;

    (void)state;
    stage_begin(&s, 4);
    a = caller(&s, "web-x.1", 3, 514);
    b = caller(&s, "web-x.2", 3, 516);
    for (int i = 0; i < 2; i++) {
        int fd = viewer(&s, "list");
        _cleanup_(freep) char *first = NULL;

        if (i == 0)
            expect_word(s.agent, "look.3.516");
        first = read_until(fd, "\n");
        assert_null(strstr(first, "\tsent="));
        expect_parts(fd, PARTS("\tid=web-x.1\t"));
        expect_line(fd, "\n");
        expect_silence(s.agent);
        close(fd);
    }
    agent_restart(&s);
    expect_word(s.agent, "held.3.514");
    expect_word(s.agent, "held.3.516");
    close(viewer(&s, "list"));
    expect_word(s.agent, "look.3.516");
    close(a);
    close(b);
    stage_end(&s);
}

/* A slow one is found out by its answer, though that comes too late for who had asked. */
static void a_slow_agent_is_asked_again(void **state)
{
    struct stage s;
    int a, fd;

    (void)state;
    stage_begin(&s, 4);
    a = caller(&s, "web-x.1", 3, 514);
    fd = viewer(&s, "list");
    expect_word(s.agent, "look.3.514");
    expect_parts(fd, PARTS("\tid=web-x.1\t"));
    expect_line(fd, "\n");
    close(fd);
    send_counts(s.agent, 3, 514, 5, 5);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo"); /* read after that */
    policy_answers(&s, "source=email\n", "result=deny\n");
    expect_refused(s.agent, "SOCKET1");
    fd = viewer(&s, "list");
    expect_word(s.agent, "look.3.514");
    send_counts(s.agent, 3, 514, 7, 5);
    expect_parts(fd, PARTS("\tid=web-x.1\t", "\tsent=7\t"));
    close(fd);
    close(a);
    stage_end(&s);
}

/* A call that ends meanwhile is not waited for; and what comes unasked says nothing. */
static void a_vms_word_is_taken_when_it_was_asked(void **state)
{
    struct stage s;
    int a, fd;

    (void)state;
    stage_begin(&s, 4);
    a = caller(&s, "web-x.1", 3, 514);
    send_counts(s.agent, 3, 514, 1, 1);
    send_counts(s.agent, 99, 99, 1, 1);
    fd = viewer(&s, "list");
    expect_word(s.agent, "look.3.514");
    send_counts(s.agent, 3, 515, 1, 1); /* of another */
    expect_silence(fd);
    send_peer(s.agent, TERMINATED, 3, 514);
    expect_line(fd, "\n");
    close(fd);
    close(a);
    stage_end(&s);
}

static void counts_of_another_length_end_the_agents_connection(void **state)
{
    static const size_t lengths[] = {0, 31, 33};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct bytes b = {.len = lengths[i]};
        struct stage s;

        stage_begin(&s, 4);
        memset(b.data, 0, sizeof(b.data));
        send_message(s.agent, COUNTS, &b);
        expect_closed(s.agent);
        close_fd(&s.agent);
        s.agent = stage_accept(s.control);
        stage_end(&s);
    }
}

/* ---- watch ---- */

static void who_watches_is_told_of_each_change(void **state)
{
    struct stage s;
    int fd, target, peer;

    (void)state;
    stage_begin(&s, 4);
    fd = viewer(&s, "watch");
    expect_line(fd, "\n");
    target = stage_listen(&s, TARGET_SOCKET);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    expect_parts(fd, PARTS("call\tid=email-", "\tstate=deciding\t"));
    policy_answers(&s, "source=email\n", ALLOW("online", "online"));
    expect_parts(fd, PARTS("call\t", "\tstate=asking for a port\t"));
    peer = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 514);
    expect_parts(fd, PARTS("call\t", "\tstate=running\t", "\tport=514\t"));
    send_peer(s.agent, TERMINATED, 9, 514);
    expect_parts(fd, PARTS("end\t", "\tport=514\t", "\thow=over\n"));
    send_trigger(s.agent, "", "online", "SOCKET2", "test.Echo");
    expect_parts(fd, PARTS("\tstate=deciding\t"));
    policy_answers(&s, "source=email\n", "result=deny\n");
    expect_parts(fd, PARTS("end\t", "\thow=denied by the policy\n"));
    expect_silence(fd);
    close(peer);
    close(target);
    close(fd);
    stage_end(&s);
}

/* It is let go, and what it did not read is not kept. */
static void who_watches_and_does_not_read_is_dropped(void **state)
{
    char line[70000];
    struct stage s;
    int fd, n = 0;

    (void)state;
    stage_begin(&s, 4);
    fd = viewer(&s, "watch");
    for (; n < 3000; n++) {
        send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo+a");
        policy_answers(&s, "source=email\n", "result=deny\n");
        expect_refused(s.agent, "SOCKET1");
    }
    for (size_t all = 0;;) {
        ssize_t got = read(fd, line, sizeof(line));

        assert_true(got >= 0);
        all += (size_t)got;
        assert_in_range(all, 0, 1 << 20); /* of about 1.8 MB */
        if (!got)
            break;
    }
    close(fd);
    fd = viewer(&s, "list");
    expect_line(fd, "\n");
    close(fd);
    stage_end(&s);
}

/* ---- end ---- */

static int end(const struct stage *s, const char *id)
{
    _cleanup_(freep) char *request = format_new("end %s", id);

    return viewer(s, request);
}

static void a_call_that_waits_is_refused(void **state)
{
    char id[CALL_ID_SIZE];
    struct stage s;
    int policy, fd;

    (void)state;
    stage_begin(&s, 4);
    send_trigger(s.agent, "", "online", "SOCKET1", "test.Echo");
    policy = stage_accept(s.policy);
    fd = viewer(&s, "list");
    read_id(fd, id);
    close(fd);
    fd = end(&s, id);
    expect_refused(s.agent, "SOCKET1");
    expect_line(fd, "ended\n");
    close(fd);
    fd = viewer(&s, "list");
    expect_line(fd, "\n");
    close(fd);
    close(policy);
    stage_end(&s);
}

static void an_agent_of_ours_ends_a_call(void **state)
{
    struct stage s;
    int a, fd;

    (void)state;
    stage_begin(&s, 4);
    a = caller(&s, "web-x.1", 3, 514);
    fd = end(&s, "web-x.1");
    expect_word(s.agent, "stop.3.514");
    expect_silence(fd);
    send_peer(s.agent, TERMINATED, 3, 514);
    expect_line(fd, "ended\n");
    close(fd);
    fd = end(&s, "web-x.1");
    expect_line(fd, "unknown\n");
    close(fd);
    close(a);
    stage_end(&s);
}

static void what_another_agent_does_not_end_is_said(void **state)
{
    uint64_t start;
    struct stage s;
    int a, fd;

    (void)state;
    stage_begin(&s, 4);
    a = caller(&s, "web-x.1", 3, 514);
    start = clock_ms();
    fd = end(&s, "web-x.1");
    expect_word(s.agent, "stop.3.514");
    expect_parts(fd, PARTS("error\t", "did not end it"));
    assert_in_range(clock_ms() - start, 600, WAIT_MS);
    close(fd);
    close(a);
    stage_end(&s);
}

/* It holds a disposable: with that the call ends, whatever the agents are. */
static void a_disposables_call_ends_in_any_case(void **state)
{
    char id[CALL_ID_SIZE];
    struct stage s;
    int target, lease, peer, fd;

    (void)state;
    stage_begin(&s, 4);
    s.internal = stage_listen(&s, "/run/qubesd.internal.sock");
    target = stage_listen(&s, "/run/qubes/qrexec.disp7");
    send_trigger(s.agent, "", "@dispvm", "SOCKET1", "test.Echo");
    policy_answers(&s, "source=email\n", ALLOW("@dispvm:dvm", "@dispvm"));
    lease = stage_accept(s.internal);
    send_bytes(lease, "0\0disp7 uuid:x 9\n", 17);
    peer = target_serves(target, "DEFAULT:QUBESRPC test.Echo+ email", 514);
    expect_connect(s.agent, 9, 514, "SOCKET1");
    fd = viewer(&s, "list");
    read_id(fd, id);
    close(fd);
    expect_word(s.agent, "look.9.514");
    fd = end(&s, id);
    expect_word(s.agent, "stop.9.514");
    expect_line(fd, "ended\n");
    free(read_to_end(lease)); /* what was asked, then its end */
    expect_closed(peer);
    close(fd);
    close(lease);
    close(peer);
    close(target);
    stage_end(&s);
}

/* ---- Who asks ---- */

static void other_words_are_errors(void **state)
{
    static const char *const words[] = {"", "lists", "end", "list ", "LIST"};
    struct stage s;

    (void)state;
    stage_begin(&s, 4);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        int fd = viewer(&s, words[i]);

        expect_parts(fd, PARTS("error\t", "are known here"));
        close(fd);
    }
    {
        int fd = end(&s, "a/b");

        expect_parts(fd, PARTS("error\t", "no id"));
        send_bytes(fd, "list\n", 5); /* one request each */
        expect_closed(fd);
        close(fd);
    }
    stage_end(&s);
}

static void a_request_that_is_too_long_is_none(void **state)
{
    _cleanup_(freep) char *path = NULL;
    char text[200];
    struct stage s;
    int fd = -1;

    (void)state;
    stage_begin(&s, 4);
    path = stage_path(&s, SOCKET);
    memset(text, 'x', sizeof(text));
    assert_int_equal(unix_connect(path, &fd), 0);
    send_bytes(fd, text, sizeof(text));
    expect_closed(fd);
    close(fd);
    stage_end(&s);
}

static void many_that_say_nothing_leave_the_daemon_alone(void **state)
{
    _cleanup_(freep) char *path = NULL;
    int fds[60];
    struct stage s;
    int a;

    (void)state;
    stage_begin(&s, 4);
    path = stage_path(&s, SOCKET);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = -1;
        assert_int_equal(unix_connect(path, &fds[i]), 0);
    }
    expect_closed(fds[59]); /* over the limit */
    a = caller(&s, "web-x.1", 3, 514);
    send_peer(s.agent, TERMINATED, 3, 514);
    expect_closed(a);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    close(a);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_calls_the_list_is_empty),
        cmocka_unit_test(a_call_that_waits_is_listed_with_its_state),
        cmocka_unit_test(an_agent_of_ours_tells_the_bytes),
        cmocka_unit_test(another_agent_is_asked_once),
        cmocka_unit_test(a_slow_agent_is_asked_again),
        cmocka_unit_test(a_vms_word_is_taken_when_it_was_asked),
        cmocka_unit_test(counts_of_another_length_end_the_agents_connection),
        cmocka_unit_test(who_watches_is_told_of_each_change),
        cmocka_unit_test(who_watches_and_does_not_read_is_dropped),
        cmocka_unit_test(a_call_that_waits_is_refused),
        cmocka_unit_test(an_agent_of_ours_ends_a_call),
        cmocka_unit_test(what_another_agent_does_not_end_is_said),
        cmocka_unit_test(a_disposables_call_ends_in_any_case),
        cmocka_unit_test(other_words_are_errors),
        cmocka_unit_test(a_request_that_is_too_long_is_none),
        cmocka_unit_test(many_that_say_nothing_leave_the_daemon_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
