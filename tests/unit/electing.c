/* Finding the owner of a data directory, and starting one: with real locks,
 * real forks and the candidate of tests/support. */
#include "election/election.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/support/datadir.h"

enum {
	/* Nothing here takes long; what hangs must fail, not hang. */
	BOUND_MS = 20000,
	HELLO_MS = 300,
	RACERS = 12,
};

static struct place place;

/* In front of libc's: a system that has no inotify instance left. */
static bool no_inotify;

int inotify_init1(int flags)
{
	if (no_inotify) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_inotify_init1, flags);
}

static int make_place(void **state)
{
	(void)state;
	place_make(&place);
	no_inotify = false;
	return 0;
}

static int end_place(void **state)
{
	(void)state;
	return place_end(&place);
}

/* --- a client ------------------------------------------------------------ */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct election *begin(const char *candidate, bool may_start)
{
	struct election_error e;
	struct election_options options = {place.dir, candidate, may_start};

	return election_new(&options, &e);
}

static struct election *begin_client(void)
{
	struct election *el = begin(TEST_CANDIDATE, true);

	assert_non_null(el);
	return el;
}

/* Connect, say hello, compare the instance.  The connection, or -1. */
static int say_hello(const struct manifest *m, enum election_refusal *how)
{
	struct timeval bound = {0, HELLO_MS * 1000};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	unsigned char instance[MANIFEST_ID_BYTES];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*how = ELECTION_GONE;
	memcpy(to.sun_path, m->socket, sizeof(to.sun_path));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    send(fd, "h", 1, MSG_NOSIGNAL) != 1)
		goto refused;
	ssize_t got = recv(fd, instance, sizeof(instance), MSG_WAITALL);
	if (got < 0 && errno == EAGAIN)
		*how = ELECTION_SILENT;
	if (got != sizeof(instance))
		goto refused;
	*how = ELECTION_OTHER;
	if (memcmp(instance, m->instance, sizeof(instance)) == 0)
		return fd;
refused:
	close(fd);
	return -1;
}

/* What a loop does with an election, until `enough` says so.  False: it took
 * far too long. */
static bool run(struct election *el,
		bool (*enough)(struct election *el, enum election_want want))
{
	int64_t end = now_ms() + BOUND_MS;

	while (now_ms() < end) {
		enum election_want want = election_step(el, now_ms());
		enum election_refusal how;
		struct pollfd p = {election_fd(el), POLLIN, 0};

		if (want == ELECTION_ATTACH) {
			int fd = say_hello(election_manifest(el), &how);

			if (fd >= 0)
				election_attached(el);
			else
				election_refused(el, how, "tried in vain",
						 now_ms());
			if (fd >= 0)
				close(fd);
		}
		if (enough(el, want))
			return true;
		if (want == ELECTION_ATTACH)
			continue;
		int64_t left = election_deadline_ms(el) - now_ms();
		if (election_deadline_ms(el) < 0 || left > end - now_ms())
			left = end - now_ms();
		poll(&p, 1, left > 0 ? (int)left : 0);
	}
	return false;
}

static bool is_idle(struct election *el, enum election_want want)
{
	(void)el;
	return want == ELECTION_IDLE;
}

static bool has_started_one(struct election *el, enum election_want want)
{
	(void)want;
	return election_started(el) > 0;
}

static bool was_told_by_candidate(struct election *el, enum election_want want)
{
	(void)want;
	return strstr(election_trouble(el)->why, "executord") != NULL &&
	       strcmp(election_trouble(el)->code, "daemon_starting") != 0;
}

static bool is_crash_loop(struct election *el, enum election_want want)
{
	(void)want;
	return strcmp(election_trouble(el)->code, "crash_loop") == 0;
}

static bool is_stopped(struct election *el, enum election_want want)
{
	(void)want;
	return strcmp(election_trouble(el)->code, "daemon_stopped") == 0;
}

static bool is_lost_to_another(struct election *el, enum election_want want)
{
	(void)want;
	return strstr(election_trouble(el)->why, "owner.lock") != NULL;
}

static struct election *attach(void)
{
	struct election *el = begin_client();

	assert_true(run(el, is_idle));
	return el;
}

