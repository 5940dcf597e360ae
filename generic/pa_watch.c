/* Who has which port, as it changes. */

#include "pa_watch.h"

#include "pa_keys.h"
#include "pa_text.h"
#include "pa_wire2.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_words[] = {
    [PA_WATCH_SNAPSHOT] = "snapshot",
    [PA_WATCH_ADD] = "add",
    [PA_WATCH_REMOVE] = "remove",
    [PA_WATCH_CHANGE] = "change",
};

enum { KINDS = sizeof kind_words / sizeof *kind_words };

const char *pa_watch_kind_word(enum pa_watch_kind kind)
{
    return kind_words[kind];
}

void pa_watch_event_deinit(struct pa_watch_event *event)
{
    pa_listing_deinit(&event->listing);
}

static void forget_lists(struct pa_watch *watch)
{
    pa_listing_deinit(&watch->snapshot);
    pa_listing_deinit(&watch->before);
    pa_listing_deinit(&watch->now);
    watch->before_done = watch->now_done = 0;
    watch->is_known = watch->snapshot_due = watch->is_comparing = false;
}

void pa_watch_deinit(struct pa_watch *watch)
{
    pa_client_deinit(&watch->client);
    forget_lists(watch);
    watch->due = 0;
}

/* -------------------------------------------------------------- request -- */

int pa_watch_request(struct pa_buf *request, const char *name_pattern, const char *user_pattern,
                     struct pa_failure *why)
{
    struct pa_keys keys = PA_KEYS_INIT;
    keys.name_pattern = name_pattern;
    keys.user_pattern = user_pattern;
    size_t before = request->size;
    int r = pa_client_hello(request);
    if (r == 0)
        r = pa_client_request2(request, PA_VERB_WATCH, "", &keys, why);
    if (r != 0)
        request->size = before;
    return r;
}

void pa_watch_begin(struct pa_watch *watch)
{
    pa_client_deinit(&watch->client);
    forget_lists(watch);
    pa_client_begin_hello(&watch->client, PA_VERB_WATCH);
    watch->due = 1;
}

/* --------------------------------------------------------------- events -- */

struct word {
    const char *text;
    size_t size;
};

/* Cuts the next word off a line. The words in front of a port are plain: none is quoted. */
static struct word cut_word(const char **at, const char *end)
{
    while (*at < end && **at == ' ')
        ++*at;
    struct word word = {*at, 0};
    while (*at < end && **at != ' ')
        ++*at;
    word.size = (size_t)(*at - word.text);
    return word;
}

static bool is_word(const struct word *word, const char *text)
{
    return word->size == strlen(text) && memcmp(word->text, text, word->size) == 0;
}

static bool is_number(const struct word *word, uint64_t number)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    pa_text_decimal(digits, number);
    return is_word(word, digits);
}

/* A number of lines, PA_WIRE_MAX_NUMBER at most. */
static bool read_lines(const struct word *word, size_t *lines)
{
    size_t value = 0;
    for (size_t i = 0; i < word->size; ++i) {
        if (word->text[i] < '0' || word->text[i] > '9')
            return false;
        value = 10 * value + (size_t)(word->text[i] - '0');
        if (value > PA_WIRE_MAX_NUMBER)
            return false;
    }
    *lines = value;
    return word->size > 0;
}

/* `snapshot count`. 0: there are no ports; PA_WATCH_MORE: lines follow; PA_WATCH_FAILED. */
static int begin_snapshot(struct pa_watch *watch, const char *at, const char *end)
{
    struct word count = cut_word(&at, end);
    size_t lines;
    if (!read_lines(&count, &lines))
        return PA_WATCH_FAILED;
    return pa_client_begin_found(&watch->client, lines) == 0 ? 0 : PA_WATCH_MORE;
}

/* `port name user {attributes}`. 0, PA_WATCH_FAILED or -ENOMEM. */
static int take_port(struct pa_listing *listing, const char *at, const char *end)
{
    int r = pa_wire2_parse_found(listing, at, (size_t)(end - at));
    if (r != 0) {
        pa_listing_deinit(listing);
        return r < 0 ? r : PA_WATCH_FAILED;
    }
    pa_listing_seal(listing);
    return 0;
}

