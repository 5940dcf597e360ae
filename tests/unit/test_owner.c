/*
 * test_owner.c - which user is at the other end: real sockets in every state,
 * and a kernel that tells of somebody else.
 *
 * Usage: test_owner ?ROUNDS?, of the race with clients that close.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "owner.h"
#include "take_port.h"

enum { NOBODY = 65534 };

static struct pa_sockdiag diag = PA_SOCKDIAG_NULL;

/* Both ends of a connection. */
struct pair {
    int client;
    int server;
};

static int teardown(void **state)
{
    (void)state;
    pa_sockdiag_close(&diag);
    return 0;
}

static int connect_from(int fd, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    return connect(fd, (const struct sockaddr *)&address, size);
}

/* A client of `client_host` that connects to a listener on `server_host`. */
static struct pair make_pair(const char *server_host, const char *client_host)
{
    struct pair pair;
    int listener = take_port(server_host, 0, LISTEN);
    assert_true(listener >= 0);
    int family = strchr(client_host, ':') ? AF_INET6 : AF_INET;
    pair.client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(pair.client >= 0);
    assert_int_equal(connect_from(pair.client, client_host, port_of(listener)), 0);
    pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(pair.server >= 0);
    close(listener);
    return pair;
}

static void close_pair(struct pair *pair)
{
    if (pair->client >= 0)
        close(pair->client);
    close(pair->server);
}

static struct owner owner_of(int fd)
{
    struct owner owner;
    memset(&owner, 0x55, sizeof owner);
    assert_int_equal(owner_of_tcp(&diag, fd, &owner), 0);
    return owner;
}

static void assert_proved(int fd, uid_t uid)
{
    struct owner owner = owner_of(fd);
    assert_int_equal(owner.proof, OWNER_PROVED);
    assert_int_equal(owner.uid, uid);
    assert_int_not_equal(owner.inode, 0);
}

static void assert_unproved(int fd)
{
    assert_int_equal(owner_of(fd).proof, OWNER_UNPROVED);
}

/* Waits until the server's end has this state. */
static void await_state(int fd, int wanted)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    do {
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    } while (info.tcpi_state != wanted);
}

static bool has_ipv6(void)
{
    int fd = take_port("::1", 0, 0);
    if (fd >= 0)
        close(fd);
    else
        print_message("there is no IPv6: passed over\n");
    return fd >= 0;
}

/* -------------------------------------------------------------- addresses -- */

static void assert_pair_is_proved(const char *server_host, const char *client_host)
{
    struct pair pair = make_pair(server_host, client_host);
    assert_proved(pair.server, getuid());
    assert_int_equal(owner_of(pair.server).inode, inode_of(pair.client));
    close_pair(&pair);
}

static void the_own_user_is_proved_over_ipv4(void **state)
{
    (void)state;
    assert_pair_is_proved("127.0.0.1", "127.0.0.1");
    assert_pair_is_proved("0.0.0.0", "127.0.0.77");
}

static void the_own_user_is_proved_over_ipv6(void **state)
{
    (void)state;
    if (!has_ipv6())
        return;
    assert_pair_is_proved("::1", "::1");
    assert_pair_is_proved("::", "::1");
}

static void a_mapped_address_is_the_ipv4_address_at_either_end(void **state)
{
    (void)state;
    if (!has_ipv6())
        return;
    assert_pair_is_proved("127.0.0.1", "::ffff:127.0.0.1");
    assert_pair_is_proved("::", "127.0.0.1");
    assert_pair_is_proved("::", "::ffff:127.0.0.1");
}

