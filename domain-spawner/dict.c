/* Small sorted maps: see dict.h. */
#include "domain-spawner/dict.h"

#include <errno.h>

void dict_deinit(struct dict *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->entries[i].key);
        free(d->entries[i].value);
    }
    free(d->entries);
    *d = (struct dict){0};
}

/* Where key is, or where it would be put. */
static bool find(const struct dict *d, const char *key, size_t *ret)
{
    size_t low = 0, high = d->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(d->entries[mid].key, key);

        if (c == 0) {
            *ret = mid;
            return true;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret = low;
    return false;
}

const char *dict_get(const struct dict *d, const char *key)
{
    size_t i;

    return find(d, key, &i) ? d->entries[i].value : NULL;
}

static int insert(struct dict *d, size_t at, const char *key, char *value)
{
    char *k = strdup(key);

    if (!k)
        return -ENOMEM;
    if (d->n == d->size) {
        size_t size = d->size ? d->size * 2 : 8;
        struct dict_entry *p = reallocarray(d->entries, size, sizeof(*p));

        if (!p) {
            free(k);
            return -ENOMEM;
        }
        d->entries = p;
        d->size = size;
    }
    memmove(&d->entries[at + 1], &d->entries[at], (d->n - at) * sizeof(d->entries[0]));
    d->entries[at] = (struct dict_entry){.key = k, .value = value};
    d->n++;
    return 0;
}

int dict_set(struct dict *d, const char *key, const char *value)
{
    _cleanup_(freep) char *v = strdup(value);
    size_t i;
    int r;

    if (!v)
        return -ENOMEM;
    if (find(d, key, &i)) {
        free(d->entries[i].value);
        d->entries[i].value = take(v);
        return 0;
    }
    r = insert(d, i, key, v);
    if (!r)
        v = NULL;
    return r;
}

bool dict_remove(struct dict *d, const char *key)
{
    size_t i;

    if (!find(d, key, &i))
        return false;
    free(d->entries[i].key);
    free(d->entries[i].value);
    d->n--;
    memmove(&d->entries[i], &d->entries[i + 1], (d->n - i) * sizeof(d->entries[0]));
    return true;
}

int dict_merge(struct dict *d, const struct dict *from)
{
    int r = 0;

    for (size_t i = 0; !r && i < from->n; i++)
        r = dict_set(d, from->entries[i].key, from->entries[i].value);
    return r;
}
