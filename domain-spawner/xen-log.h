/*
 * What libxl has to say, as log lines of ours; and its errors kept, since they are why something
 * failed, and libxl's return codes do not tell that.
 */
#ifndef QREXEC_SPAWNER_XEN_LOG_H
#define QREXEC_SPAWNER_XEN_LOG_H

#include "domain-spawner/backend.h"

#include <xentoollog.h>

struct xen_log {
    xentoollog_logger logger; /* first: it is what libxl's messages come with */
    char errors[DOMAIN_TEXT_SIZE / 2];
};

void xen_log_init(struct xen_log *log);

/*
 * The message without what only libxl's authors need: the place in its source, the domain's
 * number. Points into text.
 */
const char *xen_log_plain(const char *text);

#endif
