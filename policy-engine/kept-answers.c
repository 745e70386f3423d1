/* Answers that are kept: see kept-answers.h. */
#include "policy-engine/kept-answers.h"

#include "libqrexec/base/buf.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#define FILE_MAX (4U << 20)
#define MARK     "# kept number="

uint64_t kept_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec;
}

static void answer_deinit(struct kept_answer *a)
{
    free(a->service);
    free(a->argument);
    free(a->source);
    free(a->target);
    free(a->choice);
    free(a->about);
    *a = (struct kept_answer){0};
}

void kept_answers_deinit(struct kept_answers *k)
{
    for (size_t i = 0; i < k->n; i++)
        answer_deinit(&k->list[i]);
    free(k->list);
    *k = KEPT_NULL;
}

/* Takes *a over on success. */
static int append(struct kept_answers *k, struct kept_answer *a)
{
    struct kept_answer *p;

    if (k->n >= KEPT_MOST)
        return KEPT_E_FULL;
    p = realloc(k->list, (k->n + 1) * sizeof(*p));
    if (!p)
        return -ENOMEM;
    k->list = p;
    k->list[k->n++] = *a;
    *a = (struct kept_answer){0};
    return 0;
}

static void remove_at(struct kept_answers *k, size_t i)
{
    answer_deinit(&k->list[i]);
    memmove(k->list + i, k->list + i + 1, (k->n - i - 1) * sizeof(*k->list));
    k->n--;
}

/* ---- The file ---- */

/* "# kept number=N until=S ABOUT" */
static bool read_mark(const char *line, struct kept_answer *a)
{
    unsigned long long number, until;
    int at = 0;

    if (sscanf(line, MARK "%llu until=%llu %n", &number, &until, &at) != 2 || !at || !number)
        return false;
    a->number = number;
    a->until = until;
    a->about = strdup(line + at);
    return a->about != NULL;
}

/* "SERVICE ARGUMENT SOURCE TARGET allow target=CHOICE", cut in place. */
static bool read_rule(char *line, struct kept_answer *a)
{
    char *word[6], *rest = line;
    size_t n = 0;

    while (n < ARRAY_SIZE(word) && rest)
        word[n++] = strsep(&rest, " ");
    if (n != ARRAY_SIZE(word) || rest || !str_equal(word[4], "allow") ||
        !str_starts(word[5], "target=") || !str_starts(word[2], "uuid:"))
        return false;
    a->service = strdup(word[0]);
    a->argument = strdup(word[1]);
    a->source = strdup(word[2]);
    a->target = strdup(word[3]);
    a->choice = strdup(word[5] + strlen("target="));
    return a->service && a->argument && a->source && a->target && a->choice;
}

int kept_answers_read(const char *path, struct kept_answers *ret)
{
    _cleanup_(freep) char *data = NULL;
    struct kept_answers k = KEPT_NULL;
    struct kept_answer a = {0};
    char *rest, *line;
    size_t n;
    int r = file_read(path, FILE_MAX, &data, &n);

    if (r && r != -ENOENT)
        return r;
    rest = data;
    r = 0;
    while (!r && (line = strsep(&rest, "\n"))) {
        if (str_starts(line, MARK)) {
            answer_deinit(&a);
            if (!read_mark(line, &a))
                answer_deinit(&a);
        } else if (a.about && read_rule(line, &a)) {
            r = append(&k, &a);
        } else {
            answer_deinit(&a);
        }
    }
    answer_deinit(&a);
    if (r < 0)
        kept_answers_deinit(&k);
    else
        *ret = k;
    return r < 0 ? r : 0;
}

int kept_answers_write(const char *path, const struct kept_answers *k)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(FILE_MAX);
    int r =
        buf_append_str(&b, "# Answers that a user gave for a time. \"qrexec-policy kept\" lists "
                           "and revokes them.\n");

    if (!k->n)
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
    for (size_t i = 0; !r && i < k->n; i++) {
        const struct kept_answer *a = &k->list[i];

        r = buf_appendf(&b, MARK "%" PRIu64 " until=%" PRIu64 " %s\n%s %s %s %s allow target=%s\n",
                        a->number, a->until, a->about, a->service, a->argument, a->source,
                        a->target, a->choice);
    }
    return r ? r : file_replace(path, buf_data(&b), buf_len(&b), 0644);
}

int kept_answers_lock(const char *path, bool wait, int *ret_lock)
{
    const char *slash = strrchr(path, '/');
    _cleanup_(closep) int fd = -1;
    char dir[PATH_SIZE];
    int r = slash ? format(dir, sizeof(dir), "%.*s", (int)(slash - path), path) : -EINVAL;

    if (!r)
        r = mkdir_all(dir, 0755);
    if (r)
        return r;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
        return -errno;
    *ret_lock = take_fd(&fd);
    return 0;
}

