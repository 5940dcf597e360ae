/* The options behind `allocatePort`, `listen` and `find`. */

#include "pa_tcl_switch.h"

#include "pa_tcl_error.h"
#include "pa_tcl_utf8.h"

#include <stddef.h>

enum kind {
    NUMBER, /* from min to max */
    TRUTH,  /* min is stored for false, min + 1 for true */
    TEXT,   /* `max` is an enum pa_tcl_text */
    WORD,   /* as it is; an empty one is none */
};

#define OF(verb)   (1u << (verb))
#define ALLOCATE   OF(PA_VERB_ALLOCATE)
#define LISTEN     OF(PA_VERB_LISTEN)
#define FIND       OF(PA_VERB_FIND)
#define WATCH      OF(PA_VERB_WATCH)
#define CHANGE     OF(PA_VERB_CHANGE)
#define WAIT       OF(PA_TCL_SWITCH_WAIT)
#define ANY        (~WATCH) /* that is answered once */
#define AT(member) offsetof(struct pa_tcl_switches, keys.member)

struct row {
    const char *name;
    unsigned verbs; /* that have it */
    enum kind kind;
    size_t offset; /* in struct pa_tcl_switches */
    int min;
    int max;
    const char *what; /* it is; for messages */
};

static const struct row row_table[] = {
    {"-attributes", ALLOCATE | LISTEN | CHANGE, TEXT, AT(attributes), 0, PA_TCL_TEXT_ATTRIBUTES,
     "attributes"},
    {"-backlog", LISTEN, NUMBER, AT(backlog), 1, PA_KEYS_BACKLOG_MAX,
     "a number of connections"},
    {"-command", ANY, WORD, offsetof(struct pa_tcl_switches, command), 0, 0, NULL},
    {"-coroutine", ANY, TRUTH, offsetof(struct pa_tcl_switches, coroutine), 0, 0, NULL},
    {"-count", ALLOCATE, NUMBER, AT(count), 1, PA_KEYS_COUNT_MAX, "a number of ports"},
    {"-exact", ALLOCATE | LISTEN, TRUTH, AT(exact), 0, 0, NULL},
    {"-hold", ALLOCATE, TRUTH, AT(hold), PA_HOLD_NO, 0, NULL},
    {"-myaddr", LISTEN, TEXT, AT(address), 0, PA_TCL_TEXT_ADDRESS, "address"},
    {"-name", FIND | WATCH, TEXT, AT(name_pattern), 0, PA_TCL_TEXT_NAME, "pattern"},
    {"-poll", WATCH, NUMBER, offsetof(struct pa_tcl_switches, poll_ms),
     PA_TCL_SWITCH_POLL_MIN_MS, PA_TCL_SWITCH_WAIT_MAX_MS, "a number of milliseconds"},
    {"-port", ALLOCATE | LISTEN, NUMBER, AT(port), 1, UINT16_MAX, "a port"},
    {"-timeout", WAIT, NUMBER, offsetof(struct pa_tcl_switches, timeout_ms), 0,
     PA_TCL_SWITCH_WAIT_MAX_MS, "a number of milliseconds"},
    {"-unique", ALLOCATE, TRUTH, AT(unique), 0, 0, NULL},
    {"-user", FIND | WATCH, TEXT, AT(user_pattern), 0, PA_TCL_TEXT_USER, "pattern"},
    {"-wait", ALLOCATE | LISTEN, NUMBER, AT(wait_ms), 0, PA_KEYS_WAIT_MAX_MS,
     "a number of milliseconds"},
    {NULL, 0, NUMBER, 0, 0, 0, NULL},
};

static int read_number(Tcl_Interp *interp, Tcl_Obj *word, const struct row *row,
                       uint32_t *number)
{
    Tcl_WideInt value;
    if (Tcl_GetWideIntFromObj(NULL, word, &value) != TCL_OK || value < row->min ||
        value > row->max)
        return pa_tcl_error_usage(
            interp, Tcl_ObjPrintf("expected %s from %d to %d but got \"%s\"", row->what,
                                  row->min, row->max, Tcl_GetString(word)));
    *number = (uint32_t)value;
    return TCL_OK;
}

