#ifndef NSPACE_H
#define NSPACE_H

/*
 * The namespace: a folder that holds a user's ports.
 *
 *   ID          a port's memory; ID is its number in decimal
 *   nHEX        a symbolic link to the ID that has this name, in hexadecimal
 *   ID.bN       a FIFO, the bell N of the port (bell.h)
 *   ids         the counter of ids; also what is locked to change names
 *
 * The folder is /dev/shm/ports-EUID, made with mode 0700 and used only as
 * that: a folder of another owner, one that is open to others, or a symbolic
 * link is refused. PORTS_DIR names another one, which may belong to root too
 * and may be open to a group; only one that everyone may write to is refused.
 * Which folder it is, is settled at the first use in a process.
 *
 * All functions return 0 or more, or a negative errno.
 */

#include "segment.h"

#include <sys/stat.h>

/* A descriptor of the folder, which stays the module's; -EACCES: not to be trusted. */
int nspace_folder(void);

/* Around fork(), so that a child never finds the module locked. */
void nspace_before_fork(void);
void nspace_after_fork(void);

/* A new id: no port of this namespace had it in the last 2^31 - 1 creations. */
int nspace_next_id(void);

/* A new file of `bytes` bytes of zeros, all of them reserved, that has no name yet. Its mode is
 * *mode less the umask; with NULL, that of the folder. The descriptor, or -ENOMEM, ... */
int nspace_make(size_t bytes, const mode_t *mode);

/* Publishes what nspace_make() made as port `id`. -EEXIST: the id is in use. */
int nspace_publish(int fd, int id);

/* Opens the port's file for reading and writing. -EINVAL: there is no such port. */
int nspace_open(int id, int *fd, struct stat *status);

/* Has the port a file? */
bool nspace_exists(int id);

/* Removes the file of a port. */
void nspace_remove(int id);

/* The id that a name is linked to, dead or alive; -ENOENT. */
int nspace_resolve(const char *name);

/* Links a name to an id; -EEXIST. */
int nspace_link(const char *name, int id);
void nspace_unlink(const char *name);

/* The lock on names and deletions: a descriptor for nspace_unlock(). The kernel frees it when
 * its holder dies. */
int nspace_lock(void);
/* The same without waiting: -EWOULDBLOCK. */
int nspace_try_lock(void);
void nspace_unlock(int lock);

/* The lowest id above `id` that had a file when the folder was last read, which is now with
 * `reread`. -ENOENT: there is none. So a walk does not read the folder at every step. */
int nspace_above(int id, bool reread);

/* Under the lock: removes links and FIFOs of ports that have no file. */
void nspace_sweep(void);

/* FIFOs, for bell.h. */
int nspace_make_fifo(int id, unsigned number, mode_t mode);
int nspace_open_fifo(int id, unsigned number);
/* Opens it for writing alone: -ENXIO when nobody reads from it. */
int nspace_probe_fifo(int id, unsigned number);
void nspace_remove_fifo(int id, unsigned number);

#endif
