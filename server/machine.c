#include "server/machine.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

enum {
	/* Besides those of clients: a few for each of a thousand sources.
	 * Children inherit the limit, so it is no more than that: some
	 * programs walk over all descriptors that they could have. */
	DESCRIPTORS = 4096,
	/* What a large message passes through is freed and wanted again: kept,
	 * its pages need not be faulted in each time. */
	MMAP_BYTES = 8 * 1024 * 1024,
	TRIM_BYTES = 32 * 1024 * 1024,
};

static void raise_descriptors(size_t connections)
{
	rlim_t wanted = DESCRIPTORS + connections;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Secrets of sources pass through this memory: no core file, no debugger of
 * another process.  A sanitizer needs both. */
static void hide_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	struct rlimit none = {0, 0};

	getrlimit(RLIMIT_CORE, &none);
	none.rlim_cur = 0;
	setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
	prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
#endif
#endif
}

/* Whatever a source started and left behind becomes our child, and so is
 * reaped. */
static void adopt_orphans(void)
{
#ifdef __linux__
	prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
#endif
}

static void ignore(int number)
{
	struct sigaction action = {.sa_handler = SIG_IGN};

	sigaction(number, &action, NULL);
}

void machine_prepare(size_t connections)
{
	umask(077);
	ignore(SIGPIPE); /* a client that left is an error of write() */
	ignore(SIGHUP);	 /* a terminal that closes is none of ours */
	ignore(SIGXFSZ); /* a limit that is reached, too: of a file */
	raise_descriptors(connections);
	hide_memory();
	adopt_orphans();
#ifdef M_MMAP_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
#endif
}
