#ifndef PORTALLOCATOR_H
#define PORTALLOCATOR_H

/*
 * A client of the port manager: ports for services, and the list of who has
 * which. Link with -lportallocator; manual page portallocator(3).
 *
 * A handle is a client of one manager. It connects when it first needs to, and
 * keeps its connection as long as it holds ports: the end of the connection,
 * by portallocator_free() or with the process, releases them. Different
 * handles may be used by different threads at a time, one handle may not. A
 * child made by fork(2) shares the connection: the ports stay until both have
 * closed it. No signal is raised, and none interrupts a call.
 *
 * Managers of protocol 1 are served as far as they go; where they do not, the
 * code is PORTALLOCATOR_TOO_OLD. Strings are UTF-8.
 *
 * Structures begin with their size, so that later versions can have more
 * fields: initialise them with the macros here, or zero them and set `size`.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return, and portallocator_error(). Values do not change. */
enum portallocator_code {
    PORTALLOCATOR_OK = 0,
    PORTALLOCATOR_REFUSED = 1,        /* by the manager; the text says why */
    PORTALLOCATOR_INVALID = 2,        /* an argument is out of range, or no manager takes it */
    PORTALLOCATOR_NO_FREE_PORTS = 3,  /* or no so many in a row */
    PORTALLOCATOR_IN_USE = 4,         /* the port that was asked for */
    PORTALLOCATOR_TAKEN = 5,          /* the name, with `exact` */
    PORTALLOCATOR_WAITED = 6,         /* no port became free within `wait_ms` */
    PORTALLOCATOR_NOT_OWNER = 7,      /* the port belongs to another user */
    PORTALLOCATOR_NOT_ALLOCATED = 8,  /* the port to release */
    PORTALLOCATOR_NOT_MANAGED = 9,    /* the port is none of the manager's */
    PORTALLOCATOR_NOT_LOCAL = 10,     /* the manager is on another host: it only lists */
    PORTALLOCATOR_WRONG_USER = 11,    /* not the one that was named, or not proven */
    PORTALLOCATOR_QUOTA = 12,         /* the user has as many as a user may have */
    PORTALLOCATOR_NO_HOLD = 13,       /* the manager holds no ports */
    PORTALLOCATOR_NOT_UNIX = 14,      /* portallocator_listen() over TCP */
    PORTALLOCATOR_ADDRESS = 15,       /* nothing can listen there */
    PORTALLOCATOR_OVERLOADED = 16,    /* the manager is out of connections or memory */
    PORTALLOCATOR_NO_CONNECTION = 17, /* the host is unknown, or nobody listens there */
    PORTALLOCATOR_TIMEOUT = 18,       /* of the call; a watch: nothing happened */
    PORTALLOCATOR_CLOSED = 19,        /* the connection ended during the call */
    PORTALLOCATOR_PROTOCOL = 20,      /* the answer is none of a port manager */
    PORTALLOCATOR_LOST = 21,          /* the connection and all its ports are gone */
    PORTALLOCATOR_TOO_OLD = 22,       /* the manager, for what was asked */
    PORTALLOCATOR_NO_MEMORY = 23,     /* here */
    PORTALLOCATOR_MORE = 24           /* portallocator_talk_feed(): the answer goes on */
};

/* The version of the library. Static. */
const char *portallocator_version(void);

/* --------------------------------------------------------------- handle -- */

struct portallocator; /* a client of one manager */

enum { PORTALLOCATOR_DEFAULT_TIMEOUT_MS = 5000 };

/*
 * A client of the manager on `host` (a name, IPv4 or IPv6 text; NULL or "": this
 * host) and TCP port `port` (0: the one of the port file, else 30000; on this
 * host its socket in the file system is preferred). Does not connect. NULL
 * without memory, or if `port` is above 65535.
 */
struct portallocator *portallocator_new(const char *host, unsigned port);

