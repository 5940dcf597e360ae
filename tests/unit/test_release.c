/* test_release.c - a client's calls to portreserve, whatever answers there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "descriptors.h"
#include "alloc_fail.h"
#include "pa_release.h"
#include "pa_reserve.h"

enum {
    AMPLE_MS = 30000, /* for what is to succeed */
    SHORT_MS = 40,    /* for what is to time out */
    PATH_BYTES = 160,
    PATH_MAX_BYTES = 100,
    MESSAGE_FDS = 253, /* the kernel's limit for one message */
    MANY = 300,        /* more than that */
};

/* The size of a literal with NULs in it and one behind. */
#define BYTES(literal) literal, sizeof(literal)

/* -------------------------------------------------------------- fixture -- */

static char folder[64];
static char path[PATH_BYTES]; /* of the datagram socket */
static char stream_path[PATH_BYTES + sizeof PA_RESERVE_STREAM_SUFFIX]; /* of the other */
static int descriptors_before;
static struct pa_release_failure failure;
static struct pa_release_reply reply;

static int set_up(void **state)
{
    (void)state;
    descriptors_before = count_descriptors();
    reply = (struct pa_release_reply)PA_RELEASE_REPLY_NULL;
    snprintf(folder, sizeof folder, "/tmp/test_release.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(stream_path, sizeof stream_path, "%s.stream", path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(stream_path);
    return rmdir(folder) == 0 && count_descriptors() == descriptors_before ? 0 : -1;
}

static struct sockaddr_un address_of(const char *at)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(at) + 1;
    assert_true(size <= sizeof address.sun_path);
    memcpy(address.sun_path, at, size);
    return address;
}

static int make_socket(int type, const char *at)
{
    struct sockaddr_un address = address_of(at);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int connect_now(int type, const char *at)
{
    struct sockaddr_un address = address_of(at);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static int release(const char *name, int timeout_ms)
{
    struct pa_deadline deadline = pa_deadline_in(timeout_ms);
    return pa_release_name(path, name, &deadline, &failure);
}

static int take(const char *name)
{
    struct pa_deadline deadline = pa_deadline_in(AMPLE_MS);
    return pa_release_take(path, name, &deadline, &reply, &failure);
}

static int list_ports(void)
{
    struct pa_deadline deadline = pa_deadline_in(AMPLE_MS);
    return pa_release_list(path, &deadline, &reply, &failure);
}

#define assert_says(part) assert_non_null(strstr(failure.text, (part)))

/* --------------------------------------------------------------- daemon -- */

struct daemon;

typedef void answer_function(const struct daemon *daemon, int fd);

/* A daemon that answers as a test wants, on a thread of this process. It allocates nothing. */
struct daemon {
    answer_function *answer;
    const char *bytes; /* for the answers to send */
    size_t size;
    int first, fds; /* the descriptors to send with them: files[first], ... */
    bool early;     /* answers, and closes, without having read the request */
    char request[2 * PA_RESERVE_REQUEST_MAX];
    size_t request_size;
    int listener;
    pthread_t thread;
};

static int files[MANY]; /* empty, and each another one */

static void make_files(int count)
{
    for (int i = 0; i < count; ++i) {
        files[i] = memfd_create("socket", MFD_CLOEXEC);
        assert_true(files[i] >= 0);
    }
}

static void close_files(int count)
{
    for (int i = 0; i < count; ++i)
        close(files[i]);
}

/* Reads until two strings have come. */
static void read_request(struct daemon *daemon, int fd)
{
    struct pa_reserve_request request;
    daemon->request_size = 0;
    do {
        ssize_t n = read(fd, daemon->request + daemon->request_size,
                         sizeof daemon->request - daemon->request_size);
        if (n <= 0)
            return;
        daemon->request_size += (size_t)n;
    } while (pa_reserve_parse_request(daemon->request, daemon->request_size, &request) ==
             PA_RESERVE_MORE);
}

static atomic_bool send_late; /* the client sends when the daemon has closed */

/* In the place of the C library's. */
ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int);
    struct pollfd poll_fd = {.fd = fd, .events = 0};
    *(void **)&real = dlsym(RTLD_NEXT, "send");
    if (send_late)
        poll(&poll_fd, 1, AMPLE_MS);
    return real(fd, bytes, size, flags);
}

