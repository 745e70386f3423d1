/*
 * The domains in memory: what each is, what was set on it, and what it is doing now.
 *
 * struct domains owns every struct domain; the list is sorted by name, with dom0 in its place of
 * the alphabet. dom0 is always there. What is set is text, checked before it is stored: "" is none.
 * Domains refer to each other by name; a name that leads nowhere (a hand-edited file) is none.
 */
#ifndef QREXEC_SPAWNER_DOMAINS_H
#define QREXEC_SPAWNER_DOMAINS_H

#include "domain-spawner/dict.h"
#include "domain-spawner/refusal.h"

#define DOMAIN_NAME_MAX 31
#define UUID_LEN        36
#define UUID_ADMIN      "00000000-0000-0000-0000-000000000000"

enum domain_class {
    CLASS_APP,
    CLASS_TEMPLATE,
    CLASS_STANDALONE,
    CLASS_ADMIN,
    CLASS_DISP,
    CLASS_REMOTE,
    CLASSES,
};

enum domain_state {
    STATE_HALTED,
    STATE_TRANSIENT, /* started, its agent has not answered yet */
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_HALTING, /* asked to shut down */
    STATE_DYING,   /* being destroyed */
    STATE_CRASHED,
};

struct domain {
    char name[DOMAIN_NAME_MAX + 1];
    char uuid[UUID_LEN + 1];
    enum domain_class class;
    uint32_t qid; /* its number for as long as it exists; dom0 has 0 */
    char label[DOMAIN_NAME_MAX + 1];

    struct dict properties; /* those that are set; not name, uuid, qid, label */
    struct dict features;
    struct dict tags; /* values are "" */
    char *firewall;   /* rules, a line each; NULL: never set */
    char *notes;      /* NULL: none */

    enum domain_state state;
    uint32_t domid;     /* while it runs */
    int64_t start_time; /* seconds since 1970, while it runs */
    uint64_t create_id; /* of the helper's create, while it is up; 0: waits for its netvm */
    uint64_t asked_id;  /* of the last pause or unpause that was not answered yet */
    uint64_t stats_id;  /* of the last question for figures that was not answered yet */
    struct domain_figures {
        uint64_t memory_kib, maxmem_kib, cpu_ns, at; /* at: clock_ms(); 0: never asked */
    } now, before;
    uint64_t made_at;  /* clock_ms() of a disposable's creation by this process */
    bool starting;     /* asked for, and its agent has not answered yet */
    bool ever_started; /* since this process knows it */
    bool found;        /* a new helper sees it, and does not have it yet */
};

struct domains {
    struct domain **list;
    size_t n, size;
    struct dict globals; /* global properties that are set */
    struct dict labels;  /* own ones: name to "INDEX 0xRRGGBB" */
};

int domains_init(struct domains *ds); /* with dom0 */
void domains_deinit(struct domains *ds);

struct domain *domains_find(const struct domains *ds, const char *name);
struct domain *domains_find_uuid(const struct domains *ds, const char *uuid);
/* A name, or "uuid:" and 36 characters. NULL: none. */
struct domain *domains_find_any(const struct domains *ds, const char *text);
struct domain *domains_admin(const struct domains *ds);

/* The lowest number that no domain has. */
uint32_t domains_free_qid(const struct domains *ds);
/* Takes ownership. -EEXIST, -ENOMEM. */
int domains_add(struct domains *ds, struct domain *d);
/* Takes it out of the list; the caller frees it. */
void domains_remove(struct domains *ds, struct domain *d);

/* A halted domain with a random uuid, label red, and nothing set. */
int domain_new(const char *name, enum domain_class class, struct domain **ret);
void domain_free(struct domain *d);

static inline void domain_freep(struct domain **d)
{
    domain_free(*d);
}

bool domain_name_valid(const char *name);
bool uuid_valid(const char *uuid); /* lower case */
int uuid_new(char ret[static UUID_LEN + 1]);

const char *class_name(enum domain_class class);
/* 0 or -EINVAL. */
int class_parse(const char *name, enum domain_class *ret);
const char *state_name(enum domain_state state);

/* Has something that runs: neither halted nor crashed. dom0 and RemoteVMs always do. */
bool domain_is_up(const struct domain *d);
/* As the Admin API tells it. */
const char *domain_power_state(const struct domain *d);

/* Its template as a domain; NULL: none. */
struct domain *domain_template(const struct domains *ds, const struct domain *d);

/* "0xRRGGBB"; NULL: no such label. index may be NULL. */
const char *label_colour(const struct domains *ds, const char *label, uint32_t *ret_index);

#endif
