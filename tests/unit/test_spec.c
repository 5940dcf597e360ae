/* test_spec.c - a line of /etc/portreserve: what it asks for, and what is told of a bad one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

enum { ERROR_BYTES = 2048 };

/* What stands in for /etc/services; 0: not under that protocol. */
static const struct {
    const char *name;
    uint16_t ports[TRANSPORTS];
} services[] = {
    {"ipp", {631, 0}},         {"ntp", {0, 123}},  {"domain", {53, 53}},
    {"who-login", {513, 514}}, {"3com", {106, 0}}, {"last", {65535, 0}},
};

static unsigned lookups;

static uint16_t lookup(void *context, const char *service, enum transport transport)
{
    assert_ptr_equal(context, &lookups);
    ++lookups;
    for (size_t i = 0; i < sizeof services / sizeof *services; ++i)
        if (strcmp(services[i].name, service) == 0)
            return services[i].ports[transport];
    return 0;
}

/* Bytes as the parser gets them: no NUL behind, so that a sanitizer sees any read beyond. */
static int parse_bytes(const char *line, size_t size, struct spec *spec, char *error,
                       size_t error_size)
{
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, line, size);
    memset(spec, 0xff, sizeof *spec);
    lookups = 0;
    int r = spec_parse(copy, size, lookup, &lookups, spec, error, error_size);
    free(copy);
    return r;
}

static void assert_nothing(const char *line)
{
    struct spec spec;
    char error[ERROR_BYTES] = "";
    assert_int_equal(parse_bytes(line, strlen(line), &spec, error, sizeof error), 0);
    assert_int_equal(spec.count, 0);
    assert_string_equal(error, "");
}

/* A port of 0: that protocol is not asked for. */
static void assert_asks(const char *line, uint16_t tcp, uint16_t udp)
{
    struct spec spec;
    char error[ERROR_BYTES] = "";
    size_t at = 0;
    int r = parse_bytes(line, strlen(line), &spec, error, sizeof error);
    if (r != 0)
        fail_msg("\"%s\": %s", line, error);
    assert_int_equal(spec.count, (tcp != 0) + (udp != 0));
    if (tcp != 0) {
        assert_int_equal(spec.ports[at].port, tcp);
        assert_int_equal(spec.ports[at++].transport, TRANSPORT_TCP);
    }
    if (udp != 0) {
        assert_int_equal(spec.ports[at].port, udp);
        assert_int_equal(spec.ports[at].transport, TRANSPORT_UDP);
    }
}

static void assert_wrong_bytes(const char *line, size_t size, const char *text)
{
    struct spec spec;
    char error[ERROR_BYTES] = "";
    assert_int_equal(parse_bytes(line, size, &spec, error, sizeof error), SPEC_E_WRONG);
    assert_int_equal(spec.count, 0);
    assert_string_equal(error, text);
}

static void assert_wrong(const char *line, const char *text)
{
    assert_wrong_bytes(line, strlen(line), text);
}

/* A line of `size` times x. */
static char *long_line(size_t size)
{
    static char line[1024];
    assert_true(size < sizeof line);
    memset(line, 'x', size);
    line[size] = '\0';
    return line;
}

/* ---------------------------------------------------------------- ports -- */

static void a_number_asks_for_both_protocols_or_one(void **state)
{
    (void)state;
    assert_asks("631", 631, 631);
    assert_asks("631/tcp", 631, 0);
    assert_asks("631/udp", 0, 631);
    assert_int_equal(lookups, 0);
}

static void the_first_and_the_last_port_are_ports(void **state)
{
    (void)state;
    assert_asks("1", 1, 1);
    assert_asks("65535", 65535, 65535);
    assert_asks("65535/udp", 0, 65535);
}

static void leading_zeros_do_not_count(void **state)
{
    (void)state;
    assert_asks("0631", 631, 631);
    assert_asks("00000000000000000000000000000000000631/tcp", 631, 0);
    assert_asks("010", 10, 10);
}

static void a_name_asks_for_what_the_services_say(void **state)
{
    (void)state;
    assert_asks("domain", 53, 53);
    assert_asks("domain/tcp", 53, 0);
    assert_asks("domain/udp", 0, 53);
    assert_asks("who-login", 513, 514);
    assert_asks("who-login/udp", 0, 514);
    assert_asks("last/tcp", 65535, 0);
}

