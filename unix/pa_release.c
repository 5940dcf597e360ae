/*
 * A client's calls to portreserve(1).
 *
 * The happy path: connect(2) to the stream socket succeeds at once, the request fits
 * into the socket's buffer, the reply comes with its descriptors and ends with the
 * connection.
 *
 * What can fail: nobody listens there, and then the daemon may be one that knows
 * datagrams alone. The daemon's queue of connections is full: connect(2) waits, for
 * as long as SO_SNDTIMEO says, since poll(2) does not tell when there is room. The
 * daemon may refuse before it has read the request, so a request that cannot be sent
 * is no failure yet. Descriptors come with any of the bytes, and as many as the
 * daemon likes: all are collected, and closed unless they are what the strings tell.
 */

#include "pa_release.h"

#include "pa_reserve.h"
#include "pa_text.h"
#include "pa_unix.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    NOBODY = PA_RELEASE_FAILED + 1, /* there is no socket, or nobody listens on it */

    CHUNK_BYTES = 64 * 1024, /* received at a time */
    PORT_BYTES = 300,        /* of a port in a list: the name of a file, four short words */
    REPLY_BYTES = 2 * 65536 * PORT_BYTES, /* a list of all ports, of both protocols */
    MESSAGE_FDS = 253,                    /* SCM_MAX_FD of the kernel */
};

static const size_t path_bytes_max = sizeof(((struct sockaddr_un *)0)->sun_path) -
                                     sizeof PA_RESERVE_STREAM_SUFFIX; /* both count a NUL */

/* A call on its way. */
struct call {
    const char *path;
    const struct pa_deadline *deadline;
    struct pa_release_failure *failure;
};

/* --------------------------------------------------------------- errors -- */

static int set_text(struct pa_release_failure *failure, const char *text)
{
    size_t size = pa_text_cut(text, strlen(text), sizeof failure->text - 1);
    memcpy(failure->text, text, size);
    failure->text[size] = '\0';
    return PA_RELEASE_FAILED;
}

/* The path stands in front; `suffix` belongs to it. */
__attribute__((format(printf, 3, 4))) static int
fail(const struct call *call, const char *suffix, const char *format, ...)
{
    char text[PA_RELEASE_TEXT_BYTES];
    int n = snprintf(text, sizeof text, "%s%s: ", call->path, suffix);
    va_list args;
    va_start(args, format);
    if (n > 0 && (size_t)n < sizeof text)
        vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    return set_text(call->failure, text);
}

static int fail_errno(const struct call *call, const char *suffix, const char *what, int error)
{
    return fail(call, suffix, "%s: %s", what, pa_socket_reason(error));
}

static int fail_timeout(const struct call *call, const char *suffix)
{
    return fail(call, suffix, "no answer within %d ms", call->deadline->timeout_ms);
}

static int fail_damaged(const struct call *call, const char *what)
{
    return fail(call, PA_RESERVE_STREAM_SUFFIX, "the answer is damaged: %s", what);
}

/* ----------------------------------------------------------- connecting -- */

/* The path is not in front: a long one would leave no room. */
static int fail_path(const struct call *call)
{
    char text[PA_RELEASE_TEXT_BYTES];
    snprintf(text, sizeof text, "the path of a socket has at most %zu bytes: \"%.*s\"",
             path_bytes_max, PA_RELEASE_TEXT_BYTES / 2, call->path);
    return set_text(call->failure, text);
}

/* 0 with the descriptor in *fd, NOBODY or PA_RELEASE_FAILED; both fill in the text. */
static int open_socket(const struct call *call, int type, const char *suffix, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(call->path) > path_bytes_max)
        return fail_path(call);
    snprintf(address.sun_path, sizeof address.sun_path, "%s%s", call->path, suffix);
    int made = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (made < 0)
        return fail_errno(call, suffix, "cannot make a socket", errno);
    int r = pa_unix_connect_within(made, &address, call->deadline);
    if (r == 0) {
        *fd = made;
        return 0;
    }
    close(made);
    if (r == PA_SOCKET_TIMEOUT)
        return fail_timeout(call, suffix);
    fail_errno(call, suffix, "cannot connect to portreserve", -r);
    return r == -ENOENT || r == -ECONNREFUSED ? NOBODY : PA_RELEASE_FAILED;
}

/*
 * Where nobody listens on the stream socket: finds the daemon that has but the other
 * one. 0 with the descriptor in *fd, or PA_RELEASE_FAILED.
 */
static int open_datagram(const struct call *call, int *fd)
{
    return open_socket(call, SOCK_DGRAM, "", fd) == 0 ? 0 : PA_RELEASE_FAILED;
}