/* Closes the connection, which releases the ports, and frees the handle. NULL is legal. */
void portallocator_free(struct portallocator *allocator);

/*
 * How long a call may take from now on, in milliseconds: look-up, connecting
 * and answer together, time in line aside. 0 or less: what is not there at once
 * times out. PORTALLOCATOR_DEFAULT_TIMEOUT_MS at first.
 */
void portallocator_set_timeout(struct portallocator *allocator, int timeout_ms);

/* What the last call of this handle returned. */
int portallocator_error(const struct portallocator *allocator);

/* The same for a person, in one line; "" after success. Valid until the next call. */
const char *portallocator_error_text(const struct portallocator *allocator);

/* How many ports the handle holds. */
size_t portallocator_held(const struct portallocator *allocator);

/*
 * 1 if the manager said that it has the capability, else 0: "hold", ports are
 * held for those who ask; "listen", portallocator_listen() works; "owner", the
 * manager proves who asks. It says so at the first call that needs protocol 2;
 * portallocator_ping() is one.
 */
int portallocator_can(const struct portallocator *allocator, const char *capability);

/* ---------------------------------------------------------------- ports -- */

/* What a port should be like. All zero but for the size: any port. */
struct portallocator_options {
    size_t size;            /* sizeof(struct portallocator_options) */
    unsigned port;          /* this port and no other; 0: any */
    unsigned count;         /* so many in a row, 1 to 1000; 0: 1 */
    int unique;             /* 1: be the only one of that name and user */
    int exact;              /* 1: the name as it is, without a suffix */
    int hold;               /* 1: hold the port in the kernel; -1: do not; 0: as the manager is
                               set */
    unsigned wait_ms;       /* stand in line so long while no port is free; at most a day */
    const char *attributes; /* a Tcl list of keys and values; NULL: none */
    const char *user;       /* whose port it is; NULL: as the manager knows the caller */
    const char *address;    /* portallocator_listen(): IPv4 or IPv6 text; NULL: all */
    unsigned backlog;       /* portallocator_listen(): as of listen(2); 0: 128 */
};

#define PORTALLOCATOR_OPTIONS_INIT                                                             \
    {                                                                                          \
        .size = sizeof(struct portallocator_options)                                           \
    }

/* What was allocated. Strings are valid until the handle's next call. */
struct portallocator_grant {
    size_t size;      /* sizeof(struct portallocator_grant), set by the caller */
    unsigned port;    /* the lowest of them */
    unsigned count;   /* ports in a row */
    int held;         /* 1: in the kernel; whoever binds it has to set SO_REUSEADDR */
    int joined;       /* 1: with `unique`, it is another's; nothing was allocated */
    const char *name; /* as listed: with its suffix, if it has one */
    const char *user; /* as recorded */
};

#define PORTALLOCATOR_GRANT_INIT                                                               \
    {                                                                                          \
        .size = sizeof(struct portallocator_grant)                                             \
    }

/*
 * Asks for ports for the application `name`; `options` NULL: a port. On
 * PORTALLOCATOR_OK *grant is filled in, and the ports are the caller's until
 * portallocator_release() or the end of the handle; otherwise it is as before.
 *
 * PORTALLOCATOR_INVALID, _NO_FREE_PORTS, _IN_USE, _TAKEN, _WAITED, _NOT_MANAGED,
 * _NOT_LOCAL, _WRONG_USER, _QUOTA, _NO_HOLD, _TOO_OLD, and what all calls may
 * return: _REFUSED, _OVERLOADED, _NO_CONNECTION, _TIMEOUT, _CLOSED, _PROTOCOL,
 * _LOST, _NO_MEMORY.
 */
int portallocator_allocate(struct portallocator *allocator, const char *name,
                           const struct portallocator_options *options,
                           struct portallocator_grant *grant);

