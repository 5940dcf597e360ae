#ifndef PORTALLOCATOR_WATCH_H
#define PORTALLOCATOR_WATCH_H

/*
 * The watches of the public library: a pa_follow, and a descriptor that stands
 * for what it waits for.
 */

#include "pa_failure.h"
#include "pa_follow.h"
#include "portallocator.h"

/*
 * A watch of its own, which takes over `follow`, also when it fails. 0;
 * PA_E_CONNECT or PA_E_CLIENT_MEMORY with *why filled in.
 */
int portallocator_watch_make(struct portallocator_watch **made, struct pa_follow *follow,
                             struct pa_failure *why);

#endif
