/* test_options.c - the command line: every switch, every spelling, every refusal. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum {
    WORDS_MAX = 16,
};

static char error_text[512];

/* Parses the words up to NULL, in fresh memory so that a write through argv would show. */
static int parse(struct options *o, const char *const *words)
{
    char *argv[WORDS_MAX + 2] = {(char *)"DaqPortManager"};
    int argc = 1;

    while (words[argc - 1] != NULL) {
        assert_true(argc <= WORDS_MAX);
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    *o = (struct options)OPTIONS_NULL;
    return options_parse(o, argc, argv, error_text, sizeof(error_text));
}

#define PARSE(o, ...) parse((o), (const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(const char *text, const char *const *words)
{
    struct options o;

    assert_int_equal(parse(&o, words), OPTIONS_E_USAGE);
    assert_string_equal(error_text, text);
    assert_null(o.ranges);
    assert_int_equal(o.ranges_count, 0);
}

#define REFUSED(text, ...) assert_refused((text), (const char *const[]){__VA_ARGS__, NULL})

static void assert_range(const struct options *o, size_t i, unsigned low, unsigned high)
{
    assert_true(i < o->ranges_count);
    assert_int_equal(o->ranges[i].low, low);
    assert_int_equal(o->ranges[i].high, high);
}

static void no_words_give_the_defaults(void **state)
{
    struct options o;
    struct servent *service = getservbyname("daqportmgr", "tcp");
    int port = service != NULL ? ntohs((uint16_t)service->s_port) : 30000;

    (void)state;
    assert_int_equal(parse(&o, (const char *const[]){NULL}), 0);
    assert_string_equal(error_text, "");
    assert_int_equal(o.ranges_count, 1);
    assert_range(&o, 0, 30001, 31000);
    assert_int_equal(o.listen_port, port);
    assert_null(o.address);
    assert_null(o.log_path);
    assert_null(o.usage_path);
    assert_null(o.port_path);
    assert_null(o.pid_path);
    assert_int_equal(o.quarantine_ms, 5000);
    assert_int_equal(o.line_max_bytes, 4096);
    assert_int_equal(o.connections_max, 10000);
    assert_int_equal(o.unsent_max_bytes, 1048576);
    assert_int_equal(o.keepalive_s, 60);
    assert_null(o.socket_path);
    assert_null(o.portserver);
    assert_int_equal(o.owner, OPTIONS_OWNER_CORRECT);
    assert_int_equal(o.hold, OPTIONS_HOLD_ASKED);
    assert_int_equal(o.user_ports, 0);
    assert_int_equal(o.user_connections, 0);
    assert_int_equal(o.user_waiting, 1000);
    assert_false(o.daemonize || o.help || o.version);
    options_deinit(&o);
    assert_null(o.ranges);
}

static void the_old_managers_switches_work(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-ports", "40000-40010", "-listen", "30500", "-log", "/a",
                           "-usagefile", "/b", "-portfile", "/c", "-pidfile", "/d"),
                     0);
    assert_range(&o, 0, 40000, 40010);
    assert_int_equal(o.listen_port, 30500);
    assert_string_equal(o.log_path, "/a");
    assert_string_equal(o.usage_path, "/b");
    assert_string_equal(o.port_path, "/c");
    assert_string_equal(o.pid_path, "/d");
    options_deinit(&o);
}

static void the_new_switches_work(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-address", "::1", "-quarantine", "0.25", "-maxline", "8K",
                           "-maxconnections", "7", "-maxunsent", "2M", "-keepalive", "9",
                           "-daemon"),
                     0);
    assert_string_equal(o.address, "::1");
    assert_int_equal(o.quarantine_ms, 250);
    assert_int_equal(o.line_max_bytes, 8192);
    assert_int_equal(o.connections_max, 7);
    assert_int_equal(o.unsent_max_bytes, 2097152);
    assert_int_equal(o.keepalive_s, 9);
    assert_true(o.daemonize);
    options_deinit(&o);
}

