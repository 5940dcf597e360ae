/* spool-daemon: prints jobs to its standard output, one at a time. The counterpart of lpd(8).
 */

#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "spool-daemon: %s: %s\n", what, strerror(errno));
    exit(111);
}

/* A job is removed when its last byte has gone out: one that is cut off is printed again. */
static void print_job(long number)
{
    char job[SPOOL_NAME_BYTES], block[4096];
    size_t size;
    spool_name(job, number, "job");
    FILE *in = fopen(job, "re");
    if (!in && errno == ENOENT)
        return; /* printed before its message came, or discarded */
    if (!in)
        fail(job);
    printf("--- job %ld ---\n", number);
    while ((size = fread(block, 1, sizeof block, in)) > 0)
        fwrite(block, 1, size, stdout);
    if (ferror(in))
        fail(job);
    if (fflush(stdout) != 0 || ferror(stdout))
        fail("standard output");
    fclose(in);
    if (unlink(job) < 0 && errno != ENOENT)
        fail(job);
}

static int is_job(const struct dirent *entry)
{
    char *end;
    return strtol(entry->d_name, &end, 10) > 0 && strcmp(end, ".job") == 0;
}

/* What an earlier daemon left, the first job first. */
static void print_folder(void)
{
    struct dirent **jobs;
    int count = scandir(".", &jobs, is_job, versionsort);
    if (count < 0)
        fail("the spool folder");
    for (int i = 0; i < count; ++i) {
        print_job(strtol(jobs[i]->d_name, NULL, 10));
        free(jobs[i]);
    }
    free(jobs);
}

/* Two daemons would print a job twice. The lock ends with the process. */
static void lock_folder(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        fail("another daemon has the spool folder");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: spool-daemon FOLDER\n", stderr);
        return 100;
    }
    if (chdir(argv[1]) < 0)
        fail(argv[1]);
    lock_folder();
    int port = spool_port();
    if (port < 0)
        fail("no port");
    print_folder();
    for (;;) {
        long number;
        if (preceive_r(port, &number) == 0) {
            if (number == SPOOL_STOP)
                return 0;
            print_job(number);
        } else if (errno == EIDRM || errno == EINVAL) { /* while blocked, or before */
            fputs("spool-daemon: the queue was deleted\n", stderr);
            return 0;
        } else if (errno != ECANCELED) { /* which is a reset: there will be other jobs */
            fail("receive");
        }
    }
}
