/* What the policy daemon and the one-shot program share: see policy-service.h. */
#include "policy-engine/policy-service.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "policy-engine/decision-record.h"
#include "policy-engine/kept-answers.h"

#include <errno.h>

#define LOGGED_MOST 600 /* bytes of a service with its argument */

int policy_files_init(struct policy_files *f)
{
    int r = path_get(f->run_dir, "/run/qubes/policy.d");

    if (!r)
        r = path_get(f->etc_dir, "/etc/qubes/policy.d");
    return r ? r : path_get(f->legacy_dir, "/etc/qubes-rpc/policy");
}

int policy_files_kept(const struct policy_files *f, char buf[static 4096])
{
    return format(buf, PATH_SIZE, "%s/%s", f->run_dir, KEPT_FILE);
}

/* /run's directory is there only once something was put into it. Kept answers are no rules here. */
static struct policy_source source_of(const struct policy_files *f, const char **dirs,
                                      struct policy_file *without)
{
    bool keeps = !f->n_dirs && without->path;
    size_t n = 0;

    for (size_t i = 0; i < f->n_dirs; i++)
        dirs[n++] = f->dirs[i];
    if (!n && access(f->run_dir, F_OK) == 0)
        dirs[n++] = f->run_dir;
    if (!f->n_dirs)
        dirs[n++] = f->etc_dir;
    dirs[n] = NULL;
    return (struct policy_source){.dirs = dirs,
                                  .legacy_dir = f->legacy_dir,
                                  .files = keeps ? without : NULL,
                                  .n_files = keeps ? 1 : 0};
}

/* Whether the never lines hold in every world; takes the policy where they do not. */
static int check_never(struct policy **p, char **reterr)
{
    struct policy_violation v = {0};
    int r = policy_check_never(*p, NULL, &v);

    if (r)
        policy_unrefp(p);
    if (r > 0)
        *reterr = take(v.text);
    else if (r)
        *reterr = format_new("its never lines cannot be checked: %s", strerror(-r));
    policy_violation_deinit(&v);
    return r;
}

int policy_files_load(const struct policy_files *f, struct policy **ret, char **reterr)
{
    _cleanup_(policy_error_deinit) struct policy_error e = {0};
    const char *dirs[SERVICE_DIRS_MOST + 3];
    char kept[PATH_SIZE];
    struct policy_file without = {.path = policy_files_kept(f, kept) ? NULL : kept};
    struct policy_source s = source_of(f, dirs, &without);
    struct policy *p = NULL;
    int r = policy_load(&s, &p, &e);

    if (!r) {
        r = check_never(&p, reterr);
        if (!r)
            *ret = p;
        return r;
    }
    if (r > 0)
        *reterr = e.line ? format_new("%s:%u: %s", e.file, e.line, e.text)
                         : format_new("%s: %s", e.file, e.text);
    else if (r)
        *reterr = format_new("it cannot be read: %s", strerror(-r));
    return r;
}

int policy_files_watched(const struct policy_files *f, char ***ret)
{
    const char *dirs[SERVICE_DIRS_MOST + 3];
    char kept[PATH_SIZE];
    struct policy_file without = {.path = policy_files_kept(f, kept) ? NULL : kept};
    struct policy_source s = source_of(f, dirs, &without);

    return policy_list_watched(&s, ret);
}

/* Puts a text with its NUL at *at, which moves behind it. */
static char *put_text(char **at, const char *before, struct wire_text t)
{
    char *start = *at;
    size_t n = strlen(before);

    memcpy(start, before, n);
    if (t.len)
        memcpy(start + n, t.s, t.len);
    start[n + t.len] = 0;
    *at += n + t.len + 1;
    return start;
}

int policy_question_new(const struct policy_query *q, struct policy_question *ret)
{
    struct wire_text service = q->service, argument = q->service;
    char *at;

    if (!wire_text_split(&argument, '+', &service)) {
        service = q->service;
        argument = wire_text("");
    }
    at = malloc(q->source.len + q->target.len + service.len + argument.len +
                q->requested_source.len + strlen("+") + 5);
    if (!at)
        return -ENOMEM;
    *ret = (struct policy_question){
        .assume_yes = q->assume_yes_for_ask, .just_evaluate = q->just_evaluate, .block = at};
    ret->source = put_text(&at, "", q->source);
    ret->target = put_text(&at, "", q->target);
    ret->service = put_text(&at, "", service);
    ret->argument = put_text(&at, "+", argument);
    ret->requested_source = put_text(&at, "", q->requested_source);
    return 0;
}

void policy_question_deinit(struct policy_question *q)
{
    free(q->block);
    *q = (struct policy_question){0};
}

struct policy_request policy_question_request(const struct policy_question *q)
{
    return (struct policy_request){.service = q->service,
                                   .argument = q->argument,
                                   .source = q->source,
                                   .target = q->target,
                                   .requested_source = q->requested_source,
                                   .just_evaluate = q->just_evaluate};
}

static bool is_dom0(const char *target)
{
    return str_equal(target, "dom0") || str_equal(target, "@adminvm") ||
           str_equal(target, "uuid:00000000-0000-0000-0000-000000000000");
}

