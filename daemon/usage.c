/* When the usage file is written. */

#include "usage.h"

#include "files.h"

#include <assert.h>

enum { USAGE_MODE = 0644 };

void usage_init(struct usage *usage, const char *path, const struct table *table)
{
    *usage = (struct usage){.path = path, .table = table, .text = PA_BUF_NULL};
}

void usage_deinit(struct usage *usage)
{
    assert(!usage->writing);
    pa_buf_deinit(&usage->text);
}

static int64_t due_in_ms(const struct usage *usage, uint64_t now_ms)
{
    uint64_t due = now_ms + USAGE_DELAY_MS;
    if (due < usage->not_before_ms)
        due = usage->not_before_ms;
    return (int64_t)(due - now_ms);
}

int64_t usage_arrange(struct usage *usage, uint64_t now_ms)
{
    if (usage->arranged || usage->writing || !usage->dirty)
        return -1;
    usage->arranged = true;
    return due_in_ms(usage, now_ms);
}

int64_t usage_changed(struct usage *usage, uint64_t now_ms)
{
    if (!usage->path)
        return -1;
    usage->dirty = true;
    return usage_arrange(usage, now_ms);
}

bool usage_begin(struct usage *usage, uint64_t now_ms)
{
    usage->arranged = false;
    if (!usage->path || !usage->dirty || usage->writing)
        return false;
    usage->text.size = 0;
    usage->started_ms = now_ms;
    if (table_append_usage(usage->table, &usage->text) < 0)
        return false;
    usage->dirty = false;
    usage->writing = true;
    return true;
}

void usage_write(struct usage *usage)
{
    usage->result = files_replace(usage->path, usage->text.data, usage->text.size, USAGE_MODE,
                                  usage->error, sizeof usage->error);
}

int64_t usage_end(struct usage *usage, uint64_t now_ms, const char **news)
{
    usage->writing = false;
    uint64_t pause_ms = USAGE_BUSY_SHARE * (now_ms - usage->started_ms);
    if (pause_ms > USAGE_PAUSE_MAX_MS)
        pause_ms = USAGE_PAUSE_MAX_MS;
    usage->not_before_ms = now_ms + pause_ms;
    bool failed = usage->result != 0;
    *news = NULL;
    if (failed && !usage->failed)
        *news = usage->error;
    else if (!failed && usage->failed)
        *news = "The usage file can be written again";
    usage->failed = failed;
    return usage_arrange(usage, now_ms);
}
