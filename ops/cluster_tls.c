/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate, key and authority of links. */
#include "ops/cluster_tls.h"

#include "runtime/tls.h"

bool cluster_tls_load(struct config *config, char problem[PEM_PROBLEM_SIZE])
{
    const char *const keys[3][2] = {
        {"cluster.tls.cert_pem_file", config->cluster_tls_cert_pem_file},
        {"cluster.tls.key_pem_file", config->cluster_tls_key_pem_file},
        {"cluster.tls.ca_pem_file", config->cluster_tls_ca_pem_file},
    };
    char *texts[3] = {NULL};
    char error[TLS_ERROR_TEXT_SIZE];
    bool is_read = true;

    if (!config->options.cluster.enabled || keys[0][1][0] == '\0') {
        return true;
    }
    for (size_t i = 0; i < 3 && is_read; i++) {
        texts[i] = pem_read_file(keys[i][0], keys[i][1], problem);
        is_read = texts[i] != NULL;
    }
    if (is_read) {
        const struct tls_options options = {texts[0], texts[1], texts[2]};

        config->options.cluster.tls = tls_context_create(&options, error);
        if (config->options.cluster.tls == NULL) {
            snprintf(problem, PEM_PROBLEM_SIZE, "cluster.tls: %s", error);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        pem_free(texts[i]);
    }
    return config->options.cluster.tls != NULL;
}
