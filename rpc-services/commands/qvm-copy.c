/* qvm-copy, qvm-move, qvm-copy-to-vm, qvm-move-to-vm in a domain. */
#include "rpc-services/call.h"
#include "rpc-services/copy-command.h"

int main(int argc, char **argv)
{
    static const struct copy_side side = {.may_choose = true, .usage_code = 1, .start = call_start};

    return copy_command(argc, argv, &side);
}
