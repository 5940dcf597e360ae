/*
 * The watches of the public library.
 *
 * A program waits for one descriptor, whatever the watch waits for: an epoll(7)
 * instance that has the socket of the connection, while there is one, and a
 * timer. Between two calls the timer is set to the end of a pause or of a
 * deadline, or to at once when another event may be there already.
 *
 * During a call the socket is not in it: it may be closed, and a copy of it in a
 * child of fork(2) would keep it there.
 */

#include "portallocator_watch.h"

#include "portallocator_values.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct portallocator_watch {
    struct pa_follow *follow;
    int epoll;
    int timer;   /* in it */
    int socket;  /* likewise; -1: none. Belongs to the follow */
    bool failed; /* the last call; `why` tells how */
    struct pa_failure why;
    struct pa_watch_event found; /* if has_found: to be handed out */
    bool has_found;
    struct portallocator_ports *ports; /* of the event handed out last */
};

/* -------------------------------------------------------------- lifetime -- */

PORTALLOCATOR_PUBLIC void portallocator_watch_free(struct portallocator_watch *watch)
{
    if (!watch)
        return;
    pa_follow_free(watch->follow);
    pa_watch_event_deinit(&watch->found);
    portallocator_ports_free(watch->ports);
    if (watch->timer >= 0)
        close(watch->timer);
    if (watch->epoll >= 0)
        close(watch->epoll);
    free(watch);
}

static int make_epoll(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : pa_socket_keep_off_standard_streams(fd);
}

static int make_timer(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? -errno : pa_socket_keep_off_standard_streams(fd);
}

/* Adds a descriptor. 0 or -errno. */
static int add(const struct portallocator_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Has the timer expire at a time of CLOCK_MONOTONIC; 1: at once. */
static void set_timer(const struct portallocator_watch *watch, int64_t at_ns)
{
    enum { NS_PER_S = 1000000000 };
    const struct itimerspec spec = {.it_value = {.tv_sec = (time_t)(at_ns / NS_PER_S),
                                                 .tv_nsec = (long)(at_ns % NS_PER_S)}};
    timerfd_settime(watch->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* 0 or -errno. */
static int open_descriptors(struct portallocator_watch *watch)
{
    watch->epoll = make_epoll();
    if (watch->epoll < 0)
        return watch->epoll;
    watch->timer = make_timer();
    if (watch->timer < 0)
        return watch->timer;
    set_timer(watch, 1);
    return add(watch, watch->timer, EPOLLIN);
}

int portallocator_watch_make(struct portallocator_watch **made, struct pa_follow *follow,
                             struct pa_failure *why)
{
    struct portallocator_watch *watch = malloc(sizeof *watch);
    if (!watch) {
        pa_follow_free(follow);
        return pa_failure_set(why, PA_E_CLIENT_MEMORY);
    }
    *watch =
        (struct portallocator_watch){.follow = follow, .epoll = -1, .timer = -1, .socket = -1};
    int r = open_descriptors(watch);
    if (r < 0) {
        portallocator_watch_free(watch);
        return pa_failure_set(why, PA_E_CONNECT, pa_socket_reason(-r));
    }
    *made = watch;
    return 0;
}

PORTALLOCATOR_PUBLIC int portallocator_watch_fd(const struct portallocator_watch *watch)
{
    return watch->epoll;
}

PORTALLOCATOR_PUBLIC const char *
portallocator_watch_error_text(const struct portallocator_watch *watch)
{
    return watch->failed ? watch->why.text : "";
}

/* ---------------------------------------------------------------- waiting -- */

static void disarm(struct portallocator_watch *watch)
{
    if (watch->socket >= 0)
        epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watch->socket, NULL);
    watch->socket = -1;
}

/* Between two calls: for what the follow waits, or for nothing if it is not `waiting`. */
static void arm(struct portallocator_watch *watch, bool waiting)
{
    const struct pa_wait *wait = pa_follow_wait(watch->follow);
    int64_t at_ns = waiting ? wait->until.at_ns : 1;
    if (waiting && wait->fd >= 0) {
        uint32_t events = wait->events & POLLOUT ? EPOLLIN | EPOLLOUT : EPOLLIN;
        if (add(watch, wait->fd, events) == 0)
            watch->socket = wait->fd;
        else
            at_ns = 1; /* out of memory for it: the caller looks by itself */
    }
    set_timer(watch, at_ns);
}

/* Waits for what the follow waits, no longer than until the deadline. 0 or -errno. */
static int await(const struct portallocator_watch *watch, const struct pa_deadline *deadline)
{
    struct pa_wait wait = *pa_follow_wait(watch->follow);
    if (deadline->at_ns < wait.until.at_ns)
        wait.until = *deadline;
    return pa_socket_await(&wait);
}

/* What pa_follow_step() returns, PA_FOLLOW_WAIT when the deadline has passed. */
static int step(struct portallocator_watch *watch, const struct pa_deadline *deadline)
{
    for (;;) {
        int r = pa_follow_step(watch->follow, &watch->found, &watch->why);
        if (r != PA_FOLLOW_WAIT || pa_deadline_left_ms(deadline) == 0)
            return r;
        r = await(watch, deadline);
        if (r < 0)
            return pa_failure_set(&watch->why, PA_E_CONNECT, pa_socket_reason(-r));
    }
}

/* ----------------------------------------------------------------- events -- */

/* The end of a call that came to the error `r`, or to 0. */
static int finish(struct portallocator_watch *watch, int r)
{
    watch->failed = r != 0;
    /* What has the name of a timeout here is that nothing happens. */
    return r == PA_E_TIMEOUT ? PORTALLOCATOR_NO_CONNECTION
                             : portallocator_values_code((enum pa_error)r);
}

/* Hands out the event found last. Without memory it is for the next call. */
static int give(struct portallocator_watch *watch, struct portallocator_event *event)
{
    watch->ports = portallocator_values_ports(&watch->found.listing);
    if (!watch->ports)
        return pa_failure_set(&watch->why, PA_E_CLIENT_MEMORY);
    event->kind = portallocator_values_kind(watch->found.kind);
    event->ports = watch->ports;
    pa_watch_event_deinit(&watch->found);
    watch->has_found = false;
    return 0;
}

/* Looks for an event. 0, PA_FOLLOW_WAIT or an enum pa_error. */
static int find(struct portallocator_watch *watch, int timeout_ms)
{
    static const struct pa_deadline never = {.at_ns = INT64_MAX};
    const struct pa_deadline deadline = timeout_ms < 0 ? never : pa_deadline_in(timeout_ms);
    disarm(watch);
    int r = step(watch, &deadline);
    arm(watch, r == PA_FOLLOW_WAIT);
    watch->has_found = r == 0;
    return r;
}

PORTALLOCATOR_PUBLIC int portallocator_watch_next(struct portallocator_watch *watch,
                                                  int timeout_ms,
                                                  struct portallocator_event *event)
{
    if (!portallocator_values_has_room(&event->size, sizeof *event, &watch->why))
        return finish(watch, PA_E_BAD_VALUE);
    portallocator_ports_free(watch->ports);
    watch->ports = NULL;
    int r = watch->has_found ? 0 : find(watch, timeout_ms);
    if (r == 0)
        r = give(watch, event);
    if (r != PA_FOLLOW_WAIT)
        return finish(watch, r);
    finish(watch, 0);
    return PORTALLOCATOR_TIMEOUT;
}
