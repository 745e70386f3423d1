/* One rule line: columns, then PARAM=VALUE words. See the contract's "5-column lines". */
#include "policy-engine/lib/lines.h"
#include "policy-engine/lib/rules.h"

enum { OF_SERVICE = 1, OF_ARGUMENT = 2 };

static const unsigned char classes[256] = {
    ['0' ... '9'] = OF_SERVICE | OF_ARGUMENT,
    ['A' ... 'Z'] = OF_SERVICE | OF_ARGUMENT,
    ['a' ... 'z'] = OF_SERVICE | OF_ARGUMENT,
    ['-'] = OF_SERVICE | OF_ARGUMENT,
    ['.'] = OF_SERVICE | OF_ARGUMENT,
    ['_'] = OF_SERVICE | OF_ARGUMENT,
    ['+'] = OF_ARGUMENT,
};

static bool all_of(struct span s, unsigned char class)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(classes[(unsigned char)s.data[i]] & class))
            return false;
    return true;
}

bool service_is_valid(struct span service)
{
    return service.len && all_of(service, OF_SERVICE);
}

bool argument_is_valid(struct span argument)
{
    return argument.len && argument.data[0] == '+' && all_of(argument, OF_ARGUMENT);
}

static int invalid(struct text *why)
{
    return why->failed ? -ENOMEM : POLICY_E_INVALID;
}

static int parse_service(struct names *names, struct span service, struct span argument,
                         struct rule *ret, struct text *why)
{
    bool any = span_equal(service, SPAN("*")), any_argument = span_equal(argument, SPAN("*"));
    int r;

    if (!any && !service_is_valid(service)) {
        text_addf(why, "bad service \"%.*s\" (letters, digits and -._, or *)", SPAN_FMT(service));
        return invalid(why);
    }
    if (any && !any_argument) {
        text_addf(why, "service * goes with argument * only");
        return invalid(why);
    }
    if (argument.len && argument.data[0] == '~') {
        r = regex_new(span_skip(argument, 1), &ret->regex, why);
        if (r)
            return r < 0 ? r : invalid(why);
    } else if (!any_argument && !argument_is_valid(argument)) {
        text_addf(why, "bad argument \"%.*s\" (*, or + and letters, digits and -._+)",
                  SPAN_FMT(argument));
        return invalid(why);
    }
    r = names_add(names, service, &ret->service);
    return r ? r : names_add(names, argument, &ret->argument);
}

static int check_token(struct span word, enum token_place place, enum token_kind *ret,
                       struct text *why)
{
    *ret = token_kind(word);
    if (token_allowed(*ret, place))
        return 0;
    token_complain(why, word, place);
    return invalid(why);
}

static int parse_redirect(struct names *names, struct span word, uint32_t *ret, struct text *why)
{
    enum token_kind kind;
    int r = check_token(word, TOKEN_REDIRECT, &kind, why);

    return r ? r : names_add(names, word, ret);
}

/* dom0's spellings are one token; what stands in the target column is kept besides. */
static int parse_domains(struct names *names, const struct span word[2], const uint32_t hash[2],
                         struct rule *ret, struct text *why)
{
    struct span source = word[0], target = word[1];
    enum token_kind source_kind, target_kind;
    int r = check_token(source, TOKEN_SOURCE, &source_kind, why);

    if (!r)
        r = check_token(target, TOKEN_TARGET, &target_kind, why);
    if (r)
        return r;
    ret->source_kind = source_kind;
    ret->target_kind = target_kind;
    ret->source = NAME_ADMINVM;
    if (source_kind != TOKEN_ADMINVM)
        r = names_add_hashed(names, source, hash[0], &ret->source);
    if (!r)
        r = names_add_hashed(names, target, hash[1], &ret->target_spelled);
    ret->target = target_kind == TOKEN_ADMINVM ? NAME_ADMINVM : ret->target_spelled;
    return r;
}

static bool parse_action(struct span word, enum policy_action *ret)
{
    if (span_equal(word, SPAN("allow")))
        *ret = POLICY_ALLOW;
    else if (span_equal(word, SPAN("deny")))
        *ret = POLICY_DENY;
    else if (span_equal(word, SPAN("ask")))
        *ret = POLICY_ASK;
    else
        return false;
    return true;
}

enum { P_TARGET = 1, P_USER = 2, P_DEFAULT_TARGET = 4, P_NOTIFY = 8, P_AUTOSTART = 16 };

static const struct {
    struct span name;
    unsigned bit;
} parameters[] = {
    {{"target", 6}, P_TARGET},
    {{"user", 4}, P_USER},
    {{"default_target", 14}, P_DEFAULT_TARGET},
    {{"notify", 6}, P_NOTIFY},
    {{"autostart", 9}, P_AUTOSTART},
};

