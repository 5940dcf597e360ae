/* One time that a scene is played. */

#include "kill_run.h"

#include "kill_helper.h"
#include "kill_report.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ports.h>

enum {
    BLOCKED_MAX = 2, /* of a side */
};

/* Whose message it is, in the ledger; and the streams. */
enum party {
    PARTY_FIRST, /* what is in the port at the beginning */
    PARTY_VICTIM,
    PARTY_SENDER,
    PARTY_RECEIVER,
    PARTY_FILL, /* from here on those who find out how much there is room for */
    PARTY_BLOCKED = PARTY_FILL + 2,
};

/* The survivors, for all runs. */
static struct helper sender, receiver, watcher, blocked[BLOCKED_MAX];
struct run run;

static bool has(const struct scene *scene, enum scene_flag flag)
{
    return scene->flags & flag;
}

bool run_fail(const char *fault)
{
    if (!run.fault)
        run.fault = fault;
    return false;
}

/* ------------------------------------------------------------ the victim -- */

static void prepare(void *context)
{
    const struct run *own = context;
    setenv("PORTS_SPIN", has(own->scene, SCENE_SPINS) ? "1" : "0", 1);
    if (!has(own->scene, SCENE_COLD))
        pgetcount(own->id);
    if (has(own->scene, SCENE_OWN_BELL))
        pgetfd(own->id);
}

static int dispose(long msg)
{
    struct victim_page *page = run.victim.page;
    page->msgs[page->disposed] = msg;
    page->disposed += 1;
    return 0;
}

static void call(void *context)
{
    const struct run *own = context;
    struct victim_page *page = own->victim.page;
    long message = ledger_next(&own->ledger, PARTY_VICTIM), got = -1;
    long result = -1;
    switch (own->scene->call) {
    case CALL_SEND:
        result = psend(own->id, message);
        break;
    case CALL_RECEIVE:
        result = preceive_r(own->id, &got);
        break;
    case CALL_TRYSEND:
        result = ptrysend(own->id, message);
        break;
    case CALL_TRYRECEIVE:
        result = ptryreceive(own->id, &got);
        break;
    case CALL_RESET:
        result = preset(own->id, dispose);
        break;
    case CALL_DELETE:
        result = pdelete(own->id, dispose);
        break;
    }
    page->error = errno;
    page->msg = got;
    page->result = result;
}

/* --------------------------------------------------------- the survivors -- */

static bool ends_ports(void)
{
    return run.scene->call == CALL_DELETE;
}

static bool disturbs(void)
{
    return run.scene->call == CALL_DELETE || run.scene->call == CALL_RESET;
}

/* Writes down what came of an order to send or to receive. */
static void note(const struct answer *answer, enum party party, bool sends)
{
    if (answer->result == 0 && sends)
        ledger_sent(&run.ledger, (int)party);
    for (int i = 0; i < answer->n && i < HELPER_MESSAGES; ++i)
        ledger_got(&run.ledger, (int)party, answer->msgs[i]);
    if (answer->result >= 0 || answer->error == EAGAIN)
        return;
    bool told = answer->error == ECANCELED || answer->error == EIDRM || answer->error == EINVAL;
    if (!told || !disturbs())
        run_fail("a survivor's call failed");
    if (answer->error != ECANCELED && told)
        run.dead = true;
    if (run.dead && !ends_ports())
        run_fail("a port that nobody deleted is dead");
}

/* One call of a survivor, noted. */
static bool act(struct helper *helper, enum deed deed, enum party party)
{
    struct answer answer;
    bool sends = deed == DO_SEND || deed == DO_TRYSEND;
    struct order order = {.deed = deed, .id = run.id};
    if (sends)
        order.msg = ledger_next(&run.ledger, (int)party);
    if (!helper_do(helper, order, &answer))
        return run_fail(sends ? "a surviving sender hangs" : "a surviving receiver hangs");
    note(&answer, party, sends);
    return true;
}

/* Somebody is asleep who would send or receive. */
static bool help(bool sends)
{
    return sends ? act(&receiver, DO_RECEIVE, PARTY_RECEIVER)
                 : act(&sender, DO_SEND, PARTY_SENDER);
}

static bool help_victim(void *context)
{
    (void)context;
    return help(run.scene->call == CALL_SEND);
}

static int blocked_count(void)
{
    return run.scene->senders + run.scene->receivers;
}

/* The answer of a blocked process, if it comes in time. */
static bool fetch_blocked(int i, int ms)
{
    struct answer answer;
    if (!blocked[i].busy)
        return true;
    if (!helper_answer(&blocked[i], &answer, ms))
        return false;
    note(&answer, (enum party)(PARTY_BLOCKED + i), run.scene->senders > 0);
    return true;
}

