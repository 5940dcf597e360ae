/*
 * Watching who has which port, across restarts of the manager.
 *
 * The happy path: a task connects, HELLO and WATCH are sent, and what the
 * manager sends from then on are events.
 *
 * What can fail: the manager does not know WATCH. Then tasks ask for its list,
 * again and again, each on a connection of its own, until one finds that the
 * manager has been replaced by one that knows it. The host of the manager vanishes,
 * which nobody says: the kernel asks now and then. The connection ends, an answer
 * is late, the protocol is broken, memory is short: all is dropped, the caller
 * told once, and after a pause it begins anew.
 */

#include "pa_follow.h"

#include "pa_task.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static_assert((int)PA_FOLLOW_WAIT == (int)PA_TASK_WAIT, "what a task returns is handed on");

enum { RECEIVE_BYTES = 64 * 1024 };

enum { FOUND = PA_FOLLOW_WAIT + 1 }; /* an event; 0 is: there is another state, go on */

static const char watched[] = "while it was watched";

enum state {
    PAUSING,    /* until it is tried again */
    CONNECTING, /* the task does */
    WATCHING,   /* on the task's connection */
    POLLING,    /* the task does */
    COMPARING,  /* the list that it brought */
    IDLING,     /* until the list is asked for again */
};

struct pa_follow {
    enum state state;
    struct pa_task task;
    struct pa_errand errand; /* the task's, while it asks for a list */
    bool has_task;
    struct pa_watch watch;
    struct pa_wait wait;
    struct pa_deadline deadline; /* of the first answer */
    struct pa_buf request;
    size_t sent;         /* bytes of it */
    char *received;      /* RECEIVE_BYTES */
    const char *at;      /* what is not looked at yet, */
    const char *end;     /* of that */
    struct pa_keys keys; /* patterns, which are in `text` */
    char *text;
    unsigned failures; /* in a row */
    int poll_ms;
    int timeout_ms;
    int port;
    char host[];
};

/* ------------------------------------------------------------- lifetime -- */

static void drop_task(struct pa_follow *follow)
{
    if (follow->has_task)
        pa_task_deinit(&follow->task);
    pa_errand_deinit(&follow->errand);
    follow->has_task = false;
}

struct pa_follow *pa_follow_free(struct pa_follow *follow)
{
    if (!follow)
        return NULL;
    drop_task(follow);
    pa_watch_deinit(&follow->watch);
    pa_buf_deinit(&follow->request);
    free(follow->received);
    free(follow->text);
    free(follow);
    return NULL;
}

/* Copies a pattern to *end, and advances that. */
static const char *put(char **end, const char *pattern)
{
    if (!pattern)
        return NULL;
    const char *copy = *end;
    size_t size = strlen(pattern) + 1;
    memcpy(*end, pattern, size);
    *end += size;
    return copy;
}

static size_t text_size(const char *pattern)
{
    return pattern ? strlen(pattern) + 1 : 0;
}

static struct pa_follow *make(const char *host, int port, const char *name_pattern,
                              const char *user_pattern)
{
    size_t size = strlen(host) + 1;
    struct pa_follow *follow = malloc(sizeof *follow + size);
    if (!follow)
        return NULL;
    *follow = (struct pa_follow){.watch = PA_WATCH_INIT,
                                 .keys = PA_KEYS_INIT,
                                 .errand = {.fd = -1},
                                 .poll_ms = PA_FOLLOW_POLL_MS,
                                 .port = port};
    memcpy(follow->host, host, size);
    follow->received = malloc(RECEIVE_BYTES);
    follow->text = malloc(text_size(name_pattern) + text_size(user_pattern) + 1);
    if (!follow->received || !follow->text)
        return pa_follow_free(follow);
    char *end = follow->text;
    follow->keys.name_pattern = put(&end, name_pattern);
    follow->keys.user_pattern = put(&end, user_pattern);
    return follow;
}

int pa_follow_new(struct pa_follow **made, const char *host, int port, const char *name_pattern,
                  const char *user_pattern, int timeout_ms, struct pa_failure *why)
{
    struct pa_follow *follow = make(host ? host : "", port, name_pattern, user_pattern);
    if (!follow)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    follow->timeout_ms = timeout_ms;
    follow->wait = (struct pa_wait){.fd = -1, .until = pa_deadline_in(0)};
    int r = pa_watch_request(&follow->request, name_pattern, user_pattern, why);
    *made = r == 0 ? follow : pa_follow_free(follow);
    return r < 0 ? pa_failure_set(why, PA_E_CLIENT_MEMORY) : r;
}

