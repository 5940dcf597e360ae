/* test_library.c - the public library, through its header alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "manager_fixture.h"
#include "portallocator.h"

static struct portallocator *allocator;

/* ---------------------------------------------------- managers' manners -- */

static const struct manager_manner answers[] = {
    {"HELLO 2 ", "OK 2 {wait count hold listen}\r\n"},
    {"ALLOCATE full", "FAIL NOFREE {no free ports}\r\n"},
    {"ALLOCATE row -count 3 -hold 1 -attributes {a {b c}} -wait 5 -user bob\r",
     "OK 30005 -name row -user bob -count 3 -held 1\r\n"},
    {"ALLOCATE only -unique 1 -hold 0\r", "OK 30009 -name only -user ann -joined 1\r\n"},
    {"ALLOCATE exact -port 30007 -instance exact\r", "FAIL TAKEN {exact of ann is taken}\r\n"},
    {"ALLOCATE app\r", "OK 30001 -name app_1 -user ann\r\n"},
    {"LISTEN app -myaddr ::1 -backlog 7\r", ">OK 30002 -name app -user ann -held 1\r\n"},
    {"RELEASE 30001\r", "OK 30001\r\n"},
    {"RELEASE ", "FAIL NOTOWNER {port 7 belongs to bob}\r\n"},
    {"LIST\r", "OK 2\r\n30001 {app 1} ann\r\n30002 b bob\r\n"},
    {"FIND -name a* -user ann\r", "OK 1\r\n30001 {app 1} ann {k v}\r\n"},
    {"STATS\r", "OK {protocol 2 ports 10 watchers 5 pid 77 version 9.9}\r\n"},
    {"PING\r", "OK\r\n"},
};

static const char *new_manager(struct fake_manager *m, const char *line)
{
    return manager_answer(m, line, answers, sizeof answers / sizeof *answers);
}

static const char *old_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    if (strcmp(line, "LIST") == 0)
        return "OK 1\r\n30001 app ann\r\n";
    return strncmp(line, "GIMME ", 6) == 0 ? "OK 30001\r\n" : "!FAIL {Invalid request}\r\n";
}

/* -------------------------------------------------------------- fixture -- */

static int set_up(void **state)
{
    (void)state;
    return manager_fixture_begin(4);
}

static int tear_down(void **state)
{
    (void)state;
    return manager_fixture_end();
}

static void start(fake_answer *answer)
{
    manager_fixture_start(answer);
    allocator = portallocator_new(host, (unsigned)manager.port);
    assert_non_null(allocator);
    portallocator_set_timeout(allocator, 30000);
}

static void finish(void)
{
    portallocator_free(allocator);
    fake_manager_stop(&manager);
}

static void assert_code(int r, int expected, const char *part)
{
    assert_int_equal(r, expected);
    assert_int_equal(portallocator_error(allocator), expected);
    assert_non_null(strstr(portallocator_error_text(allocator), part));
}

/* ---------------------------------------------------------------- calls -- */

static void a_handle_needs_a_port_that_there_is(void **state)
{
    (void)state;
    assert_null(portallocator_new(NULL, 65536));
    portallocator_free(NULL);
    portallocator_ports_free(NULL);
    portallocator_talk_free(NULL);
    assert_true(strlen(portallocator_version()) > 0);
}

static void ports_are_allocated_and_released(void **state)
{
    (void)state;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    start(new_manager);
    assert_int_equal(portallocator_can(allocator, "hold"), 0);
    assert_code(portallocator_allocate(allocator, "app", NULL, &grant), PORTALLOCATOR_OK, "");
    assert_string_equal(portallocator_error_text(allocator), "");
    assert_int_equal(grant.port, 30001);
    assert_int_equal(grant.count, 1);
    assert_int_equal(grant.held, 0);
    assert_string_equal(grant.name, "app_1");
    assert_string_equal(grant.user, "ann");
    assert_int_equal(portallocator_held(allocator), 1);
    assert_int_equal(portallocator_can(allocator, "hold"), 1);
    assert_code(portallocator_release(allocator, 7), PORTALLOCATOR_NOT_OWNER, "belongs to bob");
    assert_code(portallocator_release(allocator, 65536), PORTALLOCATOR_NOT_MANAGED, "65536");
    assert_code(portallocator_release(allocator, 30001), PORTALLOCATOR_OK, "");
    assert_int_equal(portallocator_held(allocator), 0);
    finish();
}

