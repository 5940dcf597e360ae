/* What a sub-command has found out, as json-c's objects. */

#include "ctl_report.h"

#include "ctl.h"
#include "pa_show.h"
#include "pa_text.h"
#include "pa_wire.h"

#include <json-c/json.h>

#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------- rows -- */

/* Adds `value`, which is the report's from here on; NULL: there was no memory for it. */
static void add(struct ctl_report *report, struct json_object *object, const char *key,
                struct json_object *value)
{
    if (value && object && json_object_object_add(object, key, value) == 0)
        return;
    json_object_put(value);
    report->failed = true;
}

void ctl_report_row(struct ctl_report *report)
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
static void add_null(struct ctl_report *report, const char *key)
{
    if (!report->row || json_object_object_add(report->row, key, NULL) != 0)
        report->failed = true;
}

void ctl_report_number(struct ctl_report *report, const char *key, int64_t number)
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

void ctl_report_text(struct ctl_report *report, const char *key, const char *text, size_t size)
{
    if (text)
        add(report, report->row, key, new_text(text, size));
    else
        add_null(report, key);
}

void ctl_report_string(struct ctl_report *report, const char *key, const char *text)
{
    ctl_report_text(report, key, text, text ? strlen(text) : 0);
}

void ctl_report_attributes(struct ctl_report *report, const char *key, const char *list,
                           size_t size)
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

void ctl_report_rows(struct ctl_report *report, const char *key, struct ctl_report *rows)
{
    report->failed |= rows->failed;
    add(report, report->row, key, rows->rows ? rows->rows : json_object_new_array());
    *rows = (struct ctl_report)CTL_REPORT_NULL;
}

void ctl_report_entry(struct ctl_report *report, const struct pa_listing_entry *entry,
                      bool attributes)
{
    ctl_report_number(report, "port", entry->port);
    ctl_report_text(report, "name", entry->name, entry->name_size);
    ctl_report_text(report, "user", entry->user, entry->user_size);
    if (attributes)
        ctl_report_attributes(report, "attributes", pa_listing_attributes(entry),
                              entry->attributes_size);
}

void ctl_report_listing(struct ctl_report *report, const struct pa_listing *listing,
                        bool attributes)
{
    for (size_t i = 0; i < listing->count; ++i) {
        ctl_report_row(report);
        ctl_report_entry(report, &listing->entries[i], attributes);
    }
}

const struct ctl_column ctl_report_found[] = {{"Port", "port"},
                                              {"Name", "name"},
                                              {"User", "user"},
                                              {"Attributes", "attributes"},
                                              {NULL, NULL}};

size_t ctl_report_count(const struct ctl_report *report)
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

const char *ctl_report_value(const struct ctl_report *report, size_t row, const char *key)
{
    struct json_object *object = json_object_array_get_idx(report->rows, row);
    const char *text = text_of(json_object_object_get(object, key));
    return text ? text : "-";
}

void ctl_report_deinit(struct ctl_report *report)
{
    json_object_put(report->rows);
    *report = (struct ctl_report)CTL_REPORT_NULL;
}

/* --------------------------------------------------------------- output -- */

/* Frees the report. */
static int finish(struct ctl_report *report)
{
    bool failed = report->failed;
    ctl_report_deinit(report);
    return failed ? ctl_fail_memory() : EXIT_DONE;
}

/* Frees the report; `object` is of it, NULL if there is none. */
static int print_json(struct ctl_report *report, struct json_object *object, const char *none)
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

int ctl_report_print_json(struct ctl_report *report)
{
    return print_json(report, report->rows, "[]");
}

int ctl_report_print_object(struct ctl_report *report)
{
    return print_json(report, report->row, NULL);
}

static void print_cell(const char *text, int width, bool last)
{
    pa_show_column(stdout, text, last ? 0 : width + 2);
    if (last)
        putchar('\n');
}

static void print_rows(const struct ctl_report *report, const struct ctl_column *columns,
                       const int *widths)
{
    for (const struct ctl_column *c = columns; c->key; ++c)
        print_cell(c->heading, widths[c - columns], !c[1].key);
    for (const struct ctl_column *c = columns; c->key; ++c) {
        for (int i = 0; i < widths[c - columns]; ++i)
            putchar('-');
        fputs(c[1].key ? "  " : "\n", stdout);
    }
    for (size_t row = 0; row < ctl_report_count(report); ++row)
        for (const struct ctl_column *c = columns; c->key; ++c)
            print_cell(ctl_report_value(report, row, c->key), widths[c - columns], !c[1].key);
}

enum { COLUMNS_MAX = 16 };

int ctl_report_print_table(struct ctl_report *report, const struct ctl_column *columns)
{
    int widths[COLUMNS_MAX] = {0};
    if (report->failed)
        return finish(report);
    for (size_t c = 0; columns[c].key; ++c) {
        widths[c] = (int)strlen(columns[c].heading);
        for (size_t row = 0; row < ctl_report_count(report); ++row) {
            const char *value = ctl_report_value(report, row, columns[c].key);
            int width = pa_show(NULL, value, strlen(value));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    print_rows(report, columns, widths);
    return finish(report);
}

int ctl_report_print_lines(struct ctl_report *report)
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
