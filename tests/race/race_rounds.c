/*
 * Servers on allocated ports, and thieves who ask the kernel for any port.
 *
 * A round of a client: allocate a port, standing in line for it; bind it by
 * number and listen, as any server does, or take the socket that LISTEN gives;
 * serve one connection; close; release. In shared memory each port notes who
 * has it.
 */

#include "race.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORTS = 65536,
    BACKLOG = 4,
    TARGET = 9,    /* where a thief connects to */
    CALLER = 1000, /* the port that a server is called from; the kernel chooses it for nobody */
    LOOT = 3,      /* sockets that a thief has at a time */
};

struct field {
    atomic_long left; /* rounds that nobody has begun */
    atomic_uint at_work;
    atomic_ulong served;
    atomic_ulong lost;    /* the server could not bind */
    atomic_ulong doubled; /* the port was another client's */
    atomic_ulong asked;   /* by thieves */
    atomic_ulong stolen;  /* managed ports among what they got */
    atomic_uint owner[PORTS];
    unsigned clients;
    unsigned low, high; /* managed */
    bool holds, listens;
    bool lingers; /* servers close first, and their ports are in TIME_WAIT */
};

static void set_on(int fd, int option)
{
    static const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) < 0)
        race_die("setsockopt");
}

/* What is closed now leaves nothing that lingers. */
static void close_at_once(int fd)
{
    static const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* All addresses, of IPv4 or of both, or 127.0.0.1. Returns the size. */
static socklen_t fill_address(struct sockaddr_storage *address, unsigned port, unsigned kind)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (kind % 3 == 0) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons((uint16_t)port);
        return sizeof *ipv6;
    }
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons((uint16_t)port);
    ipv4->sin_addr.s_addr = htonl(kind % 3 == 1 ? INADDR_ANY : INADDR_LOOPBACK);
    return sizeof *ipv4;
}

/* ---------------------------------------------------------------- thieves -- */

static unsigned port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static int open_target(unsigned index)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)(TARGET + index))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    set_on(fd, SO_REUSEADDR);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        race_die("a thief's target");
    return fd;
}

/* A socket whose port the kernel chooses, by a connection or by a bind to port 0, with and
 * without SO_REUSEADDR. -1: there is none left. */
static int ask_kernel(unsigned turn, int target)
{
    struct sockaddr_storage address;
    bool connects = turn % 2;
    socklen_t size = fill_address(&address, connects ? port_of(target) : 0, turn / 2);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (turn % 8 < 4)
        set_on(fd, SO_REUSEADDR);
    int r = connects ? connect(fd, (struct sockaddr *)&address, size)
                     : bind(fd, (struct sockaddr *)&address, size);
    if (r == 0 && !connects && turn % 16 < 8)
        r = listen(fd, BACKLOG);
    if (r == 0)
        return fd;
    close(fd);
    return -1;
}

static int be_a_thief(struct field *field, unsigned index)
{
    int loot[LOOT] = {-1, -1, -1};
    int target = open_target(index);
    for (unsigned turn = index; atomic_load(&field->at_work) > 0; ++turn) {
        int *place = &loot[turn % LOOT];
        if (*place >= 0)
            close_at_once(*place);
        *place = ask_kernel(turn, target);
        unsigned port = *place >= 0 ? port_of(*place) : 0;
        atomic_fetch_add(&field->asked, 1);
        if (port >= field->low && port <= field->high)
            atomic_fetch_add(&field->stolen, 1);
        int client = accept(target, NULL, NULL);
        if (client >= 0)
            close_at_once(client);
    }
    return 0;
}

/* ---------------------------------------------------------------- servers -- */

/* -1: somebody has the port. */
static int open_server(unsigned port, unsigned turn)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, port, turn);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        race_die("socket");
    set_on(fd, SO_REUSEADDR);
    if (bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    if (errno != EADDRINUSE)
        race_die("a server's bind");
    close(fd);
    return -1;
}

