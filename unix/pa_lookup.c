/*
 * The addresses of a host.
 *
 * The happy path of a name: a detached thread asks the resolver, leaves the
 * answer under the lock and writes to the descriptor, unless the caller has closed
 * that and gone. Whoever of the two comes last frees the look-up.
 *
 * What can fail: the resolver may hang, and threads with it. Their number has a
 * bound, behind which a name cannot be looked up.
 */

#include "pa_lookup.h"

#include "pa_socket.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_LOOKUPS = 32 }; /* threads waiting for the resolver at a time, in this process */

static int report(const char *host, int result, int system_error, struct pa_failure *why)
{
    if (result == 0)
        return 0;
    if (result == EAI_MEMORY)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    bool system = result == EAI_SYSTEM;
    return pa_failure_set(why, PA_E_RESOLVE, host,
                          system ? pa_socket_reason(system_error) : gai_strerror(result));
}

/* ------------------------------------------------------------ addresses -- */

static void add_address(struct pa_addresses *addresses, const void *socket, socklen_t size)
{
    if (addresses->count == PA_LOOKUP_MAX_ADDRESSES || size > sizeof addresses->list[0].socket)
        return;
    struct pa_address *address = &addresses->list[addresses->count++];
    memcpy(&address->socket, socket, size);
    address->size = size;
}

/* IPv4 first, as Tcl's socket command has it: the managers in the field listen there. */
static void add_localhost(struct pa_addresses *addresses)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    add_address(addresses, &v4, sizeof v4);
    add_address(addresses, &v6, sizeof v6);
}

/* getaddrinfo(3), into an array. 0 or its error code; *system_error goes with EAI_SYSTEM. */
static int ask_resolver(const char *name, int flags, struct pa_addresses *addresses,
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

/* --------------------------------------------------------------- thread -- */

/* A name on its way through the resolver; shared by the caller and the thread. */
struct pa_lookup {
    pthread_mutex_t lock;
    int users; /* the caller, the thread, or both */
    bool done;
    int result; /* of getaddrinfo(3) */
    int system_error;
    int done_fd; /* eventfd(2), readable when done; the caller's, -1 when he has gone */
    struct pa_addresses addresses;
    char name[];
};

static atomic_int lookups_running;

static struct pa_lookup *lookup_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct pa_lookup *lookup = calloc(1, sizeof *lookup + size);
    if (!lookup)
        return NULL;
    memcpy(lookup->name, name, size);
    pthread_mutex_init(&lookup->lock, NULL);
    lookup->users = 1;
    lookup->done_fd = -1;
    return lookup;
}

/* The thread or the caller is through with it. The lock is held. */
static void leave(struct pa_lookup *lookup)
{
    bool last = --lookup->users == 0;
    pthread_mutex_unlock(&lookup->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

struct pa_lookup *pa_lookup_free(struct pa_lookup *lookup)
{
    if (!lookup)
        return NULL;
    pthread_mutex_lock(&lookup->lock);
    if (lookup->done_fd >= 0)
        close(lookup->done_fd);
    lookup->done_fd = -1;
    leave(lookup);
    return NULL;
}

static void *lookup_run(void *data)
{
    static const uint64_t one = 1;
    struct pa_lookup *lookup = data;
    struct pa_addresses addresses = {.count = 0};
    int system_error;
    int result = ask_resolver(lookup->name, 0, &addresses, &system_error);
    pthread_mutex_lock(&lookup->lock);
    lookup->addresses = addresses;
    lookup->result = result;
    lookup->system_error = system_error;
    lookup->done = true;
    atomic_fetch_sub(&lookups_running, 1);
    if (lookup->done_fd >= 0) {
        /* The counter is 0 and has room: this can neither block nor fail. */
        ssize_t written = write(lookup->done_fd, &one, sizeof one);
        (void)written;
    }
    leave(lookup);
    return NULL;
}

/* Makes the thread with all signals blocked: they are for the program's own threads. */
static int make_thread(struct pa_lookup *lookup)
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
static int lookup_start(struct pa_lookup *lookup)
{
    int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made < 0)
        return -errno;
    lookup->done_fd = pa_socket_keep_off_standard_streams(made);
    if (lookup->done_fd < 0)
        return lookup->done_fd;
    bool may = atomic_fetch_add(&lookups_running, 1) < MAX_LOOKUPS;
    lookup->users = 2;
    int r = may ? make_thread(lookup) : -EAGAIN;
    if (r < 0) {
        lookup->users = 1;
        atomic_fetch_sub(&lookups_running, 1);
    }
    return r;
}

/* -------------------------------------------------------------- look-up -- */

int pa_lookup_begin(struct pa_lookup **lookup, const char *host, struct pa_addresses *addresses,
                    struct pa_failure *why)
{
    int system_error;
    *addresses = (struct pa_addresses){.count = 0};
    if (!*host || strcasecmp(host, "localhost") == 0) {
        add_localhost(addresses);
        return 0;
    }
    int r = ask_resolver(host, AI_NUMERICHOST, addresses, &system_error);
    if (r != EAI_NONAME)
        return report(host, r, system_error, why);
    struct pa_lookup *made = lookup_new(host);
    if (!made)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    r = lookup_start(made);
    if (r < 0) {
        pa_lookup_free(made);
        return pa_failure_set(why, PA_E_RESOLVE, host, pa_socket_reason(-r));
    }
    *lookup = made;
    return PA_LOOKUP_RUNNING;
}

int pa_lookup_descriptor(const struct pa_lookup *lookup)
{
    return lookup->done_fd;
}

int pa_lookup_take(struct pa_lookup *lookup, struct pa_addresses *addresses,
                   struct pa_failure *why)
{
    pthread_mutex_lock(&lookup->lock);
    bool done = lookup->done;
    pthread_mutex_unlock(&lookup->lock);
    if (!done)
        return PA_LOOKUP_RUNNING;
    *addresses = lookup->addresses;
    return report(lookup->name, lookup->result, lookup->system_error, why);
}
