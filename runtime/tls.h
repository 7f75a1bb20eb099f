/* SPDX-License-Identifier: Apache-2.0 */
/* TLS behind a stream, by BoringSSL, without blocking and on any poller.
 *
 *   stream_receive <-- plain -- [BoringSSL] <-- ciphertext -- poller_receive
 *   stream_send    --> plain -> [BoringSSL] --> `out` ------> poller_send
 *
 * The handshake goes on inside of stream_receive and stream_send: they return POLLER_AGAIN until it
 * is done, and either may need the other's event. So whoever owns a stream with TLS does both on
 * any event: receives, and sends when there is something to send or stream_wants_room() says so.
 *
 * Received ciphertext is staged at the end of the caller's own buffer, so that a connection keeps
 * no memory for it. What was encrypted and not taken by the socket waits in `out`, at most
 * TLS_OUT_LEN_MAX bytes; an idle connection has none.
 *
 * A context may serve many shards: BoringSSL locks it where it must. A struct tls belongs to its
 * stream's shard.
 */
#ifndef ROOST_RUNTIME_TLS_H
#define ROOST_RUNTIME_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "runtime/check.h"

struct poller;
struct tls;
struct tls_context;

enum {
    /* What stream_receive must be offered at least: a record may be complete with few bytes more,
     * and what is staged lies in the same buffer. */
    TLS_RECEIVE_LEN_MIN = 64 * 1024,
    /* The records of one call that the socket did not take. */
    TLS_OUT_LEN_MAX = 72 * 1024,
    TLS_ERROR_TEXT_SIZE = 160,
};

#define TLS_FAILURES(X) \
    X(TLS_OK, "ok") \
    X(TLS_FAILURE_NOT_TLS, "the peer does not speak TLS") \
    X(TLS_FAILURE_VERSION, "no common version of TLS") \
    X(TLS_FAILURE_NO_CERTIFICATE, "the peer has no certificate") \
    X(TLS_FAILURE_UNKNOWN_CA, "the peer's certificate is of an unknown authority") \
    X(TLS_FAILURE_EXPIRED, "the peer's certificate is not valid at this time") \
    X(TLS_FAILURE_CERTIFICATE, "the peer's certificate is not good for this") \
    X(TLS_FAILURE_NAME, "the peer's certificate is for another name") \
    X(TLS_FAILURE_REFUSED, "the peer ended it by an alert") \
    X(TLS_FAILURE_BROKEN, "a record or a message of the handshake is broken") \
    X(TLS_FAILURE_TRUNCATED, "the stream ended within the handshake") \
    X(TLS_FAILURE_MEMORY, "memory is out")

#define TLS_ENUM(name, text) name,
enum tls_failure { TLS_FAILURES(TLS_ENUM) TLS_FAILURE_COUNT };
#undef TLS_ENUM

/* Never NULL. */
const char *tls_failure_text(enum tls_failure failure);

/* PEM texts, terminated; they may be freed after tls_context_create. */
struct tls_options {
    const char *certificate; /* With its chain. */
    const char *key;
    const char *authority; /* Whose certificates are taken; several may follow each other. */
};

/* For links: both sides show a certificate of the authority, TLS 1.3 alone, no resumption. NULL,
 * with a sentence in `error`: a text cannot be read, the key is not the certificate's, or memory is
 * out. */
MUST_CHECK struct tls_context *tls_context_create(const struct tls_options *options,
                                                  char error[TLS_ERROR_TEXT_SIZE]);

/* For clients of servers that are not ours: their certificate has to be of an authority and, see
 * tls_expect_name, of the right name. TLS 1.2 and 1.3. */
struct tls_client_options {
    const char *authority;   /* PEM; NULL: those that the system trusts. */
    const char *certificate; /* PEM, with its chain and key: what is shown when a server asks. */
    const char *key;         /* NULL, both: nothing. */
    bool insecure_skip_verify;
};

/* As tls_context_create. */
MUST_CHECK struct tls_context *tls_client_context_create(const struct tls_client_options *options,
                                                         char error[TLS_ERROR_TEXT_SIZE]);

/* What was made from it lives on. NULL is allowed. */
void tls_context_destroy(struct tls_context *context);

enum tls_side {
    TLS_ACCEPTS,
    TLS_DIALS,
};

/* `wall_ms` is the time at which the peer's certificate has to be valid. NULL: memory is out. */
MUST_CHECK struct tls *tls_create(struct tls_context *context, enum tls_side side, int64_t wall_ms);
void tls_destroy(struct tls *tls);

/* Before the first byte: the server is asked for as this name (SNI, RFC 6066 section 3), and its
 * certificate has to be for it (RFC 6125); an address, as text, instead of a name is compared with
 * the certificate's addresses. False: memory is out, or it is neither. */
MUST_CHECK bool tls_expect_name(struct tls *tls, const char *name);

/* Why stream_receive or stream_send returned POLLER_GONE; TLS_OK: because of the socket. */
enum tls_failure tls_failure(const struct tls *tls);

/* The peer has shown a certificate that was accepted. */
bool tls_is_established(const struct tls *tls);

/* ---- for stream.h ---- */

ssize_t tls_receive(struct tls *tls, struct poller *poller, int socket, void *into, size_t len);
ssize_t tls_send(struct tls *tls, struct poller *poller, int socket, const struct iovec *slices,
                 int count);
void tls_shutdown_output(struct tls *tls, struct poller *poller, int socket);
/* The socket has given all that it had when tls_receive last asked it. */
bool tls_is_drained(const struct tls *tls);
bool tls_wants_room(const struct tls *tls);

#endif
