/* SPDX-License-Identifier: Apache-2.0 */
/* The environment, the flags, --dev, and which of them goes over which; what --check tells about
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/config/config_scope.h"
#include "tests/unit/ops/loading.h"

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_environment(const char *file, const char *const *environment, const char *report)
{
    struct loaded *loaded = load(&(struct sources){.file = file, .environment = environment});

    assert_string_equal(loaded->report.text, report);
    unload(loaded);
}

static void test_every_key_has_a_variable(void **state)
{
    struct loaded *loaded = load_text("");
    struct config_scope root = config_scope_root(&loaded->config);

    (void)state;
    for (size_t i = 0; i < root.keys_len; i++) {
        char variable[256];
        size_t len = (size_t)snprintf(variable, sizeof(variable), "ROOST_%s=", root.keys[i].path);

        for (size_t at = 0; at < len; at++) {
            bool is_lower = variable[at] >= 'a' && variable[at] <= 'z';

            variable[at] = variable[at] == '.' ? '_'
                           : is_lower          ? (char)(variable[at] - 32)
                                               : variable[at];
        }
        /* The default again: a value that every key takes. */
        snprintf(variable + len, sizeof(variable) - len, "%s", root.keys[i].initial);
        config_read_environment(&loaded->config, ENVIRONMENT(variable), &loaded->report);
        assert_string_equal(loaded->report.text, "");
        assert_int_equal(loaded->config.origins[i].source, CONFIG_FROM_ENVIRONMENT);
    }
    unload(loaded);
}

static void test_later_sources_go_over_earlier_ones(void **state)
{
    struct loaded *loaded = load(&(struct sources){
        .dev = true,
        .file = "http_server: {port: 1001}\nhttp_api: {key: of-file}\nclient: {channel_limit: 1, "
                "queue_max_size: 4096}\n",
        .environment =
            ENVIRONMENT("ROOST_HTTP_SERVER_PORT=1002", "ROOST_CLIENT_CHANNEL_LIMIT=2", "PATH=/bin"),
        .flags = FLAGS("--port", "1003", "--shards=5"),
    });
    const struct node_options *options = &loaded->config.options;
    char *check = print_check(loaded);

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_int_equal(options->listen.port, 1003);
    assert_int_equal(options->client.channel_limit, 2);
    assert_int_equal(options->client.queue_max_size, 4096);
    assert_string_equal(options->http_api.key, "of-file");
    assert_string_equal(options->client.token.hmac_secret_key, "dev-secret");
    assert_int_equal(options->shards, 5);
    assert_non_null(strstr(check, "http_server.port: 1003 "));
    assert_non_null(strstr(check, "# flag --port\n"));
    assert_non_null(strstr(check, "# environment ROOST_CLIENT_CHANNEL_LIMIT\n"));
    assert_non_null(strstr(check, "# roost.yaml:2:17\n"));
    assert_non_null(strstr(check, "# --dev\n"));
    assert_non_null(strstr(check, "# default\n"));
    free(check);
    unload(loaded);
}

static void test_check_shows_no_secret(void **state)
{
    struct loaded *loaded = load(&(struct sources){
        .file = "http_api: {key: sesame}\nclient: {token: {hmac_secret_key: sesame}}\n",
        .environment = ENVIRONMENT("ROOST_CLIENT_SUBSCRIPTION_TOKEN_HMAC_SECRET_KEY=sesame"),
    });
    char *check = print_check(loaded);

    (void)state;
    assert_null(strstr(check, "sesame"));
    assert_non_null(strstr(check, "http_api.key: set "));
    assert_non_null(strstr(check, "client.token.hmac_previous_secret_key: unset "));
    free(check);
    unload(loaded);
}

/* One line of --check, nested as deep as its key says, back into a configuration. */
static bool read_back(struct loaded *again, const char *line, int len)
{
    struct config_scope root = config_scope_root(&again->config);
    char path[128], text[512] = "";
    size_t used = 0, depth = 0;
    const char *value = strstr(line, ": ");

    assert_true(value != NULL && value - line < (int)sizeof(path));
    snprintf(path, sizeof(path), "%.*s", (int)(value - line), line);
    const struct config_key *key = config_scope_find(&root, path);

    if (key == NULL || key->is_secret) {
        return false;
    }
    for (const char *at = path; at != NULL; depth++) {
        size_t word = strcspn(at, ".");

        used += (size_t)snprintf(text + used, sizeof(text) - used, "{%.*s: ", (int)word, at);
        at = at[word] == '.' ? at + word + 1 : NULL;
    }
    /* The rest of the line with its comment, which YAML ends at the line's end. */
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s\n",
                             len - (int)(value - line) - 2, value + 2);
    snprintf(text + used, sizeof(text) - used, "%.*s", (int)depth, "}}}}}}}}");
    config_read_bytes(&again->config, "roost.yaml", text, strlen(text), &again->report);
    assert_string_equal(again->report.text, "");
    return true;
}

