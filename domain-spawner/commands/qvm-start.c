/* qvm-start: see power.h. */
#include "domain-spawner/commands/power.h"

int main(int argc, char **argv)
{
    return power_main(POWER_START, argc, argv);
}
