/* test_grant.c - whose a port is: proofs, quotas, requests that wait, and releases by others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "session_fixture.h"

#define UNPROVED "FAIL UNPROVED {the kernel does not tell whose request this is}\r\n"

/* A client of protocol 2. */
static void arrive(struct client *client, uint32_t uid, const char *user)
{
    client_arrive(client, uid, user);
    client_say(client, "HELLO 2\n");
    assert_false(client->closed);
    client->answers.size = 0;
}

static void arrive_unix(struct client *client, uint32_t uid, const char *user)
{
    arrive(client, uid, user);
    client->session.unix_domain = true;
}

static void trust(void)
{
    fixture.world.rules.trusts = true;
}

static void verify(void)
{
    fixture.world.rules.verifies = true;
}

static uint32_t charged(enum quota_kind kind, uint32_t uid)
{
    return quota_charged(&fixture.quota, uid, kind);
}

/* ----------------------------------------------------------------- owners -- */

static void a_false_claim_is_corrected_and_told(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    client_arrive(&client, 7, "fox");
    client_ask(&client, "GIMME a ant\nLIST\n", "OK 30009\r\nOK 1\r\n30009 a fox\r\n");
    client_ask(&client, "HELLO 2\nALLOCATE b -user ant\n",
               "OK 2 {owner hold watch}\r\nOK 30008 -name b -user fox\r\n");
    assert_string_equal(client.claimed, "ant");
    client_ask(&client, "ALLOCATE b -user fox\n", "OK 30007 -name b_1 -user fox\r\n");
    assert_string_equal(client.claimed, "");
    assert_int_equal(table_at(fixture.world.table, 30009)->uid, 7);
    client_leave(&client);
    fixture_end();
}

static void a_false_claim_is_refused_where_claims_are_verified(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    verify();
    client_arrive(&client, 7, "fox");
    client_ask(&client, "GIMME a ant\nGIMME a fox\n",
               "FAIL {you are fox, not ant}\r\nOK 30009\r\n");
    client_say(&client, "HELLO 2\n");
    client.answers.size = 0;
    client_ask(&client, "ALLOCATE b -user ant\n", "FAIL FALSEUSER {you are fox, not ant}\r\n");
    client_ask(&client, "GIMME b ant\n", "FAIL FALSEUSER {you are fox, not ant}\r\n");
    client_ask(&client, "ALLOCATE b\n", "OK 30008 -name b -user fox\r\n");
    client_leave(&client);
    fixture_end();
}

static void a_claim_counts_where_claims_are_trusted(void **state)
{
    (void)state;
    struct client client, nobody;
    fixture_begin();
    trust();
    arrive(&client, 7, "fox");
    client_ask(&client, "GIMME a ant\nALLOCATE b -user owl\n",
               "OK 30009\r\nOK 30008 -name b -user owl\r\n");
    assert_int_equal(client.session.proof, SESSION_PROOF_NOT_ASKED);
    assert_int_equal(table_at(fixture.world.table, 30009)->uid, TABLE_NOBODY);
    client_ask(&client, "ALLOCATE c\n", "OK 30007 -name c -user fox\r\n"); /* claims nothing */
    assert_int_equal(client.session.proof, SESSION_PROOF_GIVEN);
    assert_int_equal(table_at(fixture.world.table, 30007)->uid, 7);
    arrive(&nobody, 0, NULL);
    client_ask(&nobody, "ALLOCATE c\n", UNPROVED);
    client_ask(&nobody, "ALLOCATE c -user ant\n", "OK 30006 -name c -user ant\r\n");
    client_leave(&nobody);
    client_leave(&client);
    fixture_end();
}

static void root_may_name_any_user(void **state)
{
    (void)state;
    struct client root;
    fixture_begin();
    verify();
    arrive(&root, 0, "root");
    client_ask(&root, "ALLOCATE a -user ant\nGIMME a owl\nALLOCATE a\nLIST\n",
               "OK 30009 -name a -user ant\r\nOK 30008\r\nOK 30007 -name a -user root\r\n"
               "OK 3\r\n30009 a ant\r\n30008 a owl\r\n30007 a root\r\n");
    assert_string_equal(root.claimed, "");
    assert_int_equal(table_at(fixture.world.table, 30009)->uid, 0);
    client_leave(&root);
    fixture_end();
}

