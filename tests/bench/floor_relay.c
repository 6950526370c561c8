/*
 * The floor of every message: the hops of an adapter and a daemon, pipe, unix
 * socket, pipe, with nothing done on the way.
 *
 * usage: floor_relay blocking|epoll near SOCKET
 *        floor_relay blocking|epoll far SOCKET [COMMAND ARG...]
 *
 * near stands between its standard streams and the socket, far between the
 * socket and a command; without one it sends back what came.  far says "ready"
 * on its stdout.  blocking is lock-step: a line there, a line back.
 */
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BYTES = 65536 };

/* Two descriptors to read from, and where each one's bytes go. */
struct relay {
	int from[2];
	int to[2];
};

static char bytes[BYTES];

static void must(bool truth, const char *what)
{
	if (truth)
		return;
	perror(what);
	exit(1);
}

/* False at the end. */
static bool pass(int from, int to, bool *line_ends)
{
	ssize_t got = read(from, bytes, sizeof(bytes));

	if (got <= 0)
		return false;
	*line_ends = bytes[got - 1] == '\n';
	for (ssize_t done = 0; done < got;) {
		ssize_t n = write(to, bytes + done, (size_t)(got - done));

		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

static bool pass_line(int from, int to)
{
	bool ends = false;

	while (!ends)
		if (!pass(from, to, &ends))
			return false;
	return true;
}

static void relay_blocking(const struct relay *r)
{
	while (pass_line(r->from[0], r->to[0]))
		if (r->from[1] >= 0 && !pass_line(r->from[1], r->to[1]))
			return;
}

static void relay_epoll(const struct relay *r)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	bool ends;

	for (unsigned i = 0; i < 2 && r->from[i] >= 0; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};

		must(epoll_ctl(set, EPOLL_CTL_ADD, r->from[i], &e) == 0,
		     "epoll_ctl");
	}
	for (;;) {
		struct epoll_event e[2];
		int n = epoll_wait(set, e, 2, -1);

		must(n >= 0, "epoll_wait");
		for (int i = 0; i < n; i++) {
			unsigned way = e[i].data.u32;

			if (!pass(r->from[way], r->to[way], &ends))
				return;
		}
	}
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	must(strlen(path) < sizeof(a.sun_path), "the path is too long");
	strcpy(a.sun_path, path);
	return a;
}

static struct relay near(const char *path)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
	return (struct relay){{STDIN_FILENO, fd}, {fd, STDOUT_FILENO}};
}

static void start(char **command, int *to, int *from)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int down[2];
	int up[2];
	pid_t pid;

	must(pipe(down) == 0 && pipe(up) == 0, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
	for (int i = 0; i < 2; i++) {
		posix_spawn_file_actions_addclose(&actions, down[i]);
		posix_spawn_file_actions_addclose(&actions, up[i]);
	}
	must(posix_spawn(&pid, command[0], &actions, NULL, command, environ) ==
		     0,
	     command[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(down[0]);
	close(up[1]);
	*to = down[1];
	*from = up[0];
}

static struct relay far(const char *path, char **command)
{
	struct sockaddr_un a = address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct relay r;

	must(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
	must(listen(listener, 1) == 0, "listen");
	must(write(STDOUT_FILENO, "ready\n", 6) == 6, "write");
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must(fd >= 0, "accept");
	if (!command[0])
		return (struct relay){{fd, -1}, {fd, -1}};
	r.from[0] = r.to[1] = fd;
	start(command, &r.to[0], &r.from[1]);
	return r;
}

int main(int argc, char **argv)
{
	struct relay r;

	if (argc < 4) {
		fputs("usage: floor_relay blocking|epoll near|far SOCKET "
		      "[COMMAND...]\n",
		      stderr);
		return 2;
	}
	if (strcmp(argv[2], "near") == 0)
		r = near(argv[3]);
	else
		r = far(argv[3], argv + 4);
	if (strcmp(argv[1], "epoll") == 0)
		relay_epoll(&r);
	else
		relay_blocking(&r);
	return 0;
}
