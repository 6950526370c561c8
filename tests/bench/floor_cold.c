/*
 * The floor of every cold start: a client that starts its daemon, a database
 * that is created, a connection, and one line there and back.
 *
 * usage: floor_cold DIR CLIENTS [daemon]
 *
 * Whoever gets the lock and finds nobody listening starts the daemon, which
 * ends when that many clients have come and gone.  Says "hello".  An alarm is
 * all that happens when something goes wrong.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GUARD_S = 60, BACKLOG = 512 };

static void must(bool truth, const char *what)
{
	if (truth)
		return;
	perror(what);
	exit(1);
}

static struct sockaddr_un address(void)
{
	return (struct sockaddr_un){.sun_family = AF_UNIX,
				    .sun_path = "socket"};
}

/* --- the daemon -------------------------------------------------------------
 */

static sqlite3 *create(void)
{
	sqlite3 *db = NULL;

	must(sqlite3_open("data.db", &db) == SQLITE_OK &&
		     sqlite3_exec(db,
				  "PRAGMA journal_mode = WAL;"
				  "CREATE TABLE owner (epoch INTEGER) STRICT;"
				  "INSERT INTO owner VALUES (1)",
				  NULL, NULL, NULL) == SQLITE_OK,
	     "data.db");
	return db;
}

static void serve(unsigned long clients)
{
	struct sockaddr_un a = address();
	char line[16];
	sqlite3 *db = create();
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
	must(listen(listener, BACKLOG) == 0, "listen");
	must(write(STDOUT_FILENO, "!", 1) == 1, "ready");
	for (; clients > 0; clients--) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		ssize_t got = read(fd, line, sizeof(line));

		must(got > 0 && write(fd, line, (size_t)got) == got, "a line");
		close(fd);
	}
	sqlite3_close(db);
}

/* --- a client ---------------------------------------------------------------
 */

static int try_to_connect(void)
{
	struct sockaddr_un a = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Returns when it listens. */
static void start_daemon(const char *self, const char *clients)
{
	int ready[2];
	char byte;

	must(pipe2(ready, O_CLOEXEC) == 0, "pipe");
	pid_t pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		dup2(ready[1], STDOUT_FILENO);
		setsid();
		execl(self, self, ".", clients, "daemon", NULL);
		_exit(1);
	}
	close(ready[1]);
	must(read(ready[0], &byte, 1) == 1, "the daemon");
	close(ready[0]);
}

static int find_daemon(const char *self, const char *clients)
{
	int fd = try_to_connect();

	if (fd >= 0)
		return fd;
	int lock = open("lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	must(lock >= 0 && flock(lock, LOCK_EX) == 0, "lock");
	fd = try_to_connect();
	if (fd < 0) {
		start_daemon(self, clients);
		fd = try_to_connect();
	}
	close(lock);
	must(fd >= 0, "connect");
	return fd;
}

int main(int argc, char **argv)
{
	static const char hello[] = "hello\n";
	char heard[sizeof(hello) - 1];

	if (argc < 3) {
		fputs("usage: floor_cold DIR CLIENTS\n", stderr);
		return 2;
	}
	alarm(GUARD_S);
	must(chdir(argv[1]) == 0, argv[1]);
	if (argc > 3) {
		serve(strtoul(argv[2], NULL, 10));
		return 0;
	}
	int fd = find_daemon("/proc/self/exe", argv[2]);
	must(write(fd, hello, sizeof(heard)) == sizeof(heard), "write");
	must(read(fd, heard, sizeof(heard)) == sizeof(heard), "read");
	must(write(STDOUT_FILENO, heard, sizeof(heard)) == sizeof(heard),
	     "stdout");
	return 0;
}
