#include "proto/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

struct message *message_new(struct slice json, bool effect)
{
	struct message *m = mem_alloc(sizeof(*m) + json.len);

	*m = (struct message){.refs = 1, .effect = effect, .len = json.len};
	if (json.len > 0)
		memcpy(m->json, json.ptr, json.len);
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
	if (--m->refs == 0)
		free(m);
}
