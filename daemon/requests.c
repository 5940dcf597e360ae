/*
 * requests.c - the two sockets of portreserve.
 *
 * The happy path: a client connects, sends one request in one piece or several,
 * and reads the reply; then the connection is closed from here. Descriptors go
 * with the first bytes of a reply, by sendmsg(2), since libuv sends one a
 * message; a fresh connection has room for them.
 *
 * What can go wrong: a client that sends nothing, or does not read, is closed at
 * its deadline, or when too many others come; one that sends too much or
 * nonsense is told so. A client that is gone before its reply is nobody's
 * trouble: what was released stays so, and sockets that were not delivered are
 * closed. Datagrams that are no name, or not the sender's business, are logged,
 * limited in number, and change nothing.
 */
#include "requests.h"

#include "pa_buf.h"
#include "pa_reserve.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    RIGHTS_MAX = 253, /* descriptors a message: SCM_MAX_FD of the kernel */
    GROUPS_MAX = 65536,
    TEXT_BYTES = 512,
    USER_BYTES = 80,
};

struct requests_client {
    struct requests *requests;
    struct requests_client *older;
    struct requests_client *newer;
    uv_pipe_t pipe;
    uv_timer_t deadline;
    uv_write_t write;
    int handles; /* still open */
    bool closing;
    size_t size;
    char bytes[PA_RESERVE_REQUEST_MAX];
    struct pa_buf reply;
    bool reply_failed; /* no memory for all of it */
};

/* --------------------------------------------------------- who it is -- */

/* "uid 1000 (alice)"; the name only if this host itself knows it: no server is asked. */
static const char *describe_user(uid_t uid, char text[USER_BYTES])
{
    snprintf(text, USER_BYTES, "uid %lu", (unsigned long)uid);
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *entry;
    while (file && (entry = fgetpwent(file)) != NULL) {
        if (entry->pw_uid != uid)
            continue;
        snprintf(text, USER_BYTES, "uid %lu (%.40s)", (unsigned long)uid, entry->pw_name);
        break;
    }
    if (file)
        fclose(file);
    return text;
}

static void log_refused(struct requests *requests, uid_t uid, const char *what,
                        const char *name, const char *why)
{
    char user[USER_BYTES];
    log_limited(requests->log, &requests->refused, uv_now(requests->loop), LOG_LEVEL_WARNING,
                NULL, "%s: %s refused to %s: %s", name, what, describe_user(uid, user), why);
}

static void log_senseless(struct requests *requests, uid_t uid, const char *what)
{
    char user[USER_BYTES];
    log_limited(requests->log, &requests->senseless, uv_now(requests->loop), LOG_LEVEL_WARNING,
                NULL, "%s, from %s", what, describe_user(uid, user));
}

/* ------------------------------------------------------------ datagrams -- */

/* One datagram. false: there is none. */
static bool receive_datagram(struct requests *requests)
{
    char bytes[PA_RESERVE_NAME_MAX + 2]; /* more is no name */
    char name[PA_RESERVE_NAME_MAX + 1];
    char text[TEXT_BYTES];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size = recvmsg(requests->datagram_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return errno == EINTR;
    struct ucred sender = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
        memcpy(&sender, CMSG_DATA(header), sizeof sender);
    struct keeper_peer peer = {.uid = sender.uid};
    if ((message.msg_flags & MSG_TRUNC) ||
        pa_reserve_parse_datagram(bytes, (size_t)size, name) != 0) {
        log_senseless(requests, sender.uid, "a datagram that is no name");
        return true;
    }
    if (keeper_release(requests->keeper, name, &peer, uv_now(requests->loop), text,
                       sizeof text) != 0)
        log_refused(requests, sender.uid, "release", name, text);
    return true;
}

static void on_datagrams(uv_poll_t *poll, int status, int events)
{
    struct requests *requests = poll->data;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < REQUESTS_TURN_MAX && receive_datagram(requests); ++i)
        ;
    requests->changed(requests->context);
}

/* -------------------------------------------------------------- clients -- */

