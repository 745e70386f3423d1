/*
 * What the policy daemon and the one-shot program share: the policy as it stands now, the domains
 * as they are now, and answers in the words of the policy socket.
 */
#ifndef QREXEC_POLICY_SERVICE_H
#define QREXEC_POLICY_SERVICE_H

#include "libqrexec/base/util.h"
#include "libqrexec/wire/policy-text.h"
#include "policy-engine/lib/policy.h"

#define SERVICE_DIRS_MOST 8

struct policy_files {
    const char *dirs[SERVICE_DIRS_MOST + 1]; /* given by option; none: the default ones */
    size_t n_dirs;
    char run_dir[4096], etc_dir[4096], legacy_dir[4096];
};

/* The default places, where no option named others. 0 or -ENAMETOOLONG. */
int policy_files_init(struct policy_files *f);
/*
 * 0; else nonzero and *reterr says what is wrong: "FILE:LINE: TEXT", allocated, NULL: no memory.
 * POLICY_E_NEVER: it loads, but a request could violate one of its never lines [ext].
 */
int policy_files_load(const struct policy_files *f, struct policy **ret, char **reterr);
/* Of the default directories: the file of kept answers, which the policy is loaded without. */
int policy_files_kept(const struct policy_files *f, char buf[static 4096]);
/* What to watch: see policy_list_watched(). */
int policy_files_watched(const struct policy_files *f, char ***ret);

/* A query taken apart into C strings. */
struct policy_question {
    char *source, *target, *service, *argument, *requested_source;
    bool assume_yes, just_evaluate;
    char *block; /* allocated: where all of them lie; NULL: they are somebody else's */
};
int policy_question_new(const struct policy_query *q, struct policy_question *ret);
void policy_question_deinit(struct policy_question *q);
struct policy_request policy_question_request(const struct policy_question *q);

/* The choice of an ask that the requested target names, in whatever spelling of dom0; or NULL. */
const char *policy_assumed_choice(const struct policy_verdict *asked);
/* An ask of which only the verdict is wanted becomes allow or deny, in place. */
void policy_settle(const struct policy_question *q, struct policy_verdict *v);

/*
 * After the user's yes: the verdict on the same question as of now. What the user was asked about
 * must still be so: names mean the domains that they meant before; the policy still asks and offers
 * the choice, or allows just that by now. 0 and an ask for policy_answer_ask(), or a verdict that
 * stands; RECHECK_E_ANOTHER; -ENOMEM.
 */
#define RECHECK_E_ANOTHER    1
#define RECHECK_ANOTHER_TEXT "a domain is not the one that the user was asked about"
int policy_recheck(const struct policy *p, const struct policy_domains *before,
                   const struct policy_domains *now, const struct policy_question *q,
                   const struct policy_verdict *asked, const char *chosen,
                   struct policy_verdict *ret);

/* The answer's text into buf; its length, or -EMSGSIZE. */
int policy_answer_text(const struct policy_domains *d, const struct policy_question *q,
                       const struct policy_verdict *v, char *buf, size_t size);

/* Why it is denied, in a word: "not-asked" where a rule asks and the question was such that nobody
 * is asked. NULL for an allow. */
const char *policy_denial_text(const struct policy_question *q, const struct policy_verdict *v);

/* One line for the log: "qrexec: SERVICE+ARG: SOURCE -> TARGET: allowed to FINAL". */
void policy_log_decision(const struct policy_question *q, const struct policy_verdict *v);
/* The same, ending in "WHAT: WHY". */
#define LOG_POLICY      "error loading policy"
#define LOG_SYSTEM_INFO "error getting system info"
struct decision_record;
/* The same of a record. */
void policy_log_record(const struct decision_record *d);
void policy_log_trouble(const struct policy_question *q, const char *what, const char *why);

#endif
