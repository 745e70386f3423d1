/* Talks of a scripted daemon with the agent and qrexec-client-vm: what this VM calls. */
#include "tests/talk/agent-peer.h"

#include "libqrexec/base/spawn.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct world world;

static int start(void **state)
{
    (void)state;
    world_start(&world, 4);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

/* A running qrexec-client-vm. */
struct caller {
    pid_t pid;
    int in, out, err; /* our ends */
};

static struct caller caller_start(char *const *words)
{
    int in[2], out[2], err[2];
    char program[512], *argv[16] = {program, (char *)"-a", world.agent_socket};
    struct spawn s = {.path = program, .argv = argv, .n_fds = 3};
    struct caller c = {0};

    program_path(program, "qrexec-client-vm");
    for (size_t i = 0; words[i]; i++)
        argv[3 + i] = words[i];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    s.fds = (int[]){in[0], out[1], err[1]};
    assert_int_equal(spawn_process(&s, &c.pid, NULL), 0);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    c.in = in[1];
    c.out = out[0];
    c.err = err[0];
    return c;
}

/* Its exit code; what it printed. */
static int caller_end(struct caller *c, char *out, char *err)
{
    ssize_t n;

    close_fd(&c->in);
    n = read(c->out, out, 1023);
    out[n > 0 ? n : 0] = 0;
    n = read(c->err, err, 1023);
    err[n > 0 ? n : 0] = 0;
    close_fd(&c->out);
    close_fd(&c->err);
    return spawn_wait(c->pid);
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})

static void trigger_expect(struct message *m, const char *source, const char *target,
                           const char *service)
{
    message_expect(world.daemon, TRIGGER4, m);
    assert_string_equal((char *)m->body, source);
    assert_string_equal((char *)m->body + 64, target);
    assert_int_equal(m->len, 160 + strlen(service) + 1);
    assert_string_equal((char *)m->body + 160, service);
    assert_memory_equal(m->body + 128, "SOCKET", 6);
}

static void allow(const struct message *m, uint32_t domain, uint32_t port)
{
    unsigned char body[40];

    put_u32(body, domain);
    put_u32(body + 4, port);
    memcpy(body + 8, m->body + 128, 32);
    message_send(world.daemon, CONNECT, body, sizeof(body));
}

static void send_exit(int fd, uint32_t code)
{
    unsigned char body[4];

    put_u32(body, code);
    message_send(fd, DATA_STDOUT, "", 0);
    message_send(fd, DATA_STDERR, "", 0);
    message_send(fd, DATA_EXIT_CODE, body, 4);
}

static void refused_caller_says_so_and_ends_with_126(void **state)
{
    struct caller c = caller_start(WORDS((char *)"$dispvm", (char *)"test.Call+x"));
    char out[1024], err[1024];
    struct message m;

    (void)state;
    trigger_expect(&m, "", "@dispvm", "test.Call+x");
    message_send(world.daemon, REFUSED, m.body + 128, 32);
    assert_int_equal(caller_end(&c, out, err), 126);
    assert_string_equal(out, "");
    assert_string_equal(err, "Request refused\n");
    expect_nothing(world.daemon);
}

static void allowed_call_carries_data_and_code(void **state)
{
    struct caller c = caller_start(WORDS((char *)"-p", (char *)"pre:", (char *)"-s",
                                         (char *)"other", (char *)"work", (char *)"test.Call"));
    char out[1024], err[1024];
    struct message m;
    int fd;

    (void)state;
    trigger_expect(&m, "other", "work", "test.Call");
    allow(&m, 7, 514);
    fd = vchan_dial(&world, 7, 514);
    assert_int_equal(write_full(c.in, "data", 4), 0);
    message_expect(fd, DATA_STDIN, &m);
    assert_memory_equal(m.body, "pre:", 4);
    if (m.len == 4)
        message_expect(fd, DATA_STDIN, &m);
    assert_memory_equal(m.body + m.len - 4, "data", 4);
    message_send(fd, DATA_STDOUT, "answer", 6);
    message_send(fd, DATA_STDERR, "oops", 4);
    close_fd(&c.in);
    message_expect(fd, DATA_STDIN, &m);
    assert_int_equal(m.len, 0);
    send_exit(fd, 5);
    assert_int_equal(caller_end(&c, out, err), 5);
    assert_string_equal(out, "answer");
    assert_string_equal(err, "oops");
    expect_terminated(&world, 7, 514);
    close(fd);
}

