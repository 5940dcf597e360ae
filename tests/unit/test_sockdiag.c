/* test_sockdiag.c - the sockets on a port as the kernel tells of them, and answers gone wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pa_sockdiag.h"
#include "take_port.h"

enum { MANY = 600, NOBODY = 65534 };

static struct pa_sockdiag diag = PA_SOCKDIAG_NULL;

static int close_diag(void **state)
{
    (void)state;
    pa_sockdiag_close(&diag);
    return 0;
}

static int listeners_on(uint16_t port)
{
    return pa_sockdiag_on_port(&diag, true, port, PA_SOCKDIAG_LISTENERS, NULL, 0);
}

static int datagram_sockets_on(uint16_t port)
{
    return pa_sockdiag_on_port(&diag, false, port, 0, NULL, 0);
}

static void connect_to(int fd, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, size), 0);
}

/* -------------------------------------------------- what the kernel says -- */

static void assert_socket(const struct pa_sockdiag_socket *found, int fd, bool tcp, int state)
{
    assert_int_equal(found->tcp, tcp);
    assert_int_equal(found->state, state);
    assert_int_equal(found->port, port_of(fd));
    assert_int_equal(found->uid, getuid());
    assert_int_equal(found->inode, inode_of(fd));
}

/* Takes a port and looks who has it. */
static void assert_found(const char *host, int how, int state, bool wildcard)
{
    bool tcp = !(how & DATAGRAM);
    int fd = take_port(host, quiet_port(), how);
    if (fd < 0) {
        print_message("%s is not there: passed over\n", host);
        return;
    }
    struct pa_sockdiag_socket found[2];
    assert_int_equal(
        pa_sockdiag_on_port(&diag, tcp, port_of(fd), PA_SOCKDIAG_LISTENERS, found, 2), 1);
    assert_socket(&found[0], fd, tcp, state);
    assert_int_equal(found[0].family, strchr(host, ':') ? AF_INET6 : AF_INET);
    assert_int_equal(found[0].wildcard, wildcard);
    close(fd);
    assert_int_equal(
        pa_sockdiag_on_port(&diag, tcp, found[0].port, PA_SOCKDIAG_LISTENERS, found, 2), 0);
}

static void a_listener_is_found_with_its_user_and_inode(void **state)
{
    (void)state;
    assert_found("127.0.0.1", LISTEN, PA_SOCKDIAG_STATE_LISTENING, false);
    assert_found("127.0.0.77", LISTEN, PA_SOCKDIAG_STATE_LISTENING, false);
    assert_found("0.0.0.0", LISTEN, PA_SOCKDIAG_STATE_LISTENING, true);
    assert_found("::1", LISTEN, PA_SOCKDIAG_STATE_LISTENING, false);
    assert_found("::", LISTEN, PA_SOCKDIAG_STATE_LISTENING, true);
    assert_found("::", LISTEN | V6ONLY, PA_SOCKDIAG_STATE_LISTENING, true);
    assert_found("::ffff:0.0.0.0", LISTEN, PA_SOCKDIAG_STATE_LISTENING, true);
    assert_found("::ffff:127.0.0.1", LISTEN, PA_SOCKDIAG_STATE_LISTENING, false);
}

static void a_datagram_socket_is_found_with_its_user_and_inode(void **state)
{
    (void)state;
    assert_found("127.0.0.1", DATAGRAM, PA_SOCKDIAG_STATE_OPEN, false);
    assert_found("0.0.0.0", DATAGRAM, PA_SOCKDIAG_STATE_OPEN, true);
    assert_found("::1", DATAGRAM, PA_SOCKDIAG_STATE_OPEN, false);
    assert_found("::", DATAGRAM, PA_SOCKDIAG_STATE_OPEN, true);
    assert_found("::", DATAGRAM | V6ONLY, PA_SOCKDIAG_STATE_OPEN, true);
}

