/* log.c - log lines: composed, made harmless, collected, written in one piece. */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HOST_MAX_BYTES = 255, /* of a host name in a line, RFC 1035 */
    ELLIPSIS_BYTES = 3,
    TEXT_MAX_BYTES = LOG_LINE_BYTES - 1, /* the newline keeps its place */
};

/* A line in the making. Units (a character, an escape) go in whole or not at all. */
struct line {
    size_t length;
    size_t boundary; /* the last end of a unit that leaves room for the ellipsis */
    bool cut;
    char bytes[LOG_LINE_BYTES];
};

static const char *const LEVELS[] = {
    [LOG_LEVEL_INFO] = "INFO",
    [LOG_LEVEL_WARNING] = "WARNING",
    [LOG_LEVEL_ERROR] = "ERROR",
    [LOG_LEVEL_DEBUG] = "DEBUG",
};

/* strftime would take them from the locale. */
static const char *const MONTHS[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December",
};

static void put_unit(struct line *line, const void *bytes, size_t size)
{
    if (line->cut)
        return;
    if (line->length + size > TEXT_MAX_BYTES) {
        memcpy(line->bytes + line->boundary, "...", ELLIPSIS_BYTES);
        line->length = line->boundary + ELLIPSIS_BYTES;
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->length, bytes, size);
    line->length += size;
    if (line->length <= TEXT_MAX_BYTES - ELLIPSIS_BYTES)
        line->boundary = line->length;
}

/* The bounds of a UTF-8 sequence's second byte by its first one (RFC 3629, section 4). */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    unsigned char low = 0x80, high = 0xbf;

    switch (first) {
    case 0xc2: /* U+0080 to U+009F are control characters */
    case 0xe0:
        low = 0xa0;
        break;
    case 0xed:
        high = 0x9f;
        break;
    case 0xf0:
        low = 0x90;
        break;
    case 0xf4:
        high = 0x8f;
        break;
    default:
        break;
    }
    return second >= low && second <= high;
}

/* The length of the printable character at a NUL-terminated text, 0 if there is none. */
static size_t character_bytes(const unsigned char *at)
{
    size_t length;

    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (!second_byte_fits(at[0], at[1]))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

static void put_text(struct line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0' && !line->cut) {
        size_t length = character_bytes(at);

        if (length > 0) {
            put_unit(line, at, length);
        } else {
            char escape[8];

            snprintf(escape, sizeof(escape), "\\x%02X", *at);
            put_unit(line, escape, 4);
            length = 1;
        }
        at += length;
    }
}

/* The time of day as the line shows it, made once a second. */
static const char *stamp(struct log *l)
{
    struct timespec now = {0};
    struct tm tm = {0};

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec == l->stamp_s && l->stamp[0] != '\0')
        return l->stamp;
    localtime_r(&now.tv_sec, &tm);
    snprintf(l->stamp, sizeof(l->stamp), "%s %02d, %d %02d:%02d:%02d ", MONTHS[tm.tm_mon],
             tm.tm_mday, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    l->stamp_s = now.tv_sec;
    return l->stamp;
}

static void compose(struct log *l, struct line *line, enum log_level level, const char *host,
                    const char *text)
{
    char head[128];
    char name[HOST_MAX_BYTES + 1];
    int n = snprintf(head, sizeof(head), "%-10s%s", LEVELS[level], stamp(l));

    assert(n > 0 && (size_t)n < sizeof(head));
    snprintf(name, sizeof(name), "%s", host != NULL ? host : l->host);
    line->length = line->boundary = 0;
    line->cut = false;
    put_unit(line, head, (size_t)n);
    put_text(line, name);
    put_unit(line, " ", 1);
    put_text(line, text);
    line->bytes[line->length++] = '\n';
}

/* Room for the whole raw text is not needed: a line is cut before 1 KiB of it anyway. */
__attribute__((format(printf, 4, 0))) static void vwrite(struct log *l, enum log_level level,
                                                         const char *host, const char *format,
                                                         va_list arguments)
{
    char text[LOG_LINE_BYTES];
    struct line line;

    if (l->fd < 0)
        return;
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        text[0] = '\0';
    compose(l, &line, level, host, text);
    if (line.length > sizeof(l->buffer) - l->used_bytes)
        log_flush(l);
    memcpy(l->buffer + l->used_bytes, line.bytes, line.length);
    l->used_bytes += line.length;
}

void log_write(struct log *l, enum log_level level, const char *host, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vwrite(l, level, host, format, arguments);
    va_end(arguments);
}

