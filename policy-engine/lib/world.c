/* Worlds for shapes: see world.h. */
#include "policy-engine/lib/world.h"

#include <stdio.h>

#define PARTS    4
#define TEXT_MAX 32 /* of a name */

static bool mentions(const struct policy *p, const char *word)
{
    struct span s = span_of(word);

    return names_find(&p->names, s, names_hash(s)) != NAME_NONE;
}

/* As a word, or behind the prefixes that take one. */
static bool is_mentioned(const struct policy *const *policies, const char *const *words,
                         const char *word)
{
    static const char *const prefixes[] = {"", "uuid:", "@dispvm:", "@dispvm:uuid:", "@type:"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "%s%s", prefixes[i], word);
        for (size_t k = 0; policies[k]; k++)
            if (mentions(policies[k], text))
                return true;
        for (size_t k = 0; words[k]; k++)
            if (strcmp(words[k], text) == 0)
                return true;
    }
    return false;
}

/* The wish, or the wish with the first number behind it that makes it new. */
static void pick(char buf[static 40], const struct policy *const *policies,
                 const char *const *words, const char *wish)
{
    (void)snprintf(buf, 40, "%s", wish);
    for (unsigned i = 2; is_mentioned(policies, words, buf); i++)
        (void)snprintf(buf, 40, "%s%u", wish, i);
}

static void pick_type(struct fresh *f, const struct policy *const *policies,
                      const char *const *words)
{
    static const char *const known[] = {"AppVM", "StandaloneVM", "TemplateVM", "DispVM"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!is_mentioned(policies, words, known[i])) {
            (void)snprintf(f->type, sizeof(f->type), "%s", known[i]);
            return;
        }
    pick(f->type, policies, words, "OtherVM");
}

void fresh_init(struct fresh *f, const struct policy *const *policies, const char *const *words)
{
    static const char *const names[] = {"some-vm", "another-vm", "some-dvm", "third-vm"};

    pick(f->service, policies, words, "any.Service");
    pick(f->argument, policies, words, "+any-argument");
    pick(f->relay, policies, words, "some-relay");
    pick_type(f, policies, words);
    for (unsigned i = 0; i < PARTS; i++) {
        unsigned n = i;

        pick(f->name[i], policies, words, names[i]);
        do
            (void)snprintf(f->uuid[i], 40, "f0000000-0000-4000-8000-%012x", n);
        while (n += PARTS, is_mentioned(policies, words, f->uuid[i]));
    }
}

void fresh_name(char buf[static 40], const struct policy *p, const char *const *words,
                const char *stem, unsigned number)
{
    const struct policy *const policies[] = {p, NULL};

    do
        (void)snprintf(buf, 40, "%s%u", stem, number);
    while (number += 1000, is_mentioned(policies, words, buf));
}

/* ---- Which classes are the same domain ---- */

struct part {
    const struct domain_class *class; /* NULL: not in this shape */
    struct domain_class merged;
    size_t owner; /* the part that stands for this one's domain */
};

static bool same_domain(const struct domain_class *a, const struct domain_class *b)
{
    return (a->dom0 && b->dom0) || (a->name && b->name && strcmp(a->name, b->name) == 0) ||
           (a->uuid && b->uuid && strcmp(a->uuid, b->uuid) == 0);
}

/* Joins what turns out to be one, until nothing more does. */
static bool merge(struct part p[static PARTS])
{
    for (size_t i = 0; i < PARTS; i++)
        for (size_t k = 0; k < i; k++) {
            if (!p[i].class || !p[k].class || p[i].owner != i || p[k].owner != k ||
                !same_domain(&p[i].merged, &p[k].merged))
                continue;
            if (!class_join(&p[k].merged, &p[i].merged))
                return false;
            for (size_t j = 0; j < PARTS; j++)
                if (p[j].owner == i)
                    p[j].owner = k;
            return merge(p);
        }
    return true;
}

static void gather(const struct shape *s, struct part p[static PARTS])
{
    bool target = s->asking == ASK_DOMAIN || s->asking == ASK_TEMPLATE || s->asking == ASK_DOM0;
    const struct domain_class *all[PARTS] = {&s->source, target ? &s->target : NULL,
                                             s->has_standard ? &s->standard : NULL,
                                             s->has_other ? &s->other : NULL};

    for (size_t i = 0; i < PARTS; i++) {
        p[i] = (struct part){.class = all[i], .owner = i};
        if (all[i])
            p[i].merged = *all[i];
    }
}

/* ---- The view ---- */

