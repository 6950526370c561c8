/* What can be changed of a source: checked, kept, obeyed. */
#include "server/mcp/settings.h"

#include <sqlite3.h>

#include "tests/support/hub_room.h"

/* --- checked -------------------------------------------------------------- */

static enum reason check(const char *interactive, const char *roots)
{
	struct err e = {0};
	struct stored_change change = {-1, interactive, roots, 0};

	settings_check(&change, &e);
	return e.reason;
}

static void values_that_nobody_knows_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check(NULL, NULL), ERR_NONE);
	assert_int_equal(check("auto", "none"), ERR_NONE);
	assert_int_equal(check("always", "client"), ERR_NONE);
	assert_int_equal(check("never", "[]"), ERR_NONE);
	assert_int_equal(check("Never", NULL), ERR_INVALID_ARGUMENT);
	assert_int_equal(check("", NULL), ERR_INVALID_ARGUMENT);
	assert_int_equal(check(NULL, "all"), ERR_INVALID_ARGUMENT);
	assert_int_equal(check(NULL, "{}"), ERR_INVALID_ARGUMENT);
	assert_int_equal(check(NULL, "["), ERR_INVALID_ARGUMENT);
}

static void roots_are_what_a_server_may_be_told(void **state)
{
	(void)state;
	assert_int_equal(check(NULL, "[{\"uri\":\"file:///a\"}]"), ERR_NONE);
	assert_int_equal(
		check(NULL, "[{\"uri\":\"file:\\/\\/\\/a\",\"name\":\"x\"}]"),
		ERR_NONE);
	assert_int_equal(check(NULL, "[{\"uri\":\"http://a/\"}]"),
			 ERR_INVALID_ARGUMENT);
	assert_int_equal(check(NULL, "[{\"uri\":\"file://\"}]"),
			 ERR_INVALID_ARGUMENT);
	assert_int_equal(check(NULL, "[{\"uri\":\"file:///a\",\"name\":1}]"),
			 ERR_INVALID_ARGUMENT);
	assert_int_equal(check(NULL, "[{\"name\":\"x\"}]"),
			 ERR_INVALID_ARGUMENT);
	assert_int_equal(check(NULL, "[[]]"), ERR_INVALID_ARGUMENT);
}

/* --- kept ----------------------------------------------------------------- */

struct kept {
	char name[32];
	bool disabled;
	char interactive[16];
	char roots[64];
};

static void on_row(void *owner, const struct stored_source *source,
		   const struct err *why)
{
	struct kept *k = owner;

	assert_null(why);
	k->disabled = source->settings.disabled;
	snprintf(k->name, sizeof(k->name), "%s", source->name);
	snprintf(k->interactive, sizeof(k->interactive), "%s",
		 source->settings.interactive);
	snprintf(k->roots, sizeof(k->roots), "%s", source->settings.roots);
}

static struct kept read_one(struct room *r)
{
	struct kept k = {0};

	store_sources(r->store, on_row, NULL, &k);
	room_run(r);
	return k;
}

static enum reason set_one(struct room *r, const char *name,
			   const struct stored_change *change)
{
	struct answer a = {0};

	store_source_set(r->store, name, change, on_done, &a);
	room_run(r);
	assert_int_equal(a.calls, 1);
	return a.reason;
}

static void a_change_leaves_what_it_does_not_name(void **state)
{
	struct room *r = *state;
	struct kept k;

	room_open(r);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	k = read_one(r);
	assert_false(k.disabled);
	assert_string_equal(k.interactive, "auto");
	assert_string_equal(k.roots, "none");
	assert_int_equal(
		set_one(r, "one", &(struct stored_change){0, NULL, NULL, 0}),
		ERR_NONE);
	assert_int_equal(set_one(r, "one",
				 &(struct stored_change){-1, "never", NULL, 0}),
			 ERR_NONE);
	assert_int_equal(
		set_one(r, "one", &(struct stored_change){-1, NULL, "[]", 0}),
		ERR_NONE);
	room_close(r);
	room_open(r);
	k = read_one(r);
	assert_true(k.disabled);
	assert_string_equal(k.interactive, "never");
	assert_string_equal(k.roots, "[]");
	assert_int_equal(
		set_one(r, "two", &(struct stored_change){1, NULL, NULL, 0}),
		ERR_NOT_FOUND);
	room_close(r);
}

