/* files.c - state files: trusted directories, atomic replacement, default places. */
#include "files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEMPORARY_BYTES = 32,    /* room for ".daqportmgr-" and 16 hexadecimal digits */
    TEMPORARY_ATTEMPTS = 16, /* one is enough unless somebody guesses 64 random bits */
};

/* Where the text about a failure goes, and which path it is about. */
struct complaint {
    const char *path;
    char *text;
    size_t size;
};

static const struct {
    const char *directory;
    const char *name;
} PLACES[] = {
    [FILES_PORT] = {"/var/tmp/daqportmgr", "listen.port"},
    [FILES_PID] = {"/var/run/nscldaq", "daqportmgr.pid"},
    [FILES_USAGE] = {"/var/tmp/daqportmgr", "ports.txt"},
    [FILES_LOG] = {"/var/log/nscldaq", "portmanager.log"},
    [FILES_SOCKET] = {"/run/daqportmgr", "socket"},
};

/* Returns -error. */
static int fail(const struct complaint *c, int error)
{
    snprintf(c->text, c->size, "%s: %s", c->path, strerror(error));
    return -error;
}

__attribute__((format(printf, 2, 3))) static int refuse(const struct complaint *c,
                                                        const char *format, ...)
{
    int n = snprintf(c->text, c->size, "%s: ", c->path);

    if (n >= 0 && (size_t)n < c->size) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(c->text + n, c->size - (size_t)n, format, arguments);
        va_end(arguments);
    }
    return FILES_E_REFUSED;
}

static bool is_trusted(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

static int refuse_owner(const struct complaint *c, const char *what, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    if (user != NULL)
        return refuse(c, "%s is owned by another user (%s)", what, user->pw_name);
    return refuse(c, "%s is owned by another user (uid %ju)", what, (uintmax_t)uid);
}

/* Copies the directory part, without slashes at its end, and points *name at the rest. */
static int split(const char *path, char directory[PATH_MAX], const char **name)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 0;

    *name = slash != NULL ? slash + 1 : path;
    if (path[0] == '\0')
        return ENOENT;
    if (strlen(path) >= PATH_MAX)
        return ENAMETOOLONG;
    if (strcmp(*name, "") == 0 || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
        return EISDIR;
    while (length > 0 && path[length - 1] == '/')
        length--;
    if (length > 0)
        memcpy(directory, path, length);
    else
        directory[length++] = slash != NULL ? '/' : '.';
    directory[length] = '\0';
    return 0;
}

/*
 * Opens a directory. Its last component is looked at without following it first:
 * a link is followed only when its owner is trusted, and nobody else can put
 * such a link there meanwhile.
 */
static int open_directory(const struct complaint *c, const char *directory, int *result)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    struct stat st;
    int fd = open(directory, flags | O_NOFOLLOW);

    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        if (lstat(directory, &st) != 0)
            return fail(c, errno);
        if (S_ISLNK(st.st_mode) && !is_trusted(st.st_uid))
            return refuse_owner(c, "the link to its directory", st.st_uid);
        fd = open(directory, flags);
    }
    if (fd < 0)
        return fail(c, errno);
    *result = fd;
    return 0;
}

static int check_directory(const struct complaint *c, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return fail(c, errno);
    if (!is_trusted(st.st_uid))
        return refuse_owner(c, "its directory", st.st_uid);
    if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
        return refuse(c, "its directory is writable by everyone and has no sticky bit");
    return 0;
}

/* Opens the directory that a path is in, if it can be trusted. The caller closes *fd. */
static int open_parent(const struct complaint *c, int *fd, const char **name)
{
    char directory[PATH_MAX];
    int r = split(c->path, directory, name);

    *fd = -1;
    if (r != 0)
        return fail(c, r);
    r = open_directory(c, directory, fd);
    if (r != 0)
        return r;
    r = check_directory(c, *fd);
    if (r != 0)
        close(*fd);
    return r;
}

