#include "server/upstream/tools.h"

#include <string.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/json.h"
#include "server/upstream/builtin.h"

enum {
	FOUND_DEFAULT = 10,
	FOUND_MOST = 50,
	SOURCE_NAME_BYTES = 24,
};

#define READS_ONLY                                                             \
	"\"annotations\":{\"readOnlyHint\":true,\"openWorldHint\":false}"
#define NO_ARGUMENTS                                                           \
	"\"inputSchema\":{\"type\":\"object\",\"additionalProperties\":false}"

/* What a tool says: a JSON object, or a refusal in words. */
struct saying {
	struct buf value;
	struct buf refusal;
};

/* One call, as a tool sees it. */
struct call {
	const struct builtin_hub *functions;
	void *hub;
	struct slice arguments;
};

static void list_sources(const struct call *c, struct saying *s)
{
	buf_append_text(&s->value, "{\"sources\":");
	c->functions->sources(c->hub, &s->value);
	buf_append_text(&s->value, "}");
}

static void search_tools(const struct call *c, struct saying *s)
{
	struct slice query = json_get(c->arguments, "query");
	struct slice limit = json_get(c->arguments, "limit");
	unsigned long long most = FOUND_DEFAULT;
	struct buf words = {0};

	if (json_kind(query) != JSON_STRING) {
		buf_append_text(&s->refusal,
				"search_tools needs query: a string of words "
				"to look for");
		return;
	}
	if (limit.len > 0 &&
	    (!json_u64(limit, &most) || most < 1 || most > FOUND_MOST)) {
		buf_printf(&s->refusal, "limit must be an integer from 1 to %d",
			   FOUND_MOST);
		return;
	}
	json_unquote(&words, query);
	buf_append_text(&s->value, "{\"tools\":");
	c->functions->search(c->hub, buf_slice(&words), (unsigned)most,
			     &s->value);
	buf_append_text(&s->value, "}");
	buf_finish(&words);
}

static void describe_tool(const struct call *c, struct saying *s)
{
	struct slice name = json_get(c->arguments, "name");
	struct buf exposed = {0};

	if (json_kind(name) != JSON_STRING) {
		buf_append_text(&s->refusal,
				"describe_tool needs name: a tool's name as "
				"search_tools reports it");
		return;
	}
	json_unquote(&exposed, name);
	buf_append_text(&s->value, "{\"tool\":");
	if (!c->functions->describe(c->hub, buf_slice(&exposed), &s->value)) {
		buf_append_text(&s->refusal, "there is no tool named ");
		buf_append(&s->refusal, exposed.data,
			   exposed.len < 80 ? exposed.len : 80);
		buf_append_text(&s->refusal, "; search_tools finds tools");
	}
	buf_append_text(&s->value, "}");
	buf_finish(&exposed);
}

static void status(const struct call *c, struct saying *s)
{
	c->functions->status(c->hub, &s->value);
}

/* The shape of a source's name, which becomes a prefix of its tools. */
static bool is_source_name(struct slice name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	if (name.len == 0 || name.len > SOURCE_NAME_BYTES ||
	    name.ptr[0] == '_' || name.ptr[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!memchr(letters, name.ptr[i], sizeof(letters) - 1))
			return false;
	return true;
}

/* One word of a command line for a shell.  False for what could hide on a
 * terminal what the person is about to run. */
static bool append_word(struct buf *to, struct slice word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";
	bool quote = word.len == 0;

	for (size_t i = 0; i < word.len; i++) {
		if ((unsigned char)word.ptr[i] < 0x20 || word.ptr[i] == 0x7f)
			return false;
		if (!memchr(plain, word.ptr[i], sizeof(plain) - 1))
			quote = true;
	}
	buf_append_text(to, quote ? " '" : " ");
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '\'')
			buf_append_text(to, "'\\''");
		else
			buf_append(to, word.ptr + i, 1);
	}
	if (quote)
		buf_append_text(to, "'");
	return true;
}

static bool append_command(struct buf *to, struct slice command)
{
	struct slice value;
	bool ok = true;
	size_t words = 0;
	size_t at = 0;

	if (json_kind(command) != JSON_ARRAY)
		return false;
	while (ok && json_next_element(command, &at, &value)) {
		struct buf word = {0};

		ok = json_kind(value) == JSON_STRING;
		if (ok) {
			json_unquote(&word, value);
			ok = append_word(to, buf_slice(&word));
		}
		buf_finish(&word);
		words++;
	}
	return ok && words > 0;
}

/* Adding a source means running a command: a person does that. */
static void add_source(const struct call *c, struct saying *s)
{
	struct slice raw = json_get(c->arguments, "name");
	struct slice command = json_get(c->arguments, "command");
	struct buf name = {0};
	struct buf line = {0};

	if (json_kind(raw) == JSON_STRING)
		json_unquote(&name, raw);
	if (!is_source_name(buf_slice(&name))) {
		buf_append_text(&s->refusal,
				"add_source needs name: 1 to 24 characters of "
				"a-z, 0-9, _ and -, a letter or digit first");
		goto out;
	}
	buf_append_text(&line, "executor source add");
	append_word(&line, buf_slice(&name));
	buf_append_text(&line, " --");
	if (!append_command(&line, command)) {
		buf_append_text(&s->refusal,
				"add_source needs command: an array of strings "
				"without control characters, the program "
				"first");
		goto out;
	}
	buf_append_text(&s->refusal,
			"Adding a source runs a command on this machine, so a "
			"person must do it. Ask the user to run:\n\n    ");
	buf_append_slice(&s->refusal, buf_slice(&line));
	buf_append_text(&s->refusal,
			"\n\nIts tools appear here as soon as it is added.");
out:
	buf_finish(&name);
	buf_finish(&line);
}

