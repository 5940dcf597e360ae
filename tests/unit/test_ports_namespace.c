/*
 * test_ports_namespace.c - the folder that the ports lie in: whom it may belong to, what may be
 * in it, and what a process that died in the middle of a call left there.
 *
 * A process settles its folder at its first call, so each case is a child.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports_fixture.h"
#include "segment.h"
#include "waiting.h"

enum { STRANGER = 64321 }; /* a uid that nobody has */

/* In a child: its exit status is the line that failed. */
#define REQUIRE(condition)                                                                     \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);  \
            return 1;                                                                          \
        }                                                                                      \
    } while (0)
#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static char *folder(void)
{
    return getenv("PORTS_DIR");
}

static char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    return path;
}

static char *path_of_port(int id)
{
    char name[16];
    snprintf(name, sizeof name, "%d", id);
    return path_of(name);
}

/* A folder of another path, in place of the fixture's, for the child that calls this. */
static int use_folder(const char *path)
{
    return setenv("PORTS_DIR", path, 1);
}

static bool nothing_works(int error)
{
    long msg;
    return FAILS(pcreate(1), error) && FAILS(pgetport("x"), error) &&
           FAILS(psend(1, 1), error) && FAILS(ptryreceive(1, &msg), error) &&
           FAILS(pcreate_named(1, "x", 0, 0600), error) && FAILS(pnext(0), error) &&
           FAILS(pdelete(1, NULL), error);
}

/* ------------------------------------------------------- whose folder it is -- */

static int in_a_folder_open_to_all(void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), "open");
    REQUIRE(mkdir(path, 0700) == 0 && chmod(path, 0777) == 0);
    REQUIRE(use_folder(path) == 0);
    REQUIRE(nothing_works(EACCES));
    REQUIRE(chmod(path, 01777) == 0);
    REQUIRE(nothing_works(EACCES));
    REQUIRE(rmdir(path) == 0); /* so nothing was made in it */
    return 0;
}

static int through_a_symbolic_link(void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), "real");
    char link[128];
    snprintf(link, sizeof link, "%s/%s", folder(), "link");
    REQUIRE(mkdir(path, 0700) == 0 && symlink(path, link) == 0);
    REQUIRE(use_folder(link) == 0);
    REQUIRE(nothing_works(EACCES));
    REQUIRE(unlink(link) == 0 && rmdir(path) == 0);
    return 0;
}

static int in_a_file(void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), "file");
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    REQUIRE(fd >= 0 && use_folder(path) == 0);
    REQUIRE(nothing_works(EACCES));
    REQUIRE(unlink(path) == 0);
    return 0;
}

static int in_a_folder_of_somebody_else(void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), "theirs");
    REQUIRE(mkdir(path, 0700) == 0 && chown(path, STRANGER, STRANGER) == 0);
    REQUIRE(use_folder(path) == 0);
    REQUIRE(nothing_works(EACCES));
    REQUIRE(rmdir(path) == 0);
    return 0;
}

static int in_a_folder_that_is_not_there(void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), "new");
    struct stat status;
    REQUIRE(use_folder(path) == 0);
    int id = pcreate(1);
    REQUIRE(id > 0 && stat(path, &status) == 0 && (status.st_mode & 07777) == 0700);
    REQUIRE(pdelete(id, NULL) == 0);
    char ids[300];
    snprintf(ids, sizeof ids, "%s/ids", path);
    REQUIRE(unlink(ids) == 0 && rmdir(path) == 0);
    REQUIRE(use_folder("/nowhere/at/all") == 0);
    id = pcreate(1); /* the folder is settled, and made again */
    REQUIRE(id > 0 && stat(path, &status) == 0 && pdelete(id, NULL) == 0);
    REQUIRE(unlink(ids) == 0 && rmdir(path) == 0);
    return 0;
}

static void folders_that_others_could_change_are_refused(void **state)
{
    (void)state;
    assert_int_equal(ports_fixture_run(in_a_folder_open_to_all, NULL), 0);
    assert_int_equal(ports_fixture_run(through_a_symbolic_link, NULL), 0);
    assert_int_equal(ports_fixture_run(in_a_file, NULL), 0);
    if (geteuid() == 0)
        assert_int_equal(ports_fixture_run(in_a_folder_of_somebody_else, NULL), 0);
}