/* What version 1 wrote. */
static const char version_1[] =
	"CREATE TABLE owner (one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  epoch INTEGER NOT NULL, instance BLOB NOT NULL) STRICT;"
	"INSERT INTO owner VALUES (1, 0, zeroblob(16));"
	"CREATE TABLE source (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name TEXT NOT NULL UNIQUE, command BLOB NOT NULL,"
	"  cwd TEXT NOT NULL, env BLOB NOT NULL) STRICT;"
	"INSERT INTO source (name, command, cwd, env)"
	"  VALUES ('old', x'7400', '/', x'');"
	"CREATE TABLE catalogue (source INTEGER PRIMARY KEY"
	"  REFERENCES source ON DELETE CASCADE, server_name TEXT NOT NULL,"
	"  server_version TEXT NOT NULL, revision TEXT NOT NULL,"
	"  capabilities TEXT NOT NULL) STRICT;"
	"CREATE TABLE tool (source INTEGER NOT NULL REFERENCES source"
	"  ON DELETE CASCADE, position INTEGER NOT NULL, own BLOB NOT NULL,"
	"  json TEXT NOT NULL, PRIMARY KEY (source, position)) STRICT;"
	"CREATE TABLE name (source INTEGER NOT NULL REFERENCES source"
	"  ON DELETE CASCADE, own BLOB NOT NULL, exposed TEXT NOT NULL UNIQUE,"
	"  PRIMARY KEY (source, own)) STRICT, WITHOUT ROWID;"
	"INSERT INTO catalogue VALUES (1, 'S', '1', '2025-11-25', '{}');"
	"INSERT INTO tool VALUES (1, 0, x'61', '{\"name\":\"a\"}');"
	"INSERT INTO name VALUES (1, x'61', 'old__a');"
	"PRAGMA application_id = 0x45584543;"
	"PRAGMA user_version = 1;";

static void on_old_catalogue(void *owner, const struct stored_catalogue *c)
{
	unsigned *rows = owner;

	assert_string_equal(c->source, "old");
	assert_int_equal(c->instructions.len, 0);
	assert_int_equal(c->count, 1);
	assert_int_equal(c->items[0].kind, 0);
	assert_true(slice_is(c->items[0].key, "a"));
	assert_true(slice_is(c->items[0].exposed, "old__a"));
	assert_true(slice_is(c->items[0].json, "{\"name\":\"a\"}"));
	(*rows)++;
}

static void the_tools_of_an_older_version_are_one_kind_of_several(void **state)
{
	struct room *r = *state;
	unsigned rows = 0;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(r->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	room_open(r);
	store_catalogues(r->store, on_old_catalogue, NULL, &rows);
	room_run(r);
	assert_int_equal(rows, 1);
	room_close(r);
}

static void a_source_of_an_older_version_has_the_defaults(void **state)
{
	struct room *r = *state;
	sqlite3 *db;
	struct kept k;

	assert_int_equal(sqlite3_open(r->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	room_open(r);
	k = read_one(r);
	assert_string_equal(k.name, "old");
	assert_false(k.disabled);
	assert_string_equal(k.interactive, "auto");
	assert_string_equal(k.roots, "none");
	room_close(r);
}

/* --- obeyed --------------------------------------------------------------- */

static void hub_switch(struct hub *h, const char *name, int enabled)
{
	struct answer a = {0};

	router_source_set(h->router, name,
			  &(struct stored_change){.enabled = enabled}, on_done,
			  &a);
	hub_await_answer(h, &a);
	if (a.reason != ERR_NONE)
		fail_msg("%s", a.text);
}

static void expect_disabled(struct hub *h, const char *id)
{
	client_forget(&h->a);
	client_ask(&h->a, id, "tools/list", "");
	client_await(h, &h->a, "\"result\"");
	assert_null(client_find(&h->a, "fake__"));
	client_forget(&h->a);
	client_ask(&h->a, id, "tools/call",
		   "{\"name\":\"fake__echo\",\"arguments\":{}}");
	client_await(h, &h->a, "\"source_disabled\"");
	assert_non_null(client_find(&h->a, "executor source enable fake"));
	assert_int_equal(source_state(router_source(h->router, "fake")),
			 SOURCE_STOPPED);
}

static void a_disabled_source_is_down_and_in_no_list(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__hold\",\"arguments\":{}}");
	hub_await_file(h, h->effects, "hold");
	client_await(h, &h->b, "notifications/tools/list_changed");
	client_forget(&h->b);
	hub_switch(h, "fake", 0);
	assert_non_null(client_find(&h->a, "\"id\":1,\"error\""));
	client_await(h, &h->b, "notifications/tools/list_changed");
	expect_disabled(h, "2");
	hub_switch(h, "fake", 0); /* once more changes nothing */
	hub_end(h);
	hub_start(h, 60000); /* in the next life too */
	hub_await_listed(h);
	expect_disabled(h, "3");
	hub_end(h);
}

static void an_enabled_one_has_its_old_names(void **state)
{
	struct hub *h = *state;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	hub_switch(h, "fake", 0);
	client_forget(&h->a);
	hub_switch(h, "fake", 1);
	client_await(h, &h->a, "notifications/tools/list_changed");
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__echo\",\"arguments\":{\"n\":2}}");
	client_await(h, &h->a, "\"structuredContent\":{\"n\":2}");
	hub_end(h);
}

static void the_last_of_two_switches_counts(void **state)
{
	struct hub *h = *state;
	struct answer off = {0};
	struct answer on = {0};

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	router_source_set(h->router, "fake", &(struct stored_change){0},
			  on_done, &off);
	router_source_set(h->router, "fake",
			  &(struct stored_change){.enabled = 1}, on_done, &on);
	hub_await_answer(h, &off);
	hub_await_answer(h, &on);
	hub_await_listed(h);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__echo\",\"arguments\":{\"n\":2}}");
	client_await(h, &h->a, "\"structuredContent\":{\"n\":2}");
	hub_end(h);
}

