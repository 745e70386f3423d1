/* Tokens of policy files: see token.h. */
#include "rpc-services/dom0/token.h"

#include <glib.h>

#define PREFIX "sha256:"

void token_make(const void *data, size_t n, char ret[static TOKEN_SIZE])
{
    char *hex = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data ? data : "", n);

    (void)format(ret, TOKEN_SIZE, PREFIX "%s", hex);
    g_free(hex);
}

bool token_parse(const char *text, size_t n, char ret[static TOKEN_SIZE])
{
    char token[TOKEN_SIZE];

    if (n >= TOKEN_SIZE)
        return false;
    memcpy(token, text, n);
    token[n] = 0;
    if (strlen(token) != n)
        return false;
    if (!str_equal(token, "any") && !str_equal(token, "new") &&
        (n != TOKEN_SIZE - 1 || !str_starts(token, PREFIX) ||
         strspn(token + strlen(PREFIX), "0123456789abcdef") != 64))
        return false;
    memcpy(ret, token, n + 1);
    return true;
}
