/*
 * reflection_service: grpc.reflection.v1 and v1alpha: what the server offers,
 * for stock tools that have no .proto file.
 *
 * Names the services that are really there, and hands out the embedded
 * contract (descriptors.h).  Owned by the hub.
 */
#ifndef SERVER_FACE_REFLECTION_SERVICE_H
#define SERVER_FACE_REFLECTION_SERVICE_H

struct reflection;
struct services;

/* Tells of every service of the table, and adds itself to it, twice. */
struct reflection *reflection_new(struct services *services);

/* The server stops: ends its streams, which would go on for ever. */
void reflection_end(struct reflection *r);

/* After all calls have ended.  r may be NULL. */
void reflection_free(struct reflection *r);

#endif
