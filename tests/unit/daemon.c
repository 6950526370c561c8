/* daemon: the real executord in a directory of its own, from outside. */
#include "server/daemon.h"

#include "tests/support/rpc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "election/manifest.h"
#include "election/owner.h"
#include "executor/admin/v1/admin.pb-c.h"
#include "proto/protobuf.h"

enum { PIPE_FD = 3, WORDS = 8 };

#define HEALTH "/grpc.health.v1.Health/Check"
#define ADMIN  "/executor.admin.v1.AdminService/"

struct child {
	pid_t pid; /* 0: none, or waited for */
	int pipe;  /* what it tells through --ready-fd */
	int err;   /* its standard output and error */
	struct buf told;
	struct buf said;
};

struct room {
	char dir[64];
	int fd;
	struct child first, second;
	struct ev_loop *loop;
	struct rpc_client client;
	struct rpc rpc;
	struct arena arena;
};

/* --- a child ----------------------------------------------------------------
 */

static void become_executord(struct room *r, int told, int said,
			     const char *const *options)
{
	const char *argv[WORDS] = {EXECUTORD, "--data-dir", r->dir};
	int count = 3;

	while (*options && count < WORDS - 1)
		argv[count++] = *options++;
	dup2(said, STDOUT_FILENO);
	dup2(said, STDERR_FILENO);
	dup2(told, PIPE_FD); /* loses its close-on-exec, unless it is 3 */
	fcntl(PIPE_FD, F_SETFD, 0);
	execv(EXECUTORD, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* options end with NULL. */
static void start(struct room *r, struct child *c, const char *const *options)
{
	int told[2];
	int said[2];

	*c = (struct child){0};
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0)
		become_executord(r, told[1], said[1], options);
	close(told[1]);
	close(said[1]);
	c->pipe = told[0];
	c->err = said[0];
}

static bool read_some(int fd, struct buf *to)
{
	char *at = buf_reserve(to, 4096);
	ssize_t n = read(fd, at, 4096);

	if (n <= 0)
		return false;
	buf_added(to, (size_t)n);
	return true;
}

static bool has(const struct buf *b, const char *text)
{
	return b->len > 0 && memmem(b->data, b->len, text, strlen(text));
}

/* Read what it tells until it is ready. */
static void wait_ready(struct child *c)
{
	while (!has(&c->told, "R\n"))
		assert_true(read_some(c->pipe, &c->told));
}

/* Its exit status. */
static int wait_end(struct child *c)
{
	int status = -1;

	while (read_some(c->pipe, &c->told))
		;
	while (read_some(c->err, &c->said))
		;
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	c->pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void finish_child(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	if (c->pipe > 0)
		close(c->pipe);
	if (c->err > 0)
		close(c->err);
	buf_finish(&c->told);
	buf_finish(&c->said);
}

/* --- the room ----------------------------------------------------------------
 */

static int begin(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	signal(SIGPIPE, SIG_IGN);
	strcpy(r->dir, "/tmp/executor-daemon-XXXXXX");
	if (!mkdtemp(r->dir))
		return -1;
	r->fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->loop = ev_loop_new(EVFLAG_AUTO);
	*state = r;
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
	struct room *r = *state;

	finish_child(&r->first);
	finish_child(&r->second);
	rpc_disconnect(&r->client);
	rpc_finish(&r->rpc);
	arena_finish(&r->arena);
	ev_loop_destroy(r->loop);
	close(r->fd);
	int failed = nftw(r->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(r);
	return failed;
}

static const char *const by_starter[] = {"--ready-fd", "3", NULL};

static void start_first(struct room *r)
{
	start(r, &r->first, by_starter);
	wait_ready(&r->first);
}

static bool exists(struct room *r, const char *name)
{
	struct stat st;

	return fstatat(r->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static unsigned count_entries(struct room *r, const char *name)
{
	int fd = openat(r->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	unsigned count = 0;

	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		count += d->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* --- asking it ---------------------------------------------------------------
 */

static void dial(struct room *r)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct manifest m;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(manifest_read(r->fd, &m));
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", m.socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)),
			 0);
	rpc_connect(&r->client, r->loop, fd);
}

static void ask(struct room *r, const char *path)
{
	rpc_finish(&r->rpc);
	rpc_begin(&r->client, &r->rpc, path);
	rpc_message(&r->rpc, "", 0);
	h2_end(r->rpc.stream);
	rpc_ended(&r->client, &r->rpc, GRPC_OK);
}

static void assert_serving(struct room *r)
{
	ask(r, HEALTH);
	assert_true(slice_equal(buf_slice(&r->rpc.body),
				(struct slice){"\0\0\0\0\x02\x08\x01", 7}));
}

static const Executor__Admin__V1__GetStatusResponse *get_status(struct room *r)
{
	struct err e;

	ask(r, ADMIN "GetStatus");
	struct slice bytes = buf_slice(&r->rpc.body);
	bytes.ptr += GRPC_PREFIX_BYTES;
	bytes.len -= GRPC_PREFIX_BYTES;
	arena_reset(&r->arena);
	const Executor__Admin__V1__GetStatusResponse *status = protobuf_unpack(
		&r->arena,
		&executor__admin__v1__get_status_response__descriptor, bytes,
		&e);
	assert_non_null(status);
	return status;
}

/* It has gone in good order, and can be found no more. */
static void assert_gone(struct room *r, struct child *c)
{
	while (r->client.h2) /* until the daemon hangs up */
		rpc_turn(&r->client);
	assert_int_equal(wait_end(c), DAEMON_EXIT_OK);
	assert_int_equal(count_entries(r, "run"), 1); /* s/ */
	assert_int_equal(count_entries(r, "run/s"), 0);
	assert_true(exists(r, "owner.lock"));
}

/* --- tests -------------------------------------------------------------------
 */

static void it_serves_and_leaves_in_good_order(void **state)
{
	struct room *r = *state;

	start_first(r);
	dial(r);
	assert_serving(r);
	const Executor__Admin__V1__GetStatusResponse *status = get_status(r);
	assert_int_equal(status->pid, r->first.pid);
	assert_int_equal(status->epoch, 1);
	assert_int_equal(status->n_sources, 1); /* the built-in one */
	assert_int_equal(status->counters->connections, 1);
	assert_int_equal(status->counters->streams, 1); /* the asking one */
	assert_int_equal(status->n_sessions, 0);
	assert_false(status->draining);
	assert_int_equal(kill(r->first.pid, SIGTERM), 0);
	assert_gone(r, &r->first);

	/* The next one is another epoch. */
	start(r, &r->second, by_starter);
	wait_ready(&r->second);
	dial(r);
	assert_int_equal(get_status(r)->epoch, 2);
	assert_int_equal(kill(r->second.pid, SIGINT), 0);
	assert_gone(r, &r->second);
}

static void it_leaves_when_asked_to_drain(void **state)
{
	struct room *r = *state;

	start_first(r);
	dial(r);
	ask(r, ADMIN "Drain");
	assert_gone(r, &r->first);
}

static void an_open_stream_does_not_hold_it_up(void **state)
{
	struct room *r = *state;
	struct rpc other;

	start_first(r);
	dial(r);
	/* A unary call whose request never ends: only the bound on leaving
	 * ends it, or a second signal. */
	rpc_begin(&r->client, &other, HEALTH);
	assert_serving(r);
	assert_int_equal(kill(r->first.pid, SIGTERM), 0);
	rpc_wait(&r->client, &r->client.goaway);
	assert_int_equal(kill(r->first.pid, SIGTERM), 0);
	assert_gone(r, &r->first);
	rpc_finish(&other);
}

static void a_second_one_loses_and_says_to_whom(void **state)
{
	static const char *const by_hand[] = {NULL};
	struct room *r = *state;
	char owner[128];

	start_first(r);
	start(r, &r->second, by_hand);
	assert_int_equal(wait_end(&r->second), OWNER_EXIT_LOST);
	snprintf(owner, sizeof(owner), "another daemon owns %s (pid %ld, ",
		 r->dir, (long)r->first.pid);
	assert_true(has(&r->second.said, owner));
	finish_child(&r->second);

	start(r, &r->second, by_starter);
	assert_int_equal(wait_end(&r->second), OWNER_EXIT_LOST);
	assert_true(has(&r->second.told, "L"));
	assert_int_equal(r->second.said.len, 0);
	dial(r);
	assert_serving(r);
}

static void who_cannot_start_tells_why(void **state)
{
	struct room *r = *state;

	assert_int_equal(mkdirat(r->fd, "executor.db", 0700), 0);
	start(r, &r->first, by_starter);
	assert_int_equal(wait_end(&r->first), OWNER_EXIT_FAILED);
	assert_true(has(&r->first.told, "F "));
	assert_true(has(&r->first.told, "executor.db"));
	assert_false(exists(r, "run/manifest"));
}

static void who_cannot_start_tells_a_person_too(void **state)
{
	static const char *const by_hand[] = {NULL};
	struct room *r = *state;

	assert_int_equal(mkdirat(r->fd, "executor.db", 0700), 0);
	start(r, &r->first, by_hand);
	assert_int_equal(wait_end(&r->first), OWNER_EXIT_FAILED);
	assert_true(has(&r->first.said, "executord: error: "));
	assert_true(has(&r->first.said, "executor.db"));
}

/* A port of loopback that somebody has, as --listen takes it. */
static int take_port(char text[32])
{
	struct sockaddr_in name = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	snprintf(text, 32, "127.0.0.1:%u", ntohs(name.sin_port));
	return fd;
}

/* It said so, and counts as no failed start: others need not wait. */
static void assert_not_begun(struct room *r, const char *said)
{
	assert_int_equal(wait_end(&r->first), OWNER_EXIT_FAILED);
	assert_true(has(&r->first.said, "executord: error: "));
	assert_true(has(&r->first.said, said));
	assert_false(exists(r, "run/boot"));
	assert_false(exists(r, "executor.db"));
	finish_child(&r->first);
}

static void a_port_that_is_taken_is_no_failed_start(void **state)
{
	struct room *r = *state;
	char port[32];
	int fd = take_port(port);
	const char *const options[] = {"--listen", port, NULL};

	start(r, &r->first, options);
	assert_not_begun(r, "another program listens on 127.0.0.1:");
	close(fd);
	/* Whose it is makes a difference, when it is this directory's. */
	const char *const good[] = {"--listen", port, "--ready-fd", "3", NULL};
	start(r, &r->first, good);
	wait_ready(&r->first);
	start(r, &r->second, options);
	assert_int_equal(wait_end(&r->second), OWNER_EXIT_LOST);
	assert_true(has(&r->second.said, "another daemon owns"));
	dial(r);
	const char *url = get_status(r)->tcp_url;
	assert_int_equal(strncmp(url, "http://", 7), 0);
	assert_string_equal(url + 7, port);
	struct manifest m;
	assert_true(manifest_read(r->fd, &m));
	assert_string_equal(m.tcp_url, url);
}

static void a_token_that_others_read_is_not_used(void **state)
{
	static const char *const options[] = {"--listen", "localhost:0", NULL};
	struct room *r = *state;
	int fd = openat(r->fd, "token", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fchmod(fd, 0640), 0);
	close(fd);
	start(r, &r->first, options);
	assert_not_begun(r, "open to others (mode 0640)");
	/* Who serves no port needs none. */
	start_first(r);
	dial(r);
	assert_serving(r);
	ask(r, ADMIN "RotateToken");
	struct stat st;
	assert_int_equal(fstatat(r->fd, "token", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_usage_error_names_the_help(void **state)
{
	static const char *const wrong[] = {"--nonsense", NULL};
	static const char *const version[] = {"--version", NULL};
	struct room *r = *state;

	start(r, &r->first, wrong);
	assert_int_equal(wait_end(&r->first), DAEMON_EXIT_USAGE);
	assert_true(has(&r->first.said,
			"executord: error: unknown option --nonsense; "
			"try: executord --help\n"));
	assert_false(exists(r, "owner.lock"));
	start(r, &r->second, version);
	assert_int_equal(wait_end(&r->second), DAEMON_EXIT_OK);
	assert_true(has(&r->second.said, EXECUTOR_VERSION));
}

static void a_deposed_one_stops(void **state)
{
	struct room *r = *state;

	start_first(r);
	assert_int_equal(unlinkat(r->fd, "owner.lock", 0), 0);
	assert_int_equal(wait_end(&r->first), DAEMON_EXIT_BROKEN);
}

static void a_hang_up_is_ignored_and_a_log_opened_anew(void **state)
{
	struct room *r = *state;

	start_first(r);
	assert_true(exists(r, "logs/executord.log"));
	assert_int_equal(
		renameat(r->fd, "logs/executord.log", r->fd, "logs/moved"), 0);
	assert_int_equal(kill(r->first.pid, SIGHUP), 0);
	assert_int_equal(kill(r->first.pid, SIGUSR1), 0);
	dial(r);
	assert_serving(r);
	assert_int_equal(kill(r->first.pid, SIGTERM), 0);
	assert_gone(r, &r->first);
	assert_true(exists(r, "logs/executord.log"));
	assert_int_equal(r->first.said.len, 0);
}

static void in_the_foreground_it_logs_to_standard_error(void **state)
{
	static const char *const options[] = {"--foreground", "--ready-fd", "3",
					      NULL};
	struct room *r = *state;

	start(r, &r->first, options);
	wait_ready(&r->first);
	assert_int_equal(kill(r->first.pid, SIGTERM), 0);
	assert_gone(r, &r->first);
	assert_true(has(&r->first.said, "serving -> draining"));
	assert_false(exists(r, "logs/executord.log"));
}

#define room_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(it_serves_and_leaves_in_good_order),
		room_test(it_leaves_when_asked_to_drain),
		room_test(an_open_stream_does_not_hold_it_up),
		room_test(a_second_one_loses_and_says_to_whom),
		room_test(who_cannot_start_tells_why),
		room_test(who_cannot_start_tells_a_person_too),
		room_test(a_port_that_is_taken_is_no_failed_start),
		room_test(a_token_that_others_read_is_not_used),
		room_test(a_usage_error_names_the_help),
		room_test(a_deposed_one_stops),
		room_test(a_hang_up_is_ignored_and_a_log_opened_anew),
		room_test(in_the_foreground_it_logs_to_standard_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
