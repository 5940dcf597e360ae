#ifndef REPORT_H
#define REPORT_H

/*
 * What a tool has found out, as rows of keys and values: a JSON array of
 * objects, and the same for a person.
 *
 * A report that ran out of memory says so when it is printed; until then it takes
 * calls and ignores them.
 */

#include "pa_listing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

struct report {
    struct json_object *rows; /* NULL: none yet, or out of memory */
    struct json_object *row;  /* the last one, in `rows` */
    bool failed;
};

#define REPORT_NULL                                                                            \
    {                                                                                          \
        .rows = NULL                                                                           \
    }

/* A column of a table. */
struct report_column {
    const char *heading;
    const char *key; /* of the rows; NULL ends a list of columns */
};

/* Begins a row. */
void report_row(struct report *report);

/* Adds to the row. A number below 0 is one that is not known: null. */
void report_number(struct report *report, const char *key, int64_t number);

/* Text of `size` bytes; what is not UTF-8 is taken for Latin-1. NULL: not known. */
void report_text(struct report *report, const char *key, const char *text, size_t size);

/* The same to the NUL. */
void report_string(struct report *report, const char *key, const char *text);

/* A Tcl list of keys and values, `size` bytes of it, as an object. */
void report_attributes(struct report *report, const char *key, const char *list, size_t size);

/* The rows of another report as an array; that is empty then. */
void report_rows(struct report *report, const char *key, struct report *rows);

/* Adds to the row what a port is: port, name, user and, if wanted, attributes. */
void report_entry(struct report *report, const struct pa_listing_entry *entry, bool attributes);

/* Adds a row for each entry of a listing. */
void report_listing(struct report *report, const struct pa_listing *listing, bool attributes);

/* The columns of those with attributes. */
extern const struct report_column report_found[];

/* How many rows there are. */
size_t report_count(const struct report *report);

/* The value of a row as text, never NULL; "-" for what is not known or not there. */
const char *report_value(const struct report *report, size_t row, const char *key);

/*
 * These print to standard output and free the report: as JSON in one line; as a
 * table with a heading; as one line for each key of the first row. EXIT_DONE, or
 * EXIT_SYSTEM with a complaint.
 */
int report_print_json(struct report *report);
int report_print_table(struct report *report, const struct report_column *columns);
int report_print_lines(struct report *report);

/* The same: the last row as a JSON object in one line. */
int report_print_object(struct report *report);

/* Frees what the report owns and leaves it empty. */
void report_deinit(struct report *report);

#endif
