/* test_session2.c - protocol 2: each request with its keys, and each refusal with its code. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "session_fixture.h"

#define ROWS(rows)   (rows), sizeof(rows) / sizeof *(rows)
#define CAPABILITIES "{owner hold watch}"
#define HELLO_OK     "OK 2 " CAPABILITIES "\r\n"

struct row {
    const char *request;
    const char *answer;
};

/* Each row is said by a client of its own who speaks protocol 2. */
static void assert_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        struct client client;
        fixture_begin();
        client_arrive(&client, 7, "fox");
        client_ask(&client, "HELLO 2\n", HELLO_OK);
        client_ask(&client, rows[i].request, rows[i].answer);
        assert_false(client.closed);
        client_leave(&client);
        fixture_end();
    }
}

/* ------------------------------------------------------------------ HELLO -- */

static void hello_is_answered_with_what_the_manager_can(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "HELLO 2\r\n", "HELLO 2\n",         "HELLO 3\n",           "HELLO 99999\n",
        "{HELLO} 2\n", "HELLO 2 lsports\n", "HELLO 2 a {b c} d\n",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; ++i) {
        struct client client;
        fixture_begin();
        client_arrive(&client, 7, "fox");
        client_ask(&client, forms[i], HELLO_OK);
        client_ask(&client, "PING\n", "OK\r\n");
        client_leave(&client);
        fixture_end();
    }
}

static void hello_may_be_said_again(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"HELLO 2\nHELLO 2\nPING\n", HELLO_OK HELLO_OK "OK\r\n"},
        {"ALLOCATE a\nHELLO 2\nRELEASE 30009\n",
         "OK 30009 -name a -user fox\r\n" HELLO_OK "OK 30009\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void a_bad_hello_ends_a_connection_of_protocol_1(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"HELLO\n", "FAIL {Invalid request HELLO}\r\n"},
        {"HELLO 1\n", "FAIL {Invalid request HELLO 1}\r\n"},
        {"HELLO 0\n", "FAIL {Invalid request HELLO 0}\r\n"},
        {"HELLO two\n", "FAIL {Invalid request HELLO two}\r\n"},
        {"HELLO -2\n", "FAIL {Invalid request HELLO -2}\r\n"},
        {"HELLO 2x\n", "FAIL {Invalid request HELLO 2x}\r\n"},
        {"HELLO {}\n", "FAIL {Invalid request HELLO {}}\r\n"},
        {"hello 2\n", "FAIL {Invalid request hello 2}\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        struct client client;
        fixture_begin();
        client_arrive(&client, 7, "fox");
        client_ask(&client, rows[i].request, rows[i].answer);
        assert_true(client.closed);
        client_leave(&client);
        fixture_end();
    }
}

static void a_bad_hello_is_refused_in_protocol_2(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"HELLO 1\nPING\n", "FAIL SYNTAX {Invalid request HELLO 1}\r\nOK\r\n"},
        {"HELLO\nPING\n", "FAIL SYNTAX {Invalid request HELLO}\r\nOK\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void what_can_be_depends_on_the_manager_and_the_connection(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    client_arrive(&client, 7, "fox");
    client.session.unix_domain = true;
    client_ask(&client, "HELLO 2\n", "OK 2 {owner hold listen watch}\r\n");
    fixture.world.rules.holds_none = true;
    client_ask(&client, "HELLO 2\n", "OK 2 {owner watch}\r\n");
    fixture.world.rules.holds_none = false;
    fixture.world.holder = (struct table_prober){.probe = NULL};
    client_ask(&client, "HELLO 2\n", "OK 2 {owner watch}\r\n");
    fixture.world.rules.trusts = true;
    client_ask(&client, "HELLO 2\n", "OK 2 watch\r\n");
    client_leave(&client);
    fixture_end();
}

static void before_hello_the_words_of_protocol_2_are_unknown(void **state)
{
    (void)state;
    static const char *const words[] = {"ALLOCATE a", "LISTEN a", "RELEASE 1", "FIND",
                                        "STATS",      "PING",     "WATCH",     "UNWATCH"};
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
        struct client client;
        char request[64], answer[64];
        fixture_begin();
        client_arrive(&client, 7, "fox");
        snprintf(request, sizeof request, "%s\nLIST\n", words[i]);
        snprintf(answer, sizeof answer, "FAIL {Invalid request %s}\r\n", words[i]);
        client_ask(&client, request, answer);
        assert_true(client.closed);
        client_leave(&client);
        fixture_end();
    }
}

