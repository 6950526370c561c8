#include "election/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "election/home.h"
#include "election/plat.h"
#include "election/text.h"

enum { EXIT_NOT_STARTED = 69, MANY_FILES = 65536, VARIABLES = 8 };

/* Everything that the child needs, made before the fork: after it only
 * async-signal-safe functions are called. */
struct plan {
	const char *program;
	char *const *argv;
	char *const *environment;
	const char *log;
	int ready;
};

/* --- in the child -------------------------------------------------------- */

static size_t append(char *to, size_t len, const char *text)
{
	while (*text && len < READY_LINE_BYTES - 1)
		to[len++] = *text++;
	return len;
}

/* strerror() may translate and allocate. */
static const char *reason(int error)
{
	switch (error) {
	case ENOENT:
		return "no such file";
	case EACCES:
	case EPERM:
		return "permission denied";
	case ENOEXEC:
		return "not a program for this machine";
	case EAGAIN:
		return "too many processes";
	case ENOMEM:
		return "out of memory";
	case EMFILE:
	case ENFILE:
		return "too many open files";
	default:
		return "the system refuses";
	}
}

/* The line of ready.h for READY_FAILED. */
static void fail(int fd, int error, const char *what, const char *path)
{
	char text[READY_LINE_BYTES];
	size_t len = append(text, 0,
			    error == ENOENT   ? "F not_found "
			    : error == EACCES ? "F permission_denied "
			    : error == EAGAIN ? "F no_processes "
					      : "F io_error ");

	len = append(text, len, what);
	len = append(text, len, path);
	len = append(text, len, ": ");
	len = append(text, len, reason(error));
	if (error == EAGAIN)
		len = append(text, len,
			     "; end some processes, or raise `ulimit -u`");
	text[len++] = '\n';
	if (write(fd, text, len) < 0)
		_exit(EXIT_NOT_STARTED);
	_exit(EXIT_NOT_STARTED);
}

static bool raise_soft(struct rlimit *limit, rlim_t most)
{
	rlim_t want = limit->rlim_max < most ? limit->rlim_max : most;

	if (limit->rlim_cur >= want)
		return false;
	limit->rlim_cur = want;
	return true;
}

/* The client's soft limits were meant for the client. */
static void reset_limits(void)
{
	const struct rlimit none = {0, 0};
	struct rlimit limit;

	setrlimit(RLIMIT_CORE, &none);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    raise_soft(&limit, MANY_FILES))
		setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_CPU, &limit) == 0 &&
	    raise_soft(&limit, RLIM_INFINITY))
		setrlimit(RLIMIT_CPU, &limit);
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
	    raise_soft(&limit, RLIM_INFINITY))
		setrlimit(RLIMIT_FSIZE, &limit);
	if (getrlimit(RLIMIT_AS, &limit) == 0 &&
	    raise_soft(&limit, RLIM_INFINITY))
		setrlimit(RLIMIT_AS, &limit);
	setpriority(PRIO_PROCESS, 0, 0);
}

/* Dispositions first: no handler of the parent may run here. */
static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	/* A terminal that goes away, and a starter that does. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* 0, 1 and 2 may be closed, or be what a client waits for the end of: none of
 * them survives.  All are closed before any is opened, so that a small limit
 * does not matter and each open gets the lowest number. */
