/*
 * Stands in for the front: starts domain-spawner-helper, sends it what the lines on stdin say and
 * prints what it answers. usage: helper-driver HELPER ROOT
 *
 *   create NAME UUID HOME [disposable] [networked] [from=DIR] [seconds=N]
 *   shutdown|destroy|pause|unpause|stats UUID
 *   wait TEXT…   reads messages until a line that it prints begins with TEXT (at most 30 s)
 *
 * Prints: hello BACKEND · answer ID DOMID [ERROR] · stats ID KIB NS · running UUID DOMID ·
 * late UUID REASON · start-failed UUID REASON · gone UUID REASON. At the end of stdin it hangs up,
 * and waits for the helper: its exit code.
 */
#include "domain-spawner/helper-protocol.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define WAIT_MS 30000

static uint64_t last_id;

static void print_message(const struct helper_message *m, char *line, size_t size)
{
    static const char *const ends[] = {"shutdown", "crash", "destroy"};
    int r = 0;

    switch (m->type) {
    case HELPER_HELLO: r = format(line, size, "hello %s", m->text); break;
    case HELPER_ANSWER:
        r = m->stats.memory_kib
                ? format(line, size, "stats %u %llu %llu", (unsigned)m->id,
                         (unsigned long long)m->stats.memory_kib,
                         (unsigned long long)m->stats.cpu_ns)
                : format(line, size, "answer %u %u %s", (unsigned)m->id, m->domid, m->text);
        break;
    case HELPER_RUNNING: r = format(line, size, "running %s %u", m->uuid, m->domid); break;
    case HELPER_LATE: r = format(line, size, "late %s %s", m->uuid, m->text); break;
    case HELPER_START_FAILED: r = format(line, size, "start-failed %s %s", m->uuid, m->text); break;
    case HELPER_FOUND: break;
    case HELPER_GONE: r = format(line, size, "gone %s %s", m->uuid, ends[m->end]); break;
    }
    puts(r ? "?" : line);
    fflush(stdout);
}

/* 0; -ETIMEDOUT; -EPIPE; other. */
static int one_message(int fd, uint64_t deadline, char *line, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char data[HELPER_DATAGRAM_MAX];
    struct helper_message m;
    ssize_t n;
    int r;

    if (poll(&p, 1, deadline_left(deadline)) <= 0)
        return -ETIMEDOUT;
    n = recv(fd, data, sizeof(data), 0);
    if (n <= 0)
        return -EPIPE;
    r = helper_message_parse(data, (size_t)n, &m);
    if (r) {
        fprintf(stderr, "helper-driver: not a message (%d): %.*s\n", r, (int)n, data);
        return -EBADMSG;
    }
    print_message(&m, line, size);
    return 0;
}

static int wait_for(int fd, const char *text)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    char line[1024];
    int r;

    do
        r = one_message(fd, deadline, line, sizeof(line));
    while (!r && !str_starts(line, text));
    if (r)
        fprintf(stderr, "helper-driver: %s while waiting for: %s\n", strerror(-r), text);
    return r;
}

static int send_request(int fd, struct helper_request *rq)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r;

    rq->id = ++last_id;
    r = helper_request_format(rq, &text, &n);
    if (!r && send(fd, text, n, MSG_NOSIGNAL) < 0)
        r = -errno;
    return r;
}

static int set(char *to, size_t size, const char *word)
{
    return word ? format(to, size, "%s", word) : -EINVAL;
}

static int add_option(struct domain_spec *s, const char *word)
{
    if (str_equal(word, "disposable"))
        s->disposable = true;
    else if (str_equal(word, "networked"))
        s->networked = true;
    else if (str_starts(word, "from="))
        return set(s->home_from, sizeof(s->home_from), word + 5);
    else if (str_starts(word, "seconds="))
        return parse_u32(word + 8, 1000, &s->start_seconds);
    else
        return -EINVAL;
    return 0;
}

static int create(int fd, char **save)
{
    struct helper_request rq = {
        .type = HELPER_CREATE,
        .spec = {.type = "AppVM", .default_user = "user", .vcpus = 1, .start_seconds = 20}};
    struct domain_spec *s = &rq.spec;
    const char *word;
    int r = set(s->name, sizeof(s->name), strsep(save, " "));

    if (!r)
        r = set(s->uuid, sizeof(s->uuid), strsep(save, " "));
    if (!r)
        r = set(s->home, sizeof(s->home), strsep(save, " "));
    while (!r && (word = strsep(save, " ")))
        r = add_option(s, word);
    return r ? r : send_request(fd, &rq);
}

static int one_line(int fd, char *line)
{
    static const char *const names[] = {"create", "shutdown", "destroy",
                                        "pause",  "unpause",  "stats"};
    struct helper_request rq = {0};
    char *save = line, *word;
    int r;

    line[strcspn(line, "\n")] = 0;
    if (str_starts(line, "wait "))
        return wait_for(fd, line + 5);
    word = strsep(&save, " ");
    if (!word)
        return 0;
    if (str_equal(word, "create"))
        return create(fd, &save);
    for (size_t i = 1; i < ARRAY_SIZE(names); i++)
        if (str_equal(word, names[i])) {
            rq.type = (enum helper_request_type)i;
            r = set(rq.spec.uuid, sizeof(rq.spec.uuid), strsep(&save, " "));
            return r ? r : send_request(fd, &rq);
        }
    return -EINVAL;
}

int main(int argc, char **argv)
{
    _cleanup_(freep) char *root = argc == 3 ? format_new("--root=%s", argv[2]) : NULL;
    char *args[] = {(char *)"domain-spawner-helper", root, (char *)"--backend=local", NULL};
    char line[4096];
    int pair[2], r = 0;
    pid_t pid;

    if (!root || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        fputs("usage: helper-driver HELPER ROOT\n", stderr);
        return 2;
    }
    int fds[] = {-1, 2, 2, pair[1]};
    struct spawn s = {.path = argv[1], .argv = args, .fds = fds, .n_fds = 4};

    r = spawn_process(&s, &pid, NULL);
    close(pair[1]);
    if (r) {
        fprintf(stderr, "helper-driver: %s: %s\n", argv[1], strerror(-r));
        return 2;
    }
    while (!r && fgets(line, sizeof(line), stdin)) {
        r = one_line(pair[0], line);
        if (r)
            fprintf(stderr, "helper-driver: %s: %s\n", line, strerror(-r));
    }
    close(pair[0]);
    return spawn_wait(pid) || r ? 1 : 0;
}
