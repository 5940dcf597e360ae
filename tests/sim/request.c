/* Requests as random clients send them. */

#include "request.h"

#include "chance.h"
#include "model.h"

#include <tcl.h>

#include <stdio.h>
#include <string.h>

#define EMPTY     "the names of application and user must not be empty"
#define CONTROL   "a name must not contain control characters"
#define CHARACTER "a name must not contain halves of surrogate pairs"

/* Requests that both protocols understand, and refuse. */
static const struct fault faults[] = {
    {"GIMME", "EMPTY", EMPTY, true},
    {"GIMME a", "EMPTY", EMPTY, true},
    {"GIMME {} fox", "EMPTY", EMPTY, true},
    {"GIMME a {}", "EMPTY", EMPTY, true},
    {"GIMME a\\nb fox", "CONTROL", CONTROL, true},
    {"GIMME \x01 fox", "CONTROL", CONTROL, true},
    {"GIMME a\xC2\x80 fox", "CONTROL", CONTROL, true},
    {"GIMME a \\ud800", "CHARACTER", CHARACTER, true},
};

static const struct fault faults2[] = {
    {"ALLOCATE {}", "EMPTY", EMPTY, true},
    {"ALLOCATE a\\nb", "CONTROL", CONTROL, true},
    {"ALLOCATE \\ud800", "CHARACTER", CHARACTER, true},
    {"ALLOCATE a -port", "SYNTAX", "the key -port has no value", true},
    {"ALLOCATE a -x 1", "SYNTAX", "ALLOCATE has no key \"-x\"", true},
    {"ALLOCATE a -hold 2", "SYNTAX", "the value of -hold must be 0 or 1, not \"2\"", true},
    {"ALLOCATE a -count 2 -unique 1", "SYNTAX",
     "the keys -unique and -count exclude each other", true},
    {"ALLOCATE a -wait 1 -wait 1", "SYNTAX", "the key -wait is given twice", true},
    {"LISTEN a -hold 1", "SYNTAX", "LISTEN has no key \"-hold\"", true},
    {"RELEASE 0", "SYNTAX", "the value of port must be a port from 1 to 65535, not \"0\"",
     false},
    {"FIND -port x", "SYNTAX", "the value of -port must be a port from 1 to 65535, not \"x\"",
     false},
    {"FIND -name", "SYNTAX", "the key -name has no value", false},
    {"PING 1", "SYNTAX", "PING has no key \"1\"", false},
    {"WATCH -port 1", "SYNTAX", "WATCH has no key \"-port\"", false},
    {"CHANGE 1", "SYNTAX", "wrong number of words: should be \"CHANGE port -attributes list\"",
     false},
};

static const char *const illegal[] = {
    "",     "HELLO", "HELLO 1", "GIMME {a fox",  "{",        "LIST \"",
    "{a}b", "list",  "ping",    "{GIMME a fox}", "\xC3\xA9", "TERMINATE",
};

static const char *const list_forms[] = {"LIST", "LIST extra words", "{LIST}", "  LIST",
                                         "LIST {}"};
static const char *const hello_forms[] = {"HELLO 2", "HELLO 3", "HELLO 2 sim 1.0", "{HELLO} 2"};
static const char *const name_patterns[] = {"a",     "a*",  "*", "?", "a_?",
                                            "[ab]*", "\\a", "",  "*1"};
static const char *const user_patterns[] = {"fox", "fox*", "*", "?", "root", "nobody"};

enum {
    FAULTS = sizeof faults / sizeof *faults,
    FAULTS2 = sizeof faults2 / sizeof *faults2,
    ILLEGAL = sizeof illegal / sizeof *illegal,
    LIST_FORMS = sizeof list_forms / sizeof *list_forms,
    HELLO_FORMS = sizeof hello_forms / sizeof *hello_forms,
    NAME_PATTERNS = sizeof name_patterns / sizeof *name_patterns,
    USER_PATTERNS = sizeof user_patterns / sizeof *user_patterns,
    WORDS_MAX = 24,
};

/* The words of a request under way; the numbers among them have their room here. */
struct words {
    const char *word[WORDS_MAX];
    int count;
    char digits[WORDS_MAX][12];
};

