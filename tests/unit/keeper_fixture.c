/* A keeper, its files in the scratch folder, and its log in a file there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "keeper_fixture.h"
#include "scratch.h"

#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOG_FILE "keeper.log" /* no client's, for its dot */

struct keeper keeper;
char refusal[512];
struct keeper_served *served;
size_t served_count;
const struct keeper_peer root_peer = {.uid = 0};

static struct log keeper_log;

int keeper_own_network(void **state)
{
    (void)state;
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (unshare(CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0) {
        print_message("this user may have no network of his own: others are in this one\n");
        return 0;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int r = ioctl(fd, SIOCSIFFLAGS, &loopback);
    close(fd);
    return r;
}

int keeper_set_up(void **state)
{
    if (scratch_set_up(state) != 0)
        return -1;
    served = NULL;
    served_count = 0;
    refusal[0] = '\0';
    keeper_init(&keeper, &(struct keeper_config){.log = &keeper_log});
    return log_open(&keeper_log, scratch_path(LOG_FILE));
}

int keeper_tear_down(void **state)
{
    give_back();
    keeper_deinit(&keeper);
    log_deinit(&keeper_log);
    return scratch_tear_down(state);
}

static void log_problem(void *context, const char *text)
{
    log_write(context, LOG_LEVEL_ERROR, NULL, "%s", text);
}

void keeper_read(struct plan *plan)
{
    *plan = (struct plan)PLAN_NULL;
    assert_int_equal(plan_read(plan, scratch_folder(), log_problem, &keeper_log), 0);
}

void keeper_read_again(void)
{
    struct plan plan;
    keeper_read(&plan);
    assert_int_equal(keeper_load(&keeper, &plan), 0);
    assert_null(plan.clients);
    assert_null(plan.entries);
}

void keeper_start(bool keep, uint64_t grace_ms)
{
    struct keeper_config config = {.keep = keep, .grace_ms = grace_ms, .log = &keeper_log};
    keeper_init(&keeper, &config);
    keeper_read_again();
}

static int bind_alone(uint16_t port, enum transport transport)
{
    return take_port("::", port, transport == TRANSPORT_UDP ? DATAGRAM : 0);
}

bool is_open(uint16_t port, enum transport transport)
{
    int fd = bind_alone(port, transport);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

uint16_t free_port(void)
{
    uint16_t port;
    do
        port = quiet_port();
    while (!is_open(port, TRANSPORT_UDP));
    return port;
}

void client_file(const char *name, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    scratch_write(name, text);
}

int service(uint16_t port, int how)
{
    int fd = take_port("0.0.0.0", port, how);
    assert_true(fd >= 0);
    return fd;
}

struct keeper_unit *unit_of(uint16_t port, enum transport transport)
{
    for (size_t i = 0; i < keeper.units_count; ++i)
        if (keeper.units[i].port == port && keeper.units[i].transport == transport)
            return &keeper.units[i];
    return NULL;
}

void assert_state(uint16_t port, enum transport transport, enum keeper_state state)
{
    const struct keeper_unit *unit = unit_of(port, transport);
    assert_non_null(unit);
    assert_string_equal(keeper_state_name(unit->state), keeper_state_name(state));
    bool held = state == KEEPER_HELD || state == KEEPER_HANDED_OVER;
    assert_int_equal(unit->hold.fd >= 0, held);
}

uint16_t start_one(bool keep, enum transport transport)
{
    uint16_t port = free_port();
    client_file("cups", "%u/%s\n", port, transport_name(transport));
    keeper_start(keep, GRACE_MS);
    assert_state(port, transport, KEEPER_HELD);
    return port;
}

bool connects(const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    int r = connect(fd, (const struct sockaddr *)&address, size);
    close(fd);
    return r == 0;
}

bool arrives(int fd, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = fill_address(&address, host, port);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte;
    int from = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(from, "x", 1, 0, (const struct sockaddr *)&address, size), 1);
    close(from);
    return poll(&poll_fd, 1, 1000) == 1 && recv(fd, &byte, 1, 0) == 1;
}

size_t logged(const char *format, ...)
{
    char line[512] = " ";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + 1, sizeof line - 2, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    log_flush(&keeper_log);
    size_t count = 0;
    for (const char *at = scratch_read(LOG_FILE); (at = strstr(at, line)) != NULL; ++at)
        ++count;
    return count;
}

int release(const char *name, uint64_t now_ms)
{
    return keeper_release(&keeper, name, &root_peer, now_ms, refusal, sizeof refusal);
}

int take(const char *name)
{
    give_back();
    return keeper_take(&keeper, name, &root_peer, &served, &served_count, refusal,
                       sizeof refusal);
}

void give_back(void)
{
    while (served_count > 0)
        close(served[--served_count].fd);
    free(served);
    served = NULL;
}
