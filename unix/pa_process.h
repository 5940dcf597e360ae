#ifndef PA_PROCESS_H
#define PA_PROCESS_H

/*
 * Which process has a socket, as /proc tells.
 *
 * Only what the caller may look into is seen: for root every process, for
 * others their own. Of a process whose threads have descriptors of their own
 * (unshare(2) with CLONE_FILES), those of the first thread are looked at.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PA_PROCESS_NAME_BYTES = 64 }; /* with the NUL */

/* A socket that is looked for. */
struct pa_process_socket {
    uint64_t inode; /* as in /proc/PID/fd; 0 is nobody's */
    pid_t pid;      /* of the process that has it; 0: none was found */
    /* Its program's name (/proc/PID/comm): bytes of its own choice. */
    char name[PA_PROCESS_NAME_BYTES];
};

/*
 * Fills in `pid` and `name` of all `count` sockets, in one pass over /proc. Of
 * several processes that have the same socket the one with the lowest pid is
 * named; the caller itself only when there is no other. Processes that end
 * meanwhile or may not be looked into are passed over.
 *
 * 0, or -errno when /proc could not be read to its end, with what had been found
 * until then: -ENOMEM, -EMFILE, -ENFILE, or -ENOENT where there is no /proc.
 */
int pa_process_find(struct pa_process_socket *sockets, size_t count);

#endif