static void *run_daemon(void *data)
{
    struct daemon *daemon = data;
    char byte;
    int fd;
    while ((fd = accept4(daemon->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (!daemon->early)
            read_request(daemon, fd);
        else if (!send_late)
            recv(fd, &byte, 1, MSG_PEEK);
        daemon->answer(daemon, fd);
        close(fd);
    }
    return NULL;
}

static void start_daemon(struct daemon *daemon)
{
    daemon->listener = make_socket(SOCK_STREAM, stream_path);
    assert_int_equal(listen(daemon->listener, 8), 0);
    assert_int_equal(pthread_create(&daemon->thread, NULL, run_daemon, daemon), 0);
}

static void stop_daemon(struct daemon *daemon)
{
    shutdown(daemon->listener, SHUT_RDWR); /* ends its accept */
    pthread_join(daemon->thread, NULL);
    close(daemon->listener);
    unlink(stream_path);
}

/* Sends bytes with some of `files`; whether it could. */
static bool send_with(int fd, const char *bytes, size_t size, int first, int count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), files + first, (size_t)count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)size;
}

static void answer_bytes(const struct daemon *daemon, int fd)
{
    if (daemon->size > 0)
        send_with(fd, daemon->bytes, daemon->size, daemon->first, daemon->fds);
}

/* Sends what it has, then nothing until the client goes. */
static void answer_no_end(const struct daemon *daemon, int fd)
{
    char byte;
    answer_bytes(daemon, fd);
    while (read(fd, &byte, 1) > 0)
        continue;
}

static void answer_for_ever(const struct daemon *daemon, int fd)
{
    (void)daemon;
    static const char zeros[64 * 1024];
    while (send_with(fd, zeros, sizeof zeros, 0, 0))
        continue;
}

/* One call of each kind to a daemon that sends these bytes with `fds` descriptors. */
static int call_with(enum pa_reserve_verb verb, const char *bytes, size_t size, int fds)
{
    struct daemon daemon = {
        .answer = answer_bytes, .bytes = bytes, .size = size, .first = 0, .fds = fds};
    start_daemon(&daemon);
    int r = verb == PA_RESERVE_RELEASE ? release("cups", AMPLE_MS)
            : verb == PA_RESERVE_TAKE  ? take("cups")
                                       : list_ports();
    stop_daemon(&daemon);
    return r;
}

static void assert_same_file(int fd, int file)
{
    struct stat one;
    struct stat other;
    assert_int_equal(fstat(fd, &one), 0);
    assert_int_equal(fstat(file, &other), 0);
    assert_int_equal(one.st_ino, other.st_ino);
}

/* -------------------------------------------------------------- release -- */

static void a_release_asks_for_the_name(void **state)
{
    (void)state;
    struct daemon daemon = {.answer = answer_bytes, .bytes = "ok", .size = 3};
    start_daemon(&daemon);
    assert_int_equal(release("cups", AMPLE_MS), 0);
    stop_daemon(&daemon);
    assert_int_equal(daemon.request_size, sizeof "release\0cups");
    assert_memory_equal(daemon.request, "release\0cups", sizeof "release\0cups");
}

static void a_refusal_is_told_in_the_words_of_the_daemon(void **state)
{
    (void)state;
    assert_int_equal(call_with(PA_RESERVE_RELEASE, BYTES("refused\0no right: x\x1b"), 0),
                     PA_RELEASE_REFUSED);
    assert_string_equal(failure.text, "no right: x\x1b");
    assert_int_equal(call_with(PA_RESERVE_TAKE,
                               BYTES("refused\0"
                                     "631/tcp is in use"),
                               0),
                     PA_RELEASE_REFUSED);
    assert_string_equal(failure.text, "631/tcp is in use");
}

