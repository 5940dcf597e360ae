/*
 * portreserve: holds well-known ports until their services come.
 *
 * In order: the files are read, the process file is locked, the ports are taken,
 * the sockets for requests are made, and only then whoever waits is told that all
 * is ready. One loop serves requests, signals and the keeper's timer. Without
 * -keep it ends by itself when nothing is held any more.
 */
#include "detach.h"
#include "keeper.h"
#include "log.h"
#include "notify.h"
#include "plan.h"
#include "requests.h"
#include "reserve_list.h"
#include "reserve_options.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 100,
    EXIT_SYSTEM = 111,
};

enum { SIGNALS = 3 };

struct program {
    struct reserve_options options;
    char config[PATH_MAX]; /* absolute, since a daemon leaves its directory */
    char socket[PATH_MAX];
    char pidfile[PATH_MAX];
    int pid_fd;
    int ready_fd; /* tells the waiting parent that all is well; -1: none waits */
    uv_loop_t loop;
    uv_signal_t signals[SIGNALS];
    uv_timer_t timer;
    struct keeper keeper;
    struct requests requests;
    bool stopping;
};

static struct program program = {.pid_fd = -1, .ready_fd = -1};
static struct log program_log = LOG_NULL;

static int fail(const char *what, const char *why)
{
    log_write(&program_log, LOG_LEVEL_ERROR, NULL, "%s: %s", what, why);
    log_flush(&program_log);
    return EXIT_SYSTEM;
}

/* ---------------------------------------------------------------- files -- */

static int make_absolute(const char *given, char path[PATH_MAX])
{
    char here[PATH_MAX] = "";
    if (*given != '/' && !getcwd(here, sizeof here))
        return fail(given, strerror(errno));
    int size = snprintf(path, PATH_MAX, "%s%s%s", here, *here ? "/" : "", given);
    return size < PATH_MAX ? EXIT_DONE : fail(given, strerror(ENAMETOOLONG));
}

static int make_all_absolute(void)
{
    int code = make_absolute(program.options.config, program.config);
    if (code == EXIT_DONE)
        code = make_absolute(program.options.socket, program.socket);
    return code == EXIT_DONE ? make_absolute(program.options.pidfile, program.pidfile) : code;
}

static void log_problem(void *context, const char *text)
{
    (void)context;
    log_write(&program_log, LOG_LEVEL_ERROR, NULL, "%s", text);
}

static int read_plan(struct plan *plan)
{
    int r = plan_read(plan, program.config, log_problem, NULL);
    return r == 0 ? EXIT_DONE : fail(program.config, strerror(-r));
}

/* The process file, locked as long as the process lives, with its number in it. */
static int write_pidfile(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(program.pidfile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return fail(program.pidfile, strerror(errno));
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        int error = errno;
        close(fd);
        if (error != EAGAIN && error != EACCES)
            return fail(program.pidfile, strerror(error));
        fail(program.pidfile, "another portreserve runs and has it locked");
        return EXIT_REFUSED;
    }
    program.pid_fd = fd;
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        return fail(program.pidfile, strerror(errno));
    return EXIT_DONE;
}

static void remove_pidfile(void)
{
    if (program.pid_fd < 0)
        return;
    unlink(program.pidfile);
    close(program.pid_fd);
    program.pid_fd = -1;
}

/* ----------------------------------------------------------------- loop -- */

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

static const int signal_numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

/* Who ends already tidies up: a signal that comes meanwhile waits for ever. */
static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; ++i)
        sigaddset(&set, signal_numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void stop(void)
{
    if (program.stopping)
        return;
    program.stopping = true;
    block_signals();
    notify("STOPPING=1");
    requests_close(&program.requests);
    for (int i = 0; i < SIGNALS; ++i)
        uv_close((uv_handle_t *)&program.signals[i], on_closed);
    uv_close((uv_handle_t *)&program.timer, on_closed);
}

static void on_changed(void *context);

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    keeper_tick(&program.keeper, uv_now(&program.loop));
    on_changed(NULL);
}

/* Requests never put the next look off: many of them would for ever. */
static void set_timer(void)
{
    unsigned next_ms = keeper_next_tick_ms(&program.keeper);
    bool active = uv_is_active((const uv_handle_t *)&program.timer);
    if (next_ms == 0)
        uv_timer_stop(&program.timer);
    else if (!active || uv_timer_get_due_in(&program.timer) > next_ms)
        uv_timer_start(&program.timer, on_timer, next_ms, 0);
}

