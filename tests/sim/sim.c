/*
 * sim -seed N -rounds N [-ports N]
 *
 * Random clients against the manager's sessions and table, with no network,
 * and beside them a model of what the manager promises. After each event the
 * answers, the owners' counts, the charges, the list and the usage text are
 * compared. The same seed makes the same events; a difference prints it.
 *
 * A round is a new table and EVENTS_PER_ROUND events, with a quarantine in
 * every other round. How many ports there are, unless -ports says it, how few
 * names are asked for, whom the manager believes, what it holds and what it
 * limits is another matter of chance in each round.
 */

#include "audience.h"
#include "chance.h"
#include "compare.h"
#include "differ.h"
#include "model.h"
#include "promise.h"
#include "request.h"
#include "session.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    EVENTS_PER_ROUND = 1000,
    CLIENTS = PROMISE_PARTIES,
    LOWEST_PORT = 9980, /* so that ports of four and of five digits come */
    QUARANTINE_MS = 5000,
    UIDS_FROM = 1000, /* of those who are not root */
    DESCRIPTOR = 77,
};

static unsigned port_count, name_variety;
static unsigned long long changes; /* of the tables */

/* ---------------------------------------------------------------- manager -- */

static struct session_world world;
static struct quota quota;
static struct watchers watchers;
static size_t released_count, open_count, kernel_count;
static bool in_kernel[UINT16_MAX + 1];

static int probe_model(void *context, uint16_t port)
{
    (void)context;
    return model.probe_fails ? -EMFILE : model.port_state[port];
}

static int hold(void *context, uint16_t port)
{
    int state = probe_model(context, port);
    if (state < 0 || state == TABLE_PORT_IN_USE)
        return state;
    if (in_kernel[port])
        differ("port %u is held twice", port);
    in_kernel[port] = true;
    kernel_count += 1;
    return state;
}

static void drop(void *context, uint16_t port)
{
    (void)context;
    if (!in_kernel[port])
        differ("port %u is dropped and was not held", port);
    in_kernel[port] = false;
    kernel_count -= 1;
}

static int listen_beside(void *context, const char *address, uint16_t port, int backlog)
{
    (void)context;
    (void)address;
    (void)backlog;
    if (!in_kernel[port])
        differ("somebody listens on port %u, which is not held", port);
    if (setting.listen_fails)
        return -EADDRINUSE;
    open_count += 1;
    return DESCRIPTOR;
}

static void close_descriptor(void *context, int fd)
{
    (void)context;
    (void)fd;
    open_count -= 1;
}

static void count_released(void *context, const struct table_entry *entry)
{
    (void)context;
    (void)entry;
    released_count += 1;
}

static void compare_charges(void)
{
    for (unsigned user = 0; user < MODEL_ROOT; ++user) {
        size_t ports = quota_limit(&quota, QUOTA_PORTS) ? model_charged_to(user) : 0;
        size_t waiting = quota_limit(&quota, QUOTA_WAITING) ? promise_waiting(user) : 0;
        uint32_t charged_ports = quota_charged(&quota, UIDS_FROM + user, QUOTA_PORTS);
        uint32_t charged_waiting = quota_charged(&quota, UIDS_FROM + user, QUOTA_WAITING);
        if (charged_ports != ports || charged_waiting != waiting)
            differ("%s is charged for %u ports and %u requests in line, not %zu and %zu",
                   model_users[user], charged_ports, charged_waiting, ports, waiting);
    }
}

/* ---------------------------------------------------------------- clients -- */

struct client {
    bool closed; /* the manager reads no more of it */
    struct session session;
    struct request request; /* being sent */
    size_t sent;            /* bytes of it */
    bool answered;
};

static struct client clients[CLIENTS];

/* The answer to WATCH is in two pieces. The client keeps what it is shown. */
static void compare_watch(unsigned c, const char *expected, size_t size,
                          const struct pa_buf *reply, const struct session_step *step)
{
    const struct request *request = &clients[c].request;
    size_t head = reply->size;
    if (head > size || memcmp(reply->data, expected, head) != 0 || !step->snapshot ||
        step->snapshot->size != size - head ||
        memcmp(step->snapshot->text, expected + head, size - head) != 0)
        differ("the answer to %s is %.*s and so on, not %s", request->text, (int)head,
               reply->data, expected);
    audience_join(c, request->name_pattern, request->user_pattern, expected, size);
}

