/* What a client is answered to a request. */

#include "promise.h"

#include "model.h"
#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 24, TEXT_BYTES = 600 };

struct party parties[PROMISE_PARTIES];
struct setting setting;

/* ---------------------------------------------------------------- answers -- */

static void answer_words(struct promise *promise, int count, const char *const *words)
{
    char *list = Tcl_Merge(count, words);
    Tcl_DStringAppend(&promise->text, list, -1);
    Tcl_DStringAppend(&promise->text, "\r\n", 2);
    Tcl_Free(list);
}

static void fail(struct promise *promise, const struct party *party, const char *code,
                 const char *text)
{
    if (promise->event != SESSION_ILLEGAL)
        promise->event = SESSION_REFUSED;
    if (party->protocol2)
        answer_words(promise, 3, (const char *const[]){"FAIL", code, text});
    else
        answer_words(promise, 2, (const char *const[]){"FAIL", text});
}

__attribute__((format(printf, 4, 5))) static void failf(struct promise *promise,
                                                        const struct party *party,
                                                        const char *code, const char *format,
                                                        ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fail(promise, party, code, text);
}

static void refuse_remote(struct promise *promise, const struct party *party)
{
    fail(promise, party, "NOTLOCAL",
         PROMISE_HOST " (" PROMISE_HOST ") : Only local applications get ports");
    promise->close = !party->protocol2;
}

static void answer_number(struct promise *promise, size_t number)
{
    char text[32];
    snprintf(text, sizeof text, "OK %zu\r\n", number);
    Tcl_DStringAppend(&promise->text, text, -1);
}

static void answer_grant(struct promise *promise, const struct held *held, unsigned count,
                         bool joined)
{
    char port[12], ports[12];
    snprintf(port, sizeof port, "%u", held->port);
    snprintf(ports, sizeof ports, "%u", count);
    const char *words[WORDS_MAX] = {"OK",        port,    "-name",
                                    held->bears, "-user", model_users[held->user]};
    int n = 6;
    if (count > 1) {
        words[n++] = "-count";
        words[n++] = ports;
    }
    if (held->in_kernel) {
        words[n++] = "-held";
        words[n++] = "1";
    }
    if (joined) {
        words[n++] = "-joined";
        words[n++] = "1";
    }
    answer_words(promise, n, words);
}

/* ---------------------------------------------------------- who asks -- */

size_t promise_waiting(unsigned user)
{
    size_t count = 0;
    for (size_t i = 0; i < PROMISE_PARTIES; ++i)
        count += parties[i].here && parties[i].in_line && parties[i].user == user;
    return count;
}

/* A request under way. */
struct asking {
    struct promise *promise;
    struct party *party;
    const struct request *request;
    struct wish wish;
};

static bool wait_for(struct asking *asking, enum session_wants wants)
{
    asking->promise->wants = wants;
    return false;
}

static bool is_limited(enum quota_kind kind)
{
    return setting.quotas.most[kind] > 0;
}

static bool must_be_known(const struct asking *asking)
{
    const struct request *request = asking->request;
    return !asking->party->known &&
           (!setting.rules.trusts || !request->claims || is_limited(QUOTA_PORTS) ||
            (request->wait_ms > 0 && is_limited(QUOTA_WAITING)));
}

/* Whose the ports will be. False: there is an answer already. */
static bool settle_user(struct asking *asking)
{
    struct party *party = asking->party;
    const struct request *request = asking->request;
    if (must_be_known(asking))
        return wait_for(asking, SESSION_WANTS_OWNER);
    asking->wish.owner = party->known ? party->user : MODEL_NOBODY;
    asking->wish.user = request->claims ? request->user : party->user;
    if (setting.rules.trusts && request->claims)
        return true;
    if (party->user == MODEL_NOBODY) {
        fail(asking->promise, party, "UNPROVED",
             "the kernel does not tell whose request this is");
        return false;
    }
    if (asking->wish.user == party->user || party->user == MODEL_ROOT)
        return true;
    if (setting.rules.verifies) {
        failf(asking->promise, party, "FALSEUSER", "you are %s, not %s",
              model_users[party->user], model_users[request->user]);
        return false;
    }
    asking->promise->is_claimed_falsely = true;
    asking->wish.user = party->user;
    return true;
}

