/*
 * Blocking calls to a port manager.
 *
 * The happy path of a call: look whether the connections that hold ports are
 * still there, connect if none is in use, send, receive until the client says
 * that the reply is complete, and close unless the connection holds ports.
 *
 * What can fail: a kept connection is found dead, before the request or by it.
 * If ports were lost with it the caller is told, once; otherwise it is replaced
 * and the request sent again. A reply that is late or not understood leaves the
 * connection out of step: it is closed, or set aside if it holds ports.
 */

#include "pa_call.h"

#include "pa_client.h"
#include "pa_socket.h"
#include "pa_text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 64 * 1024, /* a reply to LIST of 900 ports is about 25 KiB */
    MAX_DRAIN_READS = 16,      /* of unexpected bytes, a connection and call */
};

struct connection {
    struct connection *next; /* of those set aside */
    struct pa_client client;
    size_t held; /* ports */
    bool dead;
    int fd;
    int port;
    char host[];
};

struct pa_call {
    char *host;
    int port;             /* 0: ask the port file */
    bool opened;          /* by pa_call_open(): connections are kept though they hold nothing */
    char *connected_host; /* of the last connection made, or NULL */
    int connected_port;   /* likewise, or 0 */
    struct connection *in_use; /* takes the requests; NULL: the next call connects */
    struct connection *aside;  /* these hold ports and take no request */
};

static int fail_memory(struct pa_failure *why)
{
    pa_failure_set(why, PA_E_CLIENT_MEMORY);
    return PA_E_CLIENT_MEMORY;
}

/* ----------------------------------------------------------- connection -- */

/* close(2), never shutdown(2): a forked process may go on with its copy. */
static struct connection *connection_free(struct connection *connection)
{
    if (!connection)
        return NULL;
    if (connection->fd >= 0)
        close(connection->fd);
    pa_client_deinit(&connection->client);
    free(connection);
    return NULL;
}

static void free_all(struct connection *list)
{
    while (list) {
        struct connection *next = list->next;
        connection_free(list);
        list = next;
    }
}

static struct connection *connection_new(const char *host, int port)
{
    size_t size = strlen(host) + 1;
    struct connection *connection = malloc(sizeof *connection + size);
    if (!connection)
        return NULL;
    *connection = (struct connection){.client = PA_CLIENT_INIT, .fd = -1, .port = port};
    memcpy(connection->host, host, size);
    return connection;
}

static bool in_step(const struct connection *connection)
{
    return connection->client.state == PA_CLIENT_IDLE;
}

/* Reads what came unasked, and notices the end of the connection. */
static void connection_drain(struct connection *connection)
{
    static const struct pa_deadline at_once = {0, 0};
    for (int i = 0; i < MAX_DRAIN_READS && !connection->dead; ++i) {
        char bytes[RECEIVE_BYTES];
        size_t size = 0;
        enum pa_socket_state state = pa_socket_look(connection->fd);
        if (state == PA_SOCKET_QUIET)
            return;
        if (state == PA_SOCKET_DEAD ||
            pa_socket_receive(connection->fd, bytes, sizeof bytes, &at_once, &size) < 0)
            connection->dead = true;
        else
            pa_client_take_idle(&connection->client, bytes, size);
    }
}

/* ------------------------------------------------------------- exchange -- */

static int fail_late(const struct connection *connection, const struct pa_deadline *deadline,
                     struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_TIMEOUT, deadline->timeout_ms, "the answer of",
                          connection->host, connection->port);
}

/* `error` is that of the socket, or 0 at the end of the stream. */
static int fail_closed(struct connection *connection, int error, struct pa_failure *why)
{
    bool by_manager = error == 0 || error == EPIPE || error == ECONNRESET;
    connection->dead = true;
    return pa_failure_set(why, PA_E_CLOSED, connection->host, connection->port,
                          pa_client_in_reply(&connection->client) ? "within its answer"
                                                                  : "before its answer",
                          by_manager ? "closed by the manager" : pa_socket_reason(error));
}

static int receive_reply(struct connection *connection, const struct pa_deadline *deadline,
                         struct pa_failure *why)
{
    char bytes[RECEIVE_BYTES];
    const char *cursor;
    const char *end;
    int r;
    do {
        size_t size = 0;
        r = pa_socket_receive(connection->fd, bytes, sizeof bytes, deadline, &size);
        if (r == PA_SOCKET_TIMEOUT)
            return fail_late(connection, deadline, why);
        if (r < 0 || size == 0)
            return fail_closed(connection, -r, why);
        cursor = bytes;
        end = bytes + size;
        r = pa_client_feed(&connection->client, &cursor, end, why);
    } while (r == PA_CLIENT_MORE);
    pa_client_take_idle(&connection->client, cursor, (size_t)(end - cursor));
    if (r < 0)
        return fail_memory(why);
    return r == PA_CLIENT_FAILED ? (int)why->error : 0;
}