static void a_client_bound_to_the_loopback_device_is_proved(void **state)
{
    (void)state;
    struct pair pair;
    int listener = take_port("127.0.0.1", 0, LISTEN);
    pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(pair.client, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
    assert_int_equal(connect_from(pair.client, "127.0.0.1", port_of(listener)), 0);
    pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_proved(pair.server, getuid());
    close_pair(&pair);
    close(listener);
}

static void connections_side_by_side_are_told_apart(void **state)
{
    (void)state;
    struct pair pairs[20];
    for (size_t i = 0; i < 20; ++i)
        pairs[i] = make_pair("127.0.0.1", "127.0.0.1");
    for (size_t i = 0; i < 20; ++i) {
        assert_int_equal(owner_of(pairs[i].server).inode, inode_of(pairs[i].client));
        close_pair(&pairs[i]);
    }
}

/* ------------------------------------------------------------ other users -- */

/* In a child: another user connects, and stays until the pipe ends. */
static void be_a_stranger(const char *host, uint16_t port, int stay)
{
    char byte;
    if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(1);
    int fd = socket(strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect_from(fd, host, port) < 0)
        _exit(2);
    _exit(read(stay, &byte, 1) == 0 ? 0 : 3);
}

static void assert_ended_well(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void assert_stranger_is_proved(const char *host)
{
    int stay[2];
    int listener = take_port(host, 0, LISTEN);
    assert_int_equal(pipe2(stay, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        close(stay[1]);
        be_a_stranger(host, port_of(listener), stay[0]);
    }
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_proved(server, NOBODY);
    close(stay[0]);
    close(stay[1]);
    assert_ended_well(child);
    await_state(server, TCP_CLOSE_WAIT);
    assert_unproved(server);
    close(server);
    close(listener);
}

static void another_user_is_proved(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("only root can be another user: passed over\n");
        return;
    }
    assert_stranger_is_proved("127.0.0.1");
    if (has_ipv6())
        assert_stranger_is_proved("::1");
}

/* The socket is whose who made it, not whose who uses it. */
static void the_user_is_the_one_who_made_the_socket(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("only root can be another user: passed over\n");
        return;
    }
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    assert_int_equal(seteuid(NOBODY), 0);
    struct owner owner = owner_of(pair.server);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(owner.proof, OWNER_PROVED);
    assert_int_equal(owner.uid, 0);
    close_pair(&pair);
}

/* ---------------------------------------------------------------- the ends -- */

static void a_client_that_has_closed_is_unproved(void **state)
{
    (void)state;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    close(pair.client);
    pair.client = -1;
    await_state(pair.server, TCP_CLOSE_WAIT); /* the client's end is in FIN_WAIT2 */
    assert_unproved(pair.server);
    assert_int_equal(shutdown(pair.server, SHUT_WR), 0); /* now in TIME_WAIT */
    assert_unproved(pair.server);
    close_pair(&pair);
}

static void a_client_that_has_only_shut_down_is_proved(void **state)
{
    (void)state;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    assert_int_equal(shutdown(pair.client, SHUT_WR), 0);
    await_state(pair.server, TCP_CLOSE_WAIT);
    assert_proved(pair.server, getuid());
    close_pair(&pair);
}

static void a_client_that_has_reset_the_connection_is_unproved(void **state)
{
    (void)state;
    static const struct linger at_once = {.l_onoff = 1};
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    assert_int_equal(setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once),
                     0);
    close(pair.client);
    pair.client = -1;
    await_state(pair.server, TCP_CLOSE);
    assert_unproved(pair.server);
    close_pair(&pair);
}

