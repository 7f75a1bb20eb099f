/* SPDX-License-Identifier: Apache-2.0 */
/* Names of wildcards, and what stands for what: as tables. */
#include "shards/channel/wildcard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/writer.h"

static struct node_options options_of_tests(void)
{
    struct node_options options;
    node_options_init(&options);
    return options;
}

static void a_wildcard_ends_with_a_segment_of_one_star(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_wildcard;
        uint32_t depth;
    } cases[] = {
        {"news:*", true, 0},
        {"news:sport.*", true, 1},
        {"news:sport.tennis.*", true, 2},
        {"news:.*", true, 1},
        {"news:sport..*", true, 2},
        {"$news:sport.*", true, 1},
        {"$*", true, 0},
        {"*", true, 0},
        {"sport.*", true, 1},
        {"news:a:b.*", true, 1},
        {"a.b:*", true, 0}, /* Dots of the namespace's name are none of the channel's. */
        {"news:sport.*.*", true, 2},
        {"", false, 0},
        {"news:", false, 0},
        {"news:sport", false, 0},
        {"news:sport*", false, 0},
        {"news:sport.*x", false, 0},
        {"news:*.sport", false, 0},
        {"news:**", false, 0},
        {"news*", false, 0},
        {"news:sport#7.*", false, 0},
        {"news:#*", false, 0},
    };
    const struct node_options options = options_of_tests();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct span name = span_of_text(cases[i].name);
        if (wildcard_is_name(&options, name) != cases[i].is_wildcard ||
            (cases[i].is_wildcard && wildcard_depth_of(&options, name) != cases[i].depth)) {
            fail_msg("%s", cases[i].name);
        }
    }
}

static void a_channel_has_the_wildcards_of_its_beginnings(void **state)
{
    (void)state;
    static const struct {
        const char *channel;
        uint32_t max_depth;
        const char *wildcards; /* With a space behind each. */
    } cases[] = {
        {"news:sport.tennis.final", 8, "news:* news:sport.* news:sport.tennis.* "},
        {"news:sport.tennis.final", 2, "news:* news:sport.* "},
        {"news:sport.tennis.final", 0, ""},
        {"news:sport", 8, "news:* "},
        {"news:sport.", 8, "news:* "}, /* Nothing stands where the star would. */
        {"news:.", 8, "news:* "},
        {"news:..x", 8, "news:* news:.* news:..* "},
        {"news:", 8, ""},
        {"sport.tennis", 8, "* sport.* "},
        {"$news:sport.x", 8, "$news:* $news:sport.* "},
        {"$x", 8, "$* "},
        {"$", 8, ""},
        {"", 8, ""},
        {"ns.1:a.b", 8, "ns.1:* ns.1:a.* "},
        {"news:sport.dialog#1,2", 8, ""},
        {"news:#7", 8, ""},
    };
    const struct node_options options = options_of_tests();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct span channel = span_of_text(cases[i].channel);
        uint8_t found_room[256];
        struct writer found = writer_of(found_room, sizeof(found_room));
        uint8_t *room = malloc(channel.len + 1); /* Sanitizers see what is written beyond it. */
        struct wildcard_walk walk;
        struct span wildcard;
        assert_non_null(room);
        wildcard_walk_begin(&walk, &options, channel, cases[i].max_depth);
        while (wildcard_next(&walk, room, &wildcard)) {
            assert_true(wildcard_is_name(&options, wildcard));
            assert_true(wildcard_depth_of(&options, wildcard) < cases[i].max_depth);
            assert_true(wildcard.len <= channel.len);
            writer_put(&found, wildcard);
            writer_put_byte(&found, ' ');
        }
        if (!span_equal(writer_written(&found), span_of_text(cases[i].wildcards))) {
            fail_msg("%s", cases[i].channel);
        }
        free(room);
    }
}

static void boundaries_are_those_of_the_configuration(void **state)
{
    (void)state;
    struct node_options options = options_of_tests();
    uint8_t room[64];
    struct wildcard_walk walk;
    struct span wildcard;
    options.channel_namespace_boundary = "::";
    options.channel_private_prefix = "priv-";
    options.channel_user_boundary = "@";
    wildcard_walk_begin(&walk, &options, SPAN_LITERAL("priv-news::a#.b"), 8);
    assert_true(wildcard_next(&walk, room, &wildcard));
    assert_true(span_equal(wildcard, SPAN_LITERAL("priv-news::*")));
    assert_true(wildcard_next(&walk, room, &wildcard));
    assert_true(span_equal(wildcard, SPAN_LITERAL("priv-news::a#.*")));
    assert_false(wildcard_next(&walk, room, &wildcard));
    assert_false(wildcard_next(&walk, room, &wildcard));
    assert_false(wildcard_is_name(&options, SPAN_LITERAL("news::a@.*")));
    assert_true(wildcard_is_name(&options, SPAN_LITERAL("news::a#.*")));
    /* An empty boundary is none. */
    options.channel_user_boundary = "";
    options.channel_namespace_boundary = "";
    assert_true(wildcard_is_name(&options, SPAN_LITERAL("news::a@.*")));
    assert_int_equal(wildcard_depth_of(&options, SPAN_LITERAL("a.b:c.*")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wildcard_ends_with_a_segment_of_one_star),
        cmocka_unit_test(a_channel_has_the_wildcards_of_its_beginnings),
        cmocka_unit_test(boundaries_are_those_of_the_configuration),
    };
    return cmocka_run_group_tests_name("wildcard", tests, NULL, NULL);
}