static int send_datagram(const struct call *call, const char *name)
{
    int fd = -1;
    int r = open_datagram(call, &fd);
    if (r != 0)
        return r;
    r = pa_socket_send(fd, name, strlen(name), call->deadline);
    close(fd);
    if (r == PA_SOCKET_TIMEOUT)
        return fail(call, "", "could not be sent to within %d ms", call->deadline->timeout_ms);
    return r == 0 ? 0 : fail_errno(call, "", "cannot send to portreserve", -r);
}

/* -------------------------------------------------------------- receiving -- */

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (fds[i] >= 0)
            close(fds[i]);
}

void pa_release_reply_deinit(struct pa_release_reply *reply)
{
    close_all(reply->fds, reply->fd_count);
    free(reply->fds);
    pa_buf_deinit(&reply->bytes);
    *reply = (struct pa_release_reply)PA_RELEASE_REPLY_NULL;
}

/* Takes over the descriptors of a control message. 0, or -ENOMEM with them closed. */
static int add_fds(struct pa_release_reply *reply, const struct cmsghdr *control)
{
    int fds[MESSAGE_FDS];
    size_t size = control->cmsg_len - CMSG_LEN(0);
    size_t count = size / sizeof *fds;
    memcpy(fds, CMSG_DATA(control), count * sizeof *fds);
    int *grown = realloc(reply->fds, (reply->fd_count + count) * sizeof *grown);
    if (!grown) {
        close_all(fds, count);
        return -ENOMEM;
    }
    memcpy(grown + reply->fd_count, fds, count * sizeof *fds);
    reply->fds = grown;
    reply->fd_count += count;
    return 0;
}

/* All control messages of a receive. 0, -ENOMEM, or -EMFILE: descriptors are missing. */
static int take_control(struct pa_release_reply *reply, struct msghdr *message)
{
    int r = message->msg_flags & MSG_CTRUNC ? -EMFILE : 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
         control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
            control->cmsg_len <= CMSG_LEN(0))
            continue;
        int added = add_fds(reply, control);
        if (added != 0)
            r = added;
    }
    return r;
}

/*
 * Receives what is there. 0 with the number of bytes in *received, 0 of them at the
 * end; PA_SOCKET_TIMEOUT or -errno, -EMFILE when descriptors got lost.
 */
