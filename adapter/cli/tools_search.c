#include <stdlib.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/mem.h"

enum { OPTION_LIMIT = CLI_OWN_OPTION };

enum { LIMIT_MOST = 1000 };

struct search {
	uint32_t limit;
};

static bool option(void *own, int value, const char *argument, struct err *e)
{
	struct search *s = own;
	char *end;
	unsigned long n = strtoul(argument, &end, 10);

	(void)value;
	if (end == argument || *end != '\0' || n == 0 || n > LIMIT_MOST)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "--limit takes 1 to %d, not '%s'", LIMIT_MOST,
			       argument);
	s->limit = (uint32_t)n;
	return true;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__SearchToolsRequest request =
		EXECUTOR__ADMIN__V1__SEARCH_TOOLS_REQUEST__INIT;
	const struct search *s = own;
	struct buf words = {0};
	struct err e;

	for (int i = 0; i < argc; i++)
		buf_printf(&words, "%s%s", i > 0 ? " " : "", argv[i]);
	char *query = mem_ntext(words.data, words.len);
	buf_finish(&words);
	request.query = query;
	request.limit = s->limit;
	Executor__Admin__V1__SearchToolsResponse *reply = cli_admin(
		c, true, "SearchTools", &request.base,
		&executor__admin__v1__search_tools_response__descriptor, &e);
	free(query);
	return reply ? cli_print_tools(c, reply->tools, reply->n_tools)
		     : cli_fail(&e);
}

static const struct cli_option options[] = {
	{"limit", "N", "at most N of them (20)", NULL, OPTION_LIMIT},
	{0},
};

const struct command cmd_tools_search = {
	.name = "tools search",
	.usage = "QUERY... [--limit N]",
	.help = "Find tools by words of their name or description",
	.more = "A tool is found when its name, title and description hold "
		"every word; those whose\nname does come first.\n",
	.options = options,
	.option = option,
	.own_bytes = sizeof(struct search),
	.least = 1,
	.most = -1,
	.run = run,
};
