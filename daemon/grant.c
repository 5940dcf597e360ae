/*
 * Requests for ports.
 *
 * The happy path of one: the client is on this host, the kernel has said which
 * user it is, his quota has room, the table finds a port and names it, and the
 * answer tells.
 *
 * Until an answer is made everything can be taken back: what the table gave is
 * released, what was held is dropped, what was charged is discharged.
 */

#include "grant.h"

#include "refuse.h"

#include "pa_wire2.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { REFUSED = 3 }; /* beside 0, SESSION_SUSPENDED and -ENOMEM: step->failure tells why */

/* A request on its way. */
struct grant {
    struct session *session;
    struct session_step *step;
    struct pa_buf *reply;
    const struct pa_keys *keys;
    const struct table_prober *prober;
    const char *user; /* to be recorded */
    uint32_t uid;     /* the owner, charged for it; or TABLE_NOBODY */
    bool holds;
};

bool grant_is_for_ports(const struct pa_request *request)
{
    return request->verb == PA_VERB_GIMME || request->verb == PA_VERB_ALLOCATE ||
           request->verb == PA_VERB_LISTEN;
}

static int suspend(struct session *session, enum session_wants wants)
{
    session->wants = wants;
    return SESSION_SUSPENDED;
}

/* ------------------------------------------------------------ who it is -- */

/* The user who is recorded, where a claim is not simply believed. 0 or an error. */
static enum pa_error correct_claim(struct grant *grant, const char *claim)
{
    struct session *session = grant->session;
    struct pa_failure *failure = &grant->step->failure;
    if (session->proof != SESSION_PROOF_GIVEN)
        return (enum pa_error)pa_failure_set(failure, PA_E_UNPROVED);
    grant->user = session->user;
    if (!claim || strcmp(claim, session->user) == 0)
        return PA_OK;
    if (session->uid == 0) {
        grant->user = claim;
        return PA_OK;
    }
    if (session->world->rules.verifies)
        return (enum pa_error)pa_failure_set(failure, PA_E_FALSE_USER, session->user, claim);
    grant->step->claimed = claim;
    return PA_OK;
}

/* Whether the kernel's word is needed before anything else can be said: for the name, or for
 * whom to charge. */
static bool needs_proof(const struct grant *grant, const char *claim)
{
    const struct session_world *world = grant->session->world;
    return grant->session->proof == SESSION_PROOF_NOT_ASKED &&
           (!world->rules.trusts || !claim || quota_limit(world->quota, QUOTA_PORTS) > 0 ||
            (grant->keys->wait_ms > 0 && quota_limit(world->quota, QUOTA_WAITING) > 0));
}

/* 0, SESSION_SUSPENDED or REFUSED. */
static int settle_user(struct grant *grant)
{
    struct session *session = grant->session;
    const struct pa_request *request = &grant->step->request;
    const char *claim = request->verb == PA_VERB_GIMME ? request->user : grant->keys->user;
    if (needs_proof(grant, claim))
        return suspend(session, SESSION_WANTS_OWNER);
    grant->uid = session->proof == SESSION_PROOF_GIVEN ? session->uid : TABLE_NOBODY;
    if (session->world->rules.trusts && claim) {
        grant->user = claim;
        return 0;
    }
    return correct_claim(grant, claim) == PA_OK ? 0 : REFUSED;
}

/* --------------------------------------------------------------- quotas -- */

static const char *const quota_words[QUOTA_KINDS] = {
    [QUOTA_PORTS] = "ports",
    [QUOTA_CONNECTIONS] = "connections",
    [QUOTA_WAITING] = "requests in line",
};

/* 0 or REFUSED. */
static int charge(struct grant *grant, enum quota_kind kind, uint32_t count)
{
    struct quota *quota = grant->session->world->quota;
    if (grant->uid == TABLE_NOBODY)
        return 0;
    int r = quota_charge(quota, grant->uid, kind, count);
    if (r == 0)
        return 0;
    if (r == QUOTA_E_FULL)
        pa_failure_set(&grant->step->failure, PA_E_QUOTA, grant->session->user,
                       quota_charged(quota, grant->uid, kind), quota_words[kind]);
    else
        pa_failure_set(&grant->step->failure, PA_E_NO_MEMORY);
    return REFUSED;
}

