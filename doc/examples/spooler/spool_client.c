/* spool-client: hands in files to be printed. The counterpart of lpr(1). */

#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The next job's number, from 1, kept in the file `next`; -1 with errno. The lock is the
 * kernel's: it ends with the process. */
static long take_number(int folder)
{
    char text[24] = "";
    long number = -1;
    int fd = openat(folder, "next", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX) == 0 && pread(fd, text, sizeof text - 1, 0) >= 0) {
        number = strtol(text, NULL, 10) + 1;
        int size = snprintf(text, sizeof text, "%ld\n", number);
        if (pwrite(fd, text, (size_t)size, 0) != size)
            number = -1;
    }
    close(fd);
    return number;
}

/* Copies to the end. Whether all of it got through; closes `out`. */
static bool copy(FILE *in, FILE *out)
{
    char block[4096];
    size_t size;
    while ((size = fread(block, 1, sizeof block, in)) > 0)
        if (fwrite(block, 1, size, out) != size)
            break;
    bool failed = ferror(in) || ferror(out);
    return fclose(out) == 0 && !failed;
}

/* The text is complete before it has the name of a job. */
static bool write_job(int folder, long number, FILE *in)
{
    char draft[SPOOL_NAME_BYTES], job[SPOOL_NAME_BYTES];
    spool_name(draft, number, "new");
    spool_name(job, number, "job");
    int fd = openat(folder, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out && copy(in, out) && renameat(folder, draft, folder, job) == 0)
        return true;
    int error = errno;
    unlinkat(folder, draft, 0);
    errno = error;
    return false;
}

static bool hand_in(int folder, int port, const char *path)
{
    FILE *in = fopen(path, "re");
    long number = in ? take_number(folder) : -1;
    bool done = number > 0 && write_job(folder, number, in);
    if (done && psend(port, number) < 0) {
        char job[SPOOL_NAME_BYTES];
        int error = errno;
        spool_name(job, number, "job");
        unlinkat(folder, job, 0);
        errno = error;
        done = false;
    }
    if (done)
        printf("job %ld: %s\n", number, path);
    else /* of psend(): EIDRM and ECANCELED, when the queue was deleted or reset meanwhile */
        fprintf(stderr, "spool-client: %s: not queued: %s\n", path, strerror(errno));
    if (in)
        fclose(in);
    return done;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: spool-client FOLDER FILE ...\n", stderr);
        return 100;
    }
    int folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        fprintf(stderr, "spool-client: %s: %s\n", argv[1], strerror(errno));
        return 111;
    }
    int port = spool_port();
    if (port < 0) {
        fprintf(stderr, "spool-client: no port: %s\n", strerror(errno));
        return 111;
    }
    bool done = true;
    for (int i = 2; i < argc; ++i)
        done &= hand_in(folder, port, argv[i]);
    close(folder);
    return done ? 0 : 1;
}
