/* spool-status: looks after the queue of jobs. The counterpart of lpc(8). */

#include "spool.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* What becomes of a job that will not be printed; for preset() and pdelete(). */
static int discard(long number)
{
    char job[SPOOL_NAME_BYTES];
    if (number == SPOOL_STOP)
        return 0;
    spool_name(job, number, "job");
    if (unlink(job) == 0)
        printf("job %ld: discarded\n", number);
    return 0;
}

static int show_count(int port)
{
    int count = pgetcount(port);
    if (count >= 0)
        printf("%d of %d\n", count, SPOOL_COUNT);
    return count < 0 ? -1 : 0;
}

/* All waiting jobs are discarded, and blocked clients are told; the daemon goes on. */
static int reset(int port)
{
    return preset(port, discard);
}

/* The daemon ends when it has printed the jobs before; the queue stays for the next one. */
static int stop(int port)
{
    return psend(port, SPOOL_STOP);
}

/* All waiting jobs are discarded; the daemon and blocked clients are told, and end. */
static int delete (int port)
{
    return pdelete(port, discard);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*call)(int port);
    } table[] = {{"count", show_count}, {"reset", reset}, {"stop", stop}, {"delete", delete}};
    size_t i = 0;
    while (i < sizeof table / sizeof *table &&
           (argc != 3 || strcmp(argv[2], table[i].name) != 0))
        ++i;
    if (i == sizeof table / sizeof *table) {
        fputs("usage: spool-status FOLDER count|reset|stop|delete\n", stderr);
        return 100;
    }
    if (chdir(argv[1]) < 0) {
        fprintf(stderr, "spool-status: %s: %s\n", argv[1], strerror(errno));
        return 111;
    }
    int port = pgetport(SPOOL_PORT);
    if (port >= 0 && table[i].call(port) >= 0)
        return 0;
    bool none = errno == ENOENT || errno == EINVAL;
    fprintf(stderr, "spool-status: %s: %s\n", argv[2],
            none ? "there is no queue" : strerror(errno));
    return none ? 1 : 111;
}
