/* keeper.c - from a plan to holds, and the way of a port from held to released and back. */
#include "keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *keeper_state_name(enum keeper_state state)
{
    static const char *const names[] = {
        [KEEPER_HELD] = "held",
        [KEEPER_HANDED_OVER] = "handed over",
        [KEEPER_RELEASED] = "released",
        [KEEPER_IN_USE] = "in use",
    };
    return names[state];
}

void keeper_init(struct keeper *keeper, const struct keeper_config *config)
{
    *keeper = (struct keeper){.config = *config, .plan = PLAN_NULL, .diag = PA_SOCKDIAG_NULL};
}

static bool is_held(const struct keeper_unit *unit)
{
    return unit->hold.fd >= 0;
}

static const char *client_name(const struct keeper *keeper, const struct keeper_unit *unit)
{
    return keeper->plan.clients[unit->client].name;
}

/* Logs what happened to a port: "cups: WHAT 631/tcp". */
static void note(const struct keeper *keeper, const char *what, const struct keeper_unit *unit)
{
    log_write(keeper->config.log, LOG_LEVEL_INFO, NULL, "%s: %s %u/%s",
              client_name(keeper, unit), what, (unsigned)unit->port,
              transport_name(unit->transport));
}

/* ------------------------------------------------------------ the kernel -- */

/* Is anybody's UDP socket on the port but the hold's? */
static bool shares_udp(struct keeper *keeper, const struct keeper_unit *unit)
{
    int n = pa_sockdiag_on_port(&keeper->diag, false, unit->port, 0, NULL, 0);
    return n > is_held(unit);
}

/* Takes the port. 0 or a negative errno. */
static int take_hold(struct keeper *keeper, struct keeper_unit *unit)
{
    enum hold_kind kind = keeper->config.keep ? HOLD_SOFT : HOLD_STRICT;
    int r = hold_take(&unit->hold, unit->transport, kind, unit->port);
    /* A soft hold that came behind the service would get its datagrams. */
    if (r == 0 && unit->transport == TRANSPORT_UDP && shares_udp(keeper, unit)) {
        hold_drop(&unit->hold);
        r = -EADDRINUSE;
    }
    if (r == 0) {
        unit->state = KEEPER_HELD;
        unit->served_inode = 0;
    }
    return r;
}

static void count_socket(void *context, const struct pa_sockdiag_socket *socket)
{
    struct keeper *keeper = context;
    enum transport transport = socket->tcp ? TRANSPORT_TCP : TRANSPORT_UDP;
    uint8_t *count = &keeper->sockets[transport][socket->port];
    if (*count < UINT8_MAX)
        *count += 1;
}

/* Looks at all sockets of services. Where the kernel does not tell, nobody is seen, and only
 * time brings released ports back. */
static void look(struct keeper *keeper)
{
    memset(keeper->sockets, 0, sizeof keeper->sockets);
    int r = pa_sockdiag_services(&keeper->diag, count_socket, keeper);
    if (r < 0 && !keeper->blind)
        log_write(keeper->config.log, LOG_LEVEL_WARNING, NULL,
                  "cannot see which sockets are there: %s", strerror(-r));
    keeper->blind = r < 0;
}

/* By the last look: is anybody's socket there but the hold's, which of TCP is not told of? */
static bool is_occupied(const struct keeper *keeper, const struct keeper_unit *unit)
{
    bool own = unit->transport == TRANSPORT_UDP && is_held(unit);
    return keeper->sockets[unit->transport][unit->port] > own;
}

/* ---------------------------------------------------------- a new plan -- */

/* What lasts for one keeper_load(). */
struct loading {
    struct keeper *keeper;
    struct plan *plan;
    struct keeper_unit *units; /* room for those of the plan and the old ones */
    size_t count;
    uint32_t *old[TRANSPORTS]; /* by port: 1 + the index of the unit that has it */
};

static void forget(struct loading *loading)
{
    for (int i = 0; i < TRANSPORTS; ++i)
        free(loading->old[i]);
    free(loading->units);
}

static int prepare(struct loading *loading)
{
    const struct keeper *keeper = loading->keeper;
    size_t most = keeper->units_count + loading->plan->entries_count;
    loading->units = calloc(most + 1, sizeof *loading->units);
    for (int i = 0; i < TRANSPORTS; ++i)
        loading->old[i] = calloc(UINT16_MAX + 1, sizeof *loading->old[i]);
    if (!loading->units || !loading->old[TRANSPORT_TCP] || !loading->old[TRANSPORT_UDP])
        return -ENOMEM;
    for (size_t i = 0; i < keeper->units_count; ++i) {
        const struct keeper_unit *unit = &keeper->units[i];
        loading->old[unit->transport][unit->port] = (uint32_t)i + 1;
    }
    return 0;
}

