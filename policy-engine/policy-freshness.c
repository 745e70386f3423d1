/* The domains as of now: see policy-freshness.h. */
#include "policy-engine/policy-freshness.h"

#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/system-info.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ANSWER_MAX (16U << 20)
#define ANSWER_MS  10000

static void unmap_page(struct freshness *f)
{
    if (f->page)
        munmap((void *)f->page, 4096);
    f->page = NULL;
    close_fd(&f->page_fd);
}

static void map_page(struct freshness *f)
{
    char path[PATH_SIZE];
    struct stat st;
    void *p;

    unmap_page(f);
    if (path_get(path, "/run/qubes/generation"))
        return;
    f->page_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->page_fd < 0 || fstat(f->page_fd, &st) < 0 || st.st_size < 4096)
        return;
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, f->page_fd, 0);
    f->page = p == MAP_FAILED ? NULL : p;
}

/* A page that was removed is that of a spawner which is no more. */
static bool is_current(const struct freshness *f)
{
    struct stat st;

    return f->domains && f->page && fstat(f->page_fd, &st) == 0 && st.st_nlink > 0 &&
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
    *f = (struct freshness){.page_fd = -1, .on_domains = on_domains};
    f->spawner.fn = on_spawner;
    f->late.fn = on_late;
}

void freshness_deinit(struct freshness *f)
{
    close_spawner(f);
    unmap_page(f);
    policy_domains_unref(f->domains);
}
