/* SPDX-License-Identifier: Apache-2.0 */
/* One connection's TLS: what came is staged for BoringSSL, what it makes is sent in one piece. */
#include "runtime/tls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "runtime/poller.h"

enum {
    RECORD_LEN_MAX = 16 * 1024,
    /* More than a record with its head and tag: what BoringSSL may hold of one that is not whole,
     * and so give out beyond what was staged now. */
    RECORD_ROOM = 17 * 1024,
    /* Encrypted before the socket is asked; with the record that goes beyond it TLS_OUT_LEN_MAX. */
    SEND_LEN = 48 * 1024,
    OUT_LEN_FIRST = 2048,
};

static_assert(SEND_LEN + RECORD_ROOM <= TLS_OUT_LEN_MAX, "what waits is bounded");
static_assert(TLS_RECEIVE_LEN_MIN / 2 > RECORD_ROOM, "something can be staged");

struct tls {
    SSL *ssl;
    uint8_t *out; /* NULL while nothing waits. */
    uint32_t out_room;
    uint32_t out_sent;
    uint32_t out_len; /* Of it, `out_sent` bytes went. */
    enum tls_failure failure;
    bool is_drained;
    bool is_ended;     /* The peer's stream. */
    bool is_truncated; /* BoringSSL has seen that. */
    const uint8_t *staged;
    size_t staged_len;
};

const char *tls_failure_text(enum tls_failure failure)
{
    static const char *const texts[] = {
#define TLS_TEXT(name, text) [name] = text,
        TLS_FAILURES(TLS_TEXT)
#undef TLS_TEXT
    };
    return (unsigned)failure < TLS_FAILURE_COUNT ? texts[failure] : "unknown";
}

/* ---- BoringSSL's side ---- */

static int bio_read(BIO *bio, char *into, int len)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->staged_len == 0) {
        if (tls->is_ended) {
            tls->is_truncated = true;
            return 0;
        }
        BIO_set_retry_read(bio);
        return -1;
    }
    const size_t taken = tls->staged_len < (size_t)len ? tls->staged_len : (size_t)len;
    memcpy(into, tls->staged, taken);
    tls->staged += taken;
    tls->staged_len -= taken;
    return (int)taken;
}

static bool out_reserve(struct tls *tls, uint32_t len)
{
    const uint32_t needed = tls->out_len + len;
    if (needed <= tls->out_room) {
        return true;
    }
    uint32_t room = tls->out_room == 0 ? OUT_LEN_FIRST : tls->out_room;
    while (room < needed) {
        room *= 2;
    }
    uint8_t *larger = realloc(tls->out, room);
    if (larger == NULL) {
        return false;
    }
    tls->out = larger;
    tls->out_room = room;
    return true;
}

static int bio_write(BIO *bio, const char *at, int len)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!out_reserve(tls, (uint32_t)len)) {
        tls->failure = TLS_FAILURE_MEMORY;
        return -1;
    }
    memcpy(tls->out + tls->out_len, at, (size_t)len);
    tls->out_len += (uint32_t)len;
    return len;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static const BIO_METHOD stream_bio = {
    .name = "stream",
    .bwrite = bio_write,
    .bread = bio_read,
    .ctrl = bio_control,
};

/* ---- making ---- */

static bool attach(struct tls *tls, int64_t wall_ms)
{
    BIO *bio = BIO_new(&stream_bio);
    if (bio == NULL) {
        return false;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), wall_ms / 1000);
    SSL_set_shed_handshake_config(tls->ssl, 1);
    return true;
}

struct tls *tls_create(struct tls_context *context, enum tls_side side, int64_t wall_ms)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        return NULL;
    }
    tls->ssl = SSL_new((SSL_CTX *)context);
    if (tls->ssl == NULL || !attach(tls, wall_ms)) {
        tls_destroy(tls);
        return NULL;
    }
    if (side == TLS_ACCEPTS) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
    }
    return tls;
}

