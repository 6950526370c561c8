#include "server/mcp/settings.h"

#include <stdint.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "server/store/store.h"

/* Roots are told again and again. */
enum { ROOTS_BYTES = 64 * 1024 };

static bool check_interactive(const char *value, struct err *e)
{
	static const char *const values[] = {"auto", "always", "never"};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (strcmp(value, values[i]) == 0)
			return true;
	return err_set(e, ERR_INVALID_ARGUMENT,
		       "interactive is auto, always or never, not \"%.40s\"",
		       value);
}

/* MCP 2025-11-25, Roots: "This MUST be a file:// URI in the current
 * specification." */
static bool is_root(struct slice root)
{
	struct slice name = json_get(root, "name");
	struct buf uri = {0};

	if (json_kind(root) != JSON_OBJECT ||
	    json_kind(json_get(root, "uri")) != JSON_STRING ||
	    (json_kind(name) != JSON_NONE && json_kind(name) != JSON_STRING))
		return false;
	json_unquote(&uri, json_get(root, "uri"));
	bool ok = uri.len > 7 && memcmp(uri.data, "file://", 7) == 0;
	buf_finish(&uri);
	return ok;
}

static bool check_roots(const char *value, struct err *e)
{
	struct slice roots = slice_of(value);
	struct slice root;
	size_t at = 0;
	size_t i = 0;

	if (strcmp(value, "none") == 0 || strcmp(value, "client") == 0)
		return true;
	if (roots.len > ROOTS_BYTES)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "roots take at most %d bytes", ROOTS_BYTES);
	if (!json_check(roots, NULL) || json_kind(roots) != JSON_ARRAY)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "roots is none, client or a JSON array of "
			       "objects with uri and name, not \"%.40s\"",
			       value);
	for (; json_next_element(roots, &at, &root); i++)
		if (!is_root(root))
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "root %zu has no uri that begins with "
				       "file://, or a name that is no string",
				       i);
	return true;
}

bool settings_check(const struct stored_change *change, struct err *e)
{
	return (!change->interactive ||
		check_interactive(change->interactive, e)) &&
	       (!change->roots || check_roots(change->roots, e));
}

struct stored_change settings_copy(const struct stored_change *change)
{
	struct stored_change copy = {
		.enabled = change->enabled,
		.trusted = change->trusted,
	};

	if (change->interactive)
		copy.interactive = mem_text(change->interactive);
	if (change->roots)
		copy.roots = mem_text(change->roots);
	return copy;
}

void settings_release(struct stored_change *copy)
{
	free((void *)(uintptr_t)copy->interactive);
	free((void *)(uintptr_t)copy->roots);
	*copy = (struct stored_change){.enabled = -1};
}