static void options_say_what_the_ports_should_be_like(void **state)
{
    (void)state;
    struct portallocator_options options = PORTALLOCATOR_OPTIONS_INIT;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    start(new_manager);
    assert_code(portallocator_allocate(allocator, "app", &options, &grant), 0, "");
    options.count = 3;
    options.hold = 1;
    options.wait_ms = 5;
    options.attributes = "a  {b c}";
    options.user = "bob";
    assert_code(portallocator_allocate(allocator, "row", &options, &grant), 0, "");
    assert_int_equal(grant.port, 30005);
    assert_int_equal(grant.count, 3);
    assert_int_equal(grant.held, 1);
    assert_int_equal(portallocator_held(allocator), 4);
    options = (struct portallocator_options)PORTALLOCATOR_OPTIONS_INIT;
    options.unique = 1;
    options.hold = -1;
    assert_code(portallocator_allocate(allocator, "only", &options, &grant), 0, "");
    assert_int_equal(grant.joined, 1);
    assert_int_equal(portallocator_held(allocator), 4);
    options = (struct portallocator_options)PORTALLOCATOR_OPTIONS_INIT;
    options.port = 30007;
    options.exact = 1;
    assert_code(portallocator_allocate(allocator, "exact", &options, &grant),
                PORTALLOCATOR_TAKEN, "exact of ann is taken");
    assert_code(portallocator_allocate(allocator, "full", NULL, &grant),
                PORTALLOCATOR_NO_FREE_PORTS, "no free ports");
    assert_int_equal(grant.port, 30009);
    finish();
}

static void wrong_arguments_are_not_sent(void **state)
{
    (void)state;
    const struct portallocator_options fresh = PORTALLOCATOR_OPTIONS_INIT;
    struct portallocator_options options = fresh;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    start(new_manager);
#define REFUSED(member, value, part)                                                           \
    options = fresh;                                                                           \
    options.member = value;                                                                    \
    assert_code(portallocator_allocate(allocator, "app", &options, &grant),                    \
                PORTALLOCATOR_INVALID, part)
    REFUSED(size, 0, "size");
    REFUSED(size, sizeof options - 1, "size");
    REFUSED(hold, 2, "hold");
    REFUSED(hold, -2, "\"-2\"");
    REFUSED(unique, 2, "unique");
    REFUSED(exact, -1, "exact");
    REFUSED(count, 1001, "-count");
    REFUSED(port, 65536, "-port");
    REFUSED(wait_ms, 86400001, "-wait");
    REFUSED(attributes, "odd", "-attributes");
    REFUSED(user, "a\nb", "control");
    assert_code(portallocator_allocate(allocator, "", NULL, &grant), PORTALLOCATOR_INVALID,
                "empty");
    grant.size = sizeof grant - 1;
    assert_code(portallocator_allocate(allocator, "app", NULL, &grant), PORTALLOCATOR_INVALID,
                "size");
    assert_int_equal(atomic_load(&manager.connections), 0);
    finish();
}

/* A program that was built with a later header, and one with this. */
static void structures_may_grow(void **state)
{
    (void)state;
    struct {
        struct portallocator_options options;
        int later;
    } newer = {.options.size = sizeof newer};
    struct {
        struct portallocator_grant grant;
        int later;
    } wider = {.grant.size = sizeof wider, .later = 7};
    start(new_manager);
    assert_code(portallocator_allocate(allocator, "app", &newer.options, &wider.grant), 0, "");
    assert_int_equal(wider.grant.port, 30001);
    assert_int_equal(wider.grant.size, sizeof wider);
    assert_int_equal(wider.later, 7);
    newer.later = 1;
    assert_code(portallocator_allocate(allocator, "app", &newer.options, &wider.grant),
                PORTALLOCATOR_INVALID, "size");
    finish();
}

