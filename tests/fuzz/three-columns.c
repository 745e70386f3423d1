/* A 3-column (R4.0) file, of a service and of a service with an argument. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct policy_file files[] = {
        {"run.d/.keep", NULL, 0},
        {"policy.d/35-compat.policy", "!compat-4.0\n", 12},
        {"legacy/more/three", "$anyvm $anyvm allow,target=b\n", 29},
        {"legacy/q.A", (const char *)data, size},
        {"legacy/q.A+x", (const char *)data, size},
    };

    fuzz_policy(files, sizeof(files) / sizeof(files[0]));
    return 0;
}
