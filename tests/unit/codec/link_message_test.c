/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say over links: the same values as protobuf-c's, refusals, and what later versions
 * add. */
#include "codec/link_message.h"

#include "codec/link_message.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t room[4096];

static struct link_message full_message(void)
{
    return (struct link_message){
        .kind = LINK_MESSAGE_SESSION_COMMAND,
        .cookie = 1,
        .handle = UINT32_MAX,
        .flags = 3,
        .error = 111,
        .name = SPAN_LITERAL("news"),
        .epoch = UINT64_MAX,
        .offset = 5,
        .sequence = 1ull << 40,
        .limit = 6,
        .bytes_max = 7,
        .meta_ttl_s = 8,
        .history_size = 9,
        .history_ttl_s = 10,
        .clients = 11,
        .users = 12,
        .shard = 13,
        .hops = 14,
        .what = 15,
        .age_us = 17,
        .version = 18,
        .version_epoch = 1ull << 63,
        .key_ttl_ms = 19,
        .stream_ttl_s = 20,
        .cursor = SPAN_LITERAL("k\0"),
        .has_command = true,
        .command = {.kind = 1,
                    .code = 3000,
                    .user = SPAN_LITERAL("u"),
                    .client = SPAN_LITERAL("c"),
                    .session = SPAN_LITERAL("s"),
                    .channel = SPAN_LITERAL("ch"),
                    .reason = SPAN_LITERAL("r"),
                    .whitelist = SPAN_LITERAL("[]"),
                    .detail = SPAN_LITERAL("{}")},
    };
}

static struct span encode(const struct link_message *message, struct span payload)
{
    struct writer writer = writer_of(room, sizeof(room));
    link_message_encode(&writer, message);
    writer_put(&writer, payload);
    assert_false(writer_is_overflown(&writer));
    return writer_written(&writer);
}

/* Structs of numbers and spans alone: equal when the numbers and the spans' bytes are. */
static void assert_same(const struct link_message *a, const struct link_message *b)
{
    struct link_message left = *a;
    struct link_message right = *b;
    assert_true(span_equal(a->name, b->name));
    assert_true(span_equal(a->command.user, b->command.user));
    assert_true(span_equal(a->command.client, b->command.client));
    assert_true(span_equal(a->command.session, b->command.session));
    assert_true(span_equal(a->command.channel, b->command.channel));
    assert_true(span_equal(a->command.reason, b->command.reason));
    assert_true(span_equal(a->command.whitelist, b->command.whitelist));
    assert_true(span_equal(a->command.detail, b->command.detail));
    assert_int_equal(a->command.kind, b->command.kind);
    assert_int_equal(a->command.code, b->command.code);
    assert_true(span_equal(a->cursor, b->cursor));
    assert_true(a->key_ttl_ms == b->key_ttl_ms && a->stream_ttl_s == b->stream_ttl_s);
    left.name = right.name = SPAN_EMPTY;
    memset(&left.command, 0, sizeof(left.command));
    memset(&right.command, 0, sizeof(right.command));
    assert_int_equal(left.kind, right.kind);
    assert_int_equal(left.cookie, right.cookie);
    assert_int_equal(left.handle, right.handle);
    assert_true(left.epoch == right.epoch && left.offset == right.offset &&
                left.sequence == right.sequence && left.age_us == right.age_us &&
                left.version == right.version && left.version_epoch == right.version_epoch);
    assert_true(left.flags == right.flags && left.error == right.error &&
                left.limit == right.limit);
    assert_true(left.bytes_max == right.bytes_max && left.meta_ttl_s == right.meta_ttl_s &&
                left.history_size == right.history_size &&
                left.history_ttl_s == right.history_ttl_s);
    assert_true(left.clients == right.clients && left.users == right.users &&
                left.shard == right.shard && left.hops == right.hops && left.what == right.what);
}

static void a_message_comes_back(void **state)
{
    (void)state;
    const struct link_message sent = full_message();
    const struct span encoded = encode(&sent, SPAN_LITERAL("payload"));
    struct link_message got;
    struct span payload;
    assert_int_equal(link_message_decode(encoded, &got, &payload), LINK_MESSAGE_OK);
    assert_same(&got, &sent);
    assert_true(got.has_command);
    assert_true(span_equal(payload, SPAN_LITERAL("payload")));
    for (size_t len = 0; len + 7 < encoded.len; len++) {
        assert_int_not_equal(link_message_decode(span_of(encoded.at, len), &got, &payload),
                             LINK_MESSAGE_OK);
    }
}