static void who_is_not_proved_gets_nothing(void **state)
{
    (void)state;
    for (int verifies = 0; verifies < 2; ++verifies) {
        struct client client;
        fixture_begin();
        fixture.world.rules.verifies = verifies;
        client_arrive(&client, 0, NULL);
        client_ask(&client, "GIMME a root\n",
                   "FAIL {the kernel does not tell whose request this is}\r\n");
        client_say(&client, "HELLO 2\n");
        client.answers.size = 0;
        client_ask(&client, "ALLOCATE a\nALLOCATE a -user root -wait 1000\nPING\n",
                   UNPROVED UNPROVED "OK\r\n");
        client_leave(&client);
        fixture_end();
    }
}

/* What needs no proof is answered before it; what comes later waits its turn. */
static void a_request_waits_until_the_kernel_has_told(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    arrive(&client, 7, "fox");
    client.undecided = true;
    client_ask(&client, "PING\nALLOCATE a\nPING\nFIND\n", "OK\r\n");
    assert_int_equal(client.session.wants, SESSION_WANTS_OWNER);
    assert_int_equal(table_count(fixture.world.table), 0);
    client_ask(&client, "PING\n", "");
    client.undecided = false;
    client_go_on(&client);
    client_expect(&client, "OK 30009 -name a -user fox\r\nOK\r\nOK 1\r\n30009 a fox {}\r\n"
                           "OK\r\n");
    client_leave(&client);
    fixture_end();
}

static void who_leaves_before_the_kernel_has_told_leaves_nothing(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    arrive(&client, 7, "fox");
    client.undecided = true;
    client_ask(&client, "ALLOCATE a -hold 1\n", "");
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    assert_int_equal(session_end(&client.session, &reply, &step), SESSION_IDLE);
    assert_null(client.session.suspended);
    assert_int_equal(client.session.wants, SESSION_WANTS_NOTHING);
    client_leave(&client);
    fixture_end();
}

static void a_proof_is_asked_for_once(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    arrive(&client, 7, "fox");
    client_ask(&client, "ALLOCATE a\n", "OK 30009 -name a -user fox\r\n");
    client.user = "ant"; /* whoever asks again */
    client_ask(&client, "ALLOCATE a\n", "OK 30008 -name a_1 -user fox\r\n");
    client_leave(&client);
    fixture_end();
}

/* --------------------------------------------------------------- releases -- */

static void a_user_releases_a_port_of_another_connection(void **state)
{
    (void)state;
    struct client holder, other;
    fixture_begin();
    arrive(&holder, 7, "fox");
    arrive(&other, 7, "fox");
    client_ask(&holder, "ALLOCATE a -hold 1\nALLOCATE b\n",
               "OK 30009 -name a -user fox -held 1\r\nOK 30008 -name b -user fox\r\n");
    client_ask(&other, "RELEASE 30009\nRELEASE 30009\nLIST\n",
               "OK 30009\r\nFAIL NOTALLOCATED {port 30009 is not allocated}\r\n"
               "OK 1\r\n30008 b fox\r\n");
    assert_int_equal(fixture.released, 30009);
    assert_int_equal(session_held(&holder.session), 1);
    assert_false(fixture.kernel.held[30009]);
    client_ask(&holder, "RELEASE 30009\n",
               "FAIL NOTALLOCATED {port 30009 is not allocated}\r\n");
    client_leave(&holder);
    client_leave(&other);
    fixture_end();
}

static void a_stranger_releases_nothing(void **state)
{
    (void)state;
    struct client holder, stranger, nobody;
    fixture_begin();
    arrive(&holder, 7, "fox");
    arrive(&stranger, 8, "ant");
    arrive(&nobody, 0, NULL);
    client_ask(&holder, "ALLOCATE a\n", "OK 30009 -name a -user fox\r\n");
    client_ask(&stranger, "RELEASE 30009\n", "FAIL NOTOWNER {port 30009 belongs to fox}\r\n");
    client_ask(&nobody, "RELEASE 30009\n", "FAIL NOTOWNER {port 30009 belongs to fox}\r\n");
    client_ask(&holder, "RELEASE 30009\n", "OK 30009\r\n");
    client_leave(&holder);
    client_leave(&stranger);
    client_leave(&nobody);
    fixture_end();
}

