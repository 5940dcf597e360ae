/*
 * Who is told what came of an operation that did not block.
 *
 * A coroutine waits in `yield`, which is run behind the command that began the
 * operation, with went_on() behind that. To tell it the answer, the answer is left
 * in the pause and the coroutine called by its name; went_on() then makes it the
 * result of the command. Whoever of the reply and went_on() comes last frees the
 * pause. When a coroutine is deleted, libtcl runs what is behind its `yield`
 * with an error: so went_on() comes in any case.
 */

#include "pa_tcl_reply.h"

#include "pa_tcl_error.h"

struct pa_tcl_pause {
    int users;             /* the reply, went_on(), or both */
    Tcl_Command coroutine; /* valid while the reply is a user: it is deleted in went_on() */
    Tcl_Obj *value;        /* the answer, once it is there */
    Tcl_Obj *options;      /* with it, as `return` has them */
    void (*broken_off)(void *data);
    void *data;
};

static void leave(struct pa_tcl_pause *pause)
{
    if (--pause->users > 0)
        return;
    if (pause->value) {
        Tcl_DecrRefCount(pause->value);
        Tcl_DecrRefCount(pause->options);
    }
    Tcl_Free((void *)pause);
}

/* -------------------------------------------------------------- beginning -- */

bool pa_tcl_reply_is_wanted(const struct pa_tcl_switches *switches)
{
    return switches->command || switches->coroutine;
}

/* The coroutine that runs, or NULL. Leaves no result. */
static Tcl_Command find_coroutine(Tcl_Interp *interp)
{
    Tcl_Command coroutine = NULL;
    if (Tcl_EvalEx(interp, "::info coroutine", -1, 0) == TCL_OK)
        coroutine = Tcl_FindCommand(interp, Tcl_GetStringResult(interp), NULL, TCL_GLOBAL_ONLY);
    Tcl_ResetResult(interp);
    return coroutine;
}

int pa_tcl_reply_init(struct pa_tcl_reply *reply, Tcl_Interp *interp,
                      const struct pa_tcl_switches *switches)
{
    *reply = (struct pa_tcl_reply){.interp = interp, .command = switches->command};
    if (reply->command && switches->coroutine) {
        reply->command = NULL;
        return pa_tcl_error_usage(
            interp, Tcl_NewStringObj("-command and -coroutine exclude each other", -1));
    }
    if (reply->command) {
        Tcl_IncrRefCount(reply->command);
        int code = pa_tcl_reply_check(interp, reply->command);
        if (code != TCL_OK)
            pa_tcl_reply_drop(reply);
        return code;
    }
    Tcl_Command coroutine = find_coroutine(interp);
    if (!coroutine)
        return pa_tcl_error_usage(
            interp, Tcl_NewStringObj("-coroutine can be used within a coroutine alone", -1));
    reply->pause = (void *)Tcl_Alloc(sizeof *reply->pause);
    *reply->pause = (struct pa_tcl_pause){.users = 1, .coroutine = coroutine};
    return TCL_OK;
}

/* --------------------------------------------------------------- coroutines -- */

/* The coroutine goes on. */
static int went_on(void *data[], Tcl_Interp *interp, int code)
{
    struct pa_tcl_pause *pause = data[0];
    if (pause->value) {
        Tcl_SetObjResult(interp, pause->value);
        code = Tcl_SetReturnOptions(interp, pause->options);
    } else if (pause->users > 1) {
        pause->broken_off(pause->data);
        if (code == TCL_OK)
            code = pa_tcl_error_usage(
                interp,
                Tcl_NewStringObj("the coroutine was called before the answer came", -1));
    } else if (code == TCL_OK) {
        code = pa_tcl_error_usage(
            interp, Tcl_NewStringObj("the allocator was deleted before the answer came", -1));
    }
    leave(pause);
    return code;
}

int pa_tcl_reply_return(struct pa_tcl_reply *reply, Tcl_Obj *token,
                        void (*broken_off)(void *data), void *data)
{
    struct pa_tcl_pause *pause = reply->pause;
    if (!pause) {
        Tcl_SetObjResult(reply->interp, token);
        return TCL_OK;
    }
    Tcl_IncrRefCount(token);
    Tcl_DecrRefCount(token);
    ++pause->users;
    pause->broken_off = broken_off;
    pause->data = data;
    Tcl_NRAddCallback(reply->interp, went_on, pause, NULL, NULL, NULL);
    return Tcl_NREvalObj(reply->interp, Tcl_NewStringObj("::yield", -1), 0);
}

