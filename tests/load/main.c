/*
 * calls-load [--full] [NAME…] runs the checks of that name, or all, and then a short soak;
 * calls-load --soak=SECONDS the soak alone. Exit code 0: all hold.
 */
#include "tests/load/load.h"

#include <stdio.h>
#include <sys/resource.h>

#define SOAK_SECONDS 8

bool full;

static const struct {
    const char *name;
    void (*fn)(void);
} groups[] = {
    {"idle", idle_checks},  {"many", many_checks},  {"crowd", crowd_checks}, {"slow", slow_checks},
    {"kills", kill_checks}, {"races", race_checks}, {"words", word_checks},
};

/* What each program opens or makes with its first call is not left behind by a later one. */
void warm_up(void)
{
    for (uint32_t from = 1; from <= VMS; from++)
        for (uint32_t to = 1; to <= VMS; to++) {
            struct call c = {
                .from = from, .target = world.vms[to - 1].name, .service = "load.Echo"};

            if (from != to)
                (void)calls_run(&c, 1, 1, NULL);
        }
    sleep_ms(50); /* a decision is in its log a moment after its answer */
}

static void raise_files(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool any = false;

    for (int i = 1; i < argc; i++) {
        any = any || argv[i][0] != '-';
        if (str_equal(argv[i], name))
            return true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    uint32_t seconds = 0;

    for (int i = 1; i < argc; i++) {
        full = full || str_equal(argv[i], "--full");
        if (str_starts(argv[i], "--soak=") &&
            (parse_u32(argv[i] + strlen("--soak="), UINT32_MAX, &seconds) || !seconds)) {
            fputs("calls-load: --soak takes a number of seconds\n", stderr);
            return 2;
        }
    }
    raise_files();
    world_start();
    warm_up();
    for (size_t i = 0; i < ARRAY_SIZE(groups) && !seconds; i++) {
        uint64_t begun = now_us();

        if (!wanted(groups[i].name, argc, argv))
            continue;
        groups[i].fn();
        printf("# %s: %llu ms\n", groups[i].name, (unsigned long long)(now_us() - begun) / 1000);
    }
    if (seconds || wanted("soak", argc, argv))
        soak(seconds ? seconds : SOAK_SECONDS);
    world_stop();
    return failures ? 1 : 0;
}
