/* test_line.c - a stream of bytes is cut into lines, whatever packets it comes in. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "alloc_fail.h"
#include "pa_line.h"

enum { MAX_BYTES = 16 };

/* The lines seen so far, each followed by a bar. */
struct seen {
    char text[256];
    size_t size;
};

static void see(struct seen *seen, const char *text, size_t size)
{
    assert_true(seen->size + size + 2 <= sizeof seen->text);
    memcpy(seen->text + seen->size, text, size);
    seen->size += size;
    seen->text[seen->size++] = '|';
    seen->text[seen->size] = '\0';
}

/* Feeds one packet from memory of its own size, so that reading behind it shows. */
static int feed(struct pa_line *line, const char *bytes, size_t size, struct seen *seen)
{
    char *packet = test_malloc(size + 1);
    memcpy(packet, bytes, size);
    const char *cursor = packet;
    const char *text;
    size_t length;
    int r;
    while ((r = pa_line_next(line, &cursor, packet + size, &text, &length)) == 0)
        see(seen, text, length);
    if (r == PA_LINE_PARTIAL)
        assert_ptr_equal(cursor, packet + size);
    test_free(packet);
    return r;
}

static void assert_lines(const char *bytes, const char *expected)
{
    size_t size = strlen(bytes);
    for (size_t split = 0; split <= size; ++split) {
        struct pa_line line = PA_LINE_INIT(MAX_BYTES);
        struct seen seen = {"", 0};
        assert_int_equal(feed(&line, bytes, split, &seen), PA_LINE_PARTIAL);
        assert_int_equal(feed(&line, bytes + split, size - split, &seen), PA_LINE_PARTIAL);
        assert_string_equal(seen.text, expected);
        pa_line_deinit(&line);
    }
    struct pa_line line = PA_LINE_INIT(MAX_BYTES);
    struct seen seen = {"", 0};
    for (size_t i = 0; i < size; ++i)
        assert_int_equal(feed(&line, bytes + i, 1, &seen), PA_LINE_PARTIAL);
    assert_string_equal(seen.text, expected);
    pa_line_deinit(&line);
}

static void a_line_ends_with_lf_cr_lf_or_cr(void **state)
{
    (void)state;
    assert_lines("one\n", "one|");
    assert_lines("one\r\n", "one|");
    assert_lines("one\r", "one|");
    assert_lines("one\ntwo\r\nthree\rfour\n", "one|two|three|four|");
}

static void an_empty_line_is_a_line(void **state)
{
    (void)state;
    assert_lines("\n", "|");
    assert_lines("\r\n\r\n", "||");
    assert_lines("\r\r", "||");
    assert_lines("\n\n", "||");
    assert_lines("\n\r\n", "||");
    assert_lines("a\n\nb\r\n", "a||b|");
}

static void what_has_no_end_yet_is_no_line(void **state)
{
    (void)state;
    assert_lines("", "");
    assert_lines("one", "");
    assert_lines("one\ntwo", "one|");
}

static void a_whole_line_is_returned_in_place(void **state)
{
    (void)state;
    struct pa_line line = PA_LINE_INIT(MAX_BYTES);
    const char bytes[] = "one\ntwo\n";
    const char *cursor = bytes;
    const char *text;
    size_t size;
    assert_int_equal(pa_line_next(&line, &cursor, bytes + 8, &text, &size), 0);
    assert_ptr_equal(text, bytes);
    assert_int_equal(size, 3);
    assert_int_equal(pa_line_next(&line, &cursor, bytes + 8, &text, &size), 0);
    assert_ptr_equal(text, bytes + 4);
    assert_null(line.kept.data);
    pa_line_deinit(&line);
}

static void the_unfinished_line_can_be_seen(void **state)
{
    (void)state;
    struct pa_line line = PA_LINE_INIT(MAX_BYTES);
    struct seen seen = {"", 0};
    size_t size;
    assert_false(pa_line_pending(&line));
    pa_line_rest(&line, &size);
    assert_int_equal(size, 0);
    feed(&line, "one\ntw", 6, &seen);
    assert_true(pa_line_pending(&line));
    const char *rest = pa_line_rest(&line, &size);
    assert_int_equal(size, 2);
    assert_memory_equal(rest, "tw", 2);
    feed(&line, "o\n", 2, &seen);
    assert_false(pa_line_pending(&line));
    pa_line_rest(&line, &size);
    assert_int_equal(size, 0);
    pa_line_deinit(&line);
}

