#include "tests/support/room.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "proto/mem.h"
#include "server/store/key.h"
#include "server/store/secrets.h"
#include "server/store/store_internal.h"
#include "server/vault/vault.h"

static const struct stored_env secret_env[] = {
	{"API_TOKEN", "sk-very-secret-0123456789", true},
};

static const char text[] = "what nobody may read";

enum { TEXT_BYTES = sizeof(text) - 1 };

/* The module, loaded as the store does. */
static const struct vault *vault_of(struct room *r)
{
	struct secrets s;
	struct buf sealed = {0};
	struct err e = {0};

	secrets_init(&s, r->dir);
	if (!secrets_seal(&s, slice_of("x"), slice_of("y"), &sealed, &e))
		fail_msg("%s", e.text);
	const struct vault *vault = s.vault;
	buf_finish(&sealed);
	secrets_finish(&s);
	return vault;
}

/* --- the module ----------------------------------------------------------- */

struct sealed {
	unsigned char key[VAULT_KEY_BYTES];
	unsigned char bytes[TEXT_BYTES + VAULT_OVERHEAD_BYTES];
};

static void seal_text(const struct vault *v, struct sealed *s)
{
	mem_random(s->key, sizeof(s->key));
	assert_int_equal(
		v->seal(s->key, slice_of("mine"), slice_of(text), s->bytes),
		VAULT_OK);
}

static enum vault_outcome open_text(const struct vault *v,
				    const struct sealed *s, const char *bound,
				    size_t len, unsigned char *plain)
{
	const struct slice sealed = {(const char *)s->bytes, len};

	memset(plain, 0x55, sizeof(s->bytes));
	return v->open(s->key, slice_of(bound), sealed, plain);
}

static void assert_refused(const struct vault *v, const struct sealed *s,
			   const char *bound, size_t len)
{
	unsigned char plain[sizeof(s->bytes)];

	assert_int_equal(open_text(v, s, bound, len, plain), VAULT_REFUSED);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(plain[i], 0);
}

static void what_was_sealed_opens(void **state)
{
	const struct vault *v = vault_of(*state);
	unsigned char plain[TEXT_BYTES + VAULT_OVERHEAD_BYTES];
	struct sealed s;

	seal_text(v, &s);
	assert_null(memmem(s.bytes, sizeof(s.bytes), text, 8));
	assert_int_equal(open_text(v, &s, "mine", sizeof(s.bytes), plain),
			 VAULT_OK);
	assert_memory_equal(plain, text, TEXT_BYTES);
}

static void an_empty_value_opens_too(void **state)
{
	const struct vault *v = vault_of(*state);
	unsigned char bytes[VAULT_OVERHEAD_BYTES];
	unsigned char plain[VAULT_OVERHEAD_BYTES];
	unsigned char key[VAULT_KEY_BYTES] = {0};
	const struct slice none = {NULL, 0};

	assert_int_equal(v->seal(key, none, none, bytes), VAULT_OK);
	assert_int_equal(
		v->open(key, none,
			(struct slice){(const char *)bytes, sizeof(bytes)},
			plain),
		VAULT_OK);
	bytes[VAULT_OVERHEAD_BYTES - 1] ^= 1;
	assert_int_equal(
		v->open(key, none,
			(struct slice){(const char *)bytes, sizeof(bytes)},
			plain),
		VAULT_REFUSED);
}

static void the_same_value_is_never_sealed_alike(void **state)
{
	const struct vault *v = vault_of(*state);
	struct sealed s;
	unsigned char again[sizeof(s.bytes)];

	seal_text(v, &s);
	assert_int_equal(
		v->seal(s.key, slice_of("mine"), slice_of(text), again),
		VAULT_OK);
	assert_memory_not_equal(s.bytes + 1, again + 1, 12);
	assert_memory_not_equal(s.bytes + 13, again + 13, TEXT_BYTES);
}

