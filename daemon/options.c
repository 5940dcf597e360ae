/* options.c - one table of switches, from which both the parser and -help work. */
#include "options.h"

#include "argument.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUARANTINE_MAX_S = 86400,
    LINE_MIN_BYTES = 64,
    LINE_MAX_BYTES = 1024 * 1024,
    CONNECTIONS_MAX = 1000000,
    WAITING_MAX = 1000000,
    UNSENT_MIN_BYTES = 4096,
    UNSENT_MAX_BYTES = 1024 * 1024 * 1024,
    KEEPALIVE_MAX_S = 32767, /* tcp(7): MAX_TCP_KEEPIDLE */
    NAMES_MAX = 4,           /* spellings of one switch, with the NULL behind them */
    SHOWN_MAX = 100,         /* bytes of the input that a message repeats */
};

/* What lasts for one call of options_parse(). */
struct parser {
    struct options *options;
    const char *name; /* the switch at hand as it was written, maybe with =value behind */
    int name_length;
    char *error;
    size_t error_size;
    uint32_t seen; /* one bit a row of the table */
    bool base_given;
    bool count_given;
    unsigned base;  /* -port-base */
    unsigned count; /* -num-ports */
};

struct row {
    const char *names[NAMES_MAX]; /* without dashes; the first is the preferred one */
    const char *argument;         /* NULL: the switch takes no value */
    int (*parse)(struct parser *p, const char *value);
    const char *help;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *format, ...)
{
    int n = snprintf(p->error, p->error_size, "%.*s: ", p->name_length, p->name);

    if (n >= 0 && (size_t)n < p->error_size) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(p->error + n, p->error_size - (size_t)n, format, arguments);
        va_end(arguments);
    }
    /* The message is one line whatever the input was. */
    for (size_t i = 0; i < p->error_size && p->error[i] != '\0'; i++) {
        if ((unsigned char)p->error[i] < ' ' || p->error[i] == 0x7f)
            p->error[i] = '?';
    }
    return OPTIONS_E_USAGE;
}

static int number(struct parser *p, const char *value, unsigned min, unsigned max,
                  const char *what, unsigned *result)
{
    const char *at = value;
    uint64_t n;

    if (!argument_take_number(&at, max, &n) || *at != '\0' || n < min)
        return fail(p, "\"%.100s\" is not %s (%u to %u)", value, what, min, max);
    *result = (unsigned)n;
    return 0;
}

static int size(struct parser *p, const char *value, unsigned min, unsigned max, size_t *result)
{
    uint64_t n;

    if (!argument_size(value, min, max, &n)) {
        return fail(p, "\"%.100s\" is not a size in bytes (%u to %u; K or M may follow)", value,
                    min, max);
    }
    *result = (size_t)n;
    return 0;
}

/* One of a few words, NULL behind the last; the result is its place. */
static int word(struct parser *p, const char *value, const char *const *words,
                const char *expected, unsigned *result)
{
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0) {
            *result = i;
            return 0;
        }
    }
    return fail(p, "\"%.100s\" is not %s", value, expected);
}

static int ranges_reserve(struct options *o)
{
    struct options_range *ranges;
    size_t capacity = o->ranges_capacity != 0 ? o->ranges_capacity * 2 : 4;

    if (o->ranges_count < o->ranges_capacity)
        return 0;
    ranges = realloc(o->ranges, capacity * sizeof(*ranges));
    if (ranges == NULL)
        return -ENOMEM;
    o->ranges = ranges;
    o->ranges_capacity = capacity;
    return 0;
}

/*
 * Adds a range. Those it overlaps become one with it, in the place of the first
 * of them. They were disjoint, so growing on the way brings no other one in.
 */
