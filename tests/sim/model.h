#ifndef MODEL_H
#define MODEL_H

/*
 * What the manager promises, as plain arrays and linear searches: written from
 * the rules and not from the table's code.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_PORTS = 4000, /* at most; below what one request may probe */
    MODEL_LINE_BYTES = 160,
};

/* Names and users that clients ask for. */
enum { MODEL_NAMES = 18, MODEL_USERS = 4 };
extern const char *const model_names[MODEL_NAMES];
extern const char *const model_users[MODEL_USERS];

struct held {
    unsigned port;
    unsigned name; /* index of the plain name */
    unsigned user;
    unsigned client;
    unsigned suffix;       /* 0: none */
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

/* The one model. The caller changes the time, the states and probe_fails. */
struct model {
    uint64_t now_ms;
    uint64_t quarantine_ms;
    struct held held[MODEL_PORTS];
    size_t held_count;
    size_t list_size; /* bytes of all lines */
    unsigned long arrivals;
    struct waiting_line ready, resting, blocked;
    uint8_t port_state[UINT16_MAX + 1]; /* enum table_port_state */
    bool probe_fails;
};

extern struct model model;

void model_init(void);
void model_deinit(void);

/* Nobody holds a port of low to high, and all are free. */
void model_begin(unsigned low, unsigned high, uint64_t quarantine_ms);

/* Allocates a port. Returns it, 0 when there is none, -1 when the probe cannot tell. */
int model_allocate(unsigned client, unsigned name, unsigned user);

/* The client's ports are freed, the latest first. */
void model_leave(unsigned client);

/* How many ports the client holds. */
size_t model_count_of(unsigned client);

/* Who bears this name of this user, or NULL. */
const struct held *model_find(const char *bears, unsigned user);

/* What is held in the order of LIST and of the usage text; valid until the next call. */
const struct held *model_listed(void);
const struct held *model_used(void);

/* Makes a line of the list, quoted by libtcl's own list maker. Returns its size. */
size_t model_line(char line[MODEL_LINE_BYTES], const struct held *held);

#endif