static void a_listening_socket_comes_over_the_managers_own(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_library_XXXXXX";
    char socket_path[sizeof folder + 16];
    char port_path[sizeof folder + 16];
    assert_non_null(mkdtemp(folder));
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    snprintf(port_path, sizeof port_path, "%s/port", folder);
    FILE *file = fopen(port_path, "w");
    assert_non_null(file);
    fprintf(file, "30000\n%s\n", socket_path);
    fclose(file);
    chmod(port_path, 0600);
    setenv("DAQPORTMGR_PORTFILE", port_path, 1);
    manager.pass = socket(AF_INET, SOCK_STREAM, 0);
    snprintf(host, sizeof host, "%s", socket_path);
    start(new_manager);
    portallocator_free(allocator);
    allocator = portallocator_new(NULL, 0);

    struct portallocator_options options = PORTALLOCATOR_OPTIONS_INIT;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    int fd = -1;
    options.address = "::1";
    options.backlog = 7;
    assert_code(portallocator_listen(allocator, "app", &options, &grant, &fd), 0, "");
    assert_int_equal(grant.port, 30002);
    assert_int_equal(grant.held, 1);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    close(manager.pass);
    finish();
    unlink(socket_path);
    unlink(port_path);
    rmdir(folder);
}

static void assert_entry(const struct portallocator_ports *ports, size_t index, unsigned port,
                         const char *name, const char *user, const char *attributes)
{
    struct portallocator_entry entry = PORTALLOCATOR_ENTRY_INIT;
    assert_int_equal(portallocator_ports_get(ports, index, &entry), PORTALLOCATOR_OK);
    assert_int_equal(entry.port, port);
    assert_string_equal(entry.name, name);
    assert_string_equal(entry.user, user);
    assert_string_equal(entry.attributes, attributes);
}

static void lists_are_the_callers(void **state)
{
    (void)state;
    struct portallocator_ports *all = NULL;
    struct portallocator_ports *found = NULL;
    struct portallocator_entry entry = PORTALLOCATOR_ENTRY_INIT;
    start(new_manager);
    assert_code(portallocator_list(allocator, &all), PORTALLOCATOR_OK, "");
    assert_code(portallocator_find(allocator, "a*", "ann", &found), PORTALLOCATOR_OK, "");
    finish();
    assert_int_equal(portallocator_ports_count(all), 2);
    assert_entry(all, 0, 30001, "app 1", "ann", "");
    assert_entry(all, 1, 30002, "b", "bob", "");
    assert_int_equal(portallocator_ports_get(all, 2, &entry), PORTALLOCATOR_INVALID);
    entry.size = 8;
    assert_int_equal(portallocator_ports_get(all, 0, &entry), PORTALLOCATOR_INVALID);
    assert_int_equal(portallocator_ports_count(found), 1);
    assert_entry(found, 0, 30001, "app 1", "ann", "k v");
    portallocator_ports_free(all);
    portallocator_ports_free(found);
}

static void stats_and_ping_are_answered(void **state)
{
    (void)state;
    struct portallocator_stats stats = PORTALLOCATOR_STATS_INIT;
    start(new_manager);
    assert_code(portallocator_ping(allocator), PORTALLOCATOR_OK, "");
    assert_code(portallocator_stats(allocator, &stats), PORTALLOCATOR_OK, "");
    assert_int_equal(stats.ports, 10);
    assert_int_equal(stats.pid, 77);
    assert_string_equal(stats.version, "9.9");
    assert_int_equal(stats.watchers, 5);
    /* As of a program that was built before there were watchers. */
    stats.size = offsetof(struct portallocator_stats, watchers);
    stats.watchers = 99;
    assert_code(portallocator_stats(allocator, &stats), PORTALLOCATOR_OK, "");
    assert_int_equal(stats.watchers, 99);
    stats.size -= 1;
    assert_code(portallocator_stats(allocator, &stats), PORTALLOCATOR_INVALID, "size");
    finish();
}

