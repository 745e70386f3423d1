/* qvm-start, qvm-shutdown, qvm-kill, qvm-pause, qvm-unpause: one shape, told apart by a table. */
#ifndef QREXEC_COMMANDS_POWER_H
#define QREXEC_COMMANDS_POWER_H

enum power_verb { POWER_START, POWER_SHUTDOWN, POWER_KILL, POWER_PAUSE, POWER_UNPAUSE };

int power_main(enum power_verb verb, int argc, char **argv);

#endif