static int ranges_add(struct options *o, uint16_t low, uint16_t high)
{
    struct options_range joined = {.low = low, .high = high};
    size_t home = SIZE_MAX;
    size_t kept = 0;

    assert(low <= high);
    if (ranges_reserve(o) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < o->ranges_count; i++) {
        struct options_range r = o->ranges[i];

        if (r.high < joined.low || r.low > joined.high) {
            o->ranges[kept++] = r;
            continue;
        }
        joined.low = r.low < joined.low ? r.low : joined.low;
        joined.high = r.high > joined.high ? r.high : joined.high;
        if (home == SIZE_MAX)
            home = kept++;
    }
    if (home == SIZE_MAX)
        home = kept++;
    o->ranges[home] = joined;
    o->ranges_count = kept;
    return 0;
}

static int parse_ports(struct parser *p, const char *value)
{
    const char *at = value;
    uint16_t low, high;

    for (;;) {
        const char *item = at;
        int length = (int)strcspn(item, ",");

        if (!argument_take_range(&at, &low, &high)) {
            return fail(p, "\"%.*s\" is not a port range (LOW-HIGH, 1 to 65535)",
                        length < SHOWN_MAX ? length : SHOWN_MAX, item);
        }
        if (ranges_add(p->options, low, high) != 0)
            return -ENOMEM;
        if (*at++ == '\0')
            return 0;
    }
}

static int parse_listen(struct parser *p, const char *value)
{
    unsigned port = 0;
    int r = number(p, value, 0, ARGUMENT_PORT_MAX, "a port number", &port);

    if (r == 0)
        p->options->listen_port = (int)port;
    return r;
}

static int parse_base(struct parser *p, const char *value)
{
    p->base_given = true;
    return number(p, value, 1, ARGUMENT_PORT_MAX, "a port number", &p->base);
}

static int parse_count(struct parser *p, const char *value)
{
    p->count_given = true;
    return number(p, value, 1, ARGUMENT_PORT_MAX, "a number of ports", &p->count);
}

static int parse_address(struct parser *p, const char *value)
{
    struct in6_addr address; /* the larger of the two */

    if (inet_pton(AF_INET, value, &address) != 1 && inet_pton(AF_INET6, value, &address) != 1)
        return fail(p, "\"%.100s\" is not an IPv4 or IPv6 address", value);
    p->options->address = value;
    return 0;
}

static int parse_log(struct parser *p, const char *value)
{
    p->options->log_path = value;
    return 0;
}

static int parse_usage_file(struct parser *p, const char *value)
{
    p->options->usage_path = value;
    return 0;
}

static int parse_port_file(struct parser *p, const char *value)
{
    p->options->port_path = value;
    return 0;
}

static int parse_pid_file(struct parser *p, const char *value)
{
    p->options->pid_path = value;
    return 0;
}

static int parse_socket(struct parser *p, const char *value)
{
    p->options->socket_path = value;
    return 0;
}

static int parse_portserver(struct parser *p, const char *value)
{
    if (strcmp(value, "@") == 0)
        return fail(p, "\"@\" is no address: a name is missing");
    p->options->portserver = value;
    return 0;
}

static int parse_quarantine(struct parser *p, const char *value)
{
    uint64_t ms;

    if (!argument_milliseconds(value, QUARANTINE_MAX_S, &ms)) {
        return fail(p, "\"%.100s\" is not a time in seconds (0 to %d, decimals allowed)", value,
                    QUARANTINE_MAX_S);
    }
    p->options->quarantine_ms = (uint32_t)ms;
    return 0;
}

static int parse_line_max(struct parser *p, const char *value)
{
    return size(p, value, LINE_MIN_BYTES, LINE_MAX_BYTES, &p->options->line_max_bytes);
}

static int parse_connections_max(struct parser *p, const char *value)
{
    return number(p, value, 1, CONNECTIONS_MAX, "a number of connections",
                  &p->options->connections_max);
}

static int parse_unsent_max(struct parser *p, const char *value)
{
    return size(p, value, UNSENT_MIN_BYTES, UNSENT_MAX_BYTES, &p->options->unsent_max_bytes);
}

