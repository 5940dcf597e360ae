#ifndef WATCH_H
#define WATCH_H

/* What a session does with WATCH and UNWATCH. */

#include "session.h"

/* Answers WATCH, step->request: the lines are in step->snapshot. 0 or -ENOMEM. */
int watch_ports(struct session *session, struct session_step *step, struct pa_buf *reply);

/* Answers UNWATCH. 0 or -ENOMEM. */
int watch_end(struct session *session, struct pa_buf *reply);

#endif