static struct span of_bytes(ProtobufCBinaryData bytes)
{
    return span_of(bytes.data, bytes.len);
}

/* Packed by protobuf-c, the head is the same bytes, and each field means the same. */
static void protobuf_c_agrees(void **state)
{
    (void)state;
    const struct link_message sent = full_message();
    struct span head;
    struct span rest = encode(&sent, SPAN_EMPTY);
    assert_int_equal(protobuf_read_delimited(&rest, sizeof(room), &head), PROTOBUF_OK);
    Roost__Link__Message__Head *read = roost__link__message__head__unpack(NULL, head.len, head.at);
    assert_non_null(read);
    assert_int_equal(read->kind, ROOST__LINK__MESSAGE__KIND__SESSION_COMMAND);
    assert_true(read->cookie == 1 && read->handle == UINT32_MAX && read->flags == 3);
    assert_true(read->error == 111);
    assert_true(span_equal(of_bytes(read->name), sent.name));
    assert_true(read->epoch == UINT64_MAX && read->offset == 5 && read->sequence == 1ull << 40);
    assert_true(read->limit == 6 && read->bytes_max == 7 && read->meta_ttl_s == 8);
    assert_true(read->history_size == 9 && read->history_ttl_s == 10 && read->clients == 11);
    assert_true(read->users == 12 && read->shard == 13 && read->hops == 14 && read->what == 15);
    assert_true(read->age_us == 17 && read->key_ttl_ms == 19 && read->stream_ttl_s == 20);
    assert_true(span_equal(of_bytes(read->cursor), sent.cursor));
    assert_true(span_equal(of_bytes(read->command->whitelist), sent.command.whitelist));
    assert_true(span_equal(of_bytes(read->command->detail), sent.command.detail));
    uint8_t packed[1024];
    assert_int_equal(roost__link__message__head__get_packed_size(read), head.len);
    assert_int_equal(roost__link__message__head__pack(read, packed), head.len);
    assert_memory_equal(packed, head.at, head.len);
    roost__link__message__head__free_unpacked(read, NULL);
}

static void kinds_are_the_numbers_on_the_wire(void **state)
{
    (void)state;
#define CHECK_KIND(name) assert_int_equal(LINK_MESSAGE_##name, ROOST__LINK__MESSAGE__KIND__##name);
    LINK_MESSAGE_KINDS(CHECK_KIND)
#undef CHECK_KIND
}

static const uint8_t client_id[LINK_MESSAGE_CLIENT_LEN] = "0123456789abcdef";

static struct link_identity some_identity(void)
{
    return (struct link_identity){.client = span_of(client_id, sizeof(client_id)),
                                  .user = SPAN_LITERAL("ann"),
                                  .conn_info = SPAN_LITERAL("{}"),
                                  .chan_info = SPAN_LITERAL("[1]")};
}

static struct span encode_list(void)
{
    struct writer writer = writer_of(room, sizeof(room));
    const struct link_identity identity = some_identity();
    const struct link_entry entry = {.channel = SPAN_LITERAL("news"),
                                     .data = SPAN_LITERAL("{\"a\":1}"),
                                     .tags = SPAN_LITERAL("{}"),
                                     .idempotency_key = SPAN_LITERAL("k"),
                                     .version_epoch = SPAN_LITERAL("e"),
                                     .version = 7,
                                     .offset = 9,
                                     .key = SPAN_LITERAL("key"),
                                     .score = -3,
                                     .time_ms = 1ull << 41,
                                     .ttl_ms = 1000,
                                     .key_mode = 2,
                                     .is_binary = true,
                                     .is_removed = true,
                                     .is_passed_on = true,
                                     .has_identity = true,
                                     .identity = identity};
    const struct link_entry bare = {.channel = SPAN_LITERAL("news")};
    link_put_identity(&writer, &identity);
    link_put_entry(&writer, &entry);
    link_put_identity(&writer, &identity);
    link_put_channel(&writer, &(struct link_channel){SPAN_LITERAL("news"), 3});
    link_put_entry(&writer, &bare);
    link_put_told(&writer, &(struct link_told){SPAN_LITERAL("ab"), 5, 6, 1, 2});
    link_put_known(&writer, &(struct link_known){SPAN_LITERAL("once"), 7, 8, 9});
    link_put_revocation(&writer, &(struct link_revocation){.kind = 2,
                                                           .name = SPAN_LITERAL("ann"),
                                                           .channel = SPAN_LITERAL("news"),
                                                           .issued_before_s = 3,
                                                           .expire_at_s = 1ull << 40,
                                                           .changed_ms = 5,
                                                           .is_lifted = true});
    return writer_written(&writer);
}

