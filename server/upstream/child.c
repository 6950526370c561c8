#include "server/upstream/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/close_range.h>
#include <sys/prctl.h>
#endif

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"

/* When the environment has no PATH; what a login gives at least. */
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/* What the child says when it cannot become the command. */
enum refused_step { REFUSED_CHDIR, REFUSED_EXEC };

struct refusal {
	enum refused_step step;
	int number; /* errno */
};

/* The three pipes and the one for a refusal, both ends. */
enum { PIPE_STDIN, PIPE_STDOUT, PIPE_STDERR, PIPE_REFUSAL, PIPE_COUNT };
enum { END_READ, END_WRITE };

static const char *path_of(const char *const *env)
{
	for (; *env; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return PATH_DEFAULT;
}

/* dir/file, or cwd/dir/file when dir is relative.  With a NUL. */
static void join(struct buf *to, const char *cwd, struct slice dir,
		 const char *file)
{
	buf_reset(to, SIZE_MAX);
	if (dir.len == 0 || dir.ptr[0] != '/')
		buf_printf(to, "%s/", cwd);
	buf_append_slice(to, dir);
	if (dir.len > 0)
		buf_append_text(to, "/");
	buf_append(to, file, strlen(file) + 1);
}

static bool is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = EACCES;
		return false;
	}
	return access(path, X_OK) == 0;
}

/* POSIX, 8.3 PATH: prefixes are tried in order; an empty one is the current
 * directory, which here is the child's. */
static bool search_path(const struct child_options *o, const char *path,
			struct buf *program, bool *denied)
{
	const char *file = o->command[0];

	for (const char *dir = path;; dir++) {
		size_t len = strcspn(dir, ":");

		join(program, o->cwd, (struct slice){dir, len}, file);
		if (is_program(program->data))
			return true;
		if (errno == EACCES)
			*denied = true;
		dir += len;
		if (*dir == '\0')
			return false;
	}
}

static bool find_program(const struct child_options *o, struct buf *program,
			 struct err *e)
{
	const char *file = o->command[0];
	const char *path = path_of(o->env);
	bool denied = false;

	if (strchr(file, '/')) {
		if (file[0] == '/')
			buf_append(program, file, strlen(file) + 1);
		else
			join(program, o->cwd, slice_of(""), file);
		if (is_program(program->data))
			return true;
		return err_sys(e, ERR_SOURCE_DOWN,
			       "cannot start source %s: command '%.200s' "
			       "cannot be executed; fix it or remove and add "
			       "the source again (executor source remove, "
			       "add)",
			       o->name, program->data);
	}
	if (file[0] != '\0' && search_path(o, path, program, &denied))
		return true;
	return err_set(e, ERR_SOURCE_DOWN,
		       "cannot start source %s: command '%.80s' %s; looked in "
		       "%.160s; fix the command or its PATH: executor source "
		       "remove %s, then add it again",
		       o->name, file,
		       denied ? "is not executable" : "not found", path,
		       o->name);
}

bool child_find(const struct child_options *o, struct buf *program,
		struct err *e)
{
	struct stat st;

	if (stat(o->cwd, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	else if (access(o->cwd, X_OK) == 0)
		return find_program(o, program, e);
	return err_sys(e, ERR_SOURCE_DOWN,
		       "cannot start source %s: cannot enter its directory "
		       "%.200s",
		       o->name, o->cwd);
}

static void close_pipes(int pipes[PIPE_COUNT][2])
{
	for (int i = 0; i < PIPE_COUNT; i++) {
		for (int end = 0; end < 2; end++) {
			if (pipes[i][end] >= 0)
				close(pipes[i][end]);
			pipes[i][end] = -1;
		}
	}
}

static bool open_pipes(int pipes[PIPE_COUNT][2])
{
	for (int i = 0; i < PIPE_COUNT; i++)
		pipes[i][END_READ] = pipes[i][END_WRITE] = -1;
	for (int i = 0; i < PIPE_COUNT; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) != 0)
			return false;
		/* Ours are open, on /dev/null at least: dup2() in the child
		 * never meets its own target. */
		assert(pipes[i][END_READ] > STDERR_FILENO);
	}
	return true;
}

static _Noreturn void refuse(int fd, enum refused_step step, int number)
{
	struct refusal r = {step, number};

	ssize_t written = write(fd, &r, sizeof(r));
	(void)written; /* there is nobody else to tell */
	_exit(127);
}

