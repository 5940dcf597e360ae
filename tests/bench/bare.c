/*
 * bare - the least a libuv line server can do: the limit the benchmark measures against.
 *
 *   bare ?-probe LOW-HIGH? PORTFILE ?REPLYFILE?
 *
 * Happy path: bind 127.0.0.1 port 0, listen, put the port number into PORTFILE by a rename;
 * accept, read into one static buffer, and for every '\n' write one fixed reply: the bytes of
 * REPLYFILE when the line starts with L, `OK 31000` for any other. No request is parsed,
 * nothing is remembered but an unfinished line. A client that has sent a line that starts with
 * W is sent each line that starts with E, whoever sends it, as it is. With -probe it also makes
 * the system calls by which the daemon sees that a port is free, each time on another port of
 * the range: bind and close before an OK, socket and setsockopt for the next one before the
 * loop sleeps. No manager that looks before it gives can do with less. SIGTERM or SIGINT closes
 * every handle, and the loop then ends by itself.
 *
 * Failure modes: a full socket buffer turns the rest of a reply into a queued uv_write; a
 * client whose queue passes QUEUE_BYTES, or that resets, is closed. What fails at the start
 * ends the program with 111 and the reason. A client is freed in its close callback and nowhere
 * else.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define BACKLOG_CONNECTIONS 511               /* as redis and nginx ask for */
#define READ_BYTES          (64 * 1024)       /* libuv suggests this size to alloc_cb */
#define QUEUE_BYTES         (4 * 1024 * 1024) /* of replies a client may leave unread */
#define EVENT_BYTES         512               /* of a line that is told to all who listen */
#define REPLY_BYTES         (8 * 1024 * 1024) /* largest REPLYFILE: 65,536 lines of 128 bytes */

struct client {
    uv_tcp_t tcp;
    char first;          /* of the line being read, 0 before its first byte */
    bool listens;        /* it has sent a line that starts with W */
    struct client *next; /* among those that listen */
    struct client *previous;
};

static char read_buffer[READ_BYTES];
static char port_reply[] = "OK 31000\r\n";
static char *list_reply = NULL;
static size_t list_bytes = 0;
static unsigned probe_low = 0; /* 0: no port is probed */
static unsigned probe_high = 0;
static unsigned probe_next = 0;
static int probe_fd = -1; /* for the next probe */
static struct client *listeners = NULL;
static char event[EVENT_BYTES]; /* the line that is told to all of them */
static size_t event_bytes = 0;

static void fail(const char *what, int uv_code)
{
    fprintf(stderr, "bare: %s: %s\n", what, uv_code < 0 ? uv_strerror(uv_code) : "failed");
    exit(111);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void forget_listener(struct client *client)
{
    if (!client->listens) {
        return;
    }
    if (client->previous != NULL) {
        client->previous->next = client->next;
    } else {
        listeners = client->next;
    }
    if (client->next != NULL) {
        client->next->previous = client->previous;
    }
    client->listens = false;
}

static void close_client(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp)) {
        forget_listener(client);
        uv_close((uv_handle_t *)&client->tcp, on_closed);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct client *client = request->handle->data;

    free(request);
    if (status < 0) {
        close_client(client);
    }
}

/* Queues what the socket did not take. The text is static, so nothing is copied. */
static void queue_rest(struct client *client, uv_buf_t rest)
{
    uv_stream_t *stream = (uv_stream_t *)&client->tcp;
    uv_write_t *request = NULL;

    if (uv_stream_get_write_queue_size(stream) < QUEUE_BYTES) {
        request = malloc(sizeof(*request));
    }
    if (request == NULL || uv_write(request, stream, &rest, 1, on_written) < 0) {
        free(request);
        close_client(client);
    }
}

/* This and can_bind() make the system calls of daemon/probe.c for a port that is free. */
static void prepare_probe(void)
{
    const int off = 0;

    if (probe_fd >= 0) {
        return;
    }
    probe_fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe_fd < 0 ||
        setsockopt(probe_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0) {
        fail("probe", uv_translate_sys_error(errno));
    }
}

static void on_prepare(uv_prepare_t *handle)
{
    (void)handle;
    prepare_probe();
}

