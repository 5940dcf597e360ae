/* test_call_environment.c - the port file that is believed, and the name of the user. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pa_call.h"
#include "pa_portfile.h"

/* ------------------------------------------------------------ port file -- */

static char folder[64];
static char path[sizeof folder + 16];
static char socket_path[sizeof folder + 16];

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
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    return setenv("DAQPORTMGR_PORTFILE", path, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(socket_path);
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
        {"2\n/run/daqportmgr/socket\n", 2},
        {"/run/daqportmgr/socket\n2\n", 0},
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

/* ----------------------------------------------------------- second line -- */

/* A port file whose second line is `text`, and what is believed of it. */
static void assert_socket(const char *text, const char *wanted)
{
    char content[512];
    struct pa_portfile file;
    snprintf(content, sizeof content, "30000\n%s", text);
    write_file(content, 0644);
    memset(&file, 0x55, sizeof file);
    pa_portfile_read(&file);
    assert_int_equal(file.port, 30000);
    assert_string_equal(file.socket, wanted);
}

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(name) < sizeof address.sun_path);
    strcpy(address.sun_path, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void the_second_line_names_a_socket(void **state)
{
    (void)state;
    char line[256];
    static const struct {
        const char *before;
        const char *behind;
        bool good;
    } lines[] = {
        {"", "\n", true},       {"", "", true},      {"", "\r\n", true},
        {"", "\nmore\n", true}, {"\n", "\n", false}, {" ", "\n", false},
        {"", " \n", false},     {"", "x\n", false},  {"socket\n", "\n", false},
    };
    make_socket(socket_path);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i) {
        snprintf(line, sizeof line, "%s%s%s", lines[i].before, socket_path, lines[i].behind);
        assert_socket(line, lines[i].good ? socket_path : "");
    }
    assert_socket("", "");
    assert_socket("\n", "");
    assert_socket("socket\n", "");
}

static void a_socket_may_have_a_path_of_107_bytes(void **state)
{
    (void)state;
    char longest[PA_PORTFILE_SOCKET_BYTES];
    char line[256];
    size_t size = strlen(folder);
    memset(longest, 'x', sizeof longest);
    memcpy(longest, folder, size);
    longest[size] = '/';
    longest[sizeof longest - 1] = '\0';
    make_socket(longest);
    snprintf(line, sizeof line, "%s\n", longest);
    assert_socket(line, longest);
    snprintf(line, sizeof line, "/%s\n", longest);
    assert_socket(line, "");
    snprintf(line, sizeof line, "%s%s\n", folder, longest);
    assert_socket(line, "");
    unlink(longest);
}

static void what_is_no_socket_is_not_believed(void **state)
{
    (void)state;
    char elsewhere[sizeof socket_path + 1];
    assert_socket(socket_path, "");
    assert_int_equal(mkfifo(socket_path, 0666), 0);
    assert_socket(socket_path, "");
    unlink(socket_path);
    snprintf(elsewhere, sizeof elsewhere, "%s2", socket_path);
    make_socket(elsewhere);
    assert_int_equal(symlink(elsewhere, socket_path), 0);
    assert_socket(socket_path, "");
    assert_socket(elsewhere, elsewhere);
    unlink(elsewhere);
}

static void a_socket_that_others_could_replace_is_not_believed(void **state)
{
    (void)state;
    make_socket(socket_path);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_socket(socket_path, "");
    assert_int_equal(chmod(folder, 01777), 0);
    assert_socket(socket_path, socket_path);
    assert_int_equal(chmod(folder, 0775), 0);
    assert_socket(socket_path, socket_path);
}

static void a_strangers_socket_is_not_believed(void **state)
{
    (void)state;
    enum { STRANGER = 54321 };
    char inner[sizeof folder + 4];
    char line[sizeof inner + 16];
    if (geteuid() != 0)
        skip();
    make_socket(socket_path);
    assert_int_equal(lchown(socket_path, STRANGER, STRANGER), 0);
    assert_socket(socket_path, "");
    snprintf(inner, sizeof inner, "%s/in", folder);
    snprintf(line, sizeof line, "%s/socket", inner);
    assert_int_equal(mkdir(inner, 0755), 0);
    make_socket(line);
    assert_socket(line, line);
    assert_int_equal(chown(inner, STRANGER, STRANGER), 0);
    assert_socket(line, "");
    unlink(line);
    rmdir(inner);
}

static void without_a_port_there_is_no_socket(void **state)
{
    (void)state;
    char text[256];
    struct pa_portfile file = {.port = 1, .socket = "x"};
    make_socket(socket_path);
    snprintf(text, sizeof text, "0\n%s\n", socket_path);
    write_file(text, 0644);
    pa_portfile_read(&file);
    assert_int_equal(file.port, 0);
    assert_string_equal(file.socket, "");
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
        FILE_CASE(the_second_line_names_a_socket),
        FILE_CASE(a_socket_may_have_a_path_of_107_bytes),
        FILE_CASE(what_is_no_socket_is_not_believed),
        FILE_CASE(a_socket_that_others_could_replace_is_not_believed),
        FILE_CASE(a_strangers_socket_is_not_believed),
        FILE_CASE(without_a_port_there_is_no_socket),
        cmocka_unit_test(the_user_is_the_login_name),
        cmocka_unit_test(a_user_without_a_name_is_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
