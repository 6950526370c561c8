/* catalogue: names that last, the list, and the search in it. */
#include "server/mcp/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/log.h"
#include "server/mcp/names.h"
#include "server/mcp/nametable.h"
#include "server/mcp/source.h"

#define SCHEMA ",\"inputSchema\":{\"type\":\"object\"}}"

static struct nametable *table;

static struct catalogue *new_tools(void)
{
	table = nametable_new();
	return catalogue_new(KIND_TOOL, table);
}

static void free_tools(struct catalogue *c)
{
	catalogue_free(c);
	nametable_free(table);
}

/* A name as rule 1 to 3 of names.h make it. */
static const char *expose(const char *source, const char *tool, unsigned try)
{
	static char exposed[NAMES_BYTES + 1];

	names_expose(exposed, source, slice_of(tool), try);
	return exposed;
}

/* Names are kept in databases: these must be the same for ever. */
static void the_rule_of_names_never_changes(void **state)
{
	(void)state;
	assert_string_equal(expose("files", "read", 0), "files__read");
	assert_string_equal(expose("files", "re-ad_2", 0), "files__re-ad_2");
	assert_string_equal(expose("f", "a b/c.d", 0), "f__a_b_c_d");
	assert_string_equal(expose("f", "caf\xc3\xa9", 0), "f__caf_");
	assert_string_equal(expose("a", "b", 1), "a__b_e1f4ffab");
	assert_string_equal(expose("a", "b", 2), "a__b_bb378670");
	assert_string_equal(
		expose("files", "0123456789012345678901234567890123456789x", 0),
		"files__0123456789012345678901234567890123456789x");
	assert_string_equal(expose("files",
				   "0123456789012345678901234567890123456789xy",
				   0),
			    "files__01234567890123456789012345678901_f271d475");
}

static void exposed_names_are_what_every_client_takes(void **state)
{
	char tool[300];

	(void)state;
	for (size_t len = 1; len < sizeof(tool); len += 7) {
		for (size_t i = 0; i < len; i++)
			tool[i] = (char)(i * 37 + len);
		for (unsigned try = 0; try < 3; try++) {
			char exposed[NAMES_BYTES + 1];

			names_expose(exposed, "a-source_with_24_letters",
				     (struct slice){tool, len}, try);
			assert_in_range(strlen(exposed), 26, 48);
			assert_int_equal(strspn(exposed,
						"abcdefghijklmnopqrstuvwxyz"
						"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						"0123456789_-"),
					 strlen(exposed));
		}
	}
}

/* Give a source resources of these URIs; the list ends with NULL. */
static void set_uris(struct catalogue *c, const char *source,
		     const char *const *uris)
{
	struct source_item items[16] = {0};
	struct buf json[16] = {{0}};
	size_t n = 0;

	for (; uris[n]; n++) {
		buf_printf(&json[n], "{\"uri\":\"%s\",\"name\":\"%s\"}",
			   uris[n], source);
		items[n] = (struct source_item){slice_of(uris[n]),
						buf_slice(&json[n])};
	}
	catalogue_set(c, source, items, n);
	for (size_t i = 0; i < n; i++)
		buf_finish(&json[i]);
}

#define SET_URIS(c, source, ...)                                               \
	set_uris((c), (source), (const char *const[]){__VA_ARGS__, NULL})

/* Give a source tools of these names; the list ends with NULL. */
static void set(struct catalogue *c, const char *source,
		const char *const *names)
{
	struct source_item tools[16] = {0};
	struct buf json[16] = {{0}};
	size_t n = 0;

	for (; names[n]; n++) {
		buf_append_text(&json[n], "{\"name\":");
		json_quote(&json[n], slice_of(names[n]));
		buf_append_text(&json[n], SCHEMA);
		tools[n] = (struct source_item){slice_of(names[n]),
						buf_slice(&json[n])};
	}
	catalogue_set(c, source, tools, n);
	for (size_t i = 0; i < n; i++)
		buf_finish(&json[i]);
}

#define SET(c, source, ...)                                                    \
	set((c), (source), (const char *const[]){__VA_ARGS__, NULL})

/* "exposed exposed .." of all tools in their order. */
static const char *all(const struct catalogue *c)
{
	static char text[1024];
	const struct catalogue_item *t;
	size_t at = 0;

	text[0] = '\0';
	while ((t = catalogue_next(c, &at)))
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%.*s", text[0] ? " " : "", (int)t->exposed.len,
			 t->exposed.ptr);
	return text;
}