static void a_client_that_left_its_socket_to_another_process_is_proved(void **state)
{
    (void)state;
    int stay[2];
    char byte;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    assert_int_equal(pipe2(stay, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        close(stay[1]);
        _exit(read(stay[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(pair.client);
    pair.client = -1;
    assert_proved(pair.server, getuid());
    close(stay[0]);
    close(stay[1]);
    assert_ended_well(child);
    await_state(pair.server, TCP_CLOSE_WAIT);
    assert_unproved(pair.server);
    close_pair(&pair);
}

/* ---------------------------------------------------------------- the race -- */

static unsigned rounds = 1000;

/* A busy wait of random length: the other process runs meanwhile. */
static void dawdle(unsigned *seed)
{
    for (volatile int i = rand_r(seed) % 10000; i > 0; --i)
        ;
}

/*
 * In a child: clients that connect and close in one way or another, each when
 * the pipe has a byte for it.
 */
static void come_and_go(uint16_t port, uid_t uid, int go)
{
    static const struct linger at_once = {.l_onoff = 1};
    unsigned seed = 1;
    if (getuid() != uid && setresuid(uid, uid, uid) < 0)
        _exit(1);
    char byte;
    for (unsigned i = 0; read(go, &byte, 1) == 1; ++i) {
        char host[INET_ADDRSTRLEN]; /* others, so that no local port runs out */
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        snprintf(host, sizeof host, "127.%u.%u.1", 1 + i / 5000 % 200, i % 250);
        if (fd < 0 || connect_from(fd, host, port) < 0)
            _exit(2);
        dawdle(&seed);
        if (i % 3 == 1)
            shutdown(fd, SHUT_WR);
        if (i % 3 == 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
    _exit(0);
}

static void a_client_that_closes_meanwhile_is_never_somebody_else(void **state)
{
    (void)state;
    uid_t uid = getuid() == 0 ? NOBODY : getuid();
    unsigned proved = 0;
    unsigned seed = 2;
    int go[2];
    int listener = take_port("0.0.0.0", quiet_port(), LISTEN);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        close(go[1]);
        come_and_go(port_of(listener), uid, go[0]);
    }
    for (unsigned i = 0; i < rounds; ++i) {
        assert_int_equal(write(go[1], "x", 1), 1);
        int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(server >= 0);
        dawdle(&seed);
        struct owner owner = owner_of(server);
        if (owner.proof == OWNER_PROVED) {
            assert_int_equal(owner.uid, uid);
            ++proved;
        }
        close(server);
    }
    close(go[0]);
    close(go[1]);
    assert_ended_well(child);
    close(listener);
    print_message("%u of %u clients were proved\n", proved, rounds);
}

/* ------------------------------------------- a kernel that tells of others -- */

/* The other end of the descriptor that the queries go to. */
static int kernel;

static void become_kernel(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pa_sockdiag_close(&diag);
    diag.fd = pair[0];
    diag.sequence = 0;
    kernel = pair[1];
}

struct answer {
    struct nlmsghdr header;
    struct inet_diag_msg message;
};

/* What the kernel says when all is well; the tests then change it. */
static struct answer true_answer(const struct pair *pair)
{
    struct answer answer = {
        .header = {.nlmsg_len = sizeof answer,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_seq = 1},
        .message = {.idiag_family = AF_INET,
                    .idiag_state = TCP_ESTABLISHED,
                    .idiag_inode = 4711,
                    .idiag_uid = 54321},
    };
    answer.message.id.idiag_sport = htons(port_of(pair->client));
    answer.message.id.idiag_dport = htons(port_of(pair->server));
    answer.message.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
    answer.message.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
    return answer;
}

static struct owner owner_by_answer(int fd, const struct answer *answer)
{
    struct owner owner;
    become_kernel();
    assert_int_equal(send(kernel, answer, sizeof *answer, 0), sizeof *answer);
    owner = owner_of(fd);
    close(kernel);
    return owner;
}

static void the_state_of_the_socket_matters(void **state)
{
    (void)state;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    struct answer answer = true_answer(&pair);
    for (uint8_t tcp_state = 0; tcp_state < 16; ++tcp_state) {
        bool good = tcp_state == TCP_ESTABLISHED || tcp_state == TCP_FIN_WAIT1 ||
                    tcp_state == TCP_FIN_WAIT2;
        answer.message.idiag_state = tcp_state;
        struct owner owner = owner_by_answer(pair.server, &answer);
        assert_int_equal(owner.proof, good ? OWNER_PROVED : OWNER_UNPROVED);
        assert_int_equal(owner.uid, good ? 54321 : 0);
    }
    close_pair(&pair);
}

static void a_socket_without_a_process_proves_nothing(void **state)
{
    (void)state;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    struct answer answer = true_answer(&pair);
    answer.message.idiag_inode = 0;
    assert_int_equal(owner_by_answer(pair.server, &answer).proof, OWNER_UNPROVED);
    close_pair(&pair);
}

static void a_socket_of_other_addresses_proves_nothing(void **state)
{
    (void)state;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    struct answer answers[6];
    for (size_t i = 0; i < 6; ++i)
        answers[i] = true_answer(&pair);
    ++answers[0].message.id.idiag_sport;
    answers[1].message.id.idiag_dport = 0; /* as of a listener */
    answers[2].message.id.idiag_src[0] = 0;
    ++answers[3].message.id.idiag_dst[0];
    answers[4].message.idiag_family = AF_INET6;
    answers[5].message.id.idiag_dst[0] = answers[5].message.id.idiag_src[0] = 0;
    for (size_t i = 0; i < 6; ++i)
        assert_int_equal(owner_by_answer(pair.server, &answers[i]).proof, OWNER_UNPROVED);
    close_pair(&pair);
}

/* Its addresses may be those of another connection by then. */
static void a_connection_that_is_over_proves_nothing(void **state)
{
    (void)state;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    struct answer answer = true_answer(&pair);
    assert_int_equal(owner_by_answer(pair.server, &answer).proof, OWNER_PROVED);
    assert_int_equal(shutdown(pair.server, SHUT_WR), 0);
    await_state(pair.server, TCP_FIN_WAIT2);
    assert_int_equal(owner_by_answer(pair.server, &answer).proof, OWNER_UNPROVED);
    close_pair(&pair);
}

static void a_kernel_that_does_not_answer_is_an_error(void **state)
{
    (void)state;
    struct owner owner;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    become_kernel();
    close(kernel);
    assert_int_equal(owner_of_tcp(&diag, pair.server, &owner), -EPIPE);
    assert_int_equal(owner.proof, OWNER_UNPROVED);
    assert_proved(pair.server, getuid());
    close_pair(&pair);
}

static void without_a_descriptor_it_is_an_error(void **state)
{
    (void)state;
    struct owner owner;
    struct rlimit before;
    struct pair pair = make_pair("127.0.0.1", "127.0.0.1");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = owner_of_tcp(&diag, pair.server, &owner);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, -EMFILE);
    assert_int_equal(owner.proof, OWNER_UNPROVED);
    close_pair(&pair);
    assert_int_equal(owner_of_tcp(&diag, -1, &owner), -EBADF);
}

/* ------------------------------------------------------------------ AF_UNIX -- */

static void the_other_end_of_af_unix_is_proved(void **state)
{
    (void)state;
    int pair[2];
    struct owner owner;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(owner_of_unix(pair[0], &owner), 0);
    assert_int_equal(owner.proof, OWNER_PROVED);
    assert_int_equal(owner.uid, geteuid());
    assert_int_equal(owner.pid, getpid());
    close(pair[1]);
    assert_int_equal(owner_of_unix(pair[0], &owner), 0); /* gone, and still known */
    assert_int_equal(owner.proof, OWNER_PROVED);
    assert_int_equal(owner.uid, geteuid());
    close(pair[0]);
    assert_int_equal(owner_of_unix(-1, &owner), -EBADF);
    assert_int_equal(owner.proof, OWNER_UNPROVED);
}

static void another_user_is_proved_over_af_unix(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("only root can be another user: passed over\n");
        return;
    }
    struct owner owner;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof name;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
              connect(fd, (struct sockaddr *)&name, size) < 0);
    }
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_ended_well(child);
    assert_int_equal(owner_of_unix(server, &owner), 0);
    assert_int_equal(owner.proof, OWNER_PROVED);
    assert_int_equal(owner.uid, NOBODY);
    assert_int_equal(owner.pid, child);
    close(server);
    close(listener);
}

static size_t descriptors_at_the_start;

static void nothing_stays_open(void **state)
{
    (void)state;
    assert_int_equal(open_descriptors(), descriptors_at_the_start);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (unsigned)strtoul(argv[1], NULL, 10);
    descriptors_at_the_start = open_descriptors();
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_own_user_is_proved_over_ipv4),
        TEST(the_own_user_is_proved_over_ipv6),
        TEST(a_mapped_address_is_the_ipv4_address_at_either_end),
        TEST(a_client_bound_to_the_loopback_device_is_proved),
        TEST(connections_side_by_side_are_told_apart),
        TEST(another_user_is_proved),
        TEST(the_user_is_the_one_who_made_the_socket),
        TEST(a_client_that_has_closed_is_unproved),
        TEST(a_client_that_has_only_shut_down_is_proved),
        TEST(a_client_that_has_reset_the_connection_is_unproved),
        TEST(a_client_that_left_its_socket_to_another_process_is_proved),
        TEST(a_client_that_closes_meanwhile_is_never_somebody_else),
        TEST(the_state_of_the_socket_matters),
        TEST(a_socket_without_a_process_proves_nothing),
        TEST(a_socket_of_other_addresses_proves_nothing),
        TEST(a_connection_that_is_over_proves_nothing),
        TEST(a_kernel_that_does_not_answer_is_an_error),
        TEST(without_a_descriptor_it_is_an_error),
        TEST(the_other_end_of_af_unix_is_proved),
        TEST(another_user_is_proved_over_af_unix),
        TEST(nothing_stays_open),
    };
    return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