/* ------------------------------------------------------------------ telling -- */

static void evaluate(Tcl_Interp *interp, Tcl_Obj *script)
{
    Tcl_IncrRefCount(script);
    Tcl_Preserve(interp);
    int code = Tcl_EvalObjEx(interp, script, TCL_EVAL_DIRECT | TCL_EVAL_GLOBAL);
    if (code != TCL_OK)
        Tcl_BackgroundException(interp, code);
    else
        Tcl_ResetResult(interp);
    Tcl_Release(interp);
    Tcl_DecrRefCount(script);
}

/* A list of its own, which is evaluated without a string being made of it. */
void pa_tcl_reply_call(Tcl_Interp *interp, Tcl_Obj *prefix, int count, Tcl_Obj *const words[])
{
    Tcl_Obj *script = Tcl_DuplicateObj(prefix);
    Tcl_IncrRefCount(script);
    for (int i = 0; i < count; ++i)
        Tcl_ListObjAppendElement(NULL, script, words[i]);
    if (!Tcl_InterpDeleted(interp))
        evaluate(interp, script);
    Tcl_DecrRefCount(script);
}

int pa_tcl_reply_check(Tcl_Interp *interp, Tcl_Obj *prefix)
{
    Tcl_Size count;
    int code = Tcl_ListObjLength(interp, prefix, &count);
    if (code == TCL_OK && count == 0)
        code = pa_tcl_error_usage(interp, Tcl_NewStringObj("the command is empty", -1));
    return code;
}

/* {ok VALUE} or {error MESSAGE ERRORCODE}. */
static Tcl_Obj *outcome(Tcl_Interp *interp, int code)
{
    Tcl_Obj *words[3] = {Tcl_NewStringObj(code == TCL_OK ? "ok" : "error", -1),
                         Tcl_GetObjResult(interp), NULL};
    if (code == TCL_OK)
        return Tcl_NewListObj(2, words);
    Tcl_Obj *options = Tcl_GetReturnOptions(interp, code);
    Tcl_Obj *key = Tcl_NewStringObj("-errorcode", -1);
    Tcl_IncrRefCount(options);
    Tcl_IncrRefCount(key);
    Tcl_DictObjGet(NULL, options, key, &words[2]);
    Tcl_Obj *list = Tcl_NewListObj(words[2] ? 3 : 2, words);
    Tcl_DecrRefCount(key);
    Tcl_DecrRefCount(options);
    return list;
}

static void resume(struct pa_tcl_reply *reply, int code)
{
    struct pa_tcl_pause *pause = reply->pause;
    Tcl_Obj *name = Tcl_NewObj();
    Tcl_IncrRefCount(name);
    Tcl_GetCommandFullName(reply->interp, pause->coroutine, name);
    pause->value = Tcl_GetObjResult(reply->interp);
    Tcl_IncrRefCount(pause->value);
    pause->options = Tcl_GetReturnOptions(reply->interp, code);
    Tcl_IncrRefCount(pause->options);
    Tcl_ResetResult(reply->interp);
    leave(pause);
    evaluate(reply->interp, Tcl_NewListObj(1, &name));
    Tcl_DecrRefCount(name);
}

void pa_tcl_reply_give(struct pa_tcl_reply *reply, int code)
{
    struct pa_tcl_reply now = *reply;
    *reply = (struct pa_tcl_reply){.interp = NULL};
    if (now.pause) {
        resume(&now, code);
        return;
    }
    Tcl_Obj *word = outcome(now.interp, code);
    Tcl_ResetResult(now.interp);
    pa_tcl_reply_call(now.interp, now.command, 1, &word);
    Tcl_DecrRefCount(now.command);
}

void pa_tcl_reply_drop(struct pa_tcl_reply *reply)
{
    if (reply->command)
        Tcl_DecrRefCount(reply->command);
    if (reply->pause)
        leave(reply->pause);
    *reply = (struct pa_tcl_reply){.interp = NULL};
}