/* The default folder, as a user who has none yet: what lies in its place already is refused. */
static int in_the_default_folder(void *context)
{
    char path[64];
    (void)context;
    snprintf(path, sizeof path, "/dev/shm/ports-%d", STRANGER);
    unsetenv("PORTS_DIR");
    REQUIRE(mkdir(path, 0700) == 0); /* root's */
    REQUIRE(setresuid(STRANGER, STRANGER, STRANGER) == 0);
    REQUIRE(nothing_works(EACCES));
    return 0;
}

static int in_a_default_folder_of_wrong_mode(void *context)
{
    char path[64];
    (void)context;
    snprintf(path, sizeof path, "/dev/shm/ports-%d", STRANGER);
    unsetenv("PORTS_DIR");
    REQUIRE(setresuid(STRANGER, STRANGER, STRANGER) == 0);
    REQUIRE(mkdir(path, 0700) == 0 && chmod(path, 0750) == 0);
    REQUIRE(nothing_works(EACCES));
    REQUIRE(chmod(path, 0700) == 0);
    int id = pcreate_named(1, "mine", O_EXCL, 0600);
    REQUIRE(id > 0 && pgetport("mine") == id && pdelete(id, NULL) == 0);
    return 0;
}

static void the_default_folder_is_ones_own_alone(void **state)
{
    char path[64], ids[80];
    (void)state;
    if (geteuid() != 0)
        skip();
    snprintf(path, sizeof path, "/dev/shm/ports-%d", STRANGER);
    snprintf(ids, sizeof ids, "%s/ids", path);
    assert_int_equal(ports_fixture_run(in_the_default_folder, NULL), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(ports_fixture_run(in_a_default_folder_of_wrong_mode, NULL), 0);
    unlink(ids);
    assert_int_equal(rmdir(path), 0);
}

static int where_nothing_can_be_made(void *context)
{
    (void)context;
    REQUIRE(use_folder("/nowhere/at/all") == 0);
    REQUIRE(nothing_works(EACCES));
    return 0;
}

static void a_missing_folder_is_made_and_the_choice_stays(void **state)
{
    (void)state;
    assert_int_equal(ports_fixture_run(in_a_folder_that_is_not_there, NULL), 0);
    assert_int_equal(ports_fixture_run(where_nothing_can_be_made, NULL), 0);
}

static int create_private(void *context)
{
    (void)context;
    return pcreate_named(1, "private", 0, 0600) > 0 ? 0 : 1;
}

/* Another user of a folder that root made for a group. */
static int use_a_shared_port(void *context)
{
    REQUIRE(setresgid(STRANGER, STRANGER, STRANGER) == 0);
    REQUIRE(setresuid(STRANGER, STRANGER, STRANGER) == 0);
    int id = pgetport("shared");
    REQUIRE(id == *(int *)context);
    REQUIRE(preceive(id) == 12 && psend(id, 13) == 0);
    REQUIRE(FAILS(pgetport("private"), EACCES));
    int own = pcreate(1);
    REQUIRE(own > 0 && pdelete(own, NULL) == 0);
    return 0;
}

static int share_a_folder(void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), "group");
    char ids[300];
    umask(077);
    REQUIRE(mkdir(path, 0700) == 0 && chown(path, 0, STRANGER) == 0);
    REQUIRE(chmod(path, 02770) == 0 && chmod(folder(), 0711) == 0 && use_folder(path) == 0);
    int id = pcreate(2);
    REQUIRE(id > 0 && pbind(id, "shared") == 0 && psend(id, 12) == 0);
    /* not mapped here, where the child would inherit it */
    REQUIRE(ports_fixture_run(create_private, NULL) == 0);
    REQUIRE(ports_fixture_run(use_a_shared_port, &id) == 0);
    REQUIRE(preceive(id) == 13);
    REQUIRE(pdelete(id, NULL) == 0 && pdelete(pgetport("private"), NULL) == 0);
    snprintf(ids, sizeof ids, "%s/ids", path);
    REQUIRE(unlink(ids) == 0 && rmdir(path) == 0);
    return 0;
}

static void users_share_a_folder_that_root_made_for_their_group(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(ports_fixture_run(share_a_folder, NULL), 0);
}

/* ---------------------------------------------------------- damaged files -- */

/* A port's file with `bytes` bytes of it replaced. */
static bool replace_file(int id, const void *text, size_t bytes)
{
    int fd = open(path_of_port(id), O_RDWR | O_CREAT | O_TRUNC, 0600);
    bool done = fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes;
    close(fd);
    return done;
}