static void root_releases_any_port(void **state)
{
    (void)state;
    struct client holder, root;
    fixture_begin();
    arrive(&holder, 7, "fox");
    arrive(&root, 0, "root");
    client_ask(&holder, "ALLOCATE a\n", "OK 30009 -name a -user fox\r\n");
    client_ask(&root, "RELEASE 30009\n", "OK 30009\r\n");
    assert_int_equal(session_held(&holder.session), 0);
    client_leave(&holder);
    client_leave(&root);
    fixture_end();
}

/* A name that was merely claimed gives no right to a port. */
static void what_a_trusted_claim_got_only_its_connection_and_root_release(void **state)
{
    (void)state;
    struct client claimant, owl, same, root;
    fixture_begin();
    trust();
    arrive(&claimant, 7, "fox");
    arrive(&owl, 9, "owl");
    arrive(&same, 7, "fox");
    arrive(&root, 0, "root");
    client_ask(&claimant, "GIMME a owl\nGIMME b owl\n", "OK 30009\r\nOK 30008\r\n");
    client_ask(&owl, "RELEASE 30009\n", "FAIL NOTOWNER {port 30009 belongs to owl}\r\n");
    client_ask(&same, "RELEASE 30009\n", "FAIL NOTOWNER {port 30009 belongs to owl}\r\n");
    client_ask(&claimant, "RELEASE 30009\n", "OK 30009\r\n");
    client_ask(&root, "RELEASE 30008\n", "OK 30008\r\n");
    client_leave(&claimant);
    client_leave(&owl);
    client_leave(&same);
    client_leave(&root);
    fixture_end();
}

static void ones_own_port_needs_no_proof(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    trust();
    arrive(&client, 7, "fox");
    client_ask(&client, "GIMME a fox\n", "OK 30009\r\n");
    client.undecided = true;
    client_ask(&client, "RELEASE 30009\n", "OK 30009\r\n");
    client_leave(&client);
    fixture_end();
}

static void a_port_that_went_while_the_kernel_was_asked_is_not_allocated(void **state)
{
    (void)state;
    struct client holder, other;
    fixture_begin();
    arrive(&holder, 7, "fox");
    arrive(&other, 7, "fox");
    client_ask(&holder, "ALLOCATE a\n", "OK 30009 -name a -user fox\r\n");
    other.undecided = true;
    client_ask(&other, "RELEASE 30009\n", "");
    assert_int_equal(other.session.wants, SESSION_WANTS_OWNER);
    client_leave(&holder);
    other.undecided = false;
    client_go_on(&other);
    client_expect(&other, "FAIL NOTALLOCATED {port 30009 is not allocated}\r\n");
    client_leave(&other);
    fixture_end();
}

/* ----------------------------------------------------------------- quotas -- */

static void a_user_has_so_many_ports_and_no_more(void **state)
{
    (void)state;
    struct client one, two, other, root;
    fixture_begin();
    fixture_limit(QUOTA_PORTS, 3);
    arrive(&one, 7, "fox");
    arrive(&two, 7, "fox");
    arrive(&other, 8, "ant");
    arrive(&root, 0, "root");
    client_ask(&one, "ALLOCATE a -count 2\n", "OK 30008 -name a -user fox -count 2\r\n");
    client_ask(&two, "ALLOCATE a -count 2\n",
               "FAIL QUOTA {fox has 2 ports already, the most a user may have}\r\n");
    client_ask(&two, "GIMME a fox\n", "OK 30007\r\n");
    client_ask(&one, "GIMME a fox\n",
               "FAIL QUOTA {fox has 3 ports already, the most a user may have}\r\n");
    client_ask(&other, "ALLOCATE a\n", "OK 30006 -name a -user ant\r\n");
    client_ask(&root, "ALLOCATE a -count 4 -user fox\n",
               "OK 30002 -name a_3 -user fox -count 4\r\n");
    assert_int_equal(charged(QUOTA_PORTS, 7), 3);
    client_ask(&two, "RELEASE 30008\nALLOCATE b\n",
               "OK 30008\r\nOK 30001 -name b -user fox\r\n");
    client_leave(&one);
    assert_int_equal(charged(QUOTA_PORTS, 7), 2);
    client_leave(&two);
    assert_int_equal(charged(QUOTA_PORTS, 7), 0);
    client_leave(&other);
    client_leave(&root);
    fixture_end();
}

