/* The one file that knows PCRE2. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "policy-engine/lib/regex.h"

#include <pcre2.h>

#define MATCH_LIMIT 100000 /* steps: some milliseconds at worst */
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT  1024 /* KiB */

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

void regex_free(struct regex *re)
{
    if (!re)
        return;
    pcre2_match_context_free(re->limits);
    pcre2_match_data_free(re->data);
    pcre2_code_free(re->code);
    free(re);
}

static void regex_freep(struct regex **re)
{
    regex_free(*re);
}

static int regex_complain(struct text *why, int code, size_t offset, struct span pattern)
{
    unsigned char message[160] = "";

    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return -ENOMEM;
    pcre2_get_error_message(code, message, sizeof(message));
    text_addf(why, "bad expression \"%.*s\": %s (at character %zu)", SPAN_FMT(pattern),
              (const char *)message, offset + 1);
    return REGEX_E_SYNTAX;
}

int regex_new(struct span pattern, struct regex **ret, struct text *why)
{
    _cleanup_(regex_freep) struct regex *re = calloc(1, sizeof(*re));
    size_t offset = 0;
    int code = 0;

    if (!re)
        return -ENOMEM;
    re->code = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len,
                             PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                                 PCRE2_NEVER_BACKSLASH_C,
                             &code, &offset, NULL);
    if (!re->code)
        return regex_complain(why, code, offset, pattern);
    pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
    re->data = pcre2_match_data_create_from_pattern(re->code, NULL);
    re->limits = pcre2_match_context_create(NULL);
    if (!re->data || !re->limits)
        return -ENOMEM;
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(re->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_LIMIT);
    *ret = take(re);
    return 0;
}

enum regex_result regex_match(const struct regex *re, struct span subject)
{
    int r =
        pcre2_match(re->code, (PCRE2_SPTR)subject.data, subject.len, 0, 0, re->data, re->limits);

    if (r >= 0)
        return REGEX_YES;
    return r == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT; /* any trouble is the limit */
}