static long owner_pid(const struct election *el)
{
	return (long)election_manifest(el)->pid;
}

/* --- finding and starting ------------------------------------------------ */

static void the_first_client_starts_the_daemon(void **state)
{
	(void)state;
	struct election *el = attach();
	assert_int_equal(election_started(el), 1);
	assert_int_equal(election_manifest(el)->epoch, 1);
	assert_int_equal(place_lines(&place, "winners"), 1);
	election_free(el);
}

static void the_next_client_starts_none(void **state)
{
	(void)state;
	struct election *first = attach();
	struct election *second = attach();
	assert_int_equal(election_started(second), 0);
	assert_int_equal(election_manifest(second)->epoch, 1);
	election_free(first);
	election_free(second);
}

static void while_attached_nothing_wakes_up(void **state)
{
	(void)state;
	struct election *el = attach();
	struct pollfd p = {election_fd(el), POLLIN, 0};
	assert_true(election_deadline_ms(el) == -1);
	place_put(&place, "run/anything", "");
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(election_step(el, now_ms()), ELECTION_IDLE);
	assert_true(election_deadline_ms(el) == -1);
	election_free(el);
}

/* In a process of its own: how a racer ends says whom it found. */
static int race(int barrier)
{
	char go;
	struct election *el = begin(TEST_CANDIDATE, true);

	if (!el || read(barrier, &go, 1) != 0 || !run(el, is_idle))
		return 100;
	int epoch = (int)election_manifest(el)->epoch;
	election_free(el);
	return epoch;
}

static void a_cold_race_elects_one(void **state)
{
	int barrier[2];
	pid_t racers[RACERS];

	(void)state;
	assert_int_equal(pipe(barrier), 0);
	for (int i = 0; i < RACERS; i++) {
		racers[i] = fork();
		assert_true(racers[i] >= 0);
		if (racers[i] == 0) {
			close(barrier[1]);
			_exit(race(barrier[0]));
		}
	}
	close(barrier[0]);
	close(barrier[1]);
	for (int i = 0; i < RACERS; i++) {
		int status;

		assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
	}
	assert_int_equal(place_lines(&place, "winners"), 1);
}

static void a_killed_owner_is_replaced(void **state)
{
	(void)state;
	struct election *el = attach();
	for (long epoch = 2; epoch < 5; epoch++) {
		place_kill(&place, owner_pid(el));
		election_lost(el, now_ms());
		assert_true(run(el, is_idle));
		assert_int_equal(election_manifest(el)->epoch, epoch);
	}
	assert_int_equal(place_lines(&place, "winners"), 4);
	/* From now on each loss comes too soon after the last. */
	unsigned started = election_started(el);
	place_kill(&place, owner_pid(el));
	election_lost(el, now_ms());
	assert_int_equal(election_step(el, now_ms()), ELECTION_WAIT);
	assert_int_equal(election_started(el), started);
	assert_true(run(el, is_idle));
	assert_int_equal(election_manifest(el)->epoch, 5);
	election_free(el);
}

static void an_owner_that_leaves_in_order_is_replaced(void **state)
{
	(void)state;
	struct election *el = attach();
	long pid = owner_pid(el);
	assert_int_equal(kill((pid_t)pid, SIGTERM), 0);
	while (place_owns(&place, pid))
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	assert_false(place_has(&place, "run/manifest"));
	election_lost(el, now_ms());
	assert_true(run(el, is_idle));
	assert_int_equal(election_manifest(el)->epoch, 2);
	election_free(el);
}

static void a_stale_manifest_leads_nowhere_and_harms_nobody(void **state)
{
	char text[PATH_MAX];

	(void)state;
	snprintf(text, sizeof(text),
		 "epoch 77\ninstance 000102030405060708090a0b0c0d0e0f\n"
		 "pid %d\nstart_ticks 1\nboot_id b\nhost h\n"
		 "socket %s/run/s/77-0.sock\nprotocol_min 1\nprotocol_max 1\n"
		 "version 0\nend 77\n",
		 (int)getpid(), place.dir);
	place_put(&place, "run/manifest", text);
	struct election *el = begin_client();
	assert_int_equal(election_step(el, now_ms()), ELECTION_ATTACH);
	assert_int_equal(election_manifest(el)->epoch, 77);
	assert_true(run(el, is_idle));
	assert_int_equal(election_manifest(el)->epoch, 1);
	election_free(el);
}