static bool is_refused(int id)
{
    struct portstat status;
    long msg;
    return FAILS(psend(id, 1), EIO) && FAILS(ptryreceive(id, &msg), EIO) &&
           FAILS(pgetcount(id), EIO) && FAILS(preset(id, NULL), EIO) &&
           FAILS(pdelete(id, NULL), EIO) && FAILS(pstat(id, &status), EIO) &&
           FAILS(pbind(id, "x"), EIO) && FAILS(pgetfd(id), EIO) &&
           access(path_of_port(id), F_OK) == 0;
}

static int damage_files(void *context)
{
    _Alignas(SEGMENT_LINE_BYTES) static char text[16384];
    unsigned random = 12345;
    (void)context;
    int good = pcreate(3);
    int fd = open(path_of_port(good), O_RDONLY);
    ssize_t size = read(fd, text, sizeof text);
    close(fd);
    REQUIRE(size > SEGMENT_SLOTS_AT);
    const int id = 1000000;
    REQUIRE(replace_file(id, "", 0) && is_refused(id));
    REQUIRE(replace_file(id, text, (size_t)size) && is_refused(id)); /* another port's */
    ((struct segment *)(void *)text)->id = id;
    REQUIRE(replace_file(id, text, (size_t)size - 1) && is_refused(id));
    REQUIRE(replace_file(id, text, SEGMENT_SLOTS_AT) && is_refused(id));
    for (int i = 0; i < 2000; ++i) {
        static char other[sizeof text];
        memcpy(other, text, sizeof text);
        for (int byte = 0; byte < 24; ++byte) { /* magic, sizes and id */
            random = random * 1103515245u + 12345u;
            other[byte] = (char)(random >> 16);
        }
        REQUIRE(replace_file(id, other, (size_t)size) && is_refused(id));
    }
    REQUIRE(unlink(path_of_port(id)) == 0);
    REQUIRE(mkdir(path_of_port(id), 0700) == 0);
    REQUIRE(FAILS(psend(id, 1), EIO) && rmdir(path_of_port(id)) == 0);
    REQUIRE(mkfifo(path_of_port(id), 0600) == 0);
    REQUIRE(FAILS(psend(id, 1), EIO) && unlink(path_of_port(id)) == 0);
    REQUIRE(symlink("/etc/passwd", path_of_port(id)) == 0);
    REQUIRE(FAILS(psend(id, 1), EIO) && unlink(path_of_port(id)) == 0);
    REQUIRE(symlink("nonsense", path_of("n78")) == 0);
    REQUIRE(FAILS(pgetport("x"), EIO) && unlink(path_of("n78")) == 0);
    REQUIRE(pdelete(good, NULL) == 0);
    return 0;
}

static void a_file_that_is_no_port_is_an_error_and_stays(void **state)
{
    (void)state;
    assert_int_equal(ports_fixture_run(damage_files, NULL), 0);
}

/* Memory scribbled over while it is mapped. */
static int scribble(void *context)
{
    static char noise[SEGMENT_SLOTS_AT];
    unsigned random = *(unsigned *)context;
    struct portstat status;
    for (int i = 0; i < 200; ++i) {
        int id = pcreate(5);
        long msg;
        REQUIRE(psend(id, 1) == 0);
        for (size_t byte = 0; byte < sizeof noise; ++byte) {
            random = random * 1103515245u + 12345u;
            noise[byte] = (char)(random >> 16);
        }
        int fd = open(path_of_port(id), O_RDWR);
        size_t head = offsetof(struct segment, head), bells = offsetof(struct segment, bells);
        REQUIRE(pwrite(fd, noise, bells - head, (off_t)head) > 0);
        REQUIRE(pwrite(fd, noise, 64, SEGMENT_SLOTS_AT) == 64);
        close(fd);
        /* any answer will do, if it comes */
        ptrysend(id, 1);
        ptryreceive(id, &msg);
        pgetcount(id);
        pstat(id, &status);
        preset(id, NULL);
        int r = pdelete(id, NULL);
        REQUIRE(r == 0 || errno == EINVAL || errno == EIO);
        unlink(path_of_port(id)); /* one that looked dead already */
    }
    return 0;
}

static void scribbled_memory_hangs_and_kills_nobody(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 5; ++seed)
        assert_int_equal(ports_fixture_run(scribble, &seed), 0);
}

/* -------------------------------------------------------------- resources -- */

