/* test_session.c - one client's protocol: bytes in, one answered request at a time out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "fake_prober.h"
#include "session.h"

enum { LINE_MAX_BYTES = 64, LOW = 30001, HIGH = 30009 };

#define HOST         "192.0.2.7"
#define REFUSED_HOST "FAIL {192.0.2.7 (192.0.2.7) : Only local applications get ports}\r\n"
#define EMPTY_NAME   "FAIL {the names of application and user must not be empty}\r\n"
#define CONTROL      "FAIL {a name must not contain control characters}\r\n"
#define NO_CHARACTER "FAIL {a name must not contain halves of surrogate pairs}\r\n"
#define NO_PORTS     "FAIL {no free ports}\r\n"
#define NO_MEMORY    "FAIL {the port manager is out of memory}\r\n"
#define TOO_LONG     "FAIL {Invalid request: the line is longer than 64 bytes}\r\n"

static const struct siphash_key hash_key = {{1, 2}};
static struct fake_prober fake;
static struct session_world world;
static struct quota quota;
static struct watchers watchers;

/* What was released since somebody last looked, the latest last. */
static struct {
    unsigned ports[4];
    size_t count;
} released;

static void on_released(void *context, const struct table_entry *entry)
{
    (void)context;
    assert_ptr_equal(table_find(world.table, entry->name, entry->user),
                     entry); /* not gone yet */
    if (released.count < sizeof released.ports / sizeof *released.ports)
        released.ports[released.count] = entry->port;
    released.count += 1;
}

static void begin(uint16_t low, uint16_t high)
{
    const struct table_range range = {low, high};
    fake_prober_reset(&fake);
    quota_init(&quota, &(struct quota_limits){{0}});
    world = (struct session_world){.prober = fake_prober_of(&fake),
                                   .quota = &quota,
                                   .watchers = &watchers,
                                   .rules = {.trusts = true},
                                   .released = on_released,
                                   .now_ms = 1000};
    assert_int_equal(table_new(&world.table, &range, 1, 5000, &hash_key), 0);
    watchers_init(&watchers, world.table, &(struct watchers_io){.context = NULL});
}

static void end(void)
{
    assert_int_equal(table_count(world.table), 0);
    watchers_deinit(&watchers);
    world.table = table_free(world.table);
}

/* One client and all it was answered. */
struct client {
    struct session session;
    struct pa_buf answers;
    bool closed; /* the manager reads no more of it */
};

static void arrive(struct client *client, bool local)
{
    client->answers = (struct pa_buf)PA_BUF_NULL;
    client->closed = false;
    session_init(&client->session, &world, HOST, local, LINE_MAX_BYTES);
}

static void keep_answer(struct client *client, const struct pa_buf *reply,
                        const struct session_step *step)
{
    assert_int_equal(pa_buf_append(&client->answers, reply->data, reply->size), 0);
    if (step->snapshot)
        assert_int_equal(
            pa_buf_append(&client->answers, step->snapshot->text, step->snapshot->size), 0);
    client->closed = step->close;
}

/* Feeds one packet from memory of its own size, so that reading behind it shows. */
static void feed(struct client *client, const char *bytes, size_t size)
{
    char *packet = test_malloc(size + 1);
    memcpy(packet, bytes, size);
    const char *cursor = packet;
    int r = 0;
    while (r == 0 && !client->closed) {
        struct pa_buf reply = PA_BUF_NULL;
        struct session_step step;
        r = session_next(&client->session, &cursor, packet + size, &reply, &step);
        if (r == 0) {
            keep_answer(client, &reply, &step);
            session_step_deinit(&step);
        } else {
            assert_int_equal(r, SESSION_IDLE);
            assert_int_equal(reply.size, 0);
            assert_ptr_equal(cursor, packet + size);
        }
        pa_buf_deinit(&reply);
    }
    test_free(packet);
}

static void say(struct client *client, const char *text)
{
    feed(client, text, strlen(text));
}

static void finish(struct client *client)
{
    if (client->closed)
        return;
    struct pa_buf reply = PA_BUF_NULL;
    struct session_step step;
    int r = session_end(&client->session, &reply, &step);
    if (r == 0) {
        assert_int_equal(step.event, SESSION_ILLEGAL);
        assert_true(step.close);
        keep_answer(client, &reply, &step);
        session_step_deinit(&step);
    } else {
        assert_int_equal(r, SESSION_IDLE);
    }
    pa_buf_deinit(&reply);
}

