/*
 * Who a connection's client is.
 *
 * The happy path: the kernel names a user whose name is known, and all is done
 * at once. Otherwise a thread of libuv's pool asks for the name, which can take
 * as long as the name service likes, and the connection's request waits; others
 * of the same user wait for the same answer.
 *
 * What can go wrong: the kernel does not tell, because the client has gone: then
 * nothing is proved. The connection ends while it waits: the answer comes for
 * nobody. No thread can be had: the loop itself asks.
 */

#include "identify.h"

#include "conn.h"
#include "conns.h"
#include "names.h"
#include "owner.h"

#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(identify_line, conn);

/* A name that is being asked for. */
struct identification {
    uv_work_t work;
    struct conns *conns;
    TAILQ_ENTRY(identification) link;
    struct identify_line line; /* who waits for it */
    uid_t uid;
    int result; /* names_resolve()'s */
    char name[NAMES_NAME_BYTES];
};

bool identify_uid(struct conn *conn, uid_t *uid)
{
    struct conns *conns = conn->conns;
    struct owner owner = {.proof = OWNER_UNPROVED};
    int fd = conn_descriptor(conn);
    int r = conn->session.unix_domain ? owner_of_unix(fd, &owner)
                                      : owner_of_tcp(&conns->diag, fd, &owner);
    if (r < 0)
        journal_trouble(&conns->journal, conns_now_ms(conns), "learn whose a connection is",
                        strerror(-r));
    *uid = owner.uid;
    return r == 0 && owner.proof == OWNER_PROVED;
}

void identify_forget(struct conn *conn)
{
    if (conn->identification)
        TAILQ_REMOVE(&conn->identification->line, conn, identify_link);
    conn->identification = NULL;
}

static void do_work(uv_work_t *work)
{
    struct identification *identification = work->data;
    identification->result = names_resolve(identification->uid, identification->name);
}

/* Tells all who wait; what they do next may end other connections of the line. */
static void deliver(struct identification *identification)
{
    struct conns *conns = identification->conns;
    struct conn *conn;
    if (identification->result == 0)
        names_keep(&conns->names, identification->uid, identification->name,
                   conns_now_ms(conns));
    TAILQ_REMOVE(&conns->identifications, identification, link);
    while ((conn = TAILQ_FIRST(&identification->line))) {
        identify_forget(conn);
        if (session_prove(&conn->session, identification->uid, identification->name) == 0)
            conn_resume(conn);
        else
            conn_close(conn);
    }
    free(identification);
}

static void after_work(uv_work_t *work, int status)
{
    (void)status; /* never cancelled */
    deliver(work->data);
}

static struct identification *find(struct conns *conns, uid_t uid)
{
    struct identification *identification = TAILQ_FIRST(&conns->identifications);
    while (identification && identification->uid != uid)
        identification = TAILQ_NEXT(identification, link);
    return identification;
}

/* NULL: no memory. */
static struct identification *identification_new(struct conns *conns, uid_t uid)
{
    struct identification *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->conns = conns;
    made->uid = uid;
    made->work.data = made;
    TAILQ_INIT(&made->line);
    TAILQ_INSERT_TAIL(&conns->identifications, made, link);
    return made;
}

/* Whether the name is there already. */
static bool ask_for_name(struct conn *conn, uid_t uid)
{
    struct conns *conns = conn->conns;
    struct identification *identification = find(conns, uid);
    bool begun = identification != NULL;
    if (!begun)
        identification = identification_new(conns, uid);
    if (!identification)
        return session_prove(&conn->session, 0, NULL) == 0;
    conn->identification = identification;
    TAILQ_INSERT_TAIL(&identification->line, conn, identify_link);
    if (begun || uv_queue_work(conns->loop, &identification->work, do_work, after_work) == 0)
        return false;
    do_work(&identification->work);
    identify_forget(conn);
    int r = session_prove(&conn->session, uid, identification->name);
    deliver(identification);
    return r == 0;
}

bool identify_client(struct conn *conn)
{
    struct conns *conns = conn->conns;
    uid_t uid;
    if (conn->identification)
        return false;
    if (!identify_uid(conn, &uid))
        return session_prove(&conn->session, 0, NULL) == 0;
    const char *name = names_find(&conns->names, uid, conns_now_ms(conns));
    return name ? session_prove(&conn->session, uid, name) == 0 : ask_for_name(conn, uid);
}
