#include "proto/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

/* From here on a copy costs more than what a buffer leaves unused. */
enum { LARGE_BYTES = 1024 * 1024 };

static struct message *make(size_t len, size_t room, bool effect)
{
	struct message *m = mem_alloc(sizeof(*m) + room);

	*m = (struct message){
		.refs = 1, .effect = effect, .len = len, .json = m->small};
	return m;
}

struct message *message_new(struct slice json, bool effect)
{
	if (json.len >= LARGE_BYTES) {
		struct buf copy = {0};

		buf_append_slice(&copy, json);
		return message_take(&copy, effect);
	}
	struct message *m = make(json.len, json.len, effect);
	if (json.len > 0)
		memcpy(m->small, json.ptr, json.len);
	return m;
}

struct message *message_take(struct buf *json, bool effect)
{
	struct message *m;

	if (json->len >= LARGE_BYTES) {
		m = make(json->len, 0, effect);
		m->json = json->data;
		buf_move(&m->large, json);
	} else {
		m = message_new(buf_slice(json), effect);
		buf_finish(json);
	}
	return m;
}

struct message *message_ref(struct message *m)
{
	assert(m->refs > 0);
	m->refs++;
	return m;
}

void message_unref(struct message *m)
{
	if (!m)
		return;
	assert(m->refs > 0);
	if (--m->refs > 0)
		return;
	buf_finish(&m->large);
	free(m);
}