static void noise_in_control_files_is_survived(void **state)
{
	char path[PATH_MAX];

	(void)state;
	place_put(&place, "run/manifest", "{\"no\": \"manifest\"}");
	place_put(&place, "owner.lock", "\xff noise");
	place_path(&place, "spawn.lock", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	struct election *el = attach();
	assert_int_equal(election_manifest(el)->epoch, 1);
	election_free(el);
}

static void a_removed_directory_is_made_again(void **state)
{
	char command[PATH_MAX + 16];

	(void)state;
	struct election *el = attach();
	long pid = owner_pid(el);
	snprintf(command, sizeof(command), "rm -rf '%s'", place.dir);
	assert_int_equal(system(command), 0);
	/* The owner notices that it was deposed. */
	while (place_owns(&place, pid))
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	election_lost(el, now_ms());
	assert_true(run(el, is_idle));
	assert_true(owner_pid(el) != pid);
	assert_true(place_has(&place, "run/manifest"));
	election_free(el);
}

static void without_inotify_it_polls(void **state)
{
	(void)state;
	no_inotify = true;
	place_put(&place, "behave", "slow");
	struct election *first = begin_client();
	struct election *second = begin_client();
	assert_true(run(first, has_started_one));
	assert_int_equal(election_step(second, now_ms()), ELECTION_WAIT);
	int64_t left = election_deadline_ms(second) - now_ms();
	assert_true(left <= 500);
	assert_true(run(second, is_idle));
	assert_true(run(first, is_idle));
	assert_int_equal(place_lines(&place, "winners"), 1);
	election_free(first);
	election_free(second);
}

static void a_long_path_is_no_obstacle(void **state)
{
	struct election_error e;
	char socket_dir[MANIFEST_PATH_BYTES];
	size_t len = strlen(place.dir);

	(void)state;
	memset(place.dir + len, 'x', 150);
	place.dir[len + 4] = '/';
	place.dir[len + 150] = '\0';
	char *made = datadir_resolve(place.dir, true, &e);
	assert_non_null(made);
	free(made);
	struct election *el = attach();
	strcpy(socket_dir, election_manifest(el)->socket);
	assert_true(strncmp(socket_dir, place.top, strlen(place.top)) != 0);
	kill((pid_t)owner_pid(el), SIGTERM);
	while (place_owns(&place, owner_pid(el)))
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	assert_int_equal(access(socket_dir, F_OK), -1);
	*strrchr(socket_dir, '/') = '\0';
	rmdir(socket_dir); /* unless another one's socket is there */
	election_free(el);
}

/* Until pid is stopped. */
static void await_stop(long pid)
{
	char path[64];
	char text[512];

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	do {
		nanosleep(&(struct timespec){0, 1000000}, NULL);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		text[got > 0 ? got : 0] = '\0';
		if (fd >= 0)
			close(fd);
	} while (!strstr(text, ") T "));
}

/* --- candidates that do not make it -------------------------------------- */

static void a_candidate_that_dies_is_told_and_tried_again(void **state)
{
	(void)state;
	place_put(&place, "behave", "die");
	struct election *el = begin_client();
	assert_true(run(el, was_told_by_candidate));
	assert_string_equal(election_trouble(el)->code, "daemon_unreachable");
	assert_non_null(strstr(election_trouble(el)->why, "died"));
	assert_non_null(strstr(election_trouble(el)->why, place.dir));
	assert_non_null(
		strstr(election_trouble(el)->why, "logs/executord.log"));
	place_put(&place, "behave", "serve");
	assert_true(run(el, is_idle));
	assert_int_equal(election_manifest(el)->epoch, 1);
	election_free(el);
}

static void what_a_candidate_says_reaches_the_client(void **state)
{
	(void)state;
	place_put(&place, "behave", "refuse");
	struct election *el = begin_client();
	assert_true(run(el, was_told_by_candidate));
	assert_string_equal(election_trouble(el)->code, "store");
	assert_non_null(
		strstr(election_trouble(el)->why, "the database is corrupt"));
	place_put(&place, "behave", "serve");
	assert_true(run(el, is_idle));
	election_free(el);
}

static void a_crash_loop_is_slowed_down_and_explained(void **state)
{
	(void)state;
	place_put(&place, "behave", "fail");
	struct election *el = begin_client();
	assert_true(run(el, is_crash_loop));
	assert_non_null(
		strstr(election_trouble(el)->why, "the database is corrupt"));
	place_put(&place, "behave", "serve");
	assert_true(run(el, is_idle));
	assert_false(place_has(&place, "run/boot"));
	election_free(el);
}

static void fails_with(const char *candidate, const char *code)
{
	struct election *el = begin(candidate, true);

	assert_non_null(el);
	assert_true(run(el, was_told_by_candidate));
	assert_string_equal(election_trouble(el)->code, code);
	assert_non_null(strstr(election_trouble(el)->why, candidate));
	assert_true(election_started(el) >= 1);
	election_free(el);
}

static void a_candidate_that_cannot_be_run_is_named(void **state)
{
	char path[PATH_MAX];

	(void)state;
	fails_with("/nonexistent/executord", "not_found");
	fails_with(place.dir, "permission_denied");
	place_put(&place, "text", "no program");
	place_path(&place, "text", path);
	assert_int_equal(chmod(path, 0700), 0);
	fails_with(path, "io_error");
}

static void a_candidate_that_says_nothing_keeps_nobody_out(void **state)
{
	(void)state;
	place_put(&place, "behave", "stop");
	struct election *first = begin_client();
	assert_true(run(first, has_started_one));
	/* It writes its pid and stops before the lock; and our client holds
	 * spawn.lock while it waits for it. */
	while (place_lines(&place, "pids") == 0)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	await_stop(place_last(&place, "pids"));
	place_put(&place, "behave", "serve");
	struct election *second = attach();
	assert_int_equal(election_started(second), 1);
	assert_true(run(first, is_idle));
	assert_int_equal(election_started(first), 1);
	assert_int_equal(place_lines(&place, "winners"), 1);
	election_free(first);
	election_free(second);
}

static void a_stopped_holder_of_the_damper_keeps_nobody_out(void **state)
{
	char path[PATH_MAX];
	int status;

	(void)state;
	place_path(&place, "spawn.lock", path);
	pid_t holder = fork();
	if (holder == 0) {
		int fd = open(path, O_RDWR | O_CREAT, 0600);

		flock(fd, LOCK_EX);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(holder, &status, WUNTRACED), holder);
	assert_true(WIFSTOPPED(status));
	struct election *el = attach();
	assert_int_equal(election_started(el), 1);
	kill(holder, SIGKILL);
	assert_int_equal(waitpid(holder, &status, 0), holder);
	election_free(el);
}

static void a_candidate_outlives_its_starter(void **state)
{
	int status;

	(void)state;
	place_put(&place, "behave", "slow");
	pid_t starter = fork();
	if (starter == 0) {
		struct election *el = begin(TEST_CANDIDATE, true);

		if (el && run(el, has_started_one))
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(starter, &status, 0), starter);
	assert_true(WIFSIGNALED(status));
	struct election *el = attach();
	assert_int_equal(election_manifest(el)->epoch, 1);
	assert_int_equal(place_lines(&place, "winners"), 1);
	election_free(el);
}

/* --- owners that do not answer ------------------------------------------- */

static void a_stopped_owner_is_named_and_not_replaced(void **state)
{
	char advice[64];

	(void)state;
	struct election *el = attach();
	long pid = owner_pid(el);
	kill((pid_t)pid, SIGSTOP);
	await_stop(pid);
	election_lost(el, now_ms());
	assert_true(run(el, is_stopped));
	snprintf(advice, sizeof(advice), "kill -CONT %ld", pid);
	assert_non_null(strstr(election_trouble(el)->why, advice));
	/* A candidate that loses to it does not hide the diagnosis. */
	while (election_started(el) < 2)
		assert_true(run(el, is_stopped));
	assert_non_null(strstr(election_trouble(el)->why, advice));
	kill((pid_t)pid, SIGCONT);
	assert_true(run(el, is_idle));
	assert_int_equal(owner_pid(el), pid);
	assert_int_equal(place_lines(&place, "winners"), 1);
	election_free(el);
}

static void a_daemon_stopped_while_starting_is_named(void **state)
{
	char advice[64];

	(void)state;
	place_put(&place, "behave", "freeze");
	struct election *first = begin_client();
	assert_true(run(first, has_started_one));
	while (place_lines(&place, "pids") == 0)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	long pid = place_last(&place, "pids");
	await_stop(pid);
	struct election *second = begin_client();
	assert_true(run(second, is_stopped));
	snprintf(advice, sizeof(advice), "kill -CONT %ld", pid);
	assert_non_null(strstr(election_trouble(second)->why, advice));
	kill((pid_t)pid, SIGCONT);
	assert_true(run(second, is_idle));
	assert_true(run(first, is_idle));
	assert_int_equal(owner_pid(second), pid);
	assert_int_equal(place_lines(&place, "winners"), 1);
	election_free(first);
	election_free(second);
}

static void one_that_loses_waits_for_the_winner(void **state)
{
	char path[PATH_MAX];

	(void)state;
	place_path(&place, "owner.lock", path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	struct election *el = begin_client();
	assert_true(run(el, is_lost_to_another));
	assert_string_equal(election_trouble(el)->code, "daemon_starting");
	close(fd);
	assert_true(run(el, is_idle));
	assert_int_equal(place_lines(&place, "winners"), 1);
	election_free(el);
}

/* --- without leave to start ---------------------------------------------- */

static void without_leave_nothing_is_started(void **state)
{
	(void)state;
	struct election *looker = begin(TEST_CANDIDATE, false);
	assert_int_equal(election_step(looker, now_ms()), ELECTION_IDLE);
	assert_string_equal(election_trouble(looker)->code, "not_running");
	assert_int_equal(election_started(looker), 0);
	assert_false(place_has(&place, "spawn.lock"));
	assert_false(place_has(&place, "logs"));
	/* It takes notice when another one does. */
	struct election *el = attach();
	assert_int_equal(election_step(looker, now_ms()), ELECTION_ATTACH);
	assert_true(run(looker, is_idle));
	place_kill(&place, owner_pid(el));
	election_lost(looker, now_ms());
	assert_int_equal(election_step(looker, now_ms()), ELECTION_ATTACH);
	election_refused(looker, ELECTION_GONE, "connection refused", now_ms());
	assert_int_equal(election_step(looker, now_ms()), ELECTION_IDLE);
	assert_string_equal(election_trouble(looker)->code, "not_running");
	assert_int_equal(election_started(looker), 0);
	election_free(looker);
	election_free(el);
}

/* --- what a daemon is born with ------------------------------------------ */

static void read_proc(long pid, const char *name, char *to, size_t cap)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, to, cap - 1);
	to[got > 0 ? got : 0] = '\0';
	for (ssize_t i = 0; i < got; i++)
		if (to[i] == '\0')
			to[i] = '\n';
	if (fd >= 0)
		close(fd);
}

