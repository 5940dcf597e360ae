/* test_unix_listener.c - the socket in the file system: made, replaced, left alone, removed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "take_port.h"
#include "unix_listener.h"

enum { STRANGER = 65534 };

static char folder[64];
static char path[80]; /* of the socket: folder/d/socket */
static char error[256];
static size_t descriptors;

static int setup(void **state)
{
    (void)state;
    umask(022);
    strcpy(folder, "/tmp/test_unix_listener.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/d/socket", folder);
    descriptors = open_descriptors();
    return 0;
}

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(name);
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(open_descriptors(), descriptors);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* folder/d. */
static const char *inner(void)
{
    static char name[80];
    snprintf(name, sizeof name, "%s/d", folder);
    return name;
}

static size_t entries(void)
{
    DIR *directory = opendir(inner());
    size_t count = 0;
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static struct sockaddr_un address_of(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, name);
    return address;
}

/* A socket at the path that is not listened on. */
static int bind_other(int type)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* 0 or an errno. */
static int try_connect(void)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
    close(fd);
    return r;
}

static struct stat status_of(const char *name)
{
    struct stat status;
    assert_int_equal(lstat(name, &status), 0);
    return status;
}

static struct unix_listener open_listener(void)
{
    struct unix_listener listener;
    int r = unix_listener_open(&listener, path, error, sizeof error);
    if (r != 0)
        fail_msg("%d: %s", r, error);
    return listener;
}

static void assert_fails(int result, const char *text)
{
    char wanted[256];
    struct unix_listener listener;
    snprintf(wanted, sizeof wanted, "%s: %s", path, text);
    assert_int_equal(unix_listener_open(&listener, path, error, sizeof error), result);
    assert_string_equal(error, wanted);
    assert_int_equal(listener.fd, -1);
    unix_listener_close(&listener);
}

/* ------------------------------------------------------------------- making -- */

