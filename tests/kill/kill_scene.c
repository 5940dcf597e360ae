/* Scenes: a call of which every instruction is the one that its process is killed at. */

#include "kill_scene.h"

#include "kill_report.h"
#include "kill_run.h"
#include "kill_trace.h"

#include <stdlib.h>
#include <sys/mman.h>

enum {
    ALONE_MAX = 2,  /* points at which nobody comes to the rescue: each takes a nap */
    FAULTS_MAX = 3, /* of a scene, before it is left */
};

static const struct scene scenes[] = {
    {"psend, a receiver asleep", CALL_SEND, 1, 0, 1, 0, RESCUE_BLOCKING, 0},
    {"psend, a receiver asleep, survivors try", CALL_SEND, 1, 0, 1, 0, RESCUE_TRYING, 0},
    {"psend, two receivers asleep", CALL_SEND, 3, 0, 2, 0, RESCUE_BLOCKING, 0},
    {"psend, the last place", CALL_SEND, 3, 2, 0, 0, RESCUE_BLOCKING, 0},
    {"psend, full: blocks", CALL_SEND, 1, 1, 0, 0, RESCUE_BLOCKING, 0},
    {"psend, full: spins and blocks", CALL_SEND, 2, 2, 0, 0, RESCUE_BLOCKING, SCENE_SPINS},
    {"psend, full, another sender asleep", CALL_SEND, 1, 1, 0, 1, RESCUE_BLOCKING, 0},
    {"psend, its first use of the port", CALL_SEND, 3, 0, 1, 0, RESCUE_BLOCKING, SCENE_COLD},
    {"psend, a receiver asleep, nobody else", CALL_SEND, 1, 0, 1, 0, RESCUE_NONE, 0},
    {"preceive, a sender asleep", CALL_RECEIVE, 1, 1, 0, 1, RESCUE_BLOCKING, 0},
    {"preceive, a sender asleep, survivors try", CALL_RECEIVE, 1, 1, 0, 1, RESCUE_TRYING, 0},
    {"preceive, two senders asleep", CALL_RECEIVE, 3, 3, 0, 2, RESCUE_BLOCKING, 0},
    {"preceive, messages wait", CALL_RECEIVE, 3, 2, 0, 0, RESCUE_BLOCKING, 0},
    {"preceive, empty: blocks", CALL_RECEIVE, 1, 0, 0, 0, RESCUE_BLOCKING, 0},
    {"preceive, empty: spins and blocks", CALL_RECEIVE, 2, 0, 0, 0, RESCUE_BLOCKING,
     SCENE_SPINS},
    {"preceive, another receiver asleep", CALL_RECEIVE, 3, 0, 1, 0, RESCUE_BLOCKING, 0},
    {"preceive, its first use", CALL_RECEIVE, 3, 3, 0, 1, RESCUE_BLOCKING, SCENE_COLD},
    {"ptrysend, somebody polls", CALL_TRYSEND, 3, 0, 0, 0, RESCUE_BLOCKING, SCENE_WATCHED},
    {"ptrysend, the last place, somebody polls", CALL_TRYSEND, 1, 0, 0, 0, RESCUE_TRYING,
     SCENE_WATCHED},
    {"psend, the last place, somebody polls", CALL_SEND, 1, 0, 0, 0, RESCUE_BLOCKING,
     SCENE_WATCHED},
    {"ptrysend, full", CALL_TRYSEND, 2, 2, 0, 0, RESCUE_BLOCKING, 0},
    {"ptryreceive, somebody polls", CALL_TRYRECEIVE, 3, 0, 0, 0, RESCUE_BLOCKING,
     SCENE_WATCHED},
    {"ptryreceive, the victim polls too", CALL_TRYRECEIVE, 3, 0, 0, 0, RESCUE_BLOCKING,
     SCENE_WATCHED | SCENE_OWN_BELL},
    {"preset, messages wait", CALL_RESET, 4, 3, 0, 0, RESCUE_TRYING, 0},
    {"preset, two senders asleep", CALL_RESET, 3, 3, 0, 2, RESCUE_TRYING, 0},
    {"preset, two receivers asleep", CALL_RESET, 3, 0, 2, 0, RESCUE_TRYING, 0},
    {"pdelete, messages wait", CALL_DELETE, 4, 3, 0, 0, RESCUE_TRYING, 0},
    {"pdelete, two senders asleep", CALL_DELETE, 3, 3, 0, 2, RESCUE_TRYING, 0},
    {"pdelete, two receivers asleep", CALL_DELETE, 3, 0, 2, 0, RESCUE_TRYING, 0},
    {"pdelete, somebody polls", CALL_DELETE, 3, 0, 0, 0, RESCUE_TRYING, SCENE_WATCHED},
};

