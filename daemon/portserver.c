/*
 * The portserver's protocol.
 *
 * The happy path: a caller connects and sends the number of a process; the
 * process lives and is the caller's own user's; it becomes a tenant and gets a
 * port that TCP and UDP can bind; the answer is the port, and the connection is
 * closed.
 *
 * What can go wrong, and what is done:
 * - A refusal is an empty answer: the protocol has no other.
 * - A request comes in pieces: they are joined. It has no newline: it is whole with the end of
 *   what the caller sends, or when the caller has waited PORTSERVER_DEADLINE_MS for an answer;
 *   one for the caller's own process at once, since that is no half of another.
 * - Nothing comes: at the same time the caller is refused.
 * - There are PORTSERVER_CALLERS_MAX callers: of the user who has most of the silent ones the
 *   one that has been silent longest goes. A request that was sent with the connection is read
 *   with it, so who has asked is not silent. None is silent: further ones wait in the kernel.
 * - The name of the process's user is not known: a thread asks for it. The caller may be
 *   closed meanwhile; its memory goes when both the handle and the thread are done with it.
 * - The process ends meanwhile: its descriptor tells before the port is given out.
 * - The caller goes before its answer: nobody knows of the port, and it is released.
 */

#include "portserver.h"

#include "conns.h"
#include "grant.h"
#include "names.h"
#include "owner.h"
#include "pid_line.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,                           /* the kernel cuts it to net.core.somaxconn */
    UNFREED_MAX = 2 * PORTSERVER_CALLERS_MAX, /* those included that are being closed */
    RETRY_MS = 100,                           /* until a connection is accepted after all */
    REST_READS_MAX = 16,                      /* of what a refused caller sent */
    WHY_BYTES = 128,
};

/* The name under which the ports are listed. */
#define SERVICE "portpicker"

/* One connection. */
struct caller {
    struct portserver *portserver;
    uv_pipe_t pipe;
    uv_work_t work;
    TAILQ_ENTRY(caller) link;
    struct caller_line *line; /* it stands in; NULL: it is being closed */
    uint64_t since_ms;
    struct pid_line request;
    struct owner owner; /* who calls */
    struct lifetime life;
    uid_t user;   /* the process's */
    bool working; /* a thread looks up the user's name */
    bool closed;  /* the pipe */
    int result;   /* names_resolve()'s */
    char name[NAMES_NAME_BYTES];
};

static void take_newcomer(struct portserver *portserver);

/* --------------------------------------------------------------- ending -- */

static void free_if_done(struct caller *caller)
{
    struct portserver *portserver = caller->portserver;
    if (caller->working || !caller->closed)
        return;
    free(caller);
    portserver->unfreed_count -= 1;
    if (portserver->crowded && !portserver->stopping)
        take_newcomer(portserver);
}

static void on_closed(uv_handle_t *handle)
{
    struct caller *caller = handle->data;
    caller->closed = true;
    free_if_done(caller);
}

static void stand_in(struct caller *caller, struct caller_line *line)
{
    size_t *count = &caller->portserver->callers_count;
    if (caller->line) {
        TAILQ_REMOVE(caller->line, caller, link);
        *count -= 1;
    }
    if (line) {
        TAILQ_INSERT_TAIL(line, caller, link);
        *count += 1;
    }
    caller->line = line;
}

static void close_caller(struct caller *caller)
{
    if (!caller->line)
        return;
    stand_in(caller, NULL);
    lifetime_close(&caller->life);
    uv_close((uv_handle_t *)&caller->pipe, on_closed);
}

/* A number of bytes, 0 at their end, or a negative errno. */
static ssize_t read_bytes(struct caller *caller)
{
    uv_os_fd_t fd;
    int r = uv_fileno((uv_handle_t *)&caller->pipe, &fd);
    if (r < 0)
        return r;
    ssize_t size = read(fd, caller->portserver->bytes, PORTSERVER_READ_BYTES);
    return size < 0 ? -errno : size;
}

/* Closing with bytes unread would give the caller an error in place of an empty answer. */
static void read_rest(struct caller *caller)
{
    for (int i = 0; i < REST_READS_MAX && read_bytes(caller) > 0; ++i)
        ;
}

static void refuse(struct caller *caller, const char *why)
{
    struct portserver *portserver = caller->portserver;
    struct conns *conns = portserver->conns;
    portserver->refused += 1;
    journal_portserver(&conns->journal, conns_now_ms(conns), (unsigned long)caller->owner.uid,
                       why);
    read_rest(caller);
    close_caller(caller);
}

