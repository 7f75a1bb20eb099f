/* SPDX-License-Identifier: Apache-2.0 */
/* Streams with TLS: bytes go through unharmed however they are cut, and who may not is told why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/clock.h"
#include "runtime/outq.h"
#include "runtime/sim_network.h"
#include "tests/unit/runtime/certificates.h"

enum {
    PORT = 7000,
    BUFFER_LEN = 256 * 1024,
    PASSES_MAX = 60000,
    BIG = 1000 * 1000,
};

#define NOW_S 1767225600
#define DAY_S 86400

struct side {
    struct poller *poller;
    struct stream stream;
    struct outq outq;
    uint8_t *heard;
    size_t heard_len;
    ssize_t ended; /* POLLER_AGAIN: no. */
};

struct pair {
    struct random random;
    struct sim_network network;
    int listener;
    struct side dialler;
    struct side acceptor;
};

static struct authority *ours;
static struct authority *theirs;

/* ---- verbs ---- */

static void side_open(struct side *side, struct sim_network *network, uint32_t node)
{
    side->poller = sim_poller_create(network, node, 0);
    side->heard = malloc(4 * BIG);
    side->ended = POLLER_AGAIN;
    assert_true(side->poller != NULL && side->heard != NULL);
}

static void stream_begin(struct side *side, int socket, struct tls_context *context,
                         enum tls_side tls_side)
{
    assert_true(socket >= 0);
    if (context == NULL) {
        stream_open(&side->stream, socket);
        return;
    }
    struct tls *tls = tls_create(context, tls_side, NOW_S * 1000ll);
    assert_non_null(tls);
    stream_open_tls(&side->stream, socket, tls);
}

static void pass(struct pair *pair)
{
    pair->network.now_ns += CLOCK_NS_A_MS;
    sim_network_deliver(&pair->network);
}

/* The contexts live on in what is made from them. NULL: in clear. */
static struct pair *pair_open(const struct sim_options *options, struct tls_context *dials,
                              struct tls_context *accepts)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    struct socket_address any;
    struct socket_address at;
    assert_non_null(pair);
    random_init_seeded(&pair->random, options->seed);
    sim_network_init(&pair->network, options, &pair->random);
    side_open(&pair->dialler, &pair->network, 0);
    side_open(&pair->acceptor, &pair->network, 1);
    assert_true(socket_address_parse("0.0.0.0", PORT, &any));
    sim_node_address(1, PORT, &at);
    pair->listener = poller_listen(pair->acceptor.poller, &any, 4);
    stream_begin(&pair->dialler, poller_connect(pair->dialler.poller, &at), dials, TLS_DIALS);
    int accepted = POLLER_AGAIN;
    for (int i = 0; i < PASSES_MAX && accepted == POLLER_AGAIN; i++) {
        pass(pair);
        accepted = poller_accept(pair->acceptor.poller, pair->listener, NULL);
    }
    stream_begin(&pair->acceptor, accepted, accepts, TLS_ACCEPTS);
    while (poller_connected(pair->dialler.poller, pair->dialler.stream.socket) == POLLER_AGAIN) {
        pass(pair);
    }
    tls_context_destroy(dials);
    if (accepts != dials) {
        tls_context_destroy(accepts);
    }
    return pair;
}

static void side_close(struct side *side)
{
    outq_clear(&side->outq);
    stream_close(&side->stream, side->poller);
    free(side->heard);
}

static void pair_close(struct pair *pair)
{
    side_close(&pair->dialler);
    side_close(&pair->acceptor);
    poller_destroy(pair->dialler.poller);
    poller_destroy(pair->acceptor.poller);
    sim_network_clear(&pair->network);
    free(pair);
}

/* What an owner does on any event. */
static void side_work(struct side *side)
{
    static uint8_t buffer[BUFFER_LEN];
    uint64_t sent;
    ssize_t got = POLLER_AGAIN;
    while (side->ended == POLLER_AGAIN &&
           (got = stream_receive(&side->stream, side->poller, buffer, sizeof(buffer))) > 0) {
        memcpy(side->heard + side->heard_len, buffer, (size_t)got);
        side->heard_len += (size_t)got;
    }
    if (side->ended == POLLER_AGAIN) {
        side->ended = got;
    }
    if (outq_flush(&side->outq, &side->stream, side->poller, &sent) == OUTQ_GONE) {
        side->ended = POLLER_GONE;
        outq_clear(&side->outq);
    } else if (stream_wants_room(&side->stream)) {
        (void)stream_send(&side->stream, side->poller, NULL, 0);
    }
}