/* After whatever may have changed the ports' states. */
static void on_changed(void *context)
{
    (void)context;
    if (program.stopping)
        return;
    set_timer();
    if (!program.options.keep && keeper_held(&program.keeper) == 0) {
        log_write(&program_log, LOG_LEVEL_INFO, NULL, "nothing is reserved any more");
        stop();
    }
    log_flush(&program_log);
}

static void reload(void)
{
    struct plan plan = PLAN_NULL;
    notify("RELOADING=1");
    log_write(&program_log, LOG_LEVEL_INFO, NULL, "reads %s again", program.config);
    if (read_plan(&plan) == EXIT_DONE && keeper_load(&program.keeper, &plan) < 0) {
        plan_deinit(&plan);
        fail(program.config, strerror(ENOMEM));
    }
    notify("READY=1");
    on_changed(NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)handle;
    if (number == SIGHUP) {
        reload();
        return;
    }
    log_write(&program_log, LOG_LEVEL_INFO, NULL, "ends by signal %d", number);
    stop();
}

static void watch_signals(void)
{
    for (int i = 0; i < SIGNALS; ++i) {
        uv_signal_init(&program.loop, &program.signals[i]);
        uv_signal_start(&program.signals[i], on_signal, signal_numbers[i]);
    }
    uv_timer_init(&program.loop, &program.timer);
}

/* ---------------------------------------------------------------- start -- */

/* A port takes a descriptor for each of its protocols. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int take_ports(void)
{
    struct plan plan = PLAN_NULL;
    int code = read_plan(&plan);
    if (code != EXIT_DONE)
        return code;
    int r = keeper_load(&program.keeper, &plan);
    plan_deinit(&plan);
    return r == 0 ? EXIT_DONE : fail(program.config, strerror(-r));
}

static int open_requests(void)
{
    char about[PATH_MAX];
    int r = requests_open(&program.requests, &program.loop, program.socket, &program.keeper,
                          &program_log, on_changed, NULL, about, sizeof about);
    return r == 0 ? EXIT_DONE : fail(about, strerror(-r));
}

static int tell_ready(void)
{
    log_flush(&program_log);
    notify("READY=1");
    if (program.ready_fd < 0)
        return EXIT_DONE;
    int r = detach_finish(program.ready_fd);
    return r == 0 ? EXIT_DONE : fail("cannot detach", strerror(-r));
}

static int serve(void)
{
    struct keeper_config config = {.keep = program.options.keep,
                                   .grace_ms = program.options.grace_s * UINT64_C(1000),
                                   .log = &program_log};
    raise_descriptor_limit();
    keeper_init(&program.keeper, &config);
    uv_loop_init(&program.loop);
    watch_signals();
    int code = write_pidfile();
    if (code == EXIT_DONE)
        code = take_ports();
    if (code == EXIT_DONE)
        code = open_requests();
    if (code == EXIT_DONE)
        code = tell_ready();
    if (code == EXIT_DONE)
        on_changed(NULL);
    else
        stop();
    uv_run(&program.loop, UV_RUN_DEFAULT);
    int closed = uv_loop_close(&program.loop);
    assert(closed == 0);
    (void)closed;
    keeper_deinit(&program.keeper);
    remove_pidfile();
    return code;
}

static int run(void)
{
    signal(SIGPIPE, SIG_IGN);
    int code = make_all_absolute();
    if (code != EXIT_DONE)
        return code;
    if (!program.options.debug) {
        program.ready_fd = detach_begin();
        if (program.ready_fd < 0)
            return fail("cannot detach", strerror(-program.ready_fd));
        log_open_plain(&program_log, "portreserve", true);
    }
    return serve();
}

/* Reserves nothing: are the files all right? */
static int check(void)
{
    struct plan plan = PLAN_NULL;
    int code = make_absolute(program.options.config, program.config);
    if (code == EXIT_DONE)
        code = read_plan(&plan);
    if (code == EXIT_DONE && plan.problems > 0)
        code = EXIT_REFUSED;
    plan_deinit(&plan);
    return code;
}

int main(int argc, char **argv)
{
    char error[512];
    (void)argc;
    log_open_plain(&program_log, "portreserve", false);
    if (reserve_options_parse(&program.options, argv, error, sizeof error) != 0) {
        fprintf(stderr, "portreserve: %s (-help lists the switches)\n", error);
        return EXIT_USAGE;
    }
    int code = EXIT_DONE;
    if (program.options.help)
        reserve_options_usage(stdout);
    else if (program.options.version)
        puts("portreserve " PACKAGE_VERSION);
    else if (program.options.list)
        code = reserve_list(program.options.socket, program.options.json);
    else
        code = program.options.check ? check() : run();
    log_deinit(&program_log);
    return code;
}
