/*
 * Those who are told of every change of the table.
 *
 * The happy path: a change is recorded; the next flush makes the changes that
 * were recorded a batch, compares each with the interests, and sends those
 * watchers whose interest fits one the events, in one piece. Then the batch is
 * done with.
 *
 * All of that can take longer than a turn may, so it can stop anywhere and go on
 * later; and sending may end connections and let others go on, so any watcher,
 * and any interest, may come or go at each call of send(). What points at one
 * (broad, telling, next, current) is seen to when it goes.
 */

#include "watchers.h"

#include "search.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

enum {
    STEPS_PER_FLUSH = 1000000,               /* of patterns along texts; a millisecond or two */
    SENDS_PER_FLUSH = 256,                   /* about a millisecond */
    PIECE_BYTES = WATCHERS_UNSENT_MAX_BYTES, /* of events in one write */
    LINE_STEPS = 100,                        /* what a line of a snapshot costs */
    KEPT_BYTES = 4096,                       /* of the text, when there is nothing to tell */
};

/* How much of it a flush has left. */
struct effort {
    size_t steps;
    size_t sends;
};

static bool spend(size_t *budget, size_t cost)
{
    *budget -= cost < *budget ? cost : *budget;
    return *budget > 0;
}

void watchers_init(struct watchers *watchers, struct table *table, const struct watchers_io *io)
{
    *watchers = (struct watchers){.table = table, .io = *io};
    interests_init(&watchers->interests);
    TAILQ_INIT(&watchers->due);
    TAILQ_INIT(&watchers->ready);
}

static void forget_lines(struct watchers_lines *lines)
{
    snapshot_unref(lines->snapshot);
    *lines = (struct watchers_lines){.interest = NULL};
}

void watchers_deinit(struct watchers *watchers)
{
    assert(watchers->count == 0 && watchers->interests.count == 0);
    forget_lines(&watchers->all);
    forget_lines(&watchers->some);
    changes_deinit(&watchers->recorded);
    changes_deinit(&watchers->batch);
    pa_buf_deinit(&watchers->text);
}

/* -------------------------------------------------------------- snapshots -- */

static struct watchers_lines *lines_of(struct watchers *watchers,
                                       const struct interest *interest)
{
    return interest->name || interest->user ? &watchers->some : &watchers->all;
}

static int render(struct watchers *watchers, const struct interest *interest,
                  struct watchers_lines *lines)
{
    const struct search search = {.name = interest->name, .user = interest->user};
    struct pa_buf text = PA_BUF_NULL;
    size_t count;
    int r = search_table(&search, watchers->table, &text, &count);
    struct snapshot *snapshot = r < 0 ? NULL : snapshot_new(text.size);
    if (snapshot && text.size > 0)
        memcpy(snapshot->text, text.data, text.size);
    pa_buf_deinit(&text);
    if (!snapshot)
        return -ENOMEM;
    forget_lines(lines);
    *lines = (struct watchers_lines){interest, snapshot, count};
    return 0;
}

/* The lines that the interest fits, rendered if they are not there. 0 or -ENOMEM. */
static int show(struct watchers *watchers, const struct interest *interest,
                struct effort *effort, const struct watchers_lines **shown)
{
    struct watchers_lines *lines = lines_of(watchers, interest);
    *shown = lines;
    if (lines->interest == interest)
        return 0;
    spend(&effort->steps, table_count(watchers->table) *
                              (LINE_STEPS + 16 * (interest->name_size + interest->user_size)));
    return render(watchers, interest, lines);
}

/* ------------------------------------------------------------ come and go -- */

static void drop_if_unused(struct watchers *watchers, struct interest *interest)
{
    if (!TAILQ_EMPTY(&interest->watchers))
        return;
    struct watchers_lines *lines = lines_of(watchers, interest);
    if (lines->interest == interest)
        forget_lines(lines);
    if (watchers->broad == interest)
        watchers->broad = interests_next_broad(&watchers->interests, interest);
    if (watchers->telling == interest)
        watchers->telling = NULL;
    if (interest->due)
        TAILQ_REMOVE(&watchers->due, interest, due_link);
    interest->due = false;
    interests_drop(&watchers->interests, interest);
}