static void a_connected_datagram_socket_is_told_from_an_open_one(void **state)
{
    (void)state;
    struct pa_sockdiag_socket found;
    int fd = take_port("0.0.0.0", quiet_port(), DATAGRAM);
    connect_to(fd, "127.0.0.1", 9);
    assert_int_equal(pa_sockdiag_on_port(&diag, false, port_of(fd), 0, &found, 1), 1);
    assert_socket(&found, fd, false, PA_SOCKDIAG_STATE_CONNECTED);
    close(fd);
}

static void tcp_and_udp_have_ports_of_their_own(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    int tcp = take_port("127.0.0.1", port, LISTEN);
    assert_int_equal(listeners_on(port), 1);
    assert_int_equal(datagram_sockets_on(port), 0);
    close(tcp);
    int udp = take_port("127.0.0.1", port, DATAGRAM);
    assert_int_equal(listeners_on(port), 0);
    assert_int_equal(datagram_sockets_on(port), 1);
    close(udp);
}

static void only_the_very_port_is_looked_at(void **state)
{
    (void)state;
    int below = take_port("127.0.0.1", quiet_port(), LISTEN);
    int above = take_port("127.0.0.1", (uint16_t)(port_of(below) + 2), LISTEN);
    assert_true(above >= 0);
    assert_int_equal(listeners_on((uint16_t)(port_of(below) + 1)), 0);
    close(below);
    close(above);
    assert_int_equal(listeners_on(0), -EINVAL);
    assert_true(listeners_on(65535) >= 0);
}

/* Linux 6.8 was the first to show sockets that are bound and no more. */
static int shown_when_bound(void)
{
    struct utsname name;
    unsigned major;
    unsigned minor;
    assert_int_equal(uname(&name), 0);
    assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
    return major > 6 || (major == 6 && minor >= 8);
}

static void a_hold_is_no_listener_but_bound(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "::", "::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i) {
        struct pa_sockdiag_socket found;
        int fd = take_port(hosts[i], quiet_port(), REUSE);
        int other = take_port(hosts[i], quiet_port(), REUSE);
        if (fd < 0)
            continue;
        assert_int_equal(listeners_on(port_of(fd)), 0);
        assert_int_equal(
            pa_sockdiag_on_port(&diag, true, port_of(fd), PA_SOCKDIAG_BOUND, &found, 1),
            shown_when_bound());
        if (shown_when_bound())
            assert_socket(&found, fd, true, PA_SOCKDIAG_STATE_OPEN);
        close(fd);
        close(other);
    }
}

static void a_service_beside_a_hold_is_the_only_listener(void **state)
{
    (void)state;
    struct pa_sockdiag_socket found[4];
    uint16_t port = quiet_port();
    int hold = take_port("0.0.0.0", port, REUSE);
    int service = take_port("127.0.0.1", port, REUSE | LISTEN);
    assert_true(service >= 0);
    assert_int_equal(pa_sockdiag_on_port(&diag, true, port, PA_SOCKDIAG_LISTENERS, found, 4),
                     1);
    assert_socket(&found[0], service, true, PA_SOCKDIAG_STATE_LISTENING);
    assert_int_equal(pa_sockdiag_on_port(&diag, true, port, PA_SOCKDIAG_ALIVE, found, 4),
                     1 + shown_when_bound());
    close(service);
    close(hold);
}

static void datagram_sockets_that_share_a_port_are_all_found(void **state)
{
    (void)state;
    struct pa_sockdiag_socket found[2];
    uint16_t port = quiet_port();
    int one = take_port("0.0.0.0", port, DATAGRAM | REUSE);
    int other = take_port("0.0.0.0", port, DATAGRAM | REUSE);
    assert_int_equal(pa_sockdiag_on_port(&diag, false, port, 0, found, 2), 2);
    bool in_order = found[0].inode == inode_of(one);
    assert_int_equal(found[in_order ? 0 : 1].inode, inode_of(one));
    assert_int_equal(found[in_order ? 1 : 0].inode, inode_of(other));
    close(one);
    close(other);
}