static int fill_a_small_file_system(void *context)
{
    (void)context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), "small");
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0);
    REQUIRE(mkdir(path, 0700) == 0);
    REQUIRE(mount("none", path, "tmpfs", 0, "size=256k,mode=700") == 0);
    REQUIRE(use_folder(path) == 0);
    REQUIRE(FAILS(pcreate(PORTS_COUNT_MAX), ENOMEM));
    int ids[100], n = 0;
    while ((ids[n] = pcreate(100)) > 0)
        REQUIRE(++n < 100);
    REQUIRE(errno == ENOMEM && n > 10);
    for (int i = 0; i < n; ++i) /* every page is there: no SIGBUS */
        for (long msg = 0; msg < 100; ++msg)
            REQUIRE(ptrysend(ids[i], msg) == 0);
    REQUIRE(FAILS(pcreate_named(100, "name", 0, 0600), ENOMEM));
    REQUIRE(pdelete(ids[0], NULL) == 0);
    ids[0] = pcreate(100);
    REQUIRE(ids[0] > 0 && FAILS(pgetport("name"), ENOENT));
    for (int i = 0; i < n; ++i)
        REQUIRE(pdelete(ids[i], NULL) == 0);
    REQUIRE(umount2(path, MNT_DETACH) == 0);
    return 0;
}

static void a_full_memory_file_system_is_an_error_and_never_a_signal(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(ports_fixture_run(fill_a_small_file_system, NULL), 0);
    rmdir(path_of("small"));
}

static int run_out_of_descriptors(void *context)
{
    struct rlimit limit;
    (void)context;
    int id = pcreate(1);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 64;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int last = 0;
    while (dup(0) >= 0)
        last += 1;
    REQUIRE(last > 0);
    REQUIRE(FAILS(pcreate(1), EMFILE));
    REQUIRE(FAILS(pcreate_named(1, "x", 0, 0600), EMFILE));
    REQUIRE(FAILS(pbind(id, "x"), EMFILE));
    REQUIRE(FAILS(pgetfd(id), EMFILE));
    REQUIRE(FAILS(pdelete(id, NULL), EMFILE));
    REQUIRE(psend(id, 3) == 0 && preceive(id) == 3); /* these need none */
    for (int fd = 10; fd < 64; ++fd)
        close(fd);
    REQUIRE(pdelete(id, NULL) == 0);
    return 0;
}

static void without_a_descriptor_calls_fail_and_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(ports_fixture_run(run_out_of_descriptors, NULL), 0);
}

/* ---------------------------------------------------------- half-done calls -- */

