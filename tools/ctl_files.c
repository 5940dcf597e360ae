/* Whether a port file is believed, and why not. */

#include "ctl_files.h"

#include "ctl_sockets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 4096 };

const char *ctl_files_path(size_t n)
{
    static const char *const usual[] = {"/var/tmp/daqportmgr/listen.port",
                                        "/var/tmp/daqportmanager/listen.port"};
    const char *path = secure_getenv("DAQPORTMGR_PORTFILE");
    if (path && *path)
        return n == 0 ? path : NULL;
    return n < sizeof usual / sizeof *usual ? usual[n] : NULL;
}

/* Whether root or the caller owns it; if not, who does is in the text. */
static bool is_ours(const struct stat *status, const char *what, char *text, size_t size)
{
    char user[CTL_SOCKETS_USER_BYTES];
    if (status->st_uid == 0 || status->st_uid == geteuid())
        return true;
    ctl_user_name(status->st_uid, user);
    snprintf(text, size, "the %s belongs to %s, neither to root nor to you", what, user);
    return false;
}

static bool is_good_folder(const char *path, char *text, size_t size)
{
    struct stat status;
    const char *slash = strrchr(path, '/');
    char *folder =
        !slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    bool good = folder && stat(folder, &status) == 0;
    if (!good)
        snprintf(text, size, "its folder cannot be looked at");
    free(folder);
    return good && is_ours(&status, "folder", text, size);
}

/* The n-th line of the file, from 0, without its end. Whether there is one. */
static bool read_line(const char *path, int n, char line[LINE_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool got = true;
    for (int i = 0; got && i <= n; ++i)
        got = fgets(line, LINE_BYTES, file) != NULL;
    fclose(file);
    if (got)
        line[strcspn(line, "\r\n")] = '\0';
    return got;
}

static bool has_number(const char *path)
{
    char line[LINE_BYTES];
    char *end;
    if (!read_line(path, 0, line) || *line < '0' || *line > '9')
        return false;
    errno = 0;
    long port = strtol(line, &end, 10);
    return end[strspn(end, " \t")] == '\0' && errno == 0 && port >= 1 && port <= UINT16_MAX;
}

enum ctl_files_state ctl_files_check(const char *path, char *text, size_t size)
{
    struct stat status;
    text[0] = '\0';
    if (lstat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return CTL_FILES_NONE;
    if (!is_good_folder(path, text, size))
        return CTL_FILES_BAD;
    if (lstat(path, &status) != 0)
        snprintf(text, size, "it cannot be looked at");
    else if (S_ISLNK(status.st_mode))
        snprintf(text, size, "it is a symbolic link");
    else if (!S_ISREG(status.st_mode))
        snprintf(text, size, "it is no file");
    else if (!is_ours(&status, "file", text, size))
        return CTL_FILES_BAD;
    else if (status.st_mode & S_IWOTH)
        snprintf(text, size, "everybody may write to it");
    else if (access(path, R_OK) != 0)
        snprintf(text, size, "you may not read it");
    else if (!has_number(path))
        snprintf(text, size, "its first line is no port");
    return *text ? CTL_FILES_BAD : CTL_FILES_GOOD;
}

char *ctl_files_socket(const char *path)
{
    char line[LINE_BYTES];
    return read_line(path, 1, line) && *line ? strdup(line) : NULL;
}
