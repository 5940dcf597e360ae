/* bus.h - dbus-broker on a bus of its own, and clients of it that do as little as they can. */
#ifndef BUS_H
#define BUS_H

#include "bench.h"

/* ---- bus_wire.c: messages of D-Bus, little-endian ---- */

#define BUS_MESSAGE_BYTES 2048

struct bus_message {
    unsigned char bytes[BUS_MESSAGE_BYTES];
    size_t size;
    size_t body; /* where it begins */
};

struct bus_call {
    const char *destination; /* NULL: the other end itself */
    const char *path;
    const char *interface;
    const char *member;
    const char *signature; /* of the body */
    uint32_t descriptors;  /* that go with the message */
};

/* A call without its body, which the put functions append. */
void bus_begin(struct bus_message *message, const struct bus_call *call);
void bus_put_byte(struct bus_message *message, uint8_t value);
void bus_put_u32(struct bus_message *message, uint32_t value);
void bus_put_u64(struct bus_message *message, uint64_t value);
void bus_put_text(struct bus_message *message, const char *text);
void bus_put_signature(struct bus_message *message, const char *text);
void bus_put_struct(struct bus_message *message);

/* An array of structures: what bus_open_array() returns goes to bus_close_array(). */
size_t bus_open_array(struct bus_message *message);
void bus_close_array(struct bus_message *message, size_t array);

/* When the body is there, and again each time the message is sent. */
void bus_set_serial(struct bus_message *message, uint32_t serial);

enum bus_type { BUS_METHOD_RETURN = 2, BUS_ERROR = 3, BUS_SIGNAL = 4 };

struct bus_answer {
    enum bus_type type;
    uint32_t reply_serial;
    const char *error;     /* NULL, or the name of what went wrong */
    const char *signature; /* of the body, "" if there is none */
    const unsigned char *body;
    size_t body_bytes;
};

/* The size in bytes of the message that begins here; 0: that is not told yet. */
size_t bus_size(const unsigned char *bytes, size_t length);

/* A whole message of that size; what points into it does. False: it is malformed. */
bool bus_parse(const unsigned char *bytes, size_t size, struct bus_answer *answer);

/* ---- bus.c ---- */

/* Starts dbus-broker, its only listener `dir`/socket. False, with the reason on standard
 * output: it is not installed, or it does not take the policy of this program. Otherwise it
 * lives until server_stop(); *controller is the caller's, to be closed after that. */
bool bus_start(struct server *server, int *controller);

/* `operations` times RequestName, of another name each time, on one connection that has said
 * Hello: us. The names are gone with the connection. */
double bus_block(const struct server *server, unsigned operations);

/* The same with a connection each time: connect, SASL, Hello, RequestName, close. */
double bus_block_new(const struct server *server, unsigned operations);

#endif
