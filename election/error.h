/*
 * error: what went wrong in an election, for a program and for a person.
 *
 * The code is one of a closed list of words, the same words that the rest of
 * the project puts on the wire; it always points to static storage, so that
 * an error can be copied and outlive whoever made it.
 */
#ifndef ELECTION_ERROR_H
#define ELECTION_ERROR_H

#include <stdbool.h>

enum { ELECTION_WHY_BYTES = 480 };

/* What went wrong, as a word on the wire and as a text for people: what
 * failed, which path, what to do. */
struct election_error {
	const char *code; /* "wrong_owner", "no_space", ...; never NULL */
	char why[ELECTION_WHY_BYTES];
};

/* Fill *e.  Returns false, so that refusing is one statement.  The text is
 * made one line. */
bool election_error_set(struct election_error *e, const char *code,
			const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with ": " and strerror(errno) behind it, and what to do where that
 * is known.  A full or read-only disk, and no descriptor left, replace the code
 * by their own. */
bool election_error_sys(struct election_error *e, const char *code,
			const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The listed code that word spells, or "internal". */
const char *election_error_code(const char *word);

#endif