/* Compares the answer, the text of a step and behind it its snapshot. */
static void compare_answer(const struct request *request, const struct promise *promise,
                           const struct pa_buf *reply, const struct session_step *step)
{
    const char *expected = Tcl_DStringValue(&promise->text);
    size_t size = (size_t)Tcl_DStringLength(&promise->text);
    const char *text = step->snapshot ? step->snapshot->text : reply->data;
    size_t text_size = step->snapshot ? step->snapshot->size : reply->size;
    if (step->snapshot && reply->size > 0)
        differ("a listing follows %.*s", (int)reply->size, reply->data);
    if (request->meaning == REQUEST_LIST) {
        if (!step->snapshot)
            differ("LIST has no listing");
        compare_list(step->snapshot);
    } else if (text_size != size || memcmp(text, expected, size) != 0)
        differ("the answer to %s is %.*s, not %s", request->text, (int)text_size,
               text ? text : "", expected);
}

static void compare_allocation(const struct promise *promise, const struct session_step *step)
{
    if (!step->claimed == promise->is_claimed_falsely)
        differ("the claim of %s is %s", step->request.text,
               step->claimed ? "called false" : "believed");
    if (step->entry->port != promise->port || step->count != promise->count)
        differ("%u ports from %u on are told to be allocated, not %u from %u on", step->count,
               step->entry->port, promise->count, promise->port);
    const struct held *held = model_at(promise->port);
    uint32_t uid = held->owner == MODEL_NOBODY ? TABLE_NOBODY
                   : held->owner == MODEL_ROOT ? 0
                                               : UIDS_FROM + held->owner;
    if (step->entry->uid != uid)
        differ("port %u is of user %u, not %u", promise->port, step->entry->uid, uid);
}

/* Compares what came of a request with what is promised. Whether it is done with. */
static bool compare_outcome(unsigned c, int r, const struct pa_buf *reply,
                            struct session_step *step)
{
    struct client *client = &clients[c];
    struct promise promise;
    promise_make(&promise, c, &client->request);
    bool waits = promise.wants != SESSION_WANTS_NOTHING;
    if (r != (waits ? SESSION_SUSPENDED : 0) || client->session.wants != promise.wants)
        differ("%s makes %d and wants %d, not %d", client->request.text, r,
               (int)client->session.wants, (int)promise.wants);
    if (!waits) {
        if (client->request.meaning == REQUEST_WATCH && step->event == SESSION_TOLD)
            compare_watch(c, Tcl_DStringValue(&promise.text),
                          (size_t)Tcl_DStringLength(&promise.text), reply, step);
        else
            compare_answer(&client->request, &promise, reply, step);
        if (!parties[c].watches)
            audience_leave(c);
        if (step->event != promise.event || step->close != promise.close)
            differ("%s makes the event %d, not %d", client->request.text, (int)step->event,
                   (int)promise.event);
        if (step->event == SESSION_ALLOCATED)
            compare_allocation(&promise, step);
        client->closed = step->close;
        if (step->fd >= 0)
            close_descriptor(NULL, step->fd);
        session_step_deinit(step);
    } else if (reply->size > 0) {
        differ("%s waits and is answered", client->request.text);
    }
    promise_free(&promise);
    return !waits;
}

static void leave(unsigned c);