static void leave(struct client *client)
{
    size_t held = session_held(&client->session);
    released.count = 0;
    while (session_release_one(&client->session))
        continue;
    assert_int_equal(released.count, held);
    session_deinit(&client->session);
    pa_buf_deinit(&client->answers);
}

static void assert_answers(struct client *client, const char *expected)
{
    assert_int_equal(pa_buf_append(&client->answers, "", 1), 0);
    assert_string_equal(client->answers.data, expected);
    client->answers.size = 0;
}

/* ------------------------------------------------- the protocol, row by row -- */

#define BYTES(text) (text), sizeof(text) - 1

struct row {
    const char *request;
    size_t size;
    const char *answers;
    bool closes; /* the manager ends the connection by itself */
};

static void converse(const struct row *row, bool local, size_t first, bool bytewise)
{
    struct client client;
    begin(LOW, HIGH);
    arrive(&client, local);
    if (bytewise)
        for (size_t i = 0; i < row->size; ++i)
            feed(&client, row->request + i, 1);
    else
        feed(&client, row->request, first);
    if (!bytewise && !client.closed)
        feed(&client, row->request + first, row->size - first);
    if (client.closed != row->closes)
        fail_msg("%s: closed is %d", row->request, client.closed);
    finish(&client);
    assert_answers(&client, row->answers);
    leave(&client);
    end();
}

/* Whole, in two packets cut anywhere, and byte by byte: the answers are the same. */
static void assert_rows(const struct row *rows, size_t count, bool local)
{
    for (size_t i = 0; i < count; ++i) {
        for (size_t first = 0; first <= rows[i].size; ++first)
            converse(&rows[i], local, first, false);
        converse(&rows[i], local, 0, true);
    }
}

#define ROWS(rows) (rows), sizeof(rows) / sizeof *(rows)

static void list_is_answered_with_the_ports(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("LIST\r\n"), "OK 0\r\n", false},
        {BYTES("LIST extra words\n"), "OK 0\r\n", false},
        {BYTES("{LIST}\n"), "OK 0\r\n", false},
        {BYTES("  LIST  \n"), "OK 0\r\n", false},
        {BYTES("\tLIST\n"), "OK 0\r\n", false},
        {BYTES("\"LIST\"\n"), "OK 0\r\n", false},
        {BYTES("GIMME b u\nGIMME a u\nLIST\n"),
         "OK 30009\r\nOK 30008\r\nOK 2\r\n30008 a u\r\n30009 b u\r\n", false},
    };
    assert_rows(ROWS(rows), true);
}

static void gimme_is_answered_with_a_port(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME a u\r\n"), "OK 30009\r\n", false},
        {BYTES("{GIMME} {a} {u}\r\n"), "OK 30009\r\n", false},
        {BYTES("GIMME a u\nGIMME a u\nGIMME a u\nLIST\n"),
         "OK 30009\r\nOK 30008\r\nOK 30007\r\nOK 3\r\n"
         "30007 a_2 u\r\n30008 a_1 u\r\n30009 a u\r\n",
         false},
        {BYTES("GIMME a_1 u\nGIMME a u\nGIMME a u\nLIST\n"),
         "OK 30009\r\nOK 30008\r\nOK 30007\r\nOK 3\r\n"
         "30007 a_2 u\r\n30008 a u\r\n30009 a_1 u\r\n",
         false},
    };
    assert_rows(ROWS(rows), true);
}

static void the_last_word_is_the_user_and_those_before_it_the_name(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME my app u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {my app} u\r\n", false},
        {BYTES("GIMME  a  b   c u \nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {a b c} u\r\n", false},
        {BYTES("GIMME a {two words} u\nLIST\n"),
         "OK 30009\r\nOK 1\r\n30009 {a two words} u\r\n", false},
    };
    assert_rows(ROWS(rows), true);
}

