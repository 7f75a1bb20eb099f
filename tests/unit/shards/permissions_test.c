/* SPDX-License-Identifier: Apache-2.0 */
/* Channel names, namespaces, what a client may do, and glob patterns: as tables. */
#include "shards/edge/session/permissions.h"

#include "shards/patterns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct channel_options namespaces[] = {{.name = "chat"}, {.name = "ns.1"}};

static struct node_options options_of_tests(void)
{
    struct node_options options;
    node_options_init(&options);
    options.namespaces = namespaces;
    options.namespaces_len = sizeof(namespaces) / sizeof(namespaces[0]);
    return options;
}

static struct permissions_client client(const char *user, bool is_subscribed)
{
    return (struct permissions_client){.user = span_of_text(user), .is_subscribed = is_subscribed};
}

/* ---- names ---- */

static void a_channel_has_the_options_of_its_namespace(void **state)
{
    (void)state;
    static const struct {
        const char *channel;
        const char *name; /* NULL: unknown. */
    } cases[] = {
        {"news", ""},        {"chat:1", "chat"}, {"chat:", "chat"},  {"chat:a:b", "chat"},
        {"$chat:1", "chat"}, {"$news", ""},      {"ns.1:x", "ns.1"}, {"$", ""},
        {"ns:1", NULL},      {":1", NULL},       {"chatx:1", NULL},  {"cha:t", NULL},
        {"$$chat:1", NULL},  {"Chat:1", NULL},   {"chat #:1", NULL}, {"chat", ""},
        {"chat#1:2", NULL},  {"", ""},           {"chat::", "chat"}, {" chat:1", NULL},
    };
    const struct node_options options = options_of_tests();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct channel_options *found =
            permissions_find_channel(&options, span_of_text(cases[i].channel));
        if (cases[i].name == NULL) {
            assert_null(found);
        } else {
            assert_non_null(found);
            assert_string_equal(found->name, cases[i].name);
        }
    }
}

static void boundaries_and_prefixes_are_configured(void **state)
{
    (void)state;
    struct node_options options = options_of_tests();
    options.channel_namespace_boundary = "::";
    options.channel_private_prefix = "priv-";
    assert_string_equal(permissions_find_channel(&options, SPAN_LITERAL("priv-chat::1"))->name,
                        "chat");
    assert_string_equal(permissions_find_channel(&options, SPAN_LITERAL("chat:1"))->name, "");
    assert_true(permissions_is_private(&options, SPAN_LITERAL("priv-x")));
    assert_false(permissions_is_private(&options, SPAN_LITERAL("$x")));
    /* Empty ones mean that there are none. */
    options.channel_namespace_boundary = "";
    options.channel_private_prefix = "";
    assert_string_equal(permissions_find_channel(&options, SPAN_LITERAL("chat:1"))->name, "");
    assert_false(permissions_is_private(&options, SPAN_LITERAL("$x")));
}

static void a_name_is_short_and_ascii(void **state)
{
    (void)state;
    struct node_options options = options_of_tests();
    char name[257];
    memset(name, 'a', sizeof(name));
    assert_true(
        permissions_is_channel_name(&options, &options.without_namespace, span_of(name, 1)));
    assert_true(
        permissions_is_channel_name(&options, &options.without_namespace, span_of(name, 255)));
    assert_false(
        permissions_is_channel_name(&options, &options.without_namespace, span_of(name, 256)));
    assert_false(permissions_is_channel_name(&options, &options.without_namespace, SPAN_EMPTY));
    assert_false(permissions_is_channel_name(&options, &options.without_namespace,
                                             SPAN_LITERAL("caf\xc3\xa9")));
    assert_false(
        permissions_is_channel_name(&options, &options.without_namespace, SPAN_LITERAL("\x80")));
    options.channel_max_length = 3;
    assert_true(
        permissions_is_channel_name(&options, &options.without_namespace, SPAN_LITERAL("abc")));
    assert_false(
        permissions_is_channel_name(&options, &options.without_namespace, SPAN_LITERAL("abcd")));
}

/* ---- permissions ---- */

