/* test_client.c - the client's half: bytes in, in any packets; a port, a listing or an error
 * out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_client.h"

static struct pa_failure why;

/* Feeds a packet from memory of its own size. *taken: how much of it the client took. */
static int feed(struct pa_client *client, const char *bytes, size_t size, size_t *taken)
{
    char *packet = test_malloc(size + 1);
    memcpy(packet, bytes, size);
    const char *cursor = packet;
    int r = pa_client_feed(client, &cursor, packet + size, &why);
    *taken = (size_t)(cursor - packet);
    if (r == PA_CLIENT_MORE)
        assert_int_equal(*taken, size);
    test_free(packet);
    return r;
}

static int feed_string(struct pa_client *client, const char *bytes)
{
    size_t taken;
    return feed(client, bytes, strlen(bytes), &taken);
}

/* Begins a request, feeds `reply` in packets of `first` bytes and then `each`. */
static int converse(struct pa_client *client, enum pa_verb verb, const char *reply,
                    size_t first, size_t each)
{
    size_t size = strlen(reply);
    size_t at = 0;
    size_t next = first;
    int r = PA_CLIENT_MORE;
    pa_client_begin(client, verb);
    while (r == PA_CLIENT_MORE && at < size) {
        size_t taken;
        if (next > size - at)
            next = size - at;
        r = feed(client, reply + at, next, &taken);
        at += next;
        next = each;
    }
    return r;
}

/* Tells `check` the end of the conversation for every split of two and byte by byte. */
static void in_all_packets(enum pa_verb verb, const char *reply,
                           void (*check)(struct pa_client *client, int r))
{
    for (size_t split = 0; split <= strlen(reply); ++split) {
        struct pa_client client = PA_CLIENT_INIT;
        check(&client, converse(&client, verb, reply, split, SIZE_MAX));
        pa_client_deinit(&client);
    }
    struct pa_client client = PA_CLIENT_INIT;
    check(&client, converse(&client, verb, reply, 1, 1));
    pa_client_deinit(&client);
}

/* -------------------------------------------------------------- requests -- */

static void a_request_is_one_line(void **state)
{
    (void)state;
    struct pa_buf request = PA_BUF_NULL;
    assert_int_equal(pa_client_request(&request, PA_VERB_LIST, "", ""), 0);
    assert_int_equal(pa_client_request(&request, PA_VERB_GIMME, "two words", "user"), 0);
    assert_int_equal(request.size, strlen("LIST\r\nGIMME {two words} user\r\n"));
    assert_memory_equal(request.data, "LIST\r\nGIMME {two words} user\r\n", request.size);
    pa_buf_deinit(&request);
}

static void a_name_that_would_break_the_line_is_not_sent(void **state)
{
    (void)state;
    struct pa_buf request = PA_BUF_NULL;
    assert_int_equal(pa_client_request(&request, PA_VERB_GIMME, "a\nGIMME b", "u"),
                     PA_E_CONTROL_CHARACTER);
    assert_int_equal(pa_client_request(&request, PA_VERB_GIMME, "a", "u\r"),
                     PA_E_CONTROL_CHARACTER);
    assert_int_equal(pa_client_request(&request, PA_VERB_GIMME, "", "u"), PA_E_EMPTY_NAME);
    assert_int_equal(pa_client_request(&request, PA_VERB_GIMME, "a", ""), PA_E_EMPTY_NAME);
    assert_int_equal(request.size, 0);
    pa_buf_deinit(&request);
}

/* --------------------------------------------------------------- replies -- */

static void check_port(struct pa_client *client, int r)
{
    assert_int_equal(r, 0);
    assert_int_equal(client->port, 30001);
    assert_int_equal(client->state, PA_CLIENT_IDLE);
}

static void a_port_arrives_in_any_packets(void **state)
{
    (void)state;
    in_all_packets(PA_VERB_GIMME, "OK 30001\r\n", check_port);
    in_all_packets(PA_VERB_GIMME, "OK 30001\n", check_port);
}

static void check_empty(struct pa_client *client, int r)
{
    assert_int_equal(r, 0);
    assert_int_equal(client->listing.count, 0);
    assert_int_equal(client->state, PA_CLIENT_IDLE);
}

static void an_empty_listing_is_complete_at_once(void **state)
{
    (void)state;
    in_all_packets(PA_VERB_LIST, "OK 0\r\n", check_empty);
    in_all_packets(PA_VERB_LIST, "OK 0\n", check_empty);
}

static void check_listing(struct pa_client *client, int r)
{
    assert_int_equal(r, 0);
    assert_int_equal(client->listing.count, 3);
    assert_int_equal(pa_listing_find(&client->listing, "app", "ann")->port, 30001);
    assert_int_equal(pa_listing_find(&client->listing, "two words", "bob")->port, 30002);
    assert_int_equal(pa_listing_find(&client->listing, "", "")->port, 30003);
    assert_int_equal(client->state, PA_CLIENT_IDLE);
}

