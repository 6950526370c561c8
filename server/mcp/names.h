/*
 * names: what a source's tool is called by clients.
 *
 * Some clients refuse a whole server for one name that is not
 * ^[A-Za-z0-9_-]{1,64}$ and put 16 characters of their own before it: hence
 * 48.  The rule must never change, since names are kept for ever:
 *
 *   1. <source>__<tool>, where every character of the tool's name outside
 *      [A-Za-z0-9_-] becomes one _.
 *   2. Longer than 48, or taken by another tool: the first 39 characters, _,
 *      and 8 hexadecimal digits of FNV-1a (64 bits, its halves xored) over
 *      <source>, a NUL and the tool's name as it is.
 *   3. That one taken too: the same, with a NUL and the number of the try
 *      (decimal, from 2) behind what is hashed.
 */
#ifndef SERVER_MCP_NAMES_H
#define SERVER_MCP_NAMES_H

#include "proto/slice.h"

enum { NAMES_BYTES = 48 };

/* Fill exposed, a string, with the name of that try: 0 is rule 1 (or 2 when
 * it is too long), 1 is rule 2, then rule 3. */
void names_expose(char exposed[NAMES_BYTES + 1], const char *source,
		  struct slice tool, unsigned try);

#endif
