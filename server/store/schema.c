#include "server/store/schema.h"

#include "proto/log.h"
#include "proto/version.h"
#include "server/store/migrations.h"
#include "server/store/query.h"
#include "server/store/store_internal.h"

int schema_version(void)
{
	return migrations_count;
}

static bool read_number(struct store *s, const char *sql, int *n, struct err *e)
{
	struct query q;

	*n = 0;
	query_begin(&q, s, sql);
	if (query_next(&q))
		*n = (int)query_column_number(&q, 0);
	return query_end(&q, e);
}

bool schema_check(struct store *s, int *version, struct err *e)
{
	int id = 0;
	int tables = 0;

	if (!read_number(s, "SELECT count(*) FROM sqlite_schema", &tables, e) ||
	    !read_number(s, "PRAGMA application_id", &id, e) ||
	    !read_number(s, "PRAGMA user_version", version, e))
		return false;
	if (tables == 0 && id == 0 && *version == 0)
		return true;
	if (id != SCHEMA_APPLICATION_ID || *version < 1)
		return err_set(e, ERR_STORE,
			       "%s is a database, but not of executord: it was "
			       "not touched; move it away, or name another "
			       "directory with --data-dir",
			       s->path);
	if (*version > schema_version())
		return err_set(e, ERR_VERSION,
			       "%s has schema version %d and this executord "
			       "(%s) knows versions up to %d: it was not "
			       "touched; install the newer executor again, or "
			       "name another directory with --data-dir",
			       s->path, *version, version_text,
			       schema_version());
	return true;
}

bool schema_upgrade(struct store *s, int version, struct err *e)
{
	if (version == schema_version())
		return true;
	log_info("store", "schema %d -> %d", version, schema_version());
	if (!query_script(s, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", e))
		return false;
	for (; version < schema_version(); version++)
		if (!query_script(s, migrations[version], e))
			return false;
	return query_script(s, "COMMIT; PRAGMA synchronous = NORMAL", e);
}
