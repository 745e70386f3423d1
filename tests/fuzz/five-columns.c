/* A 5-column file. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct policy_file files[] = {
        {"run.d/.keep", NULL, 0},
        {"legacy/q.A", "@anyvm @anyvm ask\n", 18},
        {"policy.d/more/five", "q.A * * b allow\n", 16},
        {"policy.d/more/three", "$anyvm $anyvm allow,target=b\n", 29},
        {"policy.d/more/9.policy", "q.B * * b ask\n", 14},
        {"policy.d/30-user.policy", (const char *)data, size},
    };

    fuzz_policy(files, sizeof(files) / sizeof(files[0]));
    return 0;
}
