#include "election/manifest.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char whole[] = "epoch 42\n"
			    "instance 000102030405060708090a0b0c0d0eff\n"
			    "pid 4711\n"
			    "start_ticks 123456\n"
			    "boot_id 3f0c7a52-7e0e-4b11-9a43-2f7b34c1d1aa\n"
			    "host a host\n"
			    "socket /home/u/.executor/run/s/42-0badcafe.sock\n"
			    "tcp_url http://127.0.0.1:4788\n"
			    "protocol_min 1\n"
			    "protocol_max 3\n"
			    "version 0.1.0\n"
			    "end 42\n";

static bool parses(const char *text)
{
	struct manifest m;

	return manifest_parse(text, strlen(text), &m);
}

/* The whole text with one line replaced; line is found by its key. */
static bool parses_with(const char *key, const char *line)
{
	char text[2048];
	const char *at = strstr(whole, key);

	assert_non_null(at);
	const char *rest = strchr(at, '\n') + 1;
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, line,
		 rest);
	return parses(text);
}

static void a_manifest_is_read_key_by_key(void **state)
{
	struct manifest m;

	(void)state;
	assert_true(manifest_parse(whole, strlen(whole), &m));
	assert_int_equal(m.epoch, 42);
	assert_int_equal(m.instance[0], 0x00);
	assert_int_equal(m.instance[15], 0xff);
	assert_int_equal(m.pid, 4711);
	assert_int_equal(m.start_ticks, 123456);
	assert_string_equal(m.boot_id, "3f0c7a52-7e0e-4b11-9a43-2f7b34c1d1aa");
	assert_string_equal(m.host, "a host");
	assert_string_equal(m.socket,
			    "/home/u/.executor/run/s/42-0badcafe.sock");
	assert_string_equal(m.tcp_url, "http://127.0.0.1:4788");
	assert_int_equal(m.protocol_min, 1);
	assert_int_equal(m.protocol_max, 3);
	assert_string_equal(m.version, "0.1.0");
}

static void what_is_printed_is_read_back(void **state)
{
	char text[2048];
	struct manifest m;
	struct manifest back;

	(void)state;
	assert_true(manifest_parse(whole, strlen(whole), &m));
	assert_int_equal(manifest_print(&m, text, sizeof(text)), strlen(whole));
	assert_string_equal(text, whole);
	m.tcp_url[0] = '\0';
	m.epoch = UINT64_MAX;
	m.start_ticks = UINT64_MAX;
	size_t len = manifest_print(&m, text, sizeof(text));
	assert_true(len > 0);
	assert_null(strstr(text, "tcp_url"));
	assert_true(manifest_parse(text, len, &back));
	assert_true(back.epoch == UINT64_MAX);
	assert_string_equal(back.tcp_url, "");
	assert_string_equal(back.socket, m.socket);
}

static void what_no_reader_would_take_is_not_printed(void **state)
{
	char text[2048];
	struct manifest m;

	(void)state;
	assert_true(manifest_parse(whole, strlen(whole), &m));
	for (size_t cap = 0; cap <= strlen(whole); cap++)
		assert_int_equal(manifest_print(&m, text, cap), 0);
	strcpy(m.host, "two\nlines");
	assert_int_equal(manifest_print(&m, text, sizeof(text)), 0);
	strcpy(m.host, "h\nversion 9");
	assert_int_equal(manifest_print(&m, text, sizeof(text)), 0);
	m.host[0] = '\0';
	assert_int_equal(manifest_print(&m, text, sizeof(text)), 0);
}

static void a_later_version_may_add_keys(void **state)
{
	(void)state;
	assert_true(parses_with("host ", "colour blue\nhost x\n"));
	assert_true(parses_with("host ", "host x\nempty \n"));
}

static void a_required_key_is_required(void **state)
{
	const char *keys[] = {"epoch ",	      "instance ",     "pid ",
			      "start_ticks ", "boot_id ",      "host ",
			      "socket ",      "protocol_min ", "protocol_max ",
			      "version ",     "end "};

	(void)state;
	assert_true(parses_with("tcp_url ", ""));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_false(parses_with(keys[i], ""));
}

static void no_key_comes_twice(void **state)
{
	(void)state;
	assert_false(parses_with("pid ", "pid 1\npid 1\n"));
	assert_false(parses_with("tcp_url ", "tcp_url x\ntcp_url x\n"));
}