static void read_proc_link(long pid, const char *name, char to[PATH_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
	ssize_t got = readlink(path, to, PATH_MAX - 1);
	to[got > 0 ? got : 0] = '\0';
}

static void a_daemon_inherits_nothing_of_its_starter(void **state)
{
	char text[8192];
	char log[PATH_MAX];
	char there[PATH_MAX];
	sigset_t all;
	sigset_t before;
	int leaked[3];

	(void)state;
	place_path(&place, "leaked", there);
	for (int i = 0; i < 3; i++)
		leaked[i] = open(there, O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(leaked[0], LOCK_EX), 0);
	setenv("SECRET_OF_THE_CLIENT", "hunter2", 1);
	mode_t old = umask(0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	struct election *el = begin_client();
	bool attached = run(el, is_idle);
	sigprocmask(SIG_SETMASK, &before, NULL);
	umask(old);
	unsetenv("SECRET_OF_THE_CLIENT");
	assert_true(attached);
	long pid = owner_pid(el);
	for (int i = 0; i < 3; i++)
		close(leaked[i]);
	/* Had it inherited the file, it would hold the lock now. */
	int again = open(there, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), 0);
	close(again);

	read_proc(pid, "environ", text, sizeof(text));
	assert_null(strstr(text, "SECRET"));
	assert_non_null(strstr(text, "PATH=/usr/local/bin:"));
	assert_non_null(strstr(text, "LANG=C.UTF-8\n"));
	read_proc(pid, "status", text, sizeof(text));
	assert_non_null(strstr(text, "\nUmask:\t0077\n"));
	/* It blocks SIGTERM itself, and ignores SIGHUP and SIGPIPE. */
	const char *blocked = strstr(text, "\nSigBlk:\t");
	assert_non_null(blocked);
	assert_int_equal(strtoull(blocked + 9, NULL, 16) & ~0x4000ull, 0);
	assert_non_null(strstr(text, "\nSigIgn:\t0000000000001001\n"));
	read_proc_link(pid, "cwd", there);
	assert_string_equal(there, "/");
	place_path(&place, "logs/executord.log", log);
	read_proc_link(pid, "fd/0", there);
	assert_string_equal(there, "/dev/null");
	read_proc_link(pid, "fd/1", there);
	assert_string_equal(there, log);
	read_proc_link(pid, "fd/2", there);
	assert_string_equal(there, log);
	assert_true(getsid((pid_t)pid) != getsid(0));
	assert_true(getpgid((pid_t)pid) != getpgid(0));
	assert_true(getsid((pid_t)pid) != pid);
	assert_int_equal(waitpid((pid_t)pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	election_free(el);
}

static void closed_standard_descriptors_do_not_matter(void **state)
{
	int status;

	(void)state;
	pid_t client = fork();
	if (client == 0) {
		for (int fd = 0; fd < 64; fd++)
			close(fd);
		struct election *el = begin(TEST_CANDIDATE, true);
		bool attached = el && run(el, is_idle);
		election_free(el);
		_exit(attached ? 0 : 1);
	}
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(place_lines(&place, "winners"), 1);
}

static void nothing_is_left_open_or_unreaped(void **state)
{
	(void)state;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; /* of the tests before, which ended at once */
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(before);
	struct election *el = attach();
	place_kill(&place, owner_pid(el));
	election_lost(el, now_ms());
	assert_true(run(el, is_idle));
	election_free(el);
	int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	assert_int_equal(after, before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

#define WITH_PLACE(test)                                                       \
	cmocka_unit_test_setup_teardown(test, make_place, end_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(the_first_client_starts_the_daemon),
		WITH_PLACE(the_next_client_starts_none),
		WITH_PLACE(while_attached_nothing_wakes_up),
		WITH_PLACE(a_cold_race_elects_one),
		WITH_PLACE(a_killed_owner_is_replaced),
		WITH_PLACE(an_owner_that_leaves_in_order_is_replaced),
		WITH_PLACE(a_stale_manifest_leads_nowhere_and_harms_nobody),
		WITH_PLACE(noise_in_control_files_is_survived),
		WITH_PLACE(a_removed_directory_is_made_again),
		WITH_PLACE(without_inotify_it_polls),
		WITH_PLACE(a_long_path_is_no_obstacle),
		WITH_PLACE(a_candidate_that_dies_is_told_and_tried_again),
		WITH_PLACE(what_a_candidate_says_reaches_the_client),
		WITH_PLACE(a_crash_loop_is_slowed_down_and_explained),
		WITH_PLACE(a_candidate_that_cannot_be_run_is_named),
		WITH_PLACE(a_candidate_that_says_nothing_keeps_nobody_out),
		WITH_PLACE(a_stopped_holder_of_the_damper_keeps_nobody_out),
		WITH_PLACE(a_candidate_outlives_its_starter),
		WITH_PLACE(a_stopped_owner_is_named_and_not_replaced),
		WITH_PLACE(a_daemon_stopped_while_starting_is_named),
		WITH_PLACE(one_that_loses_waits_for_the_winner),
		WITH_PLACE(without_leave_nothing_is_started),
		WITH_PLACE(a_daemon_inherits_nothing_of_its_starter),
		WITH_PLACE(closed_standard_descriptors_do_not_matter),
		WITH_PLACE(nothing_is_left_open_or_unreaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