/*
 * Asks for a port and a socket that listens on it; of the options `count`,
 * `unique` and `hold` are not for this. On PORTALLOCATOR_OK *fd is the caller's,
 * close-on-exec and blocking; closing it does not release the port. The manager
 * must be on this host, and its socket in the file system be known
 * (_NOT_UNIX). _ADDRESS, and what portallocator_allocate() returns.
 */
int portallocator_listen(struct portallocator *allocator, const char *name,
                         const struct portallocator_options *options,
                         struct portallocator_grant *grant, int *fd);

/*
 * Releases one port, of this handle or of any other program of the user (root:
 * of anybody). PORTALLOCATOR_NOT_ALLOCATED, _NOT_OWNER, _NOT_MANAGED,
 * _WRONG_USER, _TOO_OLD, and what all calls may return.
 */
int portallocator_release(struct portallocator *allocator, unsigned port);

/*
 * Gives one port other attributes, a Tcl list of keys and values (NULL or "": none),
 * of this handle or of any other program of the user (root: of anybody).
 * PORTALLOCATOR_INVALID, _NOT_ALLOCATED, _NOT_OWNER, _NOT_MANAGED, _NOT_LOCAL,
 * _WRONG_USER, _TOO_OLD, and what all calls may return.
 */
int portallocator_change(struct portallocator *allocator, unsigned port,
                         const char *attributes);

/* -------------------------------------------------------------- listing -- */

struct portallocator_ports; /* a list of ports; does not change */

struct portallocator_entry {
    size_t size; /* sizeof(struct portallocator_entry), set by the caller */
    unsigned port;
    const char *name;       /* of the application */
    const char *user;       /* may hold control characters, as the name may */
    const char *attributes; /* a Tcl list of keys and values; "" without */
};

#define PORTALLOCATOR_ENTRY_INIT                                                               \
    {                                                                                          \
        .size = sizeof(struct portallocator_entry)                                             \
    }

/*
 * All ports in use, in the manager's order, without attributes. On
 * PORTALLOCATOR_OK *ports is the caller's, for portallocator_ports_free();
 * otherwise it is NULL. What all calls may return.
 */
int portallocator_list(struct portallocator *allocator, struct portallocator_ports **ports);

/*
 * The ports whose application and user match the patterns of Tcl's `string
 * match` (NULL: all), with attributes. As portallocator_list(), and
 * PORTALLOCATOR_INVALID.
 */
int portallocator_find(struct portallocator *allocator, const char *name_pattern,
                       const char *user_pattern, struct portallocator_ports **ports);

/* How many they are. */
size_t portallocator_ports_count(const struct portallocator_ports *ports);

/*
 * Fills in the entry at `index`, from 0. The strings belong to the list.
 * PORTALLOCATOR_OK; PORTALLOCATOR_INVALID: there is none, or its size is wrong.
 */
int portallocator_ports_get(const struct portallocator_ports *ports, size_t index,
                            struct portallocator_entry *entry);

/* Frees the list. NULL is legal. */
void portallocator_ports_free(struct portallocator_ports *ports);

/* ------------------------------------------------------------- watching -- */

/*
 * Who has which port, as it changes: on a connection of its own, across restarts
 * of the manager. One thread at a time; it does not depend on the handle that it
 * was made with.
 */
struct portallocator_watch;

enum portallocator_kind {
    PORTALLOCATOR_SNAPSHOT = 1, /* all ports there are; what was known before is void */
    PORTALLOCATOR_ADD = 2,      /* a port that was given to somebody */
    PORTALLOCATOR_REMOVE = 3,   /* a port that is free again, with whose it was */
    PORTALLOCATOR_CHANGE = 4    /* a port whose attributes are others now */
};

struct portallocator_event {
    size_t size;                             /* sizeof(struct portallocator_event), set by the
                                                caller */
    int kind;                                /* an enum portallocator_kind */
    const struct portallocator_ports *ports; /* SNAPSHOT: any number, else one; the watch's,
                                                valid until its next call */
};

