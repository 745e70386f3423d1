/* What is taken as a URL: see url.h. */
#include "rpc-services/url.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static bool matches(const char *pattern, const char *text, size_t n)
{
    pcre2_match_data *data;
    pcre2_code *code;
    PCRE2_SIZE at;
    bool found = false;
    int error;

    code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                         PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF, &error, &at, NULL);
    if (!code)
        return false;
    data = pcre2_match_data_create_from_pattern(code, NULL);
    if (data)
        found = pcre2_match(code, (PCRE2_SPTR)text, n, 0, PCRE2_ANCHORED, data, NULL) > 0;
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return found;
}

bool url_looks_like_one(const char *word)
{
    return matches("[A-Za-z][A-Za-z0-9+]*://", word, strlen(word));
}

bool url_is_safe(const char *text, size_t n)
{
    return n <= URL_MAX && matches("(?:https?|ftp)://[^\\x00-\\x20\\x7f]+$", text, n);
}
