/*
 * ports_bench_flow - messages through ports beside messages through other queues.
 *
 * A sample is a fresh queue and fresh processes. How many messages it takes is found once for
 * each side of a contest: enough for SAMPLE_MS.
 */
#include "ports_bench.h"
#include "ports_bench_kinds.h"

#include <stdio.h>

#define SAMPLE_MS      5
#define SAMPLE_FEWEST  64 /* messages */
#define SAMPLE_MOST    16777216
#define WARM_UP_PART   16 /* of a sample's messages come before the clock starts: one in 16 */
#define RIVALS_MAX     6
#define MESSAGES_FIRST 1

enum shape {
    SHAPE_FLOW,  /* one sender, one receiver */
    SHAPE_CROWD, /* SENDERS_MAX senders, as many receivers */
    SHAPE_TRIP,  /* there and back: a queue each way */
    SHAPE_PAIR   /* sent and received by one thread */
};

static const struct shape_rule {
    unsigned workers;
    unsigned queues;
    enum part parts[2]; /* of the first half of the workers, and of the others */
    const char *unit;
    double scale;         /* messages a us or us a message, times this */
    bool is_rate;         /* messages a us */
    bool is_times_faster; /* the ratio is the rival's time by ours */
} shapes[] = {
    [SHAPE_FLOW] = {2, 1, {PART_SEND, PART_RECEIVE}, "M/s", 1, true, false},
    [SHAPE_CROWD] =
        {2 * SENDERS_MAX, 1, {PART_SEND_MIXED, PART_RECEIVE_MIXED}, "M/s", 1, true, false},
    [SHAPE_TRIP] = {2, 2, {PART_PING, PART_PONG}, "us", 1, false, false},
    [SHAPE_PAIR] = {1, 1, {PART_PAIR, PART_PAIR}, "ns", 1000, false, true},
};

struct rival {
    const struct kind *kind;
    double limit; /* of the ratio */
};

static const struct bout {
    const char *name;
    enum shape shape;
    enum placement place;
    unsigned count;
    bool from_sleep; /* the first message finds the receiver asleep */
    const struct kind *ours;
    struct rival rivals[RIVALS_MAX];
} bouts[] = {
    {"1:1, count 1",
     SHAPE_FLOW,
     PLACE_TWO,
     1,
     false,
     &port_kind,
     {{&mq_kind, 40},
      {&pipe_kind, 2},
      {&ring_kind, 0.75},
      {&sysv_kind, LIMIT_NONE},
      {&robust_kind, LIMIT_NONE}}},
    {"1:1, count 16",
     SHAPE_FLOW,
     PLACE_TWO,
     16,
     false,
     &port_kind,
     {{&mq_kind, 12},
      {&pipe_kind, 8},
      {&ring_kind, 0.40},
      {&sysv_kind, LIMIT_NONE},
      {&robust_kind, LIMIT_NONE}}},
    {"1:1, count 256",
     SHAPE_FLOW,
     PLACE_TWO,
     256,
     false,
     &port_kind,
     {{&mq_kind, 30},
      {&pipe_kind, 20},
      {&ring_kind, 0.33},
      {&sysv_kind, LIMIT_NONE},
      {&robust_kind, LIMIT_NONE}}},
    {"1:1, count 4096",
     SHAPE_FLOW,
     PLACE_TWO,
     4096,
     false,
     &port_kind,
     {{&mq_kind, 35},
      {&pipe_kind, 18},
      {&ring_kind, 0.25},
      {&sysv_kind, LIMIT_NONE},
      {&robust_kind, LIMIT_NONE}}},
    {"4:4, count 1",
     SHAPE_CROWD,
     PLACE_TWO,
     1,
     false,
     &port_kind,
     {{&mq_kind, 5}, {&robust_kind, LIMIT_NONE}}},
    {"4:4, count 16",
     SHAPE_CROWD,
     PLACE_TWO,
     16,
     false,
     &port_kind,
     {{&mq_kind, 8}, {&robust_kind, LIMIT_NONE}}},
    {"4:4, count 256",
     SHAPE_CROWD,
     PLACE_TWO,
     256,
     false,
     &port_kind,
     {{&mq_kind, 25}, {&robust_kind, LIMIT_NONE}}},
    {"4:4, count 4096",
     SHAPE_CROWD,
     PLACE_TWO,
     4096,
     false,
     &port_kind,
     {{&mq_kind, 30}, {&robust_kind, LIMIT_NONE}}},
    {"round trip, two cores",
     SHAPE_TRIP,
     PLACE_TWO,
     16,
     false,
     &port_kind,
     {{&ring_kind, 1.25},
      {&robust_kind, LIMIT_NONE},
      {&mq_kind, LIMIT_NONE},
      {&pipe_kind, LIMIT_NONE}}},
    {"round trip, count 1",
     SHAPE_TRIP,
     PLACE_TWO,
     1,
     false,
     &port_kind,
     {{&ring_kind, LIMIT_NONE}}},
    {"round trip, no spin",
     SHAPE_TRIP,
     PLACE_TWO,
     1,
     true,
     &quiet_port_kind,
     {{&futex_kind, 1.10}}},
    {"round trip, one core",
     SHAPE_TRIP,
     PLACE_ONE,
     1,
     false,
     &port_kind,
     {{&mq_kind, 1.00}, {&futex_kind, LIMIT_NONE}, {&pipe_kind, LIMIT_NONE}}},
    {"one process, pair",
     SHAPE_PAIR,
     PLACE_ONE,
     16,
     false,
     &port_kind,
     {{&mq_kind, 45},
      {&pipe_kind, LIMIT_NONE},
      {&robust_kind, LIMIT_NONE},
      {&ring_kind, LIMIT_NONE}}},
};

