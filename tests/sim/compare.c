/* Comparisons of what the table tells with what the model has. */

#include "compare.h"

#include "chance.h"
#include "differ.h"
#include "model.h"

#include <stdio.h>
#include <string.h>

enum {
    SMALL_TABLE = 16,   /* ports held, up to which every list is compared whole */
    WHOLE_LIST_IN = 16, /* beyond that one list in so many */
};

void compare_list(const struct snapshot *snapshot)
{
    char head[32], line[MODEL_LINE_BYTES];
    size_t size = (size_t)snprintf(head, sizeof head, "OK %zu\r\n", model.held_count);
    if (snapshot->size != size + model.list_size)
        differ("the list has %zu bytes, not %zu", snapshot->size, size + model.list_size);
    if (memcmp(snapshot->text, head, size) != 0)
        differ("the list begins with %.8s, not %s", snapshot->text, head);
    if (model.held_count > SMALL_TABLE && chance_below(WHOLE_LIST_IN) != 0)
        return;
    const struct held *held = model_listed();
    const char *text = snapshot->text + size;
    for (size_t i = 0; i < model.held_count; ++i) {
        size_t line_size = model_line(line, &held[i]);
        if (memcmp(text, line, line_size) != 0)
            differ("line %zu of the list is %.*s, not %s", i, (int)line_size, text, line);
        text += line_size;
    }
}

void compare_listing(struct table *table)
{
    struct snapshot *snapshot;
    if (table_snapshot(table, &snapshot) < 0)
        must(NULL);
    compare_list(snapshot);
    snapshot_unref(snapshot);
}

void compare_usage(const struct table *table)
{
    struct pa_buf text = PA_BUF_NULL;
    if (table_append_usage(table, &text) < 0)
        must(NULL);
    const struct held *held = model_used();
    size_t at = 0;
    for (size_t i = 0; i < model.held_count; ++i) {
        char line[MODEL_LINE_BYTES];
        size_t size = (size_t)snprintf(line, sizeof line, "%u\t%s\t%s\n", held[i].port,
                                       model_names[held[i].name], model_users[held[i].user]);
        if (text.size - at < size || memcmp(text.data + at, line, size) != 0)
            differ("line %zu of the usage text is not %s", i, line);
        at += size;
    }
    if (at != text.size)
        differ("the usage text goes on behind its %zu lines", model.held_count);
    pa_buf_deinit(&text);
}

void compare_find(const struct table *table)
{
    const char *bears = model_names[chance_below(MODEL_NAMES)];
    unsigned user = chance_below(MODEL_USERS);
    const struct table_entry *found = table_find(table, bears, model_users[user]);
    const struct held *expected = model_find(bears, user);
    if (!found != !expected || (found && found->port != expected->port))
        differ("%s of %s is found at %u, not %u", bears, model_users[user],
               found ? (unsigned)found->port : 0, expected ? expected->port : 0);
    unsigned port = model.low - 1 + chance_below(model.high - model.low + 3);
    found = table_at(table, (uint16_t)port);
    expected = model_at(port);
    if (!found != !expected || (found && strcmp(found->name, expected->bears) != 0))
        differ("port %u is of %s, not %s", port, found ? found->name : "nobody",
               expected ? expected->bears : "nobody");
}

void compare_counts(const struct table *table)
{
    if (table_count(table) != model.held_count)
        differ("%zu ports are allocated, not %zu", table_count(table), model.held_count);
    if (table_held(table) != model_in_kernel())
        differ("%zu ports are held, not %zu", table_held(table), model_in_kernel());
}
