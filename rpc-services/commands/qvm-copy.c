/*
 * qvm-copy, qvm-move (the policy or the prompt chooses the target), qvm-copy-to-vm,
 * qvm-move-to-vm: files and directories to another domain's ~/QubesIncoming.
 *
 * First a walk: sizes, and whether a name needs allow-all-names. Then the call, and a second walk
 * that sends. The receiver may answer early, which ends it. A move deletes its arguments only after
 * the answer said that all of it is on the other's disk.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "rpc-services/call.h"
#include "rpc-services/commands/copy-walk.h"
#include "rpc-services/filecopy.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#define LOOK_EVERY 15000000 /* bytes between two looks for an early answer */

#define SEND_E_ANSWERED 100 /* the receiver has answered before the end */

struct sender {
    int to, from;
    uint32_t crc;
    uint64_t total, sent, looked;
    bool odd_names;
    bool progress, gui;
};

/* ---- First walk ---- */

static int measure(void *user, const struct copy_entry *e)
{
    struct sender *s = user;

    if (S_ISREG(e->st->st_mode))
        s->total += (uint64_t)e->st->st_size;
    s->odd_names |= filecopy_check_name(e->name, false) != 0;
    return 0;
}

/* ---- Second walk ---- */

static void show(const struct sender *s, bool end)
{
    if (s->gui) {
        if (printf("%llu\n", (unsigned long long)s->sent) < 0 || fflush(stdout) != 0)
            exit(32);
    } else if (s->progress) {
        fprintf(stderr, "sent %llu/%llu KB%s", (unsigned long long)((s->sent + 1023) / 1024),
                (unsigned long long)((s->total + 1023) / 1024), end ? "\n" : "\r");
    }
}