static void discharge(struct session_world *world, uint32_t uid, enum quota_kind kind,
                      uint32_t count)
{
    if (uid != TABLE_NOBODY)
        quota_discharge(world->quota, uid, kind, count);
}

/* ----------------------------------------------------------------- line -- */

void grant_leave_line(struct session *session)
{
    if (!session->in_line)
        return;
    session->in_line = false;
    discharge(session->world,
              session->proof == SESSION_PROOF_GIVEN ? session->uid : TABLE_NOBODY,
              QUOTA_WAITING, 1);
}

/* The port is not to be had now: stands in line, goes on standing, or has stood too long.
 * SESSION_SUSPENDED or REFUSED. */
static int stand_in_line(struct grant *grant)
{
    struct session *session = grant->session;
    uint32_t wait_ms = grant->keys->wait_ms;
    if (wait_ms == 0)
        return REFUSED;
    if (!session->in_line) {
        if (charge(grant, QUOTA_WAITING, 1) != 0)
            return REFUSED;
        session->in_line = true;
        session->until_ms = session->world->now_ms + wait_ms;
    }
    if (session->world->now_ms < session->until_ms)
        return suspend(session, SESSION_WANTS_PORT);
    pa_failure_set(&grant->step->failure, PA_E_TIMED_OUT, wait_ms);
    return REFUSED;
}

/* ----------------------------------------------------------- allocation -- */

/* Why the table gave nothing, in step->failure. Whether somebody's release can change that. */
static bool explain(struct grant *grant, int r)
{
    struct pa_failure *failure = &grant->step->failure;
    const char *name = grant->step->request.name;
    const struct table_entry *entry;
    switch (r) {
    case TABLE_E_NO_FREE_PORTS:
        pa_failure_set(failure, PA_E_NO_FREE_PORTS);
        return true;
    case TABLE_E_IN_USE:
        pa_failure_set(failure, PA_E_PORT_IN_USE, grant->keys->port);
        return true;
    case TABLE_E_NO_BLOCK:
        pa_failure_set(failure, PA_E_NO_BLOCK, grant->keys->count);
        return true;
    case TABLE_E_TAKEN:
        entry = table_find(grant->session->world->table, name, grant->user);
        pa_failure_set(failure, PA_E_NAME_TAKEN, name, grant->user,
                       (unsigned)(entry ? entry->port : 0));
        return true;
    case TABLE_E_NOT_MANAGED:
        pa_failure_set(failure, PA_E_NOT_MANAGED, grant->keys->port);
        return false;
    default:
        pa_failure_set(failure, r == -ENOMEM ? PA_E_NO_MEMORY : PA_E_NO_PROBE);
        return false;
    }
}

/* 0 with step->entry, SESSION_SUSPENDED or REFUSED. */
static int allocate(struct grant *grant)
{
    struct session *session = grant->session;
    struct session_world *world = session->world;
    const struct pa_keys *keys = grant->keys;
    const struct table_request request = {
        .name = grant->step->request.name,
        .user = grant->user,
        .attributes = keys->attributes,
        .uid = grant->uid,
        .port = (uint16_t)keys->port,
        .count = (uint16_t)keys->count,
        .exact = keys->exact != 0,
    };
    struct table_entry *entry;
    if (charge(grant, QUOTA_PORTS, keys->count) != 0)
        return REFUSED;
    int r = table_allocate(world->table, &session->owner, &request, world->now_ms,
                           grant->prober, &entry);
    if (r == 0) {
        grant->step->event = SESSION_ALLOCATED;
        grant->step->entry = entry;
        grant->step->count = keys->count;
        return 0;
    }
    discharge(world, grant->uid, QUOTA_PORTS, keys->count);
    return explain(grant, r) ? stand_in_line(grant) : REFUSED;
}

