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
 * connection out of step: it is closed, or set aside if it holds ports. The
 * manager does not know HELLO: it is remembered, and asked again in protocol 1.
 */

#include "pa_call.h"

#include "pa_ask.h"
#include "pa_portfile.h"
#include "pa_text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail_memory(struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_CLIENT_MEMORY);
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
    pa_answer_deinit(&call->hello);
    pa_answer_deinit(&call->stats);
    free(call->connected_host);
    free(call->host);
    free(call);
    return NULL;
}

void pa_call_close(struct pa_call *call)
{
    call->in_use = pa_connection_free(call->in_use);
    pa_ask_free_all(call->aside);
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
    for (const struct pa_connection *one = call->aside; one; one = one->next)
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

bool pa_call_is_unix(const struct pa_call *call)
{
    return call->connected_unix;
}

int pa_call_descriptor(const struct pa_call *call)
{
    if (call->in_use && call->in_use->held > 0)
        return call->in_use->fd;
    return call->aside ? call->aside->fd : -1;
}

void pa_call_set_hold(struct pa_call *call, bool hold)
{
    call->hold = hold;
}

bool pa_call_can(const struct pa_call *call, const char *capability)
{
    return pa_answer_can(&call->hello, capability);
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
    pa_answer_deinit(&call->hello);
    pa_ask_retire(call);
    return 0;
}

int pa_call_open(struct pa_call *call, int timeout_ms, struct pa_failure *why)
{
    int r = pa_ask_open(call, timeout_ms, why);
    if (r == 0)
        call->opened = true;
    return r;
}

int pa_call_connect(struct pa_call *call, int timeout_ms, int *fd, struct pa_failure *why)
{
    return pa_ask_connect(call, timeout_ms, fd, why);
}

/* --------------------------------------------------------------- finding -- */

static void take_listing(struct pa_call *call, struct pa_listing *listing)
{
    *listing = call->in_use->client.listing;
    call->in_use->client.listing = (struct pa_listing)PA_LISTING_NULL;
}

int pa_call_list(struct pa_call *call, int timeout_ms, struct pa_listing *listing,
                 struct pa_failure *why)
{
    struct pa_ask ask = {.verb = PA_VERB_LIST};
    *listing = (struct pa_listing)PA_LISTING_NULL;
    int r = pa_ask_write_old(&ask, PA_VERB_LIST, "", "", why);
    if (r == 0)
        r = pa_ask(call, &ask, timeout_ms, why);
    if (r == 0)
        take_listing(call, listing);
    return pa_ask_finish(call, &ask, r);
}

/* Keeps what FIND would have found. 0, or -ENOMEM with the listing empty. */
static int filter(struct pa_listing *listing, const struct pa_keys *keys)
{
    int r = pa_listing_filter(listing, (uint16_t)keys->port, keys->name_pattern,
                              keys->user_pattern);
    if (r < 0)
        pa_listing_deinit(listing);
    return r;
}

int pa_call_find(struct pa_call *call, const struct pa_keys *keys, int timeout_ms,
                 struct pa_listing *listing, struct pa_failure *why)
{
    struct pa_ask ask = {.verb = PA_VERB_FIND};
    *listing = (struct pa_listing)PA_LISTING_NULL;
    int r = pa_ask_write(&ask, PA_VERB_FIND, "", keys, why);
    if (r == 0)
        r = pa_ask_write_old(&ask, PA_VERB_LIST, "", "", why);
    if (r == 0)
        r = pa_ask(call, &ask, timeout_ms, why);
    if (r == 0)
        take_listing(call, listing);
    if (r == 0 && call->in_use->client.verb == PA_VERB_LIST && filter(listing, keys) < 0)
        r = fail_memory(why);
    return pa_ask_finish(call, &ask, r);
}

/* ------------------------------------------------------------ allocating -- */

void pa_call_grant_deinit(struct pa_call_grant *grant)
{
    free(grant->asked);
    pa_answer_deinit(&grant->answer);
    *grant = (struct pa_call_grant)PA_CALL_GRANT_NULL;
}

/* Copies what is asked for, while there is nothing to lose yet: name, NUL, user, NUL. */
static int prepare(struct pa_call_grant *grant, const char *name, const char *user)
{
    size_t name_size = strlen(name) + 1;
    size_t user_size = strlen(user) + 1;
    *grant = (struct pa_call_grant)PA_CALL_GRANT_NULL;
    grant->asked = malloc(name_size + user_size);
    if (!grant->asked)
        return -ENOMEM;
    memcpy(grant->asked, name, name_size);
    memcpy(grant->asked + name_size, user, user_size);
    grant->name = grant->asked;
    grant->user = grant->asked + name_size;
    return 0;
}

/* Takes over the answer in protocol 2. */
static void take_granted(struct pa_call_grant *grant, struct pa_client *client)
{
    grant->answer = client->answer;
    client->answer = (struct pa_answer){.code = "", .text = ""};
    const struct pa_granted *granted = &grant->answer.granted;
    grant->count = granted->count;
    grant->held = granted->held;
    grant->joined = granted->joined;
    grant->name = granted->name;
    grant->user = granted->user;
}

/* Fills in the grant and notes the ports that are held now. */
static int take_grant(struct pa_call *call, const struct pa_ask *ask,
                      struct pa_call_grant *grant, struct pa_failure *why)
{
    struct pa_connection *connection = call->in_use;
    grant->port = connection->client.port;
    grant->count = 1;
    if (pa_ask_is_new(connection) && connection->client.verb != PA_VERB_GIMME)
        take_granted(grant, &connection->client);
    if (grant->count > ask->count) {
        connection->client.state = PA_CLIENT_BROKEN;
        return pa_failure_set(why, PA_E_PROTOCOL, "more ports than were asked for",
                              grant->name);
    }
    if (!grant->joined)
        pa_connection_hold(connection, grant->port, grant->count);
    return 0;
}

/* Asks for ports. The grant has been prepared and is empty after a failure. */
static int ask_grant(struct pa_call *call, const struct pa_ask *ask, int timeout_ms,
                     struct pa_call_grant *grant, struct pa_failure *why)
{
    int r = pa_ask(call, ask, timeout_ms, why);
    if (r == 0)
        r = take_grant(call, ask, grant, why);
    if (r != 0)
        pa_call_grant_deinit(grant);
    return r;
}

/* The first of the keys that an old manager does not know; NULL: it can do without them. */
static const char *feature_of(const struct pa_keys *keys)
{
    struct pa_key_value pair;
    for (size_t place = 0; pa_keys_next(keys, PA_VERB_ALLOCATE, &place, &pair);)
        if (strcmp(pair.name, "-user") != 0 &&
            (keys->hold != PA_HOLD_NO || strcmp(pair.name, "-hold") != 0))
            return pair.name;
    return NULL;
}

/* The name that is asked for: as the keys say, else the caller's. */
static const char *user_of(const struct pa_keys *keys, char *own, size_t size)
{
    if (keys->user)
        return keys->user;
    pa_call_user(own, size);
    return own;
}

enum { USER_BYTES = 1024 }; /* of a login name, cut there */

int pa_call_allocate_keys(struct pa_call *call, const char *name, const struct pa_keys *keys,
                          int timeout_ms, struct pa_call_grant *grant, struct pa_failure *why)
{
    char own[USER_BYTES];
    const char *user = user_of(keys, own, sizeof own);
    struct pa_ask ask = {.count = keys->count, .feature = feature_of(keys)};
    int r = pa_ask_write(&ask, PA_VERB_ALLOCATE, name, keys, why);
    if (r == 0 && !ask.feature)
        r = pa_ask_write_old(&ask, PA_VERB_GIMME, name, user, why);
    if (r == 0 && prepare(grant, name, user) < 0)
        r = fail_memory(why);
    if (r == 0)
        r = ask_grant(call, &ask, timeout_ms, grant, why);
    return pa_ask_finish(call, &ask, r);
}

static bool may_hold(const struct pa_call *call)
{
    bool known = call->hello.words.count > 0;
    return call->hold && (!known || pa_call_can(call, "hold"));
}

int pa_call_allocate(struct pa_call *call, const char *name, const char *user, int timeout_ms,
                     uint16_t *port, struct pa_failure *why)
{
    const struct pa_keys keys = {
        .count = 1, .hold = PA_HOLD_YES, .attributes = "", .user = user};
    struct pa_ask ask = {.count = 1};
    int r = pa_ask_write_old(&ask, PA_VERB_GIMME, name, user, why);
    if (r == 0 && may_hold(call))
        r = pa_ask_write(&ask, PA_VERB_ALLOCATE, name, &keys, why);
    if (r == 0)
        r = pa_ask(call, &ask, timeout_ms, why);
    if (r == PA_E_NO_HOLD) {
        pa_buf_deinit(&ask.line);
        r = pa_ask(call, &ask, timeout_ms, why);
    }
    if (r == 0) {
        *port = call->in_use->client.port;
        pa_connection_hold(call->in_use, *port, 1);
    }
    return pa_ask_finish(call, &ask, r);
}

/* Takes a port off the books, and closes a connection set aside that has no other. */
static void forget_port(struct pa_call *call, uint16_t port)
{
    if (call->in_use)
        pa_connection_drop(call->in_use, port);
    struct pa_connection **link = &call->aside;
    while (*link) {
        struct pa_connection *one = *link;
        if (pa_connection_drop(one, port) && one->held == 0) {
            *link = one->next;
            pa_connection_free(one);
        } else {
            link = &one->next;
        }
    }
}

int pa_call_release(struct pa_call *call, uint16_t port, int timeout_ms, struct pa_failure *why)
{
    const struct pa_keys keys = {.port = port, .attributes = ""};
    struct pa_ask ask = {.feature = "RELEASE"};
    int r = pa_ask_write(&ask, PA_VERB_RELEASE, "", &keys, why);
    if (r == 0)
        r = pa_ask(call, &ask, timeout_ms, why);
    if (r == 0 || r == PA_E_NOT_ALLOCATED)
        forget_port(call, port);
    return pa_ask_finish(call, &ask, r);
}

/* The socket that came with the answer, blocking. 0 with it in *fd, or PA_E_NO_SOCKET. */
static int take_socket(struct pa_connection *connection, int *fd, struct pa_failure *why)
{
    struct pa_unix_passed *passed = &connection->passed;
    if (passed->fd < 0)
        return pa_failure_set(why, PA_E_NO_SOCKET,
                              passed->error ? pa_socket_reason(passed->error)
                                            : "the manager sent none");
    int flags = fcntl(passed->fd, F_GETFL);
    if (flags >= 0)
        fcntl(passed->fd, F_SETFL, flags & ~O_NONBLOCK);
    *fd = passed->fd;
    passed->fd = -1;
    return 0;
}

int pa_call_listen(struct pa_call *call, const char *name, const struct pa_keys *keys,
                   int timeout_ms, struct pa_call_grant *grant, int *fd, struct pa_failure *why)
{
    struct pa_ask ask = {.count = 1, .feature = "LISTEN"};
    int r = pa_ask_write(&ask, PA_VERB_LISTEN, name, keys, why);
    if (r == 0 && prepare(grant, name, "") < 0)
        r = fail_memory(why);
    if (r == 0)
        r = ask_grant(call, &ask, timeout_ms, grant, why);
    if (r == 0) {
        r = take_socket(call->in_use, fd, why);
        if (r != 0) {
            struct pa_failure ignored;
            pa_call_release(call, grant->port, timeout_ms, &ignored);
            pa_call_grant_deinit(grant);
        }
    }
    return pa_ask_finish(call, &ask, r);
}

/* -------------------------------------------------------- how it fares -- */

int pa_call_stats(struct pa_call *call, int timeout_ms, struct pa_stats *stats,
                  struct pa_failure *why)
{
    static const struct pa_keys none = PA_KEYS_INIT;
    struct pa_ask ask = {.feature = "STATS"};
    int r = pa_ask_write(&ask, PA_VERB_STATS, "", &none, why);
    if (r == 0)
        r = pa_ask(call, &ask, timeout_ms, why);
    if (r == 0) {
        pa_answer_deinit(&call->stats);
        call->stats = call->in_use->client.answer;
        call->in_use->client.answer = (struct pa_answer){.code = "", .text = ""};
        *stats = call->stats.stats;
    }
    return pa_ask_finish(call, &ask, r);
}

int pa_call_ping(struct pa_call *call, int timeout_ms, struct pa_failure *why)
{
    static const struct pa_keys none = PA_KEYS_INIT;
    struct pa_ask ask = {.verb = PA_VERB_PING};
    int r = pa_ask_write(&ask, PA_VERB_PING, "", &none, why);
    if (r == 0)
        r = pa_ask_write_old(&ask, PA_VERB_LIST, "", "", why);
    if (r == 0)
        r = pa_ask(call, &ask, timeout_ms, why);
    return pa_ask_finish(call, &ask, r);
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

int pa_call_port_from_file(void)
{
    struct pa_portfile file = {.port = 0};
    pa_portfile_read(&file);
    return file.port;
}
