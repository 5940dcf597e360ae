/*
 * The programs around portreserve, each as its first argument says:
 *
 *     serve ?-strict? PORT...    a server of TCP ports, with SO_REUSEADDR unless strict
 *     inherited                  a server of the sockets it was started with (LISTEN_FDS)
 *     thief PORT...              asks the kernel for ports, over and over, to get these
 *     resvport COUNT             bindresvport(3), so often for TCP and for UDP
 *
 * A server says "ready", answers each connection with a line, and ends when its standard input
 * does; so does the thief, and says how often it asked and what it stole. Exit code: 0;
 * 1 when a port cannot be had, with a line that names it; 100 when the arguments make no sense.
 */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EXIT_PORT = 1,
    EXIT_USAGE = 100,
    SOCKETS_MAX = 16,
    FIRST_INHERITED = 3, /* sd_listen_fds(3) */
    TARGET = 9,          /* where a thief connects to */
    LOOT_MS = 2,         /* so long a thief keeps what is not his */
    LIFE_S = 600,        /* should it be forgotten */
};

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                         : ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* Has the one who started this process closed its standard input? */
static bool is_over(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* -------------------------------------------------------------- servers -- */

static int serve(const int *listeners, size_t count)
{
    struct pollfd polls[SOCKETS_MAX + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    for (size_t i = 0; i < count; ++i)
        polls[i + 1] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
    puts("ready");
    fflush(stdout);
    while (poll(polls, count + 1, -1) > 0 && polls[0].revents == 0) {
        for (size_t i = 1; i <= count; ++i) {
            int client = polls[i].revents ? accept(polls[i].fd, NULL, NULL) : -1;
            if (client < 0)
                continue;
            dprintf(client, "hello from %u\n", (unsigned)port_of(polls[i].fd));
            close(client);
        }
    }
    return 0;
}

static int serve_ports(char **words)
{
    int listeners[SOCKETS_MAX];
    size_t count = 0;
    int reuse = 1;
    if (*words && strcmp(*words, "-strict") == 0) {
        reuse = 0;
        ++words;
    }
    for (; *words && count < SOCKETS_MAX; ++words) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)atoi(*words))};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0) {
            printf("%s: %s\n", *words, strerror(errno));
            return EXIT_PORT;
        }
        listeners[count++] = fd;
    }
    return serve(listeners, count);
}

static int serve_inherited(void)
{
    int listeners[SOCKETS_MAX];
    const char *told = getenv("LISTEN_FDS");
    const char *pid = getenv("LISTEN_PID");
    size_t count = told ? (size_t)atoi(told) : 0;
    if (count == 0 || count > SOCKETS_MAX || !pid || atoi(pid) != (int)getpid()) {
        puts("no sockets for this process");
        return EXIT_PORT;
    }
    for (size_t i = 0; i < count; ++i)
        listeners[i] = FIRST_INHERITED + (int)i;
    return serve(listeners, count);
}

/* ---------------------------------------------------------------- thieves -- */

/* Where a thief connects to. */
static int open_target(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(TARGET)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0)
        return fd;
    printf("%d: %s\n", TARGET, strerror(errno));
    close(fd);
    return -1;
}

static void accept_all(int target)
{
    int client;
    while ((client = accept(target, NULL, NULL)) >= 0)
        close(client);
}

/* A socket that the kernel chooses a port for: by a connection, or by a bind to port 0. -1:
 * there is none left. */
static int ask(int type, bool connects)
{
    static const struct linger at_once = {.l_onoff = 1};
    struct sockaddr_in any = {.sin_family = AF_INET};
    struct sockaddr_in target = {
        .sin_family = AF_INET, .sin_port = htons(TARGET), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    /* A connection in TIME_WAIT would keep its port from the thief itself. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    int r = connects ? connect(fd, (struct sockaddr *)&target, sizeof target)
                     : bind(fd, (struct sockaddr *)&any, sizeof any);
    if (r == 0)
        return fd;
    close(fd);
    return -1;
}

static bool is_among(uint16_t port, char **ports)
{
    for (; *ports; ++ports)
        if (atoi(*ports) == port)
            return true;
    return false;
}

/* Takes all ports there are for a moment, so that whatever is let go of is taken at once.
 * Returns how many of `ports` were among them. */
static unsigned long grab(char **ports)
{
    int fds[SOCKETS_MAX];
    unsigned long stolen = 0;
    for (int i = 0; i < SOCKETS_MAX; ++i) {
        fds[i] = ask(i % 2 ? SOCK_DGRAM : SOCK_STREAM, i % 4 == 0);
        stolen += fds[i] >= 0 && is_among(port_of(fds[i]), ports);
    }
    if (stolen > 0)
        poll(NULL, 0, LOOT_MS);
    for (int i = 0; i < SOCKETS_MAX; ++i)
        if (fds[i] >= 0)
            close(fds[i]);
    return stolen;
}

static int steal(char **ports)
{
    unsigned long asked = 0;
    unsigned long stolen = 0;
    int target = open_target();
    if (target < 0)
        return EXIT_PORT;
    puts("ready");
    fflush(stdout);
    for (; !is_over(); asked += SOCKETS_MAX) {
        stolen += grab(ports);
        accept_all(target);
    }
    printf("asked %lu stole %lu\n", asked, stolen);
    return 0;
}

static int ask_resvport(int count)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i) {
        printf(types[i] == SOCK_STREAM ? "tcp" : "udp");
        for (int k = 0; k < count; ++k) {
            int fd = socket(AF_INET, types[i] | SOCK_CLOEXEC, 0);
            if (bindresvport(fd, NULL) == 0)
                printf(" %u", (unsigned)port_of(fd));
            else
                printf(" %s", strerrorname_np(errno));
        }
        putchar('\n');
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    alarm(LIFE_S);
    if (strcmp(what, "serve") == 0)
        return serve_ports(argv + 2);
    if (strcmp(what, "inherited") == 0)
        return serve_inherited();
    if (strcmp(what, "thief") == 0)
        return steal(argv + 2);
    if (strcmp(what, "resvport") == 0 && argc == 3)
        return ask_resvport(atoi(argv[2]));
    fprintf(stderr, "reserve-helper: what is \"%s\"?\n", what);
    return EXIT_USAGE;
}