void pa_follow_set_poll(struct pa_follow *follow, int poll_ms)
{
    follow->poll_ms = poll_ms;
}

bool pa_follow_polls(const struct pa_follow *follow)
{
    return follow->state >= POLLING;
}

const struct pa_wait *pa_follow_wait(const struct pa_follow *follow)
{
    return &follow->wait;
}

/* ---------------------------------------------------------------- waiting -- */

int pa_follow_pause_ms(unsigned failures, uint32_t random)
{
    int whole = PA_FOLLOW_FIRST_MS;
    for (unsigned i = 1; i < failures && whole < PA_FOLLOW_LONGEST_MS; ++i)
        whole *= 2;
    if (whole > PA_FOLLOW_LONGEST_MS)
        whole = PA_FOLLOW_LONGEST_MS;
    return whole - (int)(random % (unsigned)(whole / 2 + 1));
}

static uint32_t draw(void)
{
    uint32_t random;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint32_t)pa_socket_now_ns();
    return random;
}

static void rest(struct pa_follow *follow, enum state state, int ms)
{
    follow->state = state;
    follow->wait = (struct pa_wait){.fd = -1, .until = pa_deadline_in(ms)};
}

static bool is_resting(const struct pa_follow *follow)
{
    return pa_deadline_left_ms(&follow->wait.until) > 0;
}

/* Drops all, for a while. Returns r if that is news, else PA_FOLLOW_WAIT. */
static int give_up(struct pa_follow *follow, int r)
{
    drop_task(follow);
    pa_watch_deinit(&follow->watch);
    if (follow->failures < UINT_MAX)
        ++follow->failures;
    rest(follow, PAUSING, pa_follow_pause_ms(follow->failures, draw()));
    return follow->failures == 1 ? r : PA_FOLLOW_WAIT;
}

bool pa_follow_break(struct pa_follow *follow)
{
    return give_up(follow, PA_E_CLOSED) != PA_FOLLOW_WAIT;
}

/* ------------------------------------------------------------------ tasks -- */

static int begin_task(struct pa_follow *follow, enum state state, struct pa_failure *why)
{
    drop_task(follow);
    follow->state = state;
    follow->has_task = true;
    bool asks = state == POLLING;
    int r = pa_task_init(&follow->task, NULL, follow->host, follow->port,
                         asks ? &follow->errand : NULL, why);
    if (r == 0 && asks)
        r = pa_errand_find(&follow->errand, &follow->keys, why);
    return r != 0 ? r : pa_task_begin(&follow->task, follow->timeout_ms, why);
}

static int step_task(struct pa_follow *follow, struct pa_failure *why)
{
    int r = pa_task_step(&follow->task, why);
    if (r == PA_TASK_WAIT)
        follow->wait = *pa_task_wait(&follow->task);
    return r;
}

/* --------------------------------------------------------------- watching -- */

static struct pa_connection *connection_of(const struct pa_follow *follow)
{
    return follow->task.call->in_use;
}

static int fail_closed(const struct pa_follow *follow, int error, struct pa_failure *why)
{
    const struct pa_connection *connection = connection_of(follow);
    bool by_manager = error == 0 || error == EPIPE || error == ECONNRESET;
    const char *when = pa_watch_is_on(&follow->watch) ? watched : "before its answer";
    return pa_failure_set(why, PA_E_CLOSED, connection->host, connection->port, when,
                          by_manager ? "closed by the manager" : pa_socket_reason(error));
}

static int step_connect(struct pa_follow *follow, struct pa_failure *why)
{
    int r = step_task(follow, why);
    if (r != 0)
        return r;
    pa_socket_keep_alive(connection_of(follow)->fd);
    pa_watch_begin(&follow->watch);
    follow->sent = 0;
    follow->at = follow->end = follow->received;
    follow->deadline = follow->task.deadline;
    follow->state = WATCHING;
    return 0;
}

/* Sends what goes. An error tells less than what the manager may have said before. */
static void send_request(struct pa_follow *follow)
{
    size_t left = follow->request.size - follow->sent;
    if (left == 0)
        return;
    ssize_t sent = pa_socket_send_some(connection_of(follow)->fd,
                                       follow->request.data + follow->sent, left);
    if (sent > 0)
        follow->sent += (size_t)sent;
    else if (sent != -EAGAIN)
        follow->sent = follow->request.size;
}

