/* The wire: requests of both protocols and replies of protocol 1 as values. */

#include "pa_wire.h"

#include "pa_tcl_compat.h"
#include "pa_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char line_end[] = "\r\n";

/* ------------------------------------------------------------- requests -- */

static bool has_nul(const char *line, size_t size)
{
    return size > 0 && memchr(line, '\0', size) != NULL;
}

/* The line as a string of UTF-8 for libtcl, in a new buffer; nothing on -ENOMEM. */
static int copy_line(struct pa_buf *copy, const char *line, size_t size)
{
    *copy = (struct pa_buf)PA_BUF_NULL;
    int r = pa_buf_reserve(copy, size + 1);
    if (r == 0)
        r = pa_text_append_utf8(copy, line, size);
    if (r == 0)
        r = pa_buf_append(copy, "", 1);
    if (r < 0)
        pa_buf_deinit(copy);
    return r;
}

static int take_text(struct pa_request *request, const char *line, size_t size)
{
    struct pa_buf text;
    int r = copy_line(&text, line, size);
    if (r < 0)
        return r;
    request->text = text.data;
    request->text_size = text.size - 1;
    return 0;
}

static int join_name(struct pa_request *request, const char *const *words, Tcl_Size count)
{
    struct pa_buf name = PA_BUF_NULL;
    int r = 0;
    for (Tcl_Size i = 0; i < count && r == 0; ++i) {
        if (i > 0)
            r = pa_buf_append(&name, " ", 1);
        if (r == 0)
            r = pa_buf_append_string(&name, words[i]);
    }
    if (r == 0)
        r = pa_buf_append(&name, "", 1);
    if (r < 0) {
        pa_buf_deinit(&name);
        return r;
    }
    request->joined = name.data;
    request->name = name.data;
    return 0;
}

/* Reads the words behind GIMME: one or more of the name, one of the user. */
static int take_names(struct pa_request *request, const char *const *words, Tcl_Size count)
{
    if (count > 0)
        request->name = words[0];
    if (count < 2)
        return PA_E_EMPTY_NAME;
    request->name = words[0];
    request->user = words[count - 1];
    if (count > 2) {
        int r = join_name(request, words, count - 1);
        if (r < 0)
            return r;
    }
    if (!*request->name || !*request->user)
        return PA_E_EMPTY_NAME;
    if (pa_text_has_control(request->name) || pa_text_has_control(request->user))
        return PA_E_CONTROL_CHARACTER;
    /* The line was made UTF-8, but a backslash sequence can name what has none. */
    if (!pa_text_is_utf8(request->name) || !pa_text_is_utf8(request->user))
        return PA_E_NOT_A_CHARACTER;
    return 0;
}

/* The connection goes on in the highest protocol that both know. */
static int take_version(const char *const *words, Tcl_Size count)
{
    static const char digits[] = "0123456789";
    if (count == 0 || !*words[0] || words[0][strspn(words[0], digits)])
        return PA_E_INVALID_REQUEST;
    const char *number = words[0] + strspn(words[0], "0");
    return strlen(number) > 1 || *number >= '0' + PA_PROTOCOL_2 ? 0 : PA_E_INVALID_REQUEST;
}

/* The canonical form of -attributes takes the place of what came. */
static int take_attributes(struct pa_request *request, struct pa_failure *why)
{
    struct pa_buf list = PA_BUF_NULL;
    int r = pa_wire_append_attributes(&list, request->keys.attributes, why);
    if (r == 0)
        r = pa_buf_append(&list, "", 1);
    if (r != 0) {
        pa_buf_deinit(&list);
        return r;
    }
    request->joined = list.data;
    request->keys.attributes = list.data;
    return 0;
}

/* What an error names is sent back: it has to be text. */
static bool are_utf8(const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (!pa_text_is_utf8(words[i]))
            return false;
    return true;
}

/* Reads the words behind a verb of protocol 2. */
static int take_keys(struct pa_request *request, const char *const *words, size_t count,
                     struct pa_failure *why)
{
    size_t first = pa_verb_words(request->verb);
    if (count < first || (request->verb == PA_VERB_CHANGE && count == first))
        return pa_failure_set(why, PA_E_WRONG_WORDS, pa_verb_usage(request->verb));
    int r = 0;
    if (first > 0 && !pa_verb_takes_port(request->verb)) {
        request->name = words[0];
        r = pa_keys_check_name(words[0]);
    }
    if (r == 0 && !are_utf8(words, count))
        r = PA_E_NOT_A_CHARACTER;
    if (r != 0)
        return pa_failure_set(why, (enum pa_error)r);
    if (pa_verb_takes_port(request->verb))
        r = pa_keys_parse_port(&request->keys.port, "port", words[0], why);
    if (r == 0)
        r = pa_keys_parse(&request->keys, request->verb, words + first, count - first, why);
    return r == 0 && *request->keys.attributes ? take_attributes(request, why) : r;
}

