/* Requests as random clients send them. */

#include "request.h"

#include "chance.h"
#include "model.h"

#include <tcl.h>

#include <stdio.h>
#include <string.h>

/* Forms in which a request of fixed meaning may come. */
static const struct {
    const char *text;
    enum request_meaning meaning;
} fixed[] = {
    {"GIMME", REQUEST_EMPTY_NAME},
    {"GIMME a", REQUEST_EMPTY_NAME},
    {"GIMME {} fox", REQUEST_EMPTY_NAME},
    {"GIMME a {}", REQUEST_EMPTY_NAME},
    {"GIMME a\\nb fox", REQUEST_CONTROL},
    {"GIMME \x01 fox", REQUEST_CONTROL},
    {"GIMME a\xC2\x80 fox", REQUEST_CONTROL},
    {"GIMME a \\ud800", REQUEST_NO_CHARACTER},
    {"", REQUEST_ILLEGAL},
    {"HELLO", REQUEST_ILLEGAL},
    {"GIMME {a fox", REQUEST_ILLEGAL},
    {"{", REQUEST_ILLEGAL},
    {"LIST \"", REQUEST_ILLEGAL},
    {"{a}b", REQUEST_ILLEGAL},
    {"list", REQUEST_ILLEGAL},
    {"{GIMME a fox}", REQUEST_ILLEGAL},
    {"\xC3\xA9", REQUEST_ILLEGAL},
    {"TERMINATE", REQUEST_ILLEGAL},
};

static const char *const list_forms[] = {"LIST", "LIST extra words", "{LIST}", "  LIST",
                                         "LIST {}"};

static void write_gimme(struct request *request, unsigned variety)
{
    request->meaning = REQUEST_GIMME;
    request->name = chance_below(8) ? chance_below(variety) : chance_below(MODEL_NAMES);
    request->user = chance_below(3) ? 0 : chance_below(MODEL_USERS);
    const char *name = model_names[request->name];
    if (strchr(name, ' ') && chance_below(2)) { /* unquoted, as the old client sends it */
        char *user = Tcl_Merge(1, (const char *const[]){model_users[request->user]});
        snprintf(request->text, sizeof request->text, "GIMME %s %s", name, user);
        Tcl_Free(user);
        return;
    }
    const char *words[3] = {"GIMME", name, model_users[request->user]};
    char *list = Tcl_Merge(3, words);
    snprintf(request->text, sizeof request->text, "%s", list);
    Tcl_Free(list);
}

static void write_nonsense(struct request *request)
{
    unsigned which = chance_below(sizeof fixed / sizeof *fixed);
    request->meaning = fixed[which].meaning;
    snprintf(request->text, sizeof request->text, "%s", fixed[which].text);
}

static void write_long(struct request *request)
{
    size_t size = REQUEST_LINE_MAX + chance_below(2) * (1 + chance_below(20));
    memset(request->text, 'x', size);
    request->text[size] = '\0';
    request->meaning = size > REQUEST_LINE_MAX ? REQUEST_TOO_LONG : REQUEST_ILLEGAL;
}

static void end_line(struct request *request)
{
    static const char *const ends[] = {"\r\n", "\n", "\r\n", "\r\n"};
    const char *end = ends[chance_below(4)];
    size_t text_size = strlen(request->text), end_size = strlen(end);
    memcpy(request->bytes, request->text, text_size);
    memcpy(request->bytes + text_size, end, end_size);
    request->size = text_size + end_size;
    request->known_at = text_size + 1;
}

void request_write(struct request *request, unsigned variety)
{
    unsigned kind = chance_below(100);
    request->name = request->user = 0;
    if (kind < 70) {
        write_gimme(request, variety);
    } else if (kind < 92) {
        request->meaning = REQUEST_LIST;
        snprintf(request->text, sizeof request->text, "%s",
                 list_forms[chance_below(sizeof list_forms / sizeof *list_forms)]);
    } else if (kind < 99) {
        write_nonsense(request);
    } else {
        write_long(request);
    }
    end_line(request);
}
