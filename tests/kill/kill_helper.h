#ifndef KILL_HELPER_H
#define KILL_HELPER_H

/*
 * A process that survives: it carries out orders, one at a time, which are
 * calls of <sys/ports.h>, and answers each. The process that gives the orders
 * never makes such a call itself, so what it forks knows no port yet.
 */

#include <stdbool.h>
#include <sys/types.h>

enum {
    HELPER_MESSAGES = 32, /* at most in one answer */
};

enum deed {
    DO_SEND,
    DO_RECEIVE,
    DO_TRYSEND,
    DO_TRYRECEIVE,
    DO_FILL,   /* ptrysend() of msg, msg + 1, ... until it fails: how many */
    DO_DRAIN,  /* ptryreceive() until it fails: the messages */
    DO_WATCH,  /* pgetfd(), ptryreceive() until EAGAIN, poll(), ptryreceive() until EAGAIN */
    DO_COUNT,  /* pgetcount() */
    DO_LOOK,   /* pstat(): the count, which pays no debt */
    DO_CREATE, /* of msg */
    DO_BIND,
    DO_FIND,
    DO_NAMED, /* pcreate_named() of msg */
    DO_NAMED_NEW,
    DO_DELETE, /* the messages disposed of */
    DO_CLEAR,  /* pdelete() of all ports there are: how many */
    DEEDS,
};

struct order {
    enum deed deed;
    int id;
    long msg;
    const char *name; /* constant text, which parent and child have at the same place */
};

struct answer {
    long result;
    int error; /* errno if the result is -1 */
    int n;
    long msgs[HELPER_MESSAGES];
};

struct helper {
    const char *title;
    pid_t pid;
    int socket;
    bool busy; /* an order is not answered yet */
};

void helper_start(struct helper *helper, const char *title);
void helper_end(struct helper *helper);

/* Gives an order; the answer is to be fetched. */
void helper_order(struct helper *helper, struct order order);

/* Fetches the answer: false when it does not come within so many milliseconds. */
bool helper_answer(struct helper *helper, struct answer *answer, int ms);

/* Both, with PATIENCE_MS. */
bool helper_do(struct helper *helper, struct order order, struct answer *answer);

/* Waits until the helper sleeps within its order: false when it does not within PATIENCE_MS. */
bool helper_await_asleep(const struct helper *helper);

/* Does the process sleep in a futex or in poll(2)? */
bool helper_is_asleep(pid_t pid);

#endif
