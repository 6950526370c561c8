#include "proto/map.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/mem.h"

enum { SMALLEST = 8 };

static inline uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static const uint64_t *seed_of_process(void)
{
	static uint64_t seed[2];
	static bool seeded;

	if (!seeded) {
		mem_random(seed, sizeof(seed));
		seeded = true;
	}
	return seed;
}

/* Multiplied twice by a secret odd number, the halves mixed in between: most
 * keys are numbers, and this is a tenth of what SipHash costs for one. */
static uint64_t hash_of_word(uint64_t word, const uint64_t seed[2])
{
	uint64_t by = seed[1] | 1;
	uint64_t x = (word ^ seed[0]) * by;

	x = (x ^ x >> 32) * by;
	return x ^ x >> 32;
}

/* SipHash-1-3.  Keyed, like the above, so that a peer cannot choose keys that
 * collide. */
static uint64_t hash_of(struct slice key)
{
	const uint64_t *seed = seed_of_process();

	if (key.len == sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, key.ptr, sizeof(word));
		return hash_of_word(word, seed);
	}
	uint64_t v[4] = {
		seed[0] ^ 0x736f6d6570736575ull,
		seed[1] ^ 0x646f72616e646f6dull,
		seed[0] ^ 0x6c7967656e657261ull,
		seed[1] ^ 0x7465646279746573ull,
	};
	size_t at = 0;
	for (; key.len - at >= 8; at += 8) {
		uint64_t word;

		memcpy(&word, key.ptr + at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)key.len << 56;
	for (size_t i = 0; at + i < key.len; i++)
		last |= (uint64_t)(unsigned char)key.ptr[at + i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool is_far(const struct map_entry *e)
{
	return e->key_len > sizeof(e->key.near);
}

struct slice map_key(const struct map_entry *e)
{
	return (struct slice){is_far(e) ? e->key.far : e->key.near, e->key_len};
}

static void set_key(struct map_entry *e, struct slice key)
{
	e->key_len = key.len;
	if (is_far(e))
		e->key.far = mem_copy(key.ptr, key.len);
	else if (key.len > 0)
		memcpy(e->key.near, key.ptr, key.len);
}

static void free_key(struct map_entry *e)
{
	if (is_far(e))
		free(e->key.far);
}

/* Where the key is, or where it would go. */
static size_t find(const struct map *m, uint64_t hash, struct slice key)
{
	size_t i = hash & (m->cap - 1);

	while (m->entries[i].value) {
		const struct map_entry *e = &m->entries[i];

		if (e->hash == hash && slice_equal(map_key(e), key))
			break;
		i = (i + 1) & (m->cap - 1);
	}
	return i;
}

static void grow(struct map *m)
{
	struct map_entry *old = m->entries;
	size_t old_cap = m->cap;

	m->cap = old_cap ? old_cap * 2 : SMALLEST;
	m->entries = mem_zalloc(m->cap * sizeof(*m->entries));
	for (size_t i = 0; i < old_cap; i++) {
		if (!old[i].value)
			continue;
		size_t to = old[i].hash & (m->cap - 1);
		while (m->entries[to].value)
			to = (to + 1) & (m->cap - 1);
		m->entries[to] = old[i];
	}
	free(old);
}

void *map_get(const struct map *m, struct slice key)
{
	if (m->count == 0)
		return NULL;
	return m->entries[find(m, hash_of(key), key)].value;
}

void *map_put(struct map *m, struct slice key, void *value)
{
	assert(value);
	if ((m->count + 1) * 4 > m->cap * 3)
		grow(m);
	uint64_t hash = hash_of(key);
	struct map_entry *e = &m->entries[find(m, hash, key)];
	void *before = e->value;
	if (!before) {
		e->hash = hash;
		set_key(e, key);
		m->count++;
	}
	e->value = value;
	return before;
}

void *map_remove(struct map *m, struct slice key)
{
	if (m->count == 0)
		return NULL;
	size_t hole = find(m, hash_of(key), key);
	void *value = m->entries[hole].value;
	if (!value)
		return NULL;
	free_key(&m->entries[hole]);
	m->count--;
	/* Close the gap: move back what would not be found across it. */
	size_t mask = m->cap - 1;
	for (size_t i = (hole + 1) & mask; m->entries[i].value;
	     i = (i + 1) & mask) {
		size_t home = m->entries[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->entries[hole] = m->entries[i];
			hole = i;
		}
	}
	m->entries[hole] = (struct map_entry){0};
	return value;
}

static struct slice slice_of_u64(const uint64_t *key)
{
	return (struct slice){(const char *)key, sizeof(*key)};
}

void *map_get_u64(const struct map *m, uint64_t key)
{
	return map_get(m, slice_of_u64(&key));
}

void *map_put_u64(struct map *m, uint64_t key, void *value)
{
	return map_put(m, slice_of_u64(&key), value);
}

void *map_remove_u64(struct map *m, uint64_t key)
{
	return map_remove(m, slice_of_u64(&key));
}

struct map_entry *map_next(const struct map *m, size_t *at)
{
	while (*at < m->cap) {
		struct map_entry *e = &m->entries[(*at)++];

		if (e->value)
			return e;
	}
	return NULL;
}

void map_finish(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		if (m->entries[i].value)
			free_key(&m->entries[i]);
	free(m->entries);
	*m = (struct map){0};
}