static int still_blocked(void)
{
    int n = 0;
    for (int i = 0; i < blocked_count(); ++i)
        n += !fetch_blocked(i, 0);
    return n;
}

static bool await_blocked(void)
{
    for (int i = 0; i < blocked_count(); ++i)
        if (!fetch_blocked(i, PATIENCE_MS))
            return run_fail("who was blocked is blocked for good");
    return true;
}

static bool rescue_blocking(void)
{
    for (int n = still_blocked(); n > 0; --n)
        if (!help(run.scene->senders > 0))
            return false;
    return await_blocked();
}

static bool rescue_trying(void)
{
    long until = report_ms() + PATIENCE_MS;
    while (still_blocked() > 0) {
        if (report_ms() > until)
            return run_fail("who was blocked is blocked for good");
        bool r = run.scene->senders > 0 ? act(&receiver, DO_TRYRECEIVE, PARTY_RECEIVER)
                                        : act(&sender, DO_TRYSEND, PARTY_SENDER);
        if (!r)
            return false;
        sched_yield();
    }
    return true;
}

/* A message that was sent while its sender died is found by who sleeps; only then is it helped.
 */
static bool rescue_none(void)
{
    struct answer answer;
    if (!helper_do(&sender, (struct order){.deed = DO_LOOK, .id = run.id}, &answer))
        return run_fail("pstat() hangs");
    if (answer.result > 0 && still_blocked() > 0) {
        run.alone += 1;
        if (!await_blocked())
            return false;
    }
    return rescue_blocking();
}

static bool rescue(void)
{
    switch (run.scene->rescue) {
    case RESCUE_BLOCKING:
        return rescue_blocking();
    case RESCUE_TRYING:
        return rescue_trying();
    case RESCUE_NONE:
        return rescue_none();
    }
    return false;
}

/* A message comes, and who polls gets one; or the port is dead, which ends the polling. */
static bool rescue_watcher(void)
{
    struct answer answer;
    if (!watcher.busy)
        return true;
    bool blocks = run.scene->rescue == RESCUE_BLOCKING;
    if (!act(&sender, blocks ? DO_SEND : DO_TRYSEND, PARTY_SENDER))
        return false;
    if (!helper_answer(&watcher, &answer, PATIENCE_MS))
        return run_fail("who polls is not told");
    note(&answer, PARTY_RECEIVER, false);
    return true;
}

/* ---------------------------------------------------------------- checks -- */

static bool count_is(int expected)
{
    struct answer answer;
    if (!helper_do(&sender, (struct order){.deed = DO_COUNT, .id = run.id}, &answer))
        return run_fail("pgetcount() hangs");
    if (run.dead || (answer.result < 0 && answer.error == EINVAL && ends_ports()))
        return run.dead = true;
    return answer.result == expected ? true : run_fail("pgetcount() is wrong");
}

/* Empties the port, fills it with exactly as many as fit, and empties it again. */
static bool check_capacity(enum party party)
{
    struct answer answer;
    if (!act(&receiver, DO_DRAIN, PARTY_RECEIVER) || !count_is(0))
        return false;
    if (run.dead)
        return true;
    long first = ledger_next(&run.ledger, (int)party);
    struct order order = {.deed = DO_FILL, .id = run.id, .msg = first};
    if (!helper_do(&sender, order, &answer))
        return run_fail("ptrysend() hangs");
    if (answer.result != run.scene->count)
        return run_fail("the capacity is not the count");
    for (int i = 0; i < run.scene->count; ++i)
        ledger_sent(&run.ledger, (int)party);
    return count_is(run.scene->count) && act(&receiver, DO_DRAIN, PARTY_RECEIVER) &&
           count_is(0);
}

