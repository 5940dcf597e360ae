/* The namespace: a folder that holds a user's ports. */

#include "nspace.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096,
    LINK_BYTES = 2 + 2 * PORTS_NAME_MAX, /* `n`, the name in hexadecimal, NUL */
    IDS_BYTES = 4096,
    DIGITS_MAX = 10, /* of 2^31 - 1 */
};

static const char ids_name[] = "ids";

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char path[PATH_BYTES]; /* of the folder; "" before the first use */
static bool is_own;           /* the default place: nobody else may have a hand in it */
static int folder = -1;
static struct stat folder_status;

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static int *list; /* the ids that had a file, in ascending order */
static size_t list_count;

/* ---------------------------------------------------------------- folder -- */

static int settle_path(void)
{
    const char *given = secure_getenv("PORTS_DIR");
    is_own = !given || given[0] == '\0';
    int size = is_own ? snprintf(path, sizeof path, "/dev/shm/ports-%u", (unsigned)geteuid())
                      : snprintf(path, sizeof path, "%s", given);
    if (size > 0 && (size_t)size < sizeof path)
        return 0;
    path[0] = '\0';
    return -ENAMETOOLONG;
}

/* May the ports in this folder be believed? */
static bool is_trusted(const struct stat *status)
{
    if (!S_ISDIR(status->st_mode))
        return false;
    if (is_own)
        return status->st_uid == geteuid() && (status->st_mode & 07777) == 0700;
    return (status->st_uid == geteuid() || status->st_uid == 0) &&
           (status->st_mode & S_IWOTH) == 0;
}

static int open_folder(void)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        /* ENOENT is for names: without a place for a folder there is none to trust. */
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return errno == ENOENT || errno == ENOTDIR ? -EACCES : -errno;
        fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? -EACCES : -errno;
    struct stat status;
    if (fstat(fd, &status) < 0 || !is_trusted(&status)) {
        close(fd);
        return -EACCES;
    }
    folder_status = status;
    folder = fd;
    return fd;
}

/* Is the descriptor still what was opened? Programs close what they do not know. */
static bool is_open(void)
{
    struct stat status;
    return folder >= 0 && fstat(folder, &status) == 0 &&
           status.st_dev == folder_status.st_dev && status.st_ino == folder_status.st_ino &&
           status.st_nlink > 0;
}

int nspace_folder(void)
{
    pthread_mutex_lock(&mutex);
    int r = path[0] ? 0 : settle_path();
    if (r == 0) {
        bool known = is_open();
        if (!known && folder >= 0) {
            /* Whose number this is by now is not known: it is not closed. */
            struct stat status;
            if (fstat(folder, &status) == 0 && status.st_ino == folder_status.st_ino &&
                status.st_dev == folder_status.st_dev)
                close(folder);
            folder = -1;
        }
        r = known ? folder : open_folder();
    }
    pthread_mutex_unlock(&mutex);
    return r;
}

void nspace_before_fork(void)
{
    pthread_mutex_lock(&list_mutex);
    pthread_mutex_lock(&mutex);
}

void nspace_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&list_mutex);
}

/* The bits that files get: those of the folder, for whom it is open. */
static mode_t folder_mode(void)
{
    return folder_status.st_mode & 0666;
}

/* ------------------------------------------------------------------- ids -- */

