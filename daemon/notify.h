/* notify.h - telling the service manager how a daemon is (sd_notify(3)). */
#ifndef NOTIFY_H
#define NOTIFY_H

/*
 * Sends `state`, lines like READY=1, to the service manager that started the
 * process (environment NOTIFY_SOCKET). Nobody has: nothing happens. A daemon
 * works as well without being heard, so failures are not told.
 */
void notify(const char *state);

#endif