static void users_have_limits(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(
        PARSE(&o, "-userports", "65535", "-userconnections=1000000", "--userwaiting", "0"), 0);
    assert_int_equal(o.user_ports, 65535);
    assert_int_equal(o.user_connections, 1000000);
    assert_int_equal(o.user_waiting, 0);
    options_deinit(&o);
    assert_int_equal(
        PARSE(&o, "-userports", "0", "-userconnections", "0", "-userwaiting", "1000000"), 0);
    assert_int_equal(o.user_waiting, 1000000);
    options_deinit(&o);
    REFUSED("-userports: \"65536\" is not a number of ports (0 to 65535)", "-userports",
            "65536");
    REFUSED("-userconnections: \"1000001\" is not a number of connections (0 to 1000000)",
            "-userconnections", "1000001");
    REFUSED("-userwaiting: \"1000001\" is not a number of requests (0 to 1000000)",
            "-userwaiting", "1000001");
    REFUSED("-userwaiting: \"many\" is not a number of requests (0 to 1000000)", "-userwaiting",
            "many");
}

static void modes_are_one_of_a_few_words(void **state)
{
    static const char *const owners[] = {"correct", "verify", "trust"};
    static const char *const holds[] = {"asked", "all", "none"};
    static const char *const bad[] = {"Correct", "verif", "trust ", "all,none"};
    char text[100];
    struct options o;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(PARSE(&o, "-owner", owners[i], "-hold", holds[2 - i]), 0);
        assert_int_equal(o.owner, i);
        assert_int_equal(o.hold, 2 - i);
        options_deinit(&o);
    }
    assert_int_equal(OPTIONS_OWNER_TRUST, 2);
    assert_int_equal(OPTIONS_HOLD_NONE, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "-owner: \"%s\" is not correct, verify or trust", bad[i]);
        REFUSED(text, "-owner", bad[i]);
        snprintf(text, sizeof(text), "-hold: \"%s\" is not asked, all or none", bad[i]);
        REFUSED(text, "-hold", bad[i]);
    }
    REFUSED("-owner: \"\" is not MODE: it is empty", "-owner", "");
}

static void the_socket_alone_may_have_no_name(void **state)
{
    static const char *const forms[][2] = {
        {"-socket", ""}, {"-socket=", NULL}, {"-socket", "/a/b"}, {"--socket=c", NULL}};
    static const char *const paths[] = {"", "", "/a/b", "c"};
    struct options o;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(PARSE(&o, forms[i][0], forms[i][1]), 0);
        assert_string_equal(o.socket_path, paths[i]);
        options_deinit(&o);
    }
    REFUSED("-socket: PATH is missing", "-socket");
    REFUSED("-socket: PATH is missing before -daemon", "-socket", "-daemon");
}

static void the_portserver_has_a_path_or_a_name(void **state)
{
    static const char *const addresses[] = {"@name", "/a/b", "c", "@@"};
    struct options o;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(PARSE(&o, "-portserver", addresses[i]), 0);
        assert_string_equal(o.portserver, addresses[i]);
        options_deinit(&o);
    }
    REFUSED("-portserver: \"@\" is no address: a name is missing", "-portserver", "@");
    REFUSED("-portserver: \"\" is not ADDRESS: it is empty", "-portserver", "");
}

static void one_dash_two_dashes_and_equals_are_the_same(void **state)
{
    static const char *const forms[][2] = {
        {"-log", "x=y"}, {"--log", "x=y"}, {"-log=x=y", NULL}, {"--log=x=y", NULL}};
    struct options o;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(PARSE(&o, forms[i][0], forms[i][1]), 0);
        assert_string_equal(o.log_path, "x=y");
        options_deinit(&o);
    }
}