static void check_broken(struct pa_client *client, int r)
{
    assert_int_equal(r, PA_CLIENT_FAILED);
    assert_int_equal(why.error, PA_E_PROTOCOL);
    assert_int_equal(client->state, PA_CLIENT_BROKEN);
    assert_null(client->listing.entries);
}

static void an_empty_line_after_a_bare_cr_and_a_line_is_not_taken_for_its_lf(void **state)
{
    (void)state;
    in_all_packets(PA_VERB_LIST, "OK 2\r30001 app ann\n\n30002 app bob\n", check_broken);
}

static void a_listing_arrives_in_any_packets(void **state)
{
    (void)state;
    in_all_packets(PA_VERB_LIST,
                   "OK 3\r\n30001 app ann\r\n30002 {two words} bob\r\n30003 {} {}\r\n",
                   check_listing);
    in_all_packets(PA_VERB_LIST, "OK 3\n30001 app ann\n30002 {two words} bob\n30003 {} {}\n",
                   check_listing);
}

static void check_refused(struct pa_client *client, int r)
{
    assert_int_equal(r, PA_CLIENT_FAILED);
    assert_int_equal(why.error, PA_E_REFUSED);
    assert_memory_equal(why.text, "FAIL ", 5);
    assert_int_equal(client->state, PA_CLIENT_IDLE);
}

static void a_refusal_is_the_line_as_it_came(void **state)
{
    (void)state;
    in_all_packets(PA_VERB_GIMME, "FAIL {no free ports}\r\n", check_refused);
    assert_string_equal(why.text, "FAIL {no free ports}");
    in_all_packets(PA_VERB_GIMME, "FAIL - Already in use\n", check_refused);
    assert_string_equal(why.text, "FAIL - Already in use");
    in_all_packets(PA_VERB_LIST, "FAIL {Invalid request \xe9}\r\n", check_refused);
    assert_string_equal(why.text, "FAIL {Invalid request \xc3\xa9}");
}

static void one_client_asks_again_and_again(void **state)
{
    (void)state;
    struct pa_client client = PA_CLIENT_INIT;
    assert_int_equal(converse(&client, PA_VERB_GIMME, "FAIL no\r\n", 1, 1), PA_CLIENT_FAILED);
    assert_int_equal(converse(&client, PA_VERB_GIMME, "OK 30001\r\n", 1, 1), 0);
    assert_int_equal(client.port, 30001);
    for (int i = 0; i < 3; ++i) {
        assert_int_equal(converse(&client, PA_VERB_LIST, "OK 1\r\n30001 a u\r\n", 1, 1), 0);
        assert_int_equal(client.listing.count, 1);
    }
    assert_int_equal(converse(&client, PA_VERB_LIST, "OK 0\r\n", 1, 1), 0);
    assert_int_equal(client.listing.count, 0);
    pa_client_deinit(&client);
}

static void whether_a_reply_has_begun_is_known(void **state)
{
    (void)state;
    struct pa_client client = PA_CLIENT_INIT;
    assert_false(pa_client_in_reply(&client));
    pa_client_begin(&client, PA_VERB_LIST);
    assert_false(pa_client_in_reply(&client));
    assert_int_equal(feed_string(&client, "O"), PA_CLIENT_MORE);
    assert_true(pa_client_in_reply(&client));
    assert_int_equal(feed_string(&client, "K 1\n"), PA_CLIENT_MORE);
    assert_true(pa_client_in_reply(&client));
    assert_int_equal(feed_string(&client, "1 a u\n"), 0);
    assert_false(pa_client_in_reply(&client));
    pa_client_deinit(&client);
}

/* --------------------------------------------------------------- in step -- */

static void bytes_behind_the_reply_are_left_to_the_caller(void **state)
{
    (void)state;
    struct pa_client client = PA_CLIENT_INIT;
    size_t taken;
    pa_client_begin(&client, PA_VERB_LIST);
    const char bytes[] = "OK 1\r\n1 a u\r\nOK 7\r\n";
    assert_int_equal(feed(&client, bytes, strlen(bytes), &taken), 0);
    assert_string_equal(bytes + taken, "OK 7\r\n");
    assert_false(pa_client_take_idle(&client, bytes + taken, strlen(bytes + taken)));
    assert_int_equal(client.state, PA_CLIENT_BROKEN);
    assert_int_equal(client.listing.count, 1);
    pa_client_deinit(&client);
}