static void an_error_of_the_daemon_is_a_failure_in_its_words(void **state)
{
    (void)state;
    assert_int_equal(call_with(PA_RESERVE_RELEASE, BYTES("error\0out of memory"), 0),
                     PA_RELEASE_FAILED);
    assert_string_equal(failure.text, "out of memory");
}

static void a_long_text_is_cut_between_two_characters(void **state)
{
    (void)state;
    static char bytes[4096] = "refused";
    for (size_t i = sizeof "refused"; i < sizeof bytes - 2; i += 2)
        memcpy(bytes + i, "\xc3\xa9", 2);
    assert_int_equal(call_with(PA_RESERVE_RELEASE, bytes, sizeof bytes - 1, 0),
                     PA_RELEASE_REFUSED);
    assert_int_equal(strlen(failure.text), PA_RELEASE_TEXT_BYTES - 2);
}

static void refuse_early(bool late)
{
    static const char bytes[] = "refused\0too many requests";
    struct daemon daemon = {
        .answer = answer_bytes, .bytes = bytes, .size = sizeof bytes, .early = true};
    start_daemon(&daemon);
    send_late = late;
    int r = release("cups", AMPLE_MS);
    send_late = false;
    stop_daemon(&daemon);
    assert_int_equal(r, PA_RELEASE_REFUSED);
    assert_string_equal(failure.text, "too many requests");
}

static void a_refusal_counts_although_the_request_was_not_read(void **state)
{
    (void)state;
    refuse_early(false);
}

static void a_refusal_counts_although_the_request_was_not_sent(void **state)
{
    (void)state;
    refuse_early(true);
}

static void a_daemon_that_never_answers(void **state)
{
    (void)state;
    struct daemon daemon = {.answer = answer_no_end, .bytes = "ok", .size = 0};
    start_daemon(&daemon);
    assert_int_equal(release("cups", SHORT_MS), PA_RELEASE_FAILED);
    assert_says(stream_path);
    assert_says("no answer within 40 ms");
    stop_daemon(&daemon);
}

static void a_daemon_that_stops_in_its_answer(void **state)
{
    (void)state;
    struct daemon daemon = {.answer = answer_no_end, .bytes = "ok", .size = 3};
    start_daemon(&daemon);
    assert_int_equal(release("cups", SHORT_MS), PA_RELEASE_FAILED);
    assert_says("no answer within 40 ms");
    stop_daemon(&daemon);
}

static void a_daemon_that_does_not_accept(void **state)
{
    (void)state;
    int waiting[64];
    int count = 0;
    int listener = make_socket(SOCK_STREAM, stream_path);
    assert_int_equal(listen(listener, 1), 0);
    while ((waiting[count] = connect_now(SOCK_STREAM, stream_path)) >= 0)
        assert_true(++count < 64);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(release("cups", SHORT_MS), PA_RELEASE_FAILED);
    assert_says("no answer within 40 ms");
    assert_int_equal(release("cups", 0), PA_RELEASE_FAILED);
    while (count-- > 0)
        close(waiting[count]);
    close(listener);
}

static void an_answer_that_does_not_end(void **state)
{
    (void)state;
    struct daemon daemon = {.answer = answer_for_ever};
    start_daemon(&daemon);
    assert_int_equal(list_ports(), PA_RELEASE_FAILED);
    assert_says("it is too long");
    stop_daemon(&daemon);
}

/* -------------------------------------------------------------- damaged -- */

