/*
 * sim -seed N -rounds N [-ports N]
 *
 * Random clients against the manager's sessions and table, with no network,
 * and beside them a model of what the manager promises: plain arrays and
 * linear searches, written from the rules and not from the table's code. After
 * each event the answers, the owners' counts, the list and the usage text are
 * compared. The same seed makes the same events; a difference prints it.
 *
 * A round is a new table and EVENTS_PER_ROUND events, with a quarantine in
 * every other round. How many ports there are, unless -ports says it, and how
 * few names are asked for is another matter of chance in each round.
 */

#include "chance.h"
#include "model.h"
#include "request.h"
#include "session.h"

#include <tcl.h>

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_PER_ROUND = 1000,
    CLIENTS = 24,
    LOWEST_PORT = 9980, /* so that ports of four and of five digits come */
    QUARANTINE_MS = 5000,
    SMALL_TABLE = 16,   /* ports held, up to which every list is compared whole */
    WHOLE_LIST_IN = 16, /* beyond that one list in so many */
};

#define HOST         "192.0.2.7"
#define PROBE_FAILED "no port could be tried: the log of the port manager says why"

static unsigned long seed, round_number;
static unsigned long long events;
static unsigned port_count, name_variety;

__attribute__((format(printf, 1, 2), noreturn)) static void differ(const char *format, ...)
{
    va_list arguments;
    printf("sim: seed %lu, round %lu, event %llu: ", seed, round_number, events);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    exit(1);
}

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "sim: out of memory\n");
        exit(111);
    }
    return memory;
}

/* ---------------------------------------------------------------- manager -- */

static struct session_world world;

static int probe_model(void *context, uint16_t port)
{
    (void)context;
    return model.probe_fails ? -24 : model.port_state[port]; /* EMFILE */
}

static void compare_list(const struct snapshot *snapshot)
{
    char head[32], line[MODEL_LINE_BYTES];
    size_t size = (size_t)snprintf(head, sizeof head, "OK %zu\r\n", model.held_count);
    if (snapshot->size != size + model.list_size)
        differ("the list has %zu bytes, not %zu", snapshot->size, size + model.list_size);
    if (memcmp(snapshot->text, head, size) != 0)
        differ("the list begins with %.8s, not %s", snapshot->text, head);
    if (model.held_count > SMALL_TABLE && chance_below(WHOLE_LIST_IN) != 0)
        return;
    const struct held *held = model_listed();
    const char *text = snapshot->text + size;
    for (size_t i = 0; i < model.held_count; ++i) {
        size_t line_size = model_line(line, &held[i]);
        if (memcmp(text, line, line_size) != 0)
            differ("line %zu of the list is %.*s, not %s", i, (int)line_size, text, line);
        text += line_size;
    }
}

static void compare_listing(void)
{
    struct snapshot *snapshot;
    if (table_snapshot(world.table, &snapshot) < 0)
        must(NULL);
    compare_list(snapshot);
    snapshot_unref(snapshot);
}

static void compare_usage(void)
{
    struct pa_buf text = PA_BUF_NULL;
    if (table_append_usage(world.table, &text) < 0)
        must(NULL);
    const struct held *held = model_used();
    size_t at = 0;
    for (size_t i = 0; i < model.held_count; ++i) {
        char line[MODEL_LINE_BYTES];
        size_t size = (size_t)snprintf(line, sizeof line, "%u\t%s\t%s\n", held[i].port,
                                       model_names[held[i].name], model_users[held[i].user]);
        if (text.size - at < size || memcmp(text.data + at, line, size) != 0)
            differ("line %zu of the usage text is not %s", i, line);
        at += size;
    }
    if (at != text.size)
        differ("the usage text goes on behind its %zu lines", model.held_count);
    pa_buf_deinit(&text);
}

static void compare_find(void)
{
    const char *bears = model_names[chance_below(MODEL_NAMES)];
    unsigned user = chance_below(MODEL_USERS);
    const struct table_entry *found = table_find(world.table, bears, model_users[user]);
    const struct held *expected = model_find(bears, user);
    if (!found != !expected || (found && found->port != expected->port))
        differ("%s of %s is found at %u, not %u", bears, model_users[user],
               found ? (unsigned)found->port : 0, expected ? expected->port : 0);
}

/* ---------------------------------------------------------------- clients -- */

struct client {
    bool here;
    bool closed; /* the manager reads no more of it */
    bool local;
    struct session session;
    struct request request; /* being sent */
    size_t sent;            /* bytes of it */
    bool answered;
};

static struct client clients[CLIENTS];

