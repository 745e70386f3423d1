/* A case as files, for qrexec-policy eval and for a person: see case.h. */
#include "tests/random/case.h"

#include "libqrexec/base/io.h"

#include <string.h>

static void put_key(FILE *f, const char *key, const char *value)
{
    if (value)
        fprintf(f, "%s = %s\n", key, value);
}

static void put_domains(const struct test_case *c, FILE *f)
{
    for (size_t i = 0; i < c->n_domains; i++) {
        const struct policy_domain *d = &c->domain[i];

        fprintf(f, "[%s]\n", d->name);
        put_key(f, "uuid", d->uuid);
        put_key(f, "type", d->type);
        if (c->tag[i][0]) {
            fprintf(f, "tags = %s", c->tag[i][0]);
            for (size_t k = 1; k < CASE_TAGS && c->tag[i][k]; k++)
                fprintf(f, "%s %s", k % 16 ? "" : "\n", c->tag[i][k]); /* a long line is cut */
            fprintf(f, "\n");
        }
        put_key(f, "template_for_dispvms", d->template_for_dispvms ? "True" : NULL);
        put_key(f, "default_dispvm", d->default_dispvm);
        put_key(f, "power_state", d->power_state);
        put_key(f, "internal", d->internal ? "True" : NULL);
        put_key(f, "guivm", d->guivm);
        put_key(f, "relayvm", d->relayvm);
        put_key(f, "transport_rpc", d->transport_rpc);
        put_key(f, "icon", "appvm-red"); /* a section must not be empty */
    }
}

static void put_file(const struct case_file *f, FILE *out)
{
    for (size_t i = 0; i < f->n; i++)
        fprintf(out, "%s%s\n", f->line[i], f->crlf ? "\r" : "");
}

static void put_request(const struct test_case *c, FILE *f)
{
    fprintf(f, "%s%s\t%s\t%s\t%s\n", c->service, c->argument, c->source, c->target,
            c->requested_source);
}

static FILE *open_in(const char *dir, const char *name)
{
    _cleanup_(freep) char *path = format_new("%s/%s", dir, name);
    _cleanup_(freep) char *parent = path ? strdup(path) : NULL;

    if (!parent)
        return NULL;
    *strrchr(parent, '/') = 0;
    return mkdir_all(parent, 0755) ? NULL : fopen(path, "w");
}

int case_write(const struct test_case *c, const char *dir)
{
    static const char *const dirs[] = {"run.d", "policy.d/more", "legacy"};
    FILE *f;

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_(freep) char *path = format_new("%s/%s", dir, dirs[i]);

        if (!path || mkdir_all(path, 0755))
            return -1;
    }
    for (size_t i = 0; i < c->n_files; i++) {
        f = open_in(dir, c->file[i].path);
        if (!f)
            return -1;
        put_file(&c->file[i], f);
        if (fclose(f))
            return -1;
    }
    f = open_in(dir, "domains.ini");
    if (!f)
        return -1;
    put_domains(c, f);
    if (fclose(f))
        return -1;
    f = open_in(dir, "requests.tsv");
    if (!f)
        return -1;
    put_request(c, f);
    return fclose(f) ? -1 : 0;
}

void case_print(const struct test_case *c, FILE *out)
{
    fprintf(out, "mkdir -p case/run.d case/policy.d/more case/legacy && cd case\n");
    for (size_t i = 0; i < c->n_files; i++) {
        fprintf(out, "cat >'%s' <<'END'\n", c->file[i].path);
        put_file(&c->file[i], out);
        fprintf(out, "END\n");
    }
    fprintf(out, "cat >domains.ini <<'END'\n");
    put_domains(c, out);
    fprintf(out, "END\ncat >requests.tsv <<'END'\n");
    put_request(c, out);
    fprintf(out,
            "END\nqrexec-policy eval --policy-dir run.d --policy-dir policy.d "
            "--legacy-dir legacy --domains domains.ini --batch <requests.tsv%s\n",
            c->just_evaluate ? " # with just_evaluate" : "");
}