static void the_order_is_that_of_sources_then_their_own(void **state)
{
	struct catalogue *c = new_tools();

	(void)state;
	assert_string_equal(all(c), "");
	assert_true(slice_is(catalogue_list(c), "[]"));
	set(c, "z", (const char *const[]){NULL});
	SET(c, "a", "two", "one");
	SET(c, "z", "last");
	SET(c, "a", "two", "three", "one");
	assert_string_equal(all(c), "z__last a__two a__three a__one");
	assert_int_equal(catalogue_count(c), 4);
	free_tools(c);
}

static void everything_but_the_name_is_verbatim(void **state)
{
	static const char json[] =
		"{ \"x\":1.0, \"n\\u0061me\" : \"re\\u0061d\" ,\n"
		"\"inputSchema\":{\"name\":\"keep\",\"const\":1e400},\"y\":{}}";
	static const char renamed[] =
		"{ \"x\":1.0, \"n\\u0061me\" : \"files__read\" ,\n"
		"\"inputSchema\":{\"name\":\"keep\",\"const\":1e400},\"y\":{}}";
	struct source_item tool = {slice_of("read"), slice_of(json)};
	struct catalogue *c = new_tools();
	char list[256];

	(void)state;
	catalogue_set(c, "files", &tool, 1);
	const struct catalogue_item *t =
		catalogue_find(c, slice_of("files__read"));
	assert_true(slice_is(t->json, renamed));
	assert_true(slice_is(t->key, "read"));
	assert_string_equal(t->source, "files");
	snprintf(list, sizeof(list), "[%s]", renamed);
	assert_true(slice_is(catalogue_list(c), list));
	free_tools(c);
}

static void a_tool_is_found_by_either_name(void **state)
{
	struct catalogue *c = new_tools();

	(void)state;
	SET(c, "a", "x y", "z");
	SET(c, "b", "z");
	assert_ptr_equal(catalogue_find(c, slice_of("a__x_y")),
			 catalogue_find_own(c, "a", slice_of("x y")));
	assert_string_equal(catalogue_find_own(c, "b", slice_of("z"))->source,
			    "b");
	assert_null(catalogue_find_own(c, "b", slice_of("x y")));
	assert_null(catalogue_find_own(c, "c", slice_of("z")));
	assert_null(catalogue_find(c, slice_of("z")));
	free_tools(c);
}

static void names_that_collide_are_told_apart(void **state)
{
	struct catalogue *c = new_tools();
	char expected[256];

	(void)state;
	SET(c, "a", "x.y", "x/y", "x y");
	snprintf(expected, sizeof(expected), "a__x_y %s",
		 expose("a", "x/y", 1));
	snprintf(expected + strlen(expected),
		 sizeof(expected) - strlen(expected), " %s",
		 expose("a", "x y", 1));
	assert_string_equal(all(c), expected);
	/* Another order, another life of the source: the same names. */
	SET(c, "a", "x y");
	SET(c, "a", "x y", "x/y", "x.y");
	assert_string_equal(all(c) + strlen(all(c)) - 6, "a__x_y");
	/* Across sources: a tool "_b" of "a" and a tool "b" of "a_". */
	SET(c, "d", "_b");
	SET(c, "d_", "b");
	assert_true(slice_is(
		catalogue_find_own(c, "d", slice_of("_b"))->exposed, "d___b"));
	assert_true(
		slice_is(catalogue_find_own(c, "d_", slice_of("b"))->exposed,
			 expose("d_", "b", 1)));
	free_tools(c);
}

static void a_name_of_an_earlier_life_stays(void **state)
{
	struct catalogue *c = new_tools();

	(void)state;
	log_open(2, LOG_OFF);
	nametable_remember(table, "b", slice_of("x"), slice_of("old_name"));
	nametable_remember(table, "a", slice_of("gone"), slice_of("a__y"));
	nametable_remember(table, "a", slice_of("other"), slice_of("old_name"));
	assert_string_equal(all(c), "");
	SET(c, "a", "y");
	SET(c, "b", "x");
	/* a__y is still that of "gone". */
	assert_true(slice_is(catalogue_find_own(c, "a", slice_of("y"))->exposed,
			     expose("a", "y", 1)));
	assert_true(slice_is(catalogue_find_own(c, "b", slice_of("x"))->exposed,
			     "old_name"));
	free_tools(c);
}