static int read_truth(Tcl_Interp *interp, Tcl_Obj *word, const struct row *row,
                      uint32_t *number)
{
    int value;
    if (Tcl_GetBooleanFromObj(NULL, word, &value) != TCL_OK)
        return pa_tcl_error_usage(
            interp, Tcl_ObjPrintf("expected a boolean but got \"%s\"", Tcl_GetString(word)));
    *number = (uint32_t)(row->min + (value ? 1 : 0));
    return TCL_OK;
}

static void forget(Tcl_Obj **place)
{
    if (*place)
        Tcl_DecrRefCount(*place);
    *place = NULL;
}

static void read_word(Tcl_Obj *word, Tcl_Obj **place)
{
    forget(place);
    if (!*Tcl_GetString(word))
        return;
    *place = word;
    Tcl_IncrRefCount(word);
}

static int take(struct pa_tcl_switches *switches, Tcl_Interp *interp, const struct row *row,
                Tcl_Obj *word)
{
    void *place = (char *)switches + row->offset;
    if (row->kind == NUMBER)
        return read_number(interp, word, row, place);
    if (row->kind == TRUTH)
        return read_truth(interp, word, row, place);
    if (row->kind == WORD) {
        read_word(word, place);
        return TCL_OK;
    }
    Tcl_DString *text = &switches->texts[row->max];
    Tcl_DStringFree(text);
    int code = pa_tcl_utf8_get(interp, row->what, word, text);
    *(const char **)place = Tcl_DStringValue(text);
    return code;
}

/* The row of that name that the verb has, or NULL with a message. */
static const struct row *find(Tcl_Interp *interp, enum pa_verb verb, Tcl_Obj *name)
{
    int i;
    if (Tcl_GetIndexFromObjStruct(NULL, name, row_table, sizeof *row_table, "option", TCL_EXACT,
                                  &i) == TCL_OK &&
        (row_table[i].verbs & OF(verb)))
        return &row_table[i];
    pa_tcl_error_usage(interp, Tcl_ObjPrintf("unknown option \"%s\"", Tcl_GetString(name)));
    return NULL;
}

void pa_tcl_switches_init(struct pa_tcl_switches *switches)
{
    *switches = (struct pa_tcl_switches){.keys = PA_KEYS_INIT};
    for (int i = 0; i < PA_TCL_TEXTS; ++i)
        Tcl_DStringInit(&switches->texts[i]);
}

int pa_tcl_switches_parse(struct pa_tcl_switches *switches, Tcl_Interp *interp,
                          enum pa_verb verb, Tcl_Size count, Tcl_Obj *const words[])
{
    pa_tcl_switches_init(switches);
    for (Tcl_Size i = 0; i < count; i += 2) {
        const struct row *row = find(interp, verb, words[i]);
        if (!row)
            return TCL_ERROR;
        if (i + 1 == count)
            return pa_tcl_error_usage(interp,
                                      Tcl_ObjPrintf("value for \"%s\" missing", row->name));
        if (take(switches, interp, row, words[i + 1]) != TCL_OK)
            return TCL_ERROR;
        switches->telling += row->verbs == ANY ? 1 : 0;
        switches->has_timeout |= row->verbs == WAIT;
        switches->has_hold |= row->offset == AT(hold);
        switches->has_count |= row->offset == AT(count);
    }
    return TCL_OK;
}

void pa_tcl_switches_deinit(struct pa_tcl_switches *switches)
{
    forget(&switches->command);
    for (int i = 0; i < PA_TCL_TEXTS; ++i)
        Tcl_DStringFree(&switches->texts[i]);
}

int pa_tcl_switch_port(Tcl_Interp *interp, Tcl_Obj *word, uint16_t *port)
{
    static const struct row row = {.min = 1, .max = UINT16_MAX, .what = "a port"};
    uint32_t number = 0;
    int code = read_number(interp, word, &row, &number);
    *port = (uint16_t)number;
    return code;
}
