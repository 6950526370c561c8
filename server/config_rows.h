/*
 * config_rows: the options of executord, a row each.
 *
 * What reads them is config.c.  A new option is a row here, a setter above it
 * and a field in struct config.
 */
#ifndef SERVER_CONFIG_ROWS_H
#define SERVER_CONFIG_ROWS_H

#include "server/config.h"

/* More rows than there will be. */
enum { CONFIG_ROWS_MOST = 128 };

/* One option.  argument is NULL for a flag; fallback is NULL where there is
 * none, and else given to set() like any other value.  Without set() the
 * option is an outcome of its own. */
struct config_row {
	const char *name;
	char letter; /* '\0': it has none */
	const char *argument;
	const char *env;
	const char *fallback;
	const char *help; /* NULL: not for people */
	bool (*set)(struct config *c, const char *value, struct err *e);
	enum config_outcome outcome;
};

/* In the order in which --help prints them. */
extern const struct config_row config_rows[];
extern const size_t config_row_count;

#endif
