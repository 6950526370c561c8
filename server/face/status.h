/*
 * status: what a program may read of why a call failed.
 *
 * A google.rpc.Status with one google.rpc.ErrorInfo in it, as clients of gRPC
 * expect in grpc-status-details-bin.  No I/O.
 */
#ifndef SERVER_FACE_STATUS_H
#define SERVER_FACE_STATUS_H

struct buf;
struct err;

/* Append the Status of why, packed: its code, its text, and an ErrorInfo whose
 * reason is the name of why->reason in capitals ("OUTCOME_UNKNOWN"), whose
 * domain is "executor", and whose metadata has the source, unless that is
 * NULL. */
void status_pack(struct buf *to, const struct err *why, const char *source);

#endif
