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
 * Calls that need protocol 2 say HELLO together with their first request. A
 * manager that knows no HELLO is asked in protocol 1 on a new connection, where
 * that can do what is wanted; else the call fails with PA_E_TOO_OLD. That the
 * manager of a host and port is an old one is remembered in the process for
 * ten minutes. HELLO is never said on a connection that holds ports, since an
 * old manager would end it.
 *
 * Where the host is this one (localhost, 127.0.0.1 or ::1), no port was given
 * and the port file names a socket in the file system that root or the caller
 * listens on, the connection is to that; else it is TCP.
 *
 * A process that forks shares the connection with its child. It ends when both
 * have closed it; freeing the handle in one of them does not disturb the other.
 *
 * Calls return 0; a positive enum pa_error with *why filled in; never anything
 * else (out of memory is PA_E_CLIENT_MEMORY).
 */

#include "pa_failure.h"
#include "pa_keys.h"
#include "pa_listing.h"
#include "pa_wire2.h"

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

/* The manager of the calls to come, as pa_call_new() has it: its host, and its port in *port.
 */
const char *pa_call_server(const struct pa_call *call, int *port);

/* Where the calls to come connect to, for a person: "HOST port N", cut where there is no room.
 */
void pa_call_place(const struct pa_call *call, char *text, size_t size);

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
 * Whether pa_call_allocate() asks the manager to hold the port until it is
 * released, so that nobody else gets it before the service listens, which then
 * has to set SO_REUSEADDR. Off at first. Asks in protocol 2 if on; a manager
 * that is old or does not hold ports is asked for a port that is not held.
 */
void pa_call_set_hold(struct pa_call *call, bool hold);

/* Whether that is to be asked for: it is on, and not known to be in vain. */
bool pa_call_may_hold(const struct pa_call *call);

/* ----------------------------------------------------------- protocol 2 -- */

/* What was allocated. */
struct pa_call_grant {
    uint16_t port;           /* the lowest of them */
    uint32_t count;          /* ports in a row */
    bool held;               /* by the manager */
    bool joined;             /* with `unique`: another has it, nothing was allocated */
    const char *name;        /* as listed, with its suffix; in protocol 1 as asked for */
    const char *user;        /* as recorded; in protocol 1 as asked for */
    struct pa_answer answer; /* what those two point into; */
    char *asked;             /* or this */
};

#define PA_CALL_GRANT_NULL                                                                     \
    {                                                                                          \
        .port = 0                                                                              \
    }

/* Frees what the grant owns; the ports stay allocated. */
void pa_call_grant_deinit(struct pa_call_grant *grant);

/*
 * Asks for ports for application `name`. *keys begins as PA_KEYS_INIT and has
 * set what ALLOCATE takes: port, count, unique, hold, exact, wait_ms,
 * attributes, user (NULL: as the manager knows the caller). wait_ms is added to
 * the time that the answer may take.
 *
 * 0 with *grant filled in, which is to be deinitialised then and only then; the
 * ports are the caller's for as long as the kept connection lives or until
 * pa_call_release(). Keys that are as in PA_KEYS_INIT, `user` and `hold` aside,
 * work with every manager; hold == PA_HOLD_YES fails with PA_E_TOO_OLD there as
 * the others do.
 */
int pa_call_allocate_keys(struct pa_call *call, const char *name, const struct pa_keys *keys,
                          int timeout_ms, struct pa_call_grant *grant, struct pa_failure *why);

/*
 * Asks for a port and a socket that listens on it: *keys has set what LISTEN
 * takes, address, backlog, port, exact, wait_ms, attributes, user. On 0 *fd is
 * the caller's, close-on-exec and blocking; closing it does not release the
 * port. PA_E_NOT_UNIX unless the connection is to the manager's socket in the
 * file system; PA_E_NO_SOCKET: no descriptor could be received, and the port
 * was released again.
 */
