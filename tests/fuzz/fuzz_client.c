/*
 * Fuzz target: the client hears any bytes for a reply, and what it makes of
 * them does not depend on how they were cut into packets.
 *
 * Input: a byte for the requests (a bit each: GIMME or LIST), one that seeds
 * the packets' sizes, then what the manager sends.
 */

#include "fuzz.h"

#include "pa_client.h"
#include "pa_text.h"

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
    }
}

static void note_result(struct pa_buf *notes, const struct pa_client *client, int r,
                        const struct pa_failure *why)
{
    char number[16];
    int size = snprintf(number, sizeof number, "%d", r);
    note(notes, "result ", number, (size_t)size);
    if (r == PA_CLIENT_FAILED) {
        REQUIRE(why->error == PA_E_REFUSED || why->error == PA_E_PROTOCOL);
        REQUIRE((why->error == PA_E_PROTOCOL) == (client->state == PA_CLIENT_BROKEN));
        REQUIRE(!pa_text_has_control(why->text));
        require_utf8(why->text, strlen(why->text));
        REQUIRE(client->listing.count == 0);
        /* How much is shown of a line that is too long is told by the packets. */
        if (!strstr(why->text, "too long"))
            note(notes, "why ", why->text, strlen(why->text));
        return;
    }
    REQUIRE(r == 0 && client->state == PA_CLIENT_IDLE && !pa_client_in_reply(client));
    if (client->verb == PA_VERB_GIMME) {
        size = snprintf(number, sizeof number, "%u", (unsigned)client->port);
        REQUIRE(client->port > 0 && client->listing.count == 0);
        note(notes, "got ", number, (size_t)size);
    }
    note_listing(notes, &client->listing);
}

/* The conversation: a request is begun whenever none is under way and bytes are left. */
struct talk {
    struct pa_client client;
    struct pa_buf notes;
    unsigned requests;
};

static void take_packet(struct talk *talk, const char *packet, size_t size)
{
    struct pa_client *client = &talk->client;
    const char *cursor = packet, *end = packet + size;
    while (cursor < end && client->state != PA_CLIENT_BROKEN) {
        struct pa_failure why;
        if (client->state == PA_CLIENT_IDLE) {
            pa_client_begin(client, talk->requests & 1 ? PA_VERB_LIST : PA_VERB_GIMME);
            talk->requests = talk->requests >> 1 | (talk->requests & 1) << 7;
        }
        int r = pa_client_feed(client, &cursor, end, &why);
        REQUIRE(r == 0 || r == PA_CLIENT_MORE || r == PA_CLIENT_FAILED);
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
static struct pa_buf talk(struct fuzz_input input, unsigned requests, unsigned random)
{
    struct talk t = {.client = PA_CLIENT_INIT, .notes = PA_BUF_NULL, .requests = requests};
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
    struct pa_buf whole = talk(input, requests, 0);
    struct pa_buf parted = talk(input, requests, random + 1);
    REQUIRE(whole.size == parted.size);
    REQUIRE(whole.size == 0 || memcmp(whole.data, parted.data, whole.size) == 0);
    pa_buf_deinit(&whole);
    pa_buf_deinit(&parted);
    return 0;
}
