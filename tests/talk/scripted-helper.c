/*
 * Plays domain-spawner-helper for the front's tests. What a domain does stands in its name:
 * "slow" runs after 300 ms, "fail" does not start, "refuse" is refused at once, "mute" never
 * answers, "stubborn" does not shut down, "frozen" cannot be paused; all others run at once. The
 * file ROOT/helper.log has a line for each request; SIGUSR1: all domains crash. Where ROOT/living
 * is, domains outlive the helper as Xen's do: their uuids stand there.
 */
#include "domain-spawner/helper-protocol.h"
#include "libqrexec/base/io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define DOMAINS 512
#define SLOW_MS 300
/* somebody else's domain, which is there all the time */
#define FOREIGN_UUID "ffffffff-0000-4000-8000-000000000000"

static struct one {
    char name[DOMAIN_NAME_SIZE], uuid[DOMAIN_UUID_SIZE];
    uint32_t domid;
    uint64_t runs_at; /* 0: does, or never will */
} domains[DOMAINS];
static uint32_t last_domid;
static FILE *log_file;
static char *living; /* NULL: they do not outlive us */

static void say(const struct helper_message *m)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;

    if (helper_message_format(m, &text, &n) || send(HELPER_FD, text, n, MSG_NOSIGNAL) < 0)
        exit(1);
}

static void tell(enum helper_message_type type, const struct one *d, enum domain_end end,
                 const char *text)
{
    struct helper_message m = {.type = type, .end = end, .domid = 0};

    memcpy(m.uuid, d->uuid, sizeof(m.uuid));
    if (type == HELPER_RUNNING)
        m.domid = d->domid;
    (void)format(m.text, sizeof(m.text), "%s", text);
    say(&m);
}

/* What lives: all of ours, and others'. */
static void note_living(void)
{
    FILE *f = living ? fopen(living, "w") : NULL;

    if (!f)
        return;
    fprintf(f, "%s\n", FOREIGN_UUID);
    for (size_t i = 0; i < DOMAINS; i++)
        if (domains[i].uuid[0])
            fprintf(f, "%s\n", domains[i].uuid);
    fclose(f);
}

static void tell_found(void)
{
    struct helper_message m = {.type = HELPER_FOUND};
    FILE *f = fopen(living, "r");

    while (f && fscanf(f, "%36s", m.uuid) == 1)
        say(&m);
    if (f)
        fclose(f);
}

static struct one *find(const char *uuid)
{
    for (size_t i = 0; i < DOMAINS; i++)
        if (str_equal(domains[i].uuid, uuid))
            return &domains[i];
    return NULL;
}

static void gone(struct one *d, enum domain_end end)
{
    tell(HELPER_GONE, d, end, "");
    *d = (struct one){0};
    note_living();
}

static void create(const struct helper_request *rq)
{
    struct helper_message answer = {.type = HELPER_ANSWER, .id = rq->id};
    struct one *d = find("");

    if (!d || strstr(rq->spec.name, "refuse")) {
        (void)format(answer.text, sizeof(answer.text), "no place for it");
        say(&answer);
        return;
    }
    memcpy(d->name, rq->spec.name, sizeof(d->name));
    memcpy(d->uuid, rq->spec.uuid, sizeof(d->uuid));
    d->domid = answer.domid = ++last_domid;
    note_living();
    say(&answer);
    if (strstr(d->name, "fail")) {
        tell(HELPER_START_FAILED, d, DOMAIN_SHUTDOWN, "its image is missing");
        *d = (struct one){0};
    } else if (strstr(d->name, "slow")) {
        d->runs_at = clock_ms() + SLOW_MS;
    } else if (!strstr(d->name, "mute")) {
        tell(HELPER_RUNNING, d, DOMAIN_SHUTDOWN, "");
    }
}

