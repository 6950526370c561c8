/*
 * list: an intrusive doubly linked list.
 *
 * A struct list is the head or, as a member of an element, the link.  An
 * initialised or removed link points to itself, so removing twice is harmless.
 */
#ifndef PROTO_LIST_H
#define PROTO_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

/* The element whose member this link is. */
#define LIST_ITEM(link, type, member)                                          \
	((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Take the first element out of a list that has one. */
static inline struct list *list_pop(struct list *head)
{
	struct list *first = head->next;

	head->next = first->next;
	head->next->prev = head;
	list_init(first);
	return first;
}

#endif