static void an_old_manager_is_served_as_far_as_it_goes(void **state)
{
    (void)state;
    struct portallocator_options options = PORTALLOCATOR_OPTIONS_INIT;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    struct portallocator_ports *ports = NULL;
    start(old_manager);
    assert_code(portallocator_find(allocator, "b*", NULL, &ports), PORTALLOCATOR_OK, "");
    assert_int_equal(portallocator_ports_count(ports), 0);
    portallocator_ports_free(ports);
    assert_code(portallocator_allocate(allocator, "app", NULL, &grant), PORTALLOCATOR_OK, "");
    assert_string_equal(grant.name, "app");
    options.count = 2;
    assert_code(portallocator_allocate(allocator, "app", &options, &grant),
                PORTALLOCATOR_TOO_OLD, "too old for -count");
    assert_code(portallocator_release(allocator, 30001), PORTALLOCATOR_TOO_OLD, "RELEASE");
    assert_int_equal(portallocator_held(allocator), 1);
    finish();
}

static void where_nobody_listens_there_is_no_connection(void **state)
{
    (void)state;
    start(old_manager);
    fake_manager_stop(&manager);
    struct portallocator_ports *ports = NULL;
    assert_code(portallocator_ping(allocator), PORTALLOCATOR_NO_CONNECTION, "refused");
    assert_code(portallocator_list(allocator, &ports), PORTALLOCATOR_NO_CONNECTION, "refused");
    assert_null(ports);
    portallocator_free(allocator);
}

static void without_memory_calls_fail_cleanly(void **state)
{
    (void)state;
    start(new_manager);
    portallocator_free(allocator);
    for (size_t k = 0, failed = 1; failed; ++k) {
        struct portallocator_ports *ports = NULL;
        struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
        int r = PORTALLOCATOR_NO_MEMORY;
        alloc_fail_after(k);
        allocator = portallocator_new(host, (unsigned)manager.port);
        if (allocator)
            r = portallocator_find(allocator, "a*", "ann", &ports);
        if (r == 0)
            r = portallocator_allocate(allocator, "app", NULL, &grant);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PORTALLOCATOR_NO_MEMORY : PORTALLOCATOR_OK);
        portallocator_ports_free(ports);
        portallocator_free(allocator);
    }
    fake_manager_stop(&manager);
}

/* -------------------------------------------------------------- event loops -- */

static struct portallocator_talk *talk;

static void assert_output(const char *expected_end)
{
    const char *bytes;
    size_t size = portallocator_talk_output(talk, &bytes);
    size_t end = strlen(expected_end);
    assert_true(size >= end);
    assert_memory_equal(bytes + size - end, expected_end, end);
    portallocator_talk_sent(talk, 3);
    assert_int_equal(portallocator_talk_output(talk, &bytes), size - 3);
    portallocator_talk_sent(talk, size);
    assert_int_equal(portallocator_talk_output(talk, &bytes), 0);
}

static int feed(const char *text)
{
    return portallocator_talk_feed(talk, text, strlen(text));
}

