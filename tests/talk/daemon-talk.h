/*
 * Talks as tables: each row is a test of its own, with the real qrexec-daemon or qrexec-client, and
 * everybody else played by the row's script. A line is a step; nothing is left out of the check:
 * what a program sends must be what the script expects, byte for byte, and at the end nothing may
 * be left that was not expected.
 *
 *   WHO > BYTES          says that (>? : who listens may be gone by now)
 *   WHO < BYTES          hears exactly that, next
 *   WHO end              hears the end of the stream, next
 *   WHO half             the same, and what we say there still matters
 *   WHO has 'TEXT'       hears the rest until the end, which has that in it
 *   WHO all BYTES        hears the rest until the end, which is exactly that
 *   WHO quiet            hears nothing, for a while
 *   WHO ignored          what comes there is not checked
 *   WHO close            closes; WHO shut: only for writing
 *   WHO listens PATH     WHO takes LISTENER     WHO dials PATH
 *   WHO joins [PATH]     dials the daemon, hellos and all
 *   agent back N         the daemon connects again; the agent says hello N
 *   agent hello N        the same on its connection; agent is N: that has been said
 *   policy says BYTES    takes the next request whatever it is, and answers it
 *   WHO dies BYTES       for each beginning of BYTES: WHO takes, says it and closes. For "agent"
 *                        by the control channel, for others by the daemon's socket
 *   probe                the daemon still serves its agent, and had told it nothing else
 *   fds                  the daemon has as many descriptors as at the last such line
 *   there PATH, gone PATH, link PATH TO, file PATH BYTES, script PATH BYTES, holds PATH BYTES,
 *   mentions PATH 'TEXT'
 *   endpeer WHO          ends the program in the background that has that connection
 *   env NAME=VALUE       run PROGRAM 'WORD' ...     exit CODE     kill SIGNAL
 *   mode OCTAL PATH
 *   remove PATH          dir PATH                  later MS: where only time passing is the point
 *
 * run: PROGRAM is daemon or client; "$/" in a word, or "=$" at its end, is the root. Its streams
 * are in, out and err, or sock for the first two ("run PROGRAM sock ..."); "run PROGRAM full ..."
 * has a full disk as stdout. Listeners that are there already: control, the agent's, and policy.
 * Paths are below the root.
 */
#ifndef QREXEC_TESTS_TALK_DAEMON_TALK_H
#define QREXEC_TESTS_TALK_DAEMON_TALK_H

#include "tests/talk/daemon-bytes.h"

#define TALK_MUTE 100 /* the daemon has connected, its agent said nothing yet */
#define TALK_NONE 101 /* the script starts what it needs */

struct talk {
    const char *name;
    uint32_t agent; /* the version that it said hello with, or one of these */
    const char *script;
};

#define TALKS_MOST 400

/* Rows of tables, and rows that a test's own loops make; name and script are kept. */
void talk_add(const char *name, uint32_t agent, const char *script);
void talk_add_all(const struct talk *talks, size_t n);
/* Runs them all, then these: main()'s return. */
int talks_run(void);

#define DENY "result=deny~"

#endif
