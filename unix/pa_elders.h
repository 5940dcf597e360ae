#ifndef PA_ELDERS_H
#define PA_ELDERS_H

/*
 * The port managers that are known to speak protocol 1 alone, of the whole
 * process: the last PA_ELDERS_MAX of them, each for a while, since a manager
 * may be replaced. Thread-safe; allocates nothing.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
    PA_ELDERS_MAX = 32,
    PA_ELDERS_S = 600,          /* what is remembered is forgotten after so long */
    PA_ELDERS_HOST_BYTES = 256, /* with the NUL; a DNS name has 253. Longer ones are not kept */
};

/* Remembers the manager of `host` and `port`; now_s counts seconds, of any origin. */
void pa_elders_add(const char *host, int port, int64_t now_s);

/* Whether that manager is remembered. */
bool pa_elders_has(const char *host, int port, int64_t now_s);

#endif
