/* The checks of portctl doctor that look at this host. */

#include "ctl_doctor.h"
#include "ctl_sockets.h"
#include "pa_socket.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------- range -- */

static const char range_path[] = "/proc/sys/net/ipv4/ip_local_port_range";
static const char reserved_path[] = "/proc/sys/net/ipv4/ip_local_reserved_ports";

/* The line of a file, which is the caller's to free; NULL: it cannot be read. */
static char *line_of(const char *path)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    if (getline(&line, &size, file) < 0) {
        free(line);
        line = NULL;
    }
    fclose(file);
    return line;
}

/* The next range of a list such as 8080,9000-9010; *rest moves behind it. False at the end. */
static bool next_range(const char **rest, unsigned long *low, unsigned long *high)
{
    char *end;
    if (**rest < '0' || **rest > '9')
        return false;
    *low = strtoul(*rest, &end, 10);
    *high = *end == '-' ? strtoul(end + 1, &end, 10) : *low;
    *rest = end + (*end == ',');
    return true;
}

static bool is_in(const char *ranges, unsigned long port)
{
    unsigned long low, high;
    while (next_range(&ranges, &low, &high))
        if (port >= low && port <= high)
            return true;
    return false;
}

static bool is_told(const struct ctl_doctor *doctor)
{
    return doctor->told && *doctor->stats.managed;
}

static void note_port(struct ctl_doctor *doctor, unsigned long port)
{
    doctor->managed_count += !doctor->managed[port];
    doctor->managed[port] = true;
}

void ctl_doctor_learn_ports(struct ctl_doctor *doctor)
{
    const char *rest = doctor->told ? doctor->stats.managed : "";
    unsigned long low, high;
    while (next_range(&rest, &low, &high))
        for (unsigned long port = low; port <= high && port <= UINT16_MAX; ++port)
            note_port(doctor, port);
    if (doctor->tried > 0)
        note_port(doctor, doctor->tried);
    for (size_t i = 0; i < doctor->listing.count; ++i)
        note_port(doctor, doctor->listing.entries[i].port);
}

struct kernel {
    unsigned long low; /* the range of which the kernel takes ports */
    unsigned long high;
    char *reserved; /* but not these; owned */
};

static bool read_kernel(struct kernel *kernel)
{
    char *range = line_of(range_path);
    char *end = NULL;
    kernel->reserved = line_of(reserved_path);
    if (range) {
        kernel->low = strtoul(range, &end, 10);
        kernel->high = strtoul(end, NULL, 10);
    }
    free(range);
    return range && kernel->reserved && kernel->high > 0;
}

static bool is_taken(const struct kernel *kernel, uint16_t port)
{
    return port >= kernel->low && port <= kernel->high && !is_in(kernel->reserved, port);
}

static void say_range(struct ctl_doctor *doctor, const struct kernel *kernel)
{
    const char *which = is_told(doctor) ? "" : "known ";
    unsigned example = 0;
    size_t count = 0;
    for (unsigned port = UINT16_MAX; port > 0; --port)
        if (doctor->managed[port] && is_taken(kernel, (uint16_t)port)) {
            example = port;
            ++count;
        }
    if (count > 0)
        ctl_doctor_say(doctor, CTL_FAULT, "range",
                       "add the manager's ports to net.ipv4.ip_local_reserved_ports, see "
                       "sysctl(8), or start it with other -ports",
                       "%zu of the manager's %zu %sports, %u for one, are in the range of "
                       "which the kernel takes ports for connections, %lu to %lu",
                       count, doctor->managed_count, which, example, kernel->low, kernel->high);
    else if (doctor->managed_count > 0)
        ctl_doctor_say(doctor, CTL_OK, "range", NULL,
                       "the kernel takes none of the manager's %zu %sports for connections",
                       doctor->managed_count, which);
    else
        ctl_doctor_say(doctor, CTL_NOTE, "range",
                       "compare -ports of the manager with net.ipv4.ip_local_port_range",
                       "no port of the manager is known: it does not tell which it has");
}

void ctl_doctor_range(struct ctl_doctor *doctor)
{
    struct kernel kernel = {.low = 0};
    if (read_kernel(&kernel))
        say_range(doctor, &kernel);
    else
        ctl_doctor_say(doctor, CTL_NOTE, "range", "see that /proc is mounted",
                       "%s and %s cannot be read", range_path, reserved_path);
    free(kernel.reserved);
}

/* ------------------------------------------------------------- strangers -- */

enum { LISTENER_BYTES = CTL_SOCKETS_USER_BYTES + PA_PROCESS_NAME_BYTES + 64 };

/* Whose port it is, as a user of this host; (uid_t)-1: the name is nobody's here. */
static uid_t holder_of(const struct pa_listing_entry *entry)
{
    char name[CTL_SOCKETS_USER_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)entry->user_size, entry->user);
    const struct passwd *found = getpwnam(name);
    if (found)
        return found->pw_uid;
    return strncmp(name, "uid:", 4) == 0 ? (uid_t)strtoul(name + 4, NULL, 10) : (uid_t)-1;
}

/*
 * Sockets that the manager made, for LISTEN, are its own or its user's as long as
 * their process is not seen.
 */
static bool is_stranger(const struct ctl_doctor *doctor, const struct ctl_socket *socket,
                        const struct pa_listing_entry *entry)
{
    pid_t manager = (pid_t)doctor->stats.pid;
    uid_t holder = holder_of(entry);
    if (!socket->socket.tcp || holder == (uid_t)-1 || socket->uid == holder)
        return false;
    if (socket->pid == 0)
        return manager == 0 || socket->uid != ctl_process_user(manager);
    return socket->pid != manager;
}