static void local_program_is_between_and_knows_the_callers_streams(void **state)
{
    static char script[] = "read x; echo got $x; echo mine >&$SAVED_FD_1; "
                           "[ $PPID = $QREXEC_AGENT_PID ] && exit 3";
    struct caller c = caller_start(
        WORDS((char *)"work", (char *)"test.Call", (char *)"/bin/sh", (char *)"-c", script));
    char out[1024], err[1024];
    struct message m;
    int fd;

    (void)state;
    trigger_expect(&m, "", "work", "test.Call");
    allow(&m, 0, 513);
    fd = vchan_dial(&world, 0, 513);
    message_send(fd, DATA_STDOUT, "line\n", 5);
    message_expect(fd, DATA_STDIN, &m);
    assert_int_equal(m.len, 9);
    assert_memory_equal(m.body, "got line\n", 9);
    send_exit(fd, 0);
    assert_int_equal(caller_end(&c, out, err), 3);
    assert_string_equal(out, "mine\n");
    expect_terminated(&world, 0, 513);
    close(fd);
}

static void lost_connection_is_255(void **state)
{
    struct caller c = caller_start(WORDS((char *)"work", (char *)"test.Call"));
    char out[1024], err[1024];
    struct message m;
    int fd;

    (void)state;
    trigger_expect(&m, "", "work", "test.Call");
    allow(&m, 0, 513);
    fd = vchan_dial(&world, 0, 513);
    message_send(fd, DATA_STDOUT, "part", 4);
    close(fd);
    assert_int_equal(caller_end(&c, out, err), 255);
    assert_string_equal(out, "part");
    expect_terminated(&world, 0, 513);
}

static void usage_and_missing_agent(void **state)
{
    char out[1024], err[1024];
    struct caller c = caller_start(WORDS((char *)"work"));

    (void)state;
    assert_int_equal(caller_end(&c, out, err), 2);
    c = caller_start(WORDS((char *)"--buffer-size=x", (char *)"work", (char *)"s"));
    assert_int_equal(caller_end(&c, out, err), 2);
    c = caller_start(
        WORDS((char *)"-a", (char *)"/nonexistent/agent", (char *)"work", (char *)"s"));
    assert_int_equal(caller_end(&c, out, err), 1);
    assert_non_null(strstr(err, "/nonexistent/agent"));
    c = caller_start(WORDS((char *)"--use-stdin-socket", (char *)"work", (char *)"s"));
    assert_int_equal(caller_end(&c, out, err), 2);
}

static void garbage_disturbs_nobody_else(void **state)
{
    int good = client_dial(&world), silent = client_dial(&world), bad;
    unsigned char junk[5000];
    struct message m;

    (void)state;
    memset(junk, 0xff, sizeof(junk));
    bad = client_dial(&world);
    (void)!send(bad, junk, sizeof(junk), MSG_NOSIGNAL);
    expect_closed(bad);
    close(bad);
    bad = client_dial(&world);
    message_try(bad, TRIGGER4, junk, 200); /* no NUL at the name's end */
    expect_closed(bad);
    close(bad);
    bad = client_dial(&world);
    message_try(bad, TERMINATED, junk, 8);
    expect_closed(bad);
    close(bad);
    bad = client_dial(&world);
    (void)!send(bad, "\x13\x02", 2, MSG_NOSIGNAL); /* cut */
    close(bad);
    client_trigger(good, "work", "test.Call");
    trigger_expect(&m, "", "work", "test.Call");
    message_send(world.daemon, REFUSED, m.body + 128, 32);
    expect_closed(good);
    close(good);
    client_trigger(silent, "work", "test.Late");
    trigger_expect(&m, "", "work", "test.Late");
    message_send(world.daemon, REFUSED, m.body + 128, 32);
    expect_closed(silent);
    close(silent);
}

