#include "election/owner.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "election/address.h"
#include "election/breaker.h"
#include "election/plat.h"
#include "election/ready.h"
#include "tests/support/datadir.h"

static struct place place;

static int make_place(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	place_make(&place);
	return 0;
}

static int end_place(void **state)
{
	(void)state;
	return place_end(&place);
}

/* --- an owner in this process -------------------------------------------- */

struct pipe_ends {
	int starter;
	int candidate;
};

static struct pipe_ends make_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	return (struct pipe_ends){ends[0], ends[1]};
}

/* What the starter reads until now; its end when that is the end. */
static const char *heard(struct pipe_ends *p, bool *ended)
{
	static char text[4096];
	size_t len = 0;
	ssize_t got;

	while ((got = read(p->starter, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	if (ended)
		*ended = got == 0;
	return text;
}

static struct owner *take(int ready_fd)
{
	struct election_error e = {.code = "", .why = ""};
	struct owner *o = NULL;
	int64_t wait_ms;

	enum owner_outcome outcome =
		owner_take(&o, place.dir, ready_fd, &wait_ms, &e);
	assert_string_equal(e.why, "");
	assert_int_equal(outcome, OWNER_WON);
	assert_int_equal(wait_ms, 0);
	return o;
}

static void is_refused(int ready_fd, enum owner_outcome outcome,
		       const char *code, struct election_error *e)
{
	struct owner *o = NULL;
	int64_t wait_ms;

	assert_int_equal(owner_take(&o, place.dir, ready_fd, &wait_ms, e),
			 outcome);
	assert_null(o);
	assert_string_equal(e->code, code);
	assert_non_null(strstr(e->why, place.dir));
}

static int publish(struct owner *o, struct manifest *m, uint64_t epoch)
{
	struct election_error e = {.code = "", .why = ""};

	*m = (struct manifest){.epoch = epoch,
			       .instance = {1, 2, 3},
			       .protocol_min = 1,
			       .protocol_max = 2,
			       .version = "0.1.0"};
	int listener = owner_listen(o, epoch, &e);
	assert_string_equal(e.why, "");
	assert_true(listener >= 0);
	bool published = owner_publish(o, m, &e);
	assert_string_equal(e.why, "");
	assert_true(published);
	return listener;
}

static bool can_connect(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(to.sun_path));
	strcpy(to.sun_path, path);
	bool done = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
	close(fd);
	return done;
}

static bool read_manifest(struct manifest *m)
{
	int fd = open(place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = manifest_read(fd, m);

	close(fd);
	return found;
}

static bool is_readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) == 1;
}

static void remove_at(const char *name)
{
	char path[PATH_MAX];

	place_path(&place, name, path);
	assert_int_equal(remove(path), 0);
}

/* --- taking -------------------------------------------------------------- */

static void the_first_wins_and_the_second_loses(void **state)
{
	struct pipe_ends first = make_pipe();
	struct pipe_ends second = make_pipe();
	struct election_error e;
	bool ended;

	(void)state;
	struct owner *o = take(first.candidate);
	assert_string_equal(heard(&first, &ended), "W starting\n");
	assert_false(ended);
	is_refused(second.candidate, OWNER_LOST, "already_exists", &e);
	assert_string_equal(heard(&second, &ended), "L\n");
	assert_true(ended);
	owner_free(o);
	/* The lock goes with the process, and with nothing else. */
	is_refused(-1, OWNER_LOST, "already_exists", &e);
	close(first.starter);
	close(second.starter);
}

static void the_lock_goes_with_its_holder(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		struct election_error e;
		struct owner *o;
		int64_t wait_ms;

		owner_take(&o, place.dir, -1, &wait_ms, &e);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(place_has(&place, "owner.lock"));
	/* It never became ready: the next one waits, then may. */
	remove_at("run/boot");
	owner_free(take(-1));
}

static void ready_is_the_end_of_the_pipe(void **state)
{
	struct pipe_ends p = make_pipe();
	struct manifest m;
	bool ended;

	(void)state;
	struct owner *o = take(p.candidate);
	assert_true(place_has(&place, "run/boot"));
	owner_progress(o, "migrating");
	int listener = publish(o, &m, 1);
	owner_ready(o);
	assert_string_equal(heard(&p, &ended), "W starting\nW migrating\nR\n");
	assert_true(ended);
	assert_false(place_has(&place, "run/boot"));
	owner_unpublish(o);
	owner_free(o);
	close(listener);
	close(p.starter);
}

static void why_it_failed_is_told_and_remembered(void **state)
{
	struct election_error e = {.code = "store",
				   .why = "executor.db is newer than this"};
	struct pipe_ends p = make_pipe();
	char boot[1024];
	bool ended;

	(void)state;
	struct owner *o = take(p.candidate);
	owner_fail(o, &e);
	assert_string_equal(heard(&p, &ended),
			    "W starting\nF store executor.db is newer than "
			    "this\n");
	assert_true(ended);
	place_get(&place, "run/boot", boot, sizeof(boot));
	assert_non_null(strstr(boot, "failures 1\n"));
	assert_non_null(strstr(boot, "cause executor.db is newer than this\n"));
	owner_free(o);
	close(p.starter);
}

static void a_starter_that_died_does_no_harm(void **state)
{
	struct pipe_ends p = make_pipe();
	struct manifest m;

	(void)state;
	struct owner *o = take(p.candidate);
	close(p.starter);
	owner_progress(o, "migrating");
	int listener = publish(o, &m, 1);
	owner_ready(o);
	assert_true(can_connect(owner_socket(o)));
	owner_unpublish(o);
	owner_free(o);
	close(listener);
}

static void a_starter_that_does_not_read_does_not_hold_it_up(void **state)
{
	struct pipe_ends p = make_pipe();

	(void)state;
	struct owner *o = take(p.candidate);
	for (int i = 0; i < 10000; i++)
		owner_progress(o, "at work");
	owner_ready(o);
	owner_free(o);
	close(p.starter);
}

static void an_open_breaker_says_how_long_and_why(void **state)
{
	int64_t now = plat_boottime_ms();
	struct pipe_ends p = make_pipe();
	struct election_error e;
	struct breaker b;
	struct owner *o = NULL;
	char boot_id[PLAT_BOOT_ID_BYTES];
	char run[PATH_MAX];
	int64_t wait_ms;
	bool ended;

	(void)state;
	place_path(&place, "run", run);
	int run_fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	plat_boot_id(boot_id);
	breaker_read(&b, run_fd, boot_id, now);
	for (int i = 0; i < BREAKER_STARTS; i++)
		assert_true(breaker_begin(&b, run_fd, run, now, &e));
	breaker_blame(&b, run_fd, run, "the disk is on fire");
	assert_int_equal(owner_take(&o, place.dir, p.candidate, &wait_ms, &e),
			 OWNER_RESTING);
	assert_string_equal(e.code, "crash_loop");
	assert_true(wait_ms > 20000 && wait_ms <= 40000);
	assert_non_null(strstr(e.why, "the disk is on fire"));
	assert_non_null(strstr(e.why, "logs/executord.log"));
	const char *text = heard(&p, &ended);
	assert_true(ended);
	assert_true(strncmp(text, "W starting\nB ", 13) == 0);
	assert_non_null(strstr(text, "the disk is on fire"));
	/* It was not a start, and the lock is free. */
	breaker_read(&b, run_fd, boot_id, now);
	assert_int_equal(b.failures, BREAKER_STARTS);
	breaker_end(&b, run_fd);
	owner_free(take(-1));
	close(run_fd);
	close(p.starter);
}

static void odd_files_are_refused_not_followed(void **state)
{
	struct election_error e;
	char path[PATH_MAX];
	char bait[PATH_MAX];

	(void)state;
	place_path(&place, "owner.lock", path);
	place_path(&place, "bait", bait);
	place_put(&place, "bait", "untouched");
	assert_int_equal(mkfifo(path, 0600), 0);
	is_refused(-1, OWNER_FAILED, "io_error", &e);
	remove_at("owner.lock");
	assert_int_equal(mkdir(path, 0700), 0);
	is_refused(-1, OWNER_FAILED, "io_error", &e);
	remove_at("owner.lock");
	assert_int_equal(symlink("bait", path), 0);
	is_refused(-1, OWNER_FAILED, "io_error", &e);
	assert_non_null(strstr(e.why, "owner.lock"));
	remove_at("owner.lock");
	place_get(&place, "bait", path, sizeof(path));
	assert_string_equal(path, "untouched");
}

static void noise_in_control_files_is_replaced(void **state)
{
	struct manifest m;
	char path[PATH_MAX];
	char text[64];

	(void)state;
	place_put(&place, "bait", "untouched");
	place_put(&place, "owner.lock", "\xff\xfe noise");
	place_put(&place, "run/boot", "boot_id x\nfailures 99999999\n");
	place_path(&place, "run/manifest", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	place_path(&place, "run/executor.sock", path);
	assert_int_equal(symlink("../bait", path), 0);
	place_path(&place, "run/manifest.new", path);
	assert_int_equal(symlink("../bait", path), 0);
	struct owner *o = take(-1);
	int listener = publish(o, &m, 9);
	owner_ready(o);
	assert_true(read_manifest(&m));
	assert_int_equal(m.epoch, 9);
	assert_true(can_connect(owner_link(o)));
	place_get(&place, "bait", text, sizeof(text));
	assert_string_equal(text, "untouched");
	owner_unpublish(o);
	owner_free(o);
	close(listener);
}

static void a_directory_in_the_manifests_place_is_told(void **state)
{
	struct election_error e;
	char path[PATH_MAX];

	(void)state;
	place_path(&place, "run/manifest", path);
	assert_int_equal(mkdir(path, 0700), 0);
	is_refused(-1, OWNER_FAILED, "io_error", &e);
	assert_non_null(strstr(e.why, "run/manifest"));
}

/* --- being found --------------------------------------------------------- */

static void what_is_published_leads_to_the_socket(void **state)
{
	struct manifest m;
	struct manifest found;
	struct stat st;
	char text[1024];

	(void)state;
	struct owner *o = take(-1);
	int listener = publish(o, &m, 7);
	assert_true(read_manifest(&found));
	assert_int_equal(found.epoch, 7);
	assert_int_equal(found.pid, getpid());
	assert_memory_equal(found.instance, m.instance, MANIFEST_ID_BYTES);
	assert_string_equal(found.socket, owner_socket(o));
	assert_int_equal(lstat(found.socket, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(can_connect(found.socket));
	assert_true(can_connect(owner_link(o)));
	place_get(&place, "owner.lock", text, sizeof(text));
	assert_non_null(strstr(text, "phase starting\n"));
	owner_unpublish(o);
	assert_false(read_manifest(&found));
	assert_false(place_has(&place, "run/executor.sock"));
	assert_int_equal(lstat(m.socket, &st), -1);
	assert_true(place_has(&place, "owner.lock"));
	owner_free(o);
	close(listener);
}

static void one_that_stays_after_all_is_found_again(void **state)
{
	struct manifest m;

	(void)state;
	struct owner *o = take(-1);
	int first = publish(o, &m, 7);
	owner_unpublish(o);
	int second = publish(o, &m, 7);
	assert_true(read_manifest(&m));
	assert_true(can_connect(m.socket));
	assert_true(can_connect(owner_link(o)));
	assert_int_equal(owner_check(o), OWNER_STILL);
	owner_unpublish(o);
	owner_free(o);
	close(first);
	close(second);
}

static void what_the_dead_left_is_swept(void **state)
{
	char path[PATH_MAX];

	(void)state;
	place_path(&place, "run/s", path);
	assert_int_equal(mkdir(path, 0700), 0);
	place_put(&place, "run/s/1-00000000.sock", "");
	place_put(&place, "run/s/2-00000000.sock", "");
	place_put(&place, "run/s/keep", "");
	place_put(&place, "run/manifest", "epoch 2\n");
	struct owner *o = take(-1);
	assert_false(place_has(&place, "run/s/1-00000000.sock"));
	assert_false(place_has(&place, "run/s/2-00000000.sock"));
	assert_true(place_has(&place, "run/s/keep"));
	assert_false(place_has(&place, "run/manifest"));
	owner_free(o);
}

static void a_long_path_has_its_socket_elsewhere(void **state)
{
	struct manifest m;
	struct stat st;
	size_t len = strlen(place.dir);

	(void)state;
	memset(place.dir + len, 'x', 200);
	place.dir[len + 4] = '/';
	place.dir[len + 200] = '\0';
	char *made = NULL;
	struct election_error e;
	made = datadir_resolve(place.dir, true, &e);
	assert_non_null(made);
	free(made);
	struct owner *o = take(-1);
	int listener = publish(o, &m, 1);
	assert_true(read_manifest(&m));
	assert_true(strncmp(m.socket, place.top, strlen(place.top)) != 0);
	assert_true(can_connect(m.socket));
	/* The link is there too, though too long to be connected to. */
	assert_int_equal(stat(owner_link(o), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(owner_check(o), OWNER_STILL);
	owner_unpublish(o);
	assert_int_equal(lstat(m.socket, &st), -1);
	owner_free(o);
	close(listener);
	/* The directory may be another one's, too: then it stays. */
	*strrchr(m.socket, '/') = '\0';
	assert_int_equal(lstat(m.socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	rmdir(m.socket);
}

static void a_manifest_that_cannot_be_written_is_told(void **state)
{
	struct manifest m = {.epoch = 3,
			     .protocol_min = 1,
			     .protocol_max = 1,
			     .version = "0.1.0"};
	struct election_error e;
	char path[PATH_MAX];

	(void)state;
	struct owner *o = take(-1);
	int listener = owner_listen(o, 3, &e);
	assert_true(listener >= 0);
	place_path(&place, "run/manifest.new", path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(owner_publish(o, &m, &e));
	assert_string_equal(e.code, "io_error");
	assert_non_null(strstr(e.why, "run/manifest"));
	assert_int_equal(rmdir(path), 0);
	strcpy(m.version, "0\n1");
	assert_false(owner_publish(o, &m, &e));
	assert_string_equal(e.code, "invalid_argument");
	owner_unpublish(o);
	owner_free(o);
	close(listener);
}

/* --- being deposed ------------------------------------------------------- */

static void at_rest_nothing_wakes_an_owner(void **state)
{
	struct manifest m;

	(void)state;
	struct owner *o = take(-1);
	int listener = publish(o, &m, 1);
	owner_ready(o);
	assert_int_equal(owner_check(o), OWNER_STILL);
	assert_false(is_readable(owner_watch_fd(o)));
	place_put(&place, "owner.lock", "scribble");
	assert_false(is_readable(owner_watch_fd(o)));
	owner_unpublish(o);
	owner_free(o);
	close(listener);
}

static void a_manifest_that_vanished_is_put_back(void **state)
{
	struct manifest m;

	(void)state;
	struct owner *o = take(-1);
	int listener = publish(o, &m, 1);
	owner_check(o);
	remove_at("run/manifest");
	assert_true(is_readable(owner_watch_fd(o)));
	assert_int_equal(owner_check(o), OWNER_STILL);
	assert_true(read_manifest(&m));
	place_put(&place, "run/forged", "epoch 9\n");
	char from[PATH_MAX];
	char to[PATH_MAX];
	place_path(&place, "run/forged", from);
	place_path(&place, "run/manifest", to);
	assert_int_equal(rename(from, to), 0);
	remove_at("run/executor.sock");
	assert_int_equal(owner_check(o), OWNER_STILL);
	assert_true(read_manifest(&m));
	assert_int_equal(m.epoch, 1);
	assert_true(can_connect(owner_link(o)));
	assert_int_equal(owner_check(o), OWNER_STILL);
	assert_false(is_readable(owner_watch_fd(o)));
	owner_unpublish(o);
	owner_free(o);
	close(listener);
}

static void a_replaced_lock_deposes(void **state)
{
	struct manifest m;
	struct manifest next;

	(void)state;
	struct owner *o = take(-1);
	int listener = publish(o, &m, 1);
	owner_ready(o);
	owner_check(o);
	remove_at("owner.lock");
	assert_true(is_readable(owner_watch_fd(o)));
	assert_int_equal(owner_check(o), OWNER_DEPOSED);
	/* Another one takes the new file; it must lose nothing to us. */
	struct owner *successor = take(-1);
	int other = publish(successor, &next, 2);
	assert_int_equal(owner_check(o), OWNER_DEPOSED);
	owner_unpublish(o);
	assert_true(read_manifest(&next));
	assert_int_equal(next.epoch, 2);
	assert_true(can_connect(owner_link(successor)));
	assert_int_equal(owner_check(successor), OWNER_STILL);
	owner_free(o);
	owner_unpublish(successor);
	owner_free(successor);
	close(listener);
	close(other);
}

static void a_removed_socket_deposes(void **state)
{
	struct manifest m;

	(void)state;
	struct owner *o = take(-1);
	int listener = publish(o, &m, 1);
	owner_check(o);
	assert_int_equal(unlink(m.socket), 0);
	assert_true(is_readable(owner_watch_fd(o)));
	assert_int_equal(owner_check(o), OWNER_DEPOSED);
	owner_unpublish(o);
	owner_free(o);
	close(listener);
}

static void a_moved_directory_deposes(void **state)
{
	struct manifest m;
	char away[PATH_MAX];

	(void)state;
	struct owner *o = take(-1);
	int listener = publish(o, &m, 1);
	owner_check(o);
	snprintf(away, sizeof(away), "%s.away", place.dir);
	assert_int_equal(rename(place.dir, away), 0);
	assert_true(is_readable(owner_watch_fd(o)));
	assert_int_equal(owner_check(o), OWNER_DEPOSED);
	assert_int_equal(mkdir(place.dir, 0700), 0);
	assert_int_equal(owner_check(o), OWNER_DEPOSED);
	owner_unpublish(o);
	owner_free(o);
	close(listener);
}

/* --- the breaker --------------------------------------------------------- */

static void failures_in_a_row_wait_longer_and_longer(void **state)
{
	struct breaker b = {0};
	int64_t now = 1000000;

	(void)state;
	assert_int_equal(breaker_wait_ms(&b, now, 0), 0);
	for (b.failures = 1; b.failures < 20; b.failures++) {
		int64_t base = (int64_t)250 << (b.failures - 1);

		if (base > 30000)
			base = 30000;
		b.start_ms[0] = now;
		assert_int_equal(breaker_wait_ms(&b, now, 0), base * 3 / 4);
		assert_int_equal(breaker_wait_ms(&b, now, 255),
				 base * 3 / 4 + base / 2);
		assert_int_equal(breaker_wait_ms(&b, now + base * 3 / 4, 0), 0);
	}
}

static void six_starts_within_a_minute_open_it(void **state)
{
	struct breaker b = {.failures = BREAKER_STARTS};
	int64_t now = 1000000;

	(void)state;
	b.start_ms[0] = now;
	b.start_ms[BREAKER_STARTS - 1] = now - 59999;
	assert_int_equal(breaker_wait_ms(&b, now, 0), 30000);
	assert_int_equal(breaker_wait_ms(&b, now + 29999, 0), 1);
	assert_int_equal(breaker_wait_ms(&b, now + 30000, 0), 0);
	b.start_ms[BREAKER_STARTS - 1] = now - 60000;
	assert_int_equal(breaker_wait_ms(&b, now, 0), 6000);
}

static void the_record_survives_and_another_boot_forgets(void **state)
{
	struct election_error e;
	struct breaker b;
	char run[PATH_MAX];

	(void)state;
	place_path(&place, "run", run);
	int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	breaker_read(&b, fd, "this-boot", 5000);
	assert_int_equal(b.failures, 0);
	assert_true(breaker_begin(&b, fd, run, 5000, &e));
	assert_true(breaker_begin(&b, fd, run, 6000, &e));
	breaker_blame(&b, fd, run, "two\nlines");
	breaker_read(&b, fd, "this-boot", 7000);
	assert_int_equal(b.failures, 2);
	assert_int_equal(b.start_ms[0], 6000);
	assert_int_equal(b.start_ms[1], 5000);
	assert_string_equal(b.cause, "two");
	/* A clock that stands before the record is not the record's. */
	breaker_read(&b, fd, "this-boot", 5999);
	assert_int_equal(b.failures, 0);
	breaker_read(&b, fd, "another-boot", 7000);
	assert_int_equal(b.failures, 0);
	assert_string_equal(b.boot_id, "another-boot");
	breaker_end(&b, fd);
	assert_false(place_has(&place, "run/boot"));
	close(fd);
}

static void a_damaged_record_is_no_record(void **state)
{
	static const char whole[] = "boot_id b\nfailures 2\n"
				    "starts 6 5 0 0 0 0\ncause x\n";
	struct breaker b;
	char run[PATH_MAX];
	char text[sizeof(whole)];

	(void)state;
	place_path(&place, "run", run);
	int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place_put(&place, "run/boot", whole);
	breaker_read(&b, fd, "b", 10);
	assert_int_equal(b.failures, 2);
	for (size_t len = 0; len + 1 < sizeof(whole); len++) {
		memcpy(text, whole, len);
		text[len] = '\0';
		place_put(&place, "run/boot", text);
		breaker_read(&b, fd, "b", 10);
		assert_int_equal(b.failures, 0);
		assert_string_equal(b.boot_id, "b");
	}
	place_put(&place, "run/boot",
		  "boot_id b\nfailures -1\nstarts 1\ncause \n");
	breaker_read(&b, fd, "b", 10);
	assert_int_equal(b.failures, 0);
	close(fd);
}

/* --- lines of the ready pipe --------------------------------------------- */

static void lines_are_read_back(void **state)
{
	struct ready_line line;

	(void)state;
	assert_true(ready_parse("L", &line));
	assert_int_equal(line.kind, READY_LOST);
	assert_true(ready_parse("R", &line));
	assert_int_equal(line.kind, READY_READY);
	assert_true(ready_parse("W migrating", &line));
	assert_int_equal(line.kind, READY_WON);
	assert_string_equal(line.error.why, "migrating");
	assert_true(ready_parse("B 1500 seven times", &line));
	assert_int_equal(line.kind, READY_BREAKER);
	assert_int_equal(line.wait_ms, 1500);
	assert_string_equal(line.error.why, "seven times");
	assert_true(ready_parse("B 99999999999999999999", &line));
	assert_true(line.wait_ms <= 60000);
	assert_true(ready_parse("F no_space the disk is full", &line));
	assert_int_equal(line.kind, READY_FAILED);
	assert_string_equal(line.error.code, "no_space");
	assert_string_equal(line.error.why, "the disk is full");
	assert_true(ready_parse("F unheard_of x", &line));
	assert_string_equal(line.error.code, "internal");
}

static void other_lines_are_skipped(void **state)
{
	const char *lines[] = {"",    " ",    "X",    "Lost", "R2",  "B",
			       "B x", "B -1", "B 5x", "F",    "F  x"};
	struct ready_line line;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(ready_parse(lines[i], &line));
}

#define WITH_PLACE(test)                                                       \
	cmocka_unit_test_setup_teardown(test, make_place, end_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(the_first_wins_and_the_second_loses),
		WITH_PLACE(the_lock_goes_with_its_holder),
		WITH_PLACE(ready_is_the_end_of_the_pipe),
		WITH_PLACE(why_it_failed_is_told_and_remembered),
		WITH_PLACE(a_starter_that_died_does_no_harm),
		WITH_PLACE(a_starter_that_does_not_read_does_not_hold_it_up),
		WITH_PLACE(an_open_breaker_says_how_long_and_why),
		WITH_PLACE(odd_files_are_refused_not_followed),
		WITH_PLACE(noise_in_control_files_is_replaced),
		WITH_PLACE(a_directory_in_the_manifests_place_is_told),
		WITH_PLACE(what_is_published_leads_to_the_socket),
		WITH_PLACE(one_that_stays_after_all_is_found_again),
		WITH_PLACE(what_the_dead_left_is_swept),
		WITH_PLACE(a_long_path_has_its_socket_elsewhere),
		WITH_PLACE(a_manifest_that_cannot_be_written_is_told),
		WITH_PLACE(at_rest_nothing_wakes_an_owner),
		WITH_PLACE(a_manifest_that_vanished_is_put_back),
		WITH_PLACE(a_replaced_lock_deposes),
		WITH_PLACE(a_removed_socket_deposes),
		WITH_PLACE(a_moved_directory_deposes),
		cmocka_unit_test(failures_in_a_row_wait_longer_and_longer),
		cmocka_unit_test(six_starts_within_a_minute_open_it),
		WITH_PLACE(the_record_survives_and_another_boot_forgets),
		WITH_PLACE(a_damaged_record_is_no_record),
		cmocka_unit_test(lines_are_read_back),
		cmocka_unit_test(other_lines_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
