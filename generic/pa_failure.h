#ifndef PA_FAILURE_H
#define PA_FAILURE_H

/*
 * Why a client's call failed: a code of the error table and the finished text.
 */

#include "pa_error.h"

enum { PA_FAILURE_TEXT_BYTES = 1024 };

struct pa_failure {
    enum pa_error error;
    char text[PA_FAILURE_TEXT_BYTES]; /* for a person; names the input it is about */
};

/*
 * Fills *failure with the table's text for `error` and its arguments. A text
 * that does not fit is cut between two characters; a control character in an
 * argument comes out as a blank. Returns `error`.
 */
int pa_failure_set(struct pa_failure *failure, enum pa_error error, ...);

#endif
