/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes single configuration values. */
#include "ops/config/config_value.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ops/config/config_yaml.h"

struct config_text {
    struct config_text *next;
    max_align_t bytes[];
};

void *config_texts_allocate(struct config_texts *texts, size_t size)
{
    struct config_text *text = calloc(1, sizeof(*text) + size);

    if (text == NULL) {
        return NULL;
    }
    text->next = texts->first;
    texts->first = text;
    return text->bytes;
}

const char *config_texts_keep(struct config_texts *texts, const char *text, size_t len)
{
    char *copy = config_texts_allocate(texts, len + 1);

    if (copy != NULL && len > 0) {
        memcpy(copy, text, len);
    }
    return copy;
}

void config_texts_free(struct config_texts *texts)
{
    while (texts->first != NULL) {
        struct config_text *text = texts->first;

        texts->first = text->next;
        free(text);
    }
}

static bool text_is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static bool parse_bool(const char *text, size_t len, bool *out)
{
    static const char *const yes[] = {"true", "True", "TRUE", "1"};
    static const char *const no[] = {"false", "False", "FALSE", "0"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (text_is(text, len, yes[i])) {
            *out = true;
            return true;
        }
        if (text_is(text, len, no[i])) {
            *out = false;
            return true;
        }
    }
    return false;
}

/* Decimal digits at the start of the text; returns how many, 0 when none or when they do not fit.
 */
static size_t parse_digits(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    size_t at = 0;

    for (; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[at] - '0'), &value)) {
            return 0;
        }
    }
    *out = value;
    return at;
}

static bool parse_number(const char *text, size_t len, uint64_t *out)
{
    return len > 0 && parse_digits(text, len, out) == len;
}

static bool parse_size(const char *text, size_t len, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"", 1},           {"B", 1},           {"kB", 1000},
                 {"KB", 1000},      {"KiB", 1024},      {"MB", 1000000},
                 {"MiB", 1u << 20}, {"GB", 1000000000}, {"GiB", 1u << 30}};
    uint64_t value;
    size_t at = parse_digits(text, len, &value);

    if (at == 0) {
        return false;
    }
    while (at < len && text[at] == ' ') {
        at++;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (text_is(text + at, len - at, units[i].name)) {
            return !__builtin_mul_overflow(value, units[i].bytes, out);
        }
    }
    return false;
}

/* Length of the unit at the start of the text, 0 when there is none. */
static size_t parse_duration_unit(const char *text, size_t len, uint64_t *out_ns)
{
    /* Longer names first: "ms" is not "m". */
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1},         {"us", 1000},       {"\xc2\xb5s", 1000}, {"ms", 1000000},
                 {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t unit_len = strlen(units[i].name);

        if (unit_len <= len && memcmp(text, units[i].name, unit_len) == 0) {
            *out_ns = units[i].ns;
            return unit_len;
        }
    }
    return 0;
}

/* One "1.5h" of a duration; returns its length, 0 when it is none. */
static size_t parse_duration_part(const char *text, size_t len, uint64_t *out_ns)
{
    uint64_t whole = 0, fraction = 0, fraction_scale = 1, unit_ns;
    size_t whole_len = parse_digits(text, len, &whole);
    size_t at = whole_len;
    size_t fraction_len = 0;

    if (at < len && text[at] == '.') {
        at++;
        for (; at < len && text[at] >= '0' && text[at] <= '9'; at++, fraction_len++) {
            /* Digits beyond a nanosecond change nothing. */
            if (fraction_scale < 1000000000) {
                fraction = fraction * 10 + (uint64_t)(text[at] - '0');
                fraction_scale *= 10;
            }
        }
    }
    if (whole_len == 0 && fraction_len == 0) {
        return 0;
    }
    size_t unit_len = parse_duration_unit(text + at, len - at, &unit_ns);

    if (unit_len == 0 || __builtin_mul_overflow(whole, unit_ns, out_ns)) {
        return 0;
    }
    uint64_t fraction_ns =
        (uint64_t)((double)fraction * ((double)unit_ns / (double)fraction_scale));

    if (__builtin_add_overflow(*out_ns, fraction_ns, out_ns)) {
        return 0;
    }
    return at + unit_len;
}

