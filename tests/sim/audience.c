/* Clients who watch, as they see it. */

#include "audience.h"

#include "chance.h"
#include "differ.h"
#include "model.h"
#include "promise.h"

#include "pa_buf.h"

#include <tcl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOW_BYTES = 60, /* that a slow one reads at a time */
    WEIGHT =
        300, /* a byte for a slow one counts for so many, so that its queue fills up soon */
};

enum pace { QUICK, SLOW, STOPPED };

static struct spectator {
    bool watches;
    enum pace pace;
    const char *name_pattern;
    const char *user_pattern;
    struct pa_buf unread;        /* sent, and not yet read */
    struct pa_buf line;          /* read, and not yet whole */
    unsigned long long number;   /* of the latest event */
    size_t lines_left;           /* of a snapshot */
    char *known[UINT16_MAX + 1]; /* lines as they were told, by port */
    size_t known_count;
} spectators[PROMISE_PARTIES];

static struct {
    unsigned long long events;
    unsigned long long snapshots; /* of the events */
    unsigned long long compared;  /* tables */
} totals;

/* ------------------------------------------------------------ what it knows -- */

static unsigned port_in(const char *line)
{
    unsigned long port = strtoul(line, NULL, 10);
    if (port < model.low || port > model.high)
        differ("a watcher is told of a port that there is not: %s", line);
    return (unsigned)port;
}

static void learn(struct spectator *spectator, const char *line)
{
    unsigned port = port_in(line);
    spectator->known_count += spectator->known[port] == NULL;
    free(spectator->known[port]);
    spectator->known[port] = must(strdup(line));
}

static void forget(struct spectator *spectator, unsigned port)
{
    spectator->known_count -= spectator->known[port] != NULL;
    free(spectator->known[port]);
    spectator->known[port] = NULL;
}

static void forget_all(struct spectator *spectator)
{
    for (unsigned port = model.low; port <= model.high; ++port)
        forget(spectator, port);
}

/* ------------------------------------------------------------ what it is told -- */

static void take_change(struct spectator *spectator, const char *what, const char *line)
{
    const char *known = spectator->known[port_in(line)];
    if (strcmp(what, "add") == 0 ? known != NULL : !known)
        differ("a watcher knew otherwise: %s %s", what, line);
    if (strcmp(what, "remove") == 0) {
        if (strcmp(known, line) != 0)
            differ("a watcher is told of the end of %s, and knew %s", line, known);
        forget(spectator, port_in(line));
    } else {
        learn(spectator, line);
    }
}

static void take_event(struct spectator *spectator, const char *line)
{
    unsigned long long number;
    char what[16];
    int at = 0;
    if (sscanf(line, "EVENT %llu %15s %n", &number, what, &at) != 2 || at == 0)
        differ("a watcher is sent %s", line);
    if (number != ++spectator->number)
        differ("event %llu is %s", spectator->number, line);
    totals.events += 1;
    if (strcmp(what, "snapshot") != 0) {
        take_change(spectator, what, line + at);
        return;
    }
    totals.snapshots += 1;
    spectator->lines_left = strtoul(line + at, NULL, 10);
    forget_all(spectator);
}

static void take_line(struct spectator *spectator, const char *line)
{
    if (spectator->lines_left == 0) {
        take_event(spectator, line);
        return;
    }
    spectator->lines_left -= 1;
    if (spectator->known[port_in(line)])
        differ("a snapshot tells twice of %s", line);
    learn(spectator, line);
}

static void append(struct pa_buf *buf, const char *text, size_t size)
{
    if (pa_buf_append(buf, text, size) < 0)
        must(NULL);
}

static void take(struct spectator *spectator, const char *text, size_t size)
{
    struct pa_buf *line = &spectator->line;
    for (const char *end = text + size; text < end;) {
        const char *lf = memchr(text, '\n', (size_t)(end - text));
        append(line, text, (size_t)((lf ? lf : end) - text));
        text = lf ? lf + 1 : end;
        if (!lf)
            break;
        if (line->size == 0 || line->data[line->size - 1] != '\r')
            differ("a line ends without CR");
        line->data[line->size - 1] = '\0';
        take_line(spectator, line->data);
        line->size = 0;
    }
}

