/*
 * Calls Ports IPC as its arguments say, one call after the other:
 *
 *     ports-helper create 4 bind . jobs send . 7 8 receive . count .
 *
 * `.` is the id that create, named, getport or next returned last. In a name, \xNN is a
 * byte. Prints a line for each call: what it returned, or the name of its errno. The exit
 * code is 0, or 100 when the arguments make no sense.
 */

#include "sys/ports.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int last_id;

static void fail_usage(const char *word)
{
    fprintf(stderr, "ports-helper: what is \"%s\"?\n", word ? word : "");
    exit(100);
}

static bool is_number(const char *word)
{
    return word && *word && word[strspn(word, "-0123456789")] == '\0';
}

static long take_number(char ***words)
{
    const char *word = *(*words)++;
    if (!is_number(word))
        fail_usage(word);
    return strtol(word, NULL, 10);
}

static int take_id(char ***words)
{
    if (!**words || strcmp(**words, ".") != 0)
        return (int)take_number(words);
    ++*words;
    return last_id;
}

/* Decodes \xNN in place. */
static const char *take_name(char ***words)
{
    char *name = *(*words)++;
    if (!name)
        fail_usage(name);
    char *to = name;
    for (const char *from = name; *from; ++to) {
        unsigned byte;
        if (sscanf(from, "\\x%2x", &byte) == 1) {
            *to = (char)byte;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return name;
}

static void report(long r)
{
    if (r == -1)
        puts(strerrorname_np(errno));
    else
        printf("%ld\n", r);
    fflush(stdout);
}

static void report_id(int id)
{
    if (id > 0)
        last_id = id;
    report(id);
}

/* --------------------------------------------------------------- the calls -- */

static int show(long msg)
{
    printf("disposed %ld\n", msg);
    return 0;
}

static void call_create(char ***words)
{
    report_id(pcreate((int)take_number(words)));
}

static void call_named(char ***words)
{
    int count = (int)take_number(words);
    report_id(pcreate_named(count, take_name(words), 0, 0600));
}

static void call_bind(char ***words)
{
    int id = take_id(words);
    report(pbind(id, take_name(words)));
}

static void call_getport(char ***words)
{
    report_id(pgetport(take_name(words)));
}

static void call_next(char ***words)
{
    report_id(pnext(take_id(words)));
}

/* As many messages as numbers follow. */
static void call_send(char ***words)
{
    int id = take_id(words);
    do
        report(psend(id, take_number(words)));
    while (is_number(**words));
}

static void call_receive(char ***words)
{
    long msg;
    int id = take_id(words);
    report(preceive_r(id, &msg) == 0 ? msg : -1);
}

static void call_try(char ***words)
{
    long msg;
    int id = take_id(words);
    report(ptryreceive(id, &msg) == 0 ? msg : -1);
}

static void call_count(char ***words)
{
    report(pgetcount(take_id(words)));
}

static void call_reset(char ***words)
{
    report(preset(take_id(words), show));
}

static void call_delete(char ***words)
{
    report(pdelete(take_id(words), show));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*call)(char ***words);
    } table[] = {
        {"create", call_create}, {"named", call_named},     {"bind", call_bind},
        {"send", call_send},     {"receive", call_receive}, {"try", call_try},
        {"count", call_count},   {"reset", call_reset},     {"delete", call_delete},
        {"next", call_next},     {"getport", call_getport},
    };
    char **words = argv + (argc > 0);
    while (*words) {
        size_t i = 0;
        while (i < sizeof table / sizeof *table && strcmp(*words, table[i].name) != 0)
            ++i;
        if (i == sizeof table / sizeof *table)
            fail_usage(*words);
        ++words;
        table[i].call(&words);
    }
    return 0;
}
