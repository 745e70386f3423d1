/* Requests that wait for their answer: see pending.h. */
#include "qrexec-daemon/pending.h"

int pending_open(struct pending_table *t, struct pending *p, const unsigned char *ident)
{
    if (t->count >= t->most)
        return PENDING_E_FULL;
    *p = (struct pending){.open = true, .prev = t->last};
    memcpy(p->ident, ident, sizeof(p->ident));
    if (t->last)
        t->last->next = p;
    else
        t->first = p;
    t->last = p;
    t->count++;
    return 0;
}

bool pending_close(struct pending_table *t, struct pending *p)
{
    if (!p->open)
        return false;
    if (p->prev)
        p->prev->next = p->next;
    else
        t->first = p->next;
    if (p->next)
        p->next->prev = p->prev;
    else
        t->last = p->prev;
    p->open = false;
    p->next = p->prev = NULL;
    t->count--;
    return true;
}

struct pending *pending_find(const struct pending_table *t, const unsigned char *ident,
                             const struct pending *after)
{
    for (struct pending *p = after ? after->next : t->first; p; p = p->next)
        if (memcmp(p->ident, ident, sizeof(p->ident)) == 0)
            return p;
    return NULL;
}