static void what_is_refused_is_not_charged(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "ALLOCATE a -port 1\n",
        "ALLOCATE a -port 30001\n",
        "ALLOCATE a -count 9\n",
        "ALLOCATE x -instance exact\n",
        "ALLOCATE a -x 1\n",
        "ALLOCATE x -unique 1\n",
        "GIMME a\n",
        "ALLOCATE a -port 30003\n",
    };
    struct client client, other;
    fixture_begin();
    fixture_limit(QUOTA_PORTS, 100);
    fixture_limit(QUOTA_WAITING, 100);
    fixture.kernel.state[30003] = TABLE_PORT_IN_USE;
    arrive(&other, 8, "ant");
    client_ask(&other, "ALLOCATE a -port 30001\n", "OK 30001 -name a -user ant\r\n");
    arrive(&client, 7, "fox");
    client_ask(&client, "ALLOCATE x\n", "OK 30009 -name x -user fox\r\n");
    for (size_t i = 0; i < sizeof requests / sizeof *requests; ++i) {
        client_say(&client, requests[i]);
        assert_true(client.did != SESSION_ALLOCATED);
        assert_int_equal(charged(QUOTA_PORTS, 7), 1);
    }
    client_leave(&client);
    client_leave(&other);
    fixture_end();
}

/* Under `trust` a quota is the proved user's, whatever is claimed. */
static void a_claim_does_not_get_around_a_quota(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    trust();
    fixture_limit(QUOTA_PORTS, 2);
    arrive(&client, 7, "fox");
    client_ask(&client, "GIMME a ant\nGIMME a owl\nGIMME a bee\n",
               "OK 30009\r\nOK 30008\r\n"
               "FAIL QUOTA {fox has 2 ports already, the most a user may have}\r\n");
    client_leave(&client);
    fixture_end();
}

/* ------------------------------------------------------------------- line -- */

static void a_request_stands_in_line_until_a_port_is_free(void **state)
{
    (void)state;
    struct client holder, waiter;
    fixture_begin_ports(5, 5);
    fixture_limit(QUOTA_WAITING, 10);
    arrive(&holder, 7, "fox");
    arrive(&waiter, 8, "ant");
    client_ask(&holder, "ALLOCATE a\n", "OK 5 -name a -user fox\r\n");
    client_ask(&waiter, "ALLOCATE b -wait 300\nPING\n", "");
    assert_int_equal(waiter.session.wants, SESSION_WANTS_PORT);
    assert_int_equal(waiter.session.until_ms, fixture.world.now_ms + 300);
    assert_int_equal(charged(QUOTA_WAITING, 8), 1);
    client_go_on(&waiter); /* in vain */
    client_expect(&waiter, "");
    assert_int_equal(charged(QUOTA_WAITING, 8), 1);
    client_ask(&holder, "RELEASE 5\n", "OK 5\r\n");
    client_go_on(&waiter);
    client_expect(&waiter, "OK 5 -name b -user ant\r\nOK\r\n");
    assert_int_equal(charged(QUOTA_WAITING, 8), 0);
    client_leave(&holder);
    client_leave(&waiter);
    fixture_end();
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
    (void)state;
    struct client holder, waiter;
    fixture_begin_ports(5, 5);
    fixture_limit(QUOTA_WAITING, 10);
    arrive(&holder, 7, "fox");
    arrive(&waiter, 7, "fox");
    client_ask(&holder, "ALLOCATE a\n", "OK 5 -name a -user fox\r\n");
    client_ask(&waiter, "ALLOCATE b -wait 300\n", "");
    fixture.world.now_ms += 299;
    client_go_on(&waiter);
    client_expect(&waiter, "");
    fixture.world.now_ms += 1;
    client_go_on(&waiter);
    client_expect(&waiter, "FAIL TIMEDOUT {no port became free within 300 ms}\r\n");
    assert_int_equal(waiter.did, SESSION_REFUSED);
    assert_int_equal(charged(QUOTA_WAITING, 7), 0);
    client_ask(&waiter, "ALLOCATE b -wait 200\n", "");
    assert_int_equal(waiter.session.until_ms, fixture.world.now_ms + 200);
    client_leave(&holder);
    fixture.world.now_ms += 500; /* late, but there is a port */
    client_go_on(&waiter);
    client_expect(&waiter, "OK 5 -name b -user fox\r\n");
    client_leave(&waiter);
    fixture_end();
}