/* Calls the server from an address of this client's and round's own. */
static int call_server(unsigned port, unsigned index, unsigned turn)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(CALLER)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    from.sin_addr.s_addr = htonl(0x7f000000u | (index + 1) << 16 | (turn & 0xffff));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_on(fd, SO_REUSEADDR);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        race_die("calling the server");
    return fd;
}

/* One connection, from which a byte comes out that went in at the other end. */
static void serve_one(const struct field *field, int server, unsigned port, unsigned index,
                      unsigned turn)
{
    char byte = (char)turn;
    char heard = 0;
    int caller = call_server(port, index, turn);
    int called = accept(server, NULL, NULL);
    if (called < 0)
        race_die("accept");
    if (write(called, &byte, 1) != 1 || read(caller, &heard, 1) != 1 || heard != byte)
        race_die("a server's word");
    if (field->lingers && (shutdown(called, SHUT_WR) < 0 || read(caller, &heard, 1) != 0))
        race_die("a server's end");
    if (field->lingers)
        close(caller);
    else
        close_at_once(caller);
    close(called);
}

/* Returns the port; with LISTEN also a socket in *server. */
static unsigned allocate(const struct field *field, struct pa_call *call, int *server)
{
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_call_grant grant = PA_CALL_GRANT_NULL;
    struct pa_failure why;
    keys.wait_ms = RACE_TIMEOUT_MS;
    if (!field->listens)
        keys.hold = field->holds ? PA_HOLD_YES : PA_HOLD_NO;
    int r = field->listens
                ? pa_call_listen(call, "racer", &keys, RACE_TIMEOUT_MS, &grant, server, &why)
                : pa_call_allocate_keys(call, "racer", &keys, RACE_TIMEOUT_MS, &grant, &why);
    if (r != 0)
        race_die_of("allocate", &why);
    unsigned port = grant.port;
    pa_call_grant_deinit(&grant);
    return port;
}

static void run_round(struct field *field, struct pa_call *call, unsigned index, unsigned turn)
{
    struct pa_failure why;
    int server = -1;
    unsigned port = allocate(field, call, &server);
    if (atomic_exchange(&field->owner[port], index + 1) != 0)
        atomic_fetch_add(&field->doubled, 1);
    if (server < 0)
        server = open_server(port, turn);
    if (server < 0) {
        atomic_fetch_add(&field->lost, 1);
    } else {
        serve_one(field, server, port, index, turn);
        close(server);
        atomic_fetch_add(&field->served, 1);
    }
    atomic_store(&field->owner[port], 0);
    if (pa_call_release(call, (uint16_t)port, RACE_TIMEOUT_MS, &why) != 0)
        race_die_of("release", &why);
}

static int be_a_client(unsigned index, void *context)
{
    struct field *field = context;
    if (index >= field->clients)
        return be_a_thief(field, index);
    struct pa_call *call = race_client();
    for (unsigned turn = index; atomic_fetch_sub(&field->left, 1) > 0; ++turn)
        run_round(field, call, index, turn);
    pa_call_free(call);
    atomic_fetch_sub(&field->at_work, 1);
    return 0;
}

int race_rounds(int count, char **words)
{
    if (count != 6 && (count != 7 || strcmp(words[6], "lingering") != 0))
        return RACE_USAGE;
    struct field *field = race_share(sizeof *field);
    field->holds = strcmp(words[0], "hold") == 0;
    field->listens = strcmp(words[0], "listen") == 0;
    field->lingers = count == 7;
    field->clients = race_number(words[1]);
    field->at_work = field->clients;
    field->left = (long)race_number(words[2]);
    field->low = race_number(words[4]);
    field->high = race_number(words[5]);
    int r = race_swarm(field->clients + race_number(words[3]), be_a_client, field);
    printf("served %lu lost %lu doubled %lu asked %lu stolen %lu\n", field->served, field->lost,
           field->doubled, field->asked, field->stolen);
    return r;
}