static int parse_keepalive(struct parser *p, const char *value)
{
    return number(p, value, 1, KEEPALIVE_MAX_S, "a time in whole seconds",
                  &p->options->keepalive_s);
}

static int parse_owner(struct parser *p, const char *value)
{
    static const char *const words[] = {[OPTIONS_OWNER_CORRECT] = "correct",
                                        [OPTIONS_OWNER_VERIFY] = "verify",
                                        [OPTIONS_OWNER_TRUST] = "trust",
                                        NULL};
    unsigned owner = OPTIONS_OWNER_CORRECT;
    int r = word(p, value, words, "correct, verify or trust", &owner);

    if (r == 0)
        p->options->owner = (enum options_owner)owner;
    return r;
}

static int parse_hold(struct parser *p, const char *value)
{
    static const char *const words[] = {[OPTIONS_HOLD_ASKED] = "asked",
                                        [OPTIONS_HOLD_ALL] = "all",
                                        [OPTIONS_HOLD_NONE] = "none",
                                        NULL};
    unsigned hold = OPTIONS_HOLD_ASKED;
    int r = word(p, value, words, "asked, all or none", &hold);

    if (r == 0)
        p->options->hold = (enum options_hold)hold;
    return r;
}

static int parse_user_ports(struct parser *p, const char *value)
{
    return number(p, value, 0, ARGUMENT_PORT_MAX, "a number of ports", &p->options->user_ports);
}

static int parse_user_connections(struct parser *p, const char *value)
{
    return number(p, value, 0, CONNECTIONS_MAX, "a number of connections",
                  &p->options->user_connections);
}

static int parse_user_waiting(struct parser *p, const char *value)
{
    return number(p, value, 0, WAITING_MAX, "a number of requests", &p->options->user_waiting);
}

static int parse_daemon(struct parser *p, const char *value)
{
    (void)value;
    p->options->daemonize = true;
    return 0;
}

static int parse_help(struct parser *p, const char *value)
{
    (void)value;
    p->options->help = true;
    return 0;
}

static int parse_version(struct parser *p, const char *value)
{
    (void)value;
    p->options->version = true;
    return 0;
}

/* clang-format off */
static const struct row ROWS[] = {
    {{"ports"}, "LOW-HIGH[,...]", parse_ports,
     "Ports to hand out: ranges and single ports, 30001-31000 by default."},
    {{"port-base", "p"}, "PORT", parse_base,
     "First of the ports to hand out, 31000 by default; instead of -ports."},
    {{"num-ports", "n"}, "N", parse_count,
     "How many ports to hand out from there on, 1000 by default."},
    {{"listen", "listen-port", "l"}, "PORT", parse_listen,
     "Port to listen on; 0 takes a free one. By default the service\n"
     "daqportmgr/tcp, or 30000 where that is not known."},
    {{"address"}, "ADDR", parse_address,
     "IPv4 or IPv6 address to listen on, all by default."},
    {{"log"}, "FILE", parse_log,
     "Log file, - for the standard error output. By default\n"
     "/var/log/nscldaq/portmanager.log, else ~/portmanager.log."},
    {{"usagefile"}, "FILE", parse_usage_file,
     "File that lists the ports in use. By default\n"
     "/var/tmp/daqportmgr/ports.txt, else ~/ports.txt."},
    {{"portfile"}, "FILE", parse_port_file,
     "File that tells the port listened on. By default\n"
     "/var/tmp/daqportmgr/listen.port, else ~/listen.port."},
    {{"pidfile"}, "FILE", parse_pid_file,
     "File that tells the process id. By default\n"
     "/var/run/nscldaq/daqportmgr.pid, else ~/daqportmgr.pid."},
    {{"socket"}, "PATH", parse_socket,
     "Socket in the file system for clients of this host, \"\" for none. By\n"
     "default /run/daqportmgr/socket, else $XDG_RUNTIME_DIR/daqportmgr/socket."},
    {{"portserver"}, "ADDRESS", parse_portserver,
     "Socket for clients of portpicker, by default none: a path, or @ and a\n"
     "name that is in no folder."},
    {{"owner"}, "MODE", parse_owner,
     "Whose a port is: correct (default) records the user that the kernel\n"
     "proves, verify refuses a false one, trust believes every client."},
    {{"hold"}, "MODE", parse_hold,
     "Ports held in the kernel for their services: asked (default), those\n"
     "whose client asks for it; all; or none."},
    {{"userports"}, "N", parse_user_ports,
     "Most ports of a user, 0 by default: no limit."},
    {{"userconnections"}, "N", parse_user_connections,
     "Most connections of a user, 0 by default: no limit."},
    {{"userwaiting"}, "N", parse_user_waiting,
     "Most requests of a user that wait for a port, 1000 by default;\n"
     "0: no limit."},
    {{"quarantine"}, "SECONDS", parse_quarantine,
     "How long a freed port rests, 5 by default; decimals allowed."},
    {{"maxline"}, "BYTES", parse_line_max,
     "Longest request, 4K by default."},
    {{"maxconnections"}, "N", parse_connections_max,
     "Most clients at a time, 10000 by default."},
    {{"maxunsent"}, "BYTES", parse_unsent_max,
     "Most bytes that may wait for a client to read, 1M by default."},
    {{"keepalive"}, "SECONDS", parse_keepalive,
     "Silence before a client's host is probed, 60 by default."},
    {{"daemon"}, NULL, parse_daemon,
     "Run in the background."},
    {{"help", "h", "?"}, NULL, parse_help,
     "Print this text."},
    {{"version", "V"}, NULL, parse_version,
     "Print the version."},
};
/* clang-format on */

