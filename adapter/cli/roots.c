/* cli_roots(): directories as the roots that a source is told. */
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"

/* RFC 3986, 2.3: "unreserved" characters; and the slash between segments. */
static bool is_unreserved(char c)
{
	return c != '\0' && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz"
				   "0123456789-._~/",
				   c) != NULL;
}

static void append_uri(struct buf *to, const char *path)
{
	buf_append_text(to, "file://");
	for (; *path; path++)
		if (is_unreserved(*path))
			buf_append(to, path, 1);
		else
			buf_printf(to, "%%%02X", (unsigned char)*path);
}

/* One object with its uri: as it is given, or that of a directory. */
static bool append_root(struct buf *to, const char *given, struct err *e)
{
	struct buf uri = {0};
	bool ok = true;

	if (strncmp(given, "file://", 7) == 0) {
		buf_append_text(&uri, given);
	} else {
		char *path = realpath(given, NULL);

		if (path)
			append_uri(&uri, path);
		else
			ok = err_sys(e, ERR_INVALID_ARGUMENT, "--roots %s",
				     given);
		free(path);
	}
	buf_append_text(to, "{\"uri\":");
	json_quote(to, buf_slice(&uri));
	buf_append_text(to, "}");
	buf_finish(&uri);
	return ok;
}

char *cli_roots(const char *const *given, size_t n, struct err *e)
{
	struct buf json = {0};
	bool ok = true;

	if (n == 1 &&
	    (strcmp(given[0], "none") == 0 || strcmp(given[0], "client") == 0))
		return mem_text(given[0]);
	buf_append_text(&json, "[");
	for (size_t i = 0; ok && i < n; i++) {
		if (i > 0)
			buf_append_text(&json, ",");
		ok = append_root(&json, given[i], e);
	}
	buf_append_text(&json, "]");
	char *text = ok ? mem_ntext(json.data, json.len) : NULL;
	buf_finish(&json);
	return text;
}
