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

#include "pa_errand.h"
#include "pa_portfile.h"
#include "pa_text.h"

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

const char *pa_call_server(const struct pa_call *call, int *port)
{
    *port = call->port;
    return call->host;
}

void pa_call_place(const struct pa_call *call, char *text, size_t size)
{
    struct pa_portfile place;
    pa_ask_place(call, &place);
    snprintf(text, size, "%s port %d", call->host, place.port);
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

/* --------------------------------------------------------------- errands -- */

int pa_call_run(struct pa_call *call, struct pa_errand *errand, int timeout_ms,
                struct pa_failure *why)
{
    int r;
    do {
        r = pa_ask(call, &errand->ask, timeout_ms, why);
    } while (r != 0 && pa_errand_again(errand, r, why));
    if (r == 0)
        r = pa_errand_take(errand, call->in_use, why);
    r = pa_errand_verdict(errand, call, r, why);
    return pa_ask_finish(call, &errand->ask, r);
}

/* Runs an errand that has been begun, with r, and empties it if it failed. */
static int run(struct pa_call *call, struct pa_errand *errand, int r, int timeout_ms,
               struct pa_failure *why)
{
    if (r == 0)
        r = pa_call_run(call, errand, timeout_ms, why);
    if (r != 0 && r != PA_E_NO_SOCKET)
        pa_errand_deinit(errand);
    return r;
}

int pa_call_list(struct pa_call *call, int timeout_ms, struct pa_listing *listing,
                 struct pa_failure *why)
{
    struct pa_errand errand;
    int r = pa_errand_list(&errand, why);
    r = run(call, &errand, r, timeout_ms, why);
    *listing = errand.listing;
    return r;
}

int pa_call_find(struct pa_call *call, const struct pa_keys *keys, int timeout_ms,
                 struct pa_listing *listing, struct pa_failure *why)
{
    struct pa_errand errand;
    int r = pa_errand_find(&errand, keys, why);
    r = run(call, &errand, r, timeout_ms, why);
    *listing = errand.listing;
    return r;
}

void pa_call_grant_deinit(struct pa_call_grant *grant)
{
    free(grant->asked);
    pa_answer_deinit(&grant->answer);
    *grant = (struct pa_call_grant)PA_CALL_GRANT_NULL;
}

int pa_call_allocate_keys(struct pa_call *call, const char *name, const struct pa_keys *keys,
                          int timeout_ms, struct pa_call_grant *grant, struct pa_failure *why)
{
    struct pa_errand errand;
    int r = pa_errand_allocate(&errand, name, keys, why);
    r = run(call, &errand, r, timeout_ms, why);
    *grant = errand.grant;
    return r;
}

bool pa_call_may_hold(const struct pa_call *call)
{
    bool known = call->hello.words.count > 0;
    return call->hold && (!known || pa_call_can(call, "hold"));
}

int pa_call_allocate(struct pa_call *call, const char *name, const char *user, int timeout_ms,
                     uint16_t *port, struct pa_failure *why)
{
    struct pa_errand errand;
    int r = pa_errand_gimme(&errand, name, user, pa_call_may_hold(call), why);
    r = run(call, &errand, r, timeout_ms, why);
    if (r == 0)
        *port = errand.grant.port;
    pa_call_grant_deinit(&errand.grant);
    return r;
}

void pa_call_forget(struct pa_call *call, uint16_t port)
{
    struct pa_connection *in_use = call->in_use;
    if (in_use && pa_connection_drop(in_use, port) && in_use->held == 0 && !call->opened)
        pa_ask_retire(call);
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
    struct pa_errand errand;
    int r = pa_errand_release(&errand, port, why);
    r = run(call, &errand, r, timeout_ms, why);
    if (r == 0 || r == PA_E_NOT_ALLOCATED)
        pa_call_forget(call, port);
    return r;
}

int pa_call_change(struct pa_call *call, uint16_t port, const char *attributes, int timeout_ms,
                   struct pa_failure *why)
{
    struct pa_errand errand;
    int r = pa_errand_change(&errand, port, attributes, why);
    return run(call, &errand, r, timeout_ms, why);
}

int pa_call_listen(struct pa_call *call, const char *name, const struct pa_keys *keys,
                   int timeout_ms, struct pa_call_grant *grant, int *fd, struct pa_failure *why)
{
    struct pa_errand errand;
    int r = pa_errand_listen(&errand, name, keys, why);
    r = run(call, &errand, r, timeout_ms, why);
    if (r == PA_E_NO_SOCKET) {
        struct pa_failure ignored;
        pa_call_release(call, errand.grant.port, timeout_ms, &ignored);
        pa_call_grant_deinit(&errand.grant);
    }
    *grant = errand.grant;
    *fd = errand.fd;
    return r;
}

/* ------------------------------------------------------------- connections -- */

void pa_call_adopt(struct pa_call *call, struct pa_call *from)
{
    if (from->in_use && from->in_use->held > 0)
        pa_ask_retire(from);
    while (from->aside) {
        struct pa_connection *one = from->aside;
        from->aside = one->next;
        one->next = call->aside;
        call->aside = one;
    }
}

void pa_call_adopt_open(struct pa_call *call, struct pa_call *from)
{
    if (call->in_use || call->port != from->port || strcmp(call->host, from->host) != 0)
        return;
    call->in_use = from->in_use;
    from->in_use = NULL;
    call->opened = true;
}

int pa_call_look(struct pa_call *call, struct pa_failure *why)
{
    return pa_ask_look_after(call, why);
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
    struct pa_errand errand;
    int r = pa_errand_ping(&errand, why);
    return run(call, &errand, r, timeout_ms, why);
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
