/*
 * grants - ALLOCATE, RELEASE and PING of protocol 2, in blocks, every answer checked.
 */
#include "protocol2.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of these shapes, and nothing else, is in `line`:
 * OK PORT -name bench -user USER, OK PORT -name bench_N -user USER, each with -held 1 or not.
 */
int grant_port(struct side *side, const char *line)
{
    static const char name[] = " -name bench";
    struct reply status = {.number = -1};
    char *rest = NULL;

    if (strncmp(line, "OK ", 3) == 0) {
        status.number = strtol(line + 3, &rest, 10);
    }
    if (status.number < 0 || strncmp(rest, name, sizeof(name) - 1) != 0) {
        reply_is_unexpected(&side->reply, &side->server);
    }
    rest += sizeof(name) - 1;
    if (*rest == '_') {
        rest += 1 + strspn(rest + 1, "0123456789");
    }
    if (strcmp(rest, side->told) != 0) {
        reply_is_unexpected(&side->reply, &side->server);
    }
    return reply_port(&status, &side->server, &side->seen);
}

void grant_expect_user(struct side *side)
{
    const struct passwd *entry = getpwuid(geteuid());
    const char *held = side->kind->held ? " -held 1" : "";

    if (entry != NULL) {
        snprintf(side->told, sizeof(side->told), " -user %s%s\r\n", entry->pw_name, held);
    } else {
        snprintf(side->told, sizeof(side->told), " -user uid:%ld%s\r\n", (long)geteuid(), held);
    }
}

int grant_allocate(struct side *side, int fd)
{
    const char *request = side->kind->request;

    exchange_ask(fd, request, strlen(request), 1, &side->server, &side->reply);
    return grant_port(side, side->reply.bytes);
}

double grant_block_open(struct side *side, unsigned operations)
{
    int fd = exchange_open_greeted(&side->server, &side->reply);
    double begun_us;
    double ended_us;

    for (unsigned i = 0; i < GRANT_WARM_UP; i++) {
        grant_allocate(side, fd);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < operations; i++) {
        grant_allocate(side, fd);
    }
    ended_us = now_us();
    close(fd);
    return ended_us - begun_us;
}

/* HELLO and the request in one packet, as a client may. */
static void allocate_new(struct side *side)
{
    const char *request = side->kind->request;
    int fd = exchange_open(&side->server);
    const char *second;

    exchange_ask(fd, request, strlen(request), 2, &side->server, &side->reply);
    second = strchr(side->reply.bytes, '\n') + 1;
    if (!reply_is_greeting(side->reply.bytes)) {
        reply_is_unexpected(&side->reply, &side->server);
    }
    grant_port(side, second);
    close(fd);
}

double grant_block_new(struct side *side, unsigned operations)
{
    double begun_us;

    for (unsigned i = 0; i < GRANT_WARM_UP; i++) {
        allocate_new(side);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < operations; i++) {
        allocate_new(side);
    }
    return now_us() - begun_us;
}

static void release(struct side *side, int fd, int port)
{
    char request[32];
    char answer[32];
    int length = snprintf(request, sizeof(request), "RELEASE %d\r\n", port);

    snprintf(answer, sizeof(answer), "OK %d\r\n", port);
    exchange_ask(fd, request, (size_t)length, 1, &side->server, &side->reply);
    if (strcmp(side->reply.bytes, answer) != 0) {
        reply_is_unexpected(&side->reply, &side->server);
    }
}

/* Only the releases are timed. */
double grant_block_release(struct side *side, unsigned operations)
{
    int ports[GRANT_OPERATIONS + GRANT_WARM_UP];
    int fd = exchange_open_greeted(&side->server, &side->reply);
    double begun_us;
    double ended_us;

    for (unsigned i = 0; i < operations + GRANT_WARM_UP; i++) {
        ports[i] = grant_allocate(side, fd);
    }
    for (unsigned i = 0; i < GRANT_WARM_UP; i++) {
        release(side, fd, ports[operations + i]);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < operations; i++) {
        release(side, fd, ports[i]);
    }
    ended_us = now_us();
    close(fd);
    return ended_us - begun_us;
}

static void ping(struct side *side, int fd)
{
    exchange_ask(fd, "PING\r\n", 6, 1, &side->server, &side->reply);
    if (strcmp(side->reply.bytes, "OK\r\n") != 0) {
        reply_is_unexpected(&side->reply, &side->server);
    }
}

double grant_block_ping(struct side *side, unsigned operations)
{
    int fd = exchange_open_greeted(&side->server, &side->reply);
    double begun_us;
    double ended_us;

    for (unsigned i = 0; i < GRANT_WARM_UP; i++) {
        ping(side, fd);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < operations; i++) {
        ping(side, fd);
    }
    ended_us = now_us();
    close(fd);
    return ended_us - begun_us;
}