static void hub_set(struct hub *h, const struct stored_change *change)
{
	struct answer a = {0};

	router_source_set(h->router, "fake", change, on_done, &a);
	hub_await_answer(h, &a);
	assert_int_equal(a.reason, ERR_NONE);
}

static void what_is_told_at_a_start_is_told_anew(void **state)
{
	static const struct stored_change change = {-1, "never", NULL, 0};
	struct hub *h = *state;
	const struct source *s;

	hub_start(h, 60000);
	hub_add(h, "fake", NULL);
	hub_await_listed(h);
	s = router_source(h->router, "fake");
	assert_int_equal(source_state(s), SOURCE_READY);
	client_ask(&h->a, "1", "tools/call",
		   "{\"name\":\"fake__hold\",\"arguments\":{}}");
	hub_await_file(h, h->effects, "hold");
	hub_set(h, &change); /* it is busy */
	assert_int_equal(source_state(s), SOURCE_READY);
	client_close(&h->a);
	hub_set(h, &change);
	while (source_state(s) != SOURCE_STOPPED)
		hub_turn(h);
	client_ask(&h->b, "2", "tools/call",
		   "{\"name\":\"fake__echo\",\"arguments\":{\"n\":2}}");
	client_await(h, &h->b, "\"structuredContent\":{\"n\":2}");
	hub_end(h);
}

static void what_cannot_be_changed_is_refused(void **state)
{
	struct hub *h = *state;
	struct stored_change change = {.enabled = 0};
	struct answer a = {0};
	struct answer b = {0};
	struct answer c = {0};

	hub_start(h, 60000);
	router_source_set(h->router, "none", &change, on_done, &a);
	assert_int_equal(a.reason, ERR_NOT_FOUND);
	router_source_set(h->router, "executor", &change, on_done, &b);
	assert_int_equal(b.reason, ERR_INVALID_ARGUMENT);
	hub_add(h, "fake", NULL);
	change.interactive = "sometimes";
	router_source_set(h->router, "fake", &change, on_done, &c);
	assert_int_equal(c.reason, ERR_INVALID_ARGUMENT);
	hub_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_that_nobody_knows_are_refused),
		cmocka_unit_test(roots_are_what_a_server_may_be_told),
		room_test(a_change_leaves_what_it_does_not_name),
		room_test(
			the_tools_of_an_older_version_are_one_kind_of_several),
		room_test(a_source_of_an_older_version_has_the_defaults),
		hub_test(a_disabled_source_is_down_and_in_no_list),
		hub_test(an_enabled_one_has_its_old_names),
		hub_test(the_last_of_two_switches_counts),
		hub_test(what_is_told_at_a_start_is_told_anew),
		hub_test(what_cannot_be_changed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
