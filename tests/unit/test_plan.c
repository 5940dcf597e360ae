/* test_plan.c - the files of /etc/portreserve: what they ask for, and what is told of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "plan.h"
#include "scratch.h"

enum { STRANGER = 65534 };

static struct plan plan;
static char told[8192]; /* the problems, a line each */

static int set_up(void **state)
{
    plan = (struct plan)PLAN_NULL;
    told[0] = '\0';
    return scratch_set_up(state);
}

static int tear_down(void **state)
{
    plan_deinit(&plan);
    return scratch_tear_down(state);
}

static void tell(void *context, const char *text)
{
    assert_ptr_equal(context, told);
    size_t size = strlen(told);
    assert_null(strchr(text, '\n'));
    snprintf(told + size, sizeof told - size, "%s\n", text);
}

static void read_folder(void)
{
    assert_int_equal(plan_read(&plan, scratch_folder(), tell, told), 0);
}

/* Reads the folder, of which these problems are told, each with a newline. */
static void read_with_problems(const char *problems)
{
    size_t count = 0;
    for (const char *at = problems; *at; ++at)
        count += *at == '\n';
    read_folder();
    assert_string_equal(told, problems);
    assert_int_equal(plan.problems, count);
}

static void assert_entry(size_t index, const char *client, unsigned line, uint16_t port,
                         enum transport transport)
{
    assert_true(index < plan.entries_count);
    const struct plan_entry *entry = &plan.entries[index];
    assert_true(entry->client < plan.clients_count);
    assert_string_equal(plan.clients[entry->client].name, client);
    assert_int_equal(entry->line, line);
    assert_int_equal(entry->port, port);
    assert_int_equal(entry->transport, transport);
}

static void assert_clients(size_t count, const char *const *names)
{
    assert_int_equal(plan.clients_count, count);
    for (size_t i = 0; i < count; ++i)
        assert_string_equal(plan.clients[i].name, names[i]);
}

#define CLIENTS(...)                                                                           \
    assert_clients(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                \
                   (const char *const[]){__VA_ARGS__})

/* ---------------------------------------------------------------- files -- */

static void lines_come_in_the_order_of_names_and_lines(void **state)
{
    (void)state;
    scratch_write("b", "20/udp\n10/tcp\n");
    scratch_write("a", "# first\n\n40\n");
    scratch_write("B", "30/tcp\n");
    read_with_problems("");
    CLIENTS("B", "a", "b");
    assert_int_equal(plan.entries_count, 5);
    assert_entry(0, "B", 1, 30, TRANSPORT_TCP);
    assert_entry(1, "a", 3, 40, TRANSPORT_TCP);
    assert_entry(2, "a", 3, 40, TRANSPORT_UDP);
    assert_entry(3, "b", 1, 20, TRANSPORT_UDP);
    assert_entry(4, "b", 2, 10, TRANSPORT_TCP);
}

static void the_last_line_needs_no_newline(void **state)
{
    (void)state;
    scratch_write("a", "1/tcp\n2/tcp");
    read_with_problems("");
    assert_int_equal(plan.entries_count, 2);
    assert_entry(1, "a", 2, 2, TRANSPORT_TCP);
}

static void lines_may_end_as_in_dos(void **state)
{
    (void)state;
    scratch_write("a", "1/tcp\r\n\r\n2/tcp\r\n");
    read_with_problems("");
    assert_entry(0, "a", 1, 1, TRANSPORT_TCP);
    assert_entry(1, "a", 3, 2, TRANSPORT_TCP);
}

