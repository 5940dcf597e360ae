/* A process that survives. */

#include "kill_helper.h"

#include "kill_report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ports.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* ----------------------------------------------------------------- deeds -- */

static struct answer *disposing; /* what dispose() adds to */

static int dispose(long msg)
{
    if (disposing->n < HELPER_MESSAGES)
        disposing->msgs[disposing->n] = msg;
    disposing->n += 1;
    return 0;
}

static void take(struct answer *answer, long msg)
{
    disposing = answer;
    dispose(msg);
}

static void fill(const struct order *order, struct answer *answer)
{
    long sent = 0;
    while (sent < HELPER_MESSAGES && ptrysend(order->id, order->msg + sent) == 0)
        sent += 1;
    answer->error = errno;
    answer->result = answer->error == EAGAIN ? sent : -1;
}

static void drain(int id, struct answer *answer)
{
    long msg;
    while (ptryreceive(id, &msg) == 0)
        take(answer, msg);
    answer->error = errno;
    answer->result = answer->error == EAGAIN ? answer->n : -1;
}

static void watch(int id, struct answer *answer)
{
    struct pollfd wait = {.fd = pgetfd(id), .events = POLLIN};
    if (wait.fd < 0) {
        answer->result = -1;
        answer->error = errno;
        return;
    }
    drain(id, answer);
    /* An early ring is allowed: then there is nothing, and it is waited for again. */
    while (answer->n == 0 && answer->result == 0 && poll(&wait, 1, -1) == 1)
        drain(id, answer);
    close(wait.fd);
}

static void clear(struct answer *answer)
{
    long deleted = 0;
    int id = 0;
    disposing = answer;
    while ((id = pnext(id)) > 0)
        deleted += pdelete(id, dispose) == 0;
    answer->error = errno;
    answer->result = answer->error == ENOENT ? deleted : -1;
    pnext(0); /* removes what those who were killed left of ports that they did not finish */
}

static void look(int id, struct answer *answer)
{
    struct portstat status;
    answer->result = pstat(id, &status);
    answer->error = errno;
    if (answer->result == 0)
        answer->result = status.count;
}

static void receive(int (*call)(int, long *), int id, struct answer *answer)
{
    long msg;
    answer->result = call(id, &msg);
    answer->error = errno;
    if (answer->result == 0)
        take(answer, msg);
}

/* The calls whose answer is what they return. */
static long call(const struct order *order, struct answer *answer)
{
    switch (order->deed) {
    case DO_SEND:
        return psend(order->id, order->msg);
    case DO_TRYSEND:
        return ptrysend(order->id, order->msg);
    case DO_COUNT:
        return pgetcount(order->id);
    case DO_CREATE:
        return pcreate((int)order->msg);
    case DO_BIND:
        return pbind(order->id, order->name);
    case DO_FIND:
        return pgetport(order->name);
    case DO_NAMED:
        return pcreate_named((int)order->msg, order->name, 0, 0600);
    case DO_NAMED_NEW:
        return pcreate_named((int)order->msg, order->name, O_EXCL, 0600);
    case DO_DELETE:
        disposing = answer;
        return pdelete(order->id, dispose);
    default:
        abort();
    }
}

static void carry_out(const struct order *order, struct answer *answer)
{
    *answer = (struct answer){0};
    errno = 0;
    switch (order->deed) {
    case DO_RECEIVE:
        receive(preceive_r, order->id, answer);
        break;
    case DO_TRYRECEIVE:
        receive(ptryreceive, order->id, answer);
        break;
    case DO_FILL:
        fill(order, answer);
        break;
    case DO_DRAIN:
        drain(order->id, answer);
        break;
    case DO_WATCH:
        watch(order->id, answer);
        break;
    case DO_LOOK:
        look(order->id, answer);
        break;
    case DO_CLEAR:
        clear(answer);
        break;
    default:
        answer->result = call(order, answer);
        answer->error = errno;
        break;
    }
}

/* --------------------------------------------------------------- process -- */

static void serve(int socket)
{
    struct order order;
    struct answer answer;
    while (recv(socket, &order, sizeof order, 0) == sizeof order) {
        carry_out(&order, &answer);
        if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer)
            break;
    }
    _exit(0);
}

void helper_start(struct helper *helper, const char *title)
{
    int pair[2];
    fflush(NULL);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        perror("socketpair");
        exit(111);
    }
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(111);
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        serve(pair[1]);
    }
    close(pair[1]);
    *helper = (struct helper){title, pid, pair[0], false};
}

void helper_end(struct helper *helper)
{
    kill(helper->pid, SIGKILL);
    while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(helper->socket);
}

void helper_order(struct helper *helper, struct order order)
{
    while (send(helper->socket, &order, sizeof order, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
    helper->busy = true;
}

bool helper_answer(struct helper *helper, struct answer *answer, int ms)
{
    long until = report_ms() + ms;
    struct pollfd wait = {.fd = helper->socket, .events = POLLIN};
    for (;;) {
        long left = until - report_ms();
        int r = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (r == 0 && report_ms() >= until)
            return false;
        if (r == 1)
            break;
    }
    helper->busy = false;
    return recv(helper->socket, answer, sizeof *answer, 0) == sizeof *answer;
}

bool helper_do(struct helper *helper, struct order order, struct answer *answer)
{
    helper_order(helper, order);
    return helper_answer(helper, answer, PATIENCE_MS);
}

bool helper_is_asleep(pid_t pid)
{
    char path[32], text[64] = "";
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0 || text[0] < '0' || text[0] > '9')
        return false;
    long number = strtol(text, NULL, 10);
    return number == SYS_futex || number == SYS_futex_waitv || number == SYS_poll ||
           number == SYS_ppoll;
}

bool helper_await_asleep(const struct helper *helper)
{
    long until = report_ms() + PATIENCE_MS;
    while (!helper_is_asleep(helper->pid)) {
        if (report_ms() > until)
            return false;
        sched_yield();
    }
    return true;
}
