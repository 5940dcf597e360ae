#ifndef CTL_REPORT_H
#define CTL_REPORT_H

/*
 * What a sub-command has found out, as rows of keys and values: a JSON array of
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

struct ctl_report {
    struct json_object *rows; /* NULL: none yet, or out of memory */
    struct json_object *row;  /* the last one, in `rows` */
    bool failed;
};

#define CTL_REPORT_NULL                                                                        \
    {                                                                                          \
        .rows = NULL                                                                           \
    }

/* A column of a table. */
struct ctl_column {
    const char *heading;
    const char *key; /* of the rows; NULL ends a list of columns */
};

/* Begins a row. */
void ctl_report_row(struct ctl_report *report);

/* Adds to the row. A number below 0 is one that is not known: null. */
void ctl_report_number(struct ctl_report *report, const char *key, int64_t number);

/* Text of `size` bytes; what is not UTF-8 is taken for Latin-1. NULL: not known. */
void ctl_report_text(struct ctl_report *report, const char *key, const char *text, size_t size);

/* The same to the NUL. */
void ctl_report_string(struct ctl_report *report, const char *key, const char *text);

/* A Tcl list of keys and values, `size` bytes of it, as an object. */
void ctl_report_attributes(struct ctl_report *report, const char *key, const char *list,
                           size_t size);

/* The rows of another report as an array; that is empty then. */
void ctl_report_rows(struct ctl_report *report, const char *key, struct ctl_report *rows);

/* Adds to the row what a port is: port, name, user and, if wanted, attributes. */
void ctl_report_entry(struct ctl_report *report, const struct pa_listing_entry *entry,
                      bool attributes);

/* Adds a row for each entry of a listing. */
void ctl_report_listing(struct ctl_report *report, const struct pa_listing *listing,
                        bool attributes);

/* The columns of those with attributes. */
extern const struct ctl_column ctl_report_found[];

/* How many rows there are. */
size_t ctl_report_count(const struct ctl_report *report);

/* The value of a row as text, never NULL; "-" for what is not known or not there. */
const char *ctl_report_value(const struct ctl_report *report, size_t row, const char *key);

/*
 * These print to standard output and free the report: as JSON in one line; as a
 * table with a heading; as one line for each key of the first row. EXIT_DONE, or
 * EXIT_SYSTEM with a complaint.
 */
int ctl_report_print_json(struct ctl_report *report);
int ctl_report_print_table(struct ctl_report *report, const struct ctl_column *columns);
int ctl_report_print_lines(struct ctl_report *report);

/* The same: the last row as a JSON object in one line. */
int ctl_report_print_object(struct ctl_report *report);

/* Frees what the report owns and leaves it empty. */
void ctl_report_deinit(struct ctl_report *report);

#endif
