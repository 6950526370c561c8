#include "server/upstream/survey.h"

#include <stdlib.h>

#include "proto/mem.h"
#include "server/upstream/procs.h"

enum { FRESH_MS = 1000 };

struct session_memory {
	pid_t session;
	uint64_t bytes;
};

static struct session_memory *find(const struct survey *s, pid_t session)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->sessions[i].session == session)
			return &s->sessions[i];
	return NULL;
}

static void on_process(void *owner, pid_t session, uint64_t bytes)
{
	struct survey *s = owner;
	struct session_memory *at = find(s, session);

	if (!at) {
		s->sessions = mem_grow(s->sessions,
				       (s->count + 1) * sizeof(*s->sessions));
		at = &s->sessions[s->count++];
		*at = (struct session_memory){.session = session};
	}
	at->bytes += bytes;
}

uint64_t survey_memory(struct survey *s, pid_t session, int64_t now_ms)
{
	const struct session_memory *at = find(s, session);

	/* What was not there a moment ago has just been started. */
	if (!at || now_ms - s->taken_ms >= FRESH_MS) {
		s->count = 0;
		s->taken_ms = now_ms;
		procs_each(on_process, s);
		at = find(s, session);
	}
	return at ? at->bytes : 0;
}

void survey_finish(struct survey *s)
{
	free(s->sessions);
	*s = (struct survey){0};
}
