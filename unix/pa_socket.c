/*
 * TCP sockets of a client.
 *
 * The happy path: the host is a numeric address or localhost, a socket is
 * made, connect(2) says EINPROGRESS, poll(2) says that it is done.
 *
 * What can fail: a name must be looked up, and getaddrinfo(3) may block for as
 * long as the resolver likes. So a detached thread does it, and the caller
 * waits for the thread until its deadline; whoever of the two comes last frees
 * the look-up. An address may not answer: the next one still gets its share of
 * the time. A descriptor of 0 to 2 would make the socket somebody's standard
 * output: it is moved out of the way.
 */

#include "pa_socket.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_ADDRESSES = 16, /* tried of one name */
    MAX_LOOKUPS = 32,   /* threads waiting for the resolver at a time, in this process */
    FIRST_FREE_FD = STDERR_FILENO + 1,
};

static const int64_t ns_per_s = 1000000000;
static const int64_t ns_per_ms = 1000000;

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t size; /* bytes of it */
};

struct addresses {
    struct address list[MAX_ADDRESSES];
    size_t count;
};

/* Where a call connects to, for its error texts. */
struct target {
    const char *host;
    int port;
    const struct pa_deadline *deadline;
};

/* -------------------------------------------------------------- waiting -- */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * ns_per_s + now.tv_nsec;
}

struct pa_deadline pa_deadline_in(int timeout_ms)
{
    int wait_ms = timeout_ms > 0 ? timeout_ms : 0;
    return (struct pa_deadline){now_ns() + wait_ms * ns_per_ms, wait_ms};
}

int pa_deadline_left_ms(const struct pa_deadline *deadline)
{
    int64_t left = deadline->at_ns - now_ns();
    if (left <= 0)
        return 0;
    left = (left + ns_per_ms - 1) / ns_per_ms;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int pa_socket_wait(int fd, short events, const struct pa_deadline *deadline)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int r = poll(&poll_fd, 1, pa_deadline_left_ms(deadline));
        if (r > 0)
            return 0;
        if (r == 0)
            return PA_SOCKET_TIMEOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* --------------------------------------------------------------- errors -- */

static const struct {
    int error;
    const char *text;
} reasons[] = {
    /* Where Tcl's wording is not the C library's. */
    {EPERM, "not owner"},
    {EIO, "I/O error"},
    {EBADF, "bad file number"},
    {ENOMEM, "not enough memory"},
    {ENFILE, "file table overflow"},
    {EHOSTUNREACH, "host is unreachable"},
};

const char *pa_socket_reason(int error)
{
    static _Thread_local char text[128];
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; ++i)
        if (reasons[i].error == error)
            return reasons[i].text;
    const char *library = strerror(error);
    size_t size = strnlen(library, sizeof text - 1);
    memcpy(text, library, size);
    text[size] = '\0';
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

static int fail_timeout(const struct target *target, const char *what, struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_TIMEOUT, target->deadline->timeout_ms, what, target->host,
                          target->port);
}

static int fail_lookup(const struct target *target, const char *reason, struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_RESOLVE, target->host, reason);
}

/* ------------------------------------------------------------ addresses -- */

static void add_address(struct addresses *addresses, const void *socket, socklen_t size)
{
    if (addresses->count == MAX_ADDRESSES || size > sizeof addresses->list[0].socket)
        return;
    struct address *address = &addresses->list[addresses->count++];
    memcpy(&address->socket, socket, size);
    address->size = size;
}

/* IPv4 first, as Tcl's socket command has it: the managers in the field listen there. */
static void add_localhost(struct addresses *addresses)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    add_address(addresses, &v4, sizeof v4);
    add_address(addresses, &v6, sizeof v6);
}

/* getaddrinfo(3), into an array. 0 or its error code; *system_error goes with EAI_SYSTEM. */
static int ask_resolver(const char *name, int flags, struct addresses *addresses,
                        int *system_error)
{
    struct addrinfo hints = {
        .ai_flags = flags, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *found = NULL;
    int r = getaddrinfo(name, NULL, &hints, &found);
    *system_error = errno;
    if (r != 0)
        return r;
    for (const struct addrinfo *info = found; info; info = info->ai_next)
        if (info->ai_family == AF_INET || info->ai_family == AF_INET6)
            add_address(addresses, info->ai_addr, info->ai_addrlen);
    freeaddrinfo(found);
    return addresses->count > 0 ? 0 : EAI_NONAME;
}

static void set_port(struct address *address, int port)
{
    if (address->socket.any.sa_family == AF_INET6)
        address->socket.v6.sin6_port = htons((uint16_t)port);
    else
        address->socket.v4.sin_port = htons((uint16_t)port);
}

/* -------------------------------------------------------------- look-up -- */

/* A name on its way through the resolver; shared by the caller and the thread. */
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    int users;              /* the caller, the thread, or both */
    bool done;
    int result; /* of getaddrinfo(3) */
    int system_error;
    struct addresses addresses;
    char name[];
};

