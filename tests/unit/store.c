#include "tests/support/room.h"

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

/* An operation that is alone in its turn has no savepoint. */
static void a_refusal_alone_leaves_nothing_open(void **state)
{
	struct room *r = *state;
	struct answer a = {0};

	room_open(r);
	store_source_remove(r->store, "none", on_done, &a);
	room_run(r);
	assert_int_equal(a.reason, ERR_NOT_FOUND);
	assert_int_equal(add_and_run(r, "one"), ERR_NONE);
	assert_int_equal(add_and_run(r, "one"), ERR_ALREADY_EXISTS);
	assert_int_equal(add_and_run(r, "two"), ERR_NONE);
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
		room_test(a_refusal_alone_leaves_nothing_open),
		room_test(a_callback_may_queue_more),
		room_test(what_a_callback_prepares_runs_before_the_loop_sleeps),
		room_test(what_is_queued_while_preparing_is_not_slept_on),
		room_test(a_source_comes_back_as_it_was_given),
		room_test(sources_keep_the_order_of_adding),
		room_test(an_environment_is_nowhere_on_the_disk),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