static void each_reason_that_can_pass_is_waited_for(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *answer;
    } rows[] = {
        {"ALLOCATE b -wait 9\n", "OK 6 -name b -user ant\r\n"},
        {"ALLOCATE b -wait 9 -port 5\n", "OK 5 -name b -user ant\r\n"},
        {"ALLOCATE b -wait 9 -count 2\n", "OK 5 -name b -user ant -count 2\r\n"},
        {"ALLOCATE b -wait 9 -count 2 -port 5\n", "OK 5 -name b -user ant -count 2\r\n"},
        {"ALLOCATE b -wait 9 -unique 1\n", "OK 6 -name b -user ant\r\n"},
        {"ALLOCATE b -wait 9 -hold 1\n", "OK 6 -name b -user ant -held 1\r\n"},
        {"ALLOCATE b -wait 9 -instance exact\n", "OK 6 -name b -user ant\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        struct client holder, waiter;
        fixture_begin_ports(5, 6);
        arrive(&holder, 7, "fox");
        arrive(&waiter, 8, "ant");
        client_ask(&holder, "ALLOCATE a -count 2\n", "OK 5 -name a -user fox -count 2\r\n");
        client_ask(&waiter, rows[i].request, "");
        assert_int_equal(waiter.session.wants, SESSION_WANTS_PORT);
        client_leave(&holder);
        client_go_on(&waiter);
        client_expect(&waiter, rows[i].answer);
        client_leave(&waiter);
        fixture_end();
    }
}

static void a_name_that_is_taken_is_waited_for(void **state)
{
    (void)state;
    struct client holder, waiter;
    fixture_begin();
    arrive(&holder, 7, "fox");
    arrive(&waiter, 7, "fox");
    client_ask(&holder, "ALLOCATE a\n", "OK 30009 -name a -user fox\r\n");
    client_ask(&waiter, "ALLOCATE a -instance exact -wait 9\n", "");
    client_leave(&holder);
    client_go_on(&waiter);
    client_expect(&waiter, "OK 30008 -name a -user fox\r\n");
    client_leave(&waiter);
    fixture_end();
}

static void who_waits_for_a_port_joins_one_that_came_meanwhile(void **state)
{
    (void)state;
    struct client holder, waiter;
    fixture_begin_ports(5, 5);
    arrive(&holder, 7, "fox");
    arrive(&waiter, 7, "fox");
    client_ask(&holder, "ALLOCATE a\n", "OK 5 -name a -user fox\r\n");
    client_ask(&waiter, "ALLOCATE b -unique 1 -wait 9\n", "");
    client_ask(&holder, "RELEASE 5\nALLOCATE b\n", "OK 5\r\nOK 5 -name b -user fox\r\n");
    client_go_on(&waiter);
    client_expect(&waiter, "OK 5 -name b -user fox -joined 1\r\n");
    assert_int_equal(session_held(&waiter.session), 0);
    client_leave(&waiter);
    client_leave(&holder);
    fixture_end();
}

static void a_user_has_so_many_requests_in_line(void **state)
{
    (void)state;
    struct client holder, one, two, three;
    fixture_begin_ports(5, 5);
    fixture_limit(QUOTA_WAITING, 1);
    arrive(&holder, 7, "fox");
    arrive(&one, 8, "ant");
    arrive(&two, 8, "ant");
    arrive(&three, 9, "owl");
    client_ask(&holder, "ALLOCATE a\n", "OK 5 -name a -user fox\r\n");
    client_ask(&one, "ALLOCATE b -wait 9\n", "");
    client_ask(&two, "ALLOCATE b -wait 9\n",
               "FAIL QUOTA {ant has 1 requests in line already, the most a user may have}\r\n");
    client_ask(&three, "ALLOCATE b -wait 9\n", "");
    client_leave(&one); /* in line */
    assert_int_equal(charged(QUOTA_WAITING, 8), 0);
    client_ask(&two, "ALLOCATE b -wait 9\n", "");
    client_leave(&two);
    client_leave(&three);
    client_leave(&holder);
    fixture_end();
}

