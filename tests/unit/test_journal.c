/* test_journal.c - what happens to clients and ports, as lines of the log. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_prober.h"
#include "journal.h"
#include "session.h"

static const struct siphash_key hash_key = {{1, 2}};
static struct fake_prober fake;
static struct log log_file; /* 64 KiB: not on the stack */
static struct journal journal;
static char path[64];
static char content[1 << 16];

static int setup(void **state)
{
    (void)state;
    fake_prober_reset(&fake);
    strcpy(path, "/tmp/test_journal.XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    log_file = (struct log)LOG_NULL;
    if (log_open(&log_file, path) != 0)
        return -1;
    journal_init(&journal, &log_file);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_deinit(&log_file);
    return unlink(path);
}

static const char *logged(void)
{
    log_flush(&log_file);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t size = read(fd, content, sizeof content - 1);
    close(fd);
    assert_true(size >= 0);
    content[size] = '\0';
    return content;
}

/* The log ends with this level and text. */
static void assert_last(const char *level, const char *text)
{
    const char *all = logged();
    size_t size = strlen(all);
    assert_true(size > 0 && all[size - 1] == '\n');
    const char *line = all + size - 1;
    while (line > all && line[-1] != '\n')
        --line;
    if (strncmp(line, level, strlen(level)) != 0)
        fail_msg("not %s: %s", level, line);
    size_t line_size = strlen(line) - 1;
    if (line_size <= strlen(text) || line[line_size - strlen(text) - 1] != ' ' ||
        strncmp(line + line_size - strlen(text), text, strlen(text)) != 0)
        fail_msg("does not end with \"%s\": %s", text, line);
}

static size_t count(const char *part)
{
    size_t n = 0;
    for (const char *at = strstr(logged(), part); at; at = strstr(at + 1, part))
        ++n;
    return n;
}

static void a_connection_is_told_with_its_host(void **state)
{
    (void)state;
    journal_accepted(&journal, "127.0.0.1");
    assert_last("INFO", "Connection accepted from 127.0.0.1");
}

static void tell_released(void *context, const struct table_entry *entry)
{
    journal_released(context, entry);
}

/* Lets a session with one port to give hear the requests, and journals the steps. */
static void hear_at(const char *request, bool local, uint64_t now_ms)
{
    const struct table_range range = {30001, 30001};
    struct quota quota;
    struct watchers watchers;
    struct session_world world = {.prober = fake_prober_of(&fake),
                                  .quota = &quota,
                                  .watchers = &watchers,
                                  .rules = {.trusts = true},
                                  .released = tell_released,
                                  .context = &journal};
    quota_init(&quota, &(struct quota_limits){{0}});
    struct session session;
    struct session_step step;
    struct pa_buf reply = PA_BUF_NULL;
    assert_int_equal(table_new(&world.table, &range, 1, 0, &hash_key), 0);
    watchers_init(&watchers, world.table, &(struct watchers_io){.context = NULL});
    session_init(&session, &world, "192.0.2.7", local, 64);
    const char *cursor = request, *stop = request + strlen(request);
    while (session_next(&session, &cursor, stop, &reply, &step) == 0) {
        journal_step(&journal, now_ms, "192.0.2.7", &step);
        bool close = step.close;
        session_step_deinit(&step);
        if (close)
            break;
    }
    pa_buf_deinit(&reply);
    while (session_release_one(&session))
        continue;
    session_deinit(&session);
    watchers_deinit(&watchers);
    table_free(world.table);
}

static void hear(const char *request, bool local)
{
    hear_at(request, local, 0);
}

static void an_allocation_and_its_release_are_told(void **state)
{
    (void)state;
    hear("GIMME {my app} fox\n", true);
    assert_int_equal(count("Port 30001 was allocated to my app run by fox\n"), 1);
    assert_last("INFO", "Port 30001 was released by my app run by fox");
}

static void a_list_is_not_told(void **state)
{
    (void)state;
    hear("LIST\nLIST\n", true);
    assert_string_equal(logged(), "");
}

static void a_refusal_is_told_with_its_reason(void **state)
{
    (void)state;
    hear("GIMME a fox\nGIMME b fox\n", true);
    assert_int_equal(
        count("Unable to allocate a port for b run by fox because: no free ports\n"), 1);
    hear("GIMME a\n", true);
    assert_int_equal(count("because: the names of application and user must not be empty\n"),
                     1);
    hear("GIMME c fox\n", false);
    assert_last("WARNING", "Unable to allocate a port for c run by fox because: 192.0.2.7 "
                           "(192.0.2.7) : Only local applications get ports");
}

static void an_illegal_request_is_told_with_its_text(void **state)
{
    (void)state;
    hear("HELLO {\n", true);
    assert_last("WARNING", "192.0.2.7 issued an illegal request: HELLO {");
    hear("\n", true);
    assert_int_equal(count("192.0.2.7 issued an illegal request: \n"), 1);
}

static void a_line_that_is_too_long_is_told_without_its_text(void **state)
{
    (void)state;
    hear("0123456789012345678901234567890123456789012345678901234567890123456789\n", true);
    assert_last("WARNING", "192.0.2.7 issued an illegal request: the line is too long");
}

static void nobody_can_write_a_line_of_the_log_by_himself(void **state)
{
    (void)state;
    hear("X\\nY\x1b[2J\x9b\rINFO forged\n", true);
    assert_int_equal(count("\n"), 1);
    assert_int_equal(count("\x1b"), 0);
    assert_int_equal(count("\nINFO"), 0);
}

static void each_kind_that_a_client_can_provoke_is_limited_for_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 10 * LOG_LIMIT_COUNT; ++i) {
        hear("HELLO\n", true);
        hear("GIMME a\n", true);
        journal_evicted(&journal, 0, "192.0.2.7");
        journal_unread(&journal, 0, "192.0.2.7", 12345);
        journal_trouble(&journal, 0, "accept", "no more descriptors");
    }
    assert_int_equal(count("issued an illegal request"), LOG_LIMIT_COUNT);
    assert_int_equal(count("Unable to allocate"), LOG_LIMIT_COUNT);
    assert_int_equal(count("it was quiet longest"), LOG_LIMIT_COUNT);
    assert_int_equal(count("12345 bytes wait"), LOG_LIMIT_COUNT);
    assert_int_equal(count("Cannot accept: no more descriptors\n"), LOG_LIMIT_COUNT);
}

