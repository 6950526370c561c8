#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "election/manifest.h"
#include "proto/json.h"
#include "proto/mem.h"

enum {
	PARTIES = 512,
	READ_BYTES = 1 << 16,
	PATH_BYTES = 512,
	GUARD_MS = 60000, /* against hanging, not a measurement */
	LEAVE_MS = 5000,  /* the same, for who was told to leave */
};

static struct {
	char root[64];
	char home[96];
	unsigned homes;
	char *bin;
	char *floors;
	char home_text[128];
	char path_text[1024];
	char *environ[4];
	pid_t running[PARTIES];
} lab;

const char *lab_lie;

const char lab_initialize_text[] =
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
	"\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
	"\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n"
	"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";

const char lab_list_text[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- the directory ---------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *st, int kind,
		      struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static bool read_manifest(struct manifest *m)
{
	int dir = open(lab_path(".executor"), O_DIRECTORY | O_CLOEXEC);
	bool there = dir >= 0 && manifest_read(dir, m);

	if (dir >= 0)
		close(dir);
	return there;
}

static int run(const char *const argv[])
{
	struct party p;
	int status;

	party_start(&p, argv);
	close(p.to);
	while (read(p.from, (char[256]){0}, 256) > 0)
		;
	close(p.from);
	while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
		;
	for (int i = 0; i < PARTIES; i++)
		if (lab.running[i] == p.pid)
			lab.running[i] = 0;
	return status;
}

void lab_stop(void)
{
	struct manifest m;

	if (read_manifest(&m))
		run((const char *const[]){lab_program("executor"), "daemon",
					  "stop", NULL});
}

void lab_fresh(void)
{
	if (lab.homes > 0)
		lab_stop();
	snprintf(lab.home, sizeof(lab.home), "%s/%u", lab.root, lab.homes++);
	if (mkdir(lab.home, 0700) != 0)
		lab_fail("%s: %s", lab.home, strerror(errno));
	snprintf(lab.home_text, sizeof(lab.home_text), "HOME=%s", lab.home);
}

void lab_open(const char *bin)
{
	char self[PATH_BYTES];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *path = getenv("PATH");

	strcpy(lab.root, "/tmp/executor-bench-XXXXXX");
	if (len < 0 || !mkdtemp(lab.root))
		lab_fail("%s: %s", lab.root, strerror(errno));
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	lab.floors = mem_text(self);
	lab.bin = realpath(bin, NULL);
	if (!lab.bin)
		lab_fail("%s: %s", bin, strerror(errno));
	snprintf(lab.path_text, sizeof(lab.path_text), "PATH=%s",
		 path ? path : "/usr/bin:/bin");
	lab.environ[0] = lab.home_text;
	lab.environ[1] = lab.path_text;
	lab_fresh();
}

void lab_close(void)
{
	for (int i = 0; i < PARTIES; i++) {
		if (lab.running[i] == 0)
			continue;
		kill(-lab.running[i], SIGKILL);
		waitpid(lab.running[i], NULL, 0);
		lab.running[i] = 0;
	}
	lab_stop();
	nftw(lab.root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(lab.bin);
	free(lab.floors);
}

void lab_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	lab_close();
	exit(1);
}

static const char *joined(const char *dir, const char *name)
{
	static char paths[4][PATH_BYTES];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_BYTES, "%s/%s", dir, name);
	return path;
}

const char *lab_program(const char *name)
{
	return joined(lab.bin, name);
}

const char *lab_floor(const char *name)
{
	return joined(lab.floors, name);
}

const char *lab_path(const char *name)
{
	return joined(lab.home, name);
}

pid_t lab_daemon(void)
{
	struct manifest m;

	if (!read_manifest(&m))
		lab_fail("there is no manifest in %s", lab.home);
	return (pid_t)m.pid;
}

uint64_t lab_epoch(void)
{
	struct manifest m;

	if (!read_manifest(&m))
		lab_fail("there is no manifest in %s", lab.home);
	return m.epoch;
}

