/* The one pass over a message's text, beside memchr() and a parser's tree. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "axis.h"
#include "lab.h"
#include "proto/jsonrpc.h"
#include "report.h"

enum { BYTES_A_MESSAGE = 4096 }; /* of an effort's messages */

static const struct size {
	size_t bytes;
	const char *what;
} sizes[] = {
	{200, "a message of 200 B"},
	{20000, "a message of 20 kB"},
	{2000000, "a message of 2 MB"},
};

/* What sources send: an answer with text, numbers and escapes. */
static void make_message(struct buf *to, size_t bytes)
{
	static const char tail[] = "],\"isError\":false}}";
	unsigned n = 0;

	buf_append_text(to, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":"
			    "{\"content\":[");
	do
		buf_printf(to,
			   "%s{\"type\":\"text\",\"text\":\"%u: \\\"a "
			   "line\\\" of what a tool has found\\n\","
			   "\"score\":%u}",
			   n ? "," : "", n, n % 1000);
	while (n++, to->len + sizeof(tail) < bytes);
	buf_append_text(to, tail);
}

static void scan(struct slice text)
{
	if (memchr(text.ptr, '\n', text.len))
		lab_fail("memchr finds a newline that is not there");
}

static void slice(struct slice text)
{
	struct jsonrpc m;

	if (!jsonrpc_slice(text, &m, NULL) || m.kind != JSONRPC_RESULT ||
	    m.result.ptr + m.result.len + 1 != text.ptr + text.len)
		lab_fail("the slicer does not find the result");
}

static void parse_and_print(struct slice text)
{
	cJSON *tree = cJSON_ParseWithLength(text.ptr, text.len);
	char *printed = tree ? cJSON_PrintUnformatted(tree) : NULL;

	if (!printed || strlen(printed) != text.len ||
	    memcmp(printed, text.ptr, text.len) != 0)
		lab_fail("cJSON prints something else");
	free(printed);
	cJSON_Delete(tree);
}

static void time_of(void (*work)(struct slice text), struct slice text,
		    unsigned n, struct samples *mb_s)
{
	int64_t began = now_ns();

	for (unsigned i = 0; i < n; i++) {
		work(text);
		/* Or a compiler sees that memchr() finds the same again. */
		__asm__ volatile("" : : "r"(text.ptr) : "memory");
	}
	samples_add(mb_s,
		    (double)text.len * n * 1e3 / (double)(now_ns() - began));
}

static void measure(const struct effort *e, const struct size *size)
{
	struct row row = {.axis = "slicer", .what = size->what, .unit = "MB/s"};
	struct samples ours = {0};
	struct samples memchrs = {0};
	struct samples cjson = {0};
	struct buf text = {0};

	make_message(&text, size->bytes);
	unsigned n = 1 + (unsigned)(e->messages * BYTES_A_MESSAGE / text.len);
	for (unsigned i = 0; i < e->rounds; i++) {
		time_of(slice, buf_slice(&text), n, &ours);
		time_of(scan, buf_slice(&text), n, &memchrs);
		time_of(parse_and_print, buf_slice(&text), n, &cjson);
	}
	row.floor_what = "cJSON, parsed and printed";
	row.aim = -20;
	report_samples(row, &ours, &cjson);
	row.floor_what = "memchr";
	row.aim = 0;
	report_samples(row, &ours, &memchrs);
	samples_finish(&ours);
	samples_finish(&memchrs);
	samples_finish(&cjson);
	buf_finish(&text);
}

void axis_slicer(const struct effort *e)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		measure(e, &sizes[i]);
}