/* Compares an answer with `FAIL text`, as libtcl would make that list. */
static void compare_fail(const struct pa_buf *reply, const char *text)
{
    char *list = Tcl_Merge(2, (const char *const[]){"FAIL", text});
    size_t size = strlen(list);
    if (reply->size != size + 2 || memcmp(reply->data, list, size) != 0 ||
        memcmp(reply->data + size, "\r\n", 2) != 0)
        differ("the answer is %.*s, not %s", (int)reply->size, reply->data, list);
    Tcl_Free(list);
}

static void compare_gimme(unsigned c, const struct pa_buf *reply)
{
    const struct request *request = &clients[c].request;
    int port = model_allocate(c, request->name, request->user);
    if (port <= 0) {
        compare_fail(reply, port ? PROBE_FAILED : "no free ports");
        return;
    }
    char expected[32];
    size_t size = (size_t)snprintf(expected, sizeof expected, "OK %d\r\n", port);
    if (reply->size != size || memcmp(reply->data, expected, size) != 0)
        differ("%s of %s got %.*s, not %s", model_names[request->name],
               model_users[request->user], (int)reply->size, reply->data, expected);
}

/* A request for a port, good or not. */
static bool is_for_port(const struct request *request)
{
    return request->meaning != REQUEST_LIST && request->meaning != REQUEST_ILLEGAL &&
           request->meaning != REQUEST_TOO_LONG;
}

/* Compares what the manager did with one request; true when it is to end the connection. */
static bool compare_step(unsigned c, const struct pa_buf *reply,
                         const struct session_step *step)
{
    const struct request *request = &clients[c].request;
    char text[REQUEST_TEXT_BYTES + 64];
    if (!step->snapshot != (request->meaning != REQUEST_LIST))
        differ("the wrong kind of answer to %s", request->text);
    if (is_for_port(request) && !clients[c].local) {
        compare_fail(reply, HOST " (" HOST ") : Only local applications get ports");
        return true;
    }
    switch (request->meaning) {
    case REQUEST_LIST:
        if (reply->size > 0)
            differ("the list follows %.*s", (int)reply->size, reply->data);
        compare_list(step->snapshot);
        return false;
    case REQUEST_GIMME:
        compare_gimme(c, reply);
        return false;
    case REQUEST_EMPTY_NAME:
        compare_fail(reply, "the names of application and user must not be empty");
        return false;
    case REQUEST_CONTROL:
        compare_fail(reply, "a name must not contain control characters");
        return false;
    case REQUEST_NO_CHARACTER:
        compare_fail(reply, "a name must not contain halves of surrogate pairs");
        return false;
    case REQUEST_ILLEGAL:
        snprintf(text, sizeof text, "Invalid request %s", request->text);
        compare_fail(reply, text);
        return true;
    case REQUEST_TOO_LONG:
        snprintf(text, sizeof text, "Invalid request: the line is longer than %d bytes",
                 REQUEST_LINE_MAX);
        compare_fail(reply, text);
        return true;
    }
    return true;
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
    int r = session_next(&client->session, &cursor, piece + size, &reply, &step);
    bool due = !client->answered && (client->sent >= client->request.known_at);
    /* A line that is too long is known to be before its end comes. */
    if (client->request.meaning == REQUEST_TOO_LONG)
        due = !client->answered && client->sent > REQUEST_LINE_MAX;
    if (r != (due ? 0 : SESSION_IDLE))
        differ("%zu bytes of %s make %d", client->sent, client->request.text, r);
    if (due) {
        client->answered = true;
        client->closed = compare_step(c, &reply, &step);
        if (step.close != client->closed)
            differ("the connection is%s ended after %s", step.close ? "" : " not",
                   client->request.text);
        session_step_deinit(&step);
        if (!client->closed && session_next(&client->session, &cursor, piece + size, &reply,
                                            &step) != SESSION_IDLE)
            differ("one request makes two");
    }
    pa_buf_deinit(&reply);
    free(piece);
}

static void send_some(unsigned c)
{
    struct client *client = &clients[c];
    if (client->sent == client->request.size) {
        request_write(&client->request, name_variety);
        client->sent = 0;
        client->answered = false;
    }
    size_t left = client->request.size - client->sent;
    send_piece(c, chance_below(3) ? left : 1 + chance_below((unsigned)left));
    if (client->closed)
        leave(c);
}

static void forget(void *context, const struct table_entry *entry)
{
    (void)entry;
    *(size_t *)context += 1;
}

