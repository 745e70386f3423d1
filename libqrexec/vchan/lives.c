/* Lives of other domains: see lives.h. */
#include "libqrexec/vchan/lives.h"

#include "libqrexec/base/io.h"

#include <errno.h>

int lives_watch(struct xenstore *x, unsigned number)
{
    return xenstore_watch(x, "@releaseDomain", number);
}

/* What cannot be read, or is longer than any uuid, tells nothing. */
static int read_who(struct xenstore *x, uint32_t domain, char buf[static LIFE_SIZE])
{
    char path[64];
    int r = format(path, sizeof(path), "/local/domain/%u/vm", domain);

    if (!r)
        r = xenstore_read(x, path, buf, LIFE_SIZE);
    if (r == -ENOENT || r == -EACCES || r == -EMSGSIZE) {
        buf[0] = 0;
        r = 0;
    }
    return r;
}

int life_begin(struct xenstore *x, uint32_t domain, struct life *ret)
{
    struct life l = {.domain = domain};
    bool there = true;
    int r = xenstore_is_introduced(x, domain, &there);

    if (!r && !there)
        r = -EHOSTDOWN;
    if (!r)
        r = read_who(x, domain, l.who);
    if (!r)
        *ret = l;
    return r;
}

/* Its own nodes go a moment after itself: what is not there says nothing against it. */
int life_look(struct xenstore *x, const struct life *l)
{
    struct life now;
    int r = life_begin(x, l->domain, &now);

    if (r)
        return r;
    return *l->who && *now.who && !str_equal(l->who, now.who) ? -EHOSTDOWN : 0;
}
