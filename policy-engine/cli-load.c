/* Loading the policy for a command, and taking a call's words apart. */
#include "libqrexec/base/log.h"
#include "libqrexec/base/util.h"
#include "policy-engine/policy-cli.h"

void cli_warn_never(const struct policy *p)
{
    struct policy_violation v = {0};
    int r = policy_check_never(p, NULL, &v);

    if (r > 0)
        log_warning("this policy is not taken over by the daemon: %s", v.text);
    if (r < 0)
        log_warning("cannot tell whether the daemon takes this policy over: %s", strerror(-r));
    policy_violation_deinit(&v);
}

static int refuse_never(const struct policy *p)
{
    struct policy_violation v = {0};
    int r = policy_check_never(p, NULL, &v);

    if (r > 0)
        log_error("the daemon does not take this policy over, so none of its verdicts holds: %s",
                  v.text);
    if (r < 0)
        log_error("cannot tell whether the daemon takes this policy over: %s", strerror(-r));
    policy_violation_deinit(&v);
    return r ? 2 : 0;
}

static int load(const struct cli *c, struct policy **ret)
{
    _cleanup_(policy_error_deinit) struct policy_error error = {0};
    struct policy_source source = cli_source(c);
    int r = policy_load(&source, ret, &error);

    if (r > 0)
        log_error("the policy does not load, so every call is denied: %s:%u: %s", error.file,
                  error.line, error.text);
    if (r < 0)
        log_error("cannot read the policy: %s", strerror(-r));
    return r ? 2 : 0;
}

int cli_load(const struct cli *c, struct policy **ret)
{
    int r = load(c, ret);

    if (!r)
        cli_warn_never(*ret);
    return r;
}

int cli_load_in_force(const struct cli *c, struct policy **ret)
{
    int r = load(c, ret);

    return r ? r : refuse_never(*ret);
}

bool cli_split_service(char *service, char **ret_argument)
{
    char *plus = strchr(service, '+'), *argument = strdup(plus ? plus : "+");

    if (!argument)
        return false;
    if (plus)
        *plus = 0;
    *ret_argument = argument;
    return true;
}