static void what_was_suppressed_is_told_when_the_window_closes(void **state)
{
    (void)state;
    assert_false(journal_has_open_window(&journal));
    for (int i = 0; i < LOG_LIMIT_COUNT + 7; ++i)
        journal_turned_away(&journal, 1000, "192.0.2.8",
                            "there are too many, and all hold ports");
    assert_true(journal_has_open_window(&journal));
    size_t before = count("\n");
    journal_close_windows(&journal, 1000 + LOG_LIMIT_WINDOW_MS - 1);
    assert_int_equal(count("\n"), before); /* not over yet */
    assert_true(journal_has_open_window(&journal));
    journal_close_windows(&journal, 1000 + LOG_LIMIT_WINDOW_MS);
    assert_int_equal(count("\n"), before + 1);
    assert_int_equal(count(" 7 "), 1);
    assert_false(journal_has_open_window(&journal));
}

static void every_kind_of_message_opens_a_window_that_closes(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; ++kind) {
        uint64_t now_ms = (uint64_t)kind * 10 * LOG_LIMIT_WINDOW_MS;
        if (kind == 0)
            journal_evicted(&journal, now_ms, "192.0.2.7");
        else if (kind == 1)
            journal_unread(&journal, now_ms, "192.0.2.7", 1);
        else if (kind == 2)
            journal_trouble(&journal, now_ms, "accept", "x");
        else
            hear_at(kind == 3 ? "HELLO\n" : "GIMME a\n", true, now_ms);
        assert_true(journal_has_open_window(&journal));
        journal_close_windows(&journal, now_ms + LOG_LIMIT_WINDOW_MS);
        assert_false(journal_has_open_window(&journal));
    }
}

