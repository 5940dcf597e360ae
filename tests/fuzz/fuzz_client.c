/*
 * Fuzz target: the client hears any bytes for a reply, and what it makes of
 * them does not depend on how they were cut into packets.
 *
 * Input: a byte for the requests, one that seeds the packets' sizes, then what
 * the manager sends. Bit 7 of the second says that HELLO goes with the first
 * request. Then the requests are three bits each, else one: GIMME or LIST.
 */

#include "fuzz.h"

#include "pa_client.h"
#include "pa_text.h"

#include <stdbool.h>

static void require_utf8(const char *text, size_t size)
{
    while (size > 0) {
        size_t taken = pa_text_sequence(text, size);
        REQUIRE(taken > 0);
        text += taken;
        size -= taken;
    }
}

/* What came of the conversation so far, as text. */
static void note(struct pa_buf *notes, const char *what, const char *text, size_t size)
{
    REQUIRE(pa_buf_append_string(notes, what) == 0);
    REQUIRE(pa_buf_append(notes, text, size) == 0);
    REQUIRE(pa_buf_append(notes, "\n", 1) == 0);
}

static void note_text(struct pa_buf *notes, const char *what, const char *text)
{
    require_utf8(text, strlen(text));
    note(notes, what, text, strlen(text));
}

static void note_listing(struct pa_buf *notes, const struct pa_listing *listing)
{
    for (size_t i = 0; i < listing->count; ++i) {
        const struct pa_listing_entry *entry = &listing->entries[i];
        char number[32];
        int size = snprintf(number, sizeof number, "%u %u %u", (unsigned)entry->port,
                            (unsigned)entry->name_size, (unsigned)entry->user_size);
        REQUIRE(entry->port > 0);
        require_utf8(entry->name, entry->name_size);
        require_utf8(entry->user, entry->user_size);
        note(notes, "port ", number, (size_t)size);
        note(notes, "name ", entry->name, entry->name_size);
        note(notes, "user ", entry->user, entry->user_size);
        require_utf8(pa_listing_attributes(entry), entry->attributes_size);
        note(notes, "attributes ", pa_listing_attributes(entry), entry->attributes_size);
    }
}

static void note_failure(struct pa_buf *notes, const struct pa_client *client,
                         const struct pa_failure *why)
{
    bool broken = client->state == PA_CLIENT_BROKEN;
    bool refused = strcmp(pa_error_token(why->error), "REFUSED") == 0;
    REQUIRE(refused || (why->error == PA_E_PROTOCOL && broken));
    REQUIRE(client->protocol == PA_PROTOCOL_2 || !refused || why->error == PA_E_REFUSED);
    REQUIRE(!pa_text_has_control(why->text));
    REQUIRE(client->listing.count == 0);
    require_utf8(why->text, strlen(why->text));
    /* How much is shown of a line that is too long is told by the packets. */
    if (!strstr(why->text, "too long"))
        note_text(notes, "why ", why->text);
}

/* What only protocol 2 has. */
static void note_answer(struct pa_buf *notes, const struct pa_client *client)
{
    const struct pa_answer *answer = &client->answer;
    char text[64];
    if (client->verb == PA_VERB_ALLOCATE || client->verb == PA_VERB_LISTEN) {
        const struct pa_granted *granted = &answer->granted;
        REQUIRE(granted->port == client->port && granted->count > 0);
        REQUIRE(granted->port + granted->count - 1 <= UINT16_MAX);
        snprintf(text, sizeof text, "%u %d %d", (unsigned)granted->count, granted->held,
                 granted->joined);
        note_text(notes, "granted ", text);
        note_text(notes, "as ", granted->name);
        note_text(notes, "of ", granted->user);
    }
    if (client->verb == PA_VERB_STATS) {
        snprintf(text, sizeof text, "%ju", (uintmax_t)answer->stats.ports);
        note_text(notes, "ports ", text);
        note_text(notes, "version ", answer->stats.version);
    }
}

static bool is_for_port(enum pa_verb verb)
{
    return verb == PA_VERB_GIMME || verb == PA_VERB_ALLOCATE || verb == PA_VERB_LISTEN ||
           verb == PA_VERB_RELEASE;
}

