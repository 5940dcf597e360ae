/* Sockets of this host and their processes. */

#include "ctl_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ON_PORT_MAX = 64 /* sockets of one port and kind that are looked at */ };

void ctl_sockets_deinit(struct ctl_sockets *sockets)
{
    free(sockets->sockets);
    *sockets = (struct ctl_sockets)CTL_SOCKETS_NULL;
}

/* ------------------------------------------------------------- processes -- */

uid_t ctl_process_user(pid_t pid)
{
    char path[32];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    return pid > 0 && stat(path, &status) == 0 ? status.st_uid : (uid_t)-1;
}

void ctl_user_name(uid_t uid, char name[CTL_SOCKETS_USER_BYTES])
{
    char strings[16 * 1024]; /* of a passwd entry; the user of a longer one is a number */
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(uid, &entry, strings, sizeof strings, &found) == 0 && found)
        snprintf(name, CTL_SOCKETS_USER_BYTES, "%s", entry.pw_name);
    else
        snprintf(name, CTL_SOCKETS_USER_BYTES, "uid:%lu", (unsigned long)uid);
}

/* Reads a file of /proc, at most `size` bytes with the NUL. */
static bool read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
    return length > 0;
}

/* Ticks from the start of the host to that of the process: field 22 of its stat; 0: unknown. */
static unsigned long long start_ticks(pid_t pid)
{
    char path[32];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!read_file(path, text, sizeof text))
        return 0;
    /* The name in parentheses may hold anything; field 3 is behind the last of them. */
    char *field = strrchr(text, ')');
    for (int i = 2; field && i < 22; ++i)
        field = strchr(field + 1, ' ');
    return field ? strtoull(field, NULL, 10) : 0;
}

void ctl_process_since(pid_t pid, char text[CTL_SOCKETS_TIME_BYTES])
{
    unsigned long long ticks = pid > 0 ? start_ticks(pid) : 0;
    long per_second = sysconf(_SC_CLK_TCK);
    struct timespec now;
    struct timespec running;
    struct tm broken;
    text[0] = '\0';
    if (ticks == 0 || per_second <= 0 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &running) != 0)
        return;
    time_t start =
        now.tv_sec - running.tv_sec + (time_t)(ticks / (unsigned long long)per_second);
    if (localtime_r(&start, &broken))
        strftime(text, CTL_SOCKETS_TIME_BYTES, "%Y-%m-%dT%H:%M:%S%z", &broken);
}

/* Fills in who has the sockets. Without /proc nobody is known. */
static int find_owners(struct ctl_sockets *sockets)
{
    struct pa_process_socket *wanted = calloc(sockets->count + 1, sizeof *wanted);
    if (!wanted)
        return -ENOMEM;
    for (size_t i = 0; i < sockets->count; ++i)
        wanted[i].inode = sockets->sockets[i].socket.inode;
    pa_process_find(wanted, sockets->count);
    for (size_t i = 0; i < sockets->count; ++i) {
        struct ctl_socket *one = &sockets->sockets[i];
        uid_t uid = ctl_process_user(wanted[i].pid);
        one->pid = wanted[i].pid;
        one->uid = uid == (uid_t)-1 ? one->socket.uid : uid;
        memcpy(one->program, wanted[i].name, sizeof one->program);
    }
    free(wanted);
    return 0;
}

/* --------------------------------------------------------------- sockets -- */

const char *ctl_socket_state(const struct pa_sockdiag_socket *socket)
{
    if (socket->state == PA_SOCKDIAG_STATE_LISTENING)
        return "listens";
    if (socket->state == PA_SOCKDIAG_STATE_OPEN)
        return "bound";
    return "connected";
}

static int append(struct ctl_sockets *sockets, const struct pa_sockdiag_socket *found,
                  size_t count)
{
    if (count == 0)
        return 0;
    struct ctl_socket *grown =
        realloc(sockets->sockets, (sockets->count + count) * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    sockets->sockets = grown;
    for (size_t i = 0; i < count; ++i)
        grown[sockets->count++] = (struct ctl_socket){.socket = found[i]};
    return 0;
}

static int ask(struct ctl_sockets *sockets, struct pa_sockdiag *diag, bool tcp, uint16_t port,
               uint32_t states)
{
    struct pa_sockdiag_socket found[ON_PORT_MAX];
    int r = pa_sockdiag_on_port(diag, tcp, port, states, found, ON_PORT_MAX);
    if (r < 0)
        return r;
    return append(sockets, found, r < ON_PORT_MAX ? (size_t)r : ON_PORT_MAX);
}

int ctl_sockets_on(struct ctl_sockets *sockets, uint16_t port)
{
    struct pa_sockdiag diag = PA_SOCKDIAG_NULL;
    *sockets = (struct ctl_sockets)CTL_SOCKETS_NULL;
    int r = ask(sockets, &diag, true, port, PA_SOCKDIAG_LISTENERS | PA_SOCKDIAG_BOUND);
    bool listens = false;
    for (size_t i = 0; i < sockets->count; ++i)
        listens |= sockets->sockets[i].socket.state == PA_SOCKDIAG_STATE_LISTENING;
    if (r == 0 && !listens)
        r = ask(sockets, &diag, true, port,
                PA_SOCKDIAG_ALIVE & ~(PA_SOCKDIAG_LISTENERS | PA_SOCKDIAG_BOUND));
    if (r == 0)
        r = ask(sockets, &diag, false, port, 0);
    if (r == 0)
        r = find_owners(sockets);
    pa_sockdiag_close(&diag);
    if (r < 0)
        ctl_sockets_deinit(sockets);
    return r;
}

struct collection {
    struct ctl_sockets *sockets;
    int error;
};

static void collect(void *context, const struct pa_sockdiag_socket *socket)
{
    struct collection *collection = context;
    if (collection->error == 0)
        collection->error = append(collection->sockets, socket, 1);
}

int ctl_sockets_services(struct ctl_sockets *sockets)
{
    struct pa_sockdiag diag = PA_SOCKDIAG_NULL;
    struct collection collection = {.sockets = sockets};
    *sockets = (struct ctl_sockets)CTL_SOCKETS_NULL;
    int r = pa_sockdiag_services(&diag, collect, &collection);
    pa_sockdiag_close(&diag);
    if (r >= 0)
        r = collection.error;
    if (r == 0)
        r = find_owners(sockets);
    if (r < 0)
        ctl_sockets_deinit(sockets);
    return r;
}

/* ---------------------------------------------------------------- hidden -- */

static int try_bind(int family, uint16_t port)
{
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    bool ipv6 = family == AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = ipv6 ? bind(fd, (const struct sockaddr *)&address6, sizeof address6)
                 : bind(fd, (const struct sockaddr *)&address4, sizeof address4);
    r = r < 0 ? -errno : 0;
    close(fd);
    return r;
}

int ctl_sockets_hidden(uint16_t port)
{
    int r = try_bind(AF_INET6, port); /* which takes IPv4, too */
    if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
        r = try_bind(AF_INET, port);
    return r == -EADDRINUSE ? 1 : r;
}