static void a_late_lf_belongs_to_the_reply_before(void **state)
{
    (void)state;
    struct pa_client client = PA_CLIENT_INIT;
    assert_int_equal(converse(&client, PA_VERB_GIMME, "OK 30001\r", SIZE_MAX, 1), 0);
    assert_true(pa_client_take_idle(&client, "", 0));
    assert_true(pa_client_take_idle(&client, "\n", 1));
    assert_false(pa_client_take_idle(&client, "\n", 1));
    pa_client_deinit(&client);

    assert_int_equal(converse(&client, PA_VERB_GIMME, "OK 30001\r", SIZE_MAX, 1), 0);
    assert_int_equal(converse(&client, PA_VERB_GIMME, "\nOK 30002\r\n", SIZE_MAX, 1), 0);
    assert_int_equal(client.port, 30002);
    pa_client_deinit(&client);
}

/* -------------------------------------------------------- broken protocol -- */

static void assert_broken(enum pa_verb verb, const char *reply, const char *named)
{
    in_all_packets(verb, reply, check_broken);
    assert_non_null(strstr(why.text, named));
}

static void a_line_that_breaks_the_protocol_is_named(void **state)
{
    (void)state;
    assert_broken(PA_VERB_GIMME, "SSH-2.0-OpenSSH_9.2\r\n", ": SSH-2.0-OpenSSH_9.2");
    assert_broken(PA_VERB_GIMME, "OK 0\r\n", ": OK 0");
    assert_broken(PA_VERB_GIMME, "OK 65536\r\n", ": OK 65536");
    assert_broken(PA_VERB_GIMME, "OK port\r\n", ": OK port");
    assert_broken(PA_VERB_GIMME, "\r\n", ": ");
    assert_broken(PA_VERB_LIST, "OK 99999999999\r\n", ": OK 99999999999");
    assert_broken(PA_VERB_LIST, "OK -1\r\n", ": OK -1");
    assert_broken(PA_VERB_LIST, "OK 2\r\n1 a u\r\n2 b\r\n", ": 2 b");
    assert_broken(PA_VERB_LIST, "OK 2\r\n1 a u\r\n2 b u more\r\n", ": 2 b u more");
    assert_broken(PA_VERB_LIST, "OK 1\r\n0 a u\r\n", ": 0 a u");
    assert_broken(PA_VERB_LIST, "OK 1\r\n1 {a u\r\n", ": 1 {a u");
}

static void an_overlong_line_is_refused_by_its_beginning(void **state)
{
    (void)state;
    char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    struct pa_client client = PA_CLIENT_INIT;
    pa_client_begin(&client, PA_VERB_LIST);
    assert_int_equal(feed_string(&client, "OK 1\n30001 "), PA_CLIENT_MORE);
    int r = PA_CLIENT_MORE;
    size_t fed = strlen("30001 ");
    while (r == PA_CLIENT_MORE) {
        size_t taken;
        r = feed(&client, bytes, sizeof bytes, &taken);
        fed += sizeof bytes;
    }
    assert_true(fed > PA_CLIENT_LINE_BYTES && fed <= PA_CLIENT_LINE_BYTES + sizeof bytes);
    check_broken(&client, r);
    assert_non_null(strstr(why.text, ": 30001 xxx"));
    assert_true(strlen(why.text) < 400);
    pa_client_deinit(&client);
}

static void a_count_is_not_believed_for_memory(void **state)
{
    (void)state;
    struct pa_client client = PA_CLIENT_INIT;
    pa_client_begin(&client, PA_VERB_LIST);
    alloc_fail_after(0);
    assert_int_equal(feed_string(&client, "OK 65535\r\n"), PA_CLIENT_MORE);
    assert_false(alloc_fail_stop());
    pa_client_deinit(&client);
}

static void the_longest_listing_is_read(void **state)
{
    (void)state;
    struct pa_client client = PA_CLIENT_INIT;
    pa_client_begin(&client, PA_VERB_LIST);
    int r = feed_string(&client, "OK 65535\r\n");
    for (unsigned port = 1; port <= 65535; ++port) {
        char line[32];
        assert_int_equal(r, PA_CLIENT_MORE);
        snprintf(line, sizeof line, "%u a%u u\r\n", port, port);
        const char *cursor = line;
        r = pa_client_feed(&client, &cursor, line + strlen(line), &why);
    }
    assert_int_equal(r, 0);
    assert_int_equal(client.listing.count, 65535);
    assert_int_equal(pa_listing_find(&client.listing, "a65535", "u")->port, 65535);
    pa_client_deinit(&client);
}

static void the_names_of_a_listing_are_bounded_together(void **state)
{
    (void)state;
    static char line[PA_CLIENT_LINE_BYTES];
    memset(line, 'x', sizeof line);
    line[0] = '1';
    line[1] = ' ';
    line[sizeof line - 3] = ' ';
    line[sizeof line - 2] = 'u';
    line[sizeof line - 1] = '\n';
    struct pa_client client = PA_CLIENT_INIT;
    pa_client_begin(&client, PA_VERB_LIST);
    int r = feed_string(&client, "OK 65535\r\n");
    size_t fed = 0;
    while (r == PA_CLIENT_MORE) {
        const char *cursor = line;
        r = pa_client_feed(&client, &cursor, line + sizeof line, &why);
        fed += sizeof line;
    }
    check_broken(&client, r);
    assert_true(fed <= PA_CLIENT_TEXT_BYTES + 2 * sizeof line);
    pa_client_deinit(&client);
}