/* Creates an empty file of an unpredictable name. Returns a descriptor or -errno. */
static int create_temporary(int directory, char name[TEMPORARY_BYTES])
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    uint64_t random;

    for (int i = 0; i < TEMPORARY_ATTEMPTS; i++) {
        int fd;

        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
            return -EIO;
        snprintf(name, TEMPORARY_BYTES, ".daqportmgr-%016" PRIx64, random);
        fd = openat(directory, name, flags, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

/* Returns 0 or an errno. */
static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Returns 0 or an errno, which may be one that close() is the first to tell. */
static int fill(int fd, const void *bytes, size_t size, mode_t mode)
{
    int error = write_all(fd, bytes, size);

    if (error == 0 && fchmod(fd, mode) != 0)
        error = errno;
    if (close(fd) != 0 && error == 0 && errno != EINTR)
        error = errno;
    return error;
}

/* Returns 0 or an errno. */
static int replace_at(int directory, const char *name, const void *bytes, size_t size,
                      mode_t mode)
{
    char temporary[TEMPORARY_BYTES];
    int fd = create_temporary(directory, temporary);
    int error;

    if (fd < 0)
        return -fd;
    error = fill(fd, bytes, size, mode);
    if (error == 0 && renameat(directory, temporary, directory, name) != 0)
        error = errno;
    if (error != 0)
        unlinkat(directory, temporary, 0);
    return error;
}

int files_replace(const char *path, const void *bytes, size_t size, mode_t mode, char *error,
                  size_t error_size)
{
    struct complaint c = {.path = path, .text = error, .size = error_size};
    const char *name;
    int directory;
    int r = open_parent(&c, &directory, &name);

    if (r != 0)
        return r;
    r = replace_at(directory, name, bytes, size, mode);
    close(directory);
    return r != 0 ? fail(&c, r) : 0;
}

/* Whether exactly these bytes come out of a descriptor. Returns 0, FILES_E_OTHER or -errno. */
static int compare(int fd, const char *bytes, size_t size)
{
    char chunk[4096];

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return size == 0 ? 0 : FILES_E_OTHER;
        if ((size_t)n > size || memcmp(chunk, bytes, (size_t)n) != 0)
            return FILES_E_OTHER;
        bytes += n;
        size -= (size_t)n;
    }
}

/* Removes a name if it still is the file behind fd. */
static int remove_same(int directory, const char *name, const struct stat *st)
{
    struct stat now;

    if (fstatat(directory, name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? FILES_E_OTHER : -errno;
    if (now.st_dev != st->st_dev || now.st_ino != st->st_ino)
        return FILES_E_OTHER;
    return unlinkat(directory, name, 0) == 0 ? 0 : -errno;
}

static int remove_at(int directory, const char *name, const void *bytes, size_t size)
{
    struct stat st;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENXIO ? FILES_E_OTHER : -errno;
    if (fstat(fd, &st) != 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        r = FILES_E_OTHER;
    else
        r = compare(fd, bytes, size);
    close(fd);
    return r != 0 ? r : remove_same(directory, name, &st);
}

int files_remove_if(const char *path, const void *bytes, size_t size)
{
    struct complaint c = {.path = path, .text = NULL, .size = 0};
    const char *name;
    int directory;
    int r = open_parent(&c, &directory, &name);

    if (r != 0)
        return r == -ENOENT ? FILES_E_OTHER : r;
    r = remove_at(directory, name, bytes, size);
    close(directory);
    return r;
}

/*
 * Whether what already has the name is in the way: a directory, or another
 * user's file under a sticky bit. Returns 0 or an errno.
 */
static int check_target(int directory, const char *name)
{
    struct stat target, parent;

    if (fstatat(directory, name, &target, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : errno;
    if (S_ISDIR(target.st_mode))
        return EISDIR;
    if (fstat(directory, &parent) != 0)
        return errno;
    if ((parent.st_mode & S_ISVTX) != 0 && geteuid() != 0 && parent.st_uid != geteuid() &&
        target.st_uid != geteuid())
        return EPERM;
    return 0;
}

/* Whether a file of this name could be put into the directory. Returns 0 or an errno. */
static int try_create(int directory, const char *name)
{
    char temporary[TEMPORARY_BYTES];
    int error = check_target(directory, name);
    int fd;

    if (error != 0)
        return error;
    fd = create_temporary(directory, temporary);
    if (fd < 0)
        return -fd;
    close(fd);
    return unlinkat(directory, temporary, 0) == 0 ? 0 : errno;
}

/* The log is appended to, so one that is there must be fit for it; -1: it is not there. */
static int try_append(int directory, const char *name)
{
    struct stat st;

    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? -1 : errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    if (!S_ISREG(st.st_mode) || !is_trusted(st.st_uid))
        return EPERM;
    return faccessat(directory, name, W_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* Whether the file c is about could be kept there. Returns 0 or as files_replace(). */
static int try_place(const struct complaint *c, enum files_kind kind)
{
    const char *name;
    int directory, error = -1;
    int r = open_parent(c, &directory, &name);

    if (r != 0)
        return r;
    if (kind == FILES_LOG)
        error = try_append(directory, name);
    if (error < 0)
        error = try_create(directory, name);
    close(directory);
    return error != 0 ? fail(c, error) : 0;
}

/* Makes the directory c is about, readable to all whatever the umask is. */
static int make_directory(const struct complaint *c, bool *made)
{
    const char *name;
    int parent;
    int error = 0;
    int r = open_parent(c, &parent, &name);

    if (r != 0)
        return r;
    if (mkdirat(parent, name, 0755) == 0) {
        *made = true;
        error = fchmodat(parent, name, 0755, 0) == 0 ? 0 : errno;
    } else if (errno != EEXIST) {
        error = errno;
    }
    close(parent);
    return error != 0 ? fail(c, error) : 0;
}

/* Tries a place below a directory; a directory that was made in vain goes away again. */
static int try_made(enum files_kind kind, const char *directory, char path[PATH_MAX],
                    const struct complaint *c)
{
    struct complaint d = {.path = directory, .text = c->text, .size = c->size};
    int n = snprintf(path, PATH_MAX, "%s/%s", directory, PLACES[kind].name);
    bool made = false;
    int r = 0;

    if (n < 0 || n >= PATH_MAX)
        return fail(&d, ENAMETOOLONG);
    if (access(directory, F_OK) != 0)
        r = make_directory(&d, &made);
    if (r == 0)
        r = try_place(c, kind);
    if (r != 0 && made)
        rmdir(directory);
    return r;
}

static int try_system(enum files_kind kind, const char *root, char path[PATH_MAX],
                      const struct complaint *c)
{
    char directory[PATH_MAX];
    struct complaint d = {.path = directory, .text = c->text, .size = c->size};
    int n = snprintf(directory, sizeof(directory), "%s%s", root, PLACES[kind].directory);

    return n < 0 || n >= PATH_MAX ? fail(&d, ENAMETOOLONG) : try_made(kind, directory, path, c);
}

/* The directory that the login of this user was given for sockets and the like. */
static int try_runtime(enum files_kind kind, char path[PATH_MAX], const struct complaint *c)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char directory[PATH_MAX];
    struct complaint d = {.path = directory, .text = c->text, .size = c->size};
    int n;

    if (runtime == NULL || runtime[0] != '/')
        return refuse(c, "there is no XDG_RUNTIME_DIR");
    n = snprintf(directory, sizeof(directory), "%s/daqportmgr", runtime);
    return n < 0 || n >= PATH_MAX ? fail(&d, ENAMETOOLONG) : try_made(kind, directory, path, c);
}

static const char *home_directory(void)
{
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (home != NULL && home[0] == '/')
        return home;
    user = getpwuid(geteuid());
    return user != NULL ? user->pw_dir : NULL;
}

static int try_home(enum files_kind kind, char path[PATH_MAX], const struct complaint *c)
{
    const char *home = home_directory();
    int n;

    if (home == NULL || home[0] != '/')
        return refuse(c, "there is no home directory");
    n = snprintf(path, PATH_MAX, "%s/%s", home, PLACES[kind].name);
    if (n < 0 || n >= PATH_MAX)
        return fail(c, ENAMETOOLONG);
    return try_place(c, kind);
}

int files_default(enum files_kind kind, const char *root, char path[PATH_MAX], char *why,
                  size_t why_size)
{
    struct complaint c = {.path = path, .text = why, .size = why_size};
    size_t length;

    assert((size_t)kind < sizeof(PLACES) / sizeof(PLACES[0]));
    if (why_size > 0)
        why[0] = '\0';
    path[0] = '\0';
    if (try_system(kind, root, path, &c) == 0)
        return 0;
    length = why_size > 0 ? strlen(why) : 0;
    if (length + 2 < why_size) { /* the second reason goes behind the first */
        c.text = why + length + 2;
        c.size = why_size - length - 2;
        c.text[0] = '\0';
    } else {
        c.size = 0;
    }
    if ((kind == FILES_SOCKET ? try_runtime : try_home)(kind, path, &c) == 0)
        return FILES_E_HOME;
    if (c.size > 0)
        memcpy(why + length, "; ", 2);
    path[0] = '\0';
    return FILES_E_NOWHERE;
}

int files_open_parent(const char *path, int *fd, const char **name, char *error,
                      size_t error_size)
{
    struct complaint c = {.path = path, .text = error, .size = error_size};

    return open_parent(&c, fd, name);
}

int files_make_parent(const char *path, char *error, size_t error_size)
{
    char directory[PATH_MAX];
    struct complaint c = {.path = path, .text = error, .size = error_size};
    const char *name;
    bool made;
    int r = split(path, directory, &name);

    if (r != 0)
        return fail(&c, r);
    c.path = directory;
    return access(directory, F_OK) == 0 ? 0 : make_directory(&c, &made);
}

size_t files_port_text(char text[FILES_PORT_BYTES], int port, const char *socket)
{
    return (size_t)snprintf(text, FILES_PORT_BYTES, "%d\n%s%s", port, socket,
                            *socket != '\0' ? "\n" : "");
}