static void both_families_are_asked_for(void **state)
{
    (void)state;
    uint16_t port = quiet_port();
    int ipv4 = take_port("127.0.0.1", port, LISTEN);
    int ipv6 = take_port("::1", port, LISTEN | V6ONLY);
    assert_int_equal(listeners_on(port), ipv6 < 0 ? 1 : 2);
    close(ipv4);
    close(ipv6);
}

static void connections_are_found_when_asked_for(void **state)
{
    (void)state;
    struct pa_sockdiag_socket found[4];
    int listener = take_port("127.0.0.1", quiet_port(), LISTEN);
    int client = take_port("127.0.0.1", quiet_port(), 0);
    uint16_t port = port_of(client);
    connect_to(client, "127.0.0.1", port_of(listener));
    int server = accept(listener, NULL, NULL);
    assert_int_equal(listeners_on(port_of(listener)), 1);
    assert_int_equal(
        pa_sockdiag_on_port(&diag, true, port_of(listener), PA_SOCKDIAG_ALIVE, found, 4), 2);
    assert_int_equal(pa_sockdiag_on_port(&diag, true, port, PA_SOCKDIAG_ALIVE, found, 4), 1);
    assert_socket(&found[0], client, true, PA_SOCKDIAG_STATE_CONNECTED);
    close(client);
    char byte;
    assert_int_equal(read(server, &byte, 1), 0);
    close(server);
    close(listener);
    /* The client's end is in TIME_WAIT now. */
    assert_int_equal(pa_sockdiag_on_port(&diag, true, port, PA_SOCKDIAG_ALIVE, found, 4), 0);
}

/* -------------------------------------------------------- one connection -- */

/* Asks for the end that is `own_fd`'s, connected to what `other_fd` has. */
static int ask_for(int own_fd, int other_fd, struct pa_sockdiag_socket *found)
{
    struct sockaddr_storage own;
    struct sockaddr_storage other;
    socklen_t own_size = sizeof own;
    socklen_t other_size = sizeof other;
    struct pa_sockdiag_end end = {.own = &own, .other = &other};
    assert_int_equal(getsockname(own_fd, (struct sockaddr *)&own, &own_size), 0);
    assert_int_equal(getsockname(other_fd, (struct sockaddr *)&other, &other_size), 0);
    return pa_sockdiag_of_connection(&diag, &end, found);
}

static void each_end_of_a_connection_is_found(void **state)
{
    (void)state;
    struct pa_sockdiag_socket found;
    int listener = take_port("127.0.0.1", quiet_port(), LISTEN);
    int client = take_port("127.0.0.1", 0, 0);
    connect_to(client, "127.0.0.1", port_of(listener));
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(ask_for(client, server, &found), 1);
    assert_socket(&found, client, true, PA_SOCKDIAG_STATE_CONNECTED);
    int fd = diag.fd;
    assert_int_equal(ask_for(server, client, &found), 1);
    assert_socket(&found, server, true, PA_SOCKDIAG_STATE_CONNECTED);
    close(client);
    close(server);
    close(listener);
    assert_int_equal(diag.fd, fd);
}

/* The kernel shows a listener where there is no connection. */
static void a_listener_is_no_connection(void **state)
{
    (void)state;
    struct pa_sockdiag_socket found;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2; ++i) {
        int listener = take_port(hosts[i], quiet_port(), LISTEN);
        int stranger = take_port(hosts[i], 0, 0);
        if (listener < 0)
            continue;
        assert_int_equal(ask_for(listener, stranger, &found), 0);
        int fd = diag.fd;
        close(listener);
        assert_int_equal(ask_for(stranger, stranger, &found), 0);
        close(stranger);
        assert_int_equal(diag.fd, fd);
        assert_true(fd >= 0);
    }
}

