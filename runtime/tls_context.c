/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate, its key and an authority, read from texts and made into a context. */
#include "runtime/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* Where Debian and most others keep them (the package ca-certificates). */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
static const char system_authorities[] = SYSTEM_AUTHORITIES;

static X509 *read_certificate(BIO *text)
{
    return PEM_read_bio_X509(text, NULL, NULL, NULL);
}

/* The first certificate of the text is the node's, the others lead to the authority. */
static bool use_certificate(SSL_CTX *ssl, BIO *text)
{
    X509 *own = read_certificate(text);
    bool is_good = own != NULL && SSL_CTX_use_certificate(ssl, own);
    X509_free(own);
    for (X509 *next; is_good && (next = read_certificate(text)) != NULL;) {
        is_good = SSL_CTX_add1_chain_cert(ssl, next);
        X509_free(next);
    }
    return is_good;
}

static bool use_key(SSL_CTX *ssl, BIO *text)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
    const bool is_good = key != NULL && SSL_CTX_use_PrivateKey(ssl, key);
    EVP_PKEY_free(key);
    return is_good && SSL_CTX_check_private_key(ssl);
}

static bool use_authority(SSL_CTX *ssl, BIO *text)
{
    uint32_t count = 0;
    bool is_good = true;
    for (X509 *next; is_good && (next = read_certificate(text)) != NULL; count++) {
        is_good = X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), next);
        X509_free(next);
    }
    return is_good && count > 0;
}

static bool use_text(SSL_CTX *ssl, const char *text, bool (*use)(SSL_CTX *, BIO *))
{
    BIO *bio = text == NULL ? NULL : BIO_new_mem_buf(text, (int)strlen(text));
    const bool is_good = bio != NULL && use(ssl, bio);
    BIO_free(bio);
    return is_good;
}

/* NULL: all of them are good. */
static const char *use_options(SSL_CTX *ssl, const struct tls_options *options)
{
    if (!use_text(ssl, options->certificate, use_certificate)) {
        return "the certificate is no PEM text of certificates";
    }
    if (!use_text(ssl, options->key, use_key)) {
        return "the key is no PEM text of a key, or not that of the certificate";
    }
    if (!use_text(ssl, options->authority, use_authority)) {
        return "the authority is no PEM text of certificates";
    }
    return NULL;
}

static void set_policy(SSL_CTX *ssl)
{
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
}

/* The context, unless something is wrong with it: then a sentence says what. */
static struct tls_context *finish(SSL_CTX *ssl, const char *wrong, char error[TLS_ERROR_TEXT_SIZE])
{
    const uint32_t cause = ERR_get_error();
    ERR_clear_error();
    if (wrong == NULL) {
        return (struct tls_context *)ssl;
    }
    const char *detail = cause == 0 ? NULL : ERR_reason_error_string(cause);
    snprintf(error, TLS_ERROR_TEXT_SIZE, "%s%s%s", wrong, detail == NULL ? "" : ": ",
             detail == NULL ? "" : detail);
    SSL_CTX_free(ssl);
    return NULL;
}

/* A struct tls_context is an SSL_CTX by another name, which counts its users itself. */
struct tls_context *tls_context_create(const struct tls_options *options,
                                       char error[TLS_ERROR_TEXT_SIZE])
{
    const char *wrong = "memory is out";
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    if (ssl != NULL && SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION)) {
        set_policy(ssl);
        wrong = use_options(ssl, options);
    }
    return finish(ssl, wrong, error);
}

/* NULL: all of them are good. */
static const char *use_client_options(SSL_CTX *ssl, const struct tls_client_options *options)
{
    if (options->certificate != NULL && !use_text(ssl, options->certificate, use_certificate)) {
        return "the certificate is no PEM text of certificates";
    }
    if (options->certificate != NULL && !use_text(ssl, options->key, use_key)) {
        return "the key is no PEM text of a key, or not that of the certificate";
    }
    if (options->insecure_skip_verify) {
        SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        return NULL;
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (options->authority != NULL) {
        return use_text(ssl, options->authority, use_authority)
                   ? NULL
                   : "the authority is no PEM text of certificates";
    }
    return SSL_CTX_load_verify_locations(ssl, system_authorities, NULL)
               ? NULL
               : "the system's authorities (" SYSTEM_AUTHORITIES ") cannot be read";
}

struct tls_context *tls_client_context_create(const struct tls_client_options *options,
                                              char error[TLS_ERROR_TEXT_SIZE])
{
    const char *wrong = "memory is out";
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    if (ssl != NULL && SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION)) {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        wrong = use_client_options(ssl, options);
    }
    return finish(ssl, wrong, error);
}

void tls_context_destroy(struct tls_context *context)
{
    SSL_CTX_free((SSL_CTX *)context);
}