static void names_with_a_dot_or_a_tilde_are_passed_over(void **state)
{
    (void)state;
    static const char *const names[] = {".hidden", "cups.dpkg-old", "cups~",
                                        "cups.",   "~cups",         "a.b~c"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        scratch_write(names[i], "this is wrong\n");
    scratch_write("cups", "631/tcp\n");
    read_with_problems("");
    CLIENTS("cups");
}

static void a_service_has_the_port_that_the_system_knows(void **state)
{
    (void)state;
    const struct servent *service = getservbyname("domain", "tcp");
    scratch_write("named", "domain/tcp\n");
    if (!service) {
        read_with_problems("named: line 1: unknown service \"domain\"\n");
        return;
    }
    uint16_t port = ntohs((uint16_t)service->s_port);
    read_with_problems("");
    assert_entry(0, "named", 1, port, TRANSPORT_TCP);
}

static void a_client_is_found_by_its_name(void **state)
{
    (void)state;
    assert_null(plan_find(&plan, "cups"));
    scratch_write("cups", "631\n");
    scratch_write("named", "53\n");
    read_folder();
    assert_ptr_equal(plan_find(&plan, "cups"), &plan.clients[0]);
    assert_ptr_equal(plan_find(&plan, "named"), &plan.clients[1]);
    assert_null(plan_find(&plan, "cup"));
    assert_null(plan_find(&plan, "cupss"));
    assert_null(plan_find(&plan, ""));
    assert_null(plan_find(&plan, "*"));
}

static void owner_group_and_mode_say_who_may(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        mode_t mode;
        bool group_may;
    } files[] = {{"a", 0600, false}, {"b", 0644, false}, {"c", 0664, true}, {"d", 0666, true}};
    uid_t owner = geteuid() == 0 ? 1234 : geteuid();
    gid_t group = geteuid() == 0 ? 4321 : getegid();
    for (size_t i = 0; i < 4; ++i) {
        char line[16];
        snprintf(line, sizeof line, "%zu/tcp\n", i + 1);
        scratch_write(files[i].name, line);
        assert_int_equal(chown(scratch_path(files[i].name), owner, group), 0);
        assert_int_equal(chmod(scratch_path(files[i].name), files[i].mode), 0);
    }
    read_with_problems("");
    assert_int_equal(plan.clients_count, 4);
    for (size_t i = 0; i < 4; ++i) {
        assert_int_equal(plan.clients[i].owner, owner);
        assert_int_equal(plan.clients[i].group, group);
        assert_int_equal(plan.clients[i].group_may, files[i].group_may);
        assert_false(plan.clients[i].unreadable);
    }
}

static void a_link_is_followed(void **state)
{
    (void)state;
    scratch_write("kept.elsewhere", "7/udp\n");
    assert_int_equal(symlink(scratch_path("kept.elsewhere"), scratch_path("echo")), 0);
    read_with_problems("");
    CLIENTS("echo");
    assert_entry(0, "echo", 1, 7, TRANSPORT_UDP);
}

static void there_may_be_many_files_and_lines(void **state)
{
    (void)state;
    enum { FILES = 50, LINES = 40 };
    for (unsigned i = 0; i < FILES; ++i) {
        char name[16], text[LINES * 16] = "";
        snprintf(name, sizeof name, "client%02u", i);
        for (unsigned line = 0; line < LINES; ++line)
            sprintf(text + strlen(text), "%u/tcp\n", 1 + i * LINES + line);
        scratch_write(name, text);
    }
    read_with_problems("");
    assert_int_equal(plan.clients_count, FILES);
    assert_int_equal(plan.entries_count, FILES * LINES);
    for (unsigned i = 0; i < FILES * LINES; ++i) {
        assert_int_equal(plan.entries[i].port, i + 1);
        assert_int_equal(plan.entries[i].client, i / LINES);
        assert_int_equal(plan.entries[i].line, i % LINES + 1);
    }
}

static void one_file_may_have_all_ports(void **state)
{
    (void)state;
    char *text = malloc(UINT16_MAX * 6 + 1), *at = text;
    assert_non_null(text);
    for (unsigned port = 1; port <= UINT16_MAX; ++port)
        at += sprintf(at, "%u\n", port);
    scratch_write_bytes("all", text, (size_t)(at - text));
    free(text);
    read_with_problems("");
    assert_int_equal(plan.entries_count, 2 * UINT16_MAX);
    assert_entry(2 * UINT16_MAX - 1, "all", UINT16_MAX, UINT16_MAX, TRANSPORT_UDP);
}

