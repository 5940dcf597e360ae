/*
 * listens - LISTEN of protocol 2, and what a service does that has to do without it.
 */
#include "protocol2.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128 /* LISTEN's default */

/* What came is a socket that listens on the port it should. */
static void expect_listening(int fd, int port)
{
    struct sockaddr_in6 address;
    socklen_t size = sizeof(address);
    int listens = 0;
    socklen_t listens_size = sizeof(listens);

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) != 0) {
        system_failed("a socket that should listen");
    }
    if (ntohs(address.sin6_port) != port || !listens) {
        broken("a socket does not listen on port %d", port);
    }
}

static int receive_listener(struct side *side, int fd, int *port)
{
    const char *request = side->kind->request;
    int listener;

    exchange_send(fd, request, strlen(request), &side->server);
    listener = exchange_receive_socket(fd, &side->server, &side->reply);
    *port = grant_port(side, side->reply.bytes);
    if (listener < 0) {
        broken("%s sent no socket with its answer to LISTEN", side->server.name);
    }
    return listener;
}

/* As a service opens it that knows a port. */
static int open_listener(int port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int on = 1;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0 || listen(fd, BACKLOG) != 0) {
        system_failed("listen on port %d", port);
    }
    return fd;
}

static bool is_free(int port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;

    close(fd);
    return is_bound;
}

/* As a service does that is told its port: held, so that nobody takes it in between. */
static int allocate_and_open(struct side *side, int fd, int *port)
{
    *port = grant_allocate(side, fd);
    return open_listener(*port);
}

static int open_own(struct side *side, int fd, int *port)
{
    (void)side;
    (void)fd;
    return open_listener(*port);
}

/* A socket that listens, and its port. */
typedef int open_fn(struct side *side, int fd, int *port);

/* `ports` has room for the warm-up, too. */
static double run(struct side *side, int fd, open_fn *open_one, int *ports, unsigned operations)
{
    int fds[GRANT_OPERATIONS + GRANT_WARM_UP];
    unsigned count = operations + GRANT_WARM_UP;
    double begun_us = 0;
    double ended_us;

    for (unsigned i = 0; i < count; i++) {
        if (i == GRANT_WARM_UP) {
            begun_us = now_us();
        }
        fds[i] = open_one(side, fd, &ports[i]);
    }
    ended_us = now_us();
    for (unsigned i = 0; i < count; i++) {
        expect_listening(fds[i], ports[i]);
        close(fds[i]);
    }
    return ended_us - begun_us;
}

static double run_connected(struct side *side, open_fn *open_one, unsigned operations)
{
    int ports[GRANT_OPERATIONS + GRANT_WARM_UP];
    int fd = exchange_open_greeted(&side->server, &side->reply);
    double us = run(side, fd, open_one, ports, operations);

    close(fd);
    return us;
}

double listen_block(struct side *side, unsigned operations)
{
    return run_connected(side, receive_listener, operations);
}

double listen_block_allocated(struct side *side, unsigned operations)
{
    return run_connected(side, allocate_and_open, operations);
}

/* To find the ports is not timed. */
double listen_block_own(struct side *side, unsigned operations)
{
    int ports[GRANT_OPERATIONS + GRANT_WARM_UP];
    unsigned found = 0;

    for (int port = PORTS_LOW; port <= PORTS_HIGH && found < COUNT_OF(ports); port++) {
        if (is_free(port)) {
            ports[found++] = port;
        }
    }
    if (found < COUNT_OF(ports)) {
        broken("there are no %zu free ports", COUNT_OF(ports));
    }
    return run(side, -1, open_own, ports, operations);
}
