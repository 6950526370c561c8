#include "adapter/sibling.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/mem.h"

/* directory/name; an empty directory is the current one, as in PATH. */
static char *join(struct slice directory, const char *name)
{
	struct buf path = {0};
	char *text;

	if (directory.len == 0)
		buf_append_text(&path, ".");
	buf_append_slice(&path, directory);
	buf_printf(&path, "/%s", name);
	text = mem_ntext(path.data, path.len);
	buf_finish(&path);
	return text;
}

static bool runnable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* name beside the program at path, or NULL when path has no directory. */
static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return NULL;
	return join((struct slice){path, (size_t)(slash - path)}, name);
}

static char *in_path(const char *name)
{
	const char *next = getenv("PATH");

	while (next && *next) {
		size_t len = strcspn(next, ":");
		char *path = join((struct slice){next, len}, name);

		if (runnable(path))
			return path;
		free(path);
		next += len;
		next += *next == ':';
	}
	return NULL;
}

char *sibling_path(const char *argv0, const char *name)
{
	char self[PATH_MAX];
	char *expected = NULL;
	char *found = NULL;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len > 0) {
		self[len] = '\0';
		expected = beside(self, name);
		if (expected && runnable(expected))
			return expected;
	}
	if (argv0)
		found = beside(argv0, name);
	if (found && !runnable(found)) {
		free(found);
		found = NULL;
	}
	if (!found)
		found = in_path(name);
	if (!found)
		return expected ? expected : mem_text(name);
	free(expected);
	return found;
}
