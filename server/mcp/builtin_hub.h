/*
 * builtin_hub: what the built-in source may know of the hub it is part of.
 *
 * The functions of struct builtin_hub (upstream/builtin.h), answered from the
 * router: hub is a struct router.
 */
#ifndef SERVER_MCP_BUILTIN_HUB_H
#define SERVER_MCP_BUILTIN_HUB_H

#include "server/upstream/builtin.h"

extern const struct builtin_hub builtin_hub;

#endif
