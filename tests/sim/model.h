#ifndef MODEL_H
#define MODEL_H

/*
 * Which ports there are and who has them, as the manager promises it: plain
 * arrays and linear searches, written from the rules and not from the table's
 * code.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_PORTS = 2000, /* at most; to look at each twice is what one request may */
    MODEL_LINE_BYTES = 160,
    MODEL_NOBODY = 99, /* no user: it is not known */
};

/* Names, users and attributes that clients ask for; the last user is root. */
enum { MODEL_NAMES = 18, MODEL_USERS = 5, MODEL_ROOT = 4, MODEL_ATTRIBUTES = 5 };
extern const char *const model_names[MODEL_NAMES];
extern const char *const model_users[MODEL_USERS];
extern const char *const model_attributes[MODEL_ATTRIBUTES];

struct held {
    unsigned port;
    unsigned name;  /* index of the plain name */
    unsigned user;  /* as recorded */
    unsigned owner; /* the user who is charged for it and may release it, or MODEL_NOBODY */
    unsigned attributes;
    unsigned client;
    unsigned suffix;       /* 0: none */
    bool in_kernel;        /* held there */
    unsigned long arrival; /* a greater number came later */
    char bears[32];
    size_t line_size; /* of its line in the list */
};

struct waiting {
    unsigned port;
    uint64_t since_ms;
};

struct waiting_line {
    struct waiting at[MODEL_PORTS];
    size_t count;
};

/* The ports that nobody has. */
struct free_ports {
    struct waiting_line ready, resting, blocked;
};

/* The one model. The caller changes the time, the states and probe_fails. */
struct model {
    uint64_t now_ms;
    uint64_t quarantine_ms;
    unsigned low, high;
    struct held held[MODEL_PORTS];
    size_t held_count;
    size_t list_size; /* bytes of all lines */
    unsigned long arrivals;
    struct free_ports ports;
    uint8_t port_state[UINT16_MAX + 1]; /* enum table_port_state */
    bool probe_fails;
};

extern struct model model;

/* What is asked for. */
struct wish {
    unsigned client, name, user, owner, attributes;
    unsigned port;  /* 0: any */
    unsigned count; /* at least 1 */
    bool exact;
    bool in_kernel;
};

void model_init(void);
void model_deinit(void);

/* Nobody holds a port of low to high, and all are free. */
void model_begin(unsigned low, unsigned high, uint64_t quarantine_ms);

/* Allocates. 0 with *port the lowest; else one of table.h's TABLE_E_, or -1: cannot tell. */
int model_allocate(const struct wish *wish, unsigned *port);

/* The port's allocation ends. */
void model_release(unsigned port);

/* The port's allocation, which there is, has other attributes. */
void model_change(unsigned port, unsigned attributes);

/* The client's ports are freed, the latest first. */
void model_leave(unsigned client);

/* How many ports the client holds, how many the user is charged for. */
size_t model_count_of(unsigned client);
size_t model_charged_to(unsigned owner);

/* How many are held in the kernel, and how many users have a port. */
size_t model_in_kernel(void);
size_t model_users_count(void);

/* Who bears this name of this user, who has this port; or NULL. */
const struct held *model_find(const char *bears, unsigned user);
const struct held *model_at(unsigned port);

/* What is held in the order of LIST and of the usage text; valid until the next call. */
const struct held *model_listed(void);
const struct held *model_used(void);

/* Makes a line of the list, quoted by libtcl's own list maker. Returns its size. */
size_t model_line(char line[MODEL_LINE_BYTES], const struct held *held);

#endif
