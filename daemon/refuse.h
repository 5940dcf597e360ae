#ifndef REFUSE_H
#define REFUSE_H

/*
 * How a session refuses a request: what is said, in the form of the protocol
 * that is spoken, and what becomes of the connection.
 *
 * Each appends the refusal to `reply` and fills in step->event and
 * step->failure. 0 or -ENOMEM.
 */

#include "session.h"

/* The text of `error`, which takes no argument. */
int refuse(struct session *session, struct session_step *step, struct pa_buf *reply,
           enum pa_error error);

/* What step->failure tells already. */
int refuse_as_told(struct session *session, struct session_step *step, struct pa_buf *reply);

/*
 * No request at all: PA_E_INVALID_REQUEST, of step->request.text, or
 * PA_E_LINE_TOO_LONG. The connection ends, unless protocol 2 is spoken and the
 * next request can be told from this one.
 */
int refuse_illegal(struct session *session, struct session_step *step, struct pa_buf *reply,
                   enum pa_error error);

/* Ports are for this host; what else is wrong with such a request does not matter. */
int refuse_remote(struct session *session, struct session_step *step, struct pa_buf *reply);

#endif