static void test_check_reads_back(void **state)
{
    struct loaded *loaded = load(&(struct sources){.dev = true});
    struct loaded *again = load_text("");
    char *check = print_check(loaded);
    size_t lines = 0;

    (void)state;
    for (const char *line = check; *line != '\0';) {
        size_t len = strcspn(line, "\n");

        lines += read_back(again, line, (int)len);
        line += len + 1;
    }
    assert_true(lines > 40);
    assert_string_equal(again->config.address, "127.0.0.1");
    assert_true(again->config.options.echo.enabled);
    free(check);
    unload(loaded);
    unload(again);
}

static void test_namespaces_from_the_environment(void **state)
{
    struct loaded *loaded = load(&(struct sources){
        .file = "channel: {namespaces: [{name: news, presence: true}]}\n",
        .environment = ENVIRONMENT("ROOST_CHANNEL_NAMESPACES_X_Y_PRESENCE=true",
                                   "ROOST_CHANNEL_NAMESPACES=x.y  chat news",
                                   "ROOST_CHANNEL_NAMESPACES_NEWS_JOIN_LEAVE=true",
                                   "ROOST_CHANNEL_WITHOUT_NAMESPACE_PRESENCE=true"),
    });
    const struct node_options *options = &loaded->config.options;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_int_equal(options->namespaces_len, 3);
    assert_string_equal(options->namespaces[0].name, "news");
    assert_true(options->namespaces[0].presence && options->namespaces[0].join_leave);
    assert_string_equal(options->namespaces[1].name, "x.y");
    assert_true(options->namespaces[1].presence);
    assert_string_equal(options->namespaces[2].name, "chat");
    assert_false(options->namespaces[2].presence);
    assert_true(options->without_namespace.presence);
    unload(loaded);
}

static void test_errors_of_the_environment(void **state)
{
    (void)state;
    expect_environment(NULL, ENVIRONMENT("ROOST_HTTP_SERVER_PORT=x"),
                       "environment ROOST_HTTP_SERVER_PORT: http_server.port: found \"x\", "
                       "expected a whole number "
                       "from 1 to 65535\n");
    expect_environment(NULL, ENVIRONMENT("ROOST_HTTP_SERVER_PROT=1"),
                       "environment ROOST_HTTP_SERVER_PROT: found an unknown variable, expected "
                       "ROOST_HTTP_SERVER_PORT?\n");
    expect_environment(NULL, ENVIRONMENT("ROOST_=1"),
                       "environment ROOST_: found an unknown variable, expected one of `roostd "
                       "--help-config`\n");
    expect_environment(NULL, ENVIRONMENT("ROOST_CHANNEL_NAMESPACES_CHAT_PRESENCE=true"),
                       "environment ROOST_CHANNEL_NAMESPACES_CHAT_PRESENCE: found an unknown "
                       "variable, expected an "
                       "option of a namespace that the file or ROOST_CHANNEL_NAMESPACES names\n");
    expect_environment(NULL, ENVIRONMENT("ROOST_CHANNEL_NAMESPACES=a"),
                       "environment ROOST_CHANNEL_NAMESPACES: channel.namespaces: found the name "
                       "\"a\", expected 2 to "
                       "64 letters, digits, '-', '_' or '.'\n");
    expect_environment("channel: {namespaces: [{name: a-b}, {name: a.b}]}\n",
                       ENVIRONMENT("ROOST_CHANNEL_NAMESPACES_A_B_PRESENCE=true"),
                       "environment ROOST_CHANNEL_NAMESPACES_A_B_PRESENCE: found the namespaces "
                       "\"a-b\" and \"a.b\", "
                       "which are spelled alike here, expected one; set the option in the file\n");
    expect_environment(NULL, ENVIRONMENT("ROOST_WEBTRANSPORT_ENABLED=true"),
                       "environment ROOST_WEBTRANSPORT_ENABLED: webtransport: known to Centrifugo, "
                       "not supported by "
                       "roost yet\n");
    expect_environment(NULL,
                       ENVIRONMENT("ROOST_WEBTRANSPORT_ENABLED=false",
                                   "ROOST_SSE_HANDLER_PREFIX=/x"),
                       "");
    expect_environment(NULL,
                       ENVIRONMENT("ROOST_CHANNEL_WITHOUT_NAMESPACE_SUBSCRIBE_STREAM_PROXY_ENABLED="
                                   "true"),
                       "environment "
                       "ROOST_CHANNEL_WITHOUT_NAMESPACE_SUBSCRIBE_STREAM_PROXY_ENABLED: "
                       "channel.without_namespace.subscribe_stream_proxy_enabled: known to "
                       "Centrifugo, not supported by roost yet\n");
    /* None of ours. */
    expect_environment(NULL, ENVIRONMENT("ROOSTER=1", "CENTRIFUGO_SSE_ENABLED=true", "ROOST", "=x"),
                       "");
}