static void names_are_list_elements(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME {two words} u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {two words} u\r\n",
         false},
        {BYTES("GIMME \"two words\" u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {two words} u\r\n",
         false},
        {BYTES("GIMME two\\ words u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {two words} u\r\n",
         false},
        {BYTES("GIMME a\\{b u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 a\\{b u\r\n", false},
        {BYTES("GIMME a{b u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 a\\{b u\r\n", false},
        {BYTES("GIMME a\"b u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 a\\\"b u\r\n", false},
        {BYTES("GIMME a;b u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {a;b} u\r\n", false},
        {BYTES("GIMME $x u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {$x} u\r\n", false},
        {BYTES("GIMME [x] u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 {[x]} u\r\n", false},
        {BYTES("GIMME #h u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 #h u\r\n", false},
        {BYTES("GIMME #h #u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 #h #u\r\n", false},
        {BYTES("GIMME a {two words}\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 a {two words}\r\n",
         false},
    };
    assert_rows(ROWS(rows), true);
}

static void names_must_not_be_empty(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME\nLIST\n"), EMPTY_NAME "OK 0\r\n", false},
        {BYTES("GIMME a\nLIST\n"), EMPTY_NAME "OK 0\r\n", false},
        {BYTES("GIMME {} u\nLIST\n"), EMPTY_NAME "OK 0\r\n", false},
        {BYTES("GIMME a {}\nLIST\n"), EMPTY_NAME "OK 0\r\n", false},
        {BYTES("GIMME {} {}\nGIMME a u\n"), EMPTY_NAME "OK 30009\r\n", false},
    };
    assert_rows(ROWS(rows), true);
}

static void names_must_not_hold_control_characters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME a\\nb u\nLIST\n"), CONTROL "OK 0\r\n", false},
        {BYTES("GIMME a \\r\nLIST\n"), CONTROL "OK 0\r\n", false},
        {BYTES("GIMME {a\tb} u\nLIST\n"), CONTROL "OK 0\r\n", false},
        {BYTES("GIMME a\x7f u\n"), CONTROL, false},
        {BYTES("GIMME a\x1b[2J u\n"), CONTROL, false},
        {BYTES("GIMME a\\x00b u\n"), CONTROL, false},
        {BYTES("GIMME a\\u0085b u\n"), CONTROL, false},
        {BYTES("GIMME a\x85 u\n"), CONTROL, false},
        {BYTES("GIMME a\xC2\x85 u\n"), CONTROL, false},
    };
    assert_rows(ROWS(rows), true);
}

static void utf8_is_kept_and_other_bytes_are_latin1(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME \xC3\xA9 u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 \xC3\xA9 u\r\n", false},
        {BYTES("GIMME \xE9 u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 \xC3\xA9 u\r\n", false},
        {BYTES("GIMME \xF0\x9F\x98\x80 u\nLIST\n"),
         "OK 30009\r\nOK 1\r\n30009 \xF0\x9F\x98\x80 u\r\n", false},
        {BYTES("GIMME a\xFF u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 a\xC3\xBF u\r\n", false},
        {BYTES("GIMME \\u00e9 u\nLIST\n"), "OK 30009\r\nOK 1\r\n30009 \xC3\xA9 u\r\n", false},
    };
    assert_rows(ROWS(rows), true);
}

/* Half of a surrogate pair has no UTF-8, and must not get into anyone's list. */
static void names_must_not_hold_what_has_no_utf8(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME \\ud800 u\nLIST\n"), NO_CHARACTER "OK 0\r\n", false},
        {BYTES("GIMME a \\udfff\nLIST\n"), NO_CHARACTER "OK 0\r\n", false},
        {BYTES("GIMME \\ud83d\\ude00 u\nLIST\n"), NO_CHARACTER "OK 0\r\n", false},
    };
    assert_rows(ROWS(rows), true);
}

static void an_unknown_request_is_refused_and_the_connection_ended(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("HELLO\r\n"), "FAIL {Invalid request HELLO}\r\n", true},
        {BYTES("list\n"), "FAIL {Invalid request list}\r\n", true},
        {BYTES("LISTEN\n"), "FAIL {Invalid request LISTEN}\r\n", true},
        {BYTES("TERMINATE\n"), "FAIL {Invalid request TERMINATE}\r\n", true},
        {BYTES("{LIST a}\n"), "FAIL {Invalid request {LIST a}}\r\n", true},
        {BYTES("\n"), "FAIL {Invalid request }\r\n", true},
        {BYTES("\r\n"), "FAIL {Invalid request }\r\n", true},
        {BYTES("   \n"), "FAIL {Invalid request    }\r\n", true},
        {BYTES("{}\n"), "FAIL {Invalid request {}}\r\n", true},
        {BYTES("GIMME a u\nHELLO\nLIST\n"), "OK 30009\r\nFAIL {Invalid request HELLO}\r\n",
         true},
    };
    assert_rows(ROWS(rows), true);
    assert_rows(ROWS(rows) - 1, false);
}

static void what_is_no_list_is_refused_and_the_connection_ended(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME {a u\n"), "FAIL Invalid\\ request\\ GIMME\\ \\{a\\ u\r\n", true},
        {BYTES("{\n"), "FAIL Invalid\\ request\\ \\{\r\n", true},
        {BYTES("LIST {\n"), "FAIL Invalid\\ request\\ LIST\\ \\{\r\n", true},
        {BYTES("GIMME \"a u\n"), "FAIL {Invalid request GIMME \"a u}\r\n", true},
        {BYTES("GIMME {a}b u\n"), "FAIL {Invalid request GIMME {a}b u}\r\n", true},
        {BYTES("GIMME \"a\"b u\n"), "FAIL {Invalid request GIMME \"a\"b u}\r\n", true},
    };
    assert_rows(ROWS(rows), true);
    assert_rows(ROWS(rows), false);
}

static void a_nul_is_refused_and_the_connection_ended(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("LIST\0\n"), "FAIL {Invalid request LIST}\r\n", true},
        {BYTES("\0LIST\n"), "FAIL {Invalid request }\r\n", true},
        {BYTES("GIMME a\0b u\n"), "FAIL {Invalid request GIMME a}\r\n", true},
        {BYTES("\0\n"), "FAIL {Invalid request }\r\n", true},
    };
    assert_rows(ROWS(rows), true);
    assert_rows(ROWS(rows), false);
}

static void control_characters_of_an_illegal_request_are_not_sent_back(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("A\tB\n"), "FAIL {Invalid request A B}\r\n", true},
        {BYTES("\x1b[2J\n"), "FAIL {Invalid request  [2J}\r\n", true},
        {BYTES("A\x85"
               "B\n"),
         "FAIL {Invalid request A B}\r\n", true},
        {BYTES("\xE9\n"), "FAIL {Invalid request \xC3\xA9}\r\n", true},
    };
    assert_rows(ROWS(rows), true);
}

static void several_requests_in_one_packet_are_answered_in_order(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("LIST\nGIMME a u\r\nLIST\rGIMME b u\nGIMME\nLIST\r\n"),
         "OK 0\r\nOK 30009\r\nOK 1\r\n30009 a u\r\nOK 30008\r\n" EMPTY_NAME
         "OK 2\r\n30009 a u\r\n30008 b u\r\n",
         false},
        {BYTES("LIST\r\nLIST\r\nLIST\r\n"), "OK 0\r\nOK 0\r\nOK 0\r\n", false},
        {BYTES("LIST\rLIST\r"), "OK 0\r\nOK 0\r\n", false},
    };
    assert_rows(ROWS(rows), true);
}

