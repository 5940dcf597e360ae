/* A folder of a test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "scratch.h"
#include "take_port.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static size_t descriptors;

int scratch_set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_scratch.XXXXXX");
    descriptors = open_descriptors();
    return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

int scratch_tear_down(void **state)
{
    (void)state;
    int r = nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    size_t left = open_descriptors();
    if (left == descriptors)
        return r;
    print_error("%zu descriptors before, %zu after\n", descriptors, left);
    return -1;
}

const char *scratch_folder(void)
{
    return folder;
}

const char *scratch_path(const char *name)
{
    static char buffers[4][sizeof folder + 256];
    static unsigned turn;
    char *buffer = buffers[turn++ % 4];
    int size = snprintf(buffer, sizeof buffers[0], "%s/%s", folder, name);
    assert_in_range(size, 1, sizeof buffers[0] - 1);
    return buffer;
}

void scratch_write_bytes(const char *name, const void *bytes, size_t size)
{
    int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(close(fd), 0);
}

void scratch_write(const char *name, const char *text)
{
    scratch_write_bytes(name, text, strlen(text));
}

const char *scratch_read(const char *name)
{
    static char text[65536];
    int fd = open(scratch_path(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t size = read(fd, text, sizeof text);
    assert_in_range(size, 0, sizeof text - 1);
    text[size] = '\0';
    close(fd);
    return text;
}

void scratch_remove(const char *name)
{
    assert_int_equal(remove(scratch_path(name)), 0);
}
