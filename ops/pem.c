/* SPDX-License-Identifier: Apache-2.0 */
/* Reads PEM texts whole; what is in them is judged by the TLS library. */
#include "ops/pem.h"

#include <errno.h>
#include <openssl/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20 };

static const char pem_begin[] = "-----BEGIN ";

char *pem_read_file(const char *key, const char *path, char problem[PEM_PROBLEM_SIZE])
{
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        snprintf(problem, PEM_PROBLEM_SIZE, "%s: %s: %s", key, path, strerror(errno));
        return NULL;
    }
    char *text = malloc(FILE_BYTES_MAX + 1);
    const size_t len = text == NULL ? 0 : fread(text, 1, FILE_BYTES_MAX, file);
    const bool is_whole = text != NULL && ferror(file) == 0 && fgetc(file) == EOF;

    fclose(file);
    if (!is_whole) {
        snprintf(problem, PEM_PROBLEM_SIZE, "%s: %s: cannot be read, or is above %d bytes", key,
                 path, FILE_BYTES_MAX);
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

char *pem_read_value(const char *key, const char *value, char problem[PEM_PROBLEM_SIZE])
{
    const size_t len = strlen(value);
    size_t decoded_len = 0;

    if (strstr(value, pem_begin) == NULL && access(value, F_OK) == 0) {
        return pem_read_file(key, value, problem);
    }
    char *text = malloc(len + 1);

    if (text == NULL) {
        snprintf(problem, PEM_PROBLEM_SIZE, "%s: memory is out", key);
        return NULL;
    }
    memcpy(text, value, len + 1);
    if (strstr(value, pem_begin) == NULL) {
        const bool is_base64 =
            EVP_DecodeBase64((uint8_t *)text, &decoded_len, len, (const uint8_t *)value, len) != 0;

        text[is_base64 ? decoded_len : 0] = '\0';
        if (strstr(text, pem_begin) == NULL) {
            snprintf(problem, PEM_PROBLEM_SIZE,
                     "%s: neither a PEM text, nor its base64, nor a file that is there", key);
            pem_free(text);
            return NULL;
        }
    }
    return text;
}

void pem_free(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}