bool tls_expect_name(struct tls *tls, const char *name)
{
    struct socket_address address;
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    bool is_set;
    if (socket_address_parse(name, 0, &address)) {
        is_set = X509_VERIFY_PARAM_set1_ip(param, address.bytes, address.family == 4 ? 4 : 16);
    } else {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        is_set = SSL_set_tlsext_host_name(tls->ssl, name) &&
                 X509_VERIFY_PARAM_set1_host(param, name, strlen(name));
    }
    ERR_clear_error();
    return is_set;
}

void tls_destroy(struct tls *tls)
{
    SSL_free(tls->ssl);
    free(tls->out);
    free(tls);
}

enum tls_failure tls_failure(const struct tls *tls)
{
    return tls->failure;
}

bool tls_is_established(const struct tls *tls)
{
    return !SSL_in_init(tls->ssl);
}

bool tls_is_drained(const struct tls *tls)
{
    return tls->is_drained;
}

bool tls_wants_room(const struct tls *tls)
{
    return tls->out_len > 0;
}

/* ---- failures ---- */

static enum tls_failure failure_of_certificate(const SSL *ssl)
{
    switch (SSL_get_verify_result(ssl)) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_FAILURE_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_FAILURE_EXPIRED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return TLS_FAILURE_UNKNOWN_CA;
    default:
        return TLS_FAILURE_CERTIFICATE;
    }
}

static enum tls_failure failure_of_ssl(const SSL *ssl, int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return TLS_FAILURE_NOT_TLS;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return TLS_FAILURE_VERSION;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return TLS_FAILURE_NO_CERTIFICATE;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return failure_of_certificate(ssl);
    default:
        return reason >= SSL_AD_REASON_OFFSET ? TLS_FAILURE_REFUSED : TLS_FAILURE_BROKEN;
    }
}

/* The first of the errors that this thread has gathered is the cause of the others. */
static void fail(struct tls *tls)
{
    const uint32_t error = ERR_get_error();
    ERR_clear_error();
    if (tls->failure != TLS_OK) {
        return;
    }
    if (error == 0 || tls->is_truncated) {
        tls->failure = TLS_FAILURE_TRUNCATED;
    } else if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
        tls->failure = TLS_FAILURE_MEMORY;
    } else if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
        tls->failure = failure_of_ssl(tls->ssl, ERR_GET_REASON(error));
    } else {
        tls->failure = TLS_FAILURE_BROKEN;
    }
}

/* ---- sending ---- */

/* Sends what waits. False: the peer is gone. */
static bool flush(struct tls *tls, struct poller *poller, int socket)
{
    while (tls->out_len > tls->out_sent) {
        const size_t len = tls->out_len - tls->out_sent;
        const struct iovec slice = {tls->out + tls->out_sent, len};
        const ssize_t sent = poller_send(poller, socket, &slice, 1);
        if (sent < 0) {
            return sent == POLLER_AGAIN;
        }
        tls->out_sent += (uint32_t)sent;
        if ((size_t)sent < len) {
            return true; /* Full, as a short write says. */
        }
    }
    free(tls->out);
    tls->out = NULL;
    tls->out_room = 0;
    tls->out_sent = 0;
    tls->out_len = 0;
    return true;
}

struct slices {
    const struct iovec *next;
    const struct iovec *end;
    size_t skip; /* Bytes of the next one that were taken. */
};

/* Up to a record's bytes: where they are when that is one place, otherwise together in `into`. */
static const uint8_t *gather(struct slices *slices, uint8_t *into, size_t *len)
{
    *len = 0;
    while (slices->next < slices->end && *len < RECORD_LEN_MAX) {
        const uint8_t *at = (const uint8_t *)slices->next->iov_base + slices->skip;
        const size_t left = slices->next->iov_len - slices->skip;
        const size_t room = RECORD_LEN_MAX - *len;
        if (*len == 0 && left >= room) {
            slices->skip += room;
            *len = room;
            return at;
        }
        const size_t part = left < room ? left : room;
        if (part > 0) {
            memcpy(into + *len, at, part);
        }
        *len += part;
        slices->skip += part;
        if (part == left) {
            slices->next++;
            slices->skip = 0;
        }
    }
    return into;
}

