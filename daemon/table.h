#ifndef TABLE_H
#define TABLE_H

/*
 * Who owns which port: the connection-owned table.
 *
 * The table manages a block of ports. An allocation belongs to an owner, which
 * is embedded in whatever stands for a connection, and lives until it is
 * released. Allocation, release and find take a time that does not grow with
 * the number of ports held. No descriptor, no clock: the caller gives the time
 * and the means to probe a port.
 *
 * Which port is next: those never used go out highest first; one that was
 * freed rests for quarantine_ms and then stands at the end of the line. A port
 * that the probe finds in use by a stranger is passed over and looked at again
 * later. When nothing else is left, ports that still rest and ports on which
 * old connections linger (TIME_WAIT) go out too. With quarantine_ms 0 the port
 * freed last is the next one, as in the original manager.
 */

#include "roster.h"
#include "siphash.h"

#include "pa_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TABLE_E_NO_FREE_PORTS = 1,
    TABLE_E_NOT_MANAGED, /* the port asked for is not in the block */
    TABLE_E_IN_USE,      /* it is allocated, or somebody else has it */
    TABLE_E_NO_BLOCK,    /* there are no so many free ports in a row */
    TABLE_E_TAKEN,       /* somebody bears the name */
};

/* What a probe finds. */
enum table_port_state {
    TABLE_PORT_FREE,      /* anyone can bind it */
    TABLE_PORT_LINGERING, /* only old connections are in the way */
    TABLE_PORT_IN_USE,    /* a socket has it */
};

/*
 * How the table looks at a port: probe() returns a state, or a negative errno
 * when it cannot tell. One that has drop() holds the port unless it is in use;
 * drop() lets go of it. confirm(), if there is one, is asked before a port that lingers goes
 * out: it takes its time for a closer look, and returns that state or TABLE_PORT_IN_USE.
 */
struct table_prober {
    int (*probe)(void *context, uint16_t port);
    void *context;
    void (*drop)(void *context, uint16_t port);
    int (*confirm)(void *context, uint16_t port);
};

#define TABLE_NOBODY UINT32_MAX /* no user: it is not known */

/* What is asked for. Strings are copied. */
struct table_request {
    const char *name;       /* the application; not empty */
    const char *user;       /* not empty */
    const char *attributes; /* a list of keys and values, or NULL */
    uint32_t uid;           /* of the owner, or TABLE_NOBODY */
    uint16_t port;          /* this one, the lowest of a row; 0: any */
    uint16_t count;         /* so many in a row; at least 1 */
    bool exact;             /* under this very name, without a suffix */
};

struct table_range {
    uint16_t low;
    uint16_t high; /* inclusive, at least `low` */
};

struct table_owner;
struct table_group;

/* An allocation. All members are the table's to change. */
struct table_entry {
    const char *name; /* as listed: the application, perhaps with a suffix */
    const char *user;
    const char *attributes; /* "": none */
    char *changed;          /* owned: those that took the place of the first ones, or NULL */
    uint32_t uid;           /* who may release it, besides root; or TABLE_NOBODY */
    uint16_t port;
    bool held; /* the prober that gave it holds it */
    struct table_owner *owner;
    struct table_entry *owner_next;
    struct table_entry *owner_previous;
    struct table_entry *bucket_next; /* in the index of names and users */
    struct table_entry *name_next;   /* in the index of names */
    struct table_group *group;       /* all of the same application and user */
    uint64_t hash;                   /* of name and user */
    uint64_t name_hash;              /* of the name alone */
    uint32_t suffix;                 /* 0: the plain name */
    uint32_t slot;
    struct roster_item item;
};

struct table_owner {
    struct table_entry *first; /* the latest allocation */
    size_t count;
};

#define TABLE_OWNER_NULL                                                                       \
    {                                                                                          \
        NULL, 0                                                                                \
    }

struct table;

/*
 * A table of the ports in `ranges`, which do not overlap. The key seeds its
 * hashes. 0 with *table owned by the caller, or -ENOMEM.
 */
int table_new(struct table **table, const struct table_range *ranges, size_t range_count,
              uint64_t quarantine_ms, const struct siphash_key *key);

/* Frees a table whose ports were all released. NULL is legal. Returns NULL. */
struct table *table_free(struct table *table);

/*
 * Allocates what `request` asks for to `owner`. The first of a name keeps it
 * plain; others get the lowest of the suffixes _1, _2, ... that makes a name
 * nobody bears, and keep it.
 *
 * 0 with *entry valid until it is released; of several ports it is the lowest,
 * and table_at() finds the others. TABLE_E_NO_FREE_PORTS, _NOT_MANAGED, _IN_USE,
 * _NO_BLOCK or _TAKEN; -ENOMEM or the probe's negative errno. Nothing is changed
 * unless 0 is returned, save what was learnt of ports in use.
 */
int table_allocate(struct table *table, struct table_owner *owner,
                   const struct table_request *request, uint64_t now_ms,
                   const struct table_prober *prober, struct table_entry **entry);

/* Gives an allocation other attributes, a canonical list, which is copied. 0, or -ENOMEM with
 * nothing changed. */
int table_change(struct table_entry *entry, const char *attributes);

/* Releases an allocation; `entry` is gone afterwards. */
void table_release(struct table *table, struct table_entry *entry, uint64_t now_ms);

/* The allocation that bears this name (with its suffix, if it has one) and user, or NULL. */
const struct table_entry *table_find(const struct table *table, const char *name,
                                     const char *user);

/* The hash of a name as entries have it, in name_hash. */
uint64_t table_hash_name(const struct table *table, const char *name);

/* Whether the port is in the table's ranges. */
bool table_manages(const struct table *table, uint16_t port);

/* The allocation of a port, or NULL. */
struct table_entry *table_at(const struct table *table, uint16_t port);

/* Is told of an allocation. false: no more are wanted. */
typedef bool table_visit(void *context, const struct table_entry *entry);

/*
 * Visits all allocations that bear this name, of whichever user; with `name`
 * NULL all there are. In the order of LIST. The table must not change meanwhile.
 * 0 or -ENOMEM.
 */
int table_visit_named(struct table *table, const char *name, table_visit *visit, void *context);

/* How many ports are allocated, how many of them held, and how many the table manages. */
size_t table_count(const struct table *table);
size_t table_held(const struct table *table);
size_t table_capacity(const struct table *table);

/* The reply to LIST; see roster_snapshot(). */
int table_snapshot(struct table *table, struct snapshot **snapshot);

/*
 * Appends the usage file's text: a line `port TAB application TAB user` for
 * each allocation, ports in the order of decimal strings, without suffixes.
 * 0 or -ENOMEM.
 */
int table_append_usage(const struct table *table, struct pa_buf *text);

#endif
