#include "server/store/env.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"
#include "server/store/secrets.h"
#include "server/store/store.h"

/* Plain, a variable is: origin, name, NUL, value, NUL. */
enum { ASKED = 'a', CAPTURED = 'c' };

/* What a value is bound to. */
static void append_bound(struct buf *bound, const char *source)
{
	buf_append_text(bound, "executor source env: ");
	buf_append_text(bound, source);
}

static size_t plain_len(const struct stored_env *vars, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += 1 + strlen(vars[i].name) + 1 + strlen(vars[i].value) + 1;
	return len;
}

static char *put_text(char *to, const char *text)
{
	return stpcpy(to, text) + 1;
}

bool env_seal(struct secrets *s, const char *source,
	      const struct stored_env *vars, size_t count, struct buf *sealed,
	      struct err *e)
{
	struct buf bound = {0};

	if (count == 0)
		return true;
	/* Not a struct buf: growing, it would leave copies behind. */
	size_t len = plain_len(vars, count);
	char *plain = mem_alloc(len);
	char *to = plain;
	for (size_t i = 0; i < count; i++) {
		*to++ = vars[i].asked ? ASKED : CAPTURED;
		to = put_text(to, vars[i].name);
		to = put_text(to, vars[i].value);
	}
	append_bound(&bound, source);
	bool ok = secrets_seal(s, buf_slice(&bound), (struct slice){plain, len},
			       sealed, e);
	mem_wipe(plain, len);
	free(plain);
	buf_finish(&bound);
	return ok;
}

/* The text that starts at *at, which moves behind its NUL; NULL when it does
 * not end before end. */
static const char *take_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = memchr(text, '\0', (size_t)(end - text));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

static bool parse(struct env *env)
{
	const char *at = env->text;
	const char *end = env->text + env->text_len;
	size_t texts = 0;

	for (const char *p = at; p < end; p++)
		texts += *p == '\0';
	env->vars = mem_zalloc(texts / 2 * sizeof(*env->vars));
	while (at < end) {
		bool asked = *at++ == ASKED;
		const char *name = take_text(&at, end);
		const char *value = name ? take_text(&at, end) : NULL;

		if (!value)
			return false;
		env->vars[env->count++] =
			(struct stored_env){name, value, asked};
	}
	return true;
}

bool env_open(struct secrets *s, const char *source, struct slice sealed,
	      struct env *env, struct err *e)
{
	struct buf bound = {0};
	bool ok = true;

	*env = (struct env){0};
	if (sealed.len == 0)
		return true;
	append_bound(&bound, source);
	env->text =
		secrets_open(s, buf_slice(&bound), sealed, &env->text_len, e);
	buf_finish(&bound);
	if (!env->text)
		return false;
	if (!parse(env))
		ok = err_set(e, ERR_STORE,
			     "the environment of %s was sealed by another "
			     "version: remove the source and add it again",
			     source);
	if (!ok)
		env_finish(env);
	return ok;
}

void env_finish(struct env *env)
{
	if (env->text)
		mem_wipe(env->text, env->text_len);
	free(env->text);
	free(env->vars);
	*env = (struct env){0};
}
