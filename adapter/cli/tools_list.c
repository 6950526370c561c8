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
static void print_json(const Executor__Admin__V1__ListToolsResponse *reply)
{
	struct buf out = {0};

	buf_append_text(&out, "[");
	for (size_t i = 0; i < reply->n_tools; i++) {
		const admin_tool_t *t = reply->tools[i];

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

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__ListToolsRequest request =
		EXECUTOR__ADMIN__V1__LIST_TOOLS_REQUEST__INIT;
	struct err e;

	(void)own;
	if (argc > 0)
		request.source = argv[0];
	Executor__Admin__V1__ListToolsResponse *reply = cli_admin(
		c, true, "ListTools", &request.base,
		&executor__admin__v1__list_tools_response__descriptor, &e);
	if (!reply)
		return cli_fail(&e);
	if (c->json) {
		print_json(reply);
		return CLI_OK;
	}
	struct table *t = table_new(3);
	if (!c->quiet)
		table_row(t, "NAME", "SOURCE", "DESCRIPTION");
	for (size_t i = 0; i < reply->n_tools; i++) {
		const admin_tool_t *tool = reply->tools[i];
		char *line = summary(protobuf_slice(tool->json));

		table_row(t, tool->name, tool->source, line);
		free(line);
	}
	table_print(t);
	return CLI_OK;
}

const struct command cmd_tools_list = {
	.name = "tools list",
	.usage = "[SOURCE]",
	.help = "List the tools that clients see",
	.most = 1,
	.run = run,
};
