/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the command line of roostd. */
#include "ops/arguments.h"

#include <string.h>

#include "ops/config/config_scope.h"

const char arguments_usage[] =
    "roostd: a realtime server that speaks Centrifugo's client protocol\n"
    "\n"
    "usage: roostd [flags]\n"
    "\n"
    "  -c, --config FILE      read the configuration from a YAML or JSON file\n"
    "      --dev              development: 127.0.0.1, anonymous clients may do everything, demo "
    "page on\n"
    "      --check            print the configuration in effect and where each value comes from, "
    "then exit\n"
    "      --shards N         runtime.shards\n"
    "  -p, --port N           http_server.port\n"
    "  -a, --address ADDRESS  http_server.address\n"
    "      --KEY VALUE        any key of the configuration by its full name, e.g. --log.level "
    "debug\n"
    "      --help-config      print all keys as a Markdown table, then exit\n"
    "  -v, --version          print the version, then exit\n"
    "  -h, --help             print this, then exit\n"
    "\n"
    "Flags go over the environment (ROOST_HTTP_SERVER_PORT=...), which goes over the file, which "
    "goes over\n"
    "--dev. --flag VALUE and --flag=VALUE are the same.\n";

enum flag_kind { FLAG_SWITCH, FLAG_CONFIG, FLAG_KEY };

struct flag {
    const char *name;
    const char *short_name;
    enum flag_kind kind;
    const char *key;      /* FLAG_KEY */
    size_t switch_offset; /* FLAG_SWITCH: in struct arguments. */
};

static const struct flag flags[] = {
    {"--config", "-c", FLAG_CONFIG, NULL, 0},
    {"--dev", NULL, FLAG_SWITCH, NULL, offsetof(struct arguments, dev)},
    {"--check", NULL, FLAG_SWITCH, NULL, offsetof(struct arguments, check)},
    {"--shards", NULL, FLAG_KEY, "runtime.shards", 0},
    {"--port", "-p", FLAG_KEY, "http_server.port", 0},
    {"--address", "-a", FLAG_KEY, "http_server.address", 0},
    {"--help-config", NULL, FLAG_SWITCH, NULL, offsetof(struct arguments, help_config)},
    {"--version", "-v", FLAG_SWITCH, NULL, offsetof(struct arguments, version)},
    {"--help", "-h", FLAG_SWITCH, NULL, offsetof(struct arguments, help)},
};

static const struct flag *find_flag(const char *text)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(text, flags[i].name) == 0 ||
            (flags[i].short_name != NULL && strcmp(text, flags[i].short_name) == 0)) {
            return &flags[i];
        }
    }
    return NULL;
}

static const struct config_key *find_key(const char *path)
{
    for (size_t i = 0; i < config_keys_len; i++) {
        if (strcmp(config_keys[i].path, path) == 0) {
            return &config_keys[i];
        }
    }
    return NULL;
}

static void report_unknown(const char *text, struct config_report *report)
{
    const char *nearest = NULL;
    size_t best = 4;
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        size_t distance = config_distance(text, flags[i].name, best);

        if (distance < best) {
            best = distance;
            nearest = flags[i].name;
        }
    }
    config_report_error(report, NULL, "unknown flag %s, expected %s",
                        config_report_quote(text, strlen(text), found),
                        nearest != NULL ? nearest : "one of `roostd --help`");
}

/* Where the parser stands: at one argument, what stood behind its "=", and where the findings go.
 */
struct command_line {
    struct arguments *out;
    char **argv;
    int at;
    char *equals_value;
    struct config_report *report;
};

static void add_key(struct command_line *line, const char *flag, const char *key, const char *value)
{
    struct arguments *out = line->out;

    if (out->keys_len == ARGUMENTS_KEYS_MAX) {
        config_report_error(line->report, NULL, "found more than %d flags", ARGUMENTS_KEYS_MAX);
        return;
    }
    out->keys[out->keys_len++] = (struct argument_key){.flag = flag, .key = key, .value = value};
}

/* The value after "=", or the next argument; NULL when there is none (reported). */
static const char *take_value(struct command_line *line)
{
    if (line->equals_value != NULL) {
        return line->equals_value;
    }
    if (line->argv[line->at + 1] == NULL) {
        config_report_error(line->report, NULL, "%s: found nothing behind it, expected a value",
                            line->argv[line->at]);
        return NULL;
    }
    return line->argv[++line->at];
}

/* "--client.insecure" alone is true; every other key takes a value. */
static void parse_key(struct command_line *line)
{
    const char *flag = line->argv[line->at];
    const struct config_key *key = find_key(flag + 2);
    const char *value = line->equals_value;

    if (key != NULL && key->type != CONFIG_BOOL) {
        value = take_value(line);
        if (value == NULL) {
            return;
        }
    }
    add_key(line, flag, flag + 2, value != NULL ? value : "true");
}

static void parse_flag(struct command_line *line, const struct flag *flag)
{
    const char *text = line->argv[line->at];

    if (flag->kind == FLAG_SWITCH) {
        if (line->equals_value != NULL) {
            config_report_error(line->report, NULL, "%s: found a value, expected none", text);
        }
        *(bool *)((char *)line->out + flag->switch_offset) = true;
        return;
    }
    const char *value = take_value(line);

    if (value == NULL) {
        return;
    }
    if (flag->kind == FLAG_KEY) {
        add_key(line, text, flag->key, value);
        return;
    }
    if (line->out->config_path != NULL) {
        config_report_error(line->report, NULL, "--config: found it twice, expected one file");
    }
    line->out->config_path = value;
}

void arguments_parse(int argc, char **argv, struct arguments *out, struct config_report *report)
{
    struct command_line line = {.out = out, .argv = argv, .report = report};

    memset(out, 0, sizeof(*out));
    for (line.at = 1; line.at < argc; line.at++) {
        char *text = argv[line.at];
        const struct flag *flag;

        line.equals_value = strncmp(text, "--", 2) == 0 ? strchr(text, '=') : NULL;
        if (line.equals_value != NULL) {
            *line.equals_value++ = '\0';
        }
        flag = find_flag(text);
        if (flag != NULL) {
            parse_flag(&line, flag);
        } else if (strncmp(text, "--", 2) == 0 && strchr(text, '.') != NULL) {
            parse_key(&line);
        } else {
            report_unknown(text, report);
        }
    }
}
