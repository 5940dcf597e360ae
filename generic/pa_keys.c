/* The words of a request of protocol 2. */

#include "pa_keys.h"

#include "pa_text.h"

#include <string.h>

/* ---------------------------------------------------------------- verbs -- */

static const struct {
    const char *word;
    size_t words; /* between the verb and the keys */
    const char *usage;
} verbs[PA_VERB_COUNT] = {
    [PA_VERB_LIST] = {"LIST", 0, "LIST"},
    [PA_VERB_GIMME] = {"GIMME", 0, "GIMME name user"},
    [PA_VERB_HELLO] = {"HELLO", 1, "HELLO version ?words ...?"},
    [PA_VERB_ALLOCATE] = {"ALLOCATE", 1, "ALLOCATE name ?-key value ...?"},
    [PA_VERB_LISTEN] = {"LISTEN", 1, "LISTEN name ?-key value ...?"},
    [PA_VERB_RELEASE] = {"RELEASE", 1, "RELEASE port"},
    [PA_VERB_FIND] = {"FIND", 0, "FIND ?-key value ...?"},
    [PA_VERB_STATS] = {"STATS", 0, "STATS"},
    [PA_VERB_PING] = {"PING", 0, "PING"},
    [PA_VERB_WATCH] = {"WATCH", 0, "WATCH ?-key value ...?"},
    [PA_VERB_UNWATCH] = {"UNWATCH", 0, "UNWATCH"},
    [PA_VERB_CHANGE] = {"CHANGE", 1, "CHANGE port -attributes list"},
};

const char *pa_verb_word(enum pa_verb verb)
{
    return verbs[verb].word;
}

size_t pa_verb_words(enum pa_verb verb)
{
    return verbs[verb].words;
}

bool pa_verb_takes_port(enum pa_verb verb)
{
    return verb == PA_VERB_RELEASE || verb == PA_VERB_CHANGE;
}

const char *pa_verb_usage(enum pa_verb verb)
{
    return verbs[verb].usage;
}

enum pa_verb pa_verb_find(const char *word)
{
    for (int verb = 0; verb < PA_VERB_COUNT; ++verb)
        if (strcmp(word, verbs[verb].word) == 0)
            return (enum pa_verb)verb;
    return PA_VERB_COUNT;
}

/* ----------------------------------------------------------------- keys -- */

enum kind {
    NUMBER, /* from min to max */
    CHOICE, /* one of two words: min, or one more, is stored */
    NAME,   /* of a user */
    TEXT,   /* not empty */
    PATTERN,
    ATTRIBUTES,
    ATTRIBUTES_SAID, /* the same where none is an answer, too: always written */
};

#define OF(verb)   (1u << (verb))
#define ALLOCATE   OF(PA_VERB_ALLOCATE)
#define LISTEN     OF(PA_VERB_LISTEN)
#define FIND       OF(PA_VERB_FIND)
#define WATCH      OF(PA_VERB_WATCH)
#define CHANGE     OF(PA_VERB_CHANGE)
#define AT(member) offsetof(struct pa_keys, member)
#define BOOLEAN    {"0", "1"}, "0 or 1"
#define PORT       {NULL}, "a port from 1 to 65535"

static const struct key {
    const char *name;
    unsigned verbs; /* that have it */
    enum kind kind;
    size_t offset; /* in struct pa_keys */
    uint32_t min;
    uint32_t max;
    const char *choice[2];
    const char *expected; /* what a value has to be */
} table[] = {
    {"-port", ALLOCATE | LISTEN | FIND, NUMBER, AT(port), 1, UINT16_MAX, PORT},
    {"-count", ALLOCATE, NUMBER, AT(count), 1, PA_KEYS_COUNT_MAX, {NULL}, "from 1 to 1000"},
    {"-unique", ALLOCATE, CHOICE, AT(unique), 0, 1, BOOLEAN},
    {"-hold", ALLOCATE, CHOICE, AT(hold), PA_HOLD_NO, PA_HOLD_YES, BOOLEAN},
    {"-attributes", ALLOCATE | LISTEN, ATTRIBUTES, AT(attributes), 0, 0, {NULL}, NULL},
    {"-wait",
     ALLOCATE | LISTEN,
     NUMBER,
     AT(wait_ms),
     0,
     PA_KEYS_WAIT_MAX_MS,
     {NULL},
     "from 0 to 86400000 ms"},
    {"-instance",
     ALLOCATE | LISTEN,
     CHOICE,
     AT(exact),
     0,
     1,
     {"suffix", "exact"},
     "suffix or exact"},
    {"-user", ALLOCATE | LISTEN, NAME, AT(user), 0, 0, {NULL}, NULL},
    {"-myaddr", LISTEN, TEXT, AT(address), 0, 0, {NULL}, "an IPv4 or IPv6 address"},
    {"-backlog",
     LISTEN,
     NUMBER,
     AT(backlog),
     1,
     PA_KEYS_BACKLOG_MAX,
     {NULL},
     "from 1 to 65535"},
    {"-name", FIND | WATCH, PATTERN, AT(name_pattern), 0, 0, {NULL}, NULL},
    {"-user", FIND | WATCH, PATTERN, AT(user_pattern), 0, 0, {NULL}, NULL},
    {"-attributes", CHANGE, ATTRIBUTES_SAID, AT(attributes), 0, 0, {NULL}, NULL},
};

enum { KEYS = sizeof table / sizeof *table };

