/* plan.c - reading /etc/portreserve. A line's syntax is spec's. */
#include "plan.h"

#include "spec.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROBLEM_BYTES = 1024 };

/* What lasts for one plan_read(). */
struct reader {
    struct plan *plan;
    size_t entries_capacity;
    uint32_t *taken[TRANSPORTS]; /* by port: 1 + the index of the entry that has it */
    plan_problem *problem;
    void *context;
};

__attribute__((format(printf, 2, 3))) static void complain(struct reader *reader,
                                                           const char *format, ...)
{
    char text[PROBLEM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reader->plan->problems += 1;
    reader->problem(reader->context, text);
}

/* ------------------------------------------------------------- one file -- */

static uint16_t lookup_service(void *context, const char *service, enum transport transport)
{
    (void)context;
    const struct servent *entry = getservbyname(service, transport_name(transport));
    return entry ? ntohs((uint16_t)entry->s_port) : 0;
}

static int add_entry(struct reader *reader, struct plan_entry entry)
{
    struct plan *plan = reader->plan;
    uint32_t *taken = &reader->taken[entry.transport][entry.port];
    if (*taken != 0) {
        const struct plan_entry *first = &plan->entries[*taken - 1];
        complain(reader, "%s: line %u: %u/%s is reserved already, by %s, line %u",
                 plan->clients[entry.client].name, entry.line, (unsigned)entry.port,
                 transport_name(entry.transport), plan->clients[first->client].name,
                 first->line);
        return 0;
    }
    if (plan->entries_count == reader->entries_capacity) {
        size_t capacity = reader->entries_capacity * 2 + 16;
        struct plan_entry *entries = realloc(plan->entries, capacity * sizeof *entries);
        if (!entries)
            return -ENOMEM;
        plan->entries = entries;
        reader->entries_capacity = capacity;
    }
    plan->entries[plan->entries_count++] = entry;
    *taken = (uint32_t)plan->entries_count;
    return 0;
}

static int read_line(struct reader *reader, uint32_t client, unsigned number, const char *line,
                     size_t size)
{
    struct spec spec;
    char error[PROBLEM_BYTES / 2];
    if (spec_parse(line, size, lookup_service, NULL, &spec, error, sizeof error) != 0)
        complain(reader, "%s: line %u: %s", reader->plan->clients[client].name, number, error);
    for (size_t i = 0; i < spec.count; ++i) {
        struct plan_entry entry = {spec.ports[i].port, spec.ports[i].transport, client, number};
        int r = add_entry(reader, entry);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_lines(struct reader *reader, uint32_t client, const char *text, size_t size)
{
    size_t entries = reader->plan->entries_count;
    size_t problems = reader->plan->problems;
    const char *end = text + size;
    for (unsigned number = 1; text < end; ++number) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        int r = read_line(reader, client, number, text, (size_t)(stop - text));
        if (r < 0)
            return r;
        text = stop + 1;
    }
    if (reader->plan->entries_count == entries && reader->plan->problems == problems)
        complain(reader, "%s: reserves nothing", reader->plan->clients[client].name);
    return 0;
}

/* Reads at most `capacity` bytes. 0 or a negative errno. */
static int read_whole(int fd, char *bytes, size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity) {
        ssize_t n = read(fd, bytes + *size, capacity - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        *size += (size_t)n;
    }
    return -EFBIG;
}

static int read_open_file(struct reader *reader, uint32_t index, int fd)
{
    struct plan_client *client = &reader->plan->clients[index];
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    client->owner = st.st_uid;
    client->group = st.st_gid;
    client->group_may = (st.st_mode & S_IWGRP) != 0;
    if (!S_ISREG(st.st_mode)) {
        complain(reader, "%s: not a regular file", client->name);
        client->unreadable = true;
        return 0;
    }
    char *text = malloc(PLAN_FILE_MAX_BYTES + 1);
    if (!text)
        return -ENOMEM;
    size_t size;
    int r = read_whole(fd, text, PLAN_FILE_MAX_BYTES + 1, &size);
    if (r == 0) {
        r = read_lines(reader, index, text, size);
    } else {
        complain(reader, "%s: %s", client->name,
                 r == -EFBIG ? "larger than 1 MiB" : strerror(-r));
        client->unreadable = true;
        r = 0;
    }
    free(text);
    return r;
}

static int read_file(struct reader *reader, int folder, uint32_t index)
{
    struct plan_client *client = &reader->plan->clients[index];
    /* A FIFO in the folder is not waited for. */
    int fd = openat(folder, client->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        complain(reader, "%s: %s", client->name, strerror(errno));
        client->unreadable = true;
        return 0;
    }
    int r = read_open_file(reader, index, fd);
    close(fd);
    return r;
}

/* ------------------------------------------------------------ the folder -- */

static int add_client(struct plan *plan, size_t *capacity, const char *name)
{
    if (plan->clients_count == *capacity) {
        size_t larger = *capacity * 2 + 16;
        struct plan_client *clients = realloc(plan->clients, larger * sizeof *clients);
        if (!clients)
            return -ENOMEM;
        plan->clients = clients;
        *capacity = larger;
    }
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    plan->clients[plan->clients_count++] = (struct plan_client){.name = copy};
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct plan_client *left = a;
    const struct plan_client *right = b;
    return strcmp(left->name, right->name);
}

/* The files' names, sorted. */
static int list_folder(struct plan *plan, DIR *directory)
{
    size_t capacity = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            break;
        if (strpbrk(entry->d_name, ".~"))
            continue;
        int r = add_client(plan, &capacity, entry->d_name);
        if (r < 0)
            return r;
    }
    if (errno != 0)
        return -errno;
    if (plan->clients_count > 0)
        qsort(plan->clients, plan->clients_count, sizeof *plan->clients, compare);
    return 0;
}

static int read_files(struct reader *reader, int folder)
{
    for (int i = 0; i < TRANSPORTS; ++i) {
        reader->taken[i] = calloc(UINT16_MAX + 1, sizeof *reader->taken[i]);
        if (!reader->taken[i])
            return -ENOMEM;
    }
    for (size_t i = 0; i < reader->plan->clients_count; ++i) {
        int r = read_file(reader, folder, (uint32_t)i);
        if (r < 0)
            return r;
    }
    return 0;
}

int plan_read(struct plan *plan, const char *folder, plan_problem *problem, void *context)
{
    struct reader reader = {.plan = plan, .problem = problem, .context = context};
    DIR *directory = opendir(folder);
    if (!directory)
        return -errno;
    int r = list_folder(plan, directory);
    if (r == 0)
        r = read_files(&reader, dirfd(directory));
    closedir(directory);
    for (int i = 0; i < TRANSPORTS; ++i)
        free(reader.taken[i]);
    if (r < 0)
        plan_deinit(plan);
    return r;
}

static int compare_name(const void *name, const void *client)
{
    return strcmp(name, ((const struct plan_client *)client)->name);
}

const struct plan_client *plan_find(const struct plan *plan, const char *name)
{
    if (plan->clients_count == 0)
        return NULL;
    return bsearch(name, plan->clients, plan->clients_count, sizeof *plan->clients,
                   compare_name);
}

void plan_deinit(struct plan *plan)
{
    for (size_t i = 0; i < plan->clients_count; ++i)
        free(plan->clients[i].name);
    free(plan->clients);
    free(plan->entries);
    *plan = (struct plan)PLAN_NULL;
}
