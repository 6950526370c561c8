/*
 * router: the input as a script of what clients, sources, people and time do
 * to the router, above it real sessions, beneath it real sources on legs that
 * the script speaks for (router_legs.h).
 *
 * What must hold: every request gets one answer, its own, of its own session,
 * and none after it was cancelled; progress, questions, log messages and
 * updates come only to whom they may (router_clients.h); a source is asked
 * nothing twice, is told to stop only what it works on, and gets one answer to
 * each question; sessions and router count alike; nothing waits for ever; when
 * all have left, nothing is left.
 */
#include "server/mcp/router.h"

#include "fuzz.h"
#include "proto/log.h"
#include "tests/fuzz/router_acts.h"
#include "tests/fuzz/router_clients.h"
#include "tests/fuzz/router_talk.h"

enum { WHOLE = 0x43, STEPS = 1500, PATIENCE = 4000, RAW_BYTES = 96 };

struct play {
	struct script script;
	struct ev_loop *loop;
	struct sessions *all;
	struct router *router;
	struct client clients[CLIENTS];
	unsigned admin_asked, admin_done;
	bool stopped;
};

/* --- the loop -------------------------------------------------------------
 */

static bool is_wanted(struct play *p, const char *tag)
{
	for (int i = 0; i < CLIENTS; i++)
		if (find_waiting(&p->clients[i], tag))
			return true;
	for (int i = 0; i < SINGLES; i++)
		if (singles[i].s && strcmp(singles[i].tag, tag) == 0)
			return true;
	return false;
}

/* A source works on nothing that nobody wants: it was told so. */
static void check_legs(struct play *p)
{
	for (int l = 0; l < LEGS; l++) {
		const struct fake *f = legs[l];

		for (size_t i = 0; f && !f->stopping && i < f->held_count; i++)
			assert(f->held[i].tag[0] == '\0' ||
			       f->held[i].cancelled_us > 0 || f->muddled ||
			       is_wanted(p, f->held[i].tag));
	}
}

static void turn(struct play *p)
{
	for (int i = 0; i < 2; i++) {
		clock_us += 1000;
		ev_now_update(p->loop);
		ev_run(p->loop, EVRUN_NOWAIT);
		store_turn();
	}
	for (int i = 0; i < CLIENTS; i++)
		if (p->clients[i].s)
			session_acked(p->clients[i].s, p->clients[i].heard);
	assert(router_in_flight(p->router) == sessions_in_flight(p->all));
	check_legs(p);
}

static void pass(struct play *p, int64_t ms)
{
	clock_us += ms * 1000;
	turn(p);
}

/* --- clients --------------------------------------------------------------
 */

/* Anything but an id of ours. */
static struct slice raw(struct play *p)
{
	unsigned len = script_byte(&p->script) % RAW_BYTES;
	struct slice bytes = script_bytes(&p->script, len);

	if (bytes.len > 0 && (memchr(bytes.ptr, '~', bytes.len) ||
			      memchr(bytes.ptr, '\n', bytes.len)))
		bytes.len = 0;
	return bytes;
}

static void act(struct play *p, struct client *c, unsigned what)
{
	if (what == 7) {
		client_open(c);
		return;
	}
	if (!c->s)
		return;
	switch (what) {
	case 0:
		call(c, script_byte(&p->script));
		break;
	case 1:
		use_uri(c, script_byte(&p->script));
		break;
	case 2:
		ask_hub(c, script_byte(&p->script));
		break;
	case 3:
		client_cancel(c, script_byte(&p->script));
		break;
	case 4:
		answer_question(c, script_byte(&p->script));
		break;
	case 5:
		client_say(c, raw(p));
		break;
	default:
		client_leave(c, script_byte(&p->script) & 1);
		break;
	}
}

/* --- sources -------------------------------------------------------------
 */

static void say_raw(struct play *p, struct fake *f)
{
	struct slice bytes = raw(p);
	struct buf line = {0};

	buf_append_slice(&line, bytes);
	f->muddled = true;
	fake_say(f, &line);
	buf_finish(&line);
}

