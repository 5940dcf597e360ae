/*
 * lsports: lists the ports of Ports IPC, or deletes some.
 *
 *     lsports ?-json? ?-name NAME? ?NAME|ID? ...
 *     lsports -rm ?-name NAME? ?NAME|ID? ...
 */

#include "sys/ports.h"

#include "report.h"
#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

static const char usage_text[] = "usage: lsports ?-json? ?-name NAME? ?NAME|ID? ...\n"
                                 "       lsports -rm ?-name NAME? ?NAME|ID? ...\n";

static const char help_text[] =
    "Lists the ports of Ports IPC, all or those that are named. A NAME of digits alone\n"
    "is an id, and one with a dash in front an option: give it by -name.\n"
    "\n"
    "  -json       print a JSON array of objects\n"
    "  -rm         delete the ports, with their messages; who is blocked gets an error\n"
    "  -name NAME  the port of this name, whatever it looks like; may be repeated\n"
    "  -help       print this text\n"
    "  -version    print the version\n"
    "  --          no option follows\n"
    "\n"
    "An option begins with one dash or two. PORTS_DIR names the folder of the ports, in\n"
    "place of /dev/shm/ports-EUID. Exit code: 0 done, 1 no such port, or permission\n"
    "denied, 100 wrong usage, 111 any other failure.\n";

/* ------------------------------------------------------------ arguments -- */

/* A port as the command line gives it. */
struct operand {
    const char *text;
    bool is_name; /* whatever it looks like */
};

struct arguments {
    bool json;
    bool rm;
    bool help;
    bool version;
    struct operand *operands;
    size_t count;
};

static void print_usage(FILE *out)
{
    fputs(usage_text, out);
}

static void add_operand(struct arguments *arguments, const char *text, bool is_name)
{
    arguments->operands[arguments->count++] = (struct operand){text, is_name};
}

/* Takes the option at *words and its value; advances *words behind them. */
static int parse_option(struct arguments *arguments, char ***words)
{
    const struct tool_option table[] = {
        {"json", .flag = &arguments->json},
        {"rm", .flag = &arguments->rm},
        {"help", .flag = &arguments->help},
        {"version", .flag = &arguments->version},
        {.name = NULL},
    };
    const char *word = **words;
    if (strcmp(word, "-name") != 0 && strcmp(word, "--name") != 0)
        return tool_take_option(table, words);
    ++*words;
    if (!**words)
        return tool_fail_usage("a name must follow the option", word);
    add_operand(arguments, *(*words)++, true);
    return EXIT_DONE;
}

/* Fills in *arguments, whose operands have room for all words. */
static int parse_arguments(struct arguments *arguments, char **words)
{
    bool options_end = false;
    while (*words) {
        if (!options_end && strcmp(*words, "--") == 0) {
            options_end = true;
            ++words;
        } else if (!options_end && tool_is_option(*words)) {
            int r = parse_option(arguments, &words);
            if (r != EXIT_DONE)
                return r;
        } else {
            add_operand(arguments, *words++, false);
        }
    }
    if (arguments->rm && arguments->json)
        return tool_fail_usage("there is nothing to print with -rm", "-json");
    if (arguments->rm && arguments->count == 0 && !arguments->help && !arguments->version)
        return tool_fail_usage("a name or an id must follow the option", "-rm");
    return EXIT_DONE;
}

/* ----------------------------------------------------------------- text -- */

enum { CELL_BYTES = 512 }; /* a name has 32 bytes, each four characters when escaped */

/* The length in bytes of the UTF-8 character at `text`; 0: there is none. */
static size_t decode(const char *text, wchar_t *character)
{
    mbstate_t state = {0};
    size_t size = strlen(text);
    size_t length = mbrtowc(character, text, size, &state);
    return length <= size && *character <= 0x10FFFF ? length : 0;
}

/* The length of the character at `text` if it shows as itself; 0: it is to be escaped. */
static size_t plain_length(const char *text)
{
    wchar_t character;
    size_t length = decode(text, &character);
    bool plain = length > 0 && iswgraph((wint_t)character) && wcwidth(character) > 0 &&
                 character != L'\\' && character != L'"';
    return plain ? length : 0;
}

