#ifndef FAKE_MANAGER_H
#define FAKE_MANAGER_H

/*
 * A port manager that answers as a test wants, on a thread of this process.
 *
 * It takes any number of connections (up to FAKE_CONNECTIONS) and hands every
 * line it reads to the test's function, which names the bytes to send.
 */

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { FAKE_CONNECTIONS = 16, FAKE_LINE_BYTES = 1024 };

struct fake_manager;

/*
 * What to send for a request, line end included: static or in manager->reply.
 * NULL: nothing. A text that begins with FAKE_CLOSE: what follows, then close;
 * with FAKE_PASS: what follows, with the descriptor manager->pass twice.
 */
typedef const char *fake_answer(struct fake_manager *manager, const char *line);

#define FAKE_CLOSE '!'
#define FAKE_PASS  '>'

struct fake_manager {
    /* Set by the test before fake_manager_start(). */
    fake_answer *_Atomic answer; /* may be changed later too */
    const char *greeting;        /* sent on accept, as an answer; NULL: nothing */
    const char *address;         /* numeric, or the path of a socket; NULL: 127.0.0.1 */
    int pass;                    /* a descriptor */
    int port;                    /* 0: any; the one it is after the start */

    /* Counted while it runs. */
    atomic_int connections; /* accepted so far */
    atomic_int requests;    /* read so far */
    atomic_int granted;     /* for the answers to count with */
    sem_t closed;           /* posted for every connection that its client ended */

    char reply[64 * 1024]; /* for the answers to write in */

    pthread_t thread;
    int listener;
    int stop[2]; /* a pipe whose end tells the thread to die */
    struct fake_connection {
        int fd;
        size_t size;
        char line[FAKE_LINE_BYTES];
    } clients[FAKE_CONNECTIONS];
    size_t count;
};

/* Starts it: it listens when the call returns. Whether it could bind. */
bool fake_manager_start(struct fake_manager *manager);

/* Kills it: all its connections end. */
void fake_manager_stop(struct fake_manager *manager);

/* Waits until the clients have ended `count` more connections; false: they did not. */
bool fake_manager_wait_closed(struct fake_manager *manager, int count);

#endif
