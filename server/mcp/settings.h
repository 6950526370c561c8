/*
 * settings: what can be changed of a source, checked.
 *
 * No I/O: values as the store keeps them (server/store/store.h).
 */
#ifndef SERVER_MCP_SETTINGS_H
#define SERVER_MCP_SETTINGS_H

#include <stdbool.h>

struct err;
struct stored_change;

/* ERR_INVALID_ARGUMENT says which value is none, and what would be. */
bool settings_check(const struct stored_change *change, struct err *e);

/* A copy with texts of its own; settings_release() frees them. */
struct stored_change settings_copy(const struct stored_change *change);
void settings_release(struct stored_change *copy);

#endif