/* Takes the port out of the old units. NULL: it is not among them. */
static struct keeper_unit *take_old(struct loading *loading, uint16_t port,
                                    enum transport transport)
{
    uint32_t *index = &loading->old[transport][port];
    struct keeper_unit *unit = *index != 0 ? &loading->keeper->units[*index - 1] : NULL;
    *index = 0;
    return unit;
}

/* A line of the plan: a unit that was there stays as it is if it stays with its client. */
static void load_entry(struct loading *loading, const struct plan_entry *entry)
{
    const char *name = loading->plan->clients[entry->client].name;
    const struct keeper_unit *old = take_old(loading, entry->port, entry->transport);
    struct keeper_unit *unit = &loading->units[loading->count++];
    if (old)
        *unit = *old;
    else
        unit->hold = (struct hold)HOLD_NULL;
    bool stays = old && strcmp(client_name(loading->keeper, old), name) == 0;
    if (!stays && !is_held(unit))
        unit->state = KEEPER_IN_USE;
    unit->port = entry->port;
    unit->transport = entry->transport;
    unit->client = entry->client;
    unit->line = entry->line;
}

/* The units of a client whose file could be read before, and now cannot. */
static void load_unreadable(struct loading *loading, uint32_t index)
{
    const struct keeper *keeper = loading->keeper;
    struct plan_client *client = &loading->plan->clients[index];
    const struct plan_client *before = plan_find(&keeper->plan, client->name);
    if (!before)
        return;
    client->owner = before->owner;
    client->group = before->group;
    client->group_may = before->group_may;
    for (size_t i = 0; i < keeper->units_count; ++i) {
        const struct keeper_unit *unit = &keeper->units[i];
        if (&keeper->plan.clients[unit->client] != before ||
            !take_old(loading, unit->port, unit->transport))
            continue;
        loading->units[loading->count] = *unit;
        loading->units[loading->count++].client = index;
    }
}

static void drop_rest(struct loading *loading)
{
    struct keeper *keeper = loading->keeper;
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (!take_old(loading, unit->port, unit->transport))
            continue;
        note(keeper, "no longer reserves", unit);
        hold_drop(&unit->hold);
    }
}

/* Takes what is new, and what was in use and may no longer be. */
static void take_new(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (is_held(unit) || unit->state != KEEPER_IN_USE)
            continue;
        int r = take_hold(keeper, unit);
        unit->seen = true;
        if (r == 0)
            note(keeper, "reserves", unit);
        else
            log_write(keeper->config.log, LOG_LEVEL_ERROR, NULL, "%s: line %u: %u/%s: %s",
                      client_name(keeper, unit), unit->line, (unsigned)unit->port,
                      transport_name(unit->transport),
                      r == -EADDRINUSE ? "is in use" : strerror(-r));
    }
}

int keeper_load(struct keeper *keeper, struct plan *plan)
{
    struct loading loading = {.keeper = keeper, .plan = plan};
    int r = prepare(&loading);
    if (r < 0) {
        forget(&loading);
        return r;
    }
    for (size_t i = 0; i < plan->entries_count; ++i)
        load_entry(&loading, &plan->entries[i]);
    for (size_t i = 0; i < plan->clients_count; ++i)
        if (plan->clients[i].unreadable)
            load_unreadable(&loading, (uint32_t)i);
    drop_rest(&loading);
    plan_deinit(&keeper->plan);
    free(keeper->units);
    keeper->plan = *plan;
    *plan = (struct plan)PLAN_NULL;
    keeper->units = loading.units;
    keeper->units_count = loading.count;
    loading.units = NULL;
    forget(&loading);
    take_new(keeper);
    return 0;
}

/* --------------------------------------------------------------- rights -- */

static bool may(const struct keeper_peer *peer, const struct plan_client *client)
{
    if (peer->uid == 0 || peer->uid == client->owner)
        return true;
    for (size_t i = 0; client->group_may && i < peer->groups_count; ++i)
        if (peer->groups[i] == client->group)
            return true;
    return false;
}

