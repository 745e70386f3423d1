/*
 * The policy without its R4.0 rules, and the places in it where lines may go.
 *
 * It is loaded with a marker rule in place of each !compat-4.0, and one at the top of each file
 * that lines may go to. Every question about "between" and "behind" is asked of that list of rules.
 */
#ifndef QREXEC_POLICY_CONVERT_FRAME_H
#define QREXEC_POLICY_CONVERT_FRAME_H

#include "libqrexec/base/buf.h"
#include "policy-engine/lib/policy.h"

#define CONVERT_CONTENT_MAX (16U << 20)
#define CONVERT_TARGETS     8

/* Names of files that lines may go to; the first is for any service. */
extern const char *const convert_targets[CONVERT_TARGETS];

/* A file that is to change, or may. */
struct convert_source_file {
    char *path;
    char *content; /* NULL: no such file */
    size_t len;
    bool compat; /* has !compat-4.0 lines */
    int target;  /* place in convert_targets[], or -1 */
};

struct convert_frame {
    const struct policy_source *source;
    struct convert_source_file *files;
    size_t n_files;
    struct policy *policy;
    size_t compat;                 /* the first !compat-4.0; SIZE_MAX: there is none */
    size_t place[CONVERT_TARGETS]; /* SIZE_MAX: that file is not read, or twice */
};

/* 0 or negative errno; convert_frame_deinit() is due then, too. */
int convert_frame_make(struct convert_frame *f, const struct policy_source *source);
void convert_frame_deinit(struct convert_frame *f);

/* No rule that could meet one of this service lies between the two places. */
bool convert_frame_is_free(const struct convert_frame *f, const char *service, size_t a, size_t b);

/* Every file that the policy reads if it has no !compat-4.0; free with policy_strv_free(). */
int convert_frame_list_files(const struct convert_frame *f, char ***ret);

/* Appends the text with `lines` before each !compat-4.0, which stays or goes. */
int convert_insert(struct buf *to, const char *text, size_t n, const void *lines, size_t n_lines,
                   bool stay);

#endif
