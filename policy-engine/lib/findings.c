/* A list of findings. */
#include "policy-engine/lib/findings.h"

static void finding_deinit(struct policy_finding *f)
{
    free(f->file);
    free(f->text);
}

void policy_findings_deinit(struct policy_findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        finding_deinit(&f->list[i]);
    free(f->list);
    *f = (struct policy_findings){0};
}

int findings_add(struct policy_findings *f, const char *file, unsigned line, const char *text)
{
    struct policy_finding new = {.file = span_dup(span_of(file)), .line = line};
    int r = ARRAY_GROW(f->list, f->cap, f->n);

    new.text = span_dup(span_of(text));
    if (r || !new.file || !new.text) {
        finding_deinit(&new);
        return -ENOMEM;
    }
    f->list[f->n++] = new;
    return 0;
}

static int order_of_findings(const void *left, const void *right)
{
    const struct policy_finding *a = left, *b = right;
    int o = strcmp(a->file, b->file);

    if (!o && a->line != b->line)
        o = a->line < b->line ? -1 : 1;
    return o ? o : strcmp(a->text, b->text);
}

void findings_sort(struct policy_findings *f)
{
    size_t n = 0;

    if (f->n)
        qsort(f->list, f->n, sizeof(f->list[0]), order_of_findings);
    for (size_t i = 0; i < f->n; i++) {
        if (n && order_of_findings(&f->list[n - 1], &f->list[i]) == 0)
            finding_deinit(&f->list[i]);
        else
            f->list[n++] = f->list[i];
    }
    f->n = n;
}
