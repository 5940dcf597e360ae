/* One thing to be asked of a port manager. */

#include "pa_errand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { USER_BYTES = 1024 }; /* of a login name, cut there */

static int fail_memory(struct pa_failure *why)
{
    return pa_failure_set(why, PA_E_CLIENT_MEMORY);
}

static void init(struct pa_errand *errand, enum pa_verb verb)
{
    *errand = (struct pa_errand){.verb = verb, .fd = -1};
}

void pa_errand_deinit(struct pa_errand *errand)
{
    struct pa_unix_passed passed = {.fd = errand->fd};
    pa_unix_passed_deinit(&passed);
    errand->fd = -1;
    pa_ask_deinit(&errand->ask);
    pa_listing_deinit(&errand->listing);
    pa_call_grant_deinit(&errand->grant);
}

/* -------------------------------------------------------------- requests -- */

int pa_errand_list(struct pa_errand *errand, struct pa_failure *why)
{
    init(errand, PA_VERB_LIST);
    errand->ask.verb = PA_VERB_LIST;
    return pa_ask_write_old(&errand->ask, PA_VERB_LIST, "", "", why);
}

int pa_errand_find(struct pa_errand *errand, const struct pa_keys *keys, struct pa_failure *why)
{
    init(errand, PA_VERB_FIND);
    errand->keys = keys;
    int r = pa_ask_write(&errand->ask, PA_VERB_FIND, "", keys, why);
    return r != 0 ? r : pa_ask_write_old(&errand->ask, PA_VERB_LIST, "", "", why);
}

int pa_errand_ping(struct pa_errand *errand, struct pa_failure *why)
{
    static const struct pa_keys none = PA_KEYS_INIT;
    init(errand, PA_VERB_PING);
    int r = pa_ask_write(&errand->ask, PA_VERB_PING, "", &none, why);
    return r != 0 ? r : pa_ask_write_old(&errand->ask, PA_VERB_LIST, "", "", why);
}

int pa_errand_release(struct pa_errand *errand, uint16_t port, struct pa_failure *why)
{
    const struct pa_keys keys = {.port = port, .attributes = ""};
    init(errand, PA_VERB_RELEASE);
    errand->ask.feature = "RELEASE";
    return pa_ask_write(&errand->ask, PA_VERB_RELEASE, "", &keys, why);
}

int pa_errand_change(struct pa_errand *errand, uint16_t port, const char *attributes,
                     struct pa_failure *why)
{
    const struct pa_keys keys = {.port = port, .attributes = attributes};
    init(errand, PA_VERB_CHANGE);
    errand->ask.feature = pa_verb_word(PA_VERB_CHANGE);
    return pa_ask_write(&errand->ask, PA_VERB_CHANGE, "", &keys, why);
}