static void a_tool_that_comes_back_has_its_old_name(void **state)
{
	struct catalogue *c = new_tools();

	(void)state;
	SET(c, "a", "x.y", "x/y");
	SET(c, "a", "x/y");
	assert_string_equal(all(c), expose("a", "x/y", 1));
	assert_null(catalogue_find(c, slice_of("a__x_y")));
	SET(c, "a", "x y", "x.y");
	assert_true(
		slice_is(catalogue_find_own(c, "a", slice_of("x.y"))->exposed,
			 "a__x_y"));
	free_tools(c);
}

static void a_forgotten_source_leaves_its_names(void **state)
{
	struct catalogue *c = new_tools();

	(void)state;
	SET(c, "a", "x.y");
	SET(c, "b", "z");
	for (int i = 0; i < 2; i++) {
		catalogue_forget(c, "a");
		nametable_forget(table, "a");
	}
	assert_string_equal(all(c), "b__z");
	SET(c, "a", "x/y");
	assert_string_equal(all(c), "b__z a__x_y");
	free_tools(c);
}

static void of_two_with_one_name_the_first_stays(void **state)
{
	struct source_item tools[] = {
		{slice_of("x"), slice_of("{\"name\":\"x\",\"n\":1}")},
		{slice_of("x"), slice_of("{\"name\":\"x\",\"n\":2}")},
		{slice_of("y"), slice_of("{\"n\":3}")},
	};
	struct catalogue *c = new_tools();

	(void)state;
	log_open(2, LOG_OFF);
	catalogue_set(c, "a", tools, 3);
	assert_true(
		slice_is(catalogue_list(c), "[{\"name\":\"a__x\",\"n\":1}]"));
	free_tools(c);
}

static void a_prompt_shares_the_name_of_a_tool(void **state)
{
	struct source_item prompt = {slice_of("x.y"),
				     slice_of("{\"name\":\"x.y\"}")};
	struct catalogue *c = new_tools();
	struct catalogue *prompts = catalogue_new(KIND_PROMPT, table);

	(void)state;
	SET(c, "a", "x/y", "x.y");
	catalogue_set(prompts, "a", &prompt, 1);
	assert_string_equal(all(prompts), expose("a", "x.y", 1));
	assert_string_equal(nametable_whose(table, slice_of(all(prompts))),
			    "a");
	catalogue_free(prompts);
	free_tools(c);
}

static void a_uri_that_two_have_is_an_alias_of_the_second(void **state)
{
	struct catalogue *c = catalogue_new(KIND_RESOURCE, NULL);

	(void)state;
	SET_URIS(c, "a", "x://1", "x://2");
	SET_URIS(c, "b", "x://2", "x://3 \xc3\xa9");
	SET_URIS(c, "c", "x://2");
	assert_string_equal(all(c), "x://1 x://2 mcp-hub://b/x%3A%2F%2F2 "
				    "x://3 \xc3\xa9 mcp-hub://c/x%3A%2F%2F2");
	const struct catalogue_item *b =
		catalogue_find(c, slice_of("mcp-hub://b/x%3A%2F%2F2"));
	assert_string_equal(b->source, "b");
	assert_true(slice_is(b->key, "x://2"));
	assert_true(slice_is(b->json, "{\"uri\":\"mcp-hub://b/x%3A%2F%2F2\","
				      "\"name\":\"b\"}"));
	assert_string_equal(catalogue_find(c, slice_of("x://2"))->source, "a");
	/* Who comes first is whose it is, whoever was there before. */
	SET_URIS(c, "a", "x://1");
	assert_string_equal(all(c), "x://1 x://2 x://3 \xc3\xa9 "
				    "mcp-hub://c/x%3A%2F%2F2");
	assert_string_equal(catalogue_find(c, slice_of("x://2"))->source, "b");
	SET_URIS(c, "a", "x://2");
	assert_string_equal(catalogue_find(c, slice_of("x://2"))->source, "a");
	catalogue_free(c);
}