static void protocol_1_goes_on_as_ever_behind_hello(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GIMME my app fox\nLIST\n", "OK 30009\r\nOK 1\r\n30009 {my app} fox\r\n"},
        {"LIST extra\n", "OK 0\r\n"},
        {"GIMME a fox\nALLOCATE a\nGIMME a fox\nLIST\n",
         "OK 30009\r\nOK 30008 -name a_1 -user fox\r\nOK 30007\r\n"
         "OK 3\r\n30007 a_2 fox\r\n30008 a_1 fox\r\n30009 a fox\r\n"},
    };
    assert_rows(ROWS(rows));
}

/* ----------------------------------------------------------------- codes -- */

static void refusals_have_a_code_and_do_not_end_the_connection(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"NO\nPING\n", "FAIL SYNTAX {Invalid request NO}\r\nOK\r\n"},
        {"allocate a\nPING\n", "FAIL SYNTAX {Invalid request allocate a}\r\nOK\r\n"},
        {"\nPING\n", "FAIL SYNTAX {Invalid request }\r\nOK\r\n"},
        {"{\nPING\n", "FAIL SYNTAX Invalid\\ request\\ \\{\r\nOK\r\n"},
        {"GIMME\nPING\n",
         "FAIL EMPTY {the names of application and user must not be empty}\r\nOK\r\n"},
        {"GIMME a\\nb fox\nPING\n",
         "FAIL CONTROL {a name must not contain control characters}\r\nOK\r\n"},
        {"GIMME \\ud800 fox\nPING\n",
         "FAIL CHARACTER {a name must not contain halves of surrogate pairs}\r\nOK\r\n"},
        {"ALLOCATE {}\n",
         "FAIL EMPTY {the names of application and user must not be empty}\r\n"},
        {"ALLOCATE a\\tb\n", "FAIL CONTROL {a name must not contain control characters}\r\n"},
        {"ALLOCATE \\udc00\n",
         "FAIL CHARACTER {a name must not contain halves of surrogate pairs}\r\n"},
        {"ALLOCATE a -user {}\n",
         "FAIL EMPTY {the names of application and user must not be empty}\r\n"},
        {"ALLOCATE a -user b\\nc\n",
         "FAIL CONTROL {a name must not contain control characters}\r\n"},
        {"LISTEN a\n",
         "FAIL NOTUNIX {LISTEN needs a connection to the manager's socket in the file "
         "system}\r\n"},
        {"RELEASE 30009\n", "FAIL NOTALLOCATED {port 30009 is not allocated}\r\n"},
        {"RELEASE 1\n", "FAIL NOTALLOCATED {port 1 is not allocated}\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void wrong_numbers_of_words_are_told_with_the_right_form(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE\n", "FAIL SYNTAX {wrong number of words: should be \"ALLOCATE name ?-key "
                       "value ...?\"}\r\n"},
        {"LISTEN\n",
         "FAIL SYNTAX {wrong number of words: should be \"LISTEN name ?-key value ...?\"}\r\n"},
        {"RELEASE\n", "FAIL SYNTAX {wrong number of words: should be \"RELEASE port\"}\r\n"},
        {"RELEASE 1 2\n", "FAIL SYNTAX {RELEASE has no key \"2\"}\r\n"},
        {"STATS all\n", "FAIL SYNTAX {STATS has no key \"all\"}\r\n"},
        {"PING 1\n", "FAIL SYNTAX {PING has no key \"1\"}\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void wrong_keys_are_named(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE a -x 1\n", "FAIL SYNTAX {ALLOCATE has no key \"-x\"}\r\n"},
        {"ALLOCATE a b\n", "FAIL SYNTAX {ALLOCATE has no key \"b\"}\r\n"},
        {"ALLOCATE a -name b\n", "FAIL SYNTAX {ALLOCATE has no key \"-name\"}\r\n"},
        {"ALLOCATE a -backlog 1\n", "FAIL SYNTAX {ALLOCATE has no key \"-backlog\"}\r\n"},
        {"LISTEN a -count 1\n", "FAIL SYNTAX {LISTEN has no key \"-count\"}\r\n"},
        {"LISTEN a -hold 1\n", "FAIL SYNTAX {LISTEN has no key \"-hold\"}\r\n"},
        {"LISTEN a -unique 1\n", "FAIL SYNTAX {LISTEN has no key \"-unique\"}\r\n"},
        {"FIND -count 1\n", "FAIL SYNTAX {FIND has no key \"-count\"}\r\n"},
        {"ALLOCATE a -port\n", "FAIL SYNTAX {the key -port has no value}\r\n"},
        {"FIND -name\n", "FAIL SYNTAX {the key -name has no value}\r\n"},
        {"ALLOCATE a -port 30001 -port 30001\n",
         "FAIL SYNTAX {the key -port is given twice}\r\n"},
        {"ALLOCATE a -unique 1 -count 2\n",
         "FAIL SYNTAX {the keys -unique and -count exclude each other}\r\n"},
        {"ALLOCATE a -count 2 -unique 1\n",
         "FAIL SYNTAX {the keys -unique and -count exclude each other}\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void wrong_values_are_named(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE a -port 0\n",
         "FAIL SYNTAX {the value of -port must be a port from 1 to 65535, not \"0\"}\r\n"},
        {"ALLOCATE a -port 65536\n",
         "FAIL SYNTAX {the value of -port must be a port from 1 to 65535, not \"65536\"}\r\n"},
        {"ALLOCATE a -port x\n",
         "FAIL SYNTAX {the value of -port must be a port from 1 to 65535, not \"x\"}\r\n"},
        {"ALLOCATE a -port {}\n",
         "FAIL SYNTAX {the value of -port must be a port from 1 to 65535, not \"\"}\r\n"},
        {"ALLOCATE a -port -1\n",
         "FAIL SYNTAX {the value of -port must be a port from 1 to 65535, not \"-1\"}\r\n"},
        {"ALLOCATE a -count 0\n",
         "FAIL SYNTAX {the value of -count must be from 1 to 1000, not \"0\"}\r\n"},
        {"ALLOCATE a -count 1001\n",
         "FAIL SYNTAX {the value of -count must be from 1 to 1000, not \"1001\"}\r\n"},
        {"ALLOCATE a -count 99999999999999999999\n",
         "FAIL SYNTAX {the value of -count must be from 1 to 1000, not "
         "\"99999999999999999999\"}\r\n"},
        {"ALLOCATE a -unique yes\n",
         "FAIL SYNTAX {the value of -unique must be 0 or 1, not \"yes\"}\r\n"},
        {"ALLOCATE a -hold 2\n",
         "FAIL SYNTAX {the value of -hold must be 0 or 1, not \"2\"}\r\n"},
        {"ALLOCATE a -wait 86400001\n", "FAIL SYNTAX {the value of -wait must be from 0 to "
                                        "86400000 ms, not \"86400001\"}\r\n"},
        {"ALLOCATE a -instance other\n",
         "FAIL SYNTAX {the value of -instance must be suffix or exact, not \"other\"}\r\n"},
        {"ALLOCATE a -attributes {a}\n",
         "FAIL SYNTAX {the value of -attributes must be a list of an even number of words, not "
         "\"a\"}\r\n"},
        {"ALLOCATE a -attributes {a 1 a 2}\n",
         "FAIL SYNTAX {the value of -attributes must be without a key that is there twice, not "
         "\"a 1 a 2\"}\r\n"},
        {"ALLOCATE a -attributes {{} 1}\n",
         "FAIL SYNTAX {the value of -attributes must be without an empty key, not \"{} "
         "1\"}\r\n"},
        {"RELEASE x\n",
         "FAIL SYNTAX {the value of port must be a port from 1 to 65535, not \"x\"}\r\n"},
        {"RELEASE 0\n",
         "FAIL SYNTAX {the value of port must be a port from 1 to 65535, not \"0\"}\r\n"},
        {"FIND -port x\n",
         "FAIL SYNTAX {the value of -port must be a port from 1 to 65535, not \"x\"}\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void a_line_that_is_too_long_ends_protocol_2_too(void **state)
{
    (void)state;
    struct client client;
    char line[FIXTURE_LINE_MAX + 2];
    fixture_begin();
    client_arrive(&client, 7, "fox");
    client_ask(&client, "HELLO 2\n", HELLO_OK);
    memset(line, 'x', sizeof line);
    client_send(&client, line, sizeof line);
    client_expect(&client,
                  "FAIL TOOLONG {Invalid request: the line is longer than 8192 bytes}\r\n");
    assert_true(client.closed);
    client_leave(&client);
    fixture_end();
}

static void an_unfinished_request_is_refused_in_the_form_of_its_protocol(void **state)
{
    (void)state;
    struct client client;
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    fixture_begin();
    client_arrive(&client, 7, "fox");
    client_ask(&client, "HELLO 2\nALLOCATE a", HELLO_OK);
    assert_int_equal(session_end(&client.session, &reply, &step), 0);
    assert_int_equal(step.event, SESSION_ILLEGAL);
    assert_true(step.close);
    assert_int_equal(pa_buf_append(&reply, "", 1), 0);
    assert_string_equal(reply.data, "FAIL SYNTAX {Invalid request ALLOCATE a}\r\n");
    session_step_deinit(&step);
    pa_buf_deinit(&reply);
    client_leave(&client);
    fixture_end();
}

/* --------------------------------------------------------------- ALLOCATE -- */

static void allocate_tells_name_and_user(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE a\n", "OK 30009 -name a -user fox\r\n"},
        {"ALLOCATE {two words}\n", "OK 30009 -name {two words} -user fox\r\n"},
        {"ALLOCATE a\nALLOCATE a\n",
         "OK 30009 -name a -user fox\r\nOK 30008 -name a_1 -user fox\r\n"},
        {"ALLOCATE a -instance suffix\n", "OK 30009 -name a -user fox\r\n"},
        {"ALLOCATE a -wait 0 -unique 0 -hold 0 -count 1\n", "OK 30009 -name a -user fox\r\n"},
        {"ALLOCATE a -attributes {}\nFIND\n",
         "OK 30009 -name a -user fox\r\nOK 1\r\n30009 a fox {}\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void allocate_gives_a_port_of_ones_choice(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE a -port 30004\n", "OK 30004 -name a -user fox\r\n"},
        {"ALLOCATE a -port 30004\nALLOCATE b -port 30004\n",
         "OK 30004 -name a -user fox\r\nFAIL INUSE {port 30004 is in use}\r\n"},
        {"ALLOCATE a -port 30010\n", "FAIL NOTMANAGED {port 30010 is not managed here}\r\n"},
        {"ALLOCATE a -port 80 -wait 1000\n",
         "FAIL NOTMANAGED {port 80 is not managed here}\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void allocate_gives_ports_in_a_row(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE a -count 3\nLIST\n",
         "OK 30007 -name a -user fox -count 3\r\n"
         "OK 3\r\n30007 a fox\r\n30008 a_1 fox\r\n30009 a_2 fox\r\n"},
        {"ALLOCATE a -count 2 -port 30003\n", "OK 30003 -name a -user fox -count 2\r\n"},
        {"ALLOCATE a -count 2 -port 30009\n", "FAIL NOBLOCK {no 2 free ports in a row}\r\n"},
        {"ALLOCATE a -count 10\n", "FAIL NOBLOCK {no 10 free ports in a row}\r\n"},
        {"ALLOCATE a -count 9\nALLOCATE b\nRELEASE 30005\nALLOCATE b\n",
         "OK 30001 -name a -user fox -count 9\r\nFAIL NOFREE {no free ports}\r\n"
         "OK 30005\r\nOK 30005 -name b -user fox\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void allocate_takes_the_exact_name_or_none(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE a -instance exact\n", "OK 30009 -name a -user fox\r\n"},
        {"ALLOCATE a\nALLOCATE a -instance exact\n",
         "OK 30009 -name a -user fox\r\nFAIL TAKEN {a of fox is taken, by port 30009}\r\n"},
        {"ALLOCATE a -count 2\nALLOCATE a_1 -instance exact\n",
         "OK 30008 -name a -user fox -count 2\r\n"
         "FAIL TAKEN {a_1 of fox is taken, by port 30009}\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void allocate_joins_the_only_one_of_its_name(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ALLOCATE a -unique 1\n", "OK 30009 -name a -user fox\r\n"},
        {"ALLOCATE a -hold 1\nALLOCATE a -unique 1\nLIST\n",
         "OK 30009 -name a -user fox -held 1\r\n"
         "OK 30009 -name a -user fox -held 1 -joined 1\r\n"
         "OK 1\r\n30009 a fox\r\n"},
        {"ALLOCATE a -count 3\nALLOCATE a -unique 1\nALLOCATE a_2 -unique 1\n",
         "OK 30007 -name a -user fox -count 3\r\nOK 30007 -name a -user fox -joined 1\r\n"
         "OK 30009 -name a_2 -user fox -joined 1\r\n"},
        {"ALLOCATE a -unique 1\nRELEASE 30009\nALLOCATE a -unique 1\n",
         "OK 30009 -name a -user fox\r\nOK 30009\r\nOK 30008 -name a -user fox\r\n"},
    };
    assert_rows(ROWS(rows));
}