/* The process that is asked for cannot have a port. */
static void refuse_process(struct caller *caller, const char *why)
{
    char text[WHY_BYTES];
    snprintf(text, sizeof text, "process %ld %s", (long)caller->request.pid, why);
    refuse(caller, text);
}

/* ------------------------------------------------------------- granting -- */

/* How the manager looks at a port for others, and holds it where it holds all. */
static const struct table_prober *prober_for_tcp(const struct conns *conns)
{
    const struct session_world *world = &conns->world;
    return world->rules.holds_all && world->holder.probe ? &world->holder : &world->prober;
}

static int probe(void *context, uint16_t port)
{
    struct conns *conns = context;
    const struct table_prober *tcp = prober_for_tcp(conns);
    int state = probe_udp(port);
    if (state == TABLE_PORT_FREE)
        return tcp->probe(tcp->context, port);
    journal_probed(&conns->journal, conns_now_ms(conns), port, state);
    return state;
}

static int allocate_charged(struct conns *conns, struct tenant *tenant, const char *user,
                            struct table_entry **entry)
{
    char attributes[32];
    struct table_prober prober = *prober_for_tcp(conns);
    const struct table_request request = {.name = SERVICE,
                                          .user = user,
                                          .attributes = attributes,
                                          .uid = tenant->life.uid,
                                          .count = 1};
    snprintf(attributes, sizeof attributes, "pid %ld", (long)tenant->life.pid);
    prober.probe = probe;
    conns->world.now_ms = conns_now_ms(conns);
    return table_allocate(conns->config.table, &tenant->owner, &request, conns->world.now_ms,
                          &prober, entry);
}

/* The port as an entry; NULL, and in *why the reason. */
static struct table_entry *allocate(struct conns *conns, struct tenant *tenant,
                                    const char *user, const char **why)
{
    struct table_entry *entry;
    uid_t uid = tenant->life.uid;
    int r = quota_charge(&conns->quota, uid, QUOTA_PORTS, 1);
    if (r != 0) {
        *why = r == QUOTA_E_FULL ? "its user has as many ports as a user may have"
                                 : strerror(ENOMEM);
        return NULL;
    }
    r = allocate_charged(conns, tenant, user, &entry);
    if (r == 0) {
        tenant->tenants->ports += 1;
        watchers_record(&conns->watchers, PA_EVENT_ADD, entry);
        return entry;
    }
    quota_discharge(&conns->quota, uid, QUOTA_PORTS, 1);
    *why = r < 0 ? strerror(-r) : "no free ports";
    return NULL;
}

static void answer(struct caller *caller, struct table_entry *entry)
{
    struct portserver *portserver = caller->portserver;
    struct conns *conns = portserver->conns;
    const struct session_step step = {
        .event = SESSION_ALLOCATED, .entry = entry, .count = 1, .fd = -1};
    char text[16];
    int size = snprintf(text, sizeof text, "%u\n", (unsigned)entry->port);
    uv_buf_t buffer = uv_buf_init(text, (unsigned)size);
    journal_step(&conns->journal, conns_now_ms(conns), "", &step);
    conns->config.changed(conns->config.context);
    if (uv_try_write((uv_stream_t *)&caller->pipe, &buffer, 1) == size) {
        portserver->served += 1;
        close_caller(caller);
        return;
    }
    grant_give_back(&conns->world, entry);
    refuse(caller, "it has gone before the answer");
    conns_serve_line(conns);
}

/* The process and the name of its user are known. */
static void grant(struct caller *caller, const char *user)
{
    struct portserver *portserver = caller->portserver;
    struct tenant *tenant;
    const char *why = NULL;
    if (!lifetime_lasts(&caller->life)) {
        refuse_process(caller, "has ended");
        return;
    }
    int r = tenants_admit(&portserver->tenants, &caller->life, &tenant);
    if (r != 0) {
        refuse(caller, r == TENANTS_E_FULL ? "too many processes have ports" : strerror(-r));
        return;
    }
    struct table_entry *entry = allocate(portserver->conns, tenant, user, &why);
    if (entry) {
        answer(caller, entry);
        return;
    }
    tenants_let_go(tenant);
    refuse(caller, why);
}

/* ----------------------------------------------------------- whose it is -- */

static void do_work(uv_work_t *work)
{
    struct caller *caller = work->data;
    caller->result = names_resolve(caller->user, caller->name);
}

