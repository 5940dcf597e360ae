/*
 * bus - dbus-broker without systemd, and a client of it that sends RequestName.
 *
 * The broker does nothing by itself: whoever starts it holds the other end of its controller
 * socket, and hands it the socket to listen on with the policy for its clients
 * (dbus-broker(1), CONTROLLER). Here the policy lets everybody do everything.
 *
 * The client is made by hand, as the one of the port manager is: what a library takes for
 * itself is not in the bus's time.
 */
#include "bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BROKER         "/usr/bin/dbus-broker" /* of Debian's package */
#define START_S        15
#define BLOCK_S        30
#define WARM_UP        5 /* as in the blocks of the port manager */
#define RECEIVED_BYTES (64 * 1024)
#define DO_NOT_QUEUE   4 /* a flag of RequestName */
#define PRIMARY_OWNER  1 /* its answer when the name was free */
#define ANYBODY        UINT32_MAX
#define PRIORITY       1 /* of the policy's rules, any but 0 */
#define NAME_DIGITS    9

/* One connection. What has come lies from `begin` to `end`. */
struct client {
    int fd;
    uint32_t serial; /* of the last call */
    size_t begin;
    size_t end;
    unsigned char received[RECEIVED_BYTES];
};

static void receive_some(struct client *client)
{
    ssize_t got;

    if (client->begin > 0) {
        memmove(client->received, client->received + client->begin,
                client->end - client->begin);
        client->end -= client->begin;
        client->begin = 0;
    }
    if (client->end == sizeof(client->received)) {
        broken("the bus sent a message that is too long");
    }
    got = recv(client->fd, client->received + client->end,
               sizeof(client->received) - client->end, 0);
    if (got > 0) {
        client->end += (size_t)got;
    } else if (got == 0) {
        broken("the bus closed a connection");
    } else if (errno == EINTR) {
        proc_check();
    } else {
        system_failed("recv from the bus");
    }
}

static void expect_line(struct client *client, const char *start)
{
    const unsigned char *from;
    const unsigned char *end;

    while ((end = memchr(client->received + client->begin, '\n',
                         client->end - client->begin)) == NULL) {
        receive_some(client);
    }
    from = client->received + client->begin;
    if (strncmp((const char *)from, start, strlen(start)) != 0) {
        broken("the bus answered: %.*s", (int)(end - from), (const char *)from);
    }
    client->begin += (size_t)(end - from) + 1;
}

/* SASL, EXTERNAL: the kernel tells the bus who this is. */
static void authenticate(struct client *client, const struct server *server)
{
    char user[16];
    char text[128];
    size_t length = 1;

    snprintf(user, sizeof(user), "%ld", (long)geteuid());
    text[0] = '\0';
    length += (size_t)snprintf(text + length, sizeof(text) - length, "AUTH EXTERNAL ");
    for (const char *digit = user; *digit != '\0'; digit++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%02x", *digit);
    }
    length += (size_t)snprintf(text + length, sizeof(text) - length,
                               "\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n");
    exchange_send(client->fd, text, length, server);
    expect_line(client, "OK ");
    expect_line(client, "AGREE_UNIX_FD");
}

/* Passes over signals: besides its answers the bus tells a client what names it has got. */
static void receive_answer(struct client *client, struct bus_answer *answer)
{
    do {
        const unsigned char *from;
        size_t size;

        while ((size = bus_size(client->received + client->begin,
                                client->end - client->begin)) == 0 ||
               client->end - client->begin < size) {
            receive_some(client);
        }
        from = client->received + client->begin;
        if (!bus_parse(from, size, answer)) {
            broken("the bus sent a malformed message");
        }
        client->begin += size;
    } while (answer->reply_serial != client->serial);
}

static void call(struct client *client, struct bus_message *message,
                 const struct server *server, struct bus_answer *answer)
{
    bus_set_serial(message, ++client->serial);
    exchange_send(client->fd, (const char *)message->bytes, message->size, server);
    receive_answer(client, answer);
}

/* ---- the controller ---- */