static void ends_of_two_kinds_are_none(void **state)
{
    (void)state;
    struct sockaddr_storage ipv4;
    struct sockaddr_storage ipv6;
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    struct pa_sockdiag_socket found;
    fill_address(&ipv4, "127.0.0.1", 1);
    fill_address(&ipv6, "::1", 1);
    const struct pa_sockdiag_end ends[] = {
        {&ipv4, &ipv6}, {&ipv6, &ipv4}, {&ipv4, &local}, {&local, &ipv6}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i)
        assert_int_equal(pa_sockdiag_of_connection(&diag, &ends[i], &found), -EAFNOSUPPORT);
    fill_address(&ipv6, "::ffff:127.0.0.1", 1);
    assert_int_equal(pa_sockdiag_of_connection(&diag, &ends[0], &found), 0);
}

/* ------------------------------------------------------------- many ones -- */

static void take_many(int fds[MANY], uint16_t port, int how)
{
    for (size_t i = 0; i < MANY; ++i) {
        fds[i] = take_port("127.0.0.1", port, how | SHARE);
        assert_true(fds[i] >= 0);
    }
}

static size_t count_of(const struct pa_sockdiag_socket *found, size_t size, uint64_t inode)
{
    size_t count = 0;
    for (size_t i = 0; i < size; ++i)
        count += found[i].inode == inode;
    return count;
}

/* More than the 32 KiB that the kernel sends at a time. */
static void an_answer_of_several_datagrams_is_read_to_its_end(void **state)
{
    (void)state;
    static const int ways[] = {LISTEN, DATAGRAM};
    static struct pa_sockdiag_socket found[MANY];
    int fds[MANY];
    for (size_t way = 0; way < 2; ++way) {
        uint16_t port = quiet_port();
        take_many(fds, port, ways[way]);
        assert_int_equal(pa_sockdiag_on_port(&diag, ways[way] == LISTEN, port,
                                             PA_SOCKDIAG_LISTENERS, found, MANY),
                         MANY);
        for (size_t i = 0; i < MANY; ++i) {
            assert_int_equal(count_of(found, MANY, inode_of(fds[i])), 1);
            close(fds[i]);
        }
    }
}

static void sockets_beyond_the_capacity_are_counted(void **state)
{
    (void)state;
    struct pa_sockdiag_socket found[3] = {{.inode = 0}};
    int fds[MANY];
    uint16_t port = quiet_port();
    take_many(fds, port, DATAGRAM);
    assert_int_equal(pa_sockdiag_on_port(&diag, false, port, 0, found, 2), MANY);
    assert_int_not_equal(found[1].inode, 0);
    assert_int_equal(found[2].inode, 0);
    for (size_t i = 0; i < MANY; ++i)
        close(fds[i]);
}

/* What a visit looks for, and how often it came. */
struct visit {
    uint64_t inode;
    int seen;
    int all;
};

static void count_visit(void *context, const struct pa_sockdiag_socket *socket)
{
    struct visit *visit = context;
    visit->all++;
    visit->seen += socket->inode == visit->inode;
    assert_true(socket->port > 0);
    assert_true(!socket->tcp || socket->state == PA_SOCKDIAG_STATE_LISTENING);
}

static void assert_is_service(int fd, int expected)
{
    struct visit visit = {.inode = inode_of(fd)};
    int count = pa_sockdiag_services(&diag, count_visit, &visit);
    assert_true(count >= 0);
    assert_int_equal(visit.all, count);
    assert_int_equal(visit.seen, expected);
    close(fd);
}

static void all_services_are_visited_once(void **state)
{
    (void)state;
    int fds[MANY];
    take_many(fds, quiet_port(), LISTEN);
    assert_is_service(take_port("127.0.0.1", 0, LISTEN), 1);
    assert_is_service(take_port("0.0.0.0", 0, DATAGRAM), 1);
    assert_is_service(take_port("127.0.0.1", 0, REUSE), 0);
    int ipv6 = take_port("::1", 0, LISTEN);
    if (ipv6 >= 0)
        assert_is_service(ipv6, 1);
    ipv6 = take_port("::", 0, DATAGRAM);
    if (ipv6 >= 0)
        assert_is_service(ipv6, 1);
    for (size_t i = 0; i < MANY; ++i)
        assert_is_service(fds[i], 1);
}

