/* Classes of domains and of requests: see classes.h. */
#include "policy-engine/lib/classes.h"

struct word word_of(const char *text)
{
    struct span canonical = token_canonical(span_of(text));
    struct word w = {.kind = token_kind(canonical), .text = canonical.data};

    w.rest = token_rest(canonical).data;
    if (w.kind == TOKEN_UUID)
        w.rest = w.text + strlen("uuid:");
    return w;
}

/* What a domain can be called; a rule may hold any word. */
static bool can_be_a_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t n = strlen(name);

    return n && n <= 31 && strchr(letters, name[0]) &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

static bool be_same(const char **have, const char *wanted)
{
    if (*have)
        return strcmp(*have, wanted) == 0;
    *have = wanted;
    return true;
}

static bool be_of_type(struct domain_class *c, const char *type)
{
    bool admin = strcmp(type, "AdminVM") == 0;

    return c->dom0 ? admin : !admin && be_same(&c->type, type);
}

static bool have_tag(struct domain_class *c, const char *tag)
{
    for (size_t i = 0; i < c->n_tags; i++)
        if (strcmp(c->tags[i], tag) == 0)
            return true;
    if (c->n_tags == CLASS_TAGS_MAX)
        return false;
    c->tags[c->n_tags++] = tag;
    return true;
}

bool class_require(struct domain_class *c, struct word w)
{
    switch (w.kind) {
    case TOKEN_ANY: return true;
    case TOKEN_ANYVM: return !c->dom0;
    case TOKEN_ADMINVM: return c->dom0;
    case TOKEN_NAME: return !c->dom0 && can_be_a_name(w.text) && be_same(&c->name, w.text);
    case TOKEN_UUID: return !c->dom0 && be_same(&c->uuid, w.rest);
    case TOKEN_TAG: return have_tag(c, w.rest);
    case TOKEN_TYPE: return be_of_type(c, w.rest);
    default: return false;
    }
}

bool class_be(struct domain_class *c, const char *spelled)
{
    struct word w = word_of(spelled);

    if (w.kind == TOKEN_ADMINVM) {
        if (c->name || c->uuid || c->type)
            return false;
        c->dom0 = true;
        return true;
    }
    return (w.kind == TOKEN_NAME || w.kind == TOKEN_UUID) && class_require(c, w);
}

bool class_require_disposable(struct domain_class *c, struct word w)
{
    switch (w.kind) {
    case TOKEN_ANY:
    case TOKEN_ANYVM: return true;
    case TOKEN_DISPVM_NAME: return class_be(c, w.rest);
    case TOKEN_DISPVM_TAG: c->template = true; return have_tag(c, w.rest);
    default: return false;
    }
}

bool class_join(struct domain_class *a, const struct domain_class *b)
{
    if (a->dom0 != b->dom0 || (b->name && !be_same(&a->name, b->name)) ||
        (b->uuid && !be_same(&a->uuid, b->uuid)) || (b->type && !be_same(&a->type, b->type)))
        return false;
    for (size_t i = 0; i < b->n_tags; i++)
        if (!have_tag(a, b->tags[i]))
            return false;
    a->template |= b->template;
    return true;
}

void class_describe(struct text *t, const struct domain_class *c)
{
    const char *name = c->dom0 ? "dom0" : c->name, *gap = "";
    bool more = c->uuid || c->type || c->n_tags;

    if (name)
        text_addf(t, "%s%s", name, more ? " (" : "");
    else if (!more)
        text_addf(t, "any domain");
    if (c->uuid)
        text_addf(t, "uuid:%s", c->uuid), gap = " ";
    if (c->type)
        text_addf(t, "%s@type:%s", gap, c->type), gap = " ";
    for (size_t i = 0; i < c->n_tags; i++, gap = " ")
        text_addf(t, "%s@tag:%s", gap, c->tags[i]);
    if (name && more)
        text_addf(t, ")");
}

/* ---- Requests ---- */

struct shape shape_start(bool dom0, enum asking asking)
{
    struct shape s = {.asking = asking, .source.dom0 = dom0};

    s.target.template = asking == ASK_TEMPLATE;
    s.target.dom0 = asking == ASK_DOM0;
    return s;
}

/* By name alone: that property is a name. */
static bool require_standard(struct shape *s, struct word w)
{
    s->has_standard = true;
    if (w.kind == TOKEN_DISPVM_NAME && word_of(w.rest).kind == TOKEN_UUID)
        return false;
    return class_require_disposable(&s->standard, w);
}

bool shape_require_target(struct shape *s, struct word w)
{
    bool any = w.kind == TOKEN_ANY || w.kind == TOKEN_ANYVM;

    switch (s->asking) {
    case ASK_DOMAIN:
    case ASK_DOM0: return class_require(&s->target, w);
    case ASK_ADMINVM: return w.kind == TOKEN_ANY || w.kind == TOKEN_ADMINVM;
    case ASK_DEFAULT: return any || w.kind == TOKEN_DEFAULT;
    case ASK_TEMPLATE: return class_require_disposable(&s->target, w);
    case ASK_DISPVM: return any || w.kind == TOKEN_DISPVM || require_standard(s, w);
    }
    return false;
}

