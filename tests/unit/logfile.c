/* logfile: a child that writes for ever fills two files and no more. */
#include "server/upstream/logfile.h"

#include "tests/support/den.h"

#include <sys/stat.h>

static off_t size_of(const struct den *d, const char *name)
{
	struct stat st;

	return stat(den_path(d, name), &st) == 0 ? st.st_size : -1;
}

static void it_rotates_and_stays_bounded(void **state)
{
	static char bytes[100 << 10];
	struct den *d = *state;
	struct logfile l;

	memset(bytes, 'x', sizeof(bytes));
	logfile_init(&l, den_path(d, "log"));
	for (int second = 0; second < 35; second++)
		logfile_write(&l, (struct slice){bytes, sizeof(bytes)}, second);
	logfile_finish(&l);
	assert_int_equal(size_of(d, "log.1"), LOGFILE_BYTES);
	assert_int_equal(size_of(d, "log"),
			 35 * sizeof(bytes) - 3 * LOGFILE_BYTES);
	assert_int_equal(size_of(d, "log.2"), -1);
	/* What is there already counts. */
	logfile_init(&l, den_path(d, "log"));
	for (int second = 0; second < 10; second++)
		logfile_write(&l, (struct slice){bytes, sizeof(bytes)}, second);
	logfile_finish(&l);
	assert_true(size_of(d, "log") <= LOGFILE_BYTES);
}

static void a_flood_is_cut_to_so_much_a_second(void **state)
{
	static char bytes[LOGFILE_BYTES];
	struct den *d = *state;
	struct logfile l;

	memset(bytes, 'x', sizeof(bytes));
	logfile_init(&l, den_path(d, "log"));
	logfile_write(&l, slice_of("first\n"), 7);
	logfile_write(&l, (struct slice){bytes, sizeof(bytes)}, 7);
	logfile_write(&l, slice_of("lost\n"), 7);
	assert_int_equal(size_of(d, "log"), LOGFILE_BYTES);
	logfile_write(&l, slice_of("next\n"), 8);
	logfile_finish(&l);
	assert_true(den_holds(d, "log", "\n[11 bytes left out]\nnext\n"));
	assert_false(den_holds(d, "log", "lost"));
}

static void its_end_can_be_read(void **state)
{
	struct den *d = *state;
	struct logfile l;
	char text[8];

	assert_int_equal(logfile_tail(den_path(d, "log"), text, 8), 0);
	logfile_init(&l, den_path(d, "log"));
	assert_int_equal(logfile_tail(den_path(d, "log"), text, 8), 0);
	logfile_write(&l, slice_of("12345"), 1);
	assert_int_equal(logfile_tail(den_path(d, "log"), text, 8), 5);
	assert_memory_equal(text, "12345", 5);
	logfile_write(&l, slice_of("67890"), 1);
	assert_int_equal(logfile_tail(den_path(d, "log"), text, 8), 8);
	assert_memory_equal(text, "34567890", 8);
	logfile_finish(&l);
	assert_int_equal(logfile_tail(d->dir, text, 8), 0);
}

static void without_a_file_everything_is_dropped(void **state)
{
	struct den *d = *state;
	struct logfile l;

	logfile_init(&l, NULL);
	logfile_write(&l, slice_of("x"), 0);
	logfile_finish(&l);
	logfile_init(&l, den_path(d, "no/such/dir/log"));
	logfile_write(&l, slice_of("x"), 0);
	logfile_finish(&l);
	/* A link may lead anywhere. */
	assert_int_equal(symlink("target", den_path(d, "log")), 0);
	logfile_init(&l, den_path(d, "log"));
	logfile_write(&l, slice_of("x"), 0);
	logfile_finish(&l);
	assert_int_equal(size_of(d, "target"), -1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, den_setup, den_teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_rotates_and_stays_bounded),
		TEST(a_flood_is_cut_to_so_much_a_second),
		TEST(its_end_can_be_read),
		TEST(without_a_file_everything_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