static void a_request_without_its_end_is_refused_at_the_end(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("LIST"), "FAIL {Invalid request LIST}\r\n", false},
        {BYTES("GIMME a u"), "FAIL {Invalid request GIMME a u}\r\n", false},
        {BYTES("{"), "FAIL Invalid\\ request\\ \\{\r\n", false},
        {BYTES("LIST\nLI"), "OK 0\r\nFAIL {Invalid request LI}\r\n", false},
        {BYTES("LIST\r\n"), "OK 0\r\n", false},
        {BYTES("LIST\r"), "OK 0\r\n", false},
        {BYTES(""), "", false},
    };
    assert_rows(ROWS(rows), true);
    assert_rows(ROWS(rows), false);
}

static void a_line_may_be_so_long_and_no_longer(void **state)
{
    (void)state;
    char request[LINE_MAX_BYTES + 8];
    memset(request, ' ', sizeof request);
    memcpy(request, "LIST", 4);
    request[LINE_MAX_BYTES] = '\n';
    const struct row longest = {request, LINE_MAX_BYTES + 1, "OK 0\r\n", false};
    assert_rows(&longest, 1, true);
    request[LINE_MAX_BYTES] = ' ';
    const struct row longer = {request, LINE_MAX_BYTES + 1, TOO_LONG, true};
    assert_rows(&longer, 1, true);
    request[LINE_MAX_BYTES + 1] = '\n';
    const struct row longer_line = {request, LINE_MAX_BYTES + 2, TOO_LONG, true};
    assert_rows(&longer_line, 1, true);
    assert_rows(&longer_line, 1, false);
}

