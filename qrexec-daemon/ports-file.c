/*
 * The file of taken ports: what a daemon that is started again must know.
 *
 * Data connections outlive a daemon. The next one must not give their ports to others, and must
 * tell its agent when the domain at their other end is gone. So each port that is taken or released
 * is a line in a file beside the socket: "+DOMAIN PORT" or "-DOMAIN PORT" ("~DOMAIN PORT":
 * released, and rests) after a first line with the domain's uuid, without which it is another's.
 * Without the file calls go on all the same.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "qrexec-daemon/ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define FILE_MOST  (4U << 20)
#define LINES_MOST 10000 /* then it is written anew, with what is taken */

static int text_of(const struct ports *p, char **ret, size_t *ret_len)
{
    size_t at = 0;
    uint32_t domain, port;
    FILE *f = open_memstream(ret, ret_len);

    if (!f)
        return -ENOMEM;
    fprintf(f, "%s\n", p->uuid);
    while (ports_next_domain(p, &at, &domain))
        for (port = 0; ports_next(p, domain, &port);)
            fprintf(f, "+%u %u\n", domain, port);
    for (size_t i = 0; i < p->n_sets; i++)
        for (port = 0; ports_next_resting(p, i, &domain, &port);)
            fprintf(f, "~%u %u\n", domain, port);
    return fclose(f) != 0 ? -ENOMEM : 0;
}

/*
 * Only one daemon writes it, so the name beside it is known, and one that was killed leaves nothing
 * that stays (guest_daemon_forget()). Nor is it synced: a crash of the machine ends the calls.
 */
static int write_anew(struct ports *p)
{
    _cleanup_(freep) char *text = NULL, *beside = format_new("%s:new", p->path);
    size_t n = 0;
    int r = beside ? text_of(p, &text, &n) : -ENOMEM;

    if (r)
        return r;
    close_fd(&p->file);
    p->lines = 0;
    (void)unlink(beside);
    p->file = open(beside, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (p->file < 0)
        return -errno;
    r = write_full(p->file, text, n);
    if (!r && rename(beside, p->path) < 0)
        r = -errno;
    if (r) {
        (void)unlink(beside);
        close_fd(&p->file);
    }
    return r;
}

static void take_line(struct ports *p, const char *line)
{
    unsigned domain, port;
    char sign;

    if (sscanf(line, "%c%u %u", &sign, &domain, &port) != 3)
        return;
    if (sign == '+')
        (void)ports_note(p, domain, port);
    else if (sign == '-' || sign == '~')
        (void)ports_release(p, domain, port);
    if (sign == '~')
        (void)ports_rest(p, domain, port);
}

int ports_keep(struct ports *p, const char *path, const char *uuid)
{
    _cleanup_(freep) char *text = NULL;
    char *line, *end;
    size_t n;
    int r = file_read(path, FILE_MOST, &text, &n);

    /* only whole lines: a crash may have cut the last one */
    for (line = r ? NULL : text; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        if (line != text)
            take_line(p, line);
        else if (!str_equal(line, uuid))
            break;
    }
    p->path = strdup(path);
    p->uuid = strdup(uuid);
    r = ports_rest_taken(p);
    if (r || !p->path || !p->uuid)
        return -ENOMEM;
    return write_anew(p);
}

void ports_write(struct ports *p, char sign, uint32_t domain, uint32_t port)
{
    char line[32];
    int r;

    if (p->file < 0)
        return;
    r = format(line, sizeof(line), "%c%u %u\n", sign, domain, port);
    if (!r)
        r = write_full(p->file, line, strlen(line));
    if (!r && ++p->lines > LINES_MOST)
        r = write_anew(p);
    if (!r)
        return;
    log_error("%s: %s; a daemon that is started again will not know the calls that run", p->path,
              strerror(-r));
    close_fd(&p->file);
}

static void let_go(struct ports *p, bool of_file)
{
    if (of_file && p->path)
        (void)unlink(p->path);
    close_fd(&p->file);
    free(take(p->path));
    free(take(p->uuid));
}

void ports_forget(struct ports *p)
{
    let_go(p, true);
}

void ports_leave(struct ports *p)
{
    uint32_t domain;
    size_t at = 0;

    let_go(p, !ports_next_domain(p, &at, &domain));
}