void lab_await(const char *path)
{
	const struct timespec pause = {0, 1000000};

	for (int i = 0; i < 30000; i++) {
		if (access(path, F_OK) == 0)
			return;
		nanosleep(&pause, NULL);
	}
	lab_fail("there is no %s", path);
}

double lab_number(pid_t pid, const char *file, const char *name)
{
	char path[64];
	char line[256];
	double value = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	FILE *from = fopen(path, "re");
	if (!from)
		lab_fail("%s: %s", path, strerror(errno));
	while (value < 0 && fgets(line, sizeof(line), from))
		if (strncmp(line, name, strlen(name)) == 0 &&
		    line[strlen(name)] == ':')
			value = strtod(line + strlen(name) + 1, NULL);
	fclose(from);
	if (value < 0)
		lab_fail("%s has no %s", path, name);
	return value;
}

double lab_kib(pid_t pid, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (access(path, R_OK) != 0)
		return strcmp(what, "Private_Dirty") == 0
			       ? lab_number(pid, "status", "RssAnon")
			       : -1;
	return lab_number(pid, "smaps_rollup", what);
}

double lab_cpu_ns(pid_t pid)
{
	char path[300];
	double sum = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		lab_fail("%s: %s", path, strerror(errno));
	while ((entry = readdir(tasks))) {
		double ns = 0;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat",
			 (int)pid, entry->d_name);
		FILE *from = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (from && fscanf(from, "%lf", &ns) == 1)
			sum += ns;
		if (from)
			fclose(from);
	}
	closedir(tasks);
	return sum;
}

/* --- ports ------------------------------------------------------------------
 */

static int open_socket(struct sockaddr_in *a, const char *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		lab_fail("socket: %s", strerror(errno));
	*a = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	return fd;
}

void lab_free_port(char port[8])
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd = open_socket(&a, "0");

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		lab_fail("a port: %s", strerror(errno));
	close(fd);
	snprintf(port, 8, "%u", ntohs(a.sin_port));
}

void lab_await_port(const char *port)
{
	const struct timespec pause = {0, 10000000};

	for (int i = 0; i < 3000; i++) {
		struct sockaddr_in a;
		int fd = open_socket(&a, port);
		int rv = connect(fd, (struct sockaddr *)&a, sizeof(a));

		close(fd);
		if (rv == 0)
			return;
		nanosleep(&pause, NULL);
	}
	lab_fail("nobody listens on port %s", port);
}

/* --- processes -------------------------------------------------------------
 */

void party_start(struct party *p, const char *const argv[])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int down[2];
	int up[2];

	*p = (struct party){0};
	if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0)
		lab_fail("pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	int why = posix_spawn(&p->pid, argv[0], &actions, &attributes,
			      (char *const *)(uintptr_t)argv, lab.environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (why != 0)
		lab_fail("%s: %s", argv[0], strerror(why));
	close(down[0]);
	close(up[1]);
	p->to = down[1];
	p->from = up[0];
	for (int i = 0; i < PARTIES; i++) {
		if (lab.running[i] == 0) {
			lab.running[i] = p->pid;
			return;
		}
	}
	lab_fail("too many processes");
}

void party_say(const struct party *p, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(p->to, bytes.ptr, bytes.len);

		if (n < 0)
			lab_fail("process %d takes nothing: %s", (int)p->pid,
				 strerror(errno));
		bytes.ptr += n;
		bytes.len -= (size_t)n;
	}
}

bool party_has_line(const struct party *p)
{
	return p->heard.len > p->used &&
	       memchr(p->heard.data + p->used, '\n', p->heard.len - p->used);
}

struct slice party_hear(struct party *p)
{
	size_t seen = 0; /* of it, without a newline */
	char *newline;

