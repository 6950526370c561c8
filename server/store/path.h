/*
 * path: the paths of our files in the data directory.
 */
#ifndef SERVER_STORE_PATH_H
#define SERVER_STORE_PATH_H

#include "proto/buf.h"
#include "proto/mem.h"

/* dir/name; the caller frees. */
static inline char *path_of(const char *dir, const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", dir, name);
	char *text = mem_ntext(path.data, path.len);
	buf_finish(&path);
	return text;
}

#endif
