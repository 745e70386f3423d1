/* Firewall rules and notes over the Admin API: text that is kept. */
#include "domain-spawner/methods.h"

#include <errno.h>
#include <time.h>

#define NOTES_MOST 32768

static int firewall_set(struct call *c)
{
    _cleanup_(freep) char *rules = NULL;
    int r = firewall_normalise(c->payload, &rules, c->refusal);

    if (r)
        return r;
    free(c->dest->firewall);
    c->dest->firewall = take(rules);
    r = records_store(c->s, c->dest);
    if (!r)
        spawner_event(c->s, c->dest->name, "firewall-changed", NULL);
    return r;
}

int method_firewall(struct call *c)
{
    _cleanup_(freep) char *rules = NULL;

    if (str_equal(c->verb, "Set"))
        return firewall_set(c);
    if (str_equal(c->verb, "Reload")) {
        spawner_event(c->s, c->dest->name, "firewall-changed", NULL);
        return 0;
    }
    if (!c->dest->firewall)
        return buf_append_str(c->content, "action=accept\n");
    rules = firewall_current(c->dest->firewall, (int64_t)time(NULL));
    return rules ? buf_append_str(c->content, rules) : -ENOMEM;
}

/* Control characters other than line ends and tabs, and what is no UTF-8, become "_". */
static void make_safe(char *text)
{
    unsigned char *p = (unsigned char *)text;

    while (*p) {
        size_t more = *p >= 0xf0 && *p < 0xf5   ? 3
                      : *p >= 0xe0 && *p < 0xf0 ? 2
                      : *p >= 0xc2 && *p < 0xe0 ? 1
                                                : 0;
        size_t have = 0;

        if (*p < 0x80) {
            if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
                *p = '_';
            p++;
            continue;
        }
        while (have < more && (p[1 + have] & 0xc0) == 0x80)
            have++;
        if (more == 0 || have < more || (*p == 0xc2 && p[1] < 0xa0))
            *p++ = '_'; /* what follows of it becomes one as well */
        else
            p += 1 + more;
    }
}

int method_notes(struct call *c)
{
    if (str_equal(c->verb, "Get"))
        return buf_append_str(c->content, c->dest->notes ? c->dest->notes : "");
    if (strlen(c->payload) > NOTES_MOST)
        return refuse(c->refusal, "QubesValueError", "notes are at most %d bytes", NOTES_MOST);
    make_safe(c->payload);
    free(c->dest->notes);
    c->dest->notes = *c->payload ? strdup(c->payload) : NULL;
    if (*c->payload && !c->dest->notes)
        return -ENOMEM;
    return records_store(c->s, c->dest);
}
