/*
 * Kills and stops processes at every system call of the calls of Ports IPC that
 * deal with names, and at every instruction of the others.
 *
 * Usage: kill-step ?-points N? ?-others N? ?-awake? ?-first? ?-skip REASON?
 *   -points  how many instructions of the library's code are taken at most in each call (all:
 * 0) -others  the same for points in libc and in repetitions -awake   the library under test
 * lets nobody look now and then: only those who act wake others -first   the first failure ends
 * it all -skip    nothing runs, for this reason
 *
 * The output is TAP.
 */

#include "kill_names.h"
#include "kill_report.h"
#include "kill_scene.h"
#include "kill_trace.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POINTS = 40,
    OTHERS = 8,
};

/* All on one core: what these processes do, they do one after the other. */
static void share_one_core(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv)
{
    struct scene_plan plan = {.primes_max = POINTS, .others_max = OTHERS};
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "-points") == 0 && i + 1 < argc) {
            plan.primes_max = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-others") == 0 && i + 1 < argc) {
            plan.others_max = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-awake") == 0) {
            plan.without_naps = true;
        } else if (strcmp(argv[i], "-first") == 0) {
            plan.first_only = true;
        } else if (strcmp(argv[i], "-skip") == 0 && i + 1 < argc) {
            report_skip("killed at every instruction", argv[++i]);
            return 0;
        } else {
            fprintf(stderr,
                    "usage: %s ?-points N? ?-others N? ?-awake? ?-first? ?-skip REASON?\n",
                    argv[0]);
            return 100;
        }
    }
    report_begin();
    share_one_core();
    setenv("PORTS_SPIN", "0", 1);
    trace_begin();
    names_play_all(plan.first_only);
    scene_play_all(&plan);
    return report_end();
}
