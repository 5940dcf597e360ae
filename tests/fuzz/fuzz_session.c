/*
 * Fuzz target: several sessions on one table, driven by the input.
 *
 * Input: a byte for the table, then events, each a letter and what follows it:
 *   A..D bytes \xFF   the client sends these bytes in one packet; D is remote
 *   a..d              the client leaves
 *   t N               N tenths of a second pass
 *   p N S             port N is in state S
 *   e                 the probe begins or ceases to fail
 * Any other byte is passed over.
 */

#include "fuzz.h"

#include "pa_listing.h"
#include "pa_text.h"
#include "session.h"

#include <stdbool.h>

enum { CLIENTS = 4, LOWEST = 30001, MAX_PORTS = 8, LINE_MAX_BYTES = 200 };

#define HOST "192.0.2.7"

struct client {
    bool here;
    bool closed;
    struct session session;
};

static struct session_world world;
static struct client clients[CLIENTS];
static uint8_t port_state[MAX_PORTS];
static bool probe_fails;

static int probe(void *context, uint16_t port)
{
    (void)context;
    REQUIRE(port >= LOWEST && port < LOWEST + table_capacity(world.table));
    return probe_fails ? -24 : port_state[port - LOWEST]; /* EMFILE */
}

/* ---------------------------------------------------------------- answers -- */

static bool is_utf8(const char *text, size_t size)
{
    while (size > 0) {
        size_t taken = pa_text_sequence(text, size);
        if (taken == 0)
            return false;
        text += taken;
        size -= taken;
    }
    return true;
}

/* Whether it is what a client may show: UTF-8 without control characters. */
static bool is_harmless(const char *line, size_t size)
{
    char *text = malloc(size + 1);
    REQUIRE(text);
    if (size > 0)
        memcpy(text, line, size);
    text[size] = '\0';
    bool harmless = strlen(text) == size && is_utf8(text, size) && !pa_text_has_control(text);
    free(text);
    return harmless;
}

/* The next line of an answer, without its CR LF. */
static size_t next_line(const char **at, const char *end, const char **line)
{
    const char *lf = memchr(*at, '\n', (size_t)(end - *at));
    REQUIRE(lf && lf > *at && lf[-1] == '\r');
    *line = *at;
    *at = lf + 1;
    size_t size = (size_t)(lf - 1 - *line);
    REQUIRE(is_harmless(*line, size));
    return size;
}

static void require_listed(const struct pa_listing_entry *entry, bool *seen)
{
    REQUIRE(entry->port >= LOWEST && entry->port < LOWEST + table_capacity(world.table));
    REQUIRE(!seen[entry->port - LOWEST]);
    seen[entry->port - LOWEST] = true;
    char *name = malloc(entry->name_size + 1);
    char *user = malloc(entry->user_size + 1);
    REQUIRE(name && user);
    memcpy(name, entry->name, entry->name_size);
    memcpy(user, entry->user, entry->user_size);
    name[entry->name_size] = user[entry->user_size] = '\0';
    const struct table_entry *found = table_find(world.table, name, user);
    REQUIRE(found && found->port == entry->port);
    free(name);
    free(user);
}

static void require_list(const struct snapshot *snapshot)
{
    const char *at = snapshot->text, *end = at + snapshot->size, *line;
    struct pa_listing listing = PA_LISTING_NULL;
    bool seen[MAX_PORTS] = {false};
    size_t number, size = next_line(&at, end, &line);
    REQUIRE(pa_wire_parse_reply(line, size, &number) == 0);
    REQUIRE(number == table_count(world.table));
    for (size_t i = 0; i < number; ++i) {
        size = next_line(&at, end, &line);
        REQUIRE(pa_wire_parse_port(&listing, line, size) == 0);
    }
    REQUIRE(at == end);
    pa_listing_seal(&listing);
    for (size_t i = 0; i < number; ++i)
        require_listed(&listing.entries[i], seen);
    pa_listing_deinit(&listing);
}

static void require_reply(const struct pa_buf *reply, const struct session_step *step)
{
    const char *at = reply->data, *line;
    size_t number, size = next_line(&at, reply->data + reply->size, &line);
    REQUIRE(at == reply->data + reply->size);
    int r = pa_wire_parse_reply(line, size, &number);
    if (step->event == SESSION_ALLOCATED)
        REQUIRE(r == 0 && number == step->entry->port);
    else
        REQUIRE(r == PA_E_REFUSED && step->error != PA_OK);
}

static void require_step(const struct client *client, const struct pa_buf *reply,
                         const struct session_step *step)
{
    REQUIRE((step->event == SESSION_LISTED) == (step->snapshot != NULL));
    if (step->snapshot) {
        REQUIRE(reply->size == 0);
        require_list(step->snapshot);
        return;
    }
    require_reply(reply, step);
    if (step->event != SESSION_ALLOCATED)
        return;
    const struct table_entry *entry = step->entry;
    REQUIRE(client != &clients[CLIENTS - 1]); /* a remote one gets nothing */
    REQUIRE(is_harmless(entry->name, strlen(entry->name)) && *entry->name);
    REQUIRE(is_harmless(entry->user, strlen(entry->user)) && *entry->user);
    REQUIRE(table_find(world.table, entry->name, entry->user) == entry);
    REQUIRE(port_state[entry->port - LOWEST] != TABLE_PORT_IN_USE);
}

