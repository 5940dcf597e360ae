/*
 * Fuzz target: several sessions on one table, driven by the input.
 *
 * Input: a byte for the table and the manager's rules, then events, each a
 * letter and what follows it:
 *   A..D bytes \xFF   the client sends these bytes in one packet; B is on
 *                     AF_UNIX, C is root, D is remote
 *   a..d              the client leaves
 *   o N               the kernel tells who client N is; from 128 on: nobody
 *   r N               the request of client N that waits is tried again
 *   t N               N tenths of a second pass
 *   p N S             port N is in state S
 *   w                 those who watch are told
 *   e, h, l, u        these begin or cease: the probe fails, no port is held,
 *                     sockets cannot listen, answers are unread
 * Any other byte is passed over.
 */

#include "fuzz.h"

#include "pa_listing.h"
#include "pa_text.h"
#include "pa_wire2.h"
#include "session.h"

#include <errno.h>

#include <stdbool.h>

enum { CLIENTS = 4, LOWEST = 30001, MAX_PORTS = 8, LINE_MAX_BYTES = 200 };

#define HOST "192.0.2.7"

struct client {
    bool here;
    bool closed;
    struct session session;
    struct pa_buf unheard; /* bytes behind a request that waits */
    uint64_t number;       /* of the latest event */
};

static const struct {
    uint32_t uid;
    const char *user;
} users[CLIENTS] = {{7, "fox"}, {8, "ant"}, {0, "root"}, {9, "far"}};

static struct session_world world;
static struct quota quota;
static struct watchers watchers;
static struct client clients[CLIENTS];
static uint8_t port_state[MAX_PORTS];
static bool held[MAX_PORTS];
static bool probe_fails, listen_fails, unread;
static size_t released_count, held_count, open_count;

static void count_released(void *context, const struct table_entry *entry)
{
    (void)context;
    REQUIRE(table_at(world.table, entry->port) == entry);
    released_count += 1;
}

static int probe(void *context, uint16_t port)
{
    (void)context;
    REQUIRE(port >= LOWEST && port < LOWEST + table_capacity(world.table));
    return probe_fails ? -EMFILE : port_state[port - LOWEST];
}

static int hold(void *context, uint16_t port)
{
    int state = probe(context, port);
    if (state < 0 || state == TABLE_PORT_IN_USE)
        return state;
    REQUIRE(!held[port - LOWEST]);
    held[port - LOWEST] = true;
    held_count += 1;
    return state;
}

static void drop(void *context, uint16_t port)
{
    (void)context;
    REQUIRE(held[port - LOWEST]);
    held[port - LOWEST] = false;
    held_count -= 1;
}

static int listen_beside(void *context, const char *address, uint16_t port, int backlog)
{
    (void)context;
    REQUIRE(held[port - LOWEST] && backlog > 0 && (!address || *address));
    open_count += !listen_fails;
    return listen_fails ? -EADDRNOTAVAIL : 77;
}