	buf_consume(&p->heard, p->used);
	p->used = 0;
	for (;;) {
		struct pollfd fd = {.fd = p->from, .events = POLLIN};

		newline = p->heard.len > seen
				  ? memchr(p->heard.data + seen, '\n',
					   p->heard.len - seen)
				  : NULL;
		if (newline)
			break;
		seen = p->heard.len;
		char *to = buf_reserve(&p->heard, READ_BYTES);
		if (poll(&fd, 1, GUARD_MS) <= 0)
			lab_fail("process %d says nothing", (int)p->pid);
		ssize_t got = read(p->from, to, READ_BYTES);
		if (got <= 0)
			lab_fail("process %d has ended", (int)p->pid);
		buf_added(&p->heard, (size_t)got);
	}
	size_t len = (size_t)(newline - p->heard.data);
	p->used = len + 1;
	return (struct slice){p->heard.data, len};
}

/* Its pipes are closed and it was reaped; its wait status. */
static int part_from(struct party *p)
{
	int status = 0;

	close(p->to);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	for (int i = 0; i < PARTIES; i++)
		if (lab.running[i] == p->pid)
			lab.running[i] = 0;
	close(p->from);
	buf_finish(&p->heard);
	return status;
}

void party_kill(struct party *p)
{
	kill(-p->pid, SIGTERM);
	for (int i = 0; i < LEAVE_MS; i++) {
		siginfo_t ended = {0};

		waitid(P_PID, (id_t)p->pid, &ended,
		       WEXITED | WNOHANG | WNOWAIT);
		if (ended.si_pid != 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	kill(-p->pid, SIGKILL);
	part_from(p);
	*p = (struct party){0};
}

void party_end(struct party *p)
{
	int status = part_from(p);

	if (status != 0)
		lab_fail("process %d ended with status %d", (int)p->pid,
			 status);
	*p = (struct party){0};
}

void lab_run(const char *const argv[])
{
	int status = run(argv);

	if (status != 0)
		lab_fail("%s %s: status %d", argv[0], argv[1], status);
}

/* --- MCP -------------------------------------------------------------------
 */

void lab_adapter(struct party *p)
{
	party_start(p, (const char *const[]){
			       lab_program("executor-mcp-adapter"), NULL});
}

void lab_initialize(struct party *p)
{
	party_say(p, slice_of(lab_initialize_text));
	struct jsonrpc m = lab_answer(p, 0);
	if (!json_string_is(json_get(m.result, "protocolVersion"),
			    "2025-11-25"))
		lab_fail("initialize: %.*s", (int)m.text.len, m.text.ptr);
}

void lab_attach(struct party *p)
{
	lab_initialize(p);
	party_say(p, slice_of(lab_list_text));
	struct jsonrpc m = lab_answer(p, 1);
	lab_check_tools(&m, "executor__status");
}

bool lab_is_answer(struct slice line, uint64_t id, struct jsonrpc *m)
{
	const int shown = line.len < 500 ? (int)line.len : 500;
	unsigned long long got = 0;

	if (!jsonrpc_slice(line, m, NULL))
		lab_fail("no message: %.*s", shown, line.ptr);
	if (m->kind == JSONRPC_NOTIFICATION)
		return false;
	if (m->kind != JSONRPC_RESULT || !json_u64(m->id, &got) || got != id)
		lab_fail("the answer to %llu is %.*s", (unsigned long long)id,
			 shown, line.ptr);
	return true;
}

struct jsonrpc lab_answer(struct party *p, uint64_t id)
{
	struct jsonrpc m;

	while (!lab_is_answer(party_hear(p), id, &m))
		;
	return m;
}

void lab_check_tools(const struct jsonrpc *m, const char *name)
{
	struct slice tools = json_get(m->result, "tools");
	struct slice tool;

	for (size_t at = 0; json_next_element(tools, &at, &tool);)
		if (json_string_is(json_get(tool, "name"), name))
			return;
	lab_fail("no tool %s in %.*s", name, (int)m->text.len, m->text.ptr);
}