int pa_errand_gimme(struct pa_errand *errand, const char *name, const char *user, bool hold,
                    struct pa_failure *why)
{
    const struct pa_keys keys = {
        .count = 1, .hold = PA_HOLD_YES, .attributes = "", .user = user};
    init(errand, PA_VERB_GIMME);
    errand->ask.count = 1;
    int r = pa_ask_write_old(&errand->ask, PA_VERB_GIMME, name, user, why);
    return r != 0 || !hold ? r : pa_ask_write(&errand->ask, PA_VERB_ALLOCATE, name, &keys, why);
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

/* Writes the request of ALLOCATE, for the keys as they are. */
static int write_allocate(struct pa_errand *errand, const char *name, const char *user,
                          const struct pa_keys *keys, struct pa_failure *why)
{
    errand->ask.count = keys->count;
    errand->ask.feature = feature_of(keys);
    int r = pa_ask_write(&errand->ask, PA_VERB_ALLOCATE, name, keys, why);
    if (r == 0 && !errand->ask.feature)
        r = pa_ask_write_old(&errand->ask, PA_VERB_GIMME, name, user, why);
    return r;
}

int pa_errand_allocate(struct pa_errand *errand, const char *name, const struct pa_keys *keys,
                       struct pa_failure *why)
{
    char own[USER_BYTES];
    const char *user = user_of(keys, own, sizeof own);
    init(errand, PA_VERB_ALLOCATE);
    errand->keys = keys;
    int r = write_allocate(errand, name, user, keys, why);
    if (r == 0 && prepare(&errand->grant, name, user) < 0)
        r = fail_memory(why);
    return r;
}

int pa_errand_allocate_held(struct pa_errand *errand, const char *name,
                            const struct pa_keys *keys, struct pa_failure *why)
{
    struct pa_keys held = *keys;
    held.hold = PA_HOLD_YES;
    int r = pa_errand_allocate(errand, name, &held, why);
    errand->keys = keys;
    errand->may_do_without = true;
    return r;
}

int pa_errand_listen(struct pa_errand *errand, const char *name, const struct pa_keys *keys,
                     struct pa_failure *why)
{
    init(errand, PA_VERB_LISTEN);
    errand->ask.count = 1;
    errand->ask.feature = "LISTEN";
    int r = pa_ask_write(&errand->ask, PA_VERB_LISTEN, name, keys, why);
    if (r == 0 && prepare(&errand->grant, name, "") < 0)
        r = fail_memory(why);
    return r;
}

/* Writes the request anew, without a wish to hold the port. */
static bool do_without(struct pa_errand *errand, struct pa_failure *why)
{
    struct pa_keys keys = *errand->keys;
    keys.hold = PA_HOLD_UNSAID;
    errand->may_do_without = false;
    pa_ask_deinit(&errand->ask);
    return write_allocate(errand, errand->grant.name, errand->grant.user, &keys, why) == 0;
}

bool pa_errand_again(struct pa_errand *errand, int r, struct pa_failure *why)
{
    if (errand->verb == PA_VERB_GIMME && errand->ask.line.size > 0 && r == PA_E_NO_HOLD) {
        pa_buf_deinit(&errand->ask.line);
        return true;
    }
    if (errand->may_do_without && (r == PA_E_NO_HOLD || r == PA_E_TOO_OLD))
        return do_without(errand, why);
    return false;
}

/* A manager that speaks protocol 2 and not CHANGE takes it for nonsense. */
int pa_errand_verdict(const struct pa_errand *errand, const struct pa_call *call, int r,
                      struct pa_failure *why)
{
    if (errand->verb == PA_VERB_CHANGE && r == PA_E_INVALID_REQUEST &&
        !pa_call_can(call, "watch"))
        return pa_failure_set(why, PA_E_TOO_OLD, pa_call_host(call), pa_call_port(call),
                              pa_verb_word(PA_VERB_CHANGE));
    return r;
}

/* --------------------------------------------------------------- answers -- */

/* Keeps what FIND would have found. 0, or -ENOMEM with the listing empty. */
static int filter(struct pa_listing *listing, const struct pa_keys *keys)
{
    int r = pa_listing_filter(listing, (uint16_t)keys->port, keys->name_pattern,
                              keys->user_pattern);
    if (r < 0)
        pa_listing_deinit(listing);
    return r;
}

/* Takes the listing, of an old manager what FIND would have found in it. */
static int take_listing(struct pa_errand *errand, struct pa_client *client,
                        struct pa_failure *why)
{
    errand->listing = client->listing;
    client->listing = (struct pa_listing)PA_LISTING_NULL;
    if (errand->verb == PA_VERB_FIND && client->verb == PA_VERB_LIST &&
        filter(&errand->listing, errand->keys) < 0)
        return fail_memory(why);
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
static int take_grant(struct pa_errand *errand, struct pa_connection *connection,
                      struct pa_failure *why)
{
    struct pa_call_grant *grant = &errand->grant;
    grant->port = connection->client.port;
    grant->count = 1;
    if (pa_ask_is_new(connection) && connection->client.verb != PA_VERB_GIMME &&
        errand->verb != PA_VERB_GIMME)
        take_granted(grant, &connection->client);
    if (grant->count > errand->ask.count) {
        connection->client.state = PA_CLIENT_BROKEN;
        return pa_failure_set(why, PA_E_PROTOCOL, "more ports than were asked for",
                              grant->name);
    }
    if (!grant->joined)
        pa_connection_hold(connection, grant->port, grant->count);
    return 0;
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

/* Whether the errand's answer is a grant, or a listing; neither: it is only yes or no. */
static bool is_grant(enum pa_verb verb)
{
    return verb == PA_VERB_GIMME || verb == PA_VERB_ALLOCATE || verb == PA_VERB_LISTEN;
}

static bool is_listing(enum pa_verb verb)
{
    return verb == PA_VERB_LIST || verb == PA_VERB_FIND;
}

int pa_errand_take(struct pa_errand *errand, struct pa_connection *connection,
                   struct pa_failure *why)
{
    int r = 0;
    if (is_listing(errand->verb))
        r = take_listing(errand, &connection->client, why);
    if (is_grant(errand->verb))
        r = take_grant(errand, connection, why);
    if (r == 0 && errand->verb == PA_VERB_LISTEN)
        r = take_socket(connection, &errand->fd, why);
    return r;
}
