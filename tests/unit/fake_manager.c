/* A port manager that answers as a test wants. */

#include "fake_manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 30 }; /* before a test that waits in vain is failed */

/* Sends the first byte with a descriptor, twice. */
static void pass(const struct fake_manager *manager, int fd, const char *byte)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {.bytes = ""};
    struct iovec part = {(void *)(uintptr_t)byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    const int fds[2] = {manager->pass, manager->pass};
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
    sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* Sends the text, and says whether the connection is to be closed. */
static bool say(const struct fake_manager *manager, int fd, const char *text)
{
    if (!text)
        return false;
    if (*text == FAKE_PASS) {
        pass(manager, fd, text + 1);
        text += 2;
    }
    bool then_close = *text == FAKE_CLOSE;
    text += then_close;
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return true;
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        }
    }
    return then_close;
}

static void accept_client(struct fake_manager *manager)
{
    int fd = accept4(manager->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    atomic_fetch_add(&manager->connections, 1);
    if (manager->count == FAKE_CONNECTIONS || say(manager, fd, manager->greeting)) {
        close(fd);
        return;
    }
    manager->clients[manager->count++] = (struct fake_connection){.fd = fd};
}

/* Answers the lines that are whole. Whether the connection is to be closed. */
static bool answer_lines(struct fake_manager *manager, struct fake_connection *client)
{
    char *end;
    while ((end = memchr(client->line, '\n', client->size))) {
        size_t taken = (size_t)(end - client->line) + 1;
        *end = '\0';
        if (end > client->line && end[-1] == '\r')
            end[-1] = '\0';
        atomic_fetch_add(&manager->requests, 1);
        fake_answer *answer = manager->answer;
        if (say(manager, client->fd, answer(manager, client->line)))
            return true;
        client->size -= taken;
        memmove(client->line, client->line + taken, client->size);
    }
    return false;
}

static void read_client(struct fake_manager *manager, size_t i)
{
    struct fake_connection *client = &manager->clients[i];
    ssize_t n =
        recv(client->fd, client->line + client->size, sizeof client->line - client->size, 0);
    if (n < 0 && errno == EINTR)
        return;
    bool ended = n <= 0;
    if (!ended) {
        client->size += (size_t)n;
        if (!answer_lines(manager, client))
            return;
    }
    close(client->fd);
    *client = manager->clients[--manager->count];
    if (ended)
        sem_post(&manager->closed);
}

static void *run(void *data)
{
    struct fake_manager *manager = data;
    for (;;) {
        struct pollfd fds[FAKE_CONNECTIONS + 2] = {{.fd = manager->stop[0], .events = POLLIN},
                                                   {.fd = manager->listener, .events = POLLIN}};
        size_t count = manager->count;
        for (size_t i = 0; i < count; ++i)
            fds[i + 2] = (struct pollfd){.fd = manager->clients[i].fd, .events = POLLIN};
        if (poll(fds, count + 2, -1) < 0)
            continue;
        if (fds[0].revents)
            return NULL;
        for (size_t i = count; i-- > 0;)
            if (fds[i + 2].revents)
                read_client(manager, i);
        if (fds[1].revents)
            accept_client(manager);
    }
}

static bool listen_at_path(struct fake_manager *manager)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    snprintf(own.sun_path, sizeof own.sun_path, "%s", manager->address);
    manager->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(manager->listener, (struct sockaddr *)&own, sizeof own) == 0 &&
           listen(manager->listener, FAKE_CONNECTIONS) == 0;
}

static bool listen_at(struct fake_manager *manager)
{
    if (manager->address && *manager->address == '/')
        return listen_at_path(manager);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *info = NULL;
    char port[8];
    snprintf(port, sizeof port, "%d", manager->port & 0xffff);
    if (getaddrinfo(manager->address ? manager->address : "127.0.0.1", port, &hints, &info))
        return false;
    const int on = 1;
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof own;
    manager->listener = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(manager->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool bound = bind(manager->listener, info->ai_addr, info->ai_addrlen) == 0 &&
                 listen(manager->listener, FAKE_CONNECTIONS) == 0 &&
                 getsockname(manager->listener, (struct sockaddr *)&own, &size) == 0;
    freeaddrinfo(info);
    if (!bound) {
        close(manager->listener);
        return false;
    }
    /* The port is at the same place for IPv4 and IPv6. */
    manager->port = ntohs(((struct sockaddr_in *)&own)->sin_port);
    return true;
}

bool fake_manager_start(struct fake_manager *manager)
{
    if (!listen_at(manager))
        return false;
    sem_init(&manager->closed, 0, 0);
    return pipe2(manager->stop, O_CLOEXEC) == 0 &&
           pthread_create(&manager->thread, NULL, run, manager) == 0;
}

void fake_manager_stop(struct fake_manager *manager)
{
    close(manager->stop[1]);
    pthread_join(manager->thread, NULL);
    close(manager->stop[0]);
    close(manager->listener);
    while (manager->count > 0)
        close(manager->clients[--manager->count].fd);
    sem_destroy(&manager->closed);
}

bool fake_manager_wait_closed(struct fake_manager *manager, int count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (count > 0) {
        if (sem_timedwait(&manager->closed, &until) == 0)
            --count;
        else if (errno != EINTR)
            return false;
    }
    return true;
}
