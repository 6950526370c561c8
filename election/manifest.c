#include "election/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "election/file.h"

enum { DECIMAL = 10 };

/* A value that is borrowed from the text. */
struct value {
	const char *ptr;
	size_t len;
};

/* Plain decimal: no sign, no space, no leading zero, no overflow. */
static bool read_number(struct value v, uint64_t most, uint64_t *to)
{
	uint64_t n = 0;

	if (v.len == 0 || (v.len > 1 && v.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(v.ptr[i] - '0');
		if (n > (most - digit) / DECIMAL)
			return false;
		n = n * DECIMAL + digit;
	}
	*to = n;
	return true;
}

static bool is_printable(struct value v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.ptr[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return v.len > 0;
}

static bool read_word(struct value v, char *to, size_t cap)
{
	if (!is_printable(v) || v.len >= cap)
		return false;
	memcpy(to, v.ptr, v.len);
	to[v.len] = '\0';
	return true;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_epoch(struct value v, struct manifest *m)
{
	return read_number(v, UINT64_MAX, &m->epoch) && m->epoch > 0;
}

static bool read_instance(struct value v, struct manifest *m)
{
	if (v.len != 2 * MANIFEST_ID_BYTES)
		return false;
	for (size_t i = 0; i < MANIFEST_ID_BYTES; i++) {
		int high = nibble(v.ptr[2 * i]);
		int low = nibble(v.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		m->instance[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool read_pid(struct value v, struct manifest *m)
{
	uint64_t n;

	if (!read_number(v, INT32_MAX, &n) || n == 0)
		return false;
	m->pid = (int64_t)n;
	return true;
}

static bool read_start(struct value v, struct manifest *m)
{
	return read_number(v, UINT64_MAX, &m->start_ticks);
}

static bool read_boot(struct value v, struct manifest *m)
{
	return read_word(v, m->boot_id, sizeof(m->boot_id));
}

static bool read_host(struct value v, struct manifest *m)
{
	return read_word(v, m->host, sizeof(m->host));
}

static bool read_socket(struct value v, struct manifest *m)
{
	return v.len > 0 && v.ptr[0] == '/' &&
	       read_word(v, m->socket, sizeof(m->socket));
}

static bool read_tcp_url(struct value v, struct manifest *m)
{
	return read_word(v, m->tcp_url, sizeof(m->tcp_url));
}

static bool read_protocol(struct value v, uint32_t *to)
{
	uint64_t n;

	if (!read_number(v, UINT32_MAX, &n))
		return false;
	*to = (uint32_t)n;
	return true;
}

static bool read_protocol_min(struct value v, struct manifest *m)
{
	return read_protocol(v, &m->protocol_min);
}

static bool read_protocol_max(struct value v, struct manifest *m)
{
	return read_protocol(v, &m->protocol_max);
}

static bool read_version(struct value v, struct manifest *m)
{
	return read_word(v, m->version, sizeof(m->version));
}

/* The last line says the epoch once more: a file that was cut short has no
 * such line, and one that was glued together may have another epoch. */
static bool read_end(struct value v, struct manifest *m)
{
	uint64_t n;

	return read_number(v, UINT64_MAX, &n) && n == m->epoch;
}

enum key {
	KEY_EPOCH,
	KEY_INSTANCE,
	KEY_PID,
	KEY_START,
	KEY_BOOT,
	KEY_HOST,
	KEY_SOCKET,
	KEY_TCP_URL,
	KEY_PROTOCOL_MIN,
	KEY_PROTOCOL_MAX,
	KEY_VERSION,
	KEY_END,
	KEY_COUNT
};

static const struct {
	const char *name;
	bool (*read)(struct value v, struct manifest *m);
	bool optional;
} keys[KEY_COUNT] = {
	[KEY_EPOCH] = {"epoch", read_epoch, false},
	[KEY_INSTANCE] = {"instance", read_instance, false},
	[KEY_PID] = {"pid", read_pid, false},
	[KEY_START] = {"start_ticks", read_start, false},
	[KEY_BOOT] = {"boot_id", read_boot, false},
	[KEY_HOST] = {"host", read_host, false},
	[KEY_SOCKET] = {"socket", read_socket, false},
	[KEY_TCP_URL] = {"tcp_url", read_tcp_url, true},
	[KEY_PROTOCOL_MIN] = {"protocol_min", read_protocol_min, false},
	[KEY_PROTOCOL_MAX] = {"protocol_max", read_protocol_max, false},
	[KEY_VERSION] = {"version", read_version, false},
	[KEY_END] = {"end", read_end, false},
};

static enum key key_of(struct value name)
{
	for (size_t k = 0; k < KEY_COUNT; k++)
		if (strlen(keys[k].name) == name.len &&
		    memcmp(keys[k].name, name.ptr, name.len) == 0)
			return (enum key)k;
	return KEY_COUNT;
}

/* One line, without its end.  seen has a bit for each key so far. */
static bool read_line(struct value line, unsigned *seen, struct manifest *m)
{
	const char *space = memchr(line.ptr, ' ', line.len);

	if (!space || space == line.ptr)
		return false;
	size_t name_len = (size_t)(space - line.ptr);
	enum key key = key_of((struct value){line.ptr, name_len});
	if (key == KEY_COUNT)
		return true; /* from a later version */
	if (*seen & 1u << key)
		return false;
	*seen |= 1u << key;
	return keys[key].read(
		(struct value){space + 1, line.len - name_len - 1}, m);
}

bool manifest_parse(const char *text, size_t len, struct manifest *m)
{
	struct manifest found = {0};
	unsigned seen = 0;
	const char *at = text;
	const char *end = text + len;

	while (at < end && !(seen & 1u << KEY_END)) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (!newline ||
		    !read_line((struct value){at, (size_t)(newline - at)},
			       &seen, &found))
			return false;
		at = newline + 1;
	}
	for (size_t k = 0; k < KEY_COUNT; k++)
		if (!keys[k].optional && !(seen & 1u << k))
			return false;
	if (at != end || found.protocol_min > found.protocol_max)
		return false;
	*m = found;
	return true;
}

size_t manifest_print(const struct manifest *m, char *to, size_t cap)
{
	char instance[2 * MANIFEST_ID_BYTES + 1];
	bool tcp = m->tcp_url[0] != '\0';
	struct manifest back;

	for (size_t i = 0; i < MANIFEST_ID_BYTES; i++)
		snprintf(instance + 2 * i, 3, "%02x", m->instance[i]);
	int len = snprintf(
		to, cap,
		"epoch %" PRIu64 "\n"
		"instance %s\n"
		"pid %" PRId64 "\n"
		"start_ticks %" PRIu64 "\n"
		"boot_id %s\n"
		"host %s\n"
		"socket %s\n"
		"%s%s%s"
		"protocol_min %" PRIu32 "\n"
		"protocol_max %" PRIu32 "\n"
		"version %s\n"
		"end %" PRIu64 "\n",
		m->epoch, instance, m->pid, m->start_ticks, m->boot_id, m->host,
		m->socket, tcp ? "tcp_url " : "", m->tcp_url, tcp ? "\n" : "",
		m->protocol_min, m->protocol_max, m->version, m->epoch);
	if (len <= 0 || (size_t)len >= cap)
		return 0;
	/* What no reader would accept must not be published: a line break in
	 * a host's name would be a key of its own. */
	if (!manifest_parse(to, (size_t)len, &back) ||
	    memcmp(back.instance, m->instance, MANIFEST_ID_BYTES) != 0 ||
	    strcmp(back.socket, m->socket) != 0 ||
	    strcmp(back.tcp_url, m->tcp_url) != 0)
		return 0;
	return (size_t)len;
}

bool manifest_read(int dir_fd, struct manifest *m)
{
	size_t len;
	int run = file_open_dir(dir_fd, "run");

	if (run < 0)
		return false;
	/* Not on the stack, whose every page would be touched, and kept. */
	char *text = malloc(MANIFEST_LIMIT_BYTES);
	assert(text);
	bool ok =
		file_read(run, "manifest", text, MANIFEST_LIMIT_BYTES, &len) &&
		manifest_parse(text, len, m);
	free(text);
	close(run);
	return ok;
}