const char *policy_assumed_choice(const struct policy_verdict *asked)
{
    const char *wanted = asked->requested_target ? asked->requested_target : "";

    if (is_dom0(wanted))
        wanted = "dom0";
    for (size_t i = 0; i < asked->n_choices; i++)
        if (str_equal(asked->choices[i], wanted))
            return asked->choices[i];
    return NULL;
}

void policy_settle(const struct policy_question *q, struct policy_verdict *v)
{
    const char *choice = q->assume_yes ? policy_assumed_choice(v) : NULL;

    if (v->action != POLICY_ASK || !q->just_evaluate)
        return;
    if (choice) {
        v->action = POLICY_ALLOW;
        v->target = choice;
    } else {
        policy_verdict_deny(v, POLICY_REASON_USER);
    }
}

static const struct policy_domain *domain_of(const struct policy_domains *d, const char *spelled)
{
    const char *prefix = "@dispvm:";

    return policy_domains_find(d, str_starts(spelled, prefix) ? spelled + strlen(prefix) : spelled);
}

/* A name that meant one domain when the user was asked and means another now. */
static bool is_another(const struct policy_domains *before, const struct policy_domains *now,
                       const char *spelled)
{
    const struct policy_domain *a = domain_of(before, spelled), *b = domain_of(now, spelled);

    if (!a || !b)
        return a != b;
    if (!a->uuid || !b->uuid)
        return a->uuid != b->uuid;
    return !str_equal(a->uuid, b->uuid);
}

int policy_recheck(const struct policy *p, const struct policy_domains *before,
                   const struct policy_domains *now, const struct policy_question *q,
                   const struct policy_verdict *asked, const char *chosen,
                   struct policy_verdict *ret)
{
    struct policy_request rq = policy_question_request(q);
    struct policy_verdict v = {0};
    int r;

    if (is_another(before, now, q->source) || is_another(before, now, asked->source) ||
        is_another(before, now, chosen))
        return RECHECK_E_ANOTHER;
    r = policy_decide(p, now, &rq, &v);
    if (r)
        return r;
    if (v.action == POLICY_ALLOW && !str_equal(v.target, chosen))
        policy_verdict_deny(&v, POLICY_REASON_BAD_ANSWER);
    *ret = v;
    return 0;
}

int policy_answer_text(const struct policy_domains *d, const struct policy_question *q,
                       const struct policy_verdict *v, char *buf, size_t size)
{
    struct wire_writer w = wire_writer(buf, size);
    struct policy_answer a = {.allow = v->action == POLICY_ALLOW};
    char uuid[128];

    if (a.allow) {
        a.autostart = v->autostart;
        a.user = wire_text(v->user);
        a.target = wire_text(v->target);
        a.requested_target = wire_text(v->requested_target);
        a.service = wire_text(v->service);
        a.policy_source = wire_text(v->policy_source);
        if (d && policy_target_uuid(d, v->target, uuid, sizeof(uuid)) == 0)
            a.target_uuid = wire_text(uuid);
    }
    return policy_text_write_answer(&w, &a, q->just_evaluate) ? -EMSGSIZE : (int)w.len;
}

/* A long argument does not push the verdict off the line. */
static void log_line(const char *service, const char *argument, const char *source,
                     const char *target, const char *what, const char *more)
{
    int n = (int)size_min(strlen(service), LOGGED_MOST);
    int m = (int)size_min(strlen(argument), (size_t)(LOGGED_MOST - n));

    log_info("qrexec: %.*s%.*s%s: %s -> %s: %s%s", n, service, m, argument,
             service[n] || argument[m] ? "..." : "", source, *target ? target : "@default", what,
             more);
}

static void log_question(const struct policy_question *q, const char *what, const char *more)
{
    log_line(q->service, q->argument, q->source, q->target, what, more);
}

const char *policy_denial_text(const struct policy_question *q, const struct policy_verdict *v)
{
    bool nobody = (q->just_evaluate && v->reason == POLICY_REASON_USER) ||
                  (q->assume_yes && v->reason == POLICY_REASON_BAD_ANSWER);

    if (v->action == POLICY_ALLOW)
        return NULL;
    return nobody ? "not-asked" : policy_reason_text(v->reason);
}

void policy_log_decision(const struct policy_question *q, const struct policy_verdict *v)
{
    if (v->action == POLICY_ALLOW)
        log_question(q, "allowed to ", v->target);
    else
        log_question(q, "denied: ", policy_denial_text(q, v));
}

void policy_log_trouble(const struct policy_question *q, const char *what, const char *why)
{
    _cleanup_(freep) char *text = format_new("%s: %s", what, why ? why : "no memory");

    log_question(q, text ? text : what, "");
}

void policy_log_record(const struct decision_record *d)
{
    _cleanup_(freep) char *trouble = d->detail ? format_new("%s: ", d->reason) : NULL;
    const char *what = d->final ? "allowed to " : trouble ? trouble : "denied: ";
    const char *more = d->final ? d->final : d->detail ? d->detail : d->reason;

    log_line(d->service ? d->service : "", d->argument ? d->argument : "", d->source,
             d->target ? d->target : "", what, more ? more : "");
}
