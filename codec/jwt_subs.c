/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of the fields of `subs` and `override`. */
#include "codec/jwt_subs.h"

#include "codec/json_fields.h"

struct sub_fields {
    struct jwt_sub sub;
    struct span b64info;
    struct span b64data;
};

static enum json_result read_switch(struct json_reader *reader, struct scratch *scratch, void *at)
{
    static const struct json_field list[] = {JSON_FIELD(jwt_switch, "value", BOOL, value)};
    static const struct json_fields fields = JSON_FIELDS(list);
    struct jwt_switch *option = at;
    if (json_read_null(reader)) {
        return JSON_OK;
    }
    option->is_set = true;
    return json_read_fields(reader, scratch, &fields, option);
}

static const struct json_field override_list[] = {
    JSON_FIELD_READ_BY(jwt_override, "presence", presence, read_switch),
    JSON_FIELD_READ_BY(jwt_override, "join_leave", join_leave, read_switch),
    JSON_FIELD_READ_BY(jwt_override, "force_recovery", force_recovery, read_switch),
    JSON_FIELD_READ_BY(jwt_override, "force_positioning", force_positioning, read_switch),
    JSON_FIELD_READ_BY(jwt_override, "force_push_join_leave", force_push_join_leave, read_switch),
};
static const struct json_fields override_fields = JSON_FIELDS(override_list);

enum json_result jwt_override_read(struct json_reader *reader, struct scratch *scratch, void *at)
{
    return json_read_null(reader) ? JSON_OK
                                  : json_read_fields(reader, scratch, &override_fields, at);
}

static const struct json_field sub_list[] = {
    JSON_FIELD(sub_fields, "info", RAW, sub.info),
    JSON_FIELD(sub_fields, "b64info", BASE64, b64info),
    JSON_FIELD(sub_fields, "data", RAW, sub.data),
    JSON_FIELD(sub_fields, "b64data", BASE64, b64data),
    JSON_FIELD(sub_fields, "expire_at", I64, sub.expire_at_s),
    JSON_FIELD_READ_BY(sub_fields, "override", sub.override, jwt_override_read),
};
static const struct json_fields sub_fields = JSON_FIELDS(sub_list);

enum json_result jwt_override_decode(struct span raw, struct jwt_override *out)
{
    struct scratch none = scratch_of(NULL, 0);
    *out = (struct jwt_override){0};
    return raw.len == 0 ? JSON_OK : json_decode_fields(raw, &none, &override_fields, out);
}

void jwt_subs_begin(struct json_walk *walk, struct span raw)
{
    json_map_begin(walk, raw);
}

static enum json_result read_sub(struct json_reader *reader, struct scratch *scratch,
                                 struct jwt_sub *out)
{
    struct sub_fields fields = {0};
    enum json_result result = JSON_OK;
    if (!json_read_null(reader)) {
        result = json_read_fields(reader, scratch, &sub_fields, &fields);
    }
    *out = fields.sub;
    out->info = fields.b64info.len > 0 ? fields.b64info : fields.sub.info;
    out->data = fields.b64data.len > 0 ? fields.b64data : fields.sub.data;
    return result;
}

enum json_result jwt_subs_next(struct json_walk *walk, struct scratch *scratch, struct jwt_sub *out)
{
    struct span key_raw;
    struct span channel;
    if (walk->empty) {
        return JSON_DONE;
    }
    enum json_result result = json_next_member(&walk->reader, &key_raw);
    if (result == JSON_OK) {
        result = json_key_decode(key_raw, scratch, &channel);
    }
    if (result == JSON_OK) {
        result = read_sub(&walk->reader, scratch, out);
        out->channel = channel;
    }
    return result;
}
