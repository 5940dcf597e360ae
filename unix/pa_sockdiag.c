/*
 * Sockets on a local port, asked of NETLINK_SOCK_DIAG.
 *
 * The happy path: one request a family; the kernel has begun to answer when
 * send(2) returns, and goes on each time that a datagram is read. Each holds
 * many messages, one a socket; NLMSG_DONE is the last. A request for one
 * connection is answered by one message, without NLMSG_DONE.
 *
 * What can fail: the kernel refuses (NLMSG_ERROR, or an error within
 * NLMSG_DONE), or an answer is cut short. The rest of an answer would be in the
 * way of the next request (EBUSY), so the descriptor is closed after a failure.
 * Others cannot send to it, since it is connected to the kernel.
 */

#include "pa_sockdiag.h"

#include "pa_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ANSWER_TIMEOUT_MS = 1000,
    DATAGRAM_BYTES = 32768, /* the kernel fills no more (netlink_recvmsg, netlink_dump) */
    ANSWERED = 1,           /* the last message has been read */
};

/* What is asked for, and who is told of the answer. */
struct query {
    bool tcp;
    bool one; /* connection: that of `id` */
    struct inet_diag_sockid id;
    int family;
    uint16_t port; /* 0: all */
    uint32_t states;
    pa_sockdiag_visit *visit;
    void *context;
    int count; /* sockets visited */
};

/* ----------------------------------------------------------- descriptor -- */

static int connect_to_kernel(int fd)
{
    static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    return connect(fd, (const struct sockaddr *)&kernel, sizeof kernel) < 0 ? -errno : 0;
}

int pa_sockdiag_open(struct pa_sockdiag *diag)
{
    if (diag->fd >= 0)
        return 0;
    diag->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (diag->fd < 0)
        return -errno;
    int r = connect_to_kernel(diag->fd);
    if (r < 0)
        pa_sockdiag_close(diag);
    return r;
}

void pa_sockdiag_close(struct pa_sockdiag *diag)
{
    if (diag->fd >= 0)
        close(diag->fd);
    diag->fd = -1;
}

/* -------------------------------------------------------------- request -- */

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 query;
    struct nlattr filter;
    struct inet_diag_bc_op code[4];
};

/*
 * The kernel's filter for one local port: at least, and at most, as kernels
 * before 4.16 know no "equal". (The port within the request itself would do for
 * all but bound sockets, where the kernel does not look at it.) An operation is
 * followed by its operand; `no` leads 4 bytes beyond the end, which refuses the
 * socket.
 */
static void add_filter(struct request *request, uint16_t port)
{
    enum { PAIR_BYTES = 2 * sizeof request->code[0] };
    request->filter.nla_len = sizeof request->filter + sizeof request->code;
    request->filter.nla_type = INET_DIAG_REQ_BYTECODE;
    request->code[0] =
        (struct inet_diag_bc_op){INET_DIAG_BC_S_GE, PAIR_BYTES, 2 * PAIR_BYTES + 4};
    request->code[1].no = port;
    request->code[2] = (struct inet_diag_bc_op){INET_DIAG_BC_S_LE, PAIR_BYTES, PAIR_BYTES + 4};
    request->code[3].no = port;
}

static int send_request(struct pa_sockdiag *diag, const struct query *query,
                        const struct pa_deadline *deadline)
{
    struct request request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = ++diag->sequence},
        .query = {.sdiag_family = (uint8_t)query->family,
                  .sdiag_protocol = query->tcp ? IPPROTO_TCP : IPPROTO_UDP,
                  .idiag_states = query->states},
    };
    if (query->port != 0)
        add_filter(&request, query->port);
    else
        request.header.nlmsg_len = offsetof(struct request, filter);
    if (query->one) {
        request.header.nlmsg_flags = NLM_F_REQUEST;
        request.query.id = query->id;
    }
    return pa_socket_send(diag->fd, (const char *)&request, request.header.nlmsg_len, deadline);
}

/* --------------------------------------------------------------- answer -- */

/* An address as IPv6; IPv4 in its mapped form. */
static struct in6_addr as_ipv6(int family, const uint32_t *address)
{
    struct in6_addr ipv6 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    if (family == AF_INET)
        memcpy(&ipv6.s6_addr[12], address, sizeof *address);
    else
        memcpy(&ipv6, address, sizeof ipv6);
    return ipv6;
}

/*
 * Whether a socket has the very ends that were asked for. Where no connection
 * has, the kernel goes on to show a listener on that port.
 */