/*
 * Sends a request and receives its reply. When the manager has closed already
 * it may have said why: its words are read even if sending failed.
 */
static int exchange(struct connection *connection, enum pa_verb verb,
                    const struct pa_buf *request, const struct pa_deadline *deadline,
                    struct pa_failure *why)
{
    pa_client_begin(&connection->client, verb);
    int r = pa_socket_send(connection->fd, request->data, request->size, deadline);
    if (r == PA_SOCKET_TIMEOUT)
        return fail_late(connection, deadline, why);
    if (r < 0 && r != -EPIPE && r != -ECONNRESET)
        return fail_closed(connection, -r, why);
    return receive_reply(connection, deadline, why);
}

/* --------------------------------------------------------------- handle -- */

static const char *host_or_default(const char *host)
{
    return host && *host ? host : "localhost";
}

struct pa_call *pa_call_new(const char *host, int port)
{
    struct pa_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->host = strdup(host_or_default(host));
    call->port = port;
    return call->host ? call : pa_call_free(call);
}

struct pa_call *pa_call_free(struct pa_call *call)
{
    if (!call)
        return NULL;
    pa_call_close(call);
    free(call->connected_host);
    free(call->host);
    free(call);
    return NULL;
}

void pa_call_close(struct pa_call *call)
{
    call->in_use = connection_free(call->in_use);
    free_all(call->aside);
    call->aside = NULL;
    call->opened = false;
}

bool pa_call_is_open(const struct pa_call *call)
{
    return call->in_use || call->aside;
}

size_t pa_call_held(const struct pa_call *call)
{
    size_t held = call->in_use ? call->in_use->held : 0;
    for (const struct connection *one = call->aside; one; one = one->next)
        held += one->held;
    return held;
}

const char *pa_call_host(const struct pa_call *call)
{
    return call->connected_host ? call->connected_host : "";
}

int pa_call_port(const struct pa_call *call)
{
    return call->connected_port;
}

/* Takes the connection out of use, open if it holds ports. */
static void retire(struct pa_call *call)
{
    struct connection *connection = call->in_use;
    call->in_use = NULL;
    if (connection && connection->held > 0) {
        connection->next = call->aside;
        call->aside = connection;
    } else {
        connection_free(connection);
    }
}

int pa_call_set_server(struct pa_call *call, const char *host, int port, struct pa_failure *why)
{
    host = host_or_default(host);
    if (port == call->port && strcmp(host, call->host) == 0)
        return 0;
    char *copy = strdup(host);
    if (!copy)
        return fail_memory(why);
    free(call->host);
    call->host = copy;
    call->port = port;
    retire(call);
    return 0;
}

/* ---------------------------------------------------------- connections -- */

static int remember_server(struct pa_call *call, const struct connection *connection)
{
    if (!call->connected_host || strcmp(call->connected_host, connection->host) != 0) {
        char *copy = strdup(connection->host);
        if (!copy)
            return -ENOMEM;
        free(call->connected_host);
        call->connected_host = copy;
    }
    call->connected_port = connection->port;
    return 0;
}

static int connect_server(struct pa_call *call, const struct pa_deadline *deadline,
                          struct pa_failure *why)
{
    int port = call->port ? call->port : pa_call_port_from_file();
    struct connection *connection =
        connection_new(call->host, port ? port : PA_CALL_DEFAULT_PORT);
    if (!connection)
        return fail_memory(why);
    int r =
        pa_socket_connect(connection->host, connection->port, deadline, &connection->fd, why);
    if (r == 0 && remember_server(call, connection) < 0)
        r = fail_memory(why);
    call->in_use = r == 0 ? connection : connection_free(connection);
    return r;
}

