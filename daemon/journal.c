/* What happens to clients and ports, as lines of the log. */

#include "journal.h"

#include "pa_failure.h"
#include "pa_text.h"

#include <string.h>

void journal_init(struct journal *journal, struct log *log)
{
    memset(journal, 0, sizeof *journal);
    journal->log = log;
}

void journal_accepted(struct journal *journal, const char *host)
{
    const char *parts[] = {"Connection accepted from ", host};
    log_join(journal->log, LOG_LEVEL_INFO, parts, sizeof parts / sizeof parts[0]);
}

/* `Port N EVENT NAME run by USER` */
static void tell_of_port(struct journal *journal, const struct table_entry *entry,
                         const char *event)
{
    char port[PA_TEXT_DECIMAL_BYTES];
    pa_text_decimal(port, entry->port);
    const char *parts[] = {"Port ", port, event, entry->name, " run by ", entry->user};
    log_join(journal->log, LOG_LEVEL_INFO, parts, sizeof parts / sizeof parts[0]);
}

void journal_released(struct journal *journal, const struct table_entry *entry)
{
    tell_of_port(journal, entry, " was released by ");
}

/* ---------------------------------------------------------------- steps -- */

static const char *or_nothing(const char *name)
{
    return name ? name : "";
}

static void refused(struct journal *journal, uint64_t now_ms, const char *host,
                    const struct session_step *step)
{
    const struct pa_request *request = &step->request;
    const char *claim = request->user ? request->user : request->keys.user;
    const char *user = step->user ? step->user : claim;
    switch (request->verb) {
    case PA_VERB_GIMME:
    case PA_VERB_ALLOCATE:
    case PA_VERB_LISTEN:
        log_limited(journal->log, &journal->refused, now_ms, LOG_LEVEL_WARNING, NULL,
                    "Unable to allocate a port for %s run by %s because: %s",
                    request->name ? request->name : "a client", user ? user : host,
                    step->failure.text);
        break;
    case PA_VERB_LIST:
        log_limited(journal->log, &journal->refused, now_ms, LOG_LEVEL_WARNING, NULL,
                    "Unable to list the ports for %s because: %s", host, step->failure.text);
        break;
    default:
        log_limited(journal->log, &journal->refused, now_ms, LOG_LEVEL_WARNING, NULL,
                    "%s of %s was refused: %s", pa_verb_word(request->verb), host,
                    step->failure.text);
        break;
    }
}

static void allocated(struct journal *journal, uint64_t now_ms, const struct session_step *step)
{
    const struct table_entry *entry = step->entry;
    for (uint32_t i = 0; i < step->count; ++i, entry = entry->owner_previous)
        tell_of_port(journal, entry, " was allocated to ");
    if (step->claimed)
        log_limited(journal->log, &journal->claims, now_ms, LOG_LEVEL_WARNING, NULL,
                    "Port %u is recorded for %s, who asked as %s", (unsigned)step->entry->port,
                    step->entry->user, step->claimed);
}

static void illegal(struct journal *journal, uint64_t now_ms, const char *host,
                    const struct session_step *step)
{
    const char *text = step->failure.error == PA_E_LINE_TOO_LONG
                           ? "the line is too long"
                           : or_nothing(step->request.text);
    log_limited(journal->log, &journal->illegal, now_ms, LOG_LEVEL_WARNING, NULL,
                "%s issued an illegal request: %s", host, text);
}

void journal_step(struct journal *journal, uint64_t now_ms, const char *host,
                  const struct session_step *step)
{
    switch (step->event) {
    case SESSION_TOLD:
    case SESSION_RELEASED: /* told by journal_released() */
        break;
    case SESSION_CHANGED:
        tell_of_port(journal, step->entry, " was changed by ");
        break;
    case SESSION_ALLOCATED:
        allocated(journal, now_ms, step);
        break;
    case SESSION_REFUSED:
        refused(journal, now_ms, host, step);
        break;
    case SESSION_ILLEGAL:
        illegal(journal, now_ms, host, step);
        break;
    }
}

/* --------------------------------------------------------------- probes -- */

void journal_probed(struct journal *journal, uint64_t now_ms, uint16_t port, int state)
{
    uint8_t *byte = &journal->ports_in_use[port / 8];
    uint8_t bit = (uint8_t)(1u << port % 8);
    if (state < 0) {
        log_limited(journal->log, &journal->trouble, now_ms, LOG_LEVEL_ERROR, NULL,
                    "Cannot probe port %u: %s", (unsigned)port, strerror(-state));
    } else if (state != TABLE_PORT_IN_USE) {
        *byte = (uint8_t)(*byte & ~bit);
    } else if (!(*byte & bit)) {
        *byte = (uint8_t)(*byte | bit);
        log_write(journal->log, LOG_LEVEL_WARNING, NULL,
                  "Port %u is in use by a program that did not ask for it; it is passed over",
                  (unsigned)port);
    }
}

/* ---------------------------------------------------------- connections -- */

void journal_evicted(struct journal *journal, uint64_t now_ms, const char *host)
{
    log_limited(journal->log, &journal->crowded, now_ms, LOG_LEVEL_WARNING, NULL,
                "Connection from %s closed: there are too many, and of those without a port "
                "it was quiet longest",
                host);
}

void journal_turned_away(struct journal *journal, uint64_t now_ms, const char *host,
                         const char *why)
{
    log_limited(journal->log, &journal->crowded, now_ms, LOG_LEVEL_WARNING, NULL,
                "Connection from %s refused: %s", host, why);
}

void journal_unread(struct journal *journal, uint64_t now_ms, const char *host,
                    size_t unsent_bytes)
{
    log_limited(journal->log, &journal->unread, now_ms, LOG_LEVEL_WARNING, NULL,
                "%s does not read its answers: %zu bytes wait, and so do its further requests",
                host, unsent_bytes);
}

void journal_trouble(struct journal *journal, uint64_t now_ms, const char *what,
                     const char *why)
{
    log_limited(journal->log, &journal->trouble, now_ms, LOG_LEVEL_ERROR, NULL, "Cannot %s: %s",
                what, why);
}

/* -------------------------------------------------------------- windows -- */

bool journal_has_open_window(const struct journal *journal)
{
    return journal->refused.count > 0 || journal->illegal.count > 0 ||
           journal->crowded.count > 0 || journal->unread.count > 0 ||
           journal->trouble.count > 0 || journal->claims.count > 0;
}

void journal_close_windows(struct journal *journal, uint64_t now_ms)
{
    struct log_limit *limits[] = {&journal->refused, &journal->illegal, &journal->crowded,
                                  &journal->unread,  &journal->trouble, &journal->claims};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; ++i)
        log_limit_flush(journal->log, limits[i], now_ms);
}