/* The client of that name if the peer may do `what` to it; NULL with the reason in `text`. */
static const struct plan_client *find(const struct keeper *keeper, const char *name,
                                      const struct keeper_peer *peer, const char *what,
                                      char *text, size_t text_size)
{
    const struct plan_client *client = plan_find(&keeper->plan, name);
    if (!client) {
        snprintf(text, text_size, "nothing is reserved by that name");
        return NULL;
    }
    if (may(peer, client))
        return client;
    if (client->owner == 0)
        snprintf(text, text_size, "only root may %s it", what);
    else
        snprintf(text, text_size, "only root and its owner, uid %lu, may %s it",
                 (unsigned long)client->owner, what);
    return NULL;
}

static bool is_of(const struct keeper *keeper, const struct keeper_unit *unit,
                  const struct plan_client *client)
{
    return &keeper->plan.clients[unit->client] == client;
}

/* -------------------------------------------------------------- release -- */

/* A service that binds beside the hold is left to do so. */
static bool stays_held(const struct keeper *keeper, const struct keeper_unit *unit)
{
    return keeper->config.keep && is_held(unit) &&
           ((unit->coexists && !unit->doubted) || is_occupied(keeper, unit));
}

static void release_unit(struct keeper *keeper, struct keeper_unit *unit, uint64_t now_ms)
{
    unit->asked_ms = now_ms;
    if (stays_held(keeper, unit)) {
        unit->coexists = true;
        unit->doubted = !is_occupied(keeper, unit);
        return;
    }
    if (is_held(unit))
        note(keeper, "releases", unit);
    hold_drop(&unit->hold);
    unit->state = KEEPER_RELEASED;
    unit->served_inode = 0;
    unit->seen = false;
    unit->coexists = unit->doubted = false;
}

static void release_client(struct keeper *keeper, const struct plan_client *client,
                           uint64_t now_ms)
{
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (is_of(keeper, unit, client) && unit->state != KEEPER_IN_USE)
            release_unit(keeper, unit, now_ms);
    }
}

static int release_all(struct keeper *keeper, const struct keeper_peer *peer, uint64_t now_ms,
                       char *text, size_t text_size)
{
    size_t done = 0;
    for (size_t i = 0; i < keeper->plan.clients_count; ++i) {
        const struct plan_client *client = &keeper->plan.clients[i];
        if (!may(peer, client))
            continue;
        release_client(keeper, client, now_ms);
        done += 1;
    }
    if (done > 0 || keeper->plan.clients_count == 0)
        return 0;
    snprintf(text, text_size, "nothing is reserved that uid %lu may release",
             (unsigned long)peer->uid);
    return KEEPER_E_REFUSED;
}

int keeper_release(struct keeper *keeper, const char *name, const struct keeper_peer *peer,
                   uint64_t now_ms, char *text, size_t text_size)
{
    if (keeper->config.keep)
        look(keeper);
    if (strcmp(name, "*") == 0)
        return release_all(keeper, peer, now_ms, text, text_size);
    const struct plan_client *client = find(keeper, name, peer, "release", text, text_size);
    if (!client)
        return KEEPER_E_REFUSED;
    release_client(keeper, client, now_ms);
    return 0;
}

unsigned keeper_next_tick_ms(const struct keeper *keeper)
{
    unsigned next = 0;
    if (!keeper->config.keep)
        return 0;
    for (size_t i = 0; i < keeper->units_count; ++i) {
        const struct keeper_unit *unit = &keeper->units[i];
        if (unit->state == KEEPER_RELEASED)
            return KEEPER_TICK_MS;
        if (unit->state == KEEPER_IN_USE)
            next = KEEPER_RETRY_MS;
        else if (next == 0 && (!unit->coexists || unit->doubted))
            next = KEEPER_WATCH_MS;
    }
    return next;
}

/* A port that is not held: has its service come and gone? */
static void recover(struct keeper *keeper, struct keeper_unit *unit, uint64_t now_ms)
{
    if (is_occupied(keeper, unit)) {
        unit->seen = true;
        return;
    }
    bool due = unit->seen || now_ms - unit->asked_ms >= keeper->config.grace_ms;
    if (due && take_hold(keeper, unit) == 0)
        note(keeper, "reserves", unit);
}

/* A port that is held: can its service live with that? */
static void watch(const struct keeper *keeper, struct keeper_unit *unit, uint64_t now_ms)
{
    if (is_occupied(keeper, unit)) {
        unit->coexists = true;
        unit->doubted = false;
    } else if (unit->doubted && now_ms - unit->asked_ms >= keeper->config.grace_ms) {
        unit->coexists = unit->doubted = false;
    }
}

void keeper_tick(struct keeper *keeper, uint64_t now_ms)
{
    if (!keeper->config.keep)
        return;
    look(keeper);
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (is_held(unit))
            watch(keeper, unit, now_ms);
        else
            recover(keeper, unit, now_ms);
    }
}