static void damaged_answers_name_the_socket(void **state)
{
    (void)state;
    static const struct {
        enum pa_reserve_verb verb;
        const char *bytes;
        size_t size;
        int fds;
        const char *text;
    } damaged[] = {
        {PA_RESERVE_RELEASE, "", 0, 0, "the connection ended without an answer"},
        {PA_RESERVE_RELEASE, "ok", 2, 0, "it is none"},
        {PA_RESERVE_RELEASE, BYTES("yes"), 0, "it is none"},
        {PA_RESERVE_RELEASE, BYTES("refused"), 0, "it is none"},
        {PA_RESERVE_RELEASE, BYTES("ok\0001\000631/tcp"), 0, "strings"},
        {PA_RESERVE_RELEASE, BYTES("ok"), 1, "with 1 sockets, not 0"},
        {PA_RESERVE_TAKE, BYTES("ok"), 0, "strings"},
        {PA_RESERVE_TAKE, BYTES("ok\0000"), 0, "strings"},
        {PA_RESERVE_TAKE, BYTES("ok"), 1, "strings"},
        {PA_RESERVE_TAKE, BYTES("ok\0002\000631/tcp"), 1, "it is none"},
        {PA_RESERVE_TAKE,
         BYTES("ok\0001\0001/tcp\0002/tcp\0003/tcp\0004/tcp\0005/tcp\0006/tcp"), 5, "strings"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\000631/tcp"), 0, "with 0 sockets, not 1"},
        {PA_RESERVE_TAKE, BYTES("ok\0002\000631/tcp\000631/udp"), 1, "with 1 sockets, not 2"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\000631/tcp"), 2, "with 2 sockets, not 1"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\0000/tcp"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\00065536/tcp"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\00000631/tcp"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\00099999999999999999999/tcp"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\000631/tcp:22/tcp"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\000631"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\000/tcp"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_TAKE, BYTES("ok\0001\0"), 1, "PORT/PROTOCOL"},
        {PA_RESERVE_LIST, BYTES("ok\0001\000631"), 0, "strings"},
        {PA_RESERVE_LIST, BYTES("ok\0006\000631\0tcp\0ipv4\0cups\0held\00012"), 0, "strings"},
        {PA_RESERVE_LIST, BYTES("ok\0001\000631\0tcp\0ipv4\0cups\0held\00012"), 1,
         "with 1 sockets, not 0"},
    };
    make_files(5);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; ++i) {
        int before = count_descriptors();
        assert_int_equal(
            call_with(damaged[i].verb, damaged[i].bytes, damaged[i].size, damaged[i].fds),
            PA_RELEASE_FAILED);
        assert_says(damaged[i].text);
        assert_says(stream_path);
        assert_int_equal(reply.fd_count, 0);
        assert_int_equal(count_descriptors(), before);
    }
    close_files(5);
}

static void every_truncation_of_an_answer_fails(void **state)
{
    (void)state;
    static const char whole[] = "ok\0002\000631/tcp\000631/udp";
    make_files(2);
    int before = count_descriptors();
    for (size_t size = 0; size < sizeof whole; ++size)
        assert_int_equal(call_with(PA_RESERVE_TAKE, whole, size, 2), PA_RELEASE_FAILED);
    assert_int_equal(count_descriptors(), before);
    close_files(2);
}

static void sockets_that_come_with_a_refusal_are_closed(void **state)
{
    (void)state;
    make_files(3);
    int before = count_descriptors();
    assert_int_equal(call_with(PA_RESERVE_TAKE, BYTES("refused\0in use"), 3),
                     PA_RELEASE_REFUSED);
    assert_int_equal(count_descriptors(), before);
    close_files(3);
}

/* ----------------------------------------------------------------- take -- */

