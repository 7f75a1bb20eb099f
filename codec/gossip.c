/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes and encodes what gossip.proto defines, and checks what Protobuf cannot say. */
#include "codec/gossip.h"

#include "codec/gossip.pb-c.h"
#include "codec/gossip_wire.h"
#include "codec/utf8.h"

/* Of one message; beyond the members, room for fields of later versions. */
enum { FIELDS_MAX = 32 };

const char *gossip_result_text(enum gossip_result result)
{
#define GOSSIP_TEXT(name, text) [name] = (text),
    static const char *const texts[GOSSIP_RESULT_COUNT] = {GOSSIP_RESULTS(GOSSIP_TEXT)};
#undef GOSSIP_TEXT
    return (unsigned)result < GOSSIP_RESULT_COUNT ? texts[result] : "unknown";
}

static enum gossip_result check_head(uint32_t protocol, uint32_t cluster, uint32_t cluster_wanted)
{
    if (protocol < GOSSIP_PROTOCOL_MIN) {
        return GOSSIP_ERROR_VERSION;
    }
    return cluster == cluster_wanted ? GOSSIP_OK : GOSSIP_ERROR_CLUSTER;
}

static bool take_uid(ProtobufCBinaryData bytes, struct gossip_uid *out)
{
    if (bytes.len != GOSSIP_UID_LEN) {
        return false;
    }
    memcpy(out->bytes, bytes.data, GOSSIP_UID_LEN);
    return !gossip_uid_is_nobody(out);
}

static bool take_uid_or_nobody(ProtobufCBinaryData bytes, struct gossip_uid *out)
{
    *out = (struct gossip_uid){0};
    return bytes.len == 0 || take_uid(bytes, out);
}

static ProtobufCBinaryData uid_bytes(const struct gossip_uid *uid)
{
    return gossip_wire_bytes(gossip_uid_is_nobody(uid) ? SPAN_EMPTY
                                                       : span_of(uid->bytes, GOSSIP_UID_LEN));
}

static enum gossip_result take_members(const ProtobufCBinaryData *members, size_t count,
                                       size_t count_max, struct span *out)
{
    if (count > count_max) {
        return GOSSIP_ERROR_COUNT;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = gossip_wire_span(members[i]);
    }
    return GOSSIP_OK;
}

enum gossip_result gossip_datagram_decode(struct span payload, uint32_t cluster,
                                          struct scratch *scratch, struct gossip_datagram *out)
{
    *out = (struct gossip_datagram){.cluster = cluster};
    if (payload.len > GOSSIP_PAYLOAD_LEN_MAX) {
        return GOSSIP_ERROR_SIZE;
    }
    enum gossip_result result;
    ProtobufCMessage *message =
        gossip_wire_unpack(&roost__gossip__datagram__descriptor, payload,
                           FIELDS_MAX + GOSSIP_MEMBERS_A_DATAGRAM_MAX, scratch, &result);
    if (message == NULL) {
        return result;
    }
    const Roost__Gossip__Datagram *in = (const void *)message;
    result = check_head(in->protocol, in->cluster, cluster);
    if (result != GOSSIP_OK) {
        return result;
    }
    if ((unsigned)in->kind >= GOSSIP_KIND_COUNT) {
        return GOSSIP_ERROR_KIND;
    }
    out->kind = (enum gossip_kind)in->kind;
    out->sequence = in->sequence;
    out->wants_nack = in->wants_nack != 0;
    if (!take_uid(in->sender, &out->sender) || !take_uid_or_nobody(in->target, &out->target)) {
        return GOSSIP_ERROR_UID;
    }
    result = take_members(in->members, in->n_members, GOSSIP_MEMBERS_A_DATAGRAM_MAX, out->members);
    out->members_len = result == GOSSIP_OK ? (uint32_t)in->n_members : 0;
    return result;
}

enum gossip_result gossip_state_decode(struct span payload, uint32_t cluster,
                                       struct scratch *scratch, struct gossip_state *out)
{
    *out = (struct gossip_state){.cluster = cluster};
    if (payload.len > GOSSIP_STATE_LEN_MAX) {
        return GOSSIP_ERROR_SIZE;
    }
    enum gossip_result result;
    ProtobufCMessage *message =
        gossip_wire_unpack(&roost__gossip__state__descriptor, payload,
                           FIELDS_MAX + GOSSIP_MEMBERS_A_STATE_MAX, scratch, &result);
    if (message == NULL) {
        return result;
    }
    const Roost__Gossip__State *in = (const void *)message;
    result = check_head(in->protocol, in->cluster, cluster);
    if (result != GOSSIP_OK) {
        return result;
    }
    if (!take_uid(in->sender, &out->sender)) {
        return GOSSIP_ERROR_UID;
    }
    result = take_members(in->members, in->n_members, GOSSIP_MEMBERS_A_STATE_MAX, out->members);
    out->members_len = result == GOSSIP_OK ? (uint32_t)in->n_members : 0;
    return result;
}