/* The quota of ports is looked at when there is a port, not when the line is joined. */
static void who_is_served_beyond_his_quota_is_refused(void **state)
{
    (void)state;
    struct client holder, waiter, other;
    fixture_begin_ports(5, 6);
    fixture_limit(QUOTA_PORTS, 1);
    fixture_limit(QUOTA_WAITING, 9);
    arrive(&holder, 0, "root");
    arrive(&waiter, 8, "ant");
    arrive(&other, 8, "ant");
    client_ask(&holder, "ALLOCATE a -count 2\n", "OK 5 -name a -user root -count 2\r\n");
    client_ask(&waiter, "ALLOCATE b -wait 9\n", "");
    assert_int_equal(charged(QUOTA_PORTS, 8), 0);
    client_ask(&holder, "RELEASE 5\n", "OK 5\r\n");
    client_ask(&other, "ALLOCATE c\n", "OK 5 -name c -user ant\r\n");
    client_go_on(&waiter);
    client_expect(&waiter,
                  "FAIL QUOTA {ant has 1 ports already, the most a user may have}\r\n");
    assert_int_equal(charged(QUOTA_WAITING, 8), 0);
    client_leave(&other);
    client_leave(&waiter);
    client_leave(&holder);
    fixture_end();
}

static void what_ends_while_it_waits_leaves_the_line(void **state)
{
    (void)state;
    struct client holder, waiter;
    fixture_begin_ports(5, 5);
    fixture_limit(QUOTA_WAITING, 9);
    arrive(&holder, 7, "fox");
    arrive(&waiter, 8, "ant");
    client_ask(&holder, "ALLOCATE a\n", "OK 5 -name a -user fox\r\n");
    client_ask(&waiter, "ALLOCATE b -wait 9\n", "");
    session_abandon(&waiter.session);
    session_abandon(&waiter.session); /* again is harmless */
    assert_int_equal(charged(QUOTA_WAITING, 8), 0);
    assert_int_equal(waiter.session.wants, SESSION_WANTS_NOTHING);
    client_ask(&waiter, "PING\n", "OK\r\n");
    client_leave(&waiter);
    client_leave(&holder);
    fixture_end();
}

/* ----------------------------------------------------------------- LISTEN -- */

static void listen_gives_a_socket_on_a_held_port(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    arrive_unix(&client, 7, "fox");
    client_ask(&client, "LISTEN a\n", "OK 30009 -name a -user fox -held 1\r\n");
    assert_int_equal(fixture.listen_port, 30009);
    assert_int_equal(fixture.listen_backlog, 128);
    assert_string_equal(fixture.listen_address, "");
    client_ask(&client, "LISTEN a -myaddr ::1 -backlog 5 -port 30003 -attributes {k v}\nFIND\n",
               "OK 30003 -name a_1 -user fox -held 1\r\n"
               "OK 2\r\n30003 a_1 fox {k v}\r\n30009 a fox {}\r\n");
    assert_string_equal(fixture.listen_address, "::1");
    assert_int_equal(fixture.listen_backlog, 5);
    assert_int_equal(fixture.listen_port, 30003);
    client_leave(&client);
    fixture_end();
}

static void listen_that_fails_gives_everything_back(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    fixture_limit(QUOTA_PORTS, 9);
    arrive_unix(&client, 7, "fox");
    fixture.listen_error = -EADDRNOTAVAIL;
    client_ask(&client, "LISTEN a -myaddr 192.0.2.1\n",
               "FAIL ADDRESS {cannot listen on 192.0.2.1 port 30009: Cannot assign requested "
               "address}\r\n");
    fixture.listen_error = -EADDRINUSE;
    client_ask(&client, "LISTEN a\n",
               "FAIL ADDRESS {cannot listen on all addresses port 30008: Address already in "
               "use}\r\n");
    assert_int_equal(client.did, SESSION_REFUSED);
    assert_int_equal(fixture.kernel.held_count, 0);
    assert_int_equal(charged(QUOTA_PORTS, 7), 0);
    assert_int_equal(table_count(fixture.world.table), 0);
    assert_int_equal(fixture.released_count, 0);
    client_leave(&client);
    fixture_end();
}

