/*
 * The registry on disk: one INI file a domain, one for the system.
 *
 * Keys are the properties' names, "type" (the class), "uuid", "qid", "label", "dispid", "tags",
 * "feature.NAME", "firewall", "notes", in any section; in the system's file also
 * "label.NAME = INDEX 0xRRGGBB".
 * A file is written whole and renamed into place. One that does not parse takes its domain out of
 * service: it is kept, named in the log, and its name stays taken.
 *
 * A value's blanks at its ends, its line ends, backslashes, and what an INI reader would take for a
 * comment are written with a backslash; "\- " joins what was cut in a long word.
 */
#ifndef QREXEC_SPAWNER_REGISTRY_H
#define QREXEC_SPAWNER_REGISTRY_H

#include "domain-spawner/domains.h"

struct registry {
    char *dir;           /* of the domains' files */
    char *global;        /* the system's file */
    int watch;           /* inotify, non-blocking; -1: none */
    struct dict broken;  /* names whose file does not parse, and why */
    struct dict stamps;  /* per file: what it was when it was read or written, to know our own */
    struct dict touched; /* names whose file somebody touched; "" is the system's */
};

#define REGISTRY_NULL ((struct registry){.watch = -1})

/* Makes the directories. Negative errno. */
int registry_open(struct registry *reg, const char *dir, const char *global);
void registry_close(struct registry *reg);

/* All files into ds. Broken ones are logged and noted. Negative errno: the directory. */
int registry_load(struct registry *reg, struct domains *ds);

/* New content, on disk when it returns. dom0's too. */
int registry_save(struct registry *reg, const struct domain *d);
int registry_save_global(struct registry *reg, const struct domains *ds);
int registry_delete(struct registry *reg, const char *name);

/* What changed on disk by another hand since: one name per call, "" for the system's file. */
bool registry_changed(struct registry *reg, char ret_name[static DOMAIN_NAME_MAX + 1]);
/* One file again: *ret NULL where it is gone. REFUSED: broken, and says why. The caller owns it. */
int registry_read(struct registry *reg, const char *name, struct domain **ret,
                  struct refusal *refusal);
int registry_read_global(struct registry *reg, struct domains *ds, struct refusal *refusal);

/* The text form of a value; the caller frees. NULL: no memory. */
char *registry_escape(const char *value);
char *registry_unescape(const char *text);

#endif