/* ------------------------------------------------------------ coming and going -- */

void audience_leave(unsigned client)
{
    struct spectator *spectator = &spectators[client];
    if (!spectator->watches)
        return;
    forget_all(spectator);
    pa_buf_deinit(&spectator->unread);
    pa_buf_deinit(&spectator->line);
    spectator->watches = false;
}

void audience_join(unsigned client, const char *name_pattern, const char *user_pattern,
                   const char *answer, size_t size)
{
    struct spectator *spectator = &spectators[client];
    const char *lines = (const char *)memchr(answer, '\n', size) + 1;
    audience_leave(client);
    spectator->watches = true;
    spectator->pace = (enum pace)chance_below(3);
    spectator->name_pattern = name_pattern;
    spectator->user_pattern = user_pattern;
    spectator->number = 0;
    spectator->lines_left = strtoul(answer + strlen("OK "), NULL, 10);
    take(spectator, lines, size - (size_t)(lines - answer));
}

bool audience_watches(unsigned client)
{
    return spectators[client].watches;
}

size_t audience_count(void)
{
    size_t count = 0;
    for (unsigned client = 0; client < PROMISE_PARTIES; ++client)
        count += spectators[client].watches;
    return count;
}

/* ----------------------------------------------------------------- reading -- */

void audience_send(unsigned client, const char *text, size_t size)
{
    if (!spectators[client].watches)
        differ("client %u does not watch and is told %.*s", client, (int)size, text);
    append(&spectators[client].unread, text, size);
}

size_t audience_unsent(unsigned client)
{
    const struct spectator *spectator = &spectators[client];
    return spectator->unread.size * (spectator->pace == QUICK ? 1 : WEIGHT);
}

bool audience_read(unsigned client)
{
    struct spectator *spectator = &spectators[client];
    struct pa_buf *unread = &spectator->unread;
    if (chance_below(50) == 0)
        spectator->pace = (enum pace)chance_below(3);
    size_t size = spectator->pace == QUICK ? unread->size : SLOW_BYTES;
    if (size > unread->size)
        size = unread->size;
    if (spectator->pace == STOPPED || size == 0)
        return false;
    take(spectator, unread->data, size);
    memmove(unread->data, unread->data + size, unread->size - size);
    unread->size -= size;
    return unread->size == 0;
}

/* --------------------------------------------------------------- comparing -- */

static bool matches(const char *pattern, const char *text)
{
    return !pattern || Tcl_StringMatch(text, pattern);
}

static void compare_known(unsigned client, const struct held *held)
{
    const char *known = spectators[client].known[held->port];
    char port[12];
    snprintf(port, sizeof port, "%u", held->port);
    char *line = Tcl_Merge(4, (const char *const[]){port, held->bears, model_users[held->user],
                                                    model_attributes[held->attributes]});
    if (!known || strcmp(known, line) != 0)
        differ("watcher %u knows %s, not %s", client, known ? known : "nothing", line);
    Tcl_Free(line);
}

void audience_compare(unsigned client)
{
    const struct spectator *spectator = &spectators[client];
    size_t count = 0;
    if (!spectator->watches || spectator->unread.size > 0)
        return;
    if (spectator->lines_left > 0 || spectator->line.size > 0)
        differ("watcher %u was sent the half of something", client);
    for (size_t i = 0; i < model.held_count; ++i) {
        const struct held *held = &model.held[i];
        if (!matches(spectator->name_pattern, held->bears) ||
            !matches(spectator->user_pattern, model_users[held->user]))
            continue;
        compare_known(client, held);
        count += 1;
    }
    if (count != spectator->known_count)
        differ("watcher %u knows %zu ports, not %zu", client, spectator->known_count, count);
    totals.compared += 1;
}

void audience_print(void)
{
    printf("%llu events, %llu of them snapshots; %llu tables compared\n", totals.events,
           totals.snapshots, totals.compared);
}
