/*
 * greeter NAME: a service that greets each client, on a port from the port manager.
 * greeter -find NAME: prints port and user of each service of that name.
 * greeter -watch NAME: the same as services come and go, until its standard input ends.
 *
 * cc greeter.c `pkg-config --cflags --libs portallocator`
 *
 * The service ends with its standard input. So does its port, whose attributes tell how
 * many clients were greeted.
 */

#include <portallocator.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int complain(const struct portallocator *allocator)
{
    fprintf(stderr, "greeter: %s\n", portallocator_error_text(allocator));
    return 1;
}

static int find(struct portallocator *allocator, const char *name)
{
    struct portallocator_ports *ports;
    struct portallocator_entry entry = PORTALLOCATOR_ENTRY_INIT;
    if (portallocator_find(allocator, name, NULL, &ports) != PORTALLOCATOR_OK)
        return complain(allocator);
    for (size_t i = 0; portallocator_ports_get(ports, i, &entry) == PORTALLOCATOR_OK; ++i)
        printf("%u %s\n", entry.port, entry.user);
    portallocator_ports_free(ports);
    return 0;
}

static void show(const struct portallocator_event *event)
{
    static const char *const kinds[] = {[PORTALLOCATOR_SNAPSHOT] = "there",
                                        [PORTALLOCATOR_ADD] = "new",
                                        [PORTALLOCATOR_REMOVE] = "gone",
                                        [PORTALLOCATOR_CHANGE] = "changed"};
    struct portallocator_entry entry = PORTALLOCATOR_ENTRY_INIT;
    if (event->kind == PORTALLOCATOR_SNAPSHOT)
        printf("services %zu\n", portallocator_ports_count(event->ports));
    for (size_t i = 0; portallocator_ports_get(event->ports, i, &entry) == PORTALLOCATOR_OK;
         ++i)
        printf("%s %u %s {%s}\n", kinds[event->kind], entry.port, entry.user, entry.attributes);
}

static int watch_services(struct portallocator *allocator, const char *name)
{
    struct portallocator_watch *watch;
    struct portallocator_event event = PORTALLOCATOR_EVENT_INIT;
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
    if (portallocator_watch(allocator, name, NULL, &watch) != PORTALLOCATOR_OK)
        return complain(allocator);
    fds[1].fd = portallocator_watch_fd(watch);
    while (poll(fds, 2, -1) > 0 && !fds[0].revents) {
        int code;
        while ((code = portallocator_watch_next(watch, 0, &event)) != PORTALLOCATOR_TIMEOUT)
            if (code == PORTALLOCATOR_OK)
                show(&event);
            else
                printf("lost: %s\n", portallocator_watch_error_text(watch));
        fflush(stdout);
    }
    portallocator_watch_free(watch);
    return 0;
}

static void greet(int listener, const char *name)
{
    char text[256];
    int client = accept(listener, NULL, NULL);
    if (client < 0)
        return;
    int size = snprintf(text, sizeof text, "hello from %s\n", name);
    send(client, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1,
         MSG_NOSIGNAL);
    close(client);
}

static int serve(struct portallocator *allocator, const char *name)
{
    struct portallocator_grant grant = PORTALLOCATOR_GRANT_INIT;
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
    if (portallocator_listen(allocator, name, NULL, &grant, &fds[1].fd) != PORTALLOCATOR_OK)
        return complain(allocator);
    printf("%s listens on port %u\n", grant.name, grant.port);
    fflush(stdout);
    unsigned port = grant.port;
    char own[256]; /* the strings of the grant are valid until the next call */
    snprintf(own, sizeof own, "%s", grant.name);
    for (unsigned greeted = 1; poll(fds, 2, -1) > 0 && !fds[0].revents; ++greeted) {
        char attributes[32];
        greet(fds[1].fd, own);
        snprintf(attributes, sizeof attributes, "greeted %u", greeted);
        portallocator_change(allocator, port, attributes);
    }
    close(fds[1].fd);
    return 0;
}

int main(int argc, char **argv)
{
    int finds = argc == 3 && strcmp(argv[1], "-find") == 0;
    int watches = argc == 3 && strcmp(argv[1], "-watch") == 0;
    if (argc != 2 && !finds && !watches) {
        fprintf(stderr, "usage: greeter NAME, or greeter -find NAME, or greeter -watch NAME\n");
        return 100;
    }
    struct portallocator *allocator = portallocator_new(NULL, 0);
    if (!allocator)
        return 111;
    int code = watches ? watch_services(allocator, argv[2])
               : finds ? find(allocator, argv[2])
                       : serve(allocator, argv[1]);
    portallocator_free(allocator);
    return code;
}
