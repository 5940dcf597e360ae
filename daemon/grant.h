#ifndef GRANT_H
#define GRANT_H

/*
 * What a session does with requests for ports: whose they are, how many, held
 * or not, now or after standing in line; and how they are given back.
 */

#include "session.h"

/* Whether the request is one of those that only clients on this host may make. */
bool grant_is_for_ports(const struct pa_request *request);

/*
 * Answers GIMME, ALLOCATE or LISTEN, step->request. 0; SESSION_SUSPENDED with
 * session->wants set; -ENOMEM with nothing allocated.
 */
int grant_ports(struct session *session, struct session_step *step, struct pa_buf *reply);

/* Answers RELEASE likewise. */
int grant_release(struct session *session, struct session_step *step, struct pa_buf *reply);

/* Answers CHANGE likewise. */
int grant_change(struct session *session, struct session_step *step, struct pa_buf *reply);

/* The session no longer stands in line, if it did. */
void grant_leave_line(struct session *session);

/* Releases an allocation, whoever's it is. */
void grant_give_back(struct session_world *world, struct table_entry *entry);

#endif