static void speak(struct play *p, int leg, unsigned what)
{
	struct fake *f = legs[leg];
	unsigned how = script_byte(&p->script);
	size_t i;

	if (!f)
		return;
	switch (what) {
	case 0:
		answer_all(leg, how);
		break;
	case 1:
	case 2:
		if (f->held_count == 0)
			break;
		i = how % f->held_count;
		answer(f, i, script_byte(&p->script), what == 2);
		break;
	case 3:
		progress(f, how);
		break;
	case 4:
		notify(f, how);
		break;
	case 5:
		put_question(f, how);
		break;
	case 6:
		if (how & 1)
			say_raw(p, f);
		break;
	default:
		fake_die(f);
		break;
	}
}

/* --- people ---------------------------------------------------------------
 */

static void on_admin_done(void *owner, const struct err *why)
{
	struct play *p = owner;

	(void)why;
	p->admin_done++;
	assert(p->admin_done <= p->admin_asked);
}

static void administer(struct play *p, unsigned what)
{
	static const char *const interactive[] = {NULL, "auto", "always",
						  "never"};
	static const char *const roots[] = {NULL, "none", "client",
					    "[{\"uri\":\"file:///a\"}]"};
	unsigned how = script_byte(&p->script);
	const char *name = sources[how % 3];

	disk_full = what == 3;
	if (order_count >= STORE_ORDERS / 2)
		return;
	p->admin_asked++;
	if (how / 4 % 4 == 0)
		router_source_add(
			p->router,
			&(struct stored_source){
				.name = name,
				.command = no_command,
				.cwd = "/",
				.settings = {.interactive =
						     interactive[how / 16 % 4],
					     .roots = roots[how / 64 % 4]},
			},
			on_admin_done, p);
	else if (how / 4 % 4 == 1)
		router_source_remove(p->router, name, on_admin_done, p);
	else if (how / 4 % 4 == 2)
		router_source_set(
			p->router, name,
			&(struct stored_change){
				.enabled = (int)(how / 16 % 3) - 1,
				.interactive = interactive[how / 64 % 4],
				.roots = roots[how / 16 % 4],
			},
			on_admin_done, p);
	else
		router_source_test(p->router, name, on_admin_done, p);
}

static void on_single(void *owner, struct slice json)
{
	struct single *one = owner;
	struct jsonrpc m;
	char tag[TAG_BYTES];

	assert(one->s);
	assert(jsonrpc_slice(json, &m, NULL));
	read_tag(tag, m.id);
	assert(strcmp(tag, one->tag) == 0);
	if (json_kind(json_get(m.result, "tag")) == JSON_STRING)
		assert(json_string_is(json_get(m.result, "tag"), tag));
	one->s = NULL;
}

static const struct session_single single_events = {.answer = on_single};

/* One request without a session, or the end of its caller. */
static void single(struct play *p)
{
	unsigned how = script_byte(&p->script);
	struct single *one = &singles[how % SINGLES];
	struct buf text = {0};

	if (one->s) {
		session_abandon(one->s);
		one->s = NULL;
		return;
	}
	snprintf(one->tag, sizeof(one->tag), "z~%u~1", ++last_single);
	buf_printf(&text,
		   "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":"
		   "\"tools/call\",\"params\":{\"name\":\"%s%u\","
		   "\"tag\":\"%s\"}}",
		   one->tag, how & 128 ? "one__t" : "t", how / 4 % 4, one->tag);
	one->s = session_single(p->all, buf_slice(&text),
				how & 128 ? NULL : sources[how / 16 % 3],
				MCP_LEVEL_INFO, &single_events, one, NULL);
	assert(one->s);
	buf_finish(&text);
}

/* --- the script -----------------------------------------------------------
 */

static void step(struct play *p)
{
	static const int64_t passes_ms[] = {60,	   300,	  1500,	 6000,
					    11000, 31000, 61000, 301000};
	unsigned op = script_byte(&p->script);
	unsigned who = op % 4;
	unsigned what = op / 4 % 8;

	switch (op / 32 % 4) {
	case 0:
		if (who < CLIENTS)
			act(p, &p->clients[who], what);
		else
			single(p);
		break;
	case 1:
	case 2:
		speak(p, (int)who, what);
		break;
	default:
		if (who < 2)
			pass(p, passes_ms[what]);
		else if (who == 2)
			legs_settle();
		else if (what < 4)
			administer(p, what);
		else
			refused_starts = what - 4;
		break;
	}
	if (!(op & 128))
		turn(p);
	/* What it is told to end ends some time. */
	if (op % 16 == 0)
		legs_settle();
}