static int take_kind(struct pa_watch *watch, const char *at, const char *end,
                     struct pa_watch_event *event)
{
    struct word word = cut_word(&at, end);
    int kind = 0;
    while (kind < KINDS && !is_word(&word, kind_words[kind]))
        ++kind;
    if (kind == KINDS)
        return PA_WATCH_FAILED;
    struct pa_watch_event heard = {.kind = (enum pa_watch_kind)kind};
    int r = kind == PA_WATCH_SNAPSHOT ? begin_snapshot(watch, at, end)
                                      : take_port(&heard.listing, at, end);
    if (r == 0)
        *event = heard;
    return r;
}

/* A line `EVENT number kind ...`. 0; PA_WATCH_MORE: lines follow; PA_WATCH_FAILED; -ENOMEM. */
static int take_event(struct pa_watch *watch, const char *line, size_t size,
                      struct pa_watch_event *event, struct pa_failure *why)
{
    const char *at = line;
    const char *end = line + size;
    struct word verb = cut_word(&at, end);
    struct word number = cut_word(&at, end);
    if (!is_word(&verb, "EVENT"))
        return pa_client_break(&watch->client, why, "not an event", line, size);
    if (!is_number(&number, watch->due))
        return pa_client_break(&watch->client, why, "not the event that was due", line, size);
    ++watch->due;
    int r = take_kind(watch, at, end, event);
    return r == PA_WATCH_FAILED
               ? pa_client_break(&watch->client, why, "not an event", line, size)
               : r;
}

static int take_line(struct pa_watch *watch, const char **cursor, const char *end,
                     struct pa_watch_event *event, struct pa_failure *why)
{
    const char *line;
    size_t size;
    int r = pa_client_take_line(&watch->client, cursor, end, &line, &size, why);
    return r == 0 ? take_event(watch, line, size, event, why) : r;
}

/* The answers to HELLO and WATCH, and the lines of a snapshot. */
static int take_reply(struct pa_watch *watch, const char **cursor, const char *end,
                      struct pa_watch_event *event, struct pa_failure *why)
{
    struct pa_client *client = &watch->client;
    int r = pa_client_feed(client, cursor, end, why);
    bool greeted = client->protocol == PA_PROTOCOL_2;
    if (r >= 0 && greeted && !pa_answer_can(&client->hello, "watch"))
        return PA_WATCH_OLD;
    if (r != 0)
        return r;
    *event = (struct pa_watch_event){.kind = PA_WATCH_SNAPSHOT, .listing = client->listing};
    client->listing = (struct pa_listing)PA_LISTING_NULL;
    return 0;
}

int pa_watch_feed(struct pa_watch *watch, const char **cursor, const char *end,
                  struct pa_watch_event *event, struct pa_failure *why)
{
    int r;
    do {
        r = watch->client.state == PA_CLIENT_IDLE ? take_line(watch, cursor, end, event, why)
                                                  : take_reply(watch, cursor, end, event, why);
    } while (r == PA_WATCH_MORE && *cursor < end);
    if (r == PA_WATCH_FAILED || r == PA_WATCH_OLD || r < 0)
        watch->client.state = PA_CLIENT_BROKEN;
    return r;
}

bool pa_watch_is_on(const struct pa_watch *watch)
{
    enum pa_client_state state = watch->client.state;
    return (state == PA_CLIENT_IDLE && watch->due > 0) ||
           (state == PA_CLIENT_LINES && watch->due > 1);
}

/* ----------------------------------------------------------- comparison -- */

static int by_port(const void *left, const void *right)
{
    const struct pa_listing_entry *one = left;
    const struct pa_listing_entry *other = right;
    return (one->port > other->port) - (one->port < other->port);
}

static void sort(struct pa_listing *listing)
{
    if (listing->count > 1)
        qsort(listing->entries, listing->count, sizeof *listing->entries, by_port);
}

