/*
 * portrelease: has reserved ports released, or starts a command with sockets on them.
 *
 *     portrelease ?-socket PATH? ?-timeout MS? ?--? NAME...
 *     portrelease ?-socket PATH? ?-timeout MS? -exec NAME -- COMMAND ?ARG...?
 */

#include "pa_release.h"
#include "pa_reserve.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

enum {
    DEFAULT_TIMEOUT_MS = 5000,
    FIRST_FD = 3, /* SD_LISTEN_FDS_START of sd_listen_fds(3) */
};

static const char usage_text[] =
    "usage: portrelease ?-socket PATH? ?-timeout MS? ?--? NAME...\n"
    "       portrelease ?-socket PATH? ?-timeout MS? -exec NAME -- COMMAND ?ARG...?\n";

static const char help_text[] =
    "Has portreserve release the ports that the file NAME reserves, of several files, or\n"
    "of all those that it may ask for: \"*\". Or takes sockets on the ports of one file\n"
    "and starts COMMAND with them.\n"
    "\n"
    "  -exec NAME    start COMMAND; its sockets are the descriptors 3, 4, ... in the\n"
    "                order of the file, see sd_listen_fds(3); {port} in an ARG becomes\n"
    "                the number of the first port\n"
    "  -socket PATH  portreserve's socket (" PA_RESERVE_SOCKET ")\n"
    "  -timeout MS   how many milliseconds a request may take (5000)\n"
    "  -help         print this text\n"
    "  -version      print the version\n"
    "  --            no option follows\n"
    "\n"
    "An option begins with one dash or two. Exit code: 0 done, 1 portreserve refused,\n"
    "100 wrong usage, 111 no answer, or another failure of the system; with -exec that\n"
    "of COMMAND, 126 it cannot be executed, 127 it was not found.\n";

/* ------------------------------------------------------------ arguments -- */

struct arguments {
    bool help;
    bool version;
    bool dashes; /* -- was there */
    int timeout_ms;
    const char *path;
    const char *exec; /* a name; NULL: release those of `words` */
    char **words;     /* names, or a command and its arguments */
};

#define ARGUMENTS_INIT                                                                         \
    {                                                                                          \
        .timeout_ms = DEFAULT_TIMEOUT_MS, .path = PA_RESERVE_SOCKET                            \
    }

static void print_usage(FILE *out)
{
    fputs(usage_text, out);
}

static int check_name(const char *name)
{
    return pa_reserve_is_name(name)
               ? EXIT_DONE
               : tool_fail_usage("a name has 1 to 255 bytes and no slash", name);
}

/* The name of -exec and the command. */
static int check_exec(const struct arguments *arguments, int operands)
{
    if (strcmp(arguments->exec, "*") == 0)
        return tool_fail_usage("-exec takes the name of one file", arguments->exec);
    if (operands > 0 || !arguments->dashes)
        return tool_fail_usage("-- must stand before the command, as in "
                               "-exec NAME -- COMMAND",
                               operands > 0 ? arguments->words[0] : "-exec");
    if (!arguments->words[0] || !*arguments->words[0])
        return tool_fail_usage("a command must follow", "--");
    return check_name(arguments->exec);
}

static int check_names(char **names)
{
    int r = EXIT_DONE;
    if (!*names)
        return tool_fail_usage("no name", NULL);
    for (; r == EXIT_DONE && *names; ++names)
        r = check_name(*names);
    return r;
}

/*
 * Fills in *arguments. Options may stand between names, so these are moved
 * together, to where `words` begins.
 */
static int parse_arguments(struct arguments *arguments, char **words)
{
    const struct tool_option table[] = {
        {"help", .flag = &arguments->help},
        {"version", .flag = &arguments->version},
        {"timeout", .number = &arguments->timeout_ms, .min = 1, .max = INT_MAX},
        {"socket", .path = &arguments->path},
        {"exec", .path = &arguments->exec},
        {.name = NULL},
    };
    char **end = words;
    int operands = 0; /* before -- */
    arguments->words = words;
    while (*words) {
        if (!arguments->dashes && strcmp(*words, "--") == 0) {
            arguments->dashes = true;
            ++words;
        } else if (!arguments->dashes && tool_is_option(*words)) {
            int r = tool_take_option(table, &words);
            if (r != EXIT_DONE)
                return r;
        } else {
            operands += !arguments->dashes;
            *end++ = *words++;
        }
    }
    *end = NULL;
    if (arguments->help || arguments->version)
        return EXIT_DONE;
    return arguments->exec ? check_exec(arguments, operands) : check_names(arguments->words);
}

/* ----------------------------------------------------------- complaints -- */

static int fail_errno(const char *subject, int code)
{
    tool_complain(subject, pa_socket_reason(errno));
    return code;
}

static int fail_call(const char *name, int r, const struct pa_release_failure *failure)
{
    tool_complain(name, failure->text);
    return r == PA_RELEASE_REFUSED ? EXIT_REFUSED : EXIT_SYSTEM;
}

/* -------------------------------------------------------------- release -- */

/* Tries all names. The highest exit code of them. */
static int release_names(const struct arguments *arguments)
{
    int code = EXIT_DONE;
    for (char **name = arguments->words; *name; ++name) {
        struct pa_release_failure failure = {""};
        struct pa_deadline deadline = pa_deadline_in(arguments->timeout_ms);
        int r = pa_release_name(arguments->path, *name, &deadline, &failure);
        int failed = r == 0 ? EXIT_DONE : fail_call(*name, r, &failure);
        code = failed > code ? failed : code;
    }
    return code;
}