static bool is_asked_for(const struct query *query, const struct inet_diag_msg *message)
{
    struct in6_addr own = as_ipv6(message->idiag_family, message->id.idiag_src);
    struct in6_addr other = as_ipv6(message->idiag_family, message->id.idiag_dst);
    struct in6_addr asked_own = as_ipv6(query->family, query->id.idiag_src);
    struct in6_addr asked_other = as_ipv6(query->family, query->id.idiag_dst);
    return message->id.idiag_sport == query->id.idiag_sport &&
           message->id.idiag_dport == query->id.idiag_dport &&
           IN6_ARE_ADDR_EQUAL(&own, &asked_own) && IN6_ARE_ADDR_EQUAL(&other, &asked_other);
}

static bool is_any(int family, const uint32_t address[4])
{
    struct in6_addr ipv6;
    if (family == AF_INET)
        return address[0] == htonl(INADDR_ANY);
    memcpy(&ipv6, address, sizeof ipv6);
    return IN6_IS_ADDR_UNSPECIFIED(&ipv6) ||
           (IN6_IS_ADDR_V4MAPPED(&ipv6) && address[3] == htonl(INADDR_ANY));
}

static int read_socket(struct query *query, const char *body, size_t size)
{
    struct inet_diag_msg message;
    if (size < sizeof message)
        return -EBADMSG;
    memcpy(&message, body, sizeof message);
    if (query->one && !is_asked_for(query, &message))
        return ANSWERED;
    struct pa_sockdiag_socket found = {
        .tcp = query->tcp,
        .wildcard = is_any(message.idiag_family, message.id.idiag_src),
        .family = message.idiag_family,
        .state = message.idiag_state,
        .port = ntohs(message.id.idiag_sport),
        .uid = message.idiag_uid,
        .inode = message.idiag_inode,
    };
    query->visit(query->context, &found);
    ++query->count;
    return query->one ? ANSWERED : 0;
}

/* NLMSG_ERROR and NLMSG_DONE begin with 0 or -errno: `otherwise`, or that. */
static int read_status(const char *body, size_t size, int otherwise)
{
    int status;
    if (size < sizeof status)
        return -EBADMSG;
    memcpy(&status, body, sizeof status);
    return status < 0 ? status : otherwise;
}

static int read_message(struct query *query, int type, const char *body, size_t size)
{
    switch (type) {
    case SOCK_DIAG_BY_FAMILY:
        return read_socket(query, body, size);
    case NLMSG_DONE:
        return size == 0 ? ANSWERED : read_status(body, size, ANSWERED);
    case NLMSG_ERROR:
        return read_status(body, size, 0);
    default:
        return 0;
    }
}

/* 0: there is more to come; ANSWERED, or -errno. Messages of another request are passed over.
 */
static int read_datagram(uint32_t sequence, struct query *query, const char *bytes, size_t size)
{
    if (size == 0)
        return -EBADMSG;
    while (size > 0) {
        struct nlmsghdr header;
        if (size < sizeof header)
            return -EBADMSG;
        memcpy(&header, bytes, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > size)
            return -EBADMSG;
        int r = header.nlmsg_seq != sequence
                    ? 0
                    : read_message(query, header.nlmsg_type, bytes + sizeof header,
                                   header.nlmsg_len - sizeof header);
        if (r != 0)
            return r;
        size_t step = NLMSG_ALIGN((size_t)header.nlmsg_len);
        if (step > size)
            step = size;
        bytes += step;
        size -= step;
    }
    return 0;
}

/* 0, PA_SOCKET_TIMEOUT or -errno. */
static int read_answer(const struct pa_sockdiag *diag, struct query *query,
                       const struct pa_deadline *deadline)
{
    char bytes[DATAGRAM_BYTES];
    for (;;) {
        size_t size = 0;
        int r = pa_socket_receive(diag->fd, bytes, sizeof bytes, deadline, &size);
        if (r != 0)
            return r;
        r = read_datagram(diag->sequence, query, bytes, size);
        if (r != 0)
            return r == ANSWERED ? 0 : r;
    }
}

/* -------------------------------------------------------------- queries -- */

/* Asks for one family. 0 or -errno. */
static int ask_family(struct pa_sockdiag *diag, struct query *query, int family)
{
    struct pa_deadline deadline = pa_deadline_in(ANSWER_TIMEOUT_MS);
    int r = pa_sockdiag_open(diag);
    query->family = family;
    if (r == 0)
        r = send_request(diag, query, &deadline);
    if (r == 0)
        r = read_answer(diag, query, &deadline);
    return r == PA_SOCKET_TIMEOUT ? -ETIMEDOUT : r;
}