static bool has_room(struct asking *asking, enum quota_kind kind, size_t used, size_t more,
                     const char *what)
{
    unsigned owner = asking->wish.owner;
    if (!is_limited(kind) || owner == MODEL_NOBODY || owner == MODEL_ROOT ||
        used + more <= setting.quotas.most[kind])
        return true;
    failf(asking->promise, asking->party, "QUOTA",
          "%s has %zu %s already, the most a user may have", model_users[owner], used, what);
    return false;
}

/* --------------------------------------------------------------- granting -- */

/* Not to be had now: the request waits, if it says so and its time is not over. */
static void stand_in_line(struct asking *asking, const char *code, const char *text)
{
    struct party *party = asking->party;
    uint32_t wait_ms = asking->request->wait_ms;
    if (wait_ms == 0) {
        fail(asking->promise, party, code, text);
        return;
    }
    if (!party->in_line) {
        if (!has_room(asking, QUOTA_WAITING, promise_waiting(asking->wish.owner), 1,
                      "requests in line"))
            return;
        party->in_line = true;
        party->until_ms = model.now_ms + wait_ms;
    }
    if (model.now_ms < party->until_ms)
        asking->promise->wants = SESSION_WANTS_PORT;
    else
        failf(asking->promise, party, "TIMEDOUT", "no port became free within %u ms", wait_ms);
}

static void explain(struct asking *asking, int r)
{
    char text[TEXT_BYTES];
    const struct wish *wish = &asking->wish;
    const struct held *held;
    switch (r) {
    case TABLE_E_NO_FREE_PORTS:
        stand_in_line(asking, "NOFREE", "no free ports");
        break;
    case TABLE_E_IN_USE:
        snprintf(text, sizeof text, "port %u is in use", wish->port);
        stand_in_line(asking, "INUSE", text);
        break;
    case TABLE_E_NO_BLOCK:
        snprintf(text, sizeof text, "no %u free ports in a row", wish->count);
        stand_in_line(asking, "NOBLOCK", text);
        break;
    case TABLE_E_TAKEN:
        held = model_find(model_names[wish->name], wish->user);
        snprintf(text, sizeof text, "%s of %s is taken, by port %u", held->bears,
                 model_users[held->user], held->port);
        stand_in_line(asking, "TAKEN", text);
        break;
    case TABLE_E_NOT_MANAGED:
        failf(asking->promise, asking->party, "NOTMANAGED", "port %u is not managed here",
              wish->port);
        break;
    default:
        fail(asking->promise, asking->party, "NOPROBE",
             "no port could be tried: the log of the port manager says why");
    }
}

static void grant(struct asking *asking)
{
    const struct request *request = asking->request;
    const struct wish *wish = &asking->wish;
    struct promise *promise = asking->promise;
    const struct held *other = model_find(model_names[wish->name], wish->user);
    unsigned port;
    if (request->unique && other) {
        answer_grant(promise, other, 1, true);
        return;
    }
    if (!has_room(asking, QUOTA_PORTS, model_charged_to(wish->owner), wish->count, "ports"))
        return;
    int r = model_allocate(wish, &port);
    if (r != 0) {
        explain(asking, r);
        return;
    }
    if (request->meaning == REQUEST_LISTEN && setting.listen_fails) {
        model_release(port);
        failf(promise, asking->party, "ADDRESS", "cannot listen on %s port %u: %s",
              strstr(request->text, "-myaddr") ? "127.0.0.1" : "all addresses", port,
              strerror(EADDRINUSE));
        return;
    }
    promise->event = SESSION_ALLOCATED;
    promise->port = port;
    promise->count = wish->count;
    if (request->meaning == REQUEST_GIMME)
        answer_number(promise, port);
    else
        answer_grant(promise, model_at(port), wish->count, false);
}

