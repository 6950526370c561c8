/*
 * result: the members of a source's result that mean something to us.
 *
 * Found in one walk, because a result may be large.  No I/O.
 */
#ifndef SERVER_MCP_RESULT_H
#define SERVER_MCP_RESULT_H

#include <stdbool.h>

#include "proto/slice.h"

/* Raw slices of the message; each is empty when it is absent. */
struct result {
	struct slice content;	 /* of tools/call */
	struct slice messages;	 /* of prompts/get */
	struct slice structured; /* structuredContent */
	bool failed;		 /* isError is true */
};

/* raw is a valid result, or empty, as of a response with an error. */
struct result result_read(struct slice raw);

#endif