static void a_remote_gimme_is_refused_and_the_connection_ended(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("GIMME a u\nLIST\n"), REFUSED_HOST, true},
        {BYTES("GIMME my app u\n"), REFUSED_HOST, true},
        {BYTES("GIMME a\n"), REFUSED_HOST, true},
        {BYTES("GIMME {} u\n"), REFUSED_HOST, true},
        {BYTES("GIMME a\x01 u\n"), REFUSED_HOST, true},
    };
    assert_rows(ROWS(rows), false);
}

static void a_remote_list_is_answered(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BYTES("LIST\nLIST\r\n"), "OK 0\r\nOK 0\r\n", false},
        {BYTES("LIST\nGIMME a u\n"), "OK 0\r\n" REFUSED_HOST, true},
    };
    assert_rows(ROWS(rows), false);
}

static void when_no_port_is_left_the_connection_stays_open(void **state)
{
    (void)state;
    struct client client;
    begin(1, 1);
    arrive(&client, true);
    say(&client, "GIMME a u\nGIMME a u\nLIST\n");
    assert_answers(&client, "OK 1\r\n" NO_PORTS "OK 1\r\n1 a u\r\n");
    assert_false(client.closed);
    leave(&client);
    end();
}

static void a_long_illegal_request_is_sent_back_in_part(void **state)
{
    (void)state;
    enum { REQUEST = 5000, ECHO = 256 };
    struct session session;
    struct session_step step;
    struct pa_buf reply = PA_BUF_NULL;
    char request[REQUEST + 1], expected[ECHO + 32];
    begin(LOW, HIGH);
    session_init(&session, &world, HOST, true, REQUEST);
    memset(request, 'x', REQUEST);
    memcpy(request + ECHO - 1, "\xC3\xA9", 2); /* cut whole */
    request[REQUEST] = '\n';
    const char *cursor = request;
    assert_int_equal(session_next(&session, &cursor, request + sizeof request, &reply, &step),
                     0);
    snprintf(expected, sizeof expected, "FAIL {Invalid request %.*s}\r\n", ECHO - 1, request);
    assert_int_equal(reply.size, strlen(expected));
    assert_memory_equal(reply.data, expected, reply.size);
    assert_int_equal(step.request.text_size, ECHO - 1);
    session_step_deinit(&step);
    pa_buf_deinit(&reply);
    session_deinit(&session);
    end();
}

/* ----------------------------------------------------------- what a step says -- */

static void take_step(struct session *session, const char *request, struct session_step *step)
{
    struct pa_buf reply = PA_BUF_NULL;
    const char *cursor = request, *stop = request + strlen(request);
    assert_int_equal(session_next(session, &cursor, stop, &reply, step), 0);
    assert_ptr_equal(cursor, stop);
    pa_buf_deinit(&reply);
}

