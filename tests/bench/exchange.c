/*
 * exchange - one request and its reply over a blocking local socket, every reply checked.
 *
 * Blocking is enough even for many clients at once: a connect to a local listener ends in the
 * kernel, without the server, and requests are far smaller than a socket buffer.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLY_FIRST_BYTES (64 * 1024)
#define REPLY_MAX_BYTES   (16 * 1024 * 1024) /* 65,536 LIST lines of 256 bytes */
#define STATUS_MAX_BYTES  512

const char gimme_request[] = "GIMME bench user\r\n";
const char list_request[] = "LIST\r\n";
const char hello_request[] = "HELLO 2\r\n";
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

_Noreturn void reply_is_unexpected(const struct reply *reply, const struct server *server)
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
        reply_is_unexpected(reply, server);
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
        reply_is_unexpected(reply, server);
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

static int open_tcp(const struct server *server)
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

static int open_unix(const struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", server->dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
        broken("%s/socket is too long a path", server->dir);
    }
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == EINTR) {
            proc_check();
        }
        system_failed("connect to %s", address.sun_path);
    }
    return fd;
}

int exchange_open(const struct server *server)
{
    return server->by_unix ? open_unix(server) : open_tcp(server);
}

bool reply_is_greeting(const char *line)
{
    return strncmp(line, "OK 2 ", 5) == 0;
}

int exchange_open_greeted(const struct server *server, struct reply *reply)
{
    int fd = exchange_open(server);

    exchange_ask(fd, hello_request, sizeof(hello_request) - 1, 1, server, reply);
    if (!reply_is_greeting(reply->bytes)) {
        reply_is_unexpected(reply, server);
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

/* What one system call has brought. */
static void note_received(ssize_t got, const struct server *server, struct reply *reply)
{
    if (got > 0) {
        reply->length += (size_t)got;
    } else if (got == 0) {
        reply_is_unexpected(reply, server);
    } else if (errno == EINTR) {
        proc_check();
    } else {
        system_failed("recv from %s", server->name);
    }
}

static void receive_some(int fd, const struct server *server, struct reply *reply)
{
    size_t room;
    char *into = reply_room(reply, &room);

    note_received(recv(fd, into, room, 0), server, reply);
}

static void receive(int fd, const struct server *server, bool is_list, struct reply *reply)
{
    reply_reset(reply);
    do {
        receive_some(fd, server, reply);
    } while (!reply_is_whole(reply, is_list, server));
}

/* Counts the lines that have come, and broken() if something follows the last one wanted. */
static bool has_lines(struct reply *reply, long lines, const struct server *server)
{
    for (; reply->scanned < reply->length && reply->lines < lines; reply->scanned++) {
        reply->lines += reply->bytes[reply->scanned] == '\n';
    }
    if (reply->scanned < reply->length) {
        broken("%s sent %zu bytes more than its reply", server->name,
               reply->length - reply->scanned);
    }
    return reply->lines == lines;
}

static void end_text(struct reply *reply)
{
    size_t room;

    *reply_room(reply, &room) = '\0';
}

static void receive_lines(int fd, long lines, const struct server *server, struct reply *reply)
{
    while (!has_lines(reply, lines, server)) {
        receive_some(fd, server, reply);
    }
    end_text(reply);
}

void exchange_ask(int fd, const char *request, size_t bytes, long lines,
                  const struct server *server, struct reply *reply)
{
    exchange_send(fd, request, bytes, server);
    reply_reset(reply);
    receive_lines(fd, lines, server, reply);
}

int exchange_receive_socket(int fd, const struct server *server, struct reply *reply)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec part;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
    struct cmsghdr *header;
    int passed = -1;

    reply_reset(reply);
    part.iov_base = reply_room(reply, &part.iov_len);
    do {
        message.msg_controllen = sizeof(control);
        note_received(recvmsg(fd, &message, MSG_CMSG_CLOEXEC), server, reply);
    } while (reply->length == 0);
    header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&passed, CMSG_DATA(header), sizeof(passed));
    }
    receive_lines(fd, 1, server, reply);
    return passed;
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
