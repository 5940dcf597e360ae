/*
 * Fuzz target: an answer of protocol 2 is read within its bounds, and a good one
 * reads back as itself once it was written again.
 *
 * Input: a byte for the verb, then one line, which is read as a line of the answer
 * to FIND too.
 */

#include "fuzz.h"

#include "pa_text.h"
#include "pa_wire2.h"

#include <stdbool.h>

static void write_granted(const struct pa_granted *granted)
{
    struct pa_buf line = PA_BUF_NULL;
    struct pa_answer again;
    REQUIRE(granted->port > 0 && granted->count >= 1);
    REQUIRE(granted->port + granted->count - 1 <= UINT16_MAX);
    REQUIRE(pa_text_is_utf8(granted->name) && pa_text_is_utf8(granted->user));
    REQUIRE(pa_wire2_append_granted(&line, granted) == 0);
    REQUIRE(pa_answer_parse(&again, PA_VERB_LISTEN, line.data, line.size - 2) == 0);
    REQUIRE(again.granted.port == granted->port && again.granted.count == granted->count);
    REQUIRE(again.granted.held == granted->held && again.granted.joined == granted->joined);
    REQUIRE(strcmp(again.granted.name, granted->name) == 0);
    REQUIRE(strcmp(again.granted.user, granted->user) == 0);
    pa_answer_deinit(&again);
    pa_buf_deinit(&line);
}

static void write_stats(const struct pa_stats *stats)
{
    struct pa_buf line = PA_BUF_NULL;
    struct pa_answer again;
    REQUIRE(pa_wire2_append_stats(&line, stats) == 0);
    REQUIRE(pa_answer_parse(&again, PA_VERB_STATS, line.data, line.size - 2) == 0);
    REQUIRE(memcmp(&again.stats, stats, offsetof(struct pa_stats, managed)) == 0);
    REQUIRE(strcmp(again.stats.managed, stats->managed) == 0);
    REQUIRE(strcmp(again.stats.version, stats->version) == 0);
    pa_answer_deinit(&again);
    pa_buf_deinit(&line);
}

static void try_answer(enum pa_verb verb, const char *text, size_t size)
{
    struct pa_answer answer;
    int r = pa_answer_parse(&answer, verb, text, size);
    REQUIRE(r == 0 || r == PA_E_REFUSED || r == PA_E_PROTOCOL);
    REQUIRE(pa_text_is_utf8(answer.code) && pa_text_is_utf8(answer.text));
    REQUIRE(r == PA_E_REFUSED || (!*answer.code && !*answer.text));
    if (r == 0 && (verb == PA_VERB_ALLOCATE || verb == PA_VERB_LISTEN))
        write_granted(&answer.granted);
    if (r == 0 && verb == PA_VERB_STATS)
        write_stats(&answer.stats);
    if (r == 0 && verb == PA_VERB_HELLO)
        REQUIRE(answer.list.count == 0 || pa_answer_can(&answer, answer.list.words[0]));
    REQUIRE(answer.number <= PA_WIRE_MAX_NUMBER);
    pa_answer_deinit(&answer);
}

static char *copy_string(const char *bytes, size_t size)
{
    char *string = malloc(size + 1);
    REQUIRE(string);
    memcpy(string, bytes, size);
    string[size] = '\0';
    REQUIRE(pa_text_is_utf8(string) && strlen(string) == size);
    return string;
}

static void write_found(const struct pa_listing_entry *entry)
{
    char *name = copy_string(entry->name, entry->name_size);
    char *user = copy_string(entry->user, entry->user_size);
    char *attributes = copy_string(pa_listing_attributes(entry), entry->attributes_size);
    struct pa_buf line = PA_BUF_NULL;
    struct pa_listing again = PA_LISTING_NULL;
    REQUIRE(pa_wire2_append_found(&line, entry->port, name, user, attributes) == 0);
    REQUIRE(pa_wire2_parse_found(&again, line.data, line.size - 2) == 0);
    pa_listing_seal(&again);
    REQUIRE(again.count == 1 && again.entries[0].port == entry->port);
    REQUIRE(pa_listing_find(&again, name, user) == &again.entries[0]);
    REQUIRE(again.entries[0].attributes_size == entry->attributes_size);
    REQUIRE(memcmp(pa_listing_attributes(&again.entries[0]), attributes,
                   entry->attributes_size) == 0);
    pa_listing_deinit(&again);
    pa_buf_deinit(&line);
    free(name);
    free(user);
    free(attributes);
}

static void try_found(const char *text, size_t size)
{
    struct pa_listing listing = PA_LISTING_NULL;
    REQUIRE(pa_wire2_parse_found(&listing, "1 a b {c d}", 11) == 0);
    int r = pa_wire2_parse_found(&listing, text, size);
    REQUIRE(r == 0 || r == PA_E_PROTOCOL);
    REQUIRE(listing.count == (r == 0 ? 2 : 1));
    pa_listing_seal(&listing);
    REQUIRE(memcmp(pa_listing_attributes(&listing.entries[0]), "c d", 3) == 0);
    if (r == 0)
        write_found(&listing.entries[1]);
    pa_listing_deinit(&listing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    enum pa_verb verb = (enum pa_verb)(fuzz_byte(&input) % PA_VERB_COUNT);
    size_t left = fuzz_left(&input);
    char *text = fuzz_copy(input.at, left);
    try_answer(verb, text, left);
    try_found(text, left);
    free(text);
    return 0;
}