static void a_name_may_be_as_long_as_names_are(void **state)
{
    (void)state;
    char name[256], problem[320];
    memset(name, 'n', 255);
    name[255] = '\0';
    scratch_write(name, "70000\n");
    snprintf(problem, sizeof problem, "%s: line 1: port \"70000\" is none of 1 to 65535\n",
             name);
    read_with_problems(problem);
    assert_non_null(plan_find(&plan, name));
}

/* -------------------------------------------------------------- problems -- */

static void a_wrong_line_is_told_of_and_the_others_count(void **state)
{
    (void)state;
    scratch_write("cups", "631/tcp\nippp\n\n5/sctp\n632/tcp\nx y\n");
    read_with_problems("cups: line 2: unknown service \"ippp\"\n"
                       "cups: line 4: \"sctp\" is neither tcp nor udp\n"
                       "cups: line 6: \"x y\" is more than one word\n");
    assert_int_equal(plan.entries_count, 2);
    assert_entry(1, "cups", 5, 632, TRANSPORT_TCP);
}

static void a_port_is_the_first_ones_who_asks(void **state)
{
    (void)state;
    scratch_write("b", "631/tcp\n632\n");
    scratch_write("a", "\n631\n631/udp\n");
    read_with_problems("a: line 3: 631/udp is reserved already, by a, line 2\n"
                       "b: line 1: 631/tcp is reserved already, by a, line 2\n");
    assert_int_equal(plan.entries_count, 4);
    assert_entry(0, "a", 2, 631, TRANSPORT_TCP);
    assert_entry(1, "a", 2, 631, TRANSPORT_UDP);
    assert_entry(2, "b", 2, 632, TRANSPORT_TCP);
    assert_entry(3, "b", 2, 632, TRANSPORT_UDP);
}

static void a_file_that_reserves_nothing_is_told_of(void **state)
{
    (void)state;
    scratch_write("empty", "");
    scratch_write("newline", "\n");
    scratch_write("commented", "# 631/tcp\n\n");
    scratch_write("wrong", "ippp\n");
    read_with_problems("commented: reserves nothing\n"
                       "empty: reserves nothing\n"
                       "newline: reserves nothing\n"
                       "wrong: line 1: unknown service \"ippp\"\n");
    CLIENTS("commented", "empty", "newline", "wrong");
    assert_int_equal(plan.entries_count, 0);
    for (size_t i = 0; i < plan.clients_count; ++i)
        assert_false(plan.clients[i].unreadable);
}

static void a_link_to_nothing_cannot_be_read(void **state)
{
    (void)state;
    assert_int_equal(symlink("nowhere", scratch_path("cups")), 0);
    scratch_write("named", "53/tcp\n");
    read_with_problems("cups: No such file or directory\n");
    CLIENTS("cups", "named");
    assert_true(plan.clients[0].unreadable);
    assert_false(plan.clients[1].unreadable);
    assert_entry(0, "named", 1, 53, TRANSPORT_TCP);
}

static void a_file_without_the_right_to_it_cannot_be_read(void **state)
{
    (void)state;
    bool root = geteuid() == 0;
    scratch_write("cups", "631\n");
    assert_int_equal(chmod(scratch_path("cups"), root ? 0600 : 0), 0);
    if (root)
        assert_int_equal(seteuid(STRANGER), 0);
    int r = plan_read(&plan, scratch_folder(), tell, told);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(r, 0);
    assert_string_equal(told, "cups: Permission denied\n");
    assert_true(plan.clients[0].unreadable);
    assert_int_equal(plan.entries_count, 0);
}

static void only_a_regular_file_is_read(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", scratch_path("socket"));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(mkdir(scratch_path("folder"), 0755), 0);
    assert_int_equal(mkfifo(scratch_path("fifo"), 0644), 0);
    alarm(10);
    read_with_problems("fifo: not a regular file\n"
                       "folder: not a regular file\n"
                       "socket: No such device or address\n");
    alarm(0);
    close(fd);
    assert_int_equal(plan.entries_count, 0);
}