static void lists_are_walked_by_sort(void **state)
{
    (void)state;
    const struct span list = encode_list();
    struct span rest = list;
    struct link_identity identity;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(link_next_identity(&rest, &identity), LINK_MESSAGE_OK);
        assert_true(span_equal(identity.user, SPAN_LITERAL("ann")));
        assert_true(span_equal(identity.chan_info, SPAN_LITERAL("[1]")));
    }
    assert_int_equal(link_next_identity(&rest, &identity), LINK_MESSAGE_DONE);
    rest = list;
    struct link_entry entry;
    assert_int_equal(link_next_entry(&rest, &entry), LINK_MESSAGE_OK);
    assert_true(entry.version == 7 && entry.offset == 9 && entry.has_identity && entry.is_binary);
    assert_true(span_equal(entry.data, SPAN_LITERAL("{\"a\":1}")));
    assert_true(span_equal(entry.key, SPAN_LITERAL("key")) && entry.is_removed);
    assert_true(entry.is_passed_on);
    assert_true(entry.score == -3 && entry.time_ms == 1ull << 41 && entry.ttl_ms == 1000);
    assert_int_equal(entry.key_mode, 2);
    assert_true(span_equal(entry.identity.conn_info, SPAN_LITERAL("{}")));
    assert_int_equal(link_next_entry(&rest, &entry), LINK_MESSAGE_OK);
    assert_true(!entry.has_identity && entry.data.len == 0);
    assert_int_equal(link_next_entry(&rest, &entry), LINK_MESSAGE_DONE);
    rest = list;
    struct link_channel channel;
    assert_int_equal(link_next_channel(&rest, &channel), LINK_MESSAGE_OK);
    assert_int_equal(channel.clients, 3);
    assert_int_equal(link_next_channel(&rest, &channel), LINK_MESSAGE_DONE);
    rest = list;
    struct link_told told;
    assert_int_equal(link_next_told(&rest, &told), LINK_MESSAGE_OK);
    assert_true(span_equal(told.publication, SPAN_LITERAL("ab")) && told.offset == 5);
    assert_true(told.epoch == 6 && told.what == 1 && told.flags == 2);
    assert_int_equal(link_next_told(&rest, &told), LINK_MESSAGE_DONE);
    rest = list;
    struct link_known known;
    assert_int_equal(link_next_known(&rest, &known), LINK_MESSAGE_OK);
    assert_true(span_equal(known.idempotency_key, SPAN_LITERAL("once")));
    assert_true(known.offset == 7 && known.epoch == 8 && known.ttl_ms == 9);
    assert_int_equal(link_next_known(&rest, &known), LINK_MESSAGE_DONE);
    rest = list;
    struct link_revocation revocation;
    assert_int_equal(link_next_revocation(&rest, &revocation), LINK_MESSAGE_OK);
    assert_true(revocation.kind == 2 && revocation.issued_before_s == 3 && revocation.is_lifted);
    assert_true(span_equal(revocation.channel, SPAN_LITERAL("news")));
    assert_int_equal(link_next_revocation(&rest, &revocation), LINK_MESSAGE_DONE);

    Roost__Link__Message__List *read = roost__link__message__list__unpack(NULL, list.len, list.at);
    assert_non_null(read);
    assert_true(read->n_identities == 2 && read->n_entries == 2 && read->n_channels == 1);
    assert_true(read->n_told == 1 && read->told[0]->flags == 2);
    assert_true(read->n_known == 1 && read->known[0]->ttl_ms == 9);
    assert_true(span_equal(of_bytes(read->known[0]->idempotency_key), SPAN_LITERAL("once")));
    assert_true(read->n_revocations == 1 && read->revocations[0]->expire_at_s == 1ull << 40);
    assert_true(read->revocations[0]->changed_ms == 5 && read->revocations[0]->is_lifted);
    assert_true(span_equal(of_bytes(read->revocations[0]->name), SPAN_LITERAL("ann")));
    assert_true(read->entries[0]->offset == 9 && read->entries[0]->is_binary);
    assert_true(read->entries[0]->score == -3 && read->entries[0]->is_removed);
    assert_true(read->entries[0]->time_ms == 1ull << 41 && read->entries[0]->ttl_ms == 1000);
    assert_true(span_equal(of_bytes(read->entries[0]->key), SPAN_LITERAL("key")));
    assert_true(span_equal(of_bytes(read->entries[0]->identity->user), SPAN_LITERAL("ann")));
    roost__link__message__list__free_unpacked(read, NULL);
}