/* Takes the entry out; what becomes of the port in the kernel and of the charge follows. */
static void take_out(struct session_world *world, struct table_entry *entry)
{
    uint16_t port = entry->port;
    uint32_t uid = entry->uid;
    bool held = entry->held;
    table_release(world->table, entry, world->now_ms);
    if (held)
        world->holder.drop(world->holder.context, port);
    discharge(world, uid, QUOTA_PORTS, 1);
}

void grant_give_back(struct session_world *world, struct table_entry *entry)
{
    watchers_record(world->watchers, PA_EVENT_REMOVE, entry);
    world->released(world->context, entry);
    take_out(world, entry);
}

/* What was allocated cannot be taken back any more. */
static void tell_watchers(const struct grant *grant)
{
    const struct session_world *world = grant->session->world;
    for (uint32_t i = 0; i < grant->step->count; ++i)
        watchers_record(world->watchers, PA_EVENT_ADD,
                        table_at(world->table, (uint16_t)(grant->step->entry->port + i)));
}

/* Nobody has been told of what was allocated. */
static void undo(struct grant *grant)
{
    struct session_world *world = grant->session->world;
    uint16_t port = grant->step->entry->port;
    for (uint32_t i = 0; i < grant->step->count; ++i)
        take_out(world, table_at(world->table, (uint16_t)(port + i)));
    grant->step->event = SESSION_TOLD;
    grant->step->entry = NULL;
    if (grant->step->fd >= 0)
        world->close(world->context, grant->step->fd);
    grant->step->fd = -1;
}

/* The socket that goes with the answer to LISTEN. 0 or REFUSED. */
static int open_listener(struct grant *grant)
{
    const struct session_world *world = grant->session->world;
    const struct pa_keys *keys = grant->keys;
    uint16_t port = grant->step->entry->port;
    int fd = world->listen(world->context, keys->address, port, (int)keys->backlog);
    if (fd >= 0) {
        grant->step->fd = fd;
        return 0;
    }
    pa_failure_set(&grant->step->failure, PA_E_ADDRESS,
                   keys->address ? keys->address : "all addresses", (unsigned)port,
                   fd == -EINVAL ? "it is no address" : strerror(-fd));
    return REFUSED;
}

/* --------------------------------------------------------------- answers -- */

static int append_answer(struct grant *grant, const struct table_entry *entry, bool joined)
{
    const struct pa_granted granted = {
        .port = entry->port,
        .name = entry->name,
        .user = entry->user,
        .count = joined ? 1 : grant->keys->count,
        .held = entry->held,
        .joined = joined,
    };
    if (!grant->session->protocol2 || grant->step->request.verb == PA_VERB_GIMME)
        return pa_wire_append_ok(grant->reply, entry->port);
    return pa_wire2_append_granted(grant->reply, &granted);
}

/* Whether the request is for the only one of its name, and there is one. */
static const struct table_entry *find_other(const struct grant *grant)
{
    if (!grant->keys->unique)
        return NULL;
    return table_find(grant->session->world->table, grant->step->request.name, grant->user);
}

/* 0, SESSION_SUSPENDED, REFUSED or -ENOMEM. */
static int give(struct grant *grant)
{
    int r = settle_user(grant);
    if (r != 0)
        return r;
    grant->step->user = grant->user;
    const struct table_entry *other = find_other(grant);
    if (other)
        return append_answer(grant, other, true) < 0 ? -ENOMEM : 0;
    r = allocate(grant);
    if (r == 0 && grant->step->request.verb == PA_VERB_LISTEN)
        r = open_listener(grant);
    if (r == 0 && append_answer(grant, grant->step->entry, false) < 0)
        r = -ENOMEM;
    if (r == 0)
        tell_watchers(grant);
    else if (grant->step->entry)
        undo(grant);
    return r;
}