/* ------------------------------------------------------ the descriptor -- */

static void one_descriptor_serves_all_queries(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    assert_int_equal(pa_sockdiag_open(&diag), 0);
    int fd = diag.fd;
    assert_int_equal(pa_sockdiag_open(&diag), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 1000; ++i)
        assert_int_equal(listeners_on(quiet_port()), 0);
    assert_int_equal(diag.fd, fd);
    assert_int_equal(open_descriptors(), before + 1);
    pa_sockdiag_close(&diag);
    pa_sockdiag_close(&diag);
    assert_int_equal(diag.fd, -1);
    assert_int_equal(open_descriptors(), before);
}

static void without_descriptors_it_cannot_tell(void **state)
{
    (void)state;
    struct rlimit before;
    struct rlimit none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = listeners_on(1);
    int opened = pa_sockdiag_open(&diag);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, -EMFILE);
    assert_int_equal(opened, -EMFILE);
    assert_int_equal(listeners_on(quiet_port()), 0);
}

static int status_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_user_without_privilege_sees_the_same(void **state)
{
    (void)state;
    int fd = take_port("127.0.0.1", quiet_port(), LISTEN);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && setuid(NOBODY) < 0)
            _exit(2);
        struct pa_sockdiag_socket found;
        int count =
            pa_sockdiag_on_port(&diag, true, port_of(fd), PA_SOCKDIAG_LISTENERS, &found, 1);
        _exit(count == 1 && found.inode == inode_of(fd) ? 0 : 1);
    }
    assert_int_equal(status_of(child), 0);
    close(fd);
}

/* A child that moves to a network of its own: 0 if it sees what it should, 2 if it may not. */
static int look_from_another_network(uint16_t port)
{
    struct pa_sockdiag other = PA_SOCKDIAG_NULL;
    if (pa_sockdiag_open(&diag) < 0)
        return 1;
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return 2;
    if (listeners_on(port) != 1)
        return 3;
    int count = pa_sockdiag_on_port(&other, true, port, PA_SOCKDIAG_LISTENERS, NULL, 0);
    pa_sockdiag_close(&other);
    return count == 0 ? 0 : 4;
}

static void the_network_is_that_of_the_descriptor(void **state)
{
    (void)state;
    int fd = take_port("127.0.0.1", quiet_port(), LISTEN);
    pid_t child = fork();
    if (child == 0)
        _exit(look_from_another_network(port_of(fd)));
    int status = status_of(child);
    close(fd);
    if (status == 2)
        print_message("no network namespace may be made: passed over\n");
    else
        assert_int_equal(status, 0);
}

/* ---------------------------------------------- a kernel that answers wrong -- */

/* The other end of the descriptor that the queries go to. */
static int kernel;

static void become_kernel(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pa_sockdiag_close(&diag);
    diag.fd = pair[0];
    diag.sequence = 100;
    kernel = pair[1];
}

/* Messages of an answer, joined into one datagram. */
struct datagram {
    char bytes[4096];
    size_t size;
};

static void add(struct datagram *datagram, uint32_t sequence, int type, const void *body,
                size_t size)
{
    struct nlmsghdr header = {.nlmsg_len = (uint32_t)(sizeof header + size),
                              .nlmsg_type = (uint16_t)type,
                              .nlmsg_seq = sequence};
    memcpy(datagram->bytes + datagram->size, &header, sizeof header);
    if (size > 0)
        memcpy(datagram->bytes + datagram->size + sizeof header, body, size);
    datagram->size += NLMSG_ALIGN(header.nlmsg_len);
}

static void add_status(struct datagram *datagram, uint32_t sequence, int type, int status)
{
    add(datagram, sequence, type, &status, sizeof status);
}

