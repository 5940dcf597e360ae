/* test_reserve_options.c - the command line of portreserve: every switch and every refusal. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reserve_options.h"

enum { WORDS_MAX = 16 };

static struct reserve_options options;
static char error_text[512];

/* The words, each in memory of just its size, so that a read beyond shows. */
static char *argv[WORDS_MAX + 1];

static int forget_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < WORDS_MAX; ++i) {
        free(argv[i]);
        argv[i] = NULL;
    }
    return 0;
}

/* Parses the words up to NULL, behind the program's name. */
static int parse(const char *const *words)
{
    size_t count = 1;
    forget_words(NULL);
    argv[0] = strdup("portreserve");
    for (; words[count - 1]; ++count) {
        assert_true(count < WORDS_MAX);
        argv[count] = strdup(words[count - 1]);
    }
    memset(&options, 0xff, sizeof options);
    error_text[0] = '\0';
    return reserve_options_parse(&options, argv, error_text, sizeof error_text);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(const char *text, const char *const *words)
{
    assert_int_equal(parse(words), RESERVE_OPTIONS_E_USAGE);
    assert_string_equal(error_text, text);
}

#define REFUSED(text, ...) assert_refused((text), (const char *const[]){__VA_ARGS__, NULL})

static void assert_defaults(void)
{
    assert_false(options.debug);
    assert_false(options.keep);
    assert_false(options.check);
    assert_false(options.list);
    assert_false(options.json);
    assert_false(options.help);
    assert_false(options.version);
    assert_int_equal(options.grace_s, 60);
    assert_string_equal(options.config, "/etc/portreserve");
    assert_string_equal(options.socket, "/var/run/portreserve/socket");
    assert_string_equal(options.pidfile, "/var/run/portreserve.pid");
}

static void no_words_give_the_defaults(void **state)
{
    (void)state;
    char *none[] = {NULL};
    assert_int_equal(parse((const char *const[]){NULL}), 0);
    assert_defaults();
    assert_int_equal(reserve_options_parse(&options, none, error_text, sizeof error_text), 0);
    assert_defaults();
}

static void a_switch_takes_one_dash_or_two(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const bool *value;
    } switches[] = {{"d", &options.debug},     {"keep", &options.keep},
                    {"check", &options.check}, {"list", &options.list},
                    {"help", &options.help},   {"version", &options.version}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; ++i) {
        for (int dashes = 1; dashes <= 2; ++dashes) {
            char word[32];
            snprintf(word, sizeof word, "%.*s%s", dashes, "--", switches[i].name);
            assert_int_equal(PARSE(word), 0);
            assert_true(*switches[i].value);
            *(bool *)switches[i].value = false;
            assert_defaults();
        }
    }
}

static void a_value_is_the_next_word(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char **value;
    } switches[] = {{"config", &options.config},
                    {"socket", &options.socket},
                    {"pidfile", &options.pidfile}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; ++i) {
        for (int dashes = 1; dashes <= 2; ++dashes) {
            char word[32];
            snprintf(word, sizeof word, "%.*s%s", dashes, "--", switches[i].name);
            assert_int_equal(PARSE(word, "some where"), 0);
            assert_string_equal(*switches[i].value, "some where");
            assert_ptr_equal(*switches[i].value, argv[2]);
        }
    }
}

static void switches_go_together(void **state)
{
    (void)state;
    assert_int_equal(
        PARSE("-d", "--keep", "-grace", "5", "-config", "a", "-socket", "b", "-pidfile", "c"),
        0);
    assert_true(options.debug && options.keep);
    assert_int_equal(options.grace_s, 5);
    assert_string_equal(options.config, "a");
    assert_string_equal(options.socket, "b");
    assert_string_equal(options.pidfile, "c");
    assert_int_equal(PARSE("-list", "-json"), 0);
    assert_true(options.list && options.json);
    assert_int_equal(PARSE("--json", "--list"), 0);
    assert_true(options.list && options.json);
}

static void the_last_word_counts(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-config", "a", "-grace", "1", "-config", "b", "-grace", "2"), 0);
    assert_string_equal(options.config, "b");
    assert_int_equal(options.grace_s, 2);
}

static void a_grace_is_0_to_86400_seconds(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-grace", "0"), 0);
    assert_int_equal(options.grace_s, 0);
    assert_int_equal(PARSE("--grace", "86400"), 0);
    assert_int_equal(options.grace_s, 86400);
    assert_int_equal(PARSE("-grace", "007"), 0);
    assert_int_equal(options.grace_s, 7);
}