static int receive(int fd, struct pa_release_reply *reply, const struct pa_deadline *deadline,
                   size_t *received)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
    } control;
    if (pa_buf_reserve(&reply->bytes, CHUNK_BYTES) != 0)
        return -ENOMEM;
    for (;;) {
        struct iovec part = {reply->bytes.data + reply->bytes.size, CHUNK_BYTES};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n >= 0) {
            *received = (size_t)n;
            reply->bytes.size += (size_t)n;
            return take_control(reply, &message);
        }
        if (errno == EAGAIN) {
            int r = pa_socket_wait(fd, POLLIN, deadline);
            if (r != 0)
                return r;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

/* Receives to the end of the stream. 0 or PA_RELEASE_FAILED. */
static int receive_all(const struct call *call, int fd, struct pa_release_reply *reply)
{
    size_t received = 0;
    int r;
    do {
        r = receive(fd, reply, call->deadline, &received);
        if (reply->bytes.size > REPLY_BYTES)
            return fail_damaged(call, "it is too long");
    } while (r == 0 && received > 0);
    if (r == PA_SOCKET_TIMEOUT)
        return fail_timeout(call, PA_RESERVE_STREAM_SUFFIX);
    if (r == -EMFILE)
        return fail_damaged(call, "some sockets did not arrive, "
                                  "perhaps since the process may not have that many");
    /* The daemon has closed without reading the request: what it said counts. */
    if (r == -ECONNRESET && reply->bytes.size > 0)
        return 0;
    if (r != 0)
        return fail_errno(call, PA_RESERVE_STREAM_SUFFIX, "cannot receive the answer", -r);
    if (reply->bytes.size == 0)
        return fail(call, PA_RESERVE_STREAM_SUFFIX, "the connection ended without an answer");
    return 0;
}

/* ---------------------------------------------------------------- calls -- */

/* Whether the string is PORT/PROTOCOL, as it goes into the environment of a command. */
static bool is_socket_name(const char *string)
{
    unsigned long port = 0;
    const char *at = string;
    for (; *at >= '0' && *at <= '9' && port <= UINT16_MAX; ++at)
        port = port * 10 + (unsigned long)(*at - '0');
    return *string != '0' && port > 0 && port <= UINT16_MAX &&
           (strcmp(at, "/tcp") == 0 || strcmp(at, "/udp") == 0);
}

/* 0, or PA_RELEASE_FAILED: the strings of an "ok" are not what the verb has. */
static int check_strings(const struct call *call, enum pa_reserve_verb verb,
                         const struct pa_reserve_reply *parsed)
{
    size_t columns = verb == PA_RESERVE_LIST ? PA_RESERVE_COLUMNS : 1;
    bool any = parsed->count > 0;
    if (parsed->count != parsed->told * columns || (any && verb == PA_RESERVE_RELEASE) ||
        (!any && verb == PA_RESERVE_TAKE))
        return fail_damaged(call, "its strings are not as many as they should be");
    if (verb != PA_RESERVE_TAKE)
        return 0;
    const char *string = parsed->strings;
    for (size_t i = 0; i < parsed->count; ++i, string = pa_reserve_next(string))
        if (!is_socket_name(string))
            return fail_damaged(call, "a socket is not PORT/PROTOCOL");
    return 0;
}

/* Reads the reply that has come. 0, PA_RELEASE_REFUSED or PA_RELEASE_FAILED. */
static int read_reply(const struct call *call, enum pa_reserve_verb verb,
                      struct pa_release_reply *reply)
{
    struct pa_reserve_reply parsed;
    if (pa_reserve_parse_reply(reply->bytes.data, reply->bytes.size, &parsed) != 0)
        return fail_damaged(call, "it is none");
    if (parsed.kind != PA_RESERVE_OK) {
        set_text(call->failure, parsed.text);
        return parsed.kind == PA_RESERVE_REFUSED ? PA_RELEASE_REFUSED : PA_RELEASE_FAILED;
    }
    int r = check_strings(call, verb, &parsed);
    if (r != 0)
        return r;
    size_t wanted = verb == PA_RESERVE_TAKE ? parsed.count : 0;
    if (reply->fd_count != wanted)
        return fail(call, PA_RESERVE_STREAM_SUFFIX,
                    "the answer is damaged: it came with %zu sockets, not %zu", reply->fd_count,
                    wanted);
    reply->strings = parsed.strings;
    reply->count = parsed.count;
    return 0;
}

/* One exchange. 0, NOBODY, PA_RELEASE_REFUSED or PA_RELEASE_FAILED; only after 0 is there
 * anything in *reply. */
static int ask(const struct call *call, enum pa_reserve_verb verb, const char *name,
               struct pa_release_reply *reply)
{
    char request[PA_RESERVE_REQUEST_MAX];
    int fd = -1;
    int r = open_socket(call, SOCK_STREAM, PA_RESERVE_STREAM_SUFFIX, &fd);
    if (r != 0)
        return r;
    size_t size = pa_reserve_encode_request(verb, name, request);
    r = pa_socket_send(fd, request, size, call->deadline);
    if (r == PA_SOCKET_TIMEOUT)
        r = fail_timeout(call, PA_RESERVE_STREAM_SUFFIX);
    else if (r < 0 && r != -EPIPE && r != -ECONNRESET)
        r = fail_errno(call, PA_RESERVE_STREAM_SUFFIX, "cannot send the request", -r);
    else
        r = receive_all(call, fd, reply);
    close(fd);
    if (r == 0)
        r = read_reply(call, verb, reply);
    if (r != 0)
        pa_release_reply_deinit(reply);
    return r;
}

/* What only a daemon with the stream socket can do, whose absence is told. */
static int ask_ours(const struct call *call, enum pa_reserve_verb verb, const char *name,
                    struct pa_release_reply *reply)
{
    int fd = -1;
    *reply = (struct pa_release_reply)PA_RELEASE_REPLY_NULL;
    int r = ask(call, verb, name, reply);
    if (r != NOBODY)
        return r;
    r = open_datagram(call, &fd);
    if (r != 0)
        return r;
    close(fd);
    return fail(call, "", "the portreserve that runs here cannot %s",
                verb == PA_RESERVE_TAKE ? "hand over sockets" : "list its ports");
}

int pa_release_name(const char *path, const char *name, const struct pa_deadline *deadline,
                    struct pa_release_failure *failure)
{
    struct call call = {path, deadline, failure};
    struct pa_release_reply reply = PA_RELEASE_REPLY_NULL;
    int r = ask(&call, PA_RESERVE_RELEASE, name, &reply);
    pa_release_reply_deinit(&reply);
    return r == NOBODY ? send_datagram(&call, name) : r;
}

int pa_release_take(const char *path, const char *name, const struct pa_deadline *deadline,
                    struct pa_release_reply *reply, struct pa_release_failure *failure)
{
    struct call call = {path, deadline, failure};
    return ask_ours(&call, PA_RESERVE_TAKE, name, reply);
}

int pa_release_list(const char *path, const struct pa_deadline *deadline,
                    struct pa_release_reply *reply, struct pa_release_failure *failure)
{
    struct call call = {path, deadline, failure};
    return ask_ours(&call, PA_RESERVE_LIST, "", reply);
}
