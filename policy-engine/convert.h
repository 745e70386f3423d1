/*
 * Converting R4.0 files: which lines of today mean the same, and where they must stand.
 *
 * The plan changes no verdict, whatever domains there will be:
 * - A service's lines keep their order among themselves, and stand where no rule of that service
 *   lies between their new place and the first !compat-4.0: at the top of a file that the
 *   configuration tools know, if they are simple enough for those, else at the top of
 *   30-user.policy, else right before each !compat-4.0 (which may stay: what it reads is gone).
 * - A line is left out only if a line of its service before it decides all that it could, or if it
 *   is a deny and nothing but denies stands between it and one that denies all that it did.
 * So each single step of carrying it out (a file written, an old file renamed, last one first)
 * changes no verdict either.
 */
#ifndef QREXEC_POLICY_CONVERT_H
#define QREXEC_POLICY_CONVERT_H

#include "policy-engine/lib/policy.h"

struct convert_edit {
    char *path;
    char *before; /* NULL: there is no such file yet */
    size_t before_len;
    char *after;
    size_t after_len, added; /* lines */
};

struct convert_plan {
    struct convert_edit *edits;
    size_t n_edits;
    char **old; /* R4.0 files that are not needed any more, in order of evaluation; NULL-ended */
    size_t n_rules; /* of the R4.0 files, as loaded */
    size_t n_left_out;
    bool live; /* a !compat-4.0 was found; else the R4.0 files are no policy */
};

/* The policy loads. 0 or negative errno. */
int convert_plan_make(const struct policy_source *source, struct convert_plan *ret);
void convert_plan_deinit(struct convert_plan *plan);

/* The source as it is once the plan is carried out. *ret_files is allocated, and used by *ret. */
int convert_plan_preview(const struct convert_plan *plan, const struct policy_source *source,
                         struct policy_file **ret_files, struct policy_source *ret);

#endif
