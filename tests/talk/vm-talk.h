/*
 * Talks as tables: each row is a test of its own, with the real qrexec-agent, qrexec-fork-server
 * or qrexec-client-vm, and everybody else played by the row's script. A line is a step. What a
 * program sends must be what the script expects, byte for byte; at the end nothing may be left
 * that was not expected, and the agent or the fork server must still serve.
 *
 *   WHO > BYTES          says that (>? : who listens may be gone by now); BYTES: daemon-bytes.h
 *   WHO < BYTES          hears exactly that, next
 *   WHO end, half, has BYTES, all BYTES, quiet, close, shut     as in daemon-talk.h
 *   WHO skips N          hears N bytes, whatever they are
 *   WHO asks X BYTES     hears a trigger that is BYTES, but for the number in its ident, which ^X
 *                        is from now on; BYTES have the ident 'SOCKET'
 *   WHO listens PATH     WHO takes LISTENER     WHO dials PATH      (sockets by path)
 *   WHO poses PATH, WHO intrudes PATH    listens there, dials that as another user; only root can
 *   WHO tcp HOST [OTHER] listens there, ^P is the port from now on; OTHER has connected, and there
 *                        is no room for one more until that is taken
 *   cuts BYTES           the rest of the script is played once for each beginning of BYTES, which
 *   WHO says             then says
 *   WHO drips BYTES      says them, a byte a time
 *   quick MS             the rest of the script takes at most so long, at the best of 30 times
 *   log N TEXT           N times (or: some times) that is in a line of the log of this row
 *   journal TEXT         comes to stand in a stream of the journal
 *   file PATH BYTES, script PATH BYTES, link PATH TO, dir PATH, mode PATH OCTAL, remove PATH
 *   there PATH, gone PATH, holds PATH BYTES
 *
 * With the agent: the daemon is connected, with version 4.
 *   daemon back N        closes, and another of that version connects
 *   daemon mute          likewise, but only hears the agent's hello
 *   call WHO PORT LINE   the daemon says EXEC for that port of domain 0, WHO takes the connection,
 *                        and both say hello; just WHO PORT LINE: JUST_EXEC
 *   over PORT            the daemon hears that this is over
 *   result WHO CODE OUT | ERR    the call's whole output, in any chunks, and its end
 * With qrexec-client-vm:
 *   run WORD 'WORD' ...  with the agent's socket, which a row plays; in, out, err are its streams
 *   run sock ..., run tty ..., run bare ...    sock is for both ways; in is a terminal; no -a
 *   start PROGRAM WORD ...   any program of ours, with these words, the first its own name
 *   exit CODE            kill SIGNAL            env NAME=VALUE
 *
 * ^U is the user, ^D the world's directory; paths are below it.
 */
#ifndef QREXEC_TESTS_TALK_VM_TALK_H
#define QREXEC_TESTS_TALK_VM_TALK_H

#include "tests/talk/vm-world.h"

struct talk {
    const char *name;
    const char *script;
};

/* Rows of tables, and rows that a test's own loops make; name and script are kept. */
void talk_add(const char *name, const char *script);
void talk_add_all(const struct talk *rows, size_t n);
/* Runs them all: main()'s return. */
int talks_run(enum talk_program program);

#endif