static void the_longest_line_passes_and_a_longer_one_does_not(void **state)
{
    (void)state;
    assert_lines("0123456789abcdef\r\nx\n", "0123456789abcdef|x|");
    const char longer[] = "0123456789abcdefg\n";
    size_t size = strlen(longer);
    for (size_t split = 0; split <= size; ++split) {
        struct pa_line line = PA_LINE_INIT(MAX_BYTES);
        struct seen seen = {"", 0};
        int r = feed(&line, longer, split, &seen);
        if (r == PA_LINE_PARTIAL)
            r = feed(&line, longer + split, size - split, &seen);
        assert_int_equal(r, PA_LINE_TOO_LONG);
        assert_int_equal(seen.size, 0);
        pa_line_deinit(&line);
    }
}

static void a_line_that_never_ends_is_bounded(void **state)
{
    (void)state;
    struct pa_line line = PA_LINE_INIT(MAX_BYTES);
    struct seen seen = {"", 0};
    for (int i = 0; i < MAX_BYTES; ++i)
        assert_int_equal(feed(&line, "x", 1, &seen), PA_LINE_PARTIAL);
    assert_int_equal(feed(&line, "x", 1, &seen), PA_LINE_TOO_LONG);
    pa_line_deinit(&line);
}

static void without_memory_a_line_fails_and_can_be_freed(void **state)
{
    (void)state;
    size_t k = 0;
    for (bool failed = true; failed; ++k) {
        struct pa_line line = PA_LINE_INIT(1024);
        char bytes[200];
        memset(bytes, 'x', sizeof bytes);
        int r = 0;
        alloc_fail_after(k);
        for (int i = 0; i < 3 && r >= 0; ++i) {
            const char *cursor = bytes;
            const char *text;
            size_t size;
            r = pa_line_next(&line, &cursor, bytes + sizeof bytes, &text, &size);
        }
        failed = alloc_fail_stop();
        assert_int_equal(r, failed ? -ENOMEM : PA_LINE_PARTIAL);
        pa_line_deinit(&line);
    }
    assert_true(k > 2);
}

static void a_buffer_that_cannot_grow_stays_as_it_is(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    alloc_fail_after(0);
    assert_int_equal(pa_buf_append(&buf, "x", 1), -ENOMEM);
    assert_true(alloc_fail_stop());
    assert_null(buf.data);
    assert_int_equal(pa_buf_append_string(&buf, "kept"), 0);
    size_t room = buf.capacity - buf.size;
    alloc_fail_after(0);
    assert_int_equal(pa_buf_reserve(&buf, room), 0);
    assert_int_equal(pa_buf_reserve(&buf, room + 1), -ENOMEM);
    assert_true(alloc_fail_stop());
    assert_int_equal(pa_buf_reserve(&buf, SIZE_MAX - 1), -ENOMEM);
    assert_int_equal(pa_buf_reserve(&buf, SIZE_MAX / 2), -ENOMEM);
    assert_int_equal(buf.size, 4);
    assert_memory_equal(buf.data, "kept", 4);
    pa_buf_deinit(&buf);
    assert_null(buf.data);
}

static void a_buffer_takes_nothing_from_nowhere(void **state)
{
    (void)state;
    struct pa_buf buf = PA_BUF_NULL;
    assert_int_equal(pa_buf_append(&buf, NULL, 0), 0);
    assert_int_equal(buf.size, 0);
    pa_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_ends_with_lf_cr_lf_or_cr),
        cmocka_unit_test(an_empty_line_is_a_line),
        cmocka_unit_test(what_has_no_end_yet_is_no_line),
        cmocka_unit_test(a_whole_line_is_returned_in_place),
        cmocka_unit_test(the_unfinished_line_can_be_seen),
        cmocka_unit_test(the_longest_line_passes_and_a_longer_one_does_not),
        cmocka_unit_test(a_line_that_never_ends_is_bounded),
        cmocka_unit_test(without_memory_a_line_fails_and_can_be_freed),
        cmocka_unit_test(a_buffer_that_cannot_grow_stays_as_it_is),
        cmocka_unit_test(a_buffer_takes_nothing_from_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