static void who_may_subscribe(void **state)
{
    (void)state;
    enum { CLIENT = 1, ANONYMOUS = 2, USERS = 4, INSECURE = 8 };
    static const struct {
        const char *channel;
        const char *user;
        unsigned grants;
        enum subscription_source source;
    } cases[] = {
        {"c", "u", 0, SUBSCRIPTION_BY_NOTHING},
        {"c", "", 0, SUBSCRIPTION_BY_NOTHING},
        {"c", "u", CLIENT, SUBSCRIPTION_BY_PERMISSION},
        {"c", "", CLIENT, SUBSCRIPTION_BY_NOTHING},
        {"c", "", ANONYMOUS, SUBSCRIPTION_BY_NOTHING},
        {"c", "", CLIENT | ANONYMOUS, SUBSCRIPTION_BY_PERMISSION},
        {"c", "", INSECURE, SUBSCRIPTION_BY_INSECURE},
        {"c", "u", INSECURE, SUBSCRIPTION_BY_INSECURE},
        /* A private channel wants a token, whatever else holds. */
        {"$c", "u", CLIENT | ANONYMOUS | USERS | INSECURE, SUBSCRIPTION_BY_NOTHING},
        /* Without the option, `#` is a character like any other. */
        {"c#u", "x", CLIENT, SUBSCRIPTION_BY_PERMISSION},
        {"c#u", "u", 0, SUBSCRIPTION_BY_NOTHING},
        {"c#u", "u", USERS, SUBSCRIPTION_BY_USER_LIST},
        {"c#x,u,y", "u", USERS, SUBSCRIPTION_BY_USER_LIST},
        {"c#x,y,u", "u", USERS, SUBSCRIPTION_BY_USER_LIST},
        {"c#uu", "u", USERS, SUBSCRIPTION_BY_NOTHING},
        {"c#u", "uu", USERS, SUBSCRIPTION_BY_NOTHING},
        {"c#u,", "", USERS, SUBSCRIPTION_BY_NOTHING},
        {"c#", "", USERS, SUBSCRIPTION_BY_NOTHING},
        {"c#", "u", USERS, SUBSCRIPTION_BY_NOTHING},
        /* Who is not in the list is not helped by what holds for all. */
        {"c#u", "x", USERS | CLIENT, SUBSCRIPTION_BY_NOTHING},
        {"c#u", "", USERS | CLIENT | ANONYMOUS, SUBSCRIPTION_BY_NOTHING},
        {"c#u", "x", USERS | INSECURE, SUBSCRIPTION_BY_INSECURE},
        {"c", "x", USERS, SUBSCRIPTION_BY_NOTHING},
        {"c", "x", USERS | CLIENT, SUBSCRIPTION_BY_PERMISSION},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct node_options options = options_of_tests();
        options.client.insecure = (cases[i].grants & INSECURE) != 0;
        const struct channel_options channel = {
            .allow_subscribe_for_client = (cases[i].grants & CLIENT) != 0,
            .allow_subscribe_for_anonymous = (cases[i].grants & ANONYMOUS) != 0,
            .allow_user_limited_channels = (cases[i].grants & USERS) != 0,
        };
        const enum subscription_source source =
            permissions_may_subscribe(&options, &channel, span_of_text(cases[i].channel),
                                      client(cases[i].user, false));
        if (source != cases[i].source) {
            fail_msg("%s as '%s' with %u", cases[i].channel, cases[i].user, cases[i].grants);
        }
    }
}

enum grant { FOR_SUBSCRIBER = 1, FOR_CLIENT = 2, FOR_ANONYMOUS = 4, INSECURE = 8 };

/* Publishing and presence know the same four permissions. */
struct use_case {
    const char *user;
    bool is_subscribed;
    unsigned grants;
    bool may;
};

static const struct use_case use_cases[] = {
    {"u", false, 0, false},
    {"u", true, 0, false},
    {"", true, 0, false},
    {"u", true, FOR_SUBSCRIBER, true},
    {"u", false, FOR_SUBSCRIBER, false},
    {"u", false, FOR_CLIENT, true},
    {"u", true, FOR_CLIENT, true},
    {"", false, FOR_CLIENT, false},
    {"", true, FOR_CLIENT, false},
    {"", false, FOR_CLIENT | FOR_ANONYMOUS, true},
    {"u", false, FOR_SUBSCRIBER | FOR_CLIENT, true},
    {"", false, FOR_SUBSCRIBER | FOR_CLIENT, false},
    {"", false, INSECURE, true},
    {"u", false, INSECURE, true},
};