static bool has_answer(const struct sender *s)
{
    struct pollfd p = {.fd = s->from, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static int put(struct sender *s, const void *data, size_t n)
{
    int r = write_full(s->to, data, n);

    s->crc = filecopy_crc(s->crc, data, n);
    return r == -EPIPE ? SEND_E_ANSWERED : r;
}

/* A file that shrank is filled up with zeroes, one that grew is cut: the header has been sent. */
static int send_content(struct sender *s, const struct copy_entry *e)
{
    static unsigned char buf[65536];
    uint64_t left = (uint64_t)e->st->st_size;
    int fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), r = fd < 0 ? -errno : 0;

    while (!r && left > 0) {
        size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
        ssize_t got = read(fd, buf, n);

        if (got <= 0) {
            r = got < 0 ? -errno : -ENODATA;
            break;
        }
        r = put(s, buf, (size_t)got);
        left -= (uint64_t)got;
        s->sent += (uint64_t)got;
        if (!r && s->sent - s->looked > LOOK_EVERY) {
            s->looked = s->sent;
            show(s, false);
            r = has_answer(s) ? SEND_E_ANSWERED : 0;
        }
    }
    close_fd(&fd);
    if (r < 0)
        log_error("%s: %s", e->path,
                  r == -ENODATA ? "it became shorter while it was sent" : strerror(-r));
    return r;
}

static int send_entry(void *user, const struct copy_entry *e)
{
    struct sender *s = user;
    struct filecopy_header h = {
        .namelen = (uint32_t)strlen(e->name) + 1,
        .mode = e->st->st_mode,
        .filelen = e->target                 ? strlen(e->target)
                   : S_ISREG(e->st->st_mode) ? (uint64_t)e->st->st_size
                                             : 0,
        .atime = (uint32_t)e->st->st_atim.tv_sec,
        .atime_nsec = (uint32_t)e->st->st_atim.tv_nsec,
        .mtime = (uint32_t)e->st->st_mtim.tv_sec,
        .mtime_nsec = (uint32_t)e->st->st_mtim.tv_nsec,
    };
    unsigned char raw[FILECOPY_HEADER];
    int r;

    filecopy_put_header(raw, &h);
    r = put(s, raw, sizeof(raw));
    if (!r)
        r = put(s, e->name, h.namelen);
    if (!r && e->target)
        r = put(s, e->target, (size_t)h.filelen);
    if (!r && S_ISREG(e->st->st_mode))
        r = send_content(s, e);
    if (!r && has_answer(s))
        r = SEND_E_ANSWERED;
    return r;
}

/* ---- The answer ---- */

static uint32_t get_u32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const char *error_text(uint32_t error)
{
    switch (error) {
    case EEXIST: return "it exists there already";
    case EILSEQ: return "its name is not allowed there";
    case ENOLINK: return "a link that could point out";
    case FILECOPY_E_CUT: return "the stream ended early";
    default: return strerror((int)error);
    }
}

#define ANSWER_E_NONE 2

/* 0: all of it arrived; ANSWER_E_NONE: no answer came; else 1, told. */
static int read_answer(const struct sender *s)
{
    unsigned char head[FILECOPY_ANSWER], len[4];
    char name[1024] = "";
    uint32_t error, n;

    if (read_full(s->from, head, sizeof(head)))
        return ANSWER_E_NONE;
    error = get_u32(head);
    if (!read_full(s->from, len, sizeof(len)) && (n = get_u32(len)) > 0) {
        n = n < sizeof(name) ? n : sizeof(name) - 1;
        if (read_full(s->from, name, n))
            n = 0;
        name[n] = 0;
        filecopy_clean(name);
    }
    if (error) {
        log_error("the other domain refused%s%s%s: %s", *name ? " \"" : "", name, *name ? "\"" : "",
                  error_text(error & 0x80000000 ? -error : error));
        return 1;
    }
    if (get_u32(head + 8) != s->crc) {
        log_error("the checksums differ: what arrived is not what was sent");
        return 1;
    }
    return 0;
}

/* ---- The command ---- */

static const char *name = "qvm-copy";

static int usage(FILE *f, bool target, int code)
{
    fprintf(f, "usage: %s [--without-progress] [--ignore-symlinks] %sFILE...\n", name,
            target ? "TARGET " : "");
    return code;
}

static int walk_all(struct copy_walk *w, char **files)
{
    int r = 0;

    for (; !r && *files; files++)
        r = copy_walk(w, *files);
    return r;
}

static int open_call(struct sender *s, const char *target, pid_t *ret)
{
    const char *service = s->odd_names ? "qubes.Filecopy+allow-all-names" : "qubes.Filecopy";
    int in[2], out[2], r;

    if (pipe2(in, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return -errno;
    }
    r = call_start(target, service, in[0], out[1], ret);
    close(in[0]);
    close(out[1]);
    s->to = in[1];
    s->from = out[0];
    return r;
}

static int copy(struct sender *s, const char *target, char **files, bool ignore_symlinks)
{
    struct copy_walk w = {.ignore_symlinks = ignore_symlinks, .visit = measure, .user = s};
    static const unsigned char end[FILECOPY_HEADER];
    int r = walk_all(&w, files), code;
    pid_t pid;

    if (r || open_call(s, target, &pid))
        return 1;
    show(s, false);
    w.visit = send_entry;
    r = walk_all(&w, files);
    if (!r)
        r = put(s, end, sizeof(end));
    close_fd(&s->to);
    if (r >= 0)
        r = r == 0 || r == SEND_E_ANSWERED ? read_answer(s) : 1;
    close_fd(&s->from);
    code = spawn_wait(pid);
    if (code == 126)
        return 126; /* qrexec-client-vm has said so */
    show(s, true);
    if (r == ANSWER_E_NONE)
        log_error("the other domain gave no answer: the copy may be incomplete");
    return r || code || w.skipped ? 1 : 0;
}

static int delete_all(char **files)
{
    int r = 0;

    for (; *files; files++)
        if (remove_all(*files)) {
            log_error("%s was copied, but cannot be deleted: %s", *files, strerror(errno));
            r = 1;
        }
    return r;
}

int main(int argc, char **argv)
{
    enum { WITH = 1, WITHOUT, IGNORE, NO_IGNORE };
    static const struct option longs[] = {{"with-progress", no_argument, NULL, WITH},
                                          {"without-progress", no_argument, NULL, WITHOUT},
                                          {"ignore-symlinks", no_argument, NULL, IGNORE},
                                          {"no-ignore-symlinks", no_argument, NULL, NO_IGNORE},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct sender s = {.to = -1, .from = -1, .progress = true};
    const char *type = getenv("PROGRESS_TYPE"), *target = "@default";
    bool to_vm, move, ignore = false;
    int c, r;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 1 || fd_open_standard())
        return 1;
    name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    to_vm = strstr(name, "-to-vm") != NULL;
    move = strstr(name, "move") != NULL;
    log_open(name, LOG_TARGET_STDERR);
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'h' || c == '?')
            return usage(c == 'h' ? stdout : stderr, to_vm, c == 'h' ? 0 : 1);
        if (c == WITH || c == WITHOUT)
            s.progress = c == WITH;
        else
            ignore = c == IGNORE;
    }
    if (argc - optind < 1 + to_vm)
        return usage(stderr, to_vm, 1);
    if (to_vm)
        target = argv[optind++];
    s.gui = type && str_equal(type, "gui");
    if (to_vm && s.progress && isatty(STDERR_FILENO))
        fprintf(stderr, "%s: qvm-%s asks for the target in a window that cannot be typed into\n",
                name, move ? "move" : "copy");
    r = copy(&s, target, argv + optind, ignore);
    return r || !move ? r : delete_all(argv + optind);
}
