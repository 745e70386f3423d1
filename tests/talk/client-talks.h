/* What the tables of talks with qrexec-client share: the words of its peers. */
#ifndef QREXEC_TESTS_TALK_CLIENT_TALKS_H
#define QREXEC_TESTS_TALK_CLIENT_TALKS_H

#include "tests/talk/daemon-talk.h"

#define WORK          "daemon listens /run/qubes/qrexec.work\n"
#define CLIENT(words) "run client " words "\n"
/* The daemon of "work", number 1, gives port 513. */
#define SERVES(command)                                                                            \
    "d takes daemon\nd > HELLO(3)\nd < HELLO(3) EXEC(0 0 '" command "'z)\nd > EXEC(1 513)\n"
#define SERVES_JUST_EXEC(command)                                                                  \
    "d takes daemon\nd > HELLO(3)\nd < HELLO(3) JUST_EXEC(0 0 '" command "'z)\n"                   \
    "d > JUST_EXEC(1 513)\n"
#define VM_DIALS "vm dials /run/vchan/vchan.0.1.513.sock\n"
#define VM       VM_DIALS "vm > HELLO(4)\nvm < HELLO(4)\n"
/* A call of work's u:x that is connected; its stdin is ours. */
#define CALL WORK CLIENT("'-d'z 'work'z 'u:x'z") SERVES("u:x") VM
/* Its stdin has ended. */
#define CALL_EOF CALL "in close\nvm < STDIN()\n"

#endif