static void say(struct words *words, const char *word)
{
    words->word[words->count++] = word;
}

static void say_key(struct words *words, const char *key, const char *value)
{
    say(words, key);
    say(words, value);
}

static void say_number(struct words *words, const char *key, unsigned number)
{
    char *digits = words->digits[words->count];
    snprintf(digits, sizeof words->digits[0], "%u", number);
    if (key)
        say(words, key);
    say(words, digits);
}

static void set_text(struct request *request, const char *text)
{
    snprintf(request->text, sizeof request->text, "%s", text);
}

static void set_words(struct request *request, const struct words *words)
{
    char *list = Tcl_Merge(words->count, words->word);
    set_text(request, list);
    Tcl_Free(list);
}

static void choose_names(struct request *request, unsigned variety)
{
    request->name = chance_below(8) ? chance_below(variety) : chance_below(MODEL_NAMES);
    request->user = chance_below(3) ? 0 : chance_below(MODEL_USERS);
}

/* -------------------------------------------------------------- requests -- */

static void write_gimme(struct request *request, unsigned variety)
{
    request->meaning = REQUEST_GIMME;
    request->claims = true;
    choose_names(request, variety);
    const char *name = model_names[request->name];
    if (strchr(name, ' ') && chance_below(2)) { /* unquoted, as the old client sends it */
        char *user = Tcl_Merge(1, (const char *const[]){model_users[request->user]});
        snprintf(request->text, sizeof request->text, "GIMME %s %s", name, user);
        Tcl_Free(user);
        return;
    }
    struct words words = {.word = {"GIMME", name, model_users[request->user]}, .count = 3};
    set_words(request, &words);
}

static unsigned any_port(unsigned low, unsigned high)
{
    return low - 1 + chance_below(high - low + 3);
}

/* Keys that ALLOCATE has and LISTEN has not. */
static void say_how_many(struct request *request, struct words *words)
{
    if (chance_below(4) == 0) {
        request->count = 1 + chance_below(chance_below(8) ? 6 : 40);
        say_number(words, "-count", request->count);
    } else if (chance_below(4) == 0) {
        request->unique = chance_below(4);
        say_key(words, "-unique", request->unique ? "1" : "0");
    }
    if (chance_below(4) == 0) {
        request->hold = chance_below(4) ? REQUEST_HOLD_YES : REQUEST_HOLD_NO;
        say_key(words, "-hold", request->hold == REQUEST_HOLD_YES ? "1" : "0");
    }
}

static void say_what(struct request *request, struct words *words, unsigned low, unsigned high)
{
    if (chance_below(4) == 0) {
        request->port = any_port(low, high);
        say_number(words, "-port", request->port);
    }
    if (chance_below(4) == 0) {
        request->exact = chance_below(4);
        say_key(words, "-instance", request->exact ? "exact" : "suffix");
    }
    if (chance_below(4) == 0) {
        request->wait_ms = chance_below(4) ? 1 + chance_below(4000) : 0;
        say_number(words, "-wait", request->wait_ms);
    }
    if (chance_below(4) == 0) {
        request->attributes = chance_below(MODEL_ATTRIBUTES);
        say_key(words, "-attributes", model_attributes[request->attributes]);
    }
    request->claims = chance_below(4) == 0;
    if (request->claims)
        say_key(words, "-user", model_users[request->user]);
}

static void write_allocate(struct request *request, unsigned variety, unsigned low,
                           unsigned high)
{
    bool listens = chance_below(6) == 0;
    struct words words = {.word = {listens ? "LISTEN" : "ALLOCATE"}, .count = 1};
    request->meaning = listens ? REQUEST_LISTEN : REQUEST_ALLOCATE;
    choose_names(request, variety);
    say(&words, model_names[request->name]);
    if (!listens)
        say_how_many(request, &words);
    else if (chance_below(3) == 0)
        say_key(&words, "-myaddr", "127.0.0.1");
    say_what(request, &words, low, high);
    set_words(request, &words);
}

static unsigned port_of_somebody(unsigned low, unsigned high)
{
    if (model.held_count > 0 && chance_below(4))
        return model.held[chance_below((unsigned)model.held_count)].port;
    return any_port(low, high);
}

