/*
 * uritemplate: could this URI be an expansion of that template?
 *
 * RFC 6570, levels 1 and 2: {var} and lists of them, {+var}, {#var}.  What
 * higher levels expand to ({?a,b}, {/a}) is taken to be anything.  The time is
 * bounded by the lengths, whatever a template says.  No I/O.
 */
#ifndef SERVER_MCP_URITEMPLATE_H
#define SERVER_MCP_URITEMPLATE_H

#include <stdbool.h>

#include "proto/slice.h"

bool uritemplate_matches(struct slice pattern, struct slice uri);

#endif
