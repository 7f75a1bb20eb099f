/* SPDX-License-Identifier: Apache-2.0 */
/* Reads PEM files whole; what is in them is judged by the TLS library. */
#include "ops/cluster_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tls.h"

enum { PEM_BYTES_MAX = 1 << 20 };

struct pem {
    const char *key;
    const char *path;
    char *text;
};

static bool read_pem(struct pem *pem, char problem[CLUSTER_TLS_PROBLEM_SIZE])
{
    FILE *file = fopen(pem->path, "r");

    if (file == NULL) {
        snprintf(problem, CLUSTER_TLS_PROBLEM_SIZE, "%s: %s: %s", pem->key, pem->path,
                 strerror(errno));
        return false;
    }
    pem->text = malloc(PEM_BYTES_MAX + 1);
    const size_t len = pem->text == NULL ? 0 : fread(pem->text, 1, PEM_BYTES_MAX, file);
    const bool is_whole = pem->text != NULL && ferror(file) == 0 && fgetc(file) == EOF;

    fclose(file);
    if (!is_whole) {
        snprintf(problem, CLUSTER_TLS_PROBLEM_SIZE, "%s: %s: cannot be read, or is above %d bytes",
                 pem->key, pem->path, PEM_BYTES_MAX);
        return false;
    }
    pem->text[len] = '\0';
    return true;
}

static void free_pem(struct pem *pem)
{
    if (pem->text != NULL) {
        explicit_bzero(pem->text, strlen(pem->text));
        free(pem->text);
    }
}

bool cluster_tls_load(struct config *config, char problem[CLUSTER_TLS_PROBLEM_SIZE])
{
    struct pem pems[] = {
        {"cluster.tls.cert_pem_file", config->cluster_tls_cert_pem_file, NULL},
        {"cluster.tls.key_pem_file", config->cluster_tls_key_pem_file, NULL},
        {"cluster.tls.ca_pem_file", config->cluster_tls_ca_pem_file, NULL},
    };
    char error[TLS_ERROR_TEXT_SIZE];

    if (!config->options.cluster.enabled || pems[0].path[0] == '\0') {
        return true;
    }
    const bool is_read =
        read_pem(&pems[0], problem) && read_pem(&pems[1], problem) && read_pem(&pems[2], problem);

    if (is_read) {
        const struct tls_options options = {pems[0].text, pems[1].text, pems[2].text};

        config->options.cluster.tls = tls_context_create(&options, error);
        if (config->options.cluster.tls == NULL) {
            snprintf(problem, CLUSTER_TLS_PROBLEM_SIZE, "cluster.tls: %s", error);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        free_pem(&pems[i]);
    }
    return config->options.cluster.tls != NULL;
}
