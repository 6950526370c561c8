/* bearer, token: what a token is, and what may lie at its path. */
#include "proto/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"

#define GOOD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO-_"

static struct {
	char dir[64];
	char path[80];
	struct bearer token;
	struct err e;
} room;

static int begin(void **state)
{
	(void)state;
	strcpy(room.dir, "/tmp/executor-token-XXXXXX");
	if (!mkdtemp(room.dir))
		return -1;
	snprintf(room.path, sizeof(room.path), "%s/" TOKEN_FILE, room.dir);
	room.token = (struct bearer){{0}};
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind,
			struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	return nftw(room.dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *text, mode_t mode)
{
	int fd =
		open(room.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* It is refused so, with a text that names the file and not its contents. */
static void assert_refused(enum reason reason, const char *text)
{
	assert_false(token_read(room.dir, &room.token, &room.e));
	if (room.e.reason != reason || !strstr(room.e.text, text))
		print_error("%s\n", room.e.text);
	assert_int_equal(room.e.reason, reason);
	assert_non_null(strstr(room.e.text, text));
	assert_non_null(strstr(room.e.text, room.path));
	assert_null(strstr(room.e.text, "abcdefghij"));
}

static void each_is_new_and_safe_in_any_text(void **state)
{
	struct bearer a;
	struct bearer b;
	struct bearer back;

	(void)state;
	bearer_make(&a);
	bearer_make(&b);
	assert_int_equal(strlen(a.text), BEARER_CHARS);
	assert_string_not_equal(a.text, b.text);
	assert_true(bearer_parse(&back, slice_of(a.text)));
	assert_string_equal(back.text, a.text);
	assert_int_equal(strspn(a.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789-_"),
			 BEARER_CHARS);
}

static void one_bit_anywhere_makes_another(void **state)
{
	struct bearer b;

	(void)state;
	assert_true(bearer_parse(&b, slice_of(GOOD)));
	assert_true(bearer_is(&b, slice_of(GOOD)));
	for (size_t i = 0; i < BEARER_CHARS; i++) {
		char other[] = GOOD;

		other[i] = (char)(other[i] ^ 1);
		assert_false(bearer_is(&b, slice_of(other)));
		assert_false(bearer_is(&b, (struct slice){GOOD, i}));
	}
	assert_false(bearer_is(&b, slice_of(GOOD "a")));
	assert_false(bearer_is(&b, (struct slice){NULL, 0}));
}

static void only_its_own_characters_are_a_token(void **state)
{
	static const char *const bad[] = {
		"",
		"abc",
		GOOD "a",
		GOOD "\n\n",
		GOOD "\r\n",
		" " GOOD,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNO+/",
	};
	struct bearer b;

	(void)state;
	assert_true(bearer_parse(&b, slice_of(GOOD "\n")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(bearer_parse(&b, slice_of(bad[i])));
	char nul[BEARER_CHARS + 1] = GOOD;
	nul[7] = '\0';
	assert_false(bearer_parse(&b, (struct slice){nul, BEARER_CHARS}));
	assert_string_equal(b.text, GOOD); /* unchanged by all of them */
}

static void a_header_is_the_scheme_and_a_token(void **state)
{
	(void)state;
	assert_true(slice_is(bearer_of_header(slice_of("Bearer xyz")), "xyz"));
	assert_true(slice_is(bearer_of_header(slice_of("bEARER  x z")), "x z"));
	assert_true(slice_is(bearer_of_header(slice_of("Bearer ")), ""));
	assert_null(bearer_of_header(slice_of("Bearer")).ptr);
	assert_null(bearer_of_header(slice_of("Bearerxyz")).ptr);
	assert_null(bearer_of_header(slice_of("Basic xyz")).ptr);
	assert_null(bearer_of_header(slice_of("")).ptr);
}

static void what_is_renewed_is_read_again(void **state)
{
	struct bearer first;
	struct bearer second;
	struct stat st;

	(void)state;
	assert_refused(ERR_NOT_FOUND, "executor token rotate");
	assert_true(token_renew(room.dir, &first, &room.e));
	assert_true(token_read(room.dir, &room.token, &room.e));
	assert_string_equal(room.token.text, first.text);
	assert_int_equal(stat(room.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, BEARER_CHARS);
	assert_true(token_renew(room.dir, &second, &room.e));
	assert_true(token_read(room.dir, &room.token, &room.e));
	assert_string_equal(room.token.text, second.text);
	assert_string_not_equal(second.text, first.text);
	/* Nothing else is left behind. */
	assert_int_equal(unlink(room.path), 0);
	assert_int_equal(rmdir(room.dir), 0);
	assert_int_equal(mkdir(room.dir, 0700), 0);
}

static void whatever_else_lies_there_is_refused_and_replaced(void **state)
{
	char elsewhere[96];

	(void)state;
	put(GOOD, 0644);
	assert_refused(ERR_PERMISSION, "mode 0644");
	put(GOOD, 0620);
	assert_refused(ERR_PERMISSION, "mode 0620");
	put("abcdefghij", 0600);
	assert_refused(ERR_IO, "holds no token");
	put("", 0600);
	assert_refused(ERR_IO, "holds no token");
	put(GOOD GOOD GOOD, 0600);
	assert_refused(ERR_IO, "holds no token");
	put(GOOD, 0600);
	snprintf(elsewhere, sizeof(elsewhere), "%s.other", room.path);
	assert_int_equal(rename(room.path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, room.path), 0);
	assert_refused(ERR_IO, "symbolic link");
	assert_int_equal(unlink(room.path), 0);
	assert_int_equal(mkfifo(room.path, 0600), 0);
	assert_refused(ERR_IO, "not a file"); /* and did not wait */
	assert_true(token_renew(room.dir, &room.token, &room.e));
	assert_true(token_read(room.dir, &room.token, &room.e));
}

static void someone_elses_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	put(GOOD, 0600);
	assert_int_equal(chown(room.path, 12345, 12345), 0);
	assert_refused(ERR_WRONG_OWNER, "uid 12345");
}

static void one_that_cannot_be_written_leaves_the_old_one(void **state)
{
	char inside[96];

	(void)state;
	assert_int_equal(mkdir(room.path, 0700), 0);
	snprintf(inside, sizeof(inside), "%s/x", room.path);
	assert_int_equal(mkdir(inside, 0700), 0);
	assert_false(token_renew(room.dir, &room.token, &room.e));
	assert_non_null(strstr(room.e.text, room.path));
	assert_null(strstr(room.e.text, room.token.text));
	assert_refused(ERR_IO, "not a file");
	assert_int_equal(rmdir(inside), 0);
	assert_int_equal(rmdir(room.path), 0);
	/* No draft is left: */
	assert_int_equal(rmdir(room.dir), 0);
	assert_false(token_renew(room.dir, &room.token, &room.e));
	assert_int_equal(mkdir(room.dir, 0700), 0);
}

#define token_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_new_and_safe_in_any_text),
		cmocka_unit_test(one_bit_anywhere_makes_another),
		cmocka_unit_test(only_its_own_characters_are_a_token),
		cmocka_unit_test(a_header_is_the_scheme_and_a_token),
		token_test(what_is_renewed_is_read_again),
		token_test(whatever_else_lies_there_is_refused_and_replaced),
		token_test(someone_elses_is_refused),
		token_test(one_that_cannot_be_written_leaves_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