static bool can_bind(unsigned port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_bound;

    prepare_probe();
    is_bound = bind(probe_fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    close(probe_fd);
    probe_fd = -1;
    return is_bound;
}

/* Walks the range downwards, as the daemon does, and on from a port that is in use. */
static void probe(void)
{
    bool is_free = false;

    for (unsigned tries = probe_high - probe_low + 1; tries > 0 && !is_free; tries--) {
        is_free = can_bind(probe_next);
        probe_next = probe_next > probe_low ? probe_next - 1 : probe_high;
    }
    if (!is_free) {
        fail("probe", UV_EADDRINUSE);
    }
}

static void send_text(struct client *client, char *text, size_t size)
{
    uv_buf_t rest = uv_buf_init(text, (unsigned)size);
    int sent = uv_try_write((uv_stream_t *)&client->tcp, &rest, 1);

    if (sent < 0 && sent != UV_EAGAIN) {
        close_client(client);
        return;
    }
    if (sent > 0) {
        rest.base += sent;
        rest.len -= (size_t)sent;
    }
    if (rest.len > 0) {
        queue_rest(client, rest);
    }
}

static void answer(struct client *client)
{
    if (client->first == 'L' && list_reply != NULL) {
        send_text(client, list_reply, list_bytes);
        return;
    }
    if (probe_low > 0) {
        probe();
    }
    send_text(client, port_reply, sizeof(port_reply) - 1);
}

static void add_listener(struct client *client)
{
    if (client->listens) {
        return;
    }
    client->listens = true;
    client->previous = NULL;
    client->next = listeners;
    if (listeners != NULL) {
        listeners->previous = client;
    }
    listeners = client;
}

/* An event is told when the one who asked is answered. */
static void take_line(struct client *client)
{
    answer(client);
    if (client->first == 'W') {
        add_listener(client);
    }
    if (client->first != 'E') {
        return;
    }
    for (struct client *next, *listener = listeners; listener != NULL; listener = next) {
        next = listener->next;
        send_text(listener, event, event_bytes);
    }
}

static void take_byte(struct client *client, char byte)
{
    if (client->first == 0) {
        client->first = byte;
        event_bytes = 0;
    }
    if (event_bytes < sizeof(event)) {
        event[event_bytes++] = byte;
    }
    if (byte == '\n') {
        take_line(client);
        client->first = 0;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct client *client = stream->data;

    if (count < 0) {
        close_client(client);
        return;
    }
    for (ssize_t i = 0; i < count && !uv_is_closing((uv_handle_t *)stream); i++) {
        take_byte(client, buffer->base[i]);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client;

    if (status < 0 || (client = calloc(1, sizeof(*client))) == NULL) {
        return;
    }
    if (uv_tcp_init(listener->loop, &client->tcp) < 0) {
        free(client);
        return;
    }
    client->tcp.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->tcp) < 0 ||
        uv_tcp_nodelay(&client->tcp, 1) < 0 ||
        uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read) < 0) {
        close_client(client);
    }
}

static void close_any(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, handle->data != NULL ? on_closed : NULL);
    }
}

static void on_signal(uv_signal_t *watcher, int number)
{
    (void)number;
    uv_walk(watcher->loop, close_any, NULL);
}

static void load_list(const char *path)
{
    FILE *file = fopen(path, "rb");

    list_reply = malloc(REPLY_BYTES);
    if (file == NULL || list_reply == NULL) {
        fail(path, 0);
    }
    list_bytes = fread(list_reply, 1, REPLY_BYTES, file);
    if (ferror(file) || list_bytes == 0 || list_bytes == REPLY_BYTES) {
        fail(path, 0);
    }
    fclose(file);
    list_reply = realloc(list_reply, list_bytes);
    if (list_reply == NULL) {
        fail("realloc", UV_ENOMEM);
    }
}

static void write_port(const char *path, unsigned port)
{
    char fresh[4096];
    int length = snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *file;

    if (length < 0 || (size_t)length >= sizeof(fresh) || (file = fopen(fresh, "w")) == NULL) {
        fail(path, 0);
        return;
    }
    if (fprintf(file, "%u\n", port) < 0 || fclose(file) != 0 || rename(fresh, path) != 0) {
        fail(path, 0);
    }
}

/* Returns the port the kernel chose, in host order. */
static unsigned start_listening(uv_loop_t *loop, uv_tcp_t *listener)
{
    struct sockaddr_in address;
    int length = sizeof(address);
    int code;

    if ((code = uv_tcp_init(loop, listener)) < 0 ||
        (code = uv_ip4_addr("127.0.0.1", 0, &address)) < 0 ||
        (code = uv_tcp_bind(listener, (const struct sockaddr *)&address, 0)) < 0 ||
        (code = uv_listen((uv_stream_t *)listener, BACKLOG_CONNECTIONS, on_connection)) < 0 ||
        (code = uv_tcp_getsockname(listener, (struct sockaddr *)&address, &length)) < 0) {
        fail("listen", code);
    }
    return ntohs(address.sin_port);
}

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: bare ?-probe LOW-HIGH? PORTFILE ?REPLYFILE?\n");
    exit(100);
}

static void parse_range(const char *text)
{
    char end;

    if (sscanf(text, "%u-%u%c", &probe_low, &probe_high, &end) != 2 || probe_low < 1 ||
        probe_high > 65535 || probe_low > probe_high) {
        usage();
    }
    probe_next = probe_high;
}

/* Returns the name of the port file. */
static const char *parse(int argc, char **argv)
{
    int at = 1;

    if (argc > 2 && strcmp(argv[1], "-probe") == 0) {
        parse_range(argv[2]);
        at = 3;
    }
    if (argc - at < 1 || argc - at > 2) {
        usage();
    }
    if (argc - at == 2) {
        load_list(argv[at + 1]);
    }
    return argv[at];
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_prepare_t preparer;
    uv_signal_t watchers[2];
    const int numbers[2] = {SIGTERM, SIGINT};
    const char *port_file = parse(argc, argv);
    unsigned port;
    int code;

    listener.data = NULL;
    port = start_listening(loop, &listener);
    for (int i = 0; i < 2; i++) {
        watchers[i].data = NULL;
        if ((code = uv_signal_init(loop, &watchers[i])) < 0 ||
            (code = uv_signal_start(&watchers[i], on_signal, numbers[i])) < 0) {
            fail("signal", code);
        }
    }
    preparer.data = NULL;
    if ((code = uv_prepare_init(loop, &preparer)) < 0 ||
        (probe_low > 0 && (code = uv_prepare_start(&preparer, on_prepare)) < 0)) {
        fail("prepare", code);
    }
    write_port(port_file, port);
    uv_run(loop, UV_RUN_DEFAULT);
    code = uv_loop_close(loop);
    assert(code == 0);
    free(list_reply);
    return code == 0 ? 0 : 111;
}