static enum gossip_result check_member(const Roost__Gossip__Member *in, struct gossip_member *out)
{
    if (!take_uid(in->uid, &out->uid) || !take_uid_or_nobody(in->accuser, &out->accuser)) {
        return GOSSIP_ERROR_UID;
    }
    if (in->incarnation > GOSSIP_INCARNATION_MAX) {
        return GOSSIP_ERROR_INCARNATION;
    }
    if ((unsigned)in->status >= GOSSIP_STATUS_COUNT) {
        return GOSSIP_ERROR_STATUS;
    }
    if (in->details.len > GOSSIP_DETAILS_LEN_MAX || in->load.len > GOSSIP_LOAD_LEN_MAX) {
        return GOSSIP_ERROR_SIZE;
    }
    out->incarnation = in->incarnation;
    out->status = (enum gossip_status)in->status;
    out->details = gossip_wire_span(in->details);
    out->load = gossip_wire_span(in->load);
    return GOSSIP_OK;
}

enum gossip_result gossip_member_decode(struct span encoded, struct scratch *scratch,
                                        struct gossip_member *out)
{
    *out = (struct gossip_member){0};
    if (encoded.len > GOSSIP_MEMBER_LEN_MAX) {
        return GOSSIP_ERROR_SIZE;
    }
    enum gossip_result result;
    ProtobufCMessage *message = gossip_wire_unpack(&roost__gossip__member__descriptor, encoded,
                                                   FIELDS_MAX, scratch, &result);
    if (message == NULL) {
        return result;
    }
    result = check_member((const void *)message, out);
    if (result != GOSSIP_OK) {
        return result;
    }
    result = gossip_wire_unknown(message, scratch, &out->extra);
    return out->extra.len > GOSSIP_EXTRA_LEN_MAX ? GOSSIP_ERROR_SIZE : result;
}

static bool take_address(ProtobufCBinaryData bytes, struct gossip_address *out)
{
    if (bytes.len != 6 && bytes.len != 18) {
        return false;
    }
    out->ip_len = (uint8_t)(bytes.len - 2);
    memcpy(out->ip, bytes.data, out->ip_len);
    out->port = (uint16_t)(bytes.data[bytes.len - 2] << 8 | bytes.data[bytes.len - 1]);
    return out->port != 0;
}

static bool take_text(ProtobufCBinaryData bytes, size_t len_max, struct span *out,
                      enum gossip_result *result)
{
    *out = gossip_wire_span(bytes);
    if (bytes.len > len_max) {
        *result = GOSSIP_ERROR_SIZE;
    } else if (!utf8_is_valid(*out) || span_index_of(*out, '\0') != out->len) {
        *result = GOSSIP_ERROR_TEXT;
    }
    return *result == GOSSIP_OK;
}

static enum gossip_result check_details(const Roost__Gossip__Details *in,
                                        struct gossip_details *out)
{
    enum gossip_result result = GOSSIP_OK;
    if (!take_text(in->name, GOSSIP_NAME_LEN_MAX, &out->name, &result) ||
        !take_text(in->client_address, GOSSIP_CLIENT_ADDRESS_LEN_MAX, &out->client_address,
                   &result) ||
        !take_text(in->zone, GOSSIP_ZONE_LEN_MAX, &out->zone, &result) ||
        !take_text(in->version, GOSSIP_VERSION_LEN_MAX, &out->version, &result)) {
        return result;
    }
    if (!take_address(in->cluster_address, &out->cluster_address)) {
        return GOSSIP_ERROR_ADDRESS;
    }
    out->weight = in->weight;
    out->shards = in->shards;
    out->protocol_min = in->protocol_min;
    out->protocol_max = in->protocol_max;
    out->is_draining = in->is_draining != 0;
    const bool is_in_range =
        in->weight > 0 && in->shards > 0 && in->protocol_min <= in->protocol_max;
    return is_in_range ? GOSSIP_OK : GOSSIP_ERROR_RANGE;
}

enum gossip_result gossip_details_decode(struct span encoded, struct scratch *scratch,
                                         struct gossip_details *out)
{
    *out = (struct gossip_details){0};
    if (encoded.len > GOSSIP_DETAILS_LEN_MAX) {
        return GOSSIP_ERROR_SIZE;
    }
    enum gossip_result result;
    ProtobufCMessage *message = gossip_wire_unpack(&roost__gossip__details__descriptor, encoded,
                                                   FIELDS_MAX, scratch, &result);
    return message == NULL ? result : check_details((const void *)message, out);
}

