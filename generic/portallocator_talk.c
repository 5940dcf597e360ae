/* The public conversation without input and output: pa_client and what is to be sent. */

#include "portallocator_values.h"

#include "pa_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct portallocator_talk {
    struct pa_client client;
    enum pa_protocol protocol; /* that is wanted */
    struct pa_buf output;
    struct pa_failure why; /* of the last failure */
    bool failed;           /* then */
    bool answered;         /* the last request, well */
    char *asked;           /* in protocol 1: name, NUL, user, NUL */
    const char *user;      /* within that */
};

/* ------------------------------------------------------------- lifetime -- */

PORTALLOCATOR_PUBLIC struct portallocator_talk *portallocator_talk_new(int protocol)
{
    if (protocol != PA_PROTOCOL_1 && protocol != PA_PROTOCOL_2)
        return NULL;
    struct portallocator_talk *talk = calloc(1, sizeof *talk);
    if (talk)
        *talk = (struct portallocator_talk){.client = PA_CLIENT_INIT,
                                            .protocol = (enum pa_protocol)protocol};
    return talk;
}

PORTALLOCATOR_PUBLIC void portallocator_talk_free(struct portallocator_talk *talk)
{
    if (!talk)
        return;
    pa_client_deinit(&talk->client);
    pa_buf_deinit(&talk->output);
    free(talk->asked);
    free(talk);
}

static int succeed(struct portallocator_talk *talk)
{
    talk->failed = false;
    return PORTALLOCATOR_OK;
}

/* *why has been filled in. */
static int fail(struct portallocator_talk *talk)
{
    talk->failed = true;
    return portallocator_values_code(talk->why.error);
}

/* r is negative without memory; else *why has been filled in. */
static int fail_with(struct portallocator_talk *talk, int r)
{
    if (r < 0)
        pa_failure_set(&talk->why, PA_E_CLIENT_MEMORY);
    return fail(talk);
}

PORTALLOCATOR_PUBLIC const char *
portallocator_talk_error_text(const struct portallocator_talk *talk)
{
    return talk->failed ? talk->why.text : "";
}

PORTALLOCATOR_PUBLIC int portallocator_talk_can(const struct portallocator_talk *talk,
                                                const char *capability)
{
    return pa_answer_can(&talk->client.hello, capability);
}

/* ------------------------------------------------------------- requests -- */

static bool is_busy(const struct portallocator_talk *talk)
{
    return talk->client.state != PA_CLIENT_IDLE;
}

static int refuse_busy(struct portallocator_talk *talk)
{
    pa_failure_set(&talk->why, PA_E_INVALID_REQUEST,
                   talk->client.state == PA_CLIENT_BROKEN ? "after the end of the conversation"
                                                          : "before the answer to the last");
    return fail(talk);
}

/* In words of its own, since the conversation does not know where the manager is. */
static int refuse_old(struct portallocator_talk *talk, enum pa_verb verb)
{
    talk->why.error = PA_E_TOO_OLD;
    snprintf(talk->why.text, sizeof talk->why.text, "the port manager is too old for %s",
             pa_verb_word(verb));
    return fail(talk);
}

static int begin(struct portallocator_talk *talk, enum pa_verb verb, bool hello)
{
    talk->answered = false;
    if (hello)
        pa_client_begin_hello(&talk->client, verb);
    else
        pa_client_begin(&talk->client, verb);
    return succeed(talk);
}

/* Writes a request of protocol 2, with HELLO in front of the first. */
static int ask(struct portallocator_talk *talk, enum pa_verb verb, const char *name,
               const struct pa_keys *keys)
{
    if (is_busy(talk))
        return refuse_busy(talk);
    if (talk->protocol == PA_PROTOCOL_1)
        return refuse_old(talk, verb);
    size_t before = talk->output.size;
    bool hello = talk->client.protocol == PA_PROTOCOL_1;
    int r = hello ? pa_client_hello(&talk->output) : 0;
    if (r == 0)
        r = pa_client_request2(&talk->output, verb, name, keys, &talk->why);
    if (r == 0)
        return begin(talk, verb, hello);
    talk->output.size = before;
    return fail_with(talk, r);
}

