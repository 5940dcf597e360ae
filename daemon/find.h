#ifndef FIND_H
#define FIND_H

/* What a session does with FIND. */

#include "session.h"

/*
 * Answers FIND, step->request: in step->snapshot. 0 or -ENOMEM. The time does
 * not depend on how many ports are allocated when the name is given without
 * wildcards, or the port.
 */
int find_ports(struct session *session, struct session_step *step, struct pa_buf *reply);

#endif