static void write_release(struct request *request, unsigned low, unsigned high)
{
    struct words words = {.word = {"RELEASE"}, .count = 1};
    request->meaning = REQUEST_RELEASE;
    request->port = port_of_somebody(low, high);
    say_number(&words, NULL, request->port);
    set_words(request, &words);
}

static void write_change(struct request *request, unsigned low, unsigned high)
{
    struct words words = {.word = {"CHANGE"}, .count = 1};
    request->meaning = REQUEST_CHANGE;
    request->port = port_of_somebody(low, high);
    request->attributes = chance_below(MODEL_ATTRIBUTES);
    say_number(&words, NULL, request->port);
    say_key(&words, "-attributes", model_attributes[request->attributes]);
    set_words(request, &words);
}

static void say_whom(struct request *request, struct words *words)
{
    if (chance_below(3) == 0) {
        request->user_pattern = user_patterns[chance_below(USER_PATTERNS)];
        say_key(words, "-user", request->user_pattern);
    }
}

static void say_which(struct request *request, struct words *words)
{
    if (chance_below(2)) {
        request->name_pattern = chance_below(2) ? name_patterns[chance_below(NAME_PATTERNS)]
                                                : model_names[chance_below(4)];
        say_key(words, "-name", request->name_pattern);
    }
}

static void write_watch(struct request *request)
{
    struct words words = {.word = {"WATCH"}, .count = 1};
    request->meaning = REQUEST_WATCH;
    say_which(request, &words);
    say_whom(request, &words);
    set_words(request, &words);
}

static void write_find(struct request *request, unsigned low, unsigned high)
{
    struct words words = {.word = {"FIND"}, .count = 1};
    request->meaning = REQUEST_FIND;
    say_which(request, &words);
    if (chance_below(3) == 0) {
        request->port = any_port(low, high);
        say_number(&words, "-port", request->port);
    }
    say_whom(request, &words);
    set_words(request, &words);
}

static void write_protocol2(struct request *request, unsigned variety, unsigned low,
                            unsigned high)
{
    unsigned kind = chance_below(100);
    request->protocol2 = true;
    if (kind < 55) {
        write_allocate(request, variety, low, high);
    } else if (kind < 70) {
        write_release(request, low, high);
    } else if (kind < 76) {
        write_change(request, low, high);
    } else if (kind < 82) {
        write_find(request, low, high);
    } else if (kind < 89) {
        write_watch(request);
    } else if (kind < 90) {
        request->meaning = REQUEST_UNWATCH;
        set_text(request, "UNWATCH");
    } else if (kind < 93) {
        request->meaning = chance_below(2) ? REQUEST_STATS : REQUEST_PING;
        set_text(request, request->meaning == REQUEST_STATS ? "STATS" : "PING");
    } else {
        request->meaning = REQUEST_FAULT;
        request->fault = &faults2[chance_below(FAULTS2)];
        set_text(request, request->fault->text);
    }
}

static void write_nonsense(struct request *request)
{
    if (chance_below(2)) {
        request->meaning = REQUEST_FAULT;
        request->fault = &faults[chance_below(FAULTS)];
        set_text(request, request->fault->text);
        return;
    }
    request->meaning = REQUEST_ILLEGAL;
    set_text(request, illegal[chance_below(ILLEGAL)]);
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

void request_write(struct request *request, unsigned variety, unsigned low, unsigned high,
                   bool speaks2)
{
    unsigned kind = chance_below(100);
    memset(request, 0, sizeof *request);
    if (kind < 70 && (speaks2 ? chance_below(4) : chance_below(20) == 0)) {
        write_protocol2(request, variety, low, high);
    } else if (kind < 70) {
        write_gimme(request, variety);
    } else if (kind < 80) {
        request->meaning = REQUEST_LIST;
        set_text(request, list_forms[chance_below(LIST_FORMS)]);
    } else if (kind < 92) {
        request->meaning = REQUEST_HELLO;
        set_text(request, hello_forms[chance_below(HELLO_FORMS)]);
    } else if (kind < 99) {
        write_nonsense(request);
    } else {
        write_long(request);
    }
    end_line(request);
}
