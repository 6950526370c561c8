/* The output half of cli.h: JSON, tables, and text made safe for terminals. */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/mem.h"
#include "proto/protobuf.h"

struct table {
	unsigned columns;
	size_t rows;
	char **cells;
};

int cli_print_json(struct cJSON *value)
{
	char *text = cJSON_Print(value);

	cJSON_Delete(value);
	if (!text)
		abort(); /* out of memory, as anywhere */
	puts(text);
	cJSON_free(text);
	return CLI_OK;
}

struct table *table_new(unsigned columns)
{
	struct table *t = mem_zalloc(sizeof(*t));

	t->columns = columns;
	return t;
}

void table_row(struct table *t, ...)
{
	va_list ap;

	t->cells = mem_grow(t->cells,
			    (t->rows + 1) * t->columns * sizeof(*t->cells));
	va_start(ap, t);
	for (unsigned i = 0; i < t->columns; i++) {
		const char *cell = va_arg(ap, const char *);

		t->cells[t->rows * t->columns + i] =
			cli_plain(cell, strlen(cell));
	}
	va_end(ap);
	t->rows++;
}

/* Characters, not bytes: continuation bytes take no column. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void table_print(struct table *t)
{
	for (size_t r = 0; r < t->rows; r++) {
		for (unsigned i = 0; i < t->columns; i++) {
			const char *cell = t->cells[r * t->columns + i];
			size_t fill = 0;

			for (size_t o = 0; o < t->rows; o++) {
				size_t w =
					width_of(t->cells[o * t->columns + i]);

				fill = w > fill ? w : fill;
			}
			fill -= width_of(cell);
			bool last = i + 1 == t->columns;
			printf("%s%*s", cell, last ? 0 : (int)fill + 2, "");
		}
		putchar('\n');
	}
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

void cli_duration(char to[16], uint64_t seconds)
{
	unsigned long long s = seconds;

	if (s < 60)
		snprintf(to, 16, "%llus", s);
	else if (s < 3600)
		snprintf(to, 16, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(to, 16, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(to, 16, "%llud%02lluh", s / 86400 % 1000000,
			 s / 3600 % 24);
}

char *cli_plain(const char *text, size_t len)
{
	char *plain = mem_ntext(text, len);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)plain[i] < 0x20 || plain[i] == 0x7f)
			plain[i] = plain[i] == '\n' ? ' ' : '?';
	return plain;
}

const char *cli_source_state(Executor__Admin__V1__Source__State state)
{
	static const char *const names[] = {"unknown", "stopped", "starting",
					    "ready",   "resting", "stopping",
					    "failed"};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state]
								: names[0];
}

static void add_bytes(struct cJSON *array, ProtobufCBinaryData bytes)
{
	char *raw = mem_ntext((const char *)bytes.data, bytes.len);
	char *text = protobuf_text(raw);

	cJSON_AddItemToArray(array, cJSON_CreateString(text));
	free(text);
	free(raw);
}

/* A word, or the array itself. */
static void add_roots(struct cJSON *o, ProtobufCBinaryData roots)
{
	char *raw = mem_ntext((const char *)roots.data, roots.len);
	struct cJSON *list = *raw == '[' ? cJSON_Parse(raw) : NULL;

	cJSON_AddItemToObject(o, "roots",
			      list ? list : cJSON_CreateString(raw));
	free(raw);
}

struct cJSON *cli_source_json(const admin_source_t *s)
{
	struct cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", s->name);
	cJSON_AddStringToObject(o, "state", cli_source_state(s->state));
	cJSON_AddBoolToObject(o, "builtin", s->builtin);
	struct cJSON *command = cJSON_AddArrayToObject(o, "command");
	for (size_t i = 0; i < s->n_command; i++)
		add_bytes(command, s->command[i]);
	char *cwd = mem_ntext((const char *)s->cwd.data, s->cwd.len);
	cJSON_AddStringToObject(o, "cwd", cwd);
	free(cwd);
	struct cJSON *env = cJSON_AddArrayToObject(o, "env");
	for (size_t i = 0; i < s->n_env_names; i++)
		cJSON_AddItemToArray(env, cJSON_CreateString(s->env_names[i]));
	cJSON_AddNumberToObject(o, "pid", (double)s->pid);
	cJSON_AddNumberToObject(o, "tools", s->tools);
	cJSON_AddNumberToObject(o, "prompts", s->prompts);
	cJSON_AddNumberToObject(o, "resources", s->resources);
	cJSON_AddNumberToObject(o, "resource_templates", s->resource_templates);
	cJSON_AddNumberToObject(o, "restarts", s->restarts);
	cJSON_AddNumberToObject(o, "requests_in_flight", s->requests_in_flight);
	cJSON_AddStringToObject(o, "last_error", s->last_error);
	cJSON_AddStringToObject(o, "server_name", s->server_name);
	cJSON_AddStringToObject(o, "server_version", s->server_version);
	cJSON_AddStringToObject(o, "revision", s->revision);
	cJSON_AddBoolToObject(o, "enabled", s->enabled);
	cJSON_AddStringToObject(o, "interactive", s->interactive);
	add_roots(o, s->roots);
	cJSON_AddBoolToObject(o, "trust_hints", s->trust_hints);
	cJSON_AddNumberToObject(o, "rss_bytes", (double)s->rss_bytes);
	struct cJSON *tail = cJSON_AddArrayToObject(o, "stderr");
	for (size_t i = 0; i < s->n_stderr_tail; i++)
		add_bytes(tail, s->stderr_tail[i]);
	return o;
}

/* Would a shell take the word as it is? */
static bool is_plain_word(const char *word, size_t len)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_@%+=:,./-";

	return len > 0 && strspn(word, plain) >= len;
}

void cli_source_memory(char to[CLI_MEMORY_BYTES], const admin_source_t *s)
{
	to[0] = '\0';
	if (s->rss_bytes > 0)
		snprintf(to, CLI_MEMORY_BYTES, "%llu MiB",
			 (unsigned long long)s->rss_bytes >> 20);
}

char *cli_source_command(const admin_source_t *s)
{
	struct buf line = {0};

	if (s->builtin)
		return mem_text("(built in)");
	for (size_t i = 0; i < s->n_command; i++) {
		char *word = mem_ntext((const char *)s->command[i].data,
				       s->command[i].len);

		buf_append_text(&line, i > 0 ? " " : "");
		if (is_plain_word(word, s->command[i].len)) {
			buf_append_text(&line, word);
			free(word);
			continue;
		}
		buf_append_text(&line, "'");
		for (const char *at = word; *at; at++) {
			if (*at == '\'')
				buf_append_text(&line, "'\\''");
			else
				buf_append(&line, at, 1);
		}
		buf_append_text(&line, "'");
		free(word);
	}
	char *text = mem_ntext(line.data ? line.data : "", line.len);
	buf_finish(&line);
	return text;
}
