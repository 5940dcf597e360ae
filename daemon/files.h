/* files.h - small state files: where they go, and how they change at one blow. */
#ifndef FILES_H
#define FILES_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    FILES_E_REFUSED = 1, /* the directory is not safe: another user could meddle there */
    FILES_E_OTHER,       /* files_remove_if(): nothing there, or something else */
    FILES_E_HOME,        /* files_default(): the path is the one in the home directory */
    FILES_E_NOWHERE,     /* files_default(): neither place may be written */
};

/* The files that have a default place. */
enum files_kind {
    FILES_PORT,  /* /var/tmp/daqportmgr/listen.port, ~/listen.port */
    FILES_PID,   /* /var/run/nscldaq/daqportmgr.pid, ~/daqportmgr.pid */
    FILES_USAGE, /* /var/tmp/daqportmgr/ports.txt, ~/ports.txt */
    FILES_LOG,   /* /var/log/nscldaq/portmanager.log, ~/portmanager.log */
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
 * (HOME, or the password file's). A place is taken when a file could really be
 * created and replaced there; trying leaves no file behind.
 *
 * root is put in front of the system's directories: "" but in tests.
 *
 * Returns 0 with the system's path; FILES_E_HOME with the path in the home
 * directory, and why says why not the other; FILES_E_NOWHERE with an empty path,
 * and why says why neither.
 */
int files_default(enum files_kind kind, const char *root, char path[PATH_MAX], char *why,
                  size_t why_size);

#endif