#define PORTALLOCATOR_EVENT_INIT                                                               \
    {                                                                                          \
        .size = sizeof(struct portallocator_event)                                             \
    }

/*
 * Begins to watch the handle's manager for the ports whose application and user
 * match the patterns of Tcl's `string match` (NULL: all). Does not connect; that
 * and the first answer may take as long together as a call of the handle may
 * now. On PORTALLOCATOR_OK *watch is the caller's, otherwise NULL.
 * PORTALLOCATOR_INVALID, _NO_CONNECTION (out of descriptors), _NO_MEMORY.
 */
int portallocator_watch(struct portallocator *allocator, const char *name_pattern,
                        const char *user_pattern, struct portallocator_watch **watch);

/*
 * The next event, which is waited for at most so many ms: 0: not at all; below 0:
 * without end. PORTALLOCATOR_OK: *event is filled in. PORTALLOCATOR_TIMEOUT: there
 * is none yet. PORTALLOCATOR_INVALID: the size is wrong. Else the manager is gone
 * or was not there, by _CLOSED, _NO_CONNECTION (also: it did not answer in time),
 * _PROTOCOL, _REFUSED, _OVERLOADED, _NO_MEMORY or whatever it refuses by: told
 * once. The next calls try it again, after pauses that grow from 0.1 s to 10 s,
 * and the first event then is a PORTALLOCATOR_SNAPSHOT, as the first of all is.
 */
int portallocator_watch_next(struct portallocator_watch *watch, int timeout_ms,
                             struct portallocator_event *event);

/* The text of the last failure of that for a person; "" after success. Valid until the next
 * call. */
const char *portallocator_watch_error_text(const struct portallocator_watch *watch);

/*
 * A descriptor to wait for, always the same: readable when portallocator_watch_next() has
 * something to do, which should be called without waiting then, until it returns
 * PORTALLOCATOR_TIMEOUT. Belongs to the watch and is not to be read.
 */
int portallocator_watch_fd(const struct portallocator_watch *watch);

/* Closes its connection and frees it. NULL is legal. */
void portallocator_watch_free(struct portallocator_watch *watch);

/* ---------------------------------------------------------- the manager -- */

/* Strings are valid until the handle's next call. */
struct portallocator_stats {
    size_t size;          /* sizeof(struct portallocator_stats), set by the caller */
    uint64_t protocol;    /* the highest that the manager speaks */
    uint64_t ports;       /* it manages */
    uint64_t allocated;   /* of them */
    uint64_t held;        /* of those, by the manager in the kernel */
    uint64_t connections; /* open */
    uint64_t waiting;     /* requests that stand in line */
    uint64_t users;       /* with at least one port */
    uint64_t uptime_s;
    uint64_t pid;
    const char *managed; /* the managed ports, such as 30001-31000,32000; "": not told */
    const char *version;
    uint64_t watchers; /* connections that are told of changes */
};

#define PORTALLOCATOR_STATS_INIT                                                               \
    {                                                                                          \
        .size = sizeof(struct portallocator_stats)                                             \
    }

/*
 * How the manager fares. On PORTALLOCATOR_OK *stats is filled in.
 * PORTALLOCATOR_INVALID: the size is wrong; _TOO_OLD; what all calls may return.
 */
int portallocator_stats(struct portallocator *allocator, struct portallocator_stats *stats);

/* Whether the manager answers. PORTALLOCATOR_OK, or what all calls may return. */
int portallocator_ping(struct portallocator *allocator);

/* ----------------------------------------------------- for event loops -- */

/*
 * Connects to the handle's manager, within the time of a call. On
 * PORTALLOCATOR_OK *fd is the caller's: a stream socket, non-blocking and
 * close-on-exec, on which nothing has been said. What all calls may return.
 */
int portallocator_connect(struct portallocator *allocator, int *fd);