/*
 * Writes text of others such that it is one word: blanks, control characters,
 * characters that take no column, backslashes, quotes and bytes that are not
 * UTF-8 appear as \xNN. What does not fit is left out.
 */
static void escape(char cell[CELL_BYTES], const char *text)
{
    size_t at = 0;
    while (*text && at + 5 < CELL_BYTES) {
        size_t length = plain_length(text);
        if (length > 0) {
            memcpy(cell + at, text, length);
            at += length;
            text += length;
        } else {
            at += (size_t)snprintf(cell + at, 5, "\\x%02X", (unsigned)(unsigned char)*text++);
        }
    }
    cell[at] = '\0';
}

/* Writes text of others as UTF-8: U+FFFD in place of each byte that is not. Whether it is
 * the same text. */
static bool replace(char cell[CELL_BYTES], const char *text)
{
    static const char replacement[] = "\uFFFD";
    size_t at = 0;
    bool same = true;
    while (*text && at + 5 < CELL_BYTES) {
        wchar_t character;
        size_t length = decode(text, &character);
        bool valid = length > 0;
        size_t size = valid ? length : sizeof replacement - 1;
        memcpy(cell + at, valid ? text : replacement, size);
        at += size;
        text += valid ? length : 1;
        same &= valid;
    }
    cell[at] = '\0';
    return same;
}

/* The user's name, or the number of one who has none. */
static void write_user(char *text, size_t bytes, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    if (user)
        snprintf(text, bytes, "%s", user->pw_name);
    else
        snprintf(text, bytes, "%u", (unsigned)uid);
}

/* ------------------------------------------------------------- messages -- */

static int code_of(int error)
{
    return error == EINVAL || error == ENOENT || error == EACCES ? EXIT_REFUSED : EXIT_SYSTEM;
}

/* A call about a port failed with errno. */
static int fail_port(const char *port)
{
    int error = errno;
    char cell[CELL_BYTES];
    escape(cell, port);
    fprintf(stderr, "lsports: \"%s\": %s\n", cell,
            error == EINVAL || error == ENOENT ? "no such port" : strerror(error));
    return code_of(error);
}

static int fail_id(int id)
{
    char text[16];
    snprintf(text, sizeof text, "%d", id);
    return fail_port(text);
}

static int worse(int code, int other)
{
    return code > other ? code : other;
}

/* -------------------------------------------------------------- listing -- */

struct listing {
    struct portstat *ports;
    size_t count;
    size_t room;
    time_t now; /* by CLOCK_REALTIME */
};

/* A place behind the last port, not counted yet; NULL: no memory. */
static struct portstat *listing_place(struct listing *listing)
{
    if (listing->count == listing->room) {
        size_t room = listing->room ? 2 * listing->room : 64;
        struct portstat *ports = reallocarray(listing->ports, room, sizeof *ports);
        if (!ports)
            return NULL;
        listing->ports = ports;
        listing->room = room;
    }
    return &listing->ports[listing->count];
}