static const unsigned for_action[] = {
    [POLICY_DENY] = P_NOTIFY,
    [POLICY_ALLOW] = P_TARGET | P_USER | P_NOTIFY | P_AUTOSTART,
    [POLICY_ASK] = P_TARGET | P_USER | P_DEFAULT_TARGET | P_NOTIFY | P_AUTOSTART,
};

/* A number would be a uid, a dash an option: neither is a user's name. */
static bool user_is_valid(struct span user)
{
    bool digits = user.len > 0;

    for (size_t i = 0; i < user.len; i++)
        digits &= user.data[i] >= '0' && user.data[i] <= '9';
    return !digits && !(user.len && user.data[0] == '-');
}

static int parse_value(struct names *names, unsigned bit, struct span value, struct rule *ret,
                       struct text *why)
{
    bool yes = span_equal(value, SPAN("yes"));

    if (bit == P_TARGET || bit == P_DEFAULT_TARGET)
        return parse_redirect(names, value, bit == P_TARGET ? &ret->redirect : &ret->default_target,
                              why);
    if (bit == P_USER) {
        if (user_is_valid(value))
            return value.len ? names_add(names, value, &ret->user) : 0;
        text_addf(why, "bad user \"%.*s\" (a name, not a number or an option)", SPAN_FMT(value));
        return invalid(why);
    }
    if (!yes && !span_equal(value, SPAN("no"))) {
        text_addf(why, "bad value \"%.*s\" (yes or no)", SPAN_FMT(value));
        return invalid(why);
    }
    if (bit == P_NOTIFY)
        ret->notify = yes;
    else
        ret->autostart = yes;
    return 0;
}

static int parse_parameter(struct names *names, struct span word, struct rule *ret, unsigned *seen,
                           struct text *why)
{
    const char *equals = memchr(word.data, '=', word.len);
    struct span name = {word.data, equals ? (size_t)(equals - word.data) : word.len};
    unsigned bit = 0;

    for (size_t i = 0; equals && i < sizeof(parameters) / sizeof(parameters[0]); i++)
        if (span_equal(name, parameters[i].name))
            bit = parameters[i].bit;
    if (!bit)
        text_addf(why, equals ? "unknown parameter \"%.*s\"" : "\"%.*s\" is not PARAMETER=VALUE",
                  SPAN_FMT(name));
    else if (!(for_action[ret->action] & bit))
        text_addf(why, "parameter \"%.*s\" is not for this action", SPAN_FMT(name));
    else if (*seen & bit)
        text_addf(why, "parameter \"%.*s\" stands twice", SPAN_FMT(name));
    else {
        *seen |= bit;
        return parse_value(names, bit, span_skip(word, name.len + 1), ret, why);
    }
    return invalid(why);
}

static int parse_columns(struct names *names, struct span *line, const struct rule_columns *columns,
                         struct rule *ret, struct text *why)
{
    struct span word[5] = {columns->service, columns->argument};
    enum policy_action action;
    uint32_t hash[2];
    int r;

    for (size_t i = columns->three ? 2 : 0; i < 5; i++)
        if (!word_next(line, &word[i])) {
            text_addf(why, "too few fields (%s)",
                      columns->three ? "SOURCE TARGET ACTION"
                                     : "SERVICE +ARGUMENT SOURCE TARGET ACTION");
            return invalid(why);
        }
    for (size_t i = 0; i < 2; i++) /* their places are not in the cache where names are many */
        names_expect(names, hash[i] = names_hash(word[2 + i]));
    r = parse_service(names, word[0], word[1], ret, why);
    if (!r)
        r = parse_domains(names, &word[2], hash, ret, why);
    if (r)
        return r;
    if (!parse_action(word[4], &action)) {
        text_addf(why, "unknown action \"%.*s\" (allow, ask or deny)", SPAN_FMT(word[4]));
        return invalid(why);
    }
    ret->action = action;
    return 0;
}

int rule_parse(struct names *names, struct span line, const struct rule_columns *columns,
               struct rule *ret, struct text *why)
{
    struct rule rule = {.redirect = NAME_NONE,
                        .default_target = NAME_NONE,
                        .user = NAME_NONE,
                        .content = CONTENT_NONE,
                        .file = NAME_NONE,
                        .autostart = true};
    unsigned seen = 0;
    struct span word;
    int r = parse_columns(names, &line, columns, &rule, why);

    rule.notify = rule.action == POLICY_DENY;
    while (!r && word_next(&line, &word))
        r = parse_parameter(names, word, &rule, &seen, why);
    if (!r && rule.action == POLICY_ALLOW && rule.target_kind == TOKEN_DEFAULT &&
        rule.redirect == NAME_NONE) {
        text_addf(why, "allow with target @default needs target=");
        r = invalid(why);
    }
    if (r) {
        regex_free(rule.regex);
        return r;
    }
    *ret = rule;
    return 0;
}