static void unlink_client(struct requests_client *client)
{
    struct requests *requests = client->requests;
    if (client->older)
        client->older->newer = client->newer;
    else
        requests->oldest = client->newer;
    if (client->newer)
        client->newer->older = client->older;
    else
        requests->newest = client->older;
    requests->clients_count -= 1;
}

static void on_closed(uv_handle_t *handle)
{
    struct requests_client *client = handle->data;
    if (--client->handles > 0)
        return;
    pa_buf_deinit(&client->reply);
    free(client);
}

static void close_client(struct requests_client *client)
{
    if (client->closing)
        return;
    client->closing = true;
    unlink_client(client);
    uv_close((uv_handle_t *)&client->deadline, on_closed);
    uv_close((uv_handle_t *)&client->pipe, on_closed);
}

static void on_deadline(uv_timer_t *timer)
{
    close_client(timer->data);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    close_client(write->data);
}

/* --------------------------------------------------------------- replies -- */

static void put(struct requests_client *client, const char *string)
{
    if (pa_buf_append(&client->reply, string, strlen(string) + 1) != 0)
        client->reply_failed = true;
}

static void put_number(struct requests_client *client, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    put(client, text);
}

/* Sends what the reply has from `from` on, and closes when it is read. */
static void send_from(struct requests_client *client, size_t from)
{
    if (client->reply_failed || from >= client->reply.size) {
        close_client(client);
        return;
    }
    uv_buf_t part =
        uv_buf_init(client->reply.data + from, (unsigned)(client->reply.size - from));
    client->write.data = client;
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &part, 1, on_written) < 0)
        close_client(client);
}

/* Sends bytes of the reply with descriptors. false: the client does not get them. */
static bool send_rights(const struct requests_client *client, size_t from, size_t size,
                        const struct keeper_served *served, size_t count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    uv_os_fd_t fd;
    struct iovec part = {.iov_base = client->reply.data + from, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; ++i)
        memcpy(CMSG_DATA(header) + i * sizeof(int), &served[i].fd, sizeof(int));
    if (uv_fileno((const uv_handle_t *)&client->pipe, &fd) < 0)
        return false;
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

/* Delivers sockets: each message has the strings of its descriptors. */
static bool deliver(struct requests_client *client, const struct keeper_served *served,
                    size_t count)
{
    size_t sent = 0;
    put(client, "ok");
    put_number(client, count);
    for (size_t i = 0; i < count; i += RIGHTS_MAX) {
        size_t n = count - i < RIGHTS_MAX ? count - i : RIGHTS_MAX;
        for (size_t k = i; k < i + n; ++k) {
            char text[16];
            snprintf(text, sizeof text, "%u/%s", (unsigned)served[k].port,
                     transport_name(served[k].transport));
            put(client, text);
        }
        if (client->reply_failed ||
            !send_rights(client, sent, client->reply.size - sent, served + i, n))
            return false;
        sent = client->reply.size;
    }
    return true;
}

static void answer_with_text(struct requests_client *client, const char *kind, const char *text)
{
    put(client, kind);
    put(client, text);
    send_from(client, 0);
}

static void answer_release(struct requests_client *client, const char *name,
                           const struct keeper_peer *peer)
{
    struct requests *requests = client->requests;
    char text[TEXT_BYTES];
    if (keeper_release(requests->keeper, name, peer, uv_now(requests->loop), text,
                       sizeof text) != 0) {
        log_refused(requests, peer->uid, "release", name, text);
        answer_with_text(client, "refused", text);
        return;
    }
    put(client, "ok");
    send_from(client, 0);
}

static void answer_take(struct requests_client *client, const char *name,
                        const struct keeper_peer *peer)
{
    struct requests *requests = client->requests;
    struct keeper_served *served;
    size_t count;
    char text[TEXT_BYTES];
    int r = keeper_take(requests->keeper, name, peer, &served, &count, text, sizeof text);
    if (r != 0) {
        log_refused(requests, peer->uid, "handover", name, text);
        answer_with_text(client, r > 0 ? "refused" : "error", text);
        return;
    }
    if (deliver(client, served, count))
        keeper_handed_over(requests->keeper, served, count);
    for (size_t i = 0; i < count; ++i)
        close(served[i].fd);
    free(served);
    close_client(client);
}

static void answer_list(struct requests_client *client)
{
    struct keeper *keeper = client->requests->keeper;
    keeper_refresh(keeper);
    put(client, "ok");
    put_number(client, keeper->units_count);
    for (size_t i = 0; i < keeper->units_count; ++i) {
        const struct keeper_unit *unit = &keeper->units[i];
        put_number(client, unit->port);
        put(client, transport_name(unit->transport));
        put(client, unit->hold.fd < 0 || unit->hold.ipv6 ? "ipv4+ipv6" : "ipv4");
        put(client, keeper->plan.clients[unit->client].name);
        put(client, keeper_state_name(unit->state));
        put_number(client, (size_t)hold_inode(&unit->hold));
    }
    send_from(client, 0);
}

/* ------------------------------------------------------------- requests -- */

/* Who is at the other end; the groups are the caller's to free. -errno: the kernel did not say.
 */
static int identify(const struct requests_client *client, struct keeper_peer *peer,
                    gid_t **groups)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    uv_os_fd_t fd;
    *groups = NULL;
    *peer = (struct keeper_peer){.uid = (uid_t)-1};
    if (uv_fileno((const uv_handle_t *)&client->pipe, &fd) < 0)
        return -EBADF;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return -errno;
    size = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) < 0 && errno != ERANGE)
        return -errno;
    size_t count = size / sizeof(gid_t);
    gid_t *list = malloc((count + 1) * sizeof *list);
    if (!list)
        return -ENOMEM;
    if (count > 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &size) < 0) {
        int error = errno;
        free(list);
        return -error;
    }
    count = size / sizeof(gid_t);
    list[count] = credentials.gid;
    *groups = list;
    *peer = (struct keeper_peer){credentials.uid, list, count + 1};
    return 0;
}

