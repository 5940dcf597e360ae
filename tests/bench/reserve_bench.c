/*
 * reserve_bench - portreserve beside the bare system calls that its work consists of.
 *
 *   reserve-bench ?options? PORTRESERVE
 *
 * Start: from exec to the daemon's word that it is ready, with ENTRIES ports; beside a program
 * that makes and binds as many sockets and does nothing else. Release: connect, request, reply,
 * a port given back each time; beside a server that answers the same bytes to anything.
 *
 * The bare programs are this one, started with -hold or -echo. Exit status as of `load`.
 */
#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ENTRIES      1000
#define RELEASES     800 /* of them, in a sample */
#define ROUNDS       25
#define QUICK_ROUNDS 5
#define ROUNDS_MOST  1000
#define READY_S      15

enum side {
    SIDE_BARE,
    SIDE_DROP_IN,
    SIDE_KEEP,
    SIDES,
};

static const char *const side_names[SIDES] = {"bare", "portreserve", "portreserve -keep"};

/* ------------------------------------------------------- the bare programs -- */

static int open_port(int port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int off = 0;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        broken("%s is too long a path", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static int open_unix(int type, const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        (type == SOCK_STREAM && listen(fd, SOMAXCONN) != 0)) {
        system_failed("%s", path);
    }
    return fd;
}

static void tell_ready(void)
{
    struct sockaddr_un address = address_of(getenv("NOTIFY_SOCKET"));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address, sizeof(address)) != 7) {
        system_failed("%s", address.sun_path);
    }
    close(fd);
}

/* Binds the ports of a file, a line each. */
static int hold_ports(const char *path)
{
    FILE *file = fopen(path, "r");
    int port;

    if (file == NULL) {
        system_failed("%s", path);
    }
    while (fscanf(file, "%d", &port) == 1) {
        if (open_port(port) < 0) {
            system_failed("%d", port);
        }
    }
    fclose(file);
    tell_ready();
    pause();
    return 0;
}

static int echo(const char *path)
{
    int listener = open_unix(SOCK_STREAM, path);
    char bytes[512];

    tell_ready();
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0 || read(fd, bytes, sizeof(bytes)) < 0 || write(fd, "ok", 3) < 0) {
            system_failed("a client of %s", path);
        }
        close(fd);
    }
}

/* ------------------------------------------------------------- one server -- */

static char program_path[256];
static char folder[128];
static char socket_path[160];
static char stream_path[176];
static char ports_path[160];
static char ready_path[160];
static const char *portreserve;
static int ports[ENTRIES];
static int ready_fd;

/* Ports that can be bound now, and the files that ask for them. */
static void write_files(void)
{
    char path[192];
    FILE *all = fopen(ports_path, "w");
    int port = 10000;

    for (int i = 0; i < ENTRIES; port++) {
        int fd = port < 32768 ? open_port(port) : -1;
        FILE *file;

        if (port == 32768) {
            broken("there are no %d free ports", ENTRIES);
        }
        if (fd < 0) {
            continue;
        }
        close(fd);
        ports[i++] = port;
        snprintf(path, sizeof(path), "%s/etc/p%d", folder, port);
        file = fopen(path, "w");
        if (file == NULL || fprintf(file, "%d/tcp\n", port) < 0 || fclose(file) != 0 ||
            fprintf(all, "%d\n", port) < 0) {
            system_failed("%s", path);
        }
    }
    if (fclose(all) != 0) {
        system_failed("%s", ports_path);
    }
}

static void prepare(void)
{
    char path[192];
    ssize_t size = readlink("/proc/self/exe", program_path, sizeof(program_path) - 1);

    if (size < 0) {
        system_failed("/proc/self/exe");
    }
    snprintf(folder, sizeof(folder), "%s", proc_folder());
    snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
    snprintf(stream_path, sizeof(stream_path), "%s.stream", socket_path);
    snprintf(ports_path, sizeof(ports_path), "%s/ports", folder);
    snprintf(ready_path, sizeof(ready_path), "%s/ready", folder);
    snprintf(path, sizeof(path), "%s/etc", folder);
    if (mkdir(path, 0755) != 0) {
        system_failed("%s", path);
    }
    write_files();
    ready_fd = open_unix(SOCK_DGRAM, ready_path);
    setenv("NOTIFY_SOCKET", ready_path, 1);
}

static void await_ready(pid_t pid)
{
    struct pollfd wait = {.fd = ready_fd, .events = POLLIN};
    char text[64] = "";

    proc_watch(READY_S);
    while (poll(&wait, 1, 100) <= 0) {
        proc_expect_alive(pid, folder);
    }
    if (recv(ready_fd, text, sizeof(text) - 1, 0) < 0 || strcmp(text, "READY=1") != 0) {
        broken("pid %ld said \"%s\" before it was ready", (long)pid, text);
    }
    proc_watch(0);
}