/* Moves the dead ones that held ports from the list at *from to a list of their own. */
static struct connection *take_dead(struct connection **from)
{
    struct connection *dead = NULL;
    while (*from) {
        struct connection *one = *from;
        connection_drain(one);
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

/*
 * Looks after the connections before a call: drops the dead, sets aside what
 * is out of step. 0, or PA_E_PORTS_LOST when ports went with the dead.
 */
static int look_after(struct pa_call *call, struct pa_failure *why)
{
    if (call->in_use) {
        connection_drain(call->in_use);
        if (call->in_use->dead || !in_step(call->in_use))
            retire(call);
    }
    struct connection *dead = take_dead(&call->aside);
    if (!dead)
        return 0;
    size_t lost = 0;
    for (const struct connection *one = dead; one; one = one->next)
        lost += one->held;
    pa_failure_set(why, PA_E_PORTS_LOST, dead->host, dead->port, lost);
    free_all(dead);
    return PA_E_PORTS_LOST;
}

int pa_call_open(struct pa_call *call, int timeout_ms, struct pa_failure *why)
{
    struct pa_deadline deadline = pa_deadline_in(timeout_ms);
    int r = look_after(call, why);
    if (r == 0 && !call->in_use)
        r = connect_server(call, &deadline, why);
    if (r == 0)
        call->opened = true;
    return r;
}

/* ---------------------------------------------------------------- calls -- */

/* Sends the request on the connection in use, which is replaced once if it is dead. */
static int ask(struct pa_call *call, enum pa_verb verb, const struct pa_buf *request,
               int timeout_ms, struct pa_failure *why)
{
    struct pa_deadline deadline = pa_deadline_in(timeout_ms);
    int r = look_after(call, why);
    if (r != 0)
        return r;
    if (call->in_use) {
        r = exchange(call->in_use, verb, request, &deadline, why);
        if (r != PA_E_CLOSED)
            return r;
        r = look_after(call, why);
        if (r != 0)
            return r;
    }
    r = connect_server(call, &deadline, why);
    return r != 0 ? r : exchange(call->in_use, verb, request, &deadline, why);
}

/* What becomes of the connection after a call. */
static void put_away(struct pa_call *call)
{
    const struct connection *connection = call->in_use;
    if (!connection)
        return;
    if (!in_step(connection) || (connection->held == 0 && !call->opened))
        retire(call);
}

int pa_call_list(struct pa_call *call, int timeout_ms, struct pa_listing *listing,
                 struct pa_failure *why)
{
    struct pa_buf request = PA_BUF_NULL;
    *listing = (struct pa_listing)PA_LISTING_NULL;
    int r = pa_client_request(&request, PA_VERB_LIST, "", "");
    r = r < 0 ? fail_memory(why) : ask(call, PA_VERB_LIST, &request, timeout_ms, why);
    if (r == 0) {
        *listing = call->in_use->client.listing;
        call->in_use->client.listing = (struct pa_listing)PA_LISTING_NULL;
    }
    pa_buf_deinit(&request);
    put_away(call);
    return r;
}

int pa_call_allocate(struct pa_call *call, const char *name, const char *user, int timeout_ms,
                     uint16_t *port, struct pa_failure *why)
{
    struct pa_buf request = PA_BUF_NULL;
    int r = pa_client_request(&request, PA_VERB_GIMME, name, user);
    if (r < 0)
        r = fail_memory(why);
    else if (r > 0)
        r = pa_failure_set(why, (enum pa_error)r);
    else
        r = ask(call, PA_VERB_GIMME, &request, timeout_ms, why);
    if (r == 0) {
        *port = call->in_use->client.port;
        ++call->in_use->held;
    }
    pa_buf_deinit(&request);
    put_away(call);
    return r;
}

/* ---------------------------------------------------------- environment -- */

static void copy_cut(char *to, size_t size, const char *text)
{
    if (size == 0)
        return;
    size_t cut = pa_text_cut(text, strlen(text), size - 1);
    memcpy(to, text, cut);
    to[cut] = '\0';
}

void pa_call_user(char *user, size_t size)
{
    char strings[16 * 1024]; /* of a passwd entry; the user of a longer one is a number */
    char number[32];
    uid_t uid = geteuid();
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(uid, &entry, strings, sizeof strings, &found) == 0 && found &&
        *entry.pw_name) {
        copy_cut(user, size, entry.pw_name);
        return;
    }
    snprintf(number, sizeof number, "uid:%lu", (unsigned long)uid);
    copy_cut(user, size, number);
}

static bool is_trusted(const struct stat *status)
{
    return status->st_uid == 0 || status->st_uid == geteuid();
}

/* Opens the file in its folder, both seen through descriptors: nothing changes in between. */
static int open_trusted(const char *folder, const char *name)
{
    struct stat status;
    int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return -1;
    int fd = -1;
    if (fstat(folder_fd, &status) == 0 && is_trusted(&status))
        fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    close(folder_fd);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && is_trusted(&status) &&
        !(status.st_mode & S_IWOTH))
        return fd;
    close(fd);
    return -1;
}

/* The number on the first line of `text`, from 1 to 65535, or 0. */
static int parse_port(const char *text)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return 0;
    long port = strtol(text, &end, 10);
    end += strspn(end, " \t\r");
    if ((*end != '\n' && *end != '\0') || errno != 0 || port < 1 || port > UINT16_MAX)
        return 0;
    return (int)port;
}

static int port_from(const char *folder, const char *name)
{
    char text[64];
    int fd = open_trusted(folder, name);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    return parse_port(text);
}

static int port_from_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return port_from(".", path);
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    char *folder = strndup(path, size);
    if (!folder)
        return 0;
    int port = port_from(folder, slash + 1);
    free(folder);
    return port;
}

int pa_call_port_from_file(void)
{
    const char *path = secure_getenv("DAQPORTMGR_PORTFILE");
    if (path && *path)
        return port_from_path(path);
    int port = port_from("/var/tmp/daqportmgr", "listen.port");
    return port ? port : port_from("/var/tmp/daqportmanager", "listen.port");
}