/* What the connection or the manager cannot do at all. Whether that is answered. */
static bool meets_obstacle(struct asking *asking)
{
    const struct request *request = asking->request;
    const struct party *party = asking->party;
    bool listens = request->meaning == REQUEST_LISTEN;
    if (!party->local)
        refuse_remote(asking->promise, party);
    else if (listens && !party->unix_domain)
        fail(asking->promise, party, "NOTUNIX",
             "LISTEN needs a connection to the manager's socket in the file system");
    else if ((listens || request->hold == REQUEST_HOLD_YES) && setting.rules.holds_none)
        fail(asking->promise, party, "NOHOLD", "the port manager holds no ports");
    else
        return false;
    return true;
}

static void ask_for_ports(struct asking *asking, unsigned client)
{
    const struct request *request = asking->request;
    bool listens = request->meaning == REQUEST_LISTEN;
    asking->wish = (struct wish){
        .client = client,
        .name = request->name,
        .attributes = request->attributes,
        .port = request->port,
        .count = request->count ? request->count : 1,
        .exact = request->exact,
        .in_kernel = listens || request->hold == REQUEST_HOLD_YES ||
                     (request->hold == REQUEST_HOLD_UNSAID && setting.rules.holds_all),
    };
    if (meets_obstacle(asking))
        return;
    if (listens && !asking->party->clear) {
        wait_for(asking, SESSION_WANTS_DRAIN);
        return;
    }
    if (settle_user(asking))
        grant(asking);
    if (asking->promise->wants == SESSION_WANTS_NOTHING)
        asking->party->in_line = false;
}

/* ----------------------------------------------------------- other requests -- */

/* Whether the port is the client's to dispose of. If not, the answer says why. */
static bool disposes(struct asking *asking, unsigned client)
{
    const struct party *party = asking->party;
    unsigned port = asking->request->port;
    const struct held *held = model_at(port);
    if (!held) {
        failf(asking->promise, party, "NOTALLOCATED", "port %u is not allocated", port);
        return false;
    }
    if (held->client == client)
        return true;
    if (!party->known) {
        wait_for(asking, SESSION_WANTS_OWNER);
        return false;
    }
    if (party->user == MODEL_ROOT ||
        (party->user != MODEL_NOBODY && party->user == held->owner))
        return true;
    failf(asking->promise, party, "NOTOWNER", "port %u belongs to %s", port,
          model_users[held->user]);
    return false;
}

static void release(struct asking *asking, unsigned client)
{
    unsigned port = asking->request->port;
    if (!asking->party->local) {
        refuse_remote(asking->promise, asking->party);
    } else if (disposes(asking, client)) {
        model_release(port);
        asking->promise->event = SESSION_RELEASED;
        answer_number(asking->promise, port);
    }
}

static void change(struct asking *asking, unsigned client)
{
    unsigned port = asking->request->port;
    if (!asking->party->local) {
        refuse_remote(asking->promise, asking->party);
    } else if (port < model.low || port > model.high) {
        failf(asking->promise, asking->party, "NOTMANAGED", "port %u is not managed here",
              port);
    } else if (disposes(asking, client)) {
        model_change(port, asking->request->attributes);
        asking->promise->event = SESSION_CHANGED;
        answer_number(asking->promise, port);
    }
}

static bool matches(const char *pattern, const char *text)
{
    return !pattern || Tcl_StringMatch(text, pattern);
}

static void find(struct asking *asking)
{
    const struct request *request = asking->request;
    const struct held *held = model_listed();
    struct promise lines = {.event = SESSION_TOLD};
    size_t count = 0;
    Tcl_DStringInit(&lines.text);
    for (size_t i = 0; i < model.held_count; ++i) {
        if (!matches(request->name_pattern, held[i].bears) ||
            !matches(request->user_pattern, model_users[held[i].user]) ||
            (request->port > 0 && request->port != held[i].port))
            continue;
        char port[12];
        snprintf(port, sizeof port, "%u", held[i].port);
        answer_words(&lines, 4,
                     (const char *const[]){port, held[i].bears, model_users[held[i].user],
                                           model_attributes[held[i].attributes]});
        count += 1;
    }
    answer_number(asking->promise, count);
    Tcl_DStringAppend(&asking->promise->text, Tcl_DStringValue(&lines.text),
                      Tcl_DStringLength(&lines.text));
    Tcl_DStringFree(&lines.text);
}

