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
    static const size_t sizes[] = {10, 1000, 100000};
    static const char *const kinds[] = {"last", "none"};
    static const char *const what[] = {"last rule matches", "no rule matches"};

    if (system("valgrind --version >/dev/null 2>&1") != 0) {
        printf("valgrind is not there: not counted\n");
        return;
    }
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < 3; i++) {
            char size[32];

            snprintf(size, sizeof(size), "%zu rules", sizes[i]);
            bench_note(what[k], size, "", "%llu",
                       collected(b->program, kinds[k], sizes[i]) / N_REQUESTS);
        }
}
