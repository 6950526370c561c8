/*
 * descriptors: what the contract says of itself.
 *
 * Reads a google.protobuf.FileDescriptorSet in its serialized form and finds
 * files in it, by name or by what they define.  It walks the bytes and keeps
 * nothing: a walk over the whole contract takes less than the call that asked
 * for it.  Field numbers are those of google/protobuf/descriptor.proto.
 *
 * The set is trusted: the build makes it.  One that is cut off ends early.
 */
#ifndef SERVER_FACE_DESCRIPTORS_H
#define SERVER_FACE_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

/* How many files a set may have. */
enum { DESCRIPTORS_FILES_MAX = 64 };

/* All of proto/ and what it imports, with its comments.  Part of the
 * program. */
struct slice descriptors_own(void);

/* The FileDescriptorProto of that name, as "executor/mcp/v1/mcp.proto"; .ptr
 * is NULL when there is none.  So it is below. */
struct slice descriptors_file(struct slice set, struct slice name);

/* The file that defines a symbol by its full name without a leading dot: a
 * service, method, message, field, oneof, enum, enum value or extension. */
struct slice descriptors_defining(struct slice set, struct slice symbol);

/* The file that defines a message of that name. */
struct slice descriptors_of_message(struct slice set, struct slice name);

/* The file itself and all that it imports, directly or not, each once; the
 * file comes first.  Returns how many. */
size_t descriptors_closure(struct slice set, struct slice file,
			   struct slice to[DESCRIPTORS_FILES_MAX]);

#endif
