/*
 * What `listen` returns.
 *
 * The channel owns the listener; the channel is closed by the script, with its
 * interpreter, or at the end of the process. The command may do any of that
 * while it serves a connection: nothing of the listener is used behind it.
 */

#include "pa_tcl_listener.h"

#include "pa_tcl_socket.h"
#include "pa_tcp.h"

enum {
    SHORTAGE_PAUSE_MS = 100
}; /* the connection stays in line, so the socket stays readable */

struct pa_tcl_listener {
    Tcl_Interp *interp; /* valid while the home is not gone */
    struct pa_tcl_home *home;
    Tcl_Obj *command; /* owned */
    int fd;           /* the channel's */
    Tcl_TimerToken pause;
    struct pa_lease lease;
};

static void wait_for_connections(struct pa_tcl_listener *listener);

/* -------------------------------------------------------------- serving -- */

static Tcl_Obj *script_for(Tcl_Obj *command, Tcl_Channel channel,
                           const struct pa_tcp_name *peer)
{
    Tcl_Obj *words[] = {
        Tcl_NewStringObj(Tcl_GetChannelName(channel), -1),
        Tcl_NewStringObj(peer->address, -1),
        Tcl_NewWideIntObj(peer->port),
    };
    Tcl_Obj *parts[] = {command, Tcl_NewListObj(3, words)};
    Tcl_IncrRefCount(parts[1]);
    Tcl_Obj *script = Tcl_ConcatObj(2, parts);
    Tcl_DecrRefCount(parts[1]);
    return script;
}

/* Calls the command. The listener may be gone then. */
static void serve(const struct pa_tcl_listener *listener, Tcl_Channel channel,
                  const struct pa_tcp_name *peer)
{
    Tcl_Interp *interp = listener->interp;
    Tcl_Obj *script = script_for(listener->command, channel, peer);
    Tcl_IncrRefCount(script);
    Tcl_Preserve(interp);
    Tcl_RegisterChannel(interp, channel);
    Tcl_RegisterChannel(NULL, channel); /* the command may close it */
    int code = Tcl_EvalObjEx(interp, script, TCL_EVAL_DIRECT | TCL_EVAL_GLOBAL);
    if (code != TCL_OK) {
        Tcl_BackgroundException(interp, code);
        Tcl_UnregisterChannel(interp, channel);
    }
    Tcl_UnregisterChannel(NULL, channel);
    Tcl_Release(interp);
    Tcl_DecrRefCount(script);
}

static void pause_over(void *data)
{
    struct pa_tcl_listener *listener = data;
    listener->pause = NULL;
    wait_for_connections(listener);
}

static void accept_one(void *data, int mask)
{
    (void)mask;
    struct pa_tcl_listener *listener = data;
    struct pa_tcp_name peer;
    int fd;
    int r = pa_tcp_accept(listener->fd, &fd, &peer);
    if (r < 0) {
        if (pa_tcp_is_shortage(-r)) {
            Tcl_DeleteFileHandler(listener->fd);
            listener->pause = Tcl_CreateTimerHandler(SHORTAGE_PAUSE_MS, pause_over, listener);
        }
        return;
    }
    Tcl_Channel channel = pa_tcl_socket_connected(fd);
    if (listener->home->gone || Tcl_InterpDeleted(listener->interp))
        Tcl_Close(NULL, channel); /* the channel is shared with another interpreter */
    else
        serve(listener, channel, &peer);
}

static void wait_for_connections(struct pa_tcl_listener *listener)
{
    Tcl_CreateFileHandler(listener->fd, TCL_READABLE, accept_one, listener);
}

/* ------------------------------------------------------------- lifetime -- */

static void closed(void *data)
{
    struct pa_tcl_listener *listener = data;
    Tcl_DeleteTimerHandler(listener->pause);
    pa_lease_end(&listener->lease);
    Tcl_DecrRefCount(listener->command);
    pa_tcl_home_unref(listener->home);
    Tcl_Free((void *)listener);
}

void pa_tcl_listener_new(Tcl_Interp *interp, struct pa_tcl_home *home, Tcl_Obj *command, int fd,
                         const struct pa_lease *lease)
{
    struct pa_tcl_listener *listener = (void *)Tcl_Alloc(sizeof *listener);
    *listener = (struct pa_tcl_listener){.interp = interp,
                                         .home = pa_tcl_home_ref(home),
                                         .command = command,
                                         .fd = fd,
                                         .lease = *lease};
    Tcl_IncrRefCount(command);
    pa_tcp_set_blocking(fd, false); /* a client may be gone again before it is accepted */
    Tcl_Channel channel = pa_tcl_socket_listening(fd, closed, listener);
    Tcl_RegisterChannel(interp, channel);
    wait_for_connections(listener);
    Tcl_SetObjResult(interp, Tcl_NewStringObj(Tcl_GetChannelName(channel), -1));
}
