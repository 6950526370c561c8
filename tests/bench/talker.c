#include "talker.h"

#include <stdio.h>
#include <string.h>

#include "proto/json.h"
#include "proto/seqset.h"

enum { DEPTH = 32 };

/* --- questions -------------------------------------------------------------
 */

static void say_ping(struct talker *t)
{
	char line[128];
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":"
			   "\"ping\"}\n",
			   (unsigned long long)t->next++);

	party_say(&t->near, (struct slice){line, (size_t)len});
}

static void judge_ping(const struct jsonrpc *m, uint64_t id)
{
	(void)id;
	if (!slice_is(m->result, "{}"))
		lab_fail("ping: %.*s", (int)m->text.len, m->text.ptr);
}

/* What a relay was sent. */
static void hear_back(struct talker *t, uint64_t id)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"ping\"}",
		 (unsigned long long)id);
	if (!slice_is(party_hear(&t->near), line))
		lab_fail("the relay did not send back what it was sent");
}

static void say_call(struct talker *t)
{
	char line[256];
	unsigned long long id = t->next++;
	int len = snprintf(line, sizeof(line),
			   "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":"
			   "\"tools/call\",\"params\":{\"name\":\"%s\","
			   "\"arguments\":{\"text\":\"value %llu\"}}}\n",
			   id, t->tool, id);

	party_say(&t->near, (struct slice){line, (size_t)len});
}

void talker_judge_text(const struct jsonrpc *m, struct slice result,
		       uint64_t id)
{
	struct slice first = {0};
	char value[64];

	snprintf(value, sizeof(value), "value %llu", (unsigned long long)id);
	json_next_element(json_get(result, "content"), &(size_t){0}, &first);
	if (!json_string_is(json_get(first, "text"), value))
		lab_fail("the answer to call %llu: %.*s",
			 (unsigned long long)id, (int)m->text.len, m->text.ptr);
}

static void judge_call(const struct jsonrpc *m, uint64_t id)
{
	talker_judge_text(m, m->result, id);
}

const struct question question_ping = {"ping", say_ping, judge_ping};
const struct question question_call = {"call", say_call, judge_call};

static void hear(struct talker *t, const struct question *q, uint64_t id)
{
	if (!t->tool) {
		hear_back(t, id);
		return;
	}
	struct jsonrpc m = lab_answer(&t->near, id);
	q->judge(&m, id);
}

/* --- rounds ----------------------------------------------------------------
 */

/* The answer is checked inside the time of the next question: the same work
 * for every talker, after the clock was read. */
void talker_one_by_one(struct talker *t, const struct question *q, unsigned n,
		       bool counts)
{
	struct samples round = {0};

	for (unsigned i = 0; i < n; i++) {
		uint64_t id = t->next;
		int64_t began = now_ns();

		q->say(t);
		hear(t, q, id);
		samples_add(&round, (double)(now_ns() - began) / 1e3);
	}
	if (counts) {
		samples_add(&t->us, samples_at(&round, 0.5));
		samples_add(&t->p99, samples_at(&round, 0.99));
	}
	samples_finish(&round);
}

void talker_at_depth(struct talker *t, const struct question *q, unsigned n)
{
	int64_t began = now_ns();
	uint64_t heard = t->next;
	unsigned said = 0;

	for (; said < DEPTH && said < n; said++)
		q->say(t);
	for (unsigned i = 0; i < n; i++) {
		hear(t, q, heard++);
		if (said < n) {
			q->say(t);
			said++;
		}
	}
	samples_add(&t->per_s, n / ((double)(now_ns() - began) / 1e9));
}

/* The answer to one of the questions from first on that have none yet. */
static void hear_any(struct talker *t, const struct question *q, uint64_t first,
		     struct seqset *met)
{
	unsigned long long id = 0;
	struct jsonrpc m;

	do {
		struct slice line = party_hear(&t->near);

		if (!jsonrpc_slice(line, &m, NULL))
			lab_fail("no message: %.*s", (int)line.len, line.ptr);
	} while (m.kind == JSONRPC_NOTIFICATION);
	if (m.kind != JSONRPC_RESULT || !json_u64(m.id, &id) || id < first ||
	    id >= t->next || !seqset_add(met, id - first + 1))
		lab_fail("no question that is open has the answer %.*s",
			 (int)m.text.len, m.text.ptr);
	q->judge(&m, id);
}

void talker_overtaking(struct talker *t, const struct question *q, unsigned n)
{
	int64_t began = now_ns();
	const uint64_t first = t->next;
	struct seqset met = {0};
	unsigned said = 0;

	for (unsigned heard = 0; heard < n; heard++) {
		for (; said < n && said - heard < DEPTH; said++)
			q->say(t);
		hear_any(t, q, first, &met);
	}
	samples_add(&t->per_s, n / ((double)(now_ns() - began) / 1e9));
	seqset_finish(&met);
}

void talker_open(struct talker *t)
{
	lab_adapter(&t->near);
	lab_attach(&t->near);
	t->next = 2;
	t->tool = "echo__echo";
}

void talker_finish(struct talker *t)
{
	samples_finish(&t->us);
	samples_finish(&t->p99);
	samples_finish(&t->per_s);
}