/* The counter's file, as large as it has to be. */
static int open_ids(void)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    int fd =
        openat(dir, ids_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600 | folder_mode());
    if (fd < 0)
        return -errno;
    struct stat status;
    int r = fstat(fd, &status) < 0 ? -errno : 0;
    if (r == 0 && status.st_size < IDS_BYTES) {
        r = -posix_fallocate(fd, 0, IDS_BYTES);
        if (r == -ENOSPC)
            r = -ENOMEM;
        /* Made for a group, whatever the umask of who came first. */
        if (r == 0 && status.st_uid == geteuid() && fchmod(fd, 0600 | folder_mode()) < 0)
            r = -errno;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

int nspace_next_id(void)
{
    int fd = open_ids();
    if (fd < 0)
        return fd;
    _Atomic(uint64_t) *ids = mmap(NULL, IDS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (ids == MAP_FAILED)
        return -errno;
    uint64_t number = atomic_fetch_add(ids, 1);
    munmap(ids, IDS_BYTES);
    return (int)(number % INT_MAX) + 1;
}

/* ----------------------------------------------------------------- files -- */

struct file_name {
    char name[32];
};

static struct file_name file_of(int id)
{
    struct file_name file;
    snprintf(file.name, sizeof file.name, "%d", id);
    return file;
}

int nspace_make(size_t bytes, const mode_t *mode)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    mode_t wanted = 0600 | (mode ? *mode & 0666 : 0);
    int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, wanted);
    if (fd < 0)
        return errno == ENOSPC ? -ENOMEM : -errno;
    int r = mode || fchmod(fd, 0600 | folder_mode()) == 0 ? 0 : errno;
    if (r == 0)
        r = posix_fallocate(fd, 0, (off_t)bytes);
    if (r == 0)
        return fd;
    close(fd);
    return r == ENOSPC || r == EFBIG ? -ENOMEM : -r;
}

int nspace_publish(int fd, int id)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    char self[32];
    struct file_name file = file_of(id);
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, dir, file.name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int nspace_open(int id, int *fd, struct stat *status)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    struct file_name file = file_of(id);
    int opened = openat(dir, file.name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (opened < 0)
        return errno == ENOENT ? -EINVAL : errno == ELOOP || errno == EISDIR ? -EIO : -errno;
    if (fstat(opened, status) < 0 || !S_ISREG(status->st_mode)) {
        close(opened);
        return -EIO;
    }
    *fd = opened;
    return 0;
}

bool nspace_exists(int id)
{
    int dir = nspace_folder();
    struct file_name file = file_of(id);
    return dir >= 0 && faccessat(dir, file.name, F_OK, 0) == 0;
}

void nspace_remove(int id)
{
    int dir = nspace_folder();
    struct file_name file = file_of(id);
    if (dir >= 0)
        unlinkat(dir, file.name, 0);
}

/* An id as file_of() writes it, and nothing else; 0 for anything else. */
static int read_id(const char *text)
{
    int id = 0;
    if (text[0] < '1' || text[0] > '9' || strlen(text) > DIGITS_MAX)
        return 0;
    for (; *text; ++text) {
        int digit = *text - '0';
        if (digit < 0 || digit > 9 || id > (INT_MAX - digit) / 10)
            return 0;
        id = id * 10 + digit;
    }
    return id;
}

/* A stream of the folder's files; NULL with a negative errno in *error. */
static DIR *open_stream(int *error)
{
    int dir = nspace_folder();
    int fd = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    *error = dir < 0 ? dir : -errno;
    if (!stream && fd >= 0)
        close(fd);
    return stream;
}

static int compare_ids(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

/* The list doubles when it is full, which is at 0 and at each power of two. */
static int append_id(int id)
{
    if ((list_count & (list_count - 1)) == 0) {
        int *grown = realloc(list, (list_count > 0 ? 2 * list_count : 1) * sizeof *list);
        if (!grown)
            return -ENOMEM;
        list = grown;
    }
    list[list_count++] = id;
    return 0;
}

static int read_list(void)
{
    int r;
    free(list);
    list = NULL;
    list_count = 0;
    DIR *stream = open_stream(&r);
    if (!stream)
        return r;
    const struct dirent *entry;
    r = 0;
    while (r == 0 && (entry = readdir(stream))) {
        int id = read_id(entry->d_name);
        if (id > 0)
            r = append_id(id);
    }
    closedir(stream);
    if (list_count > 0)
        qsort(list, list_count, sizeof *list, compare_ids);
    return r;
}

static int look_above(int id)
{
    size_t low = 0, high = list_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle] > id)
            high = middle;
        else
            low = middle + 1;
    }
    return low < list_count ? list[low] : -ENOENT;
}

int nspace_above(int id, bool reread)
{
    pthread_mutex_lock(&list_mutex);
    int r = reread ? read_list() : 0;
    if (r == 0)
        r = look_above(id);
    pthread_mutex_unlock(&list_mutex);
    return r;
}