/*
 * A conversation on one connection, without input and output: the program sends
 * what portallocator_talk_output() has, and feeds what it receives. Ports that
 * are granted belong to the connection, and end with it.
 *
 * A request at a time. It is written by portallocator_talk_allocate() and the
 * others; its answer is complete when portallocator_talk_feed() returns anything
 * but PORTALLOCATOR_MORE.
 */
struct portallocator_talk;

/*
 * A conversation in the protocol 2 or 1. The former begins with HELLO; if the
 * manager does not know that, the answer is PORTALLOCATOR_TOO_OLD and the
 * connection of no more use. NULL without memory, or for another protocol.
 */
struct portallocator_talk *portallocator_talk_new(int protocol);

/* Frees it. NULL is legal. */
void portallocator_talk_free(struct portallocator_talk *talk);

/*
 * Each writes a request. PORTALLOCATOR_OK; PORTALLOCATOR_INVALID: an argument is
 * wrong, another request is under way, or the conversation is at its end;
 * _TOO_OLD: not in protocol 1, which has LIST, and ALLOCATE with a `user` and no
 * other option; _NO_MEMORY. Nothing is written on failure.
 *
 * A manager that does not know CHANGE, as portallocator_talk_can(talk, "watch") says
 * once HELLO is answered, answers PORTALLOCATOR_INVALID.
 *
 * The answer to LISTEN brings a descriptor along with its first byte, by
 * SCM_RIGHTS (unix(7)); who wants that receives with recvmsg(2).
 */
int portallocator_talk_allocate(struct portallocator_talk *talk, const char *name,
                                const struct portallocator_options *options);
int portallocator_talk_listen(struct portallocator_talk *talk, const char *name,
                              const struct portallocator_options *options);
int portallocator_talk_release(struct portallocator_talk *talk, unsigned port);
int portallocator_talk_change(struct portallocator_talk *talk, unsigned port,
                              const char *attributes);
int portallocator_talk_list(struct portallocator_talk *talk);
int portallocator_talk_find(struct portallocator_talk *talk, const char *name_pattern,
                            const char *user_pattern);
int portallocator_talk_stats(struct portallocator_talk *talk);
int portallocator_talk_ping(struct portallocator_talk *talk);

/* What is to be sent: the number of bytes at *bytes, valid until the next call. */
size_t portallocator_talk_output(const struct portallocator_talk *talk, const char **bytes);

/* Tells that the first `size` bytes of that have been sent. */
void portallocator_talk_sent(struct portallocator_talk *talk, size_t size);

/*
 * Takes received bytes. PORTALLOCATOR_MORE; PORTALLOCATOR_OK: the answer is
 * complete and the results below are there; PORTALLOCATOR_TOO_OLD; or as the
 * function of the same name returns. Bytes that nobody asked for are
 * PORTALLOCATOR_PROTOCOL. After _PROTOCOL, _TOO_OLD and _NO_MEMORY, and when the
 * manager has no room for the connection (_REFUSED, to the first request), no
 * more can be asked; ports that the connection holds are held on.
 */
int portallocator_talk_feed(struct portallocator_talk *talk, const char *bytes, size_t size);

/* The text of the last failure; "" after success. Valid until the next call. */
const char *portallocator_talk_error_text(const struct portallocator_talk *talk);

/* As portallocator_can(). */
int portallocator_talk_can(const struct portallocator_talk *talk, const char *capability);

/*
 * The result of the last request, if it was of that kind; strings are valid
 * until the next one. PORTALLOCATOR_OK; PORTALLOCATOR_INVALID: it was not, or
 * the size is wrong; _NO_MEMORY. The list is the caller's.
 */
int portallocator_talk_get_grant(const struct portallocator_talk *talk,
                                 struct portallocator_grant *grant);
int portallocator_talk_get_stats(const struct portallocator_talk *talk,
                                 struct portallocator_stats *stats);
int portallocator_talk_get_ports(const struct portallocator_talk *talk,
                                 struct portallocator_ports **ports);

#ifdef __cplusplus
}
#endif

#endif