static void a_name_may_begin_with_a_digit(void **state)
{
    (void)state;
    assert_asks("3com", 106, 106);
}

static void a_name_known_under_one_protocol_counts_for_the_other(void **state)
{
    (void)state;
    assert_asks("ipp", 631, 631);
    assert_asks("ipp/tcp", 631, 0);
    assert_asks("ipp/udp", 0, 631);
    assert_asks("ntp", 123, 123);
    assert_asks("ntp/tcp", 123, 0);
}

/* -------------------------------------------------------------- nothing -- */

static void blanks_at_the_ends_do_not_count(void **state)
{
    (void)state;
    static const char *const lines[] = {" ipp/tcp",   "ipp/tcp ",      "\tipp/tcp\t",
                                        "ipp/tcp\r",  "  ipp/tcp \r",  "\t \tipp/tcp \t\r",
                                        "\ripp/tcp ", "ipp/tcp\r\r\r", "ipp/tcp \r \t"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_asks(lines[i], 631, 0);
}

static void an_empty_line_and_a_comment_ask_for_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {"",         " ",           "\t",   "\r",   " \t \r",
                                        "#",        "# a comment", "#ipp", " # x", "\t#631/tcp",
                                        "# 5/sctp", "##",          "#\r"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        assert_nothing(lines[i]);
}

static void a_comment_may_be_of_any_length(void **state)
{
    (void)state;
    char *line = long_line(1000);
    line[0] = '#';
    assert_nothing(line);
    memset(line, ' ', 1000);
    assert_nothing(line);
}

static void blanks_do_not_make_a_line_too_long(void **state)
{
    (void)state;
    char *line = long_line(1000);
    memset(line, ' ', 1000);
    memcpy(line + 500, "ipp/udp", 7);
    assert_asks(line, 0, 631);
}

/* ---------------------------------------------------------------- wrong -- */

static void no_port(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0",          "00000",      "65536",
                                          "65540",      "70000",      "4294967295",
                                          "4294967296", "4294967297", "18446744073709551617"};
    char text[ERROR_BYTES];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        char line[64];
        snprintf(text, sizeof text, "port \"%s\" is none of 1 to 65535", numbers[i]);
        assert_wrong(numbers[i], text);
        snprintf(line, sizeof line, "%s/tcp", numbers[i]);
        assert_wrong(line, text);
    }
}

static void a_number_of_a_hundred_digits_is_no_port(void **state)
{
    (void)state;
    char text[ERROR_BYTES];
    char *line = long_line(100);
    memset(line, '9', 100);
    snprintf(text, sizeof text, "port \"%s\" is none of 1 to 65535", line);
    assert_wrong(line, text);
}

static void an_unknown_service(void **state)
{
    (void)state;
    assert_wrong("ippp", "unknown service \"ippp\"");
    assert_wrong("IPP", "unknown service \"IPP\"");
    assert_wrong("ippp/udp", "unknown service \"ippp\"");
    assert_wrong(" ippp\r", "unknown service \"ippp\"");
    assert_wrong("-1", "unknown service \"-1\"");
    assert_wrong("+1", "unknown service \"+1\"");
    assert_wrong("631.", "unknown service \"631.\"");
    assert_wrong("0x10", "unknown service \"0x10\"");
    assert_wrong("631#cups", "unknown service \"631#cups\"");
}

static void a_service_without_a_name(void **state)
{
    (void)state;
    assert_wrong("/tcp", "\"/tcp\" lacks a service before the slash");
    assert_wrong("/udp", "\"/udp\" lacks a service before the slash");
    assert_int_equal(lookups, 0);
}

static void an_unknown_protocol(void **state)
{
    (void)state;
    assert_wrong("5/sctp", "\"sctp\" is neither tcp nor udp");
    assert_wrong("ipp/TCP", "\"TCP\" is neither tcp nor udp");
    assert_wrong("ipp/tc", "\"tc\" is neither tcp nor udp");
    assert_wrong("ipp/tcpp", "\"tcpp\" is neither tcp nor udp");
    assert_wrong("ipp/", "\"ipp/\" lacks tcp or udp behind the slash");
    assert_wrong("/", "\"/\" lacks tcp or udp behind the slash");
    assert_wrong("ipp//tcp", "\"/tcp\" is neither tcp nor udp");
    assert_wrong("ipp/tcp/udp", "\"tcp/udp\" is neither tcp nor udp");
}

