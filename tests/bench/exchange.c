/*
 * exchange - one request and its reply over a blocking loopback socket, every reply checked.
 *
 * Blocking is enough even for many clients at once: a connect to a local listener ends in the
 * kernel, without the server, and requests are far smaller than a socket buffer.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_FIRST_BYTES (64 * 1024)
#define REPLY_MAX_BYTES   (16 * 1024 * 1024) /* 65,536 LIST lines of 256 bytes */
#define STATUS_MAX_BYTES  512

const char gimme_request[] = "GIMME bench user\r\n";
const char list_request[] = "LIST\r\n";
const size_t gimme_bytes = sizeof(gimme_request) - 1;
const size_t list_bytes = sizeof(list_request) - 1;

void reply_reset(struct reply *reply)
{
    reply->length = 0;
    reply->scanned = 0;
    reply->lines = 0;
    reply->number = -1;
}

void reply_deinit(struct reply *reply)
{
    free(reply->bytes);
    reply->bytes = NULL;
    reply->capacity = 0;
    reply_reset(reply);
}

char *reply_room(struct reply *reply, size_t *room)
{
    if (reply->length == reply->capacity) {
        size_t capacity = reply->capacity == 0 ? REPLY_FIRST_BYTES : reply->capacity * 2;
        char *bytes = capacity > REPLY_MAX_BYTES ? NULL : realloc(reply->bytes, capacity);

        if (bytes == NULL) {
            broken("no memory for a reply of %zu bytes", reply->length);
        }
        reply->bytes = bytes;
        reply->capacity = capacity;
    }
    *room = reply->capacity - reply->length;
    return reply->bytes + reply->length;
}

static _Noreturn void unexpected(const struct reply *reply, const struct server *server)
{
    size_t shown = reply->length < 200 ? reply->length : 200;

    while (shown > 0 && strchr("\r\n", reply->bytes[shown - 1]) != NULL) {
        shown--;
    }
    broken("%s answered: %.*s", server->name, (int)shown,
           reply->bytes == NULL ? "" : reply->bytes);
}

/* `line` ends before `length`, its CR removed by the caller. Returns -1 if it is not `OK
 * number`. */
static long status_number(const char *line, size_t length)
{
    long number = 0;

    if (length < 4 || length > 12 || memcmp(line, "OK ", 3) != 0) {
        return -1;
    }
    for (size_t i = 3; i < length; i++) {
        if (line[i] < '0' || line[i] > '9') {
            return -1;
        }
        number = number * 10 + (line[i] - '0');
    }
    return number;
}

static void take_status(struct reply *reply, size_t length, const struct server *server)
{
    if (length > 0 && reply->bytes[length - 1] == '\r') {
        length--;
    }
    reply->number = status_number(reply->bytes, length);
    if (reply->number < 0) {
        unexpected(reply, server);
    }
}

bool reply_is_whole(struct reply *reply, bool is_list, const struct server *server)
{
    while (reply->scanned < reply->length) {
        char *from = reply->bytes + reply->scanned;
        char *end = memchr(from, '\n', reply->length - reply->scanned);

        if (end == NULL) {
            break;
        }
        reply->lines++;
        reply->scanned = (size_t)(end - reply->bytes) + 1;
        if (reply->lines == 1) {
            take_status(reply, reply->scanned - 1, server);
        }
        if (reply->lines == 1 + (is_list ? reply->number : 0)) {
            if (reply->scanned != reply->length) {
                broken("%s sent %zu bytes more than its reply", server->name,
                       reply->length - reply->scanned);
            }
            return true;
        }
    }
    if (reply->lines == 0 && reply->length > STATUS_MAX_BYTES) {
        unexpected(reply, server);
    }
    return false;
}

int reply_port(const struct reply *reply, const struct server *server, struct port_set *seen)
{
    long port = reply->number;

    if (port < server->low || port > server->high) {
        broken("%s gave port %ld, outside %d-%d", server->name, port, server->low,
               server->high);
    }
    if (seen != NULL && server->low != server->high) {
        uint64_t *word = &seen->bits[port / 64];
        uint64_t bit = (uint64_t)1 << (port % 64);

        if (*word & bit) {
            broken("%s gave port %ld twice", server->name, port);
        }
        *word |= bit;
    }
    return (int)port;
}

void reply_check_list_length(const struct reply *reply, const struct server *server)
{
    if (reply->length != server->list.length) {
        broken("%s answered LIST with %ld lines in %zu bytes, not %ld in %zu", server->name,
               reply->number, reply->length, server->list.number, server->list.length);
    }
}

void reply_check_list_bytes(const struct reply *reply, const struct server *server)
{
    reply_check_list_length(reply, server);
    if (memcmp(reply->bytes, server->list.bytes, reply->length) != 0) {
        broken("%s changed its LIST while nobody came or went", server->name);
    }
}

int exchange_open(const struct server *server)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)server->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        system_failed("socket");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == EINTR) {
            proc_check();
        }
        system_failed("connect to %s, port %d", server->name, server->port);
    }
    return fd;
}

void exchange_send(int fd, const char *bytes, size_t length, const struct server *server)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno == EINTR) {
            proc_check();
        } else {
            system_failed("send to %s", server->name);
        }
    }
}

static void receive(int fd, const struct server *server, bool is_list, struct reply *reply)
{
    reply_reset(reply);
    do {
        size_t room;
        char *into = reply_room(reply, &room);
        ssize_t got = recv(fd, into, room, 0);

        if (got > 0) {
            reply->length += (size_t)got;
        } else if (got == 0) {
            unexpected(reply, server);
        } else if (errno == EINTR) {
            proc_check();
        } else {
            system_failed("recv from %s", server->name);
        }
    } while (!reply_is_whole(reply, is_list, server));
}

void exchange_gimme(int fd, const struct server *server, struct reply *reply)
{
    exchange_send(fd, gimme_request, gimme_bytes, server);
    receive(fd, server, false, reply);
}

void exchange_list(int fd, const struct server *server, struct reply *reply)
{
    exchange_send(fd, list_request, list_bytes, server);
    receive(fd, server, true, reply);
}
