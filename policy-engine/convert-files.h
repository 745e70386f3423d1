/*
 * Carrying a conversion out, and taking it back.
 *
 * Nothing is overwritten: a file that changes is kept as NAME.bak (or .bak.1 …), an R4.0 file
 * becomes NAME.rpmsave (or NAME.1.rpmsave …, which !compat-4.0 passes over as well).
 */
#ifndef QREXEC_POLICY_CONVERT_FILES_H
#define QREXEC_POLICY_CONVERT_FILES_H

#include "policy-engine/convert.h"

struct convert_done {
    char **kept;  /* of each edit done: where the old content is; NULL: the file is new */
    char **saved; /* of each R4.0 file, in the plan's order: its new name; NULL: not renamed */
    size_t n_edits;
};

/* 0; else all is as it was before, as far as that could be done, and the user was told. */
int convert_carry_out(const struct convert_plan *plan, struct convert_done *ret);
/* Puts everything back. 0; else the user was told what could not be put back. */
int convert_take_back(const struct convert_plan *plan, const struct convert_done *done);
void convert_done_deinit(const struct convert_plan *plan, struct convert_done *done);

#endif
