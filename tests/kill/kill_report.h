#ifndef KILL_REPORT_H
#define KILL_REPORT_H

/*
 * What the kill tests share: a private folder for ports, one TAP line a test,
 * and the time.
 */

#include <stdbool.h>

enum {
    PATIENCE_MS = 2000, /* for whatever no killed process may keep from going on */
};

/* Makes a folder for this program's ports and names it in PORTS_DIR. Ends the program if it
 * cannot be made. */
void report_begin(void);

/* How many files the folder holds beside the counter of ids; `first` (32 bytes) names one. */
int report_files(char first[32]);

/* One test: `ok N - ...` or `not ok N - ...`. */
void report_case(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One test that cannot run here, with the reason. */
void report_skip(const char *name, const char *reason);

/* A line that explains: `# ...`. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Removes the folder, which must hold no port any more. The program's exit status. */
int report_end(void);

/* Milliseconds of CLOCK_MONOTONIC. */
long report_ms(void);

#endif