enum {
    ROWS_COUNT = sizeof(ROWS) / sizeof(ROWS[0]),
};
_Static_assert(ROWS_COUNT <= 32, "struct parser has 32 bits for switches seen");

static bool row_has_name(const struct row *row, const char *name, size_t length)
{
    for (size_t i = 0; row->names[i] != NULL; i++) {
        if (strlen(row->names[i]) == length && memcmp(row->names[i], name, length) == 0)
            return true;
    }
    return false;
}

/* The row that a word like -log, --log or --log=FILE names, or NULL. */
static const struct row *find_row(const char *word)
{
    const char *name = word + 1;
    size_t length;

    if (word[0] != '-')
        return NULL;
    name += *name == '-';
    length = strcspn(name, "=");
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        if (row_has_name(&ROWS[i], name, length))
            return &ROWS[i];
    }
    return NULL;
}

/* The value of the switch at argv[*at]; *at then stands on the last word used. */
static int take_value(struct parser *p, const struct row *row, int argc, char **argv, int *at,
                      const char **value)
{
    const char *equals = strchr(argv[*at], '=');

    *value = NULL;
    if (row->argument == NULL)
        return equals == NULL ? 0 : fail(p, "takes no value, but \"%.100s\" follows", equals);
    if (equals != NULL) {
        *value = equals + 1;
    } else if (*at + 1 >= argc) {
        return fail(p, "%s is missing", row->argument);
    } else if (find_row(argv[*at + 1]) != NULL) {
        return fail(p, "%s is missing before %.100s", row->argument, argv[*at + 1]);
    } else {
        *value = argv[++*at];
    }
    if ((*value)[0] != '\0' || row->parse == parse_socket) /* no path: no socket */
        return 0;
    return fail(p, "\"\" is not %s: it is empty", row->argument);
}

static void set_name(struct parser *p, const char *word, size_t length)
{
    p->name = word;
    p->name_length = length < SHOWN_MAX ? (int)length : SHOWN_MAX;
}