bool config_duration_parse(const char *text, size_t len, uint64_t *out_ms)
{
    uint64_t total_ns = 0;

    if (len > 0 && text[0] == '+') {
        text++;
        len--;
    }
    if (text_is(text, len, "0")) {
        *out_ms = 0;
        return true;
    }
    if (len == 0) {
        return false;
    }
    while (len > 0) {
        uint64_t part_ns;
        size_t part_len = parse_duration_part(text, len, &part_ns);

        if (part_len == 0 || __builtin_add_overflow(total_ns, part_ns, &total_ns)) {
            return false;
        }
        text += part_len;
        len -= part_len;
    }
    if (total_ns % 1000000 != 0) {
        return false;
    }
    *out_ms = total_ns / 1000000;
    return true;
}

static bool parse_choice(const struct config_key *key, const char *text, size_t len, unsigned *out)
{
    for (unsigned i = 0; key->choices[i] != NULL; i++) {
        if (text_is(text, len, key->choices[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool parse_string(const struct config_key *key, const char *text, size_t len,
                         const char **out, struct config_texts *texts)
{
    if (len < key->min || len > key->max || memchr(text, '\0', len) != NULL) {
        return false;
    }
    const char *copy = config_texts_keep(texts, text, len);

    if (copy == NULL) {
        return false;
    }
    *out = copy;
    return true;
}

static bool set_choices(const struct config_key *key, const char *const *items, size_t len,
                        unsigned *out)
{
    unsigned choices = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned choice;

        if (!parse_choice(key, items[i], strlen(items[i]), &choice)) {
            return false;
        }
        choices |= 1u << choice;
    }
    *out = choices;
    return true;
}

bool config_value_set_list(const struct config_key *key, const char *const *items, size_t len,
                           void *values, struct config_texts *texts)
{
    if (key->type == CONFIG_CHOICES) {
        return set_choices(key, items, len, (void *)((char *)values + key->offset));
    }
    struct config_list *list = (void *)((char *)values + key->offset);

    if (len > CONFIG_LIST_MAX) {
        return false;
    }
    const char **copies = config_texts_allocate(texts, (len + 1) * sizeof(*copies));

    if (copies == NULL) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (items[i][0] == '\0' ||
            !parse_string(key, items[i], strlen(items[i]), &copies[i], texts)) {
            return false;
        }
    }
    list->items = copies;
    list->len = len;
    return true;
}

static bool parse_words(const struct config_key *key, const char *text, size_t len, void *values,
                        struct config_texts *texts)
{
    const char *items[CONFIG_LIST_MAX];
    size_t count = 0;

    if (len > 0 && memchr(text, '\0', len) != NULL) {
        return false;
    }
    for (size_t at = 0; at < len;) {
        size_t word = 0;

        while (at + word < len && text[at + word] != ' ' && text[at + word] != '\t') {
            word++;
        }
        if (word > 0) {
            if (count == CONFIG_LIST_MAX) {
                return false;
            }
            items[count] = config_texts_keep(texts, text + at, word);
            if (items[count++] == NULL) {
                return false;
            }
        }
        at += word + 1;
    }
    return config_value_set_list(key, items, count, values, texts);
}

static bool parse_signed(const char *text, size_t len, int64_t *out)
{
    uint64_t value;
    bool is_negative = len > 0 && text[0] == '-';

    if (!parse_number(text + is_negative, len - is_negative, &value) || value > INT64_MAX) {
        return false;
    }
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool config_value_parse(const struct config_key *key, const char *text, size_t len, void *values,
                        struct config_texts *texts)
{
    void *destination = (char *)values + key->offset;
    uint64_t number = 0;

    switch (key->type) {
    case CONFIG_BOOL:
        return parse_bool(text, len, destination);
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
        if (!(key->type == CONFIG_SIZE ? parse_size : parse_number)(text, len, &number) ||
            number < key->min || number > key->max) {
            return false;
        }
        *(uint32_t *)destination = (uint32_t)number;
        return true;
    case CONFIG_MEMORY:
        if (!parse_size(text, len, &number) || number < key->min || number > key->max) {
            return false;
        }
        *(uint64_t *)destination = number;
        return true;
    case CONFIG_UNIX_TIME:
        return parse_signed(text, len, destination);
    case CONFIG_DURATION:
        if (!config_duration_parse(text, len, &number) || number < key->min || number > key->max) {
            return false;
        }
        *(uint64_t *)destination = number;
        return true;
    case CONFIG_STRING:
        return parse_string(key, text, len, destination, texts);
    case CONFIG_CHOICE:
        return parse_choice(key, text, len, destination);
    case CONFIG_CHOICES:
    case CONFIG_LIST:
        return parse_words(key, text, len, values, texts);
    case CONFIG_TREE: {
        const void *none = NULL; /* Only a file has more. */
        memcpy(destination, &none, sizeof(none));
        return len == 0;
    }
    }
    return false;
}

/* "1h30m", "25s", "1500ms". */
static void format_duration(uint64_t ms, char out[64])
{
    if (ms == 0) {
        snprintf(out, 64, "0s");
    } else if (ms % 1000 != 0) {
        snprintf(out, 64, "%" PRIu64 "ms", ms);
    } else {
        uint64_t s = ms / 1000;
        int used = 0;

        if (s >= 3600) {
            used = snprintf(out, 64, "%" PRIu64 "h", s / 3600);
        }
        if (s / 60 % 60 != 0) {
            used += snprintf(out + used, 64 - (size_t)used, "%" PRIu64 "m", s / 60 % 60);
        }
        if (s % 60 != 0) {
            snprintf(out + used, 64 - (size_t)used, "%" PRIu64 "s", s % 60);
        }
    }
}

static void expect_choice(const struct config_key *key, const char *what,
                          char out[CONFIG_EXPECTED_SIZE])
{
    size_t used = (size_t)snprintf(out, CONFIG_EXPECTED_SIZE, "%s", what);

    for (size_t i = 0; key->choices[i] != NULL && used < CONFIG_EXPECTED_SIZE - 32; i++) {
        used += (size_t)snprintf(out + used, CONFIG_EXPECTED_SIZE - used, "%s \"%s\"",
                                 i > 0 ? "," : "", key->choices[i]);
    }
}

const char *config_value_expected(const struct config_key *key, char out[CONFIG_EXPECTED_SIZE])
{
    char least[64];
    char most[64];

    switch (key->type) {
    case CONFIG_BOOL:
        snprintf(out, CONFIG_EXPECTED_SIZE, "true or false");
        break;
    case CONFIG_NUMBER:
        snprintf(out, CONFIG_EXPECTED_SIZE, "a whole number from %" PRIu64 " to %" PRIu64, key->min,
                 key->max);
        break;
    case CONFIG_UNIX_TIME:
        snprintf(out, CONFIG_EXPECTED_SIZE, "seconds since 1970, a whole number");
        break;
    case CONFIG_DURATION:
        format_duration(key->min, least);
        format_duration(key->max, most);
        snprintf(out, CONFIG_EXPECTED_SIZE,
                 "a duration with its unit, like 300ms, 25s or 1h30m, from %s to %s", least, most);
        break;
    case CONFIG_SIZE:
    case CONFIG_MEMORY:
        snprintf(out, CONFIG_EXPECTED_SIZE,
                 "a number of bytes from %" PRIu64 " to %" PRIu64 ", like 65536 or 64KiB", key->min,
                 key->max);
        break;
    case CONFIG_STRING:
        if (key->min > 0) {
            snprintf(out, CONFIG_EXPECTED_SIZE, "a text of %" PRIu64 " to %" PRIu64 " bytes",
                     key->min, key->max);
        } else {
            snprintf(out, CONFIG_EXPECTED_SIZE, "a text of at most %" PRIu64 " bytes", key->max);
        }
        break;
    case CONFIG_CHOICE:
        expect_choice(key, "one of", out);
        break;
    case CONFIG_CHOICES:
        expect_choice(key, "a list of some of", out);
        break;
    case CONFIG_LIST:
        snprintf(out, CONFIG_EXPECTED_SIZE, "a list of at most %d texts of 1 to %" PRIu64 " bytes",
                 CONFIG_LIST_MAX, key->max);
        break;
    case CONFIG_TREE:
        snprintf(out, CONFIG_EXPECTED_SIZE, "a section or a list in the file");
        break;
    }
    return out;
}

static void print_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            fprintf(out, "\\x%02x", byte);
        } else {
            fputc(byte, out);
        }
    }
    fputc('"', out);
}

static void print_list(const struct config_list *list, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < list->len; i++) {
        if (i > 0) {
            fputs(", ", out);
        }
        print_quoted(list->items[i], out);
    }
    fputc(']', out);
}

