/* What the kill tests share. */

#include "kill_report.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/dev/shm/ports-kill-XXXXXX";
static int cases, failures;

long report_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void report_begin(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(folder) || setenv("PORTS_DIR", folder, 1) < 0) {
        perror(folder);
        exit(111);
    }
}

int report_files(char first[32])
{
    DIR *stream = opendir(folder);
    int files = 0;
    const struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "ids") == 0)
            continue;
        if (files == 0)
            snprintf(first, 32, "%.31s", entry->d_name);
        files += 1;
    }
    if (stream)
        closedir(stream);
    return stream ? files : -1;
}

static void write_case(bool passed, const char *text)
{
    cases += 1;
    failures += !passed;
    printf("%s %d - %s\n", passed ? "ok" : "not ok", cases, text);
}

void report_case(bool passed, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_case(passed, text);
}

void report_skip(const char *name, const char *reason)
{
    cases += 1;
    printf("ok %d - %s # SKIP %s\n", cases, name, reason);
}

void report_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("# ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

int report_end(void)
{
    char first[32] = "";
    int files = report_files(first);
    report_case(files == 0, "no file is left%s%s", files == 0 ? "" : ": ", first);
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream)
        closedir(stream);
    rmdir(folder);
    printf("1..%d\n", cases);
    return failures > 0;
}