static void tell_stats(struct promise *promise)
{
    char text[TEXT_BYTES];
    size_t watchers = 0;
    for (unsigned c = 0; c < PROMISE_PARTIES; ++c)
        watchers += parties[c].here && parties[c].watches;
    snprintf(text, sizeof text,
             "OK {protocol 2 ports %u allocated %zu held %zu connections %zu waiting %zu users "
             "%zu watchers %zu uptime_s %llu pid %ld version %s}\r\n",
             model.high - model.low + 1, model.held_count, model_in_kernel(),
             setting.stats.connections, setting.stats.waiting, model_users_count(), watchers,
             (unsigned long long)((model.now_ms - setting.stats.started_ms) / 1000),
             setting.stats.pid, PACKAGE_VERSION);
    Tcl_DStringAppend(&promise->text, text, -1);
}

static void greet(struct promise *promise, struct party *party)
{
    char text[TEXT_BYTES];
    bool holds = !setting.rules.holds_none;
    const char *words[4];
    int count = 0;
    if (!setting.rules.trusts)
        words[count++] = "owner";
    if (holds)
        words[count++] = "hold";
    if (holds && party->unix_domain && party->local)
        words[count++] = "listen";
    words[count++] = "watch";
    char *list = Tcl_Merge(count, words);
    snprintf(text, sizeof text, "%s", list);
    Tcl_Free(list);
    party->protocol2 = true;
    answer_words(promise, 3, (const char *const[]){"OK", "2", text});
}

static void refuse_illegal(struct promise *promise, const struct party *party,
                           const struct request *request)
{
    promise->event = SESSION_ILLEGAL;
    promise->close = !party->protocol2;
    failf(promise, party, "SYNTAX", "Invalid request %s", request->text);
}

static void refuse_fault(struct promise *promise, const struct party *party,
                         const struct fault *fault)
{
    if (fault->for_ports && !party->local)
        refuse_remote(promise, party);
    else
        fail(promise, party, fault->code, fault->why);
}

void promise_make(struct promise *promise, unsigned client, const struct request *request)
{
    struct party *party = &parties[client];
    struct asking asking = {.promise = promise, .party = party, .request = request};
    *promise = (struct promise){.event = SESSION_TOLD};
    Tcl_DStringInit(&promise->text);
    if (request->protocol2 && !party->protocol2) {
        refuse_illegal(promise, party, request);
        return;
    }
    switch (request->meaning) {
    case REQUEST_LIST:
        break;
    case REQUEST_GIMME:
    case REQUEST_ALLOCATE:
    case REQUEST_LISTEN:
        ask_for_ports(&asking, client);
        break;
    case REQUEST_RELEASE:
        release(&asking, client);
        break;
    case REQUEST_FIND:
        find(&asking);
        break;
    case REQUEST_WATCH:
        party->watches = true;
        find(&asking);
        break;
    case REQUEST_UNWATCH:
        party->watches = false;
        Tcl_DStringAppend(&promise->text, "OK\r\n", 4);
        break;
    case REQUEST_CHANGE:
        change(&asking, client);
        break;
    case REQUEST_STATS:
        tell_stats(promise);
        break;
    case REQUEST_PING:
        Tcl_DStringAppend(&promise->text, "OK\r\n", 4);
        break;
    case REQUEST_HELLO:
        greet(promise, party);
        break;
    case REQUEST_FAULT:
        refuse_fault(promise, party, request->fault);
        break;
    case REQUEST_ILLEGAL:
        refuse_illegal(promise, party, request);
        break;
    case REQUEST_TOO_LONG:
        promise->event = SESSION_ILLEGAL;
        promise->close = true;
        failf(promise, party, "TOOLONG", "Invalid request: the line is longer than %d bytes",
              REQUEST_LINE_MAX);
        break;
    }
}

void promise_free(struct promise *promise)
{
    Tcl_DStringFree(&promise->text);
}