static void numbers_are_plain_and_in_range(void **state)
{
	(void)state;
	assert_true(parses_with("start_ticks ",
				"start_ticks 18446744073709551615\n"));
	assert_false(parses_with("start_ticks ",
				 "start_ticks 18446744073709551616\n"));
	assert_true(parses_with("pid ", "pid 2147483647\n"));
	assert_false(parses_with("pid ", "pid 2147483648\n"));
	assert_false(parses_with("pid ", "pid 0\n"));
	assert_false(parses_with("pid ", "pid -1\n"));
	assert_false(parses_with("pid ", "pid +1\n"));
	assert_false(parses_with("pid ", "pid 01\n"));
	assert_false(parses_with("pid ", "pid  1\n"));
	assert_false(parses_with("pid ", "pid 1 \n"));
	assert_false(parses_with("pid ", "pid 1x\n"));
	assert_false(parses_with("pid ", "pid \n"));
	assert_false(parses_with("pid ", "pid\n"));
	assert_true(parses_with("protocol_max ", "protocol_max 4294967295\n"));
	assert_false(parses_with("protocol_max ", "protocol_max 4294967296\n"));
	assert_false(parses_with("protocol_min ", "protocol_min 4\n"));
}

static void an_instance_is_sixteen_bytes_in_lower_hex(void **state)
{
	(void)state;
	assert_false(parses_with("instance ", "instance 00\n"));
	assert_false(parses_with(
		"instance ", "instance 000102030405060708090a0b0c0d0efff\n"));
	assert_false(parses_with(
		"instance ", "instance 000102030405060708090a0b0c0d0eFF\n"));
	assert_false(parses_with(
		"instance ", "instance 000102030405060708090a0b0c0d0e g\n"));
}

static void a_socket_is_absolute_and_fits(void **state)
{
	char line[160] = "socket /";

	(void)state;
	assert_false(parses_with("socket ", "socket run/x.sock\n"));
	memset(line + 8, 'x', MANIFEST_PATH_BYTES - 2);
	line[7 + MANIFEST_PATH_BYTES - 1] = '\n';
	assert_true(parses_with("socket ", line));
	line[7 + MANIFEST_PATH_BYTES - 1] = 'x';
	line[7 + MANIFEST_PATH_BYTES] = '\n';
	assert_false(parses_with("socket ", line));
}

static void the_end_is_the_end_and_of_the_same_epoch(void **state)
{
	(void)state;
	assert_false(parses_with("end ", "end 41\n"));
	assert_false(parses_with("end ", "end 42\nmore 1\n"));
	assert_false(parses_with("end ", "end 42\n\n"));
	assert_false(parses_with("end ", "end 42"));
}

static void every_truncation_is_no_manifest(void **state)
{
	struct manifest m;

	(void)state;
	for (size_t len = 0; len < strlen(whole); len++) {
		/* A copy of that very size: the sanitizer sees a step too far.
		 */
		char *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, whole, len);
		assert_false(manifest_parse(cut, len, &m));
		free(cut);
	}
}

static void a_damaged_byte_never_reads_beyond(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[sizeof(whole)];
		struct manifest m;

		memcpy(text, whole, sizeof(whole));
		for (int i = 0; i < 3; i++) {
			seed = seed * 1103515245u + 12345u;
			text[seed / 65536 % (sizeof(whole) - 1)] =
				(char)(seed >> 8);
		}
		if (!manifest_parse(text, sizeof(whole) - 1, &m))
			continue;
		assert_true(m.epoch > 0 && m.socket[0] == '/');
		assert_true(memchr(m.socket, 0, sizeof(m.socket)) != NULL);
		assert_true(memchr(m.host, 0, sizeof(m.host)) != NULL);
	}
}

static void noise_is_no_manifest(void **state)
{
	char noise[4096];
	unsigned seed = 7;
	struct manifest m;

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(noise); i++) {
			seed = seed * 1103515245u + 12345u;
			noise[i] = (char)(seed >> 16);
		}
		assert_false(manifest_parse(noise, sizeof(noise), &m));
	}
	memset(noise, 0xff, sizeof(noise));
	assert_false(manifest_parse(noise, sizeof(noise), &m));
	memset(noise, '\n', sizeof(noise));
	assert_false(manifest_parse(noise, sizeof(noise), &m));
	assert_false(parses("{\"epoch\": 42}"));
}

/* --- the file ------------------------------------------------------------ */

struct place {
	char dir[64];
	int fd;
};