/* On a port that nobody was given, every socket of another process is a stranger's. */
static bool is_squatter(const struct ctl_doctor *doctor, const struct ctl_socket *socket)
{
    pid_t manager = (pid_t)doctor->stats.pid;
    if (!socket->socket.tcp || !doctor->managed[socket->socket.port])
        return false;
    if (socket->pid == 0)
        return manager == 0 || socket->uid != ctl_process_user(manager);
    return socket->pid != manager;
}

/* Who listens, as text. */
static void name_listener(const struct ctl_socket *socket, char text[LISTENER_BYTES])
{
    char user[CTL_SOCKETS_USER_BYTES];
    ctl_user_name(socket->uid, user);
    if (socket->pid > 0)
        snprintf(text, LISTENER_BYTES, "%s of %s, process %ld,", socket->program, user,
                 (long)socket->pid);
    else
        snprintf(text, LISTENER_BYTES, "a program of %s", user);
}

static void say_stranger(struct ctl_doctor *doctor, const struct ctl_socket *socket,
                         const struct pa_listing_entry *entry)
{
    char listener[LISTENER_BYTES];
    name_listener(socket, listener);
    ctl_doctor_say(doctor, CTL_FAULT, "strangers",
                   "end that program, or the service, which then gets another port; `portctl "
                   "why` tells more",
                   "port %u is of %.*s of %.*s, but %s listens on it", (unsigned)entry->port,
                   (int)entry->name_size, entry->name, (int)entry->user_size, entry->user,
                   listener);
}

static void say_squatter(struct ctl_doctor *doctor, const struct ctl_socket *socket)
{
    char listener[LISTENER_BYTES];
    name_listener(socket, listener);
    ctl_doctor_say(doctor, CTL_NOTE, "strangers",
                   "the manager passes that port over; end the program, or start the manager "
                   "with other -ports",
                   "port %u is allocated to nobody, but %s listens on it",
                   (unsigned)socket->socket.port, listener);
}

/* How many there are. A program that listens on IPv4 and IPv6 is one. */
static size_t say_strangers(struct ctl_doctor *doctor, const struct ctl_sockets *sockets,
                            const struct pa_listing_entry **by_port)
{
    size_t count = 0;
    for (size_t i = 0; i < doctor->listing.count; ++i)
        by_port[doctor->listing.entries[i].port] = &doctor->listing.entries[i];
    for (size_t i = 0; i < sockets->count; ++i) {
        const struct ctl_socket *socket = &sockets->sockets[i];
        const struct pa_listing_entry *entry = by_port[socket->socket.port];
        if (entry && is_stranger(doctor, socket, entry)) {
            say_stranger(doctor, socket, entry);
            ++count;
        } else if (!entry && is_squatter(doctor, socket)) {
            say_squatter(doctor, socket);
            doctor->managed[socket->socket.port] = false;
            ++count;
        }
    }
    return count;
}

void ctl_doctor_strangers(struct ctl_doctor *doctor)
{
    const struct pa_listing_entry **by_port = calloc(UINT16_MAX + 1, sizeof(*by_port));
    struct ctl_sockets sockets = CTL_SOCKETS_NULL;
    int r = ctl_sockets_services(&sockets);
    if (!by_port)
        doctor->report.failed = true;
    else if (r < 0)
        ctl_doctor_say(doctor, CTL_NOTE, "strangers", "see that the kernel has tcp_diag",
                       "the kernel does not tell its sockets: %s", pa_socket_reason(-r));
    else if (say_strangers(doctor, &sockets, by_port) == 0)
        ctl_doctor_say(doctor, CTL_OK, "strangers", NULL,
                       "no stranger listens on a port of the manager");
    ctl_sockets_deinit(&sockets);
    free(by_port);
}

/* ----------------------------------------------------------- descriptors -- */

enum { FULL_PERCENT = 80 };

/* The soft limit on open files of a process; 0: not known. */
static unsigned long long limit_of(unsigned long long pid)
{
    static const char heading[] = "Max open files";
    char path[48];
    char line[256];
    unsigned long long limit = 0;
    snprintf(path, sizeof path, "/proc/%llu/limits", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    while (limit == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, heading, sizeof heading - 1) == 0)
            limit = strtoull(line + sizeof heading - 1, NULL, 10);
    fclose(file);
    return limit;
}

void ctl_doctor_descriptors(struct ctl_doctor *doctor)
{
    const struct pa_stats *stats = &doctor->stats;
    unsigned long long used = stats->connections + stats->held;
    unsigned long long limit = doctor->told ? limit_of(stats->pid) : 0;
    if (limit == 0)
        ctl_doctor_say(doctor, CTL_NOTE, "descriptors",
                       "see /proc/PID/limits of the manager, as root",
                       "the manager's limit on open files is not known");
    else if (used * 100 >= limit * FULL_PERCENT)
        ctl_doctor_say(
            doctor, CTL_FAULT, "descriptors",
            "start the manager with a higher limit: ulimit -n, or LimitNOFILE in its "
            "unit",
            "%llu connections and held ports leave little of the manager's %llu open "
            "files",
            used, limit);
    else
        ctl_doctor_say(doctor, CTL_OK, "descriptors", NULL,
                       "%llu connections and held ports, and %llu open files are allowed", used,
                       limit);
}
