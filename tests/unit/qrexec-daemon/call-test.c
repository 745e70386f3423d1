/* The call machine: every state × event, and what its end leaves. */
#include "tests/unit/test.h"

#include "qrexec-daemon/call.h"

static struct {
    char log[512];
    int fail; /* what the next starting op returns */
    bool over, failed;
} seen;

static int note(const char *what)
{
    size_t n = strlen(seen.log);

    snprintf(seen.log + n, sizeof(seen.log) - n, "%s ", what);
    return seen.fail;
}

#define STARTS(name)                                                                               \
    static int name(struct call *c)                                                                \
    {                                                                                              \
        (void)c;                                                                                   \
        return note(#name);                                                                        \
    }
#define DROPS(name)                                                                                \
    static void name(struct call *c)                                                               \
    {                                                                                              \
        (void)c;                                                                                   \
        note(#name);                                                                               \
    }
STARTS(ask_policy)
STARTS(ask_program)
STARTS(make_disposable)
STARTS(start_target)
STARTS(ask_port)
STARTS(run_in_dom0)
STARTS(connect_caller)
DROPS(refuse_caller)
DROPS(hang_up)
DROPS(drop_policy)
DROPS(drop_target)
DROPS(drop_lease)
DROPS(drop_child)

static void entered(struct call *c, uint64_t ms)
{
    (void)c;
    (void)ms;
}

static void ended(struct call *c, bool failed)
{
    (void)c;
    assert_false(seen.over); /* one end */
    seen.over = true;
    seen.failed = failed;
}

static const struct call_ops ops = {
    ask_policy,  ask_program,    make_disposable, start_target, ask_port,
    run_in_dom0, connect_caller, refuse_caller,   hang_up,      drop_policy,
    drop_target, drop_lease,     drop_child,      entered,      ended,
};

static void begin(struct call *c)
{
    memset(&seen, 0, sizeof(seen));
    call_begin(c, &ops, true);
}

/* A call to that target that has come as far as the state. */
static void bring(struct call *c, enum call_target target, enum call_state state)
{
    begin(c);
    c->target = target;
    c->autostart = true;
    if (state == CALL_DECIDING)
        return;
    call_handle(c, CALL_EV_ALLOWED, NULL);
    if (target == CALL_TO_VM && state == CALL_MAKING)
        call_handle(c, CALL_EV_NO_DAEMON, NULL);
    if (target == CALL_TO_DISPOSABLE && state != CALL_MAKING)
        call_handle(c, CALL_EV_MADE, NULL);
    if (state >= CALL_RUNNING)
        call_handle(c, target == CALL_TO_DOM0 ? CALL_EV_CLAIMED : CALL_EV_PORT, NULL);
    if (state == CALL_ENDING)
        call_handle(c, CALL_EV_TARGET_GONE, NULL);
    assert_int_equal(c->state, state);
    assert_false(seen.over);
    seen.log[0] = 0;
}

static void a_denied_call_is_refused_once(void **state)
{
    struct call c;

    (void)state;
    begin(&c);
    call_handle(&c, CALL_EV_DENIED, NULL);
    assert_true(seen.over);
    assert_false(seen.failed);
    assert_string_equal(seen.log,
                        "ask_policy refuse_caller drop_policy drop_target drop_child drop_lease ");
}

static void a_disposable_is_made_asked_connected_and_dropped_last(void **state)
{
    struct call c;

    (void)state;
    bring(&c, CALL_TO_DISPOSABLE, CALL_RUNNING);
    call_handle(&c, CALL_EV_TARGET_GONE, NULL);
    assert_false(seen.over); /* the caller reads its exit code first */
    call_handle(&c, CALL_EV_CALLER_DONE, NULL);
    assert_true(seen.over);
    assert_string_equal(seen.log, "drop_target drop_policy drop_target drop_child drop_lease ");
}

static void a_caller_that_goes_away_ends_its_disposable(void **state)
{
    struct call c;

    (void)state;
    bring(&c, CALL_TO_DISPOSABLE, CALL_RUNNING);
    call_handle(&c, CALL_EV_CALLER_DONE, NULL);
    assert_true(seen.over);
    assert_non_null(strstr(seen.log, "drop_lease"));
    assert_null(strstr(seen.log, "refuse_caller"));
}

static void a_call_to_a_vm_is_over_when_the_caller_is_told(void **state)
{
    struct call c;

    (void)state;
    bring(&c, CALL_TO_VM, CALL_ASKING_PORT);
    call_handle(&c, CALL_EV_PORT, NULL);
    assert_true(seen.over);
    assert_null(strstr(seen.log, "refuse_caller"));
}

static void a_halted_vm_is_started_once(void **state)
{
    struct call c;

    (void)state;
    bring(&c, CALL_TO_VM, CALL_MAKING);
    call_handle(&c, CALL_EV_MADE, NULL);
    call_handle(&c, CALL_EV_NO_DAEMON, NULL);
    assert_true(seen.over);
    assert_true(seen.failed);
    assert_null(strstr(seen.log, "start_target"));
}

static void autostart_no_starts_nothing(void **state)
{
    struct call c;

    (void)state;
    begin(&c);
    c.target = CALL_TO_DISPOSABLE;
    call_handle(&c, CALL_EV_ALLOWED, NULL);
    assert_true(seen.over);
    assert_null(strstr(seen.log, "make_disposable"));
    begin(&c);
    c.target = CALL_TO_VM;
    call_handle(&c, CALL_EV_ALLOWED, NULL);
    call_handle(&c, CALL_EV_NO_DAEMON, NULL);
    assert_true(seen.over);
    assert_null(strstr(seen.log, "start_target"));
}

static void without_a_verdict_the_program_is_asked_once(void **state)
{
    struct call c;

    (void)state;
    begin(&c);
    call_handle(&c, CALL_EV_NO_VERDICT, NULL);
    assert_non_null(strstr(seen.log, "ask_program"));
    assert_false(seen.over);
    call_handle(&c, CALL_EV_NO_VERDICT, NULL);
    assert_true(seen.over);
    assert_true(seen.failed);
}

static void a_requested_source_is_not_for_the_program(void **state)
{
    struct call c;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    call_begin(&c, &ops, false);
    call_handle(&c, CALL_EV_NO_VERDICT, NULL);
    assert_true(seen.over);
    assert_null(strstr(seen.log, "ask_program"));
}

static void an_effect_that_does_not_start_ends_the_call(void **state)
{
    static const enum call_target targets[] = {CALL_TO_DOM0, CALL_TO_VM, CALL_TO_DISPOSABLE};
    struct call c;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        begin(&c);
        c.target = targets[i];
        c.autostart = true;
        seen.fail = -EMFILE;
        call_handle(&c, CALL_EV_ALLOWED, NULL);
        assert_true(seen.over);
        assert_true(seen.failed);
        assert_non_null(strstr(seen.log, "refuse_caller"));
        assert_string_equal(c.why, strerror(EMFILE));
    }
}

/* Whatever comes in whatever state: at most one end, the caller answered by then, the lease
 * dropped. */
static void every_state_takes_every_event(void **state)
{
    static const enum call_target targets[] = {CALL_TO_DOM0, CALL_TO_VM, CALL_TO_DISPOSABLE};
    static const bool reachable[3][CALL_STATES] = {
        {true, false, false, true, true, false},
        {true, true, true, false, false, false},
        {true, true, true, false, true, true},
    };
    struct call c;
    int ends = 0;

    (void)state;
    for (size_t t = 0; t < 3; t++)
        for (int s = 0; s < CALL_STATES; s++)
            for (int ev = 0; reachable[t][s] && ev < CALL_EVENTS; ev++) {
                bring(&c, targets[t], (enum call_state)s);
                call_handle(&c, (enum call_event)ev, "detail");
                ends += seen.over;
                if (!seen.over)
                    continue;
                assert_true(c.answered);
                assert_non_null(strstr(seen.log, "drop_lease"));
            }
    assert_true(ends > 40);
}

static void the_agents_end_ends_a_call_in_every_state(void **state)
{
    struct call c;

    (void)state;
    for (int s = 0; s < CALL_STATES; s++) {
        bring(&c, s == CALL_CONNECTING ? CALL_TO_DOM0 : CALL_TO_DISPOSABLE, (enum call_state)s);
        call_handle(&c, CALL_EV_AGENT_GONE, NULL);
        assert_true(seen.over);
    }
}

static void a_pending_request_can_be_claimed_once(void **state)
{
    struct call c;

    (void)state;
    for (int s = 0; s < CALL_STATES; s++) {
        bring(&c, s == CALL_CONNECTING ? CALL_TO_DOM0 : CALL_TO_DISPOSABLE, (enum call_state)s);
        assert_int_equal(call_is_claimable(&c), s == CALL_DECIDING || s == CALL_CONNECTING);
    }
    for (int s = CALL_DECIDING; s <= CALL_CONNECTING; s += CALL_CONNECTING - CALL_DECIDING) {
        bring(&c, CALL_TO_DOM0, (enum call_state)s);
        call_handle(&c, CALL_EV_CLAIMED, NULL);
        assert_false(call_is_claimable(&c));
        assert_int_equal(c.state, CALL_RUNNING);
        assert_non_null(strstr(seen.log, "drop_policy"));
        call_handle(&c, CALL_EV_CLIENT_GONE, NULL);
        assert_false(seen.over); /* its caller reads the exit code */
        call_handle(&c, CALL_EV_CALLER_DONE, NULL);
        assert_true(seen.over);
        assert_null(strstr(seen.log, "refuse_caller"));
        assert_null(strstr(seen.log, "hang_up"));
    }
}

static void only_who_waits_for_dom0_is_hung_up_on(void **state)
{
    struct call c;

    (void)state;
    for (int ev = CALL_EV_CLIENT_GONE; ev <= CALL_EV_CHILD_ENDED; ev++) {
        bring(&c, CALL_TO_DOM0, CALL_RUNNING);
        call_handle(&c, (enum call_event)ev, NULL);
        call_handle(&c, CALL_EV_DEADLINE, NULL);
        assert_true(seen.over);
        assert_non_null(strstr(seen.log, "hang_up"));
    }
    bring(&c, CALL_TO_DISPOSABLE, CALL_ENDING);
    call_handle(&c, CALL_EV_DEADLINE, NULL);
    assert_true(seen.over);
    assert_null(strstr(seen.log, "hang_up"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_denied_call_is_refused_once),
        cmocka_unit_test(a_disposable_is_made_asked_connected_and_dropped_last),
        cmocka_unit_test(a_caller_that_goes_away_ends_its_disposable),
        cmocka_unit_test(a_call_to_a_vm_is_over_when_the_caller_is_told),
        cmocka_unit_test(a_halted_vm_is_started_once),
        cmocka_unit_test(autostart_no_starts_nothing),
        cmocka_unit_test(without_a_verdict_the_program_is_asked_once),
        cmocka_unit_test(a_requested_source_is_not_for_the_program),
        cmocka_unit_test(an_effect_that_does_not_start_ends_the_call),
        cmocka_unit_test(every_state_takes_every_event),
        cmocka_unit_test(the_agents_end_ends_a_call_in_every_state),
        cmocka_unit_test(a_pending_request_can_be_claimed_once),
        cmocka_unit_test(only_who_waits_for_dom0_is_hung_up_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