static void on_request(const struct helper_request *rq)
{
    static const char *const names[] = {"create",  "shutdown", "destroy", "pause",
                                        "unpause", "stats",    "adopt"};
    struct helper_message answer = {.type = HELPER_ANSWER, .id = rq->id};
    bool make = rq->type == HELPER_CREATE || rq->type == HELPER_ADOPT;
    struct one *d = make ? NULL : find(rq->spec.uuid);

    fprintf(log_file, "%s %s\n", names[rq->type], d ? d->name : rq->spec.name);
    fflush(log_file);
    if (make) {
        create(rq);
        if (rq->type == HELPER_ADOPT && rq->spec.disposable)
            gone(find(rq->spec.uuid), DOMAIN_DESTROY);
        return;
    }
    if (!d || (rq->type == HELPER_PAUSE && strstr(d->name, "frozen")))
        (void)format(answer.text, sizeof(answer.text), "this cannot be done");
    if (rq->type == HELPER_STATS)
        answer.stats = (struct domain_stats){1000, 2000, 3000000};
    say(&answer);
    if (d && rq->type == HELPER_DESTROY)
        gone(d, DOMAIN_DESTROY);
    else if (d && rq->type == HELPER_SHUTDOWN && !strstr(d->name, "stubborn"))
        gone(d, DOMAIN_SHUTDOWN);
}

static int next_timeout(void)
{
    uint64_t now = clock_ms();
    int best = -1;

    for (size_t i = 0; i < DOMAINS; i++) {
        struct one *d = &domains[i];
        int left;

        if (!d->runs_at)
            continue;
        left = d->runs_at <= now ? 0 : (int)(d->runs_at - now);
        if (left == 0) {
            d->runs_at = 0;
            tell(HELPER_RUNNING, d, DOMAIN_SHUTDOWN, "");
        } else if (best < 0 || left < best) {
            best = left;
        }
    }
    return best;
}

static void crash_all(int fd)
{
    struct signalfd_siginfo si;

    if (read(fd, &si, sizeof(si)) < 0)
        return;
    for (size_t i = 0; i < DOMAINS; i++)
        if (domains[i].uuid[0])
            gone(&domains[i], DOMAIN_CRASH);
}

static int read_request(void)
{
    char data[HELPER_DATAGRAM_MAX];
    struct helper_request rq;
    const char *field;
    uint64_t id;
    ssize_t n = recv(HELPER_FD, data, sizeof(data), 0);

    if (n <= 0)
        return 1;
    if (helper_request_parse(data, (size_t)n, &rq, &id, &field)) {
        fprintf(log_file, "bad request: %s\n", field);
        fflush(log_file);
        return 1;
    }
    on_request(&rq);
    return 0;
}

int main(int argc, char **argv)
{
    struct helper_message hello = {.type = HELPER_HELLO, .text = "scripted"};
    _cleanup_(freep) char *path = NULL;
    struct pollfd p[2] = {{.fd = HELPER_FD, .events = POLLIN}, {.events = POLLIN}};
    sigset_t set;
    int over = 0;

    if (argc != 2 || !str_starts(argv[1], "--root="))
        return 2;
    path = format_new("%s/helper.log", argv[1] + strlen("--root="));
    log_file = path ? fopen(path, "a") : NULL;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    p[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (!log_file || p[1].fd < 0)
        return 1;
    fprintf(log_file, "pid %d\n", (int)getpid());
    fflush(log_file);
    living = format_new("%s/living", argv[1] + strlen("--root="));
    hello.outlive = living && access(living, F_OK) == 0;
    if (hello.outlive)
        tell_found();
    else
        free(take(living));
    say(&hello);
    while (!over) {
        if (poll(p, 2, next_timeout()) < 0 && errno != EINTR)
            return 1;
        if (p[1].revents & POLLIN)
            crash_all(p[1].fd);
        if (p[0].revents)
            over = read_request();
    }
    fclose(log_file);
    free(living);
    return 0;
}
