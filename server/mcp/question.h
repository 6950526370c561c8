/*
 * question: what a source asks of a client, as text.
 *
 * Reads elicitation/create, sampling/createMessage and roots/list, says what a
 * client must be able to do for them, and writes what the client gets: the
 * source's own bytes but for the id, the progress token and the slug of who
 * asks, which stands in _meta.  No I/O, no state.
 */
#ifndef SERVER_MCP_QUESTION_H
#define SERVER_MCP_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

struct buf;
struct err;
struct jsonrpc;

enum question_kind {
	QUESTION_NONE, /* no client can be asked that */
	QUESTION_ELICITATION,
	QUESTION_SAMPLING,
	QUESTION_ROOTS,
};

/* What a client can be asked: bits. */
enum question_ability {
	QUESTION_CAN_FORM = 1 << 0,
	QUESTION_CAN_URL = 1 << 1,
	QUESTION_CAN_SAMPLE = 1 << 2,
	QUESTION_CAN_SAMPLE_TOOLS = 1 << 3,
	QUESTION_CAN_ROOTS = 1 << 4,
};

/* As the raw params of its initialize declare it. */
unsigned question_abilities(struct slice params);

/* Slices of the message. */
struct question {
	const struct jsonrpc *m;
	enum question_kind kind;
	unsigned needs;		  /* abilities */
	struct slice token;	  /* raw progress token, or empty */
	struct slice elicitation; /* raw params.elicitationId, or empty */
};

enum question_kind question_kind(const struct jsonrpc *m);

/* Read and check a request of one of those kinds. */
bool question_read(const struct jsonrpc *m, struct question *q, struct err *e);

/* Can a client with these abilities be asked?  ERR_METHOD_NOT_FOUND,
 * ERR_INVALID_PARAMS. */
bool question_check(const struct question *q, unsigned abilities,
		    struct err *e);

/* Append what the client gets, under that number. */
void question_write(struct buf *to, const struct question *q, uint64_t number,
		    const char *source);

/* Append what the source gets under its raw id when no client answers: the
 * user is taken to have dismissed it. */
void question_dismiss(struct buf *to, enum question_kind kind, struct slice id,
		      const struct err *why);

#endif