/* The bytes of an entry in a list, without what makes them one of several. */
static void a_publication_is_an_entry_alone(void **state)
{
    (void)state;
    const struct link_entry sent = {.data = SPAN_LITERAL("{\"a\":1}"),
                                    .tags = SPAN_LITERAL("{}"),
                                    .version = 7,
                                    .is_binary = true,
                                    .has_identity = true,
                                    .identity = some_identity()};
    struct writer writer = writer_of(room, sizeof(room));
    struct link_entry got;
    link_put_publication(&writer, &sent);
    const struct span bytes = writer_written(&writer);
    assert_int_equal(link_read_publication(bytes, &got), LINK_MESSAGE_OK);
    assert_true(span_equal(got.data, sent.data) && span_equal(got.tags, sent.tags));
    assert_true(got.version == 7 && got.is_binary && got.has_identity);
    assert_true(span_equal(got.identity.user, sent.identity.user));
    Roost__Link__Message__Entry *read =
        roost__link__message__entry__unpack(NULL, bytes.len, bytes.at);
    assert_non_null(read);
    assert_true(read->version == 7 && read->is_binary && read->channel.len == 0);
    assert_true(span_equal(of_bytes(read->identity->conn_info), sent.identity.conn_info));
    roost__link__message__entry__free_unpacked(read, NULL);

    assert_int_equal(link_read_publication(SPAN_EMPTY, &got), LINK_MESSAGE_OK);
    assert_true(!got.has_identity && got.data.len == 0);
    for (size_t cut = 1; cut <= 3; cut += 2) { /* Two bytes are the last field. */
        assert_int_equal(link_read_publication(span_of(bytes.at, bytes.len - cut), &got),
                         LINK_MESSAGE_ERROR_FORMAT);
    }
    /* Of a client whose id is too short. */
    assert_int_equal(link_read_publication(SPAN_LITERAL("\x42\x03\x0a\x01x"), &got),
                     LINK_MESSAGE_ERROR_CLIENT);
}