/* Changes a port's memory as a process killed in the middle of a call leaves it. */
static struct segment *map_port(int id)
{
    struct stat status;
    int fd = open(path_of_port(id), O_RDWR);
    if (fd < 0 || fstat(fd, &status) < 0)
        return NULL;
    void *memory =
        mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

static int bind_half(void *context)
{
    (void)context;
    int linked = pcreate(1), coming = pcreate(1);
    char target[16];
    struct segment *segment = map_port(linked);
    REQUIRE(segment);
    /* killed after the link was made, before the port was said to be bound */
    segment->name[0] = 'x';
    segment->name_state = NAME_COMING;
    snprintf(target, sizeof target, "%d", linked);
    REQUIRE(symlink(target, path_of("n78")) == 0);
    REQUIRE(pgetport("x") == linked);
    REQUIRE(FAILS(pbind(coming, "x"), EEXIST));
    REQUIRE(FAILS(pbind(linked, "y"), EISCONN));
    REQUIRE(pdelete(linked, NULL) == 0 && FAILS(pgetport("x"), ENOENT));
    /* killed before the link was made */
    segment = map_port(coming);
    REQUIRE(segment);
    segment->name[0] = 'x';
    segment->name_state = NAME_COMING;
    REQUIRE(FAILS(pgetport("x"), ENOENT));
    REQUIRE(pbind(coming, "y") == 0 && pgetport("y") == coming);
    REQUIRE(FAILS(pgetport("x"), ENOENT));
    REQUIRE(pdelete(coming, NULL) == 0);
    /* killed in pcreate_named() after the link, before the port was there */
    REQUIRE(symlink("777", path_of("n7a")) == 0);
    REQUIRE(FAILS(pgetport("z"), ENOENT));
    int id = pcreate_named(1, "z", O_EXCL, 0600);
    REQUIRE(id > 0 && pgetport("z") == id && pdelete(id, NULL) == 0);
    REQUIRE(symlink("777", path_of("n7a")) == 0);
    REQUIRE(FAILS(pnext(0), ENOENT)); /* which tidies */
    REQUIRE(lstat(path_of("n7a"), &(struct stat){0}) < 0);
    return 0;
}

static void a_half_done_pbind_is_finished_by_the_next_caller(void **state)
{
    (void)state;
    assert_int_equal(ports_fixture_run(bind_half, NULL), 0);
}

static int delete_half(void *context)
{
    (void)context;
    for (int who = 0; who < 5; ++who) {
        int id = pcreate_named(2, "x", O_EXCL, 0600);
        REQUIRE(id > 0 && psend(id, 1) == 0);
        struct segment *segment = map_port(id);
        REQUIRE(segment);
        segment->word |= WORD_DEAD; /* and killed there */
        long msg;
        switch (who) {
        case 0:
            REQUIRE(pdelete(id, NULL) == 0); /* nobody has said yet that it is done */
            REQUIRE(FAILS(pdelete(id, NULL), EINVAL));
            break;
        case 1:
            REQUIRE(FAILS(pgetport("x"), ENOENT));
            REQUIRE(pcreate_named(1, "x", O_EXCL, 0600) > id);
            REQUIRE(pdelete(pgetport("x"), NULL) == 0);
            break;
        case 2: {
            int other = pcreate(1);
            REQUIRE(pbind(other, "x") == 0 && pgetport("x") == other);
            REQUIRE(pdelete(other, NULL) == 0);
            break;
        }
        case 3:
            REQUIRE(FAILS(pbind(id, "y"), EINVAL) && FAILS(pgetfd(id), EINVAL));
            REQUIRE(FAILS(pnext(0), ENOENT));
            break;
        default:
            REQUIRE(ptryreceive(id, &msg) == 0); /* not dead for the queue yet */
            REQUIRE(FAILS(pnext(0), ENOENT));
            REQUIRE(FAILS(psend(id, 1), EINVAL));
        }
        REQUIRE(access(path_of_port(id), F_OK) < 0 && access(path_of("n78"), F_OK) < 0);
    }
    return 0;
}

static void a_half_done_pdelete_is_finished_by_the_next_caller(void **state)
{
    (void)state;
    assert_int_equal(ports_fixture_run(delete_half, NULL), 0);
}

/* --------------------------------------------------------------------- ids -- */

static int wrap_ids(void *context)
{
    (void)context;
    int first = pcreate(1);
    uint64_t number = INT_MAX - 1;
    int fd = open(path_of("ids"), O_RDWR);
    REQUIRE(pwrite(fd, &number, sizeof number, 0) == sizeof number);
    int last = pcreate(1);
    REQUIRE(last == INT_MAX);
    number = (uint64_t)first - 1 + INT_MAX; /* the counter has come round to a living port */
    REQUIRE(pwrite(fd, &number, sizeof number, 0) == sizeof number);
    int next = pcreate(1);
    REQUIRE(next == first + 1);
    REQUIRE(psend(first, 1) == 0 && pgetcount(next) == 0);
    REQUIRE(pdelete(first, NULL) == 0 && pdelete(last, NULL) == 0 && pdelete(next, NULL) == 0);
    close(fd);
    return 0;
}

static void ids_come_round_and_pass_over_living_ports(void **state)
{
    (void)state;
    assert_int_equal(ports_fixture_run(wrap_ids, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_that_others_could_change_are_refused),
        cmocka_unit_test(the_default_folder_is_ones_own_alone),
        cmocka_unit_test(a_missing_folder_is_made_and_the_choice_stays),
        cmocka_unit_test(users_share_a_folder_that_root_made_for_their_group),
        cmocka_unit_test(a_file_that_is_no_port_is_an_error_and_stays),
        cmocka_unit_test(scribbled_memory_hangs_and_kills_nobody),
        cmocka_unit_test(a_full_memory_file_system_is_an_error_and_never_a_signal),
        cmocka_unit_test(without_a_descriptor_calls_fail_and_change_nothing),
        cmocka_unit_test(a_half_done_pbind_is_finished_by_the_next_caller),
        cmocka_unit_test(a_half_done_pdelete_is_finished_by_the_next_caller),
        cmocka_unit_test(ids_come_round_and_pass_over_living_ports),
    };
    return cmocka_run_group_tests(tests, ports_fixture_begin, ports_fixture_end);
}