static void after_work(uv_work_t *work, int status)
{
    (void)status; /* never cancelled */
    struct caller *caller = work->data;
    struct conns *conns = caller->portserver->conns;
    caller->working = false;
    if (caller->result == 0)
        names_keep(&conns->names, caller->user, caller->name, conns_now_ms(conns));
    if (caller->line)
        grant(caller, caller->name);
    else
        free_if_done(caller);
}

static void look_up_user(struct caller *caller)
{
    struct conns *conns = caller->portserver->conns;
    const char *name = names_find(&conns->names, caller->user, conns_now_ms(conns));
    if (name) {
        grant(caller, name);
        return;
    }
    stand_in(caller, &caller->portserver->resolved);
    caller->work.data = caller;
    caller->working = true;
    if (uv_queue_work(conns->loop, &caller->work, do_work, after_work) < 0) {
        do_work(&caller->work);
        after_work(&caller->work, 0);
    }
}

/* The request is decided. The caller is not silent any more, or closed, afterwards. */
static void serve(struct caller *caller)
{
    uv_read_stop((uv_stream_t *)&caller->pipe);
    if (caller->request.state != PID_LINE_WHOLE) {
        refuse(caller, caller->request.size > 0 ? "what it sent is no process number"
                                                : "it sent nothing");
        return;
    }
    int r = lifetime_open(&caller->life, (pid_t)caller->request.pid);
    if (r < 0) {
        refuse_process(caller, r == -ESRCH || r == -EINVAL ? "does not exist" : strerror(-r));
        return;
    }
    caller->user = caller->life.uid;
    if (caller->owner.uid == 0 || caller->owner.uid == caller->user)
        look_up_user(caller);
    else
        refuse_process(caller, "is another user's");
}

/* -------------------------------------------------------------- reading -- */

static void on_timer(uv_timer_t *timer);

