/* The allocations that fit what a client looks for. */

#include "search.h"

#include "pattern.h"

#include "pa_match.h"
#include "pa_wire2.h"

#include <errno.h>

/* A search on its way. */
struct course {
    const struct search *search;
    struct pattern name; /* made ready, if the search has one */
    struct pattern user;
    struct pa_buf *lines;
    size_t count;
    bool failed; /* no memory */
};

static bool add(void *context, const struct table_entry *entry)
{
    struct course *course = context;
    if ((course->search->user && !pattern_matches(&course->user, entry->user)) ||
        (course->search->name && !pattern_matches(&course->name, entry->name)))
        return true;
    course->count += 1;
    course->failed = pa_wire2_append_found(course->lines, entry->port, entry->name, entry->user,
                                           entry->attributes) < 0;
    return !course->failed;
}

static int visit(struct table *table, struct course *course)
{
    const struct search *search = course->search;
    const char *name = search->name;
    if (search->port == 0)
        return table_visit_named(table, name && !pa_match_has_wildcard(name) ? name : NULL, add,
                                 course);
    const struct table_entry *entry = table_at(table, search->port);
    if (entry)
        add(course, entry);
    return 0;
}

/* Makes ready what the search has of patterns. 0 or -ENOMEM. */
static int prepare(struct course *course)
{
    const struct search *search = course->search;
    int r = search->name ? pattern_init(&course->name, search->name) : 0;
    return r == 0 && search->user ? pattern_init(&course->user, search->user) : r;
}

int search_table(const struct search *search, struct table *table, struct pa_buf *lines,
                 size_t *count)
{
    struct course course = {.search = search, .lines = lines};
    int r = prepare(&course);
    if (r == 0)
        r = visit(table, &course);
    *count = course.count;
    pattern_deinit(&course.name);
    pattern_deinit(&course.user);
    return course.failed ? -ENOMEM : r;
}