static void leave_ready(struct watchers *watchers, struct watcher *watcher)
{
    if (watcher->ready)
        TAILQ_REMOVE(&watchers->ready, watcher, ready_link);
    watcher->ready = false;
}

/* Takes the watcher out of everything. The interest that it had may have nobody else. */
static struct interest *detach(struct watchers *watchers, struct watcher *watcher)
{
    struct interest *interest = watcher->interest;
    if (!interest)
        return NULL;
    if (watchers->next == watcher)
        watchers->next = TAILQ_NEXT(watcher, link);
    if (watchers->current == watcher)
        watchers->current = NULL;
    leave_ready(watchers, watcher);
    TAILQ_REMOVE(&interest->watchers, watcher, link);
    *watcher = (struct watcher)WATCHER_NULL;
    watchers->count -= 1;
    return interest;
}

void watchers_unwatch(struct watchers *watchers, struct watcher *watcher)
{
    struct interest *interest = detach(watchers, watcher);
    if (interest)
        drop_if_unused(watchers, interest);
}

static void attach(struct watchers *watchers, struct watcher *watcher,
                   struct interest *interest)
{
    *watcher = (struct watcher){.interest = interest, .since = watchers->sequence};
    TAILQ_INSERT_TAIL(&interest->watchers, watcher, link);
    watchers->count += 1;
}

/* A pattern that fits everything is none. */
static const char *pattern_of(const char *pattern)
{
    bool any = pattern && *pattern && !pattern[strspn(pattern, "*")];
    return any ? NULL : pattern;
}

int watchers_watch(struct watchers *watchers, struct watcher *watcher, const char *name,
                   const char *user, struct snapshot **snapshot, size_t *count)
{
    struct effort unbounded = {SIZE_MAX, SIZE_MAX};
    const struct watchers_lines *lines;
    name = pattern_of(name);
    uint64_t hash = name ? table_hash_name(watchers->table, name) : 0;
    struct interest *interest =
        interests_get(&watchers->interests, hash, name, pattern_of(user));
    if (!interest)
        return -ENOMEM;
    if (show(watchers, interest, &unbounded, &lines) < 0) {
        drop_if_unused(watchers, interest);
        return -ENOMEM;
    }
    *snapshot = snapshot_ref(lines->snapshot);
    *count = lines->count;
    struct interest *former = detach(watchers, watcher);
    attach(watchers, watcher, interest);
    if (former)
        drop_if_unused(watchers, former);
    return 0;
}

/* -------------------------------------------------------------- recording -- */

static void make_stale(struct watchers *watchers, struct watcher *watcher)
{
    watcher->stale = true;
    watchers_drained(watchers, watcher);
}

void watchers_drained(struct watchers *watchers, struct watcher *watcher)
{
    if (!watcher->stale || watcher->ready)
        return;
    watcher->ready = true;
    TAILQ_INSERT_TAIL(&watchers->ready, watcher, ready_link);
}

static void lose(struct watchers *watchers, struct interest *interest)
{
    struct watcher *watcher;
    for (watcher = TAILQ_FIRST(&interest->watchers); watcher;
         watcher = TAILQ_NEXT(watcher, link))
        make_stale(watchers, watcher);
}

/* The change could not be recorded. Whom it concerns can be told without memory. */
static void lose_change(struct watchers *watchers, const struct table_entry *entry)
{
    struct interest *interest;
    for (interest = interests_named(&watchers->interests, entry->name_hash); interest;
         interest = interest->bucket_next)
        if (!interest->broad && interest_fits(interest, entry->name, entry->user))
            lose(watchers, interest);
    interest = interests_broad(&watchers->interests, entry->name);
    for (; interest; interest = interests_next_broad(&watchers->interests, interest))
        if (interest_fits(interest, entry->name, entry->user))
            lose(watchers, interest);
}

