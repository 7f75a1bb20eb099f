/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds every file of the given folders to a fuzz target, so that seeds and past findings are
 * tested by any compiler. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
    INPUT_LEN_MAX = 8 * 1024 * 1024,
};

static unsigned replayed_count;

/* A copy of exactly the input's length lets a sanitizer see a read of the first byte behind it. */
static void replay_bytes(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);

    if (exact == NULL) {
        fputs("replay: out of memory\n", stderr);
        exit(1);
    }
    if (len > 0) {
        memcpy(exact, bytes, len);
    }
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    replayed_count++;
}

static void replay_file(const char *path)
{
    static uint8_t bytes[INPUT_LEN_MAX];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    /* Named first: when the target aborts, the last line tells which input did it. */
    printf("%s\n", path);
    fflush(stdout);
    replay_bytes(bytes, fread(bytes, 1, sizeof(bytes), file));
    fclose(file);
}

static void replay_path(const char *path)
{
    struct stat status;
    struct dirent **entries = NULL;

    if (stat(path, &status) != 0) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    if (!S_ISDIR(status.st_mode)) {
        replay_file(path);
        return;
    }
    int count = scandir(path, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char child[PATH_MAX];

        if (entries[i]->d_name[0] != '.' && snprintf(child, sizeof(child), "%s/%s", path,
                                                     entries[i]->d_name) < (int)sizeof(child)) {
            replay_path(child);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    /* No input at all is the one seed that every target has. */
    replay_bytes(NULL, 0);
    for (int i = 1; i < argc; i++) {
        replay_path(argv[i]);
    }
    printf("replayed %u inputs\n", replayed_count);
    /* A folder without a seed would be a test that checks nothing. */
    return replayed_count > 1 ? 0 : 1;
}