static void two_words(void **state)
{
    (void)state;
    assert_wrong("x y", "\"x y\" is more than one word");
    assert_wrong("631\ttcp", "\"631\ttcp\" is more than one word");
    assert_wrong("ipp /tcp", "\"ipp /tcp\" is more than one word");
    assert_wrong("ipp/ tcp", "\"ipp/ tcp\" is more than one word");
    assert_wrong(" ipp # the printers\r", "\"ipp # the printers\" is more than one word");
}

static void a_byte_of_value_0(void **state)
{
    (void)state;
    assert_wrong_bytes("ipp\0/tcp", 8, "a byte of value 0 behind \"ipp\"");
    assert_wrong_bytes("631\0", 4, "a byte of value 0 behind \"631\"");
    assert_wrong_bytes("\0", 1, "a byte of value 0 behind \"\"");
    assert_wrong_bytes(" \000631", 5, "a byte of value 0 behind \"\"");
}

/* The first portreserve took what is behind the 99th byte for another line. */
static void a_line_of_99_bytes_and_more_is_one_line(void **state)
{
    (void)state;
    for (size_t size = 98; size <= 101; ++size) {
        char text[ERROR_BYTES];
        snprintf(text, sizeof text, "unknown service \"%s\"", long_line(size));
        assert_wrong(long_line(size), text);
    }
    char *line = long_line(102);
    memset(line, '0', 99);
    memcpy(line + 99, "631", 3);
    assert_asks(line, 631, 631);
}

static void a_line_has_255_bytes_at_most(void **state)
{
    (void)state;
    char text[ERROR_BYTES];
    char *line = long_line(255);
    memset(line, '0', 244);
    memcpy(line + 244, "0000631/tcp", 11);
    assert_asks(line, 631, 0);
    snprintf(text, sizeof text, "unknown service \"%s\"", long_line(255));
    assert_wrong(long_line(255), text);
    snprintf(text, sizeof text, "\"%s...\" is too long (256 bytes, 255 at most)",
             long_line(40));
    assert_wrong(long_line(256), text);
    snprintf(text, sizeof text, "\"%s...\" is too long (1000 bytes, 255 at most)",
             long_line(40));
    assert_wrong(long_line(1000), text);
}

static void an_error_is_cut_at_its_size(void **state)
{
    (void)state;
    struct spec spec;
    char error[16];
    memset(error, '!', sizeof error);
    assert_int_equal(parse_bytes("ippp", 4, &spec, error, 8), SPEC_E_WRONG);
    assert_string_equal(error, "unknown");
    assert_memory_equal(error + 8, "!!!!!!!!", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_asks_for_both_protocols_or_one),
        cmocka_unit_test(the_first_and_the_last_port_are_ports),
        cmocka_unit_test(leading_zeros_do_not_count),
        cmocka_unit_test(a_name_asks_for_what_the_services_say),
        cmocka_unit_test(a_name_may_begin_with_a_digit),
        cmocka_unit_test(a_name_known_under_one_protocol_counts_for_the_other),
        cmocka_unit_test(blanks_at_the_ends_do_not_count),
        cmocka_unit_test(an_empty_line_and_a_comment_ask_for_nothing),
        cmocka_unit_test(a_comment_may_be_of_any_length),
        cmocka_unit_test(blanks_do_not_make_a_line_too_long),
        cmocka_unit_test(no_port),
        cmocka_unit_test(a_number_of_a_hundred_digits_is_no_port),
        cmocka_unit_test(an_unknown_service),
        cmocka_unit_test(a_service_without_a_name),
        cmocka_unit_test(an_unknown_protocol),
        cmocka_unit_test(two_words),
        cmocka_unit_test(a_byte_of_value_0),
        cmocka_unit_test(a_line_of_99_bytes_and_more_is_one_line),
        cmocka_unit_test(a_line_has_255_bytes_at_most),
        cmocka_unit_test(an_error_is_cut_at_its_size),
    };
    return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
