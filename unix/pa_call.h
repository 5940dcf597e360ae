#ifndef PA_CALL_H
#define PA_CALL_H

/*
 * Blocking calls to a port manager, each with a deadline: pa_client over
 * pa_socket. The Tcl face and the tools use nothing else.
 *
 * A pa_call is a client of one manager. It connects when it first needs to.
 * While it holds ports its connection stays open and is used again; otherwise
 * each call makes a connection of its own and closes it. The descriptor is
 * close-on-exec. Not thread-safe: one thread at a time.
 *
 * A connection that holds ports is never given up: when an answer on it did
 * not come in time or could not be understood, it is set aside, still open,
 * and the calls to come use a new one. A port that is granted too late stays
 * with its connection until that ends.
 *
 * A process that forks shares the connection with its child. It ends when both
 * have closed it; freeing the handle in one of them does not disturb the other.
 *
 * Calls return 0; a positive enum pa_error with *why filled in; never anything
 * else (out of memory is PA_E_CLIENT_MEMORY).
 */

#include "pa_failure.h"
#include "pa_listing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PA_CALL_DEFAULT_PORT = 30000,
    PA_CALL_DEFAULT_TIMEOUT_MS = 5000,
};

struct pa_call;

/*
 * A client of the manager on `host` (name, IPv4 or IPv6 text; NULL or "" is
 * localhost), TCP port `port` (0: what the port file says when the call
 * connects, else PA_CALL_DEFAULT_PORT). Does not connect. NULL: no memory.
 */
struct pa_call *pa_call_new(const char *host, int port);

/* Closes the connection, which frees the ports it held, and the handle. NULL is legal; returns
 * NULL. */
struct pa_call *pa_call_free(struct pa_call *call);

/* Changes the manager of the calls to come; a connection that holds ports stays as it is, any
 * other is closed. 0 or PA_E_CLIENT_MEMORY. */
int pa_call_set_server(struct pa_call *call, const char *host, int port,
                       struct pa_failure *why);

/*
 * Opens a connection and keeps it for the calls to come, ports or not; 0 when
 * it is open already. `timeout_ms` bounds look-up, connect and all.
 */
int pa_call_open(struct pa_call *call, int timeout_ms, struct pa_failure *why);

/* Closes what is open and kept: the ports it held are free. */
void pa_call_close(struct pa_call *call);

/* Whether a connection is open and kept. Does not ask the manager. */
bool pa_call_is_open(const struct pa_call *call);

/* How many ports the handle holds, on whichever connection. */
size_t pa_call_held(const struct pa_call *call);

/* The host and the port of the last connection made; "" and 0 before. */
const char *pa_call_host(const struct pa_call *call);
int pa_call_port(const struct pa_call *call);

/*
 * Asks for the ports in use. On 0 *listing is filled (deinit it); otherwise it
 * is empty. If the kept connection turns out dead it is replaced once; when it
 * held ports, that call reports PA_E_PORTS_LOST once, and the next one asks
 * the manager anew.
 */
int pa_call_list(struct pa_call *call, int timeout_ms, struct pa_listing *listing,
                 struct pa_failure *why);

/*
 * Asks for a port for application `name` of `user` (UTF-8, not empty). On 0
 * *port is the caller's for as long as the kept connection lives.
 */
int pa_call_allocate(struct pa_call *call, const char *name, const char *user, int timeout_ms,
                     uint16_t *port, struct pa_failure *why);

/*
 * The name the manager knows this process's user by: the login name of the
 * effective user, or `uid:N` where it has none. Copies at most `size` bytes
 * with the NUL into `user`.
 */
void pa_call_user(char *user, size_t size);

/*
 * The port that the port file names: DAQPORTMGR_PORTFILE if that is set, else
 * /var/tmp/daqportmgr/listen.port, else /var/tmp/daqportmanager/listen.port.
 * A file is believed only when root or the caller owns both it and its folder,
 * not everybody may write to it, it is no symbolic link, and it holds a number
 * from 1 to 65535 on its first line. 0: none.
 */
int pa_call_port_from_file(void);

#endif