static void reset_descriptors(const struct plan *p)
{
	struct stat st;

	if (p->ready == READY_FD)
		fcntl(READY_FD, F_SETFD, 0);
	else
		dup2(p->ready, READY_FD);
	for (int fd = 0; fd < READY_FD; fd++)
		close(fd);
	plat_close_from(READY_FD + 1);
	if (open("/dev/null", O_RDWR) != STDIN_FILENO)
		fail(READY_FD, errno, "cannot open ", "/dev/null");
	int log = open(p->log,
		       O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY |
			       O_NONBLOCK,
		       S_IRUSR | S_IWUSR);
	if (log >= 0 && (fstat(log, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(log);
		log = -1;
	}
	/* Without a log the daemon still serves, and says what is wrong
	 * through the pipe. */
	if (log < 0)
		dup2(STDIN_FILENO, STDOUT_FILENO);
	dup2(STDOUT_FILENO, STDERR_FILENO);
}

static void be_candidate(const struct plan *p)
{
	umask(S_IRWXG | S_IRWXO);
	reset_limits();
	reset_descriptors(p);
	reset_signals();
	if (chdir("/") != 0)
		fail(READY_FD, errno, "cannot enter ", "/");
	execve(p->program, p->argv, p->environment);
	fail(READY_FD, errno, "cannot run ", p->program);
}

/* A session of its own, and then a process that does not lead it (no terminal
 * can become its own) and whose parent is gone (no walk from us finds it). */
static void be_middle(const struct plan *p)
{
	setsid();
	pid_t pid = fork();
	if (pid == 0)
		be_candidate(p);
	if (pid < 0)
		fail(p->ready, errno, "cannot fork for ", p->program);
	_exit(0);
}

/* --- in the parent ------------------------------------------------------- */

static char *variable(const char *name, const char *value)
{
	return text_join(name, "=", value);
}

/* What the daemon may know of its surroundings: who its user is.  Whatever
 * else the first client has set, secrets among it, is that client's. */
static void build_environment(char *to[VARIABLES + 1])
{
	/* A sanitizer's build reads its options nowhere else. */
	static const char *const passed[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS",
					     "LSAN_OPTIONS"};
	struct home home;
	size_t n = 0;

	home_find(&home);
	if (home.dir)
		to[n++] = variable("HOME", home.dir);
	if (home.user) {
		to[n++] = variable("USER", home.user);
		to[n++] = variable("LOGNAME", home.user);
	}
	home_finish(&home);
	to[n++] = variable(
		"PATH",
		"/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
	to[n++] = variable("LANG", "C.UTF-8");
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		const char *value = getenv(passed[i]);

		if (value)
			to[n++] = variable(passed[i], value);
	}
	assert(n <= VARIABLES);
	to[n] = NULL;
}

/* With signals blocked: a handler of ours that ran in the child would write
 * into what it shares with us. */
static pid_t fork_middle(const struct plan *p)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		be_middle(p);
	int error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return pid;
}

bool spawn_start(struct spawn *s, const char *program, const char *data_dir,
		 struct election_error *e)
{
	char *argv[] = {text_copy(program),  text_copy("--data-dir"),
			text_copy(data_dir), text_copy("--ready-fd"),
			text_copy("3"),	     NULL};
	char *environment[VARIABLES + 1];
	char *log = text_path(data_dir, "logs/executord.log");
	int ends[2];
	bool ok = false;

	_Static_assert(READY_FD == 3, "as the command line says");
	build_environment(environment);
	spawn_reap(s);
	*s = (struct spawn){.fd = -1};
	if (pipe2(ends, O_CLOEXEC) != 0) {
		election_error_sys(e, "io_error", "cannot start %s", program);
		goto out;
	}
	s->middle = fork_middle(
		&(struct plan){program, argv, environment, log, ends[1]});
	if (s->middle < 0)
		election_error_sys(e, "no_processes",
				   "no process can be made for %s: end some, "
				   "or raise `ulimit -u`",
				   program);
	close(ends[1]);
	ok = s->middle > 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
	s->running = ok;
	s->fd = ends[0];
	if (!ok)
		close(ends[0]);
out:
	free(log);
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	for (size_t i = 0; environment[i]; i++)
		free(environment[i]);
	return ok;
}

/* A whole line of the buffer, if there is one that we know. */
static bool take_line(struct spawn *s, struct ready_line *line)
{
	char *end;

	while ((end = memchr(s->text, '\n', s->len))) {
		*end = '\0';
		bool known = ready_parse(s->text, line);
		size_t used = (size_t)(end - s->text) + 1;

		s->len -= used;
		memmove(s->text, end + 1, s->len);
		if (known)
			return true;
	}
	if (s->len == sizeof(s->text))
		s->len = 0; /* no line of ours is that long */
	return false;
}

enum spawn_event spawn_next(struct spawn *s, struct ready_line *line)
{
	ssize_t got;

	spawn_reap(s);
	for (;;) {
		if (take_line(s, line))
			return SPAWN_LINE;
		got = read(s->fd, s->text + s->len, sizeof(s->text) - s->len);
		if (got > 0)
			s->len += (size_t)got;
		else if (got == 0)
			return SPAWN_END;
		else if (errno != EINTR)
			return errno == EAGAIN ? SPAWN_WAIT : SPAWN_END;
	}
}

void spawn_finish(struct spawn *s)
{
	spawn_reap(s);
	if (s->running)
		close(s->fd);
	*s = (struct spawn){.fd = -1, .middle = s->middle};
}

void spawn_reap(struct spawn *s)
{
	if (s->middle > 0 && waitpid(s->middle, NULL, WNOHANG) != 0)
		s->middle = 0;
}