static void who_may_publish_and_see_presence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(use_cases) / sizeof(use_cases[0]); i++) {
        const struct use_case *at = &use_cases[i];
        struct node_options options = options_of_tests();
        options.client.insecure = (at->grants & INSECURE) != 0;
        struct channel_options channel = {
            .allow_publish_for_subscriber = (at->grants & FOR_SUBSCRIBER) != 0,
            .allow_publish_for_client = (at->grants & FOR_CLIENT) != 0,
            .allow_publish_for_anonymous = (at->grants & FOR_ANONYMOUS) != 0,
        };
        assert_int_equal(permissions_may_publish(&options, &channel,
                                                 client(at->user, at->is_subscribed)),
                         at->may);
        assert_int_equal(permissions_may_see_presence(&options, &channel,
                                                      client(at->user, at->is_subscribed)),
                         options.client.insecure);
        channel = (struct channel_options){
            .allow_presence_for_subscriber = (at->grants & FOR_SUBSCRIBER) != 0,
            .allow_presence_for_client = (at->grants & FOR_CLIENT) != 0,
            .allow_presence_for_anonymous = (at->grants & FOR_ANONYMOUS) != 0,
        };
        assert_int_equal(permissions_may_see_presence(&options, &channel,
                                                      client(at->user, at->is_subscribed)),
                         at->may);
        assert_int_equal(permissions_may_publish(&options, &channel,
                                                 client(at->user, at->is_subscribed)),
                         options.client.insecure);
    }
}

static void payloads_have_the_configured_format(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        bool is[4]; /* Not empty, JSON, a JSON object, binary. */
    } cases[] = {
        {"", {false, false, false, true}},         {"{}", {true, true, true, true}},
        {"{\"a\":[1]}", {true, true, true, true}}, {"[1]", {true, true, false, true}},
        {"null", {true, true, false, true}},       {"\"x\"", {true, true, false, true}},
        {"{", {true, false, false, true}},         {"{} x", {true, false, false, true}},
        {"x", {true, false, false, true}},         {"{}{}", {true, false, false, true}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned format = PUBLICATION_DATA_NOT_EMPTY; format <= PUBLICATION_DATA_BINARY;
             format++) {
            const struct channel_options channel = {.publication_data_format =
                                                        (enum publication_data_format)format};
            assert_int_equal(permissions_is_data(&channel, span_of_text(cases[i].data)),
                             cases[i].is[format]);
        }
    }
}

/* ---- glob ---- */

static bool glob(const char *pattern, const char *text)
{
    return permissions_glob_matches(span_of_text(pattern), span_of_text(text));
}

static void patterns_match_as_a_shell_would(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *yes[6];
        const char *no[6];
    } cases[] = {
        {"", {""}, {"a"}},
        {"abc", {"abc"}, {"", "ab", "abcd", "Abc", "bc"}},
        {"*", {"", "a", "a.b/c:d"}, {NULL}},
        {"**", {"", "a.b/c"}, {NULL}},
        {"a*", {"a", "ab", "abb"}, {"", "b", "ba"}},
        {"*a", {"a", "ba", "aa"}, {"", "ab"}},
        {"a*b*c", {"abc", "aXbYc", "abbcc", "abcbc"}, {"ab", "ac", "abcd", "acb"}},
        {"?", {"a", "?"}, {"", "ab"}},
        {"a?c", {"abc", "a.c"}, {"ac", "abbc"}},
        {"*?", {"a", "ab"}, {""}},
        {"[abc]", {"a", "b", "c"}, {"", "d", "ab", "["}},
        {"[!abc]x", {"dx", "!x"}, {"ax", "x"}},
        {"[a-c]", {"a", "b", "c"}, {"d", "-"}},
        {"[a-]", {"a", "-"}, {"b"}},
        {"[]x]", {"]", "x"}, {"["}},
        {"[!]]", {"a"}, {"]"}},
        {"[a", {NULL}, {"a", "[a", "["}},
        {"{a,bc}", {"a", "bc"}, {"", "b", "abc", "{a,bc}"}},
        {"x{a,b}y", {"xay", "xby"}, {"xy", "xaby"}},
        {"{,a}b", {"b", "ab"}, {"a", "bb"}},
        {"{}x", {"x"}, {"{}x"}},
        {"{a,{b,c}d}e", {"ae", "bde", "cde"}, {"e", "be", "de"}},
        {"{a*,b}", {"a", "axx", "b"}, {"bx"}},
        {"{a,b", {NULL}, {"a", "b", "{a,b"}},
        {"a}", {"a}"}, {"a"}},
        {"\\*", {"*"}, {"a", "\\*"}},
        {"\\", {"\\"}, {""}},
        {"https://*.example.com", {"https://a.example.com"}, {"https://example.com"}},
        {"http://localhost:[0-9]*", {"http://localhost:3000"}, {"http://localhost:"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t j = 0; j < 6 && cases[i].yes[j] != NULL; j++) {
            if (!glob(cases[i].pattern, cases[i].yes[j])) {
                fail_msg("'%s' should match '%s'", cases[i].pattern, cases[i].yes[j]);
            }
        }
        for (size_t j = 0; j < 6 && cases[i].no[j] != NULL; j++) {
            if (glob(cases[i].pattern, cases[i].no[j])) {
                fail_msg("'%s' should not match '%s'", cases[i].pattern, cases[i].no[j]);
            }
        }
    }
}