static const struct {
	const char *name;
	void (*run)(const struct call *c, struct saying *s);
	const char *rest; /* of its description, behind the name */
} table[] = {
	{"list_sources", list_sources,
	 "\"title\":\"List sources\","
	 "\"description\":\"List the tool servers (sources) behind this hub: "
	 "name, state, number of tools, last error.\"," NO_ARGUMENTS
	 "," READS_ONLY},
	{"search_tools", search_tools,
	 "\"title\":\"Search tools\","
	 "\"description\":\"Find tools whose name, title or description holds "
	 "every word of the query; case does not matter. Best matches come "
	 "first.\","
	 "\"inputSchema\":{\"type\":\"object\",\"properties\":{"
	 "\"query\":{\"type\":\"string\",\"description\":"
	 "\"Words to look for; empty finds every tool.\"},"
	 "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":50,"
	 "\"default\":10,\"description\":\"At most this many tools.\"}},"
	 "\"required\":[\"query\"],\"additionalProperties\":false}"
	 "," READS_ONLY},
	{"describe_tool", describe_tool,
	 "\"title\":\"Describe a tool\","
	 "\"description\":\"Everything that is known of one tool: "
	 "description, input schema, annotations.\","
	 "\"inputSchema\":{\"type\":\"object\",\"properties\":{"
	 "\"name\":{\"type\":\"string\",\"description\":"
	 "\"The tool's name, as search_tools reports it.\"}},"
	 "\"required\":[\"name\"],\"additionalProperties\":false}," READS_ONLY},
	{"status", status,
	 "\"title\":\"Status\","
	 "\"description\":\"Report the state of this hub: version, process, "
	 "uptime, sessions, requests.\"," NO_ARGUMENTS "," READS_ONLY},
	{"add_source", add_source,
	 "\"title\":\"Add a source\","
	 "\"description\":\"Get the command line with which a person adds a "
	 "tool server to this hub. Nothing is added by the call itself.\","
	 "\"inputSchema\":{\"type\":\"object\",\"properties\":{"
	 "\"name\":{\"type\":\"string\","
	 "\"pattern\":\"^[a-z0-9][a-z0-9_-]{0,23}$\",\"description\":"
	 "\"A short name; it becomes the prefix of the source's tools.\"},"
	 "\"command\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
	 "\"minItems\":1,\"description\":"
	 "\"The program that speaks MCP on stdio, then its arguments.\"}},"
	 "\"required\":[\"name\",\"command\"],"
	 "\"additionalProperties\":false}," READS_ONLY},
};

enum { TOOLS = sizeof(table) / sizeof(*table) };

/* MCP, Tools, Structured Content: "a tool that returns structured content
 * SHOULD also return the serialized JSON in a TextContent block." */
static void append_result(struct buf *result, const struct saying *s)
{
	bool refused = s->refusal.len > 0;

	buf_append_text(result, "{\"content\":[{\"type\":\"text\",\"text\":");
	json_quote(result, buf_slice(refused ? &s->refusal : &s->value));
	buf_append_text(result, "}],");
	if (!refused) {
		buf_append_text(result, "\"structuredContent\":");
		buf_append_slice(result, buf_slice(&s->value));
		buf_append_text(result, ",");
	}
	buf_printf(result, "\"isError\":%s}", refused ? "true" : "false");
}

void tools_list(struct buf *result)
{
	buf_append_text(result, "{\"tools\":[");
	for (int i = 0; i < TOOLS; i++)
		buf_printf(result, "%s{\"name\":\"%s\",%s}", i > 0 ? "," : "",
			   table[i].name, table[i].rest);
	buf_append_text(result, "]}");
}

bool tools_call(const struct builtin_hub *functions, void *hub,
		struct slice name, struct slice arguments, struct buf *result,
		struct err *e)
{
	struct call c = {functions, hub, arguments};
	struct saying s = {{0}, {0}};
	int i = 0;

	while (i < TOOLS && !json_string_is(name, table[i].name))
		i++;
	if (i == TOOLS)
		return err_set(e, ERR_UNKNOWN_TOOL,
			       "source %s has no tool %.*s", BUILTIN_NAME,
			       name.len < 80 ? (int)name.len : 80, name.ptr);
	if (arguments.len > 0 && json_kind(arguments) != JSON_OBJECT)
		buf_append_text(&s.refusal, "arguments must be an object");
	else
		table[i].run(&c, &s);
	append_result(result, &s);
	buf_finish(&s.value);
	buf_finish(&s.refusal);
	return true;
}