/* ---- The list ---- */

bool kept_answers_expire(struct kept_answers *k, uint64_t now)
{
    size_t before = k->n;

    for (size_t i = k->n; i-- > 0;)
        if (k->list[i].until && k->list[i].until <= now)
            remove_at(k, i);
    return k->n < before;
}

size_t kept_answers_remove(struct kept_answers *k, uint64_t number, bool all)
{
    size_t before = k->n;

    for (size_t i = k->n; i-- > 0;)
        if (all || k->list[i].number == number)
            remove_at(k, i);
    return before - k->n;
}

uint64_t kept_answers_next_end(const struct kept_answers *k)
{
    uint64_t next = 0;

    for (size_t i = 0; i < k->n; i++)
        if (k->list[i].until && (!next || k->list[i].until < next))
            next = k->list[i].until;
    return next;
}

/* ---- Names and uuids ---- */

static bool is_dom0(const char *s)
{
    return str_equal(s, "dom0") || str_equal(s, "@adminvm") ||
           str_equal(s, "uuid:00000000-0000-0000-0000-000000000000");
}

/*
 * A source, target or choice in the one spelling that outlives a renaming but no deletion. NULL: a
 * domain that has no uuid, or no memory.
 */
static char *by_uuid(const struct policy_domains *d, const char *s)
{
    const char *prefix = str_starts(s, "@dispvm:") ? "@dispvm:" : "";
    const struct policy_domain *dom;

    if (is_dom0(s))
        return strdup("@adminvm");
    if (str_equal(s, "@default") || str_equal(s, "@dispvm"))
        return strdup(s);
    dom = policy_domains_find(d, s + strlen(prefix));
    return dom && dom->uuid ? format_new("%suuid:%s", prefix, dom->uuid) : NULL;
}

static bool is_same(const struct policy_domains *d, const char *kept, const char *spelled)
{
    _cleanup_(freep) char *s = by_uuid(d, spelled);

    return s && str_equal(s, kept);
}

static bool is_about(const struct kept_answer *a, const struct policy_domains *d,
                     const struct policy_question *q, const struct policy_verdict *asked)
{
    return str_equal(a->service, q->service) && str_equal(a->argument, q->argument) &&
           is_same(d, a->source, asked->source) && is_same(d, a->target, asked->requested_target);
}

const char *kept_answers_find(const struct kept_answers *k, const struct policy_domains *d,
                              const struct policy_question *q, const struct policy_verdict *asked,
                              uint64_t now)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct kept_answer *a = &k->list[i];

        if ((a->until && a->until <= now) || !is_about(a, d, q, asked))
            continue;
        for (size_t c = 0; c < asked->n_choices; c++)
            if (is_same(d, a->choice, asked->choices[c]))
                return asked->choices[c];
    }
    return NULL;
}

int kept_answers_add(struct kept_answers *k, const struct policy_domains *d,
                     const struct policy_question *q, const struct policy_verdict *asked,
                     const char *chosen, uint64_t seconds, uint64_t now)
{
    struct kept_answer a = {.number = 1, .until = seconds ? now + seconds : 0};
    int r;

    for (size_t i = k->n; i-- > 0;) {
        if (k->list[i].number >= a.number)
            a.number = k->list[i].number + 1;
        if (is_about(&k->list[i], d, q, asked) ||
            !policy_domains_find(d, k->list[i].source)) /* the source is gone for good */
            remove_at(k, i);
    }
    a.service = strdup(q->service);
    a.argument = strdup(q->argument);
    a.source = by_uuid(d, asked->source);
    a.target = by_uuid(d, asked->requested_target);
    a.choice = by_uuid(d, chosen);
    a.about = format_new("%s -> %s: %s", asked->source, asked->requested_target, chosen);
    if (!a.source || !a.target || !a.choice || !str_starts(a.source, "uuid:") ||
        str_equal(a.choice, "@default"))
        r = KEPT_E_NO_UUID;
    else
        r = a.service && a.argument && a.about ? append(k, &a) : -ENOMEM;
    answer_deinit(&a);
    return r;
}

int kept_answers_keep(const char *path, const struct policy_domains *d,
                      const struct policy_question *q, const struct policy_verdict *asked,
                      const char *chosen, uint64_t seconds)
{
    _cleanup_(kept_answers_deinit) struct kept_answers k = KEPT_NULL;
    _cleanup_(closep) int lock = -1;
    uint64_t now = kept_now();
    int r = kept_answers_lock(path, false, &lock);

    if (!r)
        r = kept_answers_read(path, &k);
    if (r)
        return r;
    (void)kept_answers_expire(&k, now);
    r = kept_answers_add(&k, d, q, asked, chosen, seconds, now);
    return r ? r : kept_answers_write(path, &k);
}
