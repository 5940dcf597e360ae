#ifndef OWNER_H
#define OWNER_H

/*
 * Which user is at the other end of a connection, as the kernel proves it.
 *
 * The user is the one that made the other end's socket; a later setuid(2) does
 * not change that. Where this process runs in a user namespace, users without
 * a number there all have the kernel's overflow number, 65534.
 */

#include "pa_sockdiag.h"

#include <sys/types.h>

enum owner_proof {
    OWNER_PROVED,
    OWNER_UNPROVED, /* the other end is gone, or the kernel does not show it */
};

struct owner {
    enum owner_proof proof;
    uid_t uid;      /* when proved */
    uint64_t inode; /* of the other end's TCP socket, when proved; 0 for AF_UNIX */
    pid_t pid;      /* AF_UNIX: the process, 0 in a PID namespace not seen from here; else 0 */
};

/*
 * The other end of the accepted TCP socket `fd`, which must be on this host
 * and in the network namespace of `diag` (peer_identify() tells the first).
 *
 * Proved means that while the kernel answered, a process had a socket with
 * exactly the addresses and ports of the other end, connected or shut down for
 * writing, and that `fd` was still connected afterwards: nobody else can have
 * had these addresses meanwhile. A client that has closed is unproved.
 *
 * Takes some 7 us and does not wait. `diag` is opened when it is not
 * open, and stays so. 0 with *owner filled in; or a negative errno when the
 * kernel cannot be asked (-EMFILE, -EBADMSG, ..., see pa_sockdiag.h).
 */
int owner_of_tcp(struct pa_sockdiag *diag, int fd, struct owner *owner);

/*
 * The other end of the accepted AF_UNIX socket `fd` (SO_PEERCRED): the
 * effective user that called connect(2), and its process. 0 with *owner proved, or -errno.
 */
int owner_of_unix(int fd, struct owner *owner);

#endif
