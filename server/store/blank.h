/*
 * blank: a new database.
 *
 * It is a copy of one that the build made by running all migrations on an empty
 * file (main.c): to run them when a directory is new would take most of the
 * time in which its first client waits.
 */
#ifndef SERVER_STORE_BLANK_H
#define SERVER_STORE_BLANK_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* The file, byte for byte: of the current version, in WAL mode, of epoch 0. */
extern const unsigned char blank_image[];
extern const size_t blank_image_bytes;

/* Make data_dir/executor.db, 0600, unless something is there.  It gets its name
 * when it is whole and on the disk, and has it for good when this returns. */
bool blank_create(const char *data_dir, struct err *e);

#endif