static void sockets_come_in_order_and_close_on_exec(void **state)
{
    (void)state;
    make_files(3);
    assert_int_equal(
        call_with(PA_RESERVE_TAKE, BYTES("ok\0003\00080/tcp\000631/udp\00065535/tcp"), 3), 0);
    assert_int_equal(reply.count, 3);
    assert_int_equal(reply.fd_count, 3);
    assert_string_equal(reply.strings, "80/tcp");
    assert_string_equal(pa_reserve_next(reply.strings), "631/udp");
    for (int i = 0; i < 3; ++i) {
        assert_same_file(reply.fds[i], files[i]);
        assert_int_equal(fcntl(reply.fds[i], F_GETFD), FD_CLOEXEC);
    }
    pa_release_reply_deinit(&reply);
    close_files(3);
}

static void what_the_caller_has_taken_out_is_not_closed(void **state)
{
    (void)state;
    make_files(1);
    assert_int_equal(call_with(PA_RESERVE_TAKE, BYTES("ok\0001\00080/tcp"), 1), 0);
    int mine = reply.fds[0];
    reply.fds[0] = -1;
    pa_release_reply_deinit(&reply);
    assert_same_file(mine, files[0]);
    close(mine);
    close_files(1);
}

static char many_strings[MANY * sizeof "65535/tcp"];

/* 253 descriptors with their strings, then the others with theirs. */
static void answer_many(const struct daemon *daemon, int fd)
{
    (void)daemon;
    size_t size = 0;
    size_t cut = 0;
    static const char head[] = "ok\000300";
    for (int i = 0; i < MANY; ++i) {
        if (i == MESSAGE_FDS)
            cut = size;
        size += (size_t)snprintf(many_strings + size, sizeof many_strings - size, "%d/tcp",
                                 1000 + i) +
                1;
    }
    send_with(fd, head, sizeof head, 0, 0);
    send_with(fd, many_strings, cut, 0, MESSAGE_FDS);
    send_with(fd, many_strings + cut, size - cut, MESSAGE_FDS, MANY - MESSAGE_FDS);
}

static void more_sockets_than_one_message_takes(void **state)
{
    (void)state;
    struct daemon daemon = {.answer = answer_many};
    make_files(MANY);
    start_daemon(&daemon);
    assert_int_equal(take("many"), 0);
    stop_daemon(&daemon);
    assert_int_equal(reply.fd_count, MANY);
    const char *string = reply.strings;
    for (int i = 0; i < MANY; ++i, string = pa_reserve_next(string)) {
        assert_int_equal(strtol(string, NULL, 10), 1000 + i);
        assert_same_file(reply.fds[i], files[i]);
    }
    pa_release_reply_deinit(&reply);
    close_files(MANY);
}

static size_t control_bytes; /* that a receive has room for; 0: as many as it likes */

/* In the place of the C library's: as with a full table, not all descriptors find room. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t (*real)(int, struct msghdr *, int);
    *(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
    if (control_bytes > 0)
        message->msg_controllen = control_bytes;
    return real(fd, message, flags);
}

static void sockets_that_find_no_room_are_missed(void **state)
{
    (void)state;
    make_files(5);
    control_bytes = CMSG_SPACE(2 * sizeof(int));
    int r = call_with(PA_RESERVE_TAKE, BYTES("ok\0003\00080/tcp\00081/tcp\00082/tcp"), 5);
    control_bytes = 0;
    assert_int_equal(r, PA_RELEASE_FAILED);
    assert_says("some sockets did not arrive");
    assert_says(stream_path);
    close_files(5);
}

static void without_memory_nothing_is_left(void **state)
{
    (void)state;
    static const char bytes[] = "ok\0002\000631/tcp\000631/udp";
    struct daemon daemon = {
        .answer = answer_bytes, .bytes = bytes, .size = sizeof bytes, .fds = 2};
    make_files(2);
    start_daemon(&daemon);
    int r = PA_RELEASE_FAILED;
    for (size_t successes = 0; r != 0; ++successes) {
        alloc_fail_after(successes);
        r = take("cups");
        bool failed = alloc_fail_stop();
        assert_int_equal(r, failed ? PA_RELEASE_FAILED : 0);
        if (failed) {
            assert_says("not enough memory");
            assert_int_equal(reply.fd_count, 0);
        }
    }
    assert_int_equal(reply.fd_count, 2);
    pa_release_reply_deinit(&reply);
    stop_daemon(&daemon);
    close_files(2);
}

/* ----------------------------------------------------------------- list -- */