static void a_step_tells_what_happened(void **state)
{
    (void)state;
    struct session session;
    struct session_step step;
    begin(LOW, LOW);
    session_init(&session, &world, HOST, true, LINE_MAX_BYTES);

    take_step(&session, "LIST\n", &step);
    assert_int_equal(step.event, SESSION_TOLD);
    assert_int_equal(step.failure.error, PA_OK);
    assert_non_null(step.snapshot);
    assert_false(step.close);
    session_step_deinit(&step);
    assert_null(step.snapshot);

    take_step(&session, "GIMME a u\n", &step);
    assert_int_equal(step.event, SESSION_ALLOCATED);
    assert_string_equal(step.entry->name, "a");
    assert_string_equal(step.entry->user, "u");
    assert_int_equal(step.entry->port, LOW);
    session_step_deinit(&step);
    assert_int_equal(session_held(&session), 1);

    take_step(&session, "GIMME b u\n", &step);
    assert_int_equal(step.event, SESSION_REFUSED);
    assert_int_equal(step.failure.error, PA_E_NO_FREE_PORTS);
    assert_string_equal(step.request.name, "b");
    assert_string_equal(step.request.user, "u");
    assert_false(step.close);
    session_step_deinit(&step);

    take_step(&session, "GIMME a\\nb u\n", &step);
    assert_int_equal(step.event, SESSION_REFUSED);
    assert_int_equal(step.failure.error, PA_E_CONTROL_CHARACTER);
    session_step_deinit(&step);

    take_step(&session, "NO\n", &step);
    assert_int_equal(step.event, SESSION_ILLEGAL);
    assert_int_equal(step.failure.error, PA_E_INVALID_REQUEST);
    assert_string_equal(step.request.text, "NO");
    assert_true(step.close);
    session_step_deinit(&step);

    while (session_release_one(&session))
        continue;
    session_deinit(&session);
    end();
}

static void a_snapshot_outlives_its_step_while_it_is_referred_to(void **state)
{
    (void)state;
    struct session session;
    struct session_step step;
    begin(LOW, HIGH);
    session_init(&session, &world, HOST, true, LINE_MAX_BYTES);
    take_step(&session, "LIST\n", &step);
    struct snapshot *snapshot = snapshot_ref(step.snapshot);
    session_step_deinit(&step);
    assert_memory_equal(snapshot->text, "OK 0\r\n", snapshot->size);
    snapshot_unref(snapshot);
    session_deinit(&session);
    end();
}

/* ---------------------------------------------------------------- lifetimes -- */

static void what_one_client_holds_the_others_see(void **state)
{
    (void)state;
    struct client holder, other;
    begin(LOW, HIGH);
    arrive(&holder, true);
    arrive(&other, false);
    say(&holder, "GIMME a u\n");
    say(&other, "LIST\n");
    assert_answers(&other, "OK 1\r\n30009 a u\r\n");
    leave(&holder);
    say(&other, "LIST\n");
    assert_answers(&other, "OK 0\r\n");
    leave(&other);
    end();
}

static void interleaved_pieces_of_two_clients_stay_apart(void **state)
{
    (void)state;
    struct client one, two;
    begin(LOW, HIGH);
    arrive(&one, true);
    arrive(&two, true);
    say(&one, "GIM");
    say(&two, "LI");
    say(&one, "ME a u\r");
    say(&two, "ST\r\n");
    say(&one, "\nLIST\n");
    assert_answers(&one, "OK 30009\r\nOK 1\r\n30009 a u\r\n");
    assert_answers(&two, "OK 1\r\n30009 a u\r\n");
    leave(&one);
    leave(&two);
    end();
}

static void ports_are_released_one_by_one_the_latest_first(void **state)
{
    (void)state;
    struct client client;
    begin(LOW, HIGH);
    released.count = 0;
    arrive(&client, true);
    say(&client, "GIMME a u\nGIMME b u\nGIMME c u\n");
    assert_int_equal(session_held(&client.session), 3);
    assert_true(session_release_one(&client.session));
    assert_int_equal(session_held(&client.session), 2);
    assert_int_equal(table_count(world.table), 2);
    assert_true(session_release_one(&client.session));
    assert_true(session_release_one(&client.session));
    assert_false(session_release_one(&client.session));
    assert_int_equal(released.count, 3);
    assert_int_equal(released.ports[0], 30007);
    assert_int_equal(released.ports[1], 30008);
    assert_int_equal(released.ports[2], 30009);
    leave(&client);
    end();
}

static void the_time_the_caller_keeps_is_the_one_that_counts(void **state)
{
    (void)state;
    struct client client;
    begin(1, 3);
    arrive(&client, true);
    say(&client, "GIMME a u\n");
    session_release_one(&client.session);
    world.now_ms += 5000;
    say(&client, "GIMME a u\nGIMME a u\nGIMME a u\n");
    assert_answers(&client, "OK 3\r\nOK 2\r\nOK 1\r\nOK 3\r\n");
    leave(&client);
    end();
}