/* ---------------------------------------------------------------- clients -- */

static void require_counts(void)
{
    size_t held = 0;
    for (size_t i = 0; i < CLIENTS; ++i)
        held += clients[i].here ? session_held(&clients[i].session) : 0;
    REQUIRE(held == table_count(world.table));
    REQUIRE(held <= table_capacity(world.table));
}

static void count_released(void *context, const struct table_entry *entry)
{
    REQUIRE(entry->port >= LOWEST);
    *(size_t *)context += 1;
}

static void leave(struct client *client)
{
    if (!client->here)
        return;
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    size_t released = 0, held = session_held(&client->session);
    if (!client->closed && session_end(&client->session, &reply, &step) == 0) {
        REQUIRE(step.event == SESSION_ILLEGAL && step.close);
        require_step(client, &reply, &step);
        session_step_deinit(&step);
    }
    pa_buf_deinit(&reply);
    while (session_release_one(&client->session, count_released, &released))
        continue;
    REQUIRE(released == held);
    session_deinit(&client->session);
    client->here = false;
}

static void hear(struct client *client, const char *packet, size_t size)
{
    const char *cursor = packet;
    int r = 0;
    while (r == 0 && !client->closed) {
        struct pa_buf reply = PA_BUF_NULL;
        struct session_step step;
        r = session_next(&client->session, &cursor, packet + size, &reply, &step);
        REQUIRE(r == 0 || (r == SESSION_IDLE && cursor == packet + size && reply.size == 0));
        if (r == 0) {
            require_step(client, &reply, &step);
            client->closed = step.close;
            session_step_deinit(&step);
        }
        pa_buf_deinit(&reply);
    }
    if (client->closed)
        leave(client);
}

static void send_packet(struct client *client, struct fuzz_input *input)
{
    size_t left = fuzz_left(input);
    const char *stop = left ? memchr(input->at, '\xFF', left) : NULL;
    size_t size = stop ? (size_t)(stop - input->at) : left;
    char *packet = fuzz_copy(input->at, size);
    input->at += stop ? size + 1 : size;
    if (!client->here) {
        session_init(&client->session, &world, HOST, client != &clients[CLIENTS - 1],
                     LINE_MAX_BYTES);
        client->here = true;
        client->closed = false;
    }
    hear(client, packet, size);
    free(packet);
}

static void set_port(struct fuzz_input *input)
{
    unsigned index = fuzz_byte(input) % MAX_PORTS;
    port_state[index] = (uint8_t)(fuzz_byte(input) % 3);
}

static void take_event(struct fuzz_input *input)
{
    unsigned letter = fuzz_byte(input);
    if (letter >= 'A' && letter < 'A' + CLIENTS)
        send_packet(&clients[letter - 'A'], input);
    else if (letter >= 'a' && letter < 'a' + CLIENTS)
        leave(&clients[letter - 'a']);
    else if (letter == 't')
        world.now_ms += 100 * fuzz_byte(input);
    else if (letter == 'p')
        set_port(input);
    else if (letter == 'e')
        probe_fails = !probe_fails;
    require_counts();
}

static void begin(unsigned choice)
{
    const struct siphash_key key = {{choice, 1}};
    const struct table_range range = {LOWEST, (uint16_t)(LOWEST + choice % MAX_PORTS)};
    memset(port_state, TABLE_PORT_FREE, sizeof port_state);
    memset(clients, 0, sizeof clients);
    probe_fails = false;
    world = (struct session_world){.prober = {probe, NULL}};
    REQUIRE(table_new(&world.table, &range, 1, choice & 8 ? 5000 : 0, &key) == 0);
}

static void require_usage(void)
{
    struct pa_buf text = PA_BUF_NULL;
    size_t lines = 0;
    REQUIRE(table_append_usage(world.table, &text) == 0);
    for (size_t i = 0; i < text.size; ++i)
        lines += text.data[i] == '\n';
    REQUIRE(lines == table_count(world.table));
    pa_buf_deinit(&text);
}

static void end(void)
{
    struct snapshot *snapshot;
    REQUIRE(table_snapshot(world.table, &snapshot) == 0);
    require_list(snapshot);
    require_usage();
    for (size_t i = 0; i < CLIENTS; ++i)
        leave(&clients[i]);
    REQUIRE(table_count(world.table) == 0);
    table_free(world.table);
    REQUIRE(snapshot->references == 1); /* it outlives the table */
    snapshot_unref(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    begin(fuzz_byte(&input));
    while (fuzz_left(&input) > 0)
        take_event(&input);
    end();
    return 0;
}
