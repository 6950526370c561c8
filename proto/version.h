/*
 * version: which program this is, and what it speaks.
 *
 * An object of its own: a program of another version is the same program
 * linked with another one of these, which is how the tests make it.
 */
#ifndef PROTO_VERSION_H
#define PROTO_VERSION_H

#include <stdbool.h>

enum { VERSION_BYTES = 64 };

/* SemVer 2.0.0, below VERSION_BYTES long. */
extern const char version_text[];

/* gRPC over HTTP/2, User Agents: "grpc-" language, variant, "/" version. */
extern const char version_user_agent[];

/* The protocol numbers that it speaks, from min to max. */
extern const unsigned version_protocol_min, version_protocol_max;

/* Is text a version? */
bool version_is(const char *text);

/* Which comes first: below, at or above 0.  What is no version comes before
 * all that are.  SemVer 2.0.0, 11: build metadata does not count. */
int version_compare(const char *a, const char *b);

#endif
