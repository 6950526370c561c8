/*
 * health_service: grpc.health.v1.Health, as stock gRPC tools ask for it.
 *
 * "" is the whole server.  Owned by the daemon.
 */
#ifndef SERVER_FACE_HEALTH_SERVICE_H
#define SERVER_FACE_HEALTH_SERVICE_H

#include <stdbool.h>

struct health;
struct services;

/* Answers for every service of the table, and adds itself to it. */
struct health *health_new(struct services *services);

/* What it says from now on; at first it serves. */
void health_set_serving(struct health *h, bool serving);

/* h may be NULL. */
void health_free(struct health *h);

#endif
