#ifndef JOURNAL_H
#define JOURNAL_H

/*
 * What happens to clients and ports, as lines of the log.
 *
 * What goes wrong at a client's will is limited, each kind for itself, so that
 * one kind of line cannot hide another. Connections, allocations and releases
 * are told of one by one: they are what the log is for.
 */

#include "log.h"
#include "session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal {
    struct log *log;
    struct log_limit refused;                   /* no port for a request */
    struct log_limit illegal;                   /* no request at all */
    struct log_limit crowded;                   /* evicted or turned away */
    struct log_limit unread;                    /* a client that does not read */
    struct log_limit trouble;                   /* the kernel did not do what was asked of it */
    struct log_limit claims;                    /* a client said it is another user */
    struct log_limit portserver;                /* no port by the portserver's protocol */
    uint8_t ports_in_use[(UINT16_MAX + 1) / 8]; /* those whose strangers were told of */
};

/* An empty journal that writes to `log`. */
void journal_init(struct journal *journal, struct log *log);

void journal_accepted(struct journal *journal, const char *host);
void journal_released(struct journal *journal, const struct table_entry *entry);

/* What a step of the session with `host` did. */
void journal_step(struct journal *journal, uint64_t now_ms, const char *host,
                  const struct session_step *step);

/* What a probe of `port` found; of a stranger's port once, until the stranger is gone. */
void journal_probed(struct journal *journal, uint64_t now_ms, uint16_t port, int state);

void journal_evicted(struct journal *journal, uint64_t now_ms, const char *host);
void journal_turned_away(struct journal *journal, uint64_t now_ms, const char *host,
                         const char *why);
void journal_unread(struct journal *journal, uint64_t now_ms, const char *host,
                    size_t unsent_bytes);

/* The portserver's protocol gave user `uid` no port. */
void journal_portserver(struct journal *journal, uint64_t now_ms, unsigned long uid,
                        const char *why);

/* Whether messages of some kind were told or suppressed in a window not yet closed. */
bool journal_has_open_window(const struct journal *journal);

/* Closes the windows that are over by now: says how many messages each suppressed. */
void journal_close_windows(struct journal *journal, uint64_t now_ms);

/* The call `what` failed; `why` is the system's text. */
void journal_trouble(struct journal *journal, uint64_t now_ms, const char *what,
                     const char *why);

#endif