static void pair_work(struct pair *pair, int passes)
{
    for (int i = 0; i < passes; i++) {
        side_work(&pair->dialler);
        side_work(&pair->acceptor);
        pass(pair);
    }
}

static void say(struct side *side, const void *at, size_t len)
{
    struct frame *frame = frame_create((uint32_t)len);
    assert_non_null(frame);
    memcpy(frame_bytes(frame), at, len);
    frame->len = (uint32_t)len;
    assert_true(outq_append(&side->outq, frame, 0));
    frame_release(frame);
}

static void expect_heard(const struct side *side, const void *at, size_t len)
{
    assert_int_equal(side->heard_len, len);
    assert_memory_equal(side->heard, at, len);
}

static struct sim_options calm(void)
{
    return (struct sim_options){.seed = 1, .latency_us_min = 200, .latency_us_max = 900};
}

/* ---- tests ---- */

static void both_hear_each_other(void **state)
{
    (void)state;
    const struct sim_options options = calm();
    struct pair *pair = pair_open(&options, authority_context(ours), authority_context(ours));
    say(&pair->dialler, "hello", 5);
    say(&pair->acceptor, "who is it?", 10);
    pair_work(pair, 20);
    expect_heard(&pair->acceptor, "hello", 5);
    expect_heard(&pair->dialler, "who is it?", 10);
    assert_true(tls_is_established(pair->dialler.stream.tls));
    assert_true(tls_is_established(pair->acceptor.stream.tls));
    stream_shutdown_output(&pair->dialler.stream, pair->dialler.poller);
    pair_work(pair, 5);
    assert_int_equal(pair->acceptor.ended, 0);
    pair_close(pair);
}

static void many_bytes_pass_however_they_are_cut(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(BIG);
    assert_non_null(bytes);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const struct sim_options options = {
            .seed = seed,
            .latency_us_min = 100,
            .latency_us_max = 3000,
            .split_percent = 40,
            .socket_buffer_bytes = seed % 2 == 0 ? 3000 : 100000,
        };
        struct pair *pair = pair_open(&options, authority_context(ours), authority_context(ours));
        for (size_t i = 0; i < BIG; i++) {
            bytes[i] = (uint8_t)random_next(&pair->random);
        }
        for (size_t at = 0; at < BIG;) {
            size_t len = 1 + (size_t)random_below(&pair->random, 30000);
            len = len < BIG - at ? len : BIG - at;
            say(&pair->dialler, bytes + at, len);
            at += len;
        }
        say(&pair->acceptor, bytes, 70000);
        for (int i = 0; i < 100 && pair->acceptor.heard_len < BIG; i++) {
            pair_work(pair, PASSES_MAX / 100);
        }
        expect_heard(&pair->acceptor, bytes, BIG);
        expect_heard(&pair->dialler, bytes, 70000);
        assert_false(stream_wants_room(&pair->dialler.stream));
        pair_close(pair);
    }
    free(bytes);
}

static void nothing_in_clear_is_on_the_way(void **state)
{
    (void)state;
    static const char secret[] = "a secret that must not be seen";
    const struct sim_options options = calm();
    struct pair *pair = pair_open(&options, authority_context(ours), authority_context(ours));
    pair_work(pair, 20);
    say(&pair->dialler, secret, sizeof(secret));
    side_work(&pair->dialler);
    struct list *first = pair->network.connections.next;
    const struct sim_connection *conn = CONTAINER_OF(first, struct sim_connection, link);
    const struct sim_bytes *travelling = &conn->ends[1].bytes;
    assert_true(travelling->len > sizeof(secret));
    assert_null(memmem(travelling->at + travelling->start, travelling->len, secret, 8));
    pair_close(pair);
}

struct refusal_case {
    const char *name;
    struct authority **dialler_of;
    struct authority **acceptor_of;
    int64_t from_s; /* When the dialler's certificate begins and ends to be valid. */
    int64_t to_s;
    const char *purpose;
    enum tls_failure dialler_sees;
    enum tls_failure acceptor_sees;
};

