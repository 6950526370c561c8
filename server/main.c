/* executord: the daemon that owns a data directory. */
#include <stdio.h>

#include "proto/err.h"
#include "server/config.h"
#include "server/daemon.h"
#include "server/machine.h"

int main(int argc, char *argv[])
{
	struct config config;
	struct err e;

	switch (config_read(&config, argc, argv, &e)) {
	case CONFIG_SERVE:
		break;
	case CONFIG_HELP:
		config_help(stdout);
		return DAEMON_EXIT_OK;
	case CONFIG_VERSION:
		config_version(stdout);
		return DAEMON_EXIT_OK;
	case CONFIG_BAD:
		fprintf(stderr, "executord: error: %s; try: executord --help\n",
			e.text);
		return DAEMON_EXIT_USAGE;
	}
	/* Each listener has as many. */
	machine_prepare(config.connections * (config.listen.set ? 2 : 1));
	return daemon_run(&config);
}