/* A batch of rules: who may connect, own names, send, receive. */
static void put_batch(struct bus_message *message)
{
    size_t array;

    bus_put_struct(message);
    bus_put_u32(message, true);
    bus_put_u64(message, PRIORITY);
    array = bus_open_array(message); /* (btbs): whose names begin with the text */
    bus_put_u32(message, true);
    bus_put_u64(message, PRIORITY);
    bus_put_u32(message, true);
    bus_put_text(message, "");
    bus_close_array(message, array);
    for (int direction = 0; direction < 2; direction++) {
        array = bus_open_array(message); /* (btssssuutt): name, path, interface, member, ... */
        bus_put_u32(message, true);
        bus_put_u64(message, PRIORITY);
        for (int i = 0; i < 4; i++) {
            bus_put_text(message, "");
        }
        bus_put_u32(message, 0);          /* any type of message, */
        bus_put_u32(message, 0);          /* broadcast or not, */
        bus_put_u64(message, 0);          /* with descriptors from none */
        bus_put_u64(message, UINT64_MAX); /* to any number */
        bus_close_array(message, array);
    }
}

/* Everybody may do everything; no rules of groups, SELinux or AppArmor. */
static void put_policy(struct bus_message *message)
{
#define BATCH "(bta(btbs)a(btssssuutt)a(btssssuutt))"
    size_t array;

    bus_put_signature(message, "(a(u" BATCH ")a(buu" BATCH ")a(ss)bs)");
    bus_put_struct(message);
    array = bus_open_array(message);
    bus_put_u32(message, ANYBODY);
    put_batch(message);
    bus_close_array(message, array);
    for (int i = 0; i < 2; i++) {
        array = bus_open_array(message);
        bus_close_array(message, array);
    }
    bus_put_u32(message, false);
    bus_put_text(message, "session");
#undef BATCH
}

/* The message and, with it, the socket. */
static void send_with_socket(int fd, struct bus_message *message, int passed)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control = {{0}};
    struct iovec part = {message->bytes, message->size};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&packet);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(passed));
    memcpy(CMSG_DATA(header), &passed, sizeof(passed));
    if (sendmsg(fd, &packet, MSG_NOSIGNAL) != (ssize_t)message->size) {
        system_failed("sendmsg to dbus-broker");
    }
}

static int open_listener(const struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", server->dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
        broken("%s/socket is too long a path", server->dir);
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        system_failed("%s", address.sun_path);
    }
    return fd;
}

/* Returns false, and says why, if the broker refuses. */
static bool hand_over(const struct server *server, struct client *controller, int listener)
{
    static const struct bus_call add_listener = {
        .path = "/org/bus1/DBus/Broker",
        .interface = "org.bus1.DBus.Broker",
        .member = "AddListener",
        .signature = "ohv",
        .descriptors = 1,
    };
    struct bus_message message;
    struct bus_answer answer;

    authenticate(controller, server);
    bus_begin(&message, &add_listener);
    bus_put_text(&message, "/org/bus1/DBus/Listener/0");
    bus_put_u32(&message, 0); /* the first of the descriptors */
    put_policy(&message);
    bus_set_serial(&message, ++controller->serial);
    send_with_socket(controller->fd, &message, listener);
    receive_answer(controller, &answer);
    if (answer.type != BUS_METHOD_RETURN) {
        printf("(dbus-broker refuses AddListener, %s: its rows are left out)\n",
               answer.error != NULL ? answer.error : "with no error");
    }
    return answer.type == BUS_METHOD_RETURN;
}

