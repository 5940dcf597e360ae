/* The allocations that fit what a client looks for. */

#include "search.h"

#include "pa_match.h"
#include "pa_wire2.h"

#include <errno.h>

/* A search on its way. */
struct course {
    const struct search *search;
    struct pa_buf *lines;
    size_t count;
    bool failed; /* no memory */
};

static bool matches(const char *pattern, const char *text)
{
    return !pattern || pa_match(pattern, text);
}

static bool add(void *context, const struct table_entry *entry)
{
    struct course *course = context;
    if (!matches(course->search->user, entry->user) ||
        !matches(course->search->name, entry->name))
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

int search_table(const struct search *search, struct table *table, struct pa_buf *lines,
                 size_t *count)
{
    struct course course = {.search = search, .lines = lines};
    int r = visit(table, &course);
    *count = course.count;
    return course.failed ? -ENOMEM : r;
}
