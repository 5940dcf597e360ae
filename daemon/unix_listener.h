#ifndef UNIX_LISTENER_H
#define UNIX_LISTENER_H

/*
 * The socket in the file system that clients of this host connect to.
 */

#include <stddef.h>
#include <sys/types.h>

enum {
    UNIX_LISTENER_E_REFUSED =
        1,                /* the folder, or what has the name, is not safe or in the way */
    UNIX_LISTENER_E_LIVE, /* somebody listens there: another manager */
    UNIX_LISTENER_PATH_BYTES = 108, /* with the NUL: sun_path, unix(7) */
};

/* A listening socket and its name. */
struct unix_listener {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
    char path[UNIX_LISTENER_PATH_BYTES]; /* "": an abstract name */
};

#define UNIX_LISTENER_NULL                                                                     \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/*
 * Makes a stream socket at an absolute path, mode 0666, and listens:
 * non-blocking, close-on-exec. The folder is made (0755) if only that is
 * missing; it must be one that files_replace() would trust. Of what may have
 * the name already, only a socket of root or of the effective user on which
 * nobody listens is replaced; symbolic links are not followed. Managers that
 * start at the same time take turns.
 *
 * 0; UNIX_LISTENER_E_REFUSED, UNIX_LISTENER_E_LIVE or a negative errno, after
 * which *listener is UNIX_LISTENER_NULL and error has one line that begins
 * with the path.
 */
int unix_listener_open(struct unix_listener *listener, const char *path, char *error,
                       size_t error_size);

/*
 * Likewise with a name that is in no folder (unix(7), "abstract"), which goes with
 * the socket's last descriptor, and which everybody may connect to. There is no folder to
 * trust: whoever is first has the name. UNIX_LISTENER_E_LIVE or a negative errno.
 */
int unix_listener_open_abstract(struct unix_listener *listener, const char *name, char *error,
                                size_t error_size);

/*
 * A descriptor of the same socket that is the caller's: for libuv, which closes
 * what it was given. Negative errno.
 */
int unix_listener_dup(const struct unix_listener *listener);

/*
 * Removes the name, if it still is this socket's, and then closes the socket:
 * as long as it is open no other manager replaces it. A listener that was not
 * opened is legal.
 */
void unix_listener_close(struct unix_listener *listener);

#endif
