/* Kills at every system call of the calls that make, name, find and end ports. */

#include "kill_names.h"

#include "kill_helper.h"
#include "kill_report.h"
#include "kill_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ports.h>

enum naming_call {
    NAMING_CREATE,
    NAMING_BIND,
    NAMING_FIND,
    NAMING_NAMED,
    NAMING_DELETE,
};

struct naming {
    const char *title;
    enum naming_call call;
    bool named;   /* the port that is there has the name already */
    int error_ok; /* an errno the call may fail with when others act before it goes on */
};

static const struct naming namings[] = {
    {"pcreate", NAMING_CREATE, false, 0},
    {"pbind", NAMING_BIND, false, EEXIST},
    {"pgetport", NAMING_FIND, true, 0},
    {"pcreate_named, a new name", NAMING_NAMED, false, 0},
    {"pcreate_named, a name that is there", NAMING_NAMED, true, 0},
    {"pdelete of a port without a name", NAMING_DELETE, false, 0},
    {"pdelete of a port with a name", NAMING_DELETE, true, 0},
};

static const char name[] = "/a name", other_name[] = "another", third_name[] = "";

/* One time that a call is played. */
struct attempt {
    const struct naming *naming;
    struct victim victim;
    const char *fault;
    int id;
};

static struct helper sender, receiver;
static struct attempt attempt;

static bool fail(const char *fault)
{
    if (!attempt.fault)
        attempt.fault = fault;
    return false;
}

/* ------------------------------------------------------------ the victim -- */

static void prepare(void *context)
{
    (void)context;
}

static void call(void *context)
{
    const struct attempt *own = context;
    struct victim_page *page = own->victim.page;
    long result = -1;
    switch (own->naming->call) {
    case NAMING_CREATE:
        result = pcreate(3);
        break;
    case NAMING_BIND:
        result = pbind(own->id, name);
        break;
    case NAMING_FIND:
        result = pgetport(name);
        break;
    case NAMING_NAMED:
        result = pcreate_named(3, name, 0, 0600);
        break;
    case NAMING_DELETE:
        result = pdelete(own->id, NULL);
        break;
    }
    page->error = errno;
    page->result = result;
}

static bool help(void *context)
{
    (void)context;
    return false; /* none of these calls sleeps */
}

/* --------------------------------------------------------- the survivors -- */

/* A call of a survivor that works, or fails with `error`: its result, or -1; -2: neither. */
static long ask(struct helper *helper, struct order order, int error, const char *fault)
{
    struct answer answer;
    if (helper_do(helper, order, &answer) &&
        (answer.result >= 0 || (error != 0 && answer.error == error)))
        return answer.result;
    fail(fault);
    return -2;
}

static long find(void)
{
    return ask(&receiver, (struct order){.deed = DO_FIND, .name = name}, ENOENT,
               "pgetport() hangs or fails");
}

static long create(struct helper *helper)
{
    return ask(helper, (struct order){.deed = DO_CREATE, .msg = 3}, 0,
               "pcreate() hangs or fails");
}

static long bind_to(struct helper *helper, long id, const char *to, int error)
{
    return ask(helper, (struct order){.deed = DO_BIND, .id = (int)id, .name = to}, error,
               "pbind() hangs or fails");
}

/* The name is free, or a living port's; and others can do with names as before. */
static bool check_names(void)
{
    long bound = find();
    if (bound > 0 && ask(&receiver, (struct order){.deed = DO_COUNT, .id = (int)bound}, 0,
                         "the name is a dead port's") < 0)
        return false;
    if (attempt.naming->call == NAMING_BIND) {
        bool has_name = bound == attempt.id;
        if (bind_to(&receiver, attempt.id, other_name, EISCONN) != (has_name ? -1 : 0))
            return fail("a port has a name and has none");
    }
    long id = create(&sender);
    if (id <= 0 || bind_to(&sender, id, name, EEXIST) != (bound > 0 ? -1 : 0))
        return fail("a name is free and is not");
    struct order again = {.deed = DO_NAMED_NEW, .msg = 3, .name = name};
    if (ask(&sender, again, EEXIST, "pcreate_named() hangs or fails") != -1)
        return fail("two ports have one name");
    again.deed = DO_NAMED;
    if (ask(&receiver, again, 0, "pcreate_named() hangs or fails") != (bound > 0 ? bound : id))
        return fail("pcreate_named() gives another port than pgetport()");
    again = (struct order){.deed = DO_NAMED_NEW, .msg = 3, .name = third_name};
    return ask(&receiver, again, 0, "pcreate_named() hangs or fails") > 0;
}

