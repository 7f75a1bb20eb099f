/* SPDX-License-Identifier: Apache-2.0 */
/* The tables behind the errors and methods of the server API. */
#include "codec/api.h"

struct error_row {
    enum api_error error;
    const char *text;
    uint16_t status;
};

#define ERROR_ROW(name, code, text, status) {API_ERROR_##name, (text), (status)},
static const struct error_row errors[] = {API_ERRORS(ERROR_ROW)};
#undef ERROR_ROW

static const struct error_row *row_of(enum api_error error)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == error) {
            return &errors[i];
        }
    }
    return &errors[0];
}

struct span api_error_message(enum api_error error)
{
    return span_of_text(row_of(error)->text);
}

uint16_t api_error_status(enum api_error error)
{
    return error == API_ERROR_NONE ? 200 : row_of(error)->status;
}

const char *api_method_name(enum api_method method)
{
#define METHOD_NAME(name, text) [API_METHOD_##name] = (text),
    static const char *const names[API_METHOD_COUNT] = {API_METHODS(METHOD_NAME)};
#undef METHOD_NAME
    return (unsigned)method < API_METHOD_COUNT ? names[method] : NULL;
}

enum api_method api_method_of(struct span name)
{
    unsigned method = 0;
    while (method < API_METHOD_COUNT &&
           !span_equal(name, span_of_text(api_method_name((enum api_method)method)))) {
        method++;
    }
    return (enum api_method)method;
}
