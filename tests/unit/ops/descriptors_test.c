/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine allows and what is advised about it, and who else listens on an address. */
#include "ops/descriptors.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ops/listen_check.h"

static const struct descriptor_facts plenty = {.limit = 1048576,
                                               .hard_limit = 1048576,
                                               .nr_open = 1048576,
                                               .file_max = 1ull << 40,
                                               .somaxconn = 4096,
                                               .shards = 4};

static void expect_advice(struct descriptor_facts facts, const char *const *parts)
{
    char advice[DESCRIPTOR_ADVICE_SIZE];

    descriptors_advise(&facts, advice);
    if (parts[0] == NULL) {
        assert_string_equal(advice, "");
    }
    for (size_t i = 0; parts[i] != NULL; i++) {
        if (strstr(advice, parts[i]) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", parts[i], advice);
        }
    }
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_a_good_machine_needs_no_advice(void **state)
{
    const char *const none[] = {NULL};

    (void)state;
    expect_advice(plenty, none);
}

static void test_the_command_is_told_with_its_number(void **state)
{
    struct descriptor_facts facts = plenty;

    (void)state;
    facts.limit = 1024;
    expect_advice(facts, PARTS("1024 for each of 4 shards hold 2816 connections",
                               "`ulimit -n 65536`", "LimitNOFILE=65536"));
    facts.nr_open = 50000;
    expect_advice(facts, PARTS("`sysctl -w fs.nr_open=65536`"));
    facts = plenty;
    facts.file_max = 1000;
    expect_advice(facts, PARTS("`sysctl -w fs.file-max=524288`"));
    facts = plenty;
    facts.somaxconn = 128;
    expect_advice(facts, PARTS("`sysctl -w net.core.somaxconn=4096`"));
}

static void test_advice_follows_the_connection_limit(void **state)
{
    struct descriptor_facts facts = plenty;
    const char *const none[] = {NULL};

    (void)state;
    facts.limit = 2000;
    facts.connection_limit = 4000;
    expect_advice(facts, none);
    facts.connection_limit = 400000;
    expect_advice(facts, PARTS("`ulimit -n 125320`"));
}

static void test_capacity(void **state)
{
    struct descriptor_facts facts = {.limit = 1024, .shards = 3};

    (void)state;
    assert_int_equal(descriptors_capacity(&facts), 3 * (1024 - DESCRIPTORS_RESERVED));
    facts.limit = DESCRIPTORS_RESERVED;
    assert_int_equal(descriptors_capacity(&facts), 0);
    facts.limit = RLIM_INFINITY;
    assert_true(descriptors_capacity(&facts) == UINT64_MAX);
}

static void test_the_soft_limit_is_raised(void **state)
{
    struct descriptor_facts facts = {.shards = 1};
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max / 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    descriptors_prepare(&facts);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur == limit.rlim_max);
    assert_true(facts.limit == limit.rlim_max);
    assert_true(facts.file_max > 0 && facts.nr_open > 0 && facts.somaxconn > 0);
}

/* A listener that shares its port, as those of shards do. */
static int listen_somewhere(struct socket_address *address)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *address =
        (struct socket_address){.family = 4, .bytes = {127, 0, 0, 1}, .port = ntohs(at.sin_port)};
    return fd;
}

static void test_a_taken_port_is_told(void **state)
{
    struct socket_address address;
    char problem[LISTEN_PROBLEM_SIZE];
    int fd = listen_somewhere(&address);

    (void)state;
    assert_false(listen_check(&address, "--port", problem));
    assert_non_null(strstr(problem, "--port chooses another"));
    close(fd);
    assert_true(listen_check(&address, "--port", problem));
    assert_string_equal(problem, "");
}

static void test_a_foreign_address_is_told(void **state)
{
    /* Of the documentation's own network (RFC 5737). */
    struct socket_address address = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 8000};
    char problem[LISTEN_PROBLEM_SIZE];

    (void)state;
    assert_false(listen_check(&address, "--port", problem));
    assert_non_null(strstr(problem, "192.0.2.1:8000 is no address of this machine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_machine_needs_no_advice),
        cmocka_unit_test(test_the_command_is_told_with_its_number),
        cmocka_unit_test(test_advice_follows_the_connection_limit),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_the_soft_limit_is_raised),
        cmocka_unit_test(test_a_taken_port_is_told),
        cmocka_unit_test(test_a_foreign_address_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