static void answers_go_to_the_one_that_asked(void **state)
{
    int a = client_dial(&world), b = client_dial(&world);
    struct message ma, mb;
    unsigned char peer[8];

    (void)state;
    client_trigger(a, "work", "test.A");
    trigger_expect(&ma, "", "work", "test.A");
    client_trigger(b, "work", "test.B");
    trigger_expect(&mb, "", "work", "test.B");
    assert_memory_not_equal(ma.body + 128, mb.body + 128, 32);
    allow(&mb, 9, 520);
    assert_int_equal(read_full_until(b, peer, 8, clock_ms() + WAIT_MS), 0);
    assert_int_equal(get_u32(peer), 9);
    assert_int_equal(get_u32(peer + 4), 520);
    expect_nothing(a);
    close(b);
    expect_terminated(&world, 9, 520);
    close(a);
    usleep(50000);
    allow(&ma, 9, 521); /* it has left: the port is given back */
    expect_terminated(&world, 9, 521);
}

/* The daemon's word that a domain is gone, as a refusal with that ident. */
static void send_word(const char *text)
{
    char ident[32] = {0};

    memcpy(ident, text, strlen(text));
    message_send(world.daemon, REFUSED, ident, sizeof(ident));
}

static void gone_target_ends_the_call_after_its_last_words(void **state)
{
    struct caller c = caller_start(WORDS((char *)"work", (char *)"test.Call"));
    char out[1024], err[1024];
    struct message m;
    int fd;

    (void)state;
    trigger_expect(&m, "", "work", "test.Call");
    allow(&m, 7, 514);
    fd = vchan_dial(&world, 7, 514);
    send_word("gone.8.514");
    send_word("gone.7.515");
    send_word("gone.7.0");
    send_word("gone.7.0514");
    send_word("gone.7");
    expect_nothing(world.daemon); /* none of these was about it */
    message_send(fd, DATA_STDOUT, "last words", 10);
    send_word("gone.7.514");
    expect_terminated(&world, 7, 514);
    assert_int_equal(caller_end(&c, out, err), 255);
    assert_string_equal(out, "last words");
    assert_non_null(strstr(err, "the other domain is gone"));
    assert_non_null(strstr(err, "work"));
    close(fd);
}

static void a_looked_at_and_stopped_caller_answers_and_ends(void **state)
{
    struct caller c = caller_start(WORDS((char *)"work", (char *)"test.Call"));
    char out[1024], err[1024];
    struct message m;
    int fd;

    (void)state;
    trigger_expect(&m, "", "work", "test.Call");
    allow(&m, 7, 514);
    fd = vchan_dial(&world, 7, 514);
    message_send(fd, DATA_STDOUT, "early words", 11);
    for (int i = 0; i < 50; i++) {
        send_word("look.7.514");
        message_expect(world.daemon, 0x2f0, &m);
        assert_int_equal(m.len, 32);
        assert_int_equal(get_u32(m.body), 7);
        assert_int_equal(get_u32(m.body + 4), 514);
        if (get_u32(m.body + 16) == 11)
            break;
        usleep(100000);
    }
    assert_int_equal(get_u32(m.body + 16), 11);
    send_word("stop.7.515");
    expect_nothing(world.daemon);
    send_word("stop.7.514");
    expect_terminated(&world, 7, 514);
    assert_int_equal(caller_end(&c, out, err), 255);
    assert_string_equal(out, "early words");
    assert_non_null(strstr(err, "call to work: ended by the administrator"));
    close(fd);
}

