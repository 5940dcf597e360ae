/*
 * portserver_bench - requests of portpicker's clients: the manager beside Debian's own
 * portserver.
 *
 *   portserver-bench ?options? DAQPORTMANAGER
 *
 * A request is connect, a process number, a port, the end, as portpicker does it; all are for
 * one process, which ends with the block. The limit of what can be had is a bare server:
 * accept, read, write, close. Another one makes the system calls besides by which a port is
 * seen to be free of TCP and UDP; no server that looks before it gives can do with less.
 *
 * Debian's portserver takes part if it is installed. The bare programs are this one, started
 * with -serve or -probe. Exit status as of `load`.
 */
#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIVAL        "/usr/bin/portserver"
#define REQUESTS     100 /* in a block */
#define ROUNDS       45
#define QUICK_ROUNDS 9
#define ROUNDS_MOST  100 /* the ports of a pool suffice for that, even if none came back */
#define READY_S      15
#define POOL         "15000-29999"
#define POOL_LOW     15000
#define POOL_HIGH    29999

enum side { SIDE_BARE, SIDE_PROBING, SIDE_MANAGER, SIDE_RIVAL, SIDES };

static const char *const side_names[SIDES] = {"bare", "probing bare", "manager", "portserver"};

/* ------------------------------------------------------- the bare programs -- */

static socklen_t fill_address(struct sockaddr_un *address, const char *name)
{
    size_t size = strlen(name);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size >= sizeof(address->sun_path)) {
        broken("%s is too long a name", name);
    }
    memcpy(address->sun_path + 1, name, size);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
}

static void probe(int type, int port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int off = 0;
    int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 && errno != EADDRINUSE) {
        system_failed("bind to port %d", port);
    }
    close(fd);
}

static int serve(const char *name, bool probes)
{
    struct sockaddr_un address;
    socklen_t size = fill_address(&address, name);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = POOL_HIGH;
    char bytes[64];

    if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, SOMAXCONN) != 0) {
        system_failed("@%s", name);
    }
    for (;; port = port == POOL_LOW ? POOL_HIGH : port - 1) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        int length = snprintf(bytes, sizeof(bytes), "%d\n", port);
        char request[64];

        if (fd < 0 || read(fd, request, sizeof(request)) < 0) {
            system_failed("a client of @%s", name);
        }
        if (probes) {
            probe(SOCK_DGRAM, port);
            probe(SOCK_STREAM, port);
        }
        if (write(fd, bytes, (size_t)length) != length) {
            system_failed("a client of @%s", name);
        }
        close(fd);
    }
}

/* ----------------------------------------------------------------- servers -- */

static const char *manager;

static struct {
    char name[64]; /* abstract, without its @ */
    pid_t pid;     /* 0: there is none */
} servers[SIDES];

static int try_connect(enum side side)
{
    struct sockaddr_un address;
    socklen_t size = fill_address(&address, servers[side].name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        system_failed("socket");
    }
    if (connect(fd, (struct sockaddr *)&address, size) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static void start(enum side side, char *const argv[])
{
    char answer[64];
    int fd;

    servers[side].pid = proc_spawn(argv, proc_folder(), -1, -1, true);
    proc_watch(READY_S);
    while ((fd = try_connect(side)) < 0) {
        proc_expect_alive(servers[side].pid, proc_folder());
        pause_ms(5);
    }
    /* A request that is none, which each of them answers in its way. */
    if (send(fd, "0\n", 2, MSG_NOSIGNAL) != 2 || recv(fd, answer, sizeof(answer), 0) < 0) {
        system_failed("%s", side_names[side]);
    }
    close(fd);
    proc_watch(0);
}

static void start_all(void)
{
    static const char *const files[] = {"-log", "-usagefile", "-portfile", "-pidfile",
                                        "-socket"};
    static char program[256];
    static char paths[COUNT_OF(files)][320];
    char address[80], rival_address[80];
    char *bare[] = {program, (char *)"-serve", servers[SIDE_BARE].name, NULL};
    char *probing[] = {program, (char *)"-probe", servers[SIDE_PROBING].name, NULL};
    char *rival[] = {(char *)RIVAL, (char *)"--portserver_static_pool",
                     (char *)POOL,  (char *)"--portserver_unix_socket_address",
                     rival_address, NULL};
    char *ours[20] = {(char *)manager, (char *)"-listen",     (char *)"0", (char *)"-ports",
                      (char *)POOL,    (char *)"-portserver", address};
    size_t n = 7;

    if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0) {
        system_failed("/proc/self/exe");
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%s", proc_folder(), files[i] + 1);
        ours[n++] = (char *)files[i];
        ours[n++] = paths[i];
    }
    for (size_t i = 0; i < SIDES; i++) {
        snprintf(servers[i].name, sizeof(servers[i].name), "portserver-bench-%ld-%zu",
                 (long)getpid(), i);
    }
    snprintf(address, sizeof(address), "@%s", servers[SIDE_MANAGER].name);
    snprintf(rival_address, sizeof(rival_address), "@%s", servers[SIDE_RIVAL].name);
    start(SIDE_BARE, bare);
    start(SIDE_PROBING, probing);
    start(SIDE_MANAGER, ours);
    if (access(RIVAL, X_OK) == 0) {
        start(SIDE_RIVAL, rival);
    } else {
        printf("(" RIVAL " is not there: install python3-portpicker)\n");
    }
}

/* ------------------------------------------------------------ measurements -- */

static void pick(enum side side, const char *request, size_t size, struct port_set *seen)
{
    char answer[64];
    size_t length = 0;
    ssize_t got;
    long port;
    int fd = try_connect(side);

    if (fd < 0 || send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
        system_failed("%s", side_names[side]);
    }
    while ((got = recv(fd, answer + length, sizeof(answer) - length - 1, 0)) > 0) {
        length += (size_t)got;
    }
    close(fd);
    answer[length] = '\0';
    port = strtol(answer, NULL, 10);
    if (port < POOL_LOW || port > POOL_HIGH || answer[length - 1] != '\n' ||
        (seen->bits[port / 64] & 1ull << port % 64) != 0) {
        broken("%s answered: %s", side_names[side], answer);
    }
    seen->bits[port / 64] |= 1ull << port % 64;
}

/* A process that has the ports of a block. */
static pid_t start_process(void)
{
    pid_t pid = fork();

    if (pid < 0) {
        system_failed("fork");
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            pause();
        }
    }
    return pid;
}

