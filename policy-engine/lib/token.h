/*
 * Tokens: the words that stand for domains in rules and requests.
 *
 * A token is known by its canonical text ("dom0" and the zero UUID become "@adminvm"), which a
 * policy interns. Where which kind may stand is one table, from the contract.
 */
#ifndef QREXEC_POLICY_TOKEN_H
#define QREXEC_POLICY_TOKEN_H

#include "policy-engine/lib/common.h"

enum token_kind {
    TOKEN_BAD,
    TOKEN_ANY,
    TOKEN_ADMINVM,
    TOKEN_ANYVM,
    TOKEN_DEFAULT,
    TOKEN_DISPVM,
    TOKEN_DISPVM_NAME, /* @dispvm:NAME, @dispvm:uuid:UUID */
    TOKEN_DISPVM_TAG,
    TOKEN_TAG,
    TOKEN_TYPE,
    TOKEN_NAME,
    TOKEN_UUID,
};

enum token_place {
    TOKEN_SOURCE = 1,
    TOKEN_TARGET = 2,
    TOKEN_REDIRECT = 4, /* target=, default_target= */
    TOKEN_REQUEST = 8,  /* what a caller asks for */
};

#define ZERO_UUID    "uuid:00000000-0000-0000-0000-000000000000"
#define DISPVM_COLON SPAN("@dispvm:")

enum token_kind token_kind(struct span word);
bool token_allowed(enum token_kind kind, enum token_place place);
/* Canonical spelling: "@adminvm" for dom0's, else the word. */
struct span token_canonical(struct span word);
/* What stands behind the prefix of @tag: @type: @dispvm: @dispvm:@tag:, else the word. */
struct span token_rest(struct span word);
/* Why the word may not stand there, for people. */
void token_complain(struct text *why, struct span word, enum token_place place);
bool is_dom0(struct span word);

#endif