/* Sets the timer for the caller that has been silent longest, or another attempt to accept. */
static void arrange_timer(struct portserver *portserver)
{
    const struct caller *caller = TAILQ_FIRST(&portserver->silent);
    uint64_t now_ms = conns_now_ms(portserver->conns);
    uint64_t due_ms = caller ? caller->since_ms + PORTSERVER_DEADLINE_MS : UINT64_MAX;
    if (portserver->stopping)
        return;
    if (portserver->crowded && due_ms > now_ms + RETRY_MS)
        due_ms = now_ms + RETRY_MS;
    if (due_ms < UINT64_MAX)
        uv_timer_start(&portserver->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    else
        uv_timer_stop(&portserver->timer);
}

static void on_timer(uv_timer_t *timer)
{
    struct portserver *portserver = timer->data;
    uint64_t now_ms = conns_now_ms(portserver->conns);
    struct caller *caller;
    while ((caller = TAILQ_FIRST(&portserver->silent)) &&
           now_ms - caller->since_ms >= PORTSERVER_DEADLINE_MS) {
        pid_line_end(&caller->request);
        serve(caller);
    }
    if (portserver->crowded)
        take_newcomer(portserver);
    arrange_timer(portserver);
}

/* Takes what read(2) said. Whether the request is decided by it. */
static bool take_bytes(struct caller *caller, ssize_t size)
{
    struct pid_line *request = &caller->request;
    if (size < 0)
        return false;
    if (pid_line_take(request, caller->portserver->bytes, (size_t)size))
        return true;
    if (size > 0 &&
        (request->state != PID_LINE_DIGITS || (pid_t)request->pid != caller->owner.pid))
        return false;
    pid_line_end(request);
    return true;
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct caller *caller = handle->data;
    *buffer = uv_buf_init(caller->portserver->bytes, PORTSERVER_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    (void)buffer;
    struct caller *caller = stream->data;
    if (size == 0) /* nothing is there, after all */
        return;
    if (size < 0 && size != UV_EOF)
        refuse(caller, uv_strerror((int)size));
    else if (take_bytes(caller, size == UV_EOF ? 0 : size))
        serve(caller);
}

/* ------------------------------------------------------------ accepting -- */

/* How many of the silent ones are the same user's, from this one on. */
static size_t count_from(const struct caller *caller)
{
    uid_t uid = caller->owner.uid;
    size_t count = 0;
    for (; caller; caller = TAILQ_NEXT(caller, link))
        count += caller->owner.uid == uid;
    return count;
}

/* Who goes when there are too many; NULL: nobody is silent. */
static struct caller *choose_victim(const struct portserver *portserver)
{
    struct caller *victim = NULL;
    struct caller *caller = TAILQ_FIRST(&portserver->silent);
    size_t most = 0;
    for (; caller; caller = TAILQ_NEXT(caller, link)) {
        size_t count = count_from(caller);
        if (count > most) {
            most = count;
            victim = caller;
        }
    }
    return victim;
}

/* Sees to it that there is room for one more. Whether there is. */
static bool make_room(struct portserver *portserver)
{
    if (portserver->callers_count < PORTSERVER_CALLERS_MAX)
        return true;
    struct caller *victim = choose_victim(portserver);
    if (!victim)
        return false;
    if (take_bytes(victim, read_bytes(victim))) /* it has spoken meanwhile */
        serve(victim);
    else
        refuse(victim, "too many have connected, and it was silent");
    return portserver->callers_count < PORTSERVER_CALLERS_MAX;
}

/* Accepts, learns who it is, and reads what has come. 0 or a negative error of libuv's. */
static int receive(struct caller *caller)
{
    uv_stream_t *stream = (uv_stream_t *)&caller->pipe;
    uv_os_fd_t fd;
    int r = uv_accept((uv_stream_t *)&caller->portserver->listener, stream);
    if (r == 0)
        r = uv_fileno((uv_handle_t *)&caller->pipe, &fd);
    if (r == 0)
        r = owner_of_unix(fd, &caller->owner);
    if (r < 0)
        return r;
    if (take_bytes(caller, read_bytes(caller))) {
        serve(caller);
        return 0;
    }
    return uv_read_start(stream, give_buffer, on_read);
}

/* 0 with the caller read from, or a negative error of libuv's; UV_ENOMEM leaves it waiting. */
static int accept_caller(struct portserver *portserver)
{
    struct conns *conns = portserver->conns;
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        return UV_ENOMEM;
    caller->portserver = portserver;
    caller->life = (struct lifetime)LIFETIME_NULL;
    caller->since_ms = conns_now_ms(conns);
    uv_pipe_init(conns->loop, &caller->pipe, 0);
    caller->pipe.data = caller;
    portserver->unfreed_count += 1;
    stand_in(caller, &portserver->silent);
    int r = receive(caller);
    if (r < 0)
        close_caller(caller);
    return r;
}

static void tell_trouble(struct portserver *portserver, int r)
{
    struct conns *conns = portserver->conns;
    journal_trouble(&conns->journal, conns_now_ms(conns), "accept a connection",
                    uv_strerror(r));
}

static void take_newcomer(struct portserver *portserver)
{
    portserver->crowded = portserver->unfreed_count >= UNFREED_MAX || !make_room(portserver);
    int r = portserver->crowded ? 0 : accept_caller(portserver);
    if (r == UV_ENOMEM)
        portserver->crowded = true;
    if (r < 0 && r != UV_EAGAIN)
        tell_trouble(portserver, r);
    arrange_timer(portserver);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct portserver *portserver = listener->data;
    if (status == 0)
        take_newcomer(portserver);
    else
        tell_trouble(portserver, status);
}

/* ------------------------------------------------------------ the whole -- */

int portserver_start(struct portserver *portserver, struct conns *conns, int fd,
                     size_t processes_max)
{
    memset(portserver, 0, sizeof *portserver);
    portserver->conns = conns;
    TAILQ_INIT(&portserver->silent);
    TAILQ_INIT(&portserver->resolved);
    tenants_init(&portserver->tenants, conns, processes_max);
    uv_pipe_init(conns->loop, &portserver->listener, 0);
    uv_timer_init(conns->loop, &portserver->timer);
    portserver->listener.data = portserver;
    portserver->timer.data = portserver;
    int r = uv_pipe_open(&portserver->listener, fd);
    if (r < 0)
        close(fd);
    return r < 0 ? r : uv_listen((uv_stream_t *)&portserver->listener, BACKLOG, on_connection);
}

static void close_line(struct caller_line *line)
{
    struct caller *caller;
    while ((caller = TAILQ_FIRST(line)))
        close_caller(caller);
}

void portserver_stop(struct portserver *portserver)
{
    if (!portserver->conns)
        return;
    portserver->stopping = true;
    uv_close((uv_handle_t *)&portserver->listener, NULL);
    uv_close((uv_handle_t *)&portserver->timer, NULL);
    close_line(&portserver->silent);
    close_line(&portserver->resolved);
    tenants_stop(&portserver->tenants);
}

void portserver_deinit(struct portserver *portserver)
{
    assert(portserver->unfreed_count == 0);
    if (portserver->conns)
        tenants_deinit(&portserver->tenants);
}