static void help_and_version_have_three_and_two_names(void **state)
{
    static const char *const helps[] = {"-help", "--help", "-h", "-?"};
    static const char *const versions[] = {"-version", "--version", "-V"};
    struct options o;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(PARSE(&o, helps[i]), 0);
        assert_true(o.help && !o.version);
        options_deinit(&o);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(PARSE(&o, versions[i]), 0);
        assert_true(o.version && !o.help);
        options_deinit(&o);
    }
}

static void a_lone_dash_is_a_value(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-log", "-"), 0);
    assert_string_equal(o.log_path, "-");
    options_deinit(&o);
}

static void ranges_keep_their_order(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-ports", "500-600,100,65535,300-200,7-7,1,11-20,21-30"), 0);
    assert_int_equal(o.ranges_count, 8);
    assert_range(&o, 0, 500, 600);
    assert_range(&o, 1, 100, 100);
    assert_range(&o, 2, 65535, 65535);
    assert_range(&o, 3, 200, 300);
    assert_range(&o, 4, 7, 7);
    assert_range(&o, 5, 1, 1);
    assert_range(&o, 6, 11, 20);
    assert_range(&o, 7, 21, 30);
    options_deinit(&o);
}

static void overlapping_ranges_become_one_in_the_first_ones_place(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-ports", "900,10-20,800,30-40,50-60,15-35,40-45,11,700"), 0);
    assert_int_equal(o.ranges_count, 5);
    assert_range(&o, 0, 900, 900);
    assert_range(&o, 1, 10, 45);
    assert_range(&o, 2, 800, 800);
    assert_range(&o, 3, 50, 60);
    assert_range(&o, 4, 700, 700);
    options_deinit(&o);
}

/* A bitmap of 300 ports tells what any sequence of ranges must add up to. */
static void random_ranges_stay_disjoint_and_complete(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 300; round++) {
        bool wanted[300] = {false}, found[300] = {false};
        char text[1024] = "";
        struct options o;

        for (int i = 0; i < 30; i++) {
            int low = 1 + rand() % 290, high = low + rand() % (round % 9 + 1);
            size_t n = strlen(text);

            snprintf(text + n, sizeof(text) - n, "%s%d-%d", i > 0 ? "," : "", low, high);
            for (int port = low; port <= high; port++)
                wanted[port] = true;
        }
        assert_int_equal(PARSE(&o, "-ports", text), 0);
        for (size_t i = 0; i < o.ranges_count; i++) {
            for (int port = o.ranges[i].low; port <= o.ranges[i].high; port++) {
                assert_false(found[port]);
                found[port] = true;
            }
        }
        assert_memory_equal(wanted, found, sizeof(wanted));
        options_deinit(&o);
    }
}

static void blanks_around_ports_do_not_matter(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-ports", " 100 - 200 ,\t300 "), 0);
    assert_int_equal(o.ranges_count, 2);
    assert_range(&o, 0, 100, 200);
    assert_range(&o, 1, 300, 300);
    options_deinit(&o);
}

static void what_is_no_port_range_is_refused(void **state)
{
    static const char *const bad[] = {"30001-x", "x",  "0",    "0-5",   "1-65536",
                                      "65536",   "-5", "5-",   "1-2-3", "1 2",
                                      "+5",      " ",  "0x10", "1.5",   "99999999999999999999",
                                      "5K"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text),
                 "-ports: \"%s\" is not a port range (LOW-HIGH, 1 to 65535)", bad[i]);
        REFUSED(text, "-ports", bad[i]);
    }
    REFUSED("-ports: \"\" is not a port range (LOW-HIGH, 1 to 65535)", "-ports", "1,");
    REFUSED("-ports: \"\" is not a port range (LOW-HIGH, 1 to 65535)", "-ports", ",1");
    REFUSED("-ports: \"b\" is not a port range (LOW-HIGH, 1 to 65535)", "-ports", "1,b,2");
}

