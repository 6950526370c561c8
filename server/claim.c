#include "server/claim.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "election/owner.h"
#include "election/plat.h"
#include "proto/clock.h"
#include "proto/envelope.h"
#include "proto/err.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/token.h"
#include "proto/version.h"
#include "server/config.h"
#include "server/face/port.h"
#include "server/hub.h"

enum { LOOK_MS = 5 };

/* Who is it, for a person who started a second one. */
static void say_lost(const char *data_dir, bool listen)
{
	struct election_error why;
	struct manifest m;
	int dir_fd = datadir_open(data_dir, false, &why);

	if (dir_fd >= 0 && manifest_read(dir_fd, &m))
		fprintf(stderr,
			"executord: another daemon owns %s (pid %" PRId64
			", epoch %" PRIu64 ")\n",
			data_dir, m.pid, m.epoch);
	else
		fprintf(stderr,
			"executord: another daemon owns %s, and is starting "
			"or ending\n",
			data_dir);
	if (listen)
		fputs("executord: it alone can serve a port for this "
		      "directory; `executor daemon run --replace` takes its "
		      "place\n",
		      stderr);
	if (dir_fd >= 0)
		close(dir_fd);
}

static bool token_usable(const char *data_dir, struct err *e)
{
	struct bearer token;
	bool ok = token_read(data_dir, &token, e) || e->reason == ERR_NOT_FOUND;

	mem_wipe(&token, sizeof(token));
	return ok;
}

static bool bind_port(const struct config *c, const char *data_dir,
		      struct port **port, struct err *e)
{
	if (!c->listen.set)
		return true;
	*port = port_new(&c->listen, c->tcp_admin, e);
	return *port && token_usable(data_dir, e);
}

/* Who owns it; 0 when nobody does, or nobody can tell. */
static pid_t owner_pid(const char *data_dir)
{
	struct election_error why;
	int dir_fd = datadir_open(data_dir, false, &why);

	if (dir_fd < 0)
		return 0;
	pid_t holder = plat_lock_holder(dir_fd, "owner.lock");
	close(dir_fd);
	return holder;
}

static enum owner_outcome take_now(const struct config *c, struct owner **o,
				   const char *data_dir, struct port **port,
				   struct err *e)
{
	struct election_error why;
	int64_t wait_ms;

	if (!bind_port(c, data_dir, port, e))
		return owner_pid(data_dir) != 0 ? OWNER_LOST : OWNER_FAILED;
	enum owner_outcome outcome =
		owner_take(o, data_dir, c->ready_fd, &wait_ms, &why);
	if (outcome != OWNER_WON)
		err_set(e, ERR_INTERNAL, "%s", why.why);
	return outcome;
}

/* Wait until the owner has ended, so long at the most.  A look now and then
 * must do where nobody can say who that is, and for *ended, which is gone and
 * whose lock is not: a child of it has not come to its exec yet. */
static void wait_for_owner(const char *data_dir, pid_t *ended, int64_t left_ms)
{
	pid_t pid = owner_pid(data_dir);
	struct pollfd gone = {.fd = -1, .events = POLLIN};

	if (pid != 0 && pid != *ended)
		gone.fd = plat_process_fd(pid);
	/* The pid may have become somebody else's before it was opened. */
	if (gone.fd >= 0 && owner_pid(data_dir) != pid) {
		close(gone.fd);
		gone.fd = -1;
	}
	if (gone.fd < 0 && left_ms > LOOK_MS)
		left_ms = LOOK_MS;
	if (poll(&gone, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms) == 1)
		*ended = pid;
	if (gone.fd >= 0)
		close(gone.fd);
}

/* Try until the owner has ended, or time has. */
static enum owner_outcome take(const struct config *c, struct owner **o,
			       const char *data_dir, struct port **port,
			       struct err *e)
{
	int64_t end = clock_now_ms() + c->wait_ms;
	pid_t ended = 0;

	for (;;) {
		enum owner_outcome outcome = take_now(c, o, data_dir, port, e);

		int64_t left_ms = end - clock_now_ms();
		/* A starter is told once, and does not wait. */
		if (outcome != OWNER_LOST || c->ready_fd >= 0 || left_ms <= 0)
			return outcome;
		port_free(*port);
		*port = NULL;
		wait_for_owner(data_dir, &ended, left_ms);
	}
}

int claim(const struct config *config, struct owner **o, char **data_dir,
	  struct port **port)
{
	enum owner_outcome outcome = OWNER_FAILED;
	struct election_error why;
	struct err e;

	*o = NULL;
	*port = NULL;
	*data_dir = datadir_resolve(config->data_dir, true, &why);
	if (*data_dir)
		outcome = take(config, o, *data_dir, port, &e);
	else
		err_set(&e, ERR_INTERNAL, "%s", why.why);
	switch (outcome) {
	case OWNER_WON:
		return 0;
	case OWNER_LOST:
		/* The starter heard it; the log is the owner's. */
		if (config->ready_fd < 0)
			say_lost(*data_dir, config->listen.set);
		return OWNER_EXIT_LOST;
	case OWNER_RESTING:
	case OWNER_FAILED:
		break;
	}
	fprintf(stderr, "executord: error: %s\n", e.text);
	return OWNER_EXIT_FAILED;
}

static bool open_port(struct hub *h, struct port **port, struct err *e)
{
	struct port *ours = *port;

	*port = NULL;
	return !ours || hub_open_port(h, ours, e);
}

bool publish(struct owner *o, struct hub *h, struct port **port, struct err *e)
{
	struct manifest m = {
		.epoch = hub_epoch(h),
		.protocol_min = version_protocol_min,
		.protocol_max = version_protocol_max,
	};
	struct election_error why;

	snprintf(m.version, sizeof(m.version), "%s", version_text);
	memcpy(m.instance, hub_instance(h), sizeof(m.instance));
	int fd = owner_listen(o, m.epoch, &why);
	if (fd < 0)
		return err_set(e, err_by_name(why.code), "%s", why.why);
	hub_listen(h, fd);
	if (!open_port(h, port, e))
		return false;
	snprintf(m.tcp_url, sizeof(m.tcp_url), "%s", hub_url(h));
	if (!owner_publish(o, &m, &why))
		return err_set(e, err_by_name(why.code), "%s", why.why);
	return true;
}

void yield(struct owner *o, const struct config *config, const char *program)
{
	static char yielded[] = "--yielded";
	struct election_error why;
	size_t count = 0;

	/* It may be as old as we are by now: once is enough. */
	if (!program || config->yielded)
		return;
	while (config->argv[count])
		count++;
	char **argv = mem_zalloc((count + 2) * sizeof(*argv));
	memcpy(argv, config->argv, count * sizeof(*argv));
	argv[count] = yielded;
	log_info("daemon", "a newer version has been here: running %s",
		 program);
	owner_yield(o, program, argv, &why);
	log_odd("daemon", "it cannot be run: %s", why.why);
	free(argv);
}
