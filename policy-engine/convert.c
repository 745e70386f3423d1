/*
 * The plan of a conversion: see convert.h.
 *
 * Places are found by loading the policy once more with marker rules in them: one in place of each
 * !compat-4.0, one at the top of each file that lines may go to. That list of rules, without the
 * R4.0 ones, is what every question about "between" and "behind" is asked of.
 */
#include "policy-engine/convert.h"

#include "libqrexec/base/io.h"
#include "policy-engine/convert-lines.h"

#include <errno.h>

#define CONTENT_MAX (16U << 20)
#define MARK        "qrexec-policy.convert.mark."
#define MARK_COMPAT MARK "compat"
#define MARK_END    " * @anyvm @anyvm deny\n"
#define VIRTUAL_DIR "/qrexec-policy-convert"
#define COMPAT      "!compat-4.0"

static const char *const targets[] = {
    "30-user.policy",           "50-config-clipboard.policy", "50-config-filecopy.policy",
    "50-config-updates.policy", "50-config-openinvm.policy",  "50-config-openurl.policy",
    "50-config-input.policy",   "50-config-u2f.policy"};

/* A file that is to change, or may. */
struct edited {
    char *path;
    char *content; /* NULL: no such file */
    size_t len;
    bool compat;    /* has !compat-4.0 lines */
    int target;     /* place in targets[], or -1 */
    struct buf top; /* lines for its top */
};

struct work {
    const struct policy_source *source;
    struct edited *files;
    size_t n_files;
    struct policy *legacy;             /* the R4.0 rules alone */
    struct policy *frame;              /* all others, with marks */
    size_t compat;                     /* the first !compat-4.0 in the frame */
    size_t place[ARRAY_SIZE(targets)]; /* SIZE_MAX: that file is not read, or twice */
    struct buf in_place;
    size_t n_left_out;
};

/* ---- Texts ---- */

static size_t line_length(const char *text, size_t n)
{
    size_t len = 0;

    while (len < n && text[len] != '\n' && text[len] != '\r')
        len++;
    if (len < n && text[len] == '\r')
        len++;
    if (len < n && text[len] == '\n')
        len++;
    return len;
}

static bool is_compat(const char *line, size_t n)
{
    size_t blank = 0;

    while (blank < n && strchr(" \t\f\v", line[blank]))
        blank++;
    line += blank;
    n -= blank;
    return n >= strlen(COMPAT) && memcmp(line, COMPAT, strlen(COMPAT)) == 0 &&
           (n == strlen(COMPAT) || strchr(" \t\r\n\f\v", line[strlen(COMPAT)]));
}

static bool has_compat(const char *text, size_t n)
{
    for (size_t len; n; text += len, n -= len) {
        len = line_length(text, n);
        if (is_compat(text, len))
            return true;
    }
    return false;
}

/* The text with `lines` before each !compat-4.0, which stays or goes. */
static int insert(struct buf *to, const char *text, size_t n, const void *lines, size_t n_lines,
                  bool stay)
{
    int r = 0;

    for (size_t len; !r && n; text += len, n -= len) {
        bool compat;

        len = line_length(text, n);
        compat = is_compat(text, len);
        if (compat && n_lines)
            r = buf_append(to, lines, n_lines);
        if (!r && (!compat || stay))
            r = buf_append(to, text, len);
    }
    return r;
}

/* ---- Files ---- */

static struct edited *find_file(struct work *w, const char *path)
{
    for (size_t i = 0; i < w->n_files; i++)
        if (str_equal(w->files[i].path, path))
            return &w->files[i];
    return NULL;
}

/* A file that is in the way of reading, like a directory, is none of ours. */
static int add_file(struct work *w, const char *path, int target)
{
    struct edited e = {.path = strdup(path), .target = target, .top = BUF_NULL(CONTENT_MAX)};
    struct edited *files, *known = find_file(w, path);
    int r = e.path ? file_read(path, CONTENT_MAX, &e.content, &e.len) : -ENOMEM;

    if (r == -ENOENT && target >= 0)
        r = 0;
    e.compat = !r && e.content && has_compat(e.content, e.len);
    if (known && target >= 0)
        known->target = target;
    if (known || (r && r != -ENOMEM) || (target < 0 && !e.compat)) {
        free(e.path);
        free(e.content);
        return 0;
    }
    files = r ? NULL : reallocarray(w->files, w->n_files + 1, sizeof(*files));
    if (!files) {
        free(e.path);
        free(e.content);
        return -ENOMEM;
    }
    w->files = files;
    w->files[w->n_files++] = e;
    return 0;
}