static void print_choices(const struct config_key *key, unsigned choices, FILE *out)
{
    const char *before = "";

    fputc('[', out);
    for (size_t i = 0; key->choices[i] != NULL; i++) {
        if ((choices & 1u << i) != 0) {
            fputs(before, out);
            print_quoted(key->choices[i], out);
            before = ", ";
        }
    }
    fputc(']', out);
}

/* In the flow style, on one line. */
static void print_node(const struct config_node *node, FILE *out)
{
    const bool is_mapping = node->kind == CONFIG_NODE_MAPPING;

    if (node->kind == CONFIG_NODE_SCALAR) {
        print_quoted(node->text, out);
        return;
    }
    fputc(is_mapping ? '{' : '[', out);
    for (const struct config_node *at = node->first; at != NULL; at = at->next) {
        if (is_mapping) {
            print_quoted(at->key, out);
            fputs(": ", out);
        }
        print_node(at, out);
        fputs(at->next == NULL ? "" : ", ", out);
    }
    fputc(is_mapping ? '}' : ']', out);
}

static void print_tree(const struct config_key *key, const struct config_node *node, FILE *out)
{
    if (key->is_secret) {
        fputs(node != NULL ? "set" : "unset", out);
    } else if (node != NULL) {
        print_node(node, out);
    } else {
        fputs("null", out);
    }
}

