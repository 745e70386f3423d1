/* What domains ask of policy.EvalSimple and policy.EvalGUI. */
#include "policy-engine/eval-question.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const services[] = {"policy.EvalSimple", "policy.EvalGUI"};
    struct policy_question q;
    char *caller;
    int r;

    for (size_t i = 0; i < 2; i++) {
        r = eval_question_read(services[i], data, size, true, &q, &caller);
        if (r < 0 || r == EVAL_E_MORE)
            fuzz_fail("at its end a question is one, or none");
        if (r)
            continue;
        if (!*caller || !*policy_question_request(&q).service)
            fuzz_fail("a question of nobody, or about nothing");
        policy_question_deinit(&q);
        free(caller);
        r = eval_question_read(services[i], data, size, false, &q, &caller);
        if (r != EVAL_E_MORE && r != EVAL_E_REQUEST)
            fuzz_fail("before its end a question is none yet");
    }
    return 0;
}
