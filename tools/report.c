/* What a tool has found out, as json-c's objects. */

#include "report.h"

#include "pa_show.h"
#include "pa_text.h"
#include "pa_wire.h"
#include "tool.h"

#include <json-c/json.h>

#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------- rows -- */

/* Adds `value`, which is the report's from here on; NULL: there was no memory for it. */
static void add(struct report *report, struct json_object *object, const char *key,
                struct json_object *value)
{
    if (value && object && json_object_object_add(object, key, value) == 0)
        return;
    json_object_put(value);
    report->failed = true;
}

void report_row(struct report *report)
{
    if (!report->rows)
        report->rows = json_object_new_array();
    report->row = json_object_new_object();
    if (report->rows && report->row && json_object_array_add(report->rows, report->row) == 0)
        return;
    json_object_put(report->row);
    report->row = NULL;
    report->failed = true;
}

/* json-c has NULL for null. */
static void add_null(struct report *report, const char *key)
{
    if (!report->row || json_object_object_add(report->row, key, NULL) != 0)
        report->failed = true;
}

void report_number(struct report *report, const char *key, int64_t number)
{
    if (number < 0)
        add_null(report, key);
    else
        add(report, report->row, key, json_object_new_int64(number));
}

static struct json_object *new_text(const char *text, size_t size)
{
    struct pa_buf buf = PA_BUF_NULL;
    struct json_object *value = NULL;
    if (pa_text_append_utf8(&buf, text, size) == 0)
        value = json_object_new_string_len(buf.data ? buf.data : "", (int)buf.size);
    pa_buf_deinit(&buf);
    return value;
}

void report_text(struct report *report, const char *key, const char *text, size_t size)
{
    if (text)
        add(report, report->row, key, new_text(text, size));
    else
        add_null(report, key);
}

void report_string(struct report *report, const char *key, const char *text)
{
    report_text(report, key, text, text ? strlen(text) : 0);
}

void report_attributes(struct report *report, const char *key, const char *list, size_t size)
{
    struct pa_words words = PA_WORDS_NULL;
    struct json_object *object = json_object_new_object();
    if (pa_words_split_line(&words, list, size) < 0)
        report->failed = true;
    for (size_t i = 0; i + 1 < words.count; i += 2)
        add(report, object, words.words[i],
            new_text(words.words[i + 1], strlen(words.words[i + 1])));
    pa_words_deinit(&words);
    add(report, report->row, key, object);
}

void report_rows(struct report *report, const char *key, struct report *rows)
{
    report->failed |= rows->failed;
    add(report, report->row, key, rows->rows ? rows->rows : json_object_new_array());
    *rows = (struct report)REPORT_NULL;
}

void report_entry(struct report *report, const struct pa_listing_entry *entry, bool attributes)
{
    report_number(report, "port", entry->port);
    report_text(report, "name", entry->name, entry->name_size);
    report_text(report, "user", entry->user, entry->user_size);
    if (attributes)
        report_attributes(report, "attributes", pa_listing_attributes(entry),
                          entry->attributes_size);
}

void report_listing(struct report *report, const struct pa_listing *listing, bool attributes)
{
    for (size_t i = 0; i < listing->count; ++i) {
        report_row(report);
        report_entry(report, &listing->entries[i], attributes);
    }
}

const struct report_column report_found[] = {{"Port", "port"},
                                             {"Name", "name"},
                                             {"User", "user"},
                                             {"Attributes", "attributes"},
                                             {NULL, NULL}};

size_t report_count(const struct report *report)
{
    return report->rows ? json_object_array_length(report->rows) : 0;
}

static const char *text_of(struct json_object *value)
{
    if (json_object_is_type(value, json_type_object))
        return json_object_object_length(value) == 0
                   ? ""
                   : json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE);
    return value ? json_object_get_string(value) : "-";
}

const char *report_value(const struct report *report, size_t row, const char *key)
{
    struct json_object *object = json_object_array_get_idx(report->rows, row);
    const char *text = text_of(json_object_object_get(object, key));
    return text ? text : "-";
}

void report_deinit(struct report *report)
{
    json_object_put(report->rows);
    *report = (struct report)REPORT_NULL;
}

/* --------------------------------------------------------------- output -- */

/* Frees the report. */
static int finish(struct report *report)
{
    bool failed = report->failed;
    report_deinit(report);
    return failed ? tool_fail_memory() : EXIT_DONE;
}

/* Frees the report; `object` is of it, NULL if there is none. */
static int print_json(struct report *report, struct json_object *object, const char *none)
{
    const char *text = none;
    if (object)
        text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                          JSON_C_TO_STRING_NOSLASHESCAPE);
    report->failed |= !text;
    if (!report->failed)
        printf("%s\n", text);
    return finish(report);
}

int report_print_json(struct report *report)
{
    return print_json(report, report->rows, "[]");
}

int report_print_object(struct report *report)
{
    return print_json(report, report->row, NULL);
}

static void print_cell(const char *text, int width, bool last)
{
    pa_show_column(stdout, text, last ? 0 : width + 2);
    if (last)
        putchar('\n');
}

static void print_rows(const struct report *report, const struct report_column *columns,
                       const int *widths)
{
    for (const struct report_column *c = columns; c->key; ++c)
        print_cell(c->heading, widths[c - columns], !c[1].key);
    for (const struct report_column *c = columns; c->key; ++c) {
        for (int i = 0; i < widths[c - columns]; ++i)
            putchar('-');
        fputs(c[1].key ? "  " : "\n", stdout);
    }
    for (size_t row = 0; row < report_count(report); ++row)
        for (const struct report_column *c = columns; c->key; ++c)
            print_cell(report_value(report, row, c->key), widths[c - columns], !c[1].key);
}

enum { COLUMNS_MAX = 16 };

int report_print_table(struct report *report, const struct report_column *columns)
{
    int widths[COLUMNS_MAX] = {0};
    if (report->failed)
        return finish(report);
    for (size_t c = 0; columns[c].key; ++c) {
        widths[c] = (int)strlen(columns[c].heading);
        for (size_t row = 0; row < report_count(report); ++row) {
            const char *value = report_value(report, row, columns[c].key);
            int width = pa_show(NULL, value, strlen(value));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    print_rows(report, columns, widths);
    return finish(report);
}

int report_print_lines(struct report *report)
{
    int width = 0;
    if (report->failed || !report->row)
        return finish(report);
    json_object_object_foreach(report->row, name, unused)
    {
        (void)unused;
        width = (int)strlen(name) > width ? (int)strlen(name) : width;
    }
    json_object_object_foreach(report->row, key, value)
    {
        const char *text = text_of(value);
        print_cell(key, width, false);
        print_cell(text ? text : "-", 0, true);
    }
    return finish(report);
}