static void the_successors_switches_make_one_range(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(
        PARSE(&o, "--listen-port", "1", "--port-base", "65000", "--num-ports", "536"), 0);
    assert_int_equal(o.listen_port, 1);
    assert_int_equal(o.ranges_count, 1);
    assert_range(&o, 0, 65000, 65535);
    options_deinit(&o);
    assert_int_equal(PARSE(&o, "-l", "0", "-p", "2000", "-n=1"), 0);
    assert_int_equal(o.listen_port, 0);
    assert_range(&o, 0, 2000, 2000);
    options_deinit(&o);
    assert_int_equal(PARSE(&o, "-p", "2000"), 0);
    assert_range(&o, 0, 2000, 2999);
    options_deinit(&o);
    assert_int_equal(PARSE(&o, "-n", "10"), 0);
    assert_range(&o, 0, 31000, 31009);
    options_deinit(&o);
}

static void the_successors_switches_are_checked_together(void **state)
{
    (void)state;
    REFUSED("--port-base: 537 ports from 65000 on would go beyond 65535", "-n", "537", "-p",
            "65000");
    REFUSED("--port-base: 1000 ports from 65000 on would go beyond 65535", "-p", "65000");
    REFUSED("--num-ports: 65535 ports from 31000 on would go beyond 65535", "-n", "65535");
    REFUSED("--port-base: cannot be combined with -ports", "-p", "1", "-ports", "5");
    REFUSED("--num-ports: cannot be combined with -ports", "-ports", "5", "-n", "1");
    REFUSED("-p: \"0\" is not a port number (1 to 65535)", "-p", "0");
    REFUSED("-n: \"0\" is not a number of ports (1 to 65535)", "-n", "0");
}

static void seconds_may_have_decimals(void **state)
{
    static const struct {
        const char *text;
        unsigned ms;
    } cases[] = {{"0", 0},         {"0.0", 0},          {"0.000", 0},
                 {"1.5", 1500},    {"86400", 86400000}, {"86400.000", 86400000},
                 {"0.001", 1},     {"0.0001", 1},       {"2.9991", 3000},
                 {"007.25", 7250}, {"0.12300", 123}};
    struct options o;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(PARSE(&o, "-quarantine", cases[i].text), 0);
        assert_int_equal(o.quarantine_ms, cases[i].ms);
        options_deinit(&o);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {"x",     "-1",  "1.",    ".",  "1.5s", "86400.001", "1,5",
                                      "86401", "1e3", "1.2.3", " 1", "nan",  "86400.0001"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text),
                 "-quarantine: \"%s\" is not a time in seconds (0 to 86400, decimals allowed)",
                 bad[i]);
        REFUSED(text, "-quarantine", bad[i]);
    }
}

static void sizes_have_bounds_and_suffixes(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(PARSE(&o, "-maxline", "64", "-maxunsent", "4096"), 0);
    assert_int_equal(o.line_max_bytes, 64);
    assert_int_equal(o.unsent_max_bytes, 4096);
    options_deinit(&o);
    assert_int_equal(PARSE(&o, "-maxline", "1m", "-maxunsent", "1024M"), 0);
    assert_int_equal(o.line_max_bytes, 1048576);
    assert_int_equal(o.unsent_max_bytes, 1073741824);
    options_deinit(&o);
}

static void what_is_no_size_is_refused(void **state)
{
    static const char *const bad[] = {"63",  "1048577", "1025K", "2M",
                                      "K",   "1KK",     "1G",    "-64",
                                      "64 ", "64b",     "4.5K",  "18446744073709551680"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text),
                 "-maxline: \"%s\" is not a size in bytes (64 to 1048576; K or M may follow)",
                 bad[i]);
        REFUSED(text, "-maxline", bad[i]);
    }
    REFUSED(
        "-maxunsent: \"4095\" is not a size in bytes (4096 to 1073741824; K or M may follow)",
        "-maxunsent", "4095");
    REFUSED(
        "-maxunsent: \"1025M\" is not a size in bytes (4096 to 1073741824; K or M may follow)",
        "-maxunsent", "1025M");
}

