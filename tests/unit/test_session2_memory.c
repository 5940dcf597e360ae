/* test_session2_memory.c - each request of protocol 2 with one allocation failing after the
 * other. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "alloc_fail.h"
#include "session_fixture.h"

#define NO_MEMORY "FAIL MEMORY {the port manager is out of memory}\r\n"

enum { USER = 8, LIMIT = 100 };

/* What must be the same after a failure. */
struct image {
    size_t ports, held, kernel_held, accounts;
    uint32_t charged_ports, charged_waiting;
    char list[1024];
};

static struct image take_image(void)
{
    struct image image = {
        .ports = table_count(fixture.world.table),
        .held = table_held(fixture.world.table),
        .kernel_held = fixture.kernel.held_count,
        .accounts = fixture.quota.accounts_count,
        .charged_ports = quota_charged(&fixture.quota, USER, QUOTA_PORTS),
        .charged_waiting = quota_charged(&fixture.quota, USER, QUOTA_WAITING),
    };
    struct snapshot *snapshot;
    assert_int_equal(table_snapshot(fixture.world.table, &snapshot), 0);
    assert_true(snapshot->size < sizeof image.list);
    memcpy(image.list, snapshot->text, snapshot->size);
    snapshot_unref(snapshot);
    return image;
}

/* A world where another user has ports and the client, on AF_UNIX, is proved. */
static void begin(struct client *holder, struct client *client, uint16_t high)
{
    fixture_begin_ports(FIXTURE_LOW, high);
    fixture_limit(QUOTA_PORTS, LIMIT);
    fixture_limit(QUOTA_WAITING, LIMIT);
    client_arrive(holder, 7, "fox");
    client_say(holder, "HELLO 2\nALLOCATE a -attributes {k v}\nALLOCATE b -hold 1\n");
    client_arrive(client, USER, "ant");
    client->session.unix_domain = true;
    client_say(client, "HELLO 2\n");
    assert_int_equal(session_prove(&client->session, USER, "ant"), 0);
    client->session.clear = true;
}

static void end(struct client *holder, struct client *client)
{
    client_leave(client);
    client_leave(holder);
    fixture_end();
}

/* Of what a step left when it failed: a refusal for want of memory, or nothing but its end. */
static void assert_failure(int r, struct session_step *step, struct pa_buf *reply)
{
    assert_true(r == 0 || r == -ENOMEM);
    if (r < 0)
        return;
    assert_int_equal(step->event, SESSION_REFUSED);
    assert_int_equal(step->failure.error, PA_E_NO_MEMORY);
    assert_false(step->close);
    assert_int_equal(step->fd, -1);
    assert_null(step->snapshot);
    assert_int_equal(pa_buf_append(reply, "", 1), 0);
    assert_string_equal(reply->data, NO_MEMORY);
}

static void finish_step(int r, struct session_step *step, struct pa_buf *reply)
{
    if (r == 0) {
        if (step->fd >= 0)
            fixture.world.close(NULL, step->fd);
        session_step_deinit(step);
    }
    pa_buf_deinit(reply);
}

/* Says the request with allocation k failing; `high` 30002 leaves no port. Whether one did. */
static bool say(const char *request, size_t k, uint16_t high, int expected)
{
    struct client holder, client;
    struct session_step step;
    struct pa_buf reply = PA_BUF_NULL;
    begin(&holder, &client, high);
    struct image before = take_image();
    const char *cursor = request, *stop = request + strlen(request);
    alloc_fail_after(k);
    int r = session_next(&client.session, &cursor, stop, &reply, &step);
    bool failed = alloc_fail_stop();
    if (failed) {
        assert_failure(r, &step, &reply);
        assert_null(client.session.suspended);
        assert_int_equal(client.session.wants, SESSION_WANTS_NOTHING);
        struct image after = take_image();
        assert_memory_equal(&after, &before, sizeof before);
    } else {
        assert_int_equal(r, expected);
        assert_true(r != 0 || step.failure.error != PA_E_NO_MEMORY);
    }
    finish_step(r, &step, &reply);
    end(&holder, &client);
    return failed;
}

static void assert_clean(const char *request, size_t at_least, uint16_t high, int expected)
{
    size_t k = 0;
    while (say(request, k, high, expected))
        ++k;
    if (k < at_least)
        fail_msg("%s: %zu allocations only", request, k);
}

