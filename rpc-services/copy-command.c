/* qvm-copy and its relatives: see copy-command.h. */
#include "rpc-services/copy-command.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "rpc-services/copy-send.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#define EXIT_DISPLAY 32 /* who displays the progress has gone */
#define EXIT_REFUSED 126

struct command {
    const struct copy_side *side;
    const char *name;
    bool to_vm, move;
};

static int usage(const struct command *c, FILE *f, int code)
{
    fprintf(
        f,
        "usage: %s [OPTIONS] [--] %sFILE...\n"
        "%s files and directories to QubesIncoming in the home directory of another domain.\n"
        "  --without-progress, --with-progress       do not say how far it is, or do (default)\n"
        "  --ignore-symlinks, --no-ignore-symlinks   pass over links that could point out of "
        "what is\n"
        "                                            copied, or end at one (default)\n",
        c->name, c->to_vm ? "TARGET " : "", c->move ? "Moves" : "Copies");
    return code;
}

/* A disposable that is made for the call ends with it, and what was moved there is gone. */
static bool may_move_to(const char *target)
{
    char answer[8] = "";

    if (!str_starts(target, "@dispvm") && !str_starts(target, "$dispvm"))
        return true;
    if (!isatty(STDIN_FILENO)) {
        log_error("refused: that disposable ends with this call, and the files with it");
        return false;
    }
    fprintf(stderr, "That disposable ends with this call, and the files with it. Go on? [y/N] ");
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int open_pipe(int *ret_read, int *ret_write)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        log_error("no pipe: %s", strerror(errno));
        return -errno;
    }
    *ret_read = fds[0];
    *ret_write = fds[1];
    return 0;
}

static int open_call(const struct command *c, struct copy_sender *s, const char *target, pid_t *ret)
{
    const char *service = s->odd_names ? "qubes.Filecopy+allow-all-names" : "qubes.Filecopy";
    _cleanup_(closep) int in = -1, out = -1;
    int r;

    r = open_pipe(&in, &s->to);
    if (!r)
        r = open_pipe(&s->from, &out);
    return r ? r : c->side->start(target, service, in, out, ret);
}

/* Codes that tell about the call and not about the service: they are the command's own, too. */
static bool is_of_call(const struct command *c, int code)
{
    return (code >= 125 && code <= 127) || code == 255 || code == c->side->usage_code;
}

/* The exit code, from what the sender saw and how the call ended. */
static int judge(const struct command *c, const struct copy_sender *s, int sent, int code)
{
    if (sent == COPY_E_DISPLAY)
        return EXIT_DISPLAY;
    if (sent == COPY_E_NO_ANSWER) {
        if (code != EXIT_REFUSED)
            log_error("the call ended (code %d) before the other domain said that all had arrived",
                      code);
        return is_of_call(c, code) ? code : 1;
    }
    if (sent)
        return 1;
    if (code)
        log_error("all has arrived, but the call ended with code %d", code);
    return code ? 1 : s->skipped;
}

static int copy(const struct command *c, struct copy_sender *s, const char *target, char **files)
{
    pid_t pid;
    int r;

    if (copy_measure(s, files) || open_call(c, s, target, &pid))
        return 1;
    r = copy_send(s, files);
    close_fd(&s->from);
    if (r == COPY_E_DISPLAY)
        kill(pid, SIGTERM);
    r = judge(c, s, r, spawn_wait(pid));
    return r || !c->move ? r : copy_record_delete(&s->sent);
}

static int parse(int argc, char **argv, const struct command *c, struct copy_sender *s)
{
    enum { WITH = 1, WITHOUT, IGNORE, NO_IGNORE, NOTHING };
    static const struct option longs[] = {{"with-progress", no_argument, NULL, WITH},
                                          {"without-progress", no_argument, NULL, WITHOUT},
                                          {"ignore-symlinks", no_argument, NULL, IGNORE},
                                          {"no-ignore-symlinks", no_argument, NULL, NO_IGNORE},
                                          {"help", no_argument, NULL, 'h'},
                                          {"quiet", no_argument, NULL, WITHOUT},
                                          {"verbose", no_argument, NULL, NOTHING},
                                          {"force-root", no_argument, NULL, NOTHING},
                                          {0}};
    int o;

    while ((o = getopt_long(argc, argv, "hqv", longs, NULL)) != -1)
        switch (o) {
        case WITH: s->progress = COPY_PROGRESS_TEXT; break;
        case 'q':
        case WITHOUT: s->progress = COPY_PROGRESS_NONE; break;
        case IGNORE: s->ignore_symlinks = true; break;
        case NO_IGNORE: s->ignore_symlinks = false; break;
        case 'v':
        case NOTHING: break;
        case 'h': return usage(c, stdout, 0);
        default: return usage(c, stderr, c->side->usage_code);
        }
    return argc - optind < 1 + c->to_vm ? usage(c, stderr, c->side->usage_code) : -1;
}

static struct command command_of(const char *called, const struct copy_side *side)
{
    const char *name = strrchr(called, '/') ? strrchr(called, '/') + 1 : called;

    return (struct command){.side = side,
                            .name = name,
                            .to_vm = strstr(name, "-to-vm") != NULL,
                            .move = strstr(name, "move") != NULL};
}

int copy_command(int argc, char **argv, const struct copy_side *side)
{
    static struct copy_sender s;
    const char *type = getenv("PROGRESS_TYPE"), *target = "@default";
    struct command c;
    int r;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 1 || process_begin())
        return 1;
    s = COPY_SENDER_NULL;
    s.progress = COPY_PROGRESS_TEXT;
    c = command_of(argv[0], side);
    log_open(c.name, LOG_TARGET_STDERR);
    if (!c.to_vm && !side->may_choose) {
        log_error("dom0 names its targets: use qvm-%s-to-vm", c.move ? "move" : "copy");
        return 1;
    }
    r = parse(argc, argv, &c, &s);
    if (r >= 0)
        return r;
    if (c.to_vm)
        target = argv[optind++];
    if (c.to_vm && side->may_choose)
        log_info("qvm-%s asks for the target in dom0 instead", c.move ? "move" : "copy");
    if (c.move && !may_move_to(target))
        return 1;
    if (type && str_equal(type, "gui")) {
        s.progress = COPY_PROGRESS_GUI;
        s.gui = STDOUT_FILENO;
    }
    s.record = c.move;
    r = copy(&c, &s, target, argv + optind);
    close_fd(&s.to);
    close_fd(&s.from);
    copy_record_deinit(&s.sent);
    return r;
}