static void listen_needs_what_can_carry_a_socket_and_hold_a_port(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    arrive(&client, 7, "fox");
    client_ask(&client, "LISTEN a\n",
               "FAIL NOTUNIX {LISTEN needs a connection to the manager's socket in the file "
               "system}\r\n");
    client.session.unix_domain = true;
    fixture.world.rules.holds_none = true;
    client_ask(&client, "LISTEN a\n", "FAIL NOHOLD {the port manager holds no ports}\r\n");
    client_leave(&client);
    fixture_end();
}

/* The socket goes with the first byte of its message, so nothing may be before that. */
static void listen_waits_until_all_before_it_is_sent(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    arrive_unix(&client, 7, "fox");
    client.unread = true;
    client_ask(&client, "PING\nLISTEN a\nPING\n", "OK\r\n");
    assert_int_equal(client.session.wants, SESSION_WANTS_DRAIN);
    assert_int_equal(table_count(fixture.world.table), 0);
    client_go_on(&client);
    client_expect(&client, "");
    client.unread = false;
    client_go_on(&client);
    client_expect(&client, "OK 30009 -name a -user fox -held 1\r\nOK\r\n");
    client_leave(&client);
    fixture_end();
}

static void listen_stands_in_line_too(void **state)
{
    (void)state;
    struct client holder, waiter;
    fixture_begin_ports(5, 5);
    arrive(&holder, 7, "fox");
    arrive_unix(&waiter, 8, "ant");
    client_ask(&holder, "ALLOCATE a\n", "OK 5 -name a -user fox\r\n");
    client_ask(&waiter, "LISTEN b -wait 50\n", "");
    client_leave(&holder);
    client_go_on(&waiter);
    client_expect(&waiter, "OK 5 -name b -user ant -held 1\r\n");
    client_leave(&waiter);
    fixture_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_false_claim_is_corrected_and_told),
        cmocka_unit_test(a_false_claim_is_refused_where_claims_are_verified),
        cmocka_unit_test(a_claim_counts_where_claims_are_trusted),
        cmocka_unit_test(root_may_name_any_user),
        cmocka_unit_test(who_is_not_proved_gets_nothing),
        cmocka_unit_test(a_request_waits_until_the_kernel_has_told),
        cmocka_unit_test(who_leaves_before_the_kernel_has_told_leaves_nothing),
        cmocka_unit_test(a_proof_is_asked_for_once),
        cmocka_unit_test(a_user_releases_a_port_of_another_connection),
        cmocka_unit_test(a_stranger_releases_nothing),
        cmocka_unit_test(root_releases_any_port),
        cmocka_unit_test(what_a_trusted_claim_got_only_its_connection_and_root_release),
        cmocka_unit_test(ones_own_port_needs_no_proof),
        cmocka_unit_test(a_port_that_went_while_the_kernel_was_asked_is_not_allocated),
        cmocka_unit_test(a_user_has_so_many_ports_and_no_more),
        cmocka_unit_test(what_is_refused_is_not_charged),
        cmocka_unit_test(a_claim_does_not_get_around_a_quota),
        cmocka_unit_test(a_request_stands_in_line_until_a_port_is_free),
        cmocka_unit_test(a_wait_ends_when_its_time_is_over),
        cmocka_unit_test(each_reason_that_can_pass_is_waited_for),
        cmocka_unit_test(a_name_that_is_taken_is_waited_for),
        cmocka_unit_test(who_waits_for_a_port_joins_one_that_came_meanwhile),
        cmocka_unit_test(a_user_has_so_many_requests_in_line),
        cmocka_unit_test(who_is_served_beyond_his_quota_is_refused),
        cmocka_unit_test(what_ends_while_it_waits_leaves_the_line),
        cmocka_unit_test(listen_gives_a_socket_on_a_held_port),
        cmocka_unit_test(listen_that_fails_gives_everything_back),
        cmocka_unit_test(listen_needs_what_can_carry_a_socket_and_hold_a_port),
        cmocka_unit_test(listen_waits_until_all_before_it_is_sent),
        cmocka_unit_test(listen_stands_in_line_too),
    };
    return cmocka_run_group_tests_name("grants", tests, NULL, NULL);
}
