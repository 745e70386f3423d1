/* Options and output of the analysing commands: see analysis-cli.h. */
#include "policy-engine/analysis-cli.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"

#include <errno.h>
#include <stdio.h>

static const struct own_option *find_option(const char *word, const struct own_option *list,
                                            size_t n)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; i < n; i++)
        if (strlen(list[i].name) == len && strncmp(list[i].name, word, len) == 0)
            return &list[i];
    return NULL;
}

int own_options(int *argc, char **argv, const struct own_option *list, size_t n)
{
    int left = 0;

    for (int i = 0; i < *argc; i++) {
        const struct own_option *o = i ? find_option(argv[i], list, n) : NULL;
        const char *equals = strchr(argv[i], '=');

        if (!o) {
            argv[left++] = argv[i];
        } else if (o->flag) {
            *o->flag = true;
        } else if (equals) {
            *o->value = equals + 1;
        } else if (i + 1 < *argc) {
            *o->value = argv[++i];
        } else {
            log_error("%s wants a value", o->name);
            return 2;
        }
    }
    argv[left] = NULL;
    *argc = left;
    return 0;
}

int cli_policy(const struct policy_source *source, struct policy **ret)
{
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    int r = policy_load(source, ret, &error);

    if (r > 0)
        log_error("the policy does not load, so every call is denied: %s:%u: %s", error.file,
                  error.line, error.text);
    else if (r)
        log_error("cannot load the policy: %s", strerror(-r));
    else
        cli_warn_never(*ret);
    return r ? 2 : 0;
}

int split_service(const char *word, char **ret_service, char **ret_argument)
{
    const char *plus = word ? strchr(word, '+') : NULL;
    _cleanup_(freep) char *service = NULL;

    if (!word)
        return 0;
    service = plus ? strndup(word, (size_t)(plus - word)) : strdup(word);
    if (!service)
        return -ENOMEM;
    if (plus) {
        *ret_argument = strdup(plus);
        if (!*ret_argument)
            return -ENOMEM;
    }
    *ret_service = take(service);
    return 0;
}

void print_rule(const struct policy *p, uint32_t rule)
{
    struct policy_rule_view v;

    policy_get_rule(p, rule, &v);
    printf("  %s:%u: %s\n", v.file, v.line,
           *v.text ? v.text : "(what a file of the older format denies at its end)");
}

static void print_value(const char *key, const char *value)
{
    if (value)
        printf("    %s = %s\n", key, value);
}

void print_domains(const struct policy_domains *d)
{
    for (size_t i = 0; i < policy_domains_count(d); i++) {
        const struct policy_domain *dom = policy_domains_at(d, i);

        printf("    [%s]\n", dom->name);
        print_value("uuid", dom->uuid);
        print_value("type", dom->type);
        print_value("default_dispvm", dom->default_dispvm);
        print_value("power_state", dom->power_state);
        print_value("guivm", dom->guivm);
        print_value("relayvm", dom->relayvm);
        print_value("transport_rpc", dom->transport_rpc);
        if (dom->template_for_dispvms)
            print_value("template_for_dispvms", "True");
        if (dom->n_tags)
            printf("    tags =");
        for (size_t k = 0; k < dom->n_tags; k++)
            printf(" %s", dom->tags[k]);
        if (dom->n_tags)
            printf("\n");
    }
}

void print_closers(const struct policy *p, const struct policy_closers *c)
{
    printf("impossible\n");
    if (c->n)
        printf("closed by\n");
    for (size_t i = 0; i < c->n; i++)
        print_rule(p, c->rules[i]);
    if (c->no_rule || !c->n)
        printf("and no rule allows it: what no rule allows is refused\n");
    if (c->approximate)
        printf("approximately: there are regular expressions, tried with some arguments only\n");
}
