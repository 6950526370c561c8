#include "tests/support/room.h"

#include "proto/mem.h"

/* Everything that a read handed up, as one text. */
struct transcript {
	struct buf text;
	struct answer end;
};

static void on_transcript_end(void *owner, const struct err *why)
{
	struct transcript *t = owner;

	on_done(&t->end, why);
}

static void on_catalogue(void *owner, const struct stored_catalogue *c)
{
	struct transcript *t = owner;

	buf_printf(&t->text, "%s: %s %s %s %.*s\n", c->source, c->server_name,
		   c->server_version, c->revision, (int)c->capabilities.len,
		   c->capabilities.ptr);
	for (size_t i = 0; i < c->count; i++) {
		buf_append_slice(&t->text, c->items[i].key);
		buf_append_text(&t->text, " as ");
		buf_append_slice(&t->text, c->items[i].exposed);
		buf_append_text(&t->text, " ");
		buf_append_slice(&t->text, c->items[i].json);
		buf_append_text(&t->text, "\n");
	}
}

static void on_name(void *owner, const char *source, struct slice name,
		    struct slice exposed)
{
	struct transcript *t = owner;

	buf_printf(&t->text, "%s: ", source);
	buf_append_slice(&t->text, name);
	buf_append_text(&t->text, " as ");
	buf_append_slice(&t->text, exposed);
	buf_append_text(&t->text, "\n");
}

static void assert_transcript(struct transcript *t, const char *text,
			      size_t len)
{
	assert_int_equal(t->end.calls, 1);
	assert_int_equal(t->end.reason, ERR_NONE);
	if (!slice_equal(buf_slice(&t->text), (struct slice){text, len}))
		print_error("%.*s\n", (int)t->text.len, t->text.data);
	assert_int_equal(t->text.len, len);
	if (len > 0)
		assert_memory_equal(t->text.data, text, len);
	buf_finish(&t->text);
}

static void assert_catalogues(struct room *r, const char *text)
{
	struct transcript t = {0};

	store_catalogues(r->store, on_catalogue, on_transcript_end, &t);
	room_run(r);
	assert_transcript(&t, text, strlen(text));
}

static void assert_names(struct room *r, const char *text)
{
	struct transcript t = {0};

	store_names(r->store, on_name, on_transcript_end, &t);
	room_run(r);
	assert_transcript(&t, text, strlen(text));
}

static struct stored_item tool(const char *name, const char *exposed,
			       const char *json)
{
	return (struct stored_item){0, slice_of(name), slice_of(exposed),
				    slice_of(json)};
}

static enum reason put(struct room *r, const char *source,
		       const struct stored_item *tools, size_t count)
{
	struct answer a = {0};
	const struct stored_catalogue c = {
		.source = source,
		.server_name = "Server",
		.server_version = "1.0",
		.revision = "2025-11-25",
		.capabilities = slice_of("{\"tools\":{}}"),
		.kinds = 1,
		.items = tools,
		.count = count,
	};

	store_catalogue_put(r->store, &c, on_done, &a);
	room_run(r);
	assert_int_equal(a.calls, 1);
	return a.reason;
}

static void a_catalogue_is_replaced(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	const struct stored_item first[] = {
		tool("zed", "one__zed", "{\"name\": \"zed\" }"),
		tool("add", "one__add", "{\"name\":\"add\"}"),
	};
	const struct stored_item second[] = {
		tool("add", "one__add", "{\"name\":\"add\",\"x\":1}"),
		tool("new", "one__new", "{}"),
	};

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	add_source(r, "two", NULL, 0, &a);
	assert_int_equal(put(r, "two", NULL, 0), ERR_NONE);
	assert_int_equal(put(r, "one", first, 2), ERR_NONE);
	assert_catalogues(r, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n"
			     "zed as one__zed {\"name\": \"zed\" }\n"
			     "add as one__add {\"name\":\"add\"}\n"
			     "two: Server 1.0 2025-11-25 {\"tools\":{}}\n");
	assert_int_equal(put(r, "one", second, 2), ERR_NONE);
	room_close(r);
	room_open(r);
	assert_catalogues(r, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n"
			     "add as one__add {\"name\":\"add\",\"x\":1}\n"
			     "new as one__new {}\n"
			     "two: Server 1.0 2025-11-25 {\"tools\":{}}\n");
}

