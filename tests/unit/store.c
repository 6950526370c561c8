#include "tests/support/room.h"

#include "proto/mem.h"

static const unsigned char instance[16] = {1, 2, 3};

/* --- the file ------------------------------------------------------------- */

static void a_new_store_is_its_owners_alone(void **state)
{
	struct room *r = *state;
	mode_t before = umask(0);
	struct answer a = {0};
	char shm[128];

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	room_run(r);
	umask(before);
	assert_int_equal(file_mode(r->db), 0600);
	assert_int_equal(file_mode(r->wal), 0600);
	snprintf(shm, sizeof(shm), "%s/executor.db-shm", r->dir);
	assert_int_equal(file_mode(shm), -1);
}

static void a_store_that_others_can_read_is_tightened(void **state)
{
	struct room *r = *state;

	room_open(r);
	room_close(r);
	assert_int_equal(chmod(r->db, 0644), 0);
	room_open(r);
	assert_int_equal(file_mode(r->db), 0600);
}

static void an_epoch_counts_up_for_ever(void **state)
{
	struct room *r = *state;
	struct err e;

	for (uint64_t epoch = 1; epoch <= 6; epoch += 2) {
		room_open(r);
		assert_int_equal(store_begin_epoch(r->store, instance, &e),
				 epoch);
		assert_int_equal(store_begin_epoch(r->store, instance, &e),
				 epoch + 1);
		room_close(r);
	}
}

static void closing_commits_and_calls_nobody(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	struct listing l = {0};

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	store_sources(r->store, on_listed, on_list_end, &l);
	add_source(r, "two", NULL, 0, &a);
	room_close(r);
	assert_int_equal(file_mode(r->wal), -1);
	assert_int_equal(a.calls, 0);
	assert_int_equal(l.end.calls, 0);
	assert_string_equal(l.names, "");
	/* Nothing of it is left in the loop. */
	room_run(r);
	room_open(r);
	list_sources(r, &l);
	assert_string_equal(l.names, "one two ");
}

/* --- the turn of the loop ------------------------------------------------- */

static void nobody_is_called_from_inside_a_request(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	struct listing l = {0};

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	store_sources(r->store, on_listed, on_list_end, &l);
	assert_int_equal(a.calls, 0);
	assert_int_equal(l.end.calls, 0);
	room_run(r);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.reason, ERR_NONE);
	assert_int_equal(l.end.calls, 1);
}

static void a_read_sees_what_was_queued_before_it(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	struct listing first = {0};
	struct listing second = {0};

	room_open(r);
	add_source(r, "one", NULL, 0, &a);
	store_sources(r->store, on_listed, on_list_end, &first);
	add_source(r, "two", NULL, 0, &a);
	store_sources(r->store, on_listed, on_list_end, &second);
	room_run(r);
	assert_string_equal(first.names, "one ");
	assert_string_equal(second.names, "one two ");
}

