/* The plan of a conversion: see convert.h. */
#include "policy-engine/convert.h"

#include "policy-engine/convert-frame.h"
#include "policy-engine/convert-lines.h"

#include <errno.h>

#define VIRTUAL_DIR "/qrexec-policy-convert"
#define COMPAT      "!compat-4.0"

struct work {
    struct convert_frame frame;
    struct policy *legacy;           /* the R4.0 rules alone */
    struct buf top[CONVERT_TARGETS]; /* lines for the tops of those files */
    struct buf in_place;             /* lines for before each !compat-4.0 */
    struct buf no_top;               /* stays empty */
    size_t n_left_out;
};

/* The R4.0 directory as if it were the whole policy. */
static struct policy_source legacy_source(const struct policy_source *source)
{
    static const char *const dirs[] = {VIRTUAL_DIR, NULL};
    static const struct policy_file file = {
        .path = VIRTUAL_DIR "/a.policy", .content = COMPAT, .len = sizeof(COMPAT) - 1};

    return (struct policy_source){
        .dirs = dirs, .legacy_dir = source->legacy_dir, .files = &file, .n_files = 1};
}

/* ---- Placing ---- */

static int leave_out(const struct work *w, struct convert_rule *rules, size_t n, size_t place)
{
    size_t count = policy_count_rules(w->frame.policy) - place;
    struct policy_rule_view *rest = calloc(count + 1, sizeof(*rest));

    if (!rest)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        policy_get_rule(w->frame.policy, place + i, &rest[i]);
    convert_leave_out(rules, n, rest, count);
    free(rest);
    return 0;
}

/* Where this service's lines go; marks in rules what is not needed there. NULL: no memory. */
static struct buf *choose_place(struct work *w, struct convert_rule *rules, size_t n)
{
    const char *service = rules[0].view.service;

    for (size_t i = CONVERT_TARGETS; i-- > 0;) {
        size_t place = w->frame.place[i];
        const char *file;

        if (place == SIZE_MAX || !convert_frame_is_free(&w->frame, service, place, w->frame.compat))
            continue;
        if (leave_out(w, rules, n, place))
            return NULL;
        file = i ? convert_tools_file(rules, n) : convert_targets[0];
        if (file && str_equal(file, convert_targets[i]))
            return &w->top[i];
    }
    return leave_out(w, rules, n, w->frame.compat) ? NULL : &w->in_place;
}

static int place_service(struct work *w, struct convert_rule *rules, size_t n)
{
    struct buf *to = choose_place(w, rules, n);
    int r = to ? convert_print(to, rules, n) : -ENOMEM;

    for (size_t i = 0; i < n; i++)
        w->n_left_out += rules[i].left_out;
    return r < 0 ? r : 0;
}

/* The rules of one service stand together, as the R4.0 files are read by service. */
static int place_all(struct work *w)
{
    size_t count = policy_count_rules(w->legacy), n;
    struct convert_rule *rules = calloc(count + 1, sizeof(*rules));
    int r = rules ? 0 : -ENOMEM;

    for (size_t i = 0; !r && i < count; i++)
        policy_get_rule(w->legacy, i, &rules[i].view);
    for (size_t i = 0; !r && i < count; i += n) {
        for (n = 1; i + n < count; n++)
            if (!str_equal(rules[i].view.service, rules[i + n].view.service))
                break;
        r = place_service(w, rules + i, n);
    }
    free(rules);
    return r;
}

/* ---- The outcome ---- */

static size_t count_lines(const struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < buf_len(b); i++)
        n += buf_data(b)[i] == '\n';
    return n;
}

#define HEAD "# from the R4.0 files, by qrexec-policy convert\n"

/* What goes to the top of this file. */
static const struct buf *top_of(const struct work *w, const struct convert_source_file *e)
{
    return e->target >= 0 ? &w->top[e->target] : &w->no_top;
}

/* False: the file stays as it is. */
static bool is_changed(const struct work *w, const struct convert_source_file *e)
{
    return buf_len(top_of(w, e)) || (e->compat && buf_len(&w->in_place));
}

static int make_edit(const struct work *w, struct convert_source_file *e, struct convert_edit *ret)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(4 * CONVERT_CONTENT_MAX), in_place = b;
    const struct buf *top = top_of(w, e);
    size_t added = count_lines(top);
    int r = 0;

    if (buf_len(top)) {
        r = buf_append_str(&b, HEAD);
        if (!r)
            r = buf_append(&b, buf_data(top), buf_len(top));
    }
    if (!r && e->compat && buf_len(&w->in_place)) {
        added += count_lines(&w->in_place);
        r = buf_append_str(&in_place, HEAD);
        if (!r)
            r = buf_append(&in_place, buf_data(&w->in_place), buf_len(&w->in_place));
    }
    if (!r)
        r = convert_insert(&b, e->content ? e->content : "", e->len, buf_data(&in_place),
                           buf_len(&in_place), true);
    if (!r)
        r = buf_append(&b, "", 1); /* for those who print it */
    if (r)
        return r;
    *ret = (struct convert_edit){.path = take(e->path),
                                 .before = take(e->content),
                                 .before_len = e->len,
                                 .added = added,
                                 .after_len = buf_len(&b) - 1};
    ret->after = (char *)take(b.data);
    b.start = b.end = b.size = 0;
    return 0;
}