static void any_changed_bit_is_refused(void **state)
{
	const struct vault *v = vault_of(*state);
	struct sealed s;

	seal_text(v, &s);
	for (size_t bit = 0; bit < sizeof(s.bytes) * 8; bit++) {
		s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_refused(v, &s, "mine", sizeof(s.bytes));
		s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
}

static void any_shorter_value_is_refused(void **state)
{
	const struct vault *v = vault_of(*state);
	struct sealed s;

	seal_text(v, &s);
	for (size_t len = 0; len < sizeof(s.bytes); len++)
		assert_refused(v, &s, "mine", len);
}

static void another_bound_or_key_is_refused(void **state)
{
	const struct vault *v = vault_of(*state);
	struct sealed s;

	seal_text(v, &s);
	assert_refused(v, &s, "yours", sizeof(s.bytes));
	assert_refused(v, &s, "", sizeof(s.bytes));
	s.key[VAULT_KEY_BYTES - 1] ^= 1;
	assert_refused(v, &s, "mine", sizeof(s.bytes));
}

static void a_value_too_large_is_not_sealed(void **state)
{
	struct room *r = *state;
	struct secrets s;
	struct buf sealed = {0};
	struct err e = {0};
	char *large = mem_zalloc(VAULT_LIMIT_BYTES + 1);

	secrets_init(&s, r->dir);
	assert_false(secrets_seal(&s, slice_of("x"),
				  (struct slice){large, VAULT_LIMIT_BYTES + 1},
				  &sealed, &e));
	assert_int_equal(e.reason, ERR_TOO_LARGE);
	assert_true(secrets_seal(&s, slice_of("x"),
				 (struct slice){large, VAULT_LIMIT_BYTES},
				 &sealed, &e));
	free(large);
	buf_finish(&sealed);
	secrets_finish(&s);
}

/* --- loading it ----------------------------------------------------------- */

static void a_module_that_cannot_be_loaded_is_named(void **state)
{
	struct room *r = *state;
	struct err e = {0};

	assert_null(secrets_load_vault(r->key, &e));
	assert_int_equal(e.reason, ERR_STORE);
	assert_non_null(strstr(e.text, r->key));
	assert_non_null(strstr(e.text, "install"));
	file_write(r->key, "no module", 9);
	e = (struct err){0};
	assert_null(secrets_load_vault(r->key, &e));
	assert_non_null(strstr(e.text, r->key));
	/* A library, but not ours. */
	e = (struct err){0};
	assert_null(secrets_load_vault("libm.so.6", &e));
	assert_int_equal(e.reason, ERR_STORE);
	assert_non_null(strstr(e.text, "version"));
}

static void a_program_without_its_module_says_so(void **state)
{
	struct room *r = *state;
	char copy[128];
	char command[512];
	char said[ERR_TEXT_BYTES] = "";
	struct buf bytes = file_read("/proc/self/exe");

	snprintf(copy, sizeof(copy), "%s/program", r->dir);
	file_write(copy, bytes.data, bytes.len);
	buf_finish(&bytes);
	assert_int_equal(chmod(copy, 0700), 0);
	snprintf(command, sizeof(command), "%s --seal %s", copy, r->dir);
	FILE *f = popen(command, "re");
	assert_non_null(f);
	assert_non_null(fgets(said, sizeof(said), f));
	assert_int_equal(WEXITSTATUS(pclose(f)), ERR_STORE);
	assert_non_null(strstr(said, "vault.so"));
	assert_non_null(strstr(said, r->dir));
	/* And made no key for nothing. */
	assert_int_equal(file_mode(r->key), -1);
}

/* That copy: seal something, say why not. */
static int seal_or_say(const char *dir)
{
	struct secrets s;
	struct buf sealed = {0};
	struct err e = {0};

	secrets_init(&s, dir);
	if (!secrets_seal(&s, slice_of("x"), slice_of("y"), &sealed, &e))
		puts(e.text);
	buf_finish(&sealed);
	secrets_finish(&s);
	return (int)e.reason;
}

/* --- the key -------------------------------------------------------------- */

static void a_key_is_made_once_and_for_its_owner(void **state)
{
	struct room *r = *state;
	unsigned char key[2][KEY_BYTES] = {0};
	static const unsigned char zeroes[KEY_BYTES];
	mode_t before = umask(0);
	struct err e;

	assert_false(key_read(r->dir, false, key[0], &e));
	assert_int_equal(e.reason, ERR_STORE);
	assert_non_null(strstr(e.text, r->key));
	assert_int_equal(file_mode(r->key), -1);

	assert_true(key_read(r->dir, true, key[0], &e));
	umask(before);
	assert_int_equal(file_mode(r->key), 0600);
	assert_memory_not_equal(key[0], zeroes, KEY_BYTES);
	assert_true(key_read(r->dir, true, key[1], &e));
	assert_memory_equal(key[0], key[1], KEY_BYTES);
	assert_true(key_read(r->dir, false, key[1], &e));
	assert_memory_equal(key[0], key[1], KEY_BYTES);
	/* The draft it was written to is gone. */
	assert_int_equal(unlink(r->key), 0);
	assert_int_equal(rmdir(r->dir), 0);
	assert_int_equal(mkdir(r->dir, 0700), 0);
}

static void assert_key_refused(struct room *r, enum reason reason)
{
	unsigned char key[KEY_BYTES];
	struct err e = {0};

	for (int create = 0; create < 2; create++) {
		assert_false(key_read(r->dir, create, key, &e));
		assert_int_equal(e.reason, reason);
		assert_non_null(strstr(e.text, r->key));
	}
}

static void a_key_that_is_no_good_is_refused_and_kept(void **state)
{
	struct room *r = *state;
	char bytes[KEY_BYTES + 1] = "0123456789abcdef0123456789abcdef";
	char other[128];

	for (size_t len = 0; len <= KEY_BYTES + 1; len++) {
		if (len == KEY_BYTES)
			continue;
		file_write(r->key, bytes, len);
		assert_key_refused(r, ERR_STORE);
	}
	file_write(r->key, bytes, KEY_BYTES);
	for (unsigned bit = 1; bit < 0100; bit <<= 1) {
		assert_int_equal(chmod(r->key, 0600 | bit), 0);
		assert_key_refused(r, ERR_PERMISSION);
	}
	assert_true(file_holds(r->key, "0123456789abcdef"));
	assert_int_equal(chmod(r->key, 0600), 0);

	snprintf(other, sizeof(other), "%s/other", r->dir);
	assert_int_equal(rename(r->key, other), 0);
	assert_int_equal(symlink(other, r->key), 0);
	assert_key_refused(r, ERR_STORE);
	assert_int_equal(unlink(r->key), 0);
	assert_int_equal(mkfifo(r->key, 0600), 0);
	assert_key_refused(r, ERR_STORE);
	assert_int_equal(unlink(r->key), 0);
	assert_int_equal(mkdir(r->key, 0700), 0);
	assert_key_refused(r, ERR_STORE);
}

static void a_key_of_someone_else_is_refused(void **state)
{
	struct room *r = *state;

	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	file_write(r->key, "0123456789abcdef0123456789abcdef", KEY_BYTES);
	assert_int_equal(chown(r->key, 1, 1), 0);
	assert_key_refused(r, ERR_WRONG_OWNER);
}

/* --- in the store --------------------------------------------------------- */

static void keep_a_secret(struct room *r, const char *name, size_t vars)
{
	struct answer a = {0};

	add_source(r, name, secret_env, vars, &a);
	room_run(r);
	assert_int_equal(a.reason, ERR_NONE);
}

static void no_secret_needs_no_key(void **state)
{
	struct room *r = *state;
	struct listing l;

	room_open(r);
	keep_a_secret(r, "one", 0);
	list_sources(r, &l);
	assert_int_equal(l.odd, 0);
	assert_int_equal(file_mode(r->key), -1);
}

static void a_source_whose_key_is_lost_is_handed_up_with_the_reason(void **s)
{
	struct room *r = *s;
	struct listing l;

	room_open(r);
	keep_a_secret(r, "plain", 0);
	keep_a_secret(r, "one", 1);
	assert_int_equal(unlink(r->key), 0);
	list_sources(r, &l);
	assert_string_equal(l.names, "plain one ");
	assert_int_equal(l.end.reason, ERR_NONE);
	assert_int_equal(l.odd, 1);
	assert_int_equal(l.why.reason, ERR_STORE);
	assert_non_null(strstr(l.why.text, r->key));
	assert_null(strstr(l.why.text, secret_env[0].value));
	/* Reading makes no key. */
	assert_int_equal(file_mode(r->key), -1);
	/* Adding does; what was sealed with the old one stays shut. */
	keep_a_secret(r, "two", 1);
	list_sources(r, &l);
	assert_string_equal(l.names, "plain one two ");
	assert_int_equal(l.odd, 1);
	assert_int_equal(l.why.reason, ERR_STORE);
	assert_non_null(strstr(l.why.text, r->key));
}

static void a_secret_opens_for_its_own_source_only(void **state)
{
	struct room *r = *state;
	struct listing l;

	room_open(r);
	keep_a_secret(r, "one", 1);
	keep_a_secret(r, "two", 1);
	assert_int_equal(
		sqlite3_exec(r->store->db,
			     "UPDATE source SET env ="
			     " (SELECT env FROM source WHERE name = 'one')"
			     " WHERE name = 'two'",
			     NULL, NULL, NULL),
		SQLITE_OK);
	list_sources(r, &l);
	assert_string_equal(l.names, "one two ");
	assert_int_equal(l.odd, 1);
}

static void a_key_put_back_opens_again(void **state)
{
	struct room *r = *state;
	struct listing l;
	struct buf key;

	room_open(r);
	keep_a_secret(r, "one", 1);
	key = file_read(r->key);
	assert_int_equal(unlink(r->key), 0);
	list_sources(r, &l);
	assert_int_equal(l.odd, 1);
	file_write(r->key, key.data, key.len);
	buf_finish(&key);
	list_sources(r, &l);
	assert_int_equal(l.odd, 0);
}

static void a_secret_that_cannot_be_sealed_is_not_kept(void **state)
{
	struct room *r = *state;
	struct answer a[2] = {0};
	struct listing l;

	room_open(r);
	file_write(r->key, "short", 5);
	add_source(r, "one", secret_env, 1, &a[0]);
	add_source(r, "two", NULL, 0, &a[1]);
	assert_int_equal(a[0].calls, 0);
	room_run(r);
	assert_int_equal(a[0].calls, 1);
	assert_int_equal(a[0].reason, ERR_STORE);
	assert_non_null(strstr(a[0].text, r->key));
	assert_int_equal(a[1].reason, ERR_NONE);
	list_sources(r, &l);
	assert_string_equal(l.names, "two ");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		room_test(what_was_sealed_opens),
		room_test(an_empty_value_opens_too),
		room_test(the_same_value_is_never_sealed_alike),
		room_test(any_changed_bit_is_refused),
		room_test(any_shorter_value_is_refused),
		room_test(another_bound_or_key_is_refused),
		room_test(a_value_too_large_is_not_sealed),
		room_test(a_module_that_cannot_be_loaded_is_named),
		room_test(a_program_without_its_module_says_so),
		room_test(a_key_is_made_once_and_for_its_owner),
		room_test(a_key_that_is_no_good_is_refused_and_kept),
		room_test(a_key_of_someone_else_is_refused),
		room_test(no_secret_needs_no_key),
		room_test(
			a_source_whose_key_is_lost_is_handed_up_with_the_reason),
		room_test(a_secret_opens_for_its_own_source_only),
		room_test(a_key_put_back_opens_again),
		room_test(a_secret_that_cannot_be_sealed_is_not_kept),
	};

	if (argc == 3 && strcmp(argv[1], "--seal") == 0)
		return seal_or_say(argv[2]);
	return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
