/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive doubly linked list: the node sits in the object, membership costs two pointers. */
#ifndef ROOST_RUNTIME_LIST_H
#define ROOST_RUNTIME_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A node that is in no list has both pointers NULL. A list's head points to itself when empty. */
struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list *node)
{
    return node->next != NULL;
}

/* The node must be in no list. */
static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* The same, as the first. */
static inline void list_prepend(struct list *head, struct list *node)
{
    list_append(head->next, node);
}

/* Leaves the node in no list; may be called on a node that is in none. */
static inline void list_remove(struct list *node)
{
    if (node->next == NULL) {
        return;
    }
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = NULL;
    node->prev = NULL;
}

/* The first node, now in no list; NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
    struct list *first = head->next;
    if (first == head) {
        return NULL;
    }
    list_remove(first);
    return first;
}

#endif