static void a_file_has_1_mib_at_most(void **state)
{
    (void)state;
    char *text = malloc(PLAN_FILE_MAX_BYTES + 1);
    assert_non_null(text);
    memset(text, '#', PLAN_FILE_MAX_BYTES + 1);
    memcpy(text, "631/tcp\n", 8);
    scratch_write_bytes("just", text, PLAN_FILE_MAX_BYTES);
    memcpy(text, "632/tcp\n", 8);
    scratch_write_bytes("more", text, PLAN_FILE_MAX_BYTES + 1);
    free(text);
    read_with_problems("more: larger than 1 MiB\n");
    assert_int_equal(plan.entries_count, 1);
    assert_entry(0, "just", 1, 631, TRANSPORT_TCP);
    assert_false(plan.clients[0].unreadable);
    assert_true(plan.clients[1].unreadable);
}

/* ------------------------------------------------------------- the folder -- */

static void an_empty_folder_asks_for_nothing(void **state)
{
    (void)state;
    read_with_problems("");
    assert_int_equal(plan.clients_count, 0);
    assert_int_equal(plan.entries_count, 0);
    assert_null(plan_find(&plan, "cups"));
}

static void a_folder_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    static const struct plan none = PLAN_NULL;
    scratch_write("file", "1/tcp\n");
    assert_int_equal(plan_read(&plan, scratch_path("none"), tell, told), -ENOENT);
    assert_int_equal(plan_read(&plan, scratch_path("file"), tell, told), -ENOTDIR);
    assert_memory_equal(&plan, &none, sizeof plan);
    assert_string_equal(told, "");
}

static void without_memory_nothing_is_read(void **state)
{
    (void)state;
    static const struct plan none = PLAN_NULL;
    scratch_write("a", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    scratch_write("b", "11/tcp\n");
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        plan_deinit(&plan);
        alloc_fail_after(k);
        int r = plan_read(&plan, scratch_folder(), tell, told);
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (failed)
            assert_memory_equal(&plan, &none, sizeof plan);
    }
    assert_true(k > 6);
    assert_int_equal(plan.entries_count, 21);
}

static void a_plan_that_is_freed_can_be_read_again(void **state)
{
    (void)state;
    scratch_write("a", "1/tcp\n");
    read_folder();
    plan_deinit(&plan);
    plan_deinit(&plan);
    scratch_write("a", "2/udp\n");
    read_folder();
    assert_int_equal(plan.entries_count, 1);
    assert_entry(0, "a", 1, 2, TRANSPORT_UDP);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lines_come_in_the_order_of_names_and_lines),
        CASE(the_last_line_needs_no_newline),
        CASE(lines_may_end_as_in_dos),
        CASE(names_with_a_dot_or_a_tilde_are_passed_over),
        CASE(a_service_has_the_port_that_the_system_knows),
        CASE(a_client_is_found_by_its_name),
        CASE(owner_group_and_mode_say_who_may),
        CASE(a_link_is_followed),
        CASE(there_may_be_many_files_and_lines),
        CASE(one_file_may_have_all_ports),
        CASE(a_name_may_be_as_long_as_names_are),
        CASE(a_wrong_line_is_told_of_and_the_others_count),
        CASE(a_port_is_the_first_ones_who_asks),
        CASE(a_file_that_reserves_nothing_is_told_of),
        CASE(a_link_to_nothing_cannot_be_read),
        CASE(a_file_without_the_right_to_it_cannot_be_read),
        CASE(only_a_regular_file_is_read),
        CASE(a_file_has_1_mib_at_most),
        CASE(an_empty_folder_asks_for_nothing),
        CASE(a_folder_that_cannot_be_read_is_an_error),
        CASE(without_memory_nothing_is_read),
        CASE(a_plan_that_is_freed_can_be_read_again),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
