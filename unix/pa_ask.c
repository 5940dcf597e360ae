/* The inside of pa_call: how a request is put to a manager. */

#include "pa_ask.h"

#include "pa_elders.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static int fail_memory(struct pa_failure *why)
{
    pa_failure_set(why, PA_E_CLIENT_MEMORY);
    return PA_E_CLIENT_MEMORY;
}

/* ---------------------------------------------------------- connections -- */

void pa_ask_free_all(struct pa_connection *list)
{
    while (list) {
        struct pa_connection *next = list->next;
        pa_connection_free(list);
        list = next;
    }
}

void pa_ask_retire(struct pa_call *call)
{
    struct pa_connection *connection = call->in_use;
    call->in_use = NULL;
    if (connection && connection->held > 0) {
        connection->next = call->aside;
        call->aside = connection;
    } else {
        pa_connection_free(connection);
    }
}

static int64_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static int remember_server(struct pa_call *call, const struct pa_connection *connection)
{
    if (!call->connected_host || strcmp(call->connected_host, connection->host) != 0) {
        char *copy = strdup(connection->host);
        if (!copy)
            return -ENOMEM;
        free(call->connected_host);
        call->connected_host = copy;
    }
    call->connected_port = connection->port;
    call->connected_unix = connection->is_unix;
    return 0;
}

static bool is_this_host(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "::1") == 0;
}

void pa_ask_place(const struct pa_call *call, struct pa_portfile *place)
{
    *place = (struct pa_portfile){.port = call->port};
    if (call->port == 0)
        pa_portfile_read(place);
    if (place->port == 0)
        place->port = PA_CALL_DEFAULT_PORT;
    if (!is_this_host(call->host))
        *place->socket = '\0';
}

/* A new connection to the server of the calls to come. */
static int open_connection(const struct pa_call *call, struct pa_connection **made,
                           const struct pa_deadline *deadline, struct pa_failure *why)
{
    struct pa_portfile place;
    pa_ask_place(call, &place);
    return pa_connection_open(made, call->host, place.port, place.socket, deadline, why);
}

int pa_ask_use(struct pa_call *call, struct pa_connection *connection, struct pa_failure *why)
{
    if (!connection || remember_server(call, connection) < 0) {
        pa_connection_free(connection);
        return fail_memory(why);
    }
    call->in_use = connection;
    return 0;
}

static int connect_server(struct pa_call *call, const struct pa_deadline *deadline,
                          struct pa_failure *why)
{
    struct pa_connection *connection;
    int r = open_connection(call, &connection, deadline, why);
    return r != 0 ? r : pa_ask_use(call, connection, why);
}

int pa_ask_connect(const struct pa_call *call, int timeout_ms, int *fd, struct pa_failure *why)
{
    struct pa_deadline deadline = pa_deadline_in(timeout_ms);
    struct pa_connection *connection;
    int r = open_connection(call, &connection, &deadline, why);
    if (r != 0)
        return r;
    *fd = connection->fd;
    connection->fd = -1;
    pa_connection_free(connection);
    return 0;
}

/* Moves the dead ones that held ports from the list at *from to a list of their own. */
static struct pa_connection *take_dead(struct pa_connection **from)
{
    struct pa_connection *dead = NULL;
    while (*from) {
        struct pa_connection *one = *from;
        pa_connection_drain(one);
        if (one->dead) {
            *from = one->next;
            one->next = dead;
            dead = one;
        } else {
            from = &one->next;
        }
    }
    return dead;
}

int pa_ask_look_after(struct pa_call *call, struct pa_failure *why)
{
    if (call->in_use) {
        pa_connection_drain(call->in_use);
        if (call->in_use->dead || !pa_connection_in_step(call->in_use))
            pa_ask_retire(call);
    }
    struct pa_connection *dead = take_dead(&call->aside);
    if (!dead)
        return 0;
    size_t lost = 0;
    for (const struct pa_connection *one = dead; one; one = one->next)
        lost += one->held;
    pa_failure_set(why, PA_E_PORTS_LOST, dead->host, dead->port, lost);
    pa_ask_free_all(dead);
    return PA_E_PORTS_LOST;
}

int pa_ask_open(struct pa_call *call, int timeout_ms, struct pa_failure *why)
{
    struct pa_deadline deadline = pa_deadline_in(timeout_ms);
    int r = pa_ask_look_after(call, why);
    return r == 0 && !call->in_use ? connect_server(call, &deadline, why) : r;
}

/* ------------------------------------------------------------- requests -- */

void pa_ask_deinit(struct pa_ask *ask)
{
    pa_buf_deinit(&ask->line);
    pa_buf_deinit(&ask->old);
}

/* A positive r has *why filled in already. */
static int fail_request(int r, struct pa_failure *why)
{
    return r < 0 ? fail_memory(why) : r;
}

int pa_ask_write_old(struct pa_ask *ask, enum pa_verb verb, const char *name, const char *user,
                     struct pa_failure *why)
{
    ask->old_verb = verb;
    int r = pa_client_request(&ask->old, verb, name, user);
    return r > 0 ? pa_failure_set(why, (enum pa_error)r) : fail_request(r, why);
}

int pa_ask_write(struct pa_ask *ask, enum pa_verb verb, const char *name,
                 const struct pa_keys *keys, struct pa_failure *why)
{
    ask->verb = verb;
    ask->wait_ms = keys->wait_ms;
    int r = pa_client_hello(&ask->line);
    ask->hello = ask->line.size;
    if (r == 0)
        r = pa_client_request2(&ask->line, verb, name, keys, why);
    return fail_request(r, why);
}