static size_t points_played;

static bool play_to_the_end(const struct scene *scene, struct victim_page *page,
                            struct track *track)
{
    if (!run_begin(scene, page))
        return false;
    if (!trace_record(&run.victim, track))
        return run_fail("the call does not end");
    run.killed = true;
    trace_kill(&run.victim);
    return run_finish();
}

static bool play_to_point(const struct scene *scene, struct victim_page *page,
                          const struct track *track, size_t point, bool killed)
{
    if (!run_begin(scene, page))
        return false;
    run.killed = killed;
    if (!trace_go(&run.victim, track, point))
        return run_fail("the victim sleeps for good");
    if (killed)
        trace_kill(&run.victim);
    else if (!trace_stop(&run.victim))
        return run_fail("the victim does not stop");
    return run_finish();
}

/* Which points of a track are taken. */
struct choice {
    size_t stride[2]; /* of the others, of the primes */
    size_t seen[2];
};

static size_t stride_of(size_t points, size_t most, bool halfway, size_t *seen)
{
    size_t stride = most > 0 && points > most ? (points + most - 1) / most : 1;
    *seen = halfway ? stride / 2 : 0;
    return stride;
}

static struct choice choose(const struct track *track, const struct scene_plan *plan,
                            bool killed)
{
    struct choice choice;
    size_t primes = 0;
    for (size_t at = 0; at < track->size; ++at)
        primes += track->places[at].prime;
    choice.stride[0] =
        stride_of(track->size - primes, plan->others_max, !killed, &choice.seen[0]);
    choice.stride[1] = stride_of(primes, plan->primes_max, !killed, &choice.seen[1]);
    return choice;
}

static bool is_chosen(struct choice *choice, const struct place *place)
{
    return place->asleep || choice->seen[place->prime]++ % choice->stride[place->prime] == 0;
}

/* Kills or stops at points of the track. */
static bool play_points(const struct scene *scene, struct victim_page *page,
                        const struct track *track, const struct scene_plan *plan, bool killed)
{
    struct choice choice = choose(track, plan, killed);
    size_t points = 0;
    int faults = 0, alone = 0;
    int faults_max = plan->first_only ? 1 : FAULTS_MAX;
    long began = report_ms();
    const char *verb = killed ? "killed" : "stopped";
    for (size_t at = 0; at < track->size && faults < faults_max && alone < ALONE_MAX; ++at) {
        if (!is_chosen(&choice, &track->places[at]))
            continue;
        points += 1;
        if (!play_to_point(scene, page, track, at, killed)) {
            report_note("%s at point %zu (place 0x%lx%s): %s", verb, at, track->places[at].at,
                        track->places[at].asleep ? ", asleep" : "", run.fault);
            faults += 1;
            run_clean_up();
        }
        alone += run.alone;
    }
    report_case(faults == 0, "%s: %s at %zu of %zu points in %ld ms", scene->title, verb,
                points, track->size, report_ms() - began);
    points_played += points;
    return faults == 0;
}

static bool play(const struct scene *scene, struct victim_page *page, struct track *track,
                 const struct scene_plan *plan)
{
    if (!play_to_the_end(scene, page, track)) {
        report_case(false, "%s: %s", scene->title, run.fault);
        run_clean_up();
        return false;
    }
    bool lives = play_points(scene, page, track, plan, true);
    if (!lives && plan->first_only)
        return false;
    return play_points(scene, page, track, plan, false) && lives;
}

void scene_play_all(const struct scene_plan *plan)
{
    struct track track = {calloc(TRACK_MAX, sizeof *track.places), 0};
    struct victim_page *page =
        mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!track.places || page == MAP_FAILED) {
        report_case(false, "no memory");
        return;
    }
    run_start_helpers();
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) {
        if (scenes[i].rescue == RESCUE_NONE && plan->without_naps)
            continue;
        if (!play(&scenes[i], page, &track, plan) && plan->first_only)
            break;
    }
    report_note("%zu points", points_played);
    run_end_helpers();
    munmap(page, sizeof *page);
    free(track.places);
}