static void numbers_have_bounds(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(
        PARSE(&o, "-listen", "65535", "-maxconnections", "1000000", "-keepalive", "32767"), 0);
    assert_int_equal(o.listen_port, 65535);
    assert_int_equal(o.connections_max, 1000000);
    assert_int_equal(o.keepalive_s, 32767);
    options_deinit(&o);
    REFUSED("-listen: \"65536\" is not a port number (0 to 65535)", "-listen", "65536");
    REFUSED("-listen: \"30000x\" is not a port number (0 to 65535)", "-listen", "30000x");
    REFUSED("--listen-port: \"-1\" is not a port number (0 to 65535)", "--listen-port", "-1");
    REFUSED("-maxconnections: \"0\" is not a number of connections (1 to 1000000)",
            "-maxconnections", "0");
    REFUSED("-maxconnections: \"1000001\" is not a number of connections (1 to 1000000)",
            "-maxconnections", "1000001");
    REFUSED("-keepalive: \"0\" is not a time in whole seconds (1 to 32767)", "-keepalive", "0");
    REFUSED("-keepalive: \"32768\" is not a time in whole seconds (1 to 32767)", "-keepalive",
            "32768");
    REFUSED("-keepalive: \"1.5\" is not a time in whole seconds (1 to 32767)", "-keepalive",
            "1.5");
}

static void an_address_is_a_literal(void **state)
{
    static const char *const good[] = {"0.0.0.0", "127.0.0.1", "::", "fe80::1",
                                       "::ffff:1.2.3.4"};
    static const char *const bad[] = {"localhost", "1.2.3",  "1.2.3.4 ",
                                      "[::1]",     "::1%lo", "300.1.1.1"};
    char text[200];
    struct options o;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(PARSE(&o, "-address", good[i]), 0);
        assert_string_equal(o.address, good[i]);
        options_deinit(&o);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "-address: \"%s\" is not an IPv4 or IPv6 address", bad[i]);
        REFUSED(text, "-address", bad[i]);
    }
}

static void unknown_switches_and_surplus_words_are_named(void **state)
{
    (void)state;
    REFUSED("-log: - is standard error, which a manager detached by -daemon does not have",
            "-log", "-", "-daemon");
    REFUSED("-bogus: unknown switch", "-bogus");
    REFUSED("--bogus: unknown switch", "--bogus=1");
    REFUSED("---log: unknown switch", "---log", "x");
    REFUSED("-quarantin: unknown switch", "-quarantin", "1");
    REFUSED("-Log: unknown switch", "-Log", "x");
    REFUSED("word: surplus word, a switch was expected", "-daemon", "word");
    REFUSED("--: surplus word, a switch was expected", "--");
    REFUSED("-: surplus word, a switch was expected", "-");
    REFUSED("\"\": surplus word, a switch was expected", "");
}

static void a_repeated_switch_is_refused_under_any_name(void **state)
{
    (void)state;
    REFUSED("-log: this switch is given twice", "-log", "a", "-log", "a");
    REFUSED("--listen-port: this switch is given twice", "-listen", "1", "--listen-port", "2");
    REFUSED("-h: this switch is given twice", "-help", "-h");
}

static void missing_empty_and_unwanted_values_are_refused(void **state)
{
    (void)state;
    REFUSED("-log: FILE is missing", "-log");
    REFUSED("-log: FILE is missing before --daemon", "-log", "--daemon");
    REFUSED("-log: FILE is missing before -listen=3", "-log", "-listen=3");
    REFUSED("-log: \"\" is not FILE: it is empty", "-log", "");
    REFUSED("-portfile: \"\" is not FILE: it is empty", "-portfile=");
    REFUSED("-ports: \"\" is not LOW-HIGH[,...]: it is empty", "-ports", "");
    REFUSED("-daemon: takes no value, but \"=yes\" follows", "-daemon=yes");
}

