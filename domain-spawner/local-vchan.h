/*
 * The vchan switch: which domain sees which vchan's socket.
 *
 * Domain D's own directory is ROOT/run/vchan/D; only D sees it, as /run/vchan. A socket
 * vchan.SERVER.CLIENT.PORT.sock that the server makes in its directory is linked into the
 * client's, and unlinked when the server removes it; dom0's directory is ROOT/run/vchan itself.
 * Only sockets, only names whose server is the directory's owner: so a domain sees nothing but
 * the vchans it is one end of, and cannot forge or remove anybody else's.
 *
 * A server whose client has ended would wait for its own time limit: it is connected to, and hung
 * up on, as by a client that came and went.
 */
#ifndef QREXEC_SPAWNER_LOCAL_VCHAN_H
#define QREXEC_SPAWNER_LOCAL_VCHAN_H

#include "domain-spawner/watch.h"

struct vchan_name {
    uint32_t server, client, port;
};

/* False: not exactly such a name, with plain decimals. */
bool vchan_name_parse(const char *text, struct vchan_name *ret);

struct vchan_port;

struct vchan_switch {
    struct watch_set *set;
    struct watch inotify;
    struct vchan_port *ports; /* the directories; dom0's is one */
    uint32_t newest;          /* domain; one up to that without a port has ended */
};

/* Makes ROOT/run/vchan, and removes what a helper that was killed left in it. */
int vchan_switch_init(struct vchan_switch *sw, struct watch_set *set);
void vchan_switch_deinit(struct vchan_switch *sw);

/* Makes the directory of a domain, owned by uid (as root), mode 0700, and links what waits. */
int vchan_switch_add(struct vchan_switch *sw, uint32_t domid, uid_t uid);
/* Removes it, and every link that came from it; who waits for that domain is hung up on. */
void vchan_switch_remove(struct vchan_switch *sw, uint32_t domid);

#endif