static int take_words(struct pa_request *request, enum pa_protocol protocol,
                      const char *const *words, Tcl_Size count, struct pa_failure *why)
{
    enum pa_verb verb = count > 0 ? pa_verb_find(words[0]) : PA_VERB_COUNT;
    if (verb == PA_VERB_COUNT || (verb > PA_VERB_HELLO && protocol == PA_PROTOCOL_1))
        return PA_E_INVALID_REQUEST;
    request->verb = verb;
    if (verb == PA_VERB_LIST)
        return 0;
    if (verb == PA_VERB_HELLO)
        return take_version(words + 1, count - 1);
    if (verb != PA_VERB_GIMME)
        return take_keys(request, words + 1, (size_t)count - 1, why);
    int r = take_names(request, words + 1, count - 1);
    return r > 0 ? pa_failure_set(why, (enum pa_error)r) : r;
}

int pa_request_parse(struct pa_request *request, enum pa_protocol protocol, const char *line,
                     size_t size, struct pa_failure *why)
{
    *request = (struct pa_request)PA_REQUEST_NULL;
    request->keys = (struct pa_keys)PA_KEYS_INIT;
    int r = take_text(request, line, size);
    if (r < 0)
        return r;
    Tcl_Size count;
    const char **words;
    if (has_nul(line, size) || Tcl_SplitList(NULL, request->text, &count, &words) != TCL_OK)
        return PA_E_INVALID_REQUEST;
    request->words = (void *)words;
    return take_words(request, protocol, words, count, why);
}

void pa_request_deinit(struct pa_request *request)
{
    if (request->words)
        Tcl_Free(request->words);
    free(request->joined);
    free(request->text);
    *request = (struct pa_request)PA_REQUEST_NULL;
}

/* -------------------------------------------------------------- quoting -- */

/*
 * The characters that stand for themselves anywhere in a list: ASCII's rows,
 * with a blank for those that do not. Behind its end the table is 0.
 */
static const char plain_characters[256] = "                                "
                                          " !   %&'()*+,-./0123456789: <=>?"
                                          "@ABCDEFGHIJKLMNOPQRSTUVWXYZ   ^_"
                                          "`abcdefghijklmnopqrstuvwxyz | ~ ";

static bool is_plain(char c)
{
    return plain_characters[(unsigned char)c] > ' ';
}

static const char *skip_plain(const char *at, const char *end)
{
    while (at < end && is_plain(*at))
        ++at;
    return at;
}

static int append_quoted(struct pa_buf *buf, const char *string)
{
    size_t size = strlen(string);
    if (size > 0 && skip_plain(string, string + size) == string + size)
        return pa_buf_append(buf, string, size);
    int flags = 0;
    /* The size is a bound on the quoted form for any position, its NUL not counted. */
    size_t bound = (size_t)Tcl_ScanElement(string, &flags) + 3;
    int r = pa_buf_reserve(buf, bound);
    if (r < 0)
        return r;
    buf->size += (size_t)Tcl_ConvertElement(string, buf->data + buf->size, flags);
    return 0;
}

/*
 * A # is quoted where a list begins and nowhere else, and libtcl tells its
 * scanner so only from within: a list of two is made and its beginning left.
 */
static int append_hash_element(struct pa_buf *buf, const char *string)
{
    const char *const words[] = {"x", string};
    char *list = Tcl_Merge(2, words);
    int r = pa_buf_append_string(buf, list + strlen(words[0]));
    Tcl_Free(list);
    return r;
}

int pa_wire_append_element(struct pa_buf *buf, const char *string)
{
    if (*string == '#')
        return append_hash_element(buf, string);
    int r = pa_buf_append(buf, " ", 1);
    return r < 0 ? r : append_quoted(buf, string);
}

int pa_wire_append_pair(struct pa_buf *buf, const char *first, const char *second)
{
    int r = append_quoted(buf, first);
    return r < 0 ? r : pa_wire_append_element(buf, second);
}

/* ---------------------------------------------------------------- lists -- */

bool pa_words_split(struct pa_words *words, const char *list)
{
    Tcl_Size count;
    const char **split;
    *words = (struct pa_words)PA_WORDS_NULL;
    if (Tcl_SplitList(NULL, list, &count, &split) != TCL_OK)
        return false;
    *words = (struct pa_words){split, (size_t)count, (void *)split};
    return true;
}

int pa_words_split_line(struct pa_words *words, const char *line, size_t size)
{
    *words = (struct pa_words)PA_WORDS_NULL;
    if (has_nul(line, size))
        return PA_E_INVALID_REQUEST;
    struct pa_buf text;
    int r = copy_line(&text, line, size);
    if (r < 0)
        return r;
    bool good = pa_words_split(words, text.data);
    pa_buf_deinit(&text);
    return good ? 0 : PA_E_INVALID_REQUEST;
}