static int parse_word(struct parser *p, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    const struct row *row = find_row(word);
    const char *value;
    uint32_t bit;
    int r;

    if (word[0] != '-' || strspn(word, "-") == strlen(word)) {
        word = word[0] != '\0' ? word : "\"\"";
        set_name(p, word, strlen(word));
        return fail(p, "surplus word, a switch was expected");
    }
    set_name(p, word, strcspn(word, "="));
    if (row == NULL)
        return fail(p, "unknown switch");
    bit = UINT32_C(1) << (row - ROWS);
    if ((p->seen & bit) != 0)
        return fail(p, "this switch is given twice");
    p->seen |= bit;
    r = take_value(p, row, argc, argv, at, &value);
    return r != 0 ? r : row->parse(p, value);
}

/* -port-base and -num-ports make one range together. */
static int finish_base(struct parser *p)
{
    const char *name = p->base_given ? "--port-base" : "--num-ports";

    if (!p->base_given && !p->count_given)
        return 0;
    set_name(p, name, strlen(name));
    if (p->options->ranges_count != 0)
        return fail(p, "cannot be combined with -ports");
    if (p->base + p->count - 1 > ARGUMENT_PORT_MAX)
        return fail(p, "%u ports from %u on would go beyond 65535", p->count, p->base);
    return ranges_add(p->options, (uint16_t)p->base, (uint16_t)(p->base + p->count - 1));
}

static int parse_all(struct parser *p, int argc, char **argv)
{
    struct servent *service = getservbyname("daqportmgr", "tcp");
    int r = 0;

    if (service != NULL)
        p->options->listen_port = ntohs((uint16_t)service->s_port);
    for (int i = 1; i < argc && r == 0; i++)
        r = parse_word(p, argc, argv, &i);
    if (r == 0)
        r = finish_base(p);
    if (r == 0 && p->options->daemonize && p->options->log_path != NULL &&
        strcmp(p->options->log_path, "-") == 0) {
        set_name(p, "-log", strlen("-log"));
        r = fail(p, "- is standard error, which a manager detached by -daemon does not have");
    }
    if (r == 0 && p->options->ranges_count == 0)
        r = ranges_add(p->options, OPTIONS_RANGE_LOW, OPTIONS_RANGE_HIGH);
    return r;
}

int options_parse(struct options *o, int argc, char **argv, char *error, size_t error_size)
{
    struct parser p = {
        .options = o,
        .error = error,
        .error_size = error_size,
        .base = OPTIONS_BASE_PORT,
        .count = OPTIONS_BASE_COUNT,
    };
    int r;

    assert(o->ranges == NULL);
    if (error_size > 0)
        error[0] = '\0';
    r = parse_all(&p, argc, argv);
    if (r != 0)
        options_deinit(o);
    return r;
}

bool options_ranges_text(const struct options *o, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < o->ranges_count; i++) {
        struct options_range r = o->ranges[i];
        int n = snprintf(text + used, size - used, r.low < r.high ? "%s%u-%u" : "%s%u",
                         i == 0 ? "" : ",", (unsigned)r.low, (unsigned)r.high);

        if (n < 0 || (size_t)n >= size - used) {
            text[0] = '\0';
            return false;
        }
        used += (size_t)n;
    }
    return true;
}

void options_deinit(struct options *o)
{
    free(o->ranges);
    *o = (struct options)OPTIONS_NULL;
}

void options_usage(FILE *stream)
{
    fputs("Usage: DaqPortManager [SWITCH [VALUE]] ...\n"
          "Switches take one dash or two, and their value as the next word or behind =.\n\n",
          stream);
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        const struct row *row = &ROWS[i];

        for (size_t j = 0; row->names[j] != NULL; j++) {
            fprintf(stream, "%s%s%s", j == 0 ? "  " : ", ",
                    strchr(row->names[j], '-') != NULL ? "--" : "-", row->names[j]);
        }
        fprintf(stream, "%s%s\n", row->argument != NULL ? " " : "",
                row->argument != NULL ? row->argument : "");
        for (const char *line = row->help; line != NULL;) {
            int length = (int)strcspn(line, "\n");

            fprintf(stream, "      %.*s\n", length, line);
            line = line[length] == '\n' ? line + length + 1 : NULL;
        }
    }
}
