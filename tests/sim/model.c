/* Which ports there are and who has them, as plain arrays and linear searches. */

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
const char *const model_users[MODEL_USERS] = {"fox", "ant", "fox b", "f", "root"};
const char *const model_attributes[MODEL_ATTRIBUTES] = {"", "k v", "a 1 b {x y}", "br\\{ace 1",
                                                        "\xC3\xA9 {}"};

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

/* Takes a port out of the line it stands in, if it is that one. */
static void leave_line(struct waiting_line *line, unsigned port)
{
    size_t i = 0;
    while (i < line->count && line->at[i].port != port)
        ++i;
    if (i == line->count)
        return;
    line->count -= 1;
    memmove(line->at + i, line->at + i + 1, (line->count - i) * sizeof *line->at);
}

static void leave_lines(unsigned port)
{
    leave_line(&model.ports.ready, port);
    leave_line(&model.ports.resting, port);
    leave_line(&model.ports.blocked, port);
}

static void block(unsigned port)
{
    leave_lines(port);
    stand_last(&model.ports.blocked, port);
}

static void return_to_line(struct waiting_line *line, uint64_t after_ms, int at_a_time)
{
    for (int i = 0; i < at_a_time && line->count > 0; ++i)
        if (model.now_ms - line->at[0].since_ms >= after_ms)
            stand_last(&model.ports.ready, leave_first(line));
}

static void wake(void)
{
    return_to_line(&model.ports.resting, model.quarantine_ms, RESTED_AT_A_TIME);
    return_to_line(&model.ports.blocked, RETRY_MS, BLOCKED_AT_A_TIME);
}

/* ------------------------------------------------------------- choosing -- */

/* The first port of a line that is at least so good; the others are blocked. */
static int choose(struct waiting_line *line, int worst, unsigned *port)
{
    for (size_t tries = line->count; tries > 0; --tries) {
        if (model.probe_fails)
            return -1;
        *port = leave_first(line);
        if (model.port_state[*port] <= worst)
            return 0;
        stand_last(&model.ports.blocked, *port);
    }
    return TABLE_E_NO_FREE_PORTS;
}

static int choose_any(unsigned *port)
{
    wake();
    int r = choose(&model.ports.ready, TABLE_PORT_FREE, port);
    if (r == TABLE_E_NO_FREE_PORTS)
        r = choose(&model.ports.resting, TABLE_PORT_FREE, port);
    if (r == TABLE_E_NO_FREE_PORTS)
        r = choose(&model.ports.blocked, TABLE_PORT_LINGERING, port);
    return r;
}

static int choose_this(unsigned port)
{
    if (port < model.low || port > model.high)
        return TABLE_E_NOT_MANAGED;
    if (model_at(port))
        return TABLE_E_IN_USE;
    if (model.probe_fails)
        return -1;
    if (model.port_state[port] == TABLE_PORT_IN_USE) {
        block(port);
        return TABLE_E_IN_USE;
    }
    leave_lines(port);
    return 0;
}

/*
 * Takes each port of a row, from above; the first that is not to be had is *bad. What was
 * taken stands where it stood then.
 */
static int choose_row(unsigned lowest, unsigned count, unsigned *bad)
{
    static struct free_ports before;
    before = model.ports;
    if (lowest < model.low || lowest > model.high)
        return TABLE_E_NOT_MANAGED;
    for (unsigned port = lowest + count; port-- > lowest;) {
        int r = choose_this(port);
        if (r == 0)
            continue;
        bool is_stranger = r == TABLE_E_IN_USE && !model_at(port);
        model.ports = before;
        if (is_stranger)
            block(port);
        *bad = port;
        return r < 0 ? r : TABLE_E_NO_BLOCK;
    }
    return 0;
}

static bool stands_in(const struct waiting_line *line, unsigned port)
{
    for (size_t i = 0; i < line->count; ++i)
        if (line->at[i].port == port)
            return true;
    return false;
}

