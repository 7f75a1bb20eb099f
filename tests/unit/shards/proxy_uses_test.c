/* SPDX-License-Identifier: Apache-2.0 */
/* Each proxy that a node may ask, for each thing that it is asked, has a number of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "shards/options.h"
#include "shards/proxy_uses.h"

#include <cmocka.h>

/* Every kind of proxy there is, and so every kind that will be. */
static void every_kind_is_found(void **state)
{
    (void)state;
    struct proxy_options proxy = {.name = "default"};
    struct node_options options = {.connect_proxy = &proxy, .refresh_proxy = &proxy};
    struct channel_options *channel = &options.without_namespace;
    struct proxy_uses uses;
    options.rpc_without_namespace.proxy = &proxy;
    channel->subscribe_proxy = &proxy;
    channel->publish_proxy = &proxy;
    channel->sub_refresh_proxy = &proxy;
    channel->map.publish_proxy = &proxy;
    channel->map.remove_proxy = &proxy;
    channel->shared_poll.proxy = &proxy;
    proxy_uses_find(&options, &uses);
    assert_int_equal(uses.len, PROXY_KIND_COUNT);
    for (uint32_t kind = 0; kind < PROXY_KIND_COUNT; kind++) {
        const uint32_t number = proxy_uses_number(&uses, &proxy, (enum proxy_kind)kind);
        assert_true(number < uses.len);
        assert_int_equal(uses.items[number].kind, kind);
    }
}

/* By name, wherever it is used; more than there is room for share the last number. */
static void names_are_told_apart(void **state)
{
    (void)state;
    char names[PROXY_USES_MAX + 4][8];
    struct proxy_options proxies[PROXY_USES_MAX + 4] = {{0}};
    struct channel_options namespaces[PROXY_USES_MAX + 4] = {{0}};
    struct node_options options = {.namespaces = namespaces, .namespaces_len = 4};
    struct proxy_uses uses;
    for (uint32_t i = 0; i < PROXY_USES_MAX + 4; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "p%u", i);
        proxies[i].name = names[i];
        namespaces[i].publish_proxy = &proxies[i];
    }
    namespaces[2].publish_proxy = &proxies[0];
    proxy_uses_find(&options, &uses);
    assert_int_equal(uses.len, 3);
    assert_int_equal(proxy_uses_number(&uses, &proxies[3], PROXY_PUBLISH), 2);
    options.namespaces_len = PROXY_USES_MAX + 4;
    proxy_uses_find(&options, &uses);
    assert_int_equal(uses.len, PROXY_USES_MAX);
    assert_int_equal(proxy_uses_number(&uses, &proxies[PROXY_USES_MAX + 3], PROXY_PUBLISH),
                     PROXY_USES_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_found),
        cmocka_unit_test(names_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
