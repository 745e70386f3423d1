/*
 * Which arguments to try: those that the rules name, one that none names, and for ~REGEX [ext] some
 * that it matches.
 *
 * Without regexes this is exact: an argument is one of the named, or like any other. What a regex
 * matches is only tried, by texts made from its pattern and the usual ones; that is an
 * approximation.
 */
#ifndef QREXEC_POLICY_ARGUMENT_H
#define QREXEC_POLICY_ARGUMENT_H

#include "policy-engine/lib/common.h"

#define ARGUMENTS_MAX  48
#define ARGUMENT_BYTES 64

struct arguments {
    char text[ARGUMENTS_MAX][ARGUMENT_BYTES]; /* with the + */
    size_t n;
};

/* What a request's argument must be; each of several columns narrows it. */
struct argument_need {
    const char *literal; /* "+ARG", or NULL: any */
    const char *pattern; /* of a regex, without "~", or NULL */
    bool none;           /* no argument meets them all */
};
/* A column: "*", "+ARG" or "~REGEX"; NULL: any. */
void argument_require(struct argument_need *need, const char *column);

/* Texts that the pattern may match; whether it does, its regex knows. */
void arguments_sample(struct arguments *a, const char *pattern);
void arguments_add(struct arguments *a, const char *text);

#endif