static void sixty_thousand_ports_work_the_same(void **state)
{
    (void)state;
    enum { PORTS = 60000, LOWEST = 5000 };
    struct client client;
    begin(LOWEST, LOWEST + PORTS - 1);
    arrive(&client, true);
    for (int i = 0; i < PORTS; ++i)
        say(&client, "GIMME a u\r\n");
    assert_int_equal(session_held(&client.session), PORTS);
    client.answers.size = 0;
    say(&client, "GIMME a u\r\n");
    assert_answers(&client, NO_PORTS);
    say(&client, "LIST\r\n");
    assert_memory_equal(client.answers.data, "OK 60000\r\n10000 a_54999 u\r\n", 27);
    size_t lines = 0;
    for (size_t i = 0; i < client.answers.size; ++i)
        lines += client.answers.data[i] == '\n';
    assert_int_equal(lines, PORTS + 1);
    leave(&client);
    end();
}

/* ------------------------------------------------------------------- memory -- */

static void assert_unchanged(const struct session *session, const struct snapshot *before)
{
    struct snapshot *after;
    assert_int_equal(session_held(session), 2);
    assert_int_equal(table_count(world.table), 2);
    assert_int_equal(table_snapshot(world.table, &after), 0);
    assert_int_equal(after->size, before->size);
    assert_memory_equal(after->text, before->text, before->size);
    snapshot_unref(after);
}

/* Fails one allocation after the other while a session that holds two ports hears `request`. */
static void assert_clean_without_memory(const char *request, size_t size, size_t at_least)
{
    struct snapshot *before;
    for (size_t k = 0;; ++k) {
        struct client client;
        struct session_step step;
        struct pa_buf reply = PA_BUF_NULL;
        begin(LOW, HIGH);
        arrive(&client, true);
        say(&client, "GIMME a u\nGIMME b u\n");
        assert_int_equal(table_snapshot(world.table, &before), 0);
        if (size > 8)
            feed(&client, request, 3); /* the rest is joined to it */
        const char *cursor = size > 8 ? request + 3 : request;
        alloc_fail_after(k);
        int r = session_next(&client.session, &cursor, request + size, &reply, &step);
        bool failed = alloc_fail_stop();
        if (failed) {
            assert_true(r == 0 || r == -ENOMEM);
            if (r == 0) {
                assert_int_equal(step.event, SESSION_REFUSED);
                assert_int_equal(step.failure.error, PA_E_NO_MEMORY);
                assert_false(step.close);
                assert_int_equal(reply.size, strlen(NO_MEMORY));
                assert_memory_equal(reply.data, NO_MEMORY, reply.size);
            }
            assert_unchanged(&client.session, before);
        } else {
            assert_int_equal(r, 0);
            assert_true(step.failure.error != PA_E_NO_MEMORY);
        }
        if (r == 0) /* else there is nothing to free */
            session_step_deinit(&step);
        pa_buf_deinit(&reply);
        snapshot_unref(before);
        leave(&client);
        end();
        if (!failed) {
            assert_true(k >= at_least);
            return;
        }
    }
}

static void without_memory_a_gimme_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    assert_clean_without_memory(BYTES("GIMME new u\n"), 4);
    assert_clean_without_memory(BYTES("GIMME a u\n"), 4);
    assert_clean_without_memory(BYTES("GIMME two words u\n"), 5);
}

static void without_memory_an_illegal_request_changes_nothing(void **state)
{
    (void)state;
    assert_clean_without_memory(BYTES("GIMME {\n"), 2);
    assert_clean_without_memory(BYTES("HELLO THERE\n"), 2);
}

static void without_memory_a_list_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    for (size_t k = 0;; ++k) {
        struct client client;
        struct session_step step;
        struct pa_buf reply = PA_BUF_NULL;
        begin(LOW, HIGH);
        arrive(&client, true);
        say(&client, "GIMME a u\nGIMME b u\n");
        client.answers.size = 0;
        const char *request = "LIST\n", *cursor = request;
        alloc_fail_after(k);
        int r = session_next(&client.session, &cursor, request + 5, &reply, &step);
        bool failed = alloc_fail_stop();
        assert_true(r == 0 || (failed && r == -ENOMEM));
        if (r == 0 && failed) {
            assert_int_equal(step.event, SESSION_REFUSED);
            assert_int_equal(step.failure.error, PA_E_NO_MEMORY);
            assert_null(step.snapshot);
        }
        if (r == 0)
            session_step_deinit(&step);
        pa_buf_deinit(&reply);
        say(&client, "LIST\n");
        assert_answers(&client, "OK 2\r\n30009 a u\r\n30008 b u\r\n");
        leave(&client);
        end();
        if (!failed) {
            assert_true(k >= 3);
            return;
        }
    }
}

