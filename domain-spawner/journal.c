/* The journal of disposables' names: see journal.h. */
#include "domain-spawner/journal.h"

#include "libqrexec/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

#define FILE_MOST (16U << 20)

static void take_line(struct journal *j, const char *line)
{
    char *end;
    unsigned long number = strtoul(line, &end, 10);
    long long when;

    if (end == line || *end != ' ' || number >= JOURNAL_NAMES)
        return;
    line = end + 1;
    when = strtoll(line, &end, 10);
    if (end == line || (*end && *end != ' ') || when <= 0)
        return;
    if (*end && strlen(end + 1) != JOURNAL_UUID_SIZE - 1)
        return;
    j->used[number] = when;
    snprintf(j->uuid[number], JOURNAL_UUID_SIZE, "%s", *end ? end + 1 : "");
}

static int read_all(struct journal *j)
{
    _cleanup_(freep) char *text = NULL;
    char *line, *end;
    size_t n;
    int r = file_read(j->path, FILE_MOST, &text, &n);

    if (r)
        return r == -ENOENT ? 0 : r;
    /* Only whole lines: a crash may have cut the last one. */
    for (line = text; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        take_line(j, line);
    }
    return 0;
}

static int write_all(const struct journal *j)
{
    _cleanup_(freep) char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return -ENOMEM;
    for (uint32_t i = 0; i < JOURNAL_NAMES; i++)
        if (j->used[i])
            fprintf(f, "%u %lld%s%s\n", i, (long long)j->used[i], *j->uuid[i] ? " " : "",
                    j->uuid[i]);
    if (fclose(f) != 0)
        return -ENOMEM;
    return file_replace(j->path, text, n, 0600);
}

int journal_open(struct journal *j, const char *path, int64_t now)
{
    int r;

    memset(j->used, 0, sizeof(j->used));
    memset(j->uuid, 0, sizeof(j->uuid));
    j->fd = -1;
    j->path = strdup(path);
    r = j->path ? read_all(j) : -ENOMEM;
    for (uint32_t i = 0; !r && i < JOURNAL_NAMES; i++) {
        if (j->used[i] > now)
            j->used[i] = now; /* the clock was set back */
        if (now - j->used[i] >= JOURNAL_KEPT_SEC && !*j->uuid[i])
            j->used[i] = 0;
    }
    if (!r)
        r = write_all(j);
    if (r)
        return r;
    j->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return j->fd < 0 ? -errno : 0;
}

void journal_close(struct journal *j)
{
    close_fd(&j->fd);
    free(j->path);
    j->path = NULL;
}

static int append(struct journal *j, uint32_t number, int64_t now, const char *uuid)
{
    char line[96];
    int r =
        format(line, sizeof(line), "%u %lld%s%s\n", number, (long long)now, *uuid ? " " : "", uuid);

    if (!r)
        r = write_full(j->fd, line, strlen(line));
    /* A release is not synced: if it is lost, the time of its creation counts. */
    if (!r && *uuid && fdatasync(j->fd) < 0)
        r = -errno;
    if (r)
        return r;
    j->used[number] = now;
    return format(j->uuid[number], JOURNAL_UUID_SIZE, "%s", uuid);
}

int journal_take(struct journal *j, int64_t now, const char *uuid,
                 bool (*taken)(void *user, uint32_t number), void *user, uint32_t *ret)
{
    uint32_t start = 0, best = JOURNAL_NAMES;
    int r;

    if (getrandom(&start, sizeof(start), 0) < 0)
        return -errno;
    for (uint32_t i = 0; i < JOURNAL_NAMES; i++) {
        uint32_t n = (start % JOURNAL_NAMES + i) % JOURNAL_NAMES;

        if ((best != JOURNAL_NAMES && j->used[n] >= j->used[best]) || taken(user, n))
            continue;
        best = n;
        if (now - j->used[n] >= JOURNAL_KEPT_SEC)
            break;
    }
    if (best == JOURNAL_NAMES)
        return -ENOSPC;
    r = append(j, best, now, uuid);
    if (!r)
        *ret = best;
    return r;
}

int journal_release(struct journal *j, uint32_t number, int64_t now)
{
    return number < JOURNAL_NAMES ? append(j, number, now, "") : 0;
}

bool journal_find(const struct journal *j, const char *uuid, uint32_t *ret)
{
    for (uint32_t i = 0; i < JOURNAL_NAMES; i++)
        if (*uuid && str_equal(j->uuid[i], uuid)) {
            *ret = i;
            return true;
        }
    return false;
}
