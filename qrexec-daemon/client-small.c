/*
 * qrexec-client in its small form: a call from dom0 to a VM over sockets, which is most of what it
 * is started for, without what runs services in dom0 or speaks to Xen. For the rest it becomes the
 * full program.
 */
#include "libqrexec/base/log.h"
#include "libqrexec/base/spawn.h"
#include "libqrexec/vchan/vchan.h"
#include "qrexec-daemon/client-call.h"

#define FULL "qrexec-client-full"

static int run(const struct client_options *o, char **argv)
{
    int r;

    if (!o->connects && !o->local && !client_target_is_dom0(o) && vchan_is_built_in())
        return client_call(o, client_own_streams, NULL);
    r = spawn_become(FULL, argv);
    log_error("%s, which this needs: %s", FULL, strerror(-r));
    return CLIENT_EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
    return client_main(argc, argv, run);
}