static atomic_int lookups_running;

static struct lookup *lookup_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct lookup *lookup = calloc(1, sizeof *lookup + size);
    if (!lookup)
        return NULL;
    memcpy(lookup->name, name, size);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&lookup->lock, NULL);
    lookup->users = 1;
    return lookup;
}

static void lookup_leave(struct lookup *lookup)
{
    pthread_mutex_lock(&lookup->lock);
    bool last = --lookup->users == 0;
    pthread_mutex_unlock(&lookup->lock);
    if (!last)
        return;
    pthread_cond_destroy(&lookup->changed);
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

static void *lookup_run(void *data)
{
    struct lookup *lookup = data;
    struct addresses addresses = {.count = 0};
    int system_error;
    int result = ask_resolver(lookup->name, 0, &addresses, &system_error);
    pthread_mutex_lock(&lookup->lock);
    lookup->addresses = addresses;
    lookup->result = result;
    lookup->system_error = system_error;
    lookup->done = true;
    pthread_cond_signal(&lookup->changed);
    pthread_mutex_unlock(&lookup->lock);
    atomic_fetch_sub(&lookups_running, 1);
    lookup_leave(lookup);
    return NULL;
}

/* Makes the thread with all signals blocked: they are for the program's own threads. */
static int make_thread(struct lookup *lookup)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    int r = pthread_attr_init(&attributes);
    if (r != 0)
        return -r;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    r = pthread_create(&thread, &attributes, lookup_run, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -r;
}

/* 0 or -errno; -EAGAIN when too many threads wait for the resolver. */
static int lookup_start(struct lookup *lookup)
{
    bool may = atomic_fetch_add(&lookups_running, 1) < MAX_LOOKUPS;
    lookup->users = 2;
    int r = may ? make_thread(lookup) : -EAGAIN;
    if (r < 0) {
        lookup->users = 1;
        atomic_fetch_sub(&lookups_running, 1);
    }
    return r;
}

/* 0 when the resolver has answered, or PA_SOCKET_TIMEOUT. */
static int lookup_wait(struct lookup *lookup, const struct pa_deadline *deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline->at_ns / ns_per_s),
                             .tv_nsec = (long)(deadline->at_ns % ns_per_s)};
    int r = 0;
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->done && r == 0)
        r = pthread_cond_timedwait(&lookup->changed, &lookup->lock, &until);
    r = lookup->done ? 0 : PA_SOCKET_TIMEOUT;
    pthread_mutex_unlock(&lookup->lock);
    return r;
}

static int report_lookup(const struct target *target, int result, int system_error,
                         struct pa_failure *why)
{
    if (result == 0)
        return 0;
    if (result == EAI_MEMORY)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    bool system = result == EAI_SYSTEM;
    return fail_lookup(target, system ? pa_socket_reason(system_error) : gai_strerror(result),
                       why);
}

static int look_up_in_thread(const struct target *target, struct addresses *addresses,
                             struct pa_failure *why)
{
    struct lookup *lookup = lookup_new(target->host);
    if (!lookup)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    int r = lookup_start(lookup);
    if (r < 0) {
        lookup_leave(lookup);
        return fail_lookup(target, pa_socket_reason(-r), why);
    }
    if (lookup_wait(lookup, target->deadline) == PA_SOCKET_TIMEOUT) {
        r = fail_timeout(target, "the address of", why);
    } else {
        r = report_lookup(target, lookup->result, lookup->system_error, why);
        *addresses = lookup->addresses;
    }
    lookup_leave(lookup);
    return r;
}

static int look_up(const struct target *target, struct addresses *addresses,
                   struct pa_failure *why)
{
    int system_error;
    if (!*target->host || strcasecmp(target->host, "localhost") == 0) {
        add_localhost(addresses);
        return 0;
    }
    int r = ask_resolver(target->host, AI_NUMERICHOST, addresses, &system_error);
    if (r != EAI_NONAME)
        return report_lookup(target, r, system_error, why);
    return look_up_in_thread(target, addresses, why);
}

/* -------------------------------------------------------------- connect -- */

int pa_socket_keep_off_standard_streams(int fd)
{
    if (fd >= FIRST_FREE_FD)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int error = errno;
    close(fd);
    return moved < 0 ? -error : moved;
}

