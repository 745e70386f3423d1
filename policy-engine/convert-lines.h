/* One service's R4.0 rules as lines of today: which of them are needed, and in what words. */
#ifndef QREXEC_POLICY_CONVERT_LINES_H
#define QREXEC_POLICY_CONVERT_LINES_H

#include "libqrexec/base/buf.h"
#include "policy-engine/lib/policy.h"

struct convert_rule {
    struct policy_rule_view view;
    bool left_out;
};

/* Does every request of a service and argument that b names fall to a as well? */
bool convert_covers(const struct policy_rule_view *a, const struct policy_rule_view *b);

/* Marks what is not needed. rest: the rules of the policy behind the place, in order. */
void convert_leave_out(struct convert_rule *rules, size_t n, const struct policy_rule_view *rest,
                       size_t n_rest);

/* The configuration tools' file for these rules: "50-config-….policy"; NULL: there is none. */
const char *convert_tools_file(const struct convert_rule *rules, size_t n);

/* Appends a line for each rule that is not left out; their number, or negative errno. */
int convert_print(struct buf *b, const struct convert_rule *rules, size_t n);

#endif
