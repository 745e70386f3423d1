/* Between methods.c, which dispatches, and the files with what the methods do; nobody else's. */
#ifndef QREXEC_SPAWNER_METHODS_H
#define QREXEC_SPAWNER_METHODS_H

#include "domain-spawner/spawner.h"

/* Longer than any allowed name, so that a name that was cut is never taken for another. */
#define ARGUMENT_SIZE 512

struct call {
    struct request *rq;
    struct spawner *s;
    struct domain *dest;
    bool from_domain; /* the source is not dom0 */
    char source[DOMAIN_NAME_MAX + 1];
    char argument[ARGUMENT_SIZE];
    char *payload;    /* NUL-terminated; holds no NUL itself */
    const char *verb; /* what follows the row's name: "Get" of admin.vm.tag.Get */
    struct buf *content;
    struct refusal *refusal;
};

/* 0 and content; REFUSED; ANSWER_LATER; negative errno. */
typedef int method_fn(struct call *c);

enum method_dest { DEST_DOM0 = 1, DEST_VM = 2, DEST_ANY = 3 };
enum method_arg { ARG_NONE, ARG_MAY, ARG_MUST };

struct method {
    const char *name;  /* whole, or what stands before the verb */
    const char *verbs; /* joined by blanks; "": the name is whole */
    enum method_dest dest;
    enum method_arg arg;
    enum method_arg payload;
    method_fn *run;
};

/* The row for a method, and its verb; NULL: no such. Socket by socket. */
const struct method *method_find(bool internal, const char *name, const char **ret_verb);
/* 0 or REFUSED: what the row says of DEST, argument, payload. */
int method_check(const struct method *m, const struct call *c, const char *name, const char *dest);

/* methods-vm.c */
method_fn method_vm_list, method_vmclass_list, method_vm_state, method_vm_create,
    method_vm_create_in_pool, method_vm_remove, method_create_disposable, method_lease_disposable,
    method_vm_start, method_vm_shutdown, method_vm_kill, method_vm_pause, method_events,
    method_stats;
/* methods-property.c */
method_fn method_property, method_global_property;
/* methods-tag.c */
method_fn method_feature, method_tag;
/* methods-text.c */
method_fn method_firewall, method_notes;
/* methods-pool.c */
method_fn method_label_list, method_label, method_pool_list, method_pool_info, method_volume_list,
    method_volume_info, method_none;
/* methods-info.c */
method_fn method_internal_info;

/* A line for each key. */
int content_keys(struct buf *content, const struct dict *d);
/* Only these characters, and at least one. */
bool only_of(const char *text, const char *allowed);
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* firewall.c: the rules in their normal form, a line each; the caller frees. 0, REFUSED, errno. */
int firewall_normalise(const char *text, char **ret, struct refusal *refusal);
/* Without those whose time is over. The caller frees; NULL: no memory. */
char *firewall_current(const char *rules, int64_t now);

#endif