/* Returns 0 or an errno; *written tells how many bytes arrived in either case. */
static int write_all(struct log *l, const char *bytes, size_t size, size_t *written)
{
    *written = 0;
    while (*written < size) {
        ssize_t n = write(l->fd, bytes + *written, size - *written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        *written += (size_t)n;
        l->torn = bytes[*written - 1] != '\n';
    }
    return 0;
}

/* Tells of lost lines if there are any. Returns 0 or the errno of another failure. */
static int report_lost(struct log *l)
{
    char text[256];
    struct line line;
    size_t written;
    int error = 0;

    if (l->lost_count == 0)
        return 0;
    snprintf(text, sizeof(text), "%" PRIu64 " log lines were lost: %s", l->lost_count,
             strerror(l->lost_errno));
    compose(l, &line, LOG_LEVEL_WARNING, NULL, text);
    if (l->torn)
        error = write_all(l, "\n", 1, &written);
    if (error == 0)
        error = write_all(l, line.bytes, line.length, &written);
    if (error == 0)
        l->lost_count = 0;
    return error;
}

static uint64_t count_lines(const char *bytes, size_t size)
{
    uint64_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += bytes[i] == '\n';
    return count;
}

void log_flush(struct log *l)
{
    size_t written = 0;
    int error;

    if (l->fd < 0 || (l->used_bytes == 0 && l->lost_count == 0))
        return;
    error = report_lost(l);
    if (error == 0)
        error = write_all(l, l->buffer, l->used_bytes, &written);
    if (error != 0) {
        l->lost_count += count_lines(l->buffer + written, l->used_bytes - written);
        l->lost_errno = error;
    }
    l->used_bytes = 0;
}

bool log_is_flushed(const struct log *l)
{
    return l->used_bytes == 0;
}

/* Only a regular file may be waited for: a FIFO's reader must not stop the manager. */
static int check_kind(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        return 0;
    if (!S_ISREG(st.st_mode))
        return LOG_E_KIND;
    return fcntl(fd, F_SETFL, O_APPEND) == 0 ? 0 : -errno;
}

static int open_path(const char *path, int *result)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int fd = open(path, flags, 0644);
    int r;

    if (fd < 0)
        return errno == ELOOP ? LOG_E_KIND : -errno;
    r = check_kind(fd);
    if (r != 0)
        close(fd);
    else
        *result = fd;
    return r;
}

static bool is_stderr(const struct log *l)
{
    return strcmp(l->path, "-") == 0;
}

int log_open(struct log *l, const char *path)
{
    *l = (struct log)LOG_NULL;
    l->path = path;
    if (gethostname(l->host, sizeof(l->host)) != 0 || l->host[0] == '\0')
        snprintf(l->host, sizeof(l->host), "localhost");
    l->host[sizeof(l->host) - 1] = '\0';
    if (path == NULL)
        return 0;
    if (is_stderr(l)) {
        l->fd = STDERR_FILENO;
        return 0;
    }
    return open_path(path, &l->fd);
}

int log_reopen(struct log *l)
{
    int fd = -1;
    int r;

    if (l->path == NULL || is_stderr(l))
        return 0;
    log_flush(l);
    r = open_path(l->path, &fd);
    if (r != 0) {
        log_write(l, LOG_LEVEL_ERROR, NULL, "The log %s could not be opened anew: %s", l->path,
                  log_error_text(r));
        return r;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    l->torn = false;
    return 0;
}

void log_deinit(struct log *l)
{
    log_flush(l);
    if (l->fd >= 0 && !is_stderr(l))
        close(l->fd);
    l->fd = -1;
    l->path = NULL;
}

const char *log_error_text(int code)
{
    if (code == LOG_E_KIND)
        return "a symbolic link, or not a regular file, FIFO or character device";
    return code == 0 ? "no error" : strerror(-code);
}

void log_limit_flush(struct log *l, struct log_limit *limit, uint64_t now_ms)
{
    if (limit->count == 0 || now_ms - limit->window_start_ms < LOG_LIMIT_WINDOW_MS)
        return;
    if (limit->suppressed > 0) {
        log_write(l, limit->level, NULL, "... %" PRIu64 " similar messages suppressed",
                  limit->suppressed);
    }
    *limit = (struct log_limit)LOG_LIMIT_NULL;
}

void log_limited(struct log *l, struct log_limit *limit, uint64_t now_ms, enum log_level level,
                 const char *host, const char *format, ...)
{
    va_list arguments;

    log_limit_flush(l, limit, now_ms);
    if (limit->count == 0)
        limit->window_start_ms = now_ms;
    limit->level = level;
    if (limit->count >= LOG_LIMIT_COUNT) {
        limit->suppressed++;
        return;
    }
    limit->count++;
    va_start(arguments, format);
    vwrite(l, level, host, format, arguments);
    va_end(arguments);
}