static void test_dev_is_a_chat_for_this_machine_alone(void **state)
{
    struct loaded *loaded = load(&(struct sources){.dev = true});
    const struct node_options *options = &loaded->config.options;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_int_equal(options->listen.family, 4);
    assert_int_equal(options->listen.bytes[0], 127);
    assert_true(options->client.allow_anonymous_connect_without_token);
    assert_false(options->client.insecure || options->http_api.insecure);
    assert_true(options->echo.enabled && options->health_enabled && options->prometheus_enabled);
    assert_string_equal(options->http_api.key, "dev-api-key");
    assert_string_equal(options->client.allowed_origins[0], "*");
    assert_int_equal(options->namespaces_len, 1);
    assert_string_equal(options->namespaces[0].name, "chat");
    assert_true(options->namespaces[0].allow_publish_for_anonymous);
    assert_true(options->web_files_len > 0);
    unload(loaded);
}

static void test_the_list_of_the_file_replaces_that_of_dev(void **state)
{
    struct loaded *loaded =
        load(&(struct sources){.dev = true,
                               .file = "channel: {namespaces: [{name: news}, {name: chat}]}\n"});

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_int_equal(loaded->config.options.namespaces_len, 2);
    assert_false(loaded->config.options.namespaces[1].presence);
    unload(loaded);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *text;
        int family;
        int first_byte;
    } cases[] = {{"", 4, 0},           {"127.0.0.1", 4, 127}, {"localhost", 4, 127},
                 {"::1", 6, 0},        {"[::1]", 6, 0},       {"0.0.0.0", 4, 0},
                 {"fe80::1", 6, 0xfe}, {"300.1.1.1", 0, 0},   {"a.b.c.d", 0, 0},
                 {"[", 0, 0},          {"]", 0, 0},           {"[]", 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded *loaded = load(&(struct sources){.flags = FLAGS("--address", cases[i].text)});

        if (cases[i].family == 0) {
            assert_int_equal(loaded->report.errors, 1);
        } else {
            assert_string_equal(loaded->report.text, "");
            assert_int_equal(loaded->config.options.listen.family, cases[i].family);
            assert_int_equal(loaded->config.options.listen.bytes[0], cases[i].first_byte);
        }
        unload(loaded);
    }
}

/* As Centrifugo reads them: what is not said of the internal listener is as the public one's, and
 * one address is one listener. */
