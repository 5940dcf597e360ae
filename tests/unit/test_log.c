/* test_log.c - the log: format, harmless text, buffering, lost lines, limits, rotation. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

struct place {
    char directory[64];
    char path[80];
    char other[80];
};

static struct log l; /* 64 KiB: not on the stack */
static char content[1 << 20];

static int setup(void **state)
{
    static struct place place;

    strcpy(place.directory, "/tmp/test_log.XXXXXX");
    if (mkdtemp(place.directory) == NULL)
        return -1;
    snprintf(place.path, sizeof(place.path), "%s/log", place.directory);
    snprintf(place.other, sizeof(place.other), "%s/other", place.directory);
    l = (struct log)LOG_NULL;
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    const struct place *place = *state;

    unlink(place->path);
    unlink(place->other);
    rmdir(place->path);
    return rmdir(place->directory);
}

static const char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, content, sizeof(content) - 1);
    assert_true(n >= 0);
    content[n] = '\0';
    close(fd);
    return content;
}

static size_t file_size(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (text = strstr(text, part); text != NULL; text = strstr(text + 1, part))
        n++;
    return n;
}

/* What follows " h " in the only line of the file. */
static const char *text_of_line(const char *path)
{
    const char *line = read_file(path);
    const char *text = strstr(line, " h ");

    assert_non_null(text);
    assert_int_equal(count(line, "\n"), 1);
    assert_int_equal(line[strlen(line) - 1], '\n');
    content[strlen(line) - 1] = '\0';
    return text + 3;
}

static void expected_line(char *line, size_t size, time_t now, const char *level,
                          const char *rest)
{
    char stamp[64];
    struct tm tm;

    localtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%B %d, %Y %T ", &tm); /* the test runs in the C locale */
    snprintf(line, size, "%-10s%s%s", level, stamp, rest);
}

static void a_line_has_level_time_host_and_text(void **state)
{
    static const char *const names[] = {"INFO", "WARNING", "ERROR", "DEBUG"};
    const struct place *place = *state;

    for (int level = LOG_LEVEL_INFO; level <= LOG_LEVEL_DEBUG; level++) {
        char before[256], after[256];
        struct timespec now;

        unlink(place->path);
        assert_int_equal(log_open(&l, place->path), 0);
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        expected_line(before, sizeof(before), now.tv_sec, names[level],
                      "dev.lab Port 7 given\n");
        log_write(&l, (enum log_level)level, "dev.lab", "Port %d %s", 7, "given");
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        expected_line(after, sizeof(after), now.tv_sec, names[level], "dev.lab Port 7 given\n");
        log_deinit(&l);
        if (strcmp(read_file(place->path), before) != 0)
            assert_string_equal(content, after);
    }
}

static void the_time_moves_on(void **state)
{
    const struct place *place = *state;
    char wanted[256];

    assert_int_equal(log_open(&l, place->path), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "one");
    /* As if that had been long ago. */
    l.stamp_s -= 3600;
    memset(l.stamp, '#', 5);
    log_write(&l, LOG_LEVEL_INFO, "h", "two");
    expected_line(wanted, sizeof(wanted), l.stamp_s, "INFO", "h two\n");
    /* Within one second nothing is computed again. */
    memset(l.stamp, '#', 5);
    do {
        l.stamp_s = time(NULL);
        log_write(&l, LOG_LEVEL_INFO, "h", "three");
    } while (l.stamp[0] != '#' && (memset(l.stamp, '#', 5), true));
    log_deinit(&l);
    assert_non_null(strstr(read_file(place->path), wanted));
    assert_true(count(content, "INFO      #####") >= 1);
}

static void no_host_is_this_host(void **state)
{
    const struct place *place = *state;
    char host[300], wanted[400];

    gethostname(host, sizeof(host));
    snprintf(wanted, sizeof(wanted), " %s hello\n", host);
    assert_int_equal(log_open(&l, place->path), 0);
    log_write(&l, LOG_LEVEL_INFO, NULL, "hello");
    log_deinit(&l);
    assert_non_null(strstr(read_file(place->path), wanted));
}