static void a_message_is_one_line_that_fits(void **state)
{
    static char huge[100000];
    struct options o = OPTIONS_NULL;
    char *argv[] = {(char *)"x", (char *)"-listen", huge};
    char text[16];

    (void)state;
    REFUSED("-listen: \"1?2??\" is not a port number (0 to 65535)", "-listen", "1\n2\r\x7f");
    memset(huge, 'x', sizeof(huge) - 1);
    assert_int_equal(PARSE(&o, "-ports", huge), OPTIONS_E_USAGE);
    assert_non_null(strstr(error_text, "xxx\" is not a port range"));
    assert_int_equal(PARSE(&o, huge), OPTIONS_E_USAGE);
    assert_non_null(strstr(error_text, "xxx: surplus word"));
    assert_int_equal(options_parse(&o, 3, argv, text, sizeof(text)), OPTIONS_E_USAGE);
    assert_string_equal(text, "-listen: \"xxxxx");
    assert_int_equal(options_parse(&o, 3, argv, NULL, 0), OPTIONS_E_USAGE);
}

static void help_text_lists_every_switch(void **state)
{
    static const char *const switches[] = {
        "-ports LOW-HIGH",   "-listen, --listen-port, -l PORT",
        "-address ADDR",     "-log FILE",
        "-usagefile FILE",   "-portfile FILE",
        "-pidfile FILE",     "-quarantine SECONDS",
        "-maxline BYTES",    "-maxconnections N",
        "-maxunsent BYTES",  "-keepalive SECONDS",
        "-daemon\n",         "-help, -h, -?\n",
        "-version, -V\n",    "--port-base, -p PORT",
        "--num-ports, -n N", "-socket PATH",
        "-owner MODE",       "-hold MODE",
        "-userports N",      "-userconnections N",
        "-userwaiting N",    "-portserver ADDRESS"};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    (void)state;
    assert_non_null(stream);
    options_usage(stream);
    fclose(stream);
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
        assert_non_null(strstr(text, switches[i]));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_words_give_the_defaults),
        cmocka_unit_test(the_old_managers_switches_work),
        cmocka_unit_test(the_new_switches_work),
        cmocka_unit_test(users_have_limits),
        cmocka_unit_test(modes_are_one_of_a_few_words),
        cmocka_unit_test(the_socket_alone_may_have_no_name),
        cmocka_unit_test(the_portserver_has_a_path_or_a_name),
        cmocka_unit_test(one_dash_two_dashes_and_equals_are_the_same),
        cmocka_unit_test(help_and_version_have_three_and_two_names),
        cmocka_unit_test(a_lone_dash_is_a_value),
        cmocka_unit_test(ranges_keep_their_order),
        cmocka_unit_test(overlapping_ranges_become_one_in_the_first_ones_place),
        cmocka_unit_test(random_ranges_stay_disjoint_and_complete),
        cmocka_unit_test(blanks_around_ports_do_not_matter),
        cmocka_unit_test(what_is_no_port_range_is_refused),
        cmocka_unit_test(the_successors_switches_make_one_range),
        cmocka_unit_test(the_successors_switches_are_checked_together),
        cmocka_unit_test(seconds_may_have_decimals),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(sizes_have_bounds_and_suffixes),
        cmocka_unit_test(what_is_no_size_is_refused),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(an_address_is_a_literal),
        cmocka_unit_test(unknown_switches_and_surplus_words_are_named),
        cmocka_unit_test(a_repeated_switch_is_refused_under_any_name),
        cmocka_unit_test(missing_empty_and_unwanted_values_are_refused),
        cmocka_unit_test(a_message_is_one_line_that_fits),
        cmocka_unit_test(help_text_lists_every_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
