/*
 * executor call: one tool call, without a session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "adapter/cli/rpc.h"
#include "executor/mcp/v1/mcp.pb-c.h"
#include "proto/buf.h"
#include "proto/envelope.h"
#include "proto/json.h"
#include "proto/jsonrpc.h"

/* JSON, @FILE or - for standard input. */
static bool read_arguments(struct buf *to, const char *operand, struct err *e)
{
	FILE *file = NULL;

	if (strcmp(operand, "-") == 0)
		file = stdin;
	else if (*operand == '@')
		file = fopen(operand + 1, "re");
	else {
		buf_append_text(to, operand);
		return true;
	}
	if (!file)
		return err_sys(e, ERR_INVALID_ARGUMENT, "cannot read %s",
			       operand + 1);
	for (;;) {
		size_t n = fread(buf_reserve(to, 65536), 1, 65536, file);

		buf_added(to, n);
		if (n == 0 || to->len > ENVELOPE_MESSAGE_BYTES)
			break;
	}
	if (file != stdin)
		fclose(file);
	if (to->len > ENVELOPE_MESSAGE_BYTES)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the arguments are larger than 64 MiB");
	return true;
}

static bool build_request(struct buf *to, const char *tool,
			  struct slice arguments, struct err *e)
{
	struct buf params = {0};
	struct err why;

	if (!json_check(arguments, &why))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the arguments are not JSON: %s", why.text);
	if (json_kind(arguments) != JSON_OBJECT)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "the arguments must be a JSON object, such as "
			       "'{\"message\":\"hi\"}'");
	buf_append_text(&params, "{\"name\":");
	json_quote(&params, slice_of(tool));
	buf_append_text(&params, ",\"arguments\":");
	json_one_line(&params, arguments);
	buf_append_text(&params, "}");
	jsonrpc_request(to, slice_of("1"), "tools/call", buf_slice(&params));
	buf_finish(&params);
	return true;
}

/* The content blocks, for a person: texts as they are, others by kind. */
static void print_content(struct slice result)
{
	struct slice content = json_get(result, "content");
	struct slice block;
	size_t at = 0;

	while (json_next_element(content, &at, &block)) {
		struct slice text = json_get(block, "text");
		struct buf out = {0};

		if (json_string_is(json_get(block, "type"), "text") &&
		    json_kind(text) == JSON_STRING)
			json_unquote(&out, text);
		else
			json_one_line(&out, block);
		buf_append_text(&out, "\n");
		fwrite(out.data, 1, out.len, stdout);
		buf_finish(&out);
	}
}

/* An error of JSON-RPC: the reason is ours when data names one. */
static int print_error(struct slice error)
{
	struct buf word = {0};
	struct err e;

	struct slice reason = json_path(error, "data", "reason", NULL);
	if (json_kind(reason) == JSON_STRING)
		json_unquote(&word, reason);
	buf_append(&word, "", 1);
	enum reason code = err_by_name(word.data);
	buf_reset(&word, SIZE_MAX);
	if (json_kind(json_get(error, "message")) == JSON_STRING)
		json_unquote(&word, json_get(error, "message"));
	buf_append(&word, "", 1);
	err_set(&e, code, "%s", word.data);
	buf_finish(&word);
	return cli_fail(&e);
}

static int print_answer(struct cli *c, struct slice json)
{
	struct jsonrpc m;
	struct err e;

	if (!jsonrpc_slice(json, &m, &e))
		return cli_fail(&e);
	if (m.kind == JSONRPC_ERROR && !c->json)
		return print_error(m.error);
	if (m.kind == JSONRPC_ERROR) {
		printf("%.*s\n", (int)m.error.len, m.error.ptr);
		return print_error(m.error);
	}
	if (c->json)
		printf("%.*s\n", (int)m.result.len, m.result.ptr);
	else
		print_content(m.result);
	return slice_is(json_get(m.result, "isError"), "true") ? CLI_TOOL_ERROR
							       : CLI_OK;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Mcp__V1__CallRequest request =
		EXECUTOR__MCP__V1__CALL_REQUEST__INIT;
	Executor__Mcp__V1__CallResponse *reply = NULL;
	struct buf arguments = {0};
	struct buf json = {0};
	struct err e;

	(void)own;
	bool ok = read_arguments(&arguments, argc > 2 ? argv[2] : "{}", &e) &&
		  build_request(&json, argv[1], buf_slice(&arguments), &e) &&
		  cli_attach(c, true, &e);
	if (ok) {
		request.source = argv[0];
		request.json = protobuf_bytes(buf_slice(&json));
		reply = rpc_call(c->rpc, "/executor.mcp.v1.McpService/Call",
				 &request.base,
				 &executor__mcp__v1__call_response__descriptor,
				 &e);
	}
	buf_finish(&arguments);
	buf_finish(&json);
	return reply ? print_answer(c, protobuf_slice(reply->json))
		     : cli_fail(&e);
}

const struct command cmd_call = {
	.name = "call",
	.usage = "SOURCE TOOL [JSON|@FILE|-]",
	.help = "Call one tool and print what it returns",
	.more = "TOOL is the source's own name of it.  JSON is the arguments, "
		"an object;\n"
		"@FILE and - read it from a file or from standard input.\n"
		"With -o json the whole result is printed, byte for byte.\n"
		"Exit status 5 when the tool returned an error.\n",
	.operands = "@sources",
	.least = 2,
	.most = 3,
	.run = run,
};