enum gossip_result gossip_load_decode(struct span encoded, struct scratch *scratch,
                                      struct gossip_load *out)
{
    *out = (struct gossip_load){0};
    if (encoded.len > GOSSIP_LOAD_LEN_MAX) {
        return GOSSIP_ERROR_SIZE;
    }
    enum gossip_result result;
    ProtobufCMessage *message =
        gossip_wire_unpack(&roost__gossip__load__descriptor, encoded, FIELDS_MAX, scratch, &result);
    if (message == NULL) {
        return result;
    }
    const Roost__Gossip__Load *in = (const void *)message;
    *out = (struct gossip_load){.revision = in->revision,
                                .memory_bytes = in->memory_bytes,
                                .connections = in->connections,
                                .sessions = in->sessions,
                                .messages_a_second = in->messages_a_second,
                                .loop_lag_us = in->loop_lag_us,
                                .handshake_backlog = in->handshake_backlog,
                                .users = in->users,
                                .channels = in->channels,
                                .subscriptions = in->subscriptions,
                                .uptime_s = in->uptime_s};
    return in->revision > GOSSIP_INCARNATION_MAX ? GOSSIP_ERROR_RANGE : GOSSIP_OK;
}

static void put_members(const struct span *members, size_t count, ProtobufCBinaryData *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = gossip_wire_bytes(members[i]);
    }
}

void gossip_datagram_encode(const struct gossip_datagram *datagram, struct writer *writer)
{
    ProtobufCBinaryData members[GOSSIP_MEMBERS_A_DATAGRAM_MAX];
    put_members(datagram->members, datagram->members_len, members);
    Roost__Gossip__Datagram out = ROOST__GOSSIP__DATAGRAM__INIT;
    out.protocol = GOSSIP_PROTOCOL;
    out.cluster = datagram->cluster;
    out.kind = (Roost__Gossip__Kind)datagram->kind;
    out.sequence = datagram->sequence;
    out.sender = uid_bytes(&datagram->sender);
    out.target = uid_bytes(&datagram->target);
    out.wants_nack = datagram->wants_nack;
    out.n_members = datagram->members_len;
    out.members = members;
    gossip_wire_pack(&out.base, writer);
}

void gossip_state_encode(const struct gossip_state *state, struct writer *writer)
{
    ProtobufCBinaryData members[GOSSIP_MEMBERS_A_STATE_MAX];
    put_members(state->members, state->members_len, members);
    Roost__Gossip__State out = ROOST__GOSSIP__STATE__INIT;
    out.protocol = GOSSIP_PROTOCOL;
    out.cluster = state->cluster;
    out.sender = uid_bytes(&state->sender);
    out.n_members = state->members_len;
    out.members = members;
    gossip_wire_pack(&out.base, writer);
}

void gossip_member_encode(const struct gossip_member *member, struct writer *writer)
{
    Roost__Gossip__Member out = ROOST__GOSSIP__MEMBER__INIT;
    out.uid = uid_bytes(&member->uid);
    out.incarnation = member->incarnation;
    out.status = (Roost__Gossip__Status)member->status;
    out.accuser = uid_bytes(&member->accuser);
    out.details = gossip_wire_bytes(member->details);
    out.load = gossip_wire_bytes(member->load);
    gossip_wire_pack(&out.base, writer);
    /* Two encoded messages in a row are their sum. */
    writer_put(writer, member->extra);
}

void gossip_details_encode(const struct gossip_details *details, struct writer *writer)
{
    const struct gossip_address *address = &details->cluster_address;
    uint8_t address_bytes[18];
    memcpy(address_bytes, address->ip, address->ip_len);
    address_bytes[address->ip_len] = (uint8_t)(address->port >> 8);
    address_bytes[address->ip_len + 1] = (uint8_t)address->port;
    Roost__Gossip__Details out = ROOST__GOSSIP__DETAILS__INIT;
    out.name = gossip_wire_bytes(details->name);
    out.client_address = gossip_wire_bytes(details->client_address);
    out.cluster_address = gossip_wire_bytes(span_of(address_bytes, address->ip_len + 2u));
    out.zone = gossip_wire_bytes(details->zone);
    out.weight = details->weight;
    out.shards = details->shards;
    out.version = gossip_wire_bytes(details->version);
    out.protocol_min = details->protocol_min;
    out.protocol_max = details->protocol_max;
    out.is_draining = details->is_draining;
    gossip_wire_pack(&out.base, writer);
}

void gossip_load_encode(const struct gossip_load *load, struct writer *writer)
{
    Roost__Gossip__Load out = ROOST__GOSSIP__LOAD__INIT;
    out.revision = load->revision;
    out.connections = load->connections;
    out.sessions = load->sessions;
    out.messages_a_second = load->messages_a_second;
    out.loop_lag_us = load->loop_lag_us;
    out.memory_bytes = load->memory_bytes;
    out.handshake_backlog = load->handshake_backlog;
    out.users = load->users;
    out.channels = load->channels;
    out.subscriptions = load->subscriptions;
    out.uptime_s = load->uptime_s;
    gossip_wire_pack(&out.base, writer);
}
