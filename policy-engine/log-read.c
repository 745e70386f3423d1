/* The decision log as it is read: see log-read.h. */
#include "policy-engine/log-read.h"

#include "libqrexec/base/paths.h"
#include "policy-engine/decision-log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <time.h>

#define FILES_MOST 9

struct reading {
    const struct log_reader *how;
    struct log_check *check;
    const char *file;
    size_t line;
    bool started;
    bool anchored; /* older files were turned over and are gone: the first prev is unknown */
};

int log_default_path(char buf[static 4096])
{
    return path_get(buf, "%s", DECISION_LOG_PATH);
}

/* ---- Filters ---- */

static bool ago(const char *text, uint64_t *ret_seconds)
{
    static const struct {
        char unit;
        unsigned seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t n = strlen(text);
    char number[16];
    uint32_t v;

    if (n < 2 || format(number, sizeof(number), "%.*s", (int)(n - 1), text) ||
        parse_u32(number, 1000000, &v))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (text[n - 1] == units[i].unit) {
            *ret_seconds = (uint64_t)v * units[i].seconds;
            return true;
        }
    return false;
}

bool log_parse_since(const char *text, char ret[static 40])
{
    uint64_t seconds;
    struct tm tm;
    time_t t;

    if (ago(text, &seconds)) {
        t = time(NULL) - (time_t)seconds;
        return gmtime_r(&t, &tm) && strftime(ret, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    }
    if (strlen(text) < 10 || strlen(text) >= 40 || text[strspn(text, "0123456789-:.TZ ")] ||
        text[4] != '-' || text[7] != '-')
        return false;
    (void)format(ret, 40, "%s", text);
    ret[strcspn(ret, "Z")] = 0;
    if (ret[10] == ' ')
        ret[10] = 'T';
    return true;
}

static bool is_wanted(const char *want, const char *has)
{
    return !want || !*want || str_equal(want, has);
}

static bool is_service(const char *want, const struct log_record *r)
{
    _cleanup_(freep) char *full = format_new("%s%s", r->service, r->argument);

    return is_wanted(want, r->service) || (full && str_equal(want, full));
}

bool log_matches(const struct log_filter *f, const struct log_record *r)
{
    if (*f->since && strcmp(r->time, f->since) < 0)
        return false;
    return (is_wanted(f->source, r->source) || is_wanted(f->source, r->requested_source)) &&
           (is_wanted(f->target, r->target) || is_wanted(f->target, r->final)) &&
           is_service(f->service, r) && is_wanted(f->verdict, r->verdict) &&
           is_wanted(f->call_id, r->call_id);
}

/* ---- Lines ---- */

static void complain(const struct reading *rd, const char *what)
{
    if (rd->how->complain)
        fprintf(rd->how->complain, "%s:%zu: %s\n", rd->file, rd->line, what);
}

static void note_bad(struct reading *rd)
{
    rd->check->lines_bad++;
    complain(rd, rd->how->verify ? "not a whole record of the decision log"
                                 : "not a record of the decision log (a JSON object a line)");
}

/* False: no line with hashes. */
static bool check_chain(struct reading *rd, const char *line, size_t n)
{
    char right[DECISION_HASH_SIZE], has[DECISION_HASH_SIZE], prev[DECISION_HASH_SIZE];
    struct log_check *c = rd->check;

    if (!decision_line_hashes(line, n, right, has, prev))
        return false;
    if (!str_equal(right, has)) {
        c->chain_breaks++;
        complain(rd, "the record was changed: its hash is another");
    } else if (rd->started ? !str_equal(prev, c->hash)
                           : !rd->anchored && !str_equal(prev, DECISION_HASH_START)) {
        c->chain_breaks++;
        complain(rd, "the chain is broken: a record before this one is missing or was changed");
    }
    rd->started = true;
    memcpy(c->hash, has, sizeof(has));
    return true;
}

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

/* "2026-11-28T03:35:14…", as UTC. */
static int64_t seconds_of_text(const char *text)
{
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%Y-%m-%d", &tm) : NULL;

    if (!end)
        return LOG_TIME_NONE;
    if (*end == 'T')
        (void)strptime(end + 1, "%H:%M:%S", &tm);
    return timegm(&tm);
}

static int64_t seconds_of(json_t *time)
{
    return json_is_integer(time) ? json_integer_value(time)
                                 : seconds_of_text(json_string_value(time));
}

static uint64_t number_of(json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));

    return n > 0 ? (uint64_t)n : 0;
}