static void text_is_made_harmless(void **state)
{
    static const struct {
        const char *raw;
        const char *shown;
    } cases[] = {
        {"plain {text} $x \"q\" \\", "plain {text} $x \"q\" \\"},
        {"a\nINFO fake\r\t\x1b[2J\x7f", "a\\x0AINFO fake\\x0D\\x09\\x1B[2J\\x7F"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
         "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
        {"\xc2\x9b"
         "31m",
         "\\xC2\\x9B31m"},                            /* a C1 control character */
        {"\x80\xff\xc0\xaf", "\\x80\\xFF\\xC0\\xAF"}, /* stray, never, overlong */
        {"\xe0\x9f\xbf", "\\xE0\\x9F\\xBF"},          /* overlong */
        {"\xf0\x8f\xbf\xbf", "\\xF0\\x8F\\xBF\\xBF"}, /* overlong */
        {"\xed\xa0\x80", "\\xED\\xA0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", "\\xF5\\x80\\x80\\x80"}, /* far above */
        {"x\xe2\x82", "x\\xE2\\x82"},                 /* it ends too early */
        {"x\xe2\x82z", "x\\xE2\\x82z"},
        {"", ""},
    };
    const struct place *place = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unlink(place->path);
        assert_int_equal(log_open(&l, place->path), 0);
        log_write(&l, LOG_LEVEL_INFO, "h", "%s", cases[i].raw);
        log_deinit(&l);
        assert_string_equal(text_of_line(place->path), cases[i].shown);
    }
}

static void a_host_name_is_made_harmless(void **state)
{
    const struct place *place = *state;

    assert_int_equal(log_open(&l, place->path), 0);
    log_write(&l, LOG_LEVEL_INFO, "evil\nINFO h", "x");
    log_deinit(&l);
    assert_non_null(strstr(read_file(place->path), " evil\\x0AINFO h x\n"));
}

static void a_long_line_is_cut_at_1024_bytes(void **state)
{
    static const char *const units[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                        "\n"};
    static const char *const shown[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                        "\\x0A"};
    const struct place *place = *state;
    char text[8000] = "";

    for (size_t i = 0; i < 5; i++) {
        const char *at;

        for (text[0] = '\0'; strlen(text) < 7000;)
            strcat(text, units[i]);
        unlink(place->path);
        assert_int_equal(log_open(&l, place->path), 0);
        log_write(&l, LOG_LEVEL_INFO, "h", "%s", text);
        log_deinit(&l);
        assert_in_range(file_size(place->path), LOG_LINE_BYTES - 4, LOG_LINE_BYTES);
        /* Whole characters up to the ellipsis. */
        for (at = text_of_line(place->path); strcmp(at, "...") != 0; at += strlen(shown[i]))
            assert_memory_equal(at, shown[i], strlen(shown[i]));
    }
}

static void a_line_that_just_fits_is_not_cut(void **state)
{
    const struct place *place = *state;
    char text[LOG_LINE_BYTES];
    size_t head;

    assert_int_equal(log_open(&l, place->path), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "%s", "");
    log_deinit(&l);
    head = file_size(place->path) - 1;
    for (size_t extra = 0; extra < 2; extra++) {
        memset(text, 'y', sizeof(text));
        text[LOG_LINE_BYTES - 1 - head + extra] = '\0';
        unlink(place->path);
        assert_int_equal(log_open(&l, place->path), 0);
        log_write(&l, LOG_LEVEL_INFO, "h", "%s", text);
        log_deinit(&l);
        assert_int_equal(file_size(place->path), LOG_LINE_BYTES);
        assert_int_equal(count(read_file(place->path), "...") != 0, extra);
    }
}