int pa_watch_compare(struct pa_watch *watch, struct pa_listing *now, const char *name_pattern,
                     const char *user_pattern)
{
    assert(!watch->is_comparing);
    int r = pa_listing_filter(now, 0, name_pattern, user_pattern);
    if (r == 0 && !watch->is_known)
        r = pa_listing_copy(&watch->snapshot, now);
    if (r < 0) {
        pa_listing_deinit(now);
        return r;
    }
    watch->snapshot_due = !watch->is_known;
    watch->is_comparing = true;
    watch->now = *now;
    sort(&watch->now);
    *now = (struct pa_listing)PA_LISTING_NULL;
    return 0;
}

static bool has_same_owner(const struct pa_listing_entry *one,
                           const struct pa_listing_entry *other)
{
    return one->name_size == other->name_size && one->user_size == other->user_size &&
           memcmp(one->name, other->name, one->name_size) == 0 &&
           memcmp(one->user, other->user, one->user_size) == 0;
}

static bool has_same_attributes(const struct pa_listing_entry *one,
                                const struct pa_listing_entry *other)
{
    return one->attributes_size == other->attributes_size &&
           memcmp(pa_listing_attributes(one), pa_listing_attributes(other),
                  one->attributes_size) == 0;
}

/* A difference: an entry of one list or the other. */
struct difference {
    enum pa_watch_kind kind;
    const struct pa_listing_entry *entry; /* NULL: there is none */
    bool passes_before;                   /* the entry of that list that is next is done with */
    bool passes_now;                      /* likewise */
};

static const struct pa_listing_entry *entry_at(const struct pa_listing *listing, size_t index)
{
    return index < listing->count ? &listing->entries[index] : NULL;
}

/* What the next entries of both lists amount to. */
static struct difference compare_next(const struct pa_watch *watch)
{
    const struct pa_listing_entry *before = entry_at(&watch->before, watch->before_done);
    const struct pa_listing_entry *now = entry_at(&watch->now, watch->now_done);
    if (before && (!now || before->port < now->port))
        return (struct difference){PA_WATCH_REMOVE, before, true, false};
    if (!before || now->port < before->port)
        return (struct difference){PA_WATCH_ADD, now, false, true};
    if (!has_same_owner(before, now))
        return (struct difference){PA_WATCH_REMOVE, before, true, false};
    if (!has_same_attributes(before, now))
        return (struct difference){PA_WATCH_CHANGE, now, true, true};
    return (struct difference){PA_WATCH_SNAPSHOT, NULL, true, true};
}

static bool is_compared(const struct pa_watch *watch)
{
    return watch->before_done == watch->before.count && watch->now_done == watch->now.count;
}

static int finish_comparison(struct pa_watch *watch)
{
    pa_listing_deinit(&watch->before);
    watch->before = watch->now;
    watch->now = (struct pa_listing)PA_LISTING_NULL;
    watch->before_done = watch->now_done = 0;
    watch->is_known = true;
    watch->is_comparing = false;
    return PA_WATCH_MORE;
}

static int give_snapshot(struct pa_watch *watch, struct pa_watch_event *event)
{
    *event = (struct pa_watch_event){.kind = PA_WATCH_SNAPSHOT, .listing = watch->snapshot};
    watch->snapshot = (struct pa_listing)PA_LISTING_NULL;
    watch->snapshot_due = false;
    finish_comparison(watch);
    return 0;
}

int pa_watch_next(struct pa_watch *watch, struct pa_watch_event *event)
{
    if (watch->snapshot_due)
        return give_snapshot(watch, event);
    while (watch->is_comparing && !is_compared(watch)) {
        struct difference next = compare_next(watch);
        struct pa_watch_event found = {.kind = next.kind};
        if (next.entry && pa_listing_copy_entry(&found.listing, next.entry) < 0)
            return -ENOMEM;
        watch->before_done += next.passes_before;
        watch->now_done += next.passes_now;
        if (next.entry) {
            *event = found;
            return 0;
        }
    }
    return watch->is_comparing ? finish_comparison(watch) : PA_WATCH_MORE;
}