/* The number of sockets visited, or -errno. */
static int ask(struct pa_sockdiag *diag, struct query *query)
{
    int r = ask_family(diag, query, AF_INET);
    if (r == 0)
        r = ask_family(diag, query, AF_INET6);
    if (r == 0)
        return query->count;
    pa_sockdiag_close(diag);
    return r;
}

/* The caller's array. */
struct array {
    struct pa_sockdiag_socket *sockets;
    size_t capacity;
    size_t count;
};

static void keep(void *context, const struct pa_sockdiag_socket *socket)
{
    struct array *array = context;
    if (array->count < array->capacity)
        array->sockets[array->count++] = *socket;
}

static const uint32_t all_states = UINT32_MAX;

int pa_sockdiag_on_port(struct pa_sockdiag *diag, bool tcp, uint16_t port, uint32_t states,
                        struct pa_sockdiag_socket *found, size_t capacity)
{
    struct array array = {.sockets = found, .capacity = capacity};
    struct query query = {.tcp = tcp,
                          .port = port,
                          .states = tcp ? states : all_states,
                          .visit = keep,
                          .context = &array};
    return port == 0 ? -EINVAL : ask(diag, &query);
}

int pa_sockdiag_services(struct pa_sockdiag *diag, pa_sockdiag_visit *visit, void *context)
{
    struct query tcp = {
        .tcp = true, .states = PA_SOCKDIAG_LISTENERS, .visit = visit, .context = context};
    struct query udp = {.states = all_states, .visit = visit, .context = context};
    int listeners = ask(diag, &tcp);
    if (listeners < 0)
        return listeners;
    int others = ask(diag, &udp);
    return others < 0 ? others : listeners + others;
}

/* -------------------------------------------------------- one connection -- */

/* One end as it goes into a request; false when the address is neither IPv4 nor IPv6. */
static bool take_end(const struct sockaddr_storage *from, struct in6_addr *address,
                     uint16_t *port, uint32_t *scope)
{
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)from;
        *address = as_ipv6(AF_INET, &ipv4->sin_addr.s_addr);
        *port = ipv4->sin_port;
        return true;
    }
    if (from->ss_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)from;
    *address = ipv6->sin6_addr;
    *port = ipv6->sin6_port;
    *scope = ipv6->sin6_scope_id;
    return true;
}

static void put_address(int family, uint32_t to[4], const struct in6_addr *address)
{
    if (family == AF_INET)
        memcpy(to, &address->s6_addr[12], sizeof *to);
    else
        memcpy(to, address, sizeof *address);
}

/*
 * Fills in the ends. A socket that is bound to a device is shown only to those
 * who name it: within a host that is the loopback device, or the one that a
 * link-local address belongs to.
 */
static int ask_for_end(struct query *query, const struct pa_sockdiag_end *end)
{
    enum { LOOPBACK_INDEX = 1 }; /* LOOPBACK_IFINDEX of the kernel */
    struct in6_addr own;
    struct in6_addr other;
    uint32_t scope = 0;
    if (!take_end(end->own, &own, &query->id.idiag_sport, &scope) ||
        !take_end(end->other, &other, &query->id.idiag_dport, &scope) ||
        !IN6_IS_ADDR_V4MAPPED(&own) != !IN6_IS_ADDR_V4MAPPED(&other))
        return -EAFNOSUPPORT;
    query->family = IN6_IS_ADDR_V4MAPPED(&own) ? AF_INET : AF_INET6;
    put_address(query->family, query->id.idiag_src, &own);
    put_address(query->family, query->id.idiag_dst, &other);
    query->id.idiag_if = scope != 0 ? scope : LOOPBACK_INDEX;
    query->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    query->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return 0;
}

int pa_sockdiag_of_connection(struct pa_sockdiag *diag, const struct pa_sockdiag_end *end,
                              struct pa_sockdiag_socket *found)
{
    struct array array = {.sockets = found, .capacity = 1};
    struct query query = {
        .tcp = true, .one = true, .states = all_states, .visit = keep, .context = &array};
    int r = ask_for_end(&query, end);
    if (r < 0)
        return r;
    r = ask_family(diag, &query, query.family);
    if (r == 0)
        return query.count;
    if (r == -ENOENT) /* the whole answer */
        return 0;
    pa_sockdiag_close(diag);
    return r;
}
