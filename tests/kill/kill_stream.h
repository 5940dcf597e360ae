#ifndef KILL_STREAM_H
#define KILL_STREAM_H

/*
 * Accounts of a storm, in memory that all its processes share and that has
 * nothing to do with ports.
 *
 * A stream is what one sender sends: messages 0, 1, 2, ... Before each send the
 * sender writes down up to where it intends to go, and afterwards up to where
 * it has come, so that of a killed sender it is known what was surely sent and
 * what was surely not. Each receiver marks what it got. Order is kept when
 * what one receiver gets of one stream goes up.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
    STREAMS = 4096,          /* in one round */
    STREAM_MESSAGES = 65536, /* in one stream */
};

struct streams;

/* What one receiver, or whoever disposes, has got last of each stream. */
struct stream_reader {
    uint32_t next[STREAMS];
};

/* NULL: no memory. For this process and those it forks. */
struct streams *streams_new(void);

/* Forgets all streams, for the next round. */
void streams_clear(struct streams *streams);

/* A stream of one's own, or -1 when all are in use. */
int streams_take(struct streams *streams);
bool streams_are_used_up(const struct streams *streams);

/* Message `number` of a stream, as it is sent. */
long stream_message(int stream, uint32_t number);

/* About to send up to message `number`, which is excluded; and back from it. */
void stream_intend(struct streams *streams, int stream, uint32_t number);
void stream_sent(struct streams *streams, int stream, uint32_t number);

/* A message is here. */
void stream_got(struct streams *streams, struct stream_reader *reader, long message);

/* How many messages were marked so far. */
uint64_t streams_marked(const struct streams *streams);

struct stream_sums {
    uint64_t sent; /* surely */
    uint64_t got;
    uint64_t lost; /* surely sent, and nobody got them */
    unsigned doubles, disorders, strays;
};

/* Nobody sends or receives any longer: adds up. */
void streams_sum(const struct streams *streams, struct stream_sums *sums);

#endif
