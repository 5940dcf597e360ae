/* test_call_environment.c - the port file that is believed, and the name of the user. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pa_call.h"

/* ------------------------------------------------------------ port file -- */

static char folder[64];
static char path[sizeof folder + 16];

static void write_file(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_call_environment_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/listen.port", folder);
    (void)state;
    return setenv("DAQPORTMGR_PORTFILE", path, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void a_port_file_holds_a_number_on_its_first_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int port;
    } files[] = {
        {"30000\n", 30000},
        {"30000", 30000},
        {"30000 \r\n", 30000},
        {"1\n2\n", 1},
        {"65535\n", 65535},
        {"65536\n", 0},
        {"0\n", 0},
        {"", 0},
        {"\n30000\n", 0},
        {"-1\n", 0},
        {"x\n", 0},
        {"30000x\n", 0},
        {"3 0\n", 0},
        {" 30000\n", 0},
        {"99999999999999999999\n", 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        write_file(files[i].text, 0644);
        assert_int_equal(pa_call_port_from_file(), files[i].port);
    }
}

static void a_port_file_that_others_can_change_is_not_believed(void **state)
{
    (void)state;
    write_file("30001\n", 0666);
    assert_int_equal(pa_call_port_from_file(), 0);
    write_file("30001\n", 0664);
    assert_int_equal(pa_call_port_from_file(), 30001);
}

static void a_port_file_of_a_stranger_is_not_believed(void **state)
{
    (void)state;
    enum { STRANGER = 54321 };
    if (geteuid() != 0)
        skip();
    write_file("30001\n", 0644);
    assert_int_equal(pa_call_port_from_file(), 30001);
    assert_int_equal(chown(path, STRANGER, STRANGER), 0);
    assert_int_equal(pa_call_port_from_file(), 0);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chown(folder, STRANGER, STRANGER), 0);
    assert_int_equal(pa_call_port_from_file(), 0);
    assert_int_equal(chown(folder, 0, 0), 0);
}

static void a_port_file_is_a_plain_file(void **state)
{
    (void)state;
    assert_int_equal(pa_call_port_from_file(), 0);
    assert_int_equal(symlink("/proc/sys/kernel/pid_max", path), 0);
    assert_int_equal(pa_call_port_from_file(), 0);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pa_call_port_from_file(), 0);
    setenv("DAQPORTMGR_PORTFILE", folder, 1);
    assert_int_equal(pa_call_port_from_file(), 0);
}

/* ----------------------------------------------------------- environment -- */

static void the_user_is_the_login_name(void **state)
{
    (void)state;
    char user[256];
    const struct passwd *entry = getpwuid(geteuid());
    pa_call_user(user, sizeof user);
    if (entry)
        assert_string_equal(user, entry->pw_name);
    else
        assert_memory_equal(user, "uid:", 4);
    char first[2] = "x";
    pa_call_user(first, sizeof first);
    assert_int_equal(first[0], user[0]);
    assert_int_equal(first[1], '\0');
}

static void a_user_without_a_name_is_a_number(void **state)
{
    (void)state;
    enum { NAMELESS = 54321 };
    if (geteuid() != 0 || getpwuid(NAMELESS))
        skip();
    char user[256];
    assert_int_equal(seteuid(NAMELESS), 0);
    pa_call_user(user, sizeof user);
    assert_int_equal(seteuid(0), 0);
    assert_string_equal(user, "uid:54321");
}

#define FILE_CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_CASE(a_port_file_holds_a_number_on_its_first_line),
        FILE_CASE(a_port_file_that_others_can_change_is_not_believed),
        FILE_CASE(a_port_file_of_a_stranger_is_not_believed),
        FILE_CASE(a_port_file_is_a_plain_file),
        cmocka_unit_test(the_user_is_the_login_name),
        cmocka_unit_test(a_user_without_a_name_is_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