/* All ports are deleted: nothing is left. */
static bool check_nothing_left(void)
{
    char first[32];
    if (ask(&receiver, (struct order){.deed = DO_CLEAR}, 0, "pnext() or pdelete() hangs") < 0)
        return false;
    if (find() != -1)
        return fail("a name is left");
    if (ask(&sender, (struct order){.deed = DO_COUNT, .id = attempt.id}, EINVAL,
            "pgetcount() hangs") != -1)
        return fail("a deleted port lives");
    return report_files(first) == 0 ? true : fail("a file is left");
}

/* What must go on while somebody is stopped, whatever he is at. */
static bool go_on_meanwhile(void)
{
    struct order send = {.deed = DO_SEND, .msg = 7}, receive = {.deed = DO_RECEIVE};
    send.id = receive.id = (int)create(&receiver);
    return send.id > 0 && find() >= -1 && ask(&receiver, send, 0, "psend() hangs") == 0 &&
           ask(&receiver, receive, 0, "preceive() hangs") == 0;
}

/* -------------------------------------------------------------- attempts -- */

static bool begin(const struct naming *naming, struct victim_page *page)
{
    attempt = (struct attempt){
        .naming = naming,
        .victim = {.kind = TRACE_SYSCALLS, .page = page, .help = help, .context = &attempt}};
    attempt.id = (int)create(&sender);
    if (attempt.id <= 0 || (naming->named && bind_to(&sender, attempt.id, name, 0) != 0))
        return false;
    return trace_start(&attempt.victim, prepare, call) ? true : fail("no victim");
}

static bool result_is_right(void)
{
    const struct victim_page *page = attempt.victim.page;
    bool failed = page->returned && page->result < 0;
    return !failed || page->error == attempt.naming->error_ok ? true : fail("the call failed");
}

static bool finish_stopped(void)
{
    struct answer answer;
    if (!go_on_meanwhile())
        return false;
    helper_order(&sender, (struct order){.deed = DO_NAMED, .msg = 3, .name = name});
    if (!trace_finish(&attempt.victim))
        return fail("the victim does not go on");
    if (!helper_answer(&sender, &answer, PATIENCE_MS) || answer.result <= 0)
        return fail("pcreate_named() hangs or fails");
    return true;
}

static bool play_to_point(const struct naming *naming, struct victim_page *page,
                          const struct track *track, size_t point, bool killed)
{
    if (!begin(naming, page))
        return false;
    if (!trace_go(&attempt.victim, track, point))
        return fail("the victim sleeps for good");
    if (killed) {
        trace_kill(&attempt.victim);
    } else {
        if (!trace_stop(&attempt.victim))
            return fail("the victim does not stop");
        if (!finish_stopped())
            return false;
    }
    return result_is_right() && check_names() && check_nothing_left();
}

static void start_helpers(void)
{
    helper_start(&sender, "sender");
    helper_start(&receiver, "receiver");
}

static void end_helpers(void)
{
    helper_end(&sender);
    helper_end(&receiver);
}

static void clean_up(void)
{
    struct answer answer;
    trace_kill(&attempt.victim);
    end_helpers();
    start_helpers();
    helper_do(&sender, (struct order){.deed = DO_CLEAR}, &answer);
}

static bool play_points(const struct naming *naming, struct victim_page *page,
                        const struct track *track, bool killed)
{
    int faults = 0;
    const char *verb = killed ? "killed" : "stopped";
    for (size_t at = 0; at < track->size && faults < 3; ++at) {
        if (play_to_point(naming, page, track, at, killed))
            continue;
        report_note("%s at point %zu (place 0x%lx): %s", verb, at, track->places[at].at,
                    attempt.fault);
        faults += 1;
        clean_up();
    }
    report_case(faults == 0, "%s: %s at the entries and exits of system calls, %zu points",
                naming->title, verb, track->size);
    return faults == 0;
}

static bool play(const struct naming *naming, struct victim_page *page, struct track *track)
{
    bool begun = begin(naming, page) && trace_record(&attempt.victim, track);
    trace_kill(&attempt.victim);
    if (!begun || !result_is_right() || !check_names() || !check_nothing_left()) {
        report_case(false, "%s: %s", naming->title, attempt.fault);
        clean_up();
        return false;
    }
    bool killed = play_points(naming, page, track, true);
    return play_points(naming, page, track, false) && killed;
}

void names_play_all(bool first_only)
{
    struct track track = {calloc(TRACK_MAX, sizeof *track.places), 0};
    struct victim_page *page =
        mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!track.places || page == MAP_FAILED) {
        report_case(false, "no memory");
        return;
    }
    start_helpers();
    for (size_t i = 0; i < sizeof namings / sizeof *namings; ++i)
        if (!play(&namings[i], page, &track) && first_only)
            break;
    end_helpers();
    munmap(page, sizeof *page);
    free(track.places);
}
