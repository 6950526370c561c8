#include "server/face/metadata.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/base64.h"
#include "proto/buf.h"
#include "proto/h2.h"
#include "proto/mem.h"

static bool begins_with(struct slice s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.len >= len && memcmp(s.ptr, prefix, len) == 0;
}

/* "Binary-Header -> {Header-Name "-bin" } {base64 encoded value}". */
static bool is_binary(struct slice name)
{
	return name.len > 4 && memcmp(name.ptr + name.len - 4, "-bin", 4) == 0;
}

/* HTTP's headers, gRPC's, and who the caller is: none of them is for a
 * method.  "All header names starting with "grpc-" [...] are reserved". */
static bool is_reserved(struct slice name)
{
	static const char *const names[] = {
		"te",
		"content-type",
		"user-agent",
		"accept-encoding",
		"content-length",
		"host",
		"authorization",
	};

	if (begins_with(name, ":") || begins_with(name, "grpc-"))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_is(name, names[i]))
			return true;
	return false;
}

/* "Header-Name -> 1*( %x30-39 / %x61-7A / "_" / "-" / ".")". */
static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		      c == '_' || c == '-' || c == '.'))
			return false;
	}
	return name.len > 0;
}

/* "ASCII-Value -> 1*( %x20-%x7E )"; HTTP/2 lets an empty one through, and so
 * does every other server. */
static bool is_ascii(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e)
			return false;
	return true;
}

static void add(struct metadata *m, struct slice name, struct slice value)
{
	char *copy = mem_alloc(name.len + value.len + 1);

	memcpy(copy, name.ptr, name.len);
	if (value.len > 0)
		memcpy(copy + name.len, value.ptr, value.len);
	if (m->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 4;
		m->list = mem_grow(m->list, m->cap * sizeof(*m->list));
	}
	m->list[m->count++] = (struct h2_header){{copy, name.len},
						 {copy + name.len, value.len}};
}

/* "Implementations MUST split Binary-Headers on "," before decoding the
 * Base64-encoded values" and "MUST accept padded and un-padded values". */
static void take_binary(struct metadata *m, struct slice name,
			struct slice text)
{
	struct buf bytes = {0};

	for (;;) {
		const char *comma =
			text.len > 0 ? memchr(text.ptr, ',', text.len) : NULL;
		size_t len = comma ? (size_t)(comma - text.ptr) : text.len;

		buf_reset(&bytes, text.len);
		if (base64_decode(&bytes, (struct slice){text.ptr, len}))
			add(m, name, buf_slice(&bytes));
		if (!comma)
			break;
		text = (struct slice){comma + 1, text.len - len - 1};
	}
	buf_finish(&bytes);
}

void metadata_take(struct metadata *m, const struct h2_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct h2_header *h = &headers->list[i];

		if (is_reserved(h->name) || !is_name(h->name))
			continue;
		if (is_binary(h->name))
			take_binary(m, h->name, h->value);
		else if (is_ascii(h->value))
			add(m, h->name, h->value);
	}
}

void metadata_put(struct metadata *m, const char *name, struct slice value)
{
	struct buf text = {0};

	assert(m->count < METADATA_SENT_MAX && is_name(slice_of(name)));
	if (is_binary(slice_of(name))) {
		base64_encode(&text, value);
		add(m, slice_of(name), buf_slice(&text));
		buf_finish(&text);
	} else if (is_ascii(value)) {
		add(m, slice_of(name), value);
	}
}

struct slice metadata_get(const struct metadata *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (slice_is(m->list[i].name, name))
			return m->list[i].value;
	return (struct slice){NULL, 0};
}

void metadata_finish(struct metadata *m)
{
	for (size_t i = 0; i < m->count; i++)
		free((char *)(uintptr_t)m->list[i].name.ptr);
	free(m->list);
	*m = (struct metadata){0};
}
