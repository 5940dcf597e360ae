/* test_peer.c - who is at the other end, as far as addresses tell. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "peer.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&storage;
    if (strchr(text, ':')) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(12345);
        assert_int_equal(inet_pton(AF_INET6, text, &ipv6->sin6_addr), 1);
    } else {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(12345);
        assert_int_equal(inet_pton(AF_INET, text, &ipv4->sin_addr), 1);
    }
    return storage;
}

static struct peer identify(const char *remote, const char *here)
{
    struct sockaddr_storage from = address_of(remote), to = address_of(here);
    struct peer peer;
    memset(&peer, 0x55, sizeof peer);
    assert_true(peer_identify(&peer, &from, &to));
    return peer;
}

static void assert_local(const char *remote, const char *here)
{
    if (!identify(remote, here).local)
        fail_msg("%s to %s is local", remote, here);
}

static void assert_remote(const char *remote, const char *here)
{
    if (identify(remote, here).local)
        fail_msg("%s to %s is not local", remote, here);
}

static void a_loopback_address_is_local(void **state)
{
    (void)state;
    assert_local("127.0.0.1", "127.0.0.1");
    assert_local("127.0.1.1", "127.0.0.1");
    assert_local("127.255.255.254", "127.0.0.1");
    assert_local("::1", "::1");
    assert_local("::ffff:127.0.0.1", "::ffff:127.0.0.1");
    assert_local("::ffff:127.0.1.1", "::1");
}

static void the_address_it_connected_to_is_local(void **state)
{
    (void)state;
    assert_local("192.0.2.7", "192.0.2.7");
    assert_local("::ffff:192.0.2.7", "::ffff:192.0.2.7");
    assert_local("::ffff:192.0.2.7", "192.0.2.7");
    assert_local("192.0.2.7", "::ffff:192.0.2.7");
    assert_local("2001:db8::7", "2001:db8::7");
}

static void any_other_address_is_remote(void **state)
{
    (void)state;
    assert_remote("192.0.2.8", "192.0.2.7");
    assert_remote("128.0.0.1", "127.0.0.1");
    assert_remote("126.255.255.255", "127.0.0.1");
    assert_remote("1.0.0.127", "127.0.0.1");
    assert_remote("2001:db8::8", "2001:db8::7");
    assert_remote("::2", "::1");
    assert_remote("::ffff:192.0.2.8", "::ffff:192.0.2.7");
    assert_remote("7f00:1::", "::1");
}

/* ::127.0.0.1, the old compatible form, is no loopback address. */
static void what_only_looks_like_a_loopback_address_is_remote(void **state)
{
    (void)state;
    assert_remote("::127.0.0.1", "::1");
    assert_remote("64:ff9b::7f00:1", "::1");
    assert_remote("fe80::1", "::1");
}

static void the_host_is_the_address_as_text(void **state)
{
    (void)state;
    assert_string_equal(identify("192.0.2.7", "192.0.2.1").host, "192.0.2.7");
    assert_string_equal(identify("0.10.100.9", "192.0.2.1").host, "0.10.100.9");
    assert_string_equal(identify("255.255.255.255", "192.0.2.1").host, "255.255.255.255");
    assert_string_equal(identify("2001:db8:0:0::7", "2001:db8::1").host, "2001:db8::7");
    assert_string_equal(identify("::1", "::1").host, "::1");
}

static void the_host_of_a_mapped_address_is_the_ipv4_address(void **state)
{
    (void)state;
    assert_string_equal(identify("::ffff:192.0.2.7", "::1").host, "192.0.2.7");
    assert_string_equal(identify("::ffff:127.0.0.1", "::1").host, "127.0.0.1");
}

static void the_longest_address_fits(void **state)
{
    (void)state;
    const char *longest = "2001:db8:1111:2222:3333:4444:5555:6666";
    assert_string_equal(identify(longest, "::1").host, longest);
}

static void without_the_address_it_connected_to_only_loopback_is_local(void **state)
{
    (void)state;
    struct sockaddr_storage loopback = address_of("::1"), other = address_of("192.0.2.7");
    struct peer peer;
    assert_true(peer_identify(&peer, &loopback, NULL));
    assert_true(peer.local);
    assert_true(peer_identify(&peer, &other, NULL));
    assert_false(peer.local);
    assert_string_equal(peer.host, "192.0.2.7");
}

static void another_family_is_nobody(void **state)
{
    (void)state;
    struct sockaddr_storage inet = address_of("127.0.0.1");
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    struct peer peer;
    assert_false(peer_identify(&peer, &local, &inet));
    assert_false(peer_identify(&peer, &inet, &local));
    assert_false(peer_identify(&peer, &local, &local));
    assert_false(peer_identify(&peer, &local, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loopback_address_is_local),
        cmocka_unit_test(the_address_it_connected_to_is_local),
        cmocka_unit_test(any_other_address_is_remote),
        cmocka_unit_test(what_only_looks_like_a_loopback_address_is_remote),
        cmocka_unit_test(the_host_is_the_address_as_text),
        cmocka_unit_test(the_host_of_a_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(the_longest_address_fits),
        cmocka_unit_test(without_the_address_it_connected_to_only_loopback_is_local),
        cmocka_unit_test(another_family_is_nobody),
    };
    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
