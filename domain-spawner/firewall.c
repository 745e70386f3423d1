/*
 * Firewall rules: checked, and brought into the form that the Admin API shows.
 *
 * A rule is words KEY=VALUE with single blanks, the comment last. Clients may order the others as
 * they like; here they come out in one order, addresses with their prefix, ports as a range.
 */
#include "domain-spawner/methods.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#define RULES_MOST 3000 /* bytes, as much as a firewall domain takes */
#define EXPIRE     "expire="
#define HOST_CHARS NAME_CHARS "."
#define VALUE_MOST 256

enum { ACTION, SPECIAL, DST4, DST6, HOST, PROTO, PORTS, ICMP, EXPIRES, COMMENT, KEYS };

static const char *const keys[KEYS] = {
    [ACTION] = "action",  [SPECIAL] = "specialtarget", [DST4] = "dst4",      [DST6] = "dst6",
    [HOST] = "dsthost",   [PROTO] = "proto",           [PORTS] = "dstports", [ICMP] = "icmptype",
    [EXPIRES] = "expire", [COMMENT] = "comment",
};

struct rule {
    char values[KEYS][VALUE_MOST];
};

static int bad(struct refusal *refusal, const char *what, const char *value)
{
    return refuse(refusal, "QubesValueError", "firewall rule: %s: '%.100s'", what, value);
}

/* NET or address; a bare address gets its prefix. */
static bool take_net(int family, const char *text, char out[static VALUE_MOST])
{
    unsigned char address[16];
    char plain[VALUE_MOST];
    const char *slash = strchr(text, '/');
    uint32_t prefix = family == AF_INET ? 32 : 128;

    if (format(plain, sizeof(plain), "%.*s", (int)(slash ? slash - text : (int)strlen(text)), text))
        return false;
    return inet_pton(family, plain, address) == 1 &&
           (!slash || !parse_u32(slash + 1, prefix, &prefix)) &&
           !format(out, VALUE_MOST, "%s/%u", plain, prefix);
}

static bool take_ports(const char *text, char out[static VALUE_MOST])
{
    char first[VALUE_MOST];
    const char *dash = strchr(text, '-');
    uint32_t a, b;

    if (format(first, sizeof(first), "%.*s", (int)strcspn(text, "-"), text) ||
        parse_u32(first, 65535, &a))
        return false;
    b = a;
    if (dash && parse_u32(dash + 1, 65535, &b))
        return false;
    return a <= b && !format(out, VALUE_MOST, "%u-%u", a, b);
}

/* dsthost may be an address, which is then one. */
static bool take_host(struct rule *rule, const char *text)
{
    if (take_net(AF_INET, text, rule->values[DST4]) || take_net(AF_INET6, text, rule->values[DST6]))
        return true;
    rule->values[DST4][0] = rule->values[DST6][0] = 0;
    return only_of(text, HOST_CHARS) && text[0] != '-' &&
           !format(rule->values[HOST], VALUE_MOST, "%s", text);
}

static bool is_in(const char *text, const char *a, const char *b, const char *c)
{
    return str_equal(text, a) || str_equal(text, b) || str_equal(text, c);
}

static bool take_value(struct rule *rule, size_t key, const char *v)
{
    uint32_t n;

    if ((key == ACTION && !is_in(v, "accept", "drop", "drop")) ||
        (key == SPECIAL && !str_equal(v, "dns")) ||
        (key == PROTO && !is_in(v, "tcp", "udp", "icmp")) ||
        (key == ICMP && parse_u32(v, 255, &n)) || (key == EXPIRES && parse_u32(v, UINT32_MAX, &n)))
        return false;
    if (key == DST4)
        return take_net(AF_INET, v, rule->values[DST4]);
    if (key == DST6)
        return take_net(AF_INET6, v, rule->values[DST6]);
    if (key == HOST)
        return take_host(rule, v);
    if (key == PORTS)
        return take_ports(v, rule->values[PORTS]);
    return !format(rule->values[key], VALUE_MOST, "%s", v);
}

