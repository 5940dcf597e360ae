/*
 * Which user is at the other end of a connection.
 *
 * The happy path: the addresses of the own socket, exchanged, name the other
 * end; the kernel shows that socket, connected and in the hands of a process;
 * the own socket is connected still.
 *
 * What would prove the wrong user, and is no proof:
 * - A client that has closed: its socket, FIN_WAIT2 or TIME_WAIT, belongs to no
 *   process; it has no inode, and reads as root's.
 * - A listener on the client's port, which the kernel shows when the client's
 *   socket is gone altogether (pa_sockdiag).
 * - Another process that uses the client's port again, and tries to connect: it
 *   does not get beyond SYN_SENT while the own socket is connected.
 * - One that has got further: then the own socket has been reset by it.
 */

#include "owner.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Whether another end of this state can be that of a socket that is connected. */
static bool is_connected_end(const struct pa_sockdiag_socket *socket)
{
    return socket->inode != 0 && (socket->state == PA_SOCKDIAG_STATE_CONNECTED ||
                                  socket->state == PA_SOCKDIAG_STATE_SHUT ||
                                  socket->state == PA_SOCKDIAG_STATE_SHUT_AND_SEEN);
}

static bool is_connected(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT);
}

int owner_of_tcp(struct pa_sockdiag *diag, int fd, struct owner *owner)
{
    struct sockaddr_storage here;
    struct sockaddr_storage there;
    socklen_t here_size = sizeof here;
    socklen_t there_size = sizeof there;
    struct pa_sockdiag_socket found;
    *owner = (struct owner){.proof = OWNER_UNPROVED};
    if (getsockname(fd, (struct sockaddr *)&here, &here_size) < 0)
        return -errno;
    if (getpeername(fd, (struct sockaddr *)&there, &there_size) < 0)
        return errno == ENOTCONN ? 0 : -errno;
    struct pa_sockdiag_end end = {.own = &there, .other = &here};
    int r = pa_sockdiag_of_connection(diag, &end, &found);
    if (r == 1 && is_connected_end(&found) && is_connected(fd))
        *owner = (struct owner){.proof = OWNER_PROVED, .uid = found.uid, .inode = found.inode};
    return r < 0 ? r : 0;
}

int owner_of_unix(int fd, struct owner *owner)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    *owner = (struct owner){.proof = OWNER_UNPROVED};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    *owner = (struct owner){.proof = OWNER_PROVED, .uid = peer.uid, .pid = peer.pid};
    return 0;
}