static void a_long_list_has_pages(void **state)
{
	enum { ITEMS = 2 * CATALOGUE_PAGE_ITEMS + 1 };
	struct source_item *items = calloc(ITEMS, sizeof(*items));
	struct catalogue *c = catalogue_new(KIND_RESOURCE, NULL);
	char(*texts)[64] = calloc(ITEMS, sizeof(*texts));
	struct buf page = {0};
	struct slice item;
	size_t offset = 0;
	size_t count = 0;
	int pages = 0;

	(void)state;
	for (int i = 0; i < ITEMS; i++) {
		int len = snprintf(texts[i], sizeof(texts[i]),
				   "{\"uri\":\"x:%d\"}", i);

		items[i].json = (struct slice){texts[i], (size_t)len};
		items[i].key = (struct slice){texts[i] + 8, (size_t)len - 10};
	}
	catalogue_set(c, "a", items, ITEMS);
	uint64_t generation = catalogue_generation(c);
	do {
		size_t at = 0;

		buf_reset(&page, 0);
		offset = catalogue_page(c, offset, &page);
		assert_true(json_check(buf_slice(&page), NULL));
		while (json_next_element(buf_slice(&page), &at, &item))
			assert_true(slice_equal(item, items[count++].json));
		pages++;
	} while (offset > 0);
	assert_int_equal(count, ITEMS);
	assert_int_equal(pages, 3);
	assert_true(generation == catalogue_generation(c));
	catalogue_set(c, "a", items, ITEMS);
	assert_false(generation == catalogue_generation(c));
	buf_finish(&page);
	catalogue_free(c);
	free(items);
	free(texts);
}

static const char *found(const struct catalogue *c, const char *query,
			 unsigned limit)
{
	static char text[1024];
	struct buf json = {0};
	struct slice hit;
	size_t at = 0;

	catalogue_search(c, slice_of(query), limit, &json);
	assert_true(json_check(buf_slice(&json), NULL));
	text[0] = '\0';
	while (json_next_element(buf_slice(&json), &at, &hit)) {
		struct slice name = json_get(hit, "name");

		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%.*s", (int)name.len, name.ptr);
	}
	buf_finish(&json);
	return text;
}

static void a_search_wants_every_word_and_prefers_names(void **state)
{
	struct source_item tools[] = {
		{slice_of("list"),
		 slice_of("{\"name\":\"list\",\"title\":\"Directory\","
			  "\"description\":\"Reads a \\\"File\\\" tree\"}")},
		{slice_of("read_file"),
		 slice_of("{\"name\":\"read_file\",\"description\":7}")},
		{slice_of("stat"),
		 slice_of("{\"name\":\"stat\",\"annotations\":{\"title\":"
			  "\"File info\"}}")},
	};
	struct catalogue *c = new_tools();

	(void)state;
	catalogue_set(c, "fs", tools, 3);
	assert_string_equal(found(c, "file", 10),
			    "\"fs__read_file\"\"fs__list\"\"fs__stat\"");
	assert_string_equal(found(c, " FILE\tReads ", 10), "\"fs__list\"");
	assert_string_equal(found(c, "directory", 10), "\"fs__list\"");
	assert_string_equal(found(c, "read FILE", 10),
			    "\"fs__read_file\"\"fs__list\"");
	assert_string_equal(found(c, "file", 2),
			    "\"fs__read_file\"\"fs__list\"");
	assert_string_equal(found(c, "file", 1), "\"fs__read_file\"");
	assert_string_equal(found(c, "file", 0), "");
	assert_string_equal(found(c, "nothing", 10), "");
	assert_string_equal(found(c, "", 10),
			    "\"fs__list\"\"fs__read_file\"\"fs__stat\"");
	struct buf json = {0};
	catalogue_search(c, slice_of("tree"), 1, &json);
	assert_true(slice_is(buf_slice(&json),
			     "[{\"name\":\"fs__list\",\"source\":\"fs\","
			     "\"title\":\"Directory\",\"description\":"
			     "\"Reads a \\\"File\\\" tree\"}]"));
	buf_finish(&json);
	free_tools(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rule_of_names_never_changes),
		cmocka_unit_test(exposed_names_are_what_every_client_takes),
		cmocka_unit_test(the_order_is_that_of_sources_then_their_own),
		cmocka_unit_test(everything_but_the_name_is_verbatim),
		cmocka_unit_test(a_tool_is_found_by_either_name),
		cmocka_unit_test(names_that_collide_are_told_apart),
		cmocka_unit_test(a_name_of_an_earlier_life_stays),
		cmocka_unit_test(a_tool_that_comes_back_has_its_old_name),
		cmocka_unit_test(a_forgotten_source_leaves_its_names),
		cmocka_unit_test(of_two_with_one_name_the_first_stays),
		cmocka_unit_test(a_prompt_shares_the_name_of_a_tool),
		cmocka_unit_test(a_uri_that_two_have_is_an_alias_of_the_second),
		cmocka_unit_test(a_long_list_has_pages),
		cmocka_unit_test(a_search_wants_every_word_and_prefers_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