static int find_files(struct work *w)
{
    const char *dir = "";
    char **watched = NULL;
    int r = policy_list_watched(w->source, &watched);

    if (r)
        return r;
    for (size_t i = 0; !r && watched[i]; i++)
        r = add_file(w, watched[i], -1);
    policy_strv_free(watched);
    for (size_t i = 0; w->source->dirs[i]; i++)
        dir = w->source->dirs[i];
    for (size_t i = 0; !r && i < ARRAY_SIZE(targets); i++) {
        char path[4096];

        r = format(path, sizeof(path), "%s/%s", dir, targets[i]);
        if (!r)
            r = add_file(w, path, (int)i);
    }
    return r;
}

/* ---- The frame ---- */

static int mark_file(const struct edited *e, struct policy_file *ret)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(2 * CONTENT_MAX);
    int r = 0;

    if (e->target >= 0)
        r = buf_appendf(&b, MARK "%d" MARK_END, e->target);
    if (!r)
        r = insert(&b, e->content ? e->content : "", e->len, MARK_COMPAT MARK_END,
                   strlen(MARK_COMPAT MARK_END), false);
    if (!r)
        r = buf_append(&b, "", 1);
    if (r)
        return r;
    *ret = (struct policy_file){
        .path = e->path, .content = strdup((const char *)buf_data(&b)), .len = buf_len(&b) - 1};
    return ret->content ? 0 : -ENOMEM;
}

static int load(const struct policy_source *source, struct policy **ret)
{
    struct policy_error e = {0};
    int r = policy_load(source, ret, &e);

    policy_error_deinit(&e);
    return r > 0 ? -EBADMSG : r;
}

