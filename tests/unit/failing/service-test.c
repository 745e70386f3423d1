/* What libqrexec/service/ does when one call of the C library fails. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/service/service-internal.h"
#include "tests/stage/folder.h"
#include "tests/unit/failing/failing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

static int listener; /* of the TCP service */
static unsigned tcp_port;
static int socket_listener;

/* 0, or what a plan failed with: never without a reason, never another kind of service. */
static int plan(enum service_place place, const char *line, enum service_kind kind,
                struct service *s)
{
    char why[SERVICE_TEXT_MAX] = "";
    int r = service_plan(place, line, s, why);

    failing_check(r <= 0 || *why, "a failure without a reason");
    failing_check(r <= 0 || r == SERVICE_E_TROUBLE || r == SERVICE_E_NOT_FOUND,
                  "an unknown failure");
    failing_check(r || s->kind == kind, "another kind of service");
    return r;
}

static int start(struct service *s, const struct service_start *how, struct service_run *run)
{
    char why[SERVICE_TEXT_MAX] = "";
    int r = service_start(s, how, run, why);

    failing_check(!r || *why, "a failure without a reason");
    return r;
}

/* What it says until its end; then its exit code. */
static int finish(struct service_run *run, const char *expected)
{
    char text[64] = "";
    int r, code = -1;

    failing_off();
    if (run->out_fd != run->in_fd)
        close_fd(&run->out_fd);
    r = read_full_until(run->in_fd, text, strlen(expected), clock_ms() + 5000);
    if (run->pid > 0)
        code = spawn_wait(run->pid);
    failing_on();
    service_run_deinit(run);
    if (!r)
        failing_check(strncmp(text, expected, strlen(expected)) == 0, "another output");
    return run->pid > 0 ? code : r;
}

static int run_line(enum service_place place, const char *line, enum service_kind kind,
                    const char *expected)
{
    static const char *const env[] = {"MORE=1", NULL};
    const struct service_start how = {
        .new_session = true,
        .env = env,
        .users = place == SERVICE_PLACE_DOM0 ? &service_users_dom0 : &service_users_own,
    };
    struct service_run run = SERVICE_RUN_NULL;
    struct service s = SERVICE_NULL;
    int r = plan(place, line, kind, &s);

    if (!r)
        r = start(&s, &how, &run);
    if (!r)
        r = finish(&run, expected);
    service_deinit(&s);
    return r;
}

static int program_in_a_session(void)
{
    return run_line(SERVICE_PLACE_SESSION, "QUBESRPC q.Say+arg src", SERVICE_PROGRAM, "arg src 1");
}

static int program_in_dom0(void)
{
    return run_line(SERVICE_PLACE_DOM0, "QUBESRPC q.Say+arg src name b", SERVICE_PROGRAM,
                    "arg src 1");
}

static int program_of_a_user(void)
{
    const struct passwd *pw = getpwuid(geteuid());
    char line[128] = "";

    failing_check(pw || errno == EIO || errno == EMFILE, "who am I?");
    if (!pw)
        return -EIO;
    (void)format(line, sizeof(line), "%s:QUBESRPC q.Say+arg src", pw->pw_name);
    return run_line(SERVICE_PLACE_VM, line, SERVICE_PROGRAM, "arg src");
}

static int shell_command(void)
{
    return run_line(SERVICE_PLACE_SESSION, "echo words", SERVICE_SHELL, "words");
}

static int just_exec(void)
{
    const struct service_start how = {
        .just_exec = true, .new_session = true, .users = &service_users_own};
    struct service_run run = SERVICE_RUN_NULL;
    struct service s = SERVICE_NULL;
    int r = plan(SERVICE_PLACE_SESSION, "exit 0", SERVICE_SHELL, &s);

    if (!r)
        r = start(&s, &how, &run);
    if (!r) {
        r = spawn_wait(run.pid);
        service_run_deinit(&run);
    }
    service_deinit(&s);
    return r;
}

/* The descriptor goes first. */
static int socket_service(const char *line, enum service_kind kind, int from, const char *first)
{
    const struct service_start how = {.new_session = true};
    struct service_run run = SERVICE_RUN_NULL;
    struct service s = SERVICE_NULL;
    char text[64] = "";
    int r = plan(SERVICE_PLACE_VM, line, kind, &s), fd;

    if (!r)
        r = start(&s, &how, &run);
    failing_off();
    while ((fd = accept4(from, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (!r && recv(fd, text, sizeof(text) - 1, 0) > 0)
            failing_check(str_equal(text, first), "another descriptor");
        close(fd);
    }
    failing_on();
    if (!r)
        service_run_deinit(&run);
    service_deinit(&s);
    return r;
}

static int unix_service(void)
{
    return socket_service("root:QUBESRPC q.Sock+x src", SERVICE_SOCKET, socket_listener,
                          "q.Sock+x src");
}

static int tcp_service(void)
{
    char line[128], first[128];

    (void)format(first, sizeof(first), "q.Tcp+127.0.0.1+%u src", tcp_port);
    (void)format(line, sizeof(line), "root:QUBESRPC %s", first);
    return socket_service(line, SERVICE_TCP, listener, first);
}

/* Settings that could not be read must not look like no settings. */
static int settings(void)
{
    struct service s = SERVICE_NULL;
    int r = plan(SERVICE_PLACE_VM, "root:QUBESRPC q.Set+x src", SERVICE_PROGRAM, &s);

    failing_check(r || (s.settings.wait_for_session && str_equal(s.user, "nobody")),
                  "settings are lost, and nobody says so");
    service_deinit(&s);
    return r;
}

static const struct scenario list[] = {
    {"program_in_a_session", program_in_a_session},
    {"program_in_dom0", program_in_dom0},
    {"program_of_a_user", program_of_a_user},
    {"shell_command", shell_command},
    {"just_exec", just_exec},
    {"unix_service", unix_service},
    {"tcp_service", tcp_service},
    {"settings", settings},
};

static void set_up(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);

    folder_file("services/q.Say", "#!/bin/sh\necho \"$1 $QREXEC_REMOTE_DOMAIN $MORE\"\n", 0755);
    folder_file("services/q.Set", "#!/bin/sh\n", 0755);
    folder_link("services/q.Tcp", "/dev/tcp");
    socket_listener = folder_socket("services/q.Sock");
    folder_file("config/q.Set+x", "wait-for-session = true\nforce-user = 'nobody'\n", 0644);
    setenv("QREXEC_SERVICE_PATH", folder_path("services"), 1);
    setenv("QUBES_RPC_CONFIG_PATH", folder_path("config"), 1);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 8) < 0 ||
        getsockname(listener, (struct sockaddr *)&a, &n) < 0)
        abort();
    tcp_port = ntohs(a.sin_port);
}

int main(int argc, char **argv)
{
    (void)folder_new();
    set_up();
    failing_wait_for_children();
    return failing_main(argc, argv, list, ARRAY_SIZE(list));
}