bool pa_ask_is_new(const struct pa_connection *connection)
{
    return connection->client.protocol == PA_PROTOCOL_2;
}

/* Whether it is known that the manager does not speak protocol 2. */
static bool is_old(const struct pa_connection *connection)
{
    return !pa_ask_is_new(connection) &&
           (connection->old || pa_elders_has(connection->host, connection->port, now_s()));
}

/* Whether the request can be sent, or be refused, on a connection that is kept. */
static bool fits(const struct pa_connection *connection, const struct pa_ask *ask)
{
    return ask->line.size == 0 || connection->held == 0 || pa_ask_is_new(connection) ||
           is_old(connection);
}

/* How the request is put to that connection; no bytes: it cannot be. */
static struct pa_connection_request put(const struct pa_ask *ask,
                                        const struct pa_connection *connection)
{
    if (ask->line.size == 0 || is_old(connection))
        return (struct pa_connection_request){ask->old.data, ask->old.size, ask->old_verb,
                                              false};
    size_t skipped = pa_ask_is_new(connection) ? ask->hello : 0;
    return (struct pa_connection_request){ask->line.data + skipped, ask->line.size - skipped,
                                          ask->verb, skipped == 0};
}

/* Keeps what the manager said to HELLO, if that was yes. */
static void take_hello(struct pa_call *call, struct pa_client *client)
{
    pa_answer_deinit(&call->hello);
    if (client->protocol != PA_PROTOCOL_2)
        return;
    call->hello = client->hello;
    client->hello = (struct pa_answer){.code = "", .text = ""};
}

int pa_ask_put(struct pa_call *call, const struct pa_ask *ask, struct pa_failure *why)
{
    struct pa_connection *connection = call->in_use;
    struct pa_connection_request said = put(ask, connection);
    if (said.size == 0)
        return pa_failure_set(why, PA_E_TOO_OLD, connection->host, connection->port,
                              ask->feature);
    if (pa_connection_reserve(connection, ask->count) != 0)
        return fail_memory(why);
    pa_connection_begin(connection, &said);
    return 0;
}

void pa_ask_heard(struct pa_call *call)
{
    if (call->in_use->said_hello)
        take_hello(call, &call->in_use->client);
}

void pa_ask_is_old(struct pa_call *call)
{
    pa_elders_add(call->in_use->host, call->in_use->port, now_s());
    call->in_use = pa_connection_free(call->in_use);
}

/* Sends the request on the connection in use. Also PA_CONNECTION_OLD. */
static int talk(struct pa_call *call, const struct pa_ask *ask,
                const struct pa_deadline *deadline, struct pa_failure *why)
{
    int r = pa_ask_put(call, ask, why);
    if (r != 0)
        return r;
    r = pa_connection_finish(call->in_use, deadline, why);
    pa_ask_heard(call);
    return r;
}

struct pa_deadline pa_ask_deadline(const struct pa_ask *ask, int timeout_ms)
{
    int wait_ms = (int)ask->wait_ms; /* a day at most */
    int call_ms = timeout_ms > 0 ? timeout_ms : 0;
    return pa_deadline_in(call_ms > INT_MAX - wait_ms ? INT_MAX : call_ms + wait_ms);
}

/* Asks a manager that has turned out to be old once more, on a new connection. */
static int ask_old(struct pa_call *call, const struct pa_ask *ask,
                   const struct pa_deadline *deadline, struct pa_failure *why)
{
    pa_ask_is_old(call);
    int r = connect_server(call, deadline, why);
    if (r != 0)
        return r;
    call->in_use->old = true; /* however long that is remembered */
    return talk(call, ask, deadline, why);
}

/* Asks on a connection in use, or a new one. */
static int ask_once(struct pa_call *call, const struct pa_ask *ask,
                    const struct pa_deadline *deadline, struct pa_failure *why)
{
    int r = call->in_use ? 0 : connect_server(call, deadline, why);
    if (r != 0)
        return r;
    r = talk(call, ask, deadline, why);
    return r == PA_CONNECTION_OLD ? ask_old(call, ask, deadline, why) : r;
}

int pa_ask(struct pa_call *call, const struct pa_ask *ask, int timeout_ms,
           struct pa_failure *why)
{
    struct pa_deadline deadline = pa_ask_deadline(ask, timeout_ms);
    int r = pa_ask_look_after(call, why);
    if (r != 0)
        return r;
    if (call->in_use && !fits(call->in_use, ask))
        pa_ask_retire(call);
    bool kept = call->in_use;
    r = ask_once(call, ask, &deadline, why);
    if (r != PA_E_CLOSED || !kept)
        return r;
    r = pa_ask_look_after(call, why);
    return r != 0 ? r : ask_once(call, ask, &deadline, why);
}

/* What becomes of the connection after a call. */
static void put_away(struct pa_call *call)
{
    struct pa_connection *connection = call->in_use;
    if (!connection)
        return;
    pa_unix_passed_deinit(&connection->passed);
    if (!pa_connection_in_step(connection) || (connection->held == 0 && !call->opened))
        pa_ask_retire(call);
}

int pa_ask_finish(struct pa_call *call, struct pa_ask *ask, int r)
{
    pa_ask_deinit(ask);
    put_away(call);
    return r;
}