static void who_may_not_is_refused(void **state)
{
    (void)state;
    static const struct refusal_case cases[] = {
        {"another authority on both sides", &theirs, &ours, NOW_S - DAY_S, NOW_S + DAY_S, NULL,
         TLS_FAILURE_UNKNOWN_CA, TLS_FAILURE_REFUSED},
        {"expired", &ours, &ours, NOW_S - DAY_S, NOW_S - 1, NULL, TLS_FAILURE_REFUSED,
         TLS_FAILURE_EXPIRED},
        {"not valid yet", &ours, &ours, NOW_S + 60, NOW_S + DAY_S, NULL, TLS_FAILURE_REFUSED,
         TLS_FAILURE_EXPIRED},
        {"for something else", &ours, &ours, NOW_S - DAY_S, NOW_S + DAY_S, "codeSigning",
         TLS_FAILURE_REFUSED, TLS_FAILURE_CERTIFICATE},
    };
    const struct sim_options options = calm();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct refusal_case *played = &cases[i];
        struct certificate certificate =
            authority_issue(*played->dialler_of, played->from_s, played->to_s, played->purpose);
        struct pair *pair =
            pair_open(&options, certificate_context(&certificate, *played->dialler_of),
                      authority_context(*played->acceptor_of));
        say(&pair->dialler, "let me in", 9);
        pair_work(pair, 30);
        assert_int_equal(pair->dialler.ended, POLLER_GONE);
        assert_int_equal(pair->acceptor.ended, POLLER_GONE);
        assert_int_equal(tls_failure(pair->dialler.stream.tls), played->dialler_sees);
        assert_int_equal(tls_failure(pair->acceptor.stream.tls), played->acceptor_sees);
        assert_int_equal(pair->acceptor.heard_len, 0);
        certificate_free(&certificate);
        pair_close(pair);
    }
}

static void a_stranger_without_the_authority_is_refused(void **state)
{
    (void)state;
    /* It takes our certificate, but shows one of its own authority. */
    const struct sim_options options = calm();
    struct certificate certificate = authority_issue(theirs, NOW_S - DAY_S, NOW_S + DAY_S, NULL);
    struct pair *pair =
        pair_open(&options, certificate_context(&certificate, ours), authority_context(ours));
    say(&pair->dialler, "let me in", 9);
    pair_work(pair, 30);
    assert_int_equal(tls_failure(pair->acceptor.stream.tls), TLS_FAILURE_UNKNOWN_CA);
    assert_int_equal(tls_failure(pair->dialler.stream.tls), TLS_FAILURE_REFUSED);
    assert_int_equal(pair->acceptor.heard_len, 0);
    certificate_free(&certificate);
    pair_close(pair);
}

static void clear_text_is_not_tls(void **state)
{
    (void)state;
    static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                                        "\0\0\0\x20\x01 a frame of a link"};
    const struct sim_options options = calm();
    for (size_t i = 0; i < 3; i++) {
        struct pair *pair = pair_open(&options, NULL, authority_context(ours));
        say(&pair->dialler, texts[i], 18);
        pair_work(pair, 30);
        assert_int_equal(pair->acceptor.ended, POLLER_GONE);
        assert_int_equal(tls_failure(pair->acceptor.stream.tls), TLS_FAILURE_NOT_TLS);
        pair_close(pair);
    }
}

static void an_end_within_the_handshake_is_told(void **state)
{
    (void)state;
    const struct sim_options options = calm();
    struct pair *pair = pair_open(&options, NULL, authority_context(ours));
    poller_shutdown_output(pair->dialler.poller, pair->dialler.stream.socket);
    pair_work(pair, 10);
    assert_int_equal(pair->acceptor.ended, POLLER_GONE);
    assert_int_equal(tls_failure(pair->acceptor.stream.tls), TLS_FAILURE_TRUNCATED);
    pair_close(pair);
}

/* Each byte of what travels, changed: never a byte of plain text that was not sent. The version's
 * low byte means nothing (RFC 8446, section 5.1). */
static void broken_records_are_refused(void **state)
{
    (void)state;
    const struct sim_options options = calm();
    for (size_t at = 0; at < 60; at++) {
        struct pair *pair = pair_open(&options, authority_context(ours), authority_context(ours));
        pair_work(pair, 20);
        say(&pair->dialler, "twenty bytes of text", 20);
        side_work(&pair->dialler);
        struct list *first = pair->network.connections.next;
        struct sim_connection *conn = CONTAINER_OF(first, struct sim_connection, link);
        struct sim_bytes *travelling = &conn->ends[1].bytes;
        const bool is_changed = at < travelling->len && at != 2;
        if (is_changed) {
            travelling->at[travelling->start + at] ^= 0x10;
        }
        pair_work(pair, 10);
        if (is_changed) {
            assert_int_equal(pair->acceptor.heard_len, 0);
        } else {
            expect_heard(&pair->acceptor, "twenty bytes of text", 20);
        }
        pair_close(pair);
    }
}

