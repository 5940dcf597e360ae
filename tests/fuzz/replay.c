/*
 * replay DIRECTORY...
 *
 * Runs a fuzz target over every file of the corpora given, so that they are
 * checked with any compiler. Prints `N inputs`.
 */

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

static void give_up(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    exit(111);
}

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(size + 1);
    if (!file || !bytes || fread(bytes, 1, size, file) != size)
        give_up(path);
    fclose(file);
    char *copy = fuzz_copy((const char *)bytes, size);
    free(bytes);
    LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
    free(copy);
}

static size_t replay_directory(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    if (!directory)
        give_up(path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[PATH_MAX];
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &st) < 0)
            give_up(name);
        if (!S_ISREG(st.st_mode))
            continue;
        replay_file(name, (size_t)st.st_size);
        ++count;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; ++i)
        count += replay_directory(argv[i]);
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
