/*
 * A connection of ours to a local service: the policy service, the spawner, a target's daemon.
 *
 * What is to be said is queued before or after opening; what comes is gathered in `in`. The owner
 * hears of everything with a later turn of the loop, never from inside stream_open(). After an end
 * or a failure nothing more is heard; the owner closes.
 */
#ifndef QREXEC_DAEMON_STREAM_H
#define QREXEC_DAEMON_STREAM_H

#include "libqrexec/base/buf.h"
#include "libqrexec/base/call-id.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/loop.h"

#define STREAM_END 1

struct stream {
    struct watch watch;
    struct timer timer; /* a failure to tell, or the next try where the backlog is full */
    int fd;             /* -1: not connected */
    int error;
    unsigned tries;
    bool half_close; /* once all is said */
    struct buf in, out;
    /* 0: something came; STREAM_END; negative errno. The stream may be closed and freed in it. */
    void (*fn)(struct stream *s, int status);
    char path[UNIX_PATH_SIZE];
    /* The service is told this id, see call-id.h. The owner's; stays over stream_open(). */
    const char *call_id;
    enum call_id_to to;
};

#define STREAM_NULL ((struct stream){.fd = -1, .watch = {.fd = -1}})

/*
 * Sets s up, with what is to be said first, and begins to connect. What can be said at once is
 * said at once. 0, -ENAMETOOLONG, -ENOMEM; a failure to connect is told to fn.
 */
int stream_open(struct stream *s, const char *path, const void *data, size_t n, bool half_close,
                size_t most_in, void (*fn)(struct stream *s, int status));
/* The reading half alone, of a pipe; fd is owned from here on. */
int stream_adopt(struct stream *s, int fd, size_t most_in,
                 void (*fn)(struct stream *s, int status));
int stream_say(struct stream *s, const void *data, size_t n);
/* Fine for one that is closed, or was never open. */
void stream_close(struct stream *s);

#endif