static int finish_connect(int fd, const struct pa_deadline *deadline)
{
    int r = pa_socket_wait(fd, POLLOUT, deadline);
    if (r != 0)
        return r;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

/*
 * Whether the socket is connected to itself, as TCP does when nobody listens
 * on a port that the kernel just picked for the caller's own end.
 */
static bool is_own_peer(int fd, const struct address *address)
{
    struct address own = {.size = sizeof own.socket};
    if (getsockname(fd, &own.socket.any, &own.size) < 0 ||
        own.socket.any.sa_family != address->socket.any.sa_family)
        return false;
    if (own.socket.any.sa_family == AF_INET6)
        return own.socket.v6.sin6_port == address->socket.v6.sin6_port &&
               IN6_ARE_ADDR_EQUAL(&own.socket.v6.sin6_addr, &address->socket.v6.sin6_addr);
    return own.socket.v4.sin_port == address->socket.v4.sin_port &&
           own.socket.v4.sin_addr.s_addr == address->socket.v4.sin_addr.s_addr;
}

/* 0 with the descriptor in *fd, PA_SOCKET_TIMEOUT or -errno. */
static int connect_address(const struct address *address, const struct pa_deadline *deadline,
                           int *fd)
{
    int made = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                      IPPROTO_TCP);
    if (made < 0)
        return -errno;
    made = pa_socket_keep_off_standard_streams(made);
    if (made < 0)
        return made;
    const int on = 1;
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int r = connect(made, &address->socket.any, address->size) < 0 ? -errno : 0;
    if (r == -EINPROGRESS || r == -EINTR) /* either way it goes on by itself */
        r = finish_connect(made, deadline);
    if (r == 0 && is_own_peer(made, address))
        r = -ECONNREFUSED;
    if (r != 0)
        close(made);
    else
        *fd = made;
    return r;
}

/* This address' share of the time: equal parts for it and those behind it. */
static struct pa_deadline share(const struct pa_deadline *deadline, size_t left)
{
    int64_t now = now_ns();
    int64_t left_ns = deadline->at_ns > now ? deadline->at_ns - now : 0;
    return (struct pa_deadline){now + left_ns / (int64_t)left, deadline->timeout_ms};
}

/* Whether an error only says that this machine has no such addresses. */
static bool is_about_family(int r)
{
    return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL || r == -ENETUNREACH;
}

static int connect_first(struct addresses *addresses, const struct target *target, int *fd,
                         struct pa_failure *why)
{
    int last = -EHOSTUNREACH;
    for (size_t i = 0; i < addresses->count; ++i) {
        struct pa_deadline deadline = share(target->deadline, addresses->count - i);
        set_port(&addresses->list[i], target->port);
        int r = connect_address(&addresses->list[i], &deadline, fd);
        if (r == 0)
            return 0;
        if (i == 0 || !is_about_family(r))
            last = r;
    }
    if (last == PA_SOCKET_TIMEOUT)
        return fail_timeout(target, "a connection to", why);
    return pa_failure_set(why, PA_E_CONNECT, pa_socket_reason(-last));
}

int pa_socket_connect(const char *host, int port, const struct pa_deadline *deadline, int *fd,
                      struct pa_failure *why)
{
    struct target target = {host, port, deadline};
    struct addresses addresses = {.count = 0};
    if (port < 1)
        return pa_failure_set(why, PA_E_CONNECT, "port number too low");
    if (port > UINT16_MAX)
        return pa_failure_set(why, PA_E_CONNECT, "port number too high");
    int r = look_up(&target, &addresses, why);
    return r != 0 ? r : connect_first(&addresses, &target, fd, why);
}

/* ------------------------------------------------------------- transfer -- */

int pa_socket_send(int fd, const char *bytes, size_t size, const struct pa_deadline *deadline)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            int r = pa_socket_wait(fd, POLLOUT, deadline);
            if (r != 0)
                return r;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int pa_socket_receive(int fd, char *bytes, size_t size, const struct pa_deadline *deadline,
                      size_t *received)
{
    for (;;) {
        ssize_t n = recv(fd, bytes, size, MSG_DONTWAIT);
        if (n >= 0) {
            *received = (size_t)n;
            return 0;
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

enum pa_socket_state pa_socket_look(int fd)
{
    for (;;) {
        char byte;
        ssize_t n = recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0)
            return PA_SOCKET_READABLE;
        if (n < 0 && errno == EAGAIN)
            return PA_SOCKET_QUIET;
        if (n == 0 || errno != EINTR)
            return PA_SOCKET_DEAD;
    }
}
