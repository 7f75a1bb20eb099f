/* SPDX-License-Identifier: Apache-2.0 */
/* The table of configuration keys, those that roost has and those of Centrifugo that it does not
 * have yet. */
#ifndef ROOST_OPS_CONFIG_CONFIG_KEYS_H
#define ROOST_OPS_CONFIG_CONFIG_KEYS_H

#include "ops/config/config_report.h"
#include "ops/config/config_value.h"

enum {
    CONFIG_KEYS_MAX = 320,
    CONFIG_CHANNEL_KEYS_MAX = 128,
    CONFIG_PATH_MAX = 160,
};

/* Offsets are into struct config. */
extern const struct config_key config_keys[];
extern const size_t config_keys_len;

/* Offsets are into struct channel_options. */
extern const struct config_key config_channel_keys[];
extern const size_t config_channel_keys_len;

/* Of one member of `proxies` (into struct config_proxy), and of one of rpc.namespaces (into struct
 * config_rpc). */
extern const struct config_key config_proxy_keys[];
extern const size_t config_proxy_keys_len;
extern const struct config_key config_rpc_keys[];
extern const size_t config_rpc_keys_len;

/* What makes a key that only Centrifugo has harmless here. */
enum config_foreign_kind {
    FOREIGN_VALUE,   /* A value: its default, or nothing at all. */
    FOREIGN_SECTION, /* A section or a list: empty. */
    FOREIGN_GATED,   /* A section with a switch (`gate`): off. What else it holds does not matter
                        then. */
    FOREIGN_TUNING,  /* A value or a section that steers how Centrifugo works inside: any; it has no
                        effect here. */
};

struct config_foreign {
    const char *path;
    enum config_foreign_kind kind;
    const char *initial; /* VALUE: the default. GATED: the gate's value when off. */
    const char *gate;
};

extern const struct config_foreign config_foreign_keys[];
extern const size_t config_foreign_keys_len;
extern const struct config_foreign config_foreign_channel_keys[];
extern const size_t config_foreign_channel_keys_len;
extern const struct config_foreign config_foreign_proxy_keys[];
extern const size_t config_foreign_proxy_keys_len;

#endif
