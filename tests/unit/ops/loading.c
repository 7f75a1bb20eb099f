/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of a configuration as a test writes them down. */
#include "tests/unit/ops/loading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FLAGS_MAX = 16 };

static void read_flags(struct loaded *loaded, const char *const *flags)
{
    static char copies[FLAGS_MAX][128];
    static char program[] = "roostd";
    char *argv[FLAGS_MAX + 2] = {program};
    struct arguments arguments;
    int argc = 1;

    for (; flags[argc - 1] != NULL; argc++) {
        assert_true(argc <= FLAGS_MAX);
        snprintf(copies[argc - 1], sizeof(copies[0]), "%s", flags[argc - 1]);
        argv[argc] = copies[argc - 1];
    }
    arguments_parse(argc, argv, &arguments, &loaded->report);
    for (size_t i = 0; i < arguments.keys_len; i++) {
        config_read_flag(&loaded->config, arguments.keys[i].flag, arguments.keys[i].key,
                         arguments.keys[i].value, &loaded->report);
    }
}

struct loaded *load(const struct sources *sources)
{
    struct loaded *loaded = malloc(sizeof(*loaded));

    assert_non_null(loaded);
    config_report_init(&loaded->report);
    assert_true(config_init(&loaded->config));
    if (sources->dev) {
        config_read_dev(&loaded->config, &loaded->report);
    }
    if (sources->file != NULL) {
        config_read_bytes(&loaded->config, "roost.yaml", sources->file, strlen(sources->file),
                          &loaded->report);
    }
    if (sources->environment != NULL) {
        config_read_environment(&loaded->config, sources->environment, &loaded->report);
    }
    if (sources->flags != NULL) {
        read_flags(loaded, sources->flags);
    }
    config_finish(&loaded->config, &loaded->report);
    return loaded;
}

struct loaded *load_text(const char *text)
{
    return load(&(struct sources){.file = text});
}

void unload(struct loaded *loaded)
{
    config_free(&loaded->config);
    free(loaded);
}

char *print_check(struct loaded *loaded)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    config_print(&loaded->config, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

void expect_report(const char *text, const char *report)
{
    struct loaded *loaded = load_text(text);

    assert_string_equal(loaded->report.text, report);
    unload(loaded);
}
