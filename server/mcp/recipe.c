#include "server/mcp/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "server/store/store.h"

/* The stop ladder. */
enum { EOF_MS = 2000, TERM_MS = 3000 };

static char *printed(const char *before, const char *between, const char *after)
{
	struct buf text = {0};

	buf_printf(&text, "%s%s%s", before, between, after);
	char *copy = mem_ntext(text.data, text.len);
	mem_wipe(text.data, text.len);
	buf_finish(&text);
	return copy;
}

static char **copy_vector(const char *const *from)
{
	size_t count = 0;

	while (from[count])
		count++;
	char **to = mem_zalloc((count + 1) * sizeof(*to));
	for (size_t i = 0; i < count; i++)
		to[i] = mem_text(from[i]);
	return to;
}

static void free_vector(char **v)
{
	for (size_t i = 0; v[i]; i++) {
		mem_wipe(v[i], strlen(v[i]));
		free(v[i]);
	}
	free(v);
}

void recipe_init(struct recipe *r, const struct stored_source *stored,
		 const char *log_dir)
{
	size_t asked = 0;

	recipe_init_builtin(r, stored->name);
	free_vector(r->command);
	r->command = copy_vector(stored->command);
	r->cwd = mem_text(stored->cwd);
	free(r->env);
	free(r->env_names);
	r->env = mem_zalloc((stored->env_count + 1) * sizeof(*r->env));
	r->env_names =
		mem_zalloc((stored->env_count + 1) * sizeof(*r->env_names));
	for (size_t i = 0; i < stored->env_count; i++) {
		const struct stored_env *v = &stored->env[i];

		r->env[i] = printed(v->name, "=", v->value);
		if (v->asked)
			r->env_names[asked++] = mem_text(v->name);
	}
	const struct stored_settings *settings = &stored->settings;
	recipe_change(r, &(struct stored_change){
				 .enabled = !settings->disabled,
				 .interactive = settings->interactive,
				 .roots = settings->roots,
				 .trusted = settings->trusted ? 1 : -1,
			 });
	/* The daemon's own log lies there too; no source is called so. */
	struct buf file = {0};
	buf_printf(&file, "%s/source-%s.log", log_dir, stored->name);
	r->log_path = mem_ntext(file.data, file.len);
	buf_finish(&file);
}

void recipe_init_builtin(struct recipe *r, const char *name)
{
	*r = (struct recipe){
		.name = mem_text(name),
		.command = mem_zalloc(sizeof(*r->command)),
		.env = mem_zalloc(sizeof(*r->env)),
		.env_names = mem_zalloc(sizeof(*r->env_names)),
		.interactive = mem_text("auto"),
		.roots = mem_text("none"),
	};
}

static void change_text(char **text, const char *to)
{
	if (!to)
		return;
	free(*text);
	*text = mem_text(to);
}

void recipe_change(struct recipe *r, const struct stored_change *change)
{
	if (change->enabled >= 0)
		r->disabled = change->enabled == 0;
	change_text(&r->interactive, change->interactive);
	change_text(&r->roots, change->roots);
	if (change->trusted != 0)
		r->trusted = change->trusted > 0;
}

struct process_options recipe_process(const struct recipe *r)
{
	return (struct process_options){
		.name = r->name,
		.command = (const char *const *)r->command,
		.env = (const char *const *)r->env,
		.cwd = r->cwd,
		.log_path = r->log_path,
		.eof_ms = EOF_MS,
		.term_ms = TERM_MS,
	};
}

void recipe_finish(struct recipe *r)
{
	free(r->name);
	free_vector(r->command);
	free(r->cwd);
	free_vector(r->env);
	free_vector(r->env_names);
	free(r->log_path);
	free(r->interactive);
	free(r->roots);
	*r = (struct recipe){0};
}