bool shape_ending(struct shape *s, struct ending *ret)
{
    *ret = (struct ending){.domain = &s->target, .disposable = s->asking == ASK_TEMPLATE};
    if (s->asking == ASK_DISPVM) {
        *ret = (struct ending){.domain = &s->standard, .disposable = true};
        s->has_standard = true;
    }
    if (s->asking == ASK_ADMINVM) {
        *ret = (struct ending){.domain = &s->other};
        s->has_other = s->other.dom0 = true;
    }
    return s->asking != ASK_DEFAULT;
}

bool shape_redirect(struct shape *s, struct word w, struct ending *ret)
{
    if (w.kind == TOKEN_DISPVM) {
        s->has_standard = true;
        *ret = (struct ending){.domain = &s->standard, .disposable = true};
        return true;
    }
    s->has_other = true;
    s->other = (struct domain_class){.template = w.kind == TOKEN_DISPVM_NAME};
    *ret = (struct ending){.domain = &s->other, .disposable = w.kind == TOKEN_DISPVM_NAME};
    return class_be(&s->other, w.kind == TOKEN_DISPVM_NAME ? w.rest : w.text);
}

bool ending_require(const struct ending *e, struct word w)
{
    return e->disposable ? class_require_disposable(e->domain, w) : class_require(e->domain, w);
}

void ending_describe(struct text *t, const struct shape *s, const struct ending *e)
{
    bool named = e->domain->dom0 || e->domain->name || e->domain->uuid;

    if (!e->disposable) {
        class_describe(t, e->domain);
        return;
    }
    if (e->domain == &s->standard)
        text_addf(t, named || e->domain->n_tags ? "@dispvm, that is " : "@dispvm");
    if (e->domain == &s->standard && !named && !e->domain->n_tags)
        return;
    text_addf(t, "@dispvm:");
    if (named || e->domain->n_tags || e->domain->type)
        class_describe(t, e->domain);
    else
        text_addf(t, "any template");
}

void shape_describe_target(struct text *t, const struct shape *s)
{
    switch (s->asking) {
    case ASK_DOMAIN: class_describe(t, &s->target); break;
    case ASK_DOM0: text_addf(t, "dom0"); break;
    case ASK_ADMINVM: text_addf(t, "@adminvm"); break;
    case ASK_DEFAULT: text_addf(t, "@default"); break;
    case ASK_DISPVM: text_addf(t, "@dispvm"); break;
    case ASK_TEMPLATE:
        ending_describe(t, s, &(struct ending){(struct domain_class *)&s->target, true});
        break;
    }
}

/* ---- Views ---- */

static bool has_uuid(const struct policy_domain *dom, const char *uuid)
{
    return dom->uuid && strcmp(dom->uuid, uuid) == 0;
}

bool word_matches_domain(struct word w, const struct policy_domain *dom)
{
    bool dom0 = strcmp(dom->name, "dom0") == 0;

    switch (w.kind) {
    case TOKEN_ANY: return true;
    case TOKEN_ANYVM: return !dom0;
    case TOKEN_ADMINVM: return dom0;
    case TOKEN_NAME: return strcmp(dom->name, w.text) == 0;
    case TOKEN_UUID: return has_uuid(dom, w.rest);
    case TOKEN_TYPE: return dom->type && strcmp(dom->type, w.rest) == 0;
    case TOKEN_TAG: return domain_has_tag(dom, w.rest);
    default: return false;
    }
}

bool word_matches_disposable(struct word w, const struct policy_domains *d, const char *template)
{
    const struct policy_domain *dom = policy_domains_find(d, template);
    struct word wanted;

    switch (w.kind) {
    case TOKEN_ANY:
    case TOKEN_ANYVM: return true;
    case TOKEN_DISPVM_TAG: return dom && dom->template_for_dispvms && domain_has_tag(dom, w.rest);
    case TOKEN_DISPVM_NAME:
        wanted = word_of(w.rest);
        return strcmp(w.rest, template) == 0 || (dom && word_matches_domain(wanted, dom));
    default: return false;
    }
}

bool word_matches_final(struct word w, const struct policy_domains *d, const char *final)
{
    struct word f = word_of(final);
    const struct policy_domain *dom;

    if (f.kind == TOKEN_DISPVM_NAME)
        return word_matches_disposable(w, d, f.rest);
    if (f.kind == TOKEN_ADMINVM)
        final = "dom0";
    dom = policy_domains_find(d, final);
    if (dom)
        return word_matches_domain(w, dom);
    return w.kind == TOKEN_ANY || (w.kind == f.kind && strcmp(w.text, f.text) == 0) ||
           (w.kind == TOKEN_ANYVM && f.kind != TOKEN_ADMINVM);
}
