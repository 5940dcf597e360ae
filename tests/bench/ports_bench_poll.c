/*
 * ports_bench_poll - from a send to the receiver that sleeps in poll(2) and has the message,
 * beside the same through a bare eventfd and a bare pipe.
 *
 * The sender waits until the receiver sleeps, as the kernel shows it, and sends; the receiver
 * leaves the time when it had the message. Both clocks are one.
 */
#include "ports_bench.h"
#include "ports_bench_kinds.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ports.h>
#include <unistd.h>

#define DELIVERIES 100 /* in a sample */
#define WARM_UP    10  /* before them */
#define PORT_COUNT 16

/* What sender and receiver share. */
struct desk {
    _Atomic int port;
    _Atomic long received;        /* the last message */
    _Atomic uint64_t received_ns; /* when */
};

struct channel {
    struct desk *desk;
    int descriptors[2]; /* of the pipe or, both the same, the eventfd */
    int port;
    int polled; /* the descriptor the receiver sleeps on */
};

struct way {
    const char *name;
    void (*open)(struct channel *channel); /* in the parent, or NULL */
    void (*make)(struct channel *channel); /* in the receiver, or NULL */
    void (*send)(struct channel *channel, long message);
    long (*receive)(struct channel *channel); /* after poll; 0: a false alarm */
    void (*quiet)(struct channel *channel);   /* after a message, or NULL */
    void (*drop)(struct channel *channel);    /* in the receiver, or NULL */
};

static struct channel channel;
static struct queue shared;
static enum placement place;
static unsigned present; /* of ways: that of the present sample */

/* ---- a port ---- */

static void port_make(struct channel *ours)
{
    ours->port = pcreate(PORT_COUNT);
    worker_check(ours->port > 0, "pcreate");
    ours->polled = pgetfd(ours->port);
    worker_check(ours->polled >= 0, "pgetfd");
    ours->desk->port = ours->port;
}

static void port_send(struct channel *ours, long message)
{
    worker_check(psend(ours->desk->port, message) == 0, "psend");
}

static long port_receive(struct channel *ours)
{
    long message;

    if (ptryreceive(ours->port, &message) == 0) {
        return message;
    }
    worker_check(errno == EAGAIN, "ptryreceive");
    return 0;
}

/* The descriptor becomes quiet with the EAGAIN. */
static void port_quiet(struct channel *ours)
{
    long message;

    if (ptryreceive(ours->port, &message) == 0) {
        worker_failed("a message more than was sent: %ld", message);
    }
    worker_check(errno == EAGAIN, "ptryreceive");
}

static void port_drop(struct channel *ours)
{
    close(ours->polled);
    worker_check(pdelete(ours->port, NULL) == 0, "pdelete");
}

/* ---- a bare eventfd, a bare pipe ---- */

static void eventfd_open(struct channel *ours)
{
    ours->descriptors[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ours->descriptors[1] = dup(ours->descriptors[0]);
    if (ours->descriptors[0] < 0 || ours->descriptors[1] < 0) {
        system_failed("eventfd");
    }
}

static void pipe_open(struct channel *ours)
{
    if (pipe2(ours->descriptors, O_NONBLOCK | O_CLOEXEC) != 0) {
        system_failed("pipe");
    }
}

static void bare_send(struct channel *ours, long message)
{
    worker_check(write(ours->descriptors[1], &message, sizeof(message)) == sizeof(message),
                 "write");
}

static long bare_receive(struct channel *ours)
{
    long message = 0;

    worker_check(read(ours->descriptors[0], &message, sizeof(message)) == sizeof(message) ||
                     errno == EAGAIN,
                 "read");
    return message;
}

static const struct way ways[] = {
    {"ports", NULL, port_make, port_send, port_receive, port_quiet, port_drop},
    {"eventfd", eventfd_open, NULL, bare_send, bare_receive, NULL, NULL},
    {"pipe", pipe_open, NULL, bare_send, bare_receive, NULL, NULL},
};

/* ---- sender and receiver ---- */

static void receive_all(const struct way *way)
{
    struct pollfd entry = {.fd = channel.polled, .events = POLLIN};

    for (long expected = 1; expected <= WARM_UP + DELIVERIES; expected++) {
        long message = 0;

        while (message == 0) {
            worker_check(poll(&entry, 1, -1) == 1, "poll");
            message = way->receive(&channel);
        }
        channel.desk->received_ns = now_ns();
        check_message(message, expected);
        if (way->quiet != NULL) {
            way->quiet(&channel);
        }
        channel.desk->received = message;
    }
}

static void send_all(const struct way *way)
{
    uint64_t spent_ns = 0;

    for (long message = 1; message <= WARM_UP + DELIVERIES; message++) {
        uint64_t begun_ns;

        worker_await_sleep(1);
        begun_ns = now_ns();
        way->send(&channel, message);
        while (channel.desk->received != message) {
            sched_yield();
        }
        if (message > WARM_UP) {
            spent_ns += channel.desk->received_ns - begun_ns;
        }
    }
    worker_report()->spent_ns = spent_ns / DELIVERIES;
}

static void work(void *unused, unsigned worker)
{
    const struct way *way = &ways[present];

    (void)unused;
    if (worker == 1) {
        channel.polled = channel.descriptors[0];
        if (way->make != NULL) {
            way->make(&channel);
        }
    }
    worker_meet();
    if (worker == 1) {
        receive_all(way);
    } else {
        send_all(way);
    }
    worker_meet();
    if (worker == 1 && way->drop != NULL) {
        way->drop(&channel);
    }
}

static double run_side(void *unused, unsigned side)
{
    const struct way *way = &ways[side];

    present = side;
    queue_share(&shared, sizeof(struct desk));
    channel.desk = shared.shared;
    if (way->open != NULL) {
        way->open(&channel);
    }
    rig_run(2, place, work, unused);
    if (way->open != NULL) {
        close(channel.descriptors[0]);
        close(channel.descriptors[1]);
    }
    queue_unshare(&shared);
    return (double)rig_report(0)->spent_ns / 1e3;
}

/* ---- the rows ---- */

static const struct variant {
    const char *name;
    enum placement place;
    double limit; /* us */
} variants[] = {
    {"poll delivery, one core", PLACE_ONE, 10},
    {"poll delivery, two cores", PLACE_TWO, 10},
};

static void run_variant(const struct config *config, const struct variant *variant)
{
    struct contest contest = {.sides = COUNT_OF(ways)};
    struct canaries canaries = {0};

    place = variant->place;
    rig_contest(&contest, run_side, NULL, config->rounds, &canaries);
    for (unsigned i = 1; i < COUNT_OF(ways); i++) {
        char name[128];
        struct row row = {
            .placement = placement_words(variant->place),
            .name = name,
            .unit = "us",
            .left_name = ways[0].name,
            .right_name = ways[i].name,
            .limit = variant->limit,
            .note = canaries_text(&canaries),
        };

        snprintf(name, sizeof(name), "%s: %s", variant->name, ways[i].name);
        contest_compare(&contest, 0, i, &row);
        row.judged = row.left;
        row_print(&row);
    }
    contest_deinit(&contest);
}

void measure_delivery(const struct config *config)
{
    bool headed = false;

    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        if (config_selects(config, variants[i].name) &&
            rig_offers(variants[i].place, variants[i].name)) {
            if (!headed) {
                row_head("ports", "bare");
                headed = true;
            }
            run_variant(config, &variants[i]);
        }
    }
}
