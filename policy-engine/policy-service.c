/* What the policy daemon and the one-shot program share: see policy-service.h. */
#include "policy-engine/policy-service.h"

#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"

#include <errno.h>

#define LOGGED_MOST 600 /* bytes of a service with its argument */

int policy_files_init(struct policy_files *f)
{
    int r = path_get(f->run_dir, "/run/qubes/policy.d");

    if (!r)
        r = path_get(f->etc_dir, "/etc/qubes/policy.d");
    return r ? r : path_get(f->legacy_dir, "/etc/qubes-rpc/policy");
}

/* /run's directory is there only once something was put into it. */
static struct policy_source source_of(const struct policy_files *f, const char **dirs)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n_dirs; i++)
        dirs[n++] = f->dirs[i];
    if (!n && access(f->run_dir, F_OK) == 0)
        dirs[n++] = f->run_dir;
    if (!f->n_dirs)
        dirs[n++] = f->etc_dir;
    dirs[n] = NULL;
    return (struct policy_source){.dirs = dirs, .legacy_dir = f->legacy_dir};
}

int policy_files_load(const struct policy_files *f, struct policy **ret, char **reterr)
{
    _cleanup_(policy_error_deinit) struct policy_error e = {0};
    const char *dirs[SERVICE_DIRS_MOST + 3];
    struct policy_source s = source_of(f, dirs);
    int r = policy_load(&s, ret, &e);

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
    struct policy_source s = source_of(f, dirs);

    return policy_list_watched(&s, ret);
}

static char *text_dup(struct wire_text t)
{
    return strndup(t.s ? t.s : "", t.s ? t.len : 0);
}

int policy_question_new(const struct policy_query *q, struct policy_question *ret)
{
    struct wire_text service = q->service, argument;

    argument = q->service;
    if (!wire_text_split(&argument, '+', &service)) {
        service = q->service;
        argument = wire_text("");
    }
    *ret = (struct policy_question){.assume_yes = q->assume_yes_for_ask,
                                    .just_evaluate = q->just_evaluate};
    ret->source = text_dup(q->source);
    ret->target = text_dup(q->target);
    ret->service = text_dup(service);
    ret->argument = format_new("+%.*s", WIRE_TEXT_ARGS(argument));
    ret->requested_source = text_dup(q->requested_source);
    if (ret->source && ret->target && ret->service && ret->argument && ret->requested_source)
        return 0;
    policy_question_deinit(ret);
    return -ENOMEM;
}

void policy_question_deinit(struct policy_question *q)
{
    free(q->source);
    free(q->target);
    free(q->service);
    free(q->argument);
    free(q->requested_source);
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
static void log_line(const struct policy_question *q, const char *what, const char *more)
{
    _cleanup_(freep) char *name = format_new("%s%s", q->service, q->argument);
    bool is_long = name && strlen(name) > LOGGED_MOST;

    log_info("qrexec: %.*s%s: %s -> %s: %s%s", LOGGED_MOST, name ? name : q->service,
             is_long ? "..." : "", q->source, *q->target ? q->target : "@default", what, more);
}

void policy_log_decision(const struct policy_question *q, const struct policy_verdict *v)
{
    if (v->action == POLICY_ALLOW)
        log_line(q, "allowed to ", v->target);
    else
        log_line(q, "denied: ", policy_reason_text(v->reason));
}

void policy_log_trouble(const struct policy_question *q, const char *what, const char *why)
{
    _cleanup_(freep) char *text = format_new("%s: %s", what, why ? why : "no memory");

    log_line(q, text ? text : what, "");
}
