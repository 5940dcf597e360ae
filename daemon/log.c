/* log.c - log lines: composed, made harmless, collected, written in one piece. */
#include "log.h"

#include "pa_text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

enum {
    ELLIPSIS_BYTES = 3,
    TEXT_MAX_BYTES = LOG_LINE_BYTES - 1, /* the newline keeps its place */
};

/* A line in the making. Units (a character, an escape) go in whole or not at all. */
struct line {
    size_t length;
    size_t boundary; /* the last end of a unit that leaves room for the ellipsis */
    bool cut;
    enum log_level level;
    char bytes[LOG_LINE_BYTES];
};

/* Ten columns. */
static const char *const LEVELS[] = {
    [LOG_LEVEL_INFO] = "INFO      ",
    [LOG_LEVEL_WARNING] = "WARNING   ",
    [LOG_LEVEL_ERROR] = "ERROR     ",
    [LOG_LEVEL_DEBUG] = "DEBUG     ",
};

static const int PRIORITIES[] = {
    [LOG_LEVEL_INFO] = LOG_INFO,
    [LOG_LEVEL_WARNING] = LOG_WARNING,
    [LOG_LEVEL_ERROR] = LOG_ERR,
    [LOG_LEVEL_DEBUG] = LOG_DEBUG,
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

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

/* Bytes of printable ASCII at the start of a text, at most `max`. */
static size_t plain_bytes(const char *text, size_t max)
{
    size_t n = 0;

    while (n < max && is_plain((unsigned char)text[n]))
        n++;
    return n;
}

/* The length of the printable character at the start of a text, 0 if there is none. */
static size_t character_bytes(const char *text, size_t size)
{
    size_t length = pa_text_sequence(text, size);
    unsigned char first = (unsigned char)text[0];

    if (length == 1)
        return is_plain(first);
    /* U+0080 to U+009F are control characters. */
    if (first == 0xc2 && (unsigned char)text[1] < 0xa0)
        return 0;
    return length;
}

/* For a short text that is known to be printable ASCII. */
static void put_plain(struct line *line, const char *text)
{
    put_unit(line, text, strlen(text));
}

static void put_text(struct line *line, const char *text)
{
    size_t left = strlen(text);

    while (left > 0 && !line->cut) {
        /* What surely leaves room for the ellipsis goes in as one unit. */
        size_t room = TEXT_MAX_BYTES - ELLIPSIS_BYTES;
        size_t length =
            line->length < room
                ? plain_bytes(text, left < room - line->length ? left : room - line->length)
                : 0;

        if (length == 0)
            length = character_bytes(text, left);
        if (length > 0) {
            put_unit(line, text, length);
        } else {
            char escape[8];

            snprintf(escape, sizeof(escape), "\\x%02X", (unsigned char)*text);
            put_unit(line, escape, 4);
            length = 1;
        }
        text += length;
        left -= length;
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

static bool takes_lines(const struct log *l)
{
    return l->fd >= 0 || l->to_syslog;
}

static void begin_line(struct log *l, struct line *line, enum log_level level, const char *host)
{
    line->length = line->boundary = 0;
    line->cut = false;
    line->level = level;
    if (l->to_syslog)
        return;
    if (l->program != NULL) {
        put_text(line, l->program);
        put_plain(line, ": ");
        return;
    }
    put_plain(line, LEVELS[level]);
    put_plain(line, stamp(l));
    put_text(line, host != NULL ? host : l->host);
    put_plain(line, " ");
}

/* A line for the file itself, not for the buffer. */
static void compose(struct log *l, struct line *line, enum log_level level, const char *text)
{
    begin_line(l, line, level, NULL);
    put_text(line, text);
    line->bytes[line->length++] = '\n';
}

static void end_line(struct log *l, struct line *line)
{
    if (l->to_syslog) {
        syslog(LOG_DAEMON | PRIORITIES[line->level], "%.*s", (int)line->length, line->bytes);
        dprintf(STDERR_FILENO, "%s: %.*s\n", l->program, (int)line->length, line->bytes);
        return;
    }
    line->bytes[line->length++] = '\n';
    if (line->length > sizeof(l->buffer) - l->used_bytes)
        log_flush(l);
    memcpy(l->buffer + l->used_bytes, line->bytes, line->length);
    l->used_bytes += line->length;
}

/* Room for the whole raw text is not needed: a line is cut before 1 KiB of it anyway. */
__attribute__((format(printf, 4, 0))) static void vwrite(struct log *l, enum log_level level,
                                                         const char *host, const char *format,
                                                         va_list arguments)
{
    char text[LOG_LINE_BYTES];
    struct line line;

    if (!takes_lines(l))
        return;
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        text[0] = '\0';
    begin_line(l, &line, level, host);
    put_text(&line, text);
    end_line(l, &line);
}

void log_write(struct log *l, enum log_level level, const char *host, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vwrite(l, level, host, format, arguments);
    va_end(arguments);
}

void log_join(struct log *l, enum log_level level, const char *const *parts, size_t count)
{
    struct line line;

    if (!takes_lines(l))
        return;
    begin_line(l, &line, level, NULL);
    for (size_t i = 0; i < count; i++)
        put_text(&line, parts[i]);
    end_line(l, &line);
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
    compose(l, &line, LOG_LEVEL_WARNING, text);
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

void log_open_plain(struct log *l, const char *program, bool to_syslog)
{
    *l = (struct log)LOG_NULL;
    l->path = "-";
    l->program = program;
    l->to_syslog = to_syslog;
    if (to_syslog)
        openlog(program, LOG_PID, LOG_DAEMON);
    else
        l->fd = STDERR_FILENO;
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
