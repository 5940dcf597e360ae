#ifndef SESSION_FIXTURE_H
#define SESSION_FIXTURE_H

/*
 * A world of sessions without a network: a scripted kernel that tells of ports
 * and users, and clients who talk and keep all that they are answered.
 */

#include "fake_prober.h"
#include "session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIXTURE_LINE_MAX = 8192, FIXTURE_LOW = 30001, FIXTURE_HIGH = 30009 };

#define FIXTURE_HOST "192.0.2.7"

/* What sessions did to the world. */
struct fixture {
    struct session_world world;
    struct quota quota;
    struct watchers watchers;
    struct fake_prober kernel; /* ports */
    int listen_error;          /* when not 0: the negative errno of every socket to listen on */
    char listen_address[64];   /* of the latest one; "": all */
    int listen_backlog;
    uint16_t listen_port;
    int open_count; /* such sockets not closed yet */
    size_t released_count;
    uint16_t released; /* the latest one */
};

extern struct fixture fixture;

/*
 * A new world of FIXTURE_LOW to FIXTURE_HIGH with a quarantine, where nothing was
 * limited, claims are corrected, and ports can be held.
 */
void fixture_begin(void);
void fixture_begin_ports(uint16_t low, uint16_t high);
void fixture_limit(enum quota_kind kind, uint32_t most);

/* Nobody is left; fails if something is: a port, a hold, a charge, a socket. */
void fixture_end(void);

struct client {
    struct session session;
    struct pa_buf answers;
    struct pa_buf unheard;  /* bytes that stand behind a request that waits */
    uint32_t uid;           /* as the kernel knows the client */
    const char *user;       /* NULL: it does not tell */
    bool undecided;         /* ... and takes its time for that */
    bool unread;            /* answers of before are still on their way */
    size_t unsent;          /* as many bytes of them, when events are to be sent */
    bool closed;            /* the manager reads no more of it */
    enum session_event did; /* the latest step */
    struct pa_failure failure;
    char claimed[64]; /* by an allocation; "": the truth */
    uint32_t count;
};

/* A local client of user `user` over TCP, or with NULL one of nobody knows whom. */
void client_arrive(struct client *client, uint32_t uid, const char *user);
void client_arrive_remote(struct client *client);

/* Says something; it is heard as far as no request waits. */
void client_say(struct client *client, const char *text);
void client_send(struct client *client, const char *bytes, size_t size);

/* The client's request, if one waits, is tried again, and what stands behind it is heard. */
void client_go_on(struct client *client);

/* Those who watch are told what there is to tell. */
void fixture_tell(void);

/* Releases the client's ports; the client is gone. */
void client_leave(struct client *client);

/* All that was answered since the last time. */
void client_expect(struct client *client, const char *answers);

/* Says and expects. */
void client_ask(struct client *client, const char *text, const char *answers);

#endif