static void without_memory_the_end_of_a_session_is_clean(void **state)
{
    (void)state;
    for (size_t k = 0;; ++k) {
        struct client client;
        struct session_step step;
        struct pa_buf reply = PA_BUF_NULL;
        begin(LOW, HIGH);
        arrive(&client, true);
        say(&client, "GIMME a u\nLIST");
        alloc_fail_after(k);
        int r = session_end(&client.session, &reply, &step);
        bool failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0)
            session_step_deinit(&step);
        pa_buf_deinit(&reply);
        leave(&client);
        end();
        if (!failed)
            return;
    }
}

/* The probe cannot tell: the request is refused and nothing else happens. */
static void a_failing_probe_refuses_the_request(void **state)
{
    (void)state;
    struct client client;
    begin(LOW, HIGH);
    arrive(&client, true);
    fake.error = -EMFILE;
    say(&client, "GIMME a u\n");
    assert_non_null(client.answers.data);
    client.answers.data[client.answers.size - 1] = '\0';
    assert_string_equal(
        client.answers.data,
        "FAIL {no port could be tried: the log of the port manager says why}\r");
    assert_false(client.closed);
    fake.error = 0;
    client.answers.size = 0;
    say(&client, "GIMME a u\n");
    assert_answers(&client, "OK 30009\r\n");
    leave(&client);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_answered_with_the_ports),
        cmocka_unit_test(gimme_is_answered_with_a_port),
        cmocka_unit_test(the_last_word_is_the_user_and_those_before_it_the_name),
        cmocka_unit_test(names_are_list_elements),
        cmocka_unit_test(names_must_not_be_empty),
        cmocka_unit_test(names_must_not_hold_control_characters),
        cmocka_unit_test(utf8_is_kept_and_other_bytes_are_latin1),
        cmocka_unit_test(names_must_not_hold_what_has_no_utf8),
        cmocka_unit_test(an_unknown_request_is_refused_and_the_connection_ended),
        cmocka_unit_test(what_is_no_list_is_refused_and_the_connection_ended),
        cmocka_unit_test(a_nul_is_refused_and_the_connection_ended),
        cmocka_unit_test(control_characters_of_an_illegal_request_are_not_sent_back),
        cmocka_unit_test(several_requests_in_one_packet_are_answered_in_order),
        cmocka_unit_test(a_request_without_its_end_is_refused_at_the_end),
        cmocka_unit_test(a_line_may_be_so_long_and_no_longer),
        cmocka_unit_test(a_remote_gimme_is_refused_and_the_connection_ended),
        cmocka_unit_test(a_remote_list_is_answered),
        cmocka_unit_test(when_no_port_is_left_the_connection_stays_open),
        cmocka_unit_test(a_long_illegal_request_is_sent_back_in_part),
        cmocka_unit_test(a_step_tells_what_happened),
        cmocka_unit_test(a_snapshot_outlives_its_step_while_it_is_referred_to),
        cmocka_unit_test(what_one_client_holds_the_others_see),
        cmocka_unit_test(interleaved_pieces_of_two_clients_stay_apart),
        cmocka_unit_test(ports_are_released_one_by_one_the_latest_first),
        cmocka_unit_test(the_time_the_caller_keeps_is_the_one_that_counts),
        cmocka_unit_test(sixty_thousand_ports_work_the_same),
        cmocka_unit_test(without_memory_a_gimme_is_refused_and_nothing_changes),
        cmocka_unit_test(without_memory_an_illegal_request_changes_nothing),
        cmocka_unit_test(without_memory_a_list_is_refused_and_nothing_changes),
        cmocka_unit_test(without_memory_the_end_of_a_session_is_clean),
        cmocka_unit_test(a_failing_probe_refuses_the_request),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
