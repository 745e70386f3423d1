/* What kind of token a word is, and where it may stand. */
#include "policy-engine/lib/token.h"

#define SRC TOKEN_SOURCE
#define TGT TOKEN_TARGET
#define RED TOKEN_REDIRECT
#define REQ TOKEN_REQUEST

static const unsigned char places[] = {
    [TOKEN_BAD] = 0,
    [TOKEN_ANY] = SRC | TGT,
    [TOKEN_ADMINVM] = SRC | TGT | RED | REQ,
    [TOKEN_ANYVM] = SRC | TGT,
    [TOKEN_DEFAULT] = TGT | REQ,
    [TOKEN_DISPVM] = TGT | RED | REQ,
    [TOKEN_DISPVM_NAME] = SRC | TGT | RED | REQ,
    [TOKEN_DISPVM_TAG] = SRC | TGT,
    [TOKEN_TAG] = SRC | TGT,
    [TOKEN_TYPE] = SRC | TGT,
    [TOKEN_NAME] = SRC | TGT | RED | REQ,
    [TOKEN_UUID] = SRC | TGT | RED | REQ,
};

/* Longer ones first: "@dispvm:@tag:" before "@dispvm:". */
static const struct {
    struct span text;
    enum token_kind kind;
} prefixes[] = {
    {{"@dispvm:@tag:", 13}, TOKEN_DISPVM_TAG},
    {{"@dispvm:", 8}, TOKEN_DISPVM_NAME},
    {{"@tag:", 5}, TOKEN_TAG},
    {{"@type:", 6}, TOKEN_TYPE},
    {{"uuid:", 5}, TOKEN_UUID},
};

#define N_PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

static const struct {
    struct span text;
    enum token_kind kind;
} words[] = {
    {{"*", 1}, TOKEN_ANY},
    {{"@adminvm", 8}, TOKEN_ADMINVM},
    {{"@anyvm", 6}, TOKEN_ANYVM},
    {{"@default", 8}, TOKEN_DEFAULT},
    {{"@dispvm", 7}, TOKEN_DISPVM},
    {{"dom0", 4}, TOKEN_ADMINVM},
    {{ZERO_UUID, sizeof(ZERO_UUID) - 1}, TOKEN_ADMINVM},
};

enum token_kind token_kind(struct span word)
{
    if (!word.len)
        return TOKEN_BAD;
    switch (word.data[0]) { /* most words are plain names */
    case '*':
    case '@':
    case 'd':
    case 'u': break;
    default: return TOKEN_NAME;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (span_equal(word, words[i].text))
            return words[i].kind;
    for (size_t i = 0; i < N_PREFIXES; i++) {
        struct span rest;

        if (!span_starts(word, prefixes[i].text))
            continue;
        rest = span_skip(word, prefixes[i].text.len);
        if (!rest.len || rest.data[0] == '@' || span_equal(rest, SPAN("uuid:")))
            return TOKEN_BAD;
        return prefixes[i].kind;
    }
    return word.data[0] == '@' ? TOKEN_BAD : TOKEN_NAME;
}

bool token_allowed(enum token_kind kind, enum token_place place)
{
    return places[kind] & place;
}

bool is_dom0(struct span word)
{
    return token_kind(word) == TOKEN_ADMINVM;
}

struct span token_canonical(struct span word)
{
    return is_dom0(word) ? SPAN("@adminvm") : word;
}

struct span token_rest(struct span word)
{
    if (token_kind(word) == TOKEN_UUID)
        return word;
    for (size_t i = 0; i < N_PREFIXES; i++)
        if (span_starts(word, prefixes[i].text))
            return span_skip(word, prefixes[i].text.len);
    return word;
}

void token_complain(struct text *why, struct span word, enum token_place place)
{
    static const char *const where[] = {
        [TOKEN_SOURCE] = "as source",
        [TOKEN_TARGET] = "as target",
        [TOKEN_REDIRECT] = "as target= or default_target=",
        [TOKEN_REQUEST] = "in a call",
    };
    static const char *const wanted[] = {
        [TOKEN_SOURCE] = "a name, *, @adminvm, @anyvm, @tag:TAG, @type:TYPE, uuid:UUID",
        [TOKEN_TARGET] = "a name, *, @adminvm, @anyvm, @default, @dispvm, @dispvm:NAME, "
                         "@dispvm:@tag:TAG, @tag:TAG, @type:TYPE, uuid:UUID",
        [TOKEN_REDIRECT] = "a name, @adminvm, @dispvm, @dispvm:NAME, uuid:UUID",
        [TOKEN_REQUEST] = "a name, @adminvm, @default, @dispvm, @dispvm:NAME, uuid:UUID",
    };

    if (token_kind(word) == TOKEN_BAD)
        text_addf(why, "bad token \"%.*s\" %s (%s)", SPAN_FMT(word), where[place], wanted[place]);
    else
        text_addf(why, "\"%.*s\" may not stand %s (%s)", SPAN_FMT(word), where[place],
                  wanted[place]);
}