/* What a client leaves unfinished is illegal. */
static void compare_end(struct client *client)
{
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    bool unfinished = !client->answered && client->sent > 0;
    int r = session_end(&client->session, &reply, &step);
    if (r != (unfinished ? 0 : SESSION_IDLE))
        differ("the end of a client makes %d", r);
    if (r == 0) {
        char text[REQUEST_TEXT_BYTES + 64];
        snprintf(text, sizeof text, "Invalid request %.*s", (int)client->sent,
                 client->request.bytes);
        /* A byte sequence that is cut is not UTF-8, and a control character is shown as a
         * blank. */
        if (!strpbrk(text, "\x01\xC2\xC3"))
            compare_fail(&reply, text);
        session_step_deinit(&step);
    }
    pa_buf_deinit(&reply);
}

static void leave(unsigned c)
{
    struct client *client = &clients[c];
    size_t released = 0, expected = model_count_of(c);
    if (!client->closed && chance_below(2))
        compare_end(client);
    while (session_release_one(&client->session, forget, &released))
        continue;
    if (released != expected)
        differ("a client that left had %zu ports, not %zu", released, expected);
    model_leave(c);
    session_deinit(&client->session);
    client->here = false;
}

static void arrive(unsigned c)
{
    struct client *client = &clients[c];
    client->here = true;
    client->closed = false;
    client->local = chance_below(20) != 0;
    client->sent = client->request.size = 0;
    client->answered = true;
    session_init(&client->session, &world, HOST, client->local, REQUEST_LINE_MAX);
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

static void client_acts(unsigned c)
{
    if (!clients[c].here)
        arrive(c);
    else if (chance_below(30) == 0)
        leave(c);
    else
        send_some(c);
    size_t held = clients[c].here ? session_held(&clients[c].session) : 0;
    if (held != model_count_of(c))
        differ("client %u holds %zu ports, not %zu", c, held, model_count_of(c));
}

static void event(void)
{
    unsigned kind = chance_below(100);
    if (kind < 88)
        client_acts(chance_below(CLIENTS));
    else if (kind < 92)
        stranger_comes_or_goes();
    else if (kind < 96)
        time_passes();
    else if (kind < 97)
        model.probe_fails = chance_below(8) == 0;
    else if (kind < 98)
        compare_usage();
    else if (kind < 99)
        compare_listing();
    else
        compare_find();
    if (table_count(world.table) != model.held_count)
        differ("%zu ports are held, not %zu", table_count(world.table), model.held_count);
}

static unsigned one_of(const unsigned choice[4])
{
    return choice[chance_below(4)];
}

static void begin_round(unsigned ports)
{
    static const unsigned sizes[4] = {5, 40, 150, 1000};
    static const unsigned varieties[4] = {1, 4, 4, MODEL_NAMES};
    port_count = ports ? ports : one_of(sizes);
    name_variety = one_of(varieties);
    const struct table_range range = {LOWEST_PORT, (uint16_t)(LOWEST_PORT + port_count - 1)};
    const struct siphash_key key = {{chance_below(UINT_MAX), chance_below(UINT_MAX)}};
    uint64_t quarantine_ms = round_number % 2 ? 0 : QUARANTINE_MS;
    model_begin(range.low, range.high, quarantine_ms);
    world = (struct session_world){.prober = {probe_model, NULL}, .now_ms = model.now_ms};
    if (table_new(&world.table, &range, 1, quarantine_ms, &key) < 0)
        must(NULL);
}

static void end_round(void)
{
    compare_listing();
    compare_usage();
    for (unsigned c = 0; c < CLIENTS; ++c)
        if (clients[c].here)
            leave(c);
    compare_listing();
    world.table = table_free(world.table);
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
        if (!read_option(arguments, "-seed", &seed) &&
            !read_option(arguments, "-rounds", rounds) &&
            !read_option(arguments, "-ports", ports))
            return false;
    return *ports <= MODEL_PORTS;
}

int main(int argc, char **argv)
{
    unsigned long rounds = 100, ports = 0;
    (void)argc;
    seed = 1;
    if (!read_options((const char *const *)argv + 1, &rounds, &ports)) {
        fprintf(stderr, "usage: sim -seed N -rounds N ?-ports N? (at most %d)\n", MODEL_PORTS);
        return 100;
    }
    model_init();
    for (round_number = 0; round_number < rounds; ++round_number) {
        chance_begin(seed, round_number);
        begin_round((unsigned)ports);
        for (int i = 0; i < EVENTS_PER_ROUND; ++i, ++events)
            event();
        end_round();
    }
    model_deinit();
    printf("sim: seed %lu, %lu rounds, %llu events: ok\n", seed, rounds, events);
    return 0;
}