static void a_refusal_undoes_nobody_else(void **state)
{
	struct room *r = *state;
	struct answer a[4] = {0};
	struct listing l;

	room_open(r);
	add_source(r, "one", NULL, 0, &a[0]);
	add_source(r, "one", NULL, 0, &a[1]);
	store_source_remove(r->store, "none", on_done, &a[2]);
	add_source(r, "two", NULL, 0, &a[3]);
	room_run(r);
	assert_int_equal(a[0].reason, ERR_NONE);
	assert_int_equal(a[1].reason, ERR_ALREADY_EXISTS);
	assert_non_null(strstr(a[1].text, "'one'"));
	assert_int_equal(a[2].reason, ERR_NOT_FOUND);
	assert_non_null(strstr(a[2].text, "'none'"));
	assert_int_equal(a[3].reason, ERR_NONE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(a[i].calls, 1);
	list_sources(r, &l);
	assert_string_equal(l.names, "one two ");
}

struct chain {
	struct room *room;
	int left;
	struct answer last;
	ev_prepare prepare;
};

static void on_link(void *owner, const struct err *why)
{
	struct chain *c = owner;
	char name[16];

	assert_null(why);
	if (c->left == 0)
		return;
	snprintf(name, sizeof(name), "s%d", c->left--);
	const char *const command[] = {"true", NULL};
	const struct stored_source source = {
		.name = name, .command = command, .cwd = "/"};
	store_source_add(c->room->store, &source, on_link, c);
}

static void a_callback_may_queue_more(void **state)
{
	struct room *r = *state;
	struct chain c = {.room = r, .left = 3};
	struct listing l;

	room_open(r);
	on_link(&c, NULL);
	room_run(r);
	list_sources(r, &l);
	assert_string_equal(l.names, "s3 s2 s1 ");
}

/* Far away: the loop would sleep until then. */
static void on_slept(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	fail_msg("the loop slept");
}

static void on_prepared(struct ev_loop *loop, ev_prepare *w, int events)
{
	(void)events;
	ev_prepare_stop(loop, w);
	ev_break(loop, EVBREAK_ALL);
}

static void on_done_prepare(void *owner, const struct err *why)
{
	struct chain *c = owner;

	assert_null(why);
	ev_prepare_init(&c->prepare, on_prepared);
	ev_prepare_start(c->room->loop, &c->prepare);
}

static void what_a_callback_prepares_runs_before_the_loop_sleeps(void **state)
{
	struct room *r = *state;
	struct chain c = {.room = r};
	const char *const command[] = {"true", NULL};
	const struct stored_source source = {
		.name = "one", .command = command, .cwd = "/"};
	ev_timer timer;

	room_open(r);
	ev_timer_init(&timer, on_slept, 20., 0.);
	ev_timer_start(r->loop, &timer);
	store_source_add(r->store, &source, on_done_prepare, &c);
	room_run(r);
	assert_false(ev_is_active(&c.prepare));
	ev_timer_stop(r->loop, &timer);
}

static void on_done_break(void *owner, const struct err *why)
{
	struct chain *c = owner;

	on_done(&c->last, why);
	ev_break(c->room->loop, EVBREAK_ALL);
}

static void on_prepared_queue(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct chain *c = w->data;

	(void)events;
	ev_prepare_stop(loop, w);
	store_source_remove(c->room->store, "none", on_done_break, c);
}

static void what_is_queued_while_preparing_is_not_slept_on(void **state)
{
	struct room *r = *state;
	struct chain c = {.room = r};
	ev_timer timer;

	room_open(r);
	ev_timer_init(&timer, on_slept, 20., 0.);
	ev_timer_start(r->loop, &timer);
	ev_prepare_init(&c.prepare, on_prepared_queue);
	c.prepare.data = &c;
	ev_prepare_start(r->loop, &c.prepare);
	room_run(r);
	assert_int_equal(c.last.reason, ERR_NOT_FOUND);
	ev_timer_stop(r->loop, &timer);
}

/* --- sources -------------------------------------------------------------- */

static const struct stored_env some_env[] = {
	{"API_TOKEN", "sk-very-secret-0123456789", true},
	{"PATH", "/usr/bin:/bin", false},
	{"EMPTY", "", true},
};

static void on_whole(void *owner, const struct stored_source *source,
		     const struct err *why)
{
	int *seen = owner;

	(*seen)++;
	assert_null(why);
	assert_string_equal(source->name, "one");
	assert_string_equal(source->cwd, "/home/someone");
	assert_string_equal(source->command[0], "npx");
	assert_string_equal(source->command[1], "-y");
	assert_string_equal(source->command[2], "server");
	assert_string_equal(source->command[3], "");
	assert_null(source->command[4]);
	assert_int_equal(source->env_count, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(source->env[i].name, some_env[i].name);
		assert_string_equal(source->env[i].value, some_env[i].value);
		assert_int_equal(source->env[i].asked, some_env[i].asked);
	}
}

static void a_source_comes_back_as_it_was_given(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	int seen = 0;

	room_open(r);
	add_source(r, "one", some_env, 3, &a);
	room_run(r);
	assert_int_equal(a.reason, ERR_NONE);
	room_close(r);
	room_open(r);
	store_sources(r->store, on_whole, NULL, &seen);
	room_run(r);
	assert_int_equal(seen, 1);
}

static void sources_keep_the_order_of_adding(void **state)
{
	struct room *r = *state;
	struct answer a = {0};
	struct listing l;

	room_open(r);
	add_source(r, "b", NULL, 0, &a);
	add_source(r, "c", NULL, 0, &a);
	add_source(r, "a", NULL, 0, &a);
	store_source_remove(r->store, "a", on_done, &a);
	store_source_remove(r->store, "b", on_done, &a);
	add_source(r, "a", NULL, 0, &a);
	add_source(r, "b", NULL, 0, &a);
	room_run(r);
	assert_int_equal(a.calls, 7);
	room_close(r);
	room_open(r);
	list_sources(r, &l);
	assert_string_equal(l.names, "c a b ");
	assert_int_equal(l.odd, 0);
}

static void an_environment_is_nowhere_on_the_disk(void **state)
{
	struct room *r = *state;
	struct answer a = {0};

	room_open(r);
	add_source(r, "one", some_env, 3, &a);
	room_run(r);
	assert_int_equal(a.reason, ERR_NONE);
	/* The row itself is there: the search would have found a secret. */
	assert_true(file_holds(r->wal, "/home/someone"));
	for (int closed = 0; closed < 2; closed++) {
		for (int i = 0; i < 2; i++) {
			assert_false(file_holds(r->db, some_env[i].value));
			assert_false(file_holds(r->db, some_env[i].name));
			assert_false(file_holds(r->wal, some_env[i].value));
			assert_false(file_holds(r->wal, some_env[i].name));
		}
		room_close(r);
	}
	assert_true(file_holds(r->db, "/home/someone"));
}

/* --- catalogues ----------------------------------------------------------- */

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
	for (size_t i = 0; i < c->tool_count; i++) {
		buf_append_slice(&t->text, c->tools[i].name);
		buf_append_text(&t->text, " as ");
		buf_append_slice(&t->text, c->tools[i].exposed);
		buf_append_text(&t->text, " ");
		buf_append_slice(&t->text, c->tools[i].json);
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

static struct stored_tool tool(const char *name, const char *exposed,
			       const char *json)
{
	return (struct stored_tool){slice_of(name), slice_of(exposed),
				    slice_of(json)};
}

static enum reason put(struct room *r, const char *source,
		       const struct stored_tool *tools, size_t count)
{
	struct answer a = {0};
	const struct stored_catalogue c = {
		.source = source,
		.server_name = "Server",
		.server_version = "1.0",
		.revision = "2025-11-25",
		.capabilities = slice_of("{\"tools\":{}}"),
		.tools = tools,
		.tool_count = count,
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
	const struct stored_tool first[] = {
		tool("zed", "one__zed", "{\"name\": \"zed\" }"),
		tool("add", "one__add", "{\"name\":\"add\"}"),
	};
	const struct stored_tool second[] = {
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
	struct stored_tool tools[TOOLS];
	char names[TOOLS][32];
	char *json = mem_alloc(JSON_BYTES);

	memset(json, 'j', JSON_BYTES);
	buf_append_text(&want, "one: Server 1.0 2025-11-25 {\"tools\":{}}\n");
	for (int i = 0; i < TOOLS; i++) {
		snprintf(names[i], sizeof(names[i]), "one__tool%d", i);
		tools[i] = (struct stored_tool){
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
	const struct stored_tool tools[] = {
		{{nul, 3}, slice_of("one__a_b"), slice_of("{}")},
		{{nul, 1}, slice_of("one__a"), slice_of("{}")},
		{{NULL, 0}, slice_of("one__"), {NULL, 0}},
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
	const struct stored_tool tools[] = {
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
	const struct stored_tool before = tool("add", "one__add", "{}");
	const struct stored_tool after = tool("add", "one__add_2", "{}");

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
	const struct stored_tool tools[] = {
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

static void a_source_that_went_away_gets_no_catalogue(void **state)
{
	struct room *r = *state;
	const struct stored_tool tools[] = {tool("add", "one__add", "{}")};

	room_open(r);
	assert_int_equal(put(r, "one", tools, 1), ERR_NOT_FOUND);
	assert_names(r, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(a_new_store_is_its_owners_alone),
		room_test(a_store_that_others_can_read_is_tightened),
		room_test(an_epoch_counts_up_for_ever),
		room_test(closing_commits_and_calls_nobody),
		room_test(nobody_is_called_from_inside_a_request),
		room_test(a_read_sees_what_was_queued_before_it),
		room_test(a_refusal_undoes_nobody_else),
		room_test(a_callback_may_queue_more),
		room_test(what_a_callback_prepares_runs_before_the_loop_sleeps),
		room_test(what_is_queued_while_preparing_is_not_slept_on),
		room_test(a_source_comes_back_as_it_was_given),
		room_test(sources_keep_the_order_of_adding),
		room_test(an_environment_is_nowhere_on_the_disk),
		room_test(a_catalogue_is_replaced),
		room_test(a_large_catalogue_comes_back_whole),
		room_test(a_name_may_hold_any_byte),
		room_test(names_outlive_their_tools_but_not_their_source),
		room_test(a_tool_keeps_its_first_name),
		room_test(a_name_is_given_once),
		room_test(a_source_that_went_away_gets_no_catalogue),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
