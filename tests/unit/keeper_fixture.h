#ifndef KEEPER_FIXTURE_H
#define KEEPER_FIXTURE_H

/* A keeper, its files in the scratch folder, and its log in a file there. */

#include "keeper.h"
#include "take_port.h"

enum { GRACE_MS = 60000 };

/* A released service needs no option to get its port; one that comes beside the hold shares. */
enum {
    ALONE_TCP = LISTEN,
    ALONE_UDP = DATAGRAM,
    SHARED_TCP = REUSE | LISTEN,
    SHARED_UDP = REUSE | DATAGRAM,
};

extern struct keeper keeper;
extern char refusal[512]; /* the text of the last release() or take() */

/* What the last take() gave; give_back() closes it. */
extern struct keeper_served *served;
extern size_t served_count;

extern const struct keeper_peer root_peer;

/*
 * Moves the process into a network of its own, where no port is anybody else's: what is free
 * stays so until the test takes it. A user who may not have one stays where he is. Suits cmocka
 * as a setup of the group.
 */
int keeper_own_network(void **state);

int keeper_set_up(void **state);
int keeper_tear_down(void **state);

/* Holds what the files of the scratch folder ask for. */
void keeper_start(bool keep, uint64_t grace_ms);

/* A keeper that holds one port for the client cups. */
uint16_t start_one(bool keep, enum transport transport);

/* A service that takes the port in one of these ways. */
int service(uint16_t port, int how);

/* Reads the folder. The problems are logged. */
void keeper_read(struct plan *plan);

/* Reads the folder again and gives the plan to the keeper. */
void keeper_read_again(void);

/* A quiet port of both protocols, of which nobody else knows. */
uint16_t free_port(void);

/* Writes a file. The format is printf's. */
void client_file(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct keeper_unit *unit_of(uint16_t port, enum transport transport);
void assert_state(uint16_t port, enum transport transport, enum keeper_state state);

/* Whether somebody who shares with nobody can bind the port. */
bool is_open(uint16_t port, enum transport transport);

bool connects(const char *host, uint16_t port);

/* Whether what is sent to the port arrives at the socket. */
bool arrives(int fd, const char *host, uint16_t port);

/* How many lines of the log end in this text; the format is printf's. */
size_t logged(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* By root, at that time. */
int release(const char *name, uint64_t now_ms);
int take(const char *name);
void give_back(void);

#endif
