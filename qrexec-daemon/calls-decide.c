/*
 * Deciding: the policy service, the policy program, and what their answer means.
 */
#include "qrexec-daemon/running-call.h"

#include "libqrexec/base/paths.h"
#include "libqrexec/wire/command.h"
#include "libqrexec/wire/policy-text.h"

#include <errno.h>

#define DISPOSABLE "@dispvm:"

/* Where to: a name that may stand in a path and in a request. */
static bool take_target(struct running_call *c, const struct policy_answer *a)
{
    struct wire_text target = a->target;
    bool uuid = a->target_uuid.s && a->target_uuid.len && !wire_text_is_dom0(a->target);

    if (uuid)
        target = a->target_uuid;
    c->machine.autostart = a->autostart;
    c->machine.target = wire_text_is_dom0(target)              ? CALL_TO_DOM0
                        : wire_text_starts(target, DISPOSABLE) ? CALL_TO_DISPOSABLE
                                                               : CALL_TO_VM;
    if (c->machine.target == CALL_TO_DISPOSABLE) {
        target.s += strlen(DISPOSABLE);
        target.len -= strlen(DISPOSABLE);
    }
    c->by_uuid = uuid;
    if (uuid && wire_text_allowed(WIRE_CHARS_NAME, a->target))
        carried_text(c->target_name, sizeof(c->target_name), a->target);
    return target.len > 0 && target.s[0] != '.' && wire_text_allowed(WIRE_CHARS_NAME, target) &&
           wire_text_copy(target, c->target, sizeof(c->target));
}

static int make_command(struct running_call *c, const struct policy_answer *a)
{
    struct wire_text service = a->service.s && a->service.len ? a->service : wire_text(c->service);
    struct wire_text source =
        a->policy_source.s && a->policy_source.len ? a->policy_source : wire_text(c->daemon->name);
    size_t size = service.len + source.len + a->user.len + a->requested_target.len + 64;
    char *text = calloc(1, size);
    struct wire_writer w = wire_writer(text, text ? size - 1 : 0);
    int e = c->machine.target == CALL_TO_DOM0
                ? command_write_dom0(&w, service, source, a->requested_target)
                : command_write_vm(&w, a->user, service, source);

    if (e) {
        free(text);
        return text ? e : -ENOMEM;
    }
    free(c->command);
    c->command = text;
    return 0;
}

static bool names_own_domain(const struct running_call *c)
{
    const struct daemon *d = c->daemon;

    return c->machine.target == CALL_TO_VM &&
           (str_equal(c->target, d->name) ||
            (str_starts(c->target, "uuid:") && str_equal(c->target + strlen("uuid:"), d->uuid)));
}

/* The whole answer, of the service or the program. */
static void take_answer(struct running_call *c, const void *data, size_t n)
{
    struct policy_answer a;
    int e = policy_text_read_answer(data, n, &a);

    if (!e && a.allow && !take_target(c, &a))
        e = WIRE_E_VALUE;
    if (!e && a.allow)
        e = make_command(c, &a);
    if (e)
        call_handle(&c->machine, CALL_EV_NO_VERDICT, e > 0 ? wire_error_text(e) : strerror(-e));
    else if (a.allow && names_own_domain(c))
        call_handle(&c->machine, CALL_EV_DENIED, "a domain cannot call itself");
    else
        call_handle(&c->machine, a.allow ? CALL_EV_ALLOWED : CALL_EV_DENIED, NULL);
}

static void on_policy(struct stream *s, int status)
{
    struct running_call *c = container_of(s, struct running_call, policy);

    if (status < 0) {
        /* what we lack ourselves, the program would lack too */
        if (status == -EMFILE || status == -ENFILE || status == -ENOMEM)
            c->machine.program_may_decide = false;
        call_handle(&c->machine, CALL_EV_NO_VERDICT, strerror(-status));
    } else if (status == STREAM_END) {
        if (buf_len(&s->in))
            program_not_needed(&c->daemon->program);
        take_answer(c, buf_data(&s->in), buf_len(&s->in));
    }
}

int decide_ask_policy(struct call *m)
{
    struct running_call *c = running_call_of(m);
    struct policy_query q = {.source = wire_text(c->daemon->name),
                             .target = wire_text(c->request.target),
                             .service = wire_text(c->service)};
    static char text[POLICY_REQUEST_MAX];
    struct wire_writer w = wire_writer(text, sizeof(text));
    char path[PATH_SIZE];
    int r = path_get(path, "/run/qubes/policy.sock");

    if (c->says_source)
        q.requested_source = wire_text(c->request.source);
    if (!r && policy_text_write_query(&w, &q))
        r = -EINVAL;
    return r ? r
             : stream_open(&c->policy, path, w.data, w.len, true, POLICY_ANSWER_MAX + 1, on_policy);
}

static void on_program(struct program_request *rq, const void *answer, size_t n, int error)
{
    struct running_call *c = container_of(rq, struct running_call, program);

    c->program_asked = false;
    if (error == -EREMOTEIO)
        call_handle(&c->machine, CALL_EV_NO_VERDICT, "the policy program failed");
    else if (error)
        call_handle(&c->machine, CALL_EV_NO_VERDICT, strerror(-error));
    else
        take_answer(c, answer, n);
}

int decide_ask_program(struct call *m)
{
    struct running_call *c = running_call_of(m);
    int r;

    c->program = (struct program_request){.source = c->daemon->name,
                                          .target = c->request.target,
                                          .service = c->service,
                                          .fn = on_program};
    r = program_ask(&c->daemon->program, &c->program, m->why);
    c->program_asked = r == 0;
    return r;
}

void decide_drop(struct call *m)
{
    struct running_call *c = running_call_of(m);

    stream_close(&c->policy);
    if (c->program_asked)
        program_cancel(&c->daemon->program, &c->program);
    c->program_asked = false;
}
