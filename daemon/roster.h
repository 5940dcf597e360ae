#ifndef ROSTER_H
#define ROSTER_H

/*
 * The reply to LIST: every line in its order, rendered once per change and
 * shared by all who ask.
 *
 * Lines are ordered by key (bytes, as strcmp does), then by port as a decimal
 * string. Adding and removing a line cost O(1); the next snapshot sorts what
 * was added since the last one and merges it in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line. Embedded in what it describes; the strings belong to the owner. */
struct roster_item {
    const char *key;    /* order of the line */
    const char *line;   /* with its line end; not NUL-terminated */
    uint32_t line_size; /* bytes */
    uint32_t position;  /* where the roster keeps it */
    uint16_t port;
    bool sorted; /* in the sorted part, or added since */
};

/* A reply, whole: `OK n` and its n lines. Counted references, one thread. */
struct snapshot {
    size_t references;
    size_t size; /* bytes of the text */
    char text[];
};

struct roster {
    struct roster_item **sorted; /* NULL where an item was removed */
    struct roster_item **added;  /* in no order */
    size_t sorted_count;         /* the NULLs counted */
    size_t added_count;
    size_t added_capacity;
    size_t count;              /* lines */
    size_t size;               /* bytes of all lines */
    struct snapshot *snapshot; /* of the lines as they are, or NULL */
};

#define ROSTER_NULL                                                                            \
    {                                                                                          \
        .sorted = NULL                                                                         \
    }

/* Frees the roster; table_free() has removed every line. */
void roster_deinit(struct roster *roster);

/* Makes sure that the next roster_add() finds room. 0 or -ENOMEM. */
int roster_reserve(struct roster *roster);

/* Adds a line; roster_reserve() has made room for it. */
void roster_add(struct roster *roster, struct roster_item *item);

/* Takes a line out. */
void roster_remove(struct roster *roster, struct roster_item *item);

/*
 * The reply to LIST as of now, in *snapshot: a reference of the caller's,
 * given back with snapshot_unref(). 0, or -ENOMEM with nothing changed.
 */
int roster_snapshot(struct roster *roster, struct snapshot **snapshot);

/* Is told of a line. false: no more are wanted. */
typedef bool roster_visitor(void *context, const struct roster_item *item);

/* Visits the lines in their order. The roster must not change meanwhile. 0 or -ENOMEM. */
int roster_visit(struct roster *roster, roster_visitor *visit, void *context);

/* Compares two lines by key and port, as they are ordered. */
int roster_compare(const struct roster_item *a, const struct roster_item *b);

/* A snapshot of `size` bytes that the caller fills in, with one reference; NULL: no memory. */
struct snapshot *snapshot_new(size_t size);

/* One more reference. Returns its argument. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);

/* One reference less; the last one frees. NULL is legal. Returns NULL. */
struct snapshot *snapshot_unref(struct snapshot *snapshot);

/* Compares two ports as decimal strings, as strcmp would. */
int roster_compare_ports(uint16_t a, uint16_t b);

#endif