static void allocate_holds_the_port(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    client_arrive(&client, 7, "fox");
    client_ask(&client, "HELLO 2\n", HELLO_OK);
    client_ask(&client, "ALLOCATE a -hold 1\n", "OK 30009 -name a -user fox -held 1\r\n");
    client_ask(&client, "ALLOCATE a -hold 1 -count 2\n",
               "OK 30007 -name a_1 -user fox -count 2 -held 1\r\n");
    client_ask(&client, "ALLOCATE a\n", "OK 30006 -name a_3 -user fox\r\n");
    assert_true(fixture.kernel.held[30009] && fixture.kernel.held[30007]);
    assert_int_equal(fixture.kernel.held_count, 3);
    client_ask(&client, "RELEASE 30008\n", "OK 30008\r\n");
    assert_false(fixture.kernel.held[30008]);
    client_leave(&client);
    fixture_end();
}

static void how_ports_are_held_is_the_managers_to_say(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    client_arrive(&client, 7, "fox");
    fixture.world.rules.holds_all = true;
    client_ask(&client, "GIMME g fox\nHELLO 2\n", "OK 30009\r\n" HELLO_OK);
    assert_true(fixture.kernel.held[30009]);
    client_ask(&client, "ALLOCATE a\n", "OK 30008 -name a -user fox -held 1\r\n");
    client_ask(&client, "ALLOCATE a -hold 0\n", "OK 30007 -name a_1 -user fox\r\n");
    fixture.world.rules.holds_all = false;
    fixture.world.rules.holds_none = true;
    client_ask(&client, "ALLOCATE a -hold 1\n",
               "FAIL NOHOLD {the port manager holds no ports}\r\n");
    client_ask(&client, "ALLOCATE a\n", "OK 30006 -name a_2 -user fox\r\n");
    client_leave(&client);
    fixture_end();
}