static const struct key *find_key(enum pa_verb verb, const char *name)
{
    for (const struct key *key = table; key < table + KEYS; ++key)
        if ((key->verbs & OF(verb)) && strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

static uint32_t *number_at(struct pa_keys *keys, const struct key *key)
{
    return (uint32_t *)(void *)((char *)keys + key->offset);
}

static const char **text_at(struct pa_keys *keys, const struct key *key)
{
    return (const char **)(void *)((char *)keys + key->offset);
}

/* Decimal digits and nothing else, up to max. */
static bool read_number(const char *word, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    const char *c = word;
    for (; *c >= '0' && *c <= '9'; ++c) {
        value = 10 * value + (uint64_t)(*c - '0');
        if (value > max)
            return false;
    }
    *number = (uint32_t)value;
    return c > word && !*c;
}

int pa_keys_check_name(const char *name)
{
    if (!*name)
        return PA_E_EMPTY_NAME;
    if (pa_text_has_control(name))
        return PA_E_CONTROL_CHARACTER;
    return pa_text_is_utf8(name) ? 0 : PA_E_NOT_A_CHARACTER;
}

/* ---------------------------------------------------------------- parsing -- */

static bool take_number(struct pa_keys *keys, const struct key *key, const char *value)
{
    uint32_t number;
    if (!read_number(value, key->max, &number) || number < key->min)
        return false;
    *number_at(keys, key) = number;
    return true;
}

static bool take_choice(struct pa_keys *keys, const struct key *key, const char *value)
{
    for (uint32_t i = 0; i < 2; ++i) {
        if (strcmp(value, key->choice[i]) != 0)
            continue;
        *number_at(keys, key) = key->min + i;
        return true;
    }
    return false;
}

/* A text; only a pattern and a list of attributes may be empty. */
static int take_text(struct pa_keys *keys, const struct key *key, const char *value,
                     struct pa_failure *why)
{
    int r = pa_keys_check_name(value);
    if (r == PA_E_EMPTY_NAME && key->kind == TEXT)
        return pa_failure_set(why, PA_E_BAD_VALUE, key->name, key->expected, value);
    if (r != 0 && (r != PA_E_EMPTY_NAME || key->kind == NAME))
        return pa_failure_set(why, (enum pa_error)r);
    *text_at(keys, key) = value;
    return 0;
}

static int take_value(struct pa_keys *keys, const struct key *key, const char *value,
                      struct pa_failure *why)
{
    if (key->kind != NUMBER && key->kind != CHOICE)
        return take_text(keys, key, value, why);
    if (key->kind == NUMBER ? take_number(keys, key, value) : take_choice(keys, key, value))
        return 0;
    return pa_failure_set(why, PA_E_BAD_VALUE, key->name, key->expected, value);
}

int pa_keys_parse(struct pa_keys *keys, enum pa_verb verb, const char *const *words,
                  size_t count, struct pa_failure *why)
{
    unsigned given = 0;
    for (size_t i = 0; i < count; i += 2) {
        const struct key *key = find_key(verb, words[i]);
        if (!key)
            return pa_failure_set(why, PA_E_UNKNOWN_KEY, pa_verb_word(verb), words[i]);
        if (i + 1 == count)
            return pa_failure_set(why, PA_E_NO_VALUE, key->name);
        unsigned bit = 1u << (key - table);
        if (given & bit)
            return pa_failure_set(why, PA_E_KEY_TWICE, key->name);
        given |= bit;
        int r = take_value(keys, key, words[i + 1], why);
        if (r != 0)
            return r;
    }
    if (keys->unique && keys->count > 1)
        return pa_failure_set(why, PA_E_KEYS_CLASH, "-unique", "-count");
    return 0;
}

int pa_keys_parse_port(uint32_t *port, const char *name, const char *word,
                       struct pa_failure *why)
{
    if (read_number(word, UINT16_MAX, port) && *port > 0)
        return 0;
    return pa_failure_set(why, PA_E_BAD_VALUE, name, "a port from 1 to 65535", word);
}

/* ---------------------------------------------------------------- writing -- */

/* The value of a key as a word; NULL where it is the one that goes without saying. */
static const char *value_of(const struct pa_keys *keys, const struct key *key,
                            struct pa_key_value *pair)
{
    static const struct pa_keys init = PA_KEYS_INIT;
    const char *place = (const char *)keys + key->offset;
    if (key->kind != NUMBER && key->kind != CHOICE) {
        const char *text;
        memcpy(&text, place, sizeof text);
        bool says = key->kind == PATTERN || key->kind == ATTRIBUTES_SAID;
        return text && (*text || says) ? text : NULL;
    }
    uint32_t number;
    memcpy(&number, place, sizeof number);
    if (memcmp(place, (const char *)&init + key->offset, sizeof number) == 0)
        return NULL;
    if (key->kind == CHOICE)
        return key->choice[number - key->min];
    pa_text_decimal(pair->digits, number);
    return pair->digits;
}

bool pa_keys_next(const struct pa_keys *keys, enum pa_verb verb, size_t *place,
                  struct pa_key_value *pair)
{
    for (; *place < KEYS; ++*place) {
        const struct key *key = &table[*place];
        if (!(key->verbs & OF(verb)))
            continue;
        pair->name = key->name;
        pair->value = value_of(keys, key, pair);
        if (pair->value) {
            ++*place;
            return true;
        }
    }
    return false;
}