static void a_socket_is_made_for_everybody(void **state)
{
    (void)state;
    umask(077);
    struct unix_listener listener = open_listener();
    assert_int_equal(status_of(inner()).st_mode, S_IFDIR | 0755);
    assert_int_equal(status_of(path).st_mode, S_IFSOCK | 0666);
    assert_string_equal(listener.path, path);
    assert_int_equal(fcntl(listener.fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(try_connect(), 0);
    assert_int_equal(entries(), 1);
    unix_listener_close(&listener);
    assert_int_equal(entries(), 0);
    unix_listener_close(&listener);
}

static void a_second_descriptor_serves_the_same_socket(void **state)
{
    (void)state;
    struct unix_listener listener = open_listener();
    int fd = unix_listener_dup(&listener);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(try_connect(), 0);
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(client >= 0);
    close(client);
    close(fd);
    assert_int_equal(try_connect(), 0);
    unix_listener_close(&listener);
    assert_int_equal(unix_listener_dup(&listener), -EBADF);
}

/* 0 or an errno. */
static int try_connect_abstract(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
    memcpy(address.sun_path + 1, name, strlen(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = connect(fd, (struct sockaddr *)&address, (socklen_t)size) < 0 ? errno : 0;
    close(fd);
    return r;
}

static void an_abstract_name_is_in_no_folder(void **state)
{
    (void)state;
    struct unix_listener listener;
    struct unix_listener other;
    const char *name = folder + 1; /* unique, too */
    char wanted[128];
    assert_int_equal(unix_listener_open_abstract(&listener, name, error, sizeof error), 0);
    assert_int_equal(fcntl(listener.fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(try_connect_abstract(name), 0);
    assert_int_equal(unix_listener_open_abstract(&other, name, error, sizeof error),
                     UNIX_LISTENER_E_LIVE);
    snprintf(wanted, sizeof wanted, "%s: another process has this name", name);
    assert_string_equal(error, wanted);
    assert_int_equal(other.fd, -1);
    unix_listener_close(&listener);
    assert_int_equal(try_connect_abstract(name), ECONNREFUSED);
    assert_int_equal(unix_listener_open_abstract(&listener, name, error, sizeof error), 0);
    unix_listener_close(&listener);
}

static void an_abstract_name_must_fit(void **state)
{
    (void)state;
    char longest[UNIX_LISTENER_PATH_BYTES + 1];
    struct unix_listener listener;
    memset(longest, 'x', sizeof longest);
    memcpy(longest, folder + 1, strlen(folder + 1));
    longest[UNIX_LISTENER_PATH_BYTES] = '\0';
    assert_int_equal(unix_listener_open_abstract(&listener, longest, error, sizeof error),
                     -ENAMETOOLONG);
    longest[UNIX_LISTENER_PATH_BYTES - 1] = '\0';
    assert_int_equal(unix_listener_open_abstract(&listener, longest, error, sizeof error), 0);
    assert_int_equal(try_connect_abstract(longest), 0);
    unix_listener_close(&listener);
}

static void a_path_must_fit(void **state)
{
    (void)state;
    char longest[UNIX_LISTENER_PATH_BYTES + 1];
    struct unix_listener listener;
    memset(longest, 'x', sizeof longest);
    memcpy(longest, folder, strlen(folder));
    longest[strlen(folder)] = '/';
    longest[UNIX_LISTENER_PATH_BYTES] = '\0';
    assert_int_equal(unix_listener_open(&listener, longest, error, sizeof error),
                     -ENAMETOOLONG);
    longest[UNIX_LISTENER_PATH_BYTES - 1] = '\0';
    assert_int_equal(unix_listener_open(&listener, longest, error, sizeof error), 0);
    assert_string_equal(listener.path, longest);
    unix_listener_close(&listener);
    assert_int_equal(access(longest, F_OK), -1);
}

static void a_folder_must_be_safe(void **state)
{
    (void)state;
    assert_int_equal(mkdir(inner(), 0700), 0);
    assert_int_equal(chmod(inner(), 0777), 0);
    assert_fails(UNIX_LISTENER_E_REFUSED,
                 "its directory is writable by everyone and has no sticky bit");
    assert_int_equal(chmod(inner(), 01777), 0);
    struct unix_listener listener = open_listener();
    unix_listener_close(&listener);
    if (geteuid() == 0) {
        assert_int_equal(chown(inner(), STRANGER, STRANGER), 0);
        assert_fails(UNIX_LISTENER_E_REFUSED,
                     "its directory is owned by another user (nobody)");
    }
    assert_int_equal(entries(), 0);
}

/* --------------------------------------------------- what is there already -- */

static void a_dead_managers_socket_is_replaced(void **state)
{
    (void)state;
    struct unix_listener listener = open_listener();
    close(listener.fd); /* as a kill does */
    assert_int_equal(try_connect(), ECONNREFUSED);
    listener = open_listener();
    assert_int_equal(try_connect(), 0);
    assert_int_equal(entries(), 1);
    unix_listener_close(&listener);
}

static void a_living_managers_socket_is_left_alone(void **state)
{
    (void)state;
    struct unix_listener listener = open_listener();
    struct stat before = status_of(path);
    assert_fails(UNIX_LISTENER_E_LIVE, "another process listens there");
    assert_int_equal(status_of(path).st_ino, before.st_ino);
    assert_int_equal(try_connect(), 0);
    assert_int_equal(entries(), 1);
    unix_listener_close(&listener);
}

static void a_living_manager_that_takes_no_more_clients_is_left_alone(void **state)
{
    (void)state;
    struct sockaddr_un address = address_of(path);
    struct unix_listener listener = open_listener();
    assert_int_equal(listen(listener.fd, 0), 0);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    assert_fails(UNIX_LISTENER_E_LIVE, "another process listens there");
    close(client);
    unix_listener_close(&listener);
}

static void a_socket_of_another_type_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(mkdir(inner(), 0755), 0);
    int fd = bind_other(SOCK_DGRAM);
    assert_fails(UNIX_LISTENER_E_LIVE, "another process listens there");
    close(fd);
    assert_int_equal(entries(), 1);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(mkdir(inner(), 0755), 0);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    assert_int_equal(write(fd, "text", 4), 4);
    close(fd);
    assert_fails(UNIX_LISTENER_E_REFUSED, "this is there, and no socket");
    assert_int_equal(status_of(path).st_size, 4);
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_fails(UNIX_LISTENER_E_REFUSED, "this is there, and no socket");
    assert_int_equal(entries(), 1);
}

/* Neither to a dead socket, nor to where there is nothing. */
static void a_link_is_not_followed(void **state)
{
    (void)state;
    char elsewhere[80];
    struct unix_listener listener = open_listener();
    close(listener.fd);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_fails(UNIX_LISTENER_E_REFUSED, "this is there, and no socket");
    assert_int_equal(unlink(elsewhere), 0);
    assert_fails(UNIX_LISTENER_E_REFUSED, "this is there, and no socket");
    assert_int_equal(access(elsewhere, F_OK), -1);
    assert_true(S_ISLNK(status_of(path).st_mode));
}

static void another_users_socket_is_left_alone(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can be another user: passed over\n");
        return;
    }
    struct unix_listener listener = open_listener();
    close(listener.fd);
    assert_int_equal(lchown(path, STRANGER, STRANGER), 0);
    assert_fails(UNIX_LISTENER_E_REFUSED, "the socket there is another user's");
    assert_int_equal(entries(), 1);
}

/* ----------------------------------------------------------------- the lock -- */

static void a_lock_file_that_was_left_is_used(void **state)
{
    (void)state;
    char lock[100];
    snprintf(lock, sizeof lock, "%s.lock", path);
    assert_int_equal(mkdir(inner(), 0755), 0);
    close(open(lock, O_CREAT | O_WRONLY, 0600));
    struct unix_listener listener = open_listener();
    assert_int_equal(entries(), 1);
    unix_listener_close(&listener);
    assert_int_equal(symlink("/nowhere", lock), 0);
    assert_fails(-ELOOP, strerror(ELOOP));
    unlink(lock);
    if (geteuid() == 0) {
        close(open(lock, O_CREAT | O_WRONLY, 0666));
        assert_int_equal(chown(lock, STRANGER, STRANGER), 0);
        assert_fails(UNIX_LISTENER_E_REFUSED, "its lock file is another user's");
        assert_int_equal(status_of(lock).st_uid, STRANGER);
    }
}

enum { STARTERS = 4, STARTS = 50 };

/* In a child: begins when the pipe ends, tells by a letter what came of it, and stays. */
static void start_one(int go, int told)
{
    char letter;
    struct unix_listener listener;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || read(go, &letter, 1) != 0)
        _exit(1);
    int r = unix_listener_open(&listener, path, error, sizeof error);
    letter = r == 0 ? 'y' : r == UNIX_LISTENER_E_LIVE ? 'n' : '?';
    if (write(told, &letter, 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void begin_all(pid_t children[STARTERS], int told)
{
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    for (int i = 0; i < STARTERS; ++i) {
        children[i] = fork();
        if (children[i] == 0) {
            close(go[1]);
            start_one(go[0], told);
        }
    }
    close(go[0]);
    close(go[1]);
}

/* Of those that start at once one gets the socket, which a killed one has left. */
static void managers_that_start_together_take_turns(void **state)
{
    (void)state;
    for (int round = 0; round < STARTS; ++round) {
        pid_t children[STARTERS];
        int told[2];
        int winners = 0;
        int strange = 0;
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        begin_all(children, told[1]);
        close(told[1]);
        for (int i = 0; i < STARTERS; ++i) {
            char letter = '-';
            assert_int_equal(read(told[0], &letter, 1), 1);
            winners += letter == 'y';
            strange += letter == '?';
        }
        close(told[0]);
        int r = try_connect();
        for (int i = 0; i < STARTERS; ++i) {
            assert_int_equal(kill(children[i], SIGKILL), 0);
            assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
        }
        assert_int_equal(strange, 0);
        assert_int_equal(winners, 1);
        assert_int_equal(r, 0);
        assert_int_equal(entries(), 1);
    }
}

/* ----------------------------------------------------------------- removing -- */

static void what_is_not_its_own_is_not_removed(void **state)
{
    (void)state;
    struct unix_listener first = open_listener();
    assert_int_equal(unlink(path), 0);
    struct unix_listener second = open_listener();
    unix_listener_close(&first);
    assert_int_equal(try_connect(), 0);
    assert_int_equal(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    unix_listener_close(&second);
    assert_true(S_ISREG(status_of(path).st_mode));
}

static void a_folder_that_is_gone_does_not_matter(void **state)
{
    (void)state;
    struct unix_listener listener = open_listener();
    assert_int_equal(unlink(path), 0);
    unix_listener_close(&listener);
    listener = open_listener();
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(inner()), 0);
    unix_listener_close(&listener);
    assert_int_equal(listener.fd, -1);
}

static void without_descriptors_nothing_is_left(void **state)
{
    (void)state;
    struct rlimit before;
    int r = -1;
    assert_int_equal(mkdir(inner(), 0755), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t limit = descriptors; r != 0; ++limit) {
        struct unix_listener listener;
        struct rlimit few = {.rlim_cur = limit - 1, .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        r = unix_listener_open(&listener, path, error, sizeof error);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(entries(), r == 0);
        assert_true(r == 0 || r == -EMFILE);
        unix_listener_close(&listener);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_socket_is_made_for_everybody),
        TEST(a_second_descriptor_serves_the_same_socket),
        TEST(an_abstract_name_is_in_no_folder),
        TEST(an_abstract_name_must_fit),
        TEST(a_path_must_fit),
        TEST(a_folder_must_be_safe),
        TEST(a_dead_managers_socket_is_replaced),
        TEST(a_living_managers_socket_is_left_alone),
        TEST(a_living_manager_that_takes_no_more_clients_is_left_alone),
        TEST(a_socket_of_another_type_is_left_alone),
        TEST(what_is_no_socket_is_left_alone),
        TEST(a_link_is_not_followed),
        TEST(another_users_socket_is_left_alone),
        TEST(a_lock_file_that_was_left_is_used),
        TEST(managers_that_start_together_take_turns),
        TEST(what_is_not_its_own_is_not_removed),
        TEST(a_folder_that_is_gone_does_not_matter),
        TEST(without_descriptors_nothing_is_left),
    };
    return cmocka_run_group_tests_name("unix_listener", tests, NULL, NULL);
}