static void what_is_in_use_or_cannot_be_tried_has_its_code(void **state)
{
    (void)state;
    struct client client;
    fixture_begin();
    client_arrive(&client, 7, "fox");
    client_ask(&client, "HELLO 2\n", HELLO_OK);
    memset(fixture.kernel.state, TABLE_PORT_IN_USE, sizeof fixture.kernel.state);
    client_ask(&client, "ALLOCATE a\n", "FAIL NOFREE {no free ports}\r\n");
    client_ask(&client, "ALLOCATE a -port 30003\n", "FAIL INUSE {port 30003 is in use}\r\n");
    client_ask(&client, "ALLOCATE a -count 2\n", "FAIL NOBLOCK {no 2 free ports in a row}\r\n");
    client_ask(&client, "GIMME a fox\n", "FAIL NOFREE {no free ports}\r\n");
    fixture.kernel.error = -EMFILE;
    client_ask(&client, "ALLOCATE a -wait 1000\n",
               "FAIL NOPROBE {no port could be tried: the log of the port manager says "
               "why}\r\n");
    client_leave(&client);
    fixture_end();
}

/* ------------------------------------------------------------------- FIND -- */

static void find_tells_what_matches_in_the_order_of_the_list(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"FIND\n", "OK 5\r\n30009 daq fox {a 1 b {x y}}\r\n30006 q fox {}\r\n"
                   "30007 row fox {}\r\n30008 row_1 fox {}\r\n30005 {two words} fox {}\r\n"},
        {"FIND -name daq\n", "OK 1\r\n30009 daq fox {a 1 b {x y}}\r\n"},
        {"FIND -name row\n", "OK 1\r\n30007 row fox {}\r\n"},
        {"FIND -name row_1\n", "OK 1\r\n30008 row_1 fox {}\r\n"},
        {"FIND -name row*\n", "OK 2\r\n30007 row fox {}\r\n30008 row_1 fox {}\r\n"},
        {"FIND -name ?\n", "OK 1\r\n30006 q fox {}\r\n"},
        {"FIND -name {[dq]*}\n", "OK 2\r\n30009 daq fox {a 1 b {x y}}\r\n30006 q fox {}\r\n"},
        {"FIND -name {\\q}\n", "OK 1\r\n30006 q fox {}\r\n"},
        {"FIND -name {two words}\n", "OK 1\r\n30005 {two words} fox {}\r\n"},
        {"FIND -name Q\n", "OK 0\r\n"},
        {"FIND -name {}\n", "OK 0\r\n"},
        {"FIND -user fox -name q\n", "OK 1\r\n30006 q fox {}\r\n"},
        {"FIND -user ant\n", "OK 0\r\n"},
        {"FIND -user f* -port 30006\n", "OK 1\r\n30006 q fox {}\r\n"},
        {"FIND -user ant -port 30006\n", "OK 0\r\n"},
        {"FIND -name x -port 30006\n", "OK 0\r\n"},
        {"FIND -port 30008\n", "OK 1\r\n30008 row_1 fox {}\r\n"},
        {"FIND -port 30001\n", "OK 0\r\n"},
        {"FIND -port 1\n", "OK 0\r\n"},
    };
    struct client owner, other;
    fixture_begin();
    client_arrive(&owner, 7, "fox");
    client_say(&owner,
               "HELLO 2\nALLOCATE daq -attributes {a 1  b {x y}}\nALLOCATE row -count 2\n"
               "ALLOCATE q\nALLOCATE {two words}\n");
    client_arrive_remote(&other);
    client_ask(&other, "HELLO 2\n", HELLO_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
        client_ask(&other, rows[i].request, rows[i].answer);
    client_leave(&other);
    client_leave(&owner);
    fixture_end();
}

