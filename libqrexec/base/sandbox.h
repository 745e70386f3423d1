/*
 * What a process gives up after its start. doc/privileges.md says, per process, what is kept.
 */
#ifndef QREXEC_BASE_SANDBOX_H
#define QREXEC_BASE_SANDBOX_H

#include "libqrexec/base/util.h"

enum sandbox_kind {
    SANDBOX_SERVER,   /* starts nothing: no exec, no fork */
    SANDBOX_LAUNCHER, /* starts programs of ours, which then drop in their turn */
};

/*
 * No new privileges (but for a launcher, whose children may need PAM's), not dumpable, and a
 * seccomp filter that refuses with EPERM what no process of ours needs: ptrace, mounts, modules,
 * keyrings, bpf, perf, raw I/O, reboot, swap, clock setting. 0 or negative errno.
 */
int sandbox_enter(enum sandbox_kind kind);

/*
 * The filter for a domain that shares our kernel, for bubblewrap's --seccomp: refuses with EPERM
 * keyrings and socket families that know no namespace, typing into a terminal (TIOCSTI,
 * TIOCLINUX), and what no program in a domain needs of the kernel. 0 and *ret, a descriptor at its
 * start, close-on-exec.
 */
int sandbox_filter_domain(int *ret);

#endif
