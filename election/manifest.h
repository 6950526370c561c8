/*
 * manifest: where the owner of a data directory can be reached.
 *
 * A file of lines "key value", written by the owner alone by temp file, fsync
 * and rename.  It is a hint: it may be stale, missing, torn or forged, and
 * holds no secret.  What counts is who answers at the socket.
 */
#ifndef ELECTION_MANIFEST_H
#define ELECTION_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MANIFEST_PATH_BYTES = 108, /* sun_path */
	MANIFEST_WORD_BYTES = 128,
	MANIFEST_ID_BYTES = 16,
	MANIFEST_LIMIT_BYTES = 64 * 1024,
};

struct manifest {
	uint64_t epoch;
	unsigned char instance[MANIFEST_ID_BYTES];
	int64_t pid;	      /* for people: nothing is decided by it */
	uint64_t start_ticks; /* with pid and boot_id: which process */
	char boot_id[40];
	char host[MANIFEST_WORD_BYTES];
	char socket[MANIFEST_PATH_BYTES];  /* absolute */
	char tcp_url[MANIFEST_WORD_BYTES]; /* empty: none */
	uint32_t protocol_min;
	uint32_t protocol_max;
	char version[MANIFEST_WORD_BYTES];
};

/* Parse len bytes.  Unknown keys are skipped; a missing, repeated or malformed
 * required key makes it no manifest. */
bool manifest_parse(const char *text, size_t len, struct manifest *m);

/* Write it as text; returns the length, or 0 when it does not fit. */
size_t manifest_print(const struct manifest *m, char *to, size_t cap);

/* Read run/manifest below dir_fd: regular, ours, not open to others, not too
 * large, or else there is none.  Never follows a link, never blocks. */
bool manifest_read(int dir_fd, struct manifest *m);

#endif
