/* files.h - small state files: where they go, and how they change at one blow. */
#ifndef FILES_H
#define FILES_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    FILES_E_REFUSED = 1, /* the directory is not safe: another user could meddle there */
    FILES_E_OTHER,       /* files_remove_if(): nothing there, or something else */
    FILES_E_HOME,        /* files_default(): the path is the one for the user */
    FILES_E_NOWHERE,     /* files_default(): neither place may be written */
};

/* The files that have a default place. */
enum files_kind {
    FILES_PORT,  /* /var/tmp/daqportmgr/listen.port, ~/listen.port */
    FILES_PID,   /* /var/run/nscldaq/daqportmgr.pid, ~/daqportmgr.pid */
    FILES_USAGE, /* /var/tmp/daqportmgr/ports.txt, ~/ports.txt */
    FILES_LOG,   /* /var/log/nscldaq/portmanager.log, ~/portmanager.log */
    /* The socket: /run/daqportmgr/socket, $XDG_RUNTIME_DIR/daqportmgr/socket. */
    FILES_SOCKET,
};

/*
 * Gives the file at path this content: a reader sees all of the old bytes or all
 * of the new ones. What is at path is replaced, even a symbolic link; a directory
 * is not. The file gets the given mode whatever the umask is. Nothing is synced:
 * these files describe a running process and mean nothing after a power cut.
 *
 * The directory must belong to root or to the effective user, and others may
 * write to it only under a sticky bit; a symbolic link that stands for the
 * directory must belong to one of the two as well.
 *
 * Returns 0, FILES_E_REFUSED or a negative errno; error then has one line that
 * begins with the path. No temporary file is left in any case.
 */
int files_replace(const char *path, const void *bytes, size_t size, mode_t mode, char *error,
                  size_t error_size);

/*
 * Removes the file at path if it is a regular file of the effective user with
 * exactly these bytes in it: one's own file, not the one a successor has put there.
 *
 * Returns 0 when it was removed, FILES_E_OTHER, FILES_E_REFUSED (the directory,
 * as for files_replace()) or a negative errno.
 */
int files_remove_if(const char *path, const void *bytes, size_t size);

/*
 * Chooses the default place of a file: the system's directory, whose last
 * component is made (mode 0755) if only that is missing; else the home directory
 * (HOME, or the password file's), or for the socket a directory below
 * XDG_RUNTIME_DIR, made in the same way. A place is taken when a file could
 * really be created and replaced there; trying leaves no file behind.
 *
 * root is put in front of the system's directories: "" but in tests.
 *
 * Returns 0 with the system's path; FILES_E_HOME with the path in the other
 * directory, and why says why not the first; FILES_E_NOWHERE with an empty path,
 * and why says why neither.
 */
int files_default(enum files_kind kind, const char *root, char path[PATH_MAX], char *why,
                  size_t why_size);

/*
 * Opens the directory that path is in, if files_replace() would trust it, and
 * points *name at the rest of path. 0 with a descriptor in *fd, which is the
 * caller's; or FILES_E_REFUSED or a negative errno with a line in error, as
 * there.
 */
int files_open_parent(const char *path, int *fd, const char **name, char *error,
                      size_t error_size);

/*
 * Makes the directory that path is in, mode 0755 whatever the umask is, if only
 * that is missing and files_replace() would trust the one it is made in. Returns
 * as files_open_parent(); 0 if it is there.
 */
int files_make_parent(const char *path, char *error, size_t error_size);

enum { FILES_PORT_BYTES = 16 + PATH_MAX };

/*
 * Writes what the port file says: the TCP port on the first line, the socket's
 * path, if that is not "", on the second. Returns the size without the NUL.
 */
size_t files_port_text(char text[FILES_PORT_BYTES], int port, const char *socket);

#endif
