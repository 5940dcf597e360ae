/* bench.h - the load generator: what its files know of each other. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define BARE_PORT       31000 /* what the bare server answers to every GIMME */
#define PORTS_LOW       2000 /* the daemon's range: below 32768, where the client sockets begin */
#define PORTS_HIGH      31999
#define WIDE_PORTS_LOW  2000 /* for 50,000 ports held */
#define WIDE_PORTS_HIGH 64999
#define SIDES_MAX       8
#define SWARM_CLIENTS   64
#define WITH_MAX        16

/* ---- load.c: options ---- */

enum placement {
    PLACE_FREE, /* the scheduler places every process */
    PLACE_ONE,  /* load generator and servers share one core */
    PLACE_TWO   /* load generator on one core, servers on another */
};

struct config {
    const char *daemon;
    const char *bare;
    const char *tclsh;          /* NULL: no Tcl rows */
    const char *pkgdir;         /* folder of the Tcl package */
    const char *script;         /* client.tcl */
    const char *only;           /* NULL or a glob on the row's name */
    const char *json;           /* NULL or the file for the results */
    const char *with[WITH_MAX]; /* extra words for the daemon */
    size_t with_count;
    unsigned rounds; /* of interleaved blocks for each row */
    bool quick;
    enum placement first_placement; /* of all rows; those of one client are repeated */
    enum placement last_placement;  /* in the next ones up to this */
};

/* ---- proc.c: this process and its children ---- */

/* Print the reason, end the children, remove the folder, exit: 1 for a wrong answer or a dead
 * child, 111 for a refused system call, whose errno is named. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void system_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

void proc_init(void);

/* Places this process, and the servers to be started from now on. */
void proc_place(enum placement placement);
const char *proc_placement(void); /* the present one in words */
const char *placement_words(enum placement placement);
unsigned proc_cores(void); /* that this process may use */

const char *proc_folder(void);

/* Starts argv with standard error (and what of `in` and `out` is -1) in `dir`/output.
 * `on_server_core` matters under PLACE_TWO only. */
pid_t proc_spawn(char *const argv[], const char *dir, int in, int out, bool on_server_core);

/* Ends it with SIGTERM and waits; a child that died of anything else is an error. */
void proc_stop(pid_t pid);

/* broken() with the child's output if it has ended. */
void proc_expect_alive(pid_t pid, const char *dir);

long proc_resident_kib(pid_t pid);
long proc_waiting_sockets(void); /* TCP sockets of this host in TIME_WAIT */

/* Between two calls nothing may take longer than `seconds`; 0 ends the watch. */
void proc_watch(unsigned seconds);

/* Exits if a signal asked for it or the watch ran out; to be called after each EINTR. */
void proc_check(void);

double now_us(void);
void pause_ms(long ms);

/* ---- exchange.c: requests and replies ---- */

/* A reply while it is read. bytes is owned, and kept from one reply to the next. */
struct reply {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t scanned; /* bytes looked at; at the end those of the whole reply */
    long lines;     /* complete lines among them */
    long number; /* of the status line: a port, or the count of lines that follow; -1 before */
};

#define REPLY_INIT                                                                             \
    {                                                                                          \
        .number = -1                                                                           \
    }

struct port_set {
    uint64_t bits[1024];
};

struct server {
    const char *name;
    pid_t pid;
    int port;
    bool by_unix;          /* connect to its socket in the file system, `dir`/socket */
    int low, high;         /* every port it gives lies between them, inclusive */
    long held;             /* lines of its LIST while only the holder is connected */
    struct port_set taken; /* by the holder */
    struct reply list;     /* the LIST it must answer meanwhile */
    char dir[256];
};

void reply_reset(struct reply *reply);
void reply_deinit(struct reply *reply);

/* Room for the next recv: sets *room to its size, never 0. */
char *reply_room(struct reply *reply, size_t *room);

/* After reply->length has grown: true when the reply is whole. Anything but
 * `OK number` and, for a LIST, that many lines is broken(). */
bool reply_is_whole(struct reply *reply, bool is_list, const struct server *server);

/* The port in a reply, checked for its range and, with `seen`, for being new; is added to it.
 */
int reply_port(const struct reply *reply, const struct server *server, struct port_set *seen);

/* The length of a LIST, on every reply; the bytes, outside what is timed. */
void reply_check_list_length(const struct reply *reply, const struct server *server);
void reply_check_list_bytes(const struct reply *reply, const struct server *server);

int exchange_open(const struct server *server);

/* A connection that speaks protocol 2. */
int exchange_open_greeted(const struct server *server, struct reply *reply);

/* The answer to HELLO, whatever the manager is capable of. */
bool reply_is_greeting(const char *line);

void exchange_send(int fd, const char *bytes, size_t length, const struct server *server);
void exchange_gimme(int fd, const struct server *server, struct reply *reply);
void exchange_list(int fd, const struct server *server, struct reply *reply);

/* Sends a request of any kind and reads exactly `lines` lines, which a '\0' then follows. What
 * they say is the caller's business. */
