/* Making worlds: see policy-world.h. */
#include "tests/bench/policy-world.h"

#include <stdio.h>
#include <stdlib.h>

#define POOL 300

static void add_domain(struct world *w, struct bench *b, size_t i)
{
    char name[32], uuid[64], tags[16][16];
    const char *list[16] = {"all"};
    const struct policy_domain d = {.name = name,
                                    .uuid = uuid,
                                    .type = "AppVM",
                                    .tags = list,
                                    .n_tags = w->n_tags,
                                    .template_for_dispvms = i % 10 == 0,
                                    .default_dispvm = "vm-0",
                                    .power_state = "Running",
                                    .guivm = "dom0"};

    snprintf(name, sizeof(name), "vm-%zu", i);
    snprintf(uuid, sizeof(uuid), "00000000-0000-4000-8000-%012zx", i + 1);
    for (size_t k = 1; k < w->n_tags; k++) {
        snprintf(tags[k], sizeof(tags[k]), "tag-%u", bench_random(b, POOL));
        list[k] = tags[k];
    }
    if (policy_domains_add(w->domains, &d))
        bench_fail("domains");
}

static void write_rule(struct world *w, struct bench *b, FILE *f, size_t i)
{
    uint32_t x = bench_random(b, 1000000), y = bench_random(b, 1000000);

    switch (w->kind) {
    case WORLD_ONE_SERVICE: fprintf(f, ASKED " * vm-%zu vm-%zu allow\n", i, i + 1); return;
    case WORLD_TAGS:
        fprintf(f, ASKED " * @tag:tag-%u @tag:tag-%u deny\n", x % POOL, y % POOL);
        return;
    case WORLD_ASK:
        if (!i)
            fprintf(f, ASKED " * @tag:all @default ask default_target=vm-7\n");
        else if (x % 4)
            fprintf(f, ASKED " * @tag:all vm-%u %s\n", y % (unsigned)w->n_domains,
                    x % 5 ? "allow" : "deny");
        else
            fprintf(f, ASKED " * @anyvm @tag:tag-%u %s\n", y % POOL, x % 5 ? "ask" : "deny");
        return;
    case WORLD_LAST_MATCHES:
    case WORLD_NONE_MATCHES: break;
    }
    if (w->kind == WORLD_LAST_MATCHES && i + 1 == w->n_rules)
        fprintf(f, ASKED " * @tag:all @tag:all allow\n");
    else if (i % 2) /* the asked service, between others */
        fprintf(f, ASKED " %s other-%u @anyvm allow\n", x % 2 ? "*" : "+arg", y);
    else
        fprintf(f, "bench.S%u * @tag:tag-%u vm-%u %s\n", x % 1000, y % POOL,
                x % (unsigned)w->n_domains, y % 2 ? "allow" : "deny notify=no");
}

static void write_policy(struct world *w, struct bench *b)
{
    static const char *const dirs[] = {"p", NULL};
    struct policy_file file = {.path = "p/50-bench.policy"};
    struct policy_source source = {.dirs = dirs, .files = &file, .n_files = 1, .files_only = true};
    struct policy_error e = {0};
    FILE *f = open_memstream(&w->text, &w->len);

    if (!f)
        bench_fail("memory");
    for (size_t i = 0; i < w->n_rules; i++)
        write_rule(w, b, f, i);
    fclose(f);
    file.content = w->text;
    file.len = w->len;
    if (policy_load(&source, &w->policy, &e))
        bench_fail(e.text ? e.text : "policy");
}

static void draw_request(struct world *w, struct bench *b, size_t i)
{
    uint32_t n = (uint32_t)w->n_domains;
    uint32_t source = bench_random(b, n), target = bench_random(b, n - 1);

    target += target >= source; /* nobody calls itself */
    snprintf(w->words[i][0], sizeof(w->words[i][0]), "vm-%u", source);
    snprintf(w->words[i][1], sizeof(w->words[i][1]), "vm-%u", target);
    if (w->kind == WORLD_ONE_SERVICE) /* a rule for each */
        snprintf(w->words[i][1], sizeof(w->words[i][1]), "vm-%u", (source + 1) % n);
    snprintf(w->words[i][2], sizeof(w->words[i][2]), "+arg%s", i % 2 ? "" : "ument");
    w->requests[i] = (struct policy_request){.service = ASKED,
                                             .argument = w->words[i][2],
                                             .source = w->words[i][0],
                                             .target = w->kind == WORLD_ASK ? "" : w->words[i][1]};
}

void world_init(struct world *w, struct bench *b, enum world_kind kind, size_t n_rules,
                size_t n_domains, size_t n_tags)
{
    const struct policy_domain dom0 = {.name = "dom0", .type = "AdminVM", .power_state = "Running"};

    *w = (struct world){.kind = kind, .n_rules = n_rules, .n_domains = n_domains, .n_tags = n_tags};
    b->random = b->seed;
    if (policy_domains_new(1, &w->domains) || policy_domains_add(w->domains, &dom0))
        bench_fail("domains");
    for (size_t i = 0; i < n_domains; i++)
        add_domain(w, b, i);
    write_policy(w, b);
    for (size_t i = 0; i < N_REQUESTS; i++)
        draw_request(w, b, i);
}

void world_deinit(struct world *w)
{
    policy_unref(w->policy);
    policy_domains_unref(w->domains);
    free(w->text);
}
