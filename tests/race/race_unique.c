/*
 * Clients who ask for the only port of one name at the same time.
 *
 * All meet before they ask, and after they were answered; then what they heard
 * is compared, and the one who got the port releases it.
 */

#include "race.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CLIENTS_MAX = 2000 };

struct race {
    pthread_barrier_t barrier;
    unsigned clients;
    unsigned rounds;
    unsigned good; /* rounds in which one won and the others learnt its port */
    struct {
        unsigned port;
        bool won;
    } heard[CLIENTS_MAX];
};

static void ask(struct race *race, struct pa_call *call, unsigned index)
{
    struct pa_keys keys = PA_KEYS_INIT;
    struct pa_call_grant grant;
    struct pa_failure why;
    keys.unique = 1;
    if (pa_call_allocate_keys(call, "only", &keys, RACE_TIMEOUT_MS, &grant, &why) != 0)
        race_die_of("allocate", &why);
    if (strcmp(grant.name, "only") != 0)
        race_die("the name");
    race->heard[index].port = grant.port;
    race->heard[index].won = !grant.joined;
    pa_call_grant_deinit(&grant);
}

static bool is_good(const struct race *race)
{
    unsigned winners = 0;
    for (unsigned i = 0; i < race->clients; ++i) {
        winners += race->heard[i].won;
        if (race->heard[i].port != race->heard[0].port)
            return false;
    }
    return winners == 1;
}

static int be_a_client(unsigned index, void *context)
{
    struct race *race = context;
    struct pa_call *call = race_client();
    struct pa_failure why;
    for (unsigned round = 0; round < race->rounds; ++round) {
        pthread_barrier_wait(&race->barrier);
        ask(race, call, index);
        pthread_barrier_wait(&race->barrier);
        if (index == 0)
            race->good += is_good(race);
        if (race->heard[index].won && pa_call_release(call, (uint16_t)race->heard[index].port,
                                                      RACE_TIMEOUT_MS, &why) != 0)
            race_die_of("release", &why);
    }
    pa_call_free(call);
    return 0;
}

int race_unique(int count, char **words)
{
    pthread_barrierattr_t shared;
    struct race *race = race_share(sizeof *race);
    if (count != 2 || race_number(words[0]) > CLIENTS_MAX)
        return RACE_USAGE;
    race->clients = race_number(words[0]);
    race->rounds = race_number(words[1]);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&race->barrier, &shared, race->clients);
    int r = race_swarm(race->clients, be_a_client, race);
    printf("%u of %u rounds had one winner whom all others knew\n", race->good, race->rounds);
    return r;
}