/* Deletes the port, which everybody learns, and looks for files. */
static bool check_deletion(void)
{
    struct answer answer;
    if (!helper_do(&sender, (struct order){.deed = DO_DELETE, .id = run.id}, &answer))
        return run_fail("pdelete() hangs");
    if (answer.result < 0 && !(ends_ports() && answer.error == EINVAL))
        return run_fail("the port cannot be deleted");
    for (int i = 0; i < answer.n && i < HELPER_MESSAGES; ++i)
        ledger_got(&run.ledger, PARTY_FILL + 1, answer.msgs[i]);
    struct helper *all[] = {&sender, &receiver, &watcher, &blocked[0], &blocked[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        if (!helper_do(all[i], (struct order){.deed = DO_COUNT, .id = run.id}, &answer) ||
            answer.result != -1 || answer.error != EINVAL)
            return run_fail("a deleted port lives");
    if (ends_ports() && !helper_do(&sender, (struct order){.deed = DO_CLEAR}, &answer))
        return run_fail("pnext() hangs");
    char first[32];
    return report_files(first) == 0 ? true : run_fail("a deleted port has left a file");
}

/* What the victim did, as far as it got. */
static void note_victim(void)
{
    const struct victim_page *page = run.victim.page;
    bool sends = run.scene->call == CALL_SEND || run.scene->call == CALL_TRYSEND;
    bool works = page->returned && page->result == 0;
    if (sends && works)
        ledger_sent(&run.ledger, PARTY_VICTIM);
    else if (sends && !page->returned)
        run.ledger.maybe[PARTY_VICTIM] = 1;
    else if (works && !disturbs())
        ledger_got(&run.ledger, PARTY_VICTIM, page->msg);
    for (int i = 0; i < page->disposed; ++i)
        ledger_got(&run.ledger, PARTY_VICTIM, page->msgs[i]);
    if (page->returned && page->result < 0 && page->error != EAGAIN)
        run_fail("the victim's call failed");
}

/* How many messages the victim may have taken with it. */
static int lost_max(void)
{
    bool took = run.scene->call != CALL_SEND && run.scene->call != CALL_TRYSEND;
    if (run.victim.page->returned || !took)
        return 0;
    /* One who dies while it deletes a port takes along what is left in it. */
    return ends_ports() && run.dead ? run.scene->count : 1;
}

/* ------------------------------------------------------------------ runs -- */

static bool begin_blocked(int i, bool sends)
{
    struct order order = {.deed = sends ? DO_SEND : DO_RECEIVE, .id = run.id};
    order.msg = ledger_next(&run.ledger, PARTY_BLOCKED + i);
    helper_order(&blocked[i], order);
    return helper_await_asleep(&blocked[i]) ? true : run_fail("nobody sleeps at the beginning");
}

bool run_begin(const struct scene *scene, struct victim_page *page)
{
    struct answer answer;
    run = (struct run){
        .scene = scene,
        .victim = {
            .kind = TRACE_INSTRUCTIONS, .page = page, .help = help_victim, .context = &run}};
    if (!helper_do(&sender, (struct order){.deed = DO_CREATE, .msg = scene->count}, &answer) ||
        answer.result <= 0)
        return run_fail("pcreate() failed");
    run.id = (int)answer.result;
    for (int i = 0; i < scene->filled; ++i)
        if (!act(&sender, DO_SEND, PARTY_FIRST))
            return false;
    for (int i = 0; i < blocked_count(); ++i)
        if (!begin_blocked(i, scene->senders > 0))
            return false;
    if (has(scene, SCENE_WATCHED)) {
        helper_order(&watcher, (struct order){.deed = DO_WATCH, .id = run.id});
        if (!helper_await_asleep(&watcher))
            return run_fail("nobody polls at the beginning");
    }
    return trace_start(&run.victim, prepare, call) ? true : run_fail("no victim");
}

/* After the kill, or while the victim is stopped. */
static bool survive(void)
{
    return rescue() && rescue_watcher() && (run.dead || check_capacity(PARTY_FILL));
}

bool run_finish(void)
{
    if (run.killed) {
        note_victim();
        if (!survive())
            return false;
    } else {
        if (!survive())
            return false;
        if (!trace_finish(&run.victim))
            return run_fail("the victim does not go on");
        note_victim();
        if (!run.dead && !check_capacity(PARTY_FILL + 1))
            return false;
    }
    if (!check_deletion())
        return false;
    const char *fault = ledger_close(&run.ledger, lost_max());
    return fault ? run_fail(fault) : true;
}

void run_start_helpers(void)
{
    helper_start(&sender, "sender");
    helper_start(&receiver, "receiver");
    helper_start(&watcher, "watcher");
    for (int i = 0; i < BLOCKED_MAX; ++i)
        helper_start(&blocked[i], "blocked");
}

void run_end_helpers(void)
{
    helper_end(&sender);
    helper_end(&receiver);
    helper_end(&watcher);
    for (int i = 0; i < BLOCKED_MAX; ++i)
        helper_end(&blocked[i]);
}

void run_clean_up(void)
{
    struct answer answer;
    trace_kill(&run.victim);
    run_end_helpers();
    run_start_helpers();
    helper_do(&sender, (struct order){.deed = DO_CLEAR}, &answer);
}
