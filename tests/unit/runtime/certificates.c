/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates with keys on P-256, by BoringSSL. */
#include "tests/unit/runtime/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "runtime/check.h"

/* From 2020 to 2100. */
#define EARLY_S 1577836800
#define LATE_S 4102444800

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    char *text;
    long serial;
};

static void must(bool condition)
{
    BUG_IF(!condition);
}

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    must(key != NULL && ec != NULL && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

static char *text_of(BIO *bio)
{
    const uint8_t *at;
    size_t len;
    must(BIO_mem_contents(bio, &at, &len));
    /* The contents have no end of their own, which strndup may look for. */
    char *text = malloc(len + 1);
    must(text != NULL);
    memcpy(text, at, len);
    text[len] = '\0';
    BIO_free(bio);
    return text;
}

static char *text_of_certificate(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio != NULL && PEM_write_bio_X509(bio, certificate));
    return text_of(bio);
}

static char *text_of_key(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    return text_of(bio);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    char *own = strdup(value);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, own);
    must(extension != NULL && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
    free(own);
}

static void add_name(X509_NAME *name, const char *text)
{
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0));
}

/* All but issuer and signature. */
static X509 *draft(EVP_PKEY *key, const char *name, long serial)
{
    X509 *certificate = X509_new();
    must(certificate != NULL && X509_set_version(certificate, 2) &&
         ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) &&
         X509_set_pubkey(certificate, key));
    add_name(X509_get_subject_name(certificate), name);
    return certificate;
}

static void set_times(X509 *certificate, int64_t from_s, int64_t to_s)
{
    must(ASN1_TIME_set(X509_getm_notBefore(certificate), from_s) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), to_s) != NULL);
}

struct authority *authority_create(const char *name)
{
    struct authority *authority = calloc(1, sizeof(*authority));
    must(authority != NULL);
    authority->key = make_key();
    authority->certificate = draft(authority->key, name, 1);
    authority->serial = 1;
    set_times(authority->certificate, EARLY_S, LATE_S);
    add_extension(authority->certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(authority->certificate, NID_key_usage, "critical,keyCertSign");
    must(X509_set_issuer_name(authority->certificate,
                              X509_get_subject_name(authority->certificate)) &&
         X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);
    authority->text = text_of_certificate(authority->certificate);
    return authority;
}

void authority_destroy(struct authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
    free(authority->text);
    free(authority);
}

const char *authority_certificate(const struct authority *authority)
{
    return authority->text;
}

static struct certificate issue(struct authority *authority, int64_t from_s, int64_t to_s,
                                const char *purpose, const char *names)
{
    EVP_PKEY *key = make_key();
    X509 *certificate = draft(key, "a node", ++authority->serial);
    set_times(certificate, from_s, to_s);
    if (purpose != NULL) {
        add_extension(certificate, NID_ext_key_usage, purpose);
    }
    if (names != NULL) {
        add_extension(certificate, NID_subject_alt_name, names);
    }
    must(X509_set_issuer_name(certificate, X509_get_subject_name(authority->certificate)) &&
         X509_sign(certificate, authority->key, EVP_sha256()) > 0);
    const struct certificate issued = {
        .certificate = text_of_certificate(certificate),
        .key = text_of_key(key),
    };
    X509_free(certificate);
    EVP_PKEY_free(key);
    return issued;
}

struct certificate authority_issue(struct authority *authority, int64_t from_s, int64_t to_s,
                                   const char *purpose)
{
    return issue(authority, from_s, to_s, purpose, NULL);
}

struct certificate authority_issue_names(struct authority *authority, const char *names)
{
    return issue(authority, EARLY_S, LATE_S, "serverAuth", names);
}

void certificate_free(struct certificate *certificate)
{
    free(certificate->certificate);
    free(certificate->key);
}

struct tls_context *certificate_context(const struct certificate *certificate,
                                        const struct authority *authority)
{
    char error[TLS_ERROR_TEXT_SIZE] = "";
    const struct tls_options options = {
        .certificate = certificate->certificate,
        .key = certificate->key,
        .authority = authority->text,
    };
    struct tls_context *context = tls_context_create(&options, error);
    if (context == NULL) {
        fprintf(stderr, "%s\n", error);
    }
    must(context != NULL);
    return context;
}

struct tls_context *authority_context(struct authority *authority)
{
    struct certificate certificate = authority_issue(authority, EARLY_S, LATE_S, NULL);
    struct tls_context *context = certificate_context(&certificate, authority);
    certificate_free(&certificate);
    return context;
}
