/*
 * The addresses of a host.
 *
 * The happy path of a name: a detached thread asks the resolver, leaves the answer with
 * all who have asked for that name meanwhile, and writes to the descriptor of each.
 *
 * What can fail: the resolver may hang, and a thread with it. Their number has a bound,
 * behind which names stand in line: each thread takes the next when it has an answer.
 * Who gives up leaves the line; a thread that hangs goes on, and serves whoever asks
 * for the same name then.
 */

#include "pa_lookup.h"

#include "pa_socket.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_THREADS = 32 }; /* that wait for the resolver at a time, in this process */

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

/* -------------------------------------------------------------- queries -- */

/* A name for the resolver. */
struct query {
    struct query *next;
    struct pa_lookup *waiting; /* who want the answer */
    bool runs;                 /* a thread has it, which frees it */
    char name[];
};

struct pa_lookup {
    struct pa_lookup *next; /* who waits likewise */
    struct query *query;    /* NULL: answered */
    int done_fd;            /* eventfd(2), readable when answered */
    int result;             /* of getaddrinfo(3) */
    int system_error;
    struct pa_addresses addresses;
    char name[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* These are under the lock, and so is what they lead to. */
static struct query *queries; /* those that run, and those in line, as they came */
static int threads;

static struct query *query_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct query *query = malloc(sizeof *query + size);
    if (!query)
        return NULL;
    *query = (struct query){.next = NULL};
    memcpy(query->name, name, size);
    return query;
}

static void remove_query(struct query *query)
{
    for (struct query **at = &queries; *at; at = &(*at)->next) {
        if (*at != query)
            continue;
        *at = query->next;
        break;
    }
    free(query);
}

static struct query *next_in_line(void)
{
    for (struct query *query = queries; query; query = query->next)
        if (!query->runs)
            return query;
    return NULL;
}

/* --------------------------------------------------------------- thread -- */

static void tell(struct pa_lookup *lookup, const struct pa_addresses *addresses, int result,
                 int system_error)
{
    static const uint64_t one = 1;
    lookup->query = NULL;
    lookup->addresses = *addresses;
    lookup->result = result;
    lookup->system_error = system_error;
    /* The counter is 0 and has room: this can neither block nor fail. */
    ssize_t written = write(lookup->done_fd, &one, sizeof one);
    (void)written;
}

/* Asks the resolver and tells. The next query for this thread; NULL: it is to end. */
static struct query *answer(struct query *query)
{
    struct pa_addresses addresses = {.count = 0};
    int system_error;
    int result = ask_resolver(query->name, 0, &addresses, &system_error);
    pthread_mutex_lock(&lock);
    while (query->waiting) {
        struct pa_lookup *lookup = query->waiting;
        query->waiting = lookup->next;
        tell(lookup, &addresses, result, system_error);
    }
    remove_query(query);
    struct query *next = next_in_line();
    if (next)
        next->runs = true;
    else
        --threads;
    pthread_mutex_unlock(&lock);
    return next;
}

static void *run(void *data)
{
    struct query *query = data;
    while (query)
        query = answer(query);
    return NULL;
}

/* Makes the thread with all signals blocked: they are for the program's own threads. */
static int make_thread(struct query *query)
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
    r = pthread_create(&thread, &attributes, run, query);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -r;
}

/* Has a thread made for the query, if there may be one more. 0, or -errno: none will take it.
 */
static int start(struct query *query)
{
    int r = threads < MAX_THREADS ? make_thread(query) : -EAGAIN;
    if (r == 0) {
        query->runs = true;
        ++threads;
    }
    return threads > 0 ? 0 : r;
}

/* Stands in for the lookup's name, behind those who have asked for the same. 0 or -errno. */
static int join(struct pa_lookup *lookup)
{
    struct query **at = &queries;
    while (*at && strcmp((*at)->name, lookup->name) != 0)
        at = &(*at)->next;
    if (!*at) {
        struct query *made = query_new(lookup->name);
        int r = made ? start(made) : -ENOMEM;
        if (r < 0) {
            free(made);
            return r;
        }
        *at = made;
    }
    lookup->query = *at;
    lookup->next = (*at)->waiting;
    (*at)->waiting = lookup;
    return 0;
}

static void leave(struct pa_lookup *lookup)
{
    struct query *query = lookup->query;
    struct pa_lookup **at = &query->waiting;
    while (*at != lookup)
        at = &(*at)->next;
    *at = lookup->next;
    if (!query->waiting && !query->runs)
        remove_query(query);
}

/* ----------------------------------------------------------------- fork -- */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* The threads are the parent's: what is under way stays without an answer here. */
static void in_child(void)
{
    queries = NULL;
    threads = 0;
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

/* -------------------------------------------------------------- look-up -- */

struct pa_lookup *pa_lookup_free(struct pa_lookup *lookup)
{
    if (!lookup)
        return NULL;
    pthread_mutex_lock(&lock);
    if (lookup->query)
        leave(lookup);
    pthread_mutex_unlock(&lock);
    if (lookup->done_fd >= 0)
        close(lookup->done_fd);
    free(lookup);
    return NULL;
}

static struct pa_lookup *lookup_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct pa_lookup *lookup = calloc(1, sizeof *lookup + size);
    if (!lookup)
        return NULL;
    memcpy(lookup->name, name, size);
    lookup->done_fd = -1;
    return lookup;
}

/* 0 or -errno. */
static int lookup_start(struct pa_lookup *lookup)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made < 0)
        return -errno;
    lookup->done_fd = pa_socket_keep_off_standard_streams(made);
    if (lookup->done_fd < 0)
        return lookup->done_fd;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    int r = join(lookup);
    pthread_mutex_unlock(&lock);
    return r;
}

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
        return r == -ENOMEM ? pa_failure_set(why, PA_E_CLIENT_MEMORY)
                            : pa_failure_set(why, PA_E_RESOLVE, host, pa_socket_reason(-r));
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
    pthread_mutex_lock(&lock);
    bool done = !lookup->query;
    pthread_mutex_unlock(&lock);
    if (!done)
        return PA_LOOKUP_RUNNING;
    *addresses = lookup->addresses;
    return report(lookup->name, lookup->result, lookup->system_error, why);
}
