/* test_notify.c - what the service manager hears. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"
#include "scratch.h"

enum { PATH_BYTES = sizeof((struct sockaddr_un *)NULL)->sun_path };

static int tear_down(void **state)
{
    unsetenv("NOTIFY_SOCKET");
    return scratch_tear_down(state);
}

/* The service manager's socket: `size` bytes of a path, or of an abstract name behind a NUL. */
static int manager_at(const char *path, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(size <= sizeof address.sun_path);
    memcpy(address.sun_path, path, size);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    return fd;
}

static void assert_hears(int fd, const char *text)
{
    char heard[256];
    ssize_t size = recv(fd, heard, sizeof heard, MSG_DONTWAIT);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(heard, text, strlen(text));
}

static void assert_hears_nothing(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* A path in the scratch folder of `size` bytes. */
static const char *path_of(size_t size)
{
    static char path[256];
    int used = snprintf(path, sizeof path, "%s", scratch_path(""));
    assert_in_range(size, used + 1, sizeof path - 1);
    memset(path + used, 'p', size - (size_t)used);
    path[size] = '\0';
    return path;
}

static void a_path_is_told(void **state)
{
    (void)state;
    const char *path = scratch_path("manager");
    int fd = manager_at(path, strlen(path));
    setenv("NOTIFY_SOCKET", path, 1);
    notify("READY=1");
    notify("STOPPING=1\nSTATUS=none left");
    assert_hears(fd, "READY=1");
    assert_hears(fd, "STOPPING=1\nSTATUS=none left");
    assert_hears_nothing(fd);
    close(fd);
}

static void an_abstract_name_is_told(void **state)
{
    (void)state;
    char name[64];
    int size = snprintf(name, sizeof name, "@test_notify %ld", (long)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    int fd = manager_at(name, (size_t)size);
    notify("READY=1");
    assert_hears(fd, "READY=1");
    close(fd);
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    notify("READY=1");
    setenv("NOTIFY_SOCKET", "", 1);
    notify("READY=1");
}

static void a_manager_that_does_not_listen_is_not_waited_for(void **state)
{
    (void)state;
    const char *path = scratch_path("manager");
    setenv("NOTIFY_SOCKET", path, 1);
    notify("READY=1");
    close(manager_at(path, strlen(path)));
    notify("READY=1");
    setenv("NOTIFY_SOCKET", "@test_notify: nobody", 1);
    notify("READY=1");
}

static void a_path_may_be_as_long_as_an_address(void **state)
{
    (void)state;
    const char *path = path_of(PATH_BYTES - 1);
    int fd = manager_at(path, PATH_BYTES - 1);
    setenv("NOTIFY_SOCKET", path, 1);
    notify("READY=1");
    assert_hears(fd, "READY=1");
    close(fd);
}

static void a_longer_path_is_nobodys(void **state)
{
    (void)state;
    int fd = manager_at(path_of(PATH_BYTES - 1), PATH_BYTES - 1);
    for (size_t size = PATH_BYTES; size < 200; ++size) {
        setenv("NOTIFY_SOCKET", path_of(size), 1);
        notify("READY=1");
    }
    assert_hears_nothing(fd);
    close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_path_is_told),
        CASE(an_abstract_name_is_told),
        CASE(without_a_manager_nothing_happens),
        CASE(a_manager_that_does_not_listen_is_not_waited_for),
        CASE(a_path_may_be_as_long_as_an_address),
        CASE(a_longer_path_is_nobodys),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