/* The child, from fork to exec: async-signal-safe functions only. */
static _Noreturn void become(const struct child_options *o, const char *program,
			     const char *const *env, int pipes[PIPE_COUNT][2],
			     pid_t parent)
{
	int refusal_fd = pipes[PIPE_REFUSAL][END_WRITE];
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t none;

	setsid();
#ifdef __linux__
	/* Best effort: a daemon that was killed leaves no child behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)
		_exit(127); /* it died before we asked to die with it */
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The daemon's own is 077; what a tool writes is for its user. */
	umask(022);
	if (chdir(o->cwd) != 0)
		refuse(refusal_fd, REFUSED_CHDIR, errno);
	if (dup2(pipes[PIPE_STDIN][END_READ], STDIN_FILENO) < 0 ||
	    dup2(pipes[PIPE_STDOUT][END_WRITE], STDOUT_FILENO) < 0 ||
	    dup2(pipes[PIPE_STDERR][END_WRITE], STDERR_FILENO) < 0)
		refuse(refusal_fd, REFUSED_EXEC, errno);
#ifdef CLOSE_RANGE_CLOEXEC
	/* Every descriptor is close-on-exec from birth.  A second net: the
	 * lock of the data directory must never reach a child. */
	close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
#endif
	/* execve() changes neither strings nor vectors; its type is older
	 * than const. */
	union {
		const char *const *borrowed;
		char *const *plain;
	} argv = {o->command}, envp = {env};
	execve(program, argv.plain, envp.plain);
	refuse(refusal_fd, REFUSED_EXEC, errno);
}

/* fork() with signals held back: in the child a handler of ours would still
 * write to the descriptors that it shares with us. */
static pid_t fork_quietly(const struct child_options *o, const char *program,
			  const char *const *env, int pipes[PIPE_COUNT][2])
{
	pid_t parent = getpid();
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		become(o, program, env, pipes, parent);
	int number = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = number;
	return pid;
}

/* Nothing comes when the command runs: exec closed the pipe. */
static bool was_refused(int fd, struct refusal *r)
{
	ssize_t got;

	do
		got = read(fd, r, sizeof(*r));
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof(*r);
}

static bool tell_refusal(const struct child_options *o, const char *program,
			 const struct refusal *r, struct err *e)
{
	errno = r->number;
	if (r->step == REFUSED_CHDIR)
		return err_sys(e, ERR_SOURCE_DOWN,
			       "cannot start source %s: cannot enter its "
			       "directory %.200s",
			       o->name, o->cwd);
	return err_sys(e, ERR_SOURCE_DOWN,
		       "cannot start source %s: cannot execute %.200s", o->name,
		       program);
}

/* Its whole environment; the strings are borrowed. */
static const char **join_env(const struct child_options *o)
{
	size_t count = 0;

	while (o->env[count])
		count++;
	const char **env = mem_alloc((count + 2) * sizeof(*env));
	env[0] = o->marker;
	memcpy(&env[1], o->env, (count + 1) * sizeof(*env));
	return env;
}

static void take_end(int *to, int *from)
{
	*to = *from;
	*from = -1;
}

bool child_start(const struct child_options *o, struct child *child,
		 struct err *e)
{
	struct buf program = {0};
	const char **env = join_env(o);
	int pipes[PIPE_COUNT][2];
	struct refusal refusal;
	bool ok = false;

	if (!open_pipes(pipes)) {
		err_sys(e, ERR_SOURCE_DOWN, "cannot start source %s: no pipe",
			o->name);
		goto out;
	}
	if (!find_program(o, &program, e))
		goto out;
	child->pid = fork_quietly(o, program.data, env, pipes);
	if (child->pid < 0) {
		err_sys(e, ERR_NO_PROCESSES,
			"cannot start source %s: no process can be made: end "
			"some, or raise `ulimit -u`",
			o->name);
		goto out;
	}
	close(pipes[PIPE_REFUSAL][END_WRITE]);
	pipes[PIPE_REFUSAL][END_WRITE] = -1;
	if (was_refused(pipes[PIPE_REFUSAL][END_READ], &refusal)) {
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		tell_refusal(o, program.data, &refusal, e);
		goto out;
	}
	take_end(&child->stdin_fd, &pipes[PIPE_STDIN][END_WRITE]);
	take_end(&child->stdout_fd, &pipes[PIPE_STDOUT][END_READ]);
	take_end(&child->stderr_fd, &pipes[PIPE_STDERR][END_READ]);
	ok = true;
out:
	close_pipes(pipes);
	buf_finish(&program);
	free(env);
	return ok;
}