/* A bout while it runs. Side 0 are the ports. */
struct stage {
    const struct bout *bout;
    const struct kind *kinds[SIDES_MAX];
    long messages[SIDES_MAX]; /* that a worker of this side sends or receives */
    unsigned capacities[SIDES_MAX];
    struct canaries canaries;
    unsigned side; /* of the present sample */
    struct queue queues[2];
};

static struct stage stage;

static const struct shape_rule *stage_rule(void)
{
    return &shapes[stage.bout->shape];
}

static long run_part(unsigned worker, long first, long messages)
{
    const struct shape_rule *rule = stage_rule();
    struct run run = {
        .part = rule->parts[worker < (rule->workers + 1) / 2 ? 0 : 1],
        .sender = worker % SENDERS_MAX,
        .first = first,
        .messages = messages,
    };

    return stage.kinds[stage.side]->run(stage.queues, &run);
}

/* One worker makes the queues, all find them, all warm up, all run against the clock. Two that
 * never sleep can go on without sleeping: where sleep is what is measured, they begin with it.
 */
static void work(void *unused, unsigned worker)
{
    const struct kind *kind = stage.kinds[stage.side];
    long messages = stage.messages[stage.side];
    long warm_up = messages / WARM_UP_PART;
    unsigned queues = stage_rule()->queues;

    (void)unused;
    for (unsigned i = 0; worker == 0 && kind->make != NULL && i < queues; i++) {
        kind->make(&stage.queues[i]);
    }
    worker_meet();
    for (unsigned i = 0; kind->join != NULL && i < queues; i++) {
        kind->join(&stage.queues[i]);
    }
    worker_meet();
    run_part(worker, MESSAGES_FIRST, warm_up);
    worker_meet();
    if (worker == 0 && stage.bout->from_sleep) {
        worker_await_sleep(1);
    }
    worker_clock_starts();
    worker_report()->sum = run_part(worker, MESSAGES_FIRST + warm_up, messages);
    worker_clock_stops();
    worker_meet();
    for (unsigned i = 0; worker == 0 && kind->drop != NULL && i < queues; i++) {
        kind->drop(&stage.queues[i]);
    }
}

/* Of what the receivers of the timed part must have got, all together. */
static long expected_sum(void)
{
    const struct shape_rule *rule = stage_rule();
    long messages = stage.messages[stage.side];
    long first = MESSAGES_FIRST + messages / WARM_UP_PART;
    long sum = messages * first + messages * (messages - 1) / 2;
    long all = 0;

    if (stage.bout->shape != SHAPE_CROWD) {
        return stage.bout->shape == SHAPE_TRIP ? rule->workers * sum : sum;
    }
    for (unsigned i = 0; i < SENDERS_MAX; i++) {
        all += sum * SENDERS_MAX + messages * (long)i;
    }
    return all;
}

/* The us from the first beginning to the last end; of a round trip, those of the first worker.
 */
static double spent_us(unsigned workers)
{
    unsigned clocks = stage.bout->shape == SHAPE_TRIP ? 1 : workers;
    uint64_t begun_ns = UINT64_MAX;
    uint64_t ended_ns = 0;

    for (unsigned i = 0; i < clocks; i++) {
        const struct report *report = rig_report(i);

        begun_ns = report->begun_ns < begun_ns ? report->begun_ns : begun_ns;
        ended_ns = report->ended_ns > ended_ns ? report->ended_ns : ended_ns;
    }
    return (double)(ended_ns - begun_ns) / 1e3;
}

