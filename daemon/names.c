/* Login names of users, remembered for a while. */

#include "names.h"

#include "pa_text.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PASSWD_BYTES = 16 * 1024, /* of a passwd entry; the user of a longer one is a number */
};

struct names_entry {
    struct names_entry *older;
    struct names_entry *newer;
    struct names_entry *next; /* in its bucket */
    uint64_t since_ms;
    uid_t uid;
    char name[];
};

/* ---------------------------------------------------------------- memory -- */

void names_init(struct names *names)
{
    *names = (struct names){.count = 0};
}

/* Numbers of users mostly follow each other, so the lowest bits will do. */
static size_t bucket_of(uid_t uid)
{
    return uid % NAMES_BUCKETS;
}

static struct names_entry *find(const struct names *names, uid_t uid)
{
    struct names_entry *entry = names->buckets[bucket_of(uid)];
    while (entry && entry->uid != uid)
        entry = entry->next;
    return entry;
}

static bool is_old(const struct names_entry *entry, uint64_t now_ms)
{
    return now_ms - entry->since_ms > NAMES_KEPT_MS;
}

/* Frees an entry that is out of the line. */
static void drop(struct names *names, struct names_entry *entry)
{
    struct names_entry **place = &names->buckets[bucket_of(entry->uid)];
    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    --names->count;
    free(entry);
}

static void forget_oldest(struct names *names)
{
    struct names_entry *entry = names->oldest;
    names->oldest = entry->newer;
    *(entry->newer ? &entry->newer->older : &names->newest) = NULL;
    drop(names, entry);
}

static void forget(struct names *names, struct names_entry *entry)
{
    if (!entry->older) {
        forget_oldest(names);
        return;
    }
    entry->older->newer = entry->newer;
    *(entry->newer ? &entry->newer->older : &names->newest) = entry->older;
    drop(names, entry);
}

void names_deinit(struct names *names)
{
    while (names->oldest)
        forget_oldest(names);
}

const char *names_find(const struct names *names, uid_t uid, uint64_t now_ms)
{
    const struct names_entry *entry = find(names, uid);
    return entry && !is_old(entry, now_ms) ? entry->name : NULL;
}

int names_keep(struct names *names, uid_t uid, const char *name, uint64_t now_ms)
{
    size_t size = strlen(name) + 1;
    struct names_entry *entry = find(names, uid);
    if (entry)
        forget(names, entry);
    while (names->oldest && (names->count >= NAMES_MAX || is_old(names->oldest, now_ms)))
        forget_oldest(names);
    entry = malloc(sizeof *entry + size);
    if (!entry)
        return -ENOMEM;
    struct names_entry **bucket = &names->buckets[bucket_of(uid)];
    *entry = (struct names_entry){
        .older = names->newest, .next = *bucket, .since_ms = now_ms, .uid = uid};
    memcpy(entry->name, name, size);
    *(entry->older ? &entry->older->newer : &names->oldest) = entry;
    names->newest = entry;
    *bucket = entry;
    ++names->count;
    return 0;
}

/* --------------------------------------------------------------- look-up -- */

static bool can_be_shown(const char *name)
{
    return *name && strlen(name) < NAMES_NAME_BYTES && pa_text_is_utf8(name) &&
           !pa_text_has_control(name);
}

/* getpwuid(3): what a name service may say when there is no such user. */
static bool is_unknown(int error)
{
    return error == 0 || error == ENOENT || error == ESRCH || error == EBADF ||
           error == EPERM || error == ERANGE;
}

int names_resolve(uid_t uid, char name[NAMES_NAME_BYTES])
{
    char strings[PASSWD_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    int error;
    do {
        error = getpwuid_r(uid, &entry, strings, sizeof strings, &found);
    } while (error == EINTR);
    if (error == 0 && found && can_be_shown(entry.pw_name))
        snprintf(name, NAMES_NAME_BYTES, "%s", entry.pw_name);
    else
        snprintf(name, NAMES_NAME_BYTES, "uid:%lu", (unsigned long)uid);
    return is_unknown(error) ? 0 : -error;
}
