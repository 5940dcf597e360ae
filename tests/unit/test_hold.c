/* test_hold.c - what a hold keeps out, what it lets in, and what it hands on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hold.h"
#include "take_port.h"

static const enum hold_kind kinds[] = {HOLD_STRICT, HOLD_SOFT};
static const enum transport transports[] = {TRANSPORT_TCP, TRANSPORT_UDP};

static int take(enum transport transport, const char *host, uint16_t port, int how)
{
    return take_port(host, port, how | (transport == TRANSPORT_UDP ? DATAGRAM : 0));
}

static void assert_gets(enum transport transport, const char *host, uint16_t port, int how)
{
    int fd = take(transport, host, port, how);
    assert_true(fd >= 0);
    close(fd);
}

static void assert_kept_out(enum transport transport, const char *host, uint16_t port, int how)
{
    assert_int_equal(take(transport, host, port, how), -EADDRINUSE);
}

static struct hold hold_new(enum transport transport, enum hold_kind kind, uint16_t port)
{
    struct hold hold = HOLD_NULL;
    assert_int_equal(hold_take(&hold, transport, kind, port), 0);
    assert_int_equal(hold.kind, kind);
    return hold;
}

static void a_hold_keeps_out_who_does_not_share(void **state)
{
    (void)state;
    static const char *const hosts[] = {"0.0.0.0", "127.0.0.1", "::", "::1"};
    for (int t = 0; t < TRANSPORTS; ++t) {
        for (int k = 0; k < 2; ++k) {
            uint16_t port = quiet_port();
            struct hold hold = hold_new(transports[t], kinds[k], port);
            for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i) {
                assert_kept_out(transports[t], hosts[i], port, 0);
                assert_kept_out(transports[t], hosts[i], port, V6ONLY);
            }
            hold_drop(&hold);
            assert_int_equal(hold.fd, -1);
            assert_gets(transports[t], "::", port, 0);
        }
    }
}

static void a_strict_hold_keeps_out_who_shares(void **state)
{
    (void)state;
    for (int t = 0; t < TRANSPORTS; ++t) {
        uint16_t port = quiet_port();
        struct hold hold = hold_new(transports[t], HOLD_STRICT, port);
        assert_kept_out(transports[t], "0.0.0.0", port, REUSE);
        assert_kept_out(transports[t], "::", port, REUSE);
        hold_drop(&hold);
    }
}

static void a_soft_hold_lets_a_service_listen_again_and_again(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int how;
    } services[] = {{"0.0.0.0", 0}, {"::", 0}, {"::", V6ONLY}, {"127.0.0.1", 0}, {"::1", 0}};
    uint16_t port = quiet_port();
    struct hold hold = hold_new(TRANSPORT_TCP, HOLD_SOFT, port);
    for (size_t i = 0; i < sizeof services / sizeof *services; ++i) {
        int how = services[i].how | REUSE | LISTEN;
        int service = take(TRANSPORT_TCP, services[i].host, port, how);
        assert_true(service >= 0);
        assert_kept_out(TRANSPORT_TCP, services[i].host, port, how);
        close(service);
    }
    hold_drop(&hold);
}

static void a_taken_port_is_not_held(void **state)
{
    (void)state;
    struct hold hold = HOLD_NULL;
    for (int k = 0; k < 2; ++k) {
        uint16_t port = quiet_port();
        int other = take(TRANSPORT_TCP, "127.0.0.1", port, REUSE | LISTEN);
        assert_int_equal(hold_take(&hold, TRANSPORT_TCP, kinds[k], port), -EADDRINUSE);
        assert_int_equal(hold.fd, -1);
        close(other);
        other = take(TRANSPORT_UDP, "127.0.0.1", port, 0);
        assert_int_equal(hold_take(&hold, TRANSPORT_UDP, kinds[k], port), -EADDRINUSE);
        assert_int_equal(hold.fd, -1);
        close(other);
    }
}

static void time_wait_makes_a_strict_hold_soft(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, "127.0.0.1", port);
    int listener = take(TRANSPORT_TCP, "127.0.0.1", port, REUSE | LISTEN);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;
    assert_int_equal(connect(client, (const struct sockaddr *)&address, size), 0);
    int server = accept(listener, NULL, NULL);
    close(server);
    assert_int_equal(read(client, &byte, 1), 0);
    close(client);
    close(listener);
    struct hold hold = HOLD_NULL;
    assert_int_equal(hold_take(&hold, TRANSPORT_TCP, HOLD_STRICT, port), 0);
    assert_int_equal(hold.kind, HOLD_SOFT);
    hold_drop(&hold);
}

static void assert_connects(const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, size), 0);
    close(fd);
}

static void a_service_gets_a_listener_and_the_port_stays_held(void **state)
{
    (void)state;
    for (int k = 0; k < 2; ++k) {
        uint16_t port = quiet_port();
        struct hold hold = hold_new(TRANSPORT_TCP, kinds[k], port);
        for (int lap = 0; lap < 3; ++lap) {
            int service = hold_serve(&hold, port);
            assert_true(service >= 0);
            assert_true(fcntl(service, F_GETFD) & FD_CLOEXEC);
            assert_connects("127.0.0.1", port);
            assert_connects("::1", port);
            assert_int_equal(hold_serve(&hold, port), -EADDRINUSE);
            close(service);
            assert_kept_out(TRANSPORT_TCP, "0.0.0.0", port, 0);
        }
        if (kinds[k] == HOLD_STRICT)
            assert_kept_out(TRANSPORT_TCP, "0.0.0.0", port, REUSE);
        hold_drop(&hold);
    }
}

static bool arrives(int fd, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte;
    int from = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(from, "x", 1, 0, (const struct sockaddr *)&address, size), 1);
    close(from);
    return poll(&poll_fd, 1, 1000) == 1 && recv(fd, &byte, 1, 0) == 1;
}

static void datagrams_go_to_the_service_and_not_to_the_hold(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    struct hold hold = hold_new(TRANSPORT_UDP, HOLD_SOFT, port);
    int service = take(TRANSPORT_UDP, "0.0.0.0", port, REUSE);
    assert_true(arrives(service, "127.0.0.1", port));
    close(service);
    service = take(TRANSPORT_UDP, "::", port, REUSE);
    assert_true(arrives(service, "127.0.0.1", port));
    assert_true(arrives(service, "::1", port));
    close(service);
    hold_drop(&hold);
    for (int k = 0; k < 2; ++k) {
        port = quiet_port();
        hold = hold_new(TRANSPORT_UDP, kinds[k], port);
        service = hold_serve(&hold, port);
        assert_true(arrives(service, "127.0.0.1", port));
        assert_true(arrives(service, "::1", port));
        close(service);
        hold_drop(&hold);
    }
}

static void a_hold_keeps_no_datagram(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    struct hold hold = hold_new(TRANSPORT_UDP, HOLD_SOFT, port);
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, "127.0.0.1", port);
    char byte;
    int from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(from, "x", 1, 0, (const struct sockaddr *)&address, size), 1);
    assert_int_equal(recv(hold.fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    close(from);
    hold_drop(&hold);
}

static void the_kernel_chooses_no_held_port(void **state)
{
    (void)state;
    struct hold hold = HOLD_NULL;
    /* A port of the kernel's own choice, held. */
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int first = take(TRANSPORT_TCP, "0.0.0.0", 0, 0);
    assert_int_equal(getsockname(first, (struct sockaddr *)&address, &size), 0);
    uint16_t port = ntohs(((const struct sockaddr_in *)&address)->sin_port);
    close(first);
    assert_int_equal(hold_take(&hold, TRANSPORT_TCP, HOLD_SOFT, port), 0);
    /* The narrowest choice that a socket may be given: that port, and one more. */
    uint32_t range = (uint32_t)(port + 1) << 16 | port;
    bool narrowed = false;
    for (int i = 0; i < 50; ++i) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        narrowed =
            setsockopt(fd, IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */, &range, sizeof range) == 0;
        struct sockaddr_in any = {.sin_family = AF_INET};
        size = sizeof address;
        if (bind(fd, (const struct sockaddr *)&any, sizeof any) == 0) {
            assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
            assert_int_not_equal(ntohs(((const struct sockaddr_in *)&address)->sin_port), port);
        } else {
            assert_int_equal(errno, EADDRINUSE);
        }
        close(fd);
    }
    if (!narrowed)
        print_message("the kernel cannot narrow a socket's range: chosen from all ports\n");
    hold_drop(&hold);
}

static void nothing_held_is_no_trouble(void **state)
{
    (void)state;
    struct hold hold = HOLD_NULL;
    hold_drop(&hold);
    assert_int_equal(hold_inode(&hold), 0);
    assert_int_equal(hold_serve(&hold, 80), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_keeps_out_who_does_not_share),
        cmocka_unit_test(a_strict_hold_keeps_out_who_shares),
        cmocka_unit_test(a_soft_hold_lets_a_service_listen_again_and_again),
        cmocka_unit_test(a_taken_port_is_not_held),
        cmocka_unit_test(time_wait_makes_a_strict_hold_soft),
        cmocka_unit_test(a_service_gets_a_listener_and_the_port_stays_held),
        cmocka_unit_test(datagrams_go_to_the_service_and_not_to_the_hold),
        cmocka_unit_test(a_hold_keeps_no_datagram),
        cmocka_unit_test(the_kernel_chooses_no_held_port),
        cmocka_unit_test(nothing_held_is_no_trouble),
    };
    return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
