/* One rule line: columns, then PARAM=VALUE words. See the contract's "5-column lines". */
#include "policy-engine/lib/lines.h"
#include "policy-engine/lib/rules.h"

static bool all_of(struct span s, const char *more)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr(more, c))))
            return false;
    }
    return true;
}

bool service_is_valid(struct span service)
{
    return service.len && all_of(service, "-._");
}

bool argument_is_valid(struct span argument)
{
    return argument.len && argument.data[0] == '+' && all_of(argument, "-._+");
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

static int parse_token(struct names *names, struct span word, enum token_place place, uint32_t *ret,
                       struct text *why)
{
    if (!token_allowed(token_kind(word), place)) {
        token_complain(why, word, place);
        return invalid(why);
    }
    return names_add(names, place == TOKEN_REDIRECT ? word : token_canonical(word), ret);
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
        return parse_token(names, value, TOKEN_REDIRECT,
                           bit == P_TARGET ? &ret->redirect : &ret->default_target, why);
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
    int r;

    for (size_t i = columns->three ? 2 : 0; i < 5; i++)
        if (!word_next(line, &word[i])) {
            text_addf(why, "too few fields (%s)",
                      columns->three ? "SOURCE TARGET ACTION"
                                     : "SERVICE +ARGUMENT SOURCE TARGET ACTION");
            return invalid(why);
        }
    r = parse_service(names, word[0], word[1], ret, why);
    if (!r)
        r = parse_token(names, word[2], TOKEN_SOURCE, &ret->source, why);
    if (!r)
        r = parse_token(names, word[3], TOKEN_TARGET, &ret->target, why);
    if (!r)
        r = names_add(names, word[3], &ret->target_spelled);
    if (r)
        return r;
    ret->source_kind = token_kind(word[2]);
    ret->target_kind = token_kind(word[3]);
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