static void close_descriptor(void *context, int fd)
{
    (void)context;
    REQUIRE(fd == 77);
    open_count -= 1;
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

/* The lines of a snapshot, or of the answer to WATCH. */
static void require_lines(const struct snapshot *snapshot, size_t number)
{
    const char *at = snapshot->text, *end = at + snapshot->size, *line;
    struct pa_listing listing = PA_LISTING_NULL;
    bool seen[MAX_PORTS] = {false};
    REQUIRE(number <= table_count(world.table));
    for (size_t i = 0; i < number; ++i) {
        size_t size = next_line(&at, end, &line);
        REQUIRE(pa_wire2_parse_found(&listing, line, size) == 0);
    }
    REQUIRE(at == end);
    pa_listing_seal(&listing);
    for (size_t i = 0; i < number; ++i)
        require_listed(&listing.entries[i], seen);
    pa_listing_deinit(&listing);
}

static struct client *client_of(struct watcher *watcher)
{
    return (struct client *)((char *)watcher - offsetof(struct client, session.watcher));
}

static size_t count_unsent(void *context, struct watcher *watcher)
{
    (void)context;
    REQUIRE(client_of(watcher)->here);
    return unread ? WATCHERS_UNSENT_MAX_BYTES + 1 : 0;
}

/* An event as the client reads it: its number, and the rest. */
static void require_event(struct client *client, const char *line, size_t size,
                          const struct snapshot *snapshot)
{
    struct pa_words words;
    char number[PA_TEXT_DECIMAL_BYTES];
    pa_text_decimal(number, ++client->number);
    REQUIRE(pa_words_split_line(&words, line, size) == 0);
    REQUIRE(words.count >= 4 && strcmp(words.words[0], "EVENT") == 0);
    REQUIRE(strcmp(words.words[1], number) == 0);
    REQUIRE((strcmp(words.words[2], "snapshot") == 0) == (snapshot != NULL));
    REQUIRE(words.count == (snapshot ? 4 : 7));
    if (snapshot)
        require_lines(snapshot, (size_t)atoi(words.words[3]));
    pa_words_deinit(&words);
}

static void take_events(void *context, struct watcher *watcher, struct pa_buf *text,
                        struct snapshot *snapshot)
{
    (void)context;
    const char *at = text->data, *end = text->data + text->size, *line;
    REQUIRE(!unread && text->size > 0);
    while (at < end) {
        size_t size = next_line(&at, end, &line);
        require_event(client_of(watcher), line, size, snapshot);
    }
}

/* A listing of LIST, or of FIND: of that no more than there are. */
static void require_list(const struct snapshot *snapshot, bool found)
{
    const char *at = snapshot->text, *end = at + snapshot->size, *line;
    struct pa_listing listing = PA_LISTING_NULL;
    bool seen[MAX_PORTS] = {false};
    size_t number, size = next_line(&at, end, &line);
    REQUIRE(pa_wire_parse_reply(line, size, &number) == 0);
    REQUIRE(found ? number <= table_count(world.table) : number == table_count(world.table));
    for (size_t i = 0; i < number; ++i) {
        size = next_line(&at, end, &line);
        REQUIRE((found ? pa_wire2_parse_found : pa_wire_parse_port)(&listing, line, size) == 0);
    }
    REQUIRE(at == end);
    pa_listing_seal(&listing);
    for (size_t i = 0; i < number; ++i)
        require_listed(&listing.entries[i], seen);
    pa_listing_deinit(&listing);
}

static void require_entry(const struct client *client, const struct table_entry *entry)
{
    REQUIRE(client != &clients[CLIENTS - 1]); /* a remote one gets nothing */
    REQUIRE(entry->owner == &client->session.owner);
    REQUIRE(is_harmless(entry->name, strlen(entry->name)) && *entry->name);
    REQUIRE(is_harmless(entry->user, strlen(entry->user)) && *entry->user);
    REQUIRE(is_harmless(entry->attributes, strlen(entry->attributes)));
    REQUIRE(table_find(world.table, entry->name, entry->user) == entry);
    REQUIRE(port_state[entry->port - LOWEST] != TABLE_PORT_IN_USE);
    REQUIRE(entry->held == held[entry->port - LOWEST]);
}

static void require_allocation(const struct client *client, const struct session_step *step)
{
    REQUIRE(step->count >= 1 && step->count <= MAX_PORTS);
    for (uint32_t i = 0; i < step->count; ++i) {
        const struct table_entry *entry =
            table_at(world.table, (uint16_t)(step->entry->port + i));
        REQUIRE(entry && entry->uid == step->entry->uid);
        require_entry(client, entry);
    }
}

/* What is told of the ports that the client has now, or has joined. */
static void require_granted(const struct pa_answer *answer, const struct session_step *step)
{
    const struct pa_granted *granted = &answer->granted;
    const struct table_entry *entry = table_at(world.table, granted->port);
    REQUIRE(entry && strcmp(entry->name, granted->name) == 0);
    REQUIRE(strcmp(entry->user, granted->user) == 0);
    REQUIRE(entry->held == granted->held);
    REQUIRE(granted->joined == (step->event == SESSION_TOLD));
    REQUIRE(granted->joined || (granted->count == step->count && entry == step->entry));
}

/* An answer of protocol 2, as the client reads it. */
static void require_answer(const char *line, size_t size, const struct session_step *step)
{
    struct pa_answer answer;
    enum pa_verb verb = step->request.verb;
    int r = pa_answer_parse(&answer, verb, line, size);
    if (step->event == SESSION_REFUSED || step->event == SESSION_ILLEGAL) {
        REQUIRE(r == PA_E_REFUSED);
        REQUIRE(*answer.code && strcmp(answer.code, pa_error_code(step->failure.error)) == 0);
    } else {
        REQUIRE(r == 0);
        if (verb == PA_VERB_ALLOCATE || verb == PA_VERB_LISTEN)
            require_granted(&answer, step);
        REQUIRE((verb == PA_VERB_LISTEN) == (step->fd >= 0));
    }
    pa_answer_deinit(&answer);
}

static void require_reply(const struct pa_buf *reply, const struct session_step *step,
                          bool protocol2)
{
    const char *at = reply->data, *line;
    size_t number, size = next_line(&at, reply->data + reply->size, &line);
    REQUIRE(at == reply->data + reply->size);
    if (protocol2) {
        require_answer(line, size, step);
        return;
    }
    int r = pa_wire_parse_reply(line, size, &number);
    if (step->event == SESSION_ALLOCATED)
        REQUIRE(r == 0 && number == step->entry->port);
    else
        REQUIRE(r == PA_E_REFUSED && step->failure.error != PA_OK);
}

/* The answer to WATCH. */
static void require_watching(struct client *client, const struct pa_buf *reply,
                             const struct session_step *step)
{
    const char *at = reply->data, *line;
    size_t number, size = next_line(&at, reply->data + reply->size, &line);
    REQUIRE(step->event == SESSION_TOLD && at == reply->data + reply->size);
    REQUIRE(pa_wire_parse_reply(line, size, &number) == 0);
    require_lines(step->snapshot, number);
    REQUIRE(session_watches(&client->session));
    client->number = 0;
}

static void require_step(struct client *client, const struct pa_buf *reply,
                         const struct session_step *step)
{
    bool protocol2 = client->session.protocol2;
    if (step->request.verb == PA_VERB_WATCH && step->snapshot) {
        require_watching(client, reply, step);
        return;
    }
    if (step->snapshot) {
        REQUIRE(step->event == SESSION_TOLD && reply->size == 0);
        require_list(step->snapshot, step->request.verb == PA_VERB_FIND);
        return;
    }
    REQUIRE(protocol2 || step->event != SESSION_TOLD);
    REQUIRE(!step->close || step->event == SESSION_ILLEGAL || step->event == SESSION_REFUSED);
    require_reply(reply, step, protocol2);
    if (step->event == SESSION_ALLOCATED)
        require_allocation(client, step);
}

/* ---------------------------------------------------------------- clients -- */

static void require_counts(void)
{
    size_t count = 0, in_kernel = 0;
    for (size_t i = 0; i < CLIENTS; ++i)
        count += clients[i].here ? session_held(&clients[i].session) : 0;
    for (size_t i = 0; i < MAX_PORTS; ++i)
        in_kernel += held[i];
    REQUIRE(count == table_count(world.table));
    REQUIRE(count <= table_capacity(world.table));
    REQUIRE(in_kernel == table_held(world.table) && held_count == in_kernel);
    REQUIRE(open_count == 0);
}

/* A request that waits says for what, and is answered nothing. */
static void require_waiting(const struct client *client, const struct pa_buf *reply)
{
    const struct session *session = &client->session;
    REQUIRE(session->suspended && reply->size == 0);
    REQUIRE(session->wants != SESSION_WANTS_NOTHING);
    REQUIRE(session->wants != SESSION_WANTS_PORT || session->until_ms > world.now_ms);
    REQUIRE(session->wants != SESSION_WANTS_DRAIN || !session->clear);
}

static void finish_step(struct client *client, const struct pa_buf *reply,
                        struct session_step *step)
{
    require_step(client, reply, step);
    REQUIRE(!client->session.suspended && !client->session.in_line);
    if (step->fd >= 0)
        close_descriptor(NULL, step->fd);
    client->closed = step->close;
    session_step_deinit(step);
}

static void leave(struct client *client)
{
    if (!client->here)
        return;
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    if (!client->closed && session_end(&client->session, &reply, &step) == 0) {
        REQUIRE(step.event == SESSION_ILLEGAL && step.close);
        finish_step(client, &reply, &step);
    }
    pa_buf_deinit(&reply);
    session_abandon(&client->session);
    size_t count = session_held(&client->session);
    released_count = 0;
    while (session_release_one(&client->session))
        continue;
    REQUIRE(released_count == count);
    session_deinit(&client->session);
    pa_buf_deinit(&client->unheard);
    client->here = false;
}

/* Hears what is sent, from a copy of its own size, until a request waits. */
static void hear(struct client *client)
{
    size_t size = client->unheard.size;
    char *packet = fuzz_copy(client->unheard.data, size);
    const char *cursor = packet;
    int r = 0;
    while (r == 0 && !client->closed) {
        struct pa_buf reply = PA_BUF_NULL;
        struct session_step step;
        client->session.clear = !unread;
        r = client->session.suspended
                ? session_resume(&client->session, &reply, &step)
                : session_next(&client->session, &cursor, packet + size, &reply, &step);
        REQUIRE(r == 0 || r == SESSION_SUSPENDED ||
                (r == SESSION_IDLE && cursor == packet + size && reply.size == 0));
        if (r == 0)
            finish_step(client, &reply, &step);
        else if (r == SESSION_SUSPENDED)
            require_waiting(client, &reply);
        pa_buf_deinit(&reply);
    }
    client->unheard.size = 0;
    REQUIRE(pa_buf_append(&client->unheard, cursor, (size_t)(packet + size - cursor)) == 0);
    free(packet);
    if (client->closed)
        leave(client);
}

static void arrive(struct client *client)
{
    *client = (struct client){.here = true};
    session_init(&client->session, &world, HOST, client != &clients[CLIENTS - 1],
                 LINE_MAX_BYTES);
    client->session.unix_domain = client == &clients[1];
}

static void send_packet(struct client *client, struct fuzz_input *input)
{
    size_t left = fuzz_left(input);
    const char *stop = left ? memchr(input->at, '\xFF', left) : NULL;
    size_t size = stop ? (size_t)(stop - input->at) : left;
    if (!client->here)
        arrive(client);
    REQUIRE(pa_buf_append(&client->unheard, input->at, size) == 0);
    input->at += stop ? size + 1 : size;
    if (!client->session.suspended)
        hear(client);
}

/* The kernel tells, once, who the client is. */
static void prove(unsigned choice)
{
    struct client *client = &clients[choice % CLIENTS];
    if (!client->here || client->session.proof != SESSION_PROOF_NOT_ASKED)
        return;
    REQUIRE(session_prove(&client->session, users[choice % CLIENTS].uid,
                          choice < 128 ? users[choice % CLIENTS].user : NULL) == 0);
    if (client->session.wants == SESSION_WANTS_OWNER)
        hear(client);
}

static void resume(struct client *client)
{
    if (client->here && client->session.suspended)
        hear(client);
}

static void set_unread(bool now)
{
    unread = now;
    for (size_t i = 0; i < CLIENTS && !unread; ++i)
        if (clients[i].here)
            watchers_drained(&watchers, &clients[i].session.watcher);
}

static void set_port(struct fuzz_input *input)
{
    unsigned index = fuzz_byte(input) % MAX_PORTS;
    port_state[index] = (uint8_t)(fuzz_byte(input) % 3);
}

/* Tells those who watch; each of them knows all then, unless it is slow. */
static void tell_watchers(void)
{
    int r;
    while ((r = watchers_flush(&watchers)) == WATCHERS_MORE)
        continue;
    REQUIRE(r == 0);
    for (size_t i = 0; i < CLIENTS; ++i)
        REQUIRE(!clients[i].here || unread || !session_watches(&clients[i].session) ||
                (!clients[i].session.watcher.stale &&
                 clients[i].session.watcher.number == clients[i].number));
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
    else if (letter == 'o')
        prove(fuzz_byte(input));
    else if (letter == 'r')
        resume(&clients[fuzz_byte(input) % CLIENTS]);
    else if (letter == 'e')
        probe_fails = !probe_fails;
    else if (letter == 'h')
        world.rules.holds_none = !world.rules.holds_none;
    else if (letter == 'l')
        listen_fails = !listen_fails;
    else if (letter == 'u')
        set_unread(!unread);
    else if (letter == 'w')
        tell_watchers();
    require_counts();
}

static void begin(unsigned choice)
{
    const struct siphash_key key = {{choice, 1}};
    const struct table_range range = {LOWEST, (uint16_t)(LOWEST + choice % MAX_PORTS)};
    const struct quota_limits limits = {
        .most = {[QUOTA_PORTS] = choice & 64 ? 3 : 0, [QUOTA_WAITING] = choice & 64 ? 1 : 0}};
    memset(port_state, TABLE_PORT_FREE, sizeof port_state);
    memset(clients, 0, sizeof clients);
    probe_fails = listen_fails = unread = false;
    quota_init(&quota, &limits);
    world = (struct session_world){
        .prober = {.probe = probe},
        .holder = {.probe = hold, .drop = drop},
        .quota = &quota,
        .watchers = &watchers,
        .rules = {.trusts = !(choice & 16), .verifies = choice & 32, .holds_all = choice & 128},
        .listen = listen_beside,
        .close = close_descriptor,
        .released = count_released,
    };
    REQUIRE(table_new(&world.table, &range, 1, choice & 8 ? 5000 : 0, &key) == 0);
    watchers_init(&watchers, world.table,
                  &(struct watchers_io){.unsent = count_unsent, .send = take_events});
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
    require_list(snapshot, false);
    require_usage();
    for (size_t i = 0; i < CLIENTS; ++i)
        leave(&clients[i]);
    require_counts();
    REQUIRE(table_count(world.table) == 0);
    watchers_deinit(&watchers);
    quota_deinit(&quota);
    REQUIRE(quota.accounts_count == 0);
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