/* A generator of its own, so that a failure comes again. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void garbage_is_survived(void **state)
{
    (void)state;
    static const char alphabet[] = "OK FAIL 0123 {}\"\\\r\n\r\n\xc3\x28x";
    uint32_t seed = 1;
    for (int round = 0; round < 20000; ++round) {
        struct pa_client client = PA_CLIENT_INIT;
        pa_client_begin(&client, round & 1 ? PA_VERB_LIST : PA_VERB_GIMME);
        int r = round & 2 ? feed_string(&client, "OK 3\r\n") : PA_CLIENT_MORE;
        for (int packet = 0; packet < 8 && r == PA_CLIENT_MORE; ++packet) {
            char bytes[24] = "";
            size_t size = next_random(&seed) % sizeof bytes;
            size_t taken;
            for (size_t i = 0; i < size; ++i)
                bytes[i] = alphabet[next_random(&seed) % (sizeof alphabet - 1)];
            r = feed(&client, bytes, size, &taken);
        }
        assert_true(r >= 0 && r <= PA_CLIENT_FAILED);
        pa_client_deinit(&client);
    }
}

/* ---------------------------------------------------------------- memory -- */

static void without_memory_no_request_is_made(void **state)
{
    (void)state;
    for (size_t k = 0, failed = 1; failed; ++k) {
        struct pa_buf request = PA_BUF_NULL;
        char name[100];
        memset(name, 'x', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        alloc_fail_after(k);
        int r = pa_client_request(&request, PA_VERB_GIMME, name, name);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (failed)
            assert_int_equal(request.size, 0);
        pa_buf_deinit(&request);
    }
}

static size_t converse_without_memory(enum pa_verb verb, const char *reply, int expected)
{
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct pa_client client = PA_CLIENT_INIT;
        size_t size = strlen(reply);
        int r = PA_CLIENT_MORE;
        pa_client_begin(&client, verb);
        alloc_fail_after(k);
        for (size_t i = 0; i < size && r == PA_CLIENT_MORE; ++i) {
            const char *cursor = reply + i;
            r = pa_client_feed(&client, &cursor, reply + i + 1, &why);
        }
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : expected);
        if (failed) {
            assert_int_equal(client.state, PA_CLIENT_BROKEN);
            assert_null(client.listing.entries);
        }
        pa_client_deinit(&client);
    }
    return k;
}

static void without_memory_a_reply_fails_cleanly(void **state)
{
    (void)state;
    assert_true(converse_without_memory(PA_VERB_GIMME, "OK 30001\r\n", 0) > 1);
    assert_true(converse_without_memory(PA_VERB_LIST,
                                        "OK 2\r\n30001 a u\r\n30002 {two words} u\r\n", 0) > 4);
    assert_true(converse_without_memory(PA_VERB_LIST, "FAIL {no}\r\n", PA_CLIENT_FAILED) > 2);
    assert_true(converse_without_memory(PA_VERB_LIST, "nonsense\r\n", PA_CLIENT_FAILED) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_one_line),
        cmocka_unit_test(a_name_that_would_break_the_line_is_not_sent),
        cmocka_unit_test(a_port_arrives_in_any_packets),
        cmocka_unit_test(an_empty_listing_is_complete_at_once),
        cmocka_unit_test(an_empty_line_after_a_bare_cr_and_a_line_is_not_taken_for_its_lf),
        cmocka_unit_test(a_listing_arrives_in_any_packets),
        cmocka_unit_test(a_refusal_is_the_line_as_it_came),
        cmocka_unit_test(one_client_asks_again_and_again),
        cmocka_unit_test(whether_a_reply_has_begun_is_known),
        cmocka_unit_test(bytes_behind_the_reply_are_left_to_the_caller),
        cmocka_unit_test(a_late_lf_belongs_to_the_reply_before),
        cmocka_unit_test(a_line_that_breaks_the_protocol_is_named),
        cmocka_unit_test(an_overlong_line_is_refused_by_its_beginning),
        cmocka_unit_test(a_count_is_not_believed_for_memory),
        cmocka_unit_test(the_longest_listing_is_read),
        cmocka_unit_test(the_names_of_a_listing_are_bounded_together),
        cmocka_unit_test(garbage_is_survived),
        cmocka_unit_test(without_memory_no_request_is_made),
        cmocka_unit_test(without_memory_a_reply_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
