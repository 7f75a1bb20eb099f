/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of shared polls, for the tables in config_keys.c alone, whose macros they are made of.
 */
#ifndef ROOST_OPS_CONFIG_CONFIG_KEYS_SHARED_POLL_H
#define ROOST_OPS_CONFIG_CONFIG_KEYS_SHARED_POLL_H

/* In the order of enum shared_poll_mode; nothing is the first of them. */
static const char *const shared_poll_modes[] = {"versionless", "versioned", "", NULL};

#define SHARED_POLL_KEYS \
    SECRET("shared_poll.hmac_secret_key", NODE(shared_poll_hmac_secret_key), \
           "Secret with which a backend signs the keys that a client may track."), \
        SECRET("shared_poll.hmac_previous_secret_key", NODE(shared_poll_hmac_previous_secret_key), \
               "Secret that is still accepted while the other is rolled out."), \
        {.path = "shared_poll.hmac_previous_secret_key_valid_until", \
         .type = CONFIG_UNIX_TIME, \
         NODE(shared_poll_hmac_previous_secret_key_valid_until_s), \
         .initial = "0", \
         .help = "Unix time until which it may have signed; 0: for ever."}, \
        NUMBER("shared_poll.concurrency_limit", NODE(shared_poll_concurrency_limit), 0, COUNT_MAX, \
               "0", "Requests to backends that may be under way for shared polls; 0: 64.")

/* Of a namespace. */
#define SHARED_POLL_CHANNEL_KEYS \
    CHANNEL_CHOICE("shared_poll.mode", shared_poll.mode, shared_poll_modes, "versionless", \
                   "Whether the backend numbers what it says of a key."), \
        CHANNEL_TEXT(shared_poll.proxy_name, "Which backend is asked: one of `proxies`; empty or " \
                                             "`default`: channel.proxy.shared_poll_refresh."), \
        CHANNEL_DURATION("shared_poll.refresh_interval", shared_poll.refresh_interval_ms, \
                         "How often it is asked for each key; 0s: 10s."), \
        CHANNEL_NUMBER(shared_poll.refresh_batch_size, "Keys of one request; 0: 1000."), \
        CHANNEL_NUMBER(shared_poll.max_keys_per_connection, \
                       "Keys of a channel that a client may track; 0: 5000."), \
        CHANNEL_DURATION("shared_poll.channel_shutdown_delay", \
                         shared_poll.channel_shutdown_delay_ms, \
                         "How long a channel is known after its last key; 0s: 1s."), \
        CHANNEL_DURATION("shared_poll.track_expired_extra_delay", \
                         shared_poll.track_expired_extra_delay_ms, \
                         "Time that a client has to refresh an expired signature; 0s: 25s."), \
        OPTION(shared_poll.publish_enabled, "The server API may tell of keys, too.")

#endif