static void a_large_catalogue_comes_back_whole(void **state)
{
	enum { TOOLS = 300, JSON_BYTES = 3000 };
	struct room *r = *state;
	struct answer a = {0};
	struct transcript t = {0};
	struct buf want = {0};
	struct stored_item tools[TOOLS];
	char names[TOOLS][32];
	char *json = mem_alloc(JSON_BYTES);

	memset(json, 'j', JSON_BYTES);
	buf_append_text(&want, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n");
	for (int i = 0; i < TOOLS; i++) {
		snprintf(names[i], sizeof(names[i]), "one__tool%d", i);
		tools[i] = (struct stored_item){
			0,
			slice_of(names[i] + 5),
			slice_of(names[i]),
			{json, (size_t)(JSON_BYTES - i)},
		};
		buf_printf(&want, "%s as %s %.*s\n", names[i] + 5, names[i],
			   JSON_BYTES - i, json);
	}
	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	assert_int_equal(put(r, "one", tools, TOOLS), ERR_NONE);
	store_catalogues(r->store, on_catalogue, on_transcript_end, &t);
	room_run(r);
	assert_transcript(&t, want.data, want.len);
	buf_finish(&want);
	free(json);
}

static void a_name_may_hold_any_byte(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	struct transcript t = {0};
	static const char nul[] = {'a', 0, 'b'};
	const struct stored_item tools[] = {
		{0, {nul, 3}, slice_of("one__a_b"), slice_of("{}")},
		{0, {nul, 1}, slice_of("one__a"), slice_of("{}")},
		{0, {NULL, 0}, slice_of("one__"), {NULL, 0}},
	};
	static const char want[] = "one:  as one__\none: a as one__a\n"
				   "one: a\0b as one__a_b\n";

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	assert_int_equal(put(r, "one", tools, 3), ERR_NONE);
	store_names(r->store, on_name, on_transcript_end, &t);
	room_run(r);
	assert_transcript(&t, want, sizeof(want) - 1);
}

static void names_outlive_their_tools_but_not_their_source(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	const struct stored_item tools[] = {
		tool("add", "one__add", "{}"),
		tool("sub", "one__sub", "{}"),
	};

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	assert_int_equal(put(r, "one", tools, 2), ERR_NONE);
	assert_int_equal(put(r, "one", NULL, 0), ERR_NONE);
	room_close(r);
	room_open(r);
	assert_catalogues(r, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n");
	assert_names(r, "one: add as one__add\none: sub as one__sub\n");
	assert_int_equal(put(r, "one", tools, 2), ERR_NONE);
	store_source_remove(r->store, "one", on_done, &a);
	room_run(r);
	assert_catalogues(r, "");
	assert_names(r, "");
	add_source(r, "one", NULL, 0, &a);
	room_run(r);
	assert_int_equal(a.reason, ERR_NONE);
	assert_catalogues(r, "");
}

static void a_tool_keeps_its_first_name(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	const struct stored_item before = tool("add", "one__add", "{}");
	const struct stored_item after = tool("add", "one__add_2", "{}");

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	assert_int_equal(put(r, "one", &before, 1), ERR_NONE);
	assert_int_equal(put(r, "one", &after, 1), ERR_NONE);
	assert_names(r, "one: add as one__add\n");
	assert_catalogues(r, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n"
			     "add as one__add {}\n");
}

static void a_name_is_given_once(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	const struct stored_item tools[] = {
		tool("other", "one__other", "{}"),
		tool("add", "one__add", "{}"),
	};

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	add_source(r, "two", NULL, 0, &a);
	assert_int_equal(put(r, "one", tools + 1, 1), ERR_NONE);
	assert_int_equal(put(r, "two", tools, 2), ERR_ALREADY_EXISTS);
	/* All of the refused catalogue is undone, its first tool too. */
	assert_names(r, "one: add as one__add\n");
	assert_catalogues(r, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n"
			     "add as one__add {}\n");
}

static void each_kind_is_replaced_alone(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	const struct stored_item prompt = {3, slice_of("add"),
					   slice_of("one__add"),
					   slice_of("{\"p\":1}")};
	const struct stored_item resource = {
		1, slice_of("file:///x"), {NULL, 0}, slice_of("{\"r\":1}")};
	const struct stored_item added = tool("add", "one__add", "{}");
	struct stored_catalogue c = {
		.source = "one",
		.server_name = "Server",
		.server_version = "1.0",
		.revision = "2025-11-25",
		.capabilities = slice_of("{}"),
		.kinds = 1u << 3,
		.items = &prompt,
		.count = 1,
	};

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	store_catalogue_put(r->store, &c, on_done, &a);
	c.kinds = 1u << 1;
	c.items = &resource;
	store_catalogue_put(r->store, &c, on_done, &a);
	room_run(r);
	assert_int_equal(put(r, "one", &added, 1), ERR_NONE);
	assert_catalogues(r, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n"
			     "add as one__add {}\n"
			     "file:///x as  {\"r\":1}\n"
			     "add as one__add {\"p\":1}\n");
	assert_names(r, "one: add as one__add\n");
	c.count = 0;
	store_catalogue_put(r->store, &c, on_done, &a);
	room_run(r);
	assert_catalogues(r, "one: Server 1.0 2025-11-25 {}\n"
			     "add as one__add {}\n"
			     "add as one__add {\"p\":1}\n");
}

static void a_source_that_went_away_gets_no_catalogue(void **state)
{
	struct room *r = *state;
	const struct stored_item tools[] = {tool("add", "one__add", "{}")};

	room_open(r);
	assert_int_equal(put(r, "one", tools, 1), ERR_NOT_FOUND);
	assert_names(r, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(a_catalogue_is_replaced),
		room_test(a_large_catalogue_comes_back_whole),
		room_test(a_name_may_hold_any_byte),
		room_test(names_outlive_their_tools_but_not_their_source),
		room_test(a_tool_keeps_its_first_name),
		room_test(a_name_is_given_once),
		room_test(each_kind_is_replaced_alone),
		room_test(a_source_that_went_away_gets_no_catalogue),
	};

	return cmocka_run_group_tests_name("store_catalogues", tests, NULL,
					   NULL);
}
