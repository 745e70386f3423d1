/*
 * The id of a call [ext]: the label by which each log names it, "NAME-START.NUMBER".
 *
 * It is told without a word of any protocol: the socket that connects to the policy service, or to
 * the target's daemon, is bound to the abstract address "\0qrexec-call/ID/policy" (or "/target")
 * before, as sd-bus does, and who accepts the connection sees it there. A peer that does not look
 * never notices. Whoever may connect may claim any id, so it is a label, and nothing is decided by
 * it.
 */
#ifndef QREXEC_BASE_CALL_ID_H
#define QREXEC_BASE_CALL_ID_H

#include "libqrexec/base/util.h"

#define CALL_ID_SIZE 64 /* with its NUL */

enum call_id_to { CALL_ID_POLICY, CALL_ID_TARGET };

/* Letters, digits, '.', '_' and '-'; not empty, not too long. */
bool call_id_is_valid(const char *id);
/*
 * start: of whoever makes it, milliseconds since 1970, so that ids are not used twice after a
 * restart. What an id may not hold becomes '_' in the name; one that is too long is cut.
 */
void call_id_make(char ret[static CALL_ID_SIZE], const char *name, uint64_t start, uint64_t number);
/* Now, for call_id_make(). */
uint64_t call_id_clock(void);

/* unix_connect() that tells the id. Where the address is taken, or id is "", without one. */
int call_id_connect(const char *path, const char *id, enum call_id_to to, int *ret);
/* The next connection, close-on-exec and non-blocking, or negative errno. ret_id "": it has none.
 */
int call_id_accept(int listener, enum call_id_to to, char ret_id[static CALL_ID_SIZE]);

#endif