static int take_word(struct rule *rule, const char *word, struct refusal *refusal)
{
    const char *equals = strchr(word, '=');

    for (size_t k = 0; equals && k < KEYS; k++) {
        if (strlen(keys[k]) != (size_t)(equals - word) || !str_starts(word, keys[k]))
            continue;
        if (rule->values[k][0])
            return bad(refusal, "given twice", word);
        return take_value(rule, k, equals + 1) ? 0 : bad(refusal, "not allowed", word);
    }
    return bad(refusal, "unknown", word);
}

static int check_together(const struct rule *rule, const char *line, struct refusal *refusal)
{
    const char *proto = rule->values[PROTO];
    int places =
        (*rule->values[DST4] != 0) + (*rule->values[DST6] != 0) + (*rule->values[HOST] != 0);

    if (!*rule->values[ACTION])
        return bad(refusal, "no action", line);
    if (places > 1)
        return bad(refusal, "more than one destination", line);
    if (*rule->values[PORTS] && !is_in(proto, "tcp", "udp", "udp"))
        return bad(refusal, "dstports needs proto=tcp or udp", line);
    if (*rule->values[ICMP] && !str_equal(proto, "icmp"))
        return bad(refusal, "icmptype needs proto=icmp", line);
    return 0;
}

static int read_rule(char *line, struct rule *rule, struct refusal *refusal)
{
    char *rest = line, *word;
    int r = 0;

    while (!r && rest) {
        if (str_starts(rest, "comment=")) {
            r = take_word(rule, rest, refusal);
            break;
        }
        word = strsep(&rest, " ");
        r = take_word(rule, word, refusal);
    }
    return r ? r : check_together(rule, line, refusal);
}

static void print_rule(FILE *f, const struct rule *rule)
{
    bool first = true;

    for (size_t k = 0; k < KEYS; k++)
        if (*rule->values[k]) {
            fprintf(f, "%s%s=%s", first ? "" : " ", keys[k], rule->values[k]);
            first = false;
        }
    fputc('\n', f);
}

int firewall_normalise(const char *text, char **ret, struct refusal *refusal)
{
    _cleanup_(freep) char *copy = strdup(text), *out = NULL;
    char *rest = copy, *line;
    size_t n = 0;
    FILE *f = open_memstream(&out, &n);
    int r = copy && f ? 0 : -ENOMEM;

    for (const char *p = text; !r && *p; p++)
        if ((*p < 0x20 && *p != '\n') || *p > 0x7e)
            r = bad(refusal, "not printable ASCII", "");
    while (!r && (line = strsep(&rest, "\n"))) {
        struct rule rule = {0};

        if (!*line)
            continue;
        r = read_rule(line, &rule, refusal);
        if (!r)
            print_rule(f, &rule);
    }
    if (f && fclose(f) != 0 && !r)
        r = -ENOMEM;
    if (!r && n > RULES_MOST)
        r = bad(refusal, "too many rules", "");
    if (!r)
        *ret = take(out);
    return r;
}

static bool is_over(const char *line, size_t n, int64_t now)
{
    const char *at = memmem(line, n, " " EXPIRE, strlen(EXPIRE) + 1);
    const char *comment = memmem(line, n, " comment=", strlen(" comment="));

    return at && (!comment || at < comment) && strtoll(at + 1 + strlen(EXPIRE), NULL, 10) <= now;
}

char *firewall_current(const char *rules, int64_t now)
{
    char *out = calloc(1, strlen(rules) + 1);
    size_t at = 0, n;

    for (const char *p = rules; out && *p; p += n) {
        n = strcspn(p, "\n");
        n += p[n] == '\n';
        if (!is_over(p, n, now)) {
            memcpy(out + at, p, n);
            at += n;
        }
    }
    return out;
}
