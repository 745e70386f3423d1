/* Reading the decision log: see logged-decisions.h. */
#include "policy-engine/logged-decisions.h"

#include "libqrexec/base/util.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#define OLD_MOST 9 /* files turned over */

/* "2026-11-28T03:35:14…", taken as UTC. */
static int64_t time_of_text(const char *text)
{
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%Y-%m-%d", &tm) : NULL;

    if (!end)
        return LOGGED_TIME_NONE;
    if (*end == 'T' || *end == ' ')
        (void)strptime(end + 1, "%H:%M:%S", &tm);
    return timegm(&tm);
}

static int64_t time_of(json_t *value)
{
    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value) && json_real_value(value) > -1e15 && json_real_value(value) < 1e15)
        return (int64_t)json_real_value(value);
    return time_of_text(json_string_value(value));
}

static struct logged_decision record_of(json_t *o)
{
    return (struct logged_decision){
        .call_id = json_string_value(json_object_get(o, "call_id")),
        .policy = json_string_value(json_object_get(o, "policy")),
        .service = json_string_value(json_object_get(o, "service")),
        .argument = json_string_value(json_object_get(o, "argument")),
        .source = json_string_value(json_object_get(o, "source")),
        .target = json_string_value(json_object_get(o, "target")),
        .requested_source = json_string_value(json_object_get(o, "requested_source")),
        .verdict = json_string_value(json_object_get(o, "verdict")),
        .reason = json_string_value(json_object_get(o, "reason")),
        .rule = json_string_value(json_object_get(o, "rule")),
        .time = time_of(json_object_get(o, "time")),
    };
}

/* 0, what fn returned, or -EBADMSG: no JSON object. */
static int read_record(const char *line, size_t n,
                       int (*fn)(void *user, const struct logged_decision *r), void *user)
{
    json_t *o = json_loadb(line, n, 0, NULL);
    struct logged_decision record;
    int r = json_is_object(o) ? 0 : -EBADMSG;

    if (!r) {
        record = record_of(o);
        r = fn(user, &record);
    }
    json_decref(o);
    return r;
}

static int read_file(const char *path, int (*fn)(void *user, const struct logged_decision *r),
                     void *user, char **reterr)
{
    _cleanup_(freep) char *line = NULL;
    FILE *f = fopen(path, "re");
    size_t size = 0, number = 0;
    ssize_t n;
    int r = 0;

    if (!f)
        return -errno;
    while (!r && (n = getline(&line, &size, f)) > 0 && line[n - 1] == '\n') {
        number++;
        r = read_record(line, (size_t)n - 1, fn, user);
    }
    if (!r && ferror(f))
        r = -EIO;
    fclose(f);
    if (r != -EBADMSG)
        return r;
    *reterr =
        format_new("%s:%zu: not a record of the decision log (a JSON object a line)", path, number);
    return *reterr ? 1 : -ENOMEM;
}

int logged_decisions_read(const char *path, int (*fn)(void *user, const struct logged_decision *r),
                          void *user, char **reterr)
{
    int r = 0;

    for (unsigned i = OLD_MOST; !r && i > 0; i--) {
        _cleanup_(freep) char *old = format_new("%s.%u", path, i);

        r = old ? read_file(old, fn, user, reterr) : -ENOMEM;
        if (r == -ENOENT)
            r = 0;
    }
    return r ? r : read_file(path, fn, user, reterr);
}
