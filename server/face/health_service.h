/*
 * health_service: grpc.health.v1.Health, as stock gRPC tools ask for it.
 *
 * "" is the whole server.  All services serve, or none: what differs is only
 * which there are.  Owned by the hub.
 */
#ifndef SERVER_FACE_HEALTH_SERVICE_H
#define SERVER_FACE_HEALTH_SERVICE_H

#include <stdbool.h>

struct health;
struct services;

/* Answers for every service of the table, and adds itself to it. */
struct health *health_new(struct services *services);

/* What it says from now on, to who watches at once; at first it serves. */
void health_set_serving(struct health *h, bool serving);

/* The server stops: ends the watches, which would go on for ever. */
void health_end(struct health *h);

/* After all calls have ended.  h may be NULL. */
void health_free(struct health *h);

#endif