static void find_by_name_tells_of_all_users(void **state)
{
    (void)state;
    struct client fox, ant;
    fixture_begin();
    client_arrive(&fox, 7, "fox");
    client_arrive(&ant, 8, "ant");
    client_ask(&fox, "HELLO 2\nALLOCATE a\n", HELLO_OK "OK 30009 -name a -user fox\r\n");
    client_ask(&ant, "HELLO 2\nALLOCATE a\n", HELLO_OK "OK 30008 -name a -user ant\r\n");
    client_ask(&ant, "FIND -name a\n", "OK 2\r\n30008 a ant {}\r\n30009 a fox {}\r\n");
    client_ask(&ant, "FIND -name a -user f?x\n", "OK 1\r\n30009 a fox {}\r\n");
    client_leave(&fox);
    client_ask(&ant, "FIND -name a\n", "OK 1\r\n30008 a ant {}\r\n");
    client_leave(&ant);
    fixture_end();
}

/* ---------------------------------------------------------- STATS and PING -- */

static void stats_tell_what_there_is(void **state)
{
    (void)state;
    struct client fox, ant;
    fixture_begin();
    client_arrive(&fox, 7, "fox");
    client_arrive(&ant, 8, "ant");
    client_ask(&ant, "HELLO 2\nSTATS\n",
               HELLO_OK "OK {protocol 2 ports 9 allocated 0 held 0 connections 3 waiting 1 "
                        "users 0 watchers 0 uptime_s 4 pid 99 version " PACKAGE_VERSION
                        "}\r\n");
    client_say(&fox, "HELLO 2\nALLOCATE a -hold 1 -count 2\nALLOCATE b\n");
    client_say(&ant, "ALLOCATE b\n");
    ant.answers.size = 0;
    fixture.world.now_ms += 999;
    client_ask(&ant, "STATS\n",
               "OK {protocol 2 ports 9 allocated 4 held 2 connections 3 waiting 1 "
               "users 2 watchers 0 uptime_s 4 pid 99 version " PACKAGE_VERSION "}\r\n");
    client_leave(&fox);
    client_leave(&ant);
    fixture_end();
}