void pa_words_deinit(struct pa_words *words)
{
    if (words->memory)
        Tcl_Free(words->memory);
    *words = (struct pa_words)PA_WORDS_NULL;
}

static int compare_strings(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Whether a key, every second word, is there twice: 0 or 1; -ENOMEM. */
static int has_twin(const struct pa_words *words)
{
    size_t count = words->count / 2;
    const char **keys = malloc((count + 1) * sizeof *keys);
    if (!keys)
        return -ENOMEM;
    for (size_t i = 0; i < count; ++i)
        keys[i] = words->words[2 * i];
    qsort(keys, count, sizeof *keys, compare_strings);
    int twin = 0;
    for (size_t i = 1; i < count && !twin; ++i)
        twin = strcmp(keys[i - 1], keys[i]) == 0;
    free(keys);
    return twin;
}

/* What attributes have to be and are not; NULL if they are well. */
static const char *wrong_words(const struct pa_words *words)
{
    if (words->count % 2 != 0)
        return "a list of an even number of words";
    for (size_t i = 0; i < words->count; ++i) {
        if (i % 2 == 0 && !*words->words[i])
            return "without an empty key";
        if (pa_text_has_control(words->words[i]) || !pa_text_is_utf8(words->words[i]))
            return "without control characters and halves of surrogate pairs";
    }
    return NULL;
}

static int append_words(struct pa_buf *buf, const struct pa_words *words)
{
    int r = words->count > 0 ? append_quoted(buf, words->words[0]) : 0;
    for (size_t i = 1; i < words->count && r == 0; ++i)
        r = pa_wire_append_element(buf, words->words[i]);
    return r;
}

static int append_attributes(struct pa_buf *buf, const struct pa_words *words,
                             const char **expected)
{
    size_t before = buf->size;
    *expected = wrong_words(words);
    int r = *expected ? 0 : has_twin(words);
    if (r > 0)
        *expected = "without a key that is there twice";
    if (r < 0 || *expected)
        return r < 0 ? r : PA_E_BAD_VALUE;
    r = append_words(buf, words);
    if (r == 0 && buf->size - before > PA_KEYS_ATTRIBUTES_BYTES) {
        *expected = "at most 2048 bytes";
        r = PA_E_BAD_VALUE;
    }
    if (r != 0)
        buf->size = before;
    return r;
}

int pa_wire_append_attributes(struct pa_buf *buf, const char *list, struct pa_failure *why)
{
    struct pa_words words;
    const char *expected = "a list";
    int r = PA_E_BAD_VALUE;
    if (pa_words_split(&words, list))
        r = append_attributes(buf, &words, &expected);
    if (r > 0)
        pa_failure_set(why, PA_E_BAD_VALUE, "-attributes", expected, list);
    pa_words_deinit(&words);
    return r;
}

/* -------------------------------------------------------------- replies -- */

int pa_wire_append_port(struct pa_buf *buf, uint16_t port, const char *name, const char *user)
{
    char digits[PA_TEXT_DECIMAL_BYTES];
    int r = pa_buf_append(buf, digits, pa_text_decimal(digits, port));
    if (r == 0)
        r = pa_wire_append_element(buf, name);
    if (r == 0)
        r = pa_wire_append_element(buf, user);
    if (r == 0)
        r = pa_buf_append_string(buf, line_end);
    return r;
}

int pa_wire_append_ok(struct pa_buf *buf, size_t number)
{
    char reply[3 + PA_TEXT_DECIMAL_BYTES + 2] = "OK ";
    size_t size = 3 + pa_text_decimal(reply + 3, number);
    reply[size++] = line_end[0];
    reply[size++] = line_end[1];
    return pa_buf_append(buf, reply, size);
}

int pa_wire_append_fail(struct pa_buf *buf, const char *text)
{
    int r = pa_buf_append_string(buf, "FAIL");
    if (r == 0)
        r = pa_wire_append_element(buf, text);
    if (r == 0)
        r = pa_buf_append_string(buf, line_end);
    return r;
}

/* ---------------------------------------------------- the client's side -- */

int pa_wire_append_list_request(struct pa_buf *buf)
{
    return pa_buf_append_string(buf, "LIST\r\n");
}

int pa_wire_append_gimme_request(struct pa_buf *buf, const char *name, const char *user)
{
    int r = pa_buf_append_string(buf, "GIMME");
    if (r == 0)
        r = pa_wire_append_element(buf, name);
    if (r == 0)
        r = pa_wire_append_element(buf, user);
    if (r == 0)
        r = pa_buf_append_string(buf, line_end);
    return r;
}

/* A word of a line, in place. */
struct word {
    const char *text;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *cursor, const char *end)
{
    while (cursor < end && is_blank(*cursor))
        ++cursor;
    return cursor;
}

static struct word next_word(const char **cursor, const char *end)
{
    const char *begin = skip_blanks(*cursor, end);
    const char *stop = begin;
    while (stop < end && !is_blank(*stop))
        ++stop;
    *cursor = stop;
    return (struct word){begin, (size_t)(stop - begin)};
}

static bool word_is(struct word word, const char *string)
{
    return word.size == strlen(string) && memcmp(word.text, string, word.size) == 0;
}

/* Reads a decimal number up to PA_WIRE_MAX_NUMBER; false if it is none. */
static bool read_number(struct word word, size_t *number)
{
    size_t value = 0;
    for (size_t i = 0; i < word.size; ++i) {
        char c = word.text[i];
        if (c < '0' || c > '9')
            return false;
        value = 10 * value + (size_t)(c - '0');
        if (value > PA_WIRE_MAX_NUMBER)
            return false;
    }
    *number = value;
    return word.size > 0;
}

int pa_wire_parse_reply(const char *line, size_t size, size_t *number)
{
    const char *cursor = line;
    const char *end = line + size;
    struct word status = next_word(&cursor, end);
    if (word_is(status, "FAIL"))
        return PA_E_REFUSED;
    if (!word_is(status, "OK") || !read_number(next_word(&cursor, end), number))
        return PA_E_PROTOCOL;
    return skip_blanks(cursor, end) == end ? 0 : PA_E_PROTOCOL;
}

/* `both` is the name, one byte that separates them, and the user. */
static int add_port(struct pa_listing *listing, struct word digits, const char *both,
                    size_t name_size, size_t user_size)
{
    size_t port;
    if (!read_number(digits, &port) || port == 0)
        return PA_E_PROTOCOL;
    return pa_listing_add(listing, (uint16_t)port, both, name_size, user_size);
}

/* A line's end: LF or CR LF. Returns what is behind it, or NULL. */
static const char *skip_line_end(const char *at, const char *end)
{
    if (end - at > 1 && at[0] == '\r' && at[1] == '\n')
        return at + 2;
    return at < end && *at == '\n' ? at + 1 : NULL;
}

/* One line of three plain words with single blanks: 1; 0 for any other; -ENOMEM. */
static int parse_plain_line(struct pa_listing *listing, const char **cursor, const char *end)
{
    const char *name = skip_plain(*cursor, end);
    struct word digits = {*cursor, (size_t)(name - *cursor)};
    if (digits.size == 0 || name == end || *name++ != ' ')
        return 0;
    const char *user = skip_plain(name, end);
    if (user == name || user == end || *user++ != ' ')
        return 0;
    const char *stop = skip_plain(user, end);
    const char *next = skip_line_end(stop, end);
    if (stop == user || !next)
        return 0;
    int r = add_port(listing, digits, name, (size_t)(user - name) - 1, (size_t)(stop - user));
    if (r != 0)
        return r < 0 ? r : 0;
    *cursor = next;
    return 1;
}

long pa_wire_parse_plain(struct pa_listing *listing, const char **cursor, const char *end,
                         size_t max)
{
    long count = 0;
    while ((size_t)count < max) {
        int r = parse_plain_line(listing, cursor, end);
        if (r < 0)
            return r;
        if (r == 0)
            break;
        ++count;
    }
    return count;
}

/* A backslash sequence may have made what UTF-8 does not have: a lone surrogate, Tcl's NUL. */
static int add_elements(struct pa_listing *listing, const char *const elements[3])
{
    struct pa_buf both = PA_BUF_NULL;
    int r = pa_text_append_utf8(&both, elements[1], strlen(elements[1]));
    size_t name_size = both.size;
    if (r == 0)
        r = pa_buf_append(&both, " ", 1);
    if (r == 0)
        r = pa_text_append_utf8(&both, elements[2], strlen(elements[2]));
    if (r == 0)
        r = add_port(listing, (struct word){elements[0], strlen(elements[0])}, both.data,
                     name_size, both.size - name_size - 1);
    pa_buf_deinit(&both);
    return r;
}

static int add_list(struct pa_listing *listing, const char *text)
{
    Tcl_Size count;
    const char **elements;
    if (Tcl_SplitList(NULL, text, &count, &elements) != TCL_OK)
        return PA_E_PROTOCOL;
    int r = count == 3 ? add_elements(listing, elements) : PA_E_PROTOCOL;
    Tcl_Free((void *)elements);
    return r;
}

int pa_wire_parse_port(struct pa_listing *listing, const char *line, size_t size)
{
    if (has_nul(line, size))
        return PA_E_PROTOCOL;
    struct pa_buf text;
    int r = copy_line(&text, line, size);
    if (r == 0)
        r = add_list(listing, text.data);
    pa_buf_deinit(&text);
    return r;
}