static void a_list_has_six_strings_a_port(void **state)
{
    (void)state;
    static const char bytes[] = "ok\0002\000631\0tcp\0ipv4+ipv6\0cups\0held\00012\000"
                                "80\0tcp\0ipv4\0web\0handed over\00013";
    struct daemon daemon = {.answer = answer_bytes, .bytes = bytes, .size = sizeof bytes};
    start_daemon(&daemon);
    assert_int_equal(list_ports(), 0);
    stop_daemon(&daemon);
    assert_memory_equal(daemon.request, "list\0", sizeof "list\0");
    assert_int_equal(daemon.request_size, sizeof "list\0");
    assert_int_equal(reply.count, 2 * PA_RESERVE_COLUMNS);
    const char *string = reply.strings;
    for (int i = 0; i < 10; ++i)
        string = pa_reserve_next(string);
    assert_string_equal(string, "handed over");
    pa_release_reply_deinit(&reply);
}

static void nothing_reserved_is_an_empty_list(void **state)
{
    (void)state;
    assert_int_equal(call_with(PA_RESERVE_LIST, BYTES("ok\0000"), 0), 0);
    assert_int_equal(reply.count, 0);
    pa_release_reply_deinit(&reply);
}

/* ------------------------------------------------------------- datagrams -- */

static void assert_datagram(int fd, const char *name)
{
    char bytes[512];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    assert_int_equal(n, strlen(name));
    assert_memory_equal(bytes, name, (size_t)n);
}