void exchange_ask(int fd, const char *request, size_t bytes, long lines,
                  const struct server *server, struct reply *reply);

/* The same with no request; returns the descriptor that came with the first byte, or -1. */
int exchange_receive_socket(int fd, const struct server *server, struct reply *reply);

_Noreturn void reply_is_unexpected(const struct reply *reply, const struct server *server);

extern const char gimme_request[];
extern const char list_request[];
extern const char hello_request[];
extern const size_t gimme_bytes;
extern const size_t list_bytes;

/* ---- launch.c: the servers, and the ports somebody holds ---- */

struct holder {
    int *fds;
    size_t count;
    size_t capacity;
    unsigned next_name;
    int fifth_port; /* of app_5 */
};

/* A folder of its own, and no more. */
void server_make_dir(struct server *server);

void server_start_daemon(struct server *server, const struct config *config, int low, int high);

/* `list` is what it answers to LIST. With `probes` it probes a port before each OK. */
void server_start_bare(struct server *server, const struct config *config, const char *name,
                       bool probes, const struct reply *list);
void server_stop(struct server *server);

/* Holds `ports` more, named app_0, app_1, ... of user `user`, on connections of at most
 * `per_connection` each. */
void holder_hold(struct holder *holder, struct server *server, long ports, long per_connection);
void holder_release(struct holder *holder);

/* Reads the LIST that server_settle and the LIST rows will expect. */
void server_learn_list(struct server *server);

/* Waits until what was closed is free again: by LIST, or for a big table by one more cycle. */
void server_settle(const struct server *server, bool by_list);

/* ---- measure.c, swarm.c: blocks; each returns its timed part in us ---- */

enum operation {
    OP_ALLOCATE, /* GIMME on an open connection */
    OP_CYCLE,    /* connect, GIMME, close */
    OP_LIST_NEW, /* connect, LIST, close */
    OP_LIST_OPEN /* LIST on an open connection */
};

double block_one(const struct server *server, enum operation operation, unsigned operations);
double block_swarm(const struct server *server, enum operation operation, unsigned operations,
                   unsigned clients);
void swarm_deinit(void);

/* ---- stats.c: series and rows ---- */

struct series {
    double *values;
    size_t count;
    size_t capacity;
};

struct contest {
    unsigned sides;
    struct series sides_values[SIDES_MAX];
};

typedef double side_fn(void *context, unsigned side);

struct row {
    const char *name;
    const char *unit;
    const char *left_name; /* what the two columns are */
    const char *right_name;
    const char *placement; /* in words; NULL: the present one */
    double left, right;
    double ratio, ratio_low, ratio_high; /* median and quartiles of left/right */
    double noise, noise_low, noise_high; /* the same for right against its double */
    double judged;                       /* what the limit is about: the ratio, or left */
    double limit;                        /* NAN: none */
    bool at_least;                       /* the limit is a lower one */
    const char *note;                    /* NULL, "" or what else is to be said */
};

#define LIMIT_NONE (0.0 / 0.0)

/* One value of each side, beginning with another one each round and in turning order: work a
 * side puts off falls on each of the others alike. */
void contest_round(struct contest *contest, side_fn *run, void *context, unsigned round);
void contest_drop_round(struct contest *contest); /* forgets the last one */
void contest_deinit(struct contest *contest);

/* Fills the numbers of a row: sides `left` and `right`, and `twin`, a second `right`. */
void contest_judge(const struct contest *contest, unsigned left, unsigned right, unsigned twin,
                   struct row *row);

/* The same where no side runs twice; the ratio is that of the medians. */
void contest_compare(const struct contest *contest, unsigned left, unsigned right,
                     struct row *row);

/* Whether the option -only, if there is one, asks for the row. */
bool config_selects(const struct config *config, const char *row_name);

/* command.c: how a benchmark is called. */
struct command {
    const char *program;
    const char *operand; /* what the one word behind the options is; NULL: there is none */
    unsigned rounds;     /* without -rounds */
    unsigned quick_rounds;
    unsigned rounds_most;
};

/* Fills in quick, rounds, only and json. Returns the operand; ends the program if a word is
 * wrong. */
const char *command_parse(const struct command *command, struct config *config, int argc,
                          char **argv);

void row_head(const char *left_name, const char *right_name);
void row_print(const struct row *row); /* with the present placement */
int rows_write_json(const char *path, const char *machine);
void rows_deinit(void);

/* ---- the measurements, in the order they are run ---- */

void measure_scale(const struct config *config);     /* scale.c: 10, 1,000, 50,000 held */
void measure_pairs(const struct config *config);     /* measure.c: ours beside bare */
void measure_memory(const struct config *config);    /* scale.c: KiB per connection */
void measure_protocol2(const struct config *config); /* protocol2.c */
void measure_fanout(const struct config *config);    /* fanout.c: those who watch */
void measure_tcl(const struct config *config);       /* script.c: Tcl beside C */

#endif