/* A client that knows a server by a name, and a server with a certificate for names. */
static void clients_look_at_names(void **state)
{
    (void)state;
    const struct sim_options options = calm();
    const struct {
        const char *names;
        const char *expected;
        struct authority *issuer;
        bool skips;
        enum tls_failure failure;
    } cases[] = {
        {"DNS:api.example.org", "api.example.org", ours, false, TLS_OK},
        {"DNS:*.example.org", "api.example.org", ours, false, TLS_OK},
        {"DNS:api.example.org", "example.org", ours, false, TLS_FAILURE_NAME},
        {"DNS:*.example.org", "a.b.example.org", ours, false, TLS_FAILURE_NAME},
        {"IP:10.0.0.7", "10.0.0.7", ours, false, TLS_OK},
        {"IP:10.0.0.7", "10.0.0.8", ours, false, TLS_FAILURE_NAME},
        {"DNS:10.0.0.8", "10.0.0.8", ours, false, TLS_FAILURE_NAME},
        {"DNS:api.example.org", "api.example.org", theirs, false, TLS_FAILURE_UNKNOWN_CA},
        {"DNS:other.example.org", "api.example.org", theirs, true, TLS_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[TLS_ERROR_TEXT_SIZE] = "";
        /* The server wants to know its clients, too. */
        struct certificate own = authority_issue(ours, NOW_S - DAY_S, NOW_S + DAY_S, NULL);
        const struct tls_client_options client = {.authority = authority_certificate(ours),
                                                  .certificate = own.certificate,
                                                  .key = own.key,
                                                  .insecure_skip_verify = cases[i].skips};
        struct tls_context *dials = tls_client_context_create(&client, error);
        assert_non_null(dials);
        struct certificate certificate = authority_issue_names(cases[i].issuer, cases[i].names);
        struct pair *pair = pair_open(&options, dials, certificate_context(&certificate, ours));
        assert_true(tls_expect_name(pair->dialler.stream.tls, cases[i].expected));
        say(&pair->dialler, "twenty bytes of text", 20);
        pair_work(pair, 30);
        assert_int_equal(tls_failure(pair->dialler.stream.tls), cases[i].failure);
        assert_int_equal(pair->acceptor.heard_len, cases[i].failure == TLS_OK ? 20 : 0);
        certificate_free(&certificate);
        certificate_free(&own);
        pair_close(pair);
    }
}

static void contexts_say_what_is_wrong(void **state)
{
    (void)state;
    char error[TLS_ERROR_TEXT_SIZE];
    struct certificate one = authority_issue(ours, NOW_S, NOW_S + 1, NULL);
    struct certificate other = authority_issue(ours, NOW_S, NOW_S + 1, NULL);
    const char *authority = authority_certificate(ours);
    const struct {
        struct tls_options options;
        const char *says;
    } cases[] = {
        {{"", one.key, authority}, "the certificate is no PEM"},
        {{NULL, one.key, authority}, "the certificate is no PEM"},
        {{one.certificate, "nothing", authority}, "the key is no PEM"},
        {{one.certificate, other.key, authority}, "the key is no PEM text of a key, or not that"},
        {{one.certificate, one.key, one.key}, "the authority is no PEM"},
        {{one.certificate, one.key, NULL}, "the authority is no PEM"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(tls_context_create(&cases[i].options, error));
        assert_memory_equal(error, cases[i].says, strlen(cases[i].says));
    }
    certificate_free(&one);
    certificate_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_hear_each_other),
        cmocka_unit_test(many_bytes_pass_however_they_are_cut),
        cmocka_unit_test(nothing_in_clear_is_on_the_way),
        cmocka_unit_test(who_may_not_is_refused),
        cmocka_unit_test(a_stranger_without_the_authority_is_refused),
        cmocka_unit_test(clear_text_is_not_tls),
        cmocka_unit_test(an_end_within_the_handshake_is_told),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(clients_look_at_names),
        cmocka_unit_test(contexts_say_what_is_wrong),
    };
    ours = authority_create("ours");
    theirs = authority_create("theirs");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_destroy(ours);
    authority_destroy(theirs);
    return failed;
}
