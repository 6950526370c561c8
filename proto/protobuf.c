#include "proto/protobuf.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/err.h"
#include "proto/grpc.h"
#include "proto/mem.h"
#include "proto/utf8.h"

enum {
	BLOCK_MIN_BYTES = 4 * 1024,
	BLOCK_MAX_BYTES = 64 * 1024, /* but for one larger allocation */
	ALIGNMENT = 8,		     /* what the generated structs need */
};

/* Owned by its arena; the newest comes first. */
struct arena_block {
	struct arena_block *next;
	size_t cap;
	size_t used;
	_Alignas(ALIGNMENT) char bytes[];
};

/* The block that the arena which was finished last had: the next one begins
 * with it. */
static struct arena_block *spare;

static struct arena_block *new_block(size_t cap)
{
	struct arena_block *b = mem_alloc(sizeof(*b) + cap);

	b->cap = cap;
	return b;
}

static struct arena_block *take_spare(void)
{
	struct arena_block *b = spare;

	spare = NULL;
	return b;
}

static struct arena_block *add_block(struct arena *a, size_t len)
{
	size_t cap = a->blocks ? a->blocks->cap * 2 : BLOCK_MIN_BYTES;

	if (cap > BLOCK_MAX_BYTES)
		cap = BLOCK_MAX_BYTES;
	if (cap < len)
		cap = len;
	struct arena_block *b = !a->blocks && spare && spare->cap >= cap
					? take_spare()
					: new_block(cap);
	b->next = a->blocks;
	b->used = 0;
	a->blocks = b;
	return b;
}

static void *arena_alloc(void *arena, size_t len)
{
	struct arena *a = arena;

	if (len <= a->limit_bytes)
		len = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (len > a->limit_bytes - a->used_bytes) {
		a->refused = true;
		return NULL;
	}
	a->used_bytes += len;
	struct arena_block *b = a->blocks;
	if (!b || b->cap - b->used < len)
		b = add_block(a, len);
	void *p = b->bytes + b->used;
	b->used += len;
	return p;
}

static void arena_release(void *arena, void *p)
{
	/* Everything goes at once, in arena_reset(). */
	(void)arena;
	(void)p;
}

void arena_reset(struct arena *a)
{
	struct arena_block *kept = NULL;

	while (a->blocks) {
		struct arena_block *b = a->blocks;

		a->blocks = b->next;
		if (!kept && b->cap <= BLOCK_MAX_BYTES)
			kept = b;
		else
			free(b);
	}
	if (kept) {
		kept->next = NULL;
		kept->used = 0;
	}
	a->blocks = kept;
}

void arena_finish(struct arena *a)
{
	arena_reset(a);
	if (a->blocks) {
		free(spare);
		spare = a->blocks;
	}
	*a = (struct arena){0};
}

static bool strings_valid(const ProtobufCMessage *m);

/* One string or message; value points at the pointer to it. */
static bool value_valid(const ProtobufCFieldDescriptor *f, const void *value)
{
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(char *const *)value;

		return !text || utf8_valid(slice_of(text));
	}
	const ProtobufCMessage *m = *(ProtobufCMessage *const *)value;

	return !m || strings_valid(m);
}

static bool field_valid(const ProtobufCMessage *m,
			const ProtobufCFieldDescriptor *f)
{
	const char *base = (const char *)m;
	const void *member = base + f->offset;
	const void *quantifier = base + f->quantifier_offset;

	if (f->type != PROTOBUF_C_TYPE_STRING &&
	    f->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n = *(const size_t *)quantifier;
		void *const *list = *(void *const *const *)member;

		for (size_t i = 0; i < n; i++)
			if (!value_valid(f, &list[i]))
				return false;
		return true;
	}
	/* The members of a oneof share their bytes. */
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
	    *(const uint32_t *)quantifier != f->id)
		return true;
	return value_valid(f, member);
}

/* Language Guide (proto 3), Scalar Value Types: a string must always contain
 * UTF-8 encoded text.  As deep as the schema is. */
static bool strings_valid(const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *type = m->descriptor;

	for (unsigned i = 0; i < type->n_fields; i++)
		if (!field_valid(m, &type->fields[i]))
			return false;
	return true;
}

void *protobuf_unpack(struct arena *a, const ProtobufCMessageDescriptor *type,
		      struct slice bytes, struct err *e)
{
	ProtobufCAllocator allocator = {arena_alloc, arena_release, a};
	const void *data = bytes.len > 0 ? bytes.ptr : "";

	assert(bytes.len <= SIZE_MAX / (2 * ARENA_FACTOR));
	a->used_bytes = 0;
	a->limit_bytes = bytes.len * ARENA_FACTOR + ARENA_SLACK_BYTES;
	a->refused = false;
	ProtobufCMessage *m =
		protobuf_c_message_unpack(type, &allocator, bytes.len, data);
	if (!m && a->refused)
		err_set(e, ERR_TOO_LARGE,
			"a %s of %zu bytes would take more than %zu in memory",
			type->short_name, bytes.len, a->limit_bytes);
	else if (!m)
		err_set(e, ERR_PROTOCOL, "bytes that are no %s",
			type->short_name);
	else if (!strings_valid(m))
		err_set(e, ERR_PROTOCOL, "a string in a %s is not UTF-8",
			type->short_name);
	else
		return m;
	return NULL;
}

static void append_packed(struct buf *to, const ProtobufCMessage *m, size_t len)
{
	char *at = buf_reserve(to, len);
	size_t packed = protobuf_c_message_pack(m, (uint8_t *)at);

	assert(packed == len);
	buf_added(to, packed);
}

size_t protobuf_size(const ProtobufCMessage *m)
{
	return protobuf_c_message_get_packed_size(m);
}

void protobuf_pack(struct buf *to, const ProtobufCMessage *m)
{
	append_packed(to, m, protobuf_c_message_get_packed_size(m));
}

void protobuf_pack_framed(struct buf *to, const ProtobufCMessage *m)
{
	unsigned char prefix[GRPC_PREFIX_BYTES];
	size_t len = protobuf_c_message_get_packed_size(m);

	assert(len <= UINT32_MAX);
	buf_reserve(to, sizeof(prefix) + len);
	grpc_prefix(prefix, (uint32_t)len);
	buf_append(to, prefix, sizeof(prefix));
	append_packed(to, m, len);
}

char *protobuf_text(const char *text)
{
	const size_t replacement_len = sizeof(UTF8_REPLACEMENT) - 1;
	size_t len = strlen(text);
	char *copy = mem_alloc(len * replacement_len + 1);
	char *to = copy;

	for (size_t at = 0; at < len;) {
		size_t step = utf8_character(text + at, len - at);

		if (step > 0) {
			memcpy(to, text + at, step);
			to += step;
			at += step;
		} else {
			memcpy(to, UTF8_REPLACEMENT, replacement_len);
			to += replacement_len;
			at++;
		}
	}
	*to = '\0';
	return copy;
}
