/*
 * A small map from names to texts, sorted by name: a domain's properties, features, tags.
 *
 * It owns copies of both. A zeroed struct is an empty map.
 */
#ifndef QREXEC_SPAWNER_DICT_H
#define QREXEC_SPAWNER_DICT_H

#include "libqrexec/base/util.h"

struct dict_entry {
    char *key;
    char *value;
};

struct dict {
    struct dict_entry *entries;
    size_t n, size;
};

void dict_deinit(struct dict *d);
/* The value, good until the next change; NULL where there is none. */
const char *dict_get(const struct dict *d, const char *key);
/* 0 or -ENOMEM (the map is then as before). value may point into the map. */
int dict_set(struct dict *d, const char *key, const char *value);
/* Whether there was one. */
bool dict_remove(struct dict *d, const char *key);
/* Adds all of from, over what is there. */
int dict_merge(struct dict *d, const struct dict *from);

#endif