/* ----------------------------------------------------------------- exec -- */

/* Makes the descriptor blocking, as systemd passes it, and moves it to `lowest` or above. */
static bool move_above(int *fd, int lowest)
{
    int flags = fcntl(*fd, F_GETFL);
    if (flags < 0 || fcntl(*fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return false;
    if (*fd >= lowest)
        return true;
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, lowest);
    if (moved < 0)
        return false;
    close(*fd);
    *fd = moved;
    return true;
}

/*
 * Gives the sockets the numbers from FIRST_FD, open across exec. First all are
 * moved out of the way of those numbers.
 */
static bool place_sockets(struct pa_release_reply *reply)
{
    int end = FIRST_FD + (int)reply->fd_count;
    for (size_t i = 0; i < reply->fd_count; ++i)
        if (!move_above(&reply->fds[i], end))
            return false;
    for (size_t i = 0; i < reply->fd_count; ++i) {
        int placed = dup2(reply->fds[i], FIRST_FD + (int)i);
        if (placed < 0)
            return false;
        close(reply->fds[i]);
        reply->fds[i] = placed;
    }
    return true;
}

static bool set_environment(const struct pa_release_reply *reply)
{
    char count[sizeof "-2147483648"];
    char pid[sizeof "-2147483648"];
    struct pa_buf names = PA_BUF_NULL;
    snprintf(count, sizeof count, "%d", (int)reply->fd_count);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    const char *name = reply->strings;
    bool ok = true;
    for (size_t i = 0; ok && i < reply->count; ++i, name = pa_reserve_next(name))
        ok = (i == 0 || pa_buf_append(&names, ":", 1) == 0) &&
             pa_buf_append_string(&names, name) == 0;
    ok = ok && pa_buf_append(&names, "", 1) == 0 &&
         setenv("LISTEN_FDNAMES", names.data, 1) == 0 && setenv("LISTEN_FDS", count, 1) == 0 &&
         setenv("LISTEN_PID", pid, 1) == 0;
    pa_buf_deinit(&names);
    return ok;
}

/* The word with each {port} replaced, which is the caller's; NULL: no memory. */
static char *replace_port(const char *word, const char *port, size_t port_size)
{
    static const char mark[] = "{port}";
    struct pa_buf made = PA_BUF_NULL;
    bool ok = true;
    for (const char *at; ok && (at = strstr(word, mark)); word = at + sizeof mark - 1)
        ok = pa_buf_append(&made, word, (size_t)(at - word)) == 0 &&
             pa_buf_append(&made, port, port_size) == 0;
    if (ok && pa_buf_append(&made, word, strlen(word) + 1) == 0)
        return made.data;
    pa_buf_deinit(&made);
    return NULL;
}

static void free_words(char **words)
{
    for (char **word = words; *word; ++word)
        free(*word);
}

/* Replaces the arguments of a command. Those made are the caller's: free_words(). */
static bool replace_ports(char **arguments, const char *port)
{
    size_t port_size = strcspn(port, "/");
    for (; *arguments; ++arguments) {
        *arguments = replace_port(*arguments, port, port_size);
        if (!*arguments)
            return false;
    }
    return true;
}

/* Becomes the command, or returns an exit code. */
static int become(char **command, struct pa_release_reply *reply)
{
    int code = EXIT_SYSTEM;
    if (!replace_ports(command + 1, reply->strings)) {
        tool_fail_memory();
    } else if (!place_sockets(reply)) {
        fail_errno("cannot pass the sockets on", EXIT_SYSTEM);
    } else if (!set_environment(reply)) {
        fail_errno("cannot set the environment", EXIT_SYSTEM);
    } else {
        execvp(command[0], command);
        code = fail_errno(command[0], errno == ENOENT ? EXIT_NO_COMMAND : EXIT_NO_EXEC);
    }
    free_words(command + 1);
    return code;
}

static int take_and_become(const struct arguments *arguments)
{
    struct pa_release_failure failure = {""};
    struct pa_release_reply reply;
    struct pa_deadline deadline = pa_deadline_in(arguments->timeout_ms);
    int r = pa_release_take(arguments->path, arguments->exec, &deadline, &reply, &failure);
    if (r != 0)
        return fail_call(arguments->exec, r, &failure);
    int code = become(arguments->words, &reply);
    pa_release_reply_deinit(&reply);
    return code;
}

/* ----------------------------------------------------------------- main -- */

int main(int argc, char **argv)
{
    static char *none[] = {NULL};
    struct arguments arguments = ARGUMENTS_INIT;
    /* Names are UTF-8 whatever the user's locale is. */
    setlocale(LC_CTYPE, "C.UTF-8");
    tool_is("portrelease", print_usage);
    int code = parse_arguments(&arguments, argc > 0 ? argv + 1 : none);
    if (code != EXIT_DONE)
        return code;
    if (arguments.help)
        printf("%s\n%s", usage_text, help_text);
    else if (arguments.version)
        printf("portrelease %s\n", PACKAGE_VERSION);
    else
        return arguments.exec ? take_and_become(&arguments) : release_names(&arguments);
    return tool_close_output(code);
}
