/* Receives the messages of a port in the event loop. */

#include "ports_tcl_listener.h"

#include "ports_tcl_call.h"
#include "ports_tcl_error.h"
#include "sys/ports.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

enum {
    LISTENER_BATCH = 100,  /* messages */
    LISTENER_BATCH_MS = 5, /* a screen is drawn every 16 */
    LISTENER_TURN_MS = 10,
};

struct ports_tcl_listener {
    unsigned references; /* the owner's, and one for the batch that runs */
    unsigned held;       /* why nothing is received now; the batch is one reason */
    int id;
    int fd; /* owned; -1: none */
    Tcl_Interp *interp;
    Tcl_Obj *prefix; /* owned; NULL: does not listen */
    bool is_watched;
    bool has_turn; /* waits for its turn; `timer` is the latest moment */
    Tcl_TimerToken timer;
};

/* ------------------------------------------------------------- watching -- */

static void on_readable(void *data, int mask);
static void on_turn(void *data);

static void unwatch(struct ports_tcl_listener *listener)
{
    if (listener->is_watched)
        Tcl_DeleteFileHandler(listener->fd);
    listener->is_watched = false;
    if (listener->has_turn) {
        Tcl_CancelIdleCall(on_turn, listener);
        Tcl_DeleteTimerHandler(listener->timer);
    }
    listener->has_turn = false;
}

static void watch(struct ports_tcl_listener *listener)
{
    if (listener->held > 0 || !listener->prefix || listener->is_watched)
        return;
    unwatch(listener);
    Tcl_CreateFileHandler(listener->fd, TCL_READABLE, on_readable, listener);
    listener->is_watched = true;
}

static void on_turn(void *data)
{
    watch(data);
}

/* Watches again when others have had their turn. */
static void watch_later(struct ports_tcl_listener *listener)
{
    if (listener->held > 0 || !listener->prefix)
        return;
    unwatch(listener);
    Tcl_DoWhenIdle(on_turn, listener);
    listener->timer = Tcl_CreateTimerHandler(LISTENER_TURN_MS, on_turn, listener);
    listener->has_turn = true;
}

/* A descriptor that Tcl can watch, or a negative errno. */
static int open_fd(int id)
{
    int fd = pgetfd(id);
    if (fd < 0)
        return -errno;
#if TCL_MAJOR_VERSION < 9
    if (fd >= FD_SETSIZE) { /* Tcl 8 uses select() */
        close(fd);
        return -EMFILE;
    }
#endif
    return fd;
}

/* ------------------------------------------------------------- lifetime -- */

struct ports_tcl_listener *ports_tcl_listener_new(Tcl_Interp *interp, int id)
{
    struct ports_tcl_listener *listener = (void *)Tcl_Alloc(sizeof *listener);
    *listener =
        (struct ports_tcl_listener){.references = 1, .id = id, .fd = -1, .interp = interp};
    return listener;
}

static void unref(struct ports_tcl_listener *listener)
{
    if (--listener->references == 0)
        Tcl_Free((void *)listener);
}

void ports_tcl_listener_cancel(struct ports_tcl_listener *listener)
{
    if (!listener->prefix)
        return;
    unwatch(listener);
    close(listener->fd);
    listener->fd = -1;
    Tcl_DecrRefCount(listener->prefix);
    listener->prefix = NULL;
}

struct ports_tcl_listener *ports_tcl_listener_free(struct ports_tcl_listener *listener)
{
    if (listener) {
        ports_tcl_listener_cancel(listener);
        unref(listener);
    }
    return NULL;
}

int ports_tcl_listener_set(struct ports_tcl_listener *listener, Tcl_Obj *prefix)
{
    Tcl_IncrRefCount(prefix);
    if (listener->prefix) {
        Tcl_DecrRefCount(listener->prefix);
        listener->prefix = prefix;
        return 0;
    }
    int fd = open_fd(listener->id);
    if (fd < 0) {
        Tcl_DecrRefCount(prefix);
        return -fd;
    }
    listener->fd = fd;
    listener->prefix = prefix;
    watch(listener);
    return 0;
}

Tcl_Obj *ports_tcl_listener_prefix(const struct ports_tcl_listener *listener)
{
    return listener->prefix;
}

void ports_tcl_listener_hold(struct ports_tcl_listener *listener)
{
    ++listener->held;
    unwatch(listener);
}

void ports_tcl_listener_resume(struct ports_tcl_listener *listener)
{
    --listener->held;
    watch(listener);
}

/* ------------------------------------------------------------ receiving -- */

/* Nothing can be received any more: the script is told once. */
static void give_up(struct ports_tcl_listener *listener, int error)
{
    ports_tcl_listener_cancel(listener);
    ports_tcl_error(listener->interp, error == EINVAL ? EIDRM : error,
                    Tcl_ObjPrintf("receive from port %d", listener->id));
    Tcl_BackgroundException(listener->interp, TCL_ERROR);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Hands on a batch. Returns whether it ended before the port was empty. */
static bool receive_batch(struct ports_tcl_listener *listener)
{
    int64_t end_ms = now_ms() + LISTENER_BATCH_MS;
    for (int i = 0; i < LISTENER_BATCH && now_ms() < end_ms; ++i) {
        if (!listener->prefix || Tcl_InterpDeleted(listener->interp))
            return false;
        long message;
        if (ptryreceive(listener->id, &message) == 0) {
            ports_tcl_call(listener->interp, listener->prefix, message);
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            give_up(listener, errno);
            return false;
        }
    }
    return true;
}

static void on_readable(void *data, int mask)
{
    (void)mask;
    struct ports_tcl_listener *listener = data;
    Tcl_Interp *interp = listener->interp;
    Tcl_Preserve(interp);
    ++listener->references;
    ports_tcl_listener_hold(listener);
    bool more = receive_batch(listener);
    --listener->held;
    if (more)
        watch_later(listener);
    else
        watch(listener);
    unref(listener);
    Tcl_Release(interp);
}