static void without_memory_no_request_leaves_a_trace(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        size_t at_least;
    } rows[] = {
        {"ALLOCATE x\n", 5},
        {"ALLOCATE x -hold 1\n", 5},
        {"ALLOCATE x -port 30003\n", 5},
        {"ALLOCATE x -count 5\n", 9},
        {"ALLOCATE x -count 5 -hold 1 -attributes {a b}\n", 10},
        {"ALLOCATE x -unique 1\n", 5},
        {"ALLOCATE x -attributes {a 1 b 2}\n", 6},
        {"ALLOCATE x -instance exact\n", 5},
        {"LISTEN x -attributes {a 1}\n", 6},
        {"GIMME x y z\n", 5},
        {"FIND\n", 3},
        {"FIND -name a\n", 3},
        {"FIND -port 30009\n", 3},
        {"STATS\n", 2},
        {"PING\n", 1},
        {"LIST\n", 1},
        {"HELLO 2\n", 2},
        {"RELEASE 30009\n", 1},
        {"WATCH\n", 4},
        {"WATCH -name a* -user f*\n", 4},
        {"UNWATCH\n", 1},
        {"NO\n", 1},
        {"ALLOCATE x -y 1\n", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
        assert_clean(rows[i].request, rows[i].at_least, FIXTURE_HIGH, 0);
}

/* A request that cannot be kept does not stand in line. */
static void without_memory_nobody_stands_in_line(void **state)
{
    (void)state;
    assert_clean("ALLOCATE x -wait 100\n", 4, FIXTURE_LOW + 1, SESSION_SUSPENDED);
    assert_clean("LISTEN x -wait 100 -attributes {a b}\n", 5, FIXTURE_LOW + 1,
                 SESSION_SUSPENDED);
}

/* Nobody is asked who the client is. */
static void without_memory_a_request_does_not_wait_for_its_owner(void **state)
{
    (void)state;
    for (size_t k = 0;; ++k) {
        struct client holder, client;
        struct session_step step;
        struct pa_buf reply = PA_BUF_NULL;
        begin(&holder, &client, FIXTURE_HIGH);
        client.session.proof = SESSION_PROOF_NOT_ASKED;
        const char *request = "RELEASE 30009\n", *cursor = request;
        alloc_fail_after(k);
        int r =
            session_next(&client.session, &cursor, request + strlen(request), &reply, &step);
        bool failed = alloc_fail_stop();
        if (failed)
            assert_failure(r, &step, &reply);
        else
            assert_int_equal(r, SESSION_SUSPENDED);
        finish_step(r, &step, &reply);
        end(&holder, &client);
        if (!failed) {
            assert_true(k >= 2);
            return;
        }
    }
}

/* A port is there at last, and memory is not: the request is refused. */
static void without_memory_who_waited_gets_nothing_and_leaves_the_line(void **state)
{
    (void)state;
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct client holder, client;
        struct session_step step;
        struct pa_buf reply = PA_BUF_NULL;
        begin(&holder, &client, FIXTURE_LOW + 1);
        client_say(&client, "ALLOCATE x -wait 100 -hold 1\n");
        assert_int_equal(quota_charged(&fixture.quota, USER, QUOTA_WAITING), 1);
        client_say(&holder, "RELEASE 30002\n");
        assert_int_equal(holder.did, SESSION_RELEASED);
        struct image before = take_image();
        alloc_fail_after(k);
        int r = session_resume(&client.session, &reply, &step);
        failed = alloc_fail_stop();
        assert_int_equal(quota_charged(&fixture.quota, USER, QUOTA_WAITING), 0);
        assert_null(client.session.suspended);
        if (failed) {
            assert_failure(r, &step, &reply);
            struct image after = take_image();
            assert_string_equal(after.list, before.list);
            assert_int_equal(after.kernel_held, before.kernel_held);
            assert_int_equal(after.charged_ports, 0);
        } else {
            assert_int_equal(r, 0);
            assert_int_equal(step.event, SESSION_ALLOCATED);
        }
        finish_step(r, &step, &reply);
        end(&holder, &client);
    }
    assert_true(k >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_no_request_leaves_a_trace),
        cmocka_unit_test(without_memory_nobody_stands_in_line),
        cmocka_unit_test(without_memory_a_request_does_not_wait_for_its_owner),
        cmocka_unit_test(without_memory_who_waited_gets_nothing_and_leaves_the_line),
    };
    return cmocka_run_group_tests_name("memory of protocol 2", tests, NULL, NULL);
}