/* Writes a request of protocol 1. */
static int ask_old(struct portallocator_talk *talk, enum pa_verb verb, const char *name,
                   const char *user)
{
    if (is_busy(talk))
        return refuse_busy(talk);
    int r = pa_client_request(&talk->output, verb, name, user);
    if (r == 0)
        return begin(talk, verb, false);
    if (r > 0)
        pa_failure_set(&talk->why, (enum pa_error)r);
    return fail_with(talk, r);
}

/* Keeps what was asked for: the answer does not tell. 0 or -1. */
static int keep_asked(struct portallocator_talk *talk, const char *name, const char *user)
{
    size_t name_size = strlen(name) + 1;
    size_t user_size = strlen(user) + 1;
    char *asked = malloc(name_size + user_size);
    if (!asked)
        return -1;
    memcpy(asked, name, name_size);
    memcpy(asked + name_size, user, user_size);
    free(talk->asked);
    talk->asked = asked;
    talk->user = asked + name_size;
    return 0;
}

static int allocate_old(struct portallocator_talk *talk, const char *name,
                        const struct pa_keys *keys)
{
    size_t place = 0;
    struct pa_key_value pair;
    bool has_user = false;
    while (pa_keys_next(keys, PA_VERB_ALLOCATE, &place, &pair)) {
        if (strcmp(pair.name, "-user") != 0)
            return refuse_old(talk, PA_VERB_ALLOCATE);
        has_user = true;
    }
    if (!has_user)
        return refuse_old(talk, PA_VERB_ALLOCATE);
    if (is_busy(talk))
        return refuse_busy(talk);
    if (keep_asked(talk, name, keys->user) != 0)
        return fail_with(talk, -1);
    return ask_old(talk, PA_VERB_GIMME, name, keys->user);
}

static int ask_for_port(struct portallocator_talk *talk, enum pa_verb verb, const char *name,
                        const struct portallocator_options *options)
{
    struct pa_keys keys;
    int r = portallocator_values_keys(&keys, options, &talk->why);
    if (r != 0)
        return fail(talk);
    if (verb == PA_VERB_ALLOCATE && talk->protocol == PA_PROTOCOL_1)
        return allocate_old(talk, name, &keys);
    return ask(talk, verb, name, &keys);
}

PORTALLOCATOR_PUBLIC int
portallocator_talk_allocate(struct portallocator_talk *talk, const char *name,
                            const struct portallocator_options *options)
{
    return ask_for_port(talk, PA_VERB_ALLOCATE, name, options);
}

PORTALLOCATOR_PUBLIC int portallocator_talk_listen(struct portallocator_talk *talk,
                                                   const char *name,
                                                   const struct portallocator_options *options)
{
    return ask_for_port(talk, PA_VERB_LISTEN, name, options);
}

PORTALLOCATOR_PUBLIC int portallocator_talk_release(struct portallocator_talk *talk,
                                                    unsigned port)
{
    struct pa_keys keys = PA_KEYS_INIT;
    keys.port = port;
    return ask(talk, PA_VERB_RELEASE, "", &keys);
}

PORTALLOCATOR_PUBLIC int portallocator_talk_change(struct portallocator_talk *talk,
                                                   unsigned port, const char *attributes)
{
    struct pa_keys keys = PA_KEYS_INIT;
    keys.port = port;
    keys.attributes = attributes ? attributes : "";
    return ask(talk, PA_VERB_CHANGE, "", &keys);
}

PORTALLOCATOR_PUBLIC int portallocator_talk_list(struct portallocator_talk *talk)
{
    return ask_old(talk, PA_VERB_LIST, "", "");
}

PORTALLOCATOR_PUBLIC int portallocator_talk_find(struct portallocator_talk *talk,
                                                 const char *name_pattern,
                                                 const char *user_pattern)
{
    struct pa_keys keys = PA_KEYS_INIT;
    keys.name_pattern = name_pattern;
    keys.user_pattern = user_pattern;
    return ask(talk, PA_VERB_FIND, "", &keys);
}

static const struct pa_keys no_keys = PA_KEYS_INIT;

PORTALLOCATOR_PUBLIC int portallocator_talk_stats(struct portallocator_talk *talk)
{
    return ask(talk, PA_VERB_STATS, "", &no_keys);
}