/* Microseconds a request. */
static double run(void *unused, unsigned side)
{
    static struct port_set seen;
    pid_t pid = start_process();
    char request[32];
    int size = snprintf(request, sizeof(request), "%ld\n", (long)pid);
    double begun_us, spent_us;

    (void)unused;
    memset(&seen, 0, sizeof(seen));
    proc_watch(READY_S);
    pick((enum side)side, request, (size_t)size, &seen);
    begun_us = now_us();
    for (int i = 0; i < REQUESTS; i++) {
        pick((enum side)side, request, (size_t)size, &seen);
    }
    spent_us = now_us() - begun_us;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    proc_watch(0);
    return spent_us / REQUESTS;
}

static void report(const struct config *config, struct contest *contest, enum side left,
                   enum side right)
{
    char name[80];
    struct row row = {.name = name,
                      .unit = "us",
                      .left_name = side_names[left],
                      .right_name = side_names[right],
                      .limit = left == SIDE_MANAGER && right == SIDE_RIVAL ? 1.0 : LIMIT_NONE};

    snprintf(name, sizeof(name), "portpicker request beside %s", side_names[right]);
    if (!config_selects(config, name)) {
        return;
    }
    row_head(side_names[left], side_names[right]);
    contest_compare(contest, left, right, &row);
    row_print(&row);
}

static void measure(const struct config *config)
{
    bool has_rival = servers[SIDE_RIVAL].pid != 0;
    struct contest contest = {.sides = has_rival ? SIDES : SIDE_RIVAL};

    for (unsigned round = 0; round < config->rounds; round++) {
        contest_round(&contest, run, NULL, round);
    }
    report(config, &contest, SIDE_MANAGER, SIDE_BARE);
    report(config, &contest, SIDE_MANAGER, SIDE_PROBING);
    if (has_rival) {
        report(config, &contest, SIDE_MANAGER, SIDE_RIVAL);
    }
    contest_deinit(&contest);
}

/* ------------------------------------------------------------------- start -- */

static const struct command command = {
    .program = "portserver-bench",
    .operand = "DAQPORTMANAGER",
    .rounds = ROUNDS,
    .quick_rounds = QUICK_ROUNDS,
    .rounds_most = ROUNDS_MOST,
};

int main(int argc, char **argv)
{
    struct config config = {0};
    struct utsname system;
    char machine[512];

    if (argc == 3 && (strcmp(argv[1], "-serve") == 0 || strcmp(argv[1], "-probe") == 0)) {
        return serve(argv[2], strcmp(argv[1], "-probe") == 0);
    }
    manager = command_parse(&command, &config, argc, argv);
    proc_init();
    proc_place(PLACE_ONE); /* else where the scheduler puts them is most of the result */
    uname(&system);
    snprintf(machine, sizeof(machine), "%u cores, %s %s %s, %d requests a block, %u rounds",
             proc_cores(), system.sysname, system.release, system.machine, REQUESTS,
             config.rounds);
    printf("%s\n", machine);
    start_all();
    measure(&config);
    for (size_t i = 0; i < SIDES; i++) {
        if (servers[i].pid != 0) {
            proc_stop(servers[i].pid);
        }
    }
    if (config.json != NULL && rows_write_json(config.json, machine) != 0) {
        system_failed("%s", config.json);
    }
    rows_deinit();
    return 0;
}
