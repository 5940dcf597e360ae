/*
 * ports_bench_kernel - the kernel's queues: POSIX mq, SysV, pipe; messages of 8 bytes.
 */
#include "ports_bench_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#define PAGE_BYTES   4096 /* the least a pipe can be made to hold */
#define MQ_MOST_FILE "/proc/sys/fs/mqueue/msg_max"
#define SYSV_FILE    "/proc/sys/kernel/msgmnb"
#define MQ_MOST      "65536\n"   /* messages; the kernel's HARD_MSGMAX */
#define SYSV_BYTES   "1048576\n" /* in a queue */

static void write_file(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);

    if (file < 0 || write(file, text, strlen(text)) < 0) {
        fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
    }
    if (file >= 0) {
        close(file);
    }
}

void kernel_queues_init(void)
{
    if (unshare(CLONE_NEWIPC) == 0) {
        write_file(MQ_MOST_FILE, MQ_MOST);
        write_file(SYSV_FILE, SYSV_BYTES);
    }
}

/* ---- POSIX mq ---- */

/* What a process without privilege may ask for. */
static long mq_most(void)
{
    FILE *file = fopen(MQ_MOST_FILE, "r");
    long most = 10;

    if (file != NULL) {
        if (fscanf(file, "%ld", &most) != 1) {
            most = 10;
        }
        fclose(file);
    }
    return most;
}

/* It has no name from the beginning: nothing is left whatever happens. */
static void mq_kind_open(struct queue *queue)
{
    char name[64];
    struct mq_attr attr = {.mq_maxmsg = (long)queue->count, .mq_msgsize = sizeof(long)};

    snprintf(name, sizeof(name), "/ports-bench-%ld", (long)getpid());
    queue->id = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
    if (queue->id < 0 && errno == EINVAL && attr.mq_maxmsg > mq_most()) {
        attr.mq_maxmsg = mq_most();
        queue->id = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
    }
    if (queue->id < 0) {
        system_failed("mq_open");
    }
    mq_unlink(name);
    queue->capacity = (unsigned)attr.mq_maxmsg;
}

static void mq_kind_close(struct queue *queue)
{
    mq_close(queue->id);
}

static void mq_put(struct queue *queue, long message)
{
    worker_check(mq_send(queue->id, (const char *)&message, sizeof(message), 0) == 0,
                 "mq_send");
}

static long mq_take(struct queue *queue)
{
    long message = 0;

    worker_check(mq_receive(queue->id, (char *)&message, sizeof(message), NULL) ==
                     sizeof(message),
                 "mq_receive");
    return message;
}

static long mq_run(struct queue queues[2], const struct run *run)
{
    return run_loops(mq_put, mq_take, queues, run);
}

const struct kind mq_kind = {
    .name = "mq", .open = mq_kind_open, .close = mq_kind_close, .run = mq_run};

/* ---- SysV ---- */

struct letter {
    long type;
    long message;
};

static void sysv_open(struct queue *queue)
{
    struct msqid_ds status;
    size_t bytes = queue->count * sizeof(long);

    queue->id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    if (queue->id < 0 || msgctl(queue->id, IPC_STAT, &status) != 0) {
        system_failed("msgget");
    }
    if (bytes < status.msg_qbytes) {
        status.msg_qbytes = bytes;
    }
    if (msgctl(queue->id, IPC_SET, &status) != 0) {
        system_failed("msgctl");
    }
    queue->capacity = (unsigned)(status.msg_qbytes / sizeof(long));
}

static void sysv_close(struct queue *queue)
{
    msgctl(queue->id, IPC_RMID, NULL);
}

static void sysv_put(struct queue *queue, long message)
{
    struct letter letter = {1, message};

    worker_check(msgsnd(queue->id, &letter, sizeof(letter.message), 0) == 0, "msgsnd");
}

static long sysv_take(struct queue *queue)
{
    struct letter letter = {0, 0};

    worker_check(msgrcv(queue->id, &letter, sizeof(letter.message), 0, 0) ==
                     sizeof(letter.message),
                 "msgrcv");
    return letter.message;
}

static long sysv_run(struct queue queues[2], const struct run *run)
{
    return run_loops(sysv_put, sysv_take, queues, run);
}

const struct kind sysv_kind = {
    .name = "SysV", .open = sysv_open, .close = sysv_close, .run = sysv_run};

/* ---- pipe ---- */

static void pipe_open(struct queue *queue)
{
    size_t bytes = queue->count * sizeof(long);
    int size;

    if (pipe2(queue->ends, O_CLOEXEC) != 0) {
        system_failed("pipe");
    }
    size = fcntl(queue->ends[1], F_SETPIPE_SZ, bytes > PAGE_BYTES ? (int)bytes : PAGE_BYTES);
    if (size < 0) {
        system_failed("F_SETPIPE_SZ");
    }
    queue->capacity = (unsigned)size / sizeof(long);
}

static void pipe_close(struct queue *queue)
{
    close(queue->ends[0]);
    close(queue->ends[1]);
}

static void pipe_put(struct queue *queue, long message)
{
    worker_check(write(queue->ends[1], &message, sizeof(message)) == sizeof(message), "write");
}

static long pipe_take(struct queue *queue)
{
    long message = 0;

    worker_check(read(queue->ends[0], &message, sizeof(message)) == sizeof(message), "read");
    return message;
}

static long pipe_run(struct queue queues[2], const struct run *run)
{
    return run_loops(pipe_put, pipe_take, queues, run);
}

const struct kind pipe_kind = {
    .name = "pipe", .open = pipe_open, .close = pipe_close, .run = pipe_run};
