/*
 * Plays domain-spawner-helper for the front's tests. What a domain does stands in its name, or in
 * that of its template: "slow" runs after 300 ms, "fail" does not start, "refuse" is refused at
 * once, "mute" never answers, "stubborn" does not shut down, "frozen" cannot be paused; all others
 * run at once. "tardy" is late after 300 ms, and runs after SIGUSR2. The file ROOT/helper.log has a
 * line for each request; SIGUSR1: all domains crash.
 *
 * Where ROOT/living is, domains outlive the helper as Xen's do: their uuids stand there. One that
 * is adopted does as after a create, but "half" is ended, since it never ran a moment, and "still"
 * is paused. As long as ROOT/hold is there, a new helper does not say hello, and as long
 * as ROOT/deaf is, it hears nothing after that.
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
    bool late;        /* then it is late, and is told to run by SIGUSR2 */
    bool ours;        /* else it lives from before, and nobody adopted it yet */
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

/* What lives: all of ours, and others'. Whole at any moment, since tests kill us at any. */
static void note_living(void)
{
    _cleanup_(freep) char *text = NULL;
    size_t n = 0;
    FILE *f = living ? open_memstream(&text, &n) : NULL;

    if (!f)
        return;
    fprintf(f, "%s\n", FOREIGN_UUID);
    for (size_t i = 0; i < DOMAINS; i++)
        if (domains[i].uuid[0])
            fprintf(f, "%s\n", domains[i].uuid);
    if (fclose(f) != 0 || file_replace(living, text, n, 0600))
        exit(1);
}

static void tell_found(void)
{
    struct helper_message m = {.type = HELPER_FOUND};
    FILE *f = fopen(living, "r");
    size_t n = 0;

    while (f && n < DOMAINS && fscanf(f, "%36s", m.uuid) == 1) {
        say(&m);
        if (str_equal(m.uuid, FOREIGN_UUID))
            continue;
        domains[n].domid = ++last_domid;
        memcpy(domains[n++].uuid, m.uuid, sizeof(m.uuid));
    }
    if (f)
        fclose(f);
}

/* Nobody tells when the file goes, but the front's end is seen. */
static void wait_while(const char *root, const char *name)
{
    _cleanup_(freep) char *path = format_new("%s/%s", root, name);
    struct pollfd front = {.fd = HELPER_FD};

    while (path && access(path, F_OK) == 0)
        if (poll(&front, 1, 10) > 0)
            exit(0);
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
    struct one was = *d;

    *d = (struct one){0};
    note_living();
    tell(HELPER_GONE, &was, end, "");
}

/* What the name of the domain, or its template's, says that it does. */
static bool does(const struct domain_spec *spec, const char *what)
{
    return strstr(spec->name, what) || strstr(spec->home_from, what);
}

static void begin(struct one *d, const struct domain_spec *spec)
{
    struct one was = *d;

    if (does(spec, "fail")) {
        *d = (struct one){0};
        note_living();
        tell(HELPER_START_FAILED, &was, DOMAIN_SHUTDOWN, "its image is missing");
    } else if (does(spec, "slow") || does(spec, "tardy")) {
        d->runs_at = clock_ms() + SLOW_MS;
        d->late = does(spec, "tardy");
    } else if (!does(spec, "mute")) {
        tell(HELPER_RUNNING, d, DOMAIN_SHUTDOWN, "");
    }
}

static void log_request(const struct helper_request *rq, const struct one *d)
{
    static const char *const names[] = {"create",  "shutdown", "destroy", "pause",
                                        "unpause", "stats",    "adopt"};

    fprintf(log_file, "%s %s%s\n", names[rq->type], d ? d->name : rq->spec.name,
            rq->spec.starting ? " starting" : "");
    fflush(log_file);
}

static const char *why_not(const struct helper_request *rq, const struct one *found)
{
    if (found && found->ours)
        return "a domain of that uuid is running";
    if (rq->type == HELPER_ADOPT)
        return found ? NULL : "the domain is not running";
    return (!found && !find("")) || does(&rq->spec, "refuse") ? "no place for it" : NULL;
}

/* As the Xen backend: one that lives is adopted by a create, too. */
static void create_or_adopt(const struct helper_request *rq)
{
    struct helper_message answer = {.type = HELPER_ANSWER, .id = rq->id};
    struct one *found = find(rq->spec.uuid), *d = found ? found : find("");
    const char *why = why_not(rq, found);

    if (why) {
        log_request(rq, NULL);
        (void)format(answer.text, sizeof(answer.text), "%s", why);
        say(&answer);
        return;
    }
    memcpy(d->name, rq->spec.name, sizeof(d->name));
    memcpy(d->uuid, rq->spec.uuid, sizeof(d->uuid));
    d->ours = true;
    d->domid = answer.domid = found ? d->domid : ++last_domid;
    answer.paused = found && does(&rq->spec, "still");
    note_living();
    log_request(rq, NULL);
    say(&answer);
    if (found && (rq->spec.disposable || does(&rq->spec, "half")))
        gone(d, DOMAIN_DESTROY);
    else
        begin(d, &rq->spec);
}

static void on_request(const struct helper_request *rq)
{
    struct helper_message answer = {.type = HELPER_ANSWER, .id = rq->id};
    bool make = rq->type == HELPER_CREATE || rq->type == HELPER_ADOPT;
    struct one *d = make ? NULL : find(rq->spec.uuid);

    if (d && !d->ours)
        d = NULL;
    if (make) {
        create_or_adopt(rq);
        return;
    }
    log_request(rq, d);
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
            tell(d->late ? HELPER_LATE : HELPER_RUNNING, d, DOMAIN_SHUTDOWN,
                 d->late ? "no agent answered within 1 seconds" : "");
        } else if (best < 0 || left < best) {
            best = left;
        }
    }
    return best;
}

static void on_signal(int fd)
{
    struct signalfd_siginfo si;

    if (read(fd, &si, sizeof(si)) < 0)
        return;
    for (size_t i = 0; i < DOMAINS; i++)
        if (domains[i].uuid[0] && si.ssi_signo == SIGUSR1)
            gone(&domains[i], DOMAIN_CRASH);
        else if (domains[i].late)
            tell(HELPER_RUNNING, &domains[i], DOMAIN_SHUTDOWN, "");
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
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    p[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (!log_file || p[1].fd < 0)
        return 1;
    fprintf(log_file, "pid %d\n", (int)getpid());
    fflush(log_file);
    living = format_new("%s/living", argv[1] + strlen("--root="));
    hello.outlive = living && access(living, F_OK) == 0;
    wait_while(argv[1] + strlen("--root="), "hold");
    if (hello.outlive)
        tell_found();
    else
        free(take(living));
    say(&hello);
    wait_while(argv[1] + strlen("--root="), "deaf");
    while (!over) {
        if (poll(p, 2, next_timeout()) < 0 && errno != EINTR)
            return 1;
        if (p[1].revents & POLLIN)
            on_signal(p[1].fd);
        if (p[0].revents)
            over = read_request();
    }
    fclose(log_file);
    free(living);
    return 0;
}