static pid_t start(enum side side, const char *bare, const char *bare_argument)
{
    char config[160], pid_file[160];
    char *daemon[] = {(char *)portreserve,
                      "-d",
                      "-config",
                      config,
                      "-socket",
                      socket_path,
                      "-pidfile",
                      pid_file,
                      side == SIDE_KEEP ? "-keep" : NULL,
                      NULL};
    char *rival[] = {program_path, (char *)bare, (char *)bare_argument, NULL};
    pid_t pid;

    snprintf(config, sizeof(config), "%s/etc", folder);
    snprintf(pid_file, sizeof(pid_file), "%s/pid", folder);
    unlink(stream_path);
    pid = proc_spawn(side == SIDE_BARE ? rival : daemon, folder, -1, -1, true);
    await_ready(pid);
    return pid;
}

static void stop(pid_t pid)
{
    char text[64];

    proc_stop(pid);
    while (recv(ready_fd, text, sizeof(text), MSG_DONTWAIT) > 0) { /* STOPPING=1 */
    }
}

/* ------------------------------------------------------------ measurements -- */

/* Microseconds a reservation. */
static double run_start(void *unused, unsigned side)
{
    double begun_us = now_us();
    pid_t pid = start((enum side)side, "-hold", ports_path);
    double spent_us = now_us() - begun_us;

    (void)unused;
    stop(pid);
    return spent_us / ENTRIES;
}

static void release(int port)
{
    struct sockaddr_un address = address_of(stream_path);
    char request[64];
    char reply[64];
    size_t length = 0;
    ssize_t got;
    int size = snprintf(request, sizeof(request), "release%cp%d", 0, port) + 1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        send(fd, request, (size_t)size, MSG_NOSIGNAL) != size) {
        system_failed("%s", stream_path);
    }
    while ((got = recv(fd, reply + length, sizeof(reply) - length, 0)) > 0) {
        length += (size_t)got;
    }
    close(fd);
    if (length != 3 || memcmp(reply, "ok", 3) != 0) {
        broken("the release of p%d was answered by %zu bytes: %.*s", port, length, (int)length,
               reply);
    }
}

/* Microseconds a release. */
static double run_release(void *unused, unsigned side)
{
    pid_t pid = start((enum side)side, "-echo", stream_path);
    double begun_us = now_us();
    double spent_us;

    (void)unused;
    proc_watch(READY_S);
    for (int i = 0; i < RELEASES; i++) {
        release(ports[i]);
    }
    spent_us = now_us() - begun_us;
    proc_watch(0);
    stop(pid);
    return spent_us / RELEASES;
}

static void measure(const struct config *config, const char *name, side_fn *run,
                    bool per_second)
{
    struct contest contest = {.sides = SIDES};

    if (!config_selects(config, name)) {
        return;
    }
    for (unsigned round = 0; round < config->rounds; round++) {
        contest_round(&contest, run, NULL, round);
    }
    for (unsigned side = SIDE_DROP_IN; side < SIDES; side++) {
        char row_name[64], note[64] = "";
        struct row row = {.name = row_name,
                          .unit = "us",
                          .left_name = side_names[side],
                          .right_name = side_names[SIDE_BARE],
                          .limit = LIMIT_NONE,
                          .note = note};

        snprintf(row_name, sizeof(row_name), "%s, %s", name, side_names[side]);
        contest_compare(&contest, side, SIDE_BARE, &row);
        if (per_second) {
            snprintf(note, sizeof(note), "%.0f reservations/s, bare %.0f", 1e6 / row.left,
                     1e6 / row.right);
        }
        row_print(&row);
    }
    contest_deinit(&contest);
}

/* ------------------------------------------------------------------- start -- */

static const struct command command = {
    .program = "reserve-bench",
    .operand = "PORTRESERVE",
    .rounds = ROUNDS,
    .quick_rounds = QUICK_ROUNDS,
    .rounds_most = ROUNDS_MOST,
};

int main(int argc, char **argv)
{
    struct config config = {0};
    struct utsname system;
    char machine[512];

    if (argc == 3 && strcmp(argv[1], "-hold") == 0) {
        return hold_ports(argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "-echo") == 0) {
        return echo(argv[2]);
    }
    portreserve = command_parse(&command, &config, argc, argv);
    proc_init();
    prepare();
    uname(&system);
    snprintf(machine, sizeof(machine), "%u cores, %s %s %s, %d entries, %u rounds",
             proc_cores(), system.sysname, system.release, system.machine, ENTRIES,
             config.rounds);
    printf("%s\n", machine);
    row_head("portreserve", "bare");
    measure(&config, "a reservation at start", run_start, true);
    measure(&config, "a release", run_release, false);
    if (config.json != NULL && rows_write_json(config.json, machine) != 0) {
        system_failed("%s", config.json);
    }
    rows_deinit();
    return 0;
}
