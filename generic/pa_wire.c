/* The wire: requests and replies of protocol 1 as values. */

#include "pa_wire.h"

#include "pa_tcl_compat.h"
#include "pa_text.h"

#include <stdbool.h>
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

int pa_request_parse(struct pa_request *request, const char *line, size_t size)
{
    *request = (struct pa_request)PA_REQUEST_NULL;
    int r = take_text(request, line, size);
    if (r < 0)
        return r;
    Tcl_Size count;
    const char **words;
    if (has_nul(line, size) || Tcl_SplitList(NULL, request->text, &count, &words) != TCL_OK)
        return PA_E_INVALID_REQUEST;
    request->words = (void *)words;
    if (count > 0 && strcmp(words[0], "LIST") == 0) {
        request->verb = PA_VERB_LIST;
        return 0;
    }
    if (count > 0 && strcmp(words[0], "GIMME") == 0) {
        request->verb = PA_VERB_GIMME;
        return take_names(request, words + 1, count - 1);
    }
    return PA_E_INVALID_REQUEST;
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
