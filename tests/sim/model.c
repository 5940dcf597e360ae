/* What the manager promises, as plain arrays and linear searches. */

#include "model.h"

#include "table.h"

#include <tcl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rules' constants: doc/ and table.h name them. */
enum {
    RETRY_MS = 5000,       /* a port in use is looked at again after this */
    RESTED_AT_A_TIME = 16, /* ports that have rested and stand in line again, a request */
    BLOCKED_AT_A_TIME = 1, /* likewise of those once in use */
};

/* Names and users that clients ask for; as a model knows them, not as they are sent. */
const char *const model_names[MODEL_NAMES] = {
    "a",      "b",   "a_1", "a_2",  "a_1_1", "two words",         "br{ace",
    "a b",    "#h",  "$x",  "q\"q", "a;b",   "\xC3\xA9t\xC3\xA9", "A",
    "back\\", "[x]", "a_",  "}"};
const char *const model_users[MODEL_USERS] = {"fox", "ant", "fox b", "f"};

struct model model;

static char *sort_keys[MODEL_NAMES][MODEL_USERS]; /* the lists {user name} */

/* ------------------------------------------------------------------ lines -- */

static void stand_last(struct waiting_line *line, unsigned port)
{
    line->at[line->count++] = (struct waiting){port, model.now_ms};
}

static void stand_first(struct waiting_line *line, unsigned port)
{
    memmove(line->at + 1, line->at, line->count * sizeof *line->at);
    line->at[0] = (struct waiting){port, model.now_ms};
    line->count += 1;
}

static unsigned leave_first(struct waiting_line *line)
{
    unsigned port = line->at[0].port;
    line->count -= 1;
    memmove(line->at, line->at + 1, line->count * sizeof *line->at);
    return port;
}

static void return_to_line(struct waiting_line *line, uint64_t after_ms, int at_a_time)
{
    for (int i = 0; i < at_a_time && line->count > 0; ++i)
        if (model.now_ms - line->at[0].since_ms >= after_ms)
            stand_last(&model.ready, leave_first(line));
}

/* The first port of a line that is at least so good; the others are blocked. 0: none, -1:
 * cannot tell. */
static int choose(struct waiting_line *line, int worst)
{
    for (size_t tries = line->count; tries > 0; --tries) {
        if (model.probe_fails)
            return -1;
        unsigned port = leave_first(line);
        if (model.port_state[port] <= worst)
            return (int)port;
        stand_last(&model.blocked, port);
    }
    return 0;
}

static int choose_port(void)
{
    return_to_line(&model.resting, model.quarantine_ms, RESTED_AT_A_TIME);
    return_to_line(&model.blocked, RETRY_MS, BLOCKED_AT_A_TIME);
    int port = choose(&model.ready, TABLE_PORT_FREE);
    if (port == 0)
        port = choose(&model.resting, TABLE_PORT_FREE);
    if (port == 0)
        port = choose(&model.blocked, TABLE_PORT_LINGERING);
    return port;
}

const struct held *model_find(const char *bears, unsigned user)
{
    for (size_t i = 0; i < model.held_count; ++i)
        if (model.held[i].user == user && strcmp(model.held[i].bears, bears) == 0)
            return &model.held[i];
    return NULL;
}

static const struct held *find_suffix(unsigned name, unsigned user, unsigned suffix)
{
    for (size_t i = 0; i < model.held_count; ++i)
        if (model.held[i].user == user && model.held[i].name == name &&
            model.held[i].suffix == suffix)
            return &model.held[i];
    return NULL;
}

static void name_held(struct held *held)
{
    held->suffix = 0;
    snprintf(held->bears, sizeof held->bears, "%s", model_names[held->name]);
    while (find_suffix(held->name, held->user, held->suffix) ||
           model_find(held->bears, held->user)) {
        held->suffix += 1;
        snprintf(held->bears, sizeof held->bears, "%s_%u", model_names[held->name],
                 held->suffix);
    }
}

size_t model_line(char line[MODEL_LINE_BYTES], const struct held *held)
{
    char port[8];
    snprintf(port, sizeof port, "%u", held->port);
    const char *words[3] = {port, held->bears, model_users[held->user]};
    char *list = Tcl_Merge(3, words);
    int made = snprintf(line, MODEL_LINE_BYTES, "%s\r\n", list);
    Tcl_Free(list);
    return (size_t)made;
}

int model_allocate(unsigned client, unsigned name, unsigned user)
{
    char line[MODEL_LINE_BYTES];
    int port = choose_port();
    if (port <= 0)
        return port;
    struct held *held = &model.held[model.held_count];
    *held = (struct held){.port = (unsigned)port, .name = name, .user = user, .client = client};
    name_held(held);
    held->arrival = model.arrivals++;
    held->line_size = model_line(line, held);
    model.list_size += held->line_size;
    model.held_count += 1;
    return port;
}

void model_leave(unsigned client)
{
    for (;;) {
        struct held *latest = NULL;
        for (size_t i = 0; i < model.held_count; ++i)
            if (model.held[i].client == client &&
                (!latest || model.held[i].arrival > latest->arrival))
                latest = &model.held[i];
        if (!latest)
            return;
        if (model.quarantine_ms == 0)
            stand_first(&model.ready, latest->port);
        else
            stand_last(&model.resting, latest->port);
        model.list_size -= latest->line_size;
        *latest = model.held[--model.held_count];
    }
}

size_t model_count_of(unsigned client)
{
    size_t count = 0;
    for (size_t i = 0; i < model.held_count; ++i)
        count += model.held[i].client == client;
    return count;
}

static int compare_ports(unsigned a, unsigned b)
{
    char x[8], y[8];
    snprintf(x, sizeof x, "%u", a);
    snprintf(y, sizeof y, "%u", b);
    return strcmp(x, y);
}

static int compare_listed(const void *a, const void *b)
{
    const struct held *x = a, *y = b;
    int order = strcmp(sort_keys[x->name][x->user], sort_keys[y->name][y->user]);
    return order ? order : compare_ports(x->port, y->port);
}

static int compare_used(const void *a, const void *b)
{
    const struct held *x = a, *y = b;
    return compare_ports(x->port, y->port);
}

static const struct held *sorted(int (*compare)(const void *, const void *))
{
    static struct held copy[MODEL_PORTS];
    memcpy(copy, model.held, model.held_count * sizeof *copy);
    qsort(copy, model.held_count, sizeof *copy, compare);
    return copy;
}

const struct held *model_listed(void)
{
    return sorted(compare_listed);
}

const struct held *model_used(void)
{
    return sorted(compare_used);
}

/* ------------------------------------------------------------------ whole -- */

void model_init(void)
{
    for (unsigned name = 0; name < MODEL_NAMES; ++name)
        for (unsigned user = 0; user < MODEL_USERS; ++user) {
            const char *words[2] = {model_users[user], model_names[name]};
            sort_keys[name][user] = Tcl_Merge(2, words);
        }
}

void model_deinit(void)
{
    for (unsigned name = 0; name < MODEL_NAMES; ++name)
        for (unsigned user = 0; user < MODEL_USERS; ++user)
            Tcl_Free(sort_keys[name][user]);
}

void model_begin(unsigned low, unsigned high, uint64_t quarantine_ms)
{
    memset(model.port_state, TABLE_PORT_FREE, sizeof model.port_state);
    model.quarantine_ms = quarantine_ms;
    model.held_count = model.list_size = 0;
    model.ready.count = model.resting.count = model.blocked.count = 0;
    model.probe_fails = false;
    for (unsigned port = high; port >= low; --port) /* highest first */
        stand_last(&model.ready, port);
}