static void lines_wait_for_the_flush(void **state)
{
    const struct place *place = *state;

    assert_int_equal(log_open(&l, place->path), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "one");
    log_write(&l, LOG_LEVEL_INFO, "h", "two");
    assert_int_equal(file_size(place->path), 0);
    log_flush(&l);
    assert_int_equal(count(read_file(place->path), "\n"), 2);
    log_flush(&l);
    assert_int_equal(count(read_file(place->path), "\n"), 2);
    log_deinit(&l);
}

static void a_full_buffer_is_written_by_itself(void **state)
{
    const struct place *place = *state;
    const char *at;

    assert_int_equal(log_open(&l, place->path), 0);
    for (int i = 0; i < 5000; i++)
        log_write(&l, LOG_LEVEL_INFO, "h", "line %d.", i);
    assert_in_range(file_size(place->path), 5000 * 40 - LOG_BUFFER_BYTES, 5000 * 80);
    log_deinit(&l);
    at = read_file(place->path);
    assert_int_equal(count(at, "\n"), 5000);
    for (int i = 0; i < 5000; i++) {
        char wanted[32];
        size_t n = (size_t)snprintf(wanted, sizeof(wanted), " h line %d.\n", i);

        at = strstr(at, " h ");
        assert_non_null(at);
        assert_memory_equal(at, wanted, n);
        at += n;
    }
}