static const char *name_of(const struct part *p, size_t i, const struct fresh *f)
{
    size_t o = p[i].owner;

    return p[o].merged.dom0 ? "dom0" : p[o].merged.name ? p[o].merged.name : f->name[o];
}

static int add_part(struct policy_domains *d, const struct part *p, size_t i, const struct shape *s,
                    const struct fresh *f)
{
    const struct domain_class *c = &p[i].merged;
    const char *standard = p[2].class ? name_of(p, 2, f) : NULL;
    struct policy_domain dom = {
        .name = name_of(p, i, f),
        .uuid = c->uuid ? c->uuid : f->uuid[i],
        .type = c->type ? c->type : f->type,
        .tags = c->tags,
        .n_tags = c->n_tags,
        .template_for_dispvms = c->template,
        .default_dispvm = p[0].owner == i ? standard : NULL,
        .internal = s->internal && !c->dom0,
        .power_state = s->halted && !c->dom0 ? "Halted" : "Running",
        .guivm = "dom0",
    };

    if (c->dom0) {
        dom.uuid = ZERO_UUID + strlen("uuid:");
        dom.type = "AdminVM";
    }
    if (strcmp(dom.type, "RemoteVM") == 0) {
        dom.relayvm = f->relay;
        dom.transport_rpc = "any.Transport";
    }
    return policy_domains_add(d, &dom);
}

static int fill(struct policy_domains *d, const struct part *p, const struct shape *s,
                const struct fresh *f)
{
    static const struct policy_domain dom0 = {.name = "dom0",
                                              .uuid = ZERO_UUID + sizeof("uuid:") - 1,
                                              .type = "AdminVM",
                                              .power_state = "Running"};
    bool seen = false;
    int r = 0;

    for (size_t i = 0; !r && i < PARTS; i++) {
        if (!p[i].class || p[i].owner != i)
            continue;
        seen |= p[i].merged.dom0;
        r = add_part(d, p, i, s, f);
    }
    return r || seen ? r : policy_domains_add(d, &dom0);
}

static void spell(const struct shape *s, const struct part *p, const struct fresh *f,
                  struct world *w)
{
    static const char *const words[ASKINGS] = {[ASK_DISPVM] = "@dispvm",
                                               [ASK_DEFAULT] = "@default",
                                               [ASK_DOM0] = "dom0",
                                               [ASK_ADMINVM] = "@adminvm"};
    const char *uuid[2];

    w->target_name = p[1].class ? name_of(p, 1, f) : NULL;
    w->standard_name = p[2].class ? name_of(p, 2, f) : NULL;
    w->other_name = p[3].class ? name_of(p, 3, f) : NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct domain_class *c = &p[p[i].owner].merged;

        uuid[i] = c->uuid ? c->uuid : f->uuid[p[i].owner];
    }
    if (s->source_by_uuid && !s->source.dom0)
        (void)snprintf(w->source, sizeof(w->source), "uuid:%s", uuid[0]);
    else
        (void)snprintf(w->source, sizeof(w->source), "%s", name_of(p, 0, f));
    if (words[s->asking])
        (void)snprintf(w->target, sizeof(w->target), "%s", words[s->asking]);
    else if (s->target_by_uuid)
        (void)snprintf(w->target, sizeof(w->target), "uuid:%s", uuid[1]);
    else
        (void)snprintf(w->target, sizeof(w->target), "%s%s",
                       s->asking == ASK_TEMPLATE ? "@dispvm:" : "", name_of(p, 1, f));
}

/* dom0 is no template; a text that is cut would be another domain's. */
static bool is_sound(const struct part p[static PARTS])
{
    for (size_t i = 0; i < PARTS; i++) {
        const struct domain_class *c = &p[i].merged;

        if (!p[i].class || p[i].owner != i)
            continue;
        if ((c->dom0 && (c->template || c->name)) || (c->uuid && strlen(c->uuid) > 48))
            return false;
    }
    return true;
}

int world_make(const struct shape *s, const struct fresh *f, struct world *ret)
{
    struct world w = {.service = s->service, .argument = s->argument};
    struct part p[PARTS];
    int r;

    gather(s, p);
    if (!merge(p) || !is_sound(p))
        return WORLD_E_NONE;
    r = policy_domains_new(0, &w.domains);
    if (!r)
        r = fill(w.domains, p, s, f);
    if (r) {
        world_deinit(&w);
        return r == POLICY_E_EXISTS ? WORLD_E_NONE : r;
    }
    spell(s, p, f, &w);
    *ret = w;
    return 0;
}

void world_deinit(struct world *w)
{
    policy_domains_unref(w->domains);
    w->domains = NULL;
}