static void add_socket(struct datagram *datagram, uint32_t sequence, uint32_t inode)
{
    struct inet_diag_msg body = {.idiag_family = AF_INET, .idiag_inode = inode};
    add(datagram, sequence, SOCK_DIAG_BY_FAMILY, &body, sizeof body);
}

static void send_datagram(const struct datagram *datagram)
{
    assert_int_equal(send(kernel, datagram->bytes, datagram->size, 0), datagram->size);
}

/* Asks, and expects to fail; the next question goes to the real kernel. */
static void assert_fails(int error)
{
    assert_int_equal(listeners_on(1), error);
    assert_int_equal(diag.fd, -1);
    close(kernel);
    assert_int_equal(listeners_on(quiet_port()), 0);
}

static void messages_come_in_any_division(void **state)
{
    (void)state;
    struct datagram first = {.size = 0};
    struct datagram second = {.size = 0};
    struct datagram third = {.size = 0};
    struct pa_sockdiag_socket found[4];
    become_kernel();
    add_socket(&first, 101, 11);
    add_socket(&second, 101, 12);
    add_socket(&second, 101, 13);
    add_status(&second, 101, NLMSG_DONE, 0);
    add_socket(&third, 102, 14);
    add(&third, 102, NLMSG_NOOP, "odd", 3);
    add(&third, 102, NLMSG_DONE, NULL, 0);
    send_datagram(&first);
    send_datagram(&second);
    send_datagram(&third);
    assert_int_equal(pa_sockdiag_on_port(&diag, true, 1, PA_SOCKDIAG_LISTENERS, found, 4), 4);
    for (size_t i = 0; i < 4; ++i)
        assert_int_equal(found[i].inode, 11 + i);
    close(kernel);
}

static void what_belongs_to_another_request_is_passed_over(void **state)
{
    (void)state;
    struct datagram answer = {.size = 0};
    become_kernel();
    add_socket(&answer, 99, 11);
    add_status(&answer, 100, NLMSG_ERROR, -EPERM);
    add_status(&answer, 100, NLMSG_DONE, 0);
    add_status(&answer, 101, NLMSG_ERROR, 0);
    add_socket(&answer, 101, 12);
    add_status(&answer, 101, NLMSG_DONE, 0);
    send_datagram(&answer);
    answer.size = 0;
    add_status(&answer, 102, NLMSG_DONE, 0);
    send_datagram(&answer);
    assert_int_equal(listeners_on(1), 1);
    close(kernel);
}

static void a_refusal_is_told(void **state)
{
    (void)state;
    static const int types[] = {NLMSG_ERROR, NLMSG_DONE};
    for (size_t i = 0; i < 2; ++i) {
        struct datagram answer = {.size = 0};
        become_kernel();
        add_status(&answer, 101, types[i], -ENOENT);
        send_datagram(&answer);
        assert_fails(-ENOENT);
    }
}

static void assert_is_no_answer(const void *bytes, size_t size)
{
    become_kernel();
    assert_int_equal(send(kernel, bytes, size, 0), size);
    assert_fails(-EBADMSG);
}

static void an_answer_that_is_cut_short_is_none(void **state)
{
    (void)state;
    struct datagram whole = {.size = 0};
    add_socket(&whole, 101, 11);
    for (size_t size = 0; size < whole.size; ++size)
        assert_is_no_answer(whole.bytes, size);
}

static void a_message_with_a_wrong_length_is_none(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 15, 17, 16 + 71, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        struct datagram answer = {.size = 0};
        add_socket(&answer, 101, 11);
        memcpy(answer.bytes, &lengths[i], sizeof lengths[i]);
        assert_is_no_answer(answer.bytes, answer.size);
    }
    struct datagram answer = {.size = 0};
    add(&answer, 101, NLMSG_DONE, "ab", 2);
    assert_is_no_answer(answer.bytes, answer.size);
    answer.size = 0;
    add(&answer, 101, NLMSG_ERROR, "abc", 3);
    assert_is_no_answer(answer.bytes, answer.size);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void a_kernel_that_says_nothing_is_not_waited_for(void **state)
{
    (void)state;
    become_kernel();
    double before = seconds();
    assert_fails(-ETIMEDOUT);
    assert_true(seconds() - before >= 1);
}