static void a_conversation_needs_no_socket(void **state)
{
    (void)state;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    struct portallocator_stats stats = PORTALLOCATOR_STATS_INIT;
    struct portallocator_ports *ports = NULL;
    talk = portallocator_talk_new(2);
    assert_int_equal(portallocator_talk_allocate(talk, "two words", NULL), 0);
    assert_int_equal(portallocator_talk_ping(talk), PORTALLOCATOR_INVALID);
    assert_output("\r\nALLOCATE {two words}\r\n");
    assert_int_equal(portallocator_talk_get_grant(talk, &grant), PORTALLOCATOR_INVALID);
    assert_int_equal(feed("OK 2 {count}\r\nOK 30001 -na"), PORTALLOCATOR_MORE);
    assert_int_equal(portallocator_talk_can(talk, "count"), 1);
    assert_int_equal(feed("me a -user u\r\n"), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_talk_get_grant(talk, &grant), PORTALLOCATOR_OK);
    assert_int_equal(grant.port, 30001);
    assert_string_equal(grant.name, "a");
    assert_int_equal(portallocator_talk_get_stats(talk, &stats), PORTALLOCATOR_INVALID);

    assert_int_equal(portallocator_talk_find(talk, NULL, "u"), 0);
    assert_output("FIND -user u\r\n");
    assert_int_equal(feed("OK 1\r\n7 a u {}\r\n"), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_talk_get_ports(talk, &ports), PORTALLOCATOR_OK);
    assert_entry(ports, 0, 7, "a", "u", "");
    portallocator_ports_free(ports);

    assert_int_equal(portallocator_talk_stats(talk), 0);
    assert_output("STATS\r\n");
    assert_int_equal(feed("OK {ports 9 version x}\r\n"), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_talk_get_stats(talk, &stats), PORTALLOCATOR_OK);
    assert_int_equal(stats.ports, 9);

    assert_int_equal(portallocator_talk_release(talk, 7), 0);
    assert_output("RELEASE 7\r\n");
    assert_int_equal(feed("FAIL NOTALLOCATED {port 7 is not allocated}\r\n"),
                     PORTALLOCATOR_NOT_ALLOCATED);
    assert_string_equal(portallocator_talk_error_text(talk), "port 7 is not allocated");
    assert_int_equal(portallocator_talk_change(talk, 7, "k {v w}"), 0);
    assert_output("CHANGE 7 -attributes {k {v w}}\r\n");
    assert_int_equal(feed("OK 7\r\n"), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_talk_change(talk, 7, "odd"), PORTALLOCATOR_INVALID);
    assert_int_equal(portallocator_talk_change(talk, 7, NULL), 0);
    assert_output("CHANGE 7 -attributes {}\r\n");
    assert_int_equal(feed("FAIL NOTOWNER {port 7 belongs to bob}\r\n"),
                     PORTALLOCATOR_NOT_OWNER);
    assert_int_equal(portallocator_talk_listen(talk, "l", NULL), 0);
    assert_output("LISTEN l\r\n");
    assert_int_equal(feed("OK 7 -name l -user u -held 1\r\n"), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_talk_get_grant(talk, &grant), PORTALLOCATOR_OK);
    assert_int_equal(grant.held, 1);
    portallocator_talk_free(talk);
}

static void a_conversation_ends_with_what_nobody_asked_for(void **state)
{
    (void)state;
    talk = portallocator_talk_new(2);
    assert_int_equal(feed("OK\r\n"), PORTALLOCATOR_PROTOCOL);
    assert_int_equal(portallocator_talk_ping(talk), PORTALLOCATOR_INVALID);
    assert_int_equal(feed("OK\r\n"), PORTALLOCATOR_INVALID);
    portallocator_talk_free(talk);
    talk = portallocator_talk_new(2);
    assert_int_equal(portallocator_talk_ping(talk), 0);
    assert_int_equal(feed("OK 2 {}\r\nOK\r\nOK\r\n"), PORTALLOCATOR_PROTOCOL);
    portallocator_talk_free(talk);
}