static void find_marks(struct work *w)
{
    bool twice[ARRAY_SIZE(targets)] = {false};

    w->compat = SIZE_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
        w->place[i] = SIZE_MAX;
    for (size_t i = 0; i < policy_count_rules(w->frame); i++) {
        struct policy_rule_view v;
        uint32_t k;

        policy_get_rule(w->frame, i, &v);
        if (!str_starts(v.service, MARK))
            continue;
        if (str_equal(v.service, MARK_COMPAT)) {
            w->compat = w->compat == SIZE_MAX ? i : w->compat;
        } else if (parse_u32(v.service + strlen(MARK), ARRAY_SIZE(targets) - 1, &k) == 0) {
            twice[k] |= w->place[k] != SIZE_MAX;
            w->place[k] = i;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
        if (twice[i])
            w->place[i] = SIZE_MAX;
}

static int load_frame(struct work *w)
{
    struct policy_file *files = calloc(w->n_files + 1, sizeof(*files));
    struct policy_source source = *w->source;
    int r = files ? 0 : -ENOMEM;

    for (size_t i = 0; !r && i < w->n_files; i++)
        r = mark_file(&w->files[i], &files[i]);
    source.files = files;
    source.n_files = w->n_files;
    if (!r)
        r = load(&source, &w->frame);
    if (!r)
        find_marks(w);
    for (size_t i = 0; files && i < w->n_files; i++)
        free((char *)files[i].content);
    free(files);
    return r;
}

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

/* No rule that could meet this service's lies between the two places of the frame. */
static bool is_free(const struct work *w, const char *service, size_t a, size_t b)
{
    for (size_t i = a < b ? a : b; i < (a < b ? b : a); i++) {
        struct policy_rule_view v;

        policy_get_rule(w->frame, i, &v);
        if (str_equal(v.service, service) || str_equal(v.service, "*"))
            return false;
    }
    return true;
}

static int leave_out(const struct work *w, struct convert_rule *rules, size_t n, size_t place)
{
    size_t count = policy_count_rules(w->frame) - place;
    struct policy_rule_view *rest = calloc(count + 1, sizeof(*rest));

    if (!rest)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        policy_get_rule(w->frame, place + i, &rest[i]);
    convert_leave_out(rules, n, rest, count);
    free(rest);
    return 0;
}

static struct buf *top_of(struct work *w, size_t target)
{
    for (size_t i = 0; i < w->n_files; i++)
        if (w->files[i].target == (int)target)
            return &w->files[i].top;
    return NULL;
}

/* Where this service's lines go; marks in rules what is not needed there. NULL: no memory. */
static struct buf *choose_place(struct work *w, struct convert_rule *rules, size_t n)
{
    const char *service = rules[0].view.service;

    for (size_t i = ARRAY_SIZE(targets); i-- > 0;) {
        size_t place = w->place[i];
        const char *file;

        if (place == SIZE_MAX || !is_free(w, service, place, w->compat))
            continue;
        if (leave_out(w, rules, n, place))
            return NULL;
        file = i ? convert_tools_file(rules, n) : targets[0];
        if (file && str_equal(file, targets[i]))
            return top_of(w, i);
    }
    return leave_out(w, rules, n, w->compat) ? NULL : &w->in_place;
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

/* False: the file stays as it is. */
static bool is_changed(const struct work *w, const struct edited *e)
{
    return buf_len(&e->top) || (e->compat && buf_len(&w->in_place));
}

static int make_edit(const struct work *w, struct edited *e, struct convert_edit *ret)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(4 * CONTENT_MAX), in_place = b;
    size_t added = count_lines(&e->top);
    int r = 0;

    if (buf_len(&e->top)) {
        r = buf_append_str(&b, HEAD);
        if (!r)
            r = buf_append(&b, buf_data(&e->top), buf_len(&e->top));
    }
    if (!r && e->compat && buf_len(&w->in_place)) {
        added += count_lines(&w->in_place);
        r = buf_append_str(&in_place, HEAD);
        if (!r)
            r = buf_append(&in_place, buf_data(&w->in_place), buf_len(&w->in_place));
    }
    if (!r)
        r = insert(&b, e->content ? e->content : "", e->len, buf_data(&in_place),
                   buf_len(&in_place), true);
    if (r)
        return r;
    *ret = (struct convert_edit){.path = take(e->path),
                                 .before = take(e->content),
                                 .before_len = e->len,
                                 .added = added,
                                 .after_len = buf_len(&b)};
    ret->after = (char *)take(b.data);
    b.start = b.end = b.size = 0;
    return 0;
}

static int make_edits(struct work *w, struct convert_plan *plan)
{
    int r = 0;

    plan->edits = calloc(w->n_files + 1, sizeof(*plan->edits));
    if (!plan->edits)
        return -ENOMEM;
    for (size_t i = 0; !r && i < w->n_files; i++)
        if (is_changed(w, &w->files[i])) {
            r = make_edit(w, &w->files[i], &plan->edits[plan->n_edits]);
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
    struct policy_source legacy = legacy_source(w->source), rest = *w->source;
    _cleanup_(freep) struct policy_file *blank = calloc(w->n_files + 1, sizeof(*blank));
    size_t prefix = strlen(w->source->legacy_dir), n = 0;
    char **all = NULL, **kept = NULL;
    int r = blank ? 0 : -ENOMEM;

    rest.files = blank;
    for (size_t i = 0; !r && i < w->n_files; i++)
        if (w->files[i].compat)
            r = mark_file(&w->files[i], &blank[rest.n_files++]);
    if (!r)
        r = policy_list_watched(&legacy, &all);
    if (!r)
        r = policy_list_watched(&rest, &kept);
    for (size_t i = 0; !r && all[i]; i++) {
        bool plain = strncmp(all[i], w->source->legacy_dir, prefix) == 0 && all[i][prefix] == '/' &&
                     is_legacy_name(all[i] + prefix + 1);

        if (plain && !is_listed(kept, all[i])) {
            char *path = all[i];

            all[i] = all[n];
            all[n++] = path;
        }
    }
    for (size_t i = n; !r && all[i]; i++)
        free(all[i]);
    if (!r) {
        all[n] = NULL;
        plan->old = take(all);
    }
    policy_strv_free(all);
    policy_strv_free(kept);
    for (size_t i = 0; blank && i < rest.n_files; i++)
        free((char *)blank[i].content);
    return r;
}

static void work_deinit(struct work *w)
{
    for (size_t i = 0; i < w->n_files; i++) {
        free(w->files[i].path);
        free(w->files[i].content);
        buf_deinit(&w->files[i].top);
    }
    free(w->files);
    policy_unref(w->legacy);
    policy_unref(w->frame);
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

static int make(struct work *w, struct convert_plan *plan)
{
    struct policy_source legacy = legacy_source(w->source);
    int r = find_files(w);

    if (!r)
        r = load_frame(w);
    if (r || w->compat == SIZE_MAX)
        return r;
    plan->live = true;
    r = load(&legacy, &w->legacy);
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
    _cleanup_(work_deinit) struct work w = {.source = source, .in_place = BUF_NULL(CONTENT_MAX)};
    struct convert_plan plan = {0};
    int r = make(&w, &plan);

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
    files = calloc(plan->n_edits + n_old + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    for (size_t i = 0; i < plan->n_edits; i++)
        files[n++] = (struct policy_file){.path = plan->edits[i].path,
                                          .content = plan->edits[i].after,
                                          .len = plan->edits[i].after_len};
    for (size_t i = 0; i < n_old; i++)
        files[n++] = (struct policy_file){.path = plan->old[i]};
    *ret = *source;
    ret->files = files;
    ret->n_files = n;
    *ret_files = files;
    return 0;
}
