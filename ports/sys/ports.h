#ifndef SYS_PORTS_H
#define SYS_PORTS_H

/*
 * Ports IPC: named, bounded, blocking queues of messages between processes.
 *
 * A port holds up to `count` messages, each a long, first in first out. Any
 * process of its namespace may send and receive: one user's processes, or those
 * that share the folder PORTS_DIR names. A port outlives the processes that use
 * it and ends with pdelete() or the machine. Killing or stopping a process at
 * any instruction harms none of the others; see ports(7).
 *
 * Every function may be called from any thread, and none from a signal handler.
 * Unless stated otherwise a function returns -1 with errno set when it fails,
 * and leaves errno alone when it does not. Common to all that take a port id:
 *
 *   EINVAL  no port has this id (any more)
 *   EACCES  the namespace or the port is not for this user
 *   EIO     the port's memory is damaged, or not a port's
 *   ENOMEM, EMFILE, ENFILE  the port could not be mapped
 *
 * The first eight functions are those of the GNO manual page ports(2); the
 * others are extensions. Manual pages: ports(3), ports(7).
 */

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PORTS_COUNT_MAX (1 << 20) /* messages a port can be made for */
#define PORTS_NAME_MAX  32        /* bytes of a name that count */

/* A new port for up to `count` messages, 1 to PORTS_COUNT_MAX, without a name.
 * Returns its id, 1 to 2^31-1. EINVAL: count; ENOMEM: no room for it in the
 * memory file system; EACCES: the namespace belongs to somebody else or is open to all. */
int pcreate(int count);

/* Gives the port a name, of which the first 32 bytes count; any byte may be in
 * it and "" is a name. 0, or EEXIST: a port has this name; EISCONN: this port
 * has a name; EINVAL: also for NULL. */
int pbind(int portid, const char *name);

/* The id of the port of this name. ENOENT: there is none; EINVAL: NULL. */
int pgetport(const char *name);

/* Sends, blocking while `count` messages wait. 0, or EIDRM: the port was deleted
 * meanwhile; ECANCELED: it was reset meanwhile; EINTR: a signal handler without
 * SA_RESTART ran meanwhile. The message was not sent then. */
int psend(int portid, long msg);

/* Receives the message sent first, blocking while there is none. Errors as for
 * psend(). A message -1 is told from an error by errno, which is 0 then; or use
 * preceive_r(). */
long preceive(int portid);

/* How many messages wait, 0 to count. Blocked senders do not count. */
int pgetcount(int portid);

/* Empties the port: `dispose` (NULL: none) is given each message that was there
 * at entry, first in first out, with nothing locked; what it returns is ignored.
 * The port and its name live on; who was blocked on it gets ECANCELED. */
int preset(int portid, int (*dispose)(long));

/* Ends the port. Who is blocked on it gets EIDRM, its name is free, and each
 * message left is given to `dispose` as by preset(). */
int pdelete(int portid, int (*dispose)(long));

/* ----------------------------------------------------------- extensions -- */

/* As preceive(), with the message in *msg: 0 or -1. */
int preceive_r(int portid, long *msg);

/* Without blocking: EAGAIN when the port is full, or empty. */
int ptrysend(int portid, long msg);
int ptryreceive(int portid, long *msg);

/* Blocking until `deadline` of CLOCK_MONOTONIC at most, then ETIMEDOUT. Tries
 * once even when the deadline has passed. Any signal handler ends them with
 * EINTR. EINVAL: also for a deadline whose nanoseconds are not below 10^9. */
int ptimedsend(int portid, long msg, const struct timespec *deadline);
int ptimedreceive(int portid, long *msg, const struct timespec *deadline);

/* Batches, waking the other side once. psendv() blocks until all `n` messages
 * are sent and returns n; one that is disturbed after some returns how many
 * were sent. preceivev() blocks until there is a message, then takes up to `n`
 * at once and returns how many. EINVAL: also for n = 0. */
ssize_t psendv(int portid, const long *msgs, size_t n);
ssize_t preceivev(int portid, long *msgs, size_t n);

/* The same without blocking: EAGAIN when not even one could be sent or received. */
ssize_t ptrysendv(int portid, const long *msgs, size_t n);
ssize_t ptryreceivev(int portid, long *msgs, size_t n);

/*
 * A descriptor for poll(2), select(2), epoll(7), libuv, Tcl: readable once a
 * message may be there to receive, or the port was deleted. Then call
 * ptryreceive() until it fails with EAGAIN, which makes the descriptor quiet
 * again; never read from it. The caller owns it and closes it. A child process
 * asks for one of its own. ENOSPC: too many processes poll this port.
 */
int pgetfd(int portid);

/* What pstat() tells. */
struct portstat {
    int id;
    int capacity;          /* messages, as given to pcreate() */
    int count;             /* messages waiting */
    int blocked_senders;   /* threads asleep in psend() and its kin, up to 128 with */
    int blocked_receivers; /* those asleep in preceive() and its kin */
    int named;             /* 1: it has a name */
    char name[PORTS_NAME_MAX + 1];
    mode_t mode; /* permission bits */
    uid_t uid;   /* owner */
    gid_t gid;
    pid_t creator;           /* process that made it; may be gone */
    struct timespec created; /* CLOCK_REALTIME */
};

/* Fills *status; blocks nobody. */
int pstat(int portid, struct portstat *status);

/* The lowest id above `portid` that a port has; 0 begins. ENOENT: no further one. In a walk
 * from 0 on, ports made meanwhile may be left out. */
int pnext(int portid);

/*
 * The port of this name, or a new one made with the name in one step. `flags` is
 * 0 or O_EXCL from <fcntl.h>: EEXIST when there is one. `mode` gives its
 * permissions, less the umask; it matters in a folder that users share. The
 * count of a port that exists stays what it is.
 */
int pcreate_named(int count, const char *name, int flags, mode_t mode);

#ifdef __cplusplus
}
#endif

#endif