bool bus_start(struct server *server, int *controller)
{
    static struct client client;
    char *argv[] = {(char *)BROKER,
                    (char *)"--controller",
                    (char *)"0",
                    (char *)"--machine-id",
                    (char *)"0123456789abcdef0123456789abcdef",
                    NULL};
    int ends[2];
    int listener;
    bool is_listening;

    if (access(BROKER, X_OK) != 0) {
        printf("(no %s, Debian's package dbus-broker: its rows are left out)\n", BROKER);
        return false;
    }
    *server = (struct server){.name = "dbus-broker", .by_unix = true};
    server_make_dir(server);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        system_failed("socketpair");
    }
    server->pid = proc_spawn(argv, server->dir, ends[1], -1, true);
    close(ends[1]);
    listener = open_listener(server);
    client = (struct client){.fd = ends[0]};
    proc_watch(START_S);
    is_listening = hand_over(server, &client, listener);
    proc_watch(0);
    close(listener);
    *controller = ends[0];
    if (!is_listening) {
        server_stop(server);
        close(ends[0]);
    }
    return is_listening;
}

/* ---- the client ---- */

static const struct bus_call hello = {
    .destination = "org.freedesktop.DBus",
    .path = "/org/freedesktop/DBus",
    .interface = "org.freedesktop.DBus",
    .member = "Hello",
    .signature = "",
};

static const struct bus_call request_name = {
    .destination = "org.freedesktop.DBus",
    .path = "/org/freedesktop/DBus",
    .interface = "org.freedesktop.DBus",
    .member = "RequestName",
    .signature = "su",
};

static void open_client(struct client *client, const struct server *server)
{
    struct bus_message message;
    struct bus_answer answer;

    client->fd = exchange_open(server);
    client->serial = 0;
    client->begin = client->end = 0;
    authenticate(client, server);
    bus_begin(&message, &hello);
    call(client, &message, server, &answer);
    if (answer.type != BUS_METHOD_RETURN) {
        broken("dbus-broker answered Hello with %s", answer.error);
    }
}

/* The message is ready but for the digits of the name. */
static void request(struct client *client, struct bus_message *message, size_t digits,
                    const struct server *server)
{
    static unsigned next = 0; /* never twice the same: no name waits for the end of another */
    unsigned number = next++;
    struct bus_answer answer;

    for (int i = NAME_DIGITS - 1; i >= 0; i--, number /= 10) {
        message->bytes[digits + (size_t)i] = (unsigned char)('0' + number % 10);
    }
    call(client, message, server, &answer);
    if (answer.type != BUS_METHOD_RETURN || strcmp(answer.signature, "u") != 0 ||
        answer.body_bytes != 4 || answer.body[0] != PRIMARY_OWNER) {
        broken("dbus-broker answered RequestName with %s",
               answer.error != NULL ? answer.error : "another number");
    }
}

/* Returns where the digits of the name are. */
static size_t prepare_request(struct bus_message *message)
{
    size_t digits;

    bus_begin(message, &request_name);
    bus_put_text(message, "org.bench.n000000000");
    digits = message->size - 1 - NAME_DIGITS;
    bus_put_u32(message, DO_NOT_QUEUE);
    return digits;
}

double bus_block(const struct server *server, unsigned operations)
{
    static struct client client;
    struct bus_message message;
    size_t digits = prepare_request(&message);
    double begun_us;
    double ended_us;

    proc_watch(BLOCK_S);
    open_client(&client, server);
    for (unsigned i = 0; i < WARM_UP; i++) {
        request(&client, &message, digits, server);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < operations; i++) {
        request(&client, &message, digits, server);
    }
    ended_us = now_us();
    close(client.fd);
    proc_watch(0);
    return ended_us - begun_us;
}

static void request_once(struct bus_message *message, size_t digits,
                         const struct server *server)
{
    static struct client client;

    open_client(&client, server);
    request(&client, message, digits, server);
    close(client.fd);
}

double bus_block_new(const struct server *server, unsigned operations)
{
    struct bus_message message;
    size_t digits = prepare_request(&message);
    double begun_us;

    proc_watch(BLOCK_S);
    for (unsigned i = 0; i < WARM_UP; i++) {
        request_once(&message, digits, server);
    }
    begun_us = now_us();
    for (unsigned i = 0; i < operations; i++) {
        request_once(&message, digits, server);
    }
    begun_us = now_us() - begun_us;
    proc_watch(0);
    return begun_us;
}
