/* SPDX-License-Identifier: Apache-2.0 */
/* EmulationRequests in both encodings give the same three values, or are refused. */
#include "codec/client_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct span got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.at, wanted, got.len);
}

struct example {
    enum client_protocol protocol;
    const char *body;
    size_t len;
    bool is_good;
    const char *node;
    const char *session;
    const char *data;
};

#define JSON(text) CLIENT_JSON, text, sizeof(text) - 1
#define PROTOBUF(bytes) CLIENT_PROTOBUF, bytes, sizeof(bytes) - 1

static const struct example examples[] = {
    {JSON("{\"session\":\"s\",\"node\":\"n\",\"data\":\"{}\"}"), true, "n", "s", "{}"},
    /* One level of escaping, and lines of more than one command. */
    {JSON("{\"node\":\"n\",\"session\":\"s\",\"data\":\"{\\\"id\\\":2}\\n{\\\"id\\\":3}\"}"), true,
     "n", "s", "{\"id\":2}\n{\"id\":3}"},
    {JSON("{\"node\":\"n\",\"other\":[1],\"data\":null}"), true, "n", "", ""},
    {JSON("{}"), true, "", "", ""},
    {JSON("{\"data\":{\"id\":2}}"), false, "", "", ""},
    {JSON("{\"node\":7}"), false, "", "", ""},
    {JSON(""), false, "", "", ""},
    {JSON("[]"), false, "", "", ""},
    {JSON("{\"node\":\"n\"} x"), false, "", "", ""},
    {PROTOBUF("\x0a\x01n\x12\x01s\x1a\x02\x01\x00"), true, "n", "s", NULL},
    {PROTOBUF("\x1a\x02{}\x12\x01s\x0a\x01n"), true, "n", "s", "{}"},
    {PROTOBUF(""), true, "", "", ""},
    {PROTOBUF("\x22\x01x"), true, "", "", ""}, /* A field of another day. */
    {PROTOBUF("\x0a\x05n"), false, "", "", ""},
    {PROTOBUF("\x08\x05"), false, "", "", ""},
    {PROTOBUF("\x0a\x01\xff"), false, "", "", ""},
};

static void requests_are_decoded_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *at = &examples[i];
        /* Of exactly the bytes, so that a look beyond them is found. */
        uint8_t *body = malloc(at->len + (at->len == 0));
        uint8_t *room = malloc(at->len + (at->len == 0));
        memcpy(body, at->body, at->len);
        struct scratch scratch = scratch_of(room, at->len);
        struct client_emulation_request request;
        assert_int_equal(client_protocol_decode_emulation(at->protocol, span_of(body, at->len),
                                                          &scratch, &request),
                         at->is_good);
        if (at->is_good) {
            assert_text(request.node, at->node);
            assert_text(request.session, at->session);
            if (at->data != NULL) {
                assert_text(request.data, at->data);
            } else {
                assert_int_equal(request.data.len, 2);
            }
        }
        free(room);
        free(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_decoded_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
