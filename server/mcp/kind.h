/*
 * kind: what a source has lists of.
 *
 * Tools, resources, resource templates and prompts are listed, kept and served
 * alike; where they differ is one row of a table.  The numbers are kept in
 * databases: they never change.
 */
#ifndef SERVER_MCP_KIND_H
#define SERVER_MCP_KIND_H

#include <stdbool.h>

enum kind {
	KIND_TOOL = 0,
	KIND_RESOURCE = 1,
	KIND_TEMPLATE = 2,
	KIND_PROMPT = 3,
	KIND_COUNT
};

enum {
	KINDS_TOOL = 1u << KIND_TOOL,
	KINDS_RESOURCE = 1u << KIND_RESOURCE | 1u << KIND_TEMPLATE,
	KINDS_PROMPT = 1u << KIND_PROMPT,
	KINDS_ALL = (1u << KIND_COUNT) - 1u,
};

struct kind_row {
	const char *noun;	/* one of them, for people */
	const char *method;	/* that lists them */
	const char *member;	/* of its result */
	const char *key;	/* by which one is told from another */
	const char *capability; /* of a server that has them */
	const char *changed;	/* the notification that it has others now */
	unsigned key_bytes;	/* at most */
	bool renamed;		/* clients see another name than the source's */
};

extern const struct kind_row kind_rows[KIND_COUNT];

#endif
