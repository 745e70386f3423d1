/*
 * The end of a peer that has half-closed: its socket stays readable (end of file) until then, so
 * that waiting for it to be readable would spin.
 */
#ifndef QREXEC_BASE_HANGUP_H
#define QREXEC_BASE_HANGUP_H

/*
 * A descriptor that becomes readable once fd's peer is gone altogether, and not at its half-close;
 * close it when done. It must be closed before fd. 0 or negative errno.
 */
int hangup_fd(int fd, int *ret);

#endif
