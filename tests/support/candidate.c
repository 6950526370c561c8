/*
 * candidate: the smallest owner there can be, for the tests of election/.
 *
 * Started as executord is.  The file "behave" in the data directory says what
 * it does; "epoch" is its database, "winners" has a line for each one that
 * published and "pids" for each one that was started.  It answers whoever
 * connects with its instance, and dies of itself after a while.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "election/owner.h"
#include "election/plat.h"
#include "election/ready.h"

enum { LIFE_SECONDS = 30, SLOW_MS = 150 };

static const char *data_dir;

static FILE *open_file(const char *name, const char *mode)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", data_dir, name);
	return fopen(path, mode);
}

static unsigned long read_number(const char *name)
{
	FILE *f = open_file(name, "re");
	char text[32] = "";

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return strtoul(text, NULL, 10);
}

static void write_line(const char *name, const char *mode, unsigned long n)
{
	FILE *f = open_file(name, mode);

	if (!f)
		exit(OWNER_EXIT_FAILED);
	fprintf(f, "%lu\n", n);
	fclose(f);
}

static bool behaves(const char *how)
{
	FILE *f = open_file("behave", "re");
	char text[32] = "serve";

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return strcmp(text, how) == 0;
}

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	(void)sig;
	ended = 1;
}

static void answer(int listener, const struct manifest *m)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char hello;

	if (fd < 0)
		return;
	if (read(fd, &hello, 1) == 1 &&
	    write(fd, m->instance, sizeof(m->instance)) < 0)
		perror("answer");
	close(fd);
}

static int serve(struct owner *o, int listener, const struct manifest *m)
{
	struct pollfd fds[2] = {{listener, POLLIN, 0},
				{owner_watch_fd(o), POLLIN, 0}};
	sigset_t term;
	sigset_t before;
	bool still = true;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	signal(SIGTERM, on_term);
	while (still && !ended) {
		fds[0].revents = fds[1].revents = 0;
		ppoll(fds, 2, NULL, &before);
		if (fds[0].revents)
			answer(listener, m);
		if (fds[1].revents)
			still = owner_check(o) == OWNER_STILL;
	}
	owner_unpublish(o);
	owner_free(o);
	return 0;
}

int main(int argc, char **argv)
{
	struct manifest m = {
		.protocol_min = 1, .protocol_max = 1, .version = "test"};
	struct election_error e = {.code = "store",
				   .why = "the database is corrupt"};
	struct owner *o = NULL;
	int64_t wait_ms;
	int ready = -1;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--data-dir") == 0)
			data_dir = argv[i + 1];
		if (strcmp(argv[i], "--ready-fd") == 0)
			ready = (int)strtol(argv[i + 1], NULL, 10);
	}
	if (!data_dir)
		return 2;
	alarm(LIFE_SECONDS);
	signal(SIGPIPE, SIG_IGN);
	write_line("pids", "ae", (unsigned long)getpid());
	if (behaves("die"))
		return 1;
	if (behaves("stop"))
		raise(SIGSTOP);
	if (behaves("refuse")) {
		ready_tell(
			ready_open(ready),
			&(struct ready_line){.kind = READY_FAILED, .error = e});
		return OWNER_EXIT_FAILED;
	}
	switch (owner_take(&o, data_dir, ready, &wait_ms, &e)) {
	case OWNER_LOST:
		return OWNER_EXIT_LOST;
	case OWNER_RESTING:
	case OWNER_FAILED:
		return OWNER_EXIT_FAILED;
	case OWNER_WON:
		break;
	}
	if (behaves("freeze"))
		raise(SIGSTOP);
	if (behaves("fail")) {
		owner_fail(o, &e);
		owner_free(o);
		return OWNER_EXIT_FAILED;
	}
	if (behaves("slow")) {
		owner_progress(o, "migrating");
		nanosleep(&(struct timespec){0, SLOW_MS * 1000000L}, NULL);
	}
	m.epoch = read_number("epoch") + 1;
	write_line("epoch", "we", m.epoch);
	plat_random(m.instance, sizeof(m.instance));
	int listener = owner_listen(o, m.epoch, &e);
	if (listener < 0 || !owner_publish(o, &m, &e)) {
		owner_fail(o, &e);
		return OWNER_EXIT_FAILED;
	}
	write_line("winners", "ae", m.epoch);
	owner_ready(o);
	return serve(o, listener, &m);
}
