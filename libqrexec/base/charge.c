/* Charges: see charge.h. */
#include "libqrexec/base/charge.h"

#include <errno.h>

struct account {
    struct account *next;
    size_t held;
    char source[];
};

void ledger_deinit(struct ledger *l)
{
    while (l->first) {
        struct account *a = l->first;

        l->first = a->next;
        free(a);
    }
}

static struct account *find_or_add(struct ledger *l, const char *source)
{
    size_t n = strlen(source) + 1;
    struct account *a;

    for (a = l->first; a; a = a->next)
        if (str_equal(a->source, source))
            return a;
    a = calloc(1, sizeof(*a) + n);
    if (!a)
        return NULL;
    memcpy(a->source, source, n);
    a->next = l->first;
    l->first = a;
    return a;
}

static void drop_if_empty(struct ledger *l, struct account *a)
{
    struct account **p = &l->first;

    if (a->held)
        return;
    while (*p != a)
        p = &(*p)->next;
    *p = a->next;
    free(a);
}

int charge_take(struct ledger *l, const char *source, size_t amount, struct charge *c)
{
    struct account *a = find_or_add(l, source);

    if (!a)
        return -ENOMEM;
    if (amount > l->budget || a->held > l->budget - amount) {
        drop_if_empty(l, a);
        return CHARGE_E_BUDGET;
    }
    a->held += amount;
    *c = (struct charge){.ledger = l, .account = a, .amount = amount};
    return 0;
}

void charge_release(struct charge *c)
{
    if (!c->account)
        return;
    c->account->held -= c->amount;
    drop_if_empty(c->ledger, c->account);
    *c = CHARGE_NULL;
}
