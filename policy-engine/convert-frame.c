/* Marker rules in a policy: see convert-frame.h. */
#include "policy-engine/convert-frame.h"

#include "libqrexec/base/io.h"

#include <errno.h>

#define MARK        "qrexec-policy.convert.mark."
#define MARK_COMPAT MARK "compat"
#define MARK_END    " * @anyvm @anyvm deny\n"
#define COMPAT      "!compat-4.0"

const char *const convert_targets[CONVERT_TARGETS] = {
    "30-user.policy",           "50-config-clipboard.policy", "50-config-filecopy.policy",
    "50-config-updates.policy", "50-config-openinvm.policy",  "50-config-openurl.policy",
    "50-config-input.policy",   "50-config-u2f.policy"};

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

int convert_insert(struct buf *to, const char *text, size_t n, const void *lines, size_t n_lines,
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

static struct convert_source_file *find_file(struct convert_frame *f, const char *path)
{
    for (size_t i = 0; i < f->n_files; i++)
        if (str_equal(f->files[i].path, path))
            return &f->files[i];
    return NULL;
}

/* A file that is in the way of reading, like a directory, is none of ours. */
static int add_file(struct convert_frame *f, const char *path, int target)
{
    struct convert_source_file e = {.path = strdup(path), .target = target};
    struct convert_source_file *files, *known = find_file(f, path);
    int r = e.path ? file_read(path, CONVERT_CONTENT_MAX, &e.content, &e.len) : -ENOMEM;

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
    files = r ? NULL : reallocarray(f->files, f->n_files + 1, sizeof(*files));
    if (!files) {
        free(e.path);
        free(e.content);
        return -ENOMEM;
    }
    f->files = files;
    f->files[f->n_files++] = e;
    return 0;
}

static int find_files(struct convert_frame *f)
{
    const char *dir = "";
    char **watched = NULL;
    int r = policy_list_watched(f->source, &watched);

    if (r)
        return r;
    for (size_t i = 0; !r && watched[i]; i++)
        r = add_file(f, watched[i], -1);
    policy_strv_free(watched);
    for (size_t i = 0; f->source->dirs[i]; i++)
        dir = f->source->dirs[i];
    for (size_t i = 0; !r && i < CONVERT_TARGETS; i++) {
        char path[4096];

        r = format(path, sizeof(path), "%s/%s", dir, convert_targets[i]);
        if (!r)
            r = add_file(f, path, (int)i);
    }
    return r;
}

/* ---- The frame ---- */

static int mark_file(const struct convert_source_file *e, struct policy_file *ret)
{
    _cleanup_(buf_deinit) struct buf b = BUF_NULL(2 * CONVERT_CONTENT_MAX);
    int r = 0;

    if (e->target >= 0)
        r = buf_appendf(&b, MARK "%d" MARK_END, e->target);
    if (!r)
        r = convert_insert(&b, e->content ? e->content : "", e->len, MARK_COMPAT MARK_END,
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

static void find_marks(struct convert_frame *f)
{
    bool twice[CONVERT_TARGETS] = {false};

    f->compat = SIZE_MAX;
    for (size_t i = 0; i < CONVERT_TARGETS; i++)
        f->place[i] = SIZE_MAX;
    for (size_t i = 0; i < policy_count_rules(f->policy); i++) {
        struct policy_rule_view v;
        uint32_t k;

        policy_get_rule(f->policy, i, &v);
        if (!str_starts(v.service, MARK))
            continue;
        if (str_equal(v.service, MARK_COMPAT)) {
            f->compat = f->compat == SIZE_MAX ? i : f->compat;
        } else if (parse_u32(v.service + strlen(MARK), CONVERT_TARGETS - 1, &k) == 0) {
            twice[k] |= f->place[k] != SIZE_MAX;
            f->place[k] = i;
        }
    }
    for (size_t i = 0; i < CONVERT_TARGETS; i++)
        if (twice[i])
            f->place[i] = SIZE_MAX;
}

/* What the source itself sees otherwise than the disk has it stays so. */
static size_t add_seen(const struct policy_source *source, struct policy_file *files, size_t n)
{
    for (size_t i = 0; i < source->n_files; i++)
        files[n++] = source->files[i];
    return n;
}

static int load_frame(struct convert_frame *f)
{
    struct policy_file *files = calloc(f->n_files + f->source->n_files + 1, sizeof(*files));
    struct policy_source source = *f->source;
    int r = files ? 0 : -ENOMEM;

    for (size_t i = 0; !r && i < f->n_files; i++)
        r = mark_file(&f->files[i], &files[i]);
    source.files = files;
    if (!r) {
        source.n_files = add_seen(f->source, files, f->n_files);
        r = load(&source, &f->policy);
    }
    if (!r)
        find_marks(f);
    for (size_t i = 0; files && i < f->n_files; i++)
        free((char *)files[i].content);
    free(files);
    return r;
}

int convert_frame_make(struct convert_frame *f, const struct policy_source *source)
{
    int r;

    *f = (struct convert_frame){.source = source};
    r = find_files(f);
    return r ? r : load_frame(f);
}

void convert_frame_deinit(struct convert_frame *f)
{
    for (size_t i = 0; i < f->n_files; i++) {
        free(f->files[i].path);
        free(f->files[i].content);
    }
    free(f->files);
    policy_unref(f->policy);
    *f = (struct convert_frame){0};
}

bool convert_frame_is_free(const struct convert_frame *f, const char *service, size_t a, size_t b)
{
    for (size_t i = a < b ? a : b; i < (a < b ? b : a); i++) {
        struct policy_rule_view v;

        policy_get_rule(f->policy, i, &v);
        if (str_equal(v.service, service) || str_equal(v.service, "*"))
            return false;
    }
    return true;
}

int convert_frame_list_files(const struct convert_frame *f, char ***ret)
{
    struct policy_source source = *f->source;
    struct policy_file *files = calloc(f->n_files + source.n_files + 1, sizeof(*files));
    int r = files ? 0 : -ENOMEM;
    size_t n = 0;

    for (size_t i = 0; !r && i < f->n_files; i++)
        if (f->files[i].compat) {
            r = mark_file(&f->files[i], &files[n]);
            n += !r;
        }
    if (!r) {
        source.n_files = add_seen(f->source, files, n);
        source.files = files;
        r = policy_list_watched(&source, ret);
    }
    for (size_t i = 0; i < n; i++)
        free((char *)files[i].content);
    free(files);
    return r;
}