void watchers_record(struct watchers *watchers, enum pa_event_kind kind,
                     const struct table_entry *entry)
{
    watchers->sequence += 1;
    forget_lines(&watchers->all);
    forget_lines(&watchers->some);
    if (watchers->count > 0 &&
        changes_add(&watchers->recorded, watchers->sequence, kind, entry) != 0)
        lose_change(watchers, entry);
}

/* --------------------------------------------------------------- matching -- */

static void note(struct watchers *watchers, struct interest *interest)
{
    if (interest_note(interest, (uint32_t)watchers->matched) < 0) {
        lose(watchers, interest);
        return;
    }
    if (!interest->due)
        TAILQ_INSERT_TAIL(&watchers->due, interest, due_link);
    interest->due = true;
}

static void match_names(struct watchers *watchers, const struct change *change,
                        const char *name, const char *user)
{
    struct interest *interest = interests_named(&watchers->interests, change->name_hash);
    for (; interest; interest = interest->bucket_next)
        if (!interest->broad && interest_fits(interest, name, user))
            note(watchers, interest);
    watchers->matching = true;
    watchers->broad = interests_broad(&watchers->interests, name);
}

/* Compares the change with all interests, or goes on with that. False: not with all yet. */
static bool match_change(struct watchers *watchers, const struct change *change,
                         struct effort *effort)
{
    const char *name = changes_name(&watchers->batch, change);
    const char *user = changes_user(&watchers->batch, change);
    size_t name_size = change->user_at - change->name_at;
    size_t user_size = change->event_at - change->user_at;
    if (!watchers->matching)
        match_names(watchers, change, name, user);
    bool can = spend(&effort->steps, name_size + user_size);
    while (can && watchers->broad) {
        struct interest *interest = watchers->broad;
        watchers->broad = interests_next_broad(&watchers->interests, interest);
        if (interest_fits(interest, name, user))
            note(watchers, interest);
        can = spend(&effort->steps, (interest->name_size + 1) * name_size +
                                        (interest->user_size + 1) * user_size);
    }
    watchers->matching = watchers->broad != NULL;
    return !watchers->matching;
}

/* The same with every change of the batch. */
static bool match_batch(struct watchers *watchers, struct effort *effort)
{
    const struct changes *batch = &watchers->batch;
    while (watchers->matched < batch->count) {
        if (effort->steps == 0 ||
            !match_change(watchers, &batch->changes[watchers->matched], effort))
            return false;
        watchers->matched += 1;
    }
    return true;
}

/* ---------------------------------------------------------------- telling -- */

/* Appends the event of a change for the watcher. 0, or -ENOMEM with nothing appended. */
static int append_event(struct watchers *watchers, struct watcher *watcher,
                        const struct change *change)
{
    struct pa_buf *text = &watchers->text;
    size_t before = text->size;
    int r = pa_wire2_append_event_number(text, watcher->number + 1);
    if (r == 0)
        r = pa_buf_append(text, changes_event(&watchers->batch, change), change->event_size);
    if (r < 0) {
        text->size = before;
        return r;
    }
    watcher->number += 1;
    watcher->since = change->sequence;
    return 0;
}

/* Puts together events from the match with index *at on, as many as make a piece. */
static int append_piece(struct watchers *watchers, struct watcher *watcher, size_t *at)
{
    const struct interest *interest = watcher->interest;
    int r = 0;
    watchers->text.size = 0;
    for (; *at < interest->match_count && watchers->text.size < PIECE_BYTES && r == 0; ++*at) {
        const struct change *change = &watchers->batch.changes[interest->matches[*at]];
        if (change->sequence > watcher->since)
            r = append_event(watchers, watcher, change);
    }
    return r;
}

/* Tells one watcher all that its interest fits of the batch. */
static void tell(struct watchers *watchers, struct watcher *watcher, struct effort *effort)
{
    const struct watchers_io *io = &watchers->io;
    size_t at = 0;
    watchers->current = watcher;
    while (watchers->current && !watcher->stale && at < watcher->interest->match_count) {
        if (io->unsent(io->context, watcher) > WATCHERS_UNSENT_MAX_BYTES ||
            append_piece(watchers, watcher, &at) < 0)
            make_stale(watchers, watcher);
        spend(&effort->sends, 1);
        if (watchers->text.size > 0)
            io->send(io->context, watcher, &watchers->text, NULL);
        watchers->text.size = 0;
    }
    watchers->current = NULL;
}

