/*
 * fanout - what it takes to tell WATCHERS connections of a change, beside a bare server that
 * sends them the same bytes; and what those who watch cost somebody who asks for a port.
 *
 * An event is timed from the request that causes it until the last watcher has read it. An
 * allocation is timed by itself; the changes go on in between, on another connection, at their
 * own pace, so that the manager has to look after the watchers while the allocation is asked
 * for. None of them concerns any watcher: what is compared is the manager's looking, not its
 * sending.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WATCHERS    1000
#define EVENTS      10 /* in a block */
#define ALLOCATIONS 200
#define PACE_US     1000 /* from one change to the next */
#define BLOCK_S     30
#define LIMIT_ASIDE 1.5

/* Whom the watchers of a server look for. */
enum interest { INTEREST_ALL, INTEREST_NAMES, INTEREST_PATTERNS };

/* A server with those who watch it. */
struct hall {
    struct server server;
    bool is_bare;
    int fds[WATCHERS];
    size_t count;
    int epoll;
    int changer; /* the connection that makes changes */
    int port;    /* which it changes */
    unsigned changes;
    double changed_us; /* when the latest change was made */
    struct reply reply;
};

static struct hall halls[3]; /* left, right, right again */

/* ---- servers and watchers ---- */

static void watch(struct hall *hall, enum interest interest)
{
    char keys[40] = "";
    char request[80];
    struct epoll_event event = {.events = EPOLLIN};
    int fd = exchange_open(&hall->server);
    int length;
    bool shows_port = interest == INTEREST_ALL && !hall->is_bare;

    if (interest != INTEREST_ALL) {
        snprintf(keys, sizeof(keys), " -name nobody_%zu%s", hall->count,
                 interest == INTEREST_PATTERNS ? "*" : "");
    }
    length = snprintf(request, sizeof(request), "HELLO 2\r\nWATCH%s\r\n", keys);
    /* Those who watch everything are shown the port of the one who changes it. */
    exchange_ask(fd, request, (size_t)length, shows_port ? 3 : 2, &hall->server, &hall->reply);
    event.data.fd = fd;
    if (epoll_ctl(hall->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        system_failed("epoll_ctl");
    }
    hall->fds[hall->count++] = fd;
}

/* The bare server takes anything for a HELLO. */
static void open_changer(struct hall *hall)
{
    static const char request[] = "HELLO 2\r\nALLOCATE changing\r\n";

    hall->changer = exchange_open(&hall->server);
    exchange_ask(hall->changer, request, sizeof(request) - 1, 2, &hall->server, &hall->reply);
    hall->port = (int)strtol(strchr(hall->reply.bytes, '\n') + strlen("\nOK "), NULL, 10);
    hall->server.held = 1;
}

static void hall_open(struct hall *hall, const struct config *config, bool is_bare,
                      size_t watchers, enum interest interest)
{
    const struct reply nothing = {.bytes = (char *)"OK 0\r\n", .length = 6, .number = 0};

    memset(hall, 0, sizeof(*hall));
    hall->is_bare = is_bare;
    if (is_bare) {
        server_start_bare(&hall->server, config, "bare", false, &nothing);
    } else {
        server_start_daemon(&hall->server, config, PORTS_LOW, PORTS_HIGH);
    }
    hall->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (hall->epoll < 0) {
        system_failed("epoll_create1");
    }
    proc_watch(BLOCK_S);
    open_changer(hall);
    while (hall->count < watchers) {
        watch(hall, interest);
    }
    proc_watch(0);
}

static void hall_close(struct hall *hall)
{
    for (size_t i = 0; i < hall->count; i++) {
        close(hall->fds[i]);
    }
    close(hall->changer);
    close(hall->epoll);
    server_stop(&hall->server);
    reply_deinit(&hall->reply);
}

/* ---- events ---- */

/* One event for everybody. The bare server is told what to send. */
static void make_event(struct hall *hall)
{
    char request[128];
    unsigned number = 10000 + hall->changes++;
    int length = hall->is_bare
                     ? snprintf(request, sizeof(request),
                                "EVENT %u change %d changing root {number %u}\r\n",
                                hall->changes, PORTS_HIGH, number)
                     : snprintf(request, sizeof(request),
                                "CHANGE %d -attributes {number %u}\r\n", hall->port, number);

    exchange_ask(hall->changer, request, (size_t)length, 1, &hall->server, &hall->reply);
}

/* A whole line each, since nobody is slow. Returns its bytes. */
static size_t read_event(const struct hall *hall, int fd)
{
    char line[256];
    ssize_t got = recv(fd, line, sizeof(line), MSG_DONTWAIT);

    if (got < 10 || memcmp(line, "EVENT ", 6) != 0 || line[got - 1] != '\n') {
        broken("%s told a watcher: %.*s", hall->server.name, got > 0 ? (int)got : 0, line);
    }
    return (size_t)got;
}

/* Returns how many bytes all of them got. */
static size_t read_events(const struct hall *hall)
{
    struct epoll_event events[64];
    size_t bytes = 0;
    size_t left = hall->count;

    while (left > 0) {
        int count = epoll_wait(hall->epoll, events, COUNT_OF(events), -1);

        if (count < 0) {
            proc_check();
        }
        for (int i = 0; i < count; i++) {
            bytes += read_event(hall, events[i].data.fd);
            left--;
        }
    }
    return bytes;
}

/* us an event to all of them. */
static double run_events(void *context, unsigned side)
{
    struct hall *hall = &((struct hall *)context)[side];
    double begun_us;
    size_t bytes = 0;

    proc_watch(BLOCK_S);
    make_event(hall);
    read_events(hall);
    begun_us = now_us();
    for (unsigned i = 0; i < EVENTS; i++) {
        make_event(hall);
        bytes += read_events(hall);
    }
    proc_watch(0);
    if (bytes < (size_t)EVENTS * WATCHERS * 40) {
        broken("%s sent %zu bytes only", hall->server.name, bytes);
    }
    return (now_us() - begun_us) / EVENTS;
}

/* ---- allocations beside watchers ---- */

static void change_if_due(struct hall *hall)
{
    if (now_us() - hall->changed_us >= PACE_US) {
        make_event(hall);
        hall->changed_us = now_us();
    }
}

static int compare_times(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;

    return (*a > *b) - (*a < *b);
}

/* The median of one block, us. */
static double run_allocations(void *context, unsigned side)
{
    static const char request[] = "ALLOCATE bench\r\n";
    struct hall *hall = &((struct hall *)context)[side];
    double times[ALLOCATIONS];
    int fd = exchange_open_greeted(&hall->server, &hall->reply);

    proc_watch(BLOCK_S);
    exchange_ask(fd, request, sizeof(request) - 1, 1, &hall->server, &hall->reply);
    for (unsigned i = 0; i < ALLOCATIONS; i++) {
        double begun_us;

        if (hall->count > 0) {
            change_if_due(hall);
        }
        begun_us = now_us();
        exchange_ask(fd, request, sizeof(request) - 1, 1, &hall->server, &hall->reply);
        times[i] = now_us() - begun_us;
        if (strncmp(hall->reply.bytes, "OK ", 3) != 0) {
            reply_is_unexpected(&hall->reply, &hall->server);
        }
    }
    close(fd);
    server_settle(&hall->server, true);
    proc_watch(0);
    qsort(times, ALLOCATIONS, sizeof(*times), compare_times);
    return times[ALLOCATIONS / 2];
}

/* ---- rows ---- */

static const struct fanout_task {
    const char *name;
    const char *left;
    const char *right;
    side_fn *run;
    bool beside_bare;
    enum interest interest;
    double limit;
} fanout_tasks[] = {
    {"an event to 1,000 watchers", "daemon", "bare", run_events, true, INTEREST_ALL,
     LIMIT_NONE},
    {"allocate, 1,000 watch other names", "watched", "unwatched", run_allocations, false,
     INTEREST_NAMES, LIMIT_ASIDE},
    {"allocate, 1,000 watch other patterns", "watched", "unwatched", run_allocations, false,
     INTEREST_PATTERNS, LIMIT_ASIDE},
};

static void run_fanout(const struct config *config, const struct fanout_task *task)
{
    struct contest contest = {.sides = COUNT_OF(halls)};
    struct row row = {
        .name = task->name,
        .unit = "us",
        .left_name = task->left,
        .right_name = task->right,
        .limit = task->limit,
    };

    for (size_t i = 0; i < COUNT_OF(halls); i++) {
        bool is_watched = i == 0 || task->beside_bare;

        hall_open(&halls[i], config, i > 0 && task->beside_bare, is_watched ? WATCHERS : 0,
                  task->interest);
    }
    for (unsigned round = 0; round < config->rounds; round++) {
        contest_round(&contest, task->run, halls, round);
    }
    for (size_t i = 0; i < COUNT_OF(halls); i++) {
        hall_close(&halls[i]);
    }
    contest_judge(&contest, 0, 1, 2, &row);
    row_print(&row);
    contest_deinit(&contest);
}

void measure_fanout(const struct config *config)
{
    for (size_t i = 0; i < COUNT_OF(fanout_tasks); i++) {
        const struct fanout_task *task = &fanout_tasks[i];

        if (!config_selects(config, task->name)) {
            continue;
        }
        row_head(task->left, task->right);
        for (enum placement p = config->first_placement; p <= config->last_placement; p++) {
            proc_place(p);
            run_fanout(config, task);
        }
    }
    proc_place(config->first_placement);
}