/* What the connection, or the manager, cannot do at all. PA_OK or an error without argument. */
static enum pa_error find_obstacle(const struct grant *grant)
{
    const struct session *session = grant->session;
    const struct session_world *world = session->world;
    bool listens = grant->step->request.verb == PA_VERB_LISTEN;
    if (listens && !session->unix_domain)
        return PA_E_NOT_UNIX;
    bool asked = listens || grant->keys->hold == PA_HOLD_YES;
    return asked && (world->rules.holds_none || !world->holder.probe) ? PA_E_NO_HOLD : PA_OK;
}

int grant_ports(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    const struct session_world *world = session->world;
    const struct pa_keys *keys = &step->request.keys;
    bool listens = step->request.verb == PA_VERB_LISTEN;
    bool holds = listens || keys->hold == PA_HOLD_YES ||
                 (keys->hold == PA_HOLD_UNSAID && world->rules.holds_all);
    struct grant grant = {
        .session = session,
        .step = step,
        .reply = reply,
        .keys = keys,
        .prober = holds ? &world->holder : &world->prober,
    };
    if (!session->local)
        return refuse_remote(session, step, reply);
    enum pa_error obstacle = find_obstacle(&grant);
    if (obstacle != PA_OK)
        return refuse(session, step, reply, obstacle);
    /* A descriptor goes with the first byte of its message: nothing may be before it. */
    if (listens && (!session->clear || reply->size > 0))
        return suspend(session, SESSION_WANTS_DRAIN);
    int r = give(&grant);
    if (r != SESSION_SUSPENDED)
        grant_leave_line(session);
    return r == REFUSED ? refuse_as_told(session, step, reply) : r;
}

/* ------------------------------------------------ releasing and changing -- */

static bool may_dispose(const struct session *session, const struct table_entry *entry)
{
    return session->proof == SESSION_PROOF_GIVEN &&
           (session->uid == 0 || session->uid == entry->uid);
}

/* The allocation of the port, if it is the client's to dispose of. 0 with *entry, REFUSED or
 * SESSION_SUSPENDED. */
static int find_own(struct session *session, struct session_step *step,
                    struct table_entry **entry)
{
    uint16_t port = (uint16_t)step->request.keys.port;
    *entry = table_at(session->world->table, port);
    if (!*entry) {
        pa_failure_set(&step->failure, PA_E_NOT_ALLOCATED, (unsigned)port);
        return REFUSED;
    }
    if ((*entry)->owner == &session->owner)
        return 0;
    if (session->proof == SESSION_PROOF_NOT_ASKED)
        return suspend(session, SESSION_WANTS_OWNER);
    if (may_dispose(session, *entry))
        return 0;
    pa_failure_set(&step->failure, PA_E_NOT_OWNER, (unsigned)port, (*entry)->user);
    return REFUSED;
}

int grant_release(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    struct table_entry *entry;
    if (!session->local)
        return refuse_remote(session, step, reply);
    int r = find_own(session, step, &entry);
    if (r != 0)
        return r == REFUSED ? refuse_as_told(session, step, reply) : r;
    r = pa_wire_append_ok(reply, entry->port);
    if (r < 0)
        return r;
    step->event = SESSION_RELEASED;
    grant_give_back(session->world, entry);
    return 0;
}

int grant_change(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    const struct pa_keys *keys = &step->request.keys;
    struct session_world *world = session->world;
    struct table_entry *entry;
    if (!session->local)
        return refuse_remote(session, step, reply);
    if (!table_manages(world->table, (uint16_t)keys->port)) {
        pa_failure_set(&step->failure, PA_E_NOT_MANAGED, keys->port);
        return refuse_as_told(session, step, reply);
    }
    int r = find_own(session, step, &entry);
    if (r != 0)
        return r == REFUSED ? refuse_as_told(session, step, reply) : r;
    size_t before = reply->size;
    r = pa_wire_append_ok(reply, entry->port);
    if (r < 0)
        return r;
    if (table_change(entry, keys->attributes) < 0) {
        reply->size = before;
        return refuse(session, step, reply, PA_E_NO_MEMORY);
    }
    step->event = SESSION_CHANGED;
    step->entry = entry;
    watchers_record(world->watchers, PA_EVENT_CHANGE, entry);
    return 0;
}
