#include "server/claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "election/owner.h"
#include "server/config.h"

/* Who is it, for a person who started a second one. */
static void say_lost(const char *data_dir)
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
	if (dir_fd >= 0)
		close(dir_fd);
}

int claim(const struct config *config, struct owner **o, char **data_dir)
{
	enum owner_outcome outcome = OWNER_FAILED;
	struct election_error why;
	int64_t wait_ms;

	*o = NULL;
	*data_dir = datadir_resolve(config->data_dir, true, &why);
	if (*data_dir)
		outcome = owner_take(o, *data_dir, config->ready_fd, &wait_ms,
				     &why);
	switch (outcome) {
	case OWNER_WON:
		return 0;
	case OWNER_LOST:
		/* The starter heard it; the log is the owner's. */
		if (config->ready_fd < 0)
			say_lost(*data_dir);
		return OWNER_EXIT_LOST;
	case OWNER_RESTING:
	case OWNER_FAILED:
		break;
	}
	fprintf(stderr, "executord: error: %s\n", why.why);
	return OWNER_EXIT_FAILED;
}
