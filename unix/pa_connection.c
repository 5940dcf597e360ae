/* One connection to a port manager. */

#include "pa_connection.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 64 * 1024, /* a reply to LIST of 900 ports is about 25 KiB */
    MAX_DRAIN_READS = 16,      /* of unexpected bytes, a connection and call */
};

static int fail_memory(struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_CLIENT_MEMORY);
}

/* ------------------------------------------------------------- lifetime -- */

struct pa_connection *pa_connection_free(struct pa_connection *connection)
{
    if (!connection)
        return NULL;
    if (connection->fd >= 0)
        close(connection->fd);
    pa_unix_passed_deinit(&connection->passed);
    pa_client_deinit(&connection->client);
    free(connection->ports);
    free(connection);
    return NULL;
}

static struct pa_connection *connection_new(const char *host, int port)
{
    size_t size = strlen(host) + 1;
    struct pa_connection *connection = malloc(sizeof *connection + size);
    if (!connection)
        return NULL;
    *connection = (struct pa_connection){
        .client = PA_CLIENT_INIT, .passed = PA_UNIX_PASSED_NONE, .fd = -1, .port = port};
    memcpy(connection->host, host, size);
    return connection;
}

static int fail_late(const struct pa_connection *connection, const struct pa_deadline *deadline,
                     const char *what, struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_TIMEOUT, deadline->timeout_ms, what, connection->host,
                          connection->port);
}

static int connect_any(struct pa_connection *connection, const char *path,
                       const struct pa_deadline *deadline, struct pa_failure *why)
{
    int r = *path ? pa_unix_connect(path, deadline, &connection->fd) : -ENOENT;
    if (r == PA_SOCKET_TIMEOUT)
        return fail_late(connection, deadline, "a connection to", why);
    connection->is_unix = r == 0;
    if (r == 0)
        return 0;
    return pa_socket_connect(connection->host, connection->port, deadline, &connection->fd,
                             why);
}

int pa_connection_open(struct pa_connection **made, const char *host, int port,
                       const char *path, const struct pa_deadline *deadline,
                       struct pa_failure *why)
{
    struct pa_connection *connection = connection_new(host, port);
    if (!connection)
        return fail_memory(why);
    int r = connect_any(connection, path, deadline, why);
    *made = r == 0 ? connection : pa_connection_free(connection);
    return r;
}

struct pa_connection *pa_connection_dialled(struct pa_dial *dial)
{
    struct pa_connection *connection = connection_new(dial->host, dial->port);
    if (!connection)
        return NULL;
    connection->is_unix = dial->is_unix;
    connection->fd = pa_dial_take(dial);
    return connection;
}

bool pa_connection_in_step(const struct pa_connection *connection)
{
    return connection->client.state == PA_CLIENT_IDLE;
}

void pa_connection_drain(struct pa_connection *connection)
{
    static const struct pa_deadline at_once = {0, 0};
    for (int i = 0; i < MAX_DRAIN_READS && !connection->dead; ++i) {
        char bytes[RECEIVE_BYTES];
        size_t size = 0;
        struct pa_unix_passed unasked = PA_UNIX_PASSED_NONE;
        enum pa_socket_state state = pa_socket_look(connection->fd);
        if (state == PA_SOCKET_QUIET)
            return;
        if (state == PA_SOCKET_DEAD ||
            pa_unix_receive(connection->fd, bytes, sizeof bytes, &at_once, &size, &unasked) < 0)
            connection->dead = true;
        else
            pa_client_take_idle(&connection->client, bytes, size);
        pa_unix_passed_deinit(&unasked);
    }
}

/* ------------------------------------------------------------- exchange -- */

/* `error` is that of the socket, or 0 at the end of the stream. */
static int fail_closed(struct pa_connection *connection, int error, struct pa_failure *why)
{
    bool by_manager = error == 0 || error == EPIPE || error == ECONNRESET;
    connection->dead = true;
    return pa_failure_set(why, PA_E_CLOSED, connection->host, connection->port,
                          pa_client_in_reply(&connection->client) ? "within its answer"
                                                                  : "before its answer",
                          by_manager ? "closed by the manager" : pa_socket_reason(error));
}

static int go_on(struct pa_connection *connection, short events,
                 const struct pa_deadline *deadline)
{
    connection->wait = (struct pa_wait){connection->fd, events, *deadline};
    return PA_CONNECTION_WAIT;
}