static void note_result(struct pa_buf *notes, const struct pa_client *client, int r,
                        const struct pa_failure *why)
{
    char number[16];
    snprintf(number, sizeof number, "%d", r);
    note_text(notes, "result ", number);
    if (r == PA_CLIENT_OLD) {
        REQUIRE(client->state == PA_CLIENT_BROKEN && client->protocol == PA_PROTOCOL_1);
        return;
    }
    if (r == PA_CLIENT_FAILED) {
        note_failure(notes, client, why);
        return;
    }
    REQUIRE(r == 0 && client->state == PA_CLIENT_IDLE && !pa_client_in_reply(client));
    if (is_for_port(client->verb)) {
        snprintf(number, sizeof number, "%u", (unsigned)client->port);
        REQUIRE(client->port > 0 && client->listing.count == 0);
        note_text(notes, "got ", number);
    }
    if (client->protocol == PA_PROTOCOL_2)
        note_answer(notes, client);
    note_listing(notes, &client->listing);
}

/* The conversation: a request is begun whenever none is under way and bytes are left. */
struct talk {
    struct pa_client client;
    struct pa_buf notes;
    unsigned requests;
    bool hello; /* goes with the next request */
    bool is_new;
};

/* The next request, by bits that come round again. */
static enum pa_verb next_verb(struct talk *talk)
{
    static const enum pa_verb verbs[] = {PA_VERB_GIMME,   PA_VERB_LIST, PA_VERB_ALLOCATE,
                                         PA_VERB_LISTEN,  PA_VERB_FIND, PA_VERB_STATS,
                                         PA_VERB_RELEASE, PA_VERB_PING};
    unsigned bits = talk->is_new ? 3 : 1;
    unsigned index = talk->requests & ((1u << bits) - 1);
    talk->requests = (talk->requests >> bits | talk->requests << (8 - bits)) & 0xFF;
    return verbs[index];
}

static void begin(struct talk *talk)
{
    enum pa_verb verb = next_verb(talk);
    if (talk->hello)
        pa_client_begin_hello(&talk->client, verb);
    else
        pa_client_begin(&talk->client, verb);
    talk->hello = false;
}

static void take_packet(struct talk *talk, const char *packet, size_t size)
{
    struct pa_client *client = &talk->client;
    const char *cursor = packet, *end = packet + size;
    while (cursor < end && client->state != PA_CLIENT_BROKEN) {
        struct pa_failure why;
        if (client->state == PA_CLIENT_IDLE)
            begin(talk);
        int r = pa_client_feed(client, &cursor, end, &why);
        REQUIRE(r >= 0 && r <= PA_CLIENT_OLD);
        if (r == PA_CLIENT_MORE)
            REQUIRE(cursor == end);
        else
            note_result(&talk->notes, client, r, &why);
    }
}

/*
 * The manager's bytes in packets as the seed says, or in one. A reply's CR LF
 * is not parted, since what follows a parted one depends on when the next
 * request is begun.
 */
static struct pa_buf talk(struct fuzz_input input, unsigned requests, bool is_new,
                          unsigned random)
{
    struct talk t = {.client = PA_CLIENT_INIT,
                     .notes = PA_BUF_NULL,
                     .requests = requests,
                     .hello = is_new,
                     .is_new = is_new};
    while (input.at < input.end) {
        size_t left = fuzz_left(&input), size = left;
        if (random) {
            random = random * 1103515245u + 12345u;
            size = 1 + random / 65536 % 16;
        }
        if (size > left)
            size = left;
        while (size < left && input.at[size - 1] == '\r')
            ++size;
        char *packet = fuzz_copy(input.at, size);
        take_packet(&t, packet, size);
        free(packet);
        input.at += size;
    }
    pa_client_deinit(&t.client);
    return t.notes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    unsigned requests = fuzz_byte(&input), random = fuzz_byte(&input);
    bool is_new = random & 0x80;
    struct pa_buf whole = talk(input, requests, is_new, 0);
    struct pa_buf parted = talk(input, requests, is_new, random + 1);
    REQUIRE(whole.size == parted.size);
    REQUIRE(whole.size == 0 || memcmp(whole.data, parted.data, whole.size) == 0);
    pa_buf_deinit(&whole);
    pa_buf_deinit(&parted);
    return 0;
}
