/* SPDX-License-Identifier: Apache-2.0 */
/* A context for each https endpoint. */
#include "ops/endpoint_tls.h"

#include "runtime/tls.h"

/* NULL is what an empty value is, and what cannot be read (*failed). */
static char *read_value(const char *key, const char *value, bool *failed,
                        char problem[PEM_PROBLEM_SIZE])
{
    char *text = value[0] == '\0' || *failed ? NULL : pem_read_value(key, value, problem);

    *failed = *failed || (value[0] != '\0' && text == NULL);
    return text;
}

static struct tls_context *load(const struct config_proxy *said, const char *url,
                                char problem[PEM_PROBLEM_SIZE])
{
    char error[TLS_ERROR_TEXT_SIZE];
    struct tls_context *context = NULL;
    bool failed = false;

    if (!said->tls_enabled) {
        const struct tls_client_options plain = {0};

        context = tls_client_context_create(&plain, error);
    } else {
        char *ca = read_value("http.tls.server_ca_pem", said->tls_server_ca_pem, &failed, problem);
        char *certificate = read_value("http.tls.cert_pem", said->tls_cert_pem, &failed, problem);
        char *key = read_value("http.tls.key_pem", said->tls_key_pem, &failed, problem);
        const struct tls_client_options options = {
            .authority = ca,
            .certificate = certificate,
            .key = key,
            .insecure_skip_verify = said->tls_insecure_skip_verify,
        };

        context = failed ? NULL : tls_client_context_create(&options, error);
        pem_free(ca);
        pem_free(certificate);
        pem_free(key);
    }
    if (context == NULL && !failed) {
        snprintf(problem, PEM_PROBLEM_SIZE, "TLS for %s: %s", url, error);
    }
    return context;
}

bool endpoint_tls_load(struct config *config, char problem[PEM_PROBLEM_SIZE])
{
    for (size_t i = 0; i < config->options.endpoints_len; i++) {
        struct endpoint_options *endpoint = &config->endpoints[i];

        if (config->endpoint_proxies[i] == NULL) {
            continue;
        }
        endpoint->tls = load(config->endpoint_proxies[i], endpoint->url, problem);
        if (endpoint->tls == NULL) {
            return false;
        }
    }
    return true;
}

void endpoint_tls_destroy(struct config *config)
{
    for (size_t i = 0; i < config->options.endpoints_len; i++) {
        tls_context_destroy(config->endpoints[i].tls);
        config->endpoints[i].tls = NULL;
    }
}
