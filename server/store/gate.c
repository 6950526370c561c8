#include "server/store/gate.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/mem.h"
#include "proto/version.h"
#include "server/store/query.h"
#include "server/store/queue.h"
#include "server/store/store_internal.h"

enum { FIRST_SCHEMA = 6 }; /* that has these columns */

struct gate {
	char min_version[VERSION_BYTES];
	char version[VERSION_BYTES]; /* of program */
	char *program;		     /* NULL: none is known */
};

static void copy_version(char to[VERSION_BYTES], const char *text)
{
	snprintf(to, VERSION_BYTES, "%s", version_is(text) ? text : "");
}

static bool read_gate(struct store *s, struct gate *g, struct err *e)
{
	struct query q;

	*g = (struct gate){.program = NULL};
	query_begin(&q, s, "SELECT min_version, version, program FROM owner");
	if (query_next(&q)) {
		copy_version(g->min_version, query_column_text(&q, 0));
		copy_version(g->version, query_column_text(&q, 1));
		struct slice path = query_column(&q, 2);
		if (path.len > 0 && path.len < PATH_MAX)
			g->program = mem_ntext(path.ptr, path.len);
	}
	return query_end(&q, e);
}

static bool is_too_old(const char *min_version)
{
	return min_version[0] != '\0' &&
	       version_compare(version_text, min_version) < 0;
}

bool gate_check(struct store *s, int version, struct err *e)
{
	struct gate g;

	if (version < FIRST_SCHEMA)
		return true;
	if (!read_gate(s, &g, e))
		return false;
	bool newer =
		g.program && version_compare(g.version, g.min_version) >= 0;
	bool ok = !is_too_old(g.min_version) ||
		  err_set(e, ERR_VERSION,
			  "%s wants executord %s or later, and this is %s: "
			  "use the newer one%s%s",
			  s->path, g.min_version, version_text,
			  newer ? ", as in " : "", newer ? g.program : "");
	free(g.program);
	return ok;
}

char *gate_newer(struct store *s, int version)
{
	struct gate g = {.program = NULL};

	if (version < FIRST_SCHEMA || !read_gate(s, &g, NULL))
		return NULL;
	if (g.program && version_compare(g.version, version_text) > 0 &&
	    version_compare(g.version, g.min_version) >= 0)
		return g.program;
	free(g.program);
	return NULL;
}

bool gate_record(struct store *s, struct err *e)
{
	char self[PATH_MAX];
	struct gate g;
	struct query q;

	if (!read_gate(s, &g, e))
		return false;
	bool newer = version_compare(g.version, version_text) > 0;
	free(g.program);
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self));
	if (newer || len <= 0 || len == sizeof(self))
		return true;
	query_begin(&q, s, "UPDATE owner SET version = ?, program = ?");
	query_text(&q, version_text);
	query_blob(&q, (struct slice){self, (size_t)len});
	while (query_next(&q))
		;
	return query_end(&q, e);
}

/* --- raising it ----------------------------------------------------------- */

struct require_op {
	struct op op;
	char min_version[VERSION_BYTES];
};

static bool run_require(struct store *s, struct op *op, struct err *e)
{
	const struct require_op *r = (const struct require_op *)(void *)op;
	struct gate g;
	struct query q;

	if (!read_gate(s, &g, e))
		return false;
	free(g.program);
	if (version_compare(g.min_version, r->min_version) >= 0)
		return true;
	query_begin(&q, s, "UPDATE owner SET min_version = ?");
	query_text(&q, r->min_version);
	while (query_next(&q))
		;
	return query_end(&q, e);
}

static void free_require(struct op *op)
{
	free(op);
}

static const struct op_kind require_kind = {
	.writes = true,
	.durable = true,
	.run = run_require,
	.free = free_require,
};

void store_require(struct store *s, const char *min_version,
		   store_done_fn *done, void *owner)
{
	struct require_op *r = mem_zalloc(sizeof(*r));

	copy_version(r->min_version, min_version);
	queue_put(s, &r->op, &require_kind, done, owner);
}