int pa_call_listen(struct pa_call *call, const char *name, const struct pa_keys *keys,
                   int timeout_ms, struct pa_call_grant *grant, int *fd,
                   struct pa_failure *why);

/*
 * Releases one port, of this handle or of any other program of the user (root:
 * of anybody). PA_E_NOT_ALLOCATED, PA_E_NOT_OWNER, PA_E_NOT_MANAGED.
 */
int pa_call_release(struct pa_call *call, uint16_t port, int timeout_ms,
                    struct pa_failure *why);

/*
 * Gives one port other attributes, a Tcl list of keys and values, "" for none; of this handle
 * or of any other program of the user (root: of anybody). PA_E_NOT_ALLOCATED,
 * PA_E_NOT_OWNER, PA_E_NOT_MANAGED, PA_E_BAD_VALUE.
 */
int pa_call_change(struct pa_call *call, uint16_t port, const char *attributes, int timeout_ms,
                   struct pa_failure *why);

/* Takes a port off the books that has been released otherwise, and closes the connection
 * if it has no other. */
void pa_call_forget(struct pa_call *call, uint16_t port);

/* Moves the connections of another handle that hold ports to this one, which takes no
 * request to them. */
void pa_call_adopt(struct pa_call *call, struct pa_call *from);

/* Takes over the connection of another handle as if pa_call_open() had made it here,
 * unless one is in use or the server is another by now. */
void pa_call_adopt_open(struct pa_call *call, struct pa_call *from);

/* Looks after the connections that hold ports, as each call does first: 0, or
 * PA_E_PORTS_LOST, once. Never blocks. */
int pa_call_look(struct pa_call *call, struct pa_failure *why);

/*
 * The ports in use whose name and user match the patterns of pa_match(), of
 * keys->name_pattern, keys->user_pattern (NULL: any) and keys->port (0: any).
 * On 0 *listing is filled (deinit it), with attributes; otherwise it is empty.
 * An old manager's whole list is fetched, and has no attributes.
 */
int pa_call_find(struct pa_call *call, const struct pa_keys *keys, int timeout_ms,
                 struct pa_listing *listing, struct pa_failure *why);

/* How the manager fares. On 0 *stats is filled; stats->version is valid until the next call. */
int pa_call_stats(struct pa_call *call, int timeout_ms, struct pa_stats *stats,
                  struct pa_failure *why);

/* Whether the manager answers: PING, or LIST where that is an old one. */
int pa_call_ping(struct pa_call *call, int timeout_ms, struct pa_failure *why);

/*
 * Whether the manager said, when a call of this handle last said HELLO, that it
 * has the capability: hold, listen or owner, see portallocator-protocol(7).
 * Without such a call (pa_call_ping() makes one), and for an old manager: no.
 */
bool pa_call_can(const struct pa_call *call, const char *capability);

/*
 * The descriptor of the connection that holds ports, to wait for: it is readable
 * when the manager has closed it. Belongs to the handle, is not to be read, and may
 * be another one after the next call. -1: no ports are held.
 */
int pa_call_descriptor(const struct pa_call *call);

/*
 * Connects as a call does, for who talks to the manager by other means. On 0
 * *fd is the caller's, non-blocking and close-on-exec. What a call returns that
 * does not get so far as to ask.
 */
int pa_call_connect(struct pa_call *call, int timeout_ms, int *fd, struct pa_failure *why);

/* Whether the last connection made is to the manager's socket in the file system. */
bool pa_call_is_unix(const struct pa_call *call);

/* --------------------------------------------------------- environment -- */

/*
 * The name the manager knows this process's user by: the login name of the
 * effective user, or `uid:N` where it has none. Copies at most `size` bytes
 * with the NUL into `user`.
 */
void pa_call_user(char *user, size_t size);

/* The port that the port file names, see pa_portfile.h; 0: none. */
int pa_call_port_from_file(void);

#endif
