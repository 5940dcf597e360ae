/* reserve_list.c - the daemon's list, and beside it who has a socket on each port. */
#include "reserve_list.h"

#include "pa_process.h"
#include "pa_release.h"
#include "pa_reserve.h"
#include "pa_show.h"
#include "pa_sockdiag.h"
#include "pa_text.h"

#include <json-c/json.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_SYSTEM = 111,
};

enum column {
    PORT,
    PROTOCOL,
    FAMILY,
    CLIENT,
    STATE,
    PID,
    PROGRAM,
    COLUMNS,
    HOLD = PID, /* of the daemon's answer */
};

static const struct {
    const char *heading;
    const char *key; /* in JSON */
} columns[COLUMNS] = {
    {"Port", "port"},   {"Protocol", "protocol"}, {"Family", "family"},   {"Client", "client"},
    {"State", "state"}, {"Pid", "pid"},           {"Program", "program"},
};

struct list {
    struct pa_release_reply reply;
    size_t count;                      /* ports */
    const char *(*rows)[COLUMNS];      /* NULL in a cell: not known */
    uint64_t *holds;                   /* the daemon's own sockets */
    struct pa_process_socket *sockets; /* a port's service; inode 0: none was seen */
    char (*pids)[24];
};

static int fail_system(const char *why)
{
    fprintf(stderr, "portreserve: %s\n", why);
    return EXIT_SYSTEM;
}

/* ------------------------------------------------------ who has the ports -- */

static void find_row(void *context, const struct pa_sockdiag_socket *socket)
{
    struct list *list = context;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)socket->port);
    for (size_t i = 0; i < list->count; ++i)
        if (strcmp(list->rows[i][PORT], port) == 0 &&
            strcmp(list->rows[i][PROTOCOL], socket->tcp ? "tcp" : "udp") == 0 &&
            list->holds[i] != socket->inode)
            list->sockets[i].inode = socket->inode;
}

/* Without privilege, or without the kernel's help, the list is just shorter by that. */
static void find_processes(struct list *list)
{
    struct pa_sockdiag diag = PA_SOCKDIAG_NULL;
    pa_sockdiag_services(&diag, find_row, list);
    pa_sockdiag_close(&diag);
    pa_process_find(list->sockets, list->count);
    for (size_t i = 0; i < list->count; ++i) {
        if (list->sockets[i].pid == 0)
            continue;
        snprintf(list->pids[i], sizeof list->pids[i], "%ld", (long)list->sockets[i].pid);
        list->rows[i][PID] = list->pids[i];
        list->rows[i][PROGRAM] = list->sockets[i].name;
    }
}

/* --------------------------------------------------------------- output -- */

static void print_table(const struct list *list)
{
    int widths[COLUMNS];
    for (int c = 0; c < COLUMNS; ++c) {
        widths[c] = (int)strlen(columns[c].heading);
        for (size_t i = 0; i < list->count; ++i) {
            const char *cell = list->rows[i][c];
            int width = cell ? pa_show(NULL, cell, strlen(cell)) : 1;
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (int c = 0; c < COLUMNS; ++c)
        pa_show_column(stdout, columns[c].heading, c + 1 < COLUMNS ? widths[c] + 2 : 0);
    putchar('\n');
    for (int c = 0; c < COLUMNS; ++c) {
        for (int i = 0; i < widths[c]; ++i)
            putchar('-');
        fputs(c + 1 < COLUMNS ? "  " : "\n", stdout);
    }
    for (size_t i = 0; i < list->count; ++i) {
        for (int c = 0; c < COLUMNS; ++c) {
            const char *cell = list->rows[i][c];
            pa_show_column(stdout, cell ? cell : "-", c + 1 < COLUMNS ? widths[c] + 2 : 0);
        }
        putchar('\n');
    }
}

static struct json_object *cell_to_json(const char *cell, enum column column)
{
    if (!cell)
        return NULL;
    if (column == PORT || column == PID)
        return json_object_new_int64(strtoll(cell, NULL, 10));
    struct pa_buf text = PA_BUF_NULL;
    struct json_object *value = NULL;
    if (pa_text_append_utf8(&text, cell, strlen(cell)) == 0)
        value = json_object_new_string_len(text.data ? text.data : "", (int)text.size);
    pa_buf_deinit(&text);
    return value;
}

static int print_json(const struct list *list)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; array && i < list->count; ++i) {
        struct json_object *object = json_object_new_object();
        for (int c = 0; object && c < COLUMNS; ++c)
            json_object_object_add(object, columns[c].key,
                                   cell_to_json(list->rows[i][c], (enum column)c));
        if (!object || json_object_array_add(array, object) != 0) {
            json_object_put(object);
            json_object_put(array);
            array = NULL;
        }
    }
    const char *text = array
                           ? json_object_to_json_string_ext(
                                 array, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                           : NULL;
    if (text)
        printf("%s\n", text);
    json_object_put(array);
    return text ? EXIT_DONE : fail_system("out of memory");
}

/* ----------------------------------------------------------------- list -- */

static int split_rows(struct list *list)
{
    list->count = list->reply.count / PA_RESERVE_COLUMNS;
    list->rows = calloc(list->count + 1, sizeof *list->rows);
    list->sockets = calloc(list->count + 1, sizeof *list->sockets);
    list->pids = calloc(list->count + 1, sizeof *list->pids);
    list->holds = calloc(list->count + 1, sizeof *list->holds);
    if (!list->rows || !list->holds || !list->sockets || !list->pids)
        return fail_system("out of memory");
    const char *string = list->reply.strings;
    for (size_t i = 0; i < list->reply.count; ++i, string = pa_reserve_next(string)) {
        size_t column = i % PA_RESERVE_COLUMNS;
        if (column == HOLD)
            list->holds[i / PA_RESERVE_COLUMNS] = strtoull(string, NULL, 10);
        else
            list->rows[i / PA_RESERVE_COLUMNS][column] = string;
    }
    return EXIT_DONE;
}

static int print_list(struct list *list, bool json)
{
    int code = split_rows(list);
    if (code == EXIT_DONE) {
        find_processes(list);
        if (json)
            code = print_json(list);
        else
            print_table(list);
    }
    free(list->rows);
    free(list->holds);
    free(list->sockets);
    free(list->pids);
    pa_release_reply_deinit(&list->reply);
    if (fflush(stdout) != 0 && code == EXIT_DONE)
        code = fail_system("cannot write to standard output");
    return code;
}

int reserve_list(const char *socket, bool json)
{
    struct list list = {.reply = PA_RELEASE_REPLY_NULL};
    struct pa_release_failure failure = {""};
    struct pa_deadline deadline = pa_deadline_in(RESERVE_LIST_TIMEOUT_MS);
    /* Names are UTF-8 whatever the user's locale is. */
    setlocale(LC_CTYPE, "C.UTF-8");
    int r = pa_release_list(socket, &deadline, &list.reply, &failure);
    if (r == 0)
        return print_list(&list, json);
    fputs("portreserve: ", stderr);
    pa_show(stderr, failure.text, strlen(failure.text));
    putc('\n', stderr);
    return r == PA_RELEASE_REFUSED ? EXIT_REFUSED : EXIT_SYSTEM;
}
