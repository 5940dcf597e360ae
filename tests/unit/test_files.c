/* test_files.c - state files: atomic, only in trusted directories, in the default places. */
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

enum {
    STRANGER = 65534,
};

static char root[64]; /* this test's directory */
static char error_text[1024];

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/test_files.XXXXXX");
    umask(022);
    unsetenv("HOME");
    unsetenv("XDG_RUNTIME_DIR");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    if (geteuid() != getuid() && seteuid(getuid()) != 0)
        return -1;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path below the test's directory, in one of a few buffers that take turns. */
static char *under(const char *path)
{
    static char buffers[8][256];
    static unsigned turn;
    char *buffer = buffers[turn++ % 8];

    snprintf(buffer, sizeof(buffers[0]), "%s/%s", root, path);
    return buffer;
}

static void make_directory(const char *path, mode_t mode, uid_t owner)
{
    assert_int_equal(mkdir(under(path), 0700), 0);
    assert_int_equal(chown(under(path), owner, (gid_t)-1), 0);
    assert_int_equal(chmod(under(path), mode), 0);
}

static void make_file(const char *path, const char *text)
{
    FILE *file = fopen(under(path), "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *path, const char *wanted)
{
    char text[256];
    FILE *file = fopen(under(path), "r");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    assert_string_equal(text, wanted);
}

static size_t entries(const char *path)
{
    DIR *directory = opendir(under(path));
    struct dirent *entry;
    size_t n = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return n;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(under(path), &st) == 0;
}

static size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        n++;
    closedir(directory);
    return n;
}

static int replace(const char *path, const char *text)
{
    size_t before = open_descriptors();
    int r = files_replace(path, text, strlen(text), 0644, error_text, sizeof(error_text));

    assert_int_equal(open_descriptors(), before);
    return r;
}

static void assert_error(const char *path, const char *rest)
{
    char wanted[512];

    snprintf(wanted, sizeof(wanted), "%s: %s", path, rest);
    assert_string_equal(error_text, wanted);
}

static void a_new_file_gets_content_and_mode(void **state)
{
    struct stat st;

    (void)state;
    umask(077);
    assert_int_equal(replace(under("port"), "30000\n"), 0);
    assert_content("port", "30000\n");
    assert_int_equal(stat(under("port"), &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0644);
    assert_int_equal(entries(""), 1);
}

static void a_reader_keeps_the_old_content(void **state)
{
    char text[16] = "";
    int fd;

    (void)state;
    make_file("port", "old");
    fd = open(under("port"), O_RDONLY);
    assert_int_equal(replace(under("port"), "new and longer"), 0);
    assert_int_equal(read(fd, text, sizeof(text)), 3);
    assert_string_equal(text, "old");
    close(fd);
    assert_content("port", "new and longer");
    assert_int_equal(replace(under("port"), ""), 0);
    assert_content("port", "");
    assert_int_equal(entries(""), 1);
}

static void a_relative_path_and_surplus_slashes_work(void **state)
{
    char before[PATH_MAX];

    (void)state;
    assert_non_null(getcwd(before, sizeof(before)));
    make_directory("d", 0755, geteuid());
    assert_int_equal(replace(under("d///port"), "a"), 0);
    assert_int_equal(chdir(root), 0);
    assert_int_equal(replace("port", "b"), 0);
    assert_int_equal(replace("d/../here", "c"), 0);
    assert_int_equal(chdir(before), 0);
    assert_content("d/port", "a");
    assert_content("port", "b");
    assert_content("here", "c");
}

static void a_link_is_replaced_and_never_followed(void **state)
{
    struct stat st;

    (void)state;
    make_file("victim", "precious");
    assert_int_equal(symlink(under("victim"), under("port")), 0);
    assert_int_equal(replace(under("port"), "30000\n"), 0);
    assert_content("victim", "precious");
    assert_content("port", "30000\n");
    assert_int_equal(lstat(under("port"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void a_directory_is_not_replaced(void **state)
{
    (void)state;
    make_directory("port", 0755, geteuid());
    assert_int_equal(replace(under("port"), "x"), -EISDIR);
    assert_error(under("port"), "Is a directory");
    assert_int_equal(replace(under("port/"), "x"), -EISDIR);
    assert_int_equal(replace(under("."), "x"), -EISDIR);
    assert_int_equal(replace(under("port/.."), "x"), -EISDIR);
    assert_int_equal(entries(""), 1);
    assert_int_equal(entries("port"), 0);
}

static void a_bad_path_is_an_error_that_names_it(void **state)
{
    char longest[PATH_MAX + 8];

    (void)state;
    assert_int_equal(replace(under("none/port"), "x"), -ENOENT);
    assert_error(under("none/port"), "No such file or directory");
    make_file("file", "x");
    assert_int_equal(replace(under("file/port"), "x"), -ENOTDIR);
    assert_int_equal(replace("", "x"), -ENOENT);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(replace(longest, "x"), -ENAMETOOLONG);
    snprintf(longest, sizeof(longest), "%s/%0300d", root, 0);
    assert_int_equal(files_replace(longest, "x", 1, 0644, NULL, 0), -ENAMETOOLONG);
    assert_int_equal(entries(""), 1);
}

static void a_failed_write_leaves_old_content_and_no_temporary(void **state)
{
    struct rlimit limit, small;
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    int r;

    (void)state;
    make_file("port", "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 2;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    r = replace(under("port"), "new");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, old);
    assert_int_equal(r, -EFBIG);
    assert_error(under("port"), "File too large");
    assert_content("port", "old");
    assert_int_equal(entries(""), 1);
}

static void a_directory_open_to_all_needs_the_sticky_bit(void **state)
{
    (void)state;
    make_directory("open", 0777, geteuid());
    make_directory("sticky", 01777, geteuid());
    make_directory("group", 0775, geteuid());
    assert_int_equal(replace(under("open/port"), "x"), FILES_E_REFUSED);
    assert_error(under("open/port"),
                 "its directory is writable by everyone and has no sticky bit");
    assert_int_equal(entries("open"), 0);
    assert_int_equal(replace(under("sticky/port"), "x"), 0);
    assert_int_equal(replace(under("group/port"), "x"), 0);
}

static void another_users_directory_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    make_directory("theirs", 0755, STRANGER);
    assert_int_equal(replace(under("theirs/port"), "x"), FILES_E_REFUSED);
    assert_error(under("theirs/port"), "its directory is owned by another user (nobody)");
    assert_int_equal(entries("theirs"), 0);
    assert_int_equal(chown(under("theirs"), 54321, (gid_t)-1), 0);
    assert_int_equal(replace(under("theirs/port"), "x"), FILES_E_REFUSED);
    assert_error(under("theirs/port"), "its directory is owned by another user (uid 54321)");
}

static void roots_and_ones_own_directory_are_trusted(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(root, 0755), 0);
    make_directory("own", 0755, STRANGER);
    make_directory("shared", 01777, 0);
    make_directory("closed", 0755, 0);
    make_directory("third", 0777, 54321);
    assert_int_equal(seteuid(STRANGER), 0);
    assert_int_equal(replace(under("own/port"), "x"), 0);
    assert_int_equal(replace(under("shared/port"), "x"), 0);
    assert_int_equal(replace(under("closed/port"), "x"), -EACCES);
    assert_error(under("closed/port"), "Permission denied");
    assert_int_equal(replace(under("third/port"), "x"), FILES_E_REFUSED);
}

static void a_link_to_the_directory_needs_a_trusted_owner(void **state)
{
    (void)state;
    make_directory("real", 0755, geteuid());
    assert_int_equal(symlink("real", under("link")), 0);
    assert_int_equal(replace(under("link/port"), "x"), 0);
    assert_content("real/port", "x");
    if (geteuid() != 0)
        skip();
    assert_int_equal(lchown(under("link"), STRANGER, (gid_t)-1), 0);
    assert_int_equal(replace(under("link/port"), "y"), FILES_E_REFUSED);
    assert_error(under("link/port"),
                 "the link to its directory is owned by another user (nobody)");
    assert_int_equal(replace(under("link//port"), "y"), FILES_E_REFUSED);
    assert_content("real/port", "x");
}

static int remove_if(const char *path, const char *text)
{
    size_t before = open_descriptors();
    char *exact = strndup(text, strlen(text)); /* on the heap, where an over-read is seen */
    int r = files_remove_if(path, exact, strlen(text));

    free(exact);
    assert_int_equal(open_descriptors(), before);
    return r;
}

static void ones_own_file_is_removed(void **state)
{
    static char big[10000];

    (void)state;
    make_file("port", "30000\n");
    assert_int_equal(remove_if(under("port"), "30000\n"), 0);
    assert_false(is_there("port"));
    make_file("port", "");
    assert_int_equal(remove_if(under("port"), ""), 0);
    assert_false(is_there("port"));
    memset(big, 'x', sizeof(big) - 1);
    make_file("port", big);
    big[9000] = 'y';
    assert_int_equal(remove_if(under("port"), big), FILES_E_OTHER);
    big[9000] = 'x';
    assert_int_equal(remove_if(under("port"), big), 0);
    assert_false(is_there("port"));
}

static void a_successors_file_stays(void **state)
{
    (void)state;
    make_file("port", "30000\n");
    assert_int_equal(remove_if(under("port"), "30001\n"), FILES_E_OTHER);
    assert_int_equal(remove_if(under("port"), "30000"), FILES_E_OTHER);
    assert_int_equal(remove_if(under("port"), "30000\n\n"), FILES_E_OTHER);
    assert_int_equal(remove_if(under("port"), ""), FILES_E_OTHER);
    assert_content("port", "30000\n");
}

static void what_is_no_regular_file_stays(void **state)
{
    (void)state;
    make_directory("directory", 0755, geteuid());
    assert_int_equal(mkfifo(under("fifo"), 0600), 0);
    make_file("real", "x");
    assert_int_equal(symlink("real", under("link")), 0);
    alarm(10);
    assert_int_equal(remove_if(under("directory"), ""), FILES_E_OTHER);
    assert_int_equal(remove_if(under("fifo"), ""), FILES_E_OTHER);
    assert_int_equal(remove_if(under("link"), "x"), FILES_E_OTHER);
    alarm(0);
    assert_int_equal(remove_if(under("none"), "x"), FILES_E_OTHER);
    assert_int_equal(remove_if(under("none/none"), "x"), FILES_E_OTHER);
    assert_true(is_there("fifo") && is_there("link") && is_there("real"));
}

static void another_users_file_stays(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    make_file("port", "x");
    assert_int_equal(chown(under("port"), STRANGER, (gid_t)-1), 0);
    assert_int_equal(remove_if(under("port"), "x"), FILES_E_OTHER);
    assert_true(is_there("port"));
    make_directory("theirs", 0755, STRANGER);
    make_file("theirs/port", "x");
    assert_int_equal(remove_if(under("theirs/port"), "x"), FILES_E_REFUSED);
    assert_true(is_there("theirs/port"));
}

/* The system's directories below the test's root, but for those the daemon makes. */
static void make_system(void)
{
    make_directory("var", 0755, geteuid());
    make_directory("var/tmp", 01777, geteuid());
    make_directory("var/run", 0755, geteuid());
    make_directory("var/log", 0755, geteuid());
    make_directory("run", 0755, geteuid());
    make_directory("home", 0755, geteuid());
    assert_int_equal(setenv("HOME", under("home"), 1), 0);
}

static int choose(enum files_kind kind, char path[PATH_MAX])
{
    size_t before = open_descriptors();
    int r = files_default(kind, root, path, error_text, sizeof(error_text));

    assert_int_equal(open_descriptors(), before);
    return r;
}

static void the_systems_places_come_first(void **state)
{
    static const char *const places[] = {
        [FILES_PORT] = "var/tmp/daqportmgr/listen.port",
        [FILES_PID] = "var/run/nscldaq/daqportmgr.pid",
        [FILES_USAGE] = "var/tmp/daqportmgr/ports.txt",
        [FILES_LOG] = "var/log/nscldaq/portmanager.log",
        [FILES_SOCKET] = "run/daqportmgr/socket",
    };
    char path[PATH_MAX];
    struct stat st;

    (void)state;
    make_system();
    umask(077);
    for (int kind = FILES_PORT; kind <= FILES_SOCKET; kind++) {
        assert_int_equal(choose((enum files_kind)kind, path), 0);
        assert_string_equal(path, under(places[kind]));
        assert_string_equal(error_text, "");
        assert_false(is_there(places[kind]));
        assert_int_equal(replace(path, "x"), 0);
        assert_int_equal(choose((enum files_kind)kind, path), 0);
        assert_content(places[kind], "x");
    }
    assert_int_equal(stat(under("var/tmp/daqportmgr"), &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    assert_int_equal(entries("var/tmp/daqportmgr"), 2);
    assert_int_equal(entries("home"), 0);
}

static void without_the_systems_directories_home_is_used(void **state)
{
    static const char *const places[] = {
        [FILES_PORT] = "home/listen.port",
        [FILES_PID] = "home/daqportmgr.pid",
        [FILES_USAGE] = "home/ports.txt",
        [FILES_LOG] = "home/portmanager.log",
    };
    char path[PATH_MAX];

    (void)state;
    make_directory("home", 0755, geteuid());
    assert_int_equal(setenv("HOME", under("home"), 1), 0);
    for (int kind = FILES_PORT; kind <= FILES_LOG; kind++) {
        assert_int_equal(choose((enum files_kind)kind, path), FILES_E_HOME);
        assert_string_equal(path, under(places[kind]));
    }
    assert_error(under("var/log/nscldaq"), "No such file or directory");
    assert_int_equal(entries("home"), 0);
    assert_false(is_there("var"));
}

static void the_sockets_second_place_is_the_users_runtime_directory(void **state)
{
    char path[PATH_MAX];
    struct stat st;

    (void)state;
    make_directory("home", 0755, geteuid());
    make_directory("mine", 0700, geteuid());
    assert_int_equal(setenv("HOME", under("home"), 1), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", under("mine"), 1), 0);
    umask(077);
    assert_int_equal(choose(FILES_SOCKET, path), FILES_E_HOME);
    assert_string_equal(path, under("mine/daqportmgr/socket"));
    assert_error(under("run/daqportmgr"), "No such file or directory");
    assert_int_equal(stat(under("mine/daqportmgr"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(entries("mine/daqportmgr"), 0);
    assert_int_equal(choose(FILES_SOCKET, path), FILES_E_HOME);
    assert_int_equal(entries("home"), 0);
}

static void without_a_runtime_directory_there_is_no_socket(void **state)
{
    static const char *const runtimes[] = {NULL, "", "relative"};
    char path[PATH_MAX], wanted[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        if (runtimes[i] != NULL)
            assert_int_equal(setenv("XDG_RUNTIME_DIR", runtimes[i], 1), 0);
        assert_int_equal(choose(FILES_SOCKET, path), FILES_E_NOWHERE);
        assert_string_equal(path, "");
        snprintf(wanted, sizeof(wanted),
                 "%s/run/daqportmgr: No such file or directory; "
                 "%s/run/daqportmgr/socket: there is no XDG_RUNTIME_DIR",
                 root, root);
        assert_string_equal(error_text, wanted);
    }
    assert_int_equal(setenv("XDG_RUNTIME_DIR", under("missing"), 1), 0);
    assert_int_equal(choose(FILES_SOCKET, path), FILES_E_NOWHERE);
}

static void a_parent_is_opened_if_it_is_trusted(void **state)
{
    const char *name;
    int fd;

    (void)state;
    make_directory("good", 0755, geteuid());
    make_directory("open", 0777, geteuid());
    const char *path = under("good/one");
    assert_int_equal(files_open_parent(path, &fd, &name, error_text, sizeof(error_text)), 0);
    assert_string_equal(name, "one");
    assert_int_equal(mkdirat(fd, "inside", 0755), 0);
    assert_true(is_there("good/inside"));
    close(fd);
    path = under("open/one");
    assert_int_equal(files_open_parent(path, &fd, &name, error_text, sizeof(error_text)),
                     FILES_E_REFUSED);
    assert_error(path, "its directory is writable by everyone and has no sticky bit");
    path = under("none/one");
    assert_int_equal(files_open_parent(path, &fd, &name, error_text, sizeof(error_text)),
                     -ENOENT);
}

static void a_parent_is_made_if_only_that_is_missing(void **state)
{
    struct stat st;

    (void)state;
    umask(077);
    for (int i = 0; i < 2; i++)
        assert_int_equal(files_make_parent(under("a/socket"), error_text, sizeof(error_text)),
                         0);
    assert_int_equal(stat(under("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(files_make_parent(under("b/c/socket"), error_text, sizeof(error_text)),
                     -ENOENT);
    assert_error(under("b/c"), "No such file or directory");
    assert_int_equal(files_make_parent("", error_text, sizeof(error_text)), -ENOENT);
    make_directory("open", 0777, geteuid());
    assert_int_equal(files_make_parent(under("open/c/socket"), error_text, sizeof(error_text)),
                     FILES_E_REFUSED);
    assert_int_equal(entries("open"), 0);
}

static void the_port_file_has_a_line_for_port_and_socket(void **state)
{
    char text[FILES_PORT_BYTES], path[PATH_MAX];

    (void)state;
    assert_int_equal(files_port_text(text, 30000, ""), 6);
    assert_string_equal(text, "30000\n");
    assert_int_equal(files_port_text(text, 1, "/run/daqportmgr/socket"), 25);
    assert_string_equal(text, "1\n/run/daqportmgr/socket\n");
    memset(path, 'p', sizeof(path));
    path[PATH_MAX - 1] = '\0';
    assert_int_equal(files_port_text(text, 65535, path), PATH_MAX + 6);
    assert_string_equal(text + PATH_MAX + 4, "p\n");
}

static void a_hijacked_system_directory_is_not_used(void **state)
{
    char path[PATH_MAX];

    (void)state;
    if (geteuid() != 0)
        skip();
    make_system();
    make_directory("var/tmp/daqportmgr", 0755, STRANGER);
    assert_int_equal(choose(FILES_PORT, path), FILES_E_HOME);
    assert_string_equal(path, under("home/listen.port"));
    assert_error(under("var/tmp/daqportmgr/listen.port"),
                 "its directory is owned by another user (nobody)");
    assert_int_equal(entries("var/tmp/daqportmgr"), 0);
}

static void no_directory_is_made_in_an_untrusted_one(void **state)
{
    char path[PATH_MAX];

    (void)state;
    make_system();
    assert_int_equal(chmod(under("var/run"), 0777), 0);
    assert_int_equal(choose(FILES_PID, path), FILES_E_HOME);
    assert_error(under("var/run/nscldaq"),
                 "its directory is writable by everyone and has no sticky bit");
    assert_int_equal(entries("var/run"), 0);
}

static void a_user_without_permission_goes_home(void **state)
{
    char path[PATH_MAX];

    (void)state;
    if (geteuid() != 0)
        skip();
    make_system();
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(chown(under("home"), STRANGER, (gid_t)-1), 0);
    make_directory("var/log/nscldaq", 0755, 0);
    make_directory("var/tmp/daqportmgr", 01777, 0);
    make_file("var/tmp/daqportmgr/listen.port", "root's");
    assert_int_equal(seteuid(STRANGER), 0);
    assert_int_equal(choose(FILES_PID, path), FILES_E_HOME);
    assert_error(under("var/run/nscldaq"), "Permission denied");
    assert_int_equal(choose(FILES_LOG, path), FILES_E_HOME);
    assert_error(under("var/log/nscldaq/portmanager.log"), "Permission denied");
    /* Under a sticky bit a new file can be made, but root's cannot be replaced. */
    assert_int_equal(choose(FILES_USAGE, path), 0);
    assert_int_equal(choose(FILES_PORT, path), FILES_E_HOME);
    assert_error(under("var/tmp/daqportmgr/listen.port"), "Operation not permitted");
    assert_string_equal(path, under("home/listen.port"));
    assert_int_equal(replace(path, "x"), 0);
}

static void a_log_that_is_there_must_be_fit_to_append_to(void **state)
{
    char path[PATH_MAX];

    (void)state;
    make_system();
    make_directory("var/log/nscldaq", 0755, geteuid());
    assert_int_equal(symlink("elsewhere", under("var/log/nscldaq/portmanager.log")), 0);
    assert_int_equal(choose(FILES_LOG, path), FILES_E_HOME);
    assert_int_equal(unlink(under("var/log/nscldaq/portmanager.log")), 0);
    make_directory("var/log/nscldaq/portmanager.log", 0755, geteuid());
    assert_int_equal(choose(FILES_LOG, path), FILES_E_HOME);
    assert_error(under("var/log/nscldaq/portmanager.log"), "Is a directory");
    if (geteuid() != 0)
        skip();
    /* One's own log in a directory that only root writes to, as logrotate makes it. */
    assert_int_equal(rmdir(under("var/log/nscldaq/portmanager.log")), 0);
    make_file("var/log/nscldaq/portmanager.log", "old line\n");
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(chown(under("var/log/nscldaq/portmanager.log"), STRANGER, (gid_t)-1), 0);
    assert_int_equal(choose(FILES_LOG, path), FILES_E_HOME);
    assert_int_equal(chown(under("home"), STRANGER, (gid_t)-1), 0);
    assert_int_equal(seteuid(STRANGER), 0);
    assert_int_equal(choose(FILES_LOG, path), 0);
    assert_content("var/log/nscldaq/portmanager.log", "old line\n");
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chown(under("var/log/nscldaq/portmanager.log"), 0, (gid_t)-1), 0);
    assert_int_equal(chown(under("var/log/nscldaq"), STRANGER, (gid_t)-1), 0);
    assert_int_equal(seteuid(STRANGER), 0);
    assert_int_equal(choose(FILES_LOG, path), FILES_E_HOME);
    assert_error(under("var/log/nscldaq/portmanager.log"), "Permission denied");
}

static void without_any_place_both_reasons_are_told(void **state)
{
    char path[PATH_MAX], wanted[700], tiny[8];

    (void)state;
    assert_int_equal(setenv("HOME", under("nowhere"), 1), 0);
    assert_int_equal(choose(FILES_PORT, path), FILES_E_NOWHERE);
    assert_string_equal(path, "");
    snprintf(wanted, sizeof(wanted),
             "%s: No such file or directory; %s: No such file or directory",
             under("var/tmp/daqportmgr"), under("nowhere/listen.port"));
    assert_string_equal(error_text, wanted);
    assert_int_equal(files_default(FILES_PORT, root, path, tiny, sizeof(tiny)),
                     FILES_E_NOWHERE);
    assert_int_equal(strlen(tiny), 7);
    assert_int_equal(files_default(FILES_PORT, root, path, NULL, 0), FILES_E_NOWHERE);
    assert_int_equal(entries(""), 0);
}

static void a_directory_in_the_files_place_is_not_used(void **state)
{
    char path[PATH_MAX];

    (void)state;
    make_system();
    make_directory("var/run/nscldaq", 0755, geteuid());
    make_directory("var/run/nscldaq/daqportmgr.pid", 0755, geteuid());
    assert_int_equal(choose(FILES_PID, path), FILES_E_HOME);
    assert_error(under("var/run/nscldaq/daqportmgr.pid"), "Is a directory");
}

static void a_directory_made_in_vain_goes_away_again(void **state)
{
    char path[PATH_MAX];
    struct rlimit limit, small;
    int next = dup(STDERR_FILENO);
    int r;

    (void)state;
    make_system();
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    small = limit;
    small.rlim_cur = (rlim_t)next + 1; /* enough for a directory, not for a file in it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
    r = files_default(FILES_PID, root, path, error_text, sizeof(error_text));
    next = dup(STDERR_FILENO);
    assert_int_equal(open(under("probe"), O_WRONLY | O_CREAT, 0600), -1);
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (is_there("probe"))
        skip(); /* valgrind keeps the limit itself, when the file is made already */
    assert_int_equal(r, FILES_E_NOWHERE);
    assert_non_null(strstr(error_text, "daqportmgr.pid: Too many open files; "));
    assert_int_equal(entries("var/run"), 0);
}

static void another_users_home_is_not_used(void **state)
{
    char path[PATH_MAX];

    (void)state;
    if (geteuid() != 0)
        skip();
    make_directory("home", 0755, STRANGER);
    assert_int_equal(setenv("HOME", under("home"), 1), 0);
    assert_int_equal(choose(FILES_PID, path), FILES_E_NOWHERE);
    assert_non_null(
        strstr(error_text, "daqportmgr.pid: its directory is owned by another user"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_gets_content_and_mode),
        TEST(a_reader_keeps_the_old_content),
        TEST(a_relative_path_and_surplus_slashes_work),
        TEST(a_link_is_replaced_and_never_followed),
        TEST(a_directory_is_not_replaced),
        TEST(a_bad_path_is_an_error_that_names_it),
        TEST(a_failed_write_leaves_old_content_and_no_temporary),
        TEST(a_directory_open_to_all_needs_the_sticky_bit),
        TEST(another_users_directory_is_refused),
        TEST(roots_and_ones_own_directory_are_trusted),
        TEST(a_link_to_the_directory_needs_a_trusted_owner),
        TEST(ones_own_file_is_removed),
        TEST(a_successors_file_stays),
        TEST(what_is_no_regular_file_stays),
        TEST(another_users_file_stays),
        TEST(the_systems_places_come_first),
        TEST(without_the_systems_directories_home_is_used),
        TEST(the_sockets_second_place_is_the_users_runtime_directory),
        TEST(without_a_runtime_directory_there_is_no_socket),
        TEST(a_parent_is_opened_if_it_is_trusted),
        TEST(a_parent_is_made_if_only_that_is_missing),
        TEST(the_port_file_has_a_line_for_port_and_socket),
        TEST(a_hijacked_system_directory_is_not_used),
        TEST(no_directory_is_made_in_an_untrusted_one),
        TEST(a_user_without_permission_goes_home),
        TEST(a_log_that_is_there_must_be_fit_to_append_to),
        TEST(without_any_place_both_reasons_are_told),
        TEST(a_directory_in_the_files_place_is_not_used),
        TEST(a_directory_made_in_vain_goes_away_again),
        TEST(another_users_home_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
