/* The port file: where the manager of this host is. */

#include "pa_portfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEXT_BYTES = 64 + PA_PORTFILE_SOCKET_BYTES, /* of the file; the rest is not read */
};

static bool is_trusted(const struct stat *status)
{
    return status->st_uid == 0 || status->st_uid == geteuid();
}

/* Opens a folder that root or the caller owns; -1: it is none. */
static int open_folder(const char *folder, struct stat *status)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, status) == 0 && is_trusted(status))
        return fd;
    close(fd);
    return -1;
}

/* Opens the file in its folder, both seen through descriptors: nothing changes in between. */
static int open_trusted(const char *folder, const char *name)
{
    struct stat status;
    int folder_fd = open_folder(folder, &status);
    if (folder_fd < 0)
        return -1;
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    close(folder_fd);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && is_trusted(&status) &&
        !(status.st_mode & S_IWOTH))
        return fd;
    close(fd);
    return -1;
}

/* The folder that a path is in, to be freed, and its last component; NULL: no memory. */
static char *split(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* The number on the first line of `text`, from 1 to 65535, or 0. */
static int parse_port(const char *text)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return 0;
    long port = strtol(text, &end, 10);
    end += strspn(end, " \t\r");
    if ((*end != '\n' && *end != '\0') || errno != 0 || port < 1 || port > UINT16_MAX)
        return 0;
    return (int)port;
}

/* The absolute path on the second line of `text`, or "". */
static void parse_socket(const char *text, char socket[PA_PORTFILE_SOCKET_BYTES])
{
    const char *line = strchr(text, '\n');
    size_t size = line ? strcspn(++line, "\n") : 0;
    if (size > 0 && line[size - 1] == '\r')
        --size;
    if (size == 0 || *line != '/' || size >= PA_PORTFILE_SOCKET_BYTES)
        size = 0;
    else
        memcpy(socket, line, size);
    socket[size] = '\0';
}

static bool is_trusted_socket(const char *path)
{
    struct stat status;
    const char *name;
    char *folder = split(path, &name);
    int fd = folder ? open_folder(folder, &status) : -1;
    free(folder);
    if (fd < 0)
        return false;
    bool is_safe = !(status.st_mode & S_IWOTH) || (status.st_mode & S_ISVTX);
    bool trusted = is_safe && fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                   S_ISSOCK(status.st_mode) && is_trusted(&status);
    close(fd);
    return trusted;
}

static void read_in(const char *folder, const char *name, struct pa_portfile *file)
{
    char text[TEXT_BYTES];
    int fd = open_trusted(folder, name);
    if (fd < 0)
        return;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    file->port = parse_port(text);
    if (file->port == 0)
        return;
    parse_socket(text, file->socket);
    if (*file->socket && !is_trusted_socket(file->socket))
        *file->socket = '\0';
}

void pa_portfile_read(struct pa_portfile *file)
{
    const char *name;
    const char *path = secure_getenv("DAQPORTMGR_PORTFILE");
    *file = (struct pa_portfile){.port = 0};
    if (path && *path) {
        char *folder = split(path, &name);
        if (folder)
            read_in(folder, name, file);
        free(folder);
        return;
    }
    read_in("/var/tmp/daqportmgr", "listen.port", file);
    if (file->port == 0)
        read_in("/var/tmp/daqportmanager", "listen.port", file);
}
