/*
 * Fuzz target: a watch hears any bytes behind WATCH, and its events do not
 * depend on how those were cut into packets. What the last two snapshots list is
 * compared, and the differences turn one into the other.
 *
 * Input: a byte that seeds the packets' sizes, then what the manager sends. Bit
 * 7 of it says that HELLO and WATCH have been answered well already.
 */

#include "fuzz.h"

#include "pa_text.h"
#include "pa_watch.h"

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

static void note(struct pa_buf *notes, const char *text, size_t size)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    require_utf8(text, size);
    REQUIRE(pa_buf_append(notes, digits, pa_text_decimal(digits, size)) == 0);
    REQUIRE(pa_buf_append(notes, ":", 1) == 0);
    REQUIRE(pa_buf_append(notes, text, size) == 0);
}

static void note_entry(struct pa_buf *notes, const struct pa_listing_entry *entry)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    REQUIRE(entry->port > 0);
    note(notes, digits, pa_text_decimal(digits, entry->port));
    note(notes, entry->name, entry->name_size);
    note(notes, entry->user, entry->user_size);
    note(notes, pa_listing_attributes(entry), entry->attributes_size);
}

static void note_listing(struct pa_buf *notes, const struct pa_listing *listing)
{
    for (size_t i = 0; i < listing->count; ++i)
        note_entry(notes, &listing->entries[i]);
}

static void note_failure(struct pa_buf *notes, const struct pa_failure *why)
{
    bool refused = strcmp(pa_error_token(why->error), "REFUSED") == 0;
    REQUIRE(refused || why->error == PA_E_PROTOCOL);
    REQUIRE(!pa_text_has_control(why->text));
    /* How much is shown of a line that is too long is told by the packets. */
    if (!strstr(why->text, "too long"))
        note(notes, why->text, strlen(why->text));
}

struct talk {
    struct pa_watch watch;
    struct pa_buf notes;
    struct pa_listing snapshots[2]; /* the last two */
    bool is_over;
};

static void take(struct talk *talk, struct pa_watch_event *event)
{
    const char *word = pa_watch_kind_word(event->kind);
    REQUIRE(pa_watch_is_on(&talk->watch));
    note(&talk->notes, word, strlen(word));
    note_listing(&talk->notes, &event->listing);
    if (event->kind == PA_WATCH_SNAPSHOT) {
        pa_listing_deinit(&talk->snapshots[0]);
        talk->snapshots[0] = talk->snapshots[1];
        talk->snapshots[1] = event->listing;
        return;
    }
    REQUIRE(event->listing.count == 1);
    pa_watch_event_deinit(event);
}

static void take_packet(struct talk *talk, const char *packet, size_t size)
{
    const char *cursor = packet, *end = packet + size;
    int r = 0;
    while (r == 0) {
        struct pa_failure why;
        struct pa_watch_event event = PA_WATCH_EVENT_NULL;
        r = pa_watch_feed(&talk->watch, &cursor, end, &event, &why);
        REQUIRE(r >= 0 && r <= PA_WATCH_OLD);
        if (r == 0)
            take(talk, &event);
        else if (r == PA_WATCH_FAILED)
            note_failure(&talk->notes, &why);
    }
    talk->is_over = r != PA_WATCH_MORE;
    REQUIRE(talk->is_over || cursor == end);
    REQUIRE(!talk->is_over || !pa_watch_is_on(&talk->watch));
    if (r == PA_WATCH_OLD)
        note(&talk->notes, "old", 3);
}

/* The manager's bytes in packets as the seed says, or in one. */
static struct talk hear(struct fuzz_input input, bool is_on, unsigned random)
{
    static const char good[] = "OK 2 watch\r\nOK 0\r\n";
    struct talk talk = {.watch = PA_WATCH_INIT};
    pa_watch_begin(&talk.watch);
    if (is_on)
        take_packet(&talk, good, sizeof good - 1);
    while (input.at < input.end && !talk.is_over) {
        size_t left = fuzz_left(&input), size = left;
        if (random) {
            random = random * 1103515245u + 12345u;
            size = 1 + random / 65536 % 16;
        }
        if (size > left)
            size = left;
        char *packet = fuzz_copy(input.at, size);
        take_packet(&talk, packet, size);
        free(packet);
        input.at += size;
    }
    return talk;
}