/* The piece so many times, and a b. */
static void repeat(char *pattern, const char *piece, size_t times)
{
    const size_t len = strlen(piece);
    for (size_t i = 0; i < times; i++) {
        memcpy(pattern + i * len, piece, len);
    }
    memcpy(pattern + times * len, "b", 2);
}

/* Patterns that would take an exponential time, or a deep stack, end as no match. */
static void no_pattern_runs_for_long(void **state)
{
    (void)state;
    char text[256];
    char *pattern = malloc(200002);
    assert_non_null(pattern);
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    repeat(pattern, "*a", 60);
    assert_false(glob(pattern, text));
    repeat(pattern, "*a", 100000);
    assert_false(glob(pattern, text));
    repeat(pattern, "{a,a}", 60);
    assert_false(glob(pattern, text));
    repeat(pattern, "{", 200000);
    assert_false(glob(pattern, text));
    repeat(pattern, "{", 100000);
    memset(pattern + 100000, '}', 100000);
    pattern[200000] = '\0';
    assert_false(glob(pattern, text));
    memset(pattern, '*', 200000);
    assert_true(glob(pattern, text));
    free(pattern);
}

/* The part behind the namespace, as Centrifugo takes it: without one that is the whole name, with
 * the private prefix. */
static void names_of_clients_match_their_namespace(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        const char *channel;
        bool may_be;  /* Whoever says it. */
        bool matches; /* A client may say it. */
    } rows[] = {
        {"^[a-z]+$", "chat:abc", true, true},
        {"^[a-z]+$", "chat:ab1", true, false},
        {"^[a-z]+$", "$chat:abc", true, true},
        {"^[a-z]*$", "chat:", true, true},
        {"^[a-z]+$", "chat:", true, false},
        {"^a:b$", "chat:a:b", true, true},
        {"^chat", "chat:x", true, false},
        {"^[a-z]+$", "chat:\xc3\xa9", true, false},
        {"^[^a]+$", "chat:\xc3\xa9", true, true},
        {"", "chat:x\xff", false, false},
        {"^[a-z]+$", "other", true, true}, /* That of channels without a namespace is another. */
        {"^[a-z]+$", "other\xc3\xa9", false, false},
    };
    struct channel_options own = {.name = "chat"};
    struct node_options options = options_of_tests();
    options.namespaces = &own;
    options.namespaces_len = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pattern pattern;
        const struct span channel = span_of_text(rows[i].channel);
        assert_true(patterns_make(span_of_text(rows[i].expression), &pattern));
        own.channel_pattern = rows[i].expression[0] == '\0' ? NULL : &pattern;
        const struct channel_options *found = permissions_find_channel(&options, channel);
        assert_non_null(found);
        if (permissions_is_channel_name(&options, found, channel) != rows[i].may_be ||
            permissions_is_clients_channel_name(&options, found, channel) != rows[i].matches) {
            fail_msg("%s, %s", rows[i].expression, rows[i].channel);
        }
        patterns_free(&pattern);
    }
    struct pattern pattern;
    const struct channel_options *found = &options.without_namespace;
    assert_true(patterns_make(SPAN_LITERAL("^\\$?[a-z]+$"), &pattern));
    options.without_namespace.channel_pattern = &pattern;
    assert_true(permissions_is_clients_channel_name(&options, found, SPAN_LITERAL("$other")));
    assert_false(permissions_is_clients_channel_name(&options, found, SPAN_LITERAL("other1")));
    options.without_namespace.channel_pattern = NULL;
    patterns_free(&pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_has_the_options_of_its_namespace),
        cmocka_unit_test(boundaries_and_prefixes_are_configured),
        cmocka_unit_test(a_name_is_short_and_ascii),
        cmocka_unit_test(names_of_clients_match_their_namespace),
        cmocka_unit_test(who_may_subscribe),
        cmocka_unit_test(who_may_publish_and_see_presence),
        cmocka_unit_test(payloads_have_the_configured_format),
        cmocka_unit_test(patterns_match_as_a_shell_would),
        cmocka_unit_test(no_pattern_runs_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