/* The port that a link or a FIFO belongs to; 0: it is neither. */
static int read_owner(int dir, const char *name)
{
    char text[DIGITS_MAX + 2] = "";
    if (name[0] == 'n') {
        ssize_t size = readlinkat(dir, name, text, sizeof text - 1);
        text[size > 0 ? size : 0] = '\0';
    } else {
        size_t digits = strspn(name, "0123456789");
        if (digits < sizeof text && name[digits] == '.')
            memcpy(text, name, digits);
    }
    return read_id(text);
}

void nspace_sweep(void)
{
    int error;
    DIR *stream = open_stream(&error);
    if (!stream)
        return;
    int dir = dirfd(stream);
    const struct dirent *entry;
    while ((entry = readdir(stream))) {
        int id = read_owner(dir, entry->d_name);
        struct file_name file = file_of(id);
        if (id > 0 && faccessat(dir, file.name, F_OK, 0) < 0 && errno == ENOENT)
            unlinkat(dir, entry->d_name, 0);
    }
    closedir(stream);
}

/* ----------------------------------------------------------------- names -- */

static void link_of(const char *name, char link[LINK_BYTES])
{
    size_t size = strnlen(name, PORTS_NAME_MAX);
    link[0] = 'n';
    for (size_t i = 0; i < size; ++i) {
        static const char digits[] = "0123456789abcdef";
        unsigned char byte = (unsigned char)name[i];
        link[1 + 2 * i] = digits[byte >> 4];
        link[2 + 2 * i] = digits[byte & 15];
    }
    link[1 + 2 * size] = '\0';
}

int nspace_resolve(const char *name)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    char link[LINK_BYTES], text[DIGITS_MAX + 2];
    link_of(name, link);
    ssize_t size = readlinkat(dir, link, text, sizeof text - 1);
    if (size < 0)
        return errno == EINVAL ? -EIO : -errno;
    text[size] = '\0';
    int id = read_id(text);
    return id > 0 ? id : -EIO;
}

int nspace_link(const char *name, int id)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    char link[LINK_BYTES];
    struct file_name file = file_of(id);
    link_of(name, link);
    if (symlinkat(file.name, dir, link) == 0)
        return 0;
    return errno == ENOSPC ? -ENOMEM : -errno;
}

void nspace_unlink(const char *name)
{
    int dir = nspace_folder();
    char link[LINK_BYTES];
    link_of(name, link);
    if (dir >= 0)
        unlinkat(dir, link, 0);
}

/* ------------------------------------------------------------------ lock -- */

static int lock_with(int operation)
{
    int fd = open_ids();
    if (fd < 0)
        return fd;
    while (flock(fd, operation) < 0) {
        if (errno == EINTR)
            continue;
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int nspace_lock(void)
{
    return lock_with(LOCK_EX);
}

int nspace_try_lock(void)
{
    return lock_with(LOCK_EX | LOCK_NB);
}

void nspace_unlock(int lock)
{
    close(lock);
}

/* ----------------------------------------------------------------- FIFOs -- */

static struct file_name fifo_of(int id, unsigned number)
{
    struct file_name file;
    snprintf(file.name, sizeof file.name, "%d.b%u", id, number);
    return file;
}

int nspace_make_fifo(int id, unsigned number, mode_t mode)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    struct file_name file = fifo_of(id, number);
    unlinkat(dir, file.name, 0); /* of a process that is gone */
    if (mkfifoat(dir, file.name, mode) < 0)
        return errno == ENOSPC ? -ENOMEM : -errno;
    return nspace_open_fifo(id, number);
}

static int open_fifo(int id, unsigned number, int access)
{
    int dir = nspace_folder();
    if (dir < 0)
        return dir;
    struct file_name file = fifo_of(id, number);
    int fd = openat(dir, file.name, access | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int nspace_open_fifo(int id, unsigned number)
{
    return open_fifo(id, number,
                     O_RDWR); /* for reading too: writing cannot raise SIGPIPE then */
}

int nspace_probe_fifo(int id, unsigned number)
{
    return open_fifo(id, number, O_WRONLY);
}

void nspace_remove_fifo(int id, unsigned number)
{
    int dir = nspace_folder();
    struct file_name file = fifo_of(id, number);
    if (dir >= 0)
        unlinkat(dir, file.name, 0);
}
