/* SPDX-License-Identifier: Apache-2.0 */
/* Counted texts under small numbers. */
#include "shards/edge/session/apps.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/map.h"

struct app {
    uint32_t number;
    uint32_t count;
    uint32_t label;
    size_t name_len;
    size_t len;
    uint8_t text[]; /* The length of the name in two bytes, name, version. */
};

struct apps {
    const struct node_options *options;
    struct map *by_text;
    struct app **by_number; /* [APPS_MAX + 1]; made with the first. */
    uint32_t free_from;     /* No number below it is free. */
};

enum { HEAD_LEN = 2 };

static struct map_key key_of_app(const void *object)
{
    const struct app *app = object;
    return (struct map_key){app->text, app->len};
}

struct apps *apps_create(struct random *random, const struct node_options *options)
{
    struct apps *apps = calloc(1, sizeof(*apps));
    if (apps == NULL) {
        return NULL;
    }
    apps->options = options;
    apps->free_from = CLIENT_LABELS;
    apps->by_text = map_create(key_of_app, random);
    if (apps->by_text == NULL) {
        free(apps);
        return NULL;
    }
    return apps;
}

void apps_destroy(struct apps *apps)
{
    if (apps == NULL) {
        return;
    }
    for (uint32_t i = CLIENT_LABELS; apps->by_number != NULL && i <= APPS_MAX; i++) {
        free(apps->by_number[i]);
    }
    free(apps->by_number);
    map_destroy(apps->by_text);
    free(apps);
}

/* 0: there are too many, or memory is out. */
static uint32_t add(struct apps *apps, const uint8_t *text, size_t len, size_t name_len)
{
    if (apps->by_number == NULL) {
        apps->by_number = calloc(APPS_MAX + 1, sizeof(struct app *));
    }
    uint32_t number = apps->free_from;
    while (apps->by_number != NULL && number <= APPS_MAX && apps->by_number[number] != NULL) {
        number++;
    }
    apps->free_from = number;
    struct app *app =
        apps->by_number == NULL || number > APPS_MAX ? NULL : malloc(sizeof(*app) + len);
    if (app == NULL) {
        return 0;
    }
    *app = (struct app){.number = number, .count = 1, .name_len = name_len, .len = len};
    memcpy(app->text, text, len);
    if (!map_insert(apps->by_text, app)) {
        free(app);
        return 0;
    }
    apps->by_number[number] = app;
    return number;
}

uint32_t apps_take(struct apps *apps, struct span name, struct span version)
{
    uint8_t text[HEAD_LEN + APP_TEXT_LEN_MAX];
    const size_t len = HEAD_LEN + name.len + version.len;
    const uint32_t label = client_label_of(apps->options, name, version);
    if (label == 0 || name.len > APP_TEXT_LEN_MAX || version.len > APP_TEXT_LEN_MAX ||
        len > sizeof(text)) {
        return label;
    }
    text[0] = (uint8_t)(name.len >> 8);
    text[1] = (uint8_t)(name.len & 0xff);
    if (name.len > 0) {
        memcpy(text + HEAD_LEN, name.at, name.len);
    }
    if (version.len > 0) {
        memcpy(text + HEAD_LEN + name.len, version.at, version.len);
    }
    struct app *app = map_find(apps->by_text, text, len);
    if (app == NULL) {
        const uint32_t number = add(apps, text, len, name.len);
        if (number == 0) {
            return label;
        }
        apps->by_number[number]->label = label;
        return number;
    }
    app->count++;
    return app->number;
}

void apps_put(struct apps *apps, uint32_t number)
{
    if (number < CLIENT_LABELS || --apps->by_number[number]->count > 0) {
        return;
    }
    map_remove(apps->by_text, apps->by_number[number]);
    free(apps->by_number[number]);
    apps->by_number[number] = NULL;
    apps->free_from = number < apps->free_from ? number : apps->free_from;
}

void apps_get(const struct apps *apps, uint32_t number, struct span *name, struct span *version)
{
    *name = SPAN_EMPTY;
    *version = SPAN_EMPTY;
    if (number >= CLIENT_LABELS) {
        const struct app *app = apps->by_number[number];
        *name = span_of(app->text + HEAD_LEN, app->name_len);
        *version =
            span_of(app->text + HEAD_LEN + app->name_len, app->len - HEAD_LEN - app->name_len);
    }
}

uint32_t apps_label(const struct apps *apps, uint32_t number)
{
    return number < CLIENT_LABELS ? number : apps->by_number[number]->label;
}