ssize_t tls_send(struct tls *tls, struct poller *poller, int socket, const struct iovec *slices,
                 int count)
{
    uint8_t together[RECORD_LEN_MAX];
    struct slices rest = {slices, slices + count, 0};
    ssize_t taken = 0;
    if (tls->failure != TLS_OK || !flush(tls, poller, socket)) {
        return POLLER_GONE;
    }
    while (tls->out_len == 0 && rest.next < rest.end) {
        int written = 1;
        while (written > 0 && tls->out_len < SEND_LEN && rest.next < rest.end) {
            const struct slices before = rest;
            size_t len;
            const uint8_t *at = gather(&rest, together, &len);
            if (len == 0) {
                continue; /* Empty slices at the end. */
            }
            ERR_clear_error();
            written = SSL_write(tls->ssl, at, (int)len);
            if (written > 0) {
                taken += written;
            } else if (SSL_get_error(tls->ssl, written) == SSL_ERROR_WANT_READ) {
                rest = before;
            } else {
                fail(tls);
            }
        }
        if (!flush(tls, poller, socket) || tls->failure != TLS_OK) {
            return POLLER_GONE;
        }
        if (written <= 0) {
            break; /* The handshake goes on when the peer has answered. */
        }
    }
    return taken > 0 || count == 0 ? taken : POLLER_AGAIN;
}

void tls_shutdown_output(struct tls *tls, struct poller *poller, int socket)
{
    if (tls->failure == TLS_OK && tls_is_established(tls)) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
        if (!flush(tls, poller, socket)) {
            tls->is_ended = true;
        }
    }
}

/* ---- receiving ---- */

/* What of the staged bytes is the caller's; *is_closed: the peer said that there is no more. */
static size_t decrypt(struct tls *tls, uint8_t *into, size_t room, bool *is_closed)
{
    size_t len = 0;
    while (len < room) {
        ERR_clear_error();
        const int got = SSL_read(tls->ssl, into + len, (int)(room - len));
        if (got > 0) {
            len += (size_t)got;
            continue;
        }
        switch (SSL_get_error(tls->ssl, got)) {
        case SSL_ERROR_WANT_READ:
            return len;
        case SSL_ERROR_ZERO_RETURN:
            *is_closed = true;
            return len;
        default:
            if (tls->is_ended && tls_is_established(tls) && ERR_peek_error() == 0) {
                *is_closed = true; /* Without a goodbye, which what is above must bear. */
            } else {
                fail(tls);
            }
            return len;
        }
    }
    return len;
}

ssize_t tls_receive(struct tls *tls, struct poller *poller, int socket, void *into, size_t len)
{
    BUG_IF(len < TLS_RECEIVE_LEN_MIN);
    const size_t stage_len = len / 2 - RECORD_ROOM;
    uint8_t *stage = (uint8_t *)into + len - stage_len;
    bool is_closed = false;
    while (tls->failure == TLS_OK) {
        const ssize_t received = poller_receive(poller, socket, stage, stage_len);
        tls->is_drained = received < (ssize_t)stage_len && received != 0;
        if (received < 0) {
            return received;
        }
        tls->is_ended = received == 0;
        tls->staged = stage;
        tls->staged_len = (size_t)received;
        const size_t plain = decrypt(tls, into, len - stage_len, &is_closed);
        tls->staged_len = 0;
        if (!flush(tls, poller, socket)) {
            return plain > 0 ? (ssize_t)plain : POLLER_GONE;
        }
        if (plain > 0) {
            return (ssize_t)plain;
        }
        if (is_closed) {
            return 0;
        }
        if (tls->is_drained) {
            return tls->failure == TLS_OK ? POLLER_AGAIN : POLLER_GONE;
        }
    }
    return POLLER_GONE;
}