/* --------------------------------------------------------- the comparison -- */

/* Whose every port is, of all, as text; no bytes: nobody's. */
struct owners {
    struct pa_buf of[UINT16_MAX + 1];
};

static void give(struct owners *owners, const struct pa_listing_entry *entry)
{
    pa_buf_deinit(&owners->of[entry->port]);
    note_entry(&owners->of[entry->port], entry);
}

static struct owners *owners_of(const struct pa_listing *listing)
{
    struct owners *owners = calloc(1, sizeof *owners);
    REQUIRE(owners);
    for (size_t i = 0; i < listing->count; ++i)
        give(owners, &listing->entries[i]);
    return owners;
}

static void free_owners(struct owners *owners)
{
    for (size_t port = 0; port <= UINT16_MAX; ++port)
        pa_buf_deinit(&owners->of[port]);
    free(owners);
}

static void apply(struct owners *owners, const struct pa_watch_event *event)
{
    const struct pa_listing_entry *entry = event->listing.entries;
    bool is_owned = owners->of[entry->port].size > 0;
    REQUIRE(event->listing.count == 1);
    REQUIRE(is_owned == (event->kind != PA_WATCH_ADD));
    if (event->kind == PA_WATCH_REMOVE)
        pa_buf_deinit(&owners->of[entry->port]);
    else
        give(owners, entry);
}

/* Whether a port is there twice; what is different then is not asked. */
static bool has_twice(const struct pa_listing *listing)
{
    char seen[UINT16_MAX + 1] = "";
    for (size_t i = 0; i < listing->count; ++i)
        if (seen[listing->entries[i].port]++)
            return true;
    return false;
}

/* Takes both lists. */
static void compare(struct pa_listing lists[2])
{
    bool is_exact = !has_twice(&lists[0]) && !has_twice(&lists[1]);
    struct pa_watch watch = PA_WATCH_INIT;
    struct owners *known = owners_of(&lists[0]);
    struct owners *wanted = owners_of(&lists[1]);
    for (int i = 0; i < 2; ++i) {
        struct pa_watch_event event;
        REQUIRE(pa_watch_compare(&watch, &lists[i], NULL, NULL) == 0);
        while (pa_watch_next(&watch, &event) == 0) {
            REQUIRE((event.kind == PA_WATCH_SNAPSHOT) == (i == 0));
            if (i == 1 && is_exact)
                apply(known, &event);
            pa_watch_event_deinit(&event);
        }
    }
    for (size_t port = 0; is_exact && port <= UINT16_MAX; ++port) {
        REQUIRE(known->of[port].size == wanted->of[port].size);
        if (known->of[port].size > 0)
            REQUIRE(memcmp(known->of[port].data, wanted->of[port].data, known->of[port].size) ==
                    0);
    }
    free_owners(known);
    free_owners(wanted);
    pa_watch_deinit(&watch);
}

static void finish(struct talk *talk)
{
    if (talk->snapshots[1].count > 0)
        compare(talk->snapshots);
    pa_listing_deinit(&talk->snapshots[0]);
    pa_listing_deinit(&talk->snapshots[1]);
    pa_watch_deinit(&talk->watch);
    pa_buf_deinit(&talk->notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    unsigned random = fuzz_byte(&input);
    bool is_on = random & 0x80;
    struct talk whole = hear(input, is_on, 0);
    struct talk parted = hear(input, is_on, random + 1);
    REQUIRE(whole.notes.size == parted.notes.size);
    REQUIRE(whole.notes.size == 0 ||
            memcmp(whole.notes.data, parted.notes.data, whole.notes.size) == 0);
    finish(&whole);
    finish(&parted);
    return 0;
}