/* ------------------------------------------------------------- hand over -- */

/* A socket on the port, which is held for it if it was not; settle() decides whether it stays
 * so.
 */
static int serve(struct keeper *keeper, struct keeper_unit *unit)
{
    enum keeper_state before = unit->state;
    int r = is_held(unit) ? 0 : take_hold(keeper, unit);
    unit->state = before;
    if (r < 0)
        return r;
    /* The kernel would let a second one in, and give it all that arrives. */
    if (unit->transport == TRANSPORT_UDP && shares_udp(keeper, unit))
        return -EADDRINUSE;
    return hold_serve(&unit->hold, unit->port);
}

/* What is held for a handover alone stays so, or is let go when that is refused. */
static void settle(struct keeper *keeper, const struct plan_client *client, bool refused)
{
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (!is_of(keeper, unit, client) || !is_held(unit) || unit->state == KEEPER_HELD ||
            unit->state == KEEPER_HANDED_OVER)
            continue;
        if (refused) {
            hold_drop(&unit->hold);
            continue;
        }
        unit->state = KEEPER_HELD;
        note(keeper, "reserves", unit);
    }
}

static int take_all(struct keeper *keeper, const struct plan_client *client,
                    struct keeper_served *served, size_t *count, char *text, size_t text_size)
{
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (!is_of(keeper, unit, client))
            continue;
        int fd = serve(keeper, unit);
        if (fd < 0) {
            snprintf(text, text_size, "%u/%s %s", (unsigned)unit->port,
                     transport_name(unit->transport),
                     fd == -EADDRINUSE ? "is in use" : strerror(-fd));
            return fd == -EADDRINUSE ? KEEPER_E_REFUSED : fd;
        }
        served[(*count)++] = (struct keeper_served){fd, unit->port, unit->transport};
    }
    if (*count > 0)
        return 0;
    snprintf(text, text_size, "its file reserves nothing");
    return KEEPER_E_REFUSED;
}

int keeper_take(struct keeper *keeper, const char *name, const struct keeper_peer *peer,
                struct keeper_served **served, size_t *count, char *text, size_t text_size)
{
    const struct plan_client *client = find(keeper, name, peer, "take", text, text_size);
    *served = NULL;
    *count = 0;
    if (!client)
        return KEEPER_E_REFUSED;
    struct keeper_served *sockets = calloc(keeper->units_count + 1, sizeof *sockets);
    if (!sockets) {
        snprintf(text, text_size, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    int r = take_all(keeper, client, sockets, count, text, text_size);
    settle(keeper, client, r != 0);
    if (r == 0) {
        *served = sockets;
        return 0;
    }
    while (*count > 0)
        close(sockets[--*count].fd);
    free(sockets);
    return r;
}

void keeper_handed_over(struct keeper *keeper, const struct keeper_served *served, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < keeper->units_count && at < count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        struct stat st;
        if (unit->port != served[at].port || unit->transport != served[at].transport)
            continue;
        if (fstat(served[at].fd, &st) == 0)
            unit->served_inode = st.st_ino;
        unit->state = KEEPER_HANDED_OVER;
        note(keeper, "hands over", unit);
        at += 1;
    }
}

static void find_served(void *context, const struct pa_sockdiag_socket *socket)
{
    struct keeper *keeper = context;
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (unit->served_inode != 0 && unit->served_inode == socket->inode)
            unit->state = KEEPER_HANDED_OVER;
    }
}

void keeper_refresh(struct keeper *keeper)
{
    bool any = false;
    for (size_t i = 0; i < keeper->units_count; ++i) {
        struct keeper_unit *unit = &keeper->units[i];
        if (unit->state != KEEPER_HANDED_OVER)
            continue;
        unit->state = KEEPER_HELD;
        any = true;
    }
    if (any)
        pa_sockdiag_services(&keeper->diag, find_served, keeper);
    for (size_t i = 0; i < keeper->units_count; ++i)
        if (keeper->units[i].state == KEEPER_HELD)
            keeper->units[i].served_inode = 0;
}

size_t keeper_held(const struct keeper *keeper)
{
    size_t n = 0;
    for (size_t i = 0; i < keeper->units_count; ++i)
        n += is_held(&keeper->units[i]);
    return n;
}

void keeper_deinit(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->units_count; ++i)
        hold_drop(&keeper->units[i].hold);
    free(keeper->units);
    plan_deinit(&keeper->plan);
    pa_sockdiag_close(&keeper->diag);
    keeper->units = NULL;
    keeper->units_count = 0;
}
