#ifndef PA_TCL_SOCKET_H
#define PA_TCL_SOCKET_H

/*
 * Channels of Tcl over TCP sockets, which do what those of the command `socket`
 * do, in options and messages too.
 *
 * Tcl_MakeTcpClientChannel() would not: it knows no channel that listens, and
 * tells ::ffff:127.0.0.1 as the peer when an IPv4 client is accepted by a socket
 * that serves both families.
 */

#include "pa_tcl_compat.h"

/*
 * A new channel over a connection, blocking, its descriptor close-on-exec; the
 * channel owns it. In no interpreter yet.
 */
Tcl_Channel pa_tcl_socket_connected(int fd);

/*
 * A new channel over a socket that listens, which the channel owns. `closed` is
 * called with `data` when it has been closed, at the end of the process too.
 * Who waits for connections has a file handler of its own on the descriptor; it
 * is gone before `closed` is called.
 */
Tcl_Channel pa_tcl_socket_listening(int fd, void (*closed)(void *data), void *data);

#endif
