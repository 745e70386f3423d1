/* The domains as of now: see policy-freshness.h. */
#include "policy-engine/policy-freshness.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ANSWER_MAX (16U << 20)
#define ANSWER_MS  10000

static void unmap_page(struct freshness *f)
{
    int fd = f->page_gone.fd;

    if (f->page)
        munmap((void *)f->page, 4096);
    f->page = NULL;
    if (f->page_gone.events) {
        watch_stop(&f->page_gone);
        close_fd(&fd);
    }
}

/* A page that was removed is that of a spawner which is no more. */
static void on_page_gone(struct watch *w, short revents)
{
    (void)revents;
    unmap_page(container_of(w, struct freshness, page_gone));
}

/* Notices instead of fstat() at each decision, which is a tenth of what that costs. */
static int watch_page(struct freshness *f, int page)
{
    char path[64];
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return -errno;
    (void)format(path, sizeof(path), "/proc/self/fd/%d", page);
    if (inotify_add_watch(fd, path, IN_ATTRIB) < 0) {
        close(fd);
        return -errno;
    }
    watch_set(&f->page_gone, fd, POLLIN);
    return 0;
}

/* Without one, or with one that cannot be watched, each request asks the spawner. */
static void map_page(struct freshness *f)
{
    _cleanup_(closep) int fd = -1;
    char path[PATH_SIZE];
    struct stat st;
    void *p;

    if (f->page || path_get(path, "/run/qubes/generation"))
        return;
    unmap_page(f); /* one that was not good enough */
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || watch_page(f, fd) || fstat(fd, &st) < 0 || st.st_size < 4096 || !st.st_nlink)
        return;
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    f->page = p == MAP_FAILED ? NULL : p;
}

static bool is_current(const struct freshness *f)
{
    return f->domains && f->page &&
           __atomic_load_n(f->page, __ATOMIC_ACQUIRE) == policy_domains_generation(f->domains);
}

static void close_spawner(struct freshness *f)
{
    int fd = f->spawner.fd;

    timer_stop(&f->late);
    if (f->spawner.events) {
        watch_stop(&f->spawner);
        close_fd(&fd);
    }
    buf_deinit(&f->answer);
    buf_deinit(&f->question);
    f->asking = false;
}

static void finish(struct freshness *f, struct policy_domains *d, const char *why)
{
    close_spawner(f);
    policy_domains_unref(f->domains);
    malloc_trim(0); /* the JSON of all domains is many times what it says */
    f->domains = d;
    f->domains_trouble = why;
    f->answered = f->asked;
    if (!d && !f->said)
        log_error("every call is denied: the domains cannot be learnt from the domain spawner: %s",
                  why);
    f->said = !d;
    f->on_domains(f);
}

static void on_spawner(struct watch *w, short revents)
{
    struct freshness *f = container_of(w, struct freshness, spawner);
    struct policy_domains *d = NULL;
    const unsigned char *data;
    ssize_t n;

    (void)revents;
    if (buf_len(&f->question) && buf_write_fd(&f->question, w->fd) >= 0 && !buf_len(&f->question)) {
        shutdown(w->fd, SHUT_WR);
        watch_set(w, w->fd, POLLIN);
    }
    n = buf_read_fd(&f->answer, w->fd, 1 << 20);
    if (n > 0 || n == -EAGAIN)
        return;
    data = buf_data(&f->answer);
    if (n == 0 && buf_len(&f->answer) > 2 && data[0] == '0' && !data[1] &&
        system_info_parse((const char *)data + 2, buf_len(&f->answer) - 2, &d) == 0)
        finish(f, d, NULL);
    else
        finish(f, NULL, n < 0 ? strerror((int)-n) : "its answer is not understood");
}

static void on_late(struct timer *t)
{
    struct freshness *f = container_of(t, struct freshness, late);

    finish(f, NULL, f->spawner.events ? "it does not answer" : "it cannot be reached");
}

void freshness_ask(struct freshness *f)
{
    static const char request[] = "internal.GetSystemInfo+ dom0 name dom0";
    char path[PATH_SIZE];
    int fd = -1, r = path_get(path, "/run/qubesd.internal.sock");

    if (f->asking)
        return;
    f->asking = true;
    f->asked++;
    map_page(f);
    f->answer = BUF_NULL(ANSWER_MAX);
    f->question = BUF_NULL(256);
    if (!r)
        r = buf_append(&f->question, request, sizeof(request));
    if (!r)
        r = unix_connect(path, &fd);
    if (!r)
        watch_set(&f->spawner, fd, POLLIN | POLLOUT);
    timer_set(&f->late, r ? 0 : ANSWER_MS);
}

uint64_t freshness_need(const struct freshness *f)
{
    return f->asked + 1;
}

bool freshness_serves(const struct freshness *f, uint64_t need)
{
    return f->answered >= need || is_current(f);
}

void freshness_init(struct freshness *f, void (*on_domains)(struct freshness *f))
{
    *f = (struct freshness){.on_domains = on_domains};
    f->page_gone.fn = on_page_gone;
    f->page_gone.urgent = true;
    f->spawner.fn = on_spawner;
    f->late.fn = on_late;
}

void freshness_deinit(struct freshness *f)
{
    close_spawner(f);
    unmap_page(f);
    policy_domains_unref(f->domains);
}