/* The session is given a piece of the request and must answer if that makes it whole. */
static void send_piece(unsigned c, size_t size)
{
    struct client *client = &clients[c];
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    char *piece = must(malloc(size)); /* of its own, so that reading behind it shows */
    memcpy(piece, client->request.bytes + client->sent, size);
    const char *cursor = piece;
    client->sent += size;
    client->session.clear = parties[c].clear;
    int r = session_next(&client->session, &cursor, piece + size, &reply, &step);
    bool due = !client->answered && (client->sent >= client->request.known_at);
    /* A line that is too long is known to be before its end comes. */
    if (client->request.meaning == REQUEST_TOO_LONG)
        due = !client->answered && client->sent > REQUEST_LINE_MAX;
    if (!due && r != SESSION_IDLE)
        differ("%zu bytes of %s make %d", client->sent, client->request.text, r);
    if (due) {
        client->answered = true;
        if (!compare_outcome(c, r, &reply, &step))
            client->sent -= (size_t)(piece + size - cursor); /* it is sent once more */
        else if (!client->closed && session_next(&client->session, &cursor, piece + size,
                                                 &reply, &step) != SESSION_IDLE)
            differ("one request makes two");
    }
    pa_buf_deinit(&reply);
    free(piece);
}

static void send_some(unsigned c)
{
    struct client *client = &clients[c];
    if (client->sent == client->request.size) {
        request_write(&client->request, name_variety, model.low, model.high,
                      parties[c].protocol2);
        client->sent = 0;
        client->answered = false;
    }
    parties[c].clear = chance_below(4) != 0;
    size_t left = client->request.size - client->sent;
    send_piece(c, chance_below(3) ? left : 1 + chance_below((unsigned)left));
    if (client->closed)
        leave(c);
}

/* The kernel's word on who the client is. */
static void prove(unsigned c)
{
    struct party *party = &parties[c];
    bool proved = party->user != MODEL_NOBODY;
    uint32_t uid = party->user == MODEL_ROOT ? 0 : UIDS_FROM + party->user;
    party->known = true;
    if (session_prove(&clients[c].session, proved ? uid : 0,
                      proved ? model_users[party->user] : NULL) < 0)
        must(NULL);
}

/* A request that waits is tried again, with or without what it waits for. */
static void resume(unsigned c)
{
    struct session *session = &clients[c].session;
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    if (session->wants == SESSION_WANTS_OWNER && chance_below(4))
        prove(c);
    parties[c].clear = chance_below(2) != 0;
    session->clear = parties[c].clear;
    int r = session_resume(session, &reply, &step);
    compare_outcome(c, r, &reply, &step);
    pa_buf_deinit(&reply);
    if (clients[c].closed)
        leave(c);
}

/* What a client leaves unfinished is illegal. */
static void compare_end(unsigned c)
{
    struct client *client = &clients[c];
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    bool unfinished = !client->answered && client->sent > 0;
    int r = session_end(&client->session, &reply, &step);
    if (r != (unfinished ? 0 : SESSION_IDLE))
        differ("the end of a client makes %d", r);
    if (r == 0) {
        struct promise promise;
        struct request request = {.meaning = REQUEST_ILLEGAL};
        snprintf(request.text, sizeof request.text, "%.*s", (int)client->sent,
                 client->request.bytes);
        promise_make(&promise, c, &request);
        /* A byte sequence that is cut is not UTF-8, and a control character is shown as a
         * blank. */
        if (!strpbrk(request.text, "\x01\xC2\xC3"))
            compare_answer(&request, &promise, &reply, &step);
        promise_free(&promise);
        session_step_deinit(&step);
    }
    pa_buf_deinit(&reply);
}

static void leave(unsigned c)
{
    struct client *client = &clients[c];
    size_t expected = model_count_of(c);
    if (!client->closed && chance_below(2))
        compare_end(c);
    session_abandon(&client->session);
    audience_leave(c);
    parties[c].in_line = false;
    parties[c].watches = false;
    released_count = 0;
    while (session_release_one(&client->session))
        continue;
    if (released_count != expected)
        differ("a client that left had %zu ports, not %zu", released_count, expected);
    model_leave(c);
    session_deinit(&client->session);
    parties[c].here = false;
}

static void arrive(unsigned c)
{
    struct client *client = &clients[c];
    unsigned user = chance_below(MODEL_USERS + 1);
    parties[c] = (struct party){
        .here = true,
        .local = chance_below(20) != 0,
        .unix_domain = chance_below(3) == 0,
        .user = user < MODEL_USERS ? user : MODEL_NOBODY,
    };
    *client = (struct client){.answered = true};
    session_init(&client->session, &world, PROMISE_HOST, parties[c].local, REQUEST_LINE_MAX);
    client->session.unix_domain = parties[c].unix_domain;
}