/* Tells the watchers of the first interest that is due. False: some are left. */
static bool tell_some(struct watchers *watchers, struct interest *interest,
                      struct effort *effort)
{
    if (watchers->telling != interest)
        watchers->next = TAILQ_FIRST(&interest->watchers);
    watchers->telling = interest;
    while (watchers->telling == interest && watchers->next) {
        struct watcher *watcher = watchers->next;
        if (effort->sends == 0)
            return false;
        watchers->next = TAILQ_NEXT(watcher, link);
        tell(watchers, watcher, effort);
    }
    /* Unless it went with the last of its watchers. */
    if (watchers->telling == interest) {
        TAILQ_REMOVE(&watchers->due, interest, due_link);
        interest->due = false;
        interest_clear(interest);
    }
    watchers->telling = NULL;
    return true;
}

/* Tells all of them. False: some are left. */
static bool tell_batch(struct watchers *watchers, struct effort *effort)
{
    struct interest *interest;
    while ((interest = TAILQ_FIRST(&watchers->due)))
        if (!tell_some(watchers, interest, effort))
            return false;
    return true;
}

/* Sends one that missed something all that its interest fits. 0 or -ENOMEM. */
static int bring_up_to_date(struct watchers *watchers, struct watcher *watcher,
                            struct effort *effort)
{
    const struct watchers_lines *lines;
    struct pa_buf *text = &watchers->text;
    int r = show(watchers, watcher->interest, effort, &lines);
    text->size = 0;
    if (r == 0)
        r = pa_wire2_append_event_snapshot(text, watcher->number + 1, lines->count);
    if (r < 0)
        return r;
    watcher->number += 1;
    watcher->since = watchers->sequence;
    watcher->stale = false;
    leave_ready(watchers, watcher);
    struct snapshot *snapshot = snapshot_ref(lines->snapshot);
    spend(&effort->sends, 1);
    watchers->io.send(watchers->io.context, watcher, text, snapshot);
    text->size = 0;
    snapshot_unref(snapshot);
    return 0;
}

static int bring_all_up_to_date(struct watchers *watchers, struct effort *effort)
{
    const struct watchers_io *io = &watchers->io;
    struct watcher *watcher;
    int r = 0;
    while (r == 0 && effort->steps > 0 && effort->sends > 0 &&
           (watcher = TAILQ_FIRST(&watchers->ready))) {
        if (io->unsent(io->context, watcher) > 0)
            leave_ready(watchers, watcher); /* until watchers_drained() */
        else
            r = bring_up_to_date(watchers, watcher, effort);
    }
    return r;
}

static void begin_batch(struct watchers *watchers)
{
    struct changes empty = watchers->batch;
    watchers->batch = watchers->recorded;
    watchers->recorded = empty;
    watchers->matched = 0;
}

int watchers_flush(struct watchers *watchers)
{
    struct effort effort = {STEPS_PER_FLUSH, SENDS_PER_FLUSH};
    if (watchers->batch.count == 0)
        begin_batch(watchers);
    if (!match_batch(watchers, &effort) || !tell_batch(watchers, &effort))
        return WATCHERS_MORE;
    changes_clear(&watchers->batch);
    /* As much again: those who wait for a snapshot do not depend on how much there is to tell.
     */
    effort = (struct effort){STEPS_PER_FLUSH, SENDS_PER_FLUSH};
    int r = bring_all_up_to_date(watchers, &effort);
    if (watchers->text.capacity > KEPT_BYTES)
        pa_buf_deinit(&watchers->text);
    if (r < 0)
        return r;
    return watchers->recorded.count > 0 || !TAILQ_EMPTY(&watchers->ready) ? WATCHERS_MORE : 0;
}
