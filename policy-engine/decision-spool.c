/* Records on their way to the log: see decision-spool.h. */
#include "policy-engine/decision-spool.h"

#include "libqrexec/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC    (UINT64_C(0x306c6f6f707371) + (sizeof(struct entry) << 56)) /* its own form alone */
#define TEXTS    14
#define NO_TEXT  UINT32_MAX
#define TEXT_MAX DECISION_SPOOL_SIZE

/* The file is of this machine's boot, and by and for this program: memory as it is. */
struct head {
    uint64_t magic;
    uint64_t used; /* bytes of records behind the head; set last */
};

struct entry {
    uint64_t size; /* of it all, a multiple of 8 */
    uint64_t numbers[9];
    uint32_t rule_line;
    uint32_t lengths[TEXTS]; /* with their NULs; NO_TEXT: none */
};

static struct head *head_of(const struct decision_spool *s)
{
    return (struct head *)(void *)s->map;
}

static int map_file(struct decision_spool *s, const char *path)
{
    _cleanup_(closep) int fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat st;
    void *p;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    /* the room is taken now, not when it is written to, where its lack would be a signal */
    if (posix_fallocate(fd, 0, DECISION_SPOOL_SIZE))
        return -ENOSPC;
    p = mmap(NULL, DECISION_SPOOL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    s->map = p;
    return 0;
}

int decision_spool_open(struct decision_spool *s, const char *path)
{
    int r = map_file(s, path);
    void *p;

    if (r) {
        log_warning("decisions that were made right before this daemon is killed will not be "
                    "logged, for %s cannot be used: %s",
                    path, strerror(-r));
        p = mmap(NULL, DECISION_SPOOL_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0);
        if (p == MAP_FAILED)
            return -ENOMEM;
        s->map = p;
    }
    if (head_of(s)->magic != MAGIC || head_of(s)->used > DECISION_SPOOL_SIZE - sizeof(struct head))
        *head_of(s) = (struct head){.magic = MAGIC};
    return 0;
}

void decision_spool_deinit(struct decision_spool *s)
{
    if (s->map)
        munmap(s->map, DECISION_SPOOL_SIZE);
    s->map = NULL;
}

bool decision_spool_is_empty(const struct decision_spool *s)
{
    return !s->map || !head_of(s)->used;
}

bool decision_spool_is_half_full(const struct decision_spool *s)
{
    return s->map && head_of(s)->used > DECISION_SPOOL_SIZE / 2;
}

static void texts_of(struct decision_record *d, const char **texts[static TEXTS])
{
    const char **all[TEXTS] = {&d->call_id,      &d->source,   &d->requested_source, &d->target,
                               &d->service,      &d->argument, &d->verdict,          &d->reason,
                               &d->detail,       &d->final,    &d->rule_file,        &d->asked,
                               &d->evaluated_by, &d->shadow};

    memcpy(texts, all, sizeof(all));
}

static void numbers_of(struct decision_record *d, uint64_t *numbers[static 9])
{
    uint64_t *all[9] = {&d->time_us,     &d->policy,       &d->generation,
                        &d->micros.read, &d->micros.wait,  &d->micros.decide,
                        &d->micros.ask,  &d->micros.total, &d->repeats};

    memcpy(numbers, all, sizeof(all));
}

bool decision_spool_put(struct decision_spool *s, const struct decision_record *d)
{
    struct decision_record copy = *d;
    struct entry e = {.size = sizeof(e), .rule_line = d->rule_line};
    uint64_t *numbers[9];
    const char **texts[TEXTS];
    unsigned char *at;

    if (!s->map)
        return false;
    texts_of(&copy, texts);
    numbers_of(&copy, numbers);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        e.numbers[i] = *numbers[i];
    for (size_t i = 0; i < TEXTS; i++) {
        size_t n = *texts[i] ? strlen(*texts[i]) + 1 : 0;

        if (n > TEXT_MAX)
            return false;
        e.lengths[i] = n ? (uint32_t)n : NO_TEXT;
        e.size += n;
    }
    e.size = (e.size + 7) & ~UINT64_C(7);
    if (e.size > DECISION_SPOOL_SIZE - sizeof(struct head) - head_of(s)->used)
        return false;
    at = s->map + sizeof(struct head) + head_of(s)->used;
    memcpy(at, &e, sizeof(e));
    at += sizeof(e);
    for (size_t i = 0; i < TEXTS; i++)
        if (*texts[i]) {
            memcpy(at, *texts[i], e.lengths[i]);
            at += e.lengths[i];
        }
    __atomic_store_n(&head_of(s)->used, head_of(s)->used + e.size, __ATOMIC_RELEASE);
    return true;
}

/* The entry at that place; false: what is there is none. */
static bool read_entry(const unsigned char *at, size_t left, struct decision_record *d,
                       uint64_t *ret_size)
{
    const char **texts[TEXTS];
    uint64_t *numbers[9];
    size_t n = sizeof(struct entry);
    struct entry e;

    if (left < sizeof(e))
        return false;
    memcpy(&e, at, sizeof(e));
    if (e.size < sizeof(e) || e.size > left)
        return false;
    texts_of(d, texts);
    numbers_of(d, numbers);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        *numbers[i] = e.numbers[i];
    d->rule_line = e.rule_line;
    for (size_t i = 0; i < TEXTS; i++) {
        if (e.lengths[i] == NO_TEXT)
            continue;
        if (!e.lengths[i] || e.lengths[i] > e.size - n || at[n + e.lengths[i] - 1])
            return false;
        *texts[i] = (const char *)at + n;
        n += e.lengths[i];
    }
    *ret_size = e.size;
    return d->call_id && d->source && d->verdict;
}

void decision_spool_forget(struct decision_spool *s)
{
    if (s->map)
        __atomic_store_n(&head_of(s)->used, 0, __ATOMIC_RELEASE);
}

void decision_spool_drain(struct decision_spool *s,
                          void (*fn)(void *user, struct decision_record *d), void *user)
{
    size_t used = s->map ? head_of(s)->used : 0;
    const unsigned char *at = s->map + sizeof(struct head);
    uint64_t size;

    for (size_t done = 0; done < used; done += size) {
        struct decision_record d = {0};

        if (!read_entry(at + done, used - done, &d, &size))
            break; /* of a daemon that wrote over memory; nothing behind it can be told */
        fn(user, &d);
    }
}
