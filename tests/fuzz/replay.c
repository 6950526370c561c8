/*
 * replay: runs a fuzz target over kept inputs, without libFuzzer.
 *
 * usage: TARGET FILE|DIRECTORY...
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { LIMIT_BYTES = 1 << 20 };

/* The target sees a block of exactly that size, so that ASan sees every byte
 * too far. */
static void run_file(FILE *file)
{
	char *bytes = malloc(LIMIT_BYTES);
	size_t len = fread(bytes, 1, LIMIT_BYTES, file);
	uint8_t *exact = malloc(len > 0 ? len : 1);

	memcpy(exact, bytes, len);
	free(bytes);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

/* How many inputs there were below path; -1 when it cannot be read. */
static int run_path(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int ran = 0;

	if (!dir) {
		FILE *file = errno == ENOTDIR ? fopen(path, "rbe") : NULL;

		if (!file)
			return -1;
		run_file(file);
		fclose(file);
		return 1;
	}
	while ((entry = readdir(dir)) && ran >= 0) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		int below = run_path(name);
		ran = below < 0 ? -1 : ran + below;
	}
	closedir(dir);
	return ran;
}

int main(int argc, char **argv)
{
	int ran = 0;

	for (int i = 1; i < argc; i++) {
		int below = run_path(argv[i]);

		if (below < 0) {
			fprintf(stderr, "replay: %s: %s\n", argv[i],
				strerror(errno));
			return 1;
		}
		ran += below;
	}
	printf("%d inputs\n", ran);
	return ran > 0 ? 0 : 1; /* an empty corpus proves nothing */
}
