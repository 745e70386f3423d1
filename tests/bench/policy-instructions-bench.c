/* Rows: instructions of policy_decide() under callgrind, which repeat exactly. */
#include "tests/bench/policy-bench.h"
#include "tests/bench/policy-world.h"

#include <stdio.h>
#include <stdlib.h>

/* "Collected : N" of valgrind's summary; 0: there is none. */
static unsigned long long collected(const char *program, const char *kind, size_t n_rules)
{
    char command[1024], line[512];
    unsigned long long n = 0;
    FILE *f;

    snprintf(command, sizeof(command),
             "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
             "--toggle-collect=policy_decide '%s' --only %s %zu 2>&1",
             program, kind, n_rules);
    f = popen(command, "r");
    if (!f)
        bench_fail("valgrind");
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "==%*d== Collected : %llu", &n) == 1)
            break;
    pclose(f);
    return n;
}

void bench_instructions(struct bench *b)
{
    static const struct {
        const char *what, *kind;
        size_t n_rules;
    } rows[] = {
        {"last rule matches", "last", 10},
        {"last rule matches", "last", 1000},
        {"last rule matches", "last", 100000},
        {"no rule matches", "none", 10},
        {"no rule matches", "none", 1000},
        {"no rule matches", "none", 100000},
        {"one service holds all, each names others", "one-service", 100000},
        {"6 tags a domain, every rule two tags", "tags", 100000},
    };

    if (system("valgrind --version >/dev/null 2>&1") != 0) {
        printf("valgrind is not there: not counted\n");
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char size[32];

        snprintf(size, sizeof(size), "%zu rules", rows[i].n_rules);
        bench_note(rows[i].what, size, "", "%llu",
                   collected(b->program, rows[i].kind, rows[i].n_rules) / N_REQUESTS);
    }
}