static void no_grace(void **state)
{
    (void)state;
    static const char *const words[] = {"86401",
                                        "x",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1s",
                                        "1.",
                                        "0x10",
                                        "1e3",
                                        "4294967296",
                                        "-",
                                        "18446744073709551616"};
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
        char text[128];
        snprintf(text, sizeof text, "-grace takes seconds from 0 to 86400, not \"%s\"",
                 words[i]);
        REFUSED(text, "-grace", words[i]);
    }
}

static void a_value_must_be_there(void **state)
{
    (void)state;
    REFUSED("-grace lacks its SECONDS", "-grace");
    REFUSED("-grace lacks its SECONDS", "-grace", "");
    REFUSED("-config lacks its DIR", "-d", "-config");
    REFUSED("-config lacks its DIR", "--config", "", "-d");
    REFUSED("-socket lacks its PATH", "-socket");
    REFUSED("-socket lacks its PATH", "-list", "-socket", "");
    REFUSED("-pidfile lacks its PATH", "-pidfile");
    REFUSED("-pidfile lacks its PATH", "-pidfile", "");
}

static void unknown_words_are_refused(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",       "-",  "--",   "---d", "d",        "keep",          "-kee",
        "-keeps", "-D", "cups", "-dd",  "-grace=5", "--config=/etc", "-h"};
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
        char text[64];
        snprintf(text, sizeof text, "unknown switch \"%s\"", words[i]);
        REFUSED(text, "-d", words[i]);
    }
}

static void a_long_word_is_cut(void **state)
{
    (void)state;
    char word[300], text[300];
    memset(word, 'w', 299);
    word[299] = '\0';
    snprintf(text, sizeof text, "unknown switch \"%.100s\"", word);
    REFUSED(text, word);
    snprintf(text, sizeof text, "-grace takes seconds from 0 to 86400, not \"%.100s\"", word);
    REFUSED(text, "-grace", word);
}

static void check_and_list_do_not_go_together(void **state)
{
    (void)state;
    REFUSED("-check and -list are two commands", "-check", "-list");
    REFUSED("-check and -list are two commands", "-list", "-json", "-check");
}

static void json_is_for_list(void **state)
{
    (void)state;
    REFUSED("-json is for -list", "-json");
    REFUSED("-json is for -list", "-d", "-json", "-keep");
    REFUSED("-json is for -list", "-check", "-json");
}

static void the_usage_lists_every_switch(void **state)
{
    (void)state;
    static const char *const wanted[] = {"usage: portreserve ",
                                         "  -d ",
                                         "  -keep ",
                                         "  -grace SECONDS ",
                                         "  -config DIR ",
                                         "  -socket PATH ",
                                         "  -pidfile PATH ",
                                         "  -check ",
                                         "  -list ",
                                         "  -json ",
                                         "  -help ",
                                         "  -version ",
                                         "/etc/portreserve",
                                         "(60)",
                                         "/var/run/portreserve.pid",
                                         "/var/run/portreserve/socket"};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    reserve_options_usage(stream);
    assert_int_equal(fclose(stream), 0);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i)
        if (!strstr(text, wanted[i]))
            fail_msg("\"%s\" is not in the usage", wanted[i]);
    /* And whatever is listed is a switch. */
    for (const char *at = text; (at = strstr(at, "\n  -")) != NULL; at += 4) {
        char word[32];
        sscanf(at, "%31s", word);
        int r = PARSE(word, "1");
        assert_true(r == 0 || strstr(error_text, "\"1\"") ||
                    strstr(error_text, "-json is for"));
    }
    free(text);
}

#define CASE(name) cmocka_unit_test_teardown(name, forget_words)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(no_words_give_the_defaults),
        CASE(a_switch_takes_one_dash_or_two),
        CASE(a_value_is_the_next_word),
        CASE(switches_go_together),
        CASE(the_last_word_counts),
        CASE(a_grace_is_0_to_86400_seconds),
        CASE(no_grace),
        CASE(a_value_must_be_there),
        CASE(unknown_words_are_refused),
        CASE(a_long_word_is_cut),
        CASE(check_and_list_do_not_go_together),
        CASE(json_is_for_list),
        CASE(the_usage_lists_every_switch),
    };
    return cmocka_run_group_tests_name("reserve_options", tests, NULL, NULL);
}