static void answer(struct requests_client *client, const struct pa_reserve_request *request)
{
    struct keeper_peer peer;
    gid_t *groups;
    int r = identify(client, &peer, &groups);
    if (r != 0) {
        answer_with_text(client, "error", strerror(-r));
        return;
    }
    switch (request->verb) {
    case PA_RESERVE_RELEASE:
        answer_release(client, request->name, &peer);
        break;
    case PA_RESERVE_TAKE:
        answer_take(client, request->name, &peer);
        break;
    case PA_RESERVE_LIST:
        answer_list(client);
        break;
    }
    free(groups);
    client->requests->changed(client->requests->context);
}

static void refuse_senseless(struct requests_client *client)
{
    struct keeper_peer peer;
    gid_t *groups;
    if (identify(client, &peer, &groups) == 0)
        log_senseless(client->requests, peer.uid, "a request that is none");
    free(groups);
    answer_with_text(client, "error", "that is no request");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    struct requests_client *client = handle->data;
    (void)suggested;
    *part = uv_buf_init(client->bytes + client->size,
                        (unsigned)(sizeof client->bytes - client->size));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *part)
{
    struct requests_client *client = stream->data;
    struct pa_reserve_request request;
    (void)part;
    if (size < 0) {
        close_client(client);
        return;
    }
    client->size += (size_t)size;
    int r = pa_reserve_parse_request(client->bytes, client->size, &request);
    if (r == PA_RESERVE_MORE)
        return;
    uv_read_stop(stream);
    if (r == 0)
        answer(client, &request);
    else
        refuse_senseless(client);
    log_flush(client->requests->log);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct requests *requests = listener->data;
    struct requests_client *client = status == 0 ? calloc(1, sizeof *client) : NULL;
    if (!client)
        return;
    client->requests = requests;
    client->reply = (struct pa_buf)PA_BUF_NULL;
    client->pipe.data = client->deadline.data = client;
    uv_pipe_init(requests->loop, &client->pipe, 0);
    uv_timer_init(requests->loop, &client->deadline);
    client->handles = 2;
    client->older = requests->newest;
    if (client->older)
        client->older->newer = client;
    else
        requests->oldest = client;
    requests->newest = client;
    requests->clients_count += 1;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) < 0 ||
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) < 0 ||
        uv_timer_start(&client->deadline, on_deadline, REQUESTS_DEADLINE_MS, 0) < 0) {
        close_client(client);
        return;
    }
    if (requests->clients_count > REQUESTS_CLIENTS_MAX)
        close_client(requests->oldest);
}

