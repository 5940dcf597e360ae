/* Channels of Tcl over TCP sockets. */

#include "pa_tcl_socket.h"

#include "pa_tcp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct socket {
    Tcl_Channel channel;
    int fd;
    void (*closed)(void *data); /* of one that listens; else NULL */
    void *data;
};

/* ------------------------------------------------------------ the driver -- */

static int input(void *instance, char *bytes, int size, int *error)
{
    const struct socket *self = instance;
    ssize_t received = pa_tcp_read(self->fd, bytes, (size_t)size);
    if (received >= 0)
        return (int)received;
    if (received == -ECONNRESET)
        return 0; /* as Tcl's own: the end of the file */
    *error = (int)-received;
    return -1;
}

static int output(void *instance, const char *bytes, int size, int *error)
{
    const struct socket *self = instance;
    ssize_t sent = pa_tcp_write(self->fd, bytes, (size_t)size);
    if (sent >= 0)
        return (int)sent;
    *error = (int)-sent;
    return -1;
}

static void notify(void *data, int mask)
{
    Tcl_NotifyChannel(((struct socket *)data)->channel, mask);
}

static void watch(void *instance, int mask)
{
    struct socket *self = instance;
    if (self->closed)
        return; /* it is never readable to a script, and accepting is another's */
    if (mask)
        Tcl_CreateFileHandler(self->fd, mask, notify, self);
    else
        Tcl_DeleteFileHandler(self->fd);
}

static int get_handle(void *instance, int direction, void **handle)
{
    (void)direction;
    union {
        intptr_t number;
        void *pointer;
    } wanted = {((const struct socket *)instance)->fd};
    *handle = wanted.pointer;
    return TCL_OK;
}

static int set_block_mode(void *instance, int mode)
{
    const struct socket *self = instance;
    if (self->closed)
        return 0; /* there is nothing to wait for */
    return -pa_tcp_set_blocking(self->fd, mode == TCL_MODE_BLOCKING);
}

static int close_channel(void *instance, Tcl_Interp *interp, int flags)
{
    (void)interp;
    struct socket *self = instance;
    if (flags & (TCL_CLOSE_READ | TCL_CLOSE_WRITE))
        return -pa_tcp_shut(self->fd, flags & TCL_CLOSE_READ);
    Tcl_DeleteFileHandler(self->fd);
    int r = pa_tcp_close(self->fd);
    if (self->closed)
        self->closed(self->data);
    Tcl_Free((void *)self);
    return -r;
}

/* --------------------------------------------------------------- options -- */

static const char no_reverse_dns[] = "::tcl::unsupported::noReverseDNS"; /* as Tcl's own */

static void append_names(Tcl_DString *value, const struct pa_tcp_name *names, int count)
{
    for (int i = 0; i < count; ++i) {
        char port[TCL_INTEGER_SPACE];
        snprintf(port, sizeof port, "%d", names[i].port);
        Tcl_DStringAppendElement(value, names[i].address);
        Tcl_DStringAppendElement(value, names[i].host);
        Tcl_DStringAppendElement(value, port);
    }
}

/* -sockname or -peername; among all options a name that is not there is left out. */
static int get_names(const struct socket *self, Tcl_Interp *interp, enum pa_tcp_end end,
                     bool all, Tcl_DString *value)
{
    const char *what = end == PA_TCP_OWN ? "sockname" : "peername";
    struct pa_tcp_name names[PA_TCP_NAMES];
    bool look_up = !interp || !Tcl_GetVar2Ex(interp, no_reverse_dns, NULL, 0);
    int count = pa_tcp_names(self->fd, end, look_up, names);
    if (count < 0 && all)
        return TCL_OK;
    if (count < 0) {
        Tcl_SetErrno(-count);
        if (interp)
            Tcl_SetObjResult(interp,
                             Tcl_ObjPrintf("can't get %s: %s", what, Tcl_PosixError(interp)));
        return TCL_ERROR;
    }
    if (!all) {
        append_names(value, names, count);
        return TCL_OK;
    }
    Tcl_DStringAppendElement(value, end == PA_TCP_OWN ? "-sockname" : "-peername");
    Tcl_DStringStartSublist(value);
    append_names(value, names, count);
    Tcl_DStringEndSublist(value);
    return TCL_OK;
}

static int get_error(const struct socket *self, Tcl_DString *value)
{
    int error = pa_tcp_take_error(self->fd);
    if (error)
        Tcl_DStringAppend(value, Tcl_ErrnoMsg(error), -1);
    return TCL_OK;
}

/* Whether `word` is the option or begins so. */
static bool begins(const char *word, const char *option)
{
    return strlen(word) > 1 && strncmp(word, option, strlen(word)) == 0;
}

static int get_option(void *instance, Tcl_Interp *interp, const char *option,
                      Tcl_DString *value)
{
    const struct socket *self = instance;
    if (!option)
        return get_names(self, interp, PA_TCP_PEER, true, value) == TCL_OK
                   ? get_names(self, interp, PA_TCP_OWN, true, value)
                   : TCL_ERROR;
    if (begins(option, "-error"))
        return get_error(self, value);
    if (begins(option, "-connecting")) {
        Tcl_DStringAppend(value, "0", -1);
        return TCL_OK;
    }
    if (begins(option, "-peername"))
        return get_names(self, interp, PA_TCP_PEER, false, value);
    if (begins(option, "-sockname"))
        return get_names(self, interp, PA_TCP_OWN, false, value);
    return Tcl_BadChannelOption(interp, option, "connecting peername sockname");
}

static const Tcl_ChannelType channel_type = {
    .typeName = "tcp",
    .version = TCL_CHANNEL_VERSION_5,
    .closeProc = TCL_CLOSE2PROC,
    .inputProc = input,
    .outputProc = output,
    .getOptionProc = get_option,
    .watchProc = watch,
    .getHandleProc = get_handle,
    .close2Proc = close_channel,
    .blockModeProc = set_block_mode,
};

/* ---------------------------------------------------------------- making -- */

static Tcl_Channel make(const struct socket *prototype, int mode)
{
    struct socket *self = (void *)Tcl_Alloc(sizeof *self);
    *self = *prototype;
    char name[sizeof "sock" + 2 * sizeof(uintptr_t)];
    snprintf(name, sizeof name, "sock%lx", (unsigned long)(uintptr_t)self);
    self->channel = Tcl_CreateChannel(&channel_type, name, self, mode);
    return self->channel;
}

Tcl_Channel pa_tcl_socket_connected(int fd)
{
    Tcl_Channel channel = make(&(struct socket){.fd = fd}, TCL_READABLE | TCL_WRITABLE);
    Tcl_SetChannelOption(NULL, channel, "-translation", "auto crlf");
    return channel;
}

Tcl_Channel pa_tcl_socket_listening(int fd, void (*closed)(void *data), void *data)
{
    return make(&(struct socket){.fd = fd, .closed = closed, .data = data}, 0);
}