static void a_list_that_could_not_be_made_is_told_with_its_reason(void **state)
{
    (void)state;
    const struct session_step step = {
        .event = SESSION_REFUSED,
        .failure = {PA_E_NO_MEMORY, "the port manager is out of memory"},
        .request = PA_REQUEST_NULL};
    journal_step(&journal, 0, "192.0.2.7", &step);
    assert_last("WARNING",
                "Unable to list the ports for 192.0.2.7 because: the port manager is "
                "out of memory");
}

static void a_crowd_is_told(void **state)
{
    (void)state;
    journal_evicted(&journal, 0, "192.0.2.7");
    assert_int_equal(count("Connection from 192.0.2.7 closed"), 1);
    journal_turned_away(&journal, 0, "192.0.2.8", "there are too many, and all hold ports");
    assert_int_equal(count("Connection from 192.0.2.8 refused"), 1);
}

static void a_port_in_use_is_told_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; ++i)
        journal_probed(&journal, 0, 30001, TABLE_PORT_IN_USE);
    assert_int_equal(count("Port 30001 is in use"), 1);
    journal_probed(&journal, 0, 30009, TABLE_PORT_IN_USE);
    journal_probed(&journal, 0, 30000, TABLE_PORT_IN_USE);
    assert_int_equal(count("Port 30009 is in use"), 1);
    assert_int_equal(count("Port 30000 is in use"), 1);
    journal_probed(&journal, 0, 65535, TABLE_PORT_IN_USE);
    journal_probed(&journal, 0, 1, TABLE_PORT_IN_USE);
    assert_int_equal(count("is in use"), 5);
}

static void a_port_in_use_again_is_told_again(void **state)
{
    (void)state;
    journal_probed(&journal, 0, 30001, TABLE_PORT_IN_USE);
    journal_probed(&journal, 0, 30001, TABLE_PORT_FREE);
    journal_probed(&journal, 0, 30001, TABLE_PORT_IN_USE);
    assert_int_equal(count("Port 30001 is in use"), 2);
    journal_probed(&journal, 0, 30001, TABLE_PORT_LINGERING);
    journal_probed(&journal, 0, 30001, TABLE_PORT_IN_USE);
    assert_int_equal(count("Port 30001 is in use"), 3);
}

static void the_neighbours_of_a_port_that_became_free_are_not_told_again(void **state)
{
    (void)state;
    for (uint16_t port = 30000; port < 30016; ++port)
        journal_probed(&journal, 0, port, TABLE_PORT_IN_USE);
    journal_probed(&journal, 0, 30003, TABLE_PORT_FREE);
    for (uint16_t port = 30000; port < 30016; ++port)
        journal_probed(&journal, 0, port, TABLE_PORT_IN_USE);
    assert_int_equal(count("is in use"), 17);
    assert_int_equal(count("Port 30003 is in use"), 2);
}

static void many_ports_in_use_are_all_told(void **state)
{
    (void)state;
    for (uint16_t port = 30001; port <= 30100; ++port)
        journal_probed(&journal, 0, port, TABLE_PORT_IN_USE);
    assert_int_equal(count("is in use"), 100);
}

static void a_port_found_free_is_not_told(void **state)
{
    (void)state;
    journal_probed(&journal, 0, 30001, TABLE_PORT_FREE);
    journal_probed(&journal, 0, 30001, TABLE_PORT_LINGERING);
    assert_string_equal(logged(), "");
}

static void a_probe_that_fails_is_told_with_the_reason(void **state)
{
    (void)state;
    journal_probed(&journal, 0, 30001, -EMFILE);
    assert_last("ERROR", "Cannot probe port 30001: Too many open files");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_connection_is_told_with_its_host, setup, teardown),
        cmocka_unit_test_setup_teardown(an_allocation_and_its_release_are_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_list_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_is_told_with_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(an_illegal_request_is_told_with_its_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_told_without_its_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_can_write_a_line_of_the_log_by_himself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            each_kind_that_a_client_can_provoke_is_limited_for_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_suppressed_is_told_when_the_window_closes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_message_opens_a_window_that_closes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_list_that_could_not_be_made_is_told_with_its_reason,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_crowd_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_in_use_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_in_use_again_is_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_neighbours_of_a_port_that_became_free_are_not_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(many_ports_in_use_are_all_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_found_free_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_probe_that_fails_is_told_with_the_reason, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
