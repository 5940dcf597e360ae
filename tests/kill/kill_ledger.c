/* Who sent what, and who got it. */

#include "kill_ledger.h"

#include <stddef.h>

long ledger_next(const struct ledger *ledger, int sender)
{
    return (long)LEDGER_STEP * sender + ledger->sent[sender];
}

void ledger_sent(struct ledger *ledger, int sender)
{
    ledger->sent[sender] += 1;
}

static void blame(struct ledger *ledger, const char *fault)
{
    if (!ledger->fault)
        ledger->fault = fault;
}

void ledger_got(struct ledger *ledger, int stream, long msg)
{
    long sender = msg / LEDGER_STEP;
    int number = (int)(msg % LEDGER_STEP);
    if (msg < 0 || sender >= LEDGER_SENDERS || number >= LEDGER_NUMBERS) {
        blame(ledger, "a message that nobody sent");
        return;
    }
    if (ledger->got[sender][number]++ > 0)
        blame(ledger, "a message was received twice");
    if (number < ledger->last[stream][sender])
        blame(ledger, "one sender's messages came out of order");
    ledger->last[stream][sender] = number + 1;
}

const char *ledger_close(const struct ledger *ledger, int lost_max)
{
    int missing = 0;
    if (ledger->fault)
        return ledger->fault;
    for (int sender = 0; sender < LEDGER_SENDERS; ++sender) {
        int sent = ledger->sent[sender], most = sent + ledger->maybe[sender];
        for (int number = 0; number < LEDGER_NUMBERS; ++number) {
            bool got = ledger->got[sender][number] > 0;
            missing += number < sent && !got;
            if (number >= most && got)
                return "a message was received whose sending failed";
        }
    }
    return missing > lost_max ? "a message that was sent is lost" : NULL;
}