/* A port's id by its name or its digits; -1 with errno. */
static int find(const struct operand *operand)
{
    const char *text = operand->text;
    if (operand->is_name || *text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return pgetport(text);
    errno = 0;
    long id = strtol(text, NULL, 10);
    if (errno == 0 && id <= INT_MAX)
        return (int)id;
    errno = EINVAL;
    return -1;
}

static int list_given(struct listing *listing, const struct arguments *arguments)
{
    int code = EXIT_DONE;
    for (size_t i = 0; i < arguments->count; ++i) {
        const struct operand *operand = &arguments->operands[i];
        struct portstat *place = listing_place(listing);
        if (!place)
            return tool_fail_memory();
        int id = find(operand);
        if (id >= 0 && pstat(id, place) == 0)
            ++listing->count;
        else
            code = worse(code, fail_port(operand->text));
    }
    return code;
}

static int list_all(struct listing *listing)
{
    int code = EXIT_DONE;
    int id = 0;
    while ((id = pnext(id)) > 0) {
        struct portstat *place = listing_place(listing);
        if (!place)
            return tool_fail_memory();
        if (pstat(id, place) == 0)
            ++listing->count;
        else if (errno != EINVAL) /* which it has when it ended meanwhile */
            code = worse(code, fail_id(id));
    }
    if (errno == ENOENT)
        return code;
    fprintf(stderr, "lsports: cannot list the ports: %s\n", strerror(errno));
    return worse(code, code_of(errno));
}

/* Not by time(2), which may still tell the second before that of a port just made. */
static time_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

/* The seconds that a port has existed; 0 where the clock was set back. */
static long long age_of(const struct portstat *port, time_t now)
{
    return now > port->created.tv_sec ? (long long)(now - port->created.tv_sec) : 0;
}

/* ---------------------------------------------------------------- table -- */

enum { ID, NAME, OWNER, CAPACITY, WAITING, SENDERS, RECEIVERS, AGE, COLUMNS };

static const struct column {
    const char *heading;
    bool is_left; /* aligned */
} columns[COLUMNS] = {
    [ID] = {"Id", false},
    [NAME] = {"Name", true},
    [OWNER] = {"Owner", true},
    [CAPACITY] = {"Capacity", false},
    [WAITING] = {"Waiting", false},
    [SENDERS] = {"Senders", false},
    [RECEIVERS] = {"Receivers", false},
    [AGE] = {"Age", false},
};

struct row {
    char cell[COLUMNS][CELL_BYTES];
};

static void write_number(char cell[CELL_BYTES], int number)
{
    snprintf(cell, CELL_BYTES, "%d", number);
}

/* `-` is no name, so the name `-` does not show as itself; "" is the empty one. */
static void write_name(char cell[CELL_BYTES], const struct portstat *port)
{
    if (!port->named)
        snprintf(cell, CELL_BYTES, "-");
    else if (port->name[0] == '\0')
        snprintf(cell, CELL_BYTES, "\"\"");
    else if (strcmp(port->name, "-") == 0)
        snprintf(cell, CELL_BYTES, "\\x2D");
    else
        escape(cell, port->name);
}

static void write_age(char cell[CELL_BYTES], long long age_s)
{
    const long long minute_s = 60;
    const long long hour_s = 60 * minute_s;
    const long long day_s = 24 * hour_s;
    if (age_s < minute_s)
        snprintf(cell, CELL_BYTES, "%llds", age_s);
    else if (age_s < hour_s)
        snprintf(cell, CELL_BYTES, "%lldm", age_s / minute_s);
    else if (age_s < day_s)
        snprintf(cell, CELL_BYTES, "%lldh", age_s / hour_s);
    else
        snprintf(cell, CELL_BYTES, "%lldd", age_s / day_s);
}

static void fill_row(struct row *row, const struct portstat *port, time_t now)
{
    char user[CELL_BYTES];
    write_user(user, sizeof user, port->uid);
    write_number(row->cell[ID], port->id);
    write_name(row->cell[NAME], port);
    escape(row->cell[OWNER], user);
    write_number(row->cell[CAPACITY], port->capacity);
    write_number(row->cell[WAITING], port->count);
    write_number(row->cell[SENDERS], port->blocked_senders);
    write_number(row->cell[RECEIVERS], port->blocked_receivers);
    write_age(row->cell[AGE], age_of(port, now));
}

/* How many columns of the terminal it takes. */
static int width_of(const char *cell)
{
    wchar_t wide[CELL_BYTES];
    size_t length = mbstowcs(wide, cell, CELL_BYTES);
    return length < CELL_BYTES ? wcswidth(wide, length) : (int)strlen(cell);
}

/* The cell of column `c`, and what comes behind it. */
static void print_cell(const char *cell, size_t c, int width)
{
    int padding = width - width_of(cell);
    const char *gap = c + 1 < COLUMNS ? "  " : "\n";
    if (columns[c].is_left)
        printf("%s%*s%s", cell, padding, "", gap);
    else
        printf("%*s%s%s", padding, "", cell, gap);
}

static void print_heading(const int widths[COLUMNS])
{
    for (size_t c = 0; c < COLUMNS; ++c)
        print_cell(columns[c].heading, c, widths[c]);
    for (size_t c = 0; c < COLUMNS; ++c) {
        for (int i = 0; i < widths[c]; ++i)
            putchar('-');
        print_cell("", c, 0);
    }
}

static int print_table(const struct listing *listing)
{
    struct row row;
    int widths[COLUMNS];
    for (size_t c = 0; c < COLUMNS; ++c)
        widths[c] = width_of(columns[c].heading);
    for (size_t i = 0; i < listing->count; ++i) {
        fill_row(&row, &listing->ports[i], listing->now);
        for (size_t c = 0; c < COLUMNS; ++c) {
            int width = width_of(row.cell[c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    print_heading(widths);
    for (size_t i = 0; i < listing->count; ++i) {
        fill_row(&row, &listing->ports[i], listing->now);
        for (size_t c = 0; c < COLUMNS; ++c)
            print_cell(row.cell[c], c, widths[c]);
    }
    return EXIT_DONE;
}

/* ----------------------------------------------------------------- JSON -- */

static void report_replaced(struct report *report, const char *key, const char *text)
{
    char cell[CELL_BYTES];
    replace(cell, text);
    report_string(report, key, cell);
}

/* The name as text, null if there is none; and as bytes, if the text is not all of it. */
static void report_name(struct report *report, const struct portstat *port)
{
    char cell[CELL_BYTES];
    char hex[2 * PORTS_NAME_MAX + 1] = "";
    bool same = !port->named || replace(cell, port->name);
    report_string(report, "name", port->named ? cell : NULL);
    if (same)
        return;
    for (size_t i = 0; port->name[i]; ++i)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)port->name[i]);
    report_string(report, "name_hex", hex);
}

static void report_owner(struct report *report, const struct portstat *port)
{
    char user[CELL_BYTES];
    char mode[16];
    write_user(user, sizeof user, port->uid);
    snprintf(mode, sizeof mode, "%04o", (unsigned)port->mode);
    report_replaced(report, "owner", user);
    report_number(report, "uid", port->uid);
    report_number(report, "gid", port->gid);
    report_string(report, "mode", mode);
    report_number(report, "creator", port->creator);
}

static void report_port(struct report *report, const struct portstat *port, time_t now)
{
    report_row(report);
    report_number(report, "id", port->id);
    report_name(report, port);
    report_owner(report, port);
    report_number(report, "capacity", port->capacity);
    report_number(report, "waiting", port->count);
    report_number(report, "blocked_senders", port->blocked_senders);
    report_number(report, "blocked_receivers", port->blocked_receivers);
    report_number(report, "created", port->created.tv_sec);
    report_number(report, "age", age_of(port, now));
}

static int print_json(const struct listing *listing)
{
    struct report report = REPORT_NULL;
    for (size_t i = 0; i < listing->count; ++i)
        report_port(&report, &listing->ports[i], listing->now);
    return report_print_json(&report);
}

/* ----------------------------------------------------------------- main -- */

static int list_ports(const struct arguments *arguments)
{
    struct listing listing = {.now = seconds_now()};
    int code = arguments->count > 0 ? list_given(&listing, arguments) : list_all(&listing);
    code = worse(code, arguments->json ? print_json(&listing) : print_table(&listing));
    free(listing.ports);
    return code;
}

static int delete_ports(const struct arguments *arguments)
{
    int code = EXIT_DONE;
    for (size_t i = 0; i < arguments->count; ++i) {
        const struct operand *operand = &arguments->operands[i];
        int id = find(operand);
        if (id < 0 || pdelete(id, NULL) < 0)
            code = worse(code, fail_port(operand->text));
    }
    return code;
}

static int run(const struct arguments *arguments)
{
    if (arguments->help)
        printf("%s\n%s", usage_text, help_text);
    else if (arguments->version)
        printf("lsports %s\n", PACKAGE_VERSION);
    else
        return arguments->rm ? delete_ports(arguments) : list_ports(arguments);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    /* Names are taken for UTF-8 whatever the user's locale is. */
    setlocale(LC_CTYPE, "C.UTF-8");
    tool_is("lsports", print_usage);
    arguments.operands = calloc((size_t)argc + 1, sizeof *arguments.operands);
    if (!arguments.operands)
        return tool_fail_memory();
    int code = argc > 0 ? parse_arguments(&arguments, argv + 1) : EXIT_DONE;
    if (code == EXIT_DONE)
        code = tool_close_output(run(&arguments));
    free(arguments.operands);
    return code;
}
