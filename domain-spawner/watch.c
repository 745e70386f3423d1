/* Descriptors and processes behind one descriptor: see watch.h. */
#include "domain-spawner/watch.h"

#include "libqrexec/base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define BUDGET 64 /* events a dispatch */

int watch_set_init(struct watch_set *set)
{
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    return set->epoll < 0 ? -errno : 0;
}

void watch_set_deinit(struct watch_set *set)
{
    close_fd(&set->epoll);
}

void watch_set_dispatch(struct watch_set *set)
{
    struct epoll_event ev;

    for (int i = 0; i < BUDGET && epoll_wait(set->epoll, &ev, 1, 0) == 1; i++) {
        struct watch *w = ev.data.ptr;

        w->on_event(w);
    }
}

int watch_add(struct watch_set *set, struct watch *w, int fd, void (*on_event)(struct watch *w),
              void *user)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};

    if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        int r = -errno;

        close(fd);
        return r;
    }
    *w = (struct watch){.set = set, .fd = fd, .on_event = on_event, .user = user};
    return 0;
}

int watch_modify(struct watch *w, bool readable, bool writable)
{
    struct epoll_event ev = {.data.ptr = w};

    if (readable)
        ev.events |= EPOLLIN;
    if (writable)
        ev.events |= EPOLLOUT;
    return epoll_ctl(w->set->epoll, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? -errno : 0;
}

/* A duplicate in a child could keep the entry alive, so it is taken out before the close. */
void watch_remove(struct watch *w)
{
    if (w->fd < 0)
        return;
    (void)epoll_ctl(w->set->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    close_fd(&w->fd);
}

static void on_pidfd(struct watch *w)
{
    struct process *p = w->user;
    int status = 0;
    pid_t r = waitpid(p->pid, &status, WNOHANG);

    if (r == 0 || (r < 0 && errno == EINTR))
        return;
    watch_remove(&p->watch);
    p->pid = 0;
    p->on_end(p, status);
}

int process_watch(struct watch_set *set, struct process *p, pid_t pid,
                  void (*on_end)(struct process *p, int status), void *user)
{
    int fd, r;

    p->watch = WATCH_NULL;
    r = spawn_pidfd(pid, &fd);
    if (!r)
        r = watch_add(set, &p->watch, fd, on_pidfd, p);
    if (r) {
        kill(pid, SIGKILL);
        (void)spawn_wait(pid);
        return r;
    }
    p->pid = pid;
    p->on_end = on_end;
    p->user = user;
    return 0;
}

void process_kill(const struct process *p, int sig)
{
    if (p->pid)
        kill(p->pid, sig); /* not reaped yet, so the number is still its own */
}
