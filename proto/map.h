/*
 * map: byte strings to pointers.
 *
 * Keys are copied, values are not owned.  Keys come from peers, so the hash is
 * seeded at random per process.  A zeroed struct is an empty map.  Keys of up
 * to eight bytes, numbers among them, cost no allocation of their own.
 */
#ifndef PROTO_MAP_H
#define PROTO_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct map_entry {
	uint64_t hash;
	union {
		char *far; /* longer than near */
		char near[8];
	} key;
	size_t key_len;
	void *value; /* never NULL in a used entry */
};

struct map {
	struct map_entry *entries; /* a power of two, or NULL */
	size_t cap;
	size_t count;
};

/* The value, or NULL. */
void *map_get(const struct map *m, struct slice key);
void *map_get_u64(const struct map *m, uint64_t key);

/* Put value (not NULL) there; returns the one it replaces, or NULL. */
void *map_put(struct map *m, struct slice key, void *value);
void *map_put_u64(struct map *m, uint64_t key, void *value);

/* Take it out; returns what was there, or NULL. */
void *map_remove(struct map *m, struct slice key);
void *map_remove_u64(struct map *m, uint64_t key);

/* The key of a used entry; good until the map changes. */
struct slice map_key(const struct map_entry *e);

/* Walk in no order: *at starts at 0; NULL at the end.  The map may not be
 * changed on the way. */
struct map_entry *map_next(const struct map *m, size_t *at);

/* Release; values are the caller's. */
void map_finish(struct map *m);

#endif
