/*
 * Fuzz target: what portreserve and portrelease read of others. A line of a
 * file asks for ports or is told of; a request is the same however it was cut
 * into packets; a datagram is a name; a reply has the strings that it tells of.
 *
 * Input: a byte that chooses the reader, then what it reads.
 */

#include "fuzz.h"

#include "pa_reserve.h"
#include "spec.h"

enum {
    PACKETS_MAX_BYTES = 2 * PA_RESERVE_REQUEST_MAX, /* each beginning of them is read */
    ERROR_BYTES = 512,                              /* as plan.c has it */
};

/* ---------------------------------------------------------------- files -- */

/* A service is known under a protocol or not by its first and last letter. */
static uint16_t lookup(void *context, const char *service, enum transport transport)
{
    size_t size = strlen(service);
    REQUIRE(context == NULL);
    REQUIRE(size > 0 && size <= SPEC_LINE_MAX_BYTES);
    REQUIRE(service[strcspn(service, "/ \t\n")] == '\0');
    REQUIRE(service[strspn(service, "0123456789")] != '\0');
    unsigned letter =
        (unsigned char)(transport == TRANSPORT_TCP ? *service : service[size - 1]);
    return (uint16_t)(letter % 3 == 0 ? 0 : letter * 257);
}

static int parse_line(const char *line, size_t size, struct spec *spec, char *error)
{
    char *copy = fuzz_copy(line, size);
    memset(error, '!', ERROR_BYTES);
    int r = spec_parse(copy, size, lookup, NULL, spec, error, ERROR_BYTES);
    free(copy);
    return r;
}

static void require_same_ports(const struct spec *a, const struct spec *b)
{
    REQUIRE(a->count == b->count);
    for (size_t i = 0; i < a->count; ++i) {
        REQUIRE(a->ports[i].port == b->ports[i].port);
        REQUIRE(a->ports[i].transport == b->ports[i].transport);
    }
}

/* Each port by its number asks for just that port. */
static void require_named_ports(const struct spec *spec)
{
    REQUIRE(spec->count <= TRANSPORTS);
    REQUIRE(spec->count < 2 || spec->ports[0].transport < spec->ports[1].transport);
    for (size_t i = 0; i < spec->count; ++i) {
        const struct spec wanted = {{spec->ports[i]}, 1};
        struct spec again;
        char line[32], error[ERROR_BYTES];
        int size = snprintf(line, sizeof line, "%u/%s", (unsigned)wanted.ports[0].port,
                            transport_name(wanted.ports[0].transport));
        REQUIRE(wanted.ports[0].port != 0);
        REQUIRE(parse_line(line, (size_t)size, &again, error) == 0);
        require_same_ports(&again, &wanted);
    }
}

static void require_one_line(const char *error)
{
    const char *end = memchr(error, '\0', ERROR_BYTES);
    REQUIRE(end && end > error);
    REQUIRE(!memchr(error, '\n', (size_t)(end - error)));
}

/* Blanks at the ends change nothing. */
static void require_trimmed(const char *line, size_t size, int result, const struct spec *spec,
                            const char *error)
{
    static const char before[] = " \r\t", behind[] = "\t \r";
    struct spec again;
    char again_error[ERROR_BYTES];
    size_t padded_size = size + strlen(before) + strlen(behind);
    char *padded = malloc(padded_size);
    REQUIRE(padded);
    memcpy(padded, before, strlen(before));
    if (size > 0)
        memcpy(padded + strlen(before), line, size);
    memcpy(padded + strlen(before) + size, behind, strlen(behind));
    REQUIRE(parse_line(padded, padded_size, &again, again_error) == result);
    require_same_ports(&again, spec);
    REQUIRE(result == 0 || strcmp(error, again_error) == 0);
    free(padded);
}

static void try_line(const char *line, size_t size)
{
    struct spec spec;
    char error[ERROR_BYTES];
    int r = parse_line(line, size, &spec, error);
    REQUIRE(r == 0 || r == SPEC_E_WRONG);
    require_named_ports(&spec);
    if (r == SPEC_E_WRONG) {
        REQUIRE(spec.count == 0);
        require_one_line(error);
    } else {
        REQUIRE(*error == '!');
        REQUIRE(spec.count == 0 || !memchr(line, '\0', size));
    }
    require_trimmed(line, size, r, &spec, error);
}

