#ifndef CTL_SOCKETS_H
#define CTL_SOCKETS_H

/*
 * Sockets of this host and the processes that have them, as far as the kernel
 * tells the user who calls: their ports and owners it tells everybody, their
 * processes root, and others of their own.
 */

#include "pa_process.h"
#include "pa_sockdiag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CTL_SOCKETS_USER_BYTES = 256, /* with the NUL; of a login name, cut there */
    CTL_SOCKETS_TIME_BYTES = 32,
};

struct ctl_socket {
    struct pa_sockdiag_socket socket;
    pid_t pid; /* 0: not known, or nobody's */
    uid_t uid; /* of the process, else who made the socket */
    char program[PA_PROCESS_NAME_BYTES];
};

struct ctl_sockets {
    struct ctl_socket *sockets; /* owned */
    size_t count;
};

#define CTL_SOCKETS_NULL                                                                       \
    {                                                                                          \
        .sockets = NULL                                                                        \
    }

/*
 * The sockets on a port: those of TCP that listen or are only bound, and of UDP;
 * connected ones if none listens. 0 or -errno, with *sockets empty.
 */
int ctl_sockets_on(struct ctl_sockets *sockets, uint16_t port);

/* All that listen, and those of UDP. 0 or -errno, with *sockets empty. */
int ctl_sockets_services(struct ctl_sockets *sockets);

void ctl_sockets_deinit(struct ctl_sockets *sockets);

/* What the socket does, in a word. The string is static. */
const char *ctl_socket_state(const struct pa_sockdiag_socket *socket);

/* A user's login name, or `uid:N`. */
void ctl_user_name(uid_t uid, char name[CTL_SOCKETS_USER_BYTES]);

/* The user of a process; (uid_t)-1: there is no such process. */
uid_t ctl_process_user(pid_t pid);

/* When a process began, in ISO 8601 with the time zone; "" if that is not known. */
void ctl_process_since(pid_t pid, char text[CTL_SOCKETS_TIME_BYTES]);

/*
 * Whether a socket that no call above shows is on the TCP port, so that it cannot be
 * bound without SO_REUSEADDR. 1: yes; 0: no; -errno: that could not be tried.
 */
int ctl_sockets_hidden(uint16_t port);

#endif
