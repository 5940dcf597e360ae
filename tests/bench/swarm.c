/*
 * swarm - up to SWARM_CLIENTS clients at once, by epoll, in one thread.
 *
 * Each client is in one of two states: waiting for a reply, or through. Connect and send do not
 * wait for the server (see exchange.c), so only the reading is left to epoll. A block ends when
 * all its operations are answered; who is quick does more of them.
 */
#include "bench.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_S 30

struct member {
    int fd; /* -1: not connected */
    struct reply reply;
};

struct swarm {
    const struct server *server;
    int epoll;
    bool is_list;
    bool is_cycle;         /* a connection for every operation */
    unsigned unsent;       /* operations nobody has begun */
    unsigned unanswered;   /* operations begun or not, without their reply */
    struct port_set *seen; /* NULL: ports come back within the block */
};

static struct member members[SWARM_CLIENTS]; /* their buffers live from block to block */

static void connect_member(struct swarm *swarm, struct member *member)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = member};

    member->fd = exchange_open(swarm->server);
    if (epoll_ctl(swarm->epoll, EPOLL_CTL_ADD, member->fd, &event) != 0) {
        system_failed("epoll_ctl");
    }
}

static void disconnect_member(struct member *member)
{
    if (member->fd >= 0) {
        close(member->fd);
        member->fd = -1;
    }
}

static void begin(struct swarm *swarm, struct member *member)
{
    if (swarm->unsent == 0) {
        return;
    }
    swarm->unsent--;
    if (member->fd < 0) {
        connect_member(swarm, member);
    }
    reply_reset(&member->reply);
    if (swarm->is_list) {
        exchange_send(member->fd, list_request, list_bytes, swarm->server);
    } else {
        exchange_send(member->fd, gimme_request, gimme_bytes, swarm->server);
    }
}

static void finish(struct swarm *swarm, struct member *member)
{
    if (swarm->is_list) {
        reply_check_list_length(&member->reply, swarm->server);
    } else {
        reply_port(&member->reply, swarm->server, swarm->seen);
    }
    swarm->unanswered--;
    if (swarm->is_cycle) {
        disconnect_member(member);
    }
    begin(swarm, member);
}

static void on_readable(struct swarm *swarm, struct member *member)
{
    size_t room;
    char *into = reply_room(&member->reply, &room);
    ssize_t got = recv(member->fd, into, room, MSG_DONTWAIT);

    if (got > 0) {
        member->reply.length += (size_t)got;
        if (reply_is_whole(&member->reply, swarm->is_list, swarm->server)) {
            finish(swarm, member);
        }
    } else if (got == 0) {
        broken("%s closed one of many connections", swarm->server->name);
    } else if (errno != EAGAIN && errno != EINTR) {
        system_failed("recv from %s", swarm->server->name);
    }
}

static void drive(struct swarm *swarm)
{
    while (swarm->unanswered > 0) {
        struct epoll_event events[SWARM_CLIENTS];
        int count = epoll_wait(swarm->epoll, events, SWARM_CLIENTS, -1);

        if (count < 0) {
            proc_check();
        }
        for (int i = 0; i < count; i++) {
            on_readable(swarm, events[i].data.ptr);
        }
    }
}

double block_swarm(const struct server *server, enum operation operation, unsigned operations,
                   unsigned clients)
{
    struct port_set seen = server->taken;
    struct swarm swarm = {
        .server = server,
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .is_list = operation == OP_LIST_NEW || operation == OP_LIST_OPEN,
        .is_cycle = operation == OP_CYCLE || operation == OP_LIST_NEW,
        .unsent = operations,
        .unanswered = operations,
        .seen = operation == OP_ALLOCATE ? &seen : NULL,
    };
    double begun_us;
    double ended_us;

    if (swarm.epoll < 0) {
        system_failed("epoll_create1");
    }
    proc_watch(BLOCK_S);
    for (unsigned i = 0; i < clients; i++) {
        members[i].fd = -1;
        if (!swarm.is_cycle) {
            connect_member(&swarm, &members[i]);
        }
    }
    begun_us = now_us();
    for (unsigned i = 0; i < clients; i++) {
        begin(&swarm, &members[i]);
    }
    drive(&swarm);
    ended_us = now_us();
    for (unsigned i = 0; i < clients; i++) {
        disconnect_member(&members[i]);
    }
    if (swarm.is_list) {
        reply_check_list_bytes(&members[0].reply, server);
    }
    close(swarm.epoll);
    server_settle(server, true);
    proc_watch(0);
    return ended_us - begun_us;
}

void swarm_deinit(void)
{
    for (size_t i = 0; i < SWARM_CLIENTS; i++) {
        reply_deinit(&members[i].reply);
    }
}
