/* door: whatever a header list says, nobody comes in without the token, by
 * another name, from a page, or to the admin service. */
#include "server/face/door.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "proto/err.h"
#include "proto/h2.h"
#include "server/face/service.h"

enum { HEADERS = 16 };

#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO-_"

static struct fate *nobody(void *service, struct call *c, struct slice request)
{
	(void)service;
	(void)c;
	(void)request;
	return NULL;
}

static const struct method methods[] = {{.name = "Do", .unary = nobody}};

static struct services services = {
	.list = {{.name = "admin",
		  .methods = methods,
		  .method_count = 1,
		  .admin = true}},
	.count = 1,
};

/* Lines "name value". */
static size_t read_headers(struct slice text, struct h2_header list[HEADERS])
{
	size_t count = 0;

	while (text.len > 0 && count < HEADERS) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		const char *space = memchr(text.ptr, ' ', len);
		size_t name = space ? (size_t)(space - text.ptr) : len;
		size_t value = space ? name + 1 : len;

		list[count++] = (struct h2_header){
			{text.ptr, name}, {text.ptr + value, len - value}};
		text.ptr += len + (end != NULL);
		text.len -= len + (end != NULL);
	}
	return count;
}

static bool is_loopback(struct slice v)
{
	if (v.len < 3 || memcmp(v.ptr + v.len - 2, ":7", 2) != 0)
		return false;
	v.len -= 2;
	if (slice_is(v, "[::1]") ||
	    (v.len == 9 && strncasecmp(v.ptr, "localhost", 9) == 0))
		return true;
	for (size_t i = 0; i < v.len; i++)
		if (!isdigit((unsigned char)v.ptr[i]) && v.ptr[i] != '.')
			return false;
	return v.len > 4 && memcmp(v.ptr, "127.", 4) == 0;
}

static void check_admitted(const struct h2_headers *h)
{
	unsigned tokens = 0;
	unsigned names = 0;

	for (size_t i = 0; i < h->count; i++) {
		struct slice name = h->list[i].name;
		struct slice value = h->list[i].value;

		assert(!slice_is(name, "origin"));
		if (slice_is(name, "authorization")) {
			tokens++;
			assert(value.len > strlen(TOKEN));
			assert(memcmp(value.ptr + value.len - strlen(TOKEN),
				      TOKEN, strlen(TOKEN)) == 0);
		}
		if (slice_is(name, ":authority") || slice_is(name, "host")) {
			names++;
			assert(is_loopback(value));
		}
	}
	assert(tokens == 1);
	assert(names > 0);
	assert(!slice_is(h2_header(h, ":path"), "/admin/Do"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct door door = {.token = {TOKEN}, .port = 7};
	struct h2_header list[HEADERS];
	struct h2_headers h = {.list = list};
	struct err e = {0};

	h.count = read_headers((struct slice){(const char *)data, size}, list);
	if (door_admit(&door, &services, &h, &e)) {
		check_admitted(&h);
		return 0;
	}
	assert(e.reason == ERR_UNAUTHENTICATED || e.reason == ERR_PERMISSION);
	/* What came with a wrong name is said, but nothing of a token. */
	assert(e.reason == ERR_PERMISSION || !strstr(e.text, TOKEN));
	return 0;
}