static int make_edits(struct work *w, struct convert_plan *plan)
{
    int r = 0;

    plan->edits = calloc(w->frame.n_files + 1, sizeof(*plan->edits));
    if (!plan->edits)
        return -ENOMEM;
    for (size_t i = 0; !r && i < w->frame.n_files; i++)
        if (is_changed(w, &w->frame.files[i])) {
            r = make_edit(w, &w->frame.files[i], &plan->edits[plan->n_edits]);
            plan->n_edits += !r;
        }
    return r;
}

/* The names that !compat-4.0 takes. */
static bool is_legacy_name(const char *name)
{
    static const char *const out[] = {".rpmsave", ".rpmnew", ".swp"};

    for (size_t i = 0; i < ARRAY_SIZE(out); i++)
        if (strlen(name) >= strlen(out[i]) &&
            str_equal(name + strlen(name) - strlen(out[i]), out[i]))
            return false;
    return name[0] != '.' &&
           !name[strspn(name,
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-._")];
}

static bool is_listed(char *const *list, const char *path)
{
    for (size_t i = 0; list[i]; i++)
        if (str_equal(list[i], path))
            return true;
    return false;
}

/* R4.0 files that the rest of the policy does not read by another way. */
static int find_old(const struct work *w, struct convert_plan *plan)
{
    const char *dir = w->frame.source->legacy_dir;
    struct policy_source legacy = legacy_source(w->frame.source);
    size_t prefix = strlen(dir), n = 0, i;
    char **all = NULL, **kept = NULL;
    int r = policy_list_watched(&legacy, &all);

    if (!r)
        r = convert_frame_list_files(&w->frame, &kept);
    for (i = 0; !r && all[i]; i++) {
        char *path = all[i];
        bool plain = strncmp(path, dir, prefix) == 0 && path[prefix] == '/' &&
                     is_legacy_name(path + prefix + 1);

        all[i] = NULL;
        if (plain && !is_listed(kept, path))
            all[n++] = path;
        else
            free(path);
    }
    if (!r)
        plan->old = take(all);
    policy_strv_free(all);
    policy_strv_free(kept);
    return r;
}

static void work_deinit(struct work *w)
{
    convert_frame_deinit(&w->frame);
    policy_unref(w->legacy);
    for (size_t i = 0; i < CONVERT_TARGETS; i++)
        buf_deinit(&w->top[i]);
    buf_deinit(&w->in_place);
}

void convert_plan_deinit(struct convert_plan *plan)
{
    for (size_t i = 0; i < plan->n_edits; i++) {
        free(plan->edits[i].path);
        free(plan->edits[i].before);
        free(plan->edits[i].after);
    }
    free(plan->edits);
    policy_strv_free(plan->old);
    *plan = (struct convert_plan){0};
}

static int load_legacy(struct work *w)
{
    struct policy_source legacy = legacy_source(w->frame.source);
    struct policy_error e = {0};
    int r = policy_load(&legacy, &w->legacy, &e);

    policy_error_deinit(&e);
    return r > 0 ? -EBADMSG : r;
}

static int make(struct work *w, const struct policy_source *source, struct convert_plan *plan)
{
    int r = convert_frame_make(&w->frame, source);

    if (r || w->frame.compat == SIZE_MAX)
        return r;
    plan->live = true;
    r = load_legacy(w);
    if (!r)
        r = find_old(w, plan);
    if (!r)
        r = place_all(w);
    if (!r)
        r = make_edits(w, plan);
    plan->n_rules = r ? 0 : policy_count_rules(w->legacy);
    plan->n_left_out = w->n_left_out;
    return r;
}

int convert_plan_make(const struct policy_source *source, struct convert_plan *ret)
{
    _cleanup_(work_deinit) struct work w = {.in_place = BUF_NULL(CONVERT_CONTENT_MAX)};
    struct convert_plan plan = {0};
    int r;

    for (size_t i = 0; i < CONVERT_TARGETS; i++)
        w.top[i] = BUF_NULL(CONVERT_CONTENT_MAX);
    r = make(&w, source, &plan);
    if (r) {
        convert_plan_deinit(&plan);
        return r;
    }
    *ret = plan;
    return 0;
}

int convert_plan_preview(const struct convert_plan *plan, const struct policy_source *source,
                         struct policy_file **ret_files, struct policy_source *ret)
{
    size_t n = 0, n_old = 0;
    struct policy_file *files;

    while (plan->old && plan->old[n_old])
        n_old++;
    files = calloc(plan->n_edits + n_old + source->n_files + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    for (size_t i = 0; i < plan->n_edits; i++)
        files[n++] = (struct policy_file){.path = plan->edits[i].path,
                                          .content = plan->edits[i].after,
                                          .len = plan->edits[i].after_len};
    for (size_t i = 0; i < n_old; i++)
        files[n++] = (struct policy_file){.path = plan->old[i]};
    for (size_t i = 0; i < source->n_files; i++)
        files[n++] = source->files[i];
    *ret = *source;
    ret->files = files;
    ret->n_files = n;
    *ret_files = files;
    return 0;
}