PORTALLOCATOR_PUBLIC int portallocator_talk_ping(struct portallocator_talk *talk)
{
    return ask(talk, PA_VERB_PING, "", &no_keys);
}

/* ---------------------------------------------------------------- bytes -- */

PORTALLOCATOR_PUBLIC size_t portallocator_talk_output(const struct portallocator_talk *talk,
                                                      const char **bytes)
{
    *bytes = talk->output.data ? talk->output.data : "";
    return talk->output.size;
}

PORTALLOCATOR_PUBLIC void portallocator_talk_sent(struct portallocator_talk *talk, size_t size)
{
    if (size > talk->output.size)
        size = talk->output.size;
    talk->output.size -= size;
    if (talk->output.size > 0)
        memmove(talk->output.data, talk->output.data + size, talk->output.size);
}

static int refuse_unasked(struct portallocator_talk *talk)
{
    pa_failure_set(&talk->why, PA_E_PROTOCOL, "bytes that nobody asked for", "");
    return fail(talk);
}

/* What a reply that is at its end comes to. */
static int finish(struct portallocator_talk *talk, int r)
{
    if (r == PA_CLIENT_OLD)
        return refuse_old(talk, PA_VERB_HELLO);
    if (r != 0)
        return fail_with(talk, r);
    talk->answered = true;
    return succeed(talk);
}

PORTALLOCATOR_PUBLIC int portallocator_talk_feed(struct portallocator_talk *talk,
                                                 const char *bytes, size_t size)
{
    const char *end = bytes + size;
    if (talk->client.state == PA_CLIENT_BROKEN)
        return refuse_busy(talk);
    if (!is_busy(talk))
        return pa_client_take_idle(&talk->client, bytes, size) ? succeed(talk)
                                                               : refuse_unasked(talk);
    int r = pa_client_feed(&talk->client, &bytes, end, &talk->why);
    if (r == PA_CLIENT_MORE)
        return PORTALLOCATOR_MORE;
    if (!is_busy(talk) && !pa_client_take_idle(&talk->client, bytes, (size_t)(end - bytes)))
        return refuse_unasked(talk);
    return finish(talk, r);
}

/* -------------------------------------------------------------- results -- */

static bool has_grant(const struct portallocator_talk *talk)
{
    enum pa_verb verb = talk->client.verb;
    return talk->answered &&
           (verb == PA_VERB_ALLOCATE || verb == PA_VERB_LISTEN || verb == PA_VERB_GIMME);
}

PORTALLOCATOR_PUBLIC int portallocator_talk_get_grant(const struct portallocator_talk *talk,
                                                      struct portallocator_grant *grant)
{
    if (!has_grant(talk) || grant->size < sizeof *grant)
        return PORTALLOCATOR_INVALID;
    const struct pa_granted old = {
        .port = talk->client.port, .count = 1, .name = talk->asked, .user = talk->user};
    portallocator_values_grant(
        grant, talk->client.verb == PA_VERB_GIMME ? &old : &talk->client.answer.granted);
    return PORTALLOCATOR_OK;
}

PORTALLOCATOR_PUBLIC int portallocator_talk_get_stats(const struct portallocator_talk *talk,
                                                      struct portallocator_stats *stats)
{
    if (!talk->answered || talk->client.verb != PA_VERB_STATS ||
        stats->size < PORTALLOCATOR_VALUES_STATS_BYTES)
        return PORTALLOCATOR_INVALID;
    portallocator_values_stats(stats, &talk->client.answer.stats);
    return PORTALLOCATOR_OK;
}

PORTALLOCATOR_PUBLIC int portallocator_talk_get_ports(const struct portallocator_talk *talk,
                                                      struct portallocator_ports **ports)
{
    bool lists = talk->client.verb == PA_VERB_LIST || talk->client.verb == PA_VERB_FIND;
    *ports = NULL;
    if (!talk->answered || !lists)
        return PORTALLOCATOR_INVALID;
    *ports = portallocator_values_ports(&talk->client.listing);
    return *ports ? PORTALLOCATOR_OK : PORTALLOCATOR_NO_MEMORY;
}