static void try_file(struct fuzz_input input)
{
    while (input.at < input.end) {
        const char *newline = memchr(input.at, '\n', fuzz_left(&input));
        const char *stop = newline ? newline : input.end;
        try_line(input.at, (size_t)(stop - input.at));
        input.at = newline ? newline + 1 : stop;
    }
}

/* ------------------------------------------------------------- requests -- */

static int parse_request(const char *bytes, size_t size, struct pa_reserve_request *request)
{
    char *copy = fuzz_copy(bytes, size);
    int r = pa_reserve_parse_request(copy, size, request);
    free(copy);
    REQUIRE(r == 0 || r == PA_RESERVE_MORE || r == PA_RESERVE_BAD);
    REQUIRE(r != PA_RESERVE_MORE || size < PA_RESERVE_REQUEST_MAX);
    return r;
}

static void require_encodes_to(const struct pa_reserve_request *request, const char *bytes,
                               size_t size)
{
    char again[PA_RESERVE_REQUEST_MAX];
    REQUIRE(request->verb == PA_RESERVE_LIST ? *request->name == '\0'
                                             : pa_reserve_is_name(request->name));
    REQUIRE(pa_reserve_encode_request(request->verb, request->name, again) == size);
    REQUIRE(memcmp(again, bytes, size) == 0);
}

/*
 * Byte by byte, as a slow client sends it, up to the first outcome. That of the
 * whole is the same, unless bytes came behind a request.
 */
static void try_request(struct fuzz_input input)
{
    struct pa_reserve_request request;
    size_t size = fuzz_left(&input), at = 1;
    if (size > PACKETS_MAX_BYTES)
        size = PACKETS_MAX_BYTES;
    int whole = parse_request(input.at, size, &request);
    int first = PA_RESERVE_MORE;
    for (; at <= size; ++at) {
        first = parse_request(input.at, at, &request);
        if (first != PA_RESERVE_MORE)
            break;
    }
    if (first == 0)
        require_encodes_to(&request, input.at, at);
    if (first == 0 && at < size)
        REQUIRE(whole == PA_RESERVE_BAD);
    else
        REQUIRE(whole == first);
}

/* ------------------------------------------------------------ datagrams -- */

static void try_datagram(struct fuzz_input input)
{
    char name[PA_RESERVE_NAME_MAX + 1];
    size_t size = fuzz_left(&input);
    char *copy = fuzz_copy(input.at, size);
    int r = pa_reserve_parse_datagram(copy, size, name);
    REQUIRE(r == 0 || r == PA_RESERVE_BAD);
    if (r == 0) {
        size_t length = strlen(name);
        REQUIRE(pa_reserve_is_name(name));
        REQUIRE(memcmp(name, copy, length) == 0);
        REQUIRE(length == size ||
                (length + 1 == size && (copy[length] == '\0' || copy[length] == '\n')));
    }
    free(copy);
}

/* -------------------------------------------------------------- replies -- */

static void require_strings(const struct pa_reserve_reply *reply, const char *end)
{
    const char *at = reply->strings;
    REQUIRE(reply->count == reply->told || reply->count == reply->told * PA_RESERVE_COLUMNS);
    for (size_t i = 0; i < reply->count; ++i) {
        REQUIRE(at < end);
        at = pa_reserve_next(at);
    }
    REQUIRE(at == end);
}

static void try_reply(struct fuzz_input input)
{
    struct pa_reserve_reply reply;
    size_t size = fuzz_left(&input);
    char *copy = fuzz_copy(input.at, size);
    int r = pa_reserve_parse_reply(copy, size, &reply);
    REQUIRE(r == 0 || r == PA_RESERVE_BAD);
    if (r == 0 && reply.kind == PA_RESERVE_OK) {
        REQUIRE(*reply.text == '\0');
        require_strings(&reply, copy + size);
    } else if (r == 0) {
        REQUIRE(reply.kind == PA_RESERVE_REFUSED || reply.kind == PA_RESERVE_ERROR);
        REQUIRE(reply.told == 0 && reply.count == 0);
        REQUIRE(pa_reserve_next(reply.text) == copy + size);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct fuzz_input) = {try_file, try_request, try_datagram,
                                                         try_reply};
    struct fuzz_input input = fuzz_input_of(data, size);
    unsigned reader = fuzz_byte(&input) % (sizeof readers / sizeof *readers);
    readers[reader](input);
    return 0;
}