static void the_file_is_appended_to_and_readable(void **state)
{
    const struct place *place = *state;
    mode_t old = umask(022);
    struct stat st;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(log_open(&l, place->path), 0);
        assert_int_equal(fcntl(l.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        log_write(&l, LOG_LEVEL_INFO, "h", "run");
        log_deinit(&l);
    }
    umask(old);
    assert_int_equal(count(read_file(place->path), " run\n"), 2);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
}

static void a_dash_is_the_standard_error_output(void **state)
{
    const struct place *place = *state;
    int saved = dup(STDERR_FILENO);
    int fd = open(place->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(log_open(&l, "-"), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "to stderr");
    assert_int_equal(log_reopen(&l), 0);
    log_deinit(&l);
    assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    assert_string_equal(text_of_line(place->path), "to stderr");
}

static void without_a_path_lines_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(log_open(&l, NULL), 0);
    for (int i = 0; i < 5000; i++)
        log_write(&l, LOG_LEVEL_INFO, "h", "line %d", i);
    log_flush(&l);
    assert_int_equal(log_reopen(&l), 0);
    assert_int_equal(l.lost_count, 0);
    log_deinit(&l);
}

static void links_and_directories_are_not_opened(void **state)
{
    const struct place *place = *state;

    assert_int_equal(symlink(place->other, place->path), 0);
    assert_int_equal(log_open(&l, place->path), LOG_E_KIND);
    assert_int_equal(access(place->other, F_OK), -1);
    assert_non_null(strstr(log_error_text(LOG_E_KIND), "symbolic link"));
    log_deinit(&l);
    assert_int_equal(log_open(&l, place->directory), -EISDIR);
    assert_string_equal(log_error_text(-EISDIR), strerror(EISDIR));
    log_deinit(&l);
    assert_int_equal(log_open(&l, "/dev/null"), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "x");
    log_deinit(&l);
}

static void a_fifo_without_a_reader_does_not_block(void **state)
{
    const struct place *place = *state;

    assert_int_equal(mkfifo(place->path, 0600), 0);
    alarm(10);
    assert_int_equal(log_open(&l, place->path), -ENXIO);
    alarm(0);
    log_deinit(&l);
}

static size_t drain(int fd, char *to, size_t size)
{
    size_t got = 0;
    ssize_t n;

    while ((n = read(fd, to + got, size - got)) > 0)
        got += (size_t)n;
    return got;
}

static void a_reader_that_stops_costs_lines_and_is_told_how_many(void **state)
{
    enum { LINES = 5000 };
    const struct place *place = *state;
    unsigned long lost = 0;
    size_t got;
    const char *notice;
    int reader;

    assert_int_equal(mkfifo(place->path, 0600), 0);
    reader = open(place->path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(log_open(&l, place->path), 0);
    alarm(20);
    for (int i = 0; i < LINES; i++) {
        log_write(&l, LOG_LEVEL_INFO, "h", "line %d of the flood.", i);
        if (i % 7 == 0)
            log_flush(&l);
    }
    log_flush(&l);
    got = drain(reader, content, sizeof(content) / 2);
    assert_true(l.lost_count > 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "the last word");
    log_flush(&l);
    alarm(0);
    got += drain(reader, content + got, sizeof(content) / 2);
    content[got] = '\0';
    assert_int_equal(l.lost_count, 0);
    /* A notice may find room where the lines behind it do not: there can be several. */
    for (notice = content; (notice = strstr(notice, "WARNING   ")) != NULL; notice++) {
        const char *number = strstr(notice, " log lines were lost: Resource temporarily ");

        assert_non_null(number);
        assert_true(notice[-1] == '\n');
        while (number[-1] != ' ')
            number--;
        lost += strtoul(number, NULL, 10);
    }
    assert_true(lost > 0);
    assert_int_equal(count(content, " of the flood.\n") + lost, LINES);
    assert_non_null(strstr(content, " h the last word\n"));
    log_deinit(&l);
    close(reader);
}

static void a_full_disk_costs_lines_until_there_is_room(void **state)
{
    const struct place *place = *state;
    struct rlimit limit, small;
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    const char *at;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 100; /* room for one line and part of another */
    assert_int_equal(log_open(&l, place->path), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 4; i++)
        log_write(&l, LOG_LEVEL_INFO, "h", "line number %d", i);
    log_flush(&l);
    log_write(&l, LOG_LEVEL_INFO, "h", "line number 4");
    log_flush(&l);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(file_size(place->path), 100);
    log_write(&l, LOG_LEVEL_INFO, "h", "line number 5");
    log_deinit(&l);
    signal(SIGXFSZ, old);
    at = read_file(place->path);
    assert_non_null(strstr(at, "line number 0\n"));
    assert_non_null(strstr(at, " 4 log lines were lost: File too large\n"));
    assert_memory_equal(content + 100, "\nWARNING   ", 11);
    assert_non_null(strstr(at, "lost: File too large\nINFO      "));
    assert_int_equal(count(at, "line number 4"), 0);
    assert_non_null(strstr(at, "line number 5\n"));
}

static void a_closed_pipe_is_survived(void **state)
{
    const struct place *place = *state;
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    int reader;

    assert_int_equal(mkfifo(place->path, 0600), 0);
    reader = open(place->path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(log_open(&l, place->path), 0);
    close(reader);
    log_write(&l, LOG_LEVEL_INFO, "h", "unheard");
    log_flush(&l);
    assert_int_equal(l.lost_count, 1);
    reader = open(place->path, O_RDONLY | O_NONBLOCK);
    log_flush(&l); /* nothing new to say, but the loss is told */
    content[drain(reader, content, sizeof(content) - 1)] = '\0';
    assert_non_null(strstr(content, " 1 log lines were lost: Broken pipe\n"));
    assert_int_equal(count(content, "\n"), 1);
    log_deinit(&l);
    close(reader);
    signal(SIGPIPE, old);
}

static void reopening_moves_to_the_new_file(void **state)
{
    const struct place *place = *state;

    assert_int_equal(log_open(&l, place->path), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "before");
    assert_int_equal(rename(place->path, place->other), 0);
    assert_int_equal(log_reopen(&l), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "after");
    log_deinit(&l);
    assert_string_equal(text_of_line(place->other), "before");
    assert_string_equal(text_of_line(place->path), "after");
}

static void a_failed_reopening_keeps_the_old_file_and_says_why(void **state)
{
    const struct place *place = *state;
    char wanted[300];

    assert_int_equal(log_open(&l, place->path), 0);
    assert_int_equal(rename(place->path, place->other), 0);
    assert_int_equal(mkdir(place->path, 0700), 0);
    assert_int_equal(log_reopen(&l), -EISDIR);
    log_write(&l, LOG_LEVEL_INFO, "h", "after");
    log_deinit(&l);
    snprintf(wanted, sizeof(wanted), " The log %s could not be opened anew: Is a directory\n",
             place->path);
    assert_non_null(strstr(read_file(place->other), wanted));
    assert_memory_equal(content, "ERROR     ", 10);
    assert_non_null(strstr(content, " h after\n"));
}

static void a_log_that_failed_to_open_may_open_later(void **state)
{
    const struct place *place = *state;

    assert_int_equal(mkdir(place->path, 0700), 0);
    assert_int_equal(log_open(&l, place->path), -EISDIR);
    log_write(&l, LOG_LEVEL_INFO, "h", "dropped");
    log_flush(&l);
    assert_int_equal(rmdir(place->path), 0);
    assert_int_equal(log_reopen(&l), 0);
    log_write(&l, LOG_LEVEL_INFO, "h", "kept");
    log_deinit(&l);
    assert_string_equal(text_of_line(place->path), "kept");
}

static void flood(struct log_limit *limit, int messages, uint64_t now_ms)
{
    for (int i = 0; i < messages; i++)
        log_limited(&l, limit, now_ms, LOG_LEVEL_WARNING, "h", "noise %d", i);
}

static void ten_messages_in_ten_seconds_pass(void **state)
{
    const struct place *place = *state;
    struct log_limit limit = LOG_LIMIT_NULL, quiet = LOG_LIMIT_NULL;

    assert_int_equal(log_open(&l, place->path), 0);
    flood(&limit, 9, 5000);
    flood(&limit, 16, 14999);
    flood(&quiet, 10, 14999); /* each limit counts for itself */
    log_limit_flush(&l, &limit, 14999);
    log_flush(&l);
    assert_int_equal(count(read_file(place->path), "noise"), 20);
    assert_int_equal(count(content, "suppressed"), 0);
    flood(&limit, 11, 15000);
    log_flush(&l);
    assert_int_equal(count(read_file(place->path), "noise"), 30);
    assert_int_equal(count(content, " ... 15 similar messages suppressed\n"), 1);
    log_limit_flush(&l, &quiet, 99999);
    log_limit_flush(&l, &limit, 24999);
    log_flush(&l);
    assert_int_equal(count(read_file(place->path), "suppressed"), 1);
    log_limit_flush(&l, &limit, 25000);
    log_limit_flush(&l, &limit, 99999);
    log_deinit(&l);
    assert_int_equal(count(read_file(place->path), "suppressed"), 2);
    assert_non_null(strstr(content, " ... 1 similar messages suppressed\n"));
    assert_int_equal(count(content, "WARNING   "), count(content, "\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_level_time_host_and_text),
        TEST(the_time_moves_on),
        TEST(no_host_is_this_host),
        TEST(text_is_made_harmless),
        TEST(a_host_name_is_made_harmless),
        TEST(a_long_line_is_cut_at_1024_bytes),
        TEST(a_line_that_just_fits_is_not_cut),
        TEST(lines_wait_for_the_flush),
        TEST(a_full_buffer_is_written_by_itself),
        TEST(the_file_is_appended_to_and_readable),
        TEST(a_dash_is_the_standard_error_output),
        TEST(without_a_path_lines_are_dropped),
        TEST(links_and_directories_are_not_opened),
        TEST(a_fifo_without_a_reader_does_not_block),
        TEST(a_reader_that_stops_costs_lines_and_is_told_how_many),
        TEST(a_full_disk_costs_lines_until_there_is_room),
        TEST(a_closed_pipe_is_survived),
        TEST(reopening_moves_to_the_new_file),
        TEST(a_failed_reopening_keeps_the_old_file_and_says_why),
        TEST(a_log_that_failed_to_open_may_open_later),
        TEST(ten_messages_in_ten_seconds_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
