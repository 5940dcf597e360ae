/* How a session refuses a request. */

#include "refuse.h"

#include "pa_text.h"
#include "pa_wire2.h"

enum { ECHO_BYTES = 256 }; /* at most so much of an illegal request is sent back */

int refuse_as_told(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    if (step->event != SESSION_ILLEGAL)
        step->event = SESSION_REFUSED;
    if (session->protocol2)
        return pa_wire2_append_fail(reply, step->failure.error, step->failure.text);
    return pa_wire_append_fail(reply, step->failure.text);
}

int refuse(struct session *session, struct session_step *step, struct pa_buf *reply,
           enum pa_error error)
{
    pa_failure_set(&step->failure, error);
    return refuse_as_told(session, step, reply);
}

/* Cuts the request's text to what is sent back and logged of it. */
static const char *shown_text(struct pa_request *request)
{
    if (!request->text)
        return "";
    request->text_size = pa_text_cut(request->text, request->text_size, ECHO_BYTES);
    request->text[request->text_size] = '\0';
    return request->text;
}

int refuse_illegal(struct session *session, struct session_step *step, struct pa_buf *reply,
                   enum pa_error error)
{
    step->event = SESSION_ILLEGAL;
    step->close = !session->protocol2 || error == PA_E_LINE_TOO_LONG;
    if (error == PA_E_LINE_TOO_LONG)
        pa_failure_set(&step->failure, error, session->line.max_bytes);
    else
        pa_failure_set(&step->failure, error, shown_text(&step->request));
    return refuse_as_told(session, step, reply);
}

int refuse_remote(struct session *session, struct session_step *step, struct pa_buf *reply)
{
    step->close = !session->protocol2;
    pa_failure_set(&step->failure, PA_E_NOT_LOCAL, session->host, session->host);
    return refuse_as_told(session, step, reply);
}
