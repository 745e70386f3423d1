/*
 * A call is ended by the administrator.
 *
 * One that still waits is refused. One whose data flows is ended by who carries it: our VM's agent
 * is told, and a moment later dom0's end, by SIGUSR2, so that the VM's end can say why. What has
 * not ended after that is dropped with what we hold for it: dom0's end, the disposable. Of a call
 * between two VMs we hold nothing.
 */
#include "qrexec-daemon/see.h"

#include "libqrexec/base/log.h"

#include <signal.h>

static struct running_call *find_running(const struct daemon *d, const char *id)
{
    struct running_call *c = d->calls;

    while (c && !str_equal(c->id, id))
        c = c->next;
    return c;
}

static struct carried *find_carried(const struct daemon *d, const char *id)
{
    struct carried *c = d->carried;

    while (c && !str_equal(c->id, id))
        c = c->next;
    return c;
}

bool see_knows(const struct daemon *d, const char *id)
{
    return find_running(d, id) || find_carried(d, id);
}

static void tell_agent(struct daemon *d, uint32_t domain, uint32_t port)
{
    struct wire_ident ident = wire_stop_ident(domain, port);

    control_send_refused(d, &ident);
}

static enum see_end end_running(struct running_call *c)
{
    struct daemon *d = c->daemon;

    if (c->machine.state < CALL_RUNNING) {
        call_handle(&c->machine, CALL_EV_STOPPED, NULL);
        return SEE_END_DONE;
    }
    c->stopped = true;
    tell_agent(d, c->domain, c->port);
    return SEE_END_WAIT;
}

enum see_end see_end(struct daemon *d, const char *id)
{
    struct running_call *running = find_running(d, id);
    struct carried *carried = running ? NULL : find_carried(d, id);

    if (running || carried)
        log_warning("call %s: ended by the administrator", id);
    if (running)
        return end_running(running);
    if (!carried)
        return SEE_END_UNKNOWN;
    tell_agent(d, carried->domain, carried->port);
    return SEE_END_WAIT;
}

void see_end_dom0(struct daemon *d, const char *id)
{
    struct running_call *running = find_running(d, id);
    struct carried *carried = running ? NULL : find_carried(d, id);

    if (running && running->child)
        (void)kill(running->child, SIGUSR2);
    else if (running)
        clients_stop_call(d, running->domain, running->port);
    else if (carried && carried->incoming && carried->domain == 0)
        clients_stop_call(d, carried->domain, carried->port);
}

bool see_end_by_force(struct daemon *d, const char *id)
{
    struct running_call *c = find_running(d, id);

    if (!c)
        return !find_carried(d, id);
    call_handle(&c->machine, CALL_EV_STOPPED, NULL);
    return true;
}