/* Programs of this VM speak on that socket, too: what was not asked for ends it, as before. */
static void a_client_answers_as_much_as_it_is_asked(void **state)
{
    unsigned char bytes[40] = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        int fd = client_dial(&world);
        struct message m;

        client_trigger(fd, "work", "test.Call");
        trigger_expect(&m, "", "work", "test.Call");
        allow(&m, 7, 514);
        assert_int_equal(read_full_until(fd, bytes, 8, clock_ms() + WAIT_MS), 0);
        if (i > 0) {
            send_word("look.7.514");
            send_word("look.7.514"); /* not said again before it has answered */
            assert_int_equal(read_full_until(fd, bytes, 8, clock_ms() + WAIT_MS), 0);
            assert_int_equal(get_u32(bytes), 7);
            assert_int_equal(get_u32(bytes + 4), 1);
            expect_nothing(fd);
        }
        memset(bytes, 0, sizeof(bytes));
        put_u32(bytes, 99); /* what it says of domain and port is not heard */
        put_u32(bytes + 8, 1234);
        if (i == 1) { /* in two pieces */
            assert_int_equal(write_full(fd, bytes, 10), 0);
            expect_nothing(world.daemon);
            assert_int_equal(write_full(fd, bytes + 10, 22), 0);
            message_expect(world.daemon, 0x2f0, &m);
            assert_int_equal(get_u32(m.body), 7);
            assert_int_equal(get_u32(m.body + 8), 1234);
            assert_int_equal(write_full(fd, bytes, 1), 0);
        } else { /* nothing was asked; or more than an answer */
            assert_int_equal(write_full(fd, bytes, i ? 33 : 32), 0);
        }
        expect_terminated(&world, 7, 514);
        expect_closed(fd);
        close(fd);
    }
}

static void gone_target_that_never_connected_ends_the_wait(void **state)
{
    struct caller c = caller_start(WORDS((char *)"work", (char *)"test.Call"));
    char out[1024], err[1024];
    struct message m;

    (void)state;
    trigger_expect(&m, "", "work", "test.Call");
    allow(&m, 7, 514);
    send_word("gone.7.514");
    expect_terminated(&world, 7, 514);
    assert_int_equal(caller_end(&c, out, err), 1);
    assert_non_null(strstr(err, "the other domain is gone"));
}

static void agent_that_dies_is_no_gone_target(void **state)
{
    struct caller c = caller_start(WORDS((char *)"work", (char *)"test.Call"));
    char out[1024], err[1024];
    struct message m;
    int fd;

    (void)state;
    trigger_expect(&m, "", "work", "test.Call");
    allow(&m, 7, 514);
    fd = vchan_dial(&world, 7, 514);
    kill(world.agent, SIGKILL);
    (void)spawn_wait(world.agent);
    close_fd(&world.daemon);
    usleep(50000);
    message_send(fd, DATA_STDOUT, "still here", 10);
    close_fd(&c.in);
    message_expect(fd, DATA_STDIN, &m);
    send_exit(fd, 3);
    assert_int_equal(caller_end(&c, out, err), 3);
    assert_string_equal(out, "still here");
    close(fd);
    assert_int_equal(unlink(world.agent_socket), 0); /* or the killed one's would be waited for */
    agent_start(&world);
    daemon_connect(&world, 4);
}

/* It listens, and its peer comes only to the next agent's time. */
static void agent_that_is_stopped_leaves_a_caller_that_waits_for_its_peer(void **state)
{
    struct caller c = caller_start(WORDS((char *)"work", (char *)"test.Call"));
    _cleanup_(freep) char *name = format_new("%s/vchan.1.7.514.sock", world.dir);
    uint64_t deadline = clock_ms() + WAIT_MS;
    char out[1024], err[1024];
    struct message m;
    int fd;

    (void)state;
    trigger_expect(&m, "", "work", "test.Call");
    allow(&m, 7, 514);
    while (access(name, F_OK) < 0 && deadline_left(deadline) > 0)
        usleep(2000);
    kill(world.agent, SIGTERM);
    assert_int_equal(spawn_wait(world.agent), 0);
    close_fd(&world.daemon);
    assert_int_equal(access(name, F_OK), 0);
    agent_start(&world);
    daemon_connect(&world, 4);
    fd = vchan_dial(&world, 7, 514);
    send_exit(fd, 3);
    assert_int_equal(caller_end(&c, out, err), 3);
    close(fd);
}

