/*
 * Vchans for tests, in place of libqrexec/vchan/: the test is the peer.
 *
 * A vchan is made by whoever listens or connects; the test finds the newest with stage_vchan(),
 * lets its peer appear, gives it bytes, takes what it wrote, and closes. It takes no more bytes
 * than it has room for. Like a real one it tells once that something changed.
 */
#ifndef QREXEC_TESTS_STAGE_VCHAN_H
#define QREXEC_TESTS_STAGE_VCHAN_H

#include "libqrexec/base/buf.h"
#include "libqrexec/vchan/vchan.h"

#define STAGE_RING 65536

/* The newest that is still there, or NULL. */
struct vchan *stage_vchan(void);
size_t stage_vchans(void);
void stage_vchan_appear(struct vchan *v);
void stage_vchan_put(struct vchan *v, const void *data, size_t n);
/* What was written and not taken yet; consume it. */
struct buf *stage_vchan_written(struct vchan *v);
/* How many bytes may wait there. */
void stage_vchan_room(struct vchan *v, size_t n);
void stage_vchan_close(struct vchan *v);

/* That domain dies; it is told to who follows it. New connections to it fail. */
void stage_domain_dies(uint32_t domain);
void stage_vchan_reset(void);
/* The next vchan_connect() or vchan_listen() fails with that errno (positive). */
void stage_vchan_fail(int error);

#endif