static int take_record(struct reading *rd, json_t *o, const char *line)
{
    struct log_record r = {
        .call_id = text_of(o, "call_id"),
        .time = text_of(o, "time"),
        .policy = text_of(o, "policy"),
        .source = text_of(o, "source"),
        .requested_source = text_of(o, "requested_source"),
        .target = text_of(o, "target"),
        .service = text_of(o, "service"),
        .argument = text_of(o, "argument"),
        .verdict = text_of(o, "verdict"),
        .reason = text_of(o, "reason"),
        .final = text_of(o, "final"),
        .rule = text_of(o, "rule"),
        .asked = text_of(o, "asked"),
        .shadow = text_of(o, "shadow"),
        .evaluated_by = text_of(o, "evaluated_by"),
        .generation = number_of(o, "generation"),
        .repeats = number_of(o, "repeats"),
        .lost = number_of(o, "lost"),
        .total_us = number_of(json_object_get(o, "micros"), "total"),
        .seconds = seconds_of(json_object_get(o, "time")),
        .line = line,
    };
    const struct log_reader *how = rd->how;
    struct log_check *c = rd->check;

    c->records++;
    if (!*c->first)
        (void)format(c->first, sizeof(c->first), "%s", r.time);
    (void)format(c->last, sizeof(c->last), "%s", r.time);
    return how->fn && (!how->filter || log_matches(how->filter, &r)) ? how->fn(how->user, &r) : 0;
}

static int take_line(struct reading *rd, char *line, size_t n)
{
    bool whole = line[n - 1] == '\n', good;
    json_t *o;
    int r = 0;

    rd->line++;
    if (whole)
        line[--n] = 0;
    else if (!rd->how->verify)
        return 0;
    good = !rd->how->verify || check_chain(rd, line, n);
    o = json_loadb(line, n, 0, NULL);
    if (!good || !json_is_object(o))
        note_bad(rd);
    rd->check->no_records += !json_is_object(o);
    if (json_is_object(o))
        r = take_record(rd, o, line);
    json_decref(o);
    return r;
}

static int read_stream(struct reading *rd, const char *name, FILE *f)
{
    _cleanup_(freep) char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int r = 0;

    rd->file = name;
    rd->line = 0;
    while (!r && (n = getline(&line, &size, f)) > 0)
        r = n > DECISION_LINE_MAX ? -EFBIG : take_line(rd, line, (size_t)n);
    return r ? r : ferror(f) ? -EIO : 0;
}

static int read_file(struct reading *rd, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r;
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (!f) {
        r = -errno;
        close_fd(&fd);
        return r;
    }
    r = read_stream(rd, path, f);
    fclose(f);
    return r;
}

/* One that was turned over, if there is one of that number. */
static int read_older(struct reading *rd, const char *path, unsigned n)
{
    _cleanup_(freep) char *older = format_new("%s.%u", path, n);
    int r;

    if (!older)
        return -ENOMEM;
    if (access(older, F_OK) < 0)
        return 0;
    rd->anchored = true;
    r = read_file(rd, older);
    return r == -ENOENT ? 0 : r;
}

int log_read(const char *path, const struct log_reader *how, struct log_check *check)
{
    struct reading rd = {.how = how, .check = check};
    int r = 0;

    *check = (struct log_check){0};
    if (str_equal(path, "-")) {
        rd.anchored = true;
        return read_stream(&rd, "stdin", stdin);
    }
    for (unsigned n = FILES_MOST; !r && n > 0; n--)
        r = read_older(&rd, path, n);
    return r ? r : read_file(&rd, path);
}
