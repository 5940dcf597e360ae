/*
 * Fuzz target: what is parsed is harmless, and reads back as itself once it
 * was written again.
 *
 * Input: one line, read as a request, as a reply and as a line of a listing.
 */

#include "fuzz.h"

#include "pa_failure.h"
#include "pa_text.h"
#include "pa_wire.h"

#include <tcl.h>

#include <stdbool.h>

static bool is_utf8(const char *text, size_t size)
{
    while (size > 0) {
        size_t taken = pa_text_sequence(text, size);
        if (taken == 0)
            return false;
        text += taken;
        size -= taken;
    }
    return true;
}

/* The line without its CR LF, of which there must be one and no other. */
static size_t one_line(const struct pa_buf *buf)
{
    REQUIRE(buf->size >= 2 && memcmp(buf->data + buf->size - 2, "\r\n", 2) == 0);
    REQUIRE(!memchr(buf->data, '\n', buf->size - 1));
    REQUIRE(!memchr(buf->data, '\r', buf->size - 2));
    return buf->size - 2;
}

static void require_entry(const struct pa_listing *listing, unsigned port, const char *name,
                          const char *user)
{
    REQUIRE(listing->count == 1);
    const struct pa_listing_entry *entry = &listing->entries[0];
    REQUIRE(entry->port == port);
    REQUIRE(entry->name_size == strlen(name) && entry->user_size == strlen(user));
    REQUIRE(memcmp(entry->name, name, entry->name_size) == 0);
    REQUIRE(memcmp(entry->user, user, entry->user_size) == 0);
}

static void list_names(const struct pa_request *request)
{
    struct pa_buf line = PA_BUF_NULL;
    struct pa_listing listing = PA_LISTING_NULL;
    REQUIRE(pa_wire_append_port(&line, 30001, request->name, request->user) == 0);
    REQUIRE(is_utf8(line.data, line.size));
    REQUIRE(pa_wire_parse_port(&listing, line.data, one_line(&line)) == 0);
    pa_listing_seal(&listing);
    require_entry(&listing, 30001, request->name, request->user);
    REQUIRE(pa_listing_find(&listing, request->name, request->user) == &listing.entries[0]);
    pa_listing_deinit(&listing);
    pa_buf_deinit(&line);
}

static void ask_again(const struct pa_request *request)
{
    struct pa_buf line = PA_BUF_NULL;
    struct pa_request again;
    struct pa_failure why;
    REQUIRE(pa_wire_append_gimme_request(&line, request->name, request->user) == 0);
    REQUIRE(pa_request_parse(&again, PA_PROTOCOL_1, line.data, one_line(&line), &why) == 0);
    REQUIRE(again.verb == PA_VERB_GIMME);
    REQUIRE(strcmp(again.name, request->name) == 0);
    REQUIRE(strcmp(again.user, request->user) == 0);
    pa_request_deinit(&again);
    pa_buf_deinit(&line);
}

static void refuse(const struct pa_request *request)
{
    struct pa_buf line = PA_BUF_NULL;
    struct pa_failure failure;
    size_t number;
    pa_failure_set(&failure, PA_E_INVALID_REQUEST, request->text);
    REQUIRE(is_utf8(failure.text, strlen(failure.text)));
    REQUIRE(!pa_text_has_control(failure.text));
    REQUIRE(pa_wire_append_fail(&line, failure.text) == 0);
    REQUIRE(pa_wire_parse_reply(line.data, one_line(&line), &number) == PA_E_REFUSED);
    pa_buf_deinit(&line);
}

static void try_request(const char *text, size_t size)
{
    struct pa_request request;
    struct pa_failure why;
    int r = pa_request_parse(&request, PA_PROTOCOL_1, text, size, &why);
    REQUIRE(r == 0 || r == PA_E_INVALID_REQUEST || r == PA_E_EMPTY_NAME ||
            r == PA_E_CONTROL_CHARACTER || r == PA_E_NOT_A_CHARACTER);
    REQUIRE(request.text && request.text[request.text_size] == '\0');
    REQUIRE(is_utf8(request.text, request.text_size));
    REQUIRE(pa_text_cut(request.text, request.text_size, 256) <= 256);
    if (r == 0 && request.verb == PA_VERB_GIMME) {
        REQUIRE(*request.name && *request.user);
        REQUIRE(!pa_text_has_control(request.name) && !pa_text_has_control(request.user));
        list_names(&request);
        ask_again(&request);
    }
    refuse(&request);
    pa_request_deinit(&request);
    REQUIRE(!request.text && !request.name);
}

static void try_reply(const char *text, size_t size)
{
    size_t number = SIZE_MAX;
    int r = pa_wire_parse_reply(text, size, &number);
    REQUIRE(r == 0 || r == PA_E_REFUSED || r == PA_E_PROTOCOL);
    REQUIRE(r != 0 || number <= PA_WIRE_MAX_NUMBER);
}

/* libtcl finds the same three elements. */
static void require_as_libtcl(const char *text, size_t size,
                              const struct pa_listing_entry *entry)
{
    struct pa_buf line = PA_BUF_NULL;
    REQUIRE(pa_text_append_utf8(&line, text, size) == 0);
    REQUIRE(pa_buf_append(&line, "", 1) == 0);
    int count;
    const char **elements;
    REQUIRE(Tcl_SplitList(NULL, line.data, &count, &elements) == TCL_OK);
    REQUIRE(count == 3);
    REQUIRE((unsigned long)entry->port == strtoul(elements[0], NULL, 10));
    for (int i = 1; i < 3; ++i) {
        struct pa_buf word = PA_BUF_NULL;
        REQUIRE(pa_text_append_utf8(&word, elements[i], strlen(elements[i])) == 0);
        REQUIRE(word.size == (i == 1 ? entry->name_size : entry->user_size));
        REQUIRE(word.size == 0 ||
                memcmp(word.data, i == 1 ? entry->name : entry->user, word.size) == 0);
        pa_buf_deinit(&word);
    }
    Tcl_Free((char *)elements);
    pa_buf_deinit(&line);
}

static void try_port(const char *text, size_t size)
{
    struct pa_listing listing = PA_LISTING_NULL;
    REQUIRE(pa_wire_parse_port(&listing, "1 a b", 5) == 0);
    int r = pa_wire_parse_port(&listing, text, size);
    REQUIRE(r == 0 || r == PA_E_PROTOCOL);
    REQUIRE(listing.count == (r == 0 ? 2 : 1));
    REQUIRE(r == 0 || listing.text.size == 3);
    pa_listing_seal(&listing);
    REQUIRE(memcmp(listing.entries[0].name, "a b", 3) == 0);
    if (r == 0) {
        const struct pa_listing_entry *entry = &listing.entries[1];
        REQUIRE(entry->port > 0);
        REQUIRE(is_utf8(entry->name, entry->name_size));
        REQUIRE(is_utf8(entry->user, entry->user_size));
        require_as_libtcl(text, size, entry);
    }
    pa_listing_deinit(&listing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy((const char *)data, size);
    try_request(text, size);
    try_reply(text, size);
    try_port(text, size);
    free(text);
    return 0;
}