/* The highest row of ports that are ready, or of those that nobody has. */
static int choose_highest_row(bool ready, unsigned count, unsigned *lowest)
{
    static bool fit[UINT16_MAX + 2];
    for (unsigned port = model.low; port <= model.high; ++port)
        fit[port] = ready ? stands_in(&model.ports.ready, port) : !model_at(port);
    for (unsigned port = model.high + 1, length = 0; port-- > model.low;) {
        unsigned bad = port;
        length = fit[port] ? length + 1 : 0;
        if (length < count)
            continue;
        int r = choose_row(port, count, &bad);
        *lowest = port;
        if (r <= 0)
            return r;
        fit[bad] = false; /* all over again, without it */
        port = model.high + 1;
        length = 0;
    }
    return TABLE_E_NO_BLOCK;
}

static int choose_any_row(unsigned count, unsigned *lowest)
{
    wake();
    int r = choose_highest_row(true, count, lowest);
    return r == TABLE_E_NO_BLOCK ? choose_highest_row(false, count, lowest) : r;
}

static int choose_ports(const struct wish *wish, unsigned *port)
{
    unsigned bad;
    if (wish->port == 0)
        return wish->count > 1 ? choose_any_row(wish->count, port) : choose_any(port);
    *port = wish->port;
    return wish->count > 1 ? choose_row(wish->port, wish->count, &bad)
                           : choose_this(wish->port);
}

/* ---------------------------------------------------------------- names -- */

const struct held *model_at(unsigned port)
{
    for (size_t i = 0; i < model.held_count; ++i)
        if (model.held[i].port == port)
            return &model.held[i];
    return NULL;
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

static void add(const struct wish *wish, unsigned port)
{
    char line[MODEL_LINE_BYTES];
    struct held *held = &model.held[model.held_count];
    *held = (struct held){.port = port,
                          .name = wish->name,
                          .user = wish->user,
                          .owner = wish->owner,
                          .attributes = wish->attributes,
                          .client = wish->client,
                          .in_kernel = wish->in_kernel};
    name_held(held);
    held->arrival = model.arrivals++;
    held->line_size = model_line(line, held);
    model.list_size += held->line_size;
    model.held_count += 1;
}

int model_allocate(const struct wish *wish, unsigned *port)
{
    if (wish->exact && model_find(model_names[wish->name], wish->user))
        return TABLE_E_TAKEN; /* no port is looked at */
    int r = choose_ports(wish, port);
    if (r != 0)
        return r;
    for (unsigned i = 0; i < wish->count; ++i)
        add(wish, *port + i);
    return 0;
}

void model_release(unsigned port)
{
    struct held *held = &model.held[model_at(port) - model.held];
    if (model.quarantine_ms == 0)
        stand_first(&model.ports.ready, port);
    else
        stand_last(&model.ports.resting, port);
    model.list_size -= held->line_size;
    *held = model.held[--model.held_count];
}

void model_leave(unsigned client)
{
    for (;;) {
        const struct held *latest = NULL;
        for (size_t i = 0; i < model.held_count; ++i)
            if (model.held[i].client == client &&
                (!latest || model.held[i].arrival > latest->arrival))
                latest = &model.held[i];
        if (!latest)
            return;
        model_release(latest->port);
    }
}

void model_change(unsigned port, unsigned attributes)
{
    for (size_t i = 0; i < model.held_count; ++i)
        if (model.held[i].port == port)
            model.held[i].attributes = attributes;
}

size_t model_count_of(unsigned client)
{
    size_t count = 0;
    for (size_t i = 0; i < model.held_count; ++i)
        count += model.held[i].client == client;
    return count;
}

size_t model_charged_to(unsigned owner)
{
    size_t count = 0;
    for (size_t i = 0; i < model.held_count; ++i)
        count += model.held[i].owner == owner;
    return count;
}

size_t model_in_kernel(void)
{
    size_t count = 0;
    for (size_t i = 0; i < model.held_count; ++i)
        count += model.held[i].in_kernel;
    return count;
}

size_t model_users_count(void)
{
    size_t count = 0;
    bool seen[MODEL_USERS] = {false};
    for (size_t i = 0; i < model.held_count; ++i) {
        count += !seen[model.held[i].user];
        seen[model.held[i].user] = true;
    }
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
    model.ports.ready.count = model.ports.resting.count = model.ports.blocked.count = 0;
    model.probe_fails = false;
    model.low = low;
    model.high = high;
    for (unsigned port = high; port >= low; --port) /* highest first */
        stand_last(&model.ports.ready, port);
}