static void daemon_gone_refuses_who_waits_and_keeps_who_talks(void **state)
{
    int waiting = client_dial(&world), talking = client_dial(&world);
    unsigned char peer[8];
    struct message m;

    (void)state;
    client_trigger(waiting, "work", "test.A");
    trigger_expect(&m, "", "work", "test.A");
    client_trigger(talking, "work", "test.B");
    trigger_expect(&m, "", "work", "test.B");
    allow(&m, 9, 520);
    assert_int_equal(read_full_until(talking, peer, 8, clock_ms() + WAIT_MS), 0);
    close_fd(&world.daemon);
    expect_closed(waiting);
    expect_nothing(talking);
    close(waiting);
    assert_int_equal(access(world.agent_socket, F_OK), -1);
    daemon_connect(&world, 4);
    close(talking);
    expect_nothing(world.daemon); /* the port was the old daemon's */
}

static int talking_without_its_daemon(uint32_t port)
{
    int fd = client_dial(&world);
    unsigned char peer[8];
    struct message m;

    client_trigger(fd, "work", "test.B");
    trigger_expect(&m, "", "work", "test.B");
    allow(&m, 9, port);
    assert_int_equal(read_full_until(fd, peer, 8, clock_ms() + WAIT_MS), 0);
    close_fd(&world.daemon);
    expect_nothing(fd);
    daemon_connect(&world, 4);
    return fd;
}

static void a_daemon_that_holds_its_port_hears_of_a_callers_end(void **state)
{
    int first = talking_without_its_daemon(520), second = talking_without_its_daemon(522);

    (void)state;
    send_word("held.9.520");
    expect_nothing(first);
    close(second);
    expect_nothing(world.daemon);
    close(first);
    expect_terminated(&world, 9, 520);
    send_word("held.9.522"); /* it is over already */
    expect_terminated(&world, 9, 522);
}

/* One that only waits for its answer has no port yet. */
static void a_held_port_is_nothing_to_who_waits(void **state)
{
    int waiting = client_dial(&world);
    struct message m;

    (void)state;
    client_trigger(waiting, "work", "test.A");
    trigger_expect(&m, "", "work", "test.A");
    send_word("held.0.0");
    send_word("held.");
    expect_nothing(world.daemon);
    expect_nothing(waiting);
    close(waiting);
}

/* Others may hold what is short: no end of a client or of a call tells that it is over. */
static void a_caller_is_heard_when_a_shortage_of_descriptors_is_over(void **state)
{
    struct rlimit files;
    struct message m;
    int fd;

    (void)state;
    files_end(world.agent, &files);
    fd = client_dial(&world);
    client_trigger(fd, "work", "test.A");
    expect_nothing(world.daemon);
    files_return(world.agent, &files);
    trigger_expect(&m, "", "work", "test.A");
    close(fd);
}

static void socket_is_open_to_all(void **state)
{
    struct stat st;

    (void)state;
    close(client_dial(&world));
    assert_int_equal(stat(world.agent_socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0777);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_caller_says_so_and_ends_with_126),
        cmocka_unit_test(allowed_call_carries_data_and_code),
        cmocka_unit_test(local_program_is_between_and_knows_the_callers_streams),
        cmocka_unit_test(lost_connection_is_255),
        cmocka_unit_test(usage_and_missing_agent),
        cmocka_unit_test(garbage_disturbs_nobody_else),
        cmocka_unit_test(answers_go_to_the_one_that_asked),
        cmocka_unit_test(gone_target_ends_the_call_after_its_last_words),
        cmocka_unit_test(a_looked_at_and_stopped_caller_answers_and_ends),
        cmocka_unit_test(a_client_answers_as_much_as_it_is_asked),
        cmocka_unit_test(gone_target_that_never_connected_ends_the_wait),
        cmocka_unit_test(agent_that_dies_is_no_gone_target),
        cmocka_unit_test(agent_that_is_stopped_leaves_a_caller_that_waits_for_its_peer),
        cmocka_unit_test(a_caller_is_heard_when_a_shortage_of_descriptors_is_over),
        cmocka_unit_test(socket_is_open_to_all),
        cmocka_unit_test(daemon_gone_refuses_who_waits_and_keeps_who_talks),
        cmocka_unit_test(a_daemon_that_holds_its_port_hears_of_a_callers_end),
        cmocka_unit_test(a_held_port_is_nothing_to_who_waits),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