static void on_loaded(void *owner, const struct err *why)
{
	(void)owner;
	assert(!why);
}

static void on_stopped(void *owner)
{
	((struct play *)owner)->stopped = true;
}

/* Two that can be asked anything, before two sources that have everything. */
static void settle(struct play *p)
{
	static const char able[] =
		"\"capabilities\":{\"elicitation\":{\"form\":{},"
		"\"url\":{}},\"sampling\":{},\"roots\":{}}";

	for (int i = 0; i < 2; i++) {
		client_ask(&p->clients[i],
			   &(struct request){.method = "initialize",
					     .params = able});
		client_ask(&p->clients[i],
			   &(struct request){.method = "tools/list",
					     .params = ""});
	}
	for (int i = 0; i < 8; i++) {
		turn(p);
		answer_all(i % 2, WHOLE);
	}
}

static void begin(struct play *p, unsigned how)
{
	const struct session_limits session_limits = {
		.message_bytes = 1 << 20,
		.session_bytes = 8 << 20,
		.all_bytes = 64 << 20,
		.sessions = 16,
		.in_flight = 32,
		.detached_ms = 60000,
	};
	const struct router_options options = {
		.data_dir = "/nonexistent",
		.limits = {.message_bytes = 1 << 20,
			   .start_ms = 30000,
			   .request_ms = 20000,
			   .idle_ms = 120000,
			   .queued = 16},
		.first_list_ms = 5000,
		.ask_ms = 25000,
		.epoch = 1,
	};

	memset(legs, 0, sizeof(legs));
	memset(singles, 0, sizeof(singles));
	store_begin(how & 1);
	refused_starts = 0;
	p->all = sessions_new(p->loop, &session_limits);
	/* Only its address is used: the store is in router_legs.h. */
	p->router = router_new(p->loop, (struct store *)(void *)p, p->all,
			       &options);
	sessions_set_router(p->all, p->router);
	router_load(p->router, on_loaded, p);
	for (int i = 0; i < 4; i++)
		store_turn();
	for (int i = 0; i < CLIENTS; i++) {
		p->clients[i].all = p->all;
		p->clients[i].letter = (char)('a' + i);
	}
	client_open(&p->clients[0]);
	client_open(&p->clients[1]);
	turn(p);
	if (!(how & 2))
		settle(p);
}

/* Nobody says anything any more: time alone ends what is under way. */
static void wait_out(struct play *p)
{
	for (int i = 0; i < CLIENTS; i++)
		client_open(&p->clients[i]);
	disk_full = false;
	for (int i = 0; sessions_in_flight(p->all) > 0; i++) {
		assert(i < PATIENCE);
		legs_settle();
		pass(p, 5000);
	}
	for (int i = 0; i < CLIENTS; i++)
		for (int w = 0; w < WAITING; w++)
			assert(p->clients[i].waiting[w].number == 0);
	pass(p, 26000); /* questions to nobody's call */
	for (int i = 0; i < SINGLES; i++)
		assert(!singles[i].s);
	for (int i = 0; i < LEGS; i++)
		for (int q = 0; legs[i] && q < QUESTIONS; q++)
			assert(legs[i]->put[q].number == 0 ||
			       legs[i]->muddled || legs[i]->stopping);
}

static void end(struct play *p)
{
	wait_out(p);
	for (int i = 0; i < CLIENTS; i++)
		client_leave(&p->clients[i], true);
	assert(sessions_count(p->all) == 0);
	router_stop(p->router, on_stopped, p);
	for (int i = 0; !p->stopped || p->admin_done < p->admin_asked; i++) {
		assert(i < PATIENCE);
		legs_settle();
		pass(p, 100);
	}
	assert(router_in_flight(p->router) == 0);
	router_free(p->router);
	sessions_free(p->all);
	for (int i = 0; i < LEGS; i++)
		assert(!legs[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ev_loop *loop;
	struct play p = {.script = {{(const char *)data, size}}};

	if (!loop) {
		log_open(STDERR_FILENO, LOG_OFF);
		loop = ev_loop_new(EVFLAG_AUTO);
	}
	p.loop = loop;
	begin(&p, script_byte(&p.script));
	for (unsigned i = 0; i < STEPS && p.script.rest.len > 0; i++)
		step(&p);
	end(&p);
	return 0;
}