static int make_place(void **state)
{
	static struct place p;

	strcpy(p.dir, "/tmp/executor-test-XXXXXX");
	assert_non_null(mkdtemp(p.dir));
	p.fd = open(p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p.fd >= 0);
	assert_int_equal(mkdirat(p.fd, "run", 0700), 0);
	*state = &p;
	return 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;

	unlinkat(p->fd, "run/manifest", 0);
	unlinkat(p->fd, "run/manifest", AT_REMOVEDIR);
	unlinkat(p->fd, "elsewhere/manifest", 0);
	unlinkat(p->fd, "elsewhere", AT_REMOVEDIR);
	unlinkat(p->fd, "run", 0);
	unlinkat(p->fd, "run", AT_REMOVEDIR);
	close(p->fd);
	return rmdir(p->dir);
}

static void put(struct place *p, const char *path, const char *text, size_t len,
		mode_t mode)
{
	int fd = openat(p->fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void a_private_regular_file_is_read(void **state)
{
	struct place *p = *state;
	struct manifest m;

	assert_false(manifest_read(p->fd, &m));
	put(p, "run/manifest", whole, strlen(whole), 0600);
	assert_true(manifest_read(p->fd, &m));
	assert_int_equal(m.epoch, 42);
}

static void a_file_open_to_others_is_not_read(void **state)
{
	struct place *p = *state;
	struct manifest m;

	put(p, "run/manifest", whole, strlen(whole), 0640);
	assert_false(manifest_read(p->fd, &m));
	put(p, "run/manifest", whole, strlen(whole), 0602);
	assert_false(manifest_read(p->fd, &m));
}

static void too_large_a_file_is_not_read(void **state)
{
	struct place *p = *state;
	struct manifest m;
	size_t size = MANIFEST_LIMIT_BYTES + 1;
	char *text = malloc(size);
	char *end = strstr(whole, "end ");

	/* Filled up with unknown keys, it is correct to the last byte. */
	assert_non_null(text);
	size_t head = (size_t)(end - whole);
	size_t tail = strlen(end);
	memcpy(text, whole, head);
	memset(text + head, 'x', size - head - tail);
	text[head + 1] = ' ';
	text[size - tail - 1] = '\n';
	memcpy(text + size - tail, end, tail);
	put(p, "run/manifest", text, size, 0600);
	assert_false(manifest_read(p->fd, &m));
	memmove(text + head + 2, text + head + 3, size - head - 3);
	put(p, "run/manifest", text, size - 1, 0600);
	assert_true(manifest_read(p->fd, &m));
	free(text);
}

static void a_link_is_not_followed(void **state)
{
	struct place *p = *state;
	struct manifest m;

	assert_int_equal(mkdirat(p->fd, "elsewhere", 0700), 0);
	put(p, "elsewhere/manifest", whole, strlen(whole), 0600);
	assert_int_equal(
		symlinkat("../elsewhere/manifest", p->fd, "run/manifest"), 0);
	assert_false(manifest_read(p->fd, &m));
	assert_int_equal(unlinkat(p->fd, "run/manifest", 0), 0);
	assert_int_equal(unlinkat(p->fd, "run", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("elsewhere", p->fd, "run"), 0);
	assert_false(manifest_read(p->fd, &m));
}

static void what_is_no_file_is_not_waited_for(void **state)
{
	struct place *p = *state;
	struct manifest m;

	assert_int_equal(mkfifoat(p->fd, "run/manifest", 0600), 0);
	assert_false(manifest_read(p->fd, &m));
	assert_int_equal(unlinkat(p->fd, "run/manifest", 0), 0);
	assert_int_equal(mkdirat(p->fd, "run/manifest", 0700), 0);
	assert_false(manifest_read(p->fd, &m));
}

#define WITH_PLACE(test)                                                       \
	cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_is_read_key_by_key),
		cmocka_unit_test(what_is_printed_is_read_back),
		cmocka_unit_test(what_no_reader_would_take_is_not_printed),
		cmocka_unit_test(a_later_version_may_add_keys),
		cmocka_unit_test(a_required_key_is_required),
		cmocka_unit_test(no_key_comes_twice),
		cmocka_unit_test(numbers_are_plain_and_in_range),
		cmocka_unit_test(an_instance_is_sixteen_bytes_in_lower_hex),
		cmocka_unit_test(a_socket_is_absolute_and_fits),
		cmocka_unit_test(the_end_is_the_end_and_of_the_same_epoch),
		cmocka_unit_test(every_truncation_is_no_manifest),
		cmocka_unit_test(a_damaged_byte_never_reads_beyond),
		cmocka_unit_test(noise_is_no_manifest),
		WITH_PLACE(a_private_regular_file_is_read),
		WITH_PLACE(a_file_open_to_others_is_not_read),
		WITH_PLACE(too_large_a_file_is_not_read),
		WITH_PLACE(a_link_is_not_followed),
		WITH_PLACE(what_is_no_file_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