static void a_kernel_that_stops_in_the_middle_is_not_waited_for(void **state)
{
    (void)state;
    struct datagram answer = {.size = 0};
    become_kernel();
    add_socket(&answer, 101, 11);
    send_datagram(&answer);
    assert_fails(-ETIMEDOUT);
}

static void a_kernel_that_takes_no_request_is_told(void **state)
{
    (void)state;
    become_kernel();
    close(kernel);
    kernel = -1;
    assert_fails(-EPIPE);
}

static volatile sig_atomic_t signals;
static struct datagram late[2];

/* Answers once a few signals have interrupted the wait. */
static void answer_late(int number)
{
    (void)number;
    if (++signals == 5)
        for (size_t i = 0; i < 2; ++i)
            if (send(kernel, late[i].bytes, late[i].size, 0) < 0)
                _exit(1);
}

static void signals_do_not_disturb(void **state)
{
    (void)state;
    struct sigaction before;
    const struct sigaction action = {.sa_handler = answer_late};
    const struct itimerval often = {{0, 2000}, {0, 2000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    become_kernel();
    add_socket(&late[0], 101, 11);
    add_status(&late[0], 101, NLMSG_DONE, 0);
    add_status(&late[1], 102, NLMSG_DONE, 0);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    int count = listeners_on(1);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    close(kernel);
    assert_int_equal(count, 1);
    assert_true(signals >= 5);
}

static size_t descriptors_at_the_start;

static void nothing_stays_open(void **state)
{
    (void)state;
    assert_int_equal(open_descriptors(), descriptors_at_the_start);
}

int main(void)
{
    descriptors_at_the_start = open_descriptors();
#define TEST(name) cmocka_unit_test_teardown(name, close_diag)
    const struct CMUnitTest tests[] = {
        TEST(a_listener_is_found_with_its_user_and_inode),
        TEST(a_datagram_socket_is_found_with_its_user_and_inode),
        TEST(a_connected_datagram_socket_is_told_from_an_open_one),
        TEST(tcp_and_udp_have_ports_of_their_own),
        TEST(only_the_very_port_is_looked_at),
        TEST(a_hold_is_no_listener_but_bound),
        TEST(a_service_beside_a_hold_is_the_only_listener),
        TEST(datagram_sockets_that_share_a_port_are_all_found),
        TEST(both_families_are_asked_for),
        TEST(connections_are_found_when_asked_for),
        TEST(each_end_of_a_connection_is_found),
        TEST(a_listener_is_no_connection),
        TEST(ends_of_two_kinds_are_none),
        TEST(an_answer_of_several_datagrams_is_read_to_its_end),
        TEST(sockets_beyond_the_capacity_are_counted),
        TEST(all_services_are_visited_once),
        TEST(one_descriptor_serves_all_queries),
        TEST(without_descriptors_it_cannot_tell),
        TEST(a_user_without_privilege_sees_the_same),
        TEST(the_network_is_that_of_the_descriptor),
        TEST(messages_come_in_any_division),
        TEST(what_belongs_to_another_request_is_passed_over),
        TEST(a_refusal_is_told),
        TEST(an_answer_that_is_cut_short_is_none),
        TEST(a_message_with_a_wrong_length_is_none),
        TEST(a_kernel_that_says_nothing_is_not_waited_for),
        TEST(a_kernel_that_stops_in_the_middle_is_not_waited_for),
        TEST(a_kernel_that_takes_no_request_is_told),
        TEST(signals_do_not_disturb),
        TEST(nothing_stays_open),
    };
    return cmocka_run_group_tests_name("sockdiag", tests, NULL, NULL);
}
