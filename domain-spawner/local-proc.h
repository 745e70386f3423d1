/* A local domain's processes as the host sees them: all descendants of its init. */
#ifndef QREXEC_SPAWNER_LOCAL_PROC_H
#define QREXEC_SPAWNER_LOCAL_PROC_H

#include "domain-spawner/backend.h"

#include <sys/types.h>

/* Memory and processor time of all of them. */
int proc_stats(pid_t init, struct domain_stats *ret);
/* Sends each of them SIGSTOP or SIGCONT, until none is left out. */
int proc_stop(pid_t init, bool stop);

#endif