static void an_old_manager_takes_a_conversation_of_protocol_1(void **state)
{
    (void)state;
    struct portallocator_options options = PORTALLOCATOR_OPTIONS_INIT;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    assert_null(portallocator_talk_new(3));
    talk = portallocator_talk_new(2);
    assert_int_equal(portallocator_talk_ping(talk), 0);
    assert_int_equal(feed("FAIL {Invalid request}\r\n"), PORTALLOCATOR_TOO_OLD);
    assert_int_equal(portallocator_talk_ping(talk), PORTALLOCATOR_INVALID);
    portallocator_talk_free(talk);
    talk = portallocator_talk_new(1);
    assert_int_equal(portallocator_talk_allocate(talk, "app", NULL), PORTALLOCATOR_TOO_OLD);
    options.user = "ann";
    assert_int_equal(portallocator_talk_allocate(talk, "app", &options), 0);
    assert_output("GIMME app ann\r\n");
    assert_int_equal(feed("OK 30001\r\n"), PORTALLOCATOR_OK);
    assert_int_equal(portallocator_talk_get_grant(talk, &grant), PORTALLOCATOR_OK);
    assert_int_equal(grant.port, 30001);
    assert_string_equal(grant.name, "app");
    assert_string_equal(grant.user, "ann");
    options.count = 2;
    assert_int_equal(portallocator_talk_allocate(talk, "app", &options), PORTALLOCATOR_TOO_OLD);
    assert_int_equal(portallocator_talk_stats(talk), PORTALLOCATOR_TOO_OLD);
    assert_non_null(strstr(portallocator_talk_error_text(talk), "too old for STATS"));
    assert_int_equal(portallocator_talk_list(talk), 0);
    assert_output("LIST\r\n");
    portallocator_talk_free(talk);
}

static void a_program_talks_over_a_socket_of_its_own(void **state)
{
    (void)state;
    int fd = -1;
    const char *bytes;
    char packet[4096];
    int r = PORTALLOCATOR_MORE;
    start(new_manager);
    assert_code(portallocator_connect(allocator, &fd), PORTALLOCATOR_OK, "");
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    talk = portallocator_talk_new(2);
    assert_int_equal(portallocator_talk_ping(talk), 0);
    size_t size = portallocator_talk_output(talk, &bytes);
    assert_int_equal(send(fd, bytes, size, 0), (ssize_t)size);
    portallocator_talk_sent(talk, size);
    while (r == PORTALLOCATOR_MORE) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&readable, 1, 30000), 1);
        ssize_t n = recv(fd, packet, sizeof packet, 0);
        assert_true(n > 0);
        r = portallocator_talk_feed(talk, packet, (size_t)n);
    }
    assert_int_equal(r, PORTALLOCATOR_OK);
    portallocator_talk_free(talk);
    close(fd);
    finish();
}

static void without_memory_a_conversation_fails_cleanly(void **state)
{
    (void)state;
    for (size_t k = 0, failed = 1; failed; ++k) {
        int r = PORTALLOCATOR_NO_MEMORY;
        alloc_fail_after(k);
        talk = portallocator_talk_new(2);
        if (talk)
            r = portallocator_talk_allocate(talk, "app", NULL);
        if (r == 0)
            r = feed("OK 2 {}\r\nOK 1 -name a -user u\r\n");
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PORTALLOCATOR_NO_MEMORY : PORTALLOCATOR_OK);
        portallocator_talk_free(talk);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_handle_needs_a_port_that_there_is),
        CASE(ports_are_allocated_and_released),
        CASE(options_say_what_the_ports_should_be_like),
        CASE(wrong_arguments_are_not_sent),
        CASE(structures_may_grow),
        CASE(a_listening_socket_comes_over_the_managers_own),
        CASE(lists_are_the_callers),
        CASE(stats_and_ping_are_answered),
        CASE(an_old_manager_is_served_as_far_as_it_goes),
        CASE(where_nobody_listens_there_is_no_connection),
        CASE(without_memory_calls_fail_cleanly),
        CASE(a_conversation_needs_no_socket),
        CASE(a_conversation_ends_with_what_nobody_asked_for),
        CASE(an_old_manager_takes_a_conversation_of_protocol_1),
        CASE(a_program_talks_over_a_socket_of_its_own),
        CASE(without_memory_a_conversation_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
