/* Connections that say they are somebody else's, and those of a user who has many. */

#include "race.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    DAWDLE = 20000, /* turns of a loop: some microseconds */
    BLOCK = 10,     /* allocations of one manager before it is the other's turn */
    NS_PER_US = 1000,
    PATIENCE_MS = 5, /* so long a forger waits for an answer; the manager may be stopped */
};

/* -------------------------------------------------------------- forgeries -- */

/* What a forger says. */
static const char *const claims[] = {
    "GIMME forged root\r\n",
    "HELLO 2\r\nALLOCATE forged -user root\r\n",
    "HELLO 2\r\nPING\r\nGIMME forged root\r\n",
    "LIST\r\nGIMME forged root\r\nGIMME forged root\r\n",
};

enum ending { CLOSES, RESETS, SHUTS_WRITING, SHUTS_BOTH, SHUTS_READING, HEARS, ENDINGS };

/* A busy wait of random length: the manager runs meanwhile. */
static void dawdle(unsigned *seed)
{
    for (volatile int i = rand_r(seed) % DAWDLE; i > 0; --i)
        ;
}

static void end_connection(int fd, enum ending ending, unsigned *seed)
{
    static const struct linger at_once = {.l_onoff = 1};
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    char bytes[256];
    if (ending == RESETS)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (ending == SHUTS_WRITING)
        shutdown(fd, SHUT_WR);
    if (ending == SHUTS_READING)
        shutdown(fd, SHUT_RD);
    if (ending == SHUTS_BOTH)
        shutdown(fd, SHUT_RDWR);
    if (ending == HEARS && poll(&answer, 1, PATIENCE_MS) > 0 &&
        read(fd, bytes, sizeof bytes) < 0 && errno != ECONNRESET)
        race_die("read");
    if (ending >= SHUTS_WRITING)
        dawdle(seed);
    close(fd);
}

int race_forge(int count, char **words)
{
    if (count != 3)
        return RACE_USAGE;
    unsigned rounds = race_number(words[1]);
    unsigned seed = race_number(words[2]);
    for (unsigned i = 0; i < rounds; ++i) {
        const char *claim = claims[(size_t)rand_r(&seed) % (sizeof claims / sizeof *claims)];
        enum ending ending = (enum ending)(rand_r(&seed) % ENDINGS);
        int fd = race_connect(words[0], i);
        if (rand_r(&seed) % 2)
            dawdle(&seed);
        race_send(fd, claim);
        if (rand_r(&seed) % 2)
            dawdle(&seed);
        end_connection(fd, ending, &seed);
    }
    printf("%u forged\n", rounds);
    return 0;
}

/* -------------------------------------------------------------- in line -- */

/* Reads one byte after the other up to the end of a line. */
static void read_line(int fd)
{
    char byte = 0;
    while (byte != '\n')
        if (read(fd, &byte, 1) != 1)
            race_die("a connection that was to be in line");
}

/* How many have something to read. */
static unsigned count_answered(struct pollfd *polls, unsigned count)
{
    unsigned answered = 0;
    poll(polls, count, 0);
    for (unsigned i = 0; i < count; ++i)
        answered += polls[i].revents != 0;
    return answered;
}

int race_line(int count, char **words)
{
    char byte;
    if (count < 3)
        return RACE_USAGE;
    unsigned size = race_number(words[1]);
    struct pollfd *polls = calloc(size, sizeof *polls);
    if (!polls)
        race_die("calloc");
    for (unsigned i = 0; i < size; ++i) {
        polls[i] = (struct pollfd){.fd = race_connect(words[0], i), .events = POLLIN};
        race_send(polls[i].fd, "HELLO 2\r\n");
        read_line(polls[i].fd);
        race_send(polls[i].fd, words[2 + i % (unsigned)(count - 2)]);
        race_send(polls[i].fd, "\r\n");
    }
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    printf("%u answered\n", count_answered(polls, size));
    for (unsigned i = 0; i < size; ++i)
        close(polls[i].fd);
    free(polls);
    return 0;
}

/* -------------------------------------------------------------- latency -- */

/* What one manager was asked, and how long it took. */
struct meter {
    struct pa_call *call;
    double *allocate_us;
    double *both_us; /* ALLOCATE and RELEASE */
    unsigned count;
};

static struct meter meter_new(const char *portfile, unsigned count)
{
    if (setenv("DAQPORTMGR_PORTFILE", portfile, 1) < 0)
        race_die("setenv");
    struct meter meter = {.call = race_client(),
                          .allocate_us = calloc(count, sizeof(double)),
                          .both_us = calloc(count, sizeof(double))};
    if (!meter.allocate_us || !meter.both_us)
        race_die("calloc");
    return meter;
}

static void meter_free(struct meter *meter)
{
    pa_call_free(meter->call);
    free(meter->allocate_us);
    free(meter->both_us);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / NS_PER_US;
}

static void measure(struct meter *meter)
{
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_call_grant grant;
    struct pa_failure why;
    double begin = now_us();
    if (pa_call_allocate_keys(meter->call, "timed", &keys, RACE_TIMEOUT_MS, &grant, &why) != 0)
        race_die_of("allocate", &why);
    meter->allocate_us[meter->count] = now_us() - begin;
    if (pa_call_release(meter->call, grant.port, RACE_TIMEOUT_MS, &why) != 0)
        race_die_of("release", &why);
    meter->both_us[meter->count++] = now_us() - begin;
    pa_call_grant_deinit(&grant);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

int race_latency(int count, char **words)
{
    if (count != 3 || race_number(words[2]) == 0)
        return RACE_USAGE;
    unsigned rounds = race_number(words[2]);
    struct meter meters[2] = {meter_new(words[0], rounds), meter_new(words[1], rounds)};
    for (unsigned i = 0; meters[i / BLOCK % 2].count < rounds; ++i)
        measure(&meters[i / BLOCK % 2]);
    rounds = meters[0].count < meters[1].count ? meters[0].count : meters[1].count;
    for (size_t i = 0; i < 2; ++i)
        printf("%.1f %.1f%s", median(meters[i].allocate_us, rounds),
               median(meters[i].both_us, rounds), i == 0 ? " " : "\n");
    meter_free(&meters[0]);
    meter_free(&meters[1]);
    return 0;
}

/* ----------------------------------------------------------------- talk -- */

int race_talk(int count, char **words)
{
    char bytes[4096];
    ssize_t size;
    if (count < 2)
        return RACE_USAGE;
    int fd = race_connect(words[0], 0);
    for (int i = 1; i < count; ++i) {
        race_send(fd, words[i]);
        race_send(fd, "\r\n");
    }
    shutdown(fd, SHUT_WR);
    while ((size = read(fd, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, (size_t)size, stdout);
    close(fd);
    return 0;
}