/* --------------------------------------------------------------- watching -- */

static unsigned client_of(struct watcher *watcher)
{
    size_t at = (size_t)((char *)watcher - (char *)clients);
    return (unsigned)(at / sizeof *clients);
}

static size_t unsent(void *context, struct watcher *watcher)
{
    (void)context;
    return audience_unsent(client_of(watcher));
}

/* A connection may break when something is sent, and take others along. */
static void send_events(void *context, struct watcher *watcher, struct pa_buf *text,
                        struct snapshot *snapshot)
{
    (void)context;
    audience_send(client_of(watcher), text->data, text->size);
    if (snapshot)
        audience_send(client_of(watcher), snapshot->text, snapshot->size);
    unsigned other = chance_below(60 * CLIENTS);
    if (other < CLIENTS && parties[other].here)
        leave(other);
}

static void read_some(unsigned c)
{
    if (parties[c].here && audience_watches(c) && audience_read(c))
        watchers_drained(&watchers, &clients[c].session.watcher);
}

/* All of it is told, and who has read everything must know it. */
static void compare_audience(void)
{
    if (watchers.count != audience_count())
        differ("%zu clients watch, not %zu", watchers.count, audience_count());
    while (watchers_flush(&watchers) == WATCHERS_MORE)
        continue;
    for (unsigned c = 0; c < CLIENTS; ++c) {
        read_some(c);
        while (watchers_flush(&watchers) == WATCHERS_MORE)
            continue;
        audience_compare(c);
    }
}

/* ----------------------------------------------------------------- events -- */

static void stranger_comes_or_goes(void)
{
    unsigned port = LOWEST_PORT + chance_below(port_count);
    model.port_state[port] = (uint8_t)(chance_below(2) ? TABLE_PORT_FREE : chance_below(3));
}

static void time_passes(void)
{
    static const unsigned steps_ms[] = {1, 100, 1000, 4999, 5000, 20000};
    model.now_ms += chance_below(2) ? chance_below(2000) : steps_ms[chance_below(6)];
    world.now_ms = model.now_ms;
}

static void stats_change(void)
{
    setting.stats.connections = chance_below(100);
    setting.stats.waiting = chance_below(100);
    world.stats = setting.stats;
    setting.listen_fails = chance_below(4) == 0;
}

static void client_acts(unsigned c)
{
    if (!parties[c].here)
        arrive(c);
    else if (chance_below(30) == 0)
        leave(c);
    else if (clients[c].session.suspended)
        resume(c);
    else
        send_some(c);
}

static void compare_all_counts(void)
{
    compare_counts(world.table);
    if (kernel_count != model_in_kernel() || open_count != 0)
        differ("%zu ports are held in the kernel, not %zu; %zu descriptors are open",
               kernel_count, model_in_kernel(), open_count);
    for (unsigned c = 0; c < CLIENTS; ++c) {
        size_t held = parties[c].here ? session_held(&clients[c].session) : 0;
        if (held != model_count_of(c))
            differ("client %u holds %zu ports, not %zu", c, held, model_count_of(c));
    }
    compare_charges();
}

static void event(void)
{
    unsigned kind = chance_below(100);
    if (kind < 88)
        client_acts(chance_below(CLIENTS));
    else if (kind < 91)
        stranger_comes_or_goes();
    else if (kind < 95)
        time_passes();
    else if (kind < 96)
        model.probe_fails = chance_below(8) == 0;
    else if (kind < 97)
        stats_change();
    else if (kind < 98)
        compare_usage(world.table);
    else if (kind < 99)
        compare_listing(world.table);
    else
        compare_find(world.table);
    read_some(chance_below(CLIENTS));
    if (chance_below(3) == 0)
        watchers_flush(&watchers);
    if (chance_below(32) == 0)
        compare_audience();
    if (table_count(world.table) != model.held_count)
        differ("%zu ports are held, not %zu", table_count(world.table), model.held_count);
    if (model.held_count < 64 || chance_below(16) == 0)
        compare_all_counts();
}