static void a_remote_client_may_look_and_not_touch(void **state)
{
    (void)state;
#define REMOTE "FAIL NOTLOCAL {192.0.2.7 (192.0.2.7) : Only local applications get ports}\r\n"
    static const struct row rows[] = {
        {"PING\n", "OK\r\n"},
        {"FIND\n", "OK 0\r\n"},
        {"LIST\n", "OK 0\r\n"},
        {"ALLOCATE a\nPING\n", REMOTE "OK\r\n"},
        {"ALLOCATE a -x 1\nPING\n", REMOTE "OK\r\n"},
        {"LISTEN a\nPING\n", REMOTE "OK\r\n"},
        {"GIMME a fox\nPING\n", REMOTE "OK\r\n"},
        {"GIMME\nPING\n", REMOTE "OK\r\n"},
        {"RELEASE 30009\nPING\n", REMOTE "OK\r\n"},
        {"NO\nPING\n", "FAIL SYNTAX {Invalid request NO}\r\nOK\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        struct client client;
        fixture_begin();
        client_arrive_remote(&client);
        client_ask(&client, "HELLO 2\n", HELLO_OK);
        client_ask(&client, rows[i].request, rows[i].answer);
        assert_false(client.closed);
        client_leave(&client);
        fixture_end();
    }
}

static void requests_cut_anywhere_are_answered_the_same(void **state)
{
    (void)state;
    static const char request[] = "HELLO 2\r\nALLOCATE a -count 2\nFIND -name "
                                  "a_1\rPING\n\r\nRELEASE 30008\nGIMME b fox\n";
    static const char answer[] =
        HELLO_OK "OK 30008 -name a -user fox -count 2\r\nOK 1\r\n30009 a_1 fox {}\r\nOK\r\n"
                 "FAIL SYNTAX {Invalid request }\r\nOK 30008\r\nOK 30007\r\n";
    for (size_t first = 0; first < sizeof request; ++first) {
        struct client client;
        fixture_begin();
        client_arrive(&client, 7, "fox");
        client_send(&client, request, first);
        client_say(&client, request + first);
        client_expect(&client, answer);
        client_leave(&client);
        fixture_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_answered_with_what_the_manager_can),
        cmocka_unit_test(hello_may_be_said_again),
        cmocka_unit_test(a_bad_hello_ends_a_connection_of_protocol_1),
        cmocka_unit_test(a_bad_hello_is_refused_in_protocol_2),
        cmocka_unit_test(what_can_be_depends_on_the_manager_and_the_connection),
        cmocka_unit_test(before_hello_the_words_of_protocol_2_are_unknown),
        cmocka_unit_test(protocol_1_goes_on_as_ever_behind_hello),
        cmocka_unit_test(refusals_have_a_code_and_do_not_end_the_connection),
        cmocka_unit_test(wrong_numbers_of_words_are_told_with_the_right_form),
        cmocka_unit_test(wrong_keys_are_named),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(a_line_that_is_too_long_ends_protocol_2_too),
        cmocka_unit_test(an_unfinished_request_is_refused_in_the_form_of_its_protocol),
        cmocka_unit_test(allocate_tells_name_and_user),
        cmocka_unit_test(allocate_gives_a_port_of_ones_choice),
        cmocka_unit_test(allocate_gives_ports_in_a_row),
        cmocka_unit_test(allocate_takes_the_exact_name_or_none),
        cmocka_unit_test(allocate_joins_the_only_one_of_its_name),
        cmocka_unit_test(allocate_holds_the_port),
        cmocka_unit_test(how_ports_are_held_is_the_managers_to_say),
        cmocka_unit_test(what_is_in_use_or_cannot_be_tried_has_its_code),
        cmocka_unit_test(find_tells_what_matches_in_the_order_of_the_list),
        cmocka_unit_test(find_by_name_tells_of_all_users),
        cmocka_unit_test(stats_tell_what_there_is),
        cmocka_unit_test(a_remote_client_may_look_and_not_touch),
        cmocka_unit_test(requests_cut_anywhere_are_answered_the_same),
    };
    return cmocka_run_group_tests_name("session of protocol 2", tests, NULL, NULL);
}