/* Returns the us it took, after a check of the sum. */
static double run_once(void)
{
    const struct shape_rule *rule = stage_rule();
    const struct kind *kind = stage.kinds[stage.side];
    long sum = 0;

    kind_open(kind, stage.queues, rule->queues, stage.bout->count);
    stage.capacities[stage.side] = stage.queues[0].capacity;
    rig_run(rule->workers, stage.bout->place, work, NULL);
    kind_close(kind, stage.queues, rule->queues);
    for (unsigned i = 0; i < rule->workers; i++) {
        sum += rig_report(i)->sum;
    }
    if (sum != expected_sum()) {
        broken("%s through %s: the messages add up to %ld instead of %ld", stage.bout->name,
               kind->name, sum, expected_sum());
    }
    return spent_us(rule->workers);
}

static double run_side(void *unused, unsigned side)
{
    const struct shape_rule *rule = stage_rule();
    double messages = (double)stage.messages[side];
    unsigned senders = rule->workers / 2;
    double us;

    (void)unused;
    stage.side = side;
    us = run_once();
    if (rule->is_rate) {
        return messages * senders / us * rule->scale;
    }
    return us / messages * rule->scale;
}

/* As many messages as take SAMPLE_MS. */
static void find_messages(unsigned side)
{
    long *messages = &stage.messages[side];
    double us = 0;

    stage.side = side;
    for (*messages = SAMPLE_FEWEST; *messages < SAMPLE_MOST; *messages *= 4) {
        us = run_once();
        if (us > SAMPLE_MS * 1e3 / 4) {
            break;
        }
    }
    *messages = (long)((double)*messages * SAMPLE_MS * 1e3 / us);
    if (*messages < SAMPLE_FEWEST) {
        *messages = SAMPLE_FEWEST;
    }
}

static void name_row(char *name, size_t size, const struct bout *bout, const struct kind *rival)
{
    snprintf(name, size, "%s: %s", bout->name, rival->name);
}

static void print_row(const struct contest *contest, unsigned side, double limit)
{
    const struct shape_rule *rule = stage_rule();
    const struct kind *rival = stage.kinds[side];
    char name[128];
    char note[256];
    size_t length;
    struct row row = {
        .placement = placement_words(stage.bout->place),
        .name = name,
        .unit = rule->unit,
        .left_name = stage.kinds[0]->name,
        .right_name = rival->name,
        .limit = limit,
        .at_least = rule->is_rate || rule->is_times_faster,
        .note = note,
    };

    name_row(name, sizeof(name), stage.bout, rival);
    length = (size_t)snprintf(note, sizeof(note), "%s", canaries_text(&stage.canaries));
    if (rival != &futex_kind && stage.capacities[side] != stage.bout->count) {
        snprintf(note + length, sizeof(note) - length, "%s%s holds %u", length > 0 ? "; " : "",
                 rival->name, stage.capacities[side]);
    }
    if (rule->is_times_faster) {
        contest_compare(contest, side, 0, &row);
        row.left = row.right;
        row.right = row.left * row.ratio;
    } else {
        contest_compare(contest, 0, side, &row);
    }
    row_print(&row);
}

/* The sides whose rows are wanted, after the ports. */
static unsigned choose_sides(const struct config *config, const struct bout *bout,
                             double limits[SIDES_MAX])
{
    unsigned sides = 1;

    stage = (struct stage){.bout = bout, .kinds = {bout->ours}};
    for (unsigned i = 0; i < RIVALS_MAX && bout->rivals[i].kind != NULL; i++) {
        char name[128];

        name_row(name, sizeof(name), bout, bout->rivals[i].kind);
        if (config_selects(config, name)) {
            stage.kinds[sides] = bout->rivals[i].kind;
            limits[sides++] = bout->rivals[i].limit;
        }
    }
    return sides;
}

static void run_bout(const struct config *config, unsigned sides, const double *limits)
{
    struct contest contest = {.sides = sides};

    for (unsigned i = 0; i < sides; i++) {
        find_messages(i);
    }
    rig_contest(&contest, run_side, NULL, config->rounds, &stage.canaries);
    for (unsigned i = 1; i < sides; i++) {
        print_row(&contest, i, limits[i]);
    }
    contest_deinit(&contest);
}

void measure_flow(const struct config *config)
{
    bool headed = false;

    for (size_t i = 0; i < COUNT_OF(bouts); i++) {
        double limits[SIDES_MAX];
        unsigned sides = choose_sides(config, &bouts[i], limits);

        if (sides == 1 || !rig_offers(bouts[i].place, bouts[i].name)) {
            continue;
        }
        if (!headed) {
            row_head("ports", "rival");
            headed = true;
        }
        run_bout(config, sides, limits);
    }
}
