/*
 * The walls of a local domain: bubblewrap's arguments, and the files of its own /etc.
 *
 * A domain sees the host's /usr (read-only), a few files of the host's /etc that hold no secret
 * and no identity, the instance's VM side at /usr/local, and what is made for it. Nothing else of
 * the host's files, processes, network, IPC or keys.
 */
#ifndef QREXEC_SPAWNER_LOCAL_SANDBOX_H
#define QREXEC_SPAWNER_LOCAL_SANDBOX_H

#include "domain-spawner/backend.h"

/* Where the domain's own things lie on the host, as bubblewrap can reach them. */
struct sandbox_paths {
    const char *vm;    /* ROOT/usr/lib/qubes/vm, becomes /usr/local */
    const char *home;  /* /home/user */
    const char *vchan; /* /run/vchan */
    const char *own;   /* made by sandbox_write_files(): etc/…, domain/… */
};

/* Descriptors of bubblewrap. */
enum sandbox_fd {
    SANDBOX_FD_LEASH = 0, /* the init's stdin: a byte lets it go on, its end ends the domain */
    SANDBOX_FD_INFO = 3,  /* bubblewrap tells the init's pid */
    SANDBOX_FD_UP = 4,    /* the init says there, by a byte, that all walls stand */
    SANDBOX_FD_ARGS = 5,  /* the arguments, so that they are not in the domain's /proc */
    SANDBOX_FD_SECCOMP = 6,
    SANDBOX_N_FDS = 7,
};

/*
 * bubblewrap's options, each ended by a NUL, for --args. The command is not in it. 0 and *ret (the
 * caller frees), *ret_len; -ENOMEM.
 */
int sandbox_options(const struct domain_spec *spec, uint32_t domid,
                    const struct sandbox_paths *paths, char **ret, size_t *ret_len);

/* Writes passwd, group, hosts … and the properties for /run/qubes-domain below dir. */
int sandbox_write_files(const struct domain_spec *spec, const char *dir);

/* What bubblewrap runs in the domain. */
#define SANDBOX_INIT "/usr/local/lib/qubes/qrexec-domain-init"

#endif
