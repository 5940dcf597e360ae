/* detach.c - fork, setsid, and a pipe over which the child says that it serves. */
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the parent: waits for the child's word, or its end, and exits with what that says. */
static void wait_for_child(pid_t pid, int fd)
{
    char word;
    ssize_t size;
    int status = 0;
    do
        size = read(fd, &word, 1);
    while (size < 0 && errno == EINTR);
    if (size == 1)
        _exit(EXIT_SUCCESS);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_FAILURE);
}

int detach_begin(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        return -error;
    }
    if (pid > 0) {
        close(ends[1]);
        wait_for_child(pid, ends[0]);
    }
    close(ends[0]);
    setsid();
    return ends[1];
}

int detach_finish(int fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || chdir("/") < 0)
        return -errno;
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; ++standard)
        dup2(null_fd, standard);
    if (null_fd > STDERR_FILENO)
        close(null_fd);
    /* Should the parent be gone, there is nobody to tell. */
    ssize_t told = write(fd, "", 1);
    (void)told;
    close(fd);
    return 0;
}