static unsigned one_of(const unsigned choice[4])
{
    return choice[chance_below(4)];
}

static void choose_setting(void)
{
    unsigned believes = chance_below(6), holds = chance_below(6);
    setting = (struct setting){
        .rules = {.trusts = believes < 3,
                  .verifies = believes == 3,
                  .holds_all = holds == 0,
                  .holds_none = holds == 1},
        .quotas = {.most = {[QUOTA_PORTS] = chance_below(2) ? 1 + chance_below(20) : 0,
                            [QUOTA_WAITING] = chance_below(2) ? 1 + chance_below(3) : 0}},
        .stats = {.started_ms = model.now_ms, .pid = 4711},
    };
}

static void begin_round(unsigned ports)
{
    static const unsigned sizes[4] = {5, 40, 150, 1000};
    static const unsigned varieties[4] = {1, 4, 4, MODEL_NAMES};
    port_count = ports ? ports : one_of(sizes);
    name_variety = one_of(varieties);
    const struct table_range range = {LOWEST_PORT, (uint16_t)(LOWEST_PORT + port_count - 1)};
    const struct siphash_key key = {{chance_below(UINT_MAX), chance_below(UINT_MAX)}};
    uint64_t quarantine_ms = place.round % 2 ? 0 : QUARANTINE_MS;
    choose_setting();
    model_begin(range.low, range.high, quarantine_ms);
    quota_init(&quota, &setting.quotas);
    world = (struct session_world){.prober = {.probe = probe_model},
                                   .holder = {.probe = hold, .drop = drop},
                                   .quota = &quota,
                                   .watchers = &watchers,
                                   .rules = setting.rules,
                                   .stats = setting.stats,
                                   .listen = listen_beside,
                                   .close = close_descriptor,
                                   .released = count_released,
                                   .now_ms = model.now_ms};
    if (table_new(&world.table, &range, 1, quarantine_ms, &key) < 0)
        must(NULL);
    watchers_init(&watchers, world.table,
                  &(struct watchers_io){.unsent = unsent, .send = send_events});
}

static void end_round(void)
{
    compare_listing(world.table);
    compare_usage(world.table);
    compare_all_counts();
    for (unsigned c = 0; c < CLIENTS; ++c)
        if (parties[c].here)
            leave(c);
    compare_listing(world.table);
    compare_all_counts();
    changes += watchers.sequence;
    watchers_deinit(&watchers);
    world.table = table_free(world.table);
    quota_deinit(&quota);
}

static bool read_option(const char *const *argument, const char *name, unsigned long *value)
{
    char *end;
    if (strcmp(argument[0], name) != 0 || !argument[1])
        return false;
    *value = strtoul(argument[1], &end, 10);
    return *argument[1] && !*end;
}

static bool read_options(const char *const *arguments, unsigned long *rounds,
                         unsigned long *ports)
{
    for (; *arguments; arguments += 2)
        if (!read_option(arguments, "-seed", &place.seed) &&
            !read_option(arguments, "-rounds", rounds) &&
            !read_option(arguments, "-ports", ports))
            return false;
    return *ports <= MODEL_PORTS;
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

int main(int argc, char **argv)
{
    unsigned long rounds = 100, ports = 0;
    long early_kib = 0;
    (void)argc;
    place.seed = 1;
    if (!read_options((const char *const *)argv + 1, &rounds, &ports)) {
        fprintf(stderr, "usage: sim -seed N -rounds N ?-ports N? (at most %d)\n", MODEL_PORTS);
        return 100;
    }
    model_init();
    for (place.round = 0; place.round < rounds; ++place.round) {
        chance_begin(place.seed, place.round);
        begin_round((unsigned)ports);
        for (int i = 0; i < EVENTS_PER_ROUND; ++i, ++place.event)
            event();
        end_round();
        if (place.round == rounds / 10)
            early_kib = peak_kib();
    }
    model_deinit();
    printf("sim: seed %lu, %lu rounds, %llu events: ok\n", place.seed, rounds, place.event);
    printf("%llu changes; peak %ld KiB, %ld after a tenth of the rounds\n", changes, peak_kib(),
           early_kib);
    audience_print();
    return 0;
}
