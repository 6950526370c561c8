/*
 * executor source test: start a source now, and say what it has.
 *
 * What the server wrote on stderr meanwhile is read from its log, as `logs`
 * does: it often says what the protocol cannot.
 */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter/cli/cli.h"
#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/mem.h"
#include "proto/protobuf.h"

enum { STDERR_LINES = 10, STDERR_BYTES = 4096 };

static int open_log(const struct cli *c, const char *name)
{
	struct buf path = {0};

	if (strchr(name, '/'))
		return -1;
	buf_printf(&path, "%s/logs/source-%s.log", c->data_dir, name);
	buf_append(&path, "", 1);
	int fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	buf_finish(&path);
	return fd;
}

static off_t log_size(const struct cli *c, const char *name)
{
	int fd = open_log(c, name);
	struct stat st;
	off_t size = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0)
		size = st.st_size;
	close(fd);
	return size;
}

/* The last lines behind that offset, or "".  The caller frees. */
static char *read_log(const struct cli *c, const char *name, off_t from)
{
	char text[STDERR_BYTES + 1] = {0};
	int fd = open_log(c, name);
	off_t size = log_size(c, name);

	if (fd < 0)
		return mem_text("");
	if (size < from)
		from = 0; /* another file has begun */
	if (size - from > STDERR_BYTES)
		from = size - STDERR_BYTES;
	ssize_t got = pread(fd, text, STDERR_BYTES, from);
	close(fd);
	size_t len = got > 0 ? (size_t)got : 0;
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	size_t at = len;
	for (int lines = 0; at > 0; at--)
		if (text[at - 1] == '\n' && ++lines == STDERR_LINES)
			break;
	return protobuf_text(text + at);
}

static void print_lines(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *plain = cli_plain(text, len);

		fprintf(stderr, "  %s\n", plain);
		free(plain);
		text += len + (text[len] == '\n');
	}
}

static int report(struct cli *c, const admin_source_t *s, int64_t took_ms)
{
	if (c->json) {
		struct cJSON *o = cJSON_CreateObject();

		cJSON_AddBoolToObject(o, "ok", true);
		cJSON_AddNumberToObject(o, "duration_ms", (double)took_ms);
		cJSON_AddItemToObject(o, "source", cli_source_json(s));
		return cli_print_json(o);
	}
	if (!c->quiet)
		printf("%s: %s %s, MCP %s, %" PRIu32 " tools, %" PRIu32
		       " prompts, %" PRIu32 " resources, %" PRIu32
		       " templates, in %" PRId64 " ms\n",
		       s->name, s->server_name, s->server_version, s->revision,
		       s->tools, s->prompts, s->resources,
		       s->resource_templates, took_ms);
	return CLI_OK;
}

/* Always CLI_FAILURE where the source is to blame. */
static int report_failure(struct cli *c, const char *name, const struct err *e,
			  off_t log_from, int64_t took_ms)
{
	char *text = read_log(c, name, log_from);
	int status = CLI_FAILURE;

	if (c->json) {
		struct cJSON *o = cJSON_CreateObject();

		cJSON_AddBoolToObject(o, "ok", false);
		cJSON_AddNumberToObject(o, "duration_ms", (double)took_ms);
		cJSON_AddStringToObject(o, "error", e->text);
		cJSON_AddStringToObject(o, "stderr", text);
		cli_print_json(o);
	} else {
		cli_fail(e);
		if (*text) {
			fputs("what it wrote last on stderr:\n", stderr);
			print_lines(text);
		}
		fprintf(stderr,
			"try: executor source show %s; executor logs --source "
			"%s\n",
			name, name);
	}
	free(text);
	return status;
}

static int run(struct cli *c, void *own, int argc, char **argv)
{
	Executor__Admin__V1__TestSourceRequest request =
		EXECUTOR__ADMIN__V1__TEST_SOURCE_REQUEST__INIT;
	struct err e;

	(void)own;
	(void)argc;
	request.name = argv[0];
	if (!cli_attach(c, true, &e))
		return cli_fail(&e);
	off_t log_from = log_size(c, argv[0]);
	int64_t began = clock_now_ms();
	Executor__Admin__V1__TestSourceResponse *reply = cli_admin(
		c, true, "TestSource", &request.base,
		&executor__admin__v1__test_source_response__descriptor, &e);
	int64_t took_ms = clock_now_ms() - began;
	if (reply && reply->source)
		return report(c, reply->source, took_ms);
	if (reply)
		err_set(&e, ERR_PROTOCOL, "the daemon answered no source");
	if (!reply && e.reason == ERR_NOT_FOUND)
		return cli_fail(&e);
	return report_failure(c, argv[0], &e, log_from, took_ms);
}

const struct command cmd_source_test = {
	.name = "source test",
	.usage = "NAME",
	.help = "Start a tool server now, and say what it has",
	.more = "Also while it rests after a failure.  Exit status 1 when it "
		"does not start, does\nnot speak MCP, or does not list what "
		"it says it has; what it wrote on stderr\nmeanwhile is shown "
		"then.\n",
	.operands = "@sources",
	.least = 1,
	.most = 1,
	.run = run,
};