void config_value_print(const struct config_key *key, const void *values, FILE *out)
{
    const void *source = (const char *)values + key->offset;
    char text[64];

    switch (key->type) {
    case CONFIG_BOOL:
        fputs(*(const bool *)source ? "true" : "false", out);
        break;
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
        fprintf(out, "%" PRIu32, *(const uint32_t *)source);
        break;
    case CONFIG_MEMORY:
        fprintf(out, "%" PRIu64, *(const uint64_t *)source);
        break;
    case CONFIG_UNIX_TIME:
        fprintf(out, "%" PRId64, *(const int64_t *)source);
        break;
    case CONFIG_DURATION:
        format_duration(*(const uint64_t *)source, text);
        fputs(text, out);
        break;
    case CONFIG_STRING:
        if (key->is_secret) {
            fputs(**(const char *const *)source != '\0' ? "set" : "unset", out);
        } else {
            print_quoted(*(const char *const *)source, out);
        }
        break;
    case CONFIG_CHOICE:
        print_quoted(key->choices[*(const unsigned *)source], out);
        break;
    case CONFIG_CHOICES:
        print_choices(key, *(const unsigned *)source, out);
        break;
    case CONFIG_LIST:
        if (key->is_secret) {
            fputs(((const struct config_list *)source)->len > 0 ? "set" : "unset", out);
        } else {
            print_list(source, out);
        }
        break;
    case CONFIG_TREE:
        print_tree(key, *(const struct config_node *const *)source, out);
        break;
    }
}
