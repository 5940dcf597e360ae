/*
 * bus_wire - messages of D-Bus: writing calls, reading answers.
 *
 * The form is that of the D-Bus Specification, "Message Protocol": a fixed part of 12 bytes,
 * an array of header fields, padding to 8, the body. Everything is aligned to its own size,
 * structures to 8.
 */
#include "bus.h"

#include <string.h>

#define FIXED_BYTES  16 /* with the length of the array of fields, whose elements follow */
#define BODY_SIZE_AT 4
#define SERIAL_AT    8
#define FIELDS_AT    12
#define FIELD_HEAD   4 /* its code and its signature, of one letter */
#define MESSAGE_MAX  65536
#define TYPE_CALL    1

enum field {
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_ERROR = 4,
    FIELD_REPLY_SERIAL = 5,
    FIELD_DESTINATION = 6,
    FIELD_SIGNATURE = 8,
    FIELD_DESCRIPTORS = 9,
};

static size_t aligned(size_t at, size_t to)
{
    return (at + to - 1) / to * to;
}

static unsigned char *add(struct bus_message *message, size_t alignment, size_t size)
{
    size_t at = aligned(message->size, alignment);

    if (at + size > sizeof(message->bytes)) {
        broken("a message of D-Bus is too long");
    }
    message->size = at + size;
    return message->bytes + at;
}

static void store_u32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(value >> 8 * i);
    }
}

static uint32_t load_u32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void bus_put_byte(struct bus_message *message, uint8_t value)
{
    *add(message, 1, 1) = value;
}

void bus_put_u32(struct bus_message *message, uint32_t value)
{
    store_u32(add(message, 4, 4), value);
}

void bus_put_u64(struct bus_message *message, uint64_t value)
{
    unsigned char *at = add(message, 8, 8);

    store_u32(at, (uint32_t)value);
    store_u32(at + 4, (uint32_t)(value >> 32));
}

void bus_put_text(struct bus_message *message, const char *text)
{
    size_t bytes = strlen(text) + 1;

    bus_put_u32(message, (uint32_t)bytes - 1);
    memcpy(add(message, 1, bytes), text, bytes);
}

void bus_put_signature(struct bus_message *message, const char *text)
{
    size_t bytes = strlen(text) + 1;

    bus_put_byte(message, (uint8_t)(bytes - 1));
    memcpy(add(message, 1, bytes), text, bytes);
}

void bus_put_struct(struct bus_message *message)
{
    add(message, 8, 0);
}

/* Returns where its length is. */
size_t bus_open_array(struct bus_message *message)
{
    size_t array;

    bus_put_u32(message, 0);
    array = message->size - 4;
    bus_put_struct(message);
    return array;
}

/* The padding before the first element does not count. */
void bus_close_array(struct bus_message *message, size_t array)
{
    store_u32(message->bytes + array, (uint32_t)(message->size - aligned(array + 4, 8)));
}

static void put_field_head(struct bus_message *message, enum field code, const char *signature)
{
    bus_put_struct(message);
    bus_put_byte(message, (uint8_t)code);
    bus_put_signature(message, signature);
}

static void put_text_field(struct bus_message *message, enum field code, const char *signature,
                           const char *text)
{
    if (text != NULL) {
        put_field_head(message, code, signature);
        bus_put_text(message, text);
    }
}

void bus_begin(struct bus_message *message, const struct bus_call *call)
{
    static const unsigned char fixed[4] = {'l', TYPE_CALL, 0, 1};
    size_t fields;

    memset(message, 0, sizeof(*message));
    memcpy(add(message, 1, FIELDS_AT), fixed, sizeof(fixed));
    fields = bus_open_array(message);
    put_text_field(message, FIELD_PATH, "o", call->path);
    put_text_field(message, FIELD_INTERFACE, "s", call->interface);
    put_text_field(message, FIELD_MEMBER, "s", call->member);
    put_text_field(message, FIELD_DESTINATION, "s", call->destination);
    if (call->signature[0] != '\0') {
        put_field_head(message, FIELD_SIGNATURE, "g");
        bus_put_signature(message, call->signature);
    }
    if (call->descriptors > 0) {
        put_field_head(message, FIELD_DESCRIPTORS, "u");
        bus_put_u32(message, call->descriptors);
    }
    bus_close_array(message, fields);
    bus_put_struct(message);
    message->body = message->size;
}

void bus_set_serial(struct bus_message *message, uint32_t serial)
{
    store_u32(message->bytes + BODY_SIZE_AT, (uint32_t)(message->size - message->body));
    store_u32(message->bytes + SERIAL_AT, serial);
}

size_t bus_size(const unsigned char *bytes, size_t length)
{
    size_t fields_bytes;
    size_t body_bytes;

    if (length < FIXED_BYTES) {
        return 0;
    }
    fields_bytes = load_u32(bytes + FIELDS_AT);
    body_bytes = load_u32(bytes + BODY_SIZE_AT);
    if (bytes[0] != 'l' || fields_bytes > MESSAGE_MAX || body_bytes > MESSAGE_MAX) {
        broken("the bus sent what is no message, or one that is too long");
    }
    return aligned(FIXED_BYTES + fields_bytes, 8) + body_bytes;
}

/* The text at `at`, its length before it in `head` bytes; *end is behind it. NULL: malformed.
 */
static const char *parse_text(const unsigned char *bytes, size_t size, size_t at, size_t head,
                              size_t *end)
{
    size_t length;

    if (at + head > size) {
        return NULL;
    }
    length = head == 1 ? bytes[at] : load_u32(bytes + at);
    if (length >= size - at - head || bytes[at + head + length] != '\0') {
        return NULL;
    }
    *end = at + head + length + 1;
    return (const char *)bytes + at + head;
}

/* One field; returns where it ends, 0 if it is malformed. All of the specification have
 * signatures of one letter, so the value is aligned where it stands. */
static size_t parse_field(const unsigned char *bytes, size_t size, size_t at,
                          struct bus_answer *answer)
{
    size_t value = at + FIELD_HEAD;
    size_t end = value + 4;
    const char *text = NULL;

    if (value > size || bytes[at + 1] != 1 || bytes[at + 3] != 0) {
        return 0;
    }
    if (bytes[at + 2] != 'u') {
        text = parse_text(bytes, size, value, bytes[at + 2] == 'g' ? 1 : 4, &end);
    }
    if (end > size || (text == NULL && bytes[at + 2] != 'u')) {
        return 0;
    }
    if (bytes[at] == FIELD_REPLY_SERIAL && text == NULL) {
        answer->reply_serial = load_u32(bytes + value);
    } else if (bytes[at] == FIELD_ERROR) {
        answer->error = text;
    } else if (bytes[at] == FIELD_SIGNATURE) {
        answer->signature = text;
    }
    return end;
}

bool bus_parse(const unsigned char *bytes, size_t size, struct bus_answer *answer)
{
    size_t end = FIXED_BYTES + load_u32(bytes + FIELDS_AT);
    size_t at = FIXED_BYTES;

    *answer = (struct bus_answer){.type = bytes[1], .signature = ""};
    while (at < end) {
        at = parse_field(bytes, end, at, answer);
        if (at == 0) {
            return false;
        }
        at = aligned(at, 8);
    }
    answer->body_bytes = load_u32(bytes + BODY_SIZE_AT);
    answer->body = bytes + size - answer->body_bytes;
    return answer->signature != NULL && (answer->type != BUS_ERROR || answer->error != NULL);
}
