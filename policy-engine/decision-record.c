/* A record as a line of JSON: see decision-record.h. */
#include "policy-engine/decision-record.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <time.h>

#define HASH_KEY ",\"hash\":\""
#define PREV_KEY ",\"prev\":\""

static void hash_of(const void *data, size_t n, char ret[static DECISION_HASH_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx c;

    sha256_init(&c);
    sha256_update(&c, n, data);
    sha256_digest(&c, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        ret[2 * i] = hex[digest[i] >> 4];
        ret[2 * i + 1] = hex[digest[i] & 15];
    }
    ret[2 * sizeof(digest)] = 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Bytes that are not plain ASCII become \u00XX: a name's bytes are no text of a certain encoding.
 */
static int put_string(struct buf *b, const char *s)
{
    int r = buf_append(b, "\"", 1);

    while (!r && *s) {
        size_t n = 0;

        while (is_plain((unsigned char)s[n]))
            n++;
        r = n ? buf_append(b, s, n) : buf_appendf(b, "\\u%04x", (unsigned char)*s);
        s += n ? n : 1;
    }
    return r ? r : buf_append(b, "\"", 1);
}

/* ,"KEY":"TEXT" or ,"KEY":null */
static int put_text(struct buf *b, const char *key, const char *s)
{
    int r = buf_append(b, ",\"", 2);

    if (!r)
        r = buf_append_str(b, key);
    if (!r)
        r = buf_append(b, "\":", 2);
    if (r)
        return r;
    return s ? put_string(b, s) : buf_append_str(b, "null");
}

/* Decimal, at least `digits` of them. */
static int put_number(struct buf *b, uint64_t n, unsigned digits)
{
    char text[24], *at = text + sizeof(text);
    unsigned done = 0;

    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
        done++;
    } while (n || done < digits);
    return buf_append(b, at, (size_t)(text + sizeof(text) - at));
}

static int put_key_number(struct buf *b, const char *key, uint64_t n)
{
    int r = buf_append_str(b, key);

    return r ? r : put_number(b, n, 1);
}

static int put_time(struct buf *b, uint64_t us)
{
    time_t t = (time_t)(us / 1000000);
    struct tm tm;
    char text[40];
    int r = 0;

    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), ",\"time\":\"%Y-%m-%dT%H:%M:%S.", &tm))
        return -EINVAL;
    r = buf_append_str(b, text);
    if (!r)
        r = put_number(b, us % 1000000, 6);
    return r ? r : buf_append(b, "Z\"", 2);
}

static int put_start(struct buf *b, const struct decision_record *d)
{
    char policy[32];
    int r = buf_append_str(b, "{\"call_id\":");

    if (!r)
        r = put_string(b, d->call_id);
    if (!r)
        r = put_time(b, d->time_us);
    if (!r)
        r = format(policy, sizeof(policy), "%016" PRIx64, d->policy);
    if (!r)
        r = put_text(b, "policy", policy);
    return r ? r : put_key_number(b, ",\"generation\":", d->generation);
}

static int put_rule(struct buf *b, const struct decision_record *d)
{
    _cleanup_(freep) char *rule = NULL;

    if (!d->rule_file)
        return put_text(b, "rule", NULL);
    rule = format_new("%s:%u", d->rule_file, d->rule_line);
    return rule ? put_text(b, "rule", rule) : -ENOMEM;
}

static int put_numbers(struct buf *b, const struct decision_record *d)
{
    int r = put_key_number(b, ",\"micros\":{\"read\":", d->micros.read);

    if (!r)
        r = put_key_number(b, ",\"wait\":", d->micros.wait);
    if (!r)
        r = put_key_number(b, ",\"decide\":", d->micros.decide);
    if (!r)
        r = put_key_number(b, ",\"ask\":", d->micros.ask);
    if (!r)
        r = put_key_number(b, ",\"total\":", d->micros.total);
    if (!r)
        r = buf_append(b, "}", 1);
    if (!r && d->repeats)
        r = put_key_number(b, ",\"repeats\":", d->repeats);
    if (!r && d->lost)
        r = put_key_number(b, ",\"lost\":", d->lost);
    return r;
}

int decision_record_write(const struct decision_record *d, const char *prev, struct buf *out,
                          char ret_hash[static DECISION_HASH_SIZE])
{
    const struct {
        const char *key, *text;
    } texts[] = {
        {"source", d->source},     {"requested_source", d->requested_source},
        {"target", d->target},     {"service", d->service},
        {"argument", d->argument}, {"verdict", d->verdict},
        {"reason", d->reason},     {"final", d->final},
    };
    char hash[DECISION_HASH_SIZE];
    size_t start = buf_len(out);
    int r = put_start(out, d);

    for (size_t i = 0; !r && i < ARRAY_SIZE(texts); i++)
        r = put_text(out, texts[i].key, texts[i].text);
    if (!r && d->detail)
        r = put_text(out, "detail", d->detail);
    if (!r)
        r = put_rule(out, d);
    if (!r)
        r = put_text(out, "asked", d->asked);
    if (!r && d->evaluated_by)
        r = put_text(out, "evaluated_by", d->evaluated_by);
    if (!r && d->shadow)
        r = put_text(out, "shadow", d->shadow);
    if (!r)
        r = put_numbers(out, d);
    if (!r)
        r = put_text(out, "prev", prev);
    if (r)
        return r;
    hash_of(buf_data(out) + start, buf_len(out) - start, hash);
    r = buf_append_str(out, HASH_KEY);
    if (!r)
        r = buf_append(out, hash, DECISION_HASH_SIZE - 1);
    if (!r)
        r = buf_append(out, "\"}\n", 3);
    if (!r)
        memcpy(ret_hash, hash, sizeof(hash));
    return r;
}

/* The hash that stands at that place behind that key. */
static bool take_hash(const char *at, const char *key, char ret[static DECISION_HASH_SIZE])
{
    size_t n = strlen(key);

    if (memcmp(at, key, n) != 0 || at[n + DECISION_HASH_SIZE - 1] != '"')
        return false;
    memcpy(ret, at + n, DECISION_HASH_SIZE - 1);
    ret[DECISION_HASH_SIZE - 1] = 0;
    return strspn(ret, "0123456789abcdef") == DECISION_HASH_SIZE - 1;
}

bool decision_line_hashes(const char *line, size_t n, char ret_right[static DECISION_HASH_SIZE],
                          char ret_has[static DECISION_HASH_SIZE],
                          char ret_prev[static DECISION_HASH_SIZE])
{
    size_t hash = strlen(HASH_KEY) + DECISION_HASH_SIZE - 1 + strlen("\"}");
    size_t prev = strlen(PREV_KEY) + DECISION_HASH_SIZE - 1 + strlen("\"");

    if (n < hash + prev || memcmp(line + n - 2, "\"}", 2) != 0 ||
        !take_hash(line + n - hash, HASH_KEY, ret_has) ||
        !take_hash(line + n - hash - prev, PREV_KEY, ret_prev))
        return false;
    hash_of(line, n - hash, ret_right);
    return true;
}