static void test_internal_listeners(void **state)
{
    static const struct {
        const char *file;
        const char *address; /* NULL: there is none of its own. */
    } cases[] = {
        {"http_server: {internal_port: 9000}\n", "0.0.0.0:9000"},
        {"http_server: {internal_port: \"9000\", address: 127.0.0.1}\n", "127.0.0.1:9000"},
        {"http_server: {internal_port: 9000, internal_address: \"::1\"}\n", "[::1]:9000"},
        {"http_server: {internal_port: 8000}\n", NULL},
        {"http_server: {internal_port: \"\", port: 8001}\n", NULL},
        {"http_server: {internal_address: 127.0.0.1, address: localhost}\n", NULL},
        {"http_server: {internal_address: 127.0.0.1, address: 10.0.0.1}\n", "127.0.0.1:8000"},
        {"http_server: {internal_address: \"::\"}\n", "[::]:8000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded *loaded = load(&(struct sources){.file = cases[i].file});
        const struct socket_address *internal = &loaded->config.options.listen_internal;
        char text[64];

        assert_string_equal(loaded->report.text, "");
        assert_int_equal(internal->family == 0, cases[i].address == NULL);
        socket_address_format(internal, text);
        assert_string_equal(text, cases[i].address == NULL ? "none" : cases[i].address);
        unload(loaded);
    }
}

static void test_internal_listeners_that_cannot_be(void **state)
{
    static const struct {
        const char *file;
        const char *report;
    } cases[] = {
        {"http_server: {internal_port: http}\n",
         "roost.yaml:1:30: http_server.internal_port: found \"http\", expected a port from 1 to "
         "65535, or nothing\n"},
        {"http_server: {internal_port: 65536}\n",
         "roost.yaml:1:30: http_server.internal_port: found \"65536\", expected a port from 1 to "
         "65535, or nothing\n"},
        {"http_server: {internal_port: 0}\n",
         "roost.yaml:1:30: http_server.internal_port: found \"0\", expected a port from 1 to "
         "65535, or nothing\n"},
        {"http_server: {internal_address: here}\n",
         "roost.yaml:1:33: http_server.internal_address: found \"here\", expected an IPv4 or IPv6 "
         "address\n"},
        {"http_server: {internal_address: 127.0.0.1}\n",
         "roost.yaml:1:33: http_server.internal_address: found \"127.0.0.1\", of which and of "
         "http_server.address one is in the other, expected another port "
         "(http_server.internal_port)\n"},
        {"http_server: {internal_address: 0.0.0.0, address: 127.0.0.1, internal_port: 8000}\n",
         "roost.yaml:1:33: http_server.internal_address: found \"0.0.0.0\", of which and of "
         "http_server.address one is in the other, expected another port "
         "(http_server.internal_port)\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded *loaded = load(&(struct sources){.file = cases[i].file});

        assert_string_equal(loaded->report.text, cases[i].report);
        assert_int_equal(loaded->config.options.listen_internal.family, 0);
        unload(loaded);
    }
}

/* Who may call the server API is said of the address where it is served. */
static void test_an_open_api_is_told_by_its_own_address(void **state)
{
    static const struct {
        const char *file;
        bool is_told;
    } cases[] = {
        {"http_api: {insecure: true}\nhttp_server: {address: 127.0.0.1}\n", false},
        {"http_api: {insecure: true}\nhttp_server: {internal_port: 9000}\n", true},
        {"http_api: {insecure: true}\n"
         "http_server: {internal_port: 9000, internal_address: 127.0.0.1}\n",
         false},
        {"http_api: {insecure: true, external: true}\n"
         "http_server: {internal_port: 9000, internal_address: 127.0.0.1}\n",
         true},
        {"http_api: {insecure: true}\n"
         "http_server: {internal_port: 9000, internal_address: 10.0.0.1, address: 127.0.0.1}\n",
         true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded *loaded = load(&(struct sources){.file = cases[i].file});

        assert_int_equal(loaded->report.errors, 0);
        assert_int_equal(strstr(loaded->report.text, "http_api.insecure: ") != NULL,
                         cases[i].is_told);
        unload(loaded);
    }
}

static void test_errors_of_flags(void **state)
{
    static const struct {
        const char *flag;
        const char *report;
    } cases[] = {
        {"--port=0",
         "flag --port: http_server.port: found \"0\", expected a whole number from 1 to 65535\n"},
        {"--client.nonsense",
         "flag --client.nonsense: \"client.nonsense\": found an unknown key, expected one of "
         "`roostd --help-config`\n"},
        {"--webtransport.enabled", "flag --webtransport.enabled: webtransport: known to "
                                   "Centrifugo, not supported by roost yet\n"},
        {"--pid_file=x", "unknown flag \"--pid_file\", expected one of `roostd --help`\n"},
        {"--log.file=x",
         "flag --log.file: log.file: known to Centrifugo, not supported by roost yet\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded *loaded = load(&(struct sources){.flags = FLAGS(cases[i].flag)});

        assert_string_equal(loaded->report.text, cases[i].report);
        unload(loaded);
    }
}

static void test_the_reference_names_every_key(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    config_print_reference(out);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < config_keys_len; i++) {
        char row[128];

        snprintf(row, sizeof(row), "| `%s` | ", config_keys[i].path);
        assert_non_null(strstr(text, row));
    }
    assert_non_null(strstr(text, "| `presence` | bool | `false` | "));
    assert_non_null(strstr(text, "| `client.ping_interval` | duration | `25s` | "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_has_a_variable),
        cmocka_unit_test(test_later_sources_go_over_earlier_ones),
        cmocka_unit_test(test_check_shows_no_secret),
        cmocka_unit_test(test_check_reads_back),
        cmocka_unit_test(test_namespaces_from_the_environment),
        cmocka_unit_test(test_errors_of_the_environment),
        cmocka_unit_test(test_dev_is_a_chat_for_this_machine_alone),
        cmocka_unit_test(test_the_list_of_the_file_replaces_that_of_dev),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_internal_listeners),
        cmocka_unit_test(test_internal_listeners_that_cannot_be),
        cmocka_unit_test(test_an_open_api_is_told_by_its_own_address),
        cmocka_unit_test(test_errors_of_flags),
        cmocka_unit_test(test_the_reference_names_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