static void assert_no_datagram(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void without_the_stream_the_name_is_sent_as_a_datagram(void **state)
{
    (void)state;
    int fd = make_socket(SOCK_DGRAM, path);
    assert_int_equal(release("cups", AMPLE_MS), 0);
    assert_int_equal(release("*", AMPLE_MS), 0);
    assert_datagram(fd, "cups");
    assert_datagram(fd, "*");
    assert_no_datagram(fd);
    close(fd);
}

static void a_stream_socket_that_was_left_behind_is_none(void **state)
{
    (void)state;
    close(make_socket(SOCK_STREAM, stream_path));
    int fd = make_socket(SOCK_DGRAM, path);
    assert_int_equal(release("cups", AMPLE_MS), 0);
    assert_datagram(fd, "cups");
    close(fd);
}

static void with_the_stream_no_datagram_is_sent(void **state)
{
    (void)state;
    int fd = make_socket(SOCK_DGRAM, path);
    assert_int_equal(call_with(PA_RESERVE_RELEASE, BYTES("refused\0no"), 0),
                     PA_RELEASE_REFUSED);
    assert_int_equal(call_with(PA_RESERVE_RELEASE, "", 0, 0), PA_RELEASE_FAILED);
    assert_no_datagram(fd);
    close(fd);
}

static void a_daemon_that_does_not_read_its_datagrams(void **state)
{
    (void)state;
    int fd = make_socket(SOCK_DGRAM, path);
    int other = connect_now(SOCK_DGRAM, path);
    assert_true(other >= 0);
    while (send(other, "x", 1, MSG_DONTWAIT) == 1)
        continue;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(release("cups", SHORT_MS), PA_RELEASE_FAILED);
    assert_says(path);
    assert_says("within 40 ms");
    close(other);
    close(fd);
}

static void datagrams_hand_over_no_sockets_and_list_nothing(void **state)
{
    (void)state;
    int fd = make_socket(SOCK_DGRAM, path);
    assert_int_equal(take("cups"), PA_RELEASE_FAILED);
    assert_says(path);
    assert_says("the portreserve that runs here cannot hand over sockets");
    assert_int_equal(list_ports(), PA_RELEASE_FAILED);
    assert_says("the portreserve that runs here cannot list its ports");
    assert_no_datagram(fd);
    close(fd);
}

/* ---------------------------------------------------------------- paths -- */

static void without_a_daemon_the_path_is_told(void **state)
{
    (void)state;
    char text[2 * PATH_BYTES];
    snprintf(text, sizeof text, "%s: cannot connect to portreserve: no such file or directory",
             path);
    assert_int_equal(release("cups", AMPLE_MS), PA_RELEASE_FAILED);
    assert_string_equal(failure.text, text);
    assert_int_equal(take("cups"), PA_RELEASE_FAILED);
    assert_string_equal(failure.text, text);
    assert_int_equal(list_ports(), PA_RELEASE_FAILED);
    assert_string_equal(failure.text, text);
}

/* Makes the path of the sockets that long. */
static void lengthen_path(size_t size)
{
    size_t before = strlen(path);
    memset(path + before, 'x', size - before);
    path[size] = '\0';
    snprintf(stream_path, sizeof stream_path, "%s.stream", path);
}

static void the_longest_path(void **state)
{
    (void)state;
    lengthen_path(PATH_MAX_BYTES);
    assert_int_equal(call_with(PA_RESERVE_RELEASE, BYTES("ok"), 0), 0);
}

static void a_path_that_is_too_long(void **state)
{
    (void)state;
    lengthen_path(PATH_MAX_BYTES + 1);
    assert_int_equal(release("cups", AMPLE_MS), PA_RELEASE_FAILED);
    assert_says("the path of a socket has at most 100 bytes: ");
    assert_says(path);
}

static void a_path_longer_than_a_text(void **state)
{
    (void)state;
    static char long_path[2 * PA_RELEASE_TEXT_BYTES];
    memset(long_path, 'x', sizeof long_path - 1);
    struct pa_deadline deadline = pa_deadline_in(AMPLE_MS);
    assert_int_equal(pa_release_list(long_path, &deadline, &reply, &failure),
                     PA_RELEASE_FAILED);
    assert_says("the path of a socket has at most 100 bytes: \"xxx");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_release_asks_for_the_name),
        TEST(a_refusal_is_told_in_the_words_of_the_daemon),
        TEST(an_error_of_the_daemon_is_a_failure_in_its_words),
        TEST(a_long_text_is_cut_between_two_characters),
        TEST(a_refusal_counts_although_the_request_was_not_read),
        TEST(a_refusal_counts_although_the_request_was_not_sent),
        TEST(a_daemon_that_never_answers),
        TEST(a_daemon_that_stops_in_its_answer),
        TEST(a_daemon_that_does_not_accept),
        TEST(an_answer_that_does_not_end),
        TEST(damaged_answers_name_the_socket),
        TEST(every_truncation_of_an_answer_fails),
        TEST(sockets_that_come_with_a_refusal_are_closed),
        TEST(sockets_come_in_order_and_close_on_exec),
        TEST(what_the_caller_has_taken_out_is_not_closed),
        TEST(more_sockets_than_one_message_takes),
        TEST(sockets_that_find_no_room_are_missed),
        TEST(without_memory_nothing_is_left),
        TEST(a_list_has_six_strings_a_port),
        TEST(nothing_reserved_is_an_empty_list),
        TEST(without_the_stream_the_name_is_sent_as_a_datagram),
        TEST(a_stream_socket_that_was_left_behind_is_none),
        TEST(with_the_stream_no_datagram_is_sent),
        TEST(a_daemon_that_does_not_read_its_datagrams),
        TEST(datagrams_hand_over_no_sockets_and_list_nothing),
        TEST(without_a_daemon_the_path_is_told),
        TEST(the_longest_path),
        TEST(a_path_that_is_too_long),
        TEST(a_path_longer_than_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
