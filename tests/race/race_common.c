/* race_common.c - trouble, connections, and swarms of processes. */

#include "race.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

noreturn void race_die(const char *what)
{
    fprintf(stderr, "race-helper: %s: %s\n", what, strerror(errno));
    exit(1);
}

noreturn void race_die_of(const char *what, const struct pa_failure *why)
{
    fprintf(stderr, "race-helper: %s: %s\n", what, why->text);
    exit(1);
}

unsigned race_number(const char *word)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(word, &end, 10);
    if (errno == 0 && (*end || end == word || value > UINT32_MAX))
        errno = EINVAL;
    if (errno != 0)
        race_die(word);
    return (unsigned)value;
}

/* ----------------------------------------------------------- connections -- */

struct pa_call *race_client(void)
{
    struct pa_failure why;
    struct pa_call *call = pa_call_new(NULL, 0);
    if (!call)
        race_die("new client");
    if (pa_call_open(call, RACE_TIMEOUT_MS, &why) != 0)
        race_die_of("open", &why);
    return call;
}

static int connect_to(int family, const void *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        race_die("socket");
    while (connect(fd, address, size) < 0)
        if (errno != EINTR)
            race_die("connect");
    return fd;
}

int race_connect(const char *target, unsigned turn)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in tcp = {.sin_family = AF_INET};
    if (*target == '/') {
        snprintf(path.sun_path, sizeof path.sun_path, "%s", target);
        return connect_to(AF_UNIX, &path, sizeof path);
    }
    /* 127.1.0.1, 127.1.1.1, ...: so many connections each. */
    enum { PER_ADDRESS = 5000 };
    tcp.sin_port = htons((uint16_t)race_number(target));
    tcp.sin_addr.s_addr = htonl(0x7f010001u + (turn / PER_ADDRESS << 8));
    return connect_to(AF_INET, &tcp, sizeof tcp);
}

void race_send(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return;
        if (n < 0 && errno != EINTR)
            race_die("send");
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

/* ----------------------------------------------------------------- swarms -- */

void *race_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        race_die("mmap");
    return memory;
}

static pid_t start(unsigned index, int (*body)(unsigned index, void *context), void *context)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        race_die("fork");
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    exit(body(index, context));
}

/* Forgets a process that has been waited for. */
static void strike_out(pid_t *pids, unsigned count, pid_t pid)
{
    for (unsigned i = 0; i < count; ++i)
        if (pids[i] == pid)
            pids[i] = 0;
}

static void end_all(const pid_t *pids, unsigned count)
{
    for (unsigned i = 0; i < count; ++i)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
}

int race_swarm(unsigned count, int (*body)(unsigned index, void *context), void *context)
{
    bool failed = false;
    pid_t *pids = calloc(count, sizeof *pids);
    if (!pids)
        race_die("calloc");
    fflush(stdout);
    for (unsigned i = 0; i < count; ++i)
        pids[i] = start(i, body, context);
    for (unsigned left = count; left > 0; --left) {
        int status;
        pid_t pid = wait(&status);
        if (pid < 0)
            race_die("wait");
        strike_out(pids, count, pid);
        if (status != 0 && !failed) {
            failed = true;
            end_all(pids, count);
        }
    }
    free(pids);
    return failed;
}