/* There may be more bytes at once: but a step takes no more of them than it has room for. */
static int go_on(struct pa_follow *follow)
{
    static const struct pa_deadline never = {.at_ns = INT64_MAX};
    bool is_sent = follow->sent == follow->request.size;
    follow->wait =
        (struct pa_wait){.fd = connection_of(follow)->fd,
                         .events = (short)(is_sent ? POLLIN : POLLIN | POLLOUT),
                         .until = pa_watch_is_on(&follow->watch) ? never : follow->deadline};
    return PA_FOLLOW_WAIT;
}

static int wait_for_bytes(struct pa_follow *follow, struct pa_failure *why)
{
    const struct pa_connection *connection = connection_of(follow);
    if (!pa_watch_is_on(&follow->watch) && pa_deadline_left_ms(&follow->deadline) == 0)
        return pa_failure_set(why, PA_E_TIMEOUT, follow->deadline.timeout_ms, "the answer of",
                              connection->host, connection->port);
    return go_on(follow);
}

static int receive(struct pa_follow *follow, struct pa_failure *why)
{
    static const struct pa_deadline at_once = {0, 0};
    size_t size;
    int r = pa_socket_receive(connection_of(follow)->fd, follow->received, RECEIVE_BYTES,
                              &at_once, &size);
    if (r == PA_SOCKET_TIMEOUT)
        return wait_for_bytes(follow, why);
    if (r < 0 || size == 0)
        return fail_closed(follow, -r, why);
    follow->at = follow->received;
    follow->end = follow->received + size;
    return 0;
}

static int feed(struct pa_follow *follow, struct pa_watch_event *event, struct pa_failure *why)
{
    return pa_watch_feed(&follow->watch, &follow->at, follow->end, event, why);
}

static int watch(struct pa_follow *follow, struct pa_watch_event *event, struct pa_failure *why)
{
    send_request(follow);
    int r = feed(follow, event, why);
    if (r == PA_WATCH_MORE) {
        r = receive(follow, why);
        if (r != 0)
            return r;
        r = feed(follow, event, why);
    }
    if (r == PA_WATCH_MORE)
        return go_on(follow);
    if (r == PA_WATCH_OLD)
        return begin_task(follow, POLLING, why);
    if (r < 0)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    return r == PA_WATCH_FAILED ? (int)why->error : FOUND;
}

/* ---------------------------------------------------------------- polling -- */

static int take_list(struct pa_follow *follow, struct pa_failure *why)
{
    int r = step_task(follow, why);
    if (r != 0)
        return r;
    /* The list has been searched, by the manager or by the task. */
    r = pa_watch_compare(&follow->watch, &follow->errand.listing, NULL, NULL);
    if (r < 0)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    follow->state = COMPARING;
    return 0;
}

/* An event of the comparison; if there is none, the next list is waited for. */
static int compare(struct pa_follow *follow, struct pa_watch_event *event,
                   struct pa_failure *why)
{
    int r = pa_watch_next(&follow->watch, event);
    if (r == 0)
        return FOUND;
    if (r < 0)
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    if (pa_call_can(follow->task.call, "watch"))
        return begin_task(follow, CONNECTING, why);
    drop_task(follow);
    rest(follow, IDLING, follow->poll_ms);
    return PA_FOLLOW_WAIT;
}

/* ------------------------------------------------------------------ steps -- */

static int step(struct pa_follow *follow, struct pa_watch_event *event, struct pa_failure *why)
{
    switch (follow->state) {
    case PAUSING:
        return is_resting(follow) ? PA_FOLLOW_WAIT : begin_task(follow, CONNECTING, why);
    case CONNECTING:
        return step_connect(follow, why);
    case WATCHING:
        return watch(follow, event, why);
    case POLLING:
        return take_list(follow, why);
    case COMPARING:
        return compare(follow, event, why);
    default:
        return is_resting(follow) ? PA_FOLLOW_WAIT : begin_task(follow, POLLING, why);
    }
}

int pa_follow_step(struct pa_follow *follow, struct pa_watch_event *event,
                   struct pa_failure *why)
{
    int r;
    do {
        r = step(follow, event, why);
    } while (r == 0);
    if (r == PA_FOLLOW_WAIT)
        return r;
    if (r != FOUND)
        return give_up(follow, r);
    follow->failures = 0;
    return 0;
}
