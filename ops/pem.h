/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys as texts, from wherever a configuration has them. */
#ifndef ROOST_OPS_PEM_H
#define ROOST_OPS_PEM_H

#include "runtime/check.h"

enum { PEM_PROBLEM_SIZE = 1536 };

/* The file's text, terminated, for pem_free. NULL: `problem` says why, beginning with the key. */
MUST_CHECK char *pem_read_file(const char *key, const char *path, char problem[PEM_PROBLEM_SIZE]);

/* The same for a value that is a PEM text, its base64, or a file's name, as Centrifugo has it. */
MUST_CHECK char *pem_read_value(const char *key, const char *value, char problem[PEM_PROBLEM_SIZE]);

/* Wiped. NULL is allowed. */
void pem_free(char *text);

#endif
