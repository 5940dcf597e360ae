#ifndef KILL_LEDGER_H
#define KILL_LEDGER_H

/*
 * Who sent what, and who got it.
 *
 * A message says whose it is and its number: LEDGER_STEP * sender + number,
 * from 0 upwards without a gap. A stream is what one process received, in its
 * order; within a stream each sender's numbers must go up.
 */

#include <stdbool.h>

enum {
    LEDGER_STEP = 1000,
    LEDGER_SENDERS = 8,
    LEDGER_STREAMS = 8,
    LEDGER_NUMBERS = 64, /* messages of one sender */
};

struct ledger {
    int sent[LEDGER_SENDERS];  /* sends that returned 0 */
    int maybe[LEDGER_SENDERS]; /* more that may have been sent: those of the killed */
    unsigned char got[LEDGER_SENDERS][LEDGER_NUMBERS];
    int last[LEDGER_STREAMS][LEDGER_SENDERS]; /* number + 1 */
    const char *fault;                        /* the first: NULL if none */
};

/* The message to send next for `sender`; ledger_sent() says that it was. */
long ledger_next(const struct ledger *ledger, int sender);
void ledger_sent(struct ledger *ledger, int sender);

void ledger_got(struct ledger *ledger, int stream, long msg);

/* All is received that can be: NULL, or what is wrong. So many messages may be lost. */
const char *ledger_close(const struct ledger *ledger, int lost_max);

#endif
