/* R4.0 rules as lines of today: see convert-lines.h. */
#include "policy-engine/convert-lines.h"

#include <errno.h>

#define ZERO_UUID "uuid:00000000-0000-0000-0000-000000000000"

static bool is_dom0_word(const char *word)
{
    return str_equal(word, "dom0") || str_equal(word, "@adminvm") || str_equal(word, ZERO_UUID);
}

/* Does everything that b matches match a, whatever domains there are? */
static bool token_covers(const char *a, const char *b)
{
    if (str_equal(a, b) || str_equal(a, "*") || (is_dom0_word(a) && is_dom0_word(b)))
        return true;
    return str_equal(a, "@anyvm") && !str_equal(b, "*") && !is_dom0_word(b) &&
           !str_starts(b, "@tag:") && !str_starts(b, "@type:");
}

/* As a target, a also takes from the choices of an ask what b puts there or takes. */
static bool target_covers(const char *a, const char *b)
{
    /* among choices, dom0 by its keyword is a thing of its own, which "*" does not stand for */
    if (str_equal(a, "@adminvm") || str_equal(b, "@adminvm"))
        return str_equal(a, b);
    return token_covers(a, b);
}

static bool may_meet(const struct policy_rule_view *a, const struct policy_rule_view *b)
{
    if (!str_equal(a->service, b->service) && !str_equal(a->service, "*") &&
        !str_equal(b->service, "*"))
        return false;
    return a->argument[0] != '+' || b->argument[0] != '+' || str_equal(a->argument, b->argument);
}

bool convert_covers(const struct policy_rule_view *a, const struct policy_rule_view *b)
{
    if (!str_equal(a->service, b->service) && !str_equal(a->service, "*"))
        return false;
    if (!str_equal(a->argument, b->argument) && !str_equal(a->argument, "*"))
        return false;
    return token_covers(a->source, b->source) && target_covers(a->target, b->target);
}

static bool is_loud_deny(const struct policy_rule_view *v)
{
    return str_equal(v->action, "deny") && v->notify;
}

/* What a deny decides, and takes from the choices of an ask, an earlier deny did already. */
static bool is_shadowed(const struct convert_rule *rules, size_t at)
{
    const struct policy_rule_view *v = &rules[at].view;

    for (size_t i = 0; i < at; i++) {
        const struct policy_rule_view *before = &rules[i].view;

        if (!rules[i].left_out && str_equal(before->action, "deny") && convert_covers(before, v) &&
            (!v->redirect || target_covers(before->target, v->redirect)))
            return true;
    }
    return false;
}

/* A deny of calls to dom0, and a rule that neither matches one nor offers it. */
static bool is_apart(const struct policy_rule_view *deny, const struct policy_rule_view *later)
{
    return is_dom0_word(deny->target) && token_covers("@anyvm", later->target) &&
           (!later->redirect || !is_dom0_word(later->redirect));
}

/* 1: it denies all that the deny does; 0: it does not matter; -1: it may allow some of that. */
static int meets(const struct policy_rule_view *deny, const struct policy_rule_view *later)
{
    if (!may_meet(deny, later) || is_apart(deny, later))
        return 0;
    if (!is_loud_deny(later))
        return -1;
    return convert_covers(later, deny);
}

static bool is_repeated(const struct convert_rule *rules, size_t n, size_t at,
                        const struct policy_rule_view *rest, size_t n_rest)
{
    int found = 0;

    if (!is_loud_deny(&rules[at].view))
        return false;
    for (size_t i = at + 1; !found && i < n; i++)
        found = rules[i].left_out ? 0 : meets(&rules[at].view, &rules[i].view);
    for (size_t i = 0; !found && i < n_rest; i++)
        found = meets(&rules[at].view, &rest[i]);
    return found > 0;
}

void convert_leave_out(struct convert_rule *rules, size_t n, const struct policy_rule_view *rest,
                       size_t n_rest)
{
    for (size_t i = 0; i < n; i++)
        rules[i].left_out = is_shadowed(rules, i);
    for (size_t i = n; i-- > 0;)
        if (!rules[i].left_out)
            rules[i].left_out = is_repeated(rules, n, i, rest, n_rest);
}

static bool is_simple(const struct policy_rule_view *v, bool redirect)
{
    return str_equal(v->argument, "*") && !v->user && !v->default_target && v->autostart &&
           v->notify == str_equal(v->action, "deny") && (redirect || !v->redirect);
}

const char *convert_tools_file(const struct convert_rule *rules, size_t n)
{
    static const struct {
        const char *service, *file;
        bool redirect; /* the tool writes target= */
    } tools[] = {
        {"qubes.ClipboardPaste", "50-config-clipboard.policy", false},
        {"qubes.Filecopy", "50-config-filecopy.policy", false},
        {"qubes.UpdatesProxy", "50-config-updates.policy", true},
        {"qubes.OpenInVM", "50-config-openinvm.policy", true},
        {"qubes.OpenURL", "50-config-openurl.policy", true},
        {"qubes.InputMouse", "50-config-input.policy", true},
        {"qubes.InputKeyboard", "50-config-input.policy", true},
        {"qubes.InputTablet", "50-config-input.policy", true},
        {"u2f.Register", "50-config-u2f.policy", false},
        {"u2f.Authenticate", "50-config-u2f.policy", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        bool simple = str_equal(tools[i].service, rules[0].view.service);

        for (size_t k = 0; simple && k < n; k++)
            simple = rules[k].left_out || is_simple(&rules[k].view, tools[i].redirect);
        if (simple)
            return tools[i].file;
    }
    return NULL;
}

static int print_parameter(struct buf *b, const char *name, const char *value)
{
    return value ? buf_appendf(b, " %s=%s", name, value) : 0;
}

static int print_rule(struct buf *b, const struct policy_rule_view *v)
{
    bool notify = str_equal(v->action, "deny");
    int r =
        buf_appendf(b, "%s %s %s %s %s", v->service, v->argument, v->source, v->target, v->action);

    if (!r)
        r = print_parameter(b, "target", v->redirect);
    if (!r)
        r = print_parameter(b, "default_target", v->default_target);
    if (!r)
        r = print_parameter(b, "user", v->user);
    if (!r)
        r = print_parameter(b, "notify", v->notify == notify ? NULL : notify ? "no" : "yes");
    if (!r)
        r = print_parameter(b, "autostart", v->autostart ? NULL : "no");
    return r ? r : buf_appendf(b, "\n");
}

int convert_print(struct buf *b, const struct convert_rule *rules, size_t n)
{
    int r = 0, lines = 0;

    for (size_t i = 0; !r && i < n; i++) {
        if (rules[i].left_out)
            continue;
        r = print_rule(b, &rules[i].view);
        lines++;
    }
    return r ? r : lines;
}