static void bad_messages_are_refused_precisely(void **state)
{
    (void)state;
    static const uint8_t long_name[LINK_MESSAGE_NAME_LEN_MAX + 1];
    const struct {
        struct link_message message;
        struct span payload;
        enum link_message_result result;
    } rows[] = {
        {{.kind = LINK_MESSAGE_NONE}, SPAN_EMPTY, LINK_MESSAGE_ERROR_KIND},
        {{.kind = LINK_MESSAGE_KINDS_LEN}, SPAN_EMPTY, LINK_MESSAGE_ERROR_KIND},
        {{.kind = LINK_MESSAGE_SUBSCRIBE}, SPAN_EMPTY, LINK_MESSAGE_ERROR_NAME},
        {{.kind = LINK_MESSAGE_SURVEY, .name = {long_name, sizeof(long_name)}},
         SPAN_EMPTY,
         LINK_MESSAGE_ERROR_NAME},
        {{.kind = LINK_MESSAGE_SURVEY, .name = {long_name, sizeof(long_name) - 1}},
         SPAN_EMPTY,
         LINK_MESSAGE_OK},
        {{.kind = LINK_MESSAGE_USER_COMMAND}, SPAN_EMPTY, LINK_MESSAGE_ERROR_PART},
        {{.kind = LINK_MESSAGE_PUBLICATION}, SPAN_EMPTY, LINK_MESSAGE_OK},
        {{.kind = LINK_MESSAGE_PUBLISH}, SPAN_EMPTY, LINK_MESSAGE_ERROR_PAYLOAD},
        {{.kind = LINK_MESSAGE_PUBLISHED}, SPAN_EMPTY, LINK_MESSAGE_OK},
        {{.kind = LINK_MESSAGE_SLOTS_ASK}, SPAN_EMPTY, LINK_MESSAGE_ERROR_PAYLOAD},
        {{.kind = LINK_MESSAGE_SLOTS_MOVED}, SPAN_EMPTY, LINK_MESSAGE_ERROR_PAYLOAD},
        {{.kind = LINK_MESSAGE_CHANNEL_MOVE}, SPAN_EMPTY, LINK_MESSAGE_ERROR_NAME},
        {{.kind = LINK_MESSAGE_CHANNEL_TAKEN}, SPAN_EMPTY, LINK_MESSAGE_OK},
        {{.kind = LINK_MESSAGE_MAP_ASK}, SPAN_EMPTY, LINK_MESSAGE_ERROR_NAME},
        {{.kind = LINK_MESSAGE_MAP_PAGE}, SPAN_EMPTY, LINK_MESSAGE_OK},
    };
    uint8_t large[2 * LINK_MESSAGE_NAME_LEN_MAX];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct writer writer = writer_of(large, sizeof(large));
        struct link_message got;
        struct span payload;
        link_message_encode(&writer, &rows[i].message);
        writer_put(&writer, rows[i].payload);
        assert_int_equal(link_message_decode(writer_written(&writer), &got, &payload),
                         rows[i].result);
    }
}

static void bad_bytes_are_refused_precisely(void **state)
{
    (void)state;
    struct link_message got;
    struct span payload;
    const struct span too_large = SPAN_LITERAL("\x81\x80\x04");
    assert_int_equal(link_message_decode(too_large, &got, &payload), LINK_MESSAGE_ERROR_SIZE);
    assert_int_equal(link_message_decode(SPAN_EMPTY, &got, &payload), LINK_MESSAGE_ERROR_FORMAT);
    /* A name where a number is wanted; a field of a later version; both behind a good kind. */
    assert_int_equal(link_message_decode(SPAN_LITERAL("\x05\x08\x06\x12\x01x"), &got, &payload),
                     LINK_MESSAGE_ERROR_FORMAT);
    assert_int_equal(link_message_decode(SPAN_LITERAL("\x06\x08\x06\xfa\x06\x01x"), &got, &payload),
                     LINK_MESSAGE_OK);
    assert_int_equal(got.kind, LINK_MESSAGE_PUBLISHED);

    uint8_t bytes[64];
    struct writer writer = writer_of(bytes, sizeof(bytes));
    struct link_identity identity = some_identity();
    identity.client.len--;
    link_put_identity(&writer, &identity);
    struct span rest = writer_written(&writer);
    assert_int_equal(link_next_identity(&rest, &identity), LINK_MESSAGE_ERROR_CLIENT);
    writer = writer_of(bytes, sizeof(bytes));
    link_put_channel(&writer, &(struct link_channel){.clients = 1});
    rest = writer_written(&writer);
    struct link_channel channel;
    assert_int_equal(link_next_channel(&rest, &channel), LINK_MESSAGE_ERROR_NAME);
    rest = SPAN_LITERAL("\x12\x02\x08\x01");
    struct link_entry entry;
    assert_int_equal(link_next_entry(&rest, &entry), LINK_MESSAGE_ERROR_FORMAT);
    for (int i = 0; i <= LINK_MESSAGE_RESULT_COUNT; i++) {
        assert_non_null(link_message_result_text((enum link_message_result)i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back),
        cmocka_unit_test(protobuf_c_agrees),
        cmocka_unit_test(kinds_are_the_numbers_on_the_wire),
        cmocka_unit_test(lists_are_walked_by_sort),
        cmocka_unit_test(a_publication_is_an_entry_alone),
        cmocka_unit_test(bad_messages_are_refused_precisely),
        cmocka_unit_test(bad_bytes_are_refused_precisely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
