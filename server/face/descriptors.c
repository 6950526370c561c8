#include "server/face/descriptors.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "server/face/descriptor_set.h"

/* --- the wire format, as far as descriptors use it ------------------------ */

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5,
};

static void skip(struct slice *rest, size_t len)
{
	rest->ptr += len;
	rest->len -= len;
}

static bool read_varint(struct slice *rest, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && rest->len > 0; shift += 7) {
		unsigned char byte = (unsigned char)*rest->ptr;

		skip(rest, 1);
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

/* The next field whose value is bytes; those of other types are passed over.
 * False at the end. */
static bool next_field(struct slice *rest, uint64_t *number,
		       struct slice *value)
{
	uint64_t key;
	uint64_t len;

	while (read_varint(rest, &key)) {
		len = 0;
		switch (key & 7) {
		case WIRE_VARINT:
			if (!read_varint(rest, &len))
				return false;
			continue;
		case WIRE_FIXED64:
			len = 8;
			break;
		case WIRE_FIXED32:
			len = 4;
			break;
		case WIRE_BYTES:
			if (!read_varint(rest, &len))
				return false;
			break;
		default:
			return false;
		}
		if (len > rest->len)
			return false;
		*value = (struct slice){rest->ptr, (size_t)len};
		skip(rest, (size_t)len);
		*number = key >> 3;
		if ((key & 7) == WIRE_BYTES)
			return true;
	}
	return false;
}

/* The first field of that number, or nothing. */
static struct slice field(struct slice of, uint64_t wanted)
{
	struct slice value;
	uint64_t number;

	while (next_field(&of, &number, &value))
		if (number == wanted)
			return value;
	return (struct slice){NULL, 0};
}

/* --- descriptor.proto ----------------------------------------------------- */

enum {
	SET_FILE = 1,
	FILE_PACKAGE = 2,
	FILE_DEPENDENCY = 3,
	ANY_NAME = 1, /* of every kind of descriptor */
	ENUM_VALUE = 2,
};

/* What has members with names of their own. */
enum scope {
	SCOPE_NONE,
	SCOPE_FILE,
	SCOPE_MESSAGE,
	SCOPE_SERVICE,
	SCOPE_ENUM,
};

/* Which fields of a scope's descriptor are its members, and what each is. */
static const struct member {
	enum scope of;
	uint64_t number;
	enum scope is;
} members[] = {
	{SCOPE_FILE, 4, SCOPE_MESSAGE},	   /* message_type */
	{SCOPE_FILE, 5, SCOPE_ENUM},	   /* enum_type */
	{SCOPE_FILE, 6, SCOPE_SERVICE},	   /* service */
	{SCOPE_FILE, 7, SCOPE_NONE},	   /* extension */
	{SCOPE_MESSAGE, 2, SCOPE_NONE},	   /* field */
	{SCOPE_MESSAGE, 3, SCOPE_MESSAGE}, /* nested_type */
	{SCOPE_MESSAGE, 4, SCOPE_ENUM},	   /* enum_type */
	{SCOPE_MESSAGE, 6, SCOPE_NONE},	   /* extension */
	{SCOPE_MESSAGE, 8, SCOPE_NONE},	   /* oneof_decl */
	{SCOPE_SERVICE, 2, SCOPE_NONE},	   /* method */
};

static const struct member *member_at(enum scope of, uint64_t number)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].of == of && members[i].number == number)
			return &members[i];
	return NULL;
}

/* Takes head off name when it is all of it, or a dot and more follow. */
static bool take_name(struct slice *name, struct slice head)
{
	if (head.len == 0 || name->len < head.len ||
	    memcmp(name->ptr, head.ptr, head.len) != 0)
		return false;
	if (name->len == head.len)
		name->len = 0;
	else if (name->ptr[head.len] == '.' && name->len > head.len + 1)
		skip(name, head.len + 1);
	else
		return false;
	return true;
}

/* descriptor.proto, EnumDescriptorProto: values are siblings of their type, not
 * children of it. */
static bool has_value(struct slice type, struct slice name)
{
	struct slice value;
	uint64_t number;

	while (next_field(&type, &number, &value))
		if (number == ENUM_VALUE &&
		    slice_equal(field(value, ANY_NAME), name))
			return true;
	return false;
}

/* Goes down one step: finds the member of *at that name begins with, and takes
 * it off.  False when there is none. */
static bool step_down(struct slice *at, enum scope *scope, struct slice *name)
{
	struct slice rest = *at;
	struct slice value;
	uint64_t number;

	while (next_field(&rest, &number, &value)) {
		const struct member *m = member_at(*scope, number);

		if (!m)
			continue;
		if (m->is == SCOPE_ENUM && has_value(value, *name)) {
			*scope = SCOPE_NONE;
			name->len = 0;
			return true;
		}
		if (!take_name(name, field(value, ANY_NAME)))
			continue;
		*at = value;
		*scope = m->is;
		return true;
	}
	return false;
}

/* What the file defines by that name within its package; false for nothing. */
static bool find(struct slice file, struct slice name, enum scope *found)
{
	struct slice package = field(file, FILE_PACKAGE);

	*found = SCOPE_FILE;
	if (package.len > 0 && !take_name(&name, package))
		return false;
	if (name.len == 0)
		return false;
	while (name.len > 0)
		if (!step_down(&file, found, &name))
			return false;
	return true;
}

/* --- the set -------------------------------------------------------------- */

struct slice descriptors_own(void)
{
	return (struct slice){(const char *)descriptor_set,
			      descriptor_set_bytes};
}

static bool next_file(struct slice *set, struct slice *file)
{
	uint64_t number;

	while (next_field(set, &number, file))
		if (number == SET_FILE)
			return true;
	return false;
}

struct slice descriptors_file(struct slice set, struct slice name)
{
	struct slice file;

	while (next_file(&set, &file))
		if (slice_equal(field(file, ANY_NAME), name))
			return file;
	return (struct slice){NULL, 0};
}

struct slice descriptors_defining(struct slice set, struct slice symbol)
{
	struct slice file;
	enum scope found;

	while (next_file(&set, &file))
		if (find(file, symbol, &found))
			return file;
	return (struct slice){NULL, 0};
}

struct slice descriptors_of_message(struct slice set, struct slice name)
{
	struct slice file;
	enum scope found;

	while (next_file(&set, &file))
		if (find(file, name, &found) && found == SCOPE_MESSAGE)
			return file;
	return (struct slice){NULL, 0};
}

/* Adds a file unless it is there; NULL is none. */
static size_t add_once(struct slice *to, size_t count, struct slice file)
{
	if (!file.ptr)
		return count;
	for (size_t i = 0; i < count; i++)
		if (to[i].ptr == file.ptr)
			return count;
	assert(count < DESCRIPTORS_FILES_MAX);
	to[count] = file;
	return count + 1;
}

size_t descriptors_closure(struct slice set, struct slice file,
			   struct slice to[DESCRIPTORS_FILES_MAX])
{
	size_t count = add_once(to, 0, file);
	struct slice name;
	uint64_t number;

	for (size_t i = 0; i < count; i++) {
		struct slice rest = to[i];

		while (next_field(&rest, &number, &name))
			if (number == FILE_DEPENDENCY)
				count = add_once(to, count,
						 descriptors_file(set, name));
	}
	return count;
}
