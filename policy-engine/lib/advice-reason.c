/* A refusal in words, with the names that are meant. */
#include "policy-engine/lib/advice-parts.h"

void tell_reason(struct text *t, const struct policy_request *q, const struct policy_verdict *v)
{
    const char *source = v->source, *target = asked_target(q);

    switch (v->reason) {
    case POLICY_REASON_NONE: break;
    case POLICY_REASON_POLICY: text_addf(t, "a rule forbids it"); break;
    case POLICY_REASON_NO_MATCH:
        text_addf(t, "no rule is about this call, and what no rule allows is refused");
        break;
    case POLICY_REASON_INVALID_TARGET:
        text_addf(t,
                  "\"%s\" is nothing that a caller can ask for (a name, uuid:UUID, @adminvm, "
                  "@default, @dispvm or @dispvm:TEMPLATE)",
                  target);
        break;
    case POLICY_REASON_INVALID_SOURCE:
        if (q->requested_source && *q->requested_source)
            text_addf(t, "%s may not speak for \"%s\" (it must be the relayvm of that RemoteVM)",
                      q->source, q->requested_source);
        else
            text_addf(t, "\"%s\" is no domain that could call", q->source);
        break;
    case POLICY_REASON_NOT_DISPVM_TEMPLATE:
        text_addf(t, "%s is no template for disposables",
                  token_rest(span_of(v->target ? v->target : target)).data);
        break;
    case POLICY_REASON_NO_TARGET:
        text_addf(t, "the rule matches, but leaves no domain that could be called");
        break;
    case POLICY_REASON_NO_DISPVM: text_addf(t, "%s has no default_dispvm", source); break;
    case POLICY_REASON_AUTOSTART:
        text_addf(t, "%s %s, and the rule has autostart=no", v->target,
                  token_kind(span_of(v->target)) == TOKEN_DISPVM_NAME ? "would have to be started"
                                                                      : "is not running");
        break;
    case POLICY_REASON_LOOPBACK:
        text_addf(t, "source and target are the same domain, and none can call itself");
        break;
    case POLICY_REASON_NO_RELAY:
        text_addf(t, "the remote domain %s has no relayvm or no transport_rpc", v->target);
        break;
    case POLICY_REASON_USER: text_addf(t, "the user said no"); break;
    case POLICY_REASON_BAD_ANSWER:
        text_addf(t, "the prompt answered with something that was not offered");
        break;
    case POLICY_REASON_NO_GUIVM:
        text_addf(t, "the user would have to be asked, and %s has no guivm to ask in", source);
        break;
    case POLICY_REASON_REGEX_LIMIT:
        text_addf(t, "the rule's expression took too long for this argument");
        break;
    case POLICY_REASON_NEVER:
        text_addf(t,
                  "%s:%u says that this may never be, whatever a rule allows; if it may, change "
                  "that line first",
                  v->rule_file, v->rule_line);
        break;
    }
}