/* ---------------------------------------------------------- the sockets -- */

/* Makes the folder of a path if it is missing. 0 or a negative errno. */
static int make_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    if (mkdir(folder, 0755) == 0 || errno == EEXIST)
        return 0;
    return -errno;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

/* Whether somebody has the socket still, such as a daemon with another process file. */
static bool is_alive(const char *path, int type)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    int r = connect(fd, (const struct sockaddr *)&address, sizeof address);
    bool alive = r == 0 || errno != ECONNREFUSED;
    close(fd);
    return alive;
}

/* Removes a socket that an earlier daemon left; nothing else is touched. */
static int remove_old(const char *path, int type)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    if (is_alive(path, type))
        return -EADDRINUSE;
    return unlink(path) == 0 ? 0 : -errno;
}

/* A bound socket that everybody may send to or connect to: a descriptor or a negative errno. */
static int make_socket(const char *path, int type)
{
    struct sockaddr_un address = address_of(path);
    static const int on = 1;
    int r = remove_old(path, type);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        chmod(path, 0666) < 0 ||
        (type == SOCK_DGRAM && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static int watch_datagrams(struct requests *requests, int fd)
{
    int r = uv_poll_init(requests->loop, &requests->datagrams, fd);
    if (r < 0)
        return r;
    requests->datagrams.data = requests;
    requests->datagram_fd = fd;
    return uv_poll_start(&requests->datagrams, UV_READABLE, on_datagrams);
}

static int watch_connections(struct requests *requests, int fd)
{
    uv_pipe_init(requests->loop, &requests->listener, 0);
    requests->listener.data = requests;
    int r = uv_pipe_open(&requests->listener, fd);
    return r < 0 ? r : uv_listen((uv_stream_t *)&requests->listener, 128, on_connection);
}

/* Both sockets, or none. */
static int make_sockets(const struct requests *requests, int fds[2], const char **about)
{
    *about = requests->path;
    int r = make_folder(requests->path);
    if (r < 0)
        return r;
    fds[0] = make_socket(requests->path, SOCK_DGRAM);
    if (fds[0] < 0)
        return fds[0];
    *about = requests->stream_path;
    fds[1] = make_socket(requests->stream_path, SOCK_STREAM);
    if (fds[1] >= 0)
        return 0;
    close(fds[0]);
    unlink(requests->path);
    return fds[1];
}

int requests_open(struct requests *requests, uv_loop_t *loop, const char *path,
                  struct keeper *keeper, struct log *log, requests_changed *changed,
                  void *context, char *error, size_t error_size)
{
    int fds[2];
    const char *about = path;
    *requests = (struct requests){.loop = loop,
                                  .keeper = keeper,
                                  .log = log,
                                  .changed = changed,
                                  .context = context,
                                  .datagram_fd = -1};
    int n = snprintf(requests->stream_path, sizeof requests->stream_path, "%s%s", path,
                     PA_RESERVE_STREAM_SUFFIX);
    int r = n < (int)sizeof requests->stream_path ? 0 : -ENAMETOOLONG;
    if (r == 0) {
        memcpy(requests->path, path, strlen(path) + 1);
        r = make_sockets(requests, fds, &about);
    }
    if (r == 0) {
        requests->open = true;
        r = watch_datagrams(requests, fds[0]);
        if (r == 0)
            r = watch_connections(requests, fds[1]);
    }
    if (r < 0)
        snprintf(error, error_size, "%s", about);
    return r;
}

void requests_close(struct requests *requests)
{
    if (!requests->open)
        return;
    requests->open = false;
    while (requests->oldest)
        close_client(requests->oldest);
    uv_close((uv_handle_t *)&requests->listener, NULL);
    uv_close((uv_handle_t *)&requests->datagrams, NULL);
    close(requests->datagram_fd);
    unlink(requests->path);
    unlink(requests->stream_path);
}
