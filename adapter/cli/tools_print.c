/* Tools, as several commands print them. */
#include <stdio.h>
#include <stdlib.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/protobuf.h"

enum { DESCRIPTION_WIDTH = 60 };

/* The first line of a tool's description, cut to fit. */
static char *summary(struct slice json)
{
	struct buf text = {0};

	if (json_kind(json_get(json, "description")) == JSON_STRING)
		json_unquote(&text, json_get(json, "description"));
	size_t len = 0;
	size_t width = 0;
	while (len < text.len && text.data[len] != '\n') {
		width += ((unsigned char)text.data[len] & 0xc0) != 0x80;
		if (width > DESCRIPTION_WIDTH)
			break;
		len++;
	}
	char *line = mem_ntext(text.data ? text.data : "", len);
	buf_finish(&text);
	return line;
}

/* The tools as their sources described them: never through a tree, which
 * would change their numbers. */
static void print_json(admin_tool_t *const *tools, size_t n)
{
	struct buf out = {0};

	buf_append_text(&out, "[");
	for (size_t i = 0; i < n; i++) {
		const admin_tool_t *t = tools[i];

		buf_append_text(&out, i ? ",\n {\"name\":" : "\n {\"name\":");
		json_quote(&out, slice_of(t->name));
		buf_append_text(&out, ",\"source\":");
		json_quote(&out, slice_of(t->source));
		buf_append_text(&out, ",\"source_name\":");
		json_quote(&out, slice_of(t->source_name));
		buf_append_text(&out, ",\"tool\":");
		buf_append_slice(&out, protobuf_slice(t->json));
		buf_append_text(&out, "}");
	}
	buf_append_text(&out, "\n]\n");
	fwrite(out.data, 1, out.len, stdout);
	buf_finish(&out);
}

int cli_print_tools(const struct cli *c, admin_tool_t *const *tools, size_t n)
{
	if (c->json) {
		print_json(tools, n);
		return CLI_OK;
	}
	struct table *t = table_new(3);
	if (!c->quiet)
		table_row(t, "NAME", "SOURCE", "DESCRIPTION");
	for (size_t i = 0; i < n; i++) {
		char *line = summary(protobuf_slice(tools[i]->json));

		table_row(t, tools[i]->name, tools[i]->source, line);
		free(line);
	}
	table_print(t);
	return CLI_OK;
}