/* There was nothing to be done. */
static int wait_for(struct pa_connection *connection, short events,
                    const struct pa_deadline *deadline, struct pa_failure *why)
{
    if (pa_deadline_left_ms(deadline) == 0)
        return fail_late(connection, deadline, "the answer of", why);
    return go_on(connection, events, deadline);
}

enum { MORE = PA_CONNECTION_WAIT + 1 }; /* the reply goes on */

/* What the client made of the bytes from *cursor to `end`. */
static int take_bytes(struct pa_connection *connection, const char *cursor, const char *end,
                      struct pa_failure *why)
{
    int r = pa_client_feed(&connection->client, &cursor, end, why);
    if (r == PA_CLIENT_MORE)
        return MORE;
    if (r == PA_CLIENT_OLD)
        return PA_CONNECTION_OLD;
    pa_client_take_idle(&connection->client, cursor, (size_t)(end - cursor));
    if (r < 0)
        return fail_memory(why);
    return r == PA_CLIENT_FAILED ? (int)why->error : 0;
}

/* Adds to *taken. */
static int receive_some(struct pa_connection *connection, const struct pa_deadline *deadline,
                        size_t *taken, struct pa_failure *why)
{
    char bytes[RECEIVE_BYTES];
    size_t size = 0;
    int r =
        pa_unix_receive_some(connection->fd, bytes, sizeof bytes, &size, &connection->passed);
    if (r == -EAGAIN)
        return wait_for(connection, POLLIN, deadline, why);
    if (r < 0 || size == 0)
        return fail_closed(connection, -r, why);
    *taken += size;
    return take_bytes(connection, bytes, bytes + size, why);
}

/* 0 when all has been sent, or the manager has closed. */
static int send_some(struct pa_connection *connection, const struct pa_deadline *deadline,
                     struct pa_failure *why)
{
    while (connection->unsent_size > 0) {
        ssize_t n =
            pa_socket_send_some(connection->fd, connection->unsent, connection->unsent_size);
        if (n == -EAGAIN)
            return wait_for(connection, POLLOUT, deadline, why);
        if (n == -EPIPE || n == -ECONNRESET)
            break;
        if (n < 0)
            return fail_closed(connection, (int)-n, why);
        connection->unsent += n;
        connection->unsent_size -= (size_t)n;
    }
    connection->unsent_size = 0;
    return 0;
}

void pa_connection_begin(struct pa_connection *connection,
                         const struct pa_connection_request *request)
{
    pa_unix_passed_deinit(&connection->passed);
    if (request->hello)
        pa_client_begin_hello(&connection->client, request->verb);
    else
        pa_client_begin(&connection->client, request->verb);
    connection->said_hello = request->hello;
    connection->unsent = request->bytes;
    connection->unsent_size = request->size;
}

int pa_connection_step(struct pa_connection *connection, const struct pa_deadline *deadline,
                       struct pa_failure *why)
{
    int r = connection->unsent_size > 0 ? send_some(connection, deadline, why) : 0;
    if (r != 0)
        return r;
    size_t taken = 0;
    do {
        r = receive_some(connection, deadline, &taken, why);
    } while (r == MORE && taken < RECEIVE_BYTES);
    return r == MORE ? go_on(connection, POLLIN, deadline) : r;
}

int pa_connection_finish(struct pa_connection *connection, const struct pa_deadline *deadline,
                         struct pa_failure *why)
{
    int r;
    while ((r = pa_connection_step(connection, deadline, why)) == PA_CONNECTION_WAIT) {
        r = pa_socket_await(&connection->wait);
        if (r < 0)
            return fail_closed(connection, -r, why);
    }
    return r;
}

/* ---------------------------------------------------------------- ports -- */

int pa_connection_reserve(struct pa_connection *connection, size_t count)
{
    size_t wanted = connection->held + count;
    if (wanted <= connection->room)
        return 0;
    size_t room = 2 * connection->room > wanted ? 2 * connection->room : wanted;
    uint16_t *ports = realloc(connection->ports, room * sizeof *ports);
    if (!ports)
        return -ENOMEM;
    connection->ports = ports;
    connection->room = room;
    return 0;
}

void pa_connection_hold(struct pa_connection *connection, uint16_t port, size_t count)
{
    assert(connection->held + count <= connection->room);
    for (size_t i = 0; i < count; ++i)
        connection->ports[connection->held++] = (uint16_t)(port + i);
}

bool pa_connection_drop(struct pa_connection *connection, uint16_t port)
{
    for (size_t i = 0; i < connection->held; ++i) {
        if (connection->ports[i] != port)
            continue;
        connection->ports[i] = connection->ports[--connection->held];
        return true;
    }
    return false;
}
