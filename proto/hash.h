/*
 * hash: a number that tells texts apart; the same in every run and version.
 *
 * Not against somebody who wants two texts to have the same: map.c has its own
 * for that.  No I/O.
 */
#ifndef PROTO_HASH_H
#define PROTO_HASH_H

#include <stdint.h>

#include "proto/slice.h"

uint64_t hash_text(struct slice text);

#endif
