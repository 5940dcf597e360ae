/* test_shared_library.c - what libportallocator.so shows to a program that loads it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "portallocator.h"

static void *library;

/* The library is beside this program. */
static int load(void **state)
{
    (void)state;
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 64);
    if (size < 0)
        return -1;
    path[size] = '\0';
    strcpy(strrchr(path, '/') + 1, "libportallocator.so.1");
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        print_error("%s\n", dlerror());
    return library ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    return dlclose(library);
}

/* ISO C has no conversion from an object pointer to a function pointer. */
#define FUNCTION(name)                                                                         \
    __typeof__(&(name)) name##_of_library = (__typeof__(&(name)))lookup(#name)

static uintptr_t lookup(const char *name)
{
    void *symbol = dlvsym(library, name, "PORTALLOCATOR_1");
    if (!symbol)
        fail_msg("%s: %s", name, dlerror());
    return (uintptr_t)symbol;
}

static void functions_have_a_version(void **state)
{
    (void)state;
    static const char *const names[] = {
        "portallocator_allocate",       "portallocator_can",
        "portallocator_change",         "portallocator_connect",
        "portallocator_error",          "portallocator_error_text",
        "portallocator_find",           "portallocator_free",
        "portallocator_held",           "portallocator_list",
        "portallocator_listen",         "portallocator_new",
        "portallocator_ping",           "portallocator_ports_count",
        "portallocator_ports_free",     "portallocator_ports_get",
        "portallocator_release",        "portallocator_set_timeout",
        "portallocator_stats",          "portallocator_talk_allocate",
        "portallocator_talk_can",       "portallocator_talk_error_text",
        "portallocator_talk_feed",      "portallocator_talk_find",
        "portallocator_talk_free",      "portallocator_talk_get_grant",
        "portallocator_talk_get_ports", "portallocator_talk_get_stats",
        "portallocator_talk_list",      "portallocator_talk_listen",
        "portallocator_talk_new",       "portallocator_talk_output",
        "portallocator_talk_ping",      "portallocator_talk_release",
        "portallocator_talk_change",    "portallocator_talk_sent",
        "portallocator_talk_stats",     "portallocator_version",
        "portallocator_watch",          "portallocator_watch_error_text",
        "portallocator_watch_fd",       "portallocator_watch_free",
        "portallocator_watch_next",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        assert_int_not_equal(lookup(names[i]), 0);
}

static void nothing_else_is_shown(void **state)
{
    (void)state;
    static const char *const names[] = {"pa_call_new", "pa_client_feed", "pa_buf_append",
                                        "portallocator_values_keys"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        assert_null(dlsym(library, names[i]));
}

/* What it needs of others, libtcl's lists, is there and works without an interpreter. */
static void it_works_by_itself(void **state)
{
    (void)state;
    FUNCTION(portallocator_talk_new);
    FUNCTION(portallocator_talk_allocate);
    FUNCTION(portallocator_talk_feed);
    FUNCTION(portallocator_talk_get_grant);
    FUNCTION(portallocator_talk_free);
    FUNCTION(portallocator_version);
    struct portallocator_options options = PORTALLOCATOR_OPTIONS_INIT;
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    static const char answer[] = "OK 2 {}\r\nOK 7 -name {two words} -user u\r\n";
    options.attributes = "key {a value}";
    struct portallocator_talk *talk = portallocator_talk_new_of_library(2);
    assert_non_null(talk);
    assert_int_equal(portallocator_talk_allocate_of_library(talk, "two words", &options), 0);
    assert_int_equal(portallocator_talk_feed_of_library(talk, answer, strlen(answer)), 0);
    assert_int_equal(portallocator_talk_get_grant_of_library(talk, &grant), 0);
    assert_string_equal(grant.name, "two words");
    portallocator_talk_free_of_library(talk);
    assert_string_equal(portallocator_version_of_library(), PACKAGE_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_a_version),
        cmocka_unit_test(nothing_else_is_shown),
        cmocka_unit_test(it_works_by_itself),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
